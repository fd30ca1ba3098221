#!/bin/sh
# Every test of the project. A missing component is a failure, never a silent skip.
set -eu
cargo=${CARGO:-cargo}
$cargo test --locked --quiet --all-targets "$@"
$cargo test --locked --quiet --doc
