#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Limits by function on three workers, by when the ledger says that attempts were assigned, and by
when handlers say that they began and ended: 10 s of it, or 60 s with GROVE_LONG, as the rate has it."""

from joins import began, begin, limit
from mesh import LONG, WORKER, Mesh, check, run_tests, until

SECONDS = 60 if LONG else 10
RUNNING, RATE = 5, 10
STAMP_MS = 200
ROUNDING = 0.05  # of the ledger's milliseconds, in attempts


def stamps(mesh):
    """[(began, ended)] in seconds, in the order they began."""
    return sorted(tuple(float(ms) / 1000 for ms in text.split())
                  for _, _, _, text in began(mesh, "stamp"))


def assigned(mesh, function):
    """When roots of a function were assigned, in seconds by the ledger."""
    found, cursor = [], ""
    while cursor is not None:
        page = mesh.ask("roots " + cursor)
        found += [root["started_ms"] / 1000 for root in page["roots"]
                  if root["function"] == function and root["started_ms"]]
        cursor = page.get("cursor")
    return sorted(found)


def peak(found):
    """The most that ran at a time."""
    changes = sorted([(at, 1) for at, _ in found] + [(at, -1) for _, at in found])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def excess(found):
    """By how much more was assigned between any two than the rate says."""
    lead = [i - RATE * (at - found[0]) for i, at in enumerate(found)]
    most, lowest = 0, 0
    for each in lead:
        lowest = min(lowest, each)
        most = max(most, each - lowest)
    return most


def limits_hold_to_the_unit():
    """The coordinator is killed and restarted on the way; for the last half other work would take
    every slot."""
    with Mesh(nodes=(("w3", WORKER),)) as mesh:
        limit(mesh, "stamp", "--running", str(RUNNING))
        limit(mesh, "tick", "--rate", "%d/s" % RATE)
        mesh.submit_all("tick", "t", 2 * RATE * SECONDS, "20")
        mesh.submit_all("stamp", "s", 100 * SECONDS, str(STAMP_MS))
        for name in ("w1", "w2", "w3"):
            mesh.worker(name, slots=4, functions=["stamp", "tick", "nap"])
        most = 5 * SECONDS + 120
        until(lambda: len(began(mesh, "tick")) > RATE * SECONDS / 4, most, "a quarter is over")
        mesh.kill()
        mesh.restart()
        until(lambda: len(began(mesh, "tick")) > RATE * SECONDS / 2, most, "half of it is over")
        begin(mesh, "gather", "-", 0, *["nap=40 %d" % i for i in range(200 * SECONDS)])
        until(lambda: len(began(mesh, "tick")) > RATE * SECONDS, most, "it is over")
        until(lambda: len(began(mesh, "nap")) > 10 * SECONDS, most, "nobody starves")
        until(lambda: len(stamps(mesh)) > RUNNING * SECONDS * 1000 / STAMP_MS / 4, most, "it is used")
        ticks, stamped = assigned(mesh, "tick"), stamps(mesh)
        print("%d ticks in %.3f s, at most %.2f too early; %d stamps, at most %d at a time; %d naps"
              % (len(ticks), ticks[-1] - ticks[0], excess(ticks), len(stamped), peak(stamped),
                 len(began(mesh, "nap"))), flush=True)
        check(excess(ticks) <= 1 + ROUNDING, "the rate", excess(ticks))
        check(peak(stamped) == RUNNING, "so many run at a time, not", peak(stamped))


run_tests([limits_hold_to_the_unit])
