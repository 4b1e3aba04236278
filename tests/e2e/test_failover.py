#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Three coordinators; the leader is killed -9 under a load of submits, again and again. Nothing that
was acknowledged is lost or doubled. GROVE_LONG=1: 50 kills."""

from cluster import Cluster, Load, kill_leader
from mesh import LONG, check, run_tests, scaled, until

KILLS = 50 if LONG else scaled(4, 2)


def the_leader_is_killed_under_submits():
    with Cluster() as mesh:
        load = Load(mesh)
        for _ in range(KILLS):
            kill_leader(mesh, load)
        load.stop()
        mesh.leader()
        mesh.worker("w1", slots=4)
        ids = load.acknowledged
        check(len(set(ids.values())) == len(ids), "one id a key")
        outcomes = mesh.outcomes(list(ids.values()), 120)
        for key, identity in ids.items():
            check(outcomes[identity][:2] == ("succeeded", key.encode()), key, outcomes[identity])
        print(len(ids), "acknowledged, none lost", flush=True)


def a_worker_outlives_the_leader():
    """What runs meanwhile runs once, and its results wait for the next leader."""
    count = scaled(40, 10)
    with Cluster() as mesh:
        mesh.leader()
        mesh.worker("w1", slots=2)
        ids = mesh.submit_all("flow", "over", count, "5")
        for _ in range(2):
            seen = len(mesh.executions())
            until(lambda: len(mesh.executions()) > seen + count, 30, "some run")
            leader = mesh.leader()
            mesh.kill_one(leader)
            check(mesh.run(leader), leader, "starts again")
            mesh.await_whole()
        mesh.leader()
        outcomes = mesh.outcomes(ids, 90)
        check(all(outcome[:2] == ("succeeded", b"25") for outcome in outcomes.values()), outcomes)
        ran = [execution[1] for execution in mesh.executions()]
        check(len(ran) == len(set(ran)) == count * 31,
              "the worker was there all the time, so all ran once:", len(ran), count * 31)


run_tests([the_leader_is_killed_under_submits, a_worker_outlives_the_leader])
