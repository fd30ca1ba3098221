#!/bin/sh
# `keytrail check` beside Python + PyYAML (CSafeLoader) + networkx on the same inventories: prints the table of
# docs/performance.md. PYTHON_AT_1M=1 runs Python at a million hosts too (minutes, and gigabytes).
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-target}
work=$target/bench
rounds=${ROUNDS:-3}
mkdir -p "$work"

if ! "$work/venv/bin/python" -c 'import networkx, yaml; yaml.CSafeLoader' 2>/dev/null; then
    python3 -m venv --clear "$work/venv" || {
        echo "The comparison needs Python: apt-get install python3-venv, then run this again." >&2
        exit 1
    }
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check pyyaml networkx
    "$work/venv/bin/python" -c 'import yaml; yaml.CSafeLoader' || {
        echo "This PyYAML has no libyaml (CSafeLoader): the comparison would flatter keytrail. Install libyaml-dev, then run this again." >&2
        exit 1
    }
fi
$cargo build --release --locked --quiet --bin keytrail

fleet() { # fleet NAME HOSTS SHAPE
    "$work/venv/bin/python" scripts/bench_fleet.py "$2" "$3" >"$work/$1.yaml"
}
fleet 100k-spelled 100000 spelled
fleet 1m-spelled 1000000 spelled
fleet 1m-ranges 1000000 ranges

echo "$(nproc) cores, $(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo), load before: $(cut -d' ' -f1-3 /proc/loadavg)," \
    "$("$work/venv/bin/python" -c 'import platform, networkx, yaml
print(f"Python {platform.python_version()}, PyYAML {yaml.__version__}, networkx {networkx.__version__}")')," \
    "medians of $rounds, $(date -u +%F)"
echo
"$work/venv/bin/python" scripts/bench_measure.py "$target/release/keytrail" "$work" "$rounds"
rm -f "$work"/*.yaml
