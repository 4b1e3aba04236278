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
    timeout 60 "$grove" result "$id"
done <"$scratch/ids" >"$scratch/sums"
sha256sum --check --quiet "$scratch/sums" || fail "wrong checksums"
[ "$(wc -l <"$scratch/sums")" -eq 40 ] || fail "$(wc -l <"$scratch/sums") checksums, not 40"

expect 1 "$grove" run -t sha256 "$scratch/files/none.txt"
complains none.txt
expect 1 "$grove" run -t killed x
head -c 1000000 /dev/zero | timeout 60 "$grove" run -t deaf | grep -q fine || fail "deaf is not fine"
expect 1 "$grove" run -t endless x
expect 1 "$grove" run -t sleeper --timeout 300ms x
expect 0 "$grove" run -t echo "still here"
says "still here"
end "$server" || fail "grove dev ended with $?"

# ---- kill -9 of a worker: nothing of its commands is left, wherever it moved to
cat >"$scratch/brood" <<'END'
(sleep 600 & echo $! >>"$1"; exec sleep 600) &
setsid sh -c 'trap "" TERM HUP; echo $$ >>"$0"; sleep 600' "$1" </dev/null >/dev/null 2>&1 &
echo $! $$ >>"$1"
wait
END
are_gone() {
    local pid state
    for pid in $(cat "$scratch/pids"); do
        state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null) || true
        [ -z "$state" ] || [ "$state" = Z ] || return 1
    done
}
serve dev "$grove" dev --exec "brood=sh $scratch/brood $scratch/pids"
worker=$(pgrep -P "$server")
timeout 60 "$grove" submit -t brood x >/dev/null
for _ in $(seq 6000); do
    [ "$(wc -w <"$scratch/pids" 2>/dev/null || echo 0)" -ge 4 ] && break
    sleep 0.01
done
[ "$(wc -w <"$scratch/pids")" -ge 4 ] || fail "the command does not start: $(cat "$scratch/pids")"
! are_gone || fail "it did not run"
kill -KILL "$worker"
for _ in $(seq 3000); do
    are_gone && break
    sleep 0.01
done
for _ in $(seq 3000); do
    compgen -G "$TMPDIR/grove-worker.*" >/dev/null || break
    sleep 0.01
done
! compgen -G "$TMPDIR/grove-worker.*" || fail "the directory of a killed worker is left"
are_gone || fail "left behind: $(ps -o pid,ppid,pgid,args -p "$(paste -sd, "$scratch/pids")" || true)"
