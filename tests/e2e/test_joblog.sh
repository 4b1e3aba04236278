#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# A map that keeps a log goes on where it ended, and one that has had enough ends.
source "$(dirname "$0")/support.sh"

# picky N fails while there is a file bad-N; hasty X fails at once if X is bad, and else takes 0.3 s,
# or a minute if X is slow.
# shellcheck disable=SC2016  # for the commands' shell
serve dev "$grove" dev --slots 4 --exec "picky=read n; test ! -e \"$scratch/bad-\$n\" && echo did \$n" \
    --exec 'hasty=read x; case $x in bad) exit 3;; slow) exec sleep 60;; *) sleep 0.3; echo $x;; esac'
log=$scratch/log

lines() { # of the log, without its title
    [ "$(tail -n +2 "$log" | wc -l)" -eq "$1" ] || fail "not $1 lines in the log: $(cat "$log")"
}

# ---- what is in the log need not run again
touch "$scratch/bad-2" "$scratch/bad-4"
expect 1 "$grove" map -t picky --joblog "$log" ::: 1 2 3 4 5
[ "$(head -n 1 "$log")" = $'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand' ] ||
    fail "not the columns of parallel: $(cat "$log")"
lines 5
worker=$("$grove" workers -o json | sed 's/.*"instance": *"\([^"]*\)".*/\1/')
for i in 1 2 3 4 5; do
    status=$((i % 2 == 0))
    grep -qP "^$i\t\Q$worker\E\t\d{10}\.\d{3}\t +\d+\.\d{3}\t1\t\d+\t$status\t0\t$i\$" "$log" || fail "line $i: $(cat "$log")"
done
rm "$scratch"/bad-*
expect 0 "$grove" map -t picky --joblog "$log" --resume ::: 1 2 3 4 5
says ""
lines 5
expect 0 "$grove" map -t picky --joblog "$log" --resume-failed ::: 1 2 3 4 5 6
says "did 2
did 4
did 6"
lines 8
expect 0 "$grove" map -t picky --joblog "$log" --resume-failed ::: 1 2 3 4 5 6
says ""
truncate -s -1 "$log"
expect 0 "$grove" map -t picky --joblog "$log" --resume-failed ::: 1 2 3 4 5 6
says "did 6"
expect 8 "$grove" map -t picky --joblog "$log" --resume ::: 1 2 3 4 other
complains "input 5 is another one than in the joblog"
expect 0 "$grove" map -t picky --joblog "$log" ::: $'a\tb'
lines 1
grep -qF 'a\u{9}b' "$log" || fail "a tab is no column: $(cat "$log")"
expect 2 "$grove" map -t picky --resume ::: 1
expect 2 "$grove" map -t picky --joblog "$log" --resume --key k ::: 1
expect 2 "$grove" map -t picky --joblog "$scratch/no/such/directory" ::: 1

# ---- enough is enough
for halt in now,fail=1 now,fail=100%; do
    expect 1 "$grove" map -t hasty -j 4 --halt "$halt" --joblog "$log" ::: bad bad bad slow slow slow
    grep -qP '\t3\t0\tbad$' "$log" || fail "$halt: no exit status in $(cat "$log")"
    ! grep -q 'slow$' "$log" || fail "$halt: what was cancelled is not in the log: $(cat "$log")"
done
expect 0 "$grove" map -t hasty -j 4 --halt now,success=1 ::: slow slow slow fine
expect 1 "$grove" map -t hasty -j 2 --halt soon,fail=1 --joblog "$log" ::: a bad b c d e f g h i j k l m n o p q
ended=$(tail -n +2 "$log" | wc -l)
[ "$ended" -ge 2 ] && [ "$ended" -le 6 ] || fail "soon: $ended have run: $(cat "$log")"
! grep -q 'cancelled' <<<"$err" || fail "soon cancels: $err"
expect 1 "$grove" map -t hasty -j 1 --halt soon,fail=50% --joblog "$log" ::: bad bad bad bad bad bad bad bad bad
ended=$(tail -n +2 "$log" | wc -l)
[ "$ended" -ge 3 ] && [ "$ended" -le 5 ] || fail "half of them: $ended have run: $(cat "$log")"
expect 0 "$grove" map -t hasty -j 2 --halt soon,done=1 ::: a
says a
for halt in now soon,fail now,fail= now,fail=0 later,fail=1 now,fail=101% now,fail=1x; do
    expect 2 "$grove" map -t hasty --halt "$halt" ::: x
    complains "$halt"
done
expect 2 "$grove" map -t hasty --halt now,fail=1 --stop-on-failure ::: x
expect 2 "$grove" map -t hasty --halt soon,fail=1 --key k ::: x
end "$server" || fail "grove dev ended with $?"
