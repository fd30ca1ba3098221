#!/bin/sh
# Everything that must be clean before a change lands.
set -eu
cargo=${CARGO:-cargo}
$cargo fmt --all --check
$cargo clippy --workspace --locked --all-targets --quiet -- -D warnings
if $cargo deny --version >/dev/null 2>&1; then
    # The advisory database needs the network; the rest never does.
    $cargo deny --offline --workspace check bans licenses sources
else
    echo "cargo-deny is not installed: licences and sources were not checked (cargo install cargo-deny --locked)" >&2
    [ "${CI:-}" != true ] || [ "${KEYTRAIL_DENY:-}" != required ] || exit 1
fi
if command -v shellcheck >/dev/null 2>&1; then
    git ls-files '*.sh' .ci/run | xargs shellcheck
else
    echo "shellcheck is not installed: shell scripts were not checked (apt-get install shellcheck)" >&2
fi
