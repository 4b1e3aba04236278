#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# A whole mesh in one process: what it runs, what it keeps, what it leaves behind.
source "$(dirname "$0")/support.sh"

published=$XDG_RUNTIME_DIR/grove/dev.credential

# ---- COMMAND
expect 0 "$grove" dev -- true
expect 7 "$grove" dev -- sh -c 'exit 7'
expect 143 "$grove" dev -- sh -c 'kill -TERM $$'
expect 127 "$grove" dev -- no-such-command-anywhere
complains no-such-command-anywhere
expect 2 "$grove" dev --
expect 0 "$grove" dev --quiet -- "$grove" run -t echo "from within"
says "from within"
[ -z "$err" ] || fail "--quiet says $err"
expect 0 "$grove" dev --quiet -- "$grove" limit echo --pause
says "echo: paused"
# shellcheck disable=SC2016  # for the inner shell
expect 0 "$grove" dev -- sh -c 'test -r "$GROVE_CREDENTIAL" && echo "$GROVE_CREDENTIAL"'
[ ! -e "$out" ] || fail "the temporary directory of $out is still there"
[ -z "$(ls "$TMPDIR")" ] || fail "left in TMPDIR: $(ls "$TMPDIR")"
[ ! -e "$published" ] || fail "the published credential is still there"

# ---- a signal to dev reaches COMMAND, and ends both
: >"$scratch/signal.log"
# shellcheck disable=SC2016  # for the inner shell
timeout --foreground 60 "$grove" dev -- sh -c 'trap "exit 9" TERM; echo up; while :; do sleep 0.05; done' \
    >"$scratch/signal.log" 2>&1 &
pid=$!
until grep -q '^up' "$scratch/signal.log"; do sleep 0.01; done
code=0
kill -TERM "$(pgrep -P "$pid")"
wait "$pid" || code=$?
[ "$code" -eq 9 ] || fail "SIGTERM with a COMMAND: exit $code, not 9"

# ---- --data keeps identity, ports and tasks
serve first "$grove" dev --data "$scratch/mesh"
before=$ready
expect 0 "$grove" submit -t echo kept
id=$out
expect 0 "$grove" wait "$id"
cp "$scratch/mesh/dev.credential" "$scratch/before"
end "$server" || fail "grove dev ended with $?"
[ ! -e "$published" ] || fail "the published credential outlives its mesh"
serve second "$grove" dev --data "$scratch/mesh"
[ "$ready" = "$before" ] || fail "another mesh: $ready, not $before"
cmp "$scratch/mesh/dev.credential" "$scratch/before" || fail "another credential"
expect 0 "$grove" result "$id"
says kept
expect 0 "$grove" run -t echo again
says again
expect 74 "$grove" dev --listen "$(field tasks | sed s,tcp://,,)" -- true

# ---- two at once: the last one is found, and takes only its own credential away
kept=$server
serve third "$grove" dev
expect 0 "$grove" keys show "$published" -o json
mesh=$(json 'j["mesh"]')
expect 0 "$grove" keys show "$scratch/mesh/dev.credential" -o json
[ "$(json 'j["mesh"]')" != "$mesh" ] || fail "the last mesh is not the published one"
expect 0 "$grove" run -t echo third
says third
expect 3 "$grove" keys issue --role client carol
complains "there is no $(dirname "$published")/mesh.key: give --mesh-key FILE, or by --credential"
[ ! -e carol.credential ] || fail "a credential that nobody has signed"
expect 0 "$grove" limit echo --running 3
says "echo: at most 3 run at a time, not paused"
expect 0 "$grove" run --credential "$scratch/mesh/dev.credential" -t echo second
says second
end "$kept" || fail "grove dev ended with $?"
[ -e "$published" ] || fail "a mesh took away another's credential"
end "$server" || fail "grove dev ended with $?"
[ ! -e "$published" ] || fail "the published credential is still there"

# ---- stopped at work, it comes to an end
serve busy "$grove" dev --data "$scratch/busy"
expect 0 "$grove" submit -t sleep 600000
id=$out
is_at_work() {
    run "$grove" tree "$id"
    grep -q ' running' <<<"$out"
}
await is_at_work
end "$server" || fail "a busy grove dev ended with $?"
