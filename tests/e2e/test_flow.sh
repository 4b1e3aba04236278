#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# The workflow of three levels on one slot: its result, its tree, its progress; and many at once.
source "$(dirname "$0")/support.sh"

serve dev "$grove" dev --slots 1
payload='{"segments":3,"steps":3}'
wanted='{"segments":[{"segment":1,"steps":[{"segment":1,"step":1},{"segment":1,"step":2},{"segment":1,"step":3}]},{"segment":2,"steps":[{"segment":2,"step":1},{"segment":2,"step":2},{"segment":2,"step":3}]},{"segment":3,"steps":[{"segment":3,"step":1},{"segment":3,"step":2},{"segment":3,"step":3}]}]}'

expect 0 "$grove" run -t flow --follow "$payload"
says "$wanted"
complains "Segment 3/3"
complains "Segment 3, step 3 done"

# Its steps wait until it is followed, and seen to wait for them.
expect 0 "$grove" limit step --pause
expect 0 "$grove" submit -t flow "$payload"
id=$out
timeout --foreground 120 "$grove" tree "$id" --follow >"$scratch/followed" &
follower=$!
await grep -q 'flow .* waiting' "$scratch/followed"
expect 0 "$grove" limit step --resume
wait "$follower" || fail "tree --follow ended with $?"
out=$(cat "$scratch/followed")
[ "$(grep -c 'step .* succeeded 100 %' <<<"$out")" -eq 9 ] || fail "not nine steps: $out"
expect 0 "$grove" result "$id"
says "$wanted"

expect 0 "$grove" tree "$id" -o json
json_is '[sum(t["depth"] == d for t in j["tasks"]) for d in range(4)]' "[1, 3, 9, 0]"
json_is 'set(t["root_id"] for t in j["tasks"]) == {j["root_id"]} == {"'"$id"'"}' True
json_is 'set(t["state"] for t in j["tasks"])' "{'succeeded'}"
json_is 'set(t["progress"]["percent"] for t in j["tasks"])' "{100}"
json_is '[t["progress"]["text"] for t in j["tasks"] if t["depth"] == 0]' "['Segment 3/3']"
json_is '{t["function"]: sum(u["parent_id"] == t["id"] for u in j["tasks"]) for t in j["tasks"]}' \
    "{'flow': 3, 'segment': 3, 'step': 0}"
json_is 'sorted(j["tasks"][0])' "['attempts', 'depth', 'ended_ms', 'error', 'function', 'id', 'join', 'losses', 'parent_id', 'progress', 'root_id', 'started_ms', 'state', 'submitted_ms', 'worker']"
json_is 'all(t["submitted_ms"] <= t["started_ms"] <= t["ended_ms"] for t in j["tasks"])' True

# Many flows on one slot: all end, and the threads stay bounded.
for _ in $(seq 200); do echo "$payload"; done | timeout 120 "$grove" submit -t flow --many >"$scratch/ids"
# shellcheck disable=SC2046  # a list of words
expect 0 "$grove" wait $(cat "$scratch/ids")
threads=$(awk '/^Threads:/ { print $2 }' "/proc/$(pgrep -P "$server")/status")
[ "$threads" -le 1100 ] || fail "$threads threads"
expect 0 "$grove" stats -o json
json_is 'j["functions"]["flow"]["ended_succeeded"], j["functions"]["step"]["ended_succeeded"]' "(202, 1818)"
end "$server" || fail "grove dev ended with $?"
