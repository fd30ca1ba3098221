# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Switches a host to its new generation: links by rename, configuration files by rename if they still are what
# the plan was made from, then the restart command. With "guard SECONDS" it then asks whether all is well: unless
# the answer is "keep" and comes in time, or if the restart fails, everything goes back by itself, also when nobody
# is there to answer any more.
# The manifest's verbs: link (OLD and NEW are targets), unlink (OLD the target), conf (OLD and NEW are digests),
# mode, owner (NEW is it), restart (INDEX is the command), retire (a file that goes when all is well; OLD its digest).
# OLD is "-" for what is not there yet.

main() {
    prepare
    prelude
    exec 3<&0
    receive
    need cp ls cat readlink
    compare
    fix
    undo='' built='' switched=''
    if [ -s todo ]; then
        record
        build
        switch
    elif [ -n "$restart" ]; then
        trap '' HUP INT TERM PIPE
        take_up
    fi
    if [ -n "$restart" ]; then
        echo "since $(date +%s)"
        restart || go_back "the restart command failed with exit status $status"
    fi
    [ -z "$guard" ] || hold
    retire
    clean
    echo end
}

# No file differs, but the daemon may not have read them: an earlier run was interrupted, or its restart failed.
take_up() {
    keep_state
    peek "$state/pending"
    if [ "$word" = switch ] && [ -s "$state/undo" ]; then
        peek "$state/undo"
        undo=$state/$word switched=yes
    else
        echo restart >"$state/pending" || stop 4 "cannot write to $keysdir"
    fi
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
            retire) [ ! -f "$root$path" ] || set -- "$@" "$root$path" ;;
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
            retire) continue ;;
            restart)
                holds "$new" "$index" || stop 5 'the restart command that was sent is damaged'
                continue
                ;;
        esac
        printf '%s %s %s %s %s %s\n' "$verb" "$old" "$new" "$mode" "$index" "$final" >>todo ||
            stop 4 "cannot write to $keysdir"
    done <manifest
}

# Old media go when nothing can go wrong any more; a file that is not what was seen stays.
retire() {
    while read -r verb old new mode index path; do
        [ "$verb" = retire ] || continue
        [ ! -L "$root$path" ] || continue
        holds "$old" "$root$path" || continue
        rm -f "$root$path" || stop 4 "cannot remove $path"
        echo "retire $path"
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

main
