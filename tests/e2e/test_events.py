#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The stream of events and its replay: who may listen, what is told, and that one who listens and
does not read harms nobody."""

import json
import os
import time

import zmq

from cluster import NAMES, Cluster
from mesh import (ACCEPTED, CLIENT, OBSERVER, PATIENCE, Link, Mesh, check, run_tests, scaled,
                  until)

READERS = 16  # at a time


class Listener:
    """A SUB socket at the port of the events."""

    def __init__(self, mesh, name="operator", wanted=b"", hwm=0):
        self.mesh, self.events, self.after, self.gaps = mesh, [], None, 0
        self.link = Link(mesh, mesh.nodes[name], mesh.port + 3, zmq.SUB)
        self.link.socket.rcvhwm = hwm
        self.link.socket.setsockopt(zmq.SUBSCRIBE, wanted)

    def read(self, seconds):
        frames = self.link.receive(seconds)
        if frames is None:
            return False
        check(len(frames) == 1, "one frame", len(frames))
        told = json.loads(frames[0])
        check(told["schema"] == "grove.events/1" and told["leader"] == "c1", told)
        if self.after is not None and told["after"] != self.after:
            self.gaps += 1
        self.after = told["last"]
        self.events += told["events"]
        return True

    def until(self, is_there, what, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not any(is_there(event) for event in self.events):
            check(time.monotonic() < end, "not told within", seconds, "s:", what)
            self.read(1)

    def close(self):
        self.link.close()


def listen(mesh, name="operator", **options):
    """One more listener, which the coordinator has taken up."""
    before = mesh.stats()["watching"]["subscribers"]
    listener = Listener(mesh, name, **options)
    until(lambda: mesh.stats()["watching"]["subscribers"] > before, PATIENCE, "subscribed")
    return listener


def ended(identity):
    return lambda event: event["event"] == "task-ended" and event["task"] == identity


def replay(mesh, since):
    """All events after a number, by pages."""
    events = []
    while True:
        page = mesh.ask("events %d" % since)
        check(page["complete"], "nothing is missing", since)
        events += page["events"]
        if page["last"] == page["newest"]:
            return events
        since = page["last"]


def a_workflow_is_told_in_order_and_told_again():
    with Mesh() as mesh:
        since = mesh.ask("events")["newest"]
        listener = listen(mesh)
        mesh.worker(slots=1, waiting=4)
        ids = mesh.submit_all("echo", "k", 20)
        mesh.outcomes(ids)
        for identity in ids:
            listener.until(ended(identity), "the end of " + identity)
        events = listener.events
        numbers = [event["number"] for event in events]
        check(numbers == sorted(set(numbers)), "each has a number of its own, and they grow")
        check(listener.gaps == 0, "no message is missing", listener.gaps)
        for identity in ids:
            life = [event["event"] for event in events if event.get("task") == identity]
            check(life == ["task-submitted", "task-assigned", "task-ended"], life)
        check(all(event["function"] == "echo" for event in events if event.get("task")), events[:3])
        enlisted = [event for event in events if event["event"] == "worker-enlisted"]
        check(len(enlisted) == 1 and enlisted[0]["worker"], enlisted)
        again = {event["number"]: event for event in replay(mesh, since)}
        check(all(again[event["number"]]["event"] == event["event"] for event in events),
              "what was told is told again")
        listener.close()


def numbers_outlive_the_process():
    """They are of the ledger: after kill -9, the same events have the same numbers."""
    with Mesh() as mesh:
        mesh.worker()
        mesh.outcomes(mesh.submit_all("echo", "k", 5))
        before = {event["number"]: event["event"] for event in replay(mesh, 0)
                  if event["event"] != "leader-changed"}
        mesh.kill()
        mesh.restart()
        after = {event["number"]: event["event"] for event in replay(mesh, 0)}
        check(all(after.get(number) == event for number, event in before.items()), before, after)
        check("leader-changed" in after.values(), "and the leader is told", after)


def no_payload_is_told():
    with Mesh() as mesh:
        secret = os.urandom(12).hex()
        listener = listen(mesh)
        mesh.worker()
        ids = mesh.submit_all("echo", "k", 3, secret)
        for identity in ids:
            listener.until(ended(identity), "the end")
        check(secret not in json.dumps(listener.events), "a payload is told")
        check(secret not in json.dumps(replay(mesh, 0)), "a payload is told again")
        listener.close()


def who_may_not_watch_hears_nothing():
    """A worker is refused at the handshake; one that was revoked while it listened hears no more,
    and the others are back by themselves."""
    with Mesh(nodes=[("gone", CLIENT | OBSERVER)]) as mesh:
        refused = mesh.stats()["handshakes"]["wrong_role"]
        worker = Listener(mesh, "w1")
        until(lambda: mesh.stats()["handshakes"]["wrong_role"] > refused, PATIENCE, "refused")
        check(mesh.stats()["watching"]["subscribers"] == 0, "nobody listens")
        stays, goes = listen(mesh), listen(mesh, "gone")
        mesh.revoke("gone")
        mesh.worker()
        ids = []

        def is_back():
            """libzmq subscribes again when the socket is next looked at."""
            ids.extend(mesh.submit_all("echo", "k%d" % len(ids), 1))
            mesh.outcomes(ids)
            while stays.read(0.2):
                pass
            return any(map(ended(ids[-1]), stays.events))
        until(lambda: mesh.stats()["watching"]["subscribers"] < 2, PATIENCE, "both are sent away")
        until(is_back, PATIENCE, "one is back")
        while goes.read(0.2):
            pass
        check(not any(map(ended(ids[-1]), goes.events)), "one that was revoked is told", goes.events)
        check(worker.read(0) is False, "a worker is told")
        for listener in (worker, stays, goes):
            listener.close()


def so_many_listen_and_no_more():
    with Mesh() as mesh:
        listeners = [listen(mesh) for _ in range(READERS)]
        late = Listener(mesh)
        mesh.worker()
        first = mesh.submit_all("echo", "a", 1)[0]
        for listener in listeners:
            listener.until(ended(first), "all that fit are told")
        check(late.read(0.2) is False, "one too many is told")
        late.close()
        listeners.pop().close()
        until(lambda: mesh.stats()["watching"]["subscribers"] == READERS - 1, PATIENCE, "one has left")
        listeners.append(listen(mesh))
        second = mesh.submit_all("echo", "b", 1)[0]
        listeners[-1].until(ended(second), "there is room for one again")
        for listener in listeners:
            listener.close()


def so_many_ask_and_no_more():
    """Of connections that have asked something; those that are gone give their places back."""
    with Mesh() as mesh:
        operator = mesh.nodes["operator"]
        askers = [Link(mesh, operator, mesh.port + 1) for _ in range(READERS)]
        for asker in askers:
            check(json.loads(asker.exchange([b"health"])[0])["status"] == "ok", "answered")
        late = Link(mesh, operator, mesh.port + 1)
        refused = json.loads(late.exchange([b"health"])[0])
        check(refused["schema"] == "grove.error/1" and refused["reason"] == "busy", refused)
        check(json.loads(askers[0].exchange([b"health"])[0])["status"] == "ok",
              "whoever has a place keeps it")
        askers.pop().close()
        until(lambda: "status" in json.loads(late.exchange([b"health"])[0]), PATIENCE,
              "a place is free again")
        for link in askers + [late]:
            link.close()
        until(lambda: "status" in mesh.ask("health"), PATIENCE, "all places are free")
        for _ in range(3 * READERS):
            check(mesh.ask("health")["status"] == "ok", "one after the other as many as one likes")


def told_by(mesh, name, until_index):
    """What a coordinator tells once it has applied so much: {number: event}, and its last page."""
    mesh.port, mesh.server = mesh.ports[name], name
    until(lambda: mesh.ask("events")["applied"] >= until_index, PATIENCE, name + " has caught up")
    events, page, since = {}, None, 0
    while page is None or page["last"] != page["newest"]:
        page = mesh.ask("events %d" % since)
        events.update((event["number"], event) for event in page["events"])
        since = page["last"]
    return events, page


def leaders(events):
    return [event["leader"] for event in events.values() if event["event"] == "leader-changed"]


def every_coordinator_tells_the_same_by_the_same_numbers():
    with Cluster() as mesh:
        mesh.worker(slots=2)
        mesh.leader()
        since = mesh.ask("events")["newest"]
        mesh.outcomes(mesh.submit_all("echo", "k", 5))
        index = mesh.ask("events")["applied"]
        expected = {number: event["event"] for number, event in told_by(mesh, "c1", index)[0].items()
                    if number > since and event["event"].startswith("task-")}
        check(len(expected) >= 15, "all of it is told", expected)
        for name in NAMES:
            events, _ = told_by(mesh, name, index)
            check({number: events[number]["event"] for number in expected} == expected, name)
        until(lambda: all_name_the_leader(mesh, index), PATIENCE, "all name who leads")


def all_name_the_leader(mesh, index):
    """As an event, too; not while another takes over."""
    leader = mesh.leader()
    for name in NAMES:
        events, page = told_by(mesh, name, index)
        if page["leader"] != leader or leader not in leaders(events) or page["stale_ms"] is None \
                or (name == leader and page["stale_ms"] != 0):
            return False
    return True


def memory(mesh):
    with open("/proc/%d/status" % mesh.coordinator.pid, encoding="utf-8") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmRSS")))


def latency(mesh):
    """The median time until a submit is acknowledged, in seconds."""
    times = []
    with mesh.peer() as client:
        for _ in range(30):
            item = client.task_item("nobody", os.urandom(8))
            began = time.monotonic()
            check(client.submit([item]).kind == ACCEPTED, "accepted")
            times.append(time.monotonic() - began)
    return sorted(times)[len(times) // 2]


def who_does_not_read_harms_nobody():
    """Neither events nor answers pile up, all others are served, and as soon as before."""
    with Mesh() as mesh:
        mesh.worker(slots=8)
        alone = latency(mesh)
        idle = listen(mesh, hwm=1)
        asker = Link(mesh, mesh.nodes["operator"], mesh.port + 1)
        asker.socket.rcvhwm = 1
        mesh.outcomes(mesh.submit_all("echo", "warm", 500))
        before = memory(mesh)
        for _ in range(scaled(3000, 200)):
            try:
                asker.socket.send(b"roots", zmq.DONTWAIT)
            except zmq.Again:
                break
        ids = mesh.submit_all("echo", "k", scaled(20000, 2000))
        check(len(mesh.outcomes(ids)) == len(ids), "all is done beside them")
        check(mesh.ask("health")["status"] == "ok", "others are answered")
        until(lambda: latency(mesh) < 5 * alone + 0.05, 2 * PATIENCE, "a submit takes as long as before")
        grown = memory(mesh) - before
        check(grown < scaled(150, 400) * 1024, "grown by", grown, "KiB")
        idle.close()
        asker.close()


run_tests([a_workflow_is_told_in_order_and_told_again, numbers_outlive_the_process,
           no_payload_is_told, who_may_not_watch_hears_nothing, so_many_listen_and_no_more,
           so_many_ask_and_no_more,
           every_coordinator_tells_the_same_by_the_same_numbers, who_does_not_read_harms_nobody])
