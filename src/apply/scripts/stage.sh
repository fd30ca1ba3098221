# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Puts media under their final, filestamped names. Nothing links to them yet, so nothing changes; a file that
# is there already is never written to, unless the plan knows it as damaged: then its digest is OLD.

main() {
    prepare
    prelude
    receive
    set --
    n=0
    while [ "$n" -lt "$entries" ]; do
        n=$((n + 1))
        entry
        case $verb in
            media)
                set -- "$@" "$index"
                [ "$path" = "$keysdir/$index" ] || stop 5 'the input is damaged'
                [ ! -d "$root$path" ] || stop 4 "$path is a directory"
                [ ! -L "$root$path" ] || stop 3 "$path is a link; keytrail does not write through links"
                [ ! -e "$root$path" ] || set -- "$@" "$root$path"
                ;;
            *) stop 5 'the input is damaged' ;;
        esac
    done
    check "$@"

    set --
    n=0
    while [ "$n" -lt "$entries" ]; do
        n=$((n + 1))
        entry
        holds "$new" "$index" || stop 5 "what was sent for $path is damaged"
        if [ ! -e "$root$path" ] || { [ -n "$old" ] && holds "$old" "$root$path"; }; then
            set -- "$@" "$index"
        elif ! holds "$new" "$root$path"; then
            stop 3 "$path is there already with other content; key media are never overwritten"
        fi
    done
    if [ "$#" -gt 0 ]; then
        own "$@" || stop 4 "$cannot_own"
        # A name must never lead to a file that a power failure has left empty.
        flush "$@"
        mv -f "$@" "$root$keysdir/" || stop 4 "cannot put files in place in $keysdir"
        for placed; do
            echo "placed $keysdir/$placed"
        done
    fi
    # Where the host's turn to switch is still to come, it stays locked for that.
    [ "$target" = stage ] || locked=''
    echo end
}

main
