#!/bin/sh
# Installs missing system packages on Debian or Ubuntu: `setup.sh run` for building and running,
# `setup.sh test` for the tests too. Where it may not install, it says what is missing and stops.
set -eu

missing=
need() { # need PACKAGE TEST-COMMAND...
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

need gcc command -v cc
need pkg-config command -v pkg-config
need libssl-dev sh -c 'pkg-config --exists openssl || command -v pkgconf'
[ -f /usr/include/openssl/ssl.h ] || need libssl-dev pkg-config --exists openssl
need openssh-client command -v ssh
need openssh-server test -x /usr/sbin/sshd

if [ "${1:-run}" = test ]; then
    need busybox command -v busybox
    need fish command -v fish
    need csh command -v csh
    need sudo command -v sudo
    need opendoas command -v doas
    need shellcheck command -v shellcheck
    need tar command -v tar
    # The daemons under test run in networks of their own; NTPsec's ntpq is written in Python.
    need iproute2 command -v ip
    need util-linux sh -c 'command -v unshare && command -v nsenter && command -v setpriv'
    need python3 command -v python3
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "keytrail needs Rust 1.89 or later (cargo was not found): install it with rustup, then run this again." >&2
    exit 1
fi
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "These are missing, under their Debian names:$missing. Install them, then run this again." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    echo "These packages are missing:$missing" >&2
    echo "Install them with: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086 # one word per package is meant
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
