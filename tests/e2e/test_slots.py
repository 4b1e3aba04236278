#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A waiting parent never holds a slot."""

from mesh import Mesh, check, run_tests, scaled


def three_levels_finish_on_one_slot():
    with Mesh() as mesh:
        mesh.worker(slots=1)
        ids = mesh.submit_all("flow", "one", 1, "3")
        check(mesh.outcomes(ids)[ids[0]][:2] == ("succeeded", b"9"), "flow 3 makes 9 echoes")
        ran = [execution[0] for execution in mesh.executions()]
        check(ran.count("flow") == 1 and ran.count("segment") == 3 and ran.count("echo") == 9, ran)
        check(len({execution[1] for execution in mesh.executions()}) == 13, "each of them once")


def as_many_parents_as_slots_finish():
    count = scaled(32, 8)
    with Mesh() as mesh:
        mesh.worker(slots=count)
        ids = mesh.submit_all("flow", "full", count, "2")
        outcomes = mesh.outcomes(ids)
        check(all(outcomes[each][:2] == ("succeeded", b"4") for each in ids), outcomes)
        check(len(mesh.executions()) == count * 7, "nothing ran twice")


def parents_beyond_max_waiting_finish():
    """At the cap a worker starts no new tree and goes on with those it has begun."""
    with Mesh() as mesh:
        mesh.worker(slots=2, waiting=3)
        ids = mesh.submit_all("flow", "capped", 20, "3")
        outcomes = mesh.outcomes(ids)
        check(all(outcomes[each][:2] == ("succeeded", b"9") for each in ids), outcomes)
        check(len(mesh.executions()) == 20 * 13, "nothing ran twice")


def parents_on_one_worker_wait_for_children_on_another():
    with Mesh() as mesh:
        mesh.worker("w1", slots=2)
        mesh.worker("w2", slots=1)
        ids = mesh.submit_all("flow", "two", 20, "3")
        outcomes = mesh.outcomes(ids)
        check(all(outcomes[each][:2] == ("succeeded", b"9") for each in ids), outcomes)
        check(len(mesh.executions()) == 20 * 13, "nothing ran twice")


def the_last_progress_survives_although_it_was_streamed():
    with Mesh() as mesh:
        mesh.worker()
        ids = mesh.submit_all("linger", "p", 1, "400")
        mesh.outcomes(ids)
        progress = mesh.ask("tree " + ids[0])["tasks"][0]["progress"]
        check(progress == {"percent": 100, "text": "all done"}, progress)


run_tests([the_last_progress_survives_although_it_was_streamed, three_levels_finish_on_one_slot, as_many_parents_as_slots_finish,
           parents_beyond_max_waiting_finish, parents_on_one_worker_wait_for_children_on_another])
