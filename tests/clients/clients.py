# SPDX-License-Identifier: MPL-2.0
"""How a client of any language must behave: each test takes the language that it tries."""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "tests", "e2e"))
from mesh import CLIENT, GROVE, OBSERVER, WORKER, Mesh, check, until  # noqa: E402

CLIENTS = os.path.join(SOURCE, "nodes", "clients")
COMMANDS = {"python": ["/usr/bin/python3", os.path.join(HERE, "actors", "peer.py")],
            "node": ["node", os.path.join(HERE, "actors", "peer.mjs")]}
SAMPLES = {"python": ["/usr/bin/python3", os.path.join(CLIENTS, "python", "samples.py")],
           "node": ["node", os.path.join(CLIENTS, "node", "samples.mjs")]}
SECONDS = 120
SKIPPED = 77  # exit status of a test that cannot run here


def missing(language):
    """What a language lacks on this machine, in a sentence; None if nothing."""
    if language != "node":
        return None
    if shutil.which("node") is None:
        return "no node here"
    answer = subprocess.run(["node", os.path.join(CLIENTS, "node", "grove.mjs")], capture_output=True,
                            text=True, check=False)
    if "ERR_MODULE_NOT_FOUND" in answer.stderr:
        return "no packages: npm install --no-package-lock --prefix nodes/clients/node"
    check(answer.returncode == 0, answer.stderr)
    return None


def readme(language):
    """The program that README.md shows in a language: not a command that stays, which imports
    nothing of grove."""
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```%s\n(.*?)^```" % language, file.read(), re.DOTALL | re.MULTILINE)
    return next(block for block in blocks if re.search(r"^import .*grove", block, re.MULTILINE))


def run_readme(mark, command, suffix):
    """Runs it as README.md says, on a mesh of `grove dev`; it prints 200."""
    with tempfile.TemporaryDirectory(prefix="grove-e2e-") as directory:
        path = os.path.join(directory, "report" + suffix)
        with open(path, "w", encoding="utf-8") as file:
            file.write(readme(mark).replace("./nodes", os.path.abspath(SOURCE) + "/nodes"))
        environment = dict(os.environ, XDG_RUNTIME_DIR=directory, TMPDIR=directory,
                           PYTHONPATH=os.path.join(CLIENTS, "python"))
        environment.pop("GROVE_CREDENTIAL", None)
        output = subprocess.run([GROVE, "dev", "--quiet", "--", command, path], env=environment,
                                capture_output=True, text=True, timeout=SECONDS, check=False)
        check(output.stdout == "200\n", output)


class Clients:
    """A mesh, and the clients and workers of the tests in it."""

    def __init__(self):
        both = CLIENT | WORKER | OBSERVER
        self.mesh = Mesh(nodes=(("both", both), ("other", both), ("third", both)))

    def __enter__(self):
        self.mesh.__enter__()
        return self

    def __exit__(self, *what):
        self.mesh.__exit__(*what)

    def worker(self, language, slots=1, window=0, credential="both"):
        """Starts a worker and awaits its enlisting."""
        process = self.mesh.spawn("%s-%s" % (language, credential),
                                  COMMANDS[language] + ["worker", str(slots), str(window)], credential,
                                  stdout=subprocess.PIPE, text=True)
        self.mesh.processes.append(process)
        check(process.stdout.readline() == "enlisted\n", language, "worker:", self.mesh.complaints())
        return process

    def client(self, language):
        return Client(self.mesh, language)

    def log(self, prefix):
        """The lines of the log that begin so."""
        return [each for each in self.mesh.executions() if each[0].startswith(prefix)]


class Client:
    """A client program that does what it is told, line by line."""

    def __init__(self, mesh, language, credential="both"):
        environment = dict(os.environ, GROVE_CREDENTIAL=mesh.nodes[credential].path)
        self.process = subprocess.Popen(COMMANDS[language] + ["client"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=environment, text=True)
        mesh.processes.append(self.process)

    def start(self, *what, **options):
        self.process.stdin.write(json.dumps({"do": what, "options": options}) + "\n")
        self.process.stdin.flush()

    def answer(self):
        check(select.select([self.process.stdout], [], [], SECONDS)[0], "no answer in", SECONDS, "s")
        line = self.process.stdout.readline()
        check(line, "the client ended")
        return json.loads(line)

    def do(self, *what, **options):
        self.start(*what, **options)
        return self.answer()


def raised(answer, name, code):
    check(isinstance(answer, dict) and answer.get("raised") == name and answer["code"] == code, answer)
    return answer


# ---- the tests

def the_samples_run(language):
    """Each pattern of the page, on one slot; and the tree of its flow is three levels deep."""
    with Clients() as clients:
        mesh = clients.mesh
        process = mesh.spawn("samples", SAMPLES[language], "both", stdout=subprocess.PIPE, text=True)
        mesh.processes.append(process)
        output, _ = process.communicate(timeout=SECONDS)
        check(process.returncode == 0, output, mesh.complaints())
        found = {}
        for line in output.splitlines():
            found.update(json.loads(line))
        check(found["pipeline"] == {"transformed": True, "source": "api", "rows": 100}, found)
        parent, child, grandchild = found["parent_task"]
        check(parent[1] == "" and child[1] == parent[0] and grandchild[1] == child[0], found)
        check({parent[0]} == {each[2] for each in (parent, child, grandchild)}, found)
        check(found["orchestrator"]["status"] == "degraded"
              and "no such data: x" in found["orchestrator"]["error"], found)
        check(found["resilient_pipeline"] == {"processed": {"query": "data", "from": "secondary"}}, found)
        check([each["user"] for each in found["fan_out_example"]] == ["ada", "bob", "eve"], found)
        check(found["batch_process"] == [i * i for i in range(50)], found)
        check(found["samples.flow"] == {"segments": [
            {"segment": i, "steps": [{"segment": i, "step": j} for j in (1, 2, 3)]} for i in (1, 2, 3)]},
              found)
        check(found["fastest"] == "fast q" and found["collected"] == [0, 1, 4, 9, 16], found)
        tree = mesh.ask("tree " + parent[0])["tasks"]
        check([(each["depth"], each["state"]) for each in tree]
              == [(i, "succeeded") for i in range(3)], tree)


def a_failure_says_what_and_where(language):
    with Clients() as clients:
        clients.worker(language)
        client = clients.client(language)
        answer = raised(client.do("wait", language + ".bad", "broken"), "TaskExecutionError", "permanent")
        check(answer["error"] == "broken" and answer["bytes"] == "more"
              and answer["function"] == language + ".bad" and len(answer["task"]) == 32, answer)
        raised(client.do("result", "00" * 16), "Refused", 32)


def the_same_key_is_the_same_task(language):
    with Clients() as clients:
        clients.worker(language)
        client = clients.client(language)
        first = client.do("submit", language + ".echo", "x", key="k")
        check(client.do("submit", language + ".echo", "x", key="k") == first, first)
        raised(client.do("submit", language + ".echo", "y", key="k"), "Refused", 21)
        check(client.do("result", first) == "x", first)


def a_root_names_the_one_that_it_runs_again(language):
    with Clients() as clients:
        client = clients.client(language)
        first = client.do("submit", language + ".echo", "x")
        again = client.do("submit", language + ".echo", "x", retryOf=first)
        check(clients.mesh.ask("task " + again)["retry_of"] == first, first, again)
        check("retry_of" not in clients.mesh.ask("task " + first), first)


def a_cancelled_handler_stops_and_frees_its_slot(language):
    with Clients() as clients:
        clients.worker(language)
        client = clients.client(language)
        root = client.do("submit", language + ".tree", "t")
        until(lambda: clients.log(language + ".stubborn"), SECONDS, "the leaf runs")
        counts = client.do("cancel", root)
        check(sorted(counts.values()) == [0, 0, 2], counts)
        check(client.do("wait", language + ".echo", "after") == "after", "the slot is free")
        check(len(clients.log("stopped:")) == 1, clients.mesh.executions())
        raised(client.do("result", root), "TaskExecutionError", "cancelled")


def a_timeout_ends_an_attempt(language):
    with Clients() as clients:
        clients.worker(language)
        client = clients.client(language)
        answer = client.do("wait", language + ".stubborn", "x", timeoutMs=200)
        raised(answer, "TaskExecutionError", "timeout")
        check(client.do("wait", language + ".echo", "after") == "after", "the slot is free")


def a_checkpoint_reaches_the_next_attempt(language):
    with Clients() as clients:
        clients.worker(language)
        client = clients.client(language)
        identity = client.do("submit", language + ".counted", "x", maxAttempts=2)
        check(client.do("result", identity) == "kept", "the second attempt has it")
        check([each[2] for each in clients.log(language + ".counted")] == ["1", "2"], "two attempts")
        progress = clients.mesh.task(identity)["progress"]
        check((progress["percent"], progress["text"]) == (40, "half way"), progress)


def a_parent_that_died_goes_on(language):
    """Its worker is killed under it; run again by another, it has the children that had ended."""
    with Clients() as clients:
        first = clients.worker(language)
        client = clients.client(language)
        client.start("wait", language + ".chain", "6 3 %s/died" % clients.mesh.directory)
        first.wait(SECONDS)
        clients.worker(language, credential="other")
        found = client.answer().split(" ")
        check(len(set(found)) == 6, found)
        check(len(clients.log(language + ".random")) == 6, "no child ran twice:", clients.mesh.executions())


def a_parent_that_takes_another_path_begins_another_join(language):
    with Clients() as clients:
        first = clients.worker(language, slots=2)
        client = clients.client(language)
        client.start("wait", language + ".fickle", clients.mesh.directory + "/died")
        first.wait(SECONDS)
        begun = len(clients.log(language + ".stubborn"))
        clients.worker(language, credential="other")  # what was lost never runs beside another
        until(lambda: len(clients.log(language + ".stubborn")) > begun, SECONDS, "the deeper one runs")
        clients.worker(language, credential="third")
        check(client.answer() == "two three", "the other path")
        until(lambda: clients.log("stopped:"), SECONDS, "what the first path began is cancelled")


def joins_in_a_handler(language):
    with Clients() as clients:
        clients.worker(language)
        answer = clients.client(language).do("wait", language + ".joins", "300")
        names = [str(i) for i in range(300)]
        check(json.loads(answer) == names * 3 + ["won"] + ["later"] * 3, answer)


def joins_from_outside(language):
    with Clients() as clients:
        clients.worker(language, slots=2)
        client = clients.client(language)
        echo, bad, stubborn = (language + name for name in (".echo", ".bad", ".stubborn"))
        names = [str(i) for i in range(700)]
        check(client.do("map", echo, names, limit=50) == names, "map")
        check(client.do("stream", echo, names, limit=50) == names, "a stream")
        check(client.do("gather", [echo, "a"], [echo, "b"]) == ["a", "b"], "gather")
        answer = client.do("gather", [echo, "a"], [bad, "b"])
        check(raised(answer, "JoinError", "permanent")["failures"] == [[1, "permanent"]], answer)
        answer = client.do("gather", [bad, "b"], [stubborn, "c"], stopOnFailure=True)
        check(raised(answer, "JoinError", "permanent")["failures"]
              == [[0, "permanent"], [1, "cancelled"]], answer)
        check(client.do("gather", [echo, "a"], [bad, "b"], returnFailures=True)[0] == "a", "no exception")
        check(client.do("race", [bad, "b"], [echo, "won"], [stubborn, "c"]) == "won", "race")
        answer = client.do("race", [echo, "1"], [echo, "2"], [stubborn, "c"], winners=2)
        check(sorted(answer) == ["1", "2"], answer)
        answer = client.do("race", [bad, "b"], [stubborn, "c"], firstSettled=True)
        raised(answer, "TaskExecutionError", "permanent")
        raised(client.do("race", [bad, "b"], [bad, "c"]), "JoinError", "permanent")


def a_worker_drains(language):
    """At SIGTERM it hands back what has not started and ends with 0; another does that."""
    with Clients() as clients:
        first = clients.worker(language, window=3)
        client = clients.client(language)
        stuck = client.do("submit", language + ".stubborn", "x")
        until(lambda: clients.log(language + ".stubborn"), SECONDS, "it runs")
        behind = [client.do("submit", language + ".echo", each) for each in "abc"]
        first.terminate()
        until(lambda: [each["functions"] for each in clients.mesh.ask("workers")["workers"]] == [[]],
              SECONDS, "it offers nothing any more")
        clients.worker(language, credential="other")
        check([client.do("result", each) for each in behind] == ["a", "b", "c"], "handed back")
        client.do("cancel", stuck)
        check(first.wait(SECONDS) == 0, "it ends when what it ran has ended")


def a_worker_without_a_mesh_ends_all_the_same(language):
    with Clients() as clients:
        worker = clients.worker(language)
        clients.client(language).do("submit", language + ".stubborn", "x")
        until(lambda: clients.log(language + ".stubborn"), SECONDS, "it runs")
        clients.mesh.kill()
        worker.terminate()
        check(worker.wait(SECONDS) == 0, "it ends")


TESTS = (the_samples_run, a_failure_says_what_and_where, the_same_key_is_the_same_task,
         a_root_names_the_one_that_it_runs_again,
         a_cancelled_handler_stops_and_frees_its_slot, a_timeout_ends_an_attempt,
         a_checkpoint_reaches_the_next_attempt, a_parent_that_died_goes_on,
         a_parent_that_takes_another_path_begins_another_join, joins_in_a_handler, joins_from_outside,
         a_worker_drains, a_worker_without_a_mesh_ends_all_the_same)
