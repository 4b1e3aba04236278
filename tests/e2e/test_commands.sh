#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Commands as functions: what they are given, where they work, what their ends mean.
source "$(dirname "$0")/support.sh"

# shellcheck disable=SC2016  # for the commands' shell
GROVE_TEST_SECRET=leaks serve dev "$grove" dev --exec 'copy=cat' --exec 'where=pwd; pwd >mine; ls -A' \
    --exec 'told=env' --exec 'steps=echo "{\"progress\":50,\"text\":\"half way\"}" >&3' --exec 'messy=mkdir -p a/b; touch a/b/c ../beside; ln -s / a/root; chmod 0 a/b'

# ---- any size goes in and comes out
for size in 0 65536 1048576; do
    head -c "$size" /dev/urandom >"$scratch/in"
    timeout 60 "$grove" run -t copy <"$scratch/in" >"$scratch/out" || fail "$size bytes: exit $?"
    cmp "$scratch/in" "$scratch/out" || fail "$size bytes come back as others"
done

# ---- a private directory, which goes with the attempt
expect 0 "$grove" run -t where x
here=$(head -n 1 <<<"$out")
[ "$(tail -n 1 <<<"$out")" = mine ] || fail "its directory is not its own: $out"
[ "${here#"$TMPDIR"/}" != "$here" ] || fail "it works in $here, not below $TMPDIR"
[ ! -e "$(dirname "$here")" ] || fail "$(dirname "$here") is left"
expect 0 "$grove" run -t where x
[ "$(head -n 1 <<<"$out")" != "$here" ] || fail "two attempts in $here"
expect 0 "$grove" run -t messy x
[ -z "$(ls -A "$TMPDIR"/grove-worker.*)" ] || fail "left: $(find "$TMPDIR"/grove-worker.*)"

# ---- an environment that says what it is, and nothing else of the worker's
id=$("$grove" submit -t told --deadline 1h --content-type text/plain x)
expect 0 "$grove" result "$id"
for line in "GROVE_TASK_ID=$id" "GROVE_ROOT_ID=$id" GROVE_ATTEMPT=1 GROVE_DEPTH=0 GROVE_FUNCTION=told \
    GROVE_CONTENT_TYPE=text/plain "GROVE_BIN=$grove" "GROVE_WORKER_DIR=$PWD"; do
    grep -qxF "$line" <<<"$out" || fail "no $line in $out"
done
deadline=$(sed -n 's/^GROVE_DEADLINE_MS=//p' <<<"$out")
now=$(date +%s%3N)
[ "$deadline" -gt $((now + 3000000)) ] && [ "$deadline" -le $((now + 3600000)) ] || fail "its deadline: $deadline"
! grep -q 'SECRET\|GROVE_PARENT_ID' <<<"$out" || fail "it is told too much: $out"

# ---- fd 3
expect 0 "$grove" run -t steps --follow x
complains "half way"

end "$server" || fail "grove dev ended with $?"
[ -z "$(ls "$TMPDIR")" ] || fail "left in TMPDIR: $(ls "$TMPDIR")"
