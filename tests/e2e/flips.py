# SPDX-License-Identifier: MPL-2.0
"""Bytes that change where they lie, in the files of a stopped coordinator."""

import os
import subprocess


def used_place(directory, chance):
    """A file and an offset in it, where something is written more often than not."""
    end = 0
    while end == 0:
        name = chance.choice(sorted(name for name in os.listdir(directory) if name != "lock"))
        with open(os.path.join(directory, name), "rb") as file:
            data = file.read()
        end = len(data.rstrip(b"\0"))
    kind = chance.random() if name.startswith("segment-") else 1
    if kind < 0.2:
        return name, chance.randrange(120)
    if kind < 0.4:
        return name, chance.choice((4096, 8192)) + chance.randrange(104)
    return name, chance.randrange(min(end + 64, len(data)))


def flip(path, offset, mask):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ mask]))


def copy(source, target):
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)
