#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# grove dev --coordinators 3: three processes keep the ledger; the leader is killed by the process id
# that cluster status shows, and the mesh goes on.
source "$(dirname "$0")/support.sh"

# of NAME KEY: what cluster status says of a coordinator, of the last answer
of() {
    json "[m for m in j['members'] if m['name'] == '$1'][0].get('$2')"
}
leader() {
    json "[m['name'] for m in j['members'] if m['leads']][0]"
}
status() {
    expect 0 "$grove" cluster status -o json
}
# Until all three answer, none lags and one leads.
await_whole() {
    local tries=0
    status
    until [ "$(json "sorted(m.get('lag', 99) for m in j['members']), sum(m['leads'] for m in j['members'])")" = \
        "([0, 0, 0], 1)" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { fail "not whole: $out" && exit 1; }
        sleep 0.05
        status
    done
}

# As cluster transfer, again while nobody takes it in time.
transfer() {
    local tries=0
    run "$grove" cluster transfer "$@"
    while [ "$code" -ne 0 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || { fail "transfer $*: exit $code; $err" && exit 1; }
        run "$grove" cluster transfer "$@"
    done
}

serve dev "$grove" dev --coordinators 3 --data "$scratch/mesh"
dev=$server
await_whole
[ "$(json "[m['role'] for m in j['members']]")" = "['voter', 'voter', 'voter']" ] || fail "voters: $out"
expect 0 "$grove" cluster status
[ "$(grep -c "^c[123] .*term .*index .*lag .*pid .*tcp://" <<<"$out")" -eq 3 ] || fail "status: $out"
expect 0 "$grove" run -t echo before
says before
expect 0 "$grove" submit -t echo kept
id=$out

# ---- the leader is killed
await_whole
first=$(leader) pid=$(of "$(leader)" pid)
kill -KILL "$pid"
expect 0 "$grove" run -t echo after
says after
expect 0 "$grove" result "$id"
says kept
await_whole
[ "$(of "$first" pid)" != "$pid" ] || fail "$first is not started again: $out"

# ---- changes; to those who do not take it, leadership is not handed over
transfer -o json
"$source/tests/cli/validate" grove.transfer/1 <<<"$out" || fail "who leads now: $out"
status
stopped=$(json "' '.join(str(m['pid']) for m in j['members'] if not m['leads'])")
# shellcheck disable=SC2086  # words
kill -STOP $stopped
run "$grove" cluster transfer
# shellcheck disable=SC2086  # words
kill -CONT $stopped
[ "$code" -eq 4 ] || [ "$code" -eq 5 ] || fail "nobody took it, and it exits with $code: $out $err"
[ -n "$err" ] || fail "nobody took it, and it does not say so"
await_whole
until [ "$(leader)" = "$first" ]; do # it may lose it again
    transfer "$first"
    says "$first"
    await_whole
done
# Not the one that answers, which would not hear of it, nor the one that leads, which may be another by
# the time of the command.
remove_one() {
    status
    [ "$(json "len(j['members'])")" -eq 3 ] || return 0 # in force, but nobody could say so
    other=$(json "[m['name'] for m in j['members'] if not m['leads'] and m['name'] != j['self']['name']][0]")
    run "$grove" cluster remove "$other"
    [ "$code" -eq 0 ]
}
await remove_one
for _ in $(seq 300); do # whoever answers may not have heard of it yet
    status
    [ "$(json "len(j['members'])")" -ne 2 ] || break
    sleep 0.05
done
[ "$(json "len(j['members'])")" -eq 2 ] || fail "$other is still there: $out"
expect 3 "$grove" cluster remove "$other"
complains "no coordinator of that name"
expect 3 "$grove" cluster add nobody
expect 2 "$grove" cluster add
expect 2 "$grove" cluster shuffle
expect 0 "$grove" run -t echo two
says two

# ---- nothing is left of it, and all of it comes back
end "$dev" || fail "grove dev ended with $?"
[ -z "$(pgrep -f "$scratch/mesh/c[123].ledger")" ] || fail "coordinators outlive it"
expect 2 "$grove" dev --data "$scratch/mesh" -- true
complains "give --coordinators"
serve again "$grove" dev --coordinators 3 --data "$scratch/mesh"
expect 0 "$grove" result "$id"
says kept
end "$server" || fail "grove dev ended with $?"
