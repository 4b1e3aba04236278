#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Completions: the scripts hold the whole table, load without a word, and complete.
load support

setup_file() {
    enter
    start_mesh
    "$grove" completions bash >"$scratch/grove.bash"
    "$grove" completions zsh >"$scratch/_grove"
}

teardown_file() {
    stop_mesh
}

# completes LINE: what bash offers at the end of this command line, a word a line, as the output.
completes() {
    run -0 bash -c '
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        # As readline takes words apart: at blanks, and "=" is one.
        read -ra COMP_WORDS <<<"${2//=/ = }"
        [[ $2 != *" " ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        compopt() { :; }
        _grove "$3" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf "%s\n" "${COMPREPLY[@]}"' - "$scratch/grove.bash" "$1" "$grove"
}

# ... once the mesh is heard, which it has a second for.
completes_from_mesh() {
    local tries
    for tries in {1..30}; do
        completes "$@"
        [ "$output" = "" ] || break
    done
}

offers() {
    local word
    for word in "$@"; do
        [[ $'\n'$output$'\n' == *$'\n'"$word"$'\n'* ]] || { printf 'no %q in: %q\n' "$word" "$output" && return 1; }
    done
}

@test "the scripts load without a word, where nothing may be undefined" {
    run -0 bash -u -c 'source "$1"; complete -p grove' - "$scratch/grove.bash"
    [ "$output" = "complete -F _grove grove" ]
    [ -n "$(command -v zsh)" ] || skip "no zsh"
    run -0 zsh -f -c 'fpath=($1 $fpath); autoload -Uz compinit; compinit -u -D; source $1/_grove;
        print $_comps[grove]' - "$scratch"
    [ "$output" = "_grove" ]
}

@test "every command, option and word of the table is in the scripts, and nothing else" {
    "$grove" help -o json >"$scratch/table"
    for script in grove.bash _grove; do
        run -0 /usr/bin/python3 - "$scratch/table" "$scratch/$script" <<'PYTHON'
import json, re, sys
table = json.load(open(sys.argv[1]))
script = open(sys.argv[2]).read()

def part(function):
    return script.split(f"_grove_{function}() {{", 1)[1].split("\n}", 1)[0]

def rows(text):
    return {row.split(":", 1)[0] for row in re.findall(r"'((?:[^']|'\\'')*)'", text)}

def cases(function):
    return {name: rows(text) for name, text in
            re.findall(r"^    ([a-z]+)\) _grove_list=\((.*)\) ;;$", part(function), re.M)}

def words(options):
    return {f"--{o['name']}" for o in options} | {f"-{o['letter']}" for o in options if o["letter"]}

commands = {command["name"]: command for command in table["commands"]}
assert rows(part("commands")) == set(commands), rows(part("commands")) ^ set(commands)
own = {name: words(c["options"]) for name, c in commands.items() if c["options"]}
assert cases("options") == own, (cases("options"), own)
verbs = {name: {v["name"] for v in c["verbs"]} for name, c in commands.items() if c["verbs"]}
assert cases("verbs") == verbs, (cases("verbs"), verbs)
common = re.search(r"^    _grove_list\+=\((.*)\)$", part("options"), re.M).group(1)
assert rows(common) == words(table["options"]), rows(common)
PYTHON
    done
}

@test "bash completes commands, their words, options, and the values of these" {
    completes "grove r"
    offers run result race
    says_not map
    completes "grove keys "
    offers init issue admit show
    completes "grove keys issue --ro"
    offers --role
    completes "grove keys issue --role op"
    [ "$output" = operator ]
    completes "grove run --output=j"
    [ "$output" = json ]
    completes "grove --col"
    offers --color
    completes "grove help exp"
    [ "$output" = explain ]
    touch "$scratch/one.credential"
    completes "grove run --credential $scratch/one."
    offers "$scratch/one.credential"
    completes "grove map -t echo ::: grove "
    [ "$output" = "" ]
}

@test "bash completes what the mesh knows" {
    completes_from_mesh "grove run -t slee"
    [ "$output" = sleep ]
    completes_from_mesh "grove limit e"
    offers echo
    completes "grove stats wor"
    [ "$output" = workers ]
    id=$("$grove" submit -t echo hello)
    completes_from_mesh "grove tree ${id:0:12}"
    [ "$output" = "$id" ]
    completes_from_mesh "grove workers drain "
    instance=$("$grove" workers -o json | sed 's/.*"instance": *"\([^"]*\)".*/\1/')
    [ "$output" = "$instance" ]
    [ -n "$instance" ]
    GROVE_CREDENTIAL='' completes_from_mesh "grove run --credential $GROVE_CREDENTIAL -t slee"
    [ "$output" = sleep ]
}

# zsh_completes WORD...: what zsh would be told to offer at the last of these, a row a line.
zsh_completes() {
    run -0 zsh -f -c '
        compdef() { }
        compadd() { print -rl -- "${(@P)2}" }
        _describe() { print -rl -- "${(@P)2}" }
        _files() { print -r -- "files $*" }
        compset() { }
        source "$1"
        shift
        words=("$@") CURRENT=$#
        _grove' - "$scratch/_grove" "$@"
}

@test "zsh completes them as well" {
    [ -n "$(command -v zsh)" ] || skip "no zsh"
    zsh_completes "$grove" r
    offers "run:Submit a task, await its end, print its result"
    zsh_completes "$grove" keys ""
    offers "init:write DIR/mesh.key, DIR/operator.credential and one credential for each coordinator"
    zsh_completes "$grove" run --
    offers "--task:the function to run" "--ascii:draw lines in ASCII"
    zsh_completes "$grove" run --output=j
    offers text json
    for _ in {1..30}; do # as above
        zsh_completes "$grove" run -t slee
        [ "$output" = "" ] || break
    done
    offers sleep echo
    zsh_completes "$grove" keys show ""
    offers "files "
}

@test "without a mesh there is nothing to offer, and not a word of it" {
    for credential in "$scratch/none" /dev/null; do
        GROVE_CREDENTIAL=$credential completes "grove run -t "
        [ "$output" = "" ]
    done
    # A mesh that has gone: its credential is there, and nobody answers.
    run -0 "$grove" dev -q -- sh -c 'cp "$GROVE_CREDENTIAL" "$1"' - "$scratch/gone.credential"
    run -0 --separate-stderr timeout 60 "$grove" completions values FUNCTION --credential "$scratch/gone.credential"
    [ "$output$stderr" = "" ]
}
