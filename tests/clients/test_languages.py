#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Python, JavaScript, C and the shell submit to and work for each other in one mesh, whose leader is
killed under them. A language that cannot run here is left out, and says so."""

import os
import subprocess
import sys

from clients import COMMANDS, SECONDS, Client, check, missing, until
from cluster import Cluster
from mesh import BUILD, CLIENT, GROVE, OBSERVER, WORKER, Node, run_tests

LANGUAGES = [language for language in ("python", "node", "c", "shell") if not missing(language)]
LOAD = 60  # ways of each client while the leader is killed
WORK = {"python": COMMANDS["python"] + ["worker", "4", "0"],
        "node": COMMANDS["node"] + ["worker", "4", "0"],
        "c": [os.path.join(BUILD, "actors", "hopper"), "worker"],
        "shell": [GROVE, "worker", "--slots", "4", "--exec", "shell.hop=printf shell"]}


class Languages(Cluster):
    """Three coordinators, and a worker of each language."""

    def __init__(self):
        super().__init__()
        for name in LANGUAGES:
            self.nodes[name] = Node(self, name, CLIENT | WORKER | OBSERVER)

    def __enter__(self):
        super().__enter__()
        for language in LANGUAGES:
            self.processes.append(self.spawn(language, WORK[language], language,
                                             stdout=subprocess.DEVNULL))
        until(lambda: self.ask("stats")["workers"] == len(LANGUAGES), SECONDS, "all workers enlist")
        return self

    def answer(self, language, function, way):
        """What a function returns for a way, to a client in a language."""
        if language in COMMANDS:
            return Client(self, language, language).do("wait", function, way)
        command = {"c": [os.path.join(BUILD, "actors", "hopper"), "client", function, way],
                   "shell": ["/bin/sh", "-c", '"$0" run -t "$1" "$2"', GROVE, function, way]}
        environment = dict(os.environ, GROVE_CREDENTIAL=self.nodes[language].path)
        done = subprocess.run(command[language], env=environment, capture_output=True, text=True,
                              timeout=SECONDS, check=False)
        check(done.returncode == 0, done)
        return done.stdout


def ways():
    """Through all languages, from each of those that make children; the shell's command ends it."""
    calling = [each for each in LANGUAGES if each != "shell"]
    return [calling[i:] + calling[:i] + ["shell"] for i in range(len(calling))]


def each_works_for_each():
    with Languages() as mesh:
        for language in LANGUAGES:
            for way in ways():
                found = mesh.answer(language, way[0] + ".hop", " ".join(way[1:]))
                check(found == " ".join(way), language, "asked for", way, "and got", found)


def nothing_is_lost_with_the_leader():
    """Clients and workers go on with the next leader, and every way has been gone to its end once."""
    with Languages() as mesh:
        mesh.await_whole()
        way = ways()[0]
        last = way[-2] + ".hop"  # paused, so that no way is at its end before the leader is dead
        until(lambda: mesh.grove("limit", last, "--pause")[0] == 0, SECONDS, "paused")
        clients = [Client(mesh, language, language) for language in LANGUAGES if language in COMMANDS]
        for client in clients:
            client.start("many", *[[way[0] + ".hop", " ".join(way[1:])]] * LOAD)
        logged = LOAD * len(clients) * len(clients)  # hops of languages that write the log
        leader = mesh.leader()
        until(lambda: len(mesh.executions()) >= LOAD // 3, SECONDS, "some have begun")
        mesh.kill_one(leader)
        mesh.leader()
        until(lambda: mesh.grove("limit", last, "--resume")[0] == 0, SECONDS, "resumed")
        for client in clients:
            answer = client.answer()
            check(answer == [" ".join(way)] * LOAD, [each for each in answer if each != " ".join(way)][:3])
        begun = [execution[:2] for execution in mesh.executions()]
        check(len(set(begun)) == logged, len(set(begun)), "of", logged, "tasks ran")
        # A worker that a slow machine keeps from the next leader for 6 s is retired, and its work done again.
        losses = mesh.stats()["totals"]["losses"]
        check(len(begun) <= logged + losses, len(begun), "attempts of", logged, "tasks;", losses, "lost")


if __name__ == "__main__":
    for absent in ("node",):
        if missing(absent):
            print("without %s: %s" % (absent, missing(absent)))
    run_tests([test for test in (each_works_for_each, nothing_is_lost_with_the_leader)
               if sys.argv[1:] in ([], [test.__name__])])
