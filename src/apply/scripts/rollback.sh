# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Brings back an earlier state of the host, from the records that its switches have left. "target" says how far:
# "run R", to before that run; "generation G", until the host stands in G or an earlier one; "last", one switch.
# A file that is no longer what the switch put there stops it, unless "force" is said.

main() {
    before_umask=$(umask)
    prepare
    prelude
    need cp ls cat readlink
    judge
    choose
    note_chosen
    judge
    receive
    choose
    note_chosen
    judge
    if [ -z "$chosen" ]; then
        echo end
        exit 0
    fi
    merge
    [ -n "$force" ] || unchanged
    trap '' HUP INT TERM PIPE
    { echo "${undo##*/}" >undo-name && mv -f undo-name "$state/undo"; } || stop 4 "cannot write to $keysdir"
    echo switch >"$state/pending" || stop 4 "cannot write to $keysdir"
    merged=''
    flush "$state" "$undo" "$undo"/*
    while read -r kind what path; do
        echo "$kind $path"
    done <"$undo/list"
    back
    for name in $chosen; do
        rm -rf "${state:?}/$name"
    done
    if [ -n "$restart" ]; then
        echo "since $(date +%s)"
        if ! run restart "$restart"; then
            echo restart >"$state/pending"
            stop 6 "the earlier state is back, but the restart command failed with exit status $status"
        fi
    fi
    clean
    echo end
}

# Notes where the files of all chosen records are.
note_chosen() {
    for name in $chosen; do
        note_record "$state/$name"
    done
}

# Sets $chosen to the records to be undone, the oldest first.
choose() {
    chosen=''
    peek "$state/undo"
    name=$word
    while is_record "$name"; do
        read -r run before after when <"$state/$name/about"
        case $target in
            'generation '*)
                # Generations are numbers; a host that stood in none is as far back as it goes.
                now=$after
                [ "$now" != - ] || now=0
                [ "$now" -gt "${target#generation }" ] || return 0
                ;;
            last) [ -z "$chosen" ] || return 0 ;;
        esac
        chosen="$name${chosen:+ }$chosen"
        [ "$target" != "run $run" ] || return 0
        peek "$state/$name/next"
        name=$word
    done
    case $target in
        'run '*) chosen='' ;;
        'generation '*)
            [ -z "$chosen" ] || [ "$before" = - ] || [ "$before" -le "${target#generation }" ] ||
                stop 3 "the host keeps no record that leads back to generation ${target#generation }; the oldest leads to $before"
            ;;
    esac
}

# Makes one record of the chosen ones: of every file the oldest state, of what must be there now the newest.
merge() {
    merged=yes
    trap '[ -z "$merged" ] || rm -rf "$undo"; leave' EXIT
    undo=$(mktemp -d "$state/undo-XXXXXX") || stop 4 "cannot write to $keysdir"
    copies=0
    for name in $chosen; do
        [ "$copies" -gt 0 ] || cp -p "$state/$name/about" "$undo/" || stop 4 "cannot write to $keysdir"
        [ "$copies" -gt 0 ] || [ ! -s "$state/$name/next" ] || cp -p "$state/$name/next" "$undo/" ||
            stop 4 "cannot write to $keysdir"
        while read -r kind what path; do
            place "$path"
            path=${at#"$base"} known=''
            if [ -f "$undo/list" ]; then
                while read -r other some there; do
                    [ "$there" != "$path" ] || known=yes
                done <"$undo/list"
            fi
            [ -z "$known" ] || continue
            case $kind in
                file) cp -p "$state/$name/$what" "$undo/$copies" || stop 4 "cannot write to $keysdir" ;;
                link)
                    [ -e "${at%/*}/$what" ] ||
                        stop 3 "$path pointed to $what, which is no longer there"
                    ;;
            esac
            [ "$kind" != file ] || what=$copies
            copies=$((copies + 1))
            echo "$kind $what $path" >>"$undo/list" || stop 4 "cannot write to $keysdir"
        done <"$state/$name/list"
        while read -r verb new path; do
            place "$path"
            echo "$verb $new ${at#"$base"}"
        done <"$state/$name/after" >>after || stop 4 "cannot write to $keysdir"
    done
}

# Whether every file still is what the switches put there. Of a file named twice the last line counts.
unchanged() {
    # An interrupted switch may have put only some of them there.
    [ ! -e "$state/pending" ] || return 0
    set --
    while read -r verb new path; do
        [ "$verb" != conf ] || [ ! -f "$base$path" ] || set -- "$@" "$base$path"
    done <after
    check "$@"
    while read -r kind what path; do
        verb='' new=''
        while read -r some word there; do
            [ "$there" != "$path" ] || verb=$some new=$word
        done <after
        case $verb in
            link) [ "$(readlink "$base$path" 2>/dev/null)" = "$new" ] ;;
            unlink) [ ! -e "$base$path" ] ;;
            conf) holds "$new" "$base$path" ;;
        esac || stop 3 "$path has been changed since keytrail put it there"
    done <"$undo/list"
}

main
