#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Workers that die, and workers that are stopped: nothing is lost, and only the guilty pay."""

import os
import signal

from mesh import Mesh, check, run_tests, scaled, until


def a_task_that_kills_its_worker_three_times_is_poison():
    with Mesh() as mesh:
        killer = mesh.submit_all("kill", "killer", 1)[0]
        ahead = mesh.submit_all("echo", "ahead", 20)
        for life in range(3):
            process = mesh.worker("w1")
            until(lambda: process.poll() is not None, 60, "the task kills worker %d" % life)
        mesh.worker("w2")
        outcomes = mesh.outcomes([killer] + ahead)
        check(outcomes[killer][0] == "poison", outcomes[killer])
        check("3" in outcomes[killer][2] or "three" in outcomes[killer][2],
              "the text names the limit:", outcomes[killer][2])
        kills = [execution for execution in mesh.executions() if execution[0] == "kill"]
        check(len(kills) == 3 and [each[2] for each in kills] == ["1", "2", "3"], kills)
        for each in ahead:
            task = mesh.task(each)
            check(outcomes[each][0] == "succeeded" and task["losses"] == 0,
                  "what was only assigned ahead is not charged:", task)
        totals = mesh.stats()["totals"]
        check(totals["losses"] == 3, totals)


def a_killer_never_runs_beside_another_that_lost_a_worker():
    """An innocent neighbour of a killer shares its first loss, and is not poisoned with it."""
    with Mesh() as mesh:
        worker = mesh.worker("w1", slots=2)
        mesh.hold(0)
        neighbour = mesh.submit_all("nap", "neighbour", 1, "0")[0]
        until(lambda: len(mesh.executions()) == 1, 60, "the neighbour runs")
        killer = mesh.submit_all("kill", "killer", 1)[0]
        for _ in range(3):
            check(worker.wait(60) == -signal.SIGKILL, "it dies")
            if os.path.exists(mesh.log + ".hold"):
                check(mesh.task(neighbour)["state"] != "succeeded", "the neighbour dies with it")
                mesh.release()
            worker = mesh.worker("w1", slots=2)
        outcomes = mesh.outcomes([killer, neighbour])
        check(outcomes[killer][0] == "poison", outcomes)
        check(outcomes[neighbour][0] == "succeeded", outcomes)


def drained(credential_of_second, count):
    """SIGTERM in the middle: what has started ends where it is, the rest runs elsewhere."""
    with Mesh() as mesh:
        first = mesh.worker("w1", slots=4)
        mesh.hold(count // 10)
        ids = mesh.submit_all("nap", "drain", count, "30 -")
        until(lambda: len(mesh.executions()) > count // 10, 60, "some have run")
        first.terminate()
        mesh.release()
        if credential_of_second != "w1":
            mesh.worker(credential_of_second, slots=4)
        check(first.wait(60) == 0, "a drained worker ends with 0")
        if credential_of_second == "w1":
            mesh.worker("w1", slots=4)
        outcomes = mesh.outcomes(ids)
        check(all(outcome[0] == "succeeded" for outcome in outcomes.values()), "all succeed")
        ran = [execution[1] for execution in mesh.executions()]
        check(len(ran) == count and len(set(ran)) == count, len(ran), "executions of", count)
        totals = mesh.stats()["totals"]
        check(totals["losses"] == 0 and totals["succeeded"] == count, totals)


def a_stopped_worker_drains_to_another():
    drained("w2", scaled(400, 100))


def a_stopped_worker_drains_to_its_successor():
    drained("w1", scaled(400, 100))


def waiting_parents_survive_a_drain():
    with Mesh() as mesh:
        first = mesh.worker("w1", slots=2)
        ids = mesh.submit_all("flow", "drain", 20, "5")
        until(lambda: len(mesh.executions()) >= 100, 60, "some have run")
        first.terminate()
        mesh.worker("w2", slots=2)
        check(first.wait(60) == 0, "a drained worker ends with 0")
        outcomes = mesh.outcomes(ids)
        check(all(outcome[:2] == ("succeeded", b"25") for outcome in outcomes.values()), outcomes)
        leaves = [execution[1] for execution in mesh.executions() if execution[0] == "echo"]
        check(len(leaves) == len(set(leaves)) == 20 * 25, len(leaves), "echoes, each once")


def killed_workers_lose_nothing():
    """kill -9, again and again, while tasks run: each task has one outcome."""
    count = scaled(1000, 200)
    with Mesh() as mesh:
        ids = []
        for life in range(4):
            process = mesh.worker("w%d" % (life % 2 + 1), slots=4)
            mesh.outcomes(ids)  # what was lost before is not lost again: the third time is poison
            seen = len(mesh.executions())
            mesh.hold(count // 5)  # so that some run when it is killed
            ids += mesh.submit_all("nap", "life %d" % life, count // 4, "5 -")
            until(lambda: len(mesh.executions()) >= seen + count // 5, 60, "some have run")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            mesh.release()
        mesh.worker("w1", slots=4)
        outcomes = mesh.outcomes(ids)
        check(all(outcome[0] == "succeeded" for outcome in outcomes.values()), "all succeed")
        ran = [execution[1] for execution in mesh.executions()]
        check(set(ran) == set(ids), "all ran")
        check(len(ran) <= count + 4 * 4 * 8, "only what was running ran again:", len(ran))
        totals = mesh.stats()["totals"]
        check(totals["succeeded"] == count and totals["losses"] <= 16, totals)


def a_frozen_worker_is_retired_and_refused_afterwards():
    """SIGSTOP is silence: its task runs elsewhere, and what it reports when it wakes is refused."""
    with Mesh() as mesh:
        frozen = mesh.worker("w1")
        mesh.hold(0)
        task = mesh.submit_all("nap", "frozen", 1, "0")[0]
        until(lambda: len(mesh.executions()) == 1, 60, "it runs")
        frozen.send_signal(signal.SIGSTOP)
        mesh.release()
        mesh.worker("w2")
        outcome = mesh.outcomes([task])[task]
        check(outcome[0] == "succeeded" and outcome[3] == 2, outcome)
        frozen.send_signal(signal.SIGCONT)
        until(lambda: mesh.stats()["workers"] == 2, 60, "it enlists anew")
        check(mesh.stats()["totals"]["succeeded"] == 1, mesh.stats()["totals"])
        check(mesh.outcomes([task])[task] == outcome, "the outcome is what it was")


run_tests([a_task_that_kills_its_worker_three_times_is_poison,
           a_killer_never_runs_beside_another_that_lost_a_worker,
           a_stopped_worker_drains_to_another, a_stopped_worker_drains_to_its_successor,
           waiting_parents_survive_a_drain, killed_workers_lose_nothing,
           a_frozen_worker_is_retired_and_refused_afterwards])
