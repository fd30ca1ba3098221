# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Taking in a payload: a tar stream after the prelude, unpacked into a directory that nobody else can enter.
# Its first member is "manifest": lines "VERB OLD NEW MODE INDEX PATH" with "-" for what a verb has not. The
# other members are numbered. The prelude has the manifest's digest and the manifest that of every member, and
# all are checked before anything is done: a stream cut short or damaged is never acted on.

receive() {
    need tar mktemp mkdir rm mv chmod
    make_dir
    sweep "$root$keysdir"
    trap 'rm -rf "$stage"' EXIT
    trap 'exit 5' HUP INT TERM PIPE
    stage=''
    stage=$(mktemp -d "$root$keysdir/.keytrail-stage-$$-XXXXXX") || stop 4 "cannot write to $keysdir"
    tar -xpof - -C "$stage" || stop 4 "cannot unpack what was sent into $keysdir"
    cd "$stage" || stop 4 "cannot use $keysdir"
    [ -f manifest ] || stop 5 'the input was cut short'
    while read -r verb old new mode index path; do
        [ "$index" = - ] || [ -f "$index" ] || stop 5 'the input was cut short'
    done <manifest
}

# Sets $sums to the digests of the manifest, which must be the one that was sent, and of files.
check() { # FILE…
    sums=$(digests manifest "$@") || stop 4 "cannot check the files in $keysdir"
    holds "$manifest" manifest || stop 5 'what was sent is damaged'
}

# The keys directory, made where it is missing: closed to all but its owner, and open to its group if one is set.
make_dir() {
    dir=$root$keysdir
    [ ! -d "$dir" ] || return 0
    [ ! -e "$dir" ] || stop 4 "$keysdir is not a directory"
    (umask 022 && mkdir -p "${dir%/*}/") || stop 4 "cannot make the directory ${keysdir%/*}"
    if mkdir -m 0700 "$dir"; then
        own "$dir" || stop 4 "$cannot_own"
        [ -z "$group" ] || chmod 0750 "$dir" || stop 4 "cannot set the mode of $keysdir"
    else
        # Another run may just have made it.
        [ -d "$dir" ] || stop 4 "cannot make the directory $keysdir"
    fi
}

# Removes what runs that were killed have left in a directory. The number in the name is that of the shell.
sweep() { # DIRECTORY
    for left in "$1"/.keytrail-stage-* "$1"/.keytrail-new-*; do
        pid=${left##*/.keytrail-}
        pid=${pid#*-}
        kill -0 "${pid%%-*}" 2>/dev/null || rm -rf "$left" 2>/dev/null
    done
}

# Owner and group as asked for.
own() { # FILE…
    cannot_own="cannot give files to ${owner:+owner $owner}${owner:+${group:+ and }}${group:+group $group}"
    case $owner:$group in
        :) return 0 ;;
        :*) chgrp "$group" "$@" ;;
        *:) chown "$owner" "$@" ;;
        *) chown "$owner:$group" "$@" ;;
    esac
}

# Down to the disk. Where `sync` takes no names it writes everything.
flush() { # FILE…
    sync "$@" 2>/dev/null || sync
}
