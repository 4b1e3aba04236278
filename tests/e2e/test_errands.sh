#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Commands that make children through their node: the workflow of three levels in shell, and what
# goes well and badly in one command, all on one slot.
source "$(dirname "$0")/support.sh"

# Each of these is a function: its first line is what the payload is for.
mkdir "$scratch/functions"
function_of() {
    { echo '#!/bin/sh' && cat; } >"$scratch/functions/$1"
    chmod +x "$scratch/functions/$1"
}
function_of script <<'END'
exec sh -c "$(cat)" script
END
function_of keeper <<'END'
[ -s "$GROVE_CHECKPOINT_FILE" ] && exec cat "$GROVE_CHECKPOINT_FILE"
"$GROVE_BIN" checkpoint "so far" && exit 75
END

serve dev "$grove" dev --slots 1 --grace 30s --exec-dir "$source/nodes/examples/shell" \
    --exec-dir "$scratch/functions"

# ---- three levels
expect 0 "$grove" submit -t flow.sh '2 3'
id=$out
expect 0 "$grove" result "$id"
says "$(for i in 1 2; do for j in 1 2 3; do echo "segment $i, step $j"; done; done)"
expect 0 "$grove" tree "$id" -o json
json_is '[sum(t["depth"] == d for t in j["tasks"]) for d in range(4)]' "[1, 2, 6, 0]"
json_is 'set(t["root_id"] for t in j["tasks"]) == {"'"$id"'"}' True
json_is 'set(t["progress"]["percent"] for t in j["tasks"])' "{100}"
json_is '[t["progress"]["text"] for t in j["tasks"] if t["depth"] == 0]' "['2 segments']"

# ---- the same commands, the same answers
expect 0 "$grove" run -t script '"$GROVE_BIN" gather echo=one echo=two; "$GROVE_BIN" race fail=x echo=won'
says "$(printf 'one\ntwo\nwon')"
expect 0 "$grove" run -t script 'printf "a\nb\nc" | "$GROVE_BIN" map -t echo -j 2 -o json'
[ "$(wc -l <<<"$out")" -eq 3 ] || fail "not three lines: $out"
out=$(tail -n 1 <<<"$out")
json_is 'j["schema"], j["index"], j["state"], j["result"]' "('grove.map/1', 2, 'succeeded', 'c')"
expect 0 "$grove" run -t script \
    'ids=$(printf "1\n2\n3\n" | "$GROVE_BIN" submit -t echo --many); "$GROVE_BIN" wait $ids | cut -d" " -f2
     for id in $ids; do "$GROVE_BIN" result $id; done'
says "$(printf 'succeeded\nsucceeded\nsucceeded\n123')"
expect 0 "$grove" run -t script 'head -c 1000000 /dev/zero | "$GROVE_BIN" run -t echo | wc -c'
says 1000000

expect 0 "$grove" run -t script \
    'seq 9 | "$GROVE_BIN" map -t echo -j 1 --halt now,success=3 2>/dev/null
     seq 9 | "$GROVE_BIN" map -t echo -j 1 --halt soon,fail=1 2>/dev/null || echo "code $?"'
says "$(printf '1\n2\n3\ncode 2')"

# ---- side by side: the shell waits for both, and each needs the slot that its command gave back
expect 0 "$grove" run -t script \
    '"$GROVE_BIN" run -t sleep 30 >a & "$GROVE_BIN" run -t sleep 40 >b & wait; cat a b'
says 3040

# ---- a child that fails: its code, and its text
expect 0 "$grove" run -t script '"$GROVE_BIN" run -t fail boom 2>&1 && exit; echo "code $?"'
says "$(printf 'grove: failed: boom\ncode 1')"
expect 0 "$grove" run -t script 'echo "x" | "$GROVE_BIN" map -t fail -j 1 --stop-on-failure >/dev/null 2>&1; echo "code $?"'
says "code 1"
expect 0 "$grove" run -t script '"$GROVE_BIN" run -t No-such-name x 2>&1; echo "code $?"'
[ "${out##*code }" = "$("$grove" run -t No-such-name x 2>/dev/null || echo $?)" ] ||
    fail "another code than outside: $out"

# ---- run again after its own failure, it gets what is done already
expect 0 "$grove" run -t script --attempts 2 'd='"$scratch"'
    "$GROVE_BIN" run -t script "echo x >>$d/count; wc -l <$d/count"
    [ -e "$d/again" ] || { touch "$d/again"; exit 75; }'
says 1

# ---- a wait that ends early: what it waited for goes on until it is cancelled
expect 0 "$grove" run -t script \
    'id=$("$GROVE_BIN" submit -t sleep 600000); "$GROVE_BIN" wait --timeout 300ms $id; echo $?
     "$GROVE_BIN" cancel $id >/dev/null; "$GROVE_BIN" run -t echo after'
says "${out%% *} open timeout: the time given for this is over
6
after"

# ---- what a command says of its attempt
expect 1 "$grove" run -t script '"$GROVE_BIN" fail --permanent no such customer'
complains "permanent: no such customer"
expect 0 "$grove" run -t script '"$GROVE_BIN" fail of no consequence; exit 0'
expect 0 "$grove" run -t keeper --attempts 2 x
says "so far"
expect 0 "$grove" run -t script '"$GROVE_BIN" log line for the log'
grep -q 'event="said".*text="line for the log"' "$scratch/dev.log" || fail "not in the log"
for word in 'progress 5' 'checkpoint x' 'log x' 'fail x'; do
    # shellcheck disable=SC2086  # two words
    expect 2 "$grove" $word
    complains GROVE_SOCK
done
expect 0 "$grove" run -t script '"$GROVE_BIN" progress 101 || echo "$?"'
says 2

# ---- the grant ends with the attempt
expect 0 "$grove" run -t script 'echo "$GROVE_SOCK"'
GROVE_SOCK=$out expect 4 "$grove" run -t echo x
complains "has ended"
expect 0 env GROVE_SOCK=/nowhere "$grove" run --credential "$(field credential)" -t echo "as a client"
says "as a client"

# ---- cancelled, a command that waits is told so, and all of it ends
expect 0 "$grove" submit -t script \
    'trap "" TERM; "$GROVE_BIN" run -t sleep 600000 || echo "$?" >'"$scratch/told"
id=$out
for _ in $(seq 1000); do
    expect 0 "$grove" tree "$id" -o json
    [ "$(json 'any(t["function"] == "sleep" and t["state"] == "running" for t in j["tasks"])')" = False ] || break
    sleep 0.02
done
expect 0 "$grove" cancel "$id"
expect 7 "$grove" result "$id"
for _ in $(seq 1000); do
    [ -s "$scratch/told" ] && break
    sleep 0.06
done
[ "$(cat "$scratch/told")" = 7 ] || fail "it was told: $(cat "$scratch/told")"
expect 0 "$grove" tree "$id" -o json
json_is 'set(t["state"] for t in j["tasks"])' "{'cancelled'}"
end "$server" || fail "grove dev ended with $?"
