#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# One segment of flow.sh: its steps side by side, two at a time, and their results in order.
set -eu
grove=${GROVE_BIN:-grove}
read -r segment steps || [ -n "$steps" ]

"$grove" progress 0 "$steps steps"
seq "$steps" | sed "s/^/$segment /" | "$grove" map -t step.sh -j 2
"$grove" progress 100 "$steps steps done"
