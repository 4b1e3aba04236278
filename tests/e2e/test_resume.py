#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A parent that ran before: after its own failure, and after its worker died under it."""

import os

from mesh import EXPAND, TASK, Mesh, check, run_tests, until


def functions(mesh):
    return [execution[0] for execution in mesh.executions()]


def a_second_attempt_takes_another_path():
    """process: primary fails, secondary succeeds, process fails; then primary succeeds."""
    with Mesh() as mesh:
        mesh.worker()
        with mesh.peer() as peer:
            item = peer.task_item("process", (mesh.directory + "/up").encode(), f10=2)
            identity = peer.submit([item]).body[1][0].hex()
        outcome = mesh.outcomes([identity])[identity]
        check(outcome[:2] == ("succeeded", b"primary") and outcome[3] == 2, outcome)
        check(functions(mesh) == ["process", "primary", "echo", "process", "primary"],
              mesh.executions())
        check(mesh.executions()[1][1] != mesh.executions()[4][1], "the failed primary is not taken")


def succeeded_children_answer_a_second_attempt():
    """A secondary that succeeded is not run again when its parent asks again after a failure."""
    with Mesh() as mesh:
        mesh.worker()
        with mesh.peer() as peer, mesh.peer("w2") as worker:
            worker.enlist(["outer"])
            identity = peer.submit([peer.task_item("outer", b"x", f10=2)]).body[1][0].hex()
            expected = None
            for generation in range(2):
                parent = worker.assigned()
                check(parent["generation"] == generation, parent)
                child = worker.child_item(parent, "random", b"same")
                ids = worker.ask(EXPAND, {1: worker.seal(TASK, [child])}).body[1][0]
                outcome = mesh.outcomes([ids.hex()])[ids.hex()]
                check(expected in (None, (ids, outcome)), expected, ids, outcome)
                expected = (ids, outcome)
                worker.report([worker.result_item(parent, f9=1 - generation)])
        check(mesh.outcomes([identity])[identity][0] == "succeeded", "the second attempt ends well")
        check(functions(mesh) == ["random"], mesh.executions())


def killed_after_some_children(count, fatal, workers):
    """The parent kills its own process when `fatal` of `count` children have ended."""
    with Mesh() as mesh:
        first = mesh.worker("w1")
        flag = mesh.directory + "/killed"
        ids = mesh.submit_all("chain", "k", 1, "%d %d %s" % (count, fatal, flag))
        until(lambda: first.poll() is not None, 60, "the first worker dies")
        check(os.path.exists(flag), "it died where it should")
        before = [execution for execution in mesh.executions() if execution[0] == "random"]
        check(len(before) == fatal, before)
        mesh.worker(workers)
        outcome = mesh.outcomes(ids)[ids[0]]
        check(outcome[0] == "succeeded" and outcome[3] == 2, outcome)
        after = [execution for execution in mesh.executions() if execution[0] == "random"]
        check(len(after) == count and len({each[1] for each in after}) == count,
              "no child ran twice:", after)
        check(after[:fatal] == before, "the first children are those of the first attempt")
        kept = mesh.outcomes([each[1] for each in after])
        check(outcome[1] == b"".join(kept[each[1]][1] + b"\n" for each in after),
              "the results are the bytes that the children returned first")
        check(functions(mesh).count("chain") == 2, "the parent ran twice")


def a_killed_parent_goes_on_on_another_worker():
    killed_after_some_children(7, 4, "w2")


def a_killed_parent_goes_on_on_a_restarted_worker():
    killed_after_some_children(7, 4, "w1")


run_tests([a_second_attempt_takes_another_path, succeeded_children_answer_a_second_attempt,
           a_killed_parent_goes_on_on_another_worker,
           a_killed_parent_goes_on_on_a_restarted_worker])
