# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Where the scripts may work. Whoever can rename in a directory decides what every path through it leads to, also
# between a check and the use of what was checked. So a path is followed once, link by link, from the root directory
# down, and every directory on the way must belong to root or to the login and be writable by nobody else. What is
# then in $at has no links in it, and nobody else can make it lead anywhere else.
#
# The argument goes from the top down: only root can rename in `/`, so the name of a directory in it is fixed; if that
# directory is root's too, so are the names in it, and so on.

nl='
'

stop() { # STATUS MESSAGE
    printf 'keytrail: %s\n' "$2" >&2
    exit "$1"
}

# Sets $base to the directory that stands for `/`, without links, and forgets what was noted.
rebase() {
    base='' ways=$nl firm=$nl judged='' leads='' lenient=''
    [ -n "$root" ] || return 0
    [ -d "$root" ] || stop 4 "the root directory $root does not exist"
    follow "$root"
    note "$at"
    base=$at
}

# Remembers a directory on the way, if it is there. $deep is the last one: where missing ones would be made.
note() { # DIRECTORY
    { [ -d "$1/." ] || [ -L "$1" ]; } || return 0
    deep=${1:-/}
    case $ways in
        *"$nl$deep$nl"*) ;;
        *) ways=$ways$deep$nl ;;
    esac
}

# Where a path leads nowhere: the end of the phase, or with $lenient the reason, in $why. Others may be why, and are named then.
astray() { # WHY
    [ -n "$lenient" ] || {
        judge
        stop 4 "$1"
    }
    why=$1
}

# Sets $at to where a path below $base leads. The last name is followed too unless "keep" is said.
follow() { # PATH [keep]
    at=$base togo=$1 hops=0
    note "$at"
    while [ -n "$togo" ]; do
        part=${togo%%/*}
        case $togo in
            */*) togo=${togo#*/} ;;
            *) togo='' ;;
        esac
        case $part in
            '' | .) continue ;;
            ..)
                [ "$at" = "$base" ] || at=${at%/*}
                note "$at"
                continue
                ;;
        esac
        if [ -L "$at/$part" ] && { [ -n "$togo" ] || [ "$2" != keep ]; }; then
            hops=$((hops + 1))
            if [ "$hops" -ge 40 ]; then
                astray "$1 is a link that leads in a circle"
                return 1
            fi
            to=$(readlink "$at/$part" && echo .) || {
                astray "cannot read the link $at/$part"
                return 1
            }
            to=${to%"$nl".}
            case $to in
                *"$nl"*)
                    astray "the link $at/$part leads to a name with a line break in it"
                    return 1
                    ;;
                /*) next=$base ;;
                *) next=$at ;;
            esac
            # Where everybody can make names, a link says nothing.
            harden "${at:-/}"
            at=$next togo=$to/$togo
            note "$at"
            continue
        fi
        at=$at/$part
        [ -z "$togo" ] || note "$at"
    done
    case $at,$leads, in
        "$base${1%/},"* | *", $1 leads to "*) ;;
        *) leads="$leads, $1 leads to ${at#"$base"}" ;;
    esac
}

# A file that is to be read, written or replaced: $at is what PATH names in the end. Checked by `judge`.
resolve() { # PATH [keep]
    follow "$1" "$2"
    harden "$deep"
}

# In this directory nobody else may even make names.
harden() { # DIRECTORY
    case $firm in
        *"$nl$1$nl"*) ;;
        *) firm=$firm$1$nl ;;
    esac
}

# Ends the phase, naming them, if others can rename in a directory that was noted since the last time.
judge() {
    [ "$judged" != "$ways$firm" ] || return 0
    set --
    togo=${ways#"$nl"}
    while [ -n "$togo" ]; do
        set -- "$@" "${togo%%"$nl"*}"
        togo=${togo#*"$nl"}
    done
    # shellcheck disable=SC2012 # its columns are meant
    found=$(ls -ldn -- "$@" 2>/dev/null | {
        count=0 top=''
        while read -r kind links user group rest; do
            count=$((count + 1))
            place=/${rest#*[0-9] /}
            # `/` comes first. In a user namespace its owner may have another number than 0.
            [ -n "$top" ] || top=$user
            case $kind in
                d*) ;;
                *)
                    echo "${place%% -> *} (which is no directory)"
                    continue
                    ;;
            esac
            if [ "$user" = 0 ] || [ "$user" = "$top" ] || [ -O "$place" ]; then
                case $kind in
                    d????-??-*) continue ;;
                    # As in /tmp only owners can rename what is there, but anybody can make new names.
                    d????????[tT]*)
                        case $firm in
                            *"$nl$place$nl"*) ;;
                            *) continue ;;
                        esac
                        ;;
                    # A group that is the login's alone.
                    d???????-*) [ "$user" = 0 ] || [ "$user" != "$group" ] || continue ;;
                esac
            fi
            echo "$place"
        done
        [ "$count" = "$#" ] || echo 'a directory that came or went meanwhile'
    })
    user_mounts
    [ -z "$found" ] || named
    judged=$ways$firm
}

# Says what `judge` has found.
named() {
    names=''
    while [ -n "$found" ]; do
        name=${found%%"$nl"*}
        names=$names${names:+, }${name#"$base"}
        case $found in
            *"$nl"*) found=${found#*"$nl"} ;;
            *) found='' ;;
        esac
    done
    [ -z "$leads" ] || names="$names (${leads#, })"
    stop 4 "others than root can write to $names"
}

# Where users may show file systems of their own to root, what these say of owners is the user's word.
user_mounts() {
    [ -r /etc/fuse.conf ] && [ -r /proc/self/mounts ] || return 0
    allowed=''
    while read -r setting others; do
        [ "$setting" != user_allow_other ] || allowed=yes
    done </etc/fuse.conf
    [ -n "$allowed" ] || return 0
    while read -r source where type options others; do
        case $type:,$options, in
            fuse*,user_id=0,*) ;;
            fuse*)
                case $ways in
                    *"$nl$where$nl"* | *"$nl$where/"*) found=$found${found:+$nl}$where ;;
                esac
                ;;
        esac
    done </proc/self/mounts
}
