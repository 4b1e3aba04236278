#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# 10,000 flows of the seed page, 130,000 tasks, queued on one slot: all end within a minute, and the
# worker's threads stay bounded while thousands of parents wait.
source "$(dirname "$0")/support.sh"

count=10000
bound=$((1 + 256 + 1024 + 2 + 16)) # slots, window, max_waiting, depth; and what serves them

serve dev "$grove" dev --slots 1
for _ in $(seq $count); do echo '{"segments":3,"steps":3}'; done >"$scratch/payloads"
started=$SECONDS
timeout 60 "$grove" submit -t flow --many <"$scratch/payloads" >"$scratch/ids"
[ "$(wc -l <"$scratch/ids")" -eq $count ] || fail "$(wc -l <"$scratch/ids") ids"

# Counts the threads of a process as long as it is there, and prints the most there were.
count_threads() {
    local threads most=0
    while threads=$(sed -n 's/^Threads:\t//p' "/proc/$1/status" 2>/dev/null) && [ -n "$threads" ]; do
        most=$((threads > most ? threads : most))
        echo "$most" >"$scratch/threads"
        sleep 0.05
    done
}
count_threads "$(pgrep -P "$server")" &
ended=$(timeout 100 xargs -a "$scratch/ids" "$grove" wait | grep -c ' succeeded$') || true
took=$((SECONDS - started))

[ "$ended" -eq $count ] || fail "$ended of $count succeeded"
[ "$took" -le 60 ] || fail "it took $took s"
most=$(cat "$scratch/threads")
[ "$most" -ge 500 ] || fail "$most threads: parents did not wait together, which proves nothing"
[ "$most" -le $bound ] || fail "$most threads"
expect 0 "$grove" stats -o json
json_is 'j["functions"]["flow"]["ended_succeeded"], j["functions"]["step"]["ended_succeeded"]' "(10000, 90000)"
echo "$took s, at most $most threads"
end "$server" || fail "grove dev ended with $?"
