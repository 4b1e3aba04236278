#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# grove check, by the exit codes of its kind, and grove doctor.
load support

setup_file() {
    enter
    run -0 "$grove" dev -q --data "$scratch/mesh" -- true
    export unknown=$scratch/unknown.credential
    # Written, and never admitted: its mesh does not run.
    background "$grove" keys issue --credential "$scratch/mesh/dev.credential" --role client --out "$unknown" mallory \
        >"$scratch/issue.log" 2>&1
    until [ -s "$scratch/issue.log" ]; do
        sleep 0.02
    done
    kill "$!" || true # it may have given up by now
    start_mesh --data "$scratch/mesh" --slots 1
    run -0 "$grove" dev -q -- sh -c 'cp "$GROVE_CREDENTIAL" "$1"' - "$scratch/gone.credential"
}

teardown_file() {
    stop_mesh
}

@test "a mesh that is well is one line with what is measured, and 0" {
    run -0 "$grove" check
    [[ "$output" =~ ^"GROVE OK - c1 leads, 1 of 1 coordinators answer, 1 workers, backlog 0 | backlog=0;;;0 oldest=0s;;;0 workers=1;;1:;0 coordinators=1;;;0"$ ]]
}

@test "a limit that is reached is 1 or 2, whichever is worse" {
    for _ in 1 2 3; do
        "$grove" submit -t sleep 60000 >>"$scratch/ids"
    done
    run -0 "$grove" check -w backlog=3 -w oldest=1h -c coordinators=1
    says "backlog 2, the oldest waits for "
    run -1 "$grove" check -w backlog=2
    says "GROVE WARNING - "
    says "| backlog=2;2;;0 "
    run -2 "$grove" check -w backlog=1 -c backlog=2
    says "GROVE CRITICAL - "
    run -2 "$grove" check -c oldest=0
    run -1 "$grove" check -w workers=2
    run -2 "$grove" check -c coordinators=2
    while read -r id; do
        "$grove" cancel "$id"
    done <"$scratch/ids"
    run -0 "$grove" check -w backlog=1
}

# Stops one that follows, for a while.
@test "a coordinator that does not answer is a warning, and few enough are critical" {
    # shellcheck disable=SC2016  # for the inner shell
    run -0 "$grove" dev -q --coordinators 3 -- bash -c '
        status=$("$1" cluster status -o json)
        pid=$(/usr/bin/python3 -c "
import json, sys
print(next(m[\"pid\"] for m in json.loads(sys.argv[1])[\"members\"] if not m[\"leads\"]))" "$status")
        kill -STOP "$pid"
        # Each has a second to answer in; on a busy machine one that is well may miss it.
        for options in "" "-c coordinators=3"; do
            for try in {1..30}; do
                said=$("$1" check $options)
                code=$?
                [[ $said != *", 2 of 3 coordinators answer, "* ]] || break
            done
            echo "$said"
            echo "exit $code"
        done
        kill -CONT "$pid"' - "$grove"
    says "GROVE WARNING - "
    says ", 2 of 3 coordinators answer, "
    says "exit 1"
    says "exit 2"
}

@test "nobody there is critical; what cannot be asked, and a mistake, is unknown" {
    run -2 --separate-stderr "$grove" check --credential "$scratch/gone.credential"
    [ "$output" = "GROVE CRITICAL - no coordinator answers" ]
    run -3 --separate-stderr "$grove" check --credential /dev/null
    [ "$output" = "GROVE UNKNOWN - no credential that may ask" ]
    for mistake in backlog=many backlog some=1 =1 workers=; do
        run -3 --separate-stderr "$grove" check -w "$mistake"
        [ "$output" = "GROVE UNKNOWN - usage: see grove help check" ]
    done
}

@test "the doctor finds nothing bad in a mesh that is well" {
    mkdir -m 700 "$scratch/data"
    run -0 "$grove" doctor --data "$scratch/data"
    says "ok   credential    $GROVE_CREDENTIAL"
    says "ok   coordinator   c1 at tcp://127.0.0.1:"
    says "ok   leader "
    says "ok   clock "
    says "ok   data          $scratch/data is of this user alone"
    says_not "bad "
}

@test "the doctor tells a key that the mesh does not know, and what to do" {
    run -1 "$grove" doctor --credential "$unknown"
    says "bad  coordinator   c1: tcp://127.0.0.1:"
    says "an operator admits it: grove keys admit FILE"
}

@test "the doctor tells a mesh that is not there" {
    run -1 "$grove" doctor --credential "$scratch/gone.credential"
    says "bad  coordinator   c1: nobody answers at tcp://"
    says "bad  leader "
    run -1 "$grove" doctor --credential "$scratch/none"
    says "bad  credential    $scratch/none: cannot open: No such file or directory"
    says "give --credential FILE, set GROVE_CREDENTIAL, or start grove dev"
}

@test "the doctor warns of a directory, and complains of a credential, that others may read" {
    mkdir "$scratch/open"
    chmod 755 "$scratch/open"
    run -0 "$grove" doctor --data "$scratch/open"
    says "warn data          $scratch/open: others may look into it (mode 755)"
    run -1 "$grove" doctor --data "$scratch/dev.log"
    says "bad  data          $scratch/dev.log is no directory"
    cp "$GROVE_CREDENTIAL" "$scratch/readable.credential"
    chmod 644 "$scratch/readable.credential"
    run -1 "$grove" doctor --credential "$scratch/readable.credential"
    says "chmod 600 it"
}

@test "the doctor warns of few open files" {
    run -0 bash -c 'ulimit -n 512 && exec "$1" doctor' - "$grove"
    says "warn files         this process may have 512 files open, fewer than 1024"
}

@test "the doctor compares clocks" {
    library=$(find /usr/lib -name libfaketime.so.1 | head -n 1)
    [ -n "$library" ] || skip "no libfaketime"
    if ldd "$grove" | grep -q lib[at]san; then
        skip "a sanitizer wants to be first"
    fi
    run -1 env LD_PRELOAD="$library" FAKETIME=-40s "$grove" doctor
    says "bad  clock         the mesh's clock is "
    says " ms ahead of this host's"
}

# The last: the mesh knows the certificate from now on.
@test "a certificate that ends soon is a warning" {
    run -0 "$grove" keys issue --role client --days 10 --out "$scratch/soon.credential" alice
    run -0 "$grove" doctor --credential "$scratch/soon.credential"
    says "warn certificate   good for 9 days more"
    run -1 "$grove" check
    says ", 1 certificates end within 30 days | "
}
