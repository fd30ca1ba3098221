# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Taking in a payload: a tar stream, unpacked into a directory that nobody else can enter. The manifest is among the
# facts: $entries is the number of its entries, and each has a verb, what is to be there (new) and was there (old), a
# mode, the member of the stream that it is about (index), and a path; nothing for what an entry has not. Members that
# go into the keys directory are called as there, the others have numbers. The digest of every member is checked before
# anything is done: a stream cut short or damaged is never acted on.
#
# Every process that is not started is half a millisecond of a host's time, hence one command for many files.

receive() {
    need tar mkdir rm mv ln chmod date
    stage='' locked=''
    trap leave EXIT
    trap 'exit 5' HUP INT TERM PIPE
    make_dirs
    take_lock
    cd "$stage" || stop 4 "cannot use $keysdir"
    [ "$members" -gt 0 ] || return 0
    tar -xpof - || stop 4 "cannot unpack what was sent into $keysdir"
    n=0
    while [ "$n" -lt "$entries" ]; do
        n=$((n + 1))
        entry
        [ -z "$index" ] || [ -f "$index" ] || [ -L "$index" ] || stop 5 'the input was cut short'
    done
}

# Notes every directory that the entries are about, and sets $final1 and so on to where their paths lead.
survey() {
    members=0 n=0
    while [ "$n" -lt "$entries" ]; do
        n=$((n + 1))
        entry
        [ -z "$index" ] || members=$((members + 1))
        case $verb in
            conf | mode | owner) resolve "$path" ;;
            *) place "$path" ;;
        esac
        eval "final$n=\$at"
    done
}

# Sets $verb, $old, $new, $mode, $index and $path to those of entry $n.
entry() {
    eval "verb=\$verb$n old=\$old$n new=\$new$n mode=\$mode$n index=\$index$n path=\$path$n"
}

# Makes $stage to unpack in, and before it whatever of the keys directory and ours below it is missing.
make_dirs() {
    dir=$keys made=''
    set --
    if [ -d "$dir" ]; then
        sweep "$dir"
    else
        [ ! -e "$dir" ] || stop 4 "$keysdir is not a directory"
        # Entered by all and listed by none: a daemon opens client parameters when it is root no more.
        # shellcheck disable=SC2174 # only the last one is ours
        (umask 022 && mkdir -m 0711 -p "$dir") || stop 4 "cannot make the directory $keysdir"
        made=yes
    fi
    [ -z "$lock" ] || [ -d "$state" ] || set -- "$@" "$state"
    number=1
    while [ -e "$dir/.keytrail-stage-$$-$number" ]; do
        number=$((number + 1))
    done
    if mkdir -m 0700 "$@" "$dir/.keytrail-stage-$$-$number" 2>/dev/null; then
        stage=$dir/.keytrail-stage-$$-$number
    else
        # Another run may just have made one of them.
        for missing; do
            [ -d "$missing" ] || mkdir -m 0700 "$missing" || [ -d "$missing" ] ||
                stop 4 "cannot make the directory ${missing#"$base"}"
        done
        stage=$(mktemp -d "$dir/.keytrail-stage-$$-XXXXXX") || stop 4 "cannot write to $keysdir"
    fi
    [ -n "$made" ] || return 0
    # It stays root's: $owner enters it by his group, and cannot rename in it.
    entered=$group
    [ -n "$entered" ] || [ -z "$owner" ] || entered=$(id -g -- "$owner" 2>/dev/null)
    [ -z "$entered" ] || chgrp "$entered" "$dir" || stop 4 "cannot give files to group $entered"
    [ -z "$entered" ] || chmod 0750 "$dir" || stop 4 "cannot set the mode of $keysdir"
}

# Takes the host for this run, or stops. A lock of our own from before is taken on, and so is one whose time is
# over: its owner is dead or will find out at its next step.
take_lock() {
    now=$(date +%s)
    [ -n "$lock" ] || return 0
    id=${lock%% *} words=${lock#* }
    lease=${words%% *} words=${words#* }
    if [ -s "$state/lock" ] && read -r held until others <"$state/lock" && [ "$held" = "$id" ] &&
        [ "$((until - now))" -gt "$((lease / 2))" ]; then
        locked=yes
        return 0
    fi
    keep_state
    printf '%s %d %s\n' "$id" "$((now + lease))" "$words" >"$stage/lock" || stop 4 "cannot write to $keysdir"
    if ! ln "$stage/lock" "$state/lock" 2>/dev/null; then
        peek "$state/lock"
        old=$word
        if [ -n "$old" ] && [ "${old%% *}" != "$id" ]; then
            until=${old#* } others=${old#* * }
            [ "${until%% *}" -le "$now" ] || stop 7 "locked by $others"
        fi
        # Two may have found the same old lock at once: one of them gets it out of the way.
        mv -f "$state/lock" "$stage/old" 2>/dev/null
        peek "$stage/old"
        if [ -n "$word" ] && [ "$word" != "$old" ]; then
            ln "$stage/old" "$state/lock" 2>/dev/null
            stop 7 "locked by ${word#* * }"
        fi
        if ! ln "$stage/lock" "$state/lock" 2>/dev/null; then
            peek "$state/lock"
            [ -z "$word" ] || stop 7 "locked by ${word#* * }"
            # A file system without links of that kind.
            mv -f "$stage/lock" "$state/lock" || stop 4 "cannot write to $keysdir"
        fi
    fi
    locked=yes
}

# Where it took longer than its lease somebody else may have the host by now: that lock is not ours to take away.
still_ours() {
    [ -n "$locked" ] || return 0
    peek "$state/lock"
    [ "${word%% *}" = "$id" ] || locked=''
}

# However it ends. A run that comes back to this host says so by emptying $locked.
leave() {
    still_ours
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
        :*) chgrp -h "$group" "$@" ;;
        *:) chown -h "$owner" "$@" ;;
        *) chown -h "$owner:$group" "$@" ;;
    esac
}

# Down to the disk. Where `sync` takes no names it writes everything.
flush() { # FILE…
    sync "$@" 2>/dev/null || sync
}
