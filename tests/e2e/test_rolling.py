#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Three coordinators serviced one after the other, as deploy/RUNBOOK.md has it, under a load of submits and
of an operator's commands: none of them fails, and nothing that was acknowledged is lost or doubled."""

import threading
import time

from cluster import NAMES, Cluster, Load
from mesh import check, run_tests, scaled, until


class Commands:
    """`grove limit`, again and again."""

    def __init__(self, mesh):
        self.mesh, self.is_over, self.done, self.failed = mesh, threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.repeat) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def repeat(self):
        while not self.is_over.is_set():
            code, _, error = self.mesh.grove("limit", "other", "--running", "7", seconds=60)
            self.done += code == 0
            if code != 0:
                self.failed.append((code, error))

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def has_all(mesh, name):
    member = mesh.members()[name]
    return member.get("answers") and member["lag"] < 20  # there is always something on its way


def is_handed_over(mesh, name):
    """One that is chosen and does not take over in time leaves it to the old leader."""
    if mesh.leader() == name:
        mesh.grove("cluster", "transfer")
    return mesh.leader() != name


def service(mesh, load, name):
    """As an operator does; returns the longest time without an acknowledgement meanwhile."""
    load.goes_on()
    begun = time.monotonic()
    until(lambda: is_handed_over(mesh, name), 60, "another leads")
    process = mesh.running.pop(name)
    process.terminate()
    check(process.wait(60) == 0, name, "ends with 0 at SIGTERM")
    check(mesh.run(name), name, "starts again:", mesh.complaints()[-1500:])
    until(lambda: has_all(mesh, name), 60, "its lag is none")
    load.goes_on()
    times = [at for at in load.times if at > begun]
    return max(after - before for before, after in zip(times, times[1:]))


def nothing_fails_while_each_is_serviced():
    with Cluster() as mesh:
        mesh.worker("w1", slots=4)
        load, commands = Load(mesh), Commands(mesh)
        try:
            leader = mesh.leader()
            order = [name for name in NAMES if name != leader] + [leader]
            pauses = [service(mesh, load, name) for name in order]
            for _ in range(scaled(4, 2)):  # leadership goes round
                leader = mesh.leader()
                until(lambda leader=leader: is_handed_over(mesh, leader), 60, "it goes on")
        finally:
            commands.stop()
        check(load.process.poll() is None, "no submit has failed:", mesh.complaints()[-1500:])
        load.stop()
        check(commands.done > 0 and not commands.failed, "no command fails:", commands.failed[:3])
        ids = load.acknowledged
        check(len(set(ids.values())) == len(ids), "one id a key")
        mesh.leader()
        outcomes = mesh.outcomes(list(ids.values()), 120)
        for key, identity in ids.items():
            check(outcomes[identity][:2] == ("succeeded", key.encode()), key, outcomes[identity])
        print("%d acknowledged, none lost; %d commands; longest pauses, ms: %s" % (
            len(ids), commands.done, " ".join("%s %.0f" % (name, pause * 1000)
                                              for name, pause in zip(order, pauses))), flush=True)


run_tests([nothing_fails_while_each_is_serviced])
