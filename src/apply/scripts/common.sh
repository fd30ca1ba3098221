# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# What every phase begins with. The text of a phase is guard.sh, this file and its own, run by whatever POSIX shell `sh`
# is on the host. Only functions stand here; the last line of a phase calls its main, so that a text cut short
# does nothing. Comments and indentation are not sent.
#
# Descriptor 3 is what comes on the connection after the input. Answers go to standard output as lines, from
# "keytrail-reply 1" to "end". A failure is one line "keytrail: …" on standard error beside what the tools said, and
# one of these exit statuses:
#   3  the host is not as the plan expects   4  the host cannot do it
#   5  the input is damaged                  6  the restart command failed, and there is no way back
#   7  somebody else has locked the host     8  it went wrong, and the host is as it was before
#   9  as 8, but the daemon did not restart with the old files either

prepare() {
    umask 077
    LC_ALL=C
    export LC_ALL
    unset CDPATH ENV BASH_ENV POSIXLY_CORRECT TAR_OPTIONS TIME_STYLE QUOTING_STYLE
    # Logins that are not root often go without the sbin directories.
    # A relative part of the path would have programs taken from wherever we are.
    left=$PATH: whole=''
    while [ -n "$left" ]; do
        case $left in
            /*) whole=$whole${left%%:*}: ;;
        esac
        left=${left#*:}
    done
    PATH=$whole/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
    export PATH
    echo 'keytrail-reply 1'
}

need() { # PROGRAM…
    for program; do
        command -v "$program" >/dev/null 2>&1 || stop 4 "the program '$program' is not installed"
    done
}

# Facts are there before the script begins: variables that say where and for whom. $root stands before every path.
# Sets $keys to the keys directory without links on the way, and $state to ours below it. What is noted here and
# later, `judge` looks at before anything is written, or believed.
prelude() {
    [ -n "$keysdir" ] || stop 5 'the input names no directory'
    rebase
    follow "$keysdir"
    keys=$at state=$at/.keytrail
    note "$keys"
    harden "$deep"
    note "$state"
    harden "$state"
}

# Sets $at to a name in a directory, which may be a link itself.
place() { # PATH
    case $1 in
        */.. | */../*) stop 4 "the record of a switch names $1" ;;
        "$keysdir"/*/*) resolve "$1" keep ;;
        "$keysdir"/*) at=$keys/${1##*/} ;;
        /*) resolve "$1" keep ;;
        *) stop 4 "the record of a switch names $1" ;;
    esac
}

# Whether a directory of ours holds the record of that name.
is_record() { # NAME
    case $1 in
        */*) return 1 ;;
        undo-*) [ -s "$state/$1/about" ] ;;
        *) return 1 ;;
    esac
}

# Notes where the files are that a record speaks of.
note_record() { # DIRECTORY
    while read -r kind what path; do
        place "$path"
    done <"$1/list"
}

# What keytrail knows of this host between runs, below the keys directory:
#   undo        name of the record of the last switch: a directory with the state before it ("list" and numbered
#               copies), what it put in place ("after"), "about" (RUN BEFORE AFTER TIME; the generations the host
#               stood and stands in, "-" for none) and the name of the record before it ("next")
#   pending     there from before the first rename until all has ended well: "switch", or "restart" if no file
#               changed. A run that finds it knows that the host may stand between two generations.
#   vault       which vault changed the host last, and in which generation: one line, signed by the vault
#   lock        "ID UNTIL WORDS": who works on the host, and until when at most (Unix time)
keep_state() {
    [ -d "$state" ] || mkdir -m 0700 "$state" || stop 4 "cannot write to $keysdir"
}

# Sets $word to the first line of a file, or to nothing. Every process that is not started counts.
peek() { # FILE
    word=''
    [ ! -s "$1" ] || IFS= read -r word <"$1" || [ -n "$word" ]
}

# Sets $digests to the command that prints SHA-256 of files, one line "HEX NAME" each, with two spaces or " *" in between
# as the tool likes. Not a function that runs it: its answer is read, which would take a process more.
digester() {
    if command -v sha256sum >/dev/null 2>&1; then
        digests='sha256sum --'
    elif command -v shasum >/dev/null 2>&1; then
        digests='shasum -a 256 --'
    elif command -v sha256 >/dev/null 2>&1; then
        digests='sha256 -r'
    elif command -v openssl >/dev/null 2>&1; then
        digests='openssl dgst -sha256 -r'
    else
        stop 4 "none of the programs 'sha256sum', 'shasum', 'sha256', 'openssl' is installed"
    fi
}

# Sets $sums to the digests of files.
check() { # FILE…
    sums=''
    [ "$#" -gt 0 ] || return 0
    digester
    # However long its owner has made a file meanwhile.
    sums=$(
        # shellcheck disable=SC3045 # where there is no such limit it goes without
        ulimit -t 60 2>/dev/null
        $digests "$@"
    ) || stop 4 "cannot read files to compare"
}

# Whether $sums says that NAME has DIGEST.
holds() { # DIGEST NAME
    case "$nl$sums$nl" in
        *"$nl$1  $2$nl"* | *"$nl$1 *$2$nl"* | *"$nl$1 $2$nl"*) return 0 ;;
    esac
    return 1
}
