#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# The command line's contract: help, mistakes, exit codes, JSON, and clear reasons.
source "$(dirname "$0")/support.sh"

expect 0 "$grove" help -o json
commands=$(json '" ".join(c["name"] for c in j["commands"])')

# ---- without a mesh
for command in $commands; do
    expect 0 "$grove" help "$command"
    expect 0 "$grove" "$command" --help
    grep -q "usage: grove $command" <<<"$out" || fail "help of $command: $out"
    expect 2 "$grove" "$command" --no-such-option
done
expect 0 "$grove" --help
expect 2 "$grove"
expect 2 "$grove" rnu
complains "did you mean 'run'?"
expect 2 "$grove" run --prioritty 1 -t echo x
complains "did you mean --priority?"
expect 2 "$grove" run -t echo x -o yaml
expect 2 "$grove" run -t echo x y
expect 2 "$grove" run
expect 2 "$grove" submit -t echo --priority 1000 x
expect 2 "$grove" submit -t echo --delay soon x
expect 2 "$grove" wait 123
expect 0 "$grove" version -o json
json_is 'j["schema"]' grove.version/1
expect 0 "$grove" help -o json
json_is 'j["schema"], "run" in {c["name"] for c in j["commands"]}' "('grove.commands/1', True)"

# It gives up after 5 s, which may be more on a machine that stands still meanwhile.
for _ in $(seq 10); do
    started=$SECONDS
    expect 5 "$grove" run -t echo x
    complains "$XDG_RUNTIME_DIR/grove/dev.credential"
    took=$((SECONDS - started))
    [ "$took" -gt 7 ] || break
done
[ "$took" -le 7 ] || fail "no mesh: it took $took s to say so"

# ---- with one
serve dev "$grove" dev --data "$scratch/mesh"
dev=$server
export GROVE_CREDENTIAL
GROVE_CREDENTIAL=$(field credential)

expect 0 "$grove" run -t echo hello
says hello
expect 0 "$grove" run -t echo ""
says ""
printf 'from\0stdin\n' | timeout 60 "$grove" run -t echo | cmp - <(printf 'from\0stdin\n') ||
    fail "stdin does not come back as it was"
expect 0 "$grove" run -t echo --follow -o json hello
json_is 'j["schema"], j["state"], j["result"], j["error"]' "('grove.run/1', 'succeeded', 'hello', None)"
printf '\377\376' | timeout 60 "$grove" run -t echo -o json >"$scratch/out"
out=$(cat "$scratch/out")
json_is 'j["result_base64"]' "//4="

expect 1 "$grove" run -t fail $'no\033[31m luck'
complains 'no\u{1b}[31m luck'
expect 1 "$grove" run -t fail -o json "no luck"
json_is 'j["state"], j["error"]["reason"], j["error"]["text"]' "('failed', 'failed', 'no luck')"
expect 1 "$grove" run -t sleep --timeout 200ms 60000
expect 6 "$grove" run -t sleep --deadline 300ms 60000
expect 2 "$grove" run -t 'Not A Function' x
head -c 1048577 /dev/zero >"$scratch/large"
code=0
timeout 60 "$grove" run -t echo <"$scratch/large" 2>"$scratch/err" >/dev/null || code=$?
err=$(cat "$scratch/err")
[ "$code" -eq 4 ] || fail "a payload over the limit: exit $code, not 4"
complains 1048576

expect 0 "$grove" submit -t echo --key one hello
id=$out
expect 0 "$grove" submit -t echo --key one hello
says "$id"
expect 8 "$grove" submit -t echo --key one other
expect 0 "$grove" submit -t echo -o json hello
json_is 'j["schema"], len(j["id"])' "('grove.submit/1', 32)"
expect 0 "$grove" submit -t fail "no luck"
bad=$out
expect 1 "$grove" wait "$id" "$bad"
says "$id succeeded
$bad failed failed: no luck"
expect 0 "$grove" wait -o json "$id"
json_is 'j["schema"], j["id"], j["state"], j["error"]' "('grove.wait/1', '$id', 'succeeded', None)"
expect 0 "$grove" result "$id"
says hello
expect 3 "$grove" result 00112233445566778899aabbccddeeff
expect 3 "$grove" wait 00112233445566778899aabbccddeeff
expect 3 "$grove" tree 00112233445566778899aabbccddeeff
expect 0 "$grove" submit -t sleep --delay 1h 1
expect 6 "$grove" result --timeout 200ms "$out"

seq 1 5000 >"$scratch/lines"
timeout 60 "$grove" submit -t echo --many <"$scratch/lines" >"$scratch/ids"
[ "$(sort -u "$scratch/ids" | wc -l)" -eq 5000 ] || fail "--many gave $(sort -u "$scratch/ids" | wc -l) ids"
expect 0 "$grove" result "$(tail -n 1 "$scratch/ids")"
says 5000
# shellcheck disable=SC2046  # one word an id
expect 0 "$grove" wait $(cat "$scratch/ids")
[ "$(grep -c ' succeeded$' <<<"$out")" -eq 5000 ] || fail "wait does not take thousands of ids"
printf 'one\n\nthree\n' >"$scratch/lines"
timeout 60 "$grove" submit -t echo --many --key lines <"$scratch/lines" >"$scratch/ids"
[ "$(wc -l <"$scratch/ids")" -eq 3 ] || fail "a blank line of --many is no task"
printf 'one\n\nother\n' >"$scratch/lines"
code=0
timeout 60 "$grove" submit -t echo --many --key lines <"$scratch/lines" >"$scratch/out" 2>"$scratch/err" || code=$?
[ "$code" -eq 8 ] || fail "a line in conflict: exit $code, not 8"
cmp -s "$scratch/out" <(head -n 2 "$scratch/ids" && echo -) || fail "a refused line moves the others"
err=$(cat "$scratch/err")
complains "grove: line 3: not accepted (conflict)"

expect 0 "$grove" submit -t nobody-has-this x
complains "no worker offers nobody-has-this"
timeout --foreground 60 "$grove" run -t nobody-has-this x 2>"$scratch/nobody" &
await grep -qF "no worker offers nobody-has-this" "$scratch/nobody"
end "$!" || true

expect 0 "$grove" tree "$id"
expect 0 "$grove" tree -o json "$id"
json_is 'j["schema"], j["root_id"], j["state"], len(j["tasks"])' "('grove.tree/1', '$id', 'succeeded', 1)"
expect 0 "$grove" task "$bad"
grep -q '^error  *no luck$' <<<"$out" || fail "a task does not say why it failed: $out"
expect 0 "$grove" task -o json "$bad"
json_is 'j["schema"], j["state"], j["error"]' "('grove.task/1', 'failed', 'no luck')"
expect 3 "$grove" task 00112233445566778899aabbccddeeff
expect 0 "$grove" functions
grep -q '^FUNCTION .* LIMIT$' <<<"$out" && grep -q '^echo  *1 ' <<<"$out" || fail "functions: $out"
expect 0 "$grove" functions -o json
json_is '[f["workers"] for f in j["functions"] if f["function"] == "echo"]' "[1]"
lists_worker() {
    run "$grove" workers
    grep -q ' up  *echo .*' <<<"$out"
}
await lists_worker
expect 0 "$grove" workers -o json
json_is 'j["schema"], len(j["workers"])' "('grove.workers/1', 1)"
expect 2 "$grove" workers dry out
expect 0 "$grove" roots --state failed
[ "$(wc -l <<<"$out")" -eq 6 ] && grep -q "^$bad  *fail  *failed  *1  *0  *1 .* dev$" <<<"$out" ||
    fail "failed roots: $out"
expect 0 "$grove" roots -n 0
[ "$(wc -l <<<"$out")" -gt 5000 ] || fail "not all roots: $(wc -l <<<"$out")"
expect 0 "$grove" roots --state open
grep -q ' delayed ' <<<"$out" || fail "what is delayed is open: $out"
expect 2 "$grove" roots --state fialed
complains "did you mean failed?"
expect 0 "$grove" failures
grep -q "^ *2  .*  fail  *$bad  *no luck$" <<<"$out" || fail "failures: $out"
expect 0 "$grove" failures -o json --function fail
json_is '[(g["count"], g["error"], g["code"], len(g["examples"])) for g in j["groups"]][0]' "(2, 'no luck', 'failed', 2)"
expect 0 "$grove" failures --function echo
says ""
expect 0 "$grove" stats
expect 0 "$grove" stats -o json
# A Submit that is not answered for long is sent again, and then counted again.
json_is 'j["schema"], j["workers"], j["refusals"]["conflict"] >= 2, j["ledger"]["index"] > 0' \
    "('grove.stats/1', 1, True, True)"
json_is 'j["functions"]["echo"]["ended_succeeded"] > 5000' True
for request in workers health help; do
    expect 0 "$grove" stats "$request"
    json_is 'j["schema"]' "grove.$request/1"
done
expect 2 "$grove" stats nonsense

expect 0 "$grove" cluster snapshot -o json
json_is 'j["schema"], j["index"] > 0' "('grove.snapshot/1', True)"

# ---- credentials
expect 0 "$grove" keys show -o json
json_is 'j["schema"], j["name"], "client" in j["roles"]' "('grove.certificate/1', 'dev', True)"
cp "$GROVE_CREDENTIAL" "$scratch/open.credential"
chmod 644 "$scratch/open.credential"
unprivileged=()
[ "$(id -u)" -ne 0 ] || unprivileged=(setpriv --bounding-set '-dac_override,-dac_read_search')
expect 4 "$grove" run --credential "$scratch/open.credential" -t echo x
complains "$scratch/open.credential: others may read or write it"
expect 4 "$grove" worker --credential "$scratch/open.credential" --exec 'x=cat'
complains "$scratch/open.credential: others may read or write it"
expect 4 "$grove" coordinator --data "$scratch/none" --listen 127.0.0.1:0 --bootstrap \
    --credential "$scratch/open.credential"
complains "$scratch/open.credential: others may read or write it"
cp "$GROVE_CREDENTIAL" "$scratch/closed.credential"
chmod 000 "$scratch/closed.credential"
expect 4 "${unprivileged[@]}" "$grove" run --credential "$scratch/closed.credential" -t echo x
complains "$scratch/closed.credential: cannot open: Permission denied"
ln -s "$GROVE_CREDENTIAL" "$scratch/link.credential"
expect 4 "$grove" run --credential "$scratch/link.credential" -t echo x
complains "$scratch/link.credential"
echo "nonsense" >"$scratch/broken.credential"
chmod 600 "$scratch/broken.credential"
expect 4 "$grove" stats --credential "$scratch/broken.credential"
complains "$scratch/broken.credential"

expect 0 "$grove" run -t echo "none the worse"
says "none the worse"
end "$dev" || fail "grove dev ended with $?"
