#!/bin/sh
# What takes long and is run beside scripts/test.sh: a failure stops no other test.
set -eu
cargo=${CARGO:-cargo}
failed=''
# Twelve kills, and every way in which a host breaks. `make torture` has more.
$cargo test --workspace --locked --quiet --no-fail-fast --test torture || failed=yes
# Without KEYTRAIL_NTPD this says what was not run, and why.
if [ -n "${KEYTRAIL_NTPD:-}" ]; then
    set -- --ignored
else
    set --
fi
$cargo test --workspace --locked --no-fail-fast --test interop -- "$@" || failed=yes
[ -z "$failed" ] || {
    echo 'Tests failed: see above.' >&2
    exit 1
}
