#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# A tree of 10,000 tasks is shown in less than a second.
source "$(dirname "$0")/support.sh"

most_ms=1000
serve dev "$grove" dev --slots 4
seq 9999 | timeout 60 "$grove" map -t echo -j 200 -o json >"$scratch/items"
id=$(sed -n '5000s/.*"id": *"\([0-9a-f]*\)".*/\1/p' "$scratch/items")
best_ms=100000
for _ in 1 2 3; do
    started=$(date +%s%N)
    "$grove" tree "$id" >"$scratch/tree"
    took_ms=$((($(date +%s%N) - started) / 1000000))
    best_ms=$((took_ms < best_ms ? took_ms : best_ms))
done
grep -q 'echo ×9999: 9999 succeeded' "$scratch/tree" || fail "not all of it: $(cat "$scratch/tree")"
echo "a tree of 10,000 tasks after $best_ms ms (best of 3; at most $most_ms)"
[ "$best_ms" -lt "$most_ms" ] || fail "it took $best_ms ms"
end "$server" || fail "grove dev ended with $?"
