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

@test "a mistake that quotes its word is escaped, too" {
    for mistake in $'\e[2Jstats' "run --pri$escape" "run --priority $escape[2J -t x y" \
        "wait $escape" "keys show /$escape[2J" "help $escape" "run -o $escape"; do
        # shellcheck disable=SC2086  # words
        run on_terminal "$grove" $mistake
        says '\u{1b}'
        says_not "$escape"
    done
}

@test "the bar of a map is drawn in ASCII when that is asked for" {
    run on_terminal "$grove" map -t sleep -j 1 ::: 300 300
    says "█"
    run on_terminal "$grove" map --ascii -t sleep -j 1 ::: 300 300
    says "#"
    says_not "█"
}
