#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Limits by function on three workers, by when handlers say that they began and ended: 10 s of it,
or 60 s with GROVE_LONG."""

from joins import began, begin, limit
from mesh import LONG, WORKER, Mesh, check, run_tests, scaled, until

SECONDS = 60 if LONG else 10
RUNNING, RATE = 5, 10
JITTER = scaled(0.1, 0.5)  # s, between the assignment of an attempt and its begin


def stamps(mesh, function):
    """[(began, ended)] in seconds, in the order they began."""
    return sorted(tuple(float(ms) / 1000 for ms in text.split())
                  for _, _, _, text in began(mesh, function))


def span(mesh, function):
    found = stamps(mesh, function)
    return found[-1][0] - found[0][0] if found else 0


def peak(found):
    """The most that ran at a time."""
    changes = sorted([(at, 1) for at, _ in found] + [(at, -1) for _, at in found])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def excess(found):
    """By how much more began between any two than the rate says."""
    lead = [i - RATE * (at - found[0][0]) for i, (at, _) in enumerate(found)]
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
        mesh.submit_all("stamp", "s", 100 * SECONDS, "60")
        for name in ("w1", "w2", "w3"):
            mesh.worker(name, slots=4, functions=["stamp", "tick", "nap"])
        until(lambda: span(mesh, "tick") > SECONDS / 4, SECONDS + 20, "a quarter is over")
        mesh.kill()
        mesh.restart()
        until(lambda: span(mesh, "tick") > SECONDS / 2, SECONDS + 20, "half of it is over")
        begin(mesh, "gather", "-", 0, *["nap=40 %d" % i for i in range(200 * SECONDS)])
        until(lambda: span(mesh, "tick") > SECONDS, SECONDS + 20, "it is over")
        ticks, stamped, naps = stamps(mesh, "tick"), stamps(mesh, "stamp"), began(mesh, "nap")
        print("%d ticks in %.3f s, at most %.2f too early; %d stamps, at most %d at a time; %d naps"
              % (len(ticks), span(mesh, "tick"), excess(ticks), len(stamped), peak(stamped),
                 len(naps)), flush=True)
        check(excess(ticks) <= 1 + RATE * JITTER, "the rate", excess(ticks))
        check(len(ticks) <= RATE * span(mesh, "tick") + 2, "one bucket, and the one that ends it")
        check(len(ticks) >= RATE * (SECONDS - 3) * 2 / 3, "it is used:", len(ticks))
        check(peak(stamped) == RUNNING, "so many run at a time, not", peak(stamped))
        check(len(stamped) >= RUNNING * SECONDS * 1000 / 60 / 4, "it is used:", len(stamped))
        check(len(naps) >= 10 * SECONDS, "and nobody starves:", len(naps))


run_tests([limits_hold_to_the_unit])
