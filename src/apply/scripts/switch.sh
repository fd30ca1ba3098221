# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Taking a host from one state to another and, if need be, back. "todo" has what differs, as lines of a manifest
# with files' real names; $restart is the command's number.

# Writes down what is there now. A switch that was interrupted began from the state in the old record, so that
# one stays, and only files it does not speak of are added.
record() {
    keep_state
    trap 'unbuild; leave' EXIT
    undo=$(mktemp -d "$state/undo-XXXXXX") || stop 4 "cannot write to $keysdir"
    true >"$undo/list" || stop 4 "cannot write to $keysdir"
    copies=0
    before=-
    peek "$state/undo"
    former=$word
    if [ -n "$former" ]; then
        read -r run was before when <"$state/$former/about"
        peek "$state/pending"
        if [ "$word" = switch ]; then
            before=$was
            cp -p "$state/$former"/* "$undo/" || stop 4 "cannot write to $keysdir"
            while read -r kind what path; do
                copies=$((copies + 1))
            done <"$undo/list"
        else
            echo "$former" >"$undo/next" || stop 4 "cannot write to $keysdir"
        fi
    fi
    echo "${label% *} $before ${label#* } $(date +%s)" >"$undo/about" || stop 4 "cannot write to $keysdir"
    while read -r verb old new mode index final; do
        path=${final#"$root"}
        echo "$verb $new $path" >>"$undo/after" || stop 4 "cannot write to $keysdir"
        known=''
        while read -r kind what there; do
            [ "$there" != "$path" ] || known=yes
        done <"$undo/list"
        [ -z "$known" ] || continue
        if [ -L "$final" ]; then
            kind=link what=$(readlink "$final")
        elif [ -e "$final" ]; then
            kind=file what=$copies
            cp -p "$final" "$undo/$what" || stop 4 "cannot keep a copy of $path"
        else
            kind=none what=-
        fi
        copies=$((copies + 1))
        echo "$kind $what $path" >>"$undo/list" || stop 4 "cannot write to $keysdir"
    done <todo
}

# Makes every new link and file beside the old one, owner and mode before content, so that little is left to do
# that needs space.
build() {
    built=yes
    number=0
    while read -r verb old new mode index final; do
        number=$((number + 1))
        beside=${final%/*}/.keytrail-new-$$-$number
        path=${final#"$root"}
        case $verb in
            link) ln -s "$new" "$beside" || stop 4 "cannot write to ${path%/*}" ;;
            conf)
                [ -d "${final%/*}" ] || (umask 022 && mkdir -p "${final%/*}") ||
                    stop 4 "cannot make the directory ${path%/*}"
                sweep "${final%/*}"
                true >"$beside" || stop 4 "cannot write to ${path%/*}"
                [ ! -e "$final" ] || like "$final" "$beside"
                own "$beside" || stop 4 "$cannot_own"
                chmod "$mode" "$beside" || stop 4 "cannot set the mode of $path"
                cat "$index" >"$beside" || stop 4 "cannot write $path"
                ;;
        esac
    done <todo
}

# What was made beside and has not been put in place.
unbuild() {
    set --
    if [ -n "$built" ]; then
        number=0
        while read -r verb old new mode index final; do
            number=$((number + 1))
            set -- "$@" "${final%/*}/.keytrail-new-$$-$number"
        done <todo
    fi
    [ -n "$switched" ] || set -- "$@" "$undo"
    [ "$#" -eq 0 ] || rm -rf "$@"
}

# Gives NEW the owner, group and SELinux label of OLD.
like() { # OLD NEW
    # shellcheck disable=SC2046 # the columns are meant
    set -- "$1" "$2" $(ls -ldn "$1")
    chown "$5:$6" "$2" || stop 4 "cannot keep owner $5 and group $6 of ${1#"$root"}"
    [ ! -e /sys/fs/selinux/enforce ] || chcon --reference="$1" "$2" ||
        stop 4 "cannot set the SELinux label of ${1#"$root"}"
}

# From here to the end of the renames nothing may stop us: not a lost connection, not a signal.
switch() {
    trap '' HUP INT TERM PIPE
    { echo "${undo##*/}" >undo-name && mv -f undo-name "$state/undo"; } || stop 4 "cannot write to $keysdir"
    switched=yes
    echo switch >"$state/pending" || stop 4 "cannot write to $keysdir"
    set -- "$state" "$state/pending" "$undo" "$undo"/*
    number=0
    while read -r verb old new mode index final; do
        number=$((number + 1))
        [ "$verb" != conf ] || set -- "$@" "${final%/*}" "${final%/*}/.keytrail-new-$$-$number"
    done <todo
    flush "$root$keysdir" "$@"
    set -- "$root$keysdir"
    number=0
    while read -r verb old new mode index final; do
        number=$((number + 1))
        path=${final#"$root"}
        case $verb in
            unlink) rm -f "$final" ;;
            *) mv -f "${final%/*}/.keytrail-new-$$-$number" "$final" ;;
        esac || {
            back
            stop 4 "cannot put $path in place; everything is as it was before"
        }
        echo "$verb $path"
        [ "$verb" != conf ] || set -- "$@" "${final%/*}"
    done <todo
    built=''
    flush "$@"
}

# Puts back what the undo record says, and forgets it.
back() {
    while read -r kind what path; do
        beside=${root}${path%/*}/.keytrail-new-$$-back
        case $kind in
            none) rm -f "$root$path" ;;
            link) ln -s "$what" "$beside" && mv -f "$beside" "$root$path" ;;
            file) cp -p "$undo/$what" "$beside" && flush "$beside" && mv -f "$beside" "$root$path" ;;
        esac || stop 4 "cannot put $path back; its former state is in $keysdir/.keytrail/${undo##*/}"
    done <"$undo/list"
    if [ -s "$undo/next" ]; then
        cp "$undo/next" undo-name && mv -f undo-name "$state/undo"
    else
        rm -f "$state/undo"
    fi || stop 4 "cannot write to $keysdir"
    flush "$root$keysdir" "$state"
    rm -rf "$state/pending" "$undo"
}

# The command's own output goes into the answer, whatever comes of it. Its exit status is ours, in $status.
restart() {
    # A daemon that is started here must not keep our streams open, nor inherit what we ignore.
    (
        trap - HUP INT TERM PIPE
        umask "$before_umask"
        unset LC_ALL
        command=$stage/$restart
        cd / && exec sh "$command"
    ) >output 2>&1 </dev/null 3<&-
    status=$?
    printf 'restart %d %d\n' "$status" "$(wc -c <output)"
    cat output
    echo
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
    if [ -n "$restart" ] && ! restart; then
        echo restart >"$state/pending"
        stop 9 "$1; all files are as they were before, but the restart command fails with them too (exit status $status)"
    fi
    stop 8 "$1; everything is as it was before"
}

# The host stands in its new generation. A few records are kept, for ways back.
clean() {
    [ -d "$state" ] || return 0
    peek "$state/undo"
    name=$word kept=' ' count=0
    while [ -n "$name" ] && [ -d "$state/$name" ] && [ "$count" -lt 5 ]; do
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
    rm -rf "$@" || stop 4 "cannot write to $keysdir"
}
