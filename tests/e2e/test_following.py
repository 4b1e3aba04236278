#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""grove events: what has happened, what happens, through a coordinator that dies and comes back; and
no event twice, nor one too few."""

import json
import os
import subprocess
import threading
import time

from mesh import GROVE, PATIENCE, Mesh, check, run_tests, until


class Follower:
    """A grove events whose lines are read as they come."""

    def __init__(self, mesh, *words):
        self.lines = []
        self.process = mesh.spawn("events", [GROVE, "events", *words], "operator",
                                  stdout=subprocess.PIPE)
        mesh.processes.append(self.process)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode())

    def events(self):
        return [json.loads(line) for line in list(self.lines)]

    def end(self):
        code = self.process.wait(PATIENCE)
        self.thread.join(PATIENCE)
        return code


def ended(events):
    return [event["task"] for event in events if event["event"] == "task-ended"]


def what_happens_is_told_once():
    with Mesh() as mesh:
        mesh.worker("w1", slots=2)
        first = mesh.submit_all("echo", "a", 2)
        mesh.outcomes(first)
        follower = Follower(mesh, "--follow", "--since", "0", "-o", "json")
        until(lambda: set(ended(follower.events())) == set(first), PATIENCE, "what was before")
        mesh.kill()
        with_log = os.path.join(mesh.directory, "events.log")
        def said():
            with open(with_log, encoding="utf-8") as file:
                return file.read()
        alone = "no coordinator answers; it goes on when one does"
        until(lambda: alone in said(), PATIENCE, "it says so")
        for _ in range(30):  # while it asks several times
            time.sleep(0.1)
            check(said().count(alone) == 1, "it says so once", said())
        mesh.restart()
        second = mesh.submit_all("echo", "b", 3)
        until(lambda: set(ended(follower.events())) == set(first + second), PATIENCE, "what comes after")
        events = [each for each in follower.events() if each["event"] != "leader-changed"]
        numbers = [event["number"] for event in events]
        check(numbers == sorted(set(numbers)), "in order, and none twice", numbers)
        answer = mesh.ask("events 0")["events"]
        held = [each["number"] for each in answer
                if each["event"] != "leader-changed" and each["number"] <= numbers[-1]]
        check(numbers == held, "none too few", numbers, held)
        again = Follower(mesh, "--since", str(numbers[-2]), "-o", "json")
        check(again.end() == 0 and again.events()[0]["number"] == numbers[-1], "it can be gone on with")


def from_now_on_and_no_further():
    with Mesh() as mesh:
        old = mesh.submit_all("echo", "a", 1)[0]
        follower = Follower(mesh, "--follow", "--count", "1")
        # What it begins with is what is newest when it comes: it may take a few until it is there.
        new = []
        until(lambda: new.append(mesh.submit_all("echo", "b%d" % len(new), 1)[0])
              or follower.process.poll() is not None, PATIENCE, "it ends after one")
        check(follower.end() == 0 and len(follower.lines) == 1, follower.lines)
        line = follower.lines[0]
        check(" task-submitted " in line and " function echo" in line and old not in line, line)
        check(any("task " + each in line for each in new), line)


def what_others_have_written_is_escaped():
    with Mesh() as mesh:
        worker = mesh.peer("w1")
        worker.enlist(["step"], 1)
        with mesh.peer() as client:
            client.submit([client.task_item("step", b"x")])
        worker.report([worker.result_item(worker.assigned(), f9=2, f10=None, f11="\x1b[2J\nevil")])
        until(lambda: any(each["event"] == "task-ended" for each in mesh.ask("events 0")["events"]),
              PATIENCE, "it has failed")
        follower = Follower(mesh, "--since", "0")
        check(follower.end() == 0, "it ends with what there is")
        line = next(each for each in follower.lines if " task-ended " in each)
        check(line.endswith("error \\u{1b}[2J\\u{a}evil\n") and " code permanent " in line, line)


run_tests([what_happens_is_told_once, from_now_on_and_no_further,
           what_others_have_written_is_escaped])
