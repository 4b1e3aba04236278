#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Commands as functions: what they are given, where they work, what their ends mean.
source "$(dirname "$0")/support.sh"

functions="$scratch/it's here"
mkdir "$functions"
printf '#!/bin/sh\necho "$GROVE_FUNCTION from $0: $(cat)"\n' >"$functions/greet"
printf '#!/bin/no-such-shell\n' >"$functions/broken"
printf 'not executable\n' >"$functions/README"
cp "$functions/greet" "$functions/Not-A-Function"
cp "$functions/greet" "$functions/.hidden"
chmod +x "$functions"/[gbN]* "$functions/.hidden"
sed -n '/^import json/,/^```/p' "$source/deploy/man/grove-worker.1.scd" | grep -v '^```' >"$scratch/shout.py"
cat >"$scratch/grove.conf" <<END
[exec "shout.too"]
command = exec /usr/bin/python3 $scratch/shout.py
coproc = yes
[exec "stubborn"]
command = trap "sleep 30; touch $scratch/late" TERM; (trap "" TERM; exec sleep 600) & echo \$\$ \$! >$scratch/pid; while :; do sleep 600; done
grace = 100ms
END

# shellcheck disable=SC2016  # for the commands' shell
GROVE_CONFIG=$scratch/grove.conf GROVE_TEST_SECRET=leaks serve dev "$grove" dev --grace 1m --exec-dir "$functions" \
    --coproc "shout=exec /usr/bin/python3 $scratch/shout.py" --exec 'copy=cat' --exec 'where=pwd; pwd >mine; ls -A' \
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

# ---- a directory of functions
expect 0 "$grove" run -t greet there
says "greet from $functions/greet: there"
for name in README readme Not-A-Function .hidden; do
    "$grove" functions | grep -F -- "$name" && fail "$name is offered"
done
grep -q "'Not-A-Function' is passed over" "$scratch/dev.log" || fail "$(cat "$scratch/dev.log")"
expect 2 "$grove" worker --exec-dir "$scratch/none"
complains "No such file"
mkdir "$scratch/empty"
expect 2 "$grove" worker --exec-dir "$scratch/empty"
complains "no executable file"

# ---- a command that stays
for function in shout shout.too shout; do
    expect 0 "$grove" run -t $function 'hey "you"'
    says 'HEY "YOU"'
done

# ---- cancelled, it has its own time to end in
id=$("$grove" submit -t stubborn x)
until [ -s "$scratch/pid" ]; do sleep 0.01; done
expect 0 "$grove" cancel "$id"
read -r child grandchild <"$scratch/pid"
while kill -0 "$child" 2>/dev/null || kill -0 "$grandchild" 2>/dev/null; do sleep 0.01; done
[ ! -e "$scratch/late" ] || fail "it was given more time than its section says"

# ---- fd 3
expect 0 "$grove" run -t steps --follow x
complains "half way"

end "$server" || fail "grove dev ended with $?"
[ -z "$(ls "$TMPDIR")" ] || fail "left in TMPDIR: $(ls "$TMPDIR")"
