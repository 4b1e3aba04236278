#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# What is missing is installed or, in one line, said: without root, and without a network.
source "$(dirname "$0")/support.sh"

cp -r "$source/deploy" "$scratch/deploy"
chmod -R a+rX "$scratch"
install=$scratch/deploy/install-packages
expect 0 "$install" run build test
expect 1 "$install" paint
complains "no such step: paint"

echo "build grove-no-such-package" >>"$scratch/deploy/packages"
as_nobody=()
[ "$(id -u)" -ne 0 ] || as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
expect 1 "${as_nobody[@]}" "$install" build
[ "$err" = "install-packages: not root; run first: sudo apt-get install grove-no-such-package" ] ||
    fail "without root it says: $err"

# A proxy where nobody listens, and lists of our own: apt reaches nothing, and changes nothing.
if [ "$(id -u)" -eq 0 ]; then
    mkdir -p "$scratch/lists/partial"
    cat >"$scratch/apt.conf" <<END
Acquire::http::Proxy "http://127.0.0.1:1";
Acquire::https::Proxy "http://127.0.0.1:1";
Dir::State::lists "$scratch/lists";
END
    expect 1 env APT_CONFIG="$scratch/apt.conf" "$install" build
    grep -q '^install-packages: apt-get could not install grove-no-such-package: E: ' <<<"$err" ||
        fail "without a network it says: $err"
    [ "$(wc -l <<<"$err")" -eq 1 ] || fail "without a network it says more than one line: $err"
fi
