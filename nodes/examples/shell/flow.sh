#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# A workflow of three levels, written in shell. The payload is how many segments, and steps in each:
#
#   build/grove dev --slots 1 --exec-dir nodes/examples/shell
#   build/grove run -t flow.sh --follow '3 2'
#
# Each level runs as a command of a worker. What it submits are children of its task, and while it
# waits for them it holds no slot: all of it runs on one.
set -eu
grove=${GROVE_BIN:-grove}
read -r segments steps || [ -n "$steps" ]

segment=0
while [ "$segment" -lt "$segments" ]; do
    "$grove" progress $((segment * 100 / segments)) "Segment $((segment + 1))/$segments"
    segment=$((segment + 1))
    "$grove" run -t segment.sh "$segment $steps"
done
"$grove" progress 100 "$segments segments"
