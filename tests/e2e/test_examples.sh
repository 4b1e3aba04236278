#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Every example runs, and prints what it should; so does the handler of README.md.
source "$(dirname "$0")/support.sh"

# example NAME TEXT: its output holds the text.
example() {
    expect 0 "$grove" dev --quiet -- "$build/examples/$1"
    grep -qF "$2" <<<"$out" || fail "$1 prints '$out', not '$2'"
}

example chain "transformed data of api.example.org"
example fallback "processed figures from the secondary source"
complains "primary failed: the primary source is down"
example flow "segment 1 (1.1, 1.2, 1.3), segment 2 (2.1, 2.2, 2.3), segment 3 (3.1, 3.2, 3.3)"
example background "the last one: sent to reader 100"

serve dev "$grove" dev
timeout --foreground 60 "$build/examples/hello" >"$scratch/hello.log" 2>&1 &
hello=$!
servers+=("$hello")
expect 0 "$grove" run -t hello world
says "hello, world"
end "$hello" || true
end "$server" || fail "grove dev ended with $?"

# The handler that README.md shows.
sed -n '/^```c$/,/^```$/p' "$source/README.md" | sed '1d;$d' >"$scratch/readme.c"
# A library with sanitizers wants its program to have the same.
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
sanitize=$(sed -n 's/^GROVE_SANITIZE:STRING=//p' "$build/CMakeCache.txt")
"$compiler" ${sanitize:+-fsanitize="$sanitize"} -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$source/nodes" -I"$source" "$scratch/readme.c" \
    -o "$scratch/readme" -L"$build" -lgrove -Wl,-rpath,"$build"
serve dev "$grove" dev
timeout --foreground 60 "$scratch/readme" >"$scratch/readme.log" 2>&1 &
readme=$!
servers+=("$readme")
expect 0 "$grove" run -t hello
says "hello, world"
end "$readme" || true
end "$server" || fail "grove dev ended with $?"
