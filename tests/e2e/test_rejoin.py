#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Parents that die in the middle of a join: it goes on, and they are attached to it again."""

from mesh import Mesh, check, run_tests, scaled, until

COUNT = scaled(600, 400)


def items(mesh):
    return [execution for execution in mesh.executions() if execution[0] == "item"]


def start(mesh, function, payload):
    """A parent on w1 whose items run on w2; returns its worker and its id."""
    mesh.actor("w2", "rejoiner", "items", "4")
    mesh.hold(COUNT // 4)
    parents = mesh.actor("w1", "rejoiner", "parents", "1")
    return parents, mesh.submit_all(function, function, 1, payload)[0]


def lines(texts):
    return b"".join(b"%s\n" % text for text in texts)


def the_join_goes_on(function, without):
    """kill -9 of the parent's worker; items run on meanwhile, and none of them twice."""
    with Mesh() as mesh:
        parents, parent = start(mesh, function, str(COUNT))
        until(lambda: len(items(mesh)) > COUNT // 4, 60, "some items have run")
        parents.kill()
        mesh.release()
        until(lambda: len(items(mesh)) >= without, 60, "others run without their parent")
        check(not mesh.task(parent)["ended_ms"], "the parent waits to be run again")
        mesh.actor("w1", "rejoiner", "parents", "1")
        outcome = mesh.outcomes([parent])[parent]
        check(outcome[0] == "succeeded" and outcome[3] == 2, outcome[0], outcome[2:])
        check(outcome[1] == lines(b"first %d" % i for i in range(COUNT)), "results in input order")
        ran = [execution[1] for execution in items(mesh)]
        check(len(ran) == COUNT and len(set(ran)) == COUNT, len(ran), "executions of", COUNT)


def a_gather_goes_on_without_its_parent():
    the_join_goes_on("gather", COUNT)


def a_map_goes_on_without_its_parent():
    """... with what it had been given: a window, and 256 inputs ahead of it."""
    the_join_goes_on("map", 256)


def a_stream_is_taken_up_from_its_beginning():
    """The parent kills itself between two outcomes, when others are on their way."""
    with Mesh() as mesh:
        parents, parent = start(mesh, "stream", "%d 0 %s/killed" % (COUNT, mesh.directory))
        mesh.release()
        until(lambda: parents.poll() is not None, 60, "the parent kills its worker")
        mesh.actor("w1", "rejoiner", "parents", "1")
        outcome = mesh.outcomes([parent])[parent]
        check(outcome[0] == "succeeded" and outcome[3] == 2, outcome[0], outcome[2:])
        check(outcome[1] == lines(b"first %d" % i for i in range(COUNT)), "results in input order")
        ran = [execution[1] for execution in items(mesh)]
        check(len(ran) == COUNT and len(set(ran)) == COUNT, len(ran), "executions of", COUNT)


def another_path(function):
    """What the two runs have in common is not run again; what only the first wanted is cancelled."""
    same = 260  # beyond the first 256, which name the join
    with Mesh() as mesh:
        parents, parent = start(mesh, function, "%d %d %s/forked" % (COUNT, same, mesh.directory))
        mesh.hold(same - 20)
        until(lambda: len(items(mesh)) > same - 20, 60, "items of more than one portion have run")
        parents.kill()
        mesh.release()
        until(lambda: len(items(mesh)) >= same + 20, 60, "some run that the second run will not want")
        mesh.actor("w1", "rejoiner", "parents", "1")
        outcome = mesh.outcomes([parent])[parent]
        check(outcome[0] == "succeeded" and outcome[3] == 2, outcome[0], outcome[2:])
        check(outcome[1] == lines([b"same %d" % i for i in range(same)] +
                                  [b"second %d" % i for i in range(same, COUNT)]),
              "the results are those of the second path")
        ran = [execution[3] for execution in items(mesh)]
        for text in ("same %d" % i for i in range(same)):
            check(ran.count(text) == 1, text, "ran", ran.count(text), "times")
        for text in ("second %d" % i for i in range(same, COUNT)):
            check(ran.count(text) == 1, text, "ran", ran.count(text), "times")
        stopped = len([text for text in ran if text.startswith("never")])
        check(stopped <= 4, "only what held a slot had begun:", stopped)
        until(lambda: mesh.task(parent)["state"] == "succeeded", 60, "its parent has ended")
        until(lambda: not any(mesh.stats()["states"][each] for each in
                              ("ready", "held", "running", "waiting")), 60, "nothing is left of the first")


def another_path_is_another_join():
    another_path("fork")


def another_path_of_a_stream_is_another_join():
    """... whose outcomes are not given twice."""
    another_path("reflow")


def another_path_of_a_stream_is_a_conflict():
    """One that cannot begin anew says so, and its parent fails."""
    with Mesh() as mesh:
        parents, parent = start(mesh, "flow", "%d 260 %s/forked" % (COUNT, mesh.directory))
        mesh.release()
        until(lambda: len(items(mesh)) >= 280, 60, "some items of both kinds have run")
        parents.kill()
        mesh.actor("w1", "rejoiner", "parents", "1")
        outcome = mesh.outcomes([parent])[parent]
        check(outcome[0] == "failed" and outcome[3] == 2, outcome[0], outcome[2:])
        check("begun with other inputs" in outcome[2], outcome[2])


run_tests([a_gather_goes_on_without_its_parent, a_map_goes_on_without_its_parent,
           a_stream_is_taken_up_from_its_beginning, another_path_is_another_join,
           another_path_of_a_stream_is_another_join, another_path_of_a_stream_is_a_conflict])
