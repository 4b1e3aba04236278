#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A byte changes in the files of one of three coordinators while it is stopped. It is refused with file and
offset, or gets from the others what it lacks: its log is theirs, entry by entry, and no task is lost.
One that is refused is replaced as deploy/RUNBOOK.md has it. GROVE_LONG=1: 60 flips."""

import itertools
import os
import random
import re
import shutil
import subprocess

from cluster import NAMES, Cluster
from flips import copy, flip, used_place
from mesh import BUILD, LONG, check, run_tests, scaled, until

SEED = int(os.environ.get("GROVE_SEED", random.randrange(1 << 30)))
FLIPS = 60 if LONG else scaled(10, 5)


def kill(mesh, name):
    process = mesh.running.pop(name)
    process.kill()
    process.wait()


def entries(mesh, name):
    """{index: hash} of what lies in its log."""
    output = subprocess.run([os.path.join(BUILD, "read_ledger"), name, mesh.data_of(name)],
                            check=True, stdout=subprocess.PIPE).stdout.decode()
    return dict(re.findall(r"^log \S+ index=(\d+) .*hash=(\S+)$", output, re.MULTILINE))


def has_all(mesh, name):
    member = mesh.members()[name]
    return member.get("answers") and member["lag"] == 0


def start_flipped(mesh, name, chance):
    """Flips a bit and starts it; whether it was taken. If not, its files are as before."""
    data, good = mesh.data_of(name), os.path.join(mesh.directory, "good")
    copy(data, good)
    file, offset = used_place(data, chance)
    flip(os.path.join(data, file), offset, 1 << chance.randrange(8))
    is_taken = mesh.run(name)
    if is_taken:
        shutil.rmtree(good)
        return True
    with open(os.path.join(mesh.directory, name + ".log"), encoding="utf-8") as log:
        last = log.read().splitlines()[-1]
    check(mesh.processes[-1].returncode == 78, file, offset, "exits with",
          mesh.processes[-1].returncode, last)
    check(re.search(re.escape(file) + r": offset \d+", last), file, offset, "is refused with", last)
    shutil.rmtree(data)
    os.rename(good, data)
    return False


def replace(mesh, name):
    """With what is left of it put aside."""
    os.rename(mesh.data_of(name), mesh.data_of(name) + ".refused")
    mesh.remove(name)
    check(mesh.run(name, "--join"), name, "starts anew")
    mesh.add(name)


def a_flipped_byte_of_a_member_is_refused_or_repaired():
    print("seed", SEED, "flips", FLIPS, flush=True)
    chance, taken, refused, ids = random.Random(SEED), 0, 0, []
    mesh = Cluster()
    mesh.more = ["--segment", "1"]
    with mesh:
        mesh.worker("w1", slots=4)
        for i in itertools.count():
            if i >= FLIPS and refused > 0:  # four of five are
                break
            leader = mesh.leader()
            name = chance.choice([each for each in NAMES if each != leader])
            ids += mesh.submit_all("echo", "all%d" % i, 200)
            kill(mesh, name)
            ids += mesh.submit_all("echo", "two%d" % i, 50)  # that it does not have
            if start_flipped(mesh, name, chance):
                taken += 1
            else:
                refused += 1
                if refused == 1:
                    replace(mesh, name)
                else:
                    check(mesh.run(name), name, "starts as it was")
            until(lambda name=name: has_all(mesh, name), 60, name + " has all")
        outcomes = mesh.outcomes(ids)
        check(all(outcome[0] == "succeeded" for outcome in outcomes.values()), "none is lost")
        until(lambda: all(has_all(mesh, name) for name in NAMES), 60, "all have all")
        for name in NAMES:
            kill(mesh, name)
        agree(mesh)
    print("%d taken, %d refused; %d tasks, none lost" % (taken, refused, len(ids)), flush=True)


def agree(mesh):
    """Each pair on every entry that both have left."""
    logs = {name: entries(mesh, name) for name in NAMES}
    for one in NAMES:
        for other in NAMES:
            both = logs[one].keys() & logs[other].keys()
            check(both, one, "and", other, "have entries in common")
            check(all(logs[one][i] == logs[other][i] for i in both), one, other, "agree")


run_tests([a_flipped_byte_of_a_member_is_refused_or_repaired])
