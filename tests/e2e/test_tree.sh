#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# What `grove tree` shows of trees that a mesh has run: folds, failures, lost races, hostile texts.
source "$(dirname "$0")/support.sh"

has() {
    grep -qF -- "$1" <<<"$out" || fail "no '$1' in: $out"
}

# first_id GROVE COMMAND...: the id in the first line of its JSON.
first_id() {
    run "$1" "$2" -o json "${@:3}"
    id=$(head -n 1 <<<"$out" | sed 's/.*"id": *"\([0-9a-f]*\)".*/\1/')
    [ "${#id}" -eq 32 ] || fail "no id in: $out"
}

serve dev "$grove" dev --slots 4

first_id "$grove" map -t fail -j 8 ::: $'no\033[31m luck' 2 3 4 5 6 7 8 9 10 11 12
[ "$code" -eq 1 ] || fail "a map that fails: exit $code"
expect 0 "$grove" tree "$id"
has "└─ fail ×12: 12 failed; p50 "
has "◀──: no\\u{1b}[31m luck"
has " more"
has "◆ critical path "
expect 0 "$grove" tree "$id" --all --ascii
[ "$(grep -c 'fail [0-9a-f]* failed' <<<"$out")" -eq 12 ] || fail "--all leaves something out: $out"
has "\`- fail "
has " <--: no"
grep -q '[^ -~]' <<<"$out" && fail "--ascii prints something else: $out"

first_id "$grove" race echo=one sleep=60000
expect 0 "$grove" tree "$id"
grep -q '─ sleep [0-9a-f]* lost race' <<<"$out" || fail "a lost race is not marked: $out"

seq 1000 >"$scratch/inputs"
first_id "$grove" map -t echo -j 100 :::: "$scratch/inputs"
expect 0 "$grove" tree "$id" --follow
[ "$(wc -l <<<"$out")" -eq 1001 ] || fail "a tree that is over is not told whole: $(head -n 3 <<<"$out")"
expect 0 "$grove" tree "$id"
has "└─ echo ×1000: 1000 succeeded; p50 "
[ "$(wc -l <<<"$out")" -le 6 ] || fail "a thousand siblings are not folded: $out"
end "$server" || fail "grove dev ended with $?"
