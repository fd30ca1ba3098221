# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Puts media under their final, filestamped names. Nothing links to them yet, so nothing changes; a file that
# is there already is never written to, unless the plan knows it as damaged: then its digest is OLD.

main() {
    prepare
    prelude
    receive
    set --
    while read -r verb old new mode index path; do
        case $verb in
            media)
                set -- "$@" "$index"
                [ ! -d "$root$path" ] || stop 4 "$path is a directory"
                [ ! -L "$root$path" ] || stop 3 "$path is a link; keytrail does not write through links"
                [ ! -e "$root$path" ] || set -- "$@" "$root$path"
                ;;
            *) stop 5 'the input is damaged' ;;
        esac
    done <manifest
    check "$@"

    set --
    while read -r verb old new mode index path; do
        [ "$verb" = media ] || continue
        holds "$new" "$index" || stop 5 "what was sent for $path is damaged"
        if [ ! -e "$root$path" ] || { [ "$old" != - ] && holds "$old" "$root$path"; }; then
            set -- "$@" "$index"
        elif ! holds "$new" "$root$path"; then
            stop 3 "$path is there already with other content; key media are never overwritten"
        fi
    done <manifest
    [ "$#" -gt 0 ] || finish

    own "$@" || stop 4 "$cannot_own"
    # A name must never lead to a file that a power failure has left empty.
    flush "$@"
    while read -r verb old new mode index path; do
        for placed; do
            if [ "$index" = "$placed" ]; then
                mv -f "$index" "$root$path" || stop 4 "cannot put $path in place"
                echo "placed $path"
            fi
        done
    done <manifest
    finish
}

# Where the host's turn to switch is still to come, it stays locked for that.
finish() {
    [ "$target" = stage ] || locked=''
    echo end
    exit 0
}

main
