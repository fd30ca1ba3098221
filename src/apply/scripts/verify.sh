# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Asks the running daemon how it stands, and reads the ends of what it wrote. Changes nothing.
# Input: lines "daemon ntpd|chronyd", "conf PATH", "log PATH", "server NAME", "since SECONDS", "end".
#
# ntpq is never asked for all system variables at once: on a host with a DSA sign key that ends the daemon.

main() {
    prepare
    rebase
    need date wc cat tail grep ls readlink
    daemon='' confs='' servers='' log='' since='' complete=''
    while IFS= read -r line; do
        case $line in
            'daemon '*) daemon=${line#daemon } ;;
            'conf '*) confs=$confs${line#conf }$nl ;;
            'log '*) log=${line#log } ;;
            'server '*) servers=$servers${line#server }$nl ;;
            'since '*) since=${line#since } ;;
            end)
                complete=yes
                break
                ;;
            *) stop 5 'the input is damaged' ;;
        esac
    done
    [ -n "$complete" ] || stop 5 'the input was cut short'
    echo "clock $(date +%s)"
    echo "zone $(date +%z)"
    processes
    case $daemon in
        chronyd) ask_chronyd ;;
        *)
            ask_ntpd
            cryptostats
            ;;
    esac
    read_log
    echo end
    exit 0
}

# A text with its size before it.
part() { # NAME TEXT
    printf 'part %s %d\n%s\n' "$1" "$(printf %s "$2" | wc -c)" "$2"
}

# Lines "process NAME PID AGE" of the daemons there are; the age in seconds where it can be told.
processes() {
    if [ -r /proc/uptime ] && [ -r /proc/self/stat ]; then
        read -r up rest </proc/uptime
        ticks=$(getconf CLK_TCK 2>/dev/null) || ticks=100
        own=$(readlink /proc/self/ns/net 2>/dev/null) || own=''
        for dir in /proc/[0-9]*; do
            { IFS= read -r stat <"$dir/stat"; } 2>/dev/null || continue
            case $stat in
                *'(ntpd) '*) name=ntpd ;;
                *'(chronyd) '*) name=chronyd ;;
                *) continue ;;
            esac
            # After the name: state, then 18 more, then the start in ticks since the boot.
            # shellcheck disable=SC2086 # the words are meant
            set -- ${stat##*') '}
            [ "$1" != Z ] || continue
            # A container's daemon is another host's.
            net=$(readlink "$dir/ns/net" 2>/dev/null) || net=$own
            [ "$net" = "$own" ] || continue
            echo "process $name ${dir#/proc/} $((${up%%.*} - ${20} / ticks))"
        done
        return 0
    fi
    { ps -A -o pid= -o comm= 2>/dev/null || ps -o pid,comm 2>/dev/null || true; } |
        while read -r pid name; do
            case ${name##*/} in
                ntpd | chronyd) echo "process ${name##*/} $pid -" ;;
            esac
        done
}

# Names that every ntpd of ntp.org knows; one unknown name spoils the whole answer.
names=srcadr,srchost,reach,unreach,hpoll,stratum,rec,flash,keyid,flags,host,ident,refid

ask_ntpd() {
    command -v ntpq >/dev/null 2>&1 || {
        echo 'absent ntpq'
        return 0
    }
    at=127.0.0.1
    table=$(ntpq -n -c as "$at" 2>&1 </dev/null | tail -c 65536)
    if ! is_table "$table"; then
        other=$(ntpq -n -c as ::1 2>&1 </dev/null | tail -c 65536)
        if is_table "$other"; then
            at=::1 table=$other
        fi
    fi
    part as "$table"
    is_table "$table" || return 0
    [ -z "$servers" ] || part resolved "$(resolved)"
    system=$(ntpq -n -c 'rv 0 version,leap,stratum,peer,clock' "$at" 2>&1 </dev/null | tail -c 8192)
    part system "$system"
    case $system in
        # NTPsec knows fewer names, and has no sign keys to fall over. Asked for all, its ntpq prints strays among them (1.2.2).
        *ntpsec*) names=srcadr,srchost,reach,unreach,hpoll,stratum,rec,flash,keyid,refid ;;
        *) part crypto "$(ntpq -n -c 'rv 0 host,flags,digest,cert' "$at" 2>&1 </dev/null | tail -c 32768)" ;;
    esac
    asked=0
    printf '%s\n' "$table" | while read -r index id rest; do
        case $index:$id in
            *[!0-9:]* | : | :* | *:) continue ;;
        esac
        asked=$((asked + 1))
        [ "$asked" -le 64 ] || break
        answer=$(ntpq -n -c "rv $id${names:+ $names}" "$at" 2>&1 </dev/null | tail -c 8192)
        part "association-$id" "$answer"
        case $answer in
            *'timed out'* | *efused*) break ;;
        esac
    done
}

# Lines "NAME ADDRESS": once it has found a server, ntpd of ntp.org knows it by no name (4.2.8p15).
resolved() {
    printf '%s' "$servers" | while IFS= read -r server; do
        { getent ahosts "$server" || getent hosts "$server"; } 2>/dev/null </dev/null |
            while read -r address rest; do
                printf '%s %s\n' "$server" "$address"
            done
    done
}

is_table() { # ANSWER
    case $1 in
        *assid* | *'No association'*) return 0 ;;
    esac
    return 1
}

ask_chronyd() {
    command -v chronyc >/dev/null 2>&1 || {
        echo 'absent chronyc'
        return 0
    }
    for what in tracking sources authdata ntpdata; do
        part "$what" "$(chronyc -n -c "$what" 2>&1 </dev/null | tail -c 65536)"
    done
    # The same sources by the names of the configuration; chrony before 4.0 does not know -N.
    part names "$(chronyc -N -c sources 2>/dev/null </dev/null | tail -c 65536)"
}

# The last value of a command in the configuration.
setting() { # COMMAND
    value=$(printf '%s' "$confs" | while IFS= read -r file; do
        end_of "$file" 1048576 || continue
        printf '%s' "$said" | while read -r word first rest; do
            [ "$word" != "$1" ] || printf '%s\n' "$first"
        done
    done | tail -n 1)
    value=${value#\"}
    value=${value%\"}
}

# The last days of cryptostats: an exchange is repeated after six days at the latest.
cryptostats() {
    setting statsdir
    case $value in
        /*) ;;
        *) return 0 ;;
    esac
    reader "${value%/}" directory || {
        unread "${value%/}"
        return 0
    }
    # Where there are files by day, the one without a day is the same as the last of them.
    # shellcheck disable=SC2016 # for another shell
    if hear 'cd "$1" && size=$2 && set -- cryptostats.* && { [ -e "$1" ] || set -- cryptostats; } || exit
[ -e "$1" ] || { echo -. && exit; }
ls -tr -- "$@" | tail -n 8 | while IFS= read -r file; do
case $file in
cryptostats*) [ -L "$file" ] || one "./$file" "$size" ;;
esac
done | tail -c "$size" && echo .' 131072; then
        [ "$said" = - ] || part cryptostats "$said"
    elif [ "$reader" != me ]; then
        unread "${value%/}/cryptostats"
    fi
}

# What is not there has no reason.
unread() { # PATH
    echo "unread $1"
    [ -z "$why" ] || echo "because $why"
}

read_log() {
    [ -n "$log" ] || [ "$daemon" = chronyd ] || {
        setting logfile
        log=$value
    }
    case $log in
        '') ;;
        /*)
            if end_of "$log" 65536; then
                echo "log $log"
                part log "$said"
            else
                unread "$log"
            fi
            return 0
            ;;
        *) return 0 ;;
    esac
    [ -z "$root" ] || return 0
    for file in /var/log/daemon.log /var/log/syslog /var/log/messages; do
        [ -e "$file" ] || continue
        end_of "$file" 2000000 || continue
        said=$(printf '%s\n' "$said" | grep "$daemon\[[0-9]*\]:" | tail -n 300)
        [ -n "$said" ] || continue
        echo "log $file"
        part log "$said"
        return 0
    done
    command -v journalctl >/dev/null 2>&1 || return 0
    if [ -n "$since" ]; then
        set -- --since "@$since"
    else
        set -- -b
    fi
    said=$(journalctl --no-pager -q -o short-iso -n 300 -t "$daemon" "$@" 2>/dev/null | tail -c 65536)
    [ -n "$said" ] || return 0
    echo 'log journal'
    part log "$said"
}

main
