#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Colour where it is wanted and nowhere else; and no terminal obeys a name from outside.
load support

setup_file() {
    enter
    start_mesh
    id=$("$grove" submit -t fail $'\e]0;owned\a\u009b2J\u202enice')
    export id
    run -1 "$grove" wait "$id"
}

teardown_file() {
    stop_mesh
}

escape=$'\e'

@test "a pipe gets no colour, but when it is asked for" {
    run -1 "$grove" wait "$id"
    says "$id failed failed: "
    run -1 "$grove" wait --color always "$id"
    says "$id $escape[31mfailed$escape[0m"
}

@test "a terminal gets colour, but not with NO_COLOR, nor TERM=dumb, nor --color never" {
    run on_terminal "$grove" wait "$id"
    says "$escape[31mfailed"
    NO_COLOR=1 run on_terminal "$grove" wait "$id"
    says_not "$escape["
    NO_COLOR="" run on_terminal "$grove" wait "$id"
    says "$escape[31mfailed"
    TERM=dumb run on_terminal "$grove" wait "$id"
    says_not "$escape["
    run on_terminal "$grove" wait --color never "$id"
    says_not "$escape["
    NO_COLOR=1 run on_terminal "$grove" wait --color always "$id"
    says "$escape[31mfailed"
}

@test "an error from outside is escaped by every command that shows it" {
    export NO_COLOR=1
    for command in wait result tree "wait -o json" "tree -o json"; do
        # shellcheck disable=SC2086  # words
        run on_terminal "$grove" $command "$id"
        says nice
        says_not "$escape"
        says_not $'\a'
        says_not $'\u009b'
        says_not $'\u202e'
    done
}

@test "names and progress from outside are escaped, too" {
    export NO_COLOR=1
    run -0 "$grove" keys issue --role worker --out "$scratch/evil.credential" $'evil\e[2J\u009b'
    background "$grove" worker --credential "$scratch/evil.credential" -o json \
        --exec 'slow=printf "{\"progress\":50,\"text\":\"\\u001b[2J\\u009bnice\"}\n" >&3; cat' \
        >"$scratch/evil.log" 2>&1
    local worker=$!
    until grep -q grove.ready "$scratch/evil.log"; do
        kill -0 "$worker"
        sleep 0.02
    done
    slow=$("$grove" submit -t slow $'\e[2J\u009bnice')
    run -0 "$grove" wait "$slow"
    for command in "keys show $scratch/evil.credential" "doctor --credential $scratch/evil.credential" workers \
        "stats workers" "tree $slow" "tree --follow $slow" "task $slow" roots "result $slow" functions \
        "top --once" "explain $slow"; do
        # shellcheck disable=SC2086  # words
        run on_terminal "$grove" $command
        [ -n "$output" ]
        says_not "$escape[2J"
        says_not $'\u009b'
    done
    run on_terminal "$grove" workers
    says 'evil\u{1b}[2J\u{9b}'
    kill "$worker"
    wait "$worker" || true
}

@test "a mistake that quotes its word is escaped, too" {
    for mistake in $'\e[2Jstats' "run --pri$escape" "run --priority $escape[2J -t x y" \
        "wait $escape" "keys show /$escape[2J" "help $escape" "run -o $escape"; do
        # shellcheck disable=SC2086  # words
        run on_terminal "$grove" $mistake
        says '\u{1b}'
        says_not "$escape"
    done
}

# draws GLYPH OPTION...: a map, half of which is done, has drawn it; the rest is cancelled then.
draws() {
    local glyph=$1 id
    shift
    : >"$scratch/bar"
    on_terminal "$grove" map "$@" -t sleep -j 1 ::: 1 600000 >"$scratch/bar" 3>&- &
    until output=$(<"$scratch/bar") && says "$glyph" >/dev/null; do
        kill -0 "$!"
        sleep 0.02
    done
    id=$("$grove" roots -o json | /usr/bin/python3 -c '
import json, sys
print(next(r["id"] for r in json.load(sys.stdin)["roots"] if r["ended_ms"] is None))')
    "$grove" cancel "$id"
    wait "$!" || true
    output=$(<"$scratch/bar")
}

@test "the bar of a map is drawn in ASCII when that is asked for" {
    draws "█"
    draws "#" --ascii
    says_not "█"
}
