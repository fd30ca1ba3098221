# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # lines that call these functions follow, made for the host
# Tells a running daemon what has changed in its files, and asks whether it has taken it: what it says to an order
# ("Config Succeeded", "200 OK") is no proof. Ends with 1 and the reason where it has not.
#
# $keys is the key file as the daemon knows it, below $root, and $file as it really is; $control the key that ntpd takes orders by. The secret of that
# is read from the key file and goes to ntpq by its standard input.

LC_ALL=C
export LC_ALL
server=127.0.0.1
looked_up=''

no() { # WHY
    printf '%s\n' "$1"
    exit 1
}

# Whether the daemon, which may have dropped its privileges, can still open the key file: chronyd loses all keys when it
# cannot, ntpd stays with the old ones, and neither says so.
readable() { # PROCESS
    [ -r /proc/self/stat ] || no 'this system does not say as whom the daemon runs'
    found=''
    own=$(readlink /proc/self/ns/net 2>/dev/null) || own=''
    for dir in /proc/[0-9]*; do
        { IFS= read -r stat <"$dir/stat"; } 2>/dev/null || continue
        case $stat in
            *"($1) "*) ;;
            *) continue ;;
        esac
        # A container's daemon is another host's.
        net=$(readlink "$dir/ns/net" 2>/dev/null) || net=$own
        [ "$net" = "$own" ] || continue
        found=yes
        # It may see other files than we do. Who may not look there sees what everybody sees.
        seen=$root
        if [ -z "$root" ] && [ -d "$dir/root/." ]; then
            seen=$dir/root
            [ "$(inode "$seen$keys")" = "$(inode "$keys")" ] ||
                no "what it sees as $keys is another file, or none (chroot, or a service with a file system of its own)"
        fi
        user='' groups=' '
        while read -r word first second rest; do
            case $word in
                Uid:) user=$second ;;
                Gid:) groups="$groups$second " ;;
                Groups:) groups="$groups$first $second $rest " ;;
            esac
        done <"$dir/status"
        [ "$user" != 0 ] || continue
        may r "$seen$keys"
        place=$seen${keys%/*}
        while [ -n "$place" ] && [ "$place" != "$dir/root" ]; do
            may x "$place"
            place=${place%/*}
        done
    done
    [ -n "$found" ] || no "no $1 runs here"
}

inode() { # PATH
    # shellcheck disable=SC2012 # no name is read from it
    ls -idL "$1" 2>/dev/null | while read -r number rest; do echo "$number"; done
}

may() { # r|x PATH
    # shellcheck disable=SC2012 # no name is read from it
    read -r mode links owner group rest <<END
$(ls -ldnL "$2" 2>/dev/null)
END
    case "$owner $groups" in
        "$user "*) part=${mode#?} ;;
        *" $group "*) part=${mode#????} ;;
        *) part=${mode#???????} ;;
    esac
    case $1$part in
        rr* | x??[xst]*) ;;
        *) no "it runs as user $user, who cannot read ${2#"$dir/root"} (file_group)" ;;
    esac
}

# --- ntpd of ntp.org and NTPsec

# The control key as a word of a command, never as the answer to a prompt: an ntpq linked with libedit reads the prompt's
# answer through another buffer and loses the commands behind it (measured). Up to 20 characters of text mean the same bytes
# to the ntpq of 4.2.8p15, which takes a word as it is, and to that of p18, which reads it as a key file does.
login() {
    secret=''
    while read -r id kind value rest; do
        [ "$id" = "$control" ] || continue
        case $value in
            '' | ?????????????????????* | *[!!-~]* | *'"'* | *'#'*)
                no "control key $id is not a text that ntpq can be given: rotate it (keytrail rotate symmetric --key $id)"
                ;;
        esac
        secret=$value words="keyid $id${nl}keytype $kind${nl}passwd $value"
    done <"$file"
    [ -n "$secret" ] || no "its key file has no control key $control"
}

# An ntpq linked with readline repeats its input: no line that could hold the key leaves the host.
without_secret() {
    printf '%s\n' "$answer" | while IFS= read -r line; do
        case $line in
            *passwd* | *"$secret"*) ;;
            *) printf '%s\n' "$line" ;;
        esac
    done
}

# It would ask a terminal for the key rather than read its input.
without_terminal() { # COMMAND…
    if command -v setsid >/dev/null 2>&1; then
        setsid "$@"
    elif (: </dev/tty) 2>/dev/null; then
        echo 'ntpq would ask the terminal for the control key'
    else
        "$@"
    fi
}

order() { # CONFIGURATION
    case $daemon in
        ntpsec) answer=$(ntpq -n -k "$file" -a "$control" -c ":config $1" "$server" 2>&1 </dev/null) ;;
        *)
            login
            answer=$(printf '%s\n:config %s\n' "$words" "$1" | without_terminal ntpq -n "$server" 2>&1)
            answer=$(without_secret)
            ;;
    esac
    case $answer in
        *'Config Succeeded'*) ;;
        *) no "it does not take '${1%% *}': ${answer:-no answer}" ;;
    esac
}

ask() { # QUESTION
    ntpq -n -c "$1" "$server" 2>&1 </dev/null
}

# Where others can rename, a file is not read on the word of a name.
begin() {
    rebase
    resolve "$keys"
    (judge 2>&1) || exit 1
    file=$at
}

begin_ntpd() {
    begin
    command -v ntpq >/dev/null 2>&1 || no 'ntpq is not installed'
    case $(ask 'rv 0 version') in
        *version=*) return ;;
    esac
    server=::1
    case $(ask 'rv 0 version') in
        *version=*) ;;
        *) no 'no ntpd answers ntpq here' ;;
    esac
}

# Sets $addresses to those of a server: once it has found it, ntpd of ntp.org knows it by no name (4.2.8p15).
look_up() { # SERVER
    [ "$looked_up" != "$1" ] || return 0
    looked_up=$1 addresses=''
    case $1 in
        *:*) ;;
        *[!0-9.]*)
            addresses=$({ getent ahosts "$1" || getent hosts "$1"; } 2>/dev/null </dev/null |
                while read -r address rest; do printf ' %s' "$address"; done)
            ;;
    esac
}

# Of an association by name there must be one that can be told to go: else the former would stay beside the new one.
known() { # NAME
    look_up "$1"
    [ -n "$(association "$1")" ] || no "it has no association with an address that $1 has now"
}

# What it says of its association with that server, a word a line; nothing where there is none. After look_up.
association() { # SERVER
    ask as | while read -r index id rest; do
        case $index:$id in
            *[!0-9:]* | : | :* | *:) continue ;;
        esac
        # shellcheck disable=SC2020 # characters are meant
        words=$nl$(ask "rv $id" | tr -s ' ,\r\n"' '\n\n\n\n\n')$nl
        for name in "$1" $addresses; do
            case $words in
                *"${nl}srcadr=$name$nl"* | *"${nl}srchost=$name$nl"* | *"${nl}srchost=$nl$name$nl"*)
                    printf '%s\n' "$words"
                    break 2
                    ;;
            esac
        done
    done
}

# Names are looked up by the daemon in its own time.
gone() { # SERVER
    look_up "$1"
    for try in 1 2 3 4 5 6 7 8 9 10; do
        [ -n "$(association "$1")" ] || return 0
        sleep 1
    done
    no "its association with $1 has stayed"
}

# Whether it has heard that server: the next one is made anew when this one is known to answer, and not only when it is in use,
# which takes 8 s: the next one's former key is not in the file any more, and each of its polls meanwhile would be refused
# (measured). One that is down holds up nothing; whoever looks at the host afterwards finds it.
heard_ntpd() { # SERVER
    look_up "$1"
    for try in 1 2 3 4 5 6 7 8; do
        case $nl$(association "$1")$nl in
            *"${nl}reach=0$nl"* | *"${nl}reach=000$nl"*) sleep 1 ;;
            *) return 0 ;;
        esac
    done
}

made_ntpd() { # SERVER VARIABLE=VALUE…
    look_up "$1"
    for try in 1 2 3 4 5 6 7 8 9 10; do
        words=$nl$(association "$1")$nl lacks=''
        [ "$words" != "$nl$nl" ] || lacks='no such association'
        for word; do
            [ "$word" = "$1" ] && continue
            case $words in
                *"$nl$word$nl"* | *"$nl${word%%=*}=$nl${word#*=}$nl"*) ;;
                *) lacks=${lacks:-$word} ;;
            esac
        done
        [ -n "$lacks" ] || return 0
        sleep 1
    done
    no "its association with $1 is not as ordered ($lacks)"
}

# --- chronyd

begin_chronyd() {
    begin
    command -v chronyc >/dev/null 2>&1 || no 'chronyc is not installed'
}

tell() { # COMMAND
    answer=$(chronyc -n "$1" 2>&1 </dev/null)
    case $answer in
        *'200 OK'*) ;;
        *) no "it does not take '${1%% *}': ${answer:-no answer}" ;;
    esac
}

# Type 0: the id is not among the keys it has read.
has_keys() {
    chronyc -n -c authdata 2>/dev/null </dev/null >/dev/null || no 'chronyc authdata does not answer'
    lacking=$(chronyc -n -c authdata 2>/dev/null </dev/null | while IFS=, read -r name mode id type rest; do
        [ "$mode:$type" != SK:0 ] || printf ' %s' "$id"
    done)
    [ -z "$lacking" ] || no "it has no key$lacking"
}

heard_chronyd() { # SERVER
    for try in 1 2 3 4 5 6 7 8; do
        # By address, or as the configuration calls it, which versions before 4.0 do not tell.
        reach=$({ chronyc -N -c sources || chronyc -n -c sources; } 2>/dev/null </dev/null | while IFS=, read -r mode state name stratum poll reach rest; do
            [ "$name" != "$1" ] || echo "$reach"
        done)
        [ "$reach" = 0 ] || return 0
        sleep 1
    done
}

made_chronyd() { # KEY
    case $nl$(chronyc -n -c authdata 2>/dev/null </dev/null | cut -d , -f 2,3)$nl in
        *"${nl}SK,$1$nl"*) ;;
        *) no "it has no source with key $1" ;;
    esac
}
