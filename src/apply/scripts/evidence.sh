# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Reading what a daemon has written. Its user owns the directory, mostly, and could put a link to anything there: so root
# reads as that user, and by itself only where nobody else has a word in it. That user could also take over the process
# that reads (it runs as him), so this gets none of our descriptors, no terminal, and not for ever.

# Sets $reader to whom a path is read as ("me", or a user's number), $at to where it leads, or $why to why it is not read;
# what is not there needs no reason.
reader() { # PATH [directory]
    ways=$nl firm=$nl reader='' why='' lenient=yes
    follow "$1" || return 1
    [ -z "$2" ] || note "$at"
    [ -e "$at" ] || return 1
    ordinary "$at" || {
        why='it is not on an ordinary file system'
        return 1
    }
    set -- "$at"
    togo=${ways#"$nl"}
    while [ -n "$togo" ]; do
        set -- "$@" "${togo%%"$nl"*}"
        togo=${togo#*"$nl"}
    done
    # shellcheck disable=SC2012 # its columns are meant
    reader=$(ls -ldn -- "$@" 2>/dev/null | {
        top='' owner='' last='' open=''
        while read -r kind links user group rest; do
            place=/${rest#*[0-9] /}
            [ -n "$top" ] || top=$user
            if [ "$user" = "$top" ] || [ -O "$place" ]; then
                user=0
            fi
            case $kind$place in
                d*)
                    case $owner:$user in
                        *:0) ;;
                        :* | "$user:$user") owner=$user ;;
                        *) owner=many ;;
                    esac
                    case $kind in
                        d????-??-*) ;;
                        *) open=yes ;;
                    esac
                    ;;
                *"$at") last=$user ;;
                *) owner=many ;;
            esac
        done
        case $owner:$last:$open in
            many:*) echo many ;;
            [1-9]*) echo "$owner" ;;
            :[1-9]*) echo "$last" ;;
            # Whose it is does not tell who put it there.
            :*:yes) echo 65534 ;;
            *) echo me ;;
        esac
    })
    [ "$reader" != many ] || {
        reader='' why='several users can decide what is there'
        return 1
    }
}

# Whether a path is on a file system that holds files, and not what the kernel says of itself: some of that never ends.
ordinary() { # PATH
    case $1/ in
        /proc/* | /sys/* | /dev/*) return 1 ;;
    esac
    [ -r /proc/self/mounts ] || return 0
    best='' kind=''
    while read -r source where type options others; do
        [ "$where" != / ] || where=''
        case $1/ in
            "$where"/*) [ "${#where}" -lt "${#best}" ] || best=$where kind=$type:,$options, ;;
        esac
    done </proc/self/mounts
    case $kind in
        fuse*,user_id=0,*) return 0 ;;
        fuse*:* | proc:* | sysfs:* | devtmpfs:* | devpts:* | debugfs:* | tracefs:* | securityfs:* | configfs:*) return 1 ;;
        cgroup*:* | pstore:* | bpf:* | efivarfs:* | selinuxfs:* | binfmt_misc:* | mqueue:* | rpc_pipefs:*) return 1 ;;
    esac
}

# What the texts below read a file with, at most its last SIZE bytes.
# shellcheck disable=SC2016 # for another shell
plainly='one() {
[ -f "$1" ] && [ -r "$1" ] && { [ ! -s "$1" ] || tail -c "$2" "$1"; }
}
'
# A login that is not root cannot become another user. What everybody may read is no secret, whatever was put there; of
# an open file that cannot change any more.
# shellcheck disable=SC2016 # for another shell
publicly='one() (
[ -f "$1" ] && exec <"$1" && case $(ls -ldnL /proc/self/fd/0) in
-??????r*) tail -c "$2" ;;
*) false ;;
esac
)
'

# Sets $said to what TEXT prints, run by sh as the reader with $at and SIZE as its arguments, and to at most the last SIZE
# bytes of it. Where that fails, $why says so.
hear() { # TEXT SIZE
    said='' size=$(($2 + 2))
    if [ "$reader" = me ]; then
        said=$(sh -c "$plainly$1" sh "$at" "$2" 2>/dev/null </dev/null)
    else
        means || return 1
        # shellcheck disable=SC2086 # the words are meant
        said=$({ $means "$how$1" sh "$at" "$2" 2>/dev/null </dev/null 3<&-; } |
            timeout -s KILL 20 tail -c "$size" 2>/dev/null)
    fi
    case $said in
        *.) said=${said%.} ;;
        *)
            said=''
            [ -n "$why" ] || why='it cannot be read'
            return 1
            ;;
    esac
}

# Sets $means to the command that runs a text for sh as the reader.
means() {
    limit='timeout -s KILL 20' means=''
    command -v timeout >/dev/null 2>&1 || {
        why='it belongs to another user, and the program timeout, which would bound the reading, is not installed'
        return 1
    }
    # Whoever takes over what runs as him could type into a terminal that is ours.
    if (: </dev/tty) 2>/dev/null; then
        command -v setsid >/dev/null 2>&1 || {
            why='it belongs to another user, and the program setsid, which keeps our terminal from him, is not installed'
            return 1
        }
        limit="$limit setsid"
    fi
    how=$plainly why="user $reader cannot read it, or it does not end"
    if [ ! -O / ]; then
        how=$publicly means="$limit sh -c" why='this login is not root, and not everybody may read it'
        return 0
    fi
    number=$(id -g -- "$reader" 2>/dev/null) || number=65534
    as="--reuid $reader --regid $number --clear-groups"
    # That of busybox has no such options.
    # shellcheck disable=SC2086 # the words are meant
    if setpriv $as true 2>/dev/null; then
        means="$limit setpriv $as sh -c"
        return 0
    fi
    # The others take names.
    name=$(id -un -- "$reader" 2>/dev/null) || name=''
    case $name in
        '' | -* | *[!A-Za-z0-9._-]*) ;;
        *)
            if command -v runuser >/dev/null 2>&1; then
                means="$limit runuser -u $name -- sh -c"
                return 0
            elif command -v su >/dev/null 2>&1; then
                means="$limit su -s /bin/sh $name -c"
                return 0
            fi
            ;;
    esac
    why="it belongs to user $reader, and none of the programs setpriv, runuser, su can read it as that user"
    return 1
}

# Sets $said to the end of a file.
end_of() { # PATH SIZE
    said=''
    # shellcheck disable=SC2016 # for another shell
    reader "$1" && hear 'one "$1" "$2" && echo .' "$2"
}
