#!/bin/sh
# Every test of the project. A missing component is a failure, never a silent skip.
set -eu
cargo=${CARGO:-cargo}
# The real chrony and NTPsec, unpacked and never installed: they judge the files we write for them.
KEYTRAIL_TEST_DAEMONS=$(sh tests/tools/get-daemons.sh "${KEYTRAIL_TEST_DAEMONS:-target/test-daemons}")
export KEYTRAIL_TEST_DAEMONS
# Benches are compiled by `make lint` and run by `make bench`.
$cargo test --workspace --locked --quiet --lib --bins --tests "$@"
$cargo test --workspace --locked --quiet --doc
