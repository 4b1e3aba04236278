#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Three coordinators serviced one after the other, as deploy/RUNBOOK.md has it, under a load of submits and
of an operator's commands: none of them fails, and nothing that was acknowledged is lost or doubled."""

import os
import threading
import time

import zmq
from zmq.utils import z85

from cluster import NAMES, Cluster, Load
from mesh import (ADMIT, DONE, HELLO, REFUSED, WELCOME, Mesh, Message, check, encode, message,
                  run_tests, scaled, until)

NO_LEADER = 12  # the code of a refusal
GIVES_UP = 5    # the exit code of a command that has found no leader for ...
PATIENCE = 4    # ... a little more than that, in seconds


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
        longest = max(after - before for before, after in zip(load.times, load.times[1:]))
        failed = [each for each in commands.failed if each[0] != GIVES_UP or longest < PATIENCE]
        check(commands.done > 0 and not failed, "no command fails:", failed[:3])
        ids = load.acknowledged
        check(len(set(ids.values())) == len(ids), "one id a key")
        mesh.leader()
        outcomes = mesh.outcomes(list(ids.values()), 120)
        for key, identity in ids.items():
            check(outcomes[identity][:2] == ("succeeded", key.encode()), key, outcomes[identity])
        print("%d acknowledged, none lost; %d commands; longest pauses, ms: %s" % (
            len(ids), commands.done, " ".join("%s %.0f" % (name, pause * 1000)
                                              for name, pause in zip(order, pauses))), flush=True)


class NoLeaderAnyMore(threading.Thread):
    """What welcomes everybody like a coordinator, and leads again only when it is asked again."""

    def __init__(self, mesh):
        super().__init__(daemon=True)
        self.welcome = mesh.peer("operator", hello=False).ask(HELLO, {1: mesh.public,
                                                                      2: os.urandom(16)}).body
        self.socket, self.asked = zmq.Context.instance().socket(zmq.ROUTER), 0
        self.socket.linger, self.socket.curve_server = 0, True
        self.socket.curve_secretkey = z85.encode(bytes(mesh.nodes["c1"].link))
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.start()

    def run(self):
        while self.asked < 2:
            *route, frame = self.socket.recv_multipart()
            request = Message(frame)
            if request.kind == HELLO:
                self.answer(route, request, WELCOME, self.welcome)
            elif request.kind == ADMIT:
                self.asked += 1
                self.answer(route, request, *((REFUSED, {1: [NO_LEADER], 3: [1]})
                                              if self.asked == 1 else (DONE, {1: [7]})))

    def answer(self, route, request, kind, body):
        self.socket.send_multipart([*route, message(kind, encode(body), request.correlation)])


def a_command_that_is_late_for_the_leader_asks_again():
    """It was welcomed by one that led, and asks one that leads no more; which has done nothing."""
    with Mesh() as mesh:
        late = NoLeaderAnyMore(mesh)
        path = mesh.credential_for("operator", late.port)
        code, _, error = mesh.grove("keys", "admit", mesh.nodes["w1"].path, "--credential", path)
        late.join(10)
        late.socket.close()
        check((code, late.asked) == (0, 2), "it asks again:", code, late.asked, error)


run_tests([nothing_fails_while_each_is_serviced, a_command_that_is_late_for_the_leader_asks_again])
