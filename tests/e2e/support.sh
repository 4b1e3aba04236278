# SPDX-License-Identifier: MPL-2.0
# What the end-to-end scripts share: a scratch directory that is their whole world, servers that are
# ended by their process id and do not outlive the script, checks that say what was expected.
set -euo pipefail
umask 022 # grove refuses what everyone may write

build=$(realpath "${GROVE_BUILD:?the build to test}")
source=$(realpath "${GROVE_SOURCE:-.}")
grove=$build/grove
scratch=$(mktemp -d)
failed=0
export XDG_RUNTIME_DIR=$scratch/runtime TMPDIR=$scratch/tmp
unset GROVE_CREDENTIAL
mkdir -m 700 "$XDG_RUNTIME_DIR" "$TMPDIR"

# Ends a server: end PID; its exit status is ours.
end() {
    kill -TERM "$1" 2>/dev/null || true
    wait "$1"
}

# Ends all that still runs in the background. It was started by timeout, which passes SIGTERM on, but
# leaves its command behind when it is killed itself: so that is killed, and timeout ends with it.
end_jobs() {
    local pid tries=0
    for pid in $(jobs -rp); do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in $(jobs -rp); do
        while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
            tries=$((tries + 1))
            sleep 0.05
        done
        # shellcheck disable=SC2046  # words
        kill -KILL $(pgrep -P "$pid") "$pid" 2>/dev/null || true
    done
}

clean_up() {
    local status=$?
    end_jobs
    if [ "$status" -ne 0 ] || [ "$failed" -ne 0 ]; then
        tail -n 20 "$scratch"/*.log 2>/dev/null || true
    fi
    rm -rf "$scratch"
    [ "$status" -ne 0 ] || exit "$failed"
}
trap clean_up EXIT

fail() {
    echo "FAILED: $*"
    failed=1
}

# Starts a server and waits for its line that begins with "ready": serve NAME COMMAND...
# Its output is in $scratch/NAME.log, its process id in $server, its line in $ready. (In the
# foreground, timeout passes a signal on once; else its whole group gets it too.)
serve() {
    local name=$1 tries=0
    shift
    : >"$scratch/$name.log"
    timeout --foreground 600 "$@" >"$scratch/$name.log" 2>&1 &
    server=$!
    until ready=$(grep '^ready' "$scratch/$name.log"); do
        kill -0 "$server" 2>/dev/null || { fail "$name ended: $(cat "$scratch/$name.log")" && exit 1; }
        tries=$((tries + 1))
        [ "$tries" -lt 6000 ] || { fail "$name does not get ready" && exit 1; }
        sleep 0.01
    done
}

# Runs a command again and again until it succeeds, for a minute: await COMMAND...
await() {
    local tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 1200 ] || { fail "not within a minute: $*" && exit 1; }
        sleep 0.05
    done
}

# The value of a key in the ready line: field credential
field() {
    sed "s/.* $1=\([^ ]*\).*/\1/" <<<"$ready"
}

# Runs a command: its output in $out, its reasons in $err, its exit code in $code.
run() {
    code=0
    timeout --foreground 120 "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || code=$?
    out=$(cat "$scratch/out")
    err=$(cat "$scratch/err")
}

# expect CODE COMMAND...: runs it and checks its exit code. A command gives up after 5 s when nobody
# answers or leads, on a machine that stands still as well; the test does not.
expect() {
    local wanted=$1 tries=0
    shift
    run "$@"
    while [ "$code" -eq 5 ] && [ "$wanted" -ne 5 ] && [ "$tries" -lt 12 ]; do
        tries=$((tries + 1))
        run "$@"
    done
    [ "$code" -eq "$wanted" ] || fail "$*: exit $code, not $wanted; stdout: $out; stderr: $err"
}

# says TEXT / complains TEXT: the last command's stdout is, or its stderr holds, this.
says() {
    [ "$out" = "$1" ] || fail "it says '$out', not '$1'"
}
complains() {
    grep -qF -- "$1" <<<"$err" || fail "no '$1' among its reasons: $err"
}

# A port that is free, as are the three after it.
free_port() {
    /usr/bin/python3 - <<'END'
import random, socket

def free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

while True:
    port = random.randrange(4000, 10000, 4)  # below what mesh.py takes
    if all(free(port + i) for i in range(4)):
        print(port)
        break
END
}

# json FILTER: evaluates a Python expression over `j`, the last command's stdout as JSON.
json() {
    /usr/bin/python3 -c 'import json, sys; j = json.loads(sys.argv[2]); print(eval(sys.argv[1]))' "$1" "$out"
}

# json_is FILTER VALUE
json_is() {
    local value
    value=$(json "$1") || { fail "no JSON: $out" && return; }
    [ "$value" = "$2" ] || fail "$1 is '$value', not '$2', in $out"
}
