# SPDX-License-Identifier: MPL-2.0
# What the tests of the command line share: a world of their own below $scratch, a mesh for those
# that need one, and checks that say what they found. (bats has `run`, which sets status and output.)
bats_require_minimum_version 1.5.0

grove=$(realpath "${GROVE_BUILD:?the build to test}")/grove
source=$(realpath "${GROVE_SOURCE:-.}")

# Before the tests are read: bash writes $'\u009b' by the locale, script(1) runs $SHELL, and a umask
# of 0 makes files that grove refuses.
export LC_ALL=C.UTF-8 TERM=xterm SHELL=$BASH
umask 022

# A scratch directory for the file's tests, and nothing of the user's environment.
enter() {
    unset NO_COLOR GROVE_ASCII GROVE_COLOR GROVE_CONFIG GROVE_CREDENTIAL GROVE_OUTPUT
    export scratch=$BATS_FILE_TMPDIR
    export XDG_RUNTIME_DIR=$scratch/runtime XDG_CONFIG_HOME=$scratch/config TMPDIR=$scratch/tmp HOME=$scratch
    mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$XDG_CONFIG_HOME/grove" "$TMPDIR"
}

# background COMMAND...: starts it, for a while at most; its process id is $!. It ends with the test (or
# with the file, if setup_file started it), whatever failed.
background() {
    timeout --foreground 240 "$@" 3>&- &
}

# Ends what is left of that: timeout passes SIGTERM on; what does not heed it is killed.
end_background() {
    local pid tries=0
    for pid in $(jobs -rp); do
        [ "$(ps -o comm= -p "$pid")" = timeout ] || continue
        kill "$pid" || true
        while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 200 ]; do
            tries=$((tries + 1))
            sleep 0.05
        done
        # shellcheck disable=SC2046  # words
        kill -KILL $(pgrep -P "$pid") 2>/dev/null || true
    done
}

teardown() {
    end_background
}

# Starts `grove dev` for the whole file, with these options; waits until it says ready.
start_mesh() {
    background "$grove" dev --quiet "$@" >"$scratch/dev.log" 2>&1
    echo $! >"$scratch/dev.pid"
    until grep -q '^ready' "$scratch/dev.log"; do
        kill -0 "$!" || { echo "the mesh does not start: $(cat "$scratch/dev.log")" && return 1; }
        sleep 0.02
    done
    GROVE_CREDENTIAL=$(sed -n 's/^ready .* credential=//p' "$scratch/dev.log")
    export GROVE_CREDENTIAL
}

stop_mesh() {
    kill "$(cat "$scratch/dev.pid")" || true
    wait "$(cat "$scratch/dev.pid")" 2>/dev/null || true
    end_background
}

# says TEXT: the output holds it. says_not TEXT: it does not.
says() {
    [[ "$output" == *"$1"* ]] || { printf 'no %q in: %q\n' "$1" "$output" && return 1; }
}
says_not() {
    [[ "$output" != *"$1"* ]] || { printf '%q in: %q\n' "$1" "$output" && return 1; }
}

# on_terminal COMMAND...: runs it with a terminal for its output.
on_terminal() {
    script -qec "$(printf '%q ' "$@")" /dev/null </dev/null
}
