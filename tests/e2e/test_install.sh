#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Installs grove into an empty directory and builds every example against it from outside this
# tree, once by pkg-config and once by the CMake package.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/usr
cmake --install "$GROVE_BUILD" --prefix "$prefix" >/dev/null
for file in man/man1/grove.1 man/man5/grove.conf.5 bash-completion/completions/grove zsh/site-functions/_grove; do
    [ -s "$prefix/share/$file" ] || { echo "no share/$file is installed" && exit 1; }
done
cp "$GROVE_SOURCE"/nodes/examples/*.c "$scratch"
cd "$scratch"

library=$(dirname "$(find "$prefix" -name libgrove.so)")
export PKG_CONFIG_PATH=$library/pkgconfig
strangers=$(nm -D --defined-only --format=posix "$library/libgrove.so" | grep -vE '^(grove_|GROVE_)' || true)
[ -z "$strangers" ] || { echo "libgrove.so exports $strangers" && exit 1; }

cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C)
find_package(grove REQUIRED)
END
for source in *.c; do
    name=${source%.c}
    # shellcheck disable=SC2046  # a list of words
    cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$source" -o "$name" $(pkg-config --cflags --libs grove)
    printf 'add_executable(%s %s)\ntarget_link_libraries(%s grove::grove)\n' "$name" "$source" "$name" \
        >>CMakeLists.txt
done
cmake -G Ninja -B build -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
ninja -C build
