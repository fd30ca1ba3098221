#!/bin/sh
# Every test that is run for every change. A missing component is a failure, never a silent skip; a failure stops no other test.
# Arguments are handed to `cargo test`, such as a part of the names of tests.
set -eu
cargo=${CARGO:-cargo}
cores=$(getconf _NPROCESSORS_ONLN)
# The real chrony and NTPsec, unpacked and never installed: they judge the files we write for them.
KEYTRAIL_TEST_DAEMONS=$(sh tests/tools/get-daemons.sh "${KEYTRAIL_TEST_DAEMONS:-target/test-daemons}")
export KEYTRAIL_TEST_DAEMONS
failed=''
tests() { # THREADS ARGUMENTS...
    threads=$1
    shift
    $cargo test --workspace --locked --quiet --no-fail-fast "$@" -- --test-threads "$threads" || failed=yes
}
# Benches are compiled by `make lint` and run by `make bench`.
tests "$cores" --lib --bins --test it --test attacks "$@"
# They wait for connections and programs half of the time.
tests $((2 * cores)) --test sshd "$@"
# They wait for daemons to choose a server nearly all of the time, each in a network of its own: more at once may do.
tests "$cores" --test daemons "$@"
$cargo test --workspace --locked --quiet --no-fail-fast --doc "$@" || failed=yes
[ -z "$failed" ] || {
    echo 'Tests failed: see above.' >&2
    exit 1
}
