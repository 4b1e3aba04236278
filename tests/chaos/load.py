# SPDX-License-Identifier: MPL-2.0
"""Calls of all kinds, all the time: submits, parents of all patterns, joins from outside, cancels, waits,
what may run once at most, limits, reads."""

import json
import random
import subprocess
import threading
import time

import zmq

from joins import Joined, begin, tree
from mesh import check, root_id, until
from record import short

# function, payload ("-": its number), how many at a time
SUBMITS = (("echo", "-", 400), ("nap", "20", 40), ("work", "5 1", 40), ("flow", "2", 4),
           ("gatherer", "6", 5), ("gatherer", "4 20", 4), ("mapper", "8 2 10", 4),
           ("racer", "nap=50,echo=1,work=5 x", 4), ("tick", "15", 30))
LIMITED, MOST = "tick", 4  # never do more of these run at a time
JOINS = (("map", 2, 0, "work", 12), ("map", 3, 2, "work", 10), ("gather", 0, "echo", 20),
         ("gather", 1, "work", 8), ("race", 1, "nap", 5), ("race", 2, "work", 6))
SETTLE = 300  # seconds for what is to come by itself, on a machine that is busy or stands still
WORKER_CODES = ("succeeded", "failed", "permanent", "timeout")


class Load:
    """Threads that call, each one call after another, until told to stop."""

    def __init__(self, mesh, record, seed):
        self.mesh, self.record, self.seed = mesh, record, seed
        self.lock = threading.Lock()
        self.acknowledged, self.trees, self.asked = {}, [], []
        self.unknown, self.joined, self.cancelled, self.reads = 0, 0, 0, 0
        self.onces, self.waits, self.limits = 0, 0, 0
        self.errors, self.doing = [], {}
        self.is_over = threading.Event()
        calls = (self.submit, self.submit, self.join, self.join, self.cancel, self.read,
                 self.once, self.wait, self.limit)
        self.threads = [threading.Thread(target=self.guard, args=(call, i), daemon=True)
                        for i, call in enumerate(calls)]

    def start(self):
        code, _, error = self.mesh.grove("limit", LIMITED, "--running", str(MOST))
        check(code == 0, "limited from the beginning:", error)
        for thread in self.threads:
            thread.start()

    def was_there(self):
        """Some of each kind was answered."""
        return self.acknowledged and self.joined and self.reads

    def stop(self, seconds=120):
        """No new calls; those under way end, or it is a fault."""
        self.is_over.set()
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, end - time.monotonic()))
        stuck = [self.doing[i] for i, thread in enumerate(self.threads) if thread.is_alive()]
        check(not stuck, "calls that never end:", *map(self.explain, stuck))
        check(not self.errors, *self.errors)

    def explain(self, doing):
        """What the mesh knows of a call that does not end."""
        call, name = doing.split()
        if call not in ("join", "cancel"):
            return doing
        identity = self.identity("j" + name if call == "join" else "st" + name + ".0")
        tasks = tree(self.mesh, identity).values()
        text = "%s %s: %d tasks\n" % (doing, identity, len(tasks))
        for task in tasks:
            if task["state"] not in ("succeeded", "failed", "cancelled"):
                text += "%s\n%s\n" % (json.dumps(self.mesh.ask("task " + task["id"])),
                                      json.dumps(self.mesh.ask("explain " + task["id"])))
        return text + json.dumps(self.mesh.ask("workers")) + "\n"

    def guard(self, call, number):
        chance = random.Random("%d.%d" % (self.seed, number))
        calls = 0
        while not self.is_over.is_set():
            self.doing[number] = "%s %d-%d" % (call.__name__, number, calls)
            try:
                call(chance, "%d-%d" % (number, calls))
            except Exception as error:  # any; the run fails at its end
                self.errors.append("%s: %r" % (call.__name__, error))
                return
            calls += 1

    # ---- submits

    def submit(self, chance, name, plan=None):
        """A batch after the other of one submitter; which are acknowledged, it says."""
        function, payload, count = plan or chance.choice(SUBMITS)
        process = "s" + name
        ids = [self.identity("%s.%d" % (process, i)) for i in range(count)]
        for i, identity in enumerate(ids):
            data = str(i) if payload == "-" else payload
            self.record.add("inv", process + ".%d" % i, "submit", "id=" + identity,
                            "digest=" + short(data.encode()))
        submitter = self.mesh.submitter(function, process, 0, count, payload)
        known = {}
        for line in submitter.stdout:
            number, identity = line.decode().split()
            check(identity == ids[int(number)], "its id follows from its key")
            self.record.add("ok", process + ".%s" % number, "submit", "id=" + identity)
            known[identity] = True
            with self.lock:
                self.asked.append(identity)
        submitter.wait()
        for i, identity in enumerate(ids):
            if identity not in known:
                self.record.add("info", process + ".%d" % i, "submit", "id=" + identity)
        with self.lock:
            self.acknowledged.update(known)
            self.unknown += count - len(known)

    def identity(self, key):
        return root_id(self.mesh.nodes["client"].key, key).hex()

    # ---- joins

    def join(self, chance, name):
        kind, *numbers, function, count = chance.choice(JOINS)
        key = "j" + name
        words = ["%s=%d %d%s" % (function, chance.randrange(30), i,
                                 " fail" * (chance.random() < 0.1)) for i in range(count)]
        self.record.add("inv", key, "join", "id=" + self.identity(key))
        process = begin(self.mesh, kind, key, *numbers, *words)
        output, _ = process.communicate()
        if process.returncode == 0:
            self.hear(key, Joined(output.decode()), count)

    def hear(self, key, joined, count):
        """A join that ended was told whole; one that nobody answered for was not."""
        if joined.status not in ("ok", "failed") or len(joined.inputs) != count:
            return
        outcomes = ["%s:%s" % (code, short(data.encode() if code == "succeeded" else b"")
                               if code in WORKER_CODES else "") for code, data in joined.inputs]
        winners = ",".join(map(str, joined.winners))
        self.record.add("ok", key, "join", "id=" + self.identity(key),
                        "outcomes=" + ",".join(outcomes),
                        "winners=" + winners if winners else None)
        with self.lock:
            self.joined += 1

    # ---- cancels

    def cancel(self, chance, name):
        """A tree whose leaves hold their slots until they are told to stop."""
        identity = self.identity("st%s.0" % name)
        with self.lock:
            self.trees.append(identity)
        self.submit(chance, "t" + name, ("tree", "2 3", 1))
        self.is_over.wait(chance.random())
        until(lambda: self.cancel_tree(identity), SETTLE, "a tree is cancelled")

    def cancel_tree(self, identity):
        """False: nobody answered, or not in time."""
        output, _ = begin(self.mesh, "cancel", identity).communicate()
        answer = output.decode()
        with self.lock:
            self.cancelled += answer.startswith("cancelled ok")
        return answer.startswith(("cancelled ok", "cancelled not-found"))

    # ---- commands

    def once(self, chance, name):
        """One that may run once at most; by the same key until somebody answers."""
        process = "o%s" % name
        key, payload = process + ".0", str(chance.choice((1, 20, 300)))
        identity = self.identity(key)
        self.record.add("inv", key, "submit", "id=" + identity, "digest=" + short(payload.encode()))
        code, out, error = self.mesh.grove("submit", "-t", "nap", "--key", key, "--at-most-once",
                                           payload, name="client")
        is_expired = code == 4 and "(expired)" in error  # by a clock that has jumped
        check(code == 0 or is_unanswered(code, error) or is_expired, "submitted or not known:", code,
              error)
        if code != 0:
            self.record.add("fail" if is_expired else "info", key, "submit", "id=" + identity)
            with self.lock:
                self.unknown += not is_expired
            return
        check(out.strip() == identity, "its id follows from its key", out)
        self.record.add("ok", key, "submit", "id=" + identity)
        with self.lock:
            self.acknowledged[identity] = True
            self.asked.append(identity)
            self.onces += 1
        self.is_over.wait(0.1)

    def wait(self, chance, name):
        """For any that was submitted, however it ends."""
        with self.lock:
            identity = chance.choice(self.asked[-500:]) if self.asked else None
        if identity is None:
            self.is_over.wait(0.1)
            return
        process = "wt" + name
        self.record.add("inv", process, "read", "id=" + identity)
        code, out, error = self.mesh.grove("wait", identity, "--timeout", "10s", name="client")
        if code == 6 or is_unanswered(code, error):
            self.record.add("info", process, "read", "id=" + identity)
            return
        check(out.startswith(identity), "a wait says how it ended:", code, out, error)
        self.record.add("ok", process, "read", "id=" + identity, "state=ended")
        self.waits += 1

    def limit(self, chance, name):
        """Some tighter, some looser, and no more run than the loosest."""
        del name
        code, _, error = self.mesh.grove("limit", LIMITED, "--running",
                                         str(chance.randrange(1, MOST + 1)))
        check(code == 0 or is_unanswered(code, error), "limited:", code, error)
        try:
            functions = self.mesh.ask("functions", seconds=2)["functions"]
        except (AssertionError, zmq.ZMQError, KeyError):
            return
        running = sum(function["running"] for function in functions
                      if function["function"] == LIMITED)
        check(running <= MOST, running, "run, and the limit was never over", MOST)
        self.limits += 1
        self.is_over.wait(0.3)

    # ---- reads

    def read(self, chance, name):
        """What `stats` says of a task, whose state only goes on."""
        with self.lock:
            identity = chance.choice(self.asked) if self.asked else None
        if identity is None:
            self.is_over.wait(0.1)
            return
        process = "r" + name
        self.record.add("inv", process, "read", "id=" + identity)
        try:
            task = self.mesh.ask("task " + identity, seconds=2)
        except (AssertionError, zmq.ZMQError):
            self.record.add("info", process, "read", "id=" + identity)
            return
        self.reads += 1
        if task.get("stale_ms") == 0 and "state" in task:
            self.record.add("ok", process, "read", "id=" + identity, *state_of(task))
        time.sleep(0.02)


def is_unanswered(code, error):
    """Whether a command had no answer but to come again later: nobody was there, or not within the 30 s after
    which its request expires, or the disk was nearly full. One whose connection is cut off in its handshake,
    for that takes long on a machine that stands still, cannot tell that from a key that is not known."""
    return code == 5 or (code == 6 and "(timeout)" in error) or (
        code == 4 and ("(disk)" in error or "it does not know this key" in error))


def state_of(task):
    if task["state"] in ("succeeded", "failed", "cancelled"):
        return ("state=ended",)
    if task["attempt"] == 0:
        return ("state=accepted",)
    return "state=leased", "attempt=%d" % task["attempt"]


def terminate(process):
    process.terminate()
    try:
        process.wait(SETTLE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError("a worker does not end at SIGTERM") from None
