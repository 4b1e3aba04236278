#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Three coordinators; the leader is killed -9 under a load of submits, again and again. Nothing that
was acknowledged is lost or doubled, and the next is acknowledged soon after. GROVE_LONG=1: 50
kills."""

import statistics
import threading
import time

from cluster import Cluster
from mesh import LONG, SANITIZED, check, run_tests, scaled, until

KILLS = 50 if LONG else scaled(7, 3)
TASKS = 2000000  # more than are submitted meanwhile
REST_MS = 25     # between two batches of 50: for all must run in the end


class Load:
    """Submits without end, and notes when each batch was acknowledged."""

    def __init__(self, mesh):
        self.process = mesh.submitter("echo", "load", 0, TASKS, rest_ms=REST_MS)
        self.acknowledged, self.times = {}, [time.monotonic()]
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            if line.endswith(b"\n"):  # else it was cut by the end
                key, identity = line.decode().split()
                self.acknowledged[key] = identity
                self.times.append(time.monotonic())

    def goes_on(self):
        seen = len(self.times)
        until(lambda: len(self.times) > seen + 200, 20, "submits are acknowledged")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()

    def pause_after(self, killed):
        """From the kill to the first acknowledgement after the longest silence around it."""
        times = [at for at in self.times if at > killed - 0.1]
        gaps = [(after - before, after) for before, after in zip(times, times[1:])]
        return max(gaps)[1] - killed


def kill_leader(mesh, load):
    leader = mesh.leader()
    load.goes_on()
    killed = mesh.kill_one(leader)
    load.goes_on()
    pause = load.pause_after(killed)
    check(mesh.run(leader), leader, "starts again:", mesh.complaints()[-1500:])
    mesh.await_whole()
    return pause


def the_leader_is_killed_under_submits():
    with Cluster() as mesh:
        load = Load(mesh)
        pauses = [kill_leader(mesh, load) for _ in range(KILLS)]
        load.stop()
        print("kill to next acknowledged submit, ms:",
              " ".join("%.0f" % (pause * 1000) for pause in sorted(pauses)), flush=True)
        median = statistics.median(pauses)
        check(SANITIZED or median <= 0.6, "median pause", median)
        check(SANITIZED or max(pauses) <= 2, "longest pause", max(pauses))
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
