# SPDX-License-Identifier: MPL-2.0
"""A mesh whose ledger three coordinators keep, each a process that can be killed alone."""

import json
import os
import subprocess
import threading
import time

from mesh import COORDINATOR, GROVE, PATIENCE, Mesh, check, free_ports, until

NAMES = ("c1", "c2", "c3")
TASKS = 2000000  # of a load: more than are submitted meanwhile
REST_MS = 25     # ... between two batches of 50: for all must run in the end


class Cluster(Mesh):
    def __init__(self, **options):
        super().__init__(nodes=(("c2", COORDINATOR), ("c3", COORDINATOR)), **options)
        self.ports, self.running = {}, {}

    def coordinators(self):
        return list(self.ports.items())

    def __enter__(self):
        for _ in range(5):
            self.ports = {name: free_ports() for name in NAMES}
            self.port = self.ports["c1"]
            for node in self.nodes.values():
                node.save(self)
            if self.run("c1", "--bootstrap", *[word for node in self.nodes.values()
                                               for word in ("--admit", node.path)]):
                break
        for name in NAMES[1:]:
            check(self.run(name, "--join"), name, "starts:", self.complaints(2000))
            self.add(name)
        return self

    def data_of(self, name):
        return self.places.get(name, os.path.join(self.directory, "data-" + name))

    def run(self, name, *arguments):
        """Starts a coordinator and awaits that it is ready; False if it ended instead."""
        process = self.spawn(
            name, [GROVE, "coordinator", "--data", self.data_of(name), "--listen",
                   "%s:%d" % (self.address(name), self.ports[name]), "--credential",
                   self.nodes[name].path, *self.more, *arguments], name, stdout=subprocess.PIPE)
        self.processes.append(process)
        if process.stdout.readline().startswith(b"ready "):
            self.running[name] = process
            return True
        process.wait(PATIENCE)
        return False

    def operate(self, *words):
        """A command of the operator, again while nobody leads, or not who is to; what it printed."""
        said = []

        def is_done():
            said[:] = self.grove("cluster", *words)
            return said[0] == 0
        try:
            until(is_done, PATIENCE, words)
        except AssertionError:
            print("cluster", *words, "says", *said, flush=True)
            raise
        return said[1]

    def status(self):
        return json.loads(self.operate("status", "-o", "json"))

    def add(self, name):
        """Gives one that waits a vote; it may not have said yet that it waits."""
        self.operate("add", name)

    def remove(self, name):
        """Takes a vote away; an answer that was lost may have said so before."""
        def is_gone():
            return self.grove("cluster", "remove", name)[0] in (0, 3)
        until(is_gone, PATIENCE, name + " is removed")

    def transfer(self, name):
        """Until it leads: one that was slow may have lost it again."""
        def leads():
            self.operate("transfer", name)
            return self.leader() == name
        until(leads, PATIENCE, name + " leads")

    def members(self):
        return {member["name"]: member for member in self.status()["members"]}

    def leader(self):
        """The name of who leads, once somebody does who answers; peers speak to that one."""
        def look():
            return [name for name, member in self.members().items()
                    if member["leads"] and member.get("answers")]
        self.server = until(look, 5 * PATIENCE, "somebody leads")[0]  # elections need quiet threads
        self.port = self.ports[self.server]
        return self.server

    def kill_one(self, name):
        """kill -9, by the process id that `cluster status` shows; returns when that was."""
        pid = self.members()[name]["pid"]
        check(pid == self.running[name].pid, "the process id of", name)
        killed = time.monotonic()
        os.kill(pid, 9)
        self.running.pop(name).wait()
        return killed

    def await_whole(self):
        """Until all answer and none lags much, whatever goes on meanwhile."""
        def look():
            members = self.members().values()
            return len(members) == 3 and all(
                member.get("answers") and member["lag"] < 20 for member in members)
        until(look, PATIENCE, "all are there and none lags")


class Load:
    """Submits without end, and notes when each batch was acknowledged."""

    def __init__(self, mesh, name="load", rest_ms=REST_MS):
        self.process = mesh.submitter("echo", name, 0, TASKS, rest_ms=rest_ms)
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
        until(lambda: len(self.times) > seen + 200, PATIENCE, "submits are acknowledged")

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
    """Kills it, and starts it again; returns how long nothing was acknowledged."""
    leader = mesh.leader()
    load.goes_on()
    killed = mesh.kill_one(leader)
    load.goes_on()
    pause = load.pause_after(killed)
    check(mesh.run(leader), leader, "starts again:", mesh.complaints(1500))
    mesh.await_whole()
    return pause
