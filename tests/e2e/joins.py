# SPDX-License-Identifier: MPL-2.0
"""What the tests of joins share: joins and cancels from outside by the library, and what the log of
executions and the events say of a moment and of a limit."""

import os
import subprocess
import time

from mesh import BUILD, check, finish, root_id, until


class Joined:
    """What a joiner printed: [(code, bytes or text)] of its inputs, status, counts, winners and the
    error."""

    def __init__(self, text):
        inputs, _, rest = text.rpartition("joined ")
        words, _, self.error = rest.partition("\n")
        self.status, *numbers = words.split(" ")
        self.succeeded, self.failed, self.cancelled, *self.winners = map(int, numbers)
        self.inputs = []
        for line in inputs.splitlines():
            position, code, data = line.split(" ", 2)
            check(int(position) == len(self.inputs), "in input order:", line)
            self.inputs.append((code, data))


def begin(mesh, *words):
    """Starts the joiner of tests/e2e/actors."""
    process = mesh.spawn("joiner", [os.path.join(BUILD, "actors", "joiner"), *map(str, words)],
                         "client", stdout=subprocess.PIPE)
    mesh.processes.append(process)
    return process


def end(process, seconds=60):
    output = finish(process, seconds)
    check(process.returncode == 0, "the joiner could ask:", output[-500:])
    return output.decode()


def join(mesh, *words):
    return Joined(end(begin(mesh, *words)))


def join_id(mesh, key):
    """Of the root of a join from outside."""
    return root_id(mesh.nodes["client"].key, key).hex()


def cancel(mesh, identity):
    """(never started, stopped, already done)"""
    word, status, *counts = end(begin(mesh, "cancel", identity)).split()
    check((word, status) == ("cancelled", "ok"), word, status)
    return tuple(map(int, counts))


def limit(mesh, function, *options):
    """grove limit, by the operator."""
    check(mesh.grove("limit", function, *options)[0] == 0, "the limit is set")


def tree(mesh, identity):
    """{id: task} of all tasks of a root."""
    tasks, cursor = {}, ""
    while cursor is not None:
        page = mesh.ask("tree %s %s" % (identity, cursor))
        tasks.update((task["id"], task) for task in page["tasks"])
        cursor = page.get("cursor")
    return tasks


def began(mesh, function):
    """The executions of a function, in the order they began."""
    return [execution for execution in mesh.executions() if execution[0] == function]


def has_begun(mesh, payload):
    """Whether the work with that payload has."""
    return any(execution[3] == payload for execution in began(mesh, "work"))


def peak(executions):
    """The most works that were alive at a time, by where they say that they begin and end."""
    alive, most = set(), 0
    for function, identity, *_ in executions:
        if function == "work":
            alive.add(identity)
        elif function == "end:work":
            alive.discard(identity)
        most = max(most, len(alive))
    return most


def events(mesh, since=0):
    """All that has happened, in the order of the ledger."""
    found, page = [], {"last": since, "newest": since + 1}
    while page["last"] < page["newest"]:
        page = mesh.ask("events %d" % page["last"])
        check(page["complete"], "all events are kept")
        found += page["events"]
    return found


def is_idle(mesh):
    """Whether no worker has anything, and all have answered what they were told."""
    return all(worker["assigned"] == worker["waiting"] == worker["stopping"] == 0
               for worker in mesh.ask("workers")["workers"])


def nothing_starts_after(mesh, identity, seconds=0.3):
    """The end of a root, which there has been: by the ledger nothing is assigned, and when its workers
    have put down what they had by then, nothing begins."""
    until(lambda: is_idle(mesh), 60, "the workers have put down what they had")
    before, end = len(starts(mesh)), time.monotonic() + seconds
    mine = [event for event in events(mesh) if event.get("root") == identity]
    ended = [(event["event"], event["task"]) for event in mine].index(("task-ended", identity))
    check(all(event["event"] != "task-assigned" for event in mine[ended:]), mine[ended:])
    while time.monotonic() < end:
        check(len(starts(mesh)) == before, "something began:", starts(mesh)[before:])
        time.sleep(0.02)


def starts(mesh):
    return [execution for execution in mesh.executions() if not execution[0].startswith("end:")]
