# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Taking in a payload: a tar stream after the prelude, unpacked into a directory that nobody else can enter.
# Its first member is "manifest": lines "VERB OLD NEW MODE INDEX PATH" with "-" for what a verb has not. The
# other members are numbered. The prelude has the manifest's digest and the manifest that of every member, and
# all are checked before anything is done: a stream cut short or damaged is never acted on.

receive() {
    need tar mktemp mkdir rm mv ln chmod date
    make_dir
    sweep "$root$keysdir"
    stage='' locked=''
    trap leave EXIT
    trap 'exit 5' HUP INT TERM PIPE
    stage=$(mktemp -d "$root$keysdir/.keytrail-stage-$$-XXXXXX") || stop 4 "cannot write to $keysdir"
    take_lock
    # Some tars read on beyond the end of the archive. Where more follows they get no more than the archive, and it
    # is read byte by byte, as nothing else leaves the rest alone everywhere.
    if [ -n "$size" ]; then
        dd ibs=1 obs=4096 count="$size" 2>/dev/null | tar -xpof - -C "$stage"
    else
        tar -xpof - -C "$stage"
    fi || stop 4 "cannot unpack what was sent into $keysdir"
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

# Takes the host for this run, or stops. A lock of our own from before is taken on, and so is one whose time is
# over: its owner is dead or will find out at its next step.
take_lock() {
    [ -n "$lock" ] || return 0
    id=${lock%% *} words=${lock#* }
    now=$(date +%s)
    keep_state
    printf '%s %d %s\n' "$id" "$((now + ${words%% *}))" "${words#* }" >"$stage/lock" || stop 4 "cannot write to $keysdir"
    if ! ln "$stage/lock" "$state/lock" 2>/dev/null; then
        if [ -s "$state/lock" ] && read -r held until words <"$state/lock" && [ "$held" != "$id" ]; then
            [ "$until" -le "$now" ] || stop 7 "locked by $words"
        fi
        mv -f "$stage/lock" "$state/lock" || stop 4 "cannot write to $keysdir"
        # Two may have found the same old lock at once.
        read -r held until words <"$state/lock"
        [ "$held" = "$id" ] || stop 7 "locked by $words"
    fi
    locked=yes
}

# However it ends. A run that comes back to this host says so by emptying $locked.
leave() {
    [ -z "$stage" ] || rm -rf "$stage" ${locked:+"$state/lock"}
}

# Removes what runs that were killed have left in a directory. The number in the name is that of the shell.
sweep() { # DIRECTORY
    for left in "$1"/.keytrail-stage-* "$1"/.keytrail-new-*; do
        # A pattern that nothing matches stands for itself.
        [ -e "$left" ] || [ -L "$left" ] || continue
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
