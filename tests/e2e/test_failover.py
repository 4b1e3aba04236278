#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Three coordinators; the leader is killed -9 under a load of submits, again and again. Nothing that
was acknowledged is lost or doubled. GROVE_LONG=1: 50 kills."""

import os
import shutil
import subprocess
import time

from cluster import NAMES, Cluster, Load, kill_leader
from mesh import GROVE, LONG, PATIENCE, check, run_tests, scaled, until

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
        outcomes = mesh.outcomes(list(ids.values()))
        for key, identity in ids.items():
            check(outcomes[identity][:2] == ("succeeded", key.encode()), key, outcomes[identity])
        print(len(ids), "acknowledged, none lost", flush=True)


def a_worker_outlives_the_leader():
    """What runs meanwhile runs once, and its results wait for the next leader."""
    count, naps = scaled(20, 5), 40
    with Cluster() as mesh:
        mesh.leader()
        mesh.worker("w1", slots=2)
        flows, rests = [], []
        for kill in ("first", "second"):
            seen = len(mesh.executions())
            flows += mesh.submit_all("flow", kill + "-flow", count, "5")
            rests += mesh.submit_all("nap", kill + "-nap", naps, "100")  # two seconds at least
            until(lambda: len(mesh.executions()) > seen + count, PATIENCE, "some run")
            leader = mesh.leader()
            mesh.kill_one(leader)
            check(mesh.run(leader), leader, "starts again")
            mesh.await_whole()
        mesh.leader()
        outcomes = mesh.outcomes(flows + rests)
        check(all(outcomes[flow][:2] == ("succeeded", b"25") for flow in flows), outcomes)
        check(all(outcomes[nap][0] == "succeeded" for nap in rests), outcomes)
        ran = [execution[1] for execution in mesh.executions()]
        check(len(ran) == len(set(ran)) == len(flows) * 31 + len(rests),
              "the worker was there all the time, so all ran once:", len(ran))


def submit_once(mesh, payload):
    """A task that may run once at most, which has begun."""
    seen = len(mesh.executions())
    code, out, error = mesh.grove("submit", "-t", "nap", "--at-most-once", payload,
                                  name="client")
    check(code == 0, "submitted:", error)
    until(lambda: len(mesh.executions()) > seen, PATIENCE, "it begins")
    return out.strip()


def goes_on_over_a_failover(mesh):
    """What may run once at most does so while another takes over. On a busy machine that
    may take the 4 s after which its worker has to stop it."""
    def goes_on():
        once = submit_once(mesh, "1500")
        killed, leader = time.monotonic(), mesh.leader()
        mesh.kill_one(leader)
        ended = mesh.outcomes([once])[once][0]
        took = time.monotonic() - killed
        check(mesh.run(leader), leader, "starts again")
        mesh.await_whole()
        check(ended == "succeeded" or took > 4, "it goes on:", ended)
        return ended == "succeeded"
    until(goes_on, 2 * PATIENCE, "it goes on")


def what_may_run_once_runs_once_over_a_failover():
    """Its worker lives: it goes on. Its worker dies with the leader: it is lost, not run again."""
    with Cluster() as mesh:
        mesh.leader()
        worker = mesh.worker("w1", slots=2)
        goes_on_over_a_failover(mesh)
        dies = submit_once(mesh, "600000")
        worker.kill()
        mesh.operate("transfer")
        mesh.leader()
        mesh.worker("w2", slots=2)
        check(mesh.outcomes([dies])[dies][0] == "lost", "it is not run again")
        ran = [execution[1] for execution in mesh.executions()]
        check(len(ran) == len(set(ran)), "each began once:", ran)


def a_member_whose_disk_is_lost_is_replaced():
    """It comes back under a new id, gets the snapshot and what came after it, and then leads."""
    with Cluster() as mesh:
        before = mesh.leader()
        lost = next(name for name in NAMES if name != before)
        ids = mesh.submit_all("echo", "kept", scaled(2000, 200))
        old = mesh.members()[lost]["id"]
        mesh.kill_one(lost)
        shutil.rmtree(os.path.join(mesh.directory, "data-" + lost))
        mesh.operate("snapshot")
        ids += mesh.submit_all("echo", "later", 50)
        mesh.remove(lost)
        check(mesh.run(lost, "--join"), lost, "starts anew")
        mesh.add(lost)
        mesh.await_whole()
        member = mesh.members()[lost]
        files = os.listdir(os.path.join(mesh.directory, "data-" + lost))
        check(any(name.startswith("snapshot-") for name in files), "the leader's snapshot", files)
        check(member["role"] == "voter" and member["id"] != old, "a new id", old, member)
        mesh.transfer(lost)  # it leads, with all that it was sent
        mesh.worker("w1", slots=4)
        outcomes = mesh.outcomes(ids)
        check(all(outcome[0] == "succeeded" for outcome in outcomes.values()), "all of it runs")


def one_that_knows_nobody_yet_refuses_nobody():
    """All start again: of what is on its disk none can tell yet what holds, and calls give up then,
    one after the other."""
    with Cluster() as mesh:
        mesh.leader()
        for name in NAMES:
            mesh.running[name].kill()
        killed, calls = time.monotonic(), []
        while time.monotonic() < killed + 4.8:
            if len(calls) < 50:
                calls.append(mesh.spawn("call", [GROVE, "submit", "-t", "echo", "x"], "client",
                                        stdout=subprocess.DEVNULL))
            time.sleep(0.05)
        mesh.processes += calls
        for name in NAMES:
            mesh.running[name].wait()
            check(mesh.run(name), name, "starts:", mesh.complaints(1500))
        codes = [call.wait(PATIENCE) for call in calls]
        check(set(codes) <= {0, 5}, "acknowledged, or no leader:", codes, mesh.complaints())
        check("not found" not in mesh.complaints(), "what was just accepted:", mesh.complaints())


run_tests([the_leader_is_killed_under_submits, a_worker_outlives_the_leader,
           what_may_run_once_runs_once_over_a_failover, a_member_whose_disk_is_lost_is_replaced,
           one_that_knows_nobody_yet_refuses_nobody])
