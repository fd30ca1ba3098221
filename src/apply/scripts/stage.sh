# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Puts media under their final, filestamped names. Nothing links to them yet, so nothing changes; a file that
# is there already is never written to, unless the plan knows it as damaged: then its digest is OLD.

main() {
    prepare
    prelude
    survey
    judge
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
                final=$keys/$index
                [ ! -L "$final" ] || stop 3 "$path is a link; keytrail does not write through links"
                [ ! -d "$final" ] || stop 4 "$path is a directory"
                [ ! -e "$final" ] || {
                    [ -f "$final" ] || stop 4 "$path is not a file"
                    set -- "$@" "$final"
                }
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
        final=$keys/$index
        if [ ! -e "$final" ] || { [ -n "$old" ] && holds "$old" "$final"; }; then
            set -- "$@" "$index"
        elif ! holds "$new" "$final"; then
            stop 3 "$path is there already with other content; key media are never overwritten"
        fi
    done
    if [ "$#" -gt 0 ]; then
        own "$@" || stop 4 "$cannot_own"
        # A name must never lead to a file that a power failure has left empty.
        flush "$@"
        mv -f "$@" "$keys/" || stop 4 "cannot put files in place in $keysdir"
        for placed; do
            echo "placed $keysdir/$placed"
        done
    fi
    # Where the host's turn to switch is still to come, it stays locked for that.
    [ "$target" = stage ] || locked=''
    echo end
}

main
