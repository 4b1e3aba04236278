#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# grove map, gather, race, cancel and explain: output, reasons, exit codes, JSON, interrupts, bars.
source "$(dirname "$0")/support.sh"

serve dev "$grove" dev --slots 8 --data "$scratch/mesh"
dev=$server
export GROVE_CREDENTIAL
GROVE_CREDENTIAL=$(field credential)

# ---- map: words, lines, files
for limit in 1 2 7 64; do
    for count in 0 1 $((limit - 1)) "$limit" $((limit + 1)) 300; do
        seq 1 "$count" >"$scratch/lines"
        timeout 300 "$grove" map -t echo -j "$limit" <"$scratch/lines" >"$scratch/out" 2>"$scratch/err" ||
            fail "map of $count by $limit: $(cat "$scratch/err")"
        cmp -s "$scratch/lines" "$scratch/out" || fail "map of $count by $limit is not in order"
    done
done
seq 1 10000 >"$scratch/lines"
timeout 300 "$grove" map -t echo -j 64 :::: "$scratch/lines" | cmp - "$scratch/lines" ||
    fail "10,000 lines of a file do not come back in order"
expect 0 "$grove" map -t echo -j 3 ::: -1 -- ::: "two words" ""
says "-1
--
:::
two words"
printf 'a\n\nno newline' | timeout 300 "$grove" map -t echo -j 2 | cmp - <(printf 'a\n\nno newline\n') ||
    fail "a blank line is an input, and so is one that does not end"
expect 2 "$grove" map -j 2 ::: x
expect 2 "$grove" map -t echo -j 0 ::: x
expect 2 "$grove" map -t echo --stop-on-failure --max-failures 2 ::: x
expect 2 "$grove" map -t echo x
expect 2 "$grove" map -t echo :::: "$scratch/none"
complains "$scratch/none: No such file or directory"
head -c 1048577 /dev/zero >"$scratch/large"
expect 4 "$grove" map -t echo :::: "$scratch/large"
complains "line 1 is over the limit of 1048576 bytes"

# What is written slowly is run as it comes: the next line is written when the result of the one
# before has come.
coproc MAP { timeout 300 "$grove" map -t echo -j 2 2>"$scratch/err"; }
for word in one two three; do
    echo "$word" >&"${MAP[1]}"
    read -r -t 60 answer <&"${MAP[0]}" || fail "no answer to $word"
    [ "$answer" = "$word" ] || fail "'$answer' is the answer to $word"
done
map=$MAP_PID
eval "exec ${MAP[1]}>&-"
wait "$map" || fail "a slow map: exit $?"

# It is asked how far the map is when there is something to hear, not on and on.
pages() {
    run "$grove" stats -o json
    json 'j["messages"]["paged"]'
}
before=$(pages)
seq 1 1000 | timeout 300 "$grove" map -t echo -j 64 >/dev/null 2>&1
[ $(($(pages) - before)) -le 2200 ] || fail "$(($(pages) - before)) pages of 1,000 inputs"

# ---- failures: named, the other lines where they were
cat >"$scratch/inputs" <<'LINES'
10
no number
20
a very long input that is no number either, and is named by its beginning only
30
LINES
code=0
timeout 300 "$grove" map -t sleep -j 2 <"$scratch/inputs" >"$scratch/out" 2>"$scratch/err" || code=$?
err=$(cat "$scratch/err")
[ "$code" -eq 1 ] || fail "a map with failures: exit $code"
cmp -s "$scratch/out" <(printf '10\n\n20\n\n30\n') || fail "failures move the others: $(cat "$scratch/out")"
complains "grove: input 2 (no number): failed: the payload is a number of milliseconds"
complains "grove: input 4 (a very long input that is no number either, and is named by ...): failed"
complains "grove: 2 of 5 failed"
expect 1 "$grove" map -t fail -j 1 --stop-on-failure ::: $'x\033[31m' y z
says ""
complains 'grove: input 1 (x\u{1b}[31m): failed: x\u{1b}[31m'
complains "grove: 1 of 3 failed, 2 cancelled"
expect 1 "$grove" map -t fail -j 1 --max-failures 2 -o json ::: $'\xff' y z
complains 'grove: input 1 (\x{ff}): failed'
complains "grove: 2 of 3 failed, 1 cancelled"
out=$(head -n 1 <<<"$out")
json_is 'j["schema"], j["index"], j["state"], j["result"], j["error"]["reason"]' "('grove.map/1', 0, 'failed', None, 'failed')"
expect 6 "$grove" map -t sleep -j 2 --deadline 300ms ::: 60000
expect 1 "$grove" map -t sleep -j 2 --timeout 200ms ::: 60000

# ---- the same key
expect 0 "$grove" map -t echo -j 2 --key once ::: a b c
expect 0 "$grove" map -t echo -j 2 --key once -o json ::: a b c
json=$out
out=$(tail -n 1 <<<"$json")
json_is 'j["index"], j["result"]' "(2, 'c')"
expect 8 "$grove" map -t echo -j 2 --key once ::: a b d

# With a key it is left, and the same command goes on with it: nothing is run twice. (One begins in a
# second, so that it does not end before it is left.)
succeeded() {
    run "$grove" stats functions -o json
    json '[f["ended_succeeded"] for f in j["functions"] if f["function"] == "sleep"][0]'
}
before=$(succeeded)
left=("$grove" map -t sleep -j 1 --key left)
expect 0 "$grove" limit sleep --rate 1/s
coproc MAP { exec timeout --foreground 300 "${left[@]}" ::: $(seq 51 90) 2>"$scratch/err"; }
map=$MAP_PID
read -r -t 60 answer <&"${MAP[0]}" || fail "no result before it is left: $(cat "$scratch/err")"
kill -TERM "$map"
code=0
wait "$map" || code=$?
[ "$code" -eq 143 ] || fail "a map that was left: exit $code"
expect 0 "$grove" limit sleep --rate 0
expect 0 "${left[@]}" ::: $(seq 51 90)
says "$(seq 51 90)"
[ "$answer" = 51 ] || fail "'$answer' was the first result of the map that was left"
[ $(($(succeeded) - before)) -eq 40 ] || fail "$(($(succeeded) - before)) executions of 40 inputs"

# ---- gather
expect 0 "$grove" gather echo=one echo= echo=with=equals sleep=10
says "one

with=equals
10"
expect 1 "$grove" gather echo=one "fail=no luck" echo=three
says "one

three"
complains "grove: input 2 (fail=no luck): failed: no luck"
expect 1 "$grove" gather --stop-on-failure sleep=60000 fail=no sleep=60000
complains "grove: 1 of 3 failed, 2 cancelled"
expect 2 "$grove" gather
expect 2 "$grove" gather "Not A Function=x"

# ---- race
expect 0 "$grove" race fail=fast sleep=60000 sleep=100
says 100
expect 0 "$grove" race -o json echo=x sleep=60000
json_is 'j["schema"], j["index"], j["function"], j["result"]' "('grove.race/1', 0, 'echo', 'x')"
expect 1 "$grove" race fail=this fail=that
complains "grove: fail: failed: this"
complains "grove: fail: failed: that"
complains "grove: 0 of 1 won"
expect 0 "$grove" race --first 2 sleep=50 sleep=2000 sleep=60000
says "50
2000"
expect 1 "$grove" race --first-settled fail=first sleep=60000
complains "grove: failed: first"
expect 2 "$grove" race --first 3 echo=a echo=b
code=0
timeout 300 "$grove" race --first 2 echo=a fail=b >"$scratch/out" 2>/dev/null || code=$?
[ "$code" -eq 1 ] || fail "one winner of two: exit $code"
cmp -s "$scratch/out" <(printf 'a\n') || fail "one of two winners is no line: $(cat "$scratch/out")"

# becomes FILTER VALUE REQUEST...: what grove answers has this value, sooner or later
becomes() {
    local filter=$1 value=$2 tries=0
    shift 2
    until expect 0 "$grove" "$@" -o json && [ "$(json "$filter")" = "$value" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { fail "$filter does not become $value in $out" && break; }
        sleep 0.1
    done
}

# ---- cancel, explain
# explains TEXT ID: what the task waits for is, sooner or later, this
explains() {
    local tries=0
    until expect 0 "$grove" explain "$2" && grep -qF -- "$1" <<<"$out"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { fail "explain: no '$1': $out" && break; }
        sleep 0.1
    done
}
expect 0 "$grove" submit -t sleep 600000
id=$out
explains "sleep: it runs at worker" "$id"
expect 0 "$grove" explain -o json "$id"
json_is 'j["schema"], j["id"], j["reasons"][0]["kind"]' "('grove.explain/1', '$id', 'runs')"
expect 0 "$grove" cancel "$id" -o json
json_is 'j["schema"], j["never_started"], j["stopped"], j["already_done"]' "('grove.cancel/1', 0, 1, 0)"
expect 0 "$grove" cancel "$id"
says "never started 0, stopped 1, already done 0"
expect 7 "$grove" wait "$id"
expect 0 "$grove" submit -t flow '{"segments":3,"steps":3,"step_ms":60000}'
expect 0 "$grove" cancel "$out" -o json
json_is 'j["stopped"] + j["never_started"] + j["already_done"] >= 1' True
expect 3 "$grove" cancel 00112233445566778899aabbccddeeff
complains "not-found"
expect 2 "$grove" cancel 123
expect 3 "$grove" explain 00112233445566778899aabbccddeeff
expect 2 "$grove" explain
expect 0 "$grove" submit -t nobody-has-this x
explains "no worker offers nobody-has-this; try: grove worker --exec nobody-has-this=COMMAND" "$out"

# Whoever may not cancel it does not learn that it is there.
expect 0 "$grove" keys issue --credential "$scratch/mesh/dev.credential" --role client --role observer --submit '*' \
    --out "$scratch/bob.credential" bob
expect 0 "$grove" submit -t sleep 600000
id=$out
expect 3 "$grove" cancel "$id" --credential "$scratch/bob.credential"
expect 0 "$grove" cancel "$id"
expect 7 "$grove" wait "$id"

# ---- limits: set by operators, seen by observers
bob=(--credential "$scratch/bob.credential")
expect 4 "$grove" limit echo --running 1 "${bob[@]}"
complains "no operator's credential"
expect 4 "$grove" cluster snapshot "${bob[@]}"
expect 2 "$grove" limit
expect 2 "$grove" limit "Not A Function" --pause
expect 2 "$grove" limit echo --rate fast
expect 2 "$grove" limit echo --pause --resume
expect 0 "$grove" limit echo "${bob[@]}"
says "echo: no limit"
expect 0 "$grove" limit echo --pause
says "echo: paused"
expect 0 "$grove" limit echo "${bob[@]}"
says "echo: paused"
expect 0 "$grove" submit -t echo later
id=$out
explains "echo is paused; try: grove limit echo --resume" "$id"
expect 0 "$grove" limit echo --resume --running 3 --rate 90/min -o json
json_is 'j["schema"], j["function"], j["running"], j["rate"], j["paused"]' "('grove.limit/1', 'echo', 3, 1.5, False)"
expect 0 "$grove" limit echo -o json
json_is 'j["schema"], j["function"], j["running"], j["rate"], j["paused"]' "('grove.limit/1', 'echo', 3, 1.5, False)"
expect 0 "$grove" result "$id"
says later
expect 0 "$grove" limit echo --rate 0
says "echo: at most 3 run at a time, not paused"
expect 0 "$grove" limit echo --running 0
says "echo: no limit"
expect 0 "$grove" limit never-heard-of
says "never-heard-of: no limit"

# One at a time: the second has not begun while the first runs. Two at a time: both.
active='[f["active"] for f in j["functions"] if f["function"] == "sleep"]'
expect 0 "$grove" limit sleep --running 1
says "sleep: at most 1 run at a time, not paused"
printf '600000\n600000\n' | "$grove" submit -t sleep --many >"$scratch/ids"
first=$(sed -n 1p "$scratch/ids") second=$(sed -n 2p "$scratch/ids")
explains "1 of sleep run, and 1 may at a time; try: grove limit sleep --running" "$second"
expect 0 "$grove" stats functions -o json
json_is "$active" "[1]"
expect 0 "$grove" limit sleep --running 2
becomes "$active" "[2]" stats functions
expect 0 "$grove" cancel "$first"
expect 0 "$grove" cancel "$second"
expect 0 "$grove" limit sleep --running 0

# Two begin in a second: five take two seconds or more, and not one.
expect 0 "$grove" limit echo --rate 2/s
says "echo: at most 2/s begin, not paused"
started=$(date +%s%N)
expect 0 "$grove" map -t echo -j 5 ::: a b c d e
[ $(($(date +%s%N) - started)) -ge 1500000000 ] || fail "five at 2/s took $(($(date +%s%N) - started)) ns"
expect 0 "$grove" limit echo --rate 0
says "echo: no limit"

# ---- what does not go on says why; an interrupt cancels
# waits REASON COMMAND...: says so after a while, and is interrupted then
waits() {
    local reason=$1 pid
    shift
    : >"$scratch/err" # of the one before
    timeout --foreground 300 "$@" 2>"$scratch/err" >"$scratch/out" &
    pid=$!
    until grep -Eq "^grove: nothing of [0-9a-f]{32} runs: $reason" "$scratch/err"; do
        kill -0 "$pid" || { fail "$*: $(cat "$scratch/err")" && break; }
        sleep 0.05
    done
    kill -INT "$pid"
    code=0
    wait "$pid" || code=$?
    err=$(cat "$scratch/err")
    [ "$code" -eq 7 ] || fail "interrupted: $*: exit $code, $err"
    complains "interrupted, and cancelled"
}
nobody="no worker offers nobody-has-this; try: grove worker --exec nobody-has-this=COMMAND"
waits "$nobody" "$grove" map -t nobody-has-this ::: a b
waits "$nobody" "$grove" gather echo=x nobody-has-this=
waits "$nobody" "$grove" race fail=x nobody-has-this=
expect 0 "$grove" limit echo --pause
waits "echo is paused; try: grove limit echo --resume" "$grove" map -t echo ::: a b
expect 0 "$grove" limit echo --resume

# Another reason is said, too.
# hears TEXT: sooner or later $map's line, in $line, ends so
hears() {
    until [[ ${line:=} == *"$1" ]]; do
        read -r -t 60 line <&"${MAP[0]}" || { fail "it does not say '$1', but $line" && break; }
    done
}
expect 0 "$grove" limit late --pause
coproc MAP { exec timeout --foreground 300 "$grove" map -t late ::: a b 2>&1; }
map=$MAP_PID
hears "no worker offers late; try: grove worker --exec late=COMMAND"
serve worker "$grove" worker --exec late=cat --slots 2
hears "late is paused; try: grove limit late --resume"
expect 0 "$grove" limit late --resume
hears a
hears b
wait "$map" || fail "a map whose worker came late: exit $?"
end "$server" || fail "the worker that came late: exit $?"
becomes 'j["joins"]' "{'gather': 0, 'race': 0, 'map': 0}" stats

# So does a reader that leaves.
code=0
seq 50 449 | timeout 300 "$grove" map -t sleep -j 2 2>"$scratch/err" | head -n 1 >"$scratch/out" ||
    code=${PIPESTATUS[1]}
err=$(cat "$scratch/err")
[ "$code" -eq 74 ] || fail "a map that nobody reads: exit $code, $err"
grep -v "done, 0 failed" "$scratch/err" | cmp -s - <(echo "grove: cannot write to standard output") ||
    fail "a map that nobody reads says: $err"
becomes 'j["joins"]["map"], j["functions"]["sleep"]["held"], j["functions"]["sleep"]["ready"]' "(0, 0, 0)" stats

# ---- on a terminal: a bar, which is gone in the end, and nothing that it obeys
/usr/bin/python3 - "$grove" >"$scratch/out" <<'PTY' || fail "on a terminal: $(cat "$scratch/out")"
import os, pty, signal, sys

def run(*arguments, until=None):
    """What is seen of it, which is interrupted when `until` is there."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(sys.argv[1], [sys.argv[1], *arguments])
    seen = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
        if until is not None and until in seen:
            os.kill(pid, signal.SIGINT)
            until = None
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen

code, seen = run("map", "-t", "sleep", "-j", "2", ":::", *["300"] * 8)
print(code, seen)
assert code == 0
assert b" of 8 done, 0 failed, " in seen
assert "█".encode() in seen and b"left" in seen
assert b"\r\x1b[K" in seen[seen.rindex(b"%"):], "the bar is not taken away"
running = b" of 200 done, 0 failed, 2 running, "
code, seen = run("map", "-t", "sleep", "-j", "2", ":::", *["300"] * 200, until=running)
print(code, seen)
assert code == 7 and running in seen
code, seen = run("map", "-t", "echo", "-j", "2", ":::", "x\x1b[31my", "tab\tand")
print(code, seen)
assert b"x\\u{1b}[31my\r\n" in seen and b"tab\tand\r\n" in seen
code, seen = run("run", "-t", "echo", "x\x1b]0;y\x07")
print(code, seen)
assert seen == b"x\\u{1b}]0;y\\u{7}"
PTY

# Without one: a line now and then, which says soon enough that one runs.
coproc MAP { exec timeout --foreground 300 "$grove" map -t sleep -j 1 ::: $(seq 701 760) 2>&1 >/dev/null; }
map=$MAP_PID
until [[ $line =~ ^grove:\ [0-9]+\ of\ 60\ done,\ 0\ failed,\ 1\ running,\ [0-9.]+/s ]]; do
    read -r -t 60 line <&"${MAP[0]}" || { fail "no line of progress, but $line" && break; }
done
kill -INT "$map"
code=0
wait "$map" || code=$?
[ "$code" -eq 7 ] || fail "a map that was interrupted: exit $code"

end "$dev" || fail "grove dev ended with $?"
