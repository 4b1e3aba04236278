#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# What has failed is run again, once however often that is asked for; by those who may.
source "$(dirname "$0")/support.sh"

serve dev "$grove" dev --slots 4 --data "$scratch/mesh" --exec "picky=test -e $scratch/ready && cat"
export GROVE_CREDENTIAL
GROVE_CREDENTIAL=$(field credential)

expect 0 "$grove" submit -t picky --content-type text/plain --priority 7 --key one first
one=$out
expect 0 "$grove" submit -t picky second
two=$out
expect 0 "$grove" submit -t fail "no luck"
other=$out
expect 1 "$grove" wait "$one" "$two" "$other"

# ---- one of them
touch "$scratch/ready"
expect 0 "$grove" retry "$one"
again=${out#"$one "}
[ "${#again}" -eq 32 ] && [ "$again" != "$one" ] || fail "retry says $out"
expect 0 "$grove" result "$again"
says first
expect 0 "$grove" task -o json "$again"
json_is 'j["function"], j["priority"], j["state"]' "('picky', 7, 'succeeded')"
json_is 'j["retry_of"]' "$one"
expect 0 "$grove" task "$again"
grep -q "^retry of  *$one\$" <<<"$out" || fail "the task says $out"
expect 0 "$grove" tree "$again"
grep -q " retry of ${one:0:8}" <<<"$out" || fail "the tree says $out"
expect 0 "$grove" task -o json "$one"
json_is '"retry_of" in j' False
expect 0 "$grove" retry "$one"
says "$one $again"

# ---- all of a function
expect 0 "$grove" retry --failed --function picky --since 1h -o json
[ "$(grep -c '"schema": *"grove.retry/1"' <<<"$out")" -eq 2 ] || fail "both are retried: $out"
grep -q "$again" <<<"$out" || fail "the first has another id now: $out"
next=$(sed -n "/$two/s/.*\"id\": *\"\([0-9a-f]*\)\".*/\1/p" <<<"$out")
expect 0 "$grove" result "$next"
says second
expect 0 "$grove" retry --failed --function echo
says ""
complains "nothing has failed"

# ---- what cannot be retried says why
expect 4 "$grove" retry "$again"
complains "$again: it has succeeded"
expect 0 "$grove" submit -t sleep 600000
expect 4 "$grove" retry "$out"
complains "it has not ended yet"
expect 3 "$grove" retry 00112233445566778899aabbccddeeff
complains "00112233445566778899aabbccddeeff"
expect 1 "$grove" map -t fail --stop-on-failure -o json ::: bad
child=$(sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p' <<<"$out" | head -n 1)
expect 4 "$grove" retry "$child"
complains "it is a child"
expect 0 "$grove" task -o json "$child"
expect 4 "$grove" retry "$(json 'j["root_id"]')"
complains "a join from outside"
expect 2 "$grove" retry
expect 2 "$grove" retry --failed "$one"
expect 2 "$grove" retry 123

# ---- it is one's own, or an operator's
(cd "$scratch" && "$grove" keys issue --mesh-key "$scratch/mesh/mesh.key" --role client --submit '*' mallory) ||
    fail "no credential for another client"
expect 3 "$grove" retry --credential "$scratch/mallory.credential" "$other"
complains "$other"
expect 0 "$grove" submit --credential "$scratch/mallory.credential" -t fail "bad luck"
theirs=$out
expect 1 "$grove" wait "$theirs"
expect 0 "$grove" retry "$theirs"
expect 0 "$grove" stats root "${out#"$theirs "}"
json_is 'j["submitter"]' dev
end "$server" || fail "grove dev ended with $?"
