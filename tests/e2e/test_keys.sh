#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# A mesh of separate processes: keys init, coordinator, keys issue, worker; each host needs one
# credential file.
source "$(dirname "$0")/support.sh"

port=$(free_port)
listen=127.0.0.1:$port
keys=$scratch/keys
operator=$keys/operator.credential
echo "correct horse battery staple" >"$scratch/passphrase"

expect 2 "$grove" keys init "$keys"
expect 0 "$grove" keys init "$keys" --coordinator "c1=$listen" --passphrase-file "$scratch/passphrase"
expect 0 "$grove" keys init "$scratch/others" --passphrase-file "$scratch/passphrase" -o json
out=$(head -n 1 <<<"$out") json_is 'j["schema"], j["path"]' "('grove.file/1', '$scratch/others/mesh.key')"
expect 4 "$grove" keys init "$keys" --coordinator "c1=$listen" --passphrase-file "$scratch/passphrase"

# ---- the coordinator
coordinator=("$grove" coordinator --data "$scratch/ledger" --listen "$listen"
    --credential "$keys/c1.credential")
expect 78 "${coordinator[@]}" --admit "$operator"
expect 2 "$grove" coordinator --listen "$listen"

issue=("$grove" keys issue --credential "$operator" --passphrase-file "$scratch/passphrase")
cd "$scratch"
expect 5 "${issue[@]}" --role client early
complains "grove keys admit early.credential"

serve coordinator "${coordinator[@]}" --bootstrap --admit "$operator"
leader=$server
expect 74 "$grove" coordinator --data "$scratch/other" --listen "$listen" \
    --credential "$keys/c1.credential" --bootstrap
complains "$listen"
expect 0 "$grove" keys init "$scratch/third" --coordinator "c1=$listen" --passphrase-file "$scratch/passphrase"
expect 78 "$grove" coordinator --data "$scratch/other" --listen "$listen" \
    --credential "$scratch/third/c1.credential"
complains "$scratch/other: the ledger of another mesh"
expect 0 "$grove" keys admit early.credential --credential "$operator"
expect 0 "$grove" keys admit early.credential --credential "$operator"

# ---- who may what
expect 0 "${issue[@]}" --role worker builder
expect 0 "${issue[@]}" --role client --submit 'up*' alice
expect 0 "${issue[@]}" --role client --submit 'down' bob
expect 2 "${issue[@]}" --role plumber carol
expect 4 "$grove" keys issue --credential alice.credential --role client mallory
expect 0 "$grove" keys show builder.credential -o json
json_is 'j["roles"], j["run"]' "(['worker'], ['*'])"

mkdir host
mv builder.credential host/
serve worker "$grove" worker --credential host/builder.credential --slots 1 --exec 'upper=tr a-z A-Z' \
    --exec "slow=touch $scratch/begun; until test -e $scratch/go; do sleep 0.05; done; cat" \
    --exec 'broken=echo why >&2; exit 3'
worker=$server

expect 0 "$grove" run --credential alice.credential -t upper "shout it"
says "SHOUT IT"
expect 4 "$grove" run --credential bob.credential -t upper "shout it"
expect 4 "$grove" run --credential alice.credential -t broken x
expect 1 "$grove" run --credential "$operator" -t broken x
complains why
expect 4 "$grove" stats --credential alice.credential
expect 0 "$grove" stats --credential "$operator"

# ---- a polite end loses nothing and doubles nothing
offers_nothing() {
    run "$grove" stats workers --credential "$operator"
    [ "$(json 'j["workers"][0]["functions"]')" = "[]" ]
}
seq 1 4 | timeout 60 "$grove" submit --credential "$operator" -t slow --many >ids
await test -e begun
kill -TERM "$worker"
await offers_nothing # as it hands back what has not begun; what has, it ends
touch go
wait "$worker" || fail "the worker ended with $?"
serve worker2 "$grove" worker --credential host/builder.credential --exec 'slow=cat'
worker=$server
# shellcheck disable=SC2046  # a list of words
expect 0 "$grove" wait --credential "$operator" $(cat ids)
expect 0 "$grove" stats --credential "$operator" -o json
json_is 'j["totals"]["losses"], j["functions"]["slow"]["ended_succeeded"]' "(0, 4)"
json_is 'j["ledger"]["index"] < 60' True # what was handed back did not come back

# ---- the coordinator comes back with all it knew
end "$leader" || fail "the coordinator ended with $?"
serve again "${coordinator[@]}"
expect 0 "$grove" result --credential "$operator" "$(head -n 1 ids)"
says 1
expect 0 "$grove" run --credential "$operator" -t slow back
says back
end "$worker" || fail "the worker ended with $?"
end "$server" || fail "the coordinator ended with $?"

expect 2 "$grove" worker --credential host/builder.credential
