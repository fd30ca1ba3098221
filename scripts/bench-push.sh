#!/bin/sh
# `keytrail apply` beside `xargs ssh tar` and Ansible on hosts of this machine: prints the table of docs/performance.md.
# HOSTS (120), JOBS (16), ROUNDS (3); ANSIBLE=no leaves Ansible out.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-target}
venv=$target/bench/ansible
playbook=''
if [ "${ANSIBLE:-yes}" != no ]; then
    playbook=$venv/bin/ansible-playbook
    [ -x "$playbook" ] || {
        python3 -m venv --clear "$venv" || {
            echo "The comparison needs Python: apt-get install python3-venv, then run this again; or ANSIBLE=no." >&2
            exit 1
        }
        "$venv/bin/pip" install --quiet --disable-pip-version-check ansible-core
    }
fi
$cargo build --release --locked --quiet --bin keytrail
echo "$(nproc) cores, load before: $(cut -d' ' -f1-3 /proc/loadavg), $(ssh -V 2>&1 | cut -d, -f1)," \
    "${playbook:+$("$playbook" --version | head -n 1), }$(date -u +%F)"
echo
python3 scripts/bench_push.py "$target/release/keytrail" "${HOSTS:-120}" "${JOBS:-16}" "${ROUNDS:-3}" ${playbook:+"$playbook"}
