#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# What systemd itself says of the units: it knows every line of them, and how much each leaves open.
set -euo pipefail
umask 022

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# At most so much of 10.0: a worker runs commands, which may want devices, namespaces and any call.
check() {
    local unit=$1 most=$2 said

    sed "s|/usr/bin/grove|$(realpath "$GROVE_BUILD")/grove|" "$GROVE_SOURCE/deploy/$unit" >"$scratch/$unit"
    said=$(systemd-analyze verify "$scratch/$unit" 2>&1 | grep -F "$unit" || true)
    [ -z "$said" ] || { echo "$said" && exit 1; }
    systemd-analyze security --no-pager --offline=true --threshold="$most" "$scratch/$unit" >"$scratch/said" ||
        { cat "$scratch/said" && exit 1; }
    tail -n 1 "$scratch/said"
}

check grove-coordinator.service 15
check grove-worker.service 55
