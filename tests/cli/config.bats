#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The configuration: what it says, where that comes from, and which line of it is wrong.
load support

setup() {
    enter
    export file=$XDG_CONFIG_HOME/grove/grove.conf
    rm -f "$file"
}

# Writes a file of these lines.
write() {
    printf '%s\n' "${@:2}" >"$1"
}

@test "a flag comes before the environment, and that before the file" {
    write "$file" '[client]' 'color = always' '[worker]' 'slots = 3'
    run -0 "$grove" config show --origin
    [ "$output" = "[client]
# $file:2
color = always

[worker]
# $file:4
slots = 3" ]
    GROVE_COLOR=never GROVE_WORKER_SLOTS=4 run -0 "$grove" config show --origin
    says "# GROVE_COLOR
color = never"
    says "# GROVE_WORKER_SLOTS
slots = 4"
    GROVE_COLOR=never run -0 "$grove" config show --origin --color auto
    says "# --color
color = auto"
}

@test "a file that is named is read alone, and an empty name is none" {
    write "$file" '[client]' 'color = always'
    write "$scratch/other" '[client]' 'ascii = yes'
    run -0 "$grove" config show --config "$scratch/other"
    [ "$output" = "[client]
ascii = yes" ]
    GROVE_CONFIG=$scratch/other run -0 "$grove" config show
    [ "$output" = "[client]
ascii = yes" ]
    GROVE_CONFIG="" run -0 "$grove" config show
    [ "$output" = "" ]
    run -78 "$grove" config show --config "$scratch/none"
    says "$scratch/none: cannot open: No such file or directory"
    run -78 "$grove" stats --config "$scratch/none"
}

@test "without XDG_CONFIG_HOME it is in .config at home" {
    unset XDG_CONFIG_HOME
    mkdir -p "$HOME/.config/grove"
    write "$HOME/.config/grove/grove.conf" '[client]' 'ascii = yes'
    run -0 "$grove" config check
    [ "$output" = "$HOME/.config/grove/grove.conf: ok" ]
}

@test "what is unknown or no value is told with file, line and what was probably meant" {
    write "$file" '[wroker]' 'x = 1' '[worker]' 'slot = 3' 'slots = many' '[client]' 'output = jsn' \
        'ascii = perhaps' 'color = auto' 'color = never' '[exec "A B"]' '[exec "ok"]' 'comand = cat' \
        '[coordinator]' 'abandon = soon'
    run -78 "$grove" config check
    [ "$output" = "grove: $file:1: unknown section [wroker]; did you mean [worker]?
grove: $file:4: unknown key 'slot' in [worker]; did you mean slots?
grove: $file:5: slots is a whole number, not 'many'
grove: $file:7: output is text or json, not 'jsn'; did you mean json?
grove: $file:8: ascii is yes or no, not 'perhaps'
grove: $file:10: color is given twice
grove: $file:11: unknown section [exec \"A B\"]; did you mean [exec \"NAME\"]?
grove: $file:13: unknown key 'comand' in [exec \"ok\"]; did you mean command?
grove: $file:15: abandon is a duration such as 250ms, 30s, 5m or 2h, not 'soon'" ]
    for command in stats "run -t echo x" "worker --exec a=cat" "config show"; do
        # shellcheck disable=SC2086  # words
        run -78 "$grove" $command
        says "$file:4: unknown key"
    done
    run -0 "$grove" help
    run -0 "$grove" version
    run -78 "$grove" config check -o json
    says '"schema":"grove.config_check/1"'
}

@test "a line that is none is told with file and line" {
    write "$file" '[client]' 'nonsense'
    run -78 "$grove" config check
    [ "$output" = "grove: $file:2: not of the form key = value" ]
}

@test "a value out of bounds is told with where it stands" {
    write "$file" '[worker]' 'slots = 0'
    run -2 "$grove" worker --exec a=cat --credential "$scratch/none"
    [ "$output" = "grove: $file:2: slots wants a whole number from 1 to 4096, not '0'" ]
    GROVE_COLOR=sometimes run -2 "$grove" stats
    [ "$output" = "grove: GROVE_COLOR is auto, always or never, not 'sometimes'" ]
    GROVE_ASCII=perhaps run -2 "$grove" stats
    [ "$output" = "grove: GROVE_ASCII is yes or no, not 'perhaps'" ]
}

@test "a file that everyone may write is not used" {
    write "$file" '[client]' 'ascii = yes'
    chmod o+w "$file"
    run -78 "$grove" config check
    says "$file: everyone may write it"
}

@test "commands take their options, and workers their commands, from it" {
    write "$file" '[client]' 'output = json' '[dev]' 'slots = 2' '[exec "upper"]' \
        'command = tr a-z A-Z' '    | tr , .' '[exec "both"]' 'command = false'
    run -0 "$grove" dev --exec 'both=cat' -q -- sh -c \
        "$grove run -t upper a,b; $grove run -o text -t both flag; $grove stats workers"
    says '"result":"A.B"'
    says flag
    says '"slots":2'
}

@test "a coordinator needs nothing but its section" {
    echo secret >"$scratch/passphrase"
    run -0 "$grove" keys init --passphrase-file "$scratch/passphrase" "$scratch/keys"
    write "$file" '[client]' 'output = json' '[coordinator]' "data = $scratch/ledger" 'listen = 127.0.0.1:0' \
        "credential = $scratch/keys/c1.credential" "admit = $scratch/keys/operator.credential" 'bootstrap = yes'
    background "$grove" coordinator >"$scratch/c1.log" 2>"$scratch/c1.err"
    local coordinator=$!
    until grep -q '"schema":"grove.ready/1"' "$scratch/c1.log"; do
        kill -0 "$coordinator" || { cat "$scratch/c1.err" && return 1; }
        sleep 0.02
    done
    kill "$coordinator"
    wait "$coordinator"
    # What there is now needs no new ledger; a variable comes before the file.
    GROVE_COORDINATOR_DATA=$scratch/none GROVE_COORDINATOR_BOOTSTRAP=no run -78 "$grove" coordinator
    says "$scratch/none"
}

@test "several values of one key are kept, in their order" {
    write "$file" '[coordinator]' 'admit = a' 'admit = b' 'bootstrap = no'
    run -0 "$grove" config show
    [ "$output" = "[coordinator]
bootstrap = no
admit = a
admit = b" ]
}

@test "-o json has values and origins" {
    write "$file" '[worker]' 'slots = 3'
    run -0 "$grove" config show -o json
    [ "$output" = '{"schema":"grove.config/1","files":["'"$file"'"],"values":[{"section":"client","key":"output","value":"json","origin":"--output"},{"section":"worker","key":"slots","value":"3","origin":"'"$file"':2"}]}' ]
}
