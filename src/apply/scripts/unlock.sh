# shellcheck shell=sh disable=SC2034,SC2154,SC2317 # parts of one text: each uses the others' variables
# Takes the host's lock away: the one of this run, or anybody's with "force". Says whose it was.

main() {
    prepare
    prelude
    need ls rm
    judge
    if [ -s "$state/lock" ]; then
        read -r held until words <"$state/lock"
        if [ -n "$force" ] || [ "$held" = "${lock%% *}" ]; then
            rm -f "$state/lock" || stop 4 "cannot write to $keysdir"
            echo "lock $words"
        fi
    fi
    echo end
}

main
