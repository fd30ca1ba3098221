# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Switches a host to its new generation: links by rename, configuration files by rename if they still are what
# the plan was made from, then the restart command. With "guard SECONDS" it then asks whether all is well: unless
# the answer is "keep" and comes in time, or if the restart fails, everything goes back by itself, also when nobody
# is there to answer any more.
# The manifest's verbs: link (OLD and NEW are targets), unlink (OLD the target), conf (OLD and NEW are digests),
# mode, owner (NEW is it), retire (a file that goes when all is well; OLD its digest). OLD is empty for what is not there
# yet. $restart is the restart command; $tell one that tells the running daemon, which is restarted only where that fails.

main() {
    before_umask=$(umask)
    prepare
    prelude
    need cp ls cat readlink
    survey
    judge
    note_pending
    judge
    receive
    compare
    fix
    undo='' built='' switched=''
    if [ -n "$todo" ]; then
        record
        build
        switch
    elif [ -n "$restart" ]; then
        trap '' HUP INT TERM PIPE
        take_up
    fi
    if [ -n "$restart" ]; then
        [ -z "$guard" ] || echo "since $(date +%s)"
        # Files that were in place before may be other ones than the running daemon has read.
        if [ -z "$tell" ] || [ -z "$todo" ] || ! run tell "$tell"; then
            run restart "$restart" || go_back "the restart command failed with exit status $status"
        fi
    fi
    [ -z "$guard" ] || hold
    keep_vault
    retire
    clean
    echo end
}

# What shows which vault this host belongs to, and how new that was. The vault has signed it.
keep_vault() {
    { [ -n "$vault" ] && [ -d "$state" ]; } || return 0
    { printf '%s\n' "$vault" >vault-record && mv -f vault-record "$state/vault"; } || stop 4 "cannot write to $keysdir"
}

# No file differs, but the daemon may not have read them: an earlier run was interrupted, or its restart failed.
take_up() {
    keep_state
    peek "$state/pending"
    if [ "$word" = switch ] && [ -s "$state/undo" ]; then
        peek "$state/undo"
        is_record "$word" || stop 4 "the record of the interrupted switch in $keysdir/.keytrail is damaged"
        undo=$state/$word switched=yes
        note_record "$undo"
        judge
    else
        echo restart >"$state/pending" || stop 4 "cannot write to $keysdir"
    fi
}

# An interrupted switch is finished, or undone, in the directories that its record speaks of.
note_pending() {
    peek "$state/pending"
    [ "$word" = switch ] || return 0
    peek "$state/undo"
    ! is_record "$word" || note_record "$state/$word"
}

# Checks everything before anything is touched, and sets $todo to what differs.
compare() {
    set --
    todo='' n=0
    while [ "$n" -lt "$entries" ]; do
        n=$((n + 1))
        differing
        case $verb in
            conf)
                [ ! -d "$final" ] || stop 4 "$path is a directory"
                set -- "$@" "$index"
                [ ! -e "$final" ] || {
                    [ -f "$final" ] || stop 4 "$path is not a file"
                    set -- "$@" "$final"
                }
                ;;
            retire) [ -L "$final" ] || [ ! -f "$final" ] || set -- "$@" "$final" ;;
            link | unlink) [ "${path%/*}" = "$keysdir" ] || stop 5 'the input is damaged' ;;
            mode | owner) ;;
            *) stop 5 'the input is damaged' ;;
        esac
    done
    check "$@"

    n=0
    while [ "$n" -lt "$entries" ]; do
        n=$((n + 1))
        differing
        since="has been changed since the plan was made"
        case $verb in
            link)
                [ ! -d "$final" ] || stop 4 "$path is a directory"
                [ -f "${final%/*}/$new" ] || stop 3 "$path is to point to $new, which is not there"
                if [ -L "$final" ]; then
                    there=$(readlink "$final")
                    [ "$there" != "$new" ] || continue
                    [ "$there" = "$old" ] || stop 3 "$path $since"
                elif [ -e "$final" ]; then
                    [ -z "$old" ] || stop 3 "$path $since"
                    [ -f "$final" ] || stop 4 "$path is not a file"
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
                holds "$new" "$index" || stop 5 "what was sent for $path is damaged"
                if [ ! -e "$final" ]; then
                    [ -z "$old" ] || stop 3 "$path $since"
                elif holds "$new" "$final"; then
                    continue
                elif [ -z "$old" ] || ! holds "$old" "$final"; then
                    stop 3 "$path $since"
                fi
                ;;
            mode | owner)
                { [ -f "$final" ] && [ ! -L "$final" ]; } || stop 3 "$path $since"
                continue
                ;;
            retire) continue ;;
        esac
        todo="$todo $n"
    done
}

# Old media go when nothing can go wrong any more; a file that is not what was seen stays.
retire() {
    n=0
    while [ "$n" -lt "$entries" ]; do
        n=$((n + 1))
        differing
        [ "$verb" = retire ] || continue
        [ ! -L "$final" ] || continue
        holds "$old" "$final" || continue
        rm -f "$final" || stop 4 "cannot remove $path"
        echo "retire $path"
    done
}

# Modes and owners of files that are right otherwise. No part of a generation, so nothing to undo.
fix() {
    n=0
    while [ "$n" -lt "$entries" ]; do
        n=$((n + 1))
        differing
        case $verb in
            mode) chmod "$mode" "$final" || stop 4 "cannot set the mode of $path" ;;
            owner) chown -h "$new" "$final" || stop 4 "cannot give $path to $new" ;;
            *) continue ;;
        esac
        echo "$verb $path"
    done
}

main
