#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# -o json of every command is as schema/json describes it, whether the command succeeds or not.
load support

setup_file() {
    enter
    start_mesh --data "$scratch/mesh" --slots 4 # also where there is one core
    succeeded=$("$grove" submit -t echo hello)
    failed=$("$grove" submit -t fail 'no luck')
    open=$("$grove" submit -t sleep --delay 1h 1)
    export succeeded failed open
    run -1 "$grove" wait "$succeeded" "$failed"
}

teardown_file() {
    stop_mesh
}

# valid CODE SCHEMA COMMAND...: it exits with CODE, and what it prints is as SCHEMA describes it.
valid() {
    local code=$1 schema=$2
    run -"$code" --separate-stderr "$grove" "$3" -o json "${@:4}"
    printf '%s\n' "$output" | "$source/tests/cli/validate" "$schema"
}

@test "how tasks ended" {
    valid 0 grove.run/1 run -t echo hello
    printf '\377' >"$scratch/bytes"
    "$grove" run -t echo -o json <"$scratch/bytes" | "$source/tests/cli/validate" grove.run/1
    valid 1 grove.run/1 run -t fail 'no luck'
    valid 6 grove.run/1 run -t sleep --deadline 100ms 60000
    valid 0 grove.result/1 result "$succeeded"
    valid 1 grove.result/1 result "$failed"
    valid 6 grove.result/1 result --timeout 10ms "$open"
    valid 6 grove.wait/1 wait --timeout 10ms "$succeeded" "$failed" "$open"
    valid 3 grove.wait/1 wait 00112233445566778899aabbccddeeff
}

@test "what was submitted" {
    valid 0 grove.submit/1 submit -t echo hello
    printf 'a\nb\n' | "$grove" submit -t echo --many --key k -o json | "$source/tests/cli/validate" grove.submit/1
    run -8 bash -c 'printf "a\nc\n" | "$1" submit -t echo --many --key k -o json >"$2"' - "$grove" "$scratch/lines"
    grep -q '"id":null' "$scratch/lines"
    "$source/tests/cli/validate" grove.submit/1 <"$scratch/lines"
    valid 0 grove.retry/1 retry "$failed"
    id=$("$grove" submit -t sleep --delay 1h 2)
    valid 0 grove.cancel/1 cancel "$id"
}

@test "joins" {
    valid 0 grove.map/1 map -t echo ::: a b c
    valid 1 grove.map/1 map -t fail --stop-on-failure ::: a b c
    valid 0 grove.gather/1 gather echo=a echo=b
    valid 1 grove.gather/1 gather echo=a fail=b
    valid 0 grove.race/1 race sleep=60000 echo=a
    valid 1 grove.race/1 race --first-settled sleep=60000 fail=a
}

@test "what there is to see" {
    for command in tree task explain; do
        valid 0 "grove.$command/1" "$command" "$failed"
    done
    valid 0 grove.failed/1 failures
    valid 0 grove.top/1 top --once
    valid 0 grove.event/1 events --count 20
    valid 0 grove.members/1 cluster status
    for command in roots functions workers stats; do
        valid 0 "grove.$command/1" "$command"
    done
    run -0 "$grove" dev -q --coordinators 3 -- "$grove" cluster status -o json
    says '"lag":'
    printf '%s\n' "$output" | grep grove.members | "$source/tests/cli/validate" grove.members/1
}

@test "whatever has a schema is described" {
    grep -rhoE '"grove\.[a-z_]+/1"' "$source/nodes" --include='*.c' | tr -d '"' | sort -u >"$scratch/schemas"
    [ "$(wc -l <"$scratch/schemas")" -ge 30 ]
    while IFS=./ read -r _ name _; do
        [ -f "$source/schema/json/$name.json" ] || { echo "no schema/json/$name.json" && return 1; }
    done <"$scratch/schemas"
}

@test "the mesh and its operators" {
    valid 0 grove.limit/1 limit sleep --running 7 --rate 0.5/s
    valid 0 grove.limit/1 limit sleep --running 0 --rate 0
    valid 0 grove.snapshot/1 cluster snapshot
    valid 0 grove.file/1 keys issue --role client --out "$scratch/alice.credential" alice
    valid 0 grove.certificate/1 keys show "$scratch/alice.credential"
    echo secret >"$scratch/passphrase"
    valid 0 grove.file/1 keys init --passphrase-file "$scratch/passphrase" "$scratch/keys"
    valid 1 grove.check/1 check -w workers=2
    valid 3 grove.check/1 check --credential /dev/null
    valid 0 grove.doctor/1 doctor
    valid 1 grove.doctor/1 doctor --credential /dev/null
}

@test "what needs no mesh" {
    valid 0 grove.version/1 version
    valid 0 grove.commands/1 help
    valid 0 grove.config/1 config show
    valid 0 grove.config_check/1 config check
    printf '[no]\n' >"$scratch/wrong.conf"
    valid 78 grove.config_check/1 config check "$scratch/wrong.conf"
}

@test "what servers say when they are ready" {
    run -0 --separate-stderr "$grove" dev -o json -- true
    printf '%s\n' "$stderr" | grep grove.ready | "$source/tests/cli/validate" grove.ready/1
    background "$grove" worker --exec 'own=cat' --credential "$scratch/mesh/worker.credential" -o json \
        >"$scratch/worker.log" 2>/dev/null
    echo $! >"$scratch/worker.pid"
    until [ -s "$scratch/worker.log" ]; do
        kill -0 "$(cat "$scratch/worker.pid")"
        sleep 0.02
    done
    "$source/tests/cli/validate" grove.ready/1 <"$scratch/worker.log"
    instance=$("$grove" stats workers | /usr/bin/python3 -c '
import json, sys
print(next(w["instance"] for w in json.load(sys.stdin)["workers"] if w["functions"] == ["own"]))')
    valid 0 grove.drain/1 workers drain "$instance"
    wait "$(cat "$scratch/worker.pid")"
}

@test "a schema refuses what is not as it says" {
    for wrong in '{"schema":"grove.wait/1","id":"x","state":"succeeded","error":null}' \
        '{"schema":"grove.run/1","id":"00112233445566778899aabbccddeeff","state":"succeeded","error":null}' \
        '{"schema":"grove.snapshot/1","index":1,"more":2}' '{"schema":"grove.snapshot/1"}'; do
        run -1 "$source/tests/cli/validate" <<<"$wrong"
    done
}
