# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Says what is there: media and links in the keys directory, and the files asked for. Changes nothing.
# Facts: the number of files asked for in $shows, their paths in $show1 and so on, how many bytes of each at most
# ($longest); whether $numeric owners are wanted.

main() {
    prepare
    prelude
    need ls date wc cat readlink
    set --
    n=0
    while [ "$n" -lt "$shows" ]; do
        n=$((n + 1))
        eval "path=\$show$n"
        resolve "$path"
        [ -e "$at" ] || continue
        [ -f "$at" ] || stop 4 "$path is not a file"
        [ -r "$at" ] || stop 4 "cannot read $path: Permission denied"
        set -- "$@" "$at"
        size=$(wc -c <"$at")
        [ "$size" -le "$longest" ] || stop 4 "$path has $size bytes, and at most $longest are read"
        printf 'asked %s\nis %s\ncontent %d\n' "$path" "$at" "$size"
        cat "$at" || stop 4 "cannot read $path"
        echo
    done

    echo "clock $(date +%s)"
    dir=$root$keysdir
    if [ -d "$dir" ]; then
        { [ -r "$dir" ] && [ -x "$dir" ]; } || stop 4 "cannot look into $keysdir: Permission denied"
        [ ! -d "$state" ] || tell_state
        for file in "$dir"/ntpkey_*; do
            # Also links to nothing, which -e would not see.
            if [ -f "$file" ] || [ -L "$file" ]; then
                set -- "$@" "$file"
            fi
        done
    elif [ -e "$dir" ]; then
        stop 4 "$keysdir is not a directory"
    fi
    [ "$#" -eq 0 ] || list "$@"
    echo end
}

# Where the host stands, and the records of the switches before, the last one first.
tell_state() {
    [ -r "$state" ] && [ -x "$state" ] || return 0
    [ ! -e "$state/pending" ] || echo pending
    peek "$state/lock"
    [ -z "$word" ] || echo "lock $word"
    peek "$state/vault"
    [ -z "$word" ] || echo "vault $word"
    peek "$state/undo"
    name=$word count=0
    while [ -n "$name" ] && [ -s "$state/$name/about" ] && [ "$count" -lt 16 ]; do
        count=$((count + 1))
        peek "$state/$name/about"
        echo "record $word"
        while read -r kind what path; do
            [ "$kind" != link ] || echo "kept $what"
        done <"$state/$name/list"
        peek "$state/$name/next"
        name=$word
    done
}

# Modes, owners and links of files, then the digests of those that are no links.
list() { # FILE…
    echo list
    ls -ld -- "$@" || stop 4 'cannot look at the files'
    if [ -n "$numeric" ]; then
        echo numbers
        ls -ldn -- "$@" || stop 4 'cannot look at the files'
    fi
    for file; do
        shift
        [ -L "$file" ] || set -- "$@" "$file"
    done
    [ "$#" -gt 0 ] || return 0
    echo digests
    digester
    $digests "$@" || stop 4 'cannot read the files'
}

main
