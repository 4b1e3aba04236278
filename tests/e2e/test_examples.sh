#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Every example runs, and prints what it should; so does the handler of README.md, and its patterns
# compile.
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
example gather "profile of ada, orders of ada, reviews of ada"
example race "north wins: 17 EUR"
grep -qF "south cancelled" <<<"$out" || fail "the slow provider is not cancelled: $out"
example map "$(seq -f "thumbnail %g" -s ", " 12); at most "
grep -q "at most [123] at a time$" <<<"$out" || fail "the limit is 3, but: $out"

serve dev "$grove" dev
timeout --foreground 280 "$build/examples/hello" >"$scratch/hello.log" 2>&1 &
hello=$!
expect 0 "$grove" run -t hello world
says "hello, world"
end "$hello" || true
end "$server" || fail "grove dev ended with $?"

# block N: the N-th piece of C that README.md shows. First a handler, a program of its own; then lines
# from inside a handler, which has made `count` tasks.
block() {
    awk -v wanted="$1" '/^```/ { inside = $0 == "```c"; shown += inside; next }
                        inside && shown == wanted' "$source/README.md"
}
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
compile=("$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$source/nodes" -I"$source")
number=1
for pattern in gather map race; do
    number=$((number + 1))
    {
        printf '#include <grove.h>\n#include <stdio.h>\n'
        printf 'extern struct grove_task tasks[];\nextern size_t count;\nvoid %s(void);\n' "$pattern"
        printf 'void %s(void)\n{\n' "$pattern"
        block "$number"
        echo "}"
    } >"$scratch/$pattern.c"
    grep -q "grove_$pattern(" "$scratch/$pattern.c" || fail "README.md does not show $pattern"
    expect 0 "${compile[@]}" -c "$scratch/$pattern.c" -o "$scratch/$pattern.o"
done
block 1 >"$scratch/readme.c"
# A library with sanitizers wants its program to have the same.
sanitize=$(sed -n 's/^GROVE_SANITIZE:STRING=//p' "$build/CMakeCache.txt")
"${compile[@]}" ${sanitize:+-fsanitize="$sanitize"} "$scratch/readme.c" -o "$scratch/readme" \
    -L"$build" -lgrove -Wl,-rpath,"$build"
serve dev "$grove" dev
timeout --foreground 280 "$scratch/readme" >"$scratch/readme.log" 2>&1 &
readme=$!
expect 0 "$grove" run -t hello
says "hello, world"
end "$readme" || true
end "$server" || fail "grove dev ended with $?"
