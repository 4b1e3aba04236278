#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A coordinator killed -9 in the middle of 10,000 submits: every task that was acknowledged ends
with one outcome, and sending all again by the same keys doubles nothing. GROVE_LONG=1: 200 kills."""

import collections
import os
import random

from mesh import LONG, PATIENCE, Mesh, check, run_tests, scaled, until

COUNT = scaled(10000, 1000)
KILLS = 200 if LONG else scaled(5, 3)
SEED = int(os.environ.get("GROVE_SEED", random.randrange(1 << 30)))


def take(acknowledged, lines):
    for line in lines:
        if line.endswith(b"\n"):  # else it was cut by a kill
            key, identity = line.decode().split()
            check(acknowledged.setdefault(key, identity) == identity, "a key keeps its id:", key)


def submit_under_kills(mesh, chance):
    """Submits COUNT tasks again and again, each time from the first, while the coordinator is
    killed once some were acknowledged; returns {key: id} of all that ever were."""
    acknowledged = {}
    for kill in range(KILLS + 1):
        submitter = mesh.submitter("echo", "crash", 0, COUNT)
        if kill < KILLS:
            wanted = chance.randrange(COUNT - COUNT // 10)
            take(acknowledged, [submitter.stdout.readline() for _ in range(wanted)])
            mesh.kill()
            is_killed = chance.random() < 0.5
            if is_killed:
                submitter.kill()
            mesh.restart()
        take(acknowledged, submitter.stdout)
        check(submitter.wait() == 0 or is_killed, "it outlives the coordinator and goes on")
    return acknowledged


def killed_in_the_middle_of_submits():
    print("seed", SEED, "kills", KILLS, flush=True)
    chance = random.Random(SEED)
    with Mesh() as mesh:
        mesh.worker("w1", slots=4)
        acknowledged = submit_under_kills(mesh, chance)
        check(len(acknowledged) == COUNT, len(acknowledged), "of", COUNT, "acknowledged")
        ids = list(acknowledged.values())
        check(len(set(ids)) == COUNT, "one id a key")
        outcomes = mesh.outcomes(ids)
        for key, identity in acknowledged.items():
            check(outcomes[identity][:2] == ("succeeded", key.encode()), key, outcomes[identity])
        totals = mesh.stats()["totals"]
        check(totals["roots"] == COUNT and totals["succeeded"] == COUNT, "nothing is doubled", totals)
        ran = collections.Counter(execution[3] for execution in mesh.executions())
        check(len(ran) == COUNT, "each ran at least once:", len(ran))
        print("executions", sum(ran.values()), "of", COUNT, flush=True)
        mesh.kill()
        mesh.restart()
        check(mesh.outcomes(ids) == outcomes, "the same outcomes after one more kill")


def killed_under_parents():
    """Parents wait on a worker that outlives its coordinator; nothing runs twice."""
    count = scaled(50, 10)
    with Mesh() as mesh:
        mesh.worker("w1", slots=2)
        ids = mesh.submit_all("flow", "under", count, "5")
        for _ in range(3):
            seen = len(mesh.executions())
            until(lambda: len(mesh.executions()) > seen + count, PATIENCE, "some run")
            mesh.kill()
            mesh.restart()
        outcomes = mesh.outcomes(ids)
        check(all(outcome[:2] == ("succeeded", b"25") for outcome in outcomes.values()), outcomes)
        ran = [execution[1] for execution in mesh.executions()]
        check(len(ran) == len(set(ran)) == count * 31,
              "the worker was there all the time, so all ran once:", len(ran), count * 31)


run_tests([killed_in_the_middle_of_submits, killed_under_parents])
