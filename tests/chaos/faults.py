# SPDX-License-Identifier: MPL-2.0
"""What befalls a mesh: any one, one with a single coordinator, one with three. Each fault takes its
time, and leaves all running."""

import os
import shutil
import signal
import subprocess
import threading
import time

import zmq

from cluster import NAMES
from mesh import (GROVE, HELLO, LONG, SANITIZED, WELCOME, Message, check, encode, free_ports,
                  message, scaled, until)
from zmq.utils import z85


class Faults:
    """Of any mesh; what has coordinators is for those below."""

    def __init__(self, mesh, record, load, chance):
        self.mesh, self.record, self.load, self.chance = mesh, record, load, chance
        self.workers = {}
        self.counts = {}

    def coordinators(self):
        """{name: process}"""
        raise NotImplementedError

    def start_worker(self, name):
        self.workers[name] = self.mesh.spawn(
            name, [os.path.join(os.environ.get("GROVE_BUILD", "build"), "actors", "worker"), "4",
                   "0"], name)
        self.mesh.processes.append(self.workers[name])

    def expect_alive(self):
        for name, process in list(self.coordinators().items()) + list(self.workers.items()):
            check(process.poll() is None, name, "ended by itself:", process.returncode,
                  self.mesh.complaints()[-2000:])

    def one(self):
        self.expect_alive()
        fault = self.chance.choice(self.KINDS)
        self.counts[fault.__name__] = self.counts.get(fault.__name__, 0) + 1
        self.record.add("fault", fault.__name__, "on")
        fault(self)
        self.record.add("fault", fault.__name__, "off")
        self.expect_alive()

    # ---- processes

    def kill_worker(self):
        name = self.chance.choice(sorted(self.workers))
        self.workers[name].kill()
        self.workers[name].wait()
        self.start_worker(name)

    def stop_worker(self):
        name = self.chance.choice(sorted(self.workers))
        self.workers[name].terminate()
        check(self.workers[name].wait(60) == 0, "a worker ends with 0 at SIGTERM")
        self.start_worker(name)

    def pause_worker(self):
        self.pause(self.workers[self.chance.choice(sorted(self.workers))])

    def pause(self, process):
        """Past the time after which a silent session is retired, now and then."""
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.choice((0.1, 1, 3, 8) + ((20, 60) if LONG else ())))
        process.send_signal(signal.SIGCONT)

    def take_snapshot(self):
        environment = dict(os.environ, GROVE_CREDENTIAL=self.mesh.nodes["operator"].path)
        subprocess.run([GROVE, "cluster", "snapshot"], env=environment, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)

    # ---- crowds

    def overload(self):
        """Three times as many submits as ever."""
        names = ["o%d-%d" % (self.counts["overload"], i) for i in range(4)]
        plan = ("echo", "-", scaled(3000, 500))
        threads = [threading.Thread(target=self.load.submit, args=(None, name, plan))
                   for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def reconnect(self):
        """Many clients that come at once."""
        count = (2000 if LONG else 200) if scaled(1, 0) else 100
        node = self.mesh.nodes["client"]
        context = zmq.Context()
        context.set(zmq.MAX_SOCKETS, 2 * count + 64)
        sockets, poller = [], zmq.Poller()
        try:
            for _ in range(count):
                link = context.socket(zmq.DEALER)
                link.linger = 0
                link.curve_serverkey = z85.encode(bytes(self.mesh.nodes["c1"].link.public_key))
                link.curve_publickey = z85.encode(bytes(node.link.public_key))
                link.curve_secretkey = z85.encode(bytes(node.link))
                link.connect("tcp://127.0.0.1:%d" % self.mesh.port)
                link.send(message(HELLO, encode({1: self.mesh.public, 2: os.urandom(16)}), 1))
                sockets.append(link)
                poller.register(link, zmq.POLLIN)
            welcomed = set()
            until(lambda: self.welcome(poller, welcomed) == count, 60, "all are welcome")
        finally:
            for link in sockets:
                link.close()
            context.term()

    def welcome(self, poller, welcomed):
        for link, _ in poller.poll(100):
            answer = Message(link.recv_multipart()[-1])
            check(answer.kind == WELCOME, "a Welcome, not", answer.kind, answer.body)
            welcomed.add(link)
        return len(welcomed)

    KINDS = (kill_worker, kill_worker, stop_worker, pause_worker, take_snapshot, overload)


def is_copied(source, target):
    shutil.rmtree(target, ignore_errors=True)
    return subprocess.run(["cp", "-a", "--sparse=always", source, target], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def fake_clock(mesh):
    """Has the coordinator see a wall clock that set_clock sets; the sanitizers bear no preload."""
    if os.path.exists(FAKETIME) and not SANITIZED:
        set_clock(mesh, 0)
        mesh.prefix = ["env", "LD_PRELOAD=" + FAKETIME, "FAKETIME_DONT_FAKE_MONOTONIC=1",
                       "FAKETIME_CACHE_DURATION=1",
                       "FAKETIME_TIMESTAMP_FILE=" + clock_file(mesh)]


def clock_file(mesh):
    return os.path.join(mesh.directory, "clock")


def set_clock(mesh, seconds):
    with open(clock_file(mesh) + ".new", "w", encoding="utf-8") as file:
        file.write("%+d\n" % seconds)
    os.rename(clock_file(mesh) + ".new", clock_file(mesh))


class OneCoordinator(Faults):
    def coordinators(self):
        return {"c1": self.mesh.coordinator}

    def leader(self):
        return "c1"

    def stop(self):
        self.mesh.stop()

    def kill_coordinator(self):
        self.mesh.kill()
        time.sleep(self.chance.choice((0, 0, 0.5, 3)))
        self.mesh.restart()

    def pause_coordinator(self):
        self.pause(self.mesh.coordinator)

    def kill_all(self):
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
        self.kill_coordinator()
        for name in sorted(self.workers):
            self.start_worker(name)

    def start_a_copy(self):
        """The data directory as it is at one instant, started elsewhere: it is what a process that
        was killed then would find."""
        name = "copy%d" % self.counts["start_a_copy"]
        directory = os.path.join(self.mesh.directory, name)
        self.mesh.coordinator.send_signal(signal.SIGSTOP)
        until(lambda: is_copied(self.mesh.data, directory), 10, "nothing is renamed meanwhile")
        self.mesh.coordinator.send_signal(signal.SIGCONT)
        before = self.record.read(name, directory)
        process = self.mesh.spawn(name, [GROVE, "coordinator", "--data", directory, "--listen",
                                         "127.0.0.1:%d" % free_ports(), "--credential",
                                         self.mesh.nodes["c1"].path], "c1", stdout=subprocess.PIPE)
        self.mesh.processes.append(process)
        check(process.stdout.readline().startswith(b"ready "), "a copy starts",
              self.mesh.complaints()[-1000:])
        process.kill()
        process.wait()
        self.mesh.processes.remove(process)
        check(self.record.read(name, directory).startswith(before), "a copy keeps what it has")
        self.record.copies.append(before)
        shutil.rmtree(directory)

    def jump_clock(self):
        """Up to an hour back or forth, for a coordinator that starts then and for one that runs."""
        if not self.mesh.prefix:
            return
        set_clock(self.mesh, self.chance.choice((-3600, -60, 60, 3600)))
        if self.chance.random() < 0.5:
            self.kill_coordinator()

    KINDS = Faults.KINDS + (kill_coordinator, kill_coordinator, pause_coordinator, kill_all,
                            start_a_copy, Faults.reconnect, jump_clock)


class ThreeCoordinators(Faults):
    def coordinators(self):
        return self.mesh.running

    def leader(self):
        return self.mesh.leader()

    def follower(self):
        leader = self.mesh.leader()
        return self.chance.choice([name for name in NAMES if name != leader])

    def kill(self, *names):
        """They may be there again before the others have noticed."""
        for name in names:
            self.mesh.running[name].kill()
            self.mesh.running[name].wait()
        time.sleep(self.chance.choice((0, 0.2, 2, 5)))
        for name in names:
            check(self.mesh.run(name), name, "starts again:", self.mesh.complaints()[-1500:])
        self.mesh.leader()

    def kill_leader(self):
        self.kill(self.mesh.leader())

    def kill_follower(self):
        self.kill(self.follower())

    def kill_every_coordinator(self):
        self.kill(*NAMES)

    def pause_leader(self):
        self.pause(self.mesh.running[self.mesh.leader()])
        self.mesh.leader()

    def pause_follower(self):
        self.pause(self.mesh.running[self.follower()])

    def pause_two(self):
        """The third can do nothing alone."""
        names = self.chance.sample(NAMES, 2)
        for name in names:
            self.mesh.running[name].send_signal(signal.SIGSTOP)
        time.sleep(self.chance.choice((0.5, 3, 7)))
        for name in names:
            self.mesh.running[name].send_signal(signal.SIGCONT)
        self.mesh.leader()

    def deafen(self, names):
        """Nothing that other coordinators say arrives there; what these say arrives. Each speaks
        over a connection of its own to the peers' port of the other: this cuts one way."""
        table = "grove_chaos_%d" % os.getpid()
        ports = ",".join(str(self.mesh.ports[name] + 2) for name in names)
        rules = "table inet %s { chain input { type filter hook input priority 0; " \
                "tcp dport { %s } drop; }; }" % (table, ports)
        if subprocess.run(["nft", rules], check=False, stderr=subprocess.DEVNULL).returncode != 0:
            return  # not allowed here
        try:
            time.sleep(self.chance.choice((0.3, 2, 5, 10)))
        finally:
            subprocess.run(["nft", "delete table inet " + table], check=True)
        self.mesh.leader()

    def deafen_leader(self):
        self.deafen([self.mesh.leader()])

    def deafen_follower(self):
        self.deafen([self.follower()])

    def deafen_all(self):
        self.deafen(NAMES)

    def transfer(self):
        """Refused when somebody else was just elected."""
        self.mesh.grove("cluster", "transfer", self.follower())
        self.mesh.leader()

    def stop(self):
        """All at one instant, when none lacks anything: what one has more it promised to nobody."""
        until(lambda: all(member["lag"] == 0 for member in self.mesh.members().values()), 30,
              "all have all")
        for process in self.mesh.running.values():
            process.send_signal(signal.SIGSTOP)
        for process in self.mesh.running.values():
            process.kill()
            process.wait()

    KINDS = Faults.KINDS + (kill_leader, kill_leader, kill_leader, kill_follower, pause_leader,
                            pause_follower, pause_two, kill_every_coordinator, transfer,
                            deafen_leader, deafen_follower, deafen_all)
