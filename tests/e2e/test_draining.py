#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""An operator has a worker leave: what has started ends there, the rest goes elsewhere, nothing new
comes, and the process ends; also of a worker that was away when it was told first."""

import os
import signal
import subprocess

from mesh import GROVE, PATIENCE, Mesh, check, finish, run_tests, until


def workers(mesh, *words, credential="operator"):
    """grove workers ...: (exit code, stdout)"""
    process = mesh.spawn("workers", [GROVE, "workers", *words], credential, stdout=subprocess.PIPE)
    mesh.processes.append(process)
    output = finish(process)
    return process.returncode, output.decode()


def began(mesh, function):
    return [each for each in mesh.executions() if each[0] == function]


def what_has_started_ends_and_the_rest_goes_elsewhere():
    with Mesh() as mesh:
        leaving = mesh.worker("w1", slots=1)
        ids = mesh.submit_all("linger", "a", 3, "1500")
        until(lambda: began(mesh, "linger"), PATIENCE, "the first runs")
        check("w1" in workers(mesh)[1], "it is listed", workers(mesh))
        check(workers(mesh, "drain", "w1", credential="client")[0] == 4, "not by a client")
        check(workers(mesh, "drain", "nobody")[0] == 3, "there is none of that name")
        mesh.worker("w2", slots=1)
        check(workers(mesh, "drain", "w1")[0] == 0, "it has left")
        check(leaving.wait(PATIENCE) == 0, "its process has ended well")
        check([each["name"] for each in mesh.ask("workers")["workers"]] == ["w2"], "the other stays")
        outcomes = mesh.outcomes(ids)
        check(all(outcomes[each][0] == "succeeded" for each in ids), outcomes)
        check(sorted(each[1] for each in began(mesh, "linger")) == sorted(ids),
              "each has run once", mesh.executions())
        check(workers(mesh, "drain", "w1")[0] == 3, "it is gone")


def one_that_is_away_is_told_again():
    """... unless all of this takes so long that it is retired before."""
    is_retired = True
    while is_retired:
        with Mesh() as mesh:
            leaving = mesh.worker("w1", slots=1)
            leaving.send_signal(signal.SIGSTOP)
            process = mesh.spawn("workers", [GROVE, "workers", "drain", "w1"], "operator")
            mesh.processes.append(process)
            code = workers(mesh, "drain", "w1", "--timeout", "300ms")[0]
            is_retired = mesh.ask("workers")["workers"] == []
            check(code == 6 or is_retired, "it has not left yet:", code)
            leaving.send_signal(signal.SIGCONT)
            if not is_retired:
                check(leaving.wait(PATIENCE) == 0, "it has heard of it")
                check(process.wait(PATIENCE) == 0, "and who asked, too")


def one_in_another_language_leaves_too():
    with Mesh() as mesh:
        script = "import grove\nworker = grove.Worker(slots=1)\n@worker.task\ndef idle():\n" \
            "    pass\nworker.run()\n"
        path = os.path.join(os.environ.get("GROVE_SOURCE", "."), "nodes/clients/python")
        leaving = mesh.spawn("w1", ["/usr/bin/env", "PYTHONPATH=" + path, "/usr/bin/python3", "-c",
                                    script], "w1")
        mesh.processes.append(leaving)
        until(lambda: mesh.knows("w1"), PATIENCE, "it enlists")
        check(workers(mesh, "drain", "w1")[0] == 0, "it has left")
        check(leaving.wait(PATIENCE) == 0, "its process has ended well")


run_tests([what_has_started_ends_and_the_rest_goes_elsewhere, one_that_is_away_is_told_again,
           one_in_another_language_leaves_too])
