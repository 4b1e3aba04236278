#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""For each reason that a task can be waiting, explain names it, and the command that would help: of
a coordinator whose workers do as they are told."""

import os
import subprocess

from joins import begin, join_id, limit
from mesh import (ACCEPTED, DONE, EXPAND, GOODBYE, GROVE, PATIENCE, RETURN, STOP, TASK, Mesh,
                  check, encode, finish, one, run_tests, until)

REFUSED_BY_WORKER, FAILED = 4, 1


class Stage(Mesh):
    """A mesh with one client, and workers that the test plays."""

    def submit(self, function="step", **more):
        """The id of a new root."""
        with self.peer() as client:
            answer = client.submit([client.task_item(function, os.urandom(8), **more)])
            check(answer.kind == ACCEPTED, "accepted", answer.refusal())
            return answer.body[1][0].hex()

    def play(self, name="w1", functions=("step",), slots=1, window=0, **more):
        worker = self.peer(name)
        worker.enlist(list(functions), slots, window, **more)
        return worker

    def reasons(self, identity, kinds):
        """The chain of reasons, if it is of these kinds."""
        reasons = self.ask("explain " + identity)["reasons"]
        check(all(reason["text"] for reason in reasons), "each in a sentence", reasons)
        return reasons if tuple(reason["kind"] for reason in reasons) == kinds else None

    def why(self, identity, *kinds):
        """Awaits the chain of reasons, and returns the last."""
        return until(lambda: self.reasons(identity, kinds), PATIENCE,
                     (kinds, self.ask("explain " + identity)))[-1]


def wait_for_child(worker, parent, function="step"):
    """The attempt makes a child and waits for it; returns the child's id."""
    batch = worker.seal(TASK, [worker.child_item(parent, function, os.urandom(8))])
    waits = encode({1: parent["task"], 2: parent["attempt"], 4: b"\0"})
    answer = worker.ask(EXPAND, {1: batch, 2: waits})
    check(answer.kind == ACCEPTED, "the child is accepted", answer.refusal())
    return answer.body[1][0].hex()


def give_back(worker, assigned, reason, text=""):
    worker.ask(RETURN, {1: encode({1: assigned["task"], 2: assigned["attempt"], 3: reason,
                                   4: text or None})})


def what_has_no_worker_or_no_slot():
    with Stage() as mesh:
        first = mesh.submit()
        reason = mesh.why(first, "no-worker")
        check(reason["help"] == "grove worker --exec step=COMMAND", reason)
        mesh.play(window=1)
        mesh.why(first, "runs")
        second, third = mesh.submit(), mesh.submit()
        check("starts 0 others before" in mesh.why(second, "ahead")["text"], "the next")
        reason = mesh.why(third, "no-slot")
        check("0 are before it" in reason["text"] and reason["help"] == "grove worker --slots N",
              reason)
        check("1 are before it" in mesh.why(mesh.submit(), "no-slot")["text"], "in its place")


def what_waits_for_time():
    with Stage() as mesh:
        worker = mesh.play()
        reason = mesh.why(mesh.submit(f7=600000), "delayed")
        check(reason["at_ms"] > worker.now() + 500000, reason)
        failing = mesh.submit(f10=1000)

        def backs_off():  # at first for a second only, each time for twice as long
            item = worker.result_item(worker.assigned(), f9=FAILED, f10=None, f11="no luck")
            check(worker.report([item]).kind == DONE, "reported")
            return mesh.reasons(failing, ("backoff",))
        check("no luck" in until(backs_off, PATIENCE, "backoff")[0]["text"], "what it failed of")


def what_workers_refuse():
    """Refused by one, then by the other before that leaves: nobody is left that would take it."""
    with Stage() as mesh:
        refuser, other = mesh.play("w1"), mesh.play("w2", slots=1)
        busy = mesh.submit()
        refused = mesh.submit()
        for worker in (refuser, other):
            assigned = worker.assigned()
            if assigned["task"].hex() == refused:
                give_back(worker, assigned, REFUSED_BY_WORKER, "not mine")
                keeps = other if worker is refuser else refuser
            else:
                keeps = worker
        until(lambda: mesh.task(busy)["state"] == "running", PATIENCE, "the other is busy")
        mesh.why(refused, "no-slot")
        keeps.send(GOODBYE)
        reason = mesh.why(refused, "no-taker")
        check("not mine" in reason["text"] and reason["help"] == "grove cancel " + refused, reason)


def what_was_lost_before():
    """Two that were lost with a worker never run beside each other."""
    with Stage() as mesh:
        worker, tasks = mesh.play(slots=2), []
        for _ in range(2):
            tasks.append(mesh.submit())
            check(worker.assigned()["task"].hex() == tasks[-1], "it runs")
        mesh.play(slots=2, f7=True)  # the host knows that the earlier process is gone
        kinds = lambda: sorted(mesh.ask("explain " + each)["reasons"][0]["kind"] for each in tasks)
        until(lambda: kinds() == ["calm", "runs"], PATIENCE, "one runs, one waits: " + str(kinds()))


def what_its_function_may_not():
    with Stage() as mesh:
        worker = mesh.play(slots=4)
        limit(mesh, "step", "--running", "1")
        mesh.submit()
        worker.assigned()
        task = mesh.submit()
        reason = mesh.why(task, "limit")
        check(reason["help"] == "grove limit step --running N", reason)
        limit(mesh, "step", "--running", "0", "--rate", "4/h")
        mesh.why(task, "runs")
        task = mesh.submit()
        check(mesh.why(task, "rate")["help"] == "grove limit step --rate N", "the rate")
        limit(mesh, "step", "--pause")
        check(mesh.why(task, "paused")["help"] == "grove limit step --resume", "a pause")


def a_parent_that_waits_and_may_not_go_on():
    with Stage() as mesh:
        worker, other = mesh.play(functions=["flow"]), mesh.play("w2")
        parent = mesh.submit("flow")
        assigned = worker.assigned()
        child = wait_for_child(worker, assigned)
        mesh.why(parent, "child", "runs")
        done = other.assigned()
        mesh.submit("flow")
        worker.assigned()
        limit(mesh, "flow", "--running", "1")
        result = other.result_item(done, f3=bytes.fromhex(parent), f4=bytes.fromhex(parent))
        check(other.report([result]).kind == DONE, "its child has ended", child)
        check(mesh.why(parent, "barred")["help"] == "grove limit flow --running N", "barred")
        limit(mesh, "flow", "--running", "0")
        check(mesh.why(parent, "slot")["help"] == "grove worker --slots N", "no slot")


def workers_full_of_what_waits():
    with Stage() as mesh:
        worker = mesh.play(functions=["flow"], f5=1)
        for _ in range(2):
            mesh.submit("flow")
            wait_for_child(worker, worker.assigned(), "nobody")
        check(mesh.why(mesh.submit("flow"), "cap")["help"] == "grove worker --slots N", "full")


def joins_and_windows():
    with Stage() as mesh:
        mesh.play(functions=["step"], slots=4)
        begin(mesh, "map", "key", 1, 0, "step=1", "step=2")
        root = join_id(mesh, "key")
        inputs = lambda: mesh.ask("tree " + root).get("tasks", [])[1:]
        until(lambda: len(inputs()) == 2, PATIENCE, "the map has its inputs")
        reason = mesh.why(root, "join", "runs")
        check("0 have ended" in mesh.ask("explain " + root)["reasons"][0]["text"], reason)
        held = [each["id"] for each in inputs() if each["state"] == "held"]
        check(len(held) == 1 and "runs 1 at a time; 0 inputs are before it" in
              mesh.why(held[0], "window")["text"], held)


def a_join_that_is_not_closed():
    with Stage() as mesh:
        worker = mesh.play()
        lines = mesh.spawn("lines", [GROVE, "map", "-t", "step", "-j", "2"], "client",
                           stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        mesh.processes.append(lines)
        lines.stdin.write(b"only\n")
        lines.stdin.flush()
        assigned = worker.assigned()
        root = one(assigned["item"], 21).hex()
        result = worker.result_item(assigned, f3=bytes.fromhex(root), f4=bytes.fromhex(root))
        check(worker.report([result]).kind == DONE, "the only input has ended")
        check(mesh.why(root, "inputs")["help"] == "grove cancel " + root, "more may come")
        finish(lines)  # which closes its stdin
        check(lines.returncode == 0, "and it ends")


def what_has_ended_and_what_is_held_still():
    with Stage() as mesh:
        worker, task = mesh.play(), mesh.submit()
        assigned = worker.assigned()
        check(mesh.grove("cancel", task, name="client")[0] == 0, "it is cancelled")
        mesh.why(task, "stopping")
        check(worker.next(PATIENCE, lambda message: message.kind == STOP) is not None, "a Stop")
        give_back(worker, assigned, 2)
        mesh.why(task, "ended")


run_tests([what_has_no_worker_or_no_slot, what_waits_for_time, what_workers_refuse,
           what_was_lost_before, what_its_function_may_not, a_parent_that_waits_and_may_not_go_on,
           workers_full_of_what_waits, joins_and_windows, a_join_that_is_not_closed,
           what_has_ended_and_what_is_held_still])
