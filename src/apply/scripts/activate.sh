# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Switches a host to its new generation: links by rename, configuration files by rename if they still are what
# the plan was made from, then the restart command. What was there before is kept in KEYSDIR/.keytrail:
#   undo     name of the directory with the state before the last switch: a "list" and numbered copies
#   pending  there from before the first rename until the restart has succeeded; a run that finds it knows that
#            the host may stand between two generations, keeps the undo record and finishes the work
# The manifest's verbs: link (OLD and NEW are targets), unlink (OLD the target), conf (OLD and NEW are digests),
# mode, owner (NEW is it), restart (INDEX is the command). OLD is "-" for what is not there yet.

main() {
    prepare
    prelude
    receive
    need ln cp ls cat readlink
    state=$root$keysdir/.keytrail
    compare
    fix
    if [ -s todo ]; then
        record
        build
        switch
    elif [ -n "$restart" ]; then
        trap '' HUP INT TERM PIPE
        keep_state
        true >"$state/pending" || stop 4 "cannot write to $keysdir"
    fi
    [ -z "$restart" ] || restart
    clean
    echo end
}

# Checks everything before anything is touched. What differs goes to "todo", with the file's real name.
compare() {
    set --
    restart=''
    while read -r verb old new mode index path; do
        case $verb in
            conf)
                final=$(resolve "$path") || exit
                [ ! -d "$final" ] || stop 4 "$path is a directory"
                set -- "$@" "$index"
                [ ! -e "$final" ] || set -- "$@" "$final"
                ;;
            restart)
                restart=$index
                set -- "$@" "$index"
                ;;
            link | unlink | mode | owner) ;;
            *) stop 5 'the input is damaged' ;;
        esac
    done <manifest
    check "$@"

    true >todo || stop 4 "cannot write to $keysdir"
    while read -r verb old new mode index path; do
        final=$root$path
        since="has been changed since the plan was made"
        case $verb in
            link)
                [ ! -d "$final" ] || stop 4 "$path is a directory"
                [ -f "${final%/*}/$new" ] || stop 3 "$path is to point to $new, which is not there"
                if [ -L "$final" ]; then
                    now=$(readlink "$final")
                    [ "$now" != "$new" ] || continue
                    [ "$now" = "$old" ] || stop 3 "$path $since"
                elif [ -e "$final" ]; then
                    [ "$old" = - ] || stop 3 "$path $since"
                fi
                ;;
            unlink)
                if [ -L "$final" ]; then
                    [ "$(readlink "$final")" = "$old" ] || stop 3 "$path $since"
                elif [ -e "$final" ]; then
                    stop 3 "$path $since"
                else
                    continue
                fi
                ;;
            conf)
                final=$(resolve "$path") || exit
                holds "$new" "$index" || stop 5 "what was sent for $path is damaged"
                if [ ! -e "$final" ]; then
                    [ "$old" = - ] || stop 3 "$path $since"
                elif holds "$new" "$final"; then
                    continue
                elif [ "$old" = - ] || ! holds "$old" "$final"; then
                    stop 3 "$path $since"
                fi
                ;;
            mode | owner)
                final=$(resolve "$path") || exit
                [ -f "$final" ] || stop 3 "$path $since"
                continue
                ;;
            restart)
                holds "$new" "$index" || stop 5 'the restart command that was sent is damaged'
                continue
                ;;
        esac
        printf '%s %s %s %s %s %s\n' "$verb" "$old" "$new" "$mode" "$index" "$final" >>todo ||
            stop 4 "cannot write to $keysdir"
    done <manifest
}

# Modes and owners of files that are right otherwise. No part of a generation, so nothing to undo.
fix() {
    while read -r verb old new mode index path; do
        case $verb in
            mode | owner) final=$(resolve "$path") || exit ;;
            *) continue ;;
        esac
        case $verb in
            mode) chmod "$mode" "$final" || stop 4 "cannot set the mode of $path" ;;
            owner) chown "$new" "$final" || stop 4 "cannot give $path to $new" ;;
        esac
        echo "$verb $path"
    done <manifest
}

keep_state() {
    [ -d "$state" ] || mkdir -m 0700 "$state" || stop 4 "cannot write to $keysdir"
}

# Writes down what is there now. A switch that was interrupted began from the state in the old record, so that
# one stays, and only files it does not speak of are added.
record() {
    keep_state
    undo='' switched=''
    trap 'unbuild; rm -rf "$stage"' EXIT
    undo=$(mktemp -d "$state/undo-XXXXXX") || stop 4 "cannot write to $keysdir"
    true >"$undo/list" || stop 4 "cannot write to $keysdir"
    copies=0
    if [ -e "$state/pending" ] && [ -f "$state/undo" ]; then
        cp -p "$state/$(cat "$state/undo")"/* "$undo/" || stop 4 "cannot write to $keysdir"
        while read -r kind what path; do
            copies=$((copies + 1))
        done <"$undo/list"
    fi
    while read -r verb old new mode index final; do
        path=${final#"$root"}
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
    number=0
    while read -r verb old new mode index final; do
        number=$((number + 1))
        rm -f "${final%/*}/.keytrail-new-$$-$number"
    done <todo
    [ -n "$switched" ] || rm -rf "$undo"
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
    true >"$state/pending" || stop 4 "cannot write to $keysdir"
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
    flush "$@"
}

# Puts back what the undo record says.
back() {
    while read -r kind what path; do
        beside=${root}${path%/*}/.keytrail-new-$$-back
        case $kind in
            none) rm -f "$root$path" ;;
            link) ln -s "$what" "$beside" && mv -f "$beside" "$root$path" ;;
            file) cp -p "$undo/$what" "$beside" && mv -f "$beside" "$root$path" ;;
        esac || stop 4 "cannot put $path back; its former state is in $keysdir/.keytrail/${undo##*/}"
    done <"$undo/list"
    rm -f "$state/pending"
}

# The command's own output goes into the answer, whatever comes of it.
restart() {
    # A daemon that is started here must not keep our streams open, nor inherit what we ignore.
    (
        trap - HUP INT TERM PIPE
        umask "$before_umask"
        unset LC_ALL
        command=$stage/$restart
        cd / && exec sh "$command"
    ) >output 2>&1 </dev/null
    status=$?
    printf 'restart %d %d\n' "$status" "$(wc -c <output)"
    cat output
    echo
    [ "$status" -eq 0 ] || stop 6 "the restart command failed with exit status $status"
}

# The host stands in its new generation.
clean() {
    [ -d "$state" ] || return 0
    rm -f "$state/pending" || stop 4 "cannot write to $keysdir"
    undo=''
    [ ! -f "$state/undo" ] || undo=$(cat "$state/undo")
    for left in "$state"/undo-*; do
        [ "${left##*/}" = "$undo" ] || rm -rf "$left"
    done
}

main
