#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# A real job: the checksums of the files of a directory, by commands. And commands that misbehave.
source "$(dirname "$0")/support.sh"

mkdir "$scratch/files"
for i in $(seq 1 40); do
    seq "$i" $((i * 100)) >"$scratch/files/$i.txt"
done
# shellcheck disable=SC2016  # for the command's shell
serve dev "$grove" dev --exec 'sha256=xargs -d "\n" sha256sum' --exec 'deaf=exec 0<&-; echo fine' \
    --exec 'killed=kill -9 $$' --exec 'endless=yes' --exec 'sleeper=sleep 600'

find "$scratch/files" -type f | sort >"$scratch/names"
timeout 60 "$grove" submit -t sha256 --many <"$scratch/names" >"$scratch/ids"
while read -r id; do
    timeout 20 "$grove" result "$id"
done <"$scratch/ids" >"$scratch/sums"
sha256sum --check --quiet "$scratch/sums" || fail "wrong checksums"
[ "$(wc -l <"$scratch/sums")" -eq 40 ] || fail "$(wc -l <"$scratch/sums") checksums, not 40"

expect 1 "$grove" run -t sha256 "$scratch/files/none.txt"
complains none.txt
expect 1 "$grove" run -t killed x
head -c 1000000 /dev/zero | timeout 20 "$grove" run -t deaf | grep -q fine || fail "deaf is not fine"
expect 1 "$grove" run -t endless x
expect 1 "$grove" run -t sleeper --timeout 300ms x
expect 0 "$grove" run -t echo "still here"
says "still here"
end "$server" || fail "grove dev ended with $?"
