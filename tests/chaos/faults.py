# SPDX-License-Identifier: MPL-2.0
"""What befalls any mesh; one.py and three.py have what befalls coordinators. Each fault takes its time,
and leaves all running."""

import os
import resource
import shutil
import signal
import subprocess
import threading
import time

import cuts
from crowd import Crowd
from load import SETTLE
from mesh import GROVE, LONG, check, free_ports, scaled, until

BULK = "x" * 60000  # a payload, and a result


class Faults:
    """`world` has the hosts, disks and clocks of the mesh, as far as they are its own."""

    def __init__(self, mesh, record, load, chance, world):
        self.mesh, self.record, self.load, self.chance = mesh, record, load, chance
        self.world, self.workers, self.counts = world, {}, {}
        self.kinds, self.deck = self.possible(), []

    def coordinators(self):
        """{name: process}"""
        raise NotImplementedError

    def leader(self):
        """The name of who leads."""
        raise NotImplementedError

    def possible(self):
        """What can be done here, as often as it shall be done."""
        kinds = [Faults.kill_worker, Faults.kill_worker, Faults.stop_worker, Faults.pause_worker,
                 Faults.take_snapshot, Faults.overload, Faults.reconnect, Faults.start_a_copy]
        if self.world.can_cut:
            kinds += [Faults.cut_worker]
        if self.world.disks:
            kinds += [Faults.fill_disk]
        if self.world.has_clocks:
            kinds += [Faults.jump_clock]
        return kinds

    def start_worker(self, name):
        self.workers[name] = self.mesh.spawn(
            name, [os.path.join(os.environ.get("GROVE_BUILD", "build"), "actors", "worker"), "4",
                   "0"], name)
        self.mesh.processes.append(self.workers[name])

    def expect_alive(self):
        for name, process in list(self.coordinators().items()) + list(self.workers.items()):
            check(process.poll() is None, name, "ended by itself:", process.returncode,
                  self.mesh.complaints()[-2000:])

    def next(self):
        """All of them before any comes again, for a run may be short."""
        if not self.deck:
            self.deck = self.chance.sample(self.kinds, len(self.kinds))
        return self.deck.pop()

    def one(self):
        self.expect_alive()
        fault = self.next()
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
        until(lambda: self.has_ended(self.workers[name]), SETTLE, "a worker ends")
        check(self.workers[name].returncode == 0, "a worker ends with 0 at SIGTERM")
        self.start_worker(name)

    def has_ended(self, worker):
        """It ends what it has begun; but nobody ends a tree whose submit came in after its cancel."""
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            for identity in list(self.load.trees):
                self.load.cancel_tree(identity)
        return worker.poll() is not None

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
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=SETTLE)

    # ---- networks

    def cut_worker(self):
        """From everybody, or only what it hears, or only what it says."""
        host = self.mesh.hosts[self.chance.choice(sorted(self.workers))]
        ways = self.chance.choice((cuts.BOTH, (cuts.IN,), (cuts.OUT,)))
        with cuts.cut(host, [self.world.network], ways):
            time.sleep(self.chance.choice((0.3, 2, 5, 9)))

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
        """Many clients that come at once, and go to the next leader should this one go meanwhile."""
        count = (2000 if LONG else 200) if scaled(1, 0) else 100
        with Crowd(self.mesh, count) as crowd:
            until(lambda: crowd.come_to(self.leader()), SETTLE, "all are welcome")

    # ---- disks

    def run(self, name):
        """Starts a coordinator again; False if it ended instead."""
        raise NotImplementedError

    def fill_disk(self):
        """Of any coordinator, while more is submitted than fits, and a snapshot is due."""
        name = self.chance.choice(sorted(self.coordinators()))
        disk, process = self.world.disks[name], self.coordinators()[name]
        bulk = threading.Thread(target=self.load.submit, args=(
            None, "b%d" % self.counts["fill_disk"], ("echo", BULK, scaled(250, 100))))
        disk.fill(self.chance.choice((0, 1 << 20, 9 << 20)))
        try:
            bulk.start()
            self.take_snapshot()
            end = time.monotonic() + 4
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
        finally:
            disk.free()
        if process.poll() is not None:
            check(process.returncode == 74, name, "ends with 74, not", process.returncode)
            self.counts["full"] = self.counts.get("full", 0) + 1
            check(self.run(name), name, "starts again:", self.mesh.complaints()[-1500:])
        self.leader()
        bulk.join()

    def start_a_copy(self):
        """A data directory as it is at one instant, started elsewhere, where it reaches nobody: it is
        what a process that was killed then would find, or, of a disk of its own, a power cut."""
        name = self.chance.choice(sorted(self.coordinators()))
        copy = "copy%d" % self.counts["start_a_copy"]
        applied = self.applied(name)
        directory, clean_up = self.copy_of(name, copy)
        before = self.record.read(copy, directory)
        check(last_index(before) >= applied, "the copy has what was applied:", last_index(before),
              applied)
        process = self.mesh.spawn(copy, [GROVE, "coordinator", "--data", directory, "--listen",
                                         "127.0.0.1:%d" % free_ports(), "--credential",
                                         self.mesh.nodes[name].path], name, self.world.elsewhere,
                                  stdout=subprocess.PIPE)
        self.mesh.processes.append(process)
        check(process.stdout.readline().startswith(b"ready "), "a copy starts",
              self.mesh.complaints()[-1000:])
        process.kill()
        process.wait()
        self.mesh.processes.remove(process)
        check(self.record.read(copy, directory).startswith(before), "a copy keeps what it has")
        self.record.copies.append("".join(line + "\n" for line in before.splitlines()
                                          if index_of(line) <= applied))
        clean_up()

    def copy_of(self, name, copy):
        """(where it is, what removes it)"""
        process, disk = self.coordinators()[name], self.world.disks.get(name)
        target = os.path.join(self.mesh.directory, copy)
        process.send_signal(signal.SIGSTOP)
        try:
            if disk is not None and disk.image is not None:
                disk.copy(target)
            else:
                until(lambda: is_copied(self.mesh.data_of(name), target), SETTLE,
                      "nothing is renamed meanwhile")
        finally:
            process.send_signal(signal.SIGCONT)
        if disk is None or disk.image is None:
            return target, lambda: shutil.rmtree(target)
        mounted = self.world.attach(target, copy)

        def clean_up():
            self.world.detach(mounted)
            os.unlink(target)

        return os.path.join(mounted, "data"), clean_up

    def applied(self, name):
        """The last entry that a coordinator has applied, which is final."""
        raise NotImplementedError

    # ---- clocks

    def jump_clock(self):
        """Up to an hour back or forth, for a coordinator that starts then and for one that runs."""
        name = self.chance.choice(sorted(self.coordinators()))
        self.world.jump(name, self.chance.choice((-3600, -60, 60, 3600)))
        if self.chance.random() < 0.5:
            self.coordinators()[name].kill()
            self.coordinators()[name].wait()
            check(self.run(name), name, "starts again:", self.mesh.complaints()[-1500:])
        self.leader()


def is_copied(source, target):
    shutil.rmtree(target, ignore_errors=True)
    return subprocess.run(["cp", "-a", "--sparse=always", source, target], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


def index_of(line):
    """Of a line of a ledger that was read."""
    return int(next(word for word in line.split() if word.startswith("index="))[6:])


def last_index(lines):
    return index_of(lines.splitlines()[-1])


def allow_many_files():
    """For a crowd of sockets, here and in whatever is started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000) if hard > 0 else 20000, hard))
