# SPDX-License-Identifier: MPL-2.0
"""Wall clocks that jump, each coordinator's by itself; the monotonic clock goes on."""

import os

from mesh import SANITIZED

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def fake(mesh, names):
    """Has these see a wall clock that `jump` sets; the sanitizers bear no preload."""
    if SANITIZED or not os.path.exists(LIBRARY):
        print("no clock jumps:", "a sanitizer's build" if SANITIZED else "no libfaketime",
              flush=True)
        return False
    for name in names:
        jump(mesh, name, 0)
        mesh.prefixes[name] = ["env", "LD_PRELOAD=" + LIBRARY, "FAKETIME_DONT_FAKE_MONOTONIC=1",
                               "FAKETIME_CACHE_DURATION=1", "FAKETIME_TIMESTAMP_FILE=" +
                               path(mesh, name)]
    return True


def path(mesh, name):
    return os.path.join(mesh.directory, "clock-" + name)


def jump(mesh, name, seconds):
    with open(path(mesh, name) + ".new", "w", encoding="utf-8") as file:
        file.write("%+d\n" % seconds)
    os.rename(path(mesh, name) + ".new", path(mesh, name))
