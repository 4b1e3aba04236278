#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Command lines: what is a mistake, what is said of it, and the exit codes of a mesh's answers.
load support

setup_file() {
    enter
    "$grove" help -o json >"$scratch/table"
    start_mesh
}

teardown_file() {
    stop_mesh
}

# table EXPRESSION: words for each command `c` of the table.
table() {
    /usr/bin/python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["commands"]:
    print(*eval(sys.argv[2]), sep="\n", end="\n" if eval(sys.argv[2]) else "")' "$scratch/table" "$1"
}

@test "every command says how it is used, on stdout" {
    while read -r command; do
        run -0 --separate-stderr "$grove" help "$command"
        [[ "$output" == "usage: grove $command "* && "$stderr" = "" ]]
    done < <(table '[c["name"]]')
    run -0 --separate-stderr "$grove" run -h
    [[ "$output" == "usage: grove run "* && "$stderr" = "" ]]
    run -0 "$grove" --help
    run -0 "$grove" --version
}

@test "every command refuses an option that it has not" {
    while read -r command; do
        run -2 --separate-stderr "$grove" "$command" --no-such-option
        [ "$output" = "" ]
        [ "$stderr" = "grove: $command: unknown option --no-such-option; see 'grove help $command'" ]
    done < <(table '[c["name"]]')
    run -2 "$grove" run -Z
    [ "$output" = "grove: run: unknown option -Z; see 'grove help run'" ]
}

@test "every option that takes a value wants one, and every flag refuses one" {
    while read -r command option; do
        run -2 "$grove" "$command" "$option"
        says "grove: $command: $option wants "
    done < <(table '[c["name"] + " --" + o["name"] for o in c["options"] if o["value"]]')
    while read -r command option; do
        run -2 "$grove" "$command" "$option=yes"
        [ "$output" = "grove: $command: $option takes no value" ]
    done < <(table '[c["name"] + " --" + o["name"] for o in c["options"] if not o["value"]]')
}

@test "every number and every duration is checked, before anything else" {
    while read -r command option value; do
        run -2 "$grove" "$command" "$option=1x"
        [ "$output" = "grove: $command: $option is $value, not '1x'" ]
    done < <(table '[c["name"] + " --" + o["name"] + " a whole number"
                     for o in c["options"] if o["value"] in ("N", "K", "LIMIT")]'
        table '[c["name"] + " --" + o["name"] + " a duration such as 250ms, 30s, 5m or 2h"
                for o in c["options"] if o["value"] == "DURATION"]')
    for wrong in "" x 1e999; do
        run -2 "$grove" run "--timeout=$wrong" "--attempts=$wrong"
        [ "$output" = "grove: run: --timeout is a duration such as 250ms, 30s, 5m or 2h, not '$wrong'" ]
        run -2 "$grove" run "--attempts=$wrong"
        [ "$output" = "grove: run: --attempts is a whole number, not '$wrong'" ]
    done
    run -2 "$grove" submit -t echo --priority 101 x
    [ "$output" = "grove: --priority wants a whole number from -100 to 100, not '101'" ]
    run -2 "$grove" keys issue --role client --days 0 x
    [ "$output" = "grove: --days wants a whole number from 1 to 3650, not '0'" ]
}

@test "what was probably meant is named: commands, options, words and values" {
    for mistake in "rnu:run" "stat:stats" "help rnu:run"; do
        # shellcheck disable=SC2086  # words
        run -2 "$grove" ${mistake%:*}
        says "did you mean '${mistake#*:}'?"
    done
    run -2 "$grove" run --prioritty 1
    says "did you mean --priority?"
    run -2 "$grove" keys isue
    [ "$output" = "grove: keys: not 'isue'; did you mean issue?" ]
    run -2 "$grove" cluster stats
    says "did you mean status?"
    run -2 "$grove" config chekc
    says "did you mean check?"
    run -2 "$grove" completions bsh
    says "did you mean bash?"
    run -2 "$grove" stats -o jsn
    [ "$output" = "grove: stats: --output is text or json, not 'jsn'; did you mean json?" ]
    run -2 "$grove" keys issue --role workr x
    says "did you mean worker?"
    run -2 "$grove" xyzzy
    [ "$output" = "grove: unknown command 'xyzzy'; 'grove help' lists them all" ]
}

@test "what is needed and missing is named" {
    run -2 "$grove" run hello
    [ "$output" = "grove: which function? -t FUNCTION" ]
    run -2 "$grove" map ::: a
    [ "$output" = "grove: map: which function? -t FUNCTION" ]
    run -2 "$grove" run -t echo a b
    says "one payload, not 2 words; quote it"
    for command in wait result cancel tree task explain; do
        run -2 "$grove" "$command"
        run -2 "$grove" "$command" 123
    done
    run -2 "$grove" keys
    says "keys: init, issue, admit or show?"
    run -2 "$grove" cluster add
    run -2 "$grove" limit
    run -2 "$grove" coordinator
    run -2 "$grove" worker
}

@test "an exit code says how it ended" {
    id=$("$grove" submit -t sleep --delay 1h --key later x)
    run -0 "$grove" run -t echo x
    run -1 "$grove" run -t fail x
    run -3 "$grove" result 00112233445566778899aabbccddeeff
    run -3 "$grove" cancel 00112233445566778899aabbccddeeff
    run -3 "$grove" explain 00112233445566778899aabbccddeeff
    run -3 "$grove" task 00112233445566778899aabbccddeeff
    run -4 "$grove" run -t echo --credential /dev/null x
    run -6 "$grove" result --timeout 10ms "$id"
    run -8 "$grove" submit -t sleep --delay 1h --key later y
    run -0 "$grove" cancel "$id"
    run -7 "$grove" result "$id"
}

@test "a result that cannot be written is no success" {
    run -74 bash -c '"$1" run -t echo hello >/dev/full' - "$grove"
    says "grove: cannot write to standard output"
}
