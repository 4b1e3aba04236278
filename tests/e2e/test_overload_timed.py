#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Far more is submitted than before, for a while. Afterwards the load of before is served as before, within
ten seconds, and nothing that was acknowledged meanwhile is lost."""

import random
import time

from cluster import Load
from mesh import Mesh, check, run_tests, until

CROWD = 4  # submitters that do not rest


def rates(mesh, load, seconds):
    """Acknowledged of this load and ended of all, per second."""
    acknowledged, ended = len(load.acknowledged), mesh.stats()["totals"]["succeeded"]
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return ((len(load.acknowledged) - acknowledged) / passed,
            (mesh.stats()["totals"]["succeeded"] - ended) / passed)


def all_ended(mesh):
    """What there was of them, once none is left."""
    stats = mesh.stats()
    is_quiet = all(stats["states"][name] == 0 for name in ("held", "ready", "running", "waiting"))
    return stats["totals"] if is_quiet else None


def as_before(mesh, load, normal):
    acknowledged, ended = rates(mesh, load, 2)
    return (acknowledged, ended) if min(acknowledged, ended) >= 0.9 * normal else None


def goodput_comes_back_after_an_overload():
    with Mesh() as mesh:
        mesh.worker("w1", slots=4)
        load = Load(mesh)
        load.goes_on()
        normal = min(rates(mesh, load, 2)[0] for _ in range(2))  # the machine is not ours alone
        crowd = [Load(mesh, "crowd%d" % i, 0) for i in range(CROWD)]
        for each in crowd:
            each.goes_on()
        before = sum(len(each.acknowledged) for each in crowd)
        during, _ = rates(mesh, load, 4)
        extra = (sum(len(each.acknowledged) for each in crowd) - before) / 4
        for each in crowd:
            each.stop()
        over = time.monotonic()
        after, ended = until(lambda: as_before(mesh, load, normal), 10, "it is served as before")
        took = time.monotonic() - over
        load.stop()
        check(during + extra >= 3 * normal, "that was an overload:", during, extra, normal)
        ids = [identity for each in [load, *crowd] for identity in each.acknowledged.values()]
        totals = until(lambda: all_ended(mesh), 120, "all of it ends")
        check(totals["succeeded"] == totals["roots"] >= len(ids), "none is lost:", totals, len(ids))
        outcomes = mesh.outcomes(random.sample(ids, 2000), 60)
        check(all(outcome[0] == "succeeded" for outcome in outcomes.values()), "nor forgotten")
        print("acknowledged/s: %.0f before; %.0f of it meanwhile, %.0f of the crowd; %.0f, and %.0f ended, "
              "%.0f s after; %d tasks, none lost" % (normal, during, extra, after, ended, took,
                                                     len(ids)), flush=True)


run_tests([goodput_comes_back_after_an_overload])
