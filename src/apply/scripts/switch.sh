# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Taking a host from one state to another and, if need be, back. $todo has the numbers of the entries that differ, with
# the files' real names in $final1 and so on; $restart is the command itself.

# As entry, and $final. Links that go into the keys directory are there in $stage already: $index.
differing() {
    entry
    eval "final=\$final$n"
}

# Writes down what is there now. A switch that was interrupted began from the state in the old record, so that
# one stays, and only files it does not speak of are added.
record() {
    keep_state
    trap 'unbuild; leave' EXIT
    undo=$state/undo-$now-$$-${stage##*-}
    mkdir -m 0700 "$undo" 2>/dev/null || undo=$(mktemp -d "$state/undo-XXXXXX") || stop 4 "cannot write to $keysdir"
    copies=0 before=- list='' after='' known=$nl
    peek "$state/undo"
    former=$word
    if is_record "$former"; then
        read -r run was before when <"$state/$former/about"
        peek "$state/pending"
        if [ "$word" = switch ]; then
            before=$was
            cp -p "$state/$former"/* "$undo/" || stop 4 "cannot write to $keysdir"
            note_record "$undo"
            judge
            while read -r kind what path; do
                place "$path"
                path=${at#"$base"} copies=$((copies + 1))
                known=$known$path$nl list="$list$kind $what $path$nl"
            done <"$undo/list"
            while IFS= read -r line; do
                after=$after$line$nl
            done <"$undo/after"
        else
            echo "$former" >"$undo/next" || stop 4 "cannot write to $keysdir"
        fi
    fi
    for n in $todo; do
        differing
        path=${final#"$base"}
        after="$after$verb ${new:--} $path$nl"
        case $known in
            *"$nl$path$nl"*) continue ;;
        esac
        if [ -L "$final" ]; then
            kind=link what=$(readlink "$final")
        elif [ -e "$final" ]; then
            kind=file what=$copies
            (
                # Blocks of 512 bytes: the file is in use, and its owner may be making it longer.
                ulimit -f 16384 2>/dev/null
                cp -p "$final" "$undo/$what"
            ) || stop 4 "cannot keep a copy of $path"
        else
            kind=none what=-
        fi
        copies=$((copies + 1))
        known=$known$path$nl list="$list$kind $what $path$nl"
    done
    {
        printf '%s' "$list" >"$undo/list" && printf '%s' "$after" >"$undo/after" &&
            echo "${label% *} $before ${label#* } $now" >"$undo/about"
    } || stop 4 "cannot write to $keysdir"
}

# Makes every new file beside the old one, so that little is left to do that needs space.
build() {
    built=yes
    for n in $todo; do
        differing
        [ "$verb" = conf ] || continue
        beside=${final%/*}/.keytrail-new-$$-$n
        path=${final#"$base"}
        [ -d "${final%/*}" ] || (umask 022 && mkdir -p "${final%/*}") ||
            stop 4 "cannot make the directory ${path%/*}"
        sweep "${final%/*}"
        # Nobody can read it that may not: its mode and owner come last.
        cp -p "$index" "$beside" || stop 4 "cannot write $path"
        [ ! -e "$final" ] || like "$final" "$beside"
        own "$beside" || stop 4 "$cannot_own"
    done
}

# What was made beside and has not been put in place.
unbuild() {
    set --
    if [ -n "$built" ]; then
        for n in $todo; do
            differing
            set -- "$@" "${final%/*}/.keytrail-new-$$-$n"
        done
    fi
    [ -n "$switched" ] || set -- "$@" "$undo"
    [ "$#" -eq 0 ] || rm -rf "$@"
}

# Gives NEW the owner, group and SELinux label of OLD.
like() { # OLD NEW
    # shellcheck disable=SC2046 # the columns are meant
    set -- "$1" "$2" $(ls -ldn "$1")
    chown -h "$5:$6" "$2" || stop 4 "cannot keep owner $5 and group $6 of ${1#"$base"}"
    [ ! -e /sys/fs/selinux/enforce ] || chcon --reference="$1" "$2" ||
        stop 4 "cannot set the SELinux label of ${1#"$base"}"
}

# From here to the end of the renames nothing may stop us: not a lost connection, not a signal.
switch() {
    trap '' HUP INT TERM PIPE
    { echo "${undo##*/}" >undo-name && mv -f undo-name "$state/undo"; } || stop 4 "cannot write to $keysdir"
    switched=yes
    echo switch >"$state/pending" || stop 4 "cannot write to $keysdir"
    set -- "$state" "$state/pending" "$undo" "$undo"/*
    for n in $todo; do
        differing
        [ "$verb" != conf ] || set -- "$@" "${final%/*}" "${final%/*}/.keytrail-new-$$-$n"
    done
    flush "$keys" "$@"
    set --
    for n in $todo; do
        differing
        [ "$verb" != link ] || set -- "$@" "$index"
    done
    [ "$#" -eq 0 ] || mv -f "$@" "$keys/" || undone "the links in $keysdir"
    set --
    for n in $todo; do
        differing
        [ "$verb" != unlink ] || set -- "$@" "$final"
    done
    [ "$#" -eq 0 ] || rm -f "$@" || undone "the links in $keysdir"
    set -- "$keys"
    for n in $todo; do
        differing
        path=${final#"$base"}
        if [ "$verb" = conf ]; then
            mv -f "${final%/*}/.keytrail-new-$$-$n" "$final" || undone "$path"
            set -- "$@" "${final%/*}"
        fi
        echo "$verb $path"
    done
    built=''
    flush "$@"
}

undone() { # WHAT
    back
    stop 4 "cannot put $1 in place; everything is as it was before"
}

# Puts back what the undo record says, and forgets it. What cannot be put back holds up nothing else.
back() {
    left=''
    while read -r kind what path; do
        place "$path"
        beside=${at%/*}/.keytrail-new-$$-back
        case $kind in
            none) rm -f "$at" ;;
            link) ln -s "$what" "$beside" && mv -f "$beside" "$at" ;;
            file) cp -p "$undo/$what" "$beside" && flush "$beside" && mv -f "$beside" "$at" ;;
        esac || {
            left="$left $path"
            rm -f "$beside"
        }
    done <"$undo/list"
    [ -z "$left" ] || stop 4 "cannot put back:$left; the former state is in $keysdir/.keytrail/${undo##*/}"
    if [ -s "$undo/next" ]; then
        cp "$undo/next" undo-name && mv -f undo-name "$state/undo"
    else
        rm -f "$state/undo"
    fi || stop 4 "cannot write to $keysdir"
    flush "$keys" "$state"
    rm -rf "$state/pending" "$undo"
}

# Runs a command as it came in our own text: no file of it could be another one by now, and no list of processes shows it.
# Its output goes into the answer, whatever comes of it. Its exit status is ours, in $status.
run() { # WORD COMMAND
    # A daemon that is started here must not keep our streams open, nor inherit what we ignore.
    (
        trap - HUP INT TERM PIPE
        umask "$before_umask"
        unset LC_ALL
        cd / && printf '%s\n' "$2" | sh -c 'command=$(cat) && exec </dev/null && eval "$command"'
    ) >output 2>&1 </dev/null 3<&-
    status=$?
    if [ -s output ]; then
        printf '%s %d %d\n' "$1" "$status" "$(wc -c <output)"
        cat output
        echo
    else
        printf '%s %d 0\n\n' "$1" "$status"
    fi
    return "$status"
}

# Asks whether all is well. No answer in time is an answer too.
hold() {
    echo ask
    await "$guard"
    case $answer in
        keep) ;;
        back) go_back 'told to go back' ;;
        *) go_back "no word came within $guard seconds" ;;
    esac
}

# Sets $answer to the next line of our input, or to nothing. The line is read by a process of its own, which a
# second one ends when the time is over: no shell's `read` can be relied on to give up by itself.
await() { # SECONDS
    (
        trap - HUP INT TERM PIPE
        IFS= read -r line && printf '%s\n' "$line" >answer
    ) <&3 >/dev/null 2>&1 &
    reader=$!
    (
        trap - HUP INT TERM PIPE
        left=$1
        while [ "$left" -gt 0 ] && kill -0 "$reader"; do
            sleep 1
            left=$((left - 1))
        done
        kill "$reader"
    ) </dev/null 3<&- >/dev/null 2>&1 &
    watch=$!
    wait "$reader" 2>/dev/null
    kill "$watch" 2>/dev/null
    peek answer
    answer=$word
}

# Everything as it was before, and the daemon with it.
go_back() { # WHY
    [ -n "$switched" ] || stop 6 "$1"
    back
    switched=''
    if [ -n "$restart" ] && ! run restart "$restart"; then
        echo restart >"$state/pending"
        stop 9 "$1; all files are as they were before, but the restart command fails with them too (exit status $status)"
    fi
    stop 8 "$1; everything is as it was before"
}

# The host stands in its new generation. A few records are kept, for ways back.
clean() {
    set -- "$stage"
    if [ -d "$state" ]; then
        peek "$state/undo"
        name=$word kept=' ' count=0
        while is_record "$name" && [ "$count" -lt 5 ]; do
            count=$((count + 1)) kept="$kept$name "
            peek "$state/$name/next"
            name=$word
        done
        set -- "$state/pending"
        for left in "$state"/undo-*; do
            case $kept in
                *" ${left##*/} "*) ;;
                *) set -- "$@" "$left" ;;
            esac
        done
        set -- "$@" "$stage"
    fi
    still_ours
    rm -rf "$@" ${locked:+"$state/lock"} || stop 4 "cannot write to $keysdir"
    stage='' locked=''
}
