#!/bin/sh
# Unpacks Debian's chrony and ntpsec below PREFIX without installing them: the two packages conflict, and nothing
# of them should run on this machine. The tests find them by KEYTRAIL_TEST_DAEMONS=PREFIX.
#
#   tests/tools/get-daemons.sh PREFIX
set -eu

prefix=${1:?usage: get-daemons.sh PREFIX}
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
for tool in apt-get dpkg; do
    command -v "$tool" >/dev/null 2>&1 || {
        echo "get-daemons.sh needs $tool: it takes the daemons from Debian or Ubuntu" >&2
        exit 1
    }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for package in chrony ntpsec; do
    # What the daemon links to and a minimal system may lack comes along, and the modules of NTPsec's ntpq.
    packages=$package
    [ "$package" = chrony ] && packages="chrony libedit2 libbsd0 libmd0"
    [ "$package" = ntpsec ] && packages="ntpsec python3-ntp libbsd0 libmd0"
    # The marker names what was unpacked: a longer list is fetched anew.
    [ "$(cat "$prefix/$package/.complete" 2>/dev/null)" = "$packages" ] && continue
    rm -rf "${prefix:?}/$package"
    for name in $packages; do
        (cd "$work" && apt-get -o APT::Sandbox::User="$(id -un)" download -qq "$name" >/dev/null) || {
            echo "get-daemons.sh: cannot download $name; is 'apt-get update' needed?" >&2
            exit 1
        }
    done
    for deb in "$work"/*.deb; do
        dpkg -x "$deb" "$prefix/$package"
    done
    rm -f "$work"/*.deb
    # Beside the modules is where ntpq looks first.
    for library in "$prefix/$package"/usr/lib/*/ntp/libntpc.so; do
        [ ! -e "$library" ] || ln -sf "$library" "$prefix/$package/usr/lib/python3/dist-packages/ntp/"
    done
    echo "$packages" >"$prefix/$package/.complete"
done
echo "$prefix"
