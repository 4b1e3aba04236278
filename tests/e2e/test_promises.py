#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What grove promises and others of its kind do not keep: ten tests, each whole and short."""

from joins import (Joined, began, begin, cancel, end, has_begun, join, join_id, nothing_starts_after,
                   starts, tree)
from mesh import CLIENT, TASK, Mesh, check, encode, run_tests, until

BAD_SIGNATURE = 9


def three_level_flow_on_one_slot():
    with Mesh() as mesh:
        mesh.worker(slots=1)
        ids = mesh.submit_all("flow", "one", 1, "2")
        check(mesh.outcomes(ids)[ids[0]][:2] == ("succeeded", b"4"), "it makes 4 echoes")
        check(len(mesh.executions()) == 7, "each task ran once:", mesh.executions())


def n_parents_on_n_slots():
    with Mesh() as mesh:
        mesh.worker(slots=4)
        ids = mesh.submit_all("gatherer", "full", 4, "3 10")
        outcomes = mesh.outcomes(ids)
        check(all(outcomes[each][:2] == ("succeeded", b"10 0\n10 1\n10 2\n") for each in ids),
              outcomes)
        check(len(starts(mesh)) == 16, "each task ran once:", starts(mesh))


def no_side_effect_of_a_loser_after_the_race():
    with Mesh() as mesh:
        mesh.worker(slots=4)
        mesh.hold(1000)
        racing, root = begin(mesh, "race", "key", 1, "mapper=300 2 20", "tree=2 3", "work=0 1000"), \
            join_id(mesh, "key")
        until(lambda: has_begun(mesh, "0 1000") and len(tree(mesh, root)) > 16, 60, "all are at it")
        mesh.release()
        race = Joined(end(racing))
        nothing_starts_after(mesh, root)
        check(race.winners == [2] and race.cancelled == 2, race.__dict__)
        states = [task["state"] for task in tree(mesh, root).values()]
        check(set(states) == {"succeeded", "cancelled"}, states)


def slow_success_beats_fast_failure():
    with Mesh() as mesh:
        mesh.worker(slots=1)  # so the failure comes first
        race = join(mesh, "race", "-", 1, "work=0 fail", "work=200 slow")
        check(race.status == "ok" and race.winners == [1], race.__dict__)
        check(race.inputs == [("failed", "0 fail"), ("succeeded", "200 slow")], race.inputs)


def nothing_starts_after_a_map_fails():
    with Mesh() as mesh:
        mesh.worker(slots=4)
        words = ["work=20 %d%s" % (i, " fail" * (i == 9)) for i in range(100)]
        stopped = join(mesh, "map", "key", 2, 1, *words)
        nothing_starts_after(mesh, join_id(mesh, "key"))
        check(stopped.status == "failed" and "20 9 fail" in stopped.error, stopped.error)
        check(stopped.succeeded + stopped.failed + stopped.cancelled == 100, stopped.__dict__)
        check(len(starts(mesh)) <= stopped.succeeded + 2, "at most one ran beside the one that failed")


def cancel_is_final_and_takes_children():
    with Mesh() as mesh:
        mesh.worker(slots=2)
        identity = mesh.submit_all("tree", "tree", 1, "2 3")[0]
        states = lambda: [task["state"] for task in tree(mesh, identity).values()]
        until(lambda: len(starts(mesh)) == 6 and states().count("waiting") == 4, 60, "it stands")
        check(cancel(mesh, identity) == (7, 6, 0), "seven leaves had no slot")
        check(states() == ["cancelled"] * 13, states())
        nothing_starts_after(mesh, identity)
        check(mesh.outcomes([identity])[identity][0] == "cancelled", "whatever was reported since")
        check(join(mesh, "gather", "-", 0, "echo=1", "echo=2").status == "ok", "the slots are free")


def polite_stop_and_kill_lose_nothing():
    with Mesh() as mesh:
        gather = begin(mesh, "gather", "-", 0, *["nap=20 %d" % i for i in range(100)])
        for name, finish, first in (("w1", "terminate", 30), ("w2", "kill", 60)):
            mesh.hold(first)
            worker = mesh.worker(name, slots=4)
            until(lambda: len(starts(mesh)) == first + 4 and
                  mesh.stats()["totals"]["succeeded"] == first, 60, "the others are held")
            getattr(worker, finish)()
            mesh.release()
            check(worker.wait(60) == (0 if finish == "terminate" else -9), "it ends")
        mesh.worker("w2", slots=4)
        done = Joined(end(gather))
        check(done.inputs == [("succeeded", "20 %d" % i) for i in range(100)], done.__dict__)
        check(len(starts(mesh)) <= 100 + 4, "only what was killed ran again:", len(starts(mesh)))


def a_killed_parents_children_are_not_run_again():
    with Mesh() as mesh:
        mesh.worker("w2", slots=2, functions=["work"])
        parent = mesh.worker("w1", functions=["gatherer"])
        mesh.hold(5)
        ids = mesh.submit_all("gatherer", "p", 1, "20 20")
        until(lambda: len(began(mesh, "end:work")) == 5, 60, "it is in the middle")
        parent.kill()
        parent.wait()
        mesh.release()
        until(lambda: len(began(mesh, "end:work")) == 20, 60, "its children go on without it")
        mesh.worker("w1", functions=["gatherer"])
        outcome = mesh.outcomes(ids)[ids[0]]
        check(outcome[0] == "succeeded" and outcome[3] == 2, outcome)
        check(outcome[1].decode() == "".join("20 %d\n" % i for i in range(20)), outcome)
        check(len(began(mesh, "work")) == 20, "each child ran once")


def a_task_that_kills_its_worker_is_failed_at_the_limit():
    with Mesh() as mesh:
        killer = mesh.submit_all("kill", "killer", 1)[0]
        for life in range(3):
            worker = mesh.worker("w1")
            until(lambda: worker.poll() is not None, 60, "the task kills worker %d" % life)
        mesh.worker("w1")
        check(mesh.outcomes([killer])[killer][0] == "poison", mesh.task(killer))
        check(len(starts(mesh)) == 3, "and is not run again:", starts(mesh))


def one_flipped_bit_is_refused_and_counted():
    with Mesh() as mesh, mesh.admit("enemy", CLIENT) as enemy:
        mesh.worker()
        item = encode({1: bytes(16), 2: "echo", 3: b"pay 10", 13: enemy.now() + 20000})
        batch = enemy.seal(TASK, [item])
        at = batch.index(b"pay 10") + 4
        flipped = batch[:at] + bytes([batch[at] ^ 8]) + batch[at + 1:]
        check(enemy.submit([], batch=flipped).refusal() == BAD_SIGNATURE, "pay 90 is refused")
        check(mesh.refused("bad-signature") == 1, "and counted:", mesh.stats()["refusals"])
        check(mesh.stats()["totals"]["submitted"] == 0, "and makes no task")
        identity = enemy.submit([], batch=batch).body[1][0].hex()
        check(enemy.await_all([identity])[identity][:2] == ("succeeded", b"pay 10"), "pay 10 runs")


run_tests([three_level_flow_on_one_slot, n_parents_on_n_slots,
           no_side_effect_of_a_loser_after_the_race, slow_success_beats_fast_failure,
           nothing_starts_after_a_map_fails, cancel_is_final_and_takes_children,
           polite_stop_and_kill_lose_nothing, a_killed_parents_children_are_not_run_again,
           a_task_that_kills_its_worker_is_failed_at_the_limit,
           one_flipped_bit_is_refused_and_counted])
