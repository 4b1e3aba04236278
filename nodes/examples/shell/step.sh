#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# One step of segment.sh, where the work is done.
set -eu
grove=${GROVE_BIN:-grove}
read -r segment step || [ -n "$step" ]

"$grove" progress 50 "Segment $segment, step $step"
echo "segment $segment, step $step"
"$grove" progress 100 "Segment $segment, step $step done"
