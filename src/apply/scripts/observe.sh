# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Says what is there: media and links in the keys directory, and the files asked for. Changes nothing.
# Facts: the number of files asked for in $shows, their paths in $show1 and so on, how many bytes of each at most
# ($longest); whether $numeric owners are wanted.

main() {
    prepare
    prelude
    need ls date tail readlink
    n=0
    while [ "$n" -lt "$shows" ]; do
        n=$((n + 1))
        eval "path=\$show$n"
        resolve "$path"
        eval "at$n=\$at"
    done
    # What no later phase would work in is better known from the beginning.
    judge
    set --
    n=0
    while [ "$n" -lt "$shows" ]; do
        n=$((n + 1))
        eval "path=\$show$n at=\$at$n"
        [ -e "$at" ] || continue
        [ -f "$at" ] || stop 4 "$path is not a file"
        [ -r "$at" ] || stop 4 "cannot read $path: Permission denied"
        set -- "$@" "$at"
        size=$(size_of "$at")
        [ "$size" -le "$longest" ] || stop 4 "$path has $size bytes, and at most $longest are read"
        printf 'asked %s\nis %s\ncontent %d\n' "$path" "$at" "$size"
        # Its owner may be making it longer.
        tail -c "$size" "$at" || stop 4 "cannot read $path"
        echo
    done

    echo "clock $(date +%s)"
    echo "keys $keys"
    dir=$keys
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

size_of() { # FILE
    # shellcheck disable=SC2012 # no name is read from it
    ls -ldn "$1" | while read -r kind links user group size rest; do echo "$size"; done
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
    while is_record "$name" && [ "$count" -lt 16 ]; do
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
    listed=$(ls -ld -- "$@") || stop 4 'cannot look at the files'
    printf '%s\n' "$listed"
    large=$(printf '%s\n' "$listed" | while read -r kind links user group size rest; do
        case $size in
            '' | *[!0-9]*) ;;
            *) [ "$size" -le "$longest" ] || echo "/${rest#*[0-9] /}" ;;
        esac
    done)
    [ -z "$large" ] || stop 4 "${large%%"$nl"*} is larger than $longest bytes"
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
    (
        # However long a file has become meanwhile.
        # shellcheck disable=SC3045 # where there is no such limit it goes without
        ulimit -t 60 2>/dev/null
        $digests "$@"
    ) || stop 4 'cannot read the files'
}

main
