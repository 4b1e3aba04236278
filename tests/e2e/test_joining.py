#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Gather, race, map and cancel on real processes: exact, final, and surviving whoever called."""

import os

from joins import (began, begin, cancel, end, events, has_begun, join, join_id, Joined, limit,
                   nothing_starts_after, peak, starts, tree)
from mesh import LONG, Mesh, check, run_tests, scaled, until

# ---- race

def a_fast_failure_does_not_win_a_race():
    with Mesh() as mesh:
        mesh.worker(slots=1)  # so the failure comes first
        race = join(mesh, "race", "-", 1, "work=0 fail", "work=200 slow")
        check(race.status == "ok" and race.winners == [1], race.__dict__)
        check(race.inputs == [("failed", "0 fail"), ("succeeded", "200 slow")], race.inputs)
        inside = mesh.submit_all("racer", "r", 1, "work=0 fail,work=200 slow")
        check(mesh.outcomes(inside)[inside[0]][:2] == ("succeeded", b"200 slow"), "in a handler")


def nothing_of_the_losers_starts_after_a_race():
    """They have descendants that run, that are assigned and that wait for a place."""
    with Mesh() as mesh:
        mesh.worker("w1", slots=8)
        mesh.worker("w2", slots=4)
        mesh.hold(100)
        racing = begin(mesh, "race", "key", 1, "tree=3 4", "mapper=500 2 20", "gatherer=2000",
                       "work=0 5000", "work=30000 loser")
        root = join_id(mesh, "key")
        until(lambda: has_begun(mesh, "0 5000") and len(tree(mesh, root)) > 600, 60, "all are at it")
        mesh.release()
        race = Joined(end(racing))
        nothing_starts_after(mesh, root)
        check(len(race.winners) == 1 and race.status == "ok", race.__dict__)
        check(race.inputs[race.winners[0]][0] == "succeeded", race.inputs)
        check(race.succeeded == 1 and race.cancelled == 4, race.__dict__)
        states = {task["state"] for task in tree(mesh, root).values()}
        check(states <= {"succeeded", "cancelled"}, states)
        check(mesh.stats()["totals"]["failed"] == 0, "and nothing of them counts")


def a_race_that_all_lose_lists_each():
    with Mesh() as mesh:
        mesh.worker(slots=2)
        race = join(mesh, "race", "-", 1, "work=0 fail a", "work=50 fail b",
                    "primary=%s/up" % mesh.directory)
        check(race.status == "failed" and not race.winners and race.failed == 3, race.__dict__)
        for each in ("input 0 (work): 0 fail a", "input 1 (work): 50 fail b",
                     "input 2 (primary): primary is down"):
            check(each in race.error, each, "is not in", race.error)


def contenders_in_one_group_make_one_winner():
    """... and the same one after a restart, for whoever asks by the same key."""
    with Mesh() as mesh:
        mesh.worker("w1", slots=16)
        races = {}
        for count in (2, 3, 16):
            words = ["random=%d" % i for i in range(count)]
            race = join(mesh, "race", "k%d" % count, 1, *words)
            check(len(race.winners) == 1 and race.succeeded == 1, race.__dict__)
            check(race.cancelled == count - 1, race.__dict__)
            races[count] = (words, race.winners, race.inputs)
        mesh.kill()
        mesh.restart()
        for count, (words, winners, inputs) in races.items():
            race = join(mesh, "race", "k%d" % count, 1, *words)
            check((race.winners, race.inputs) == (winners, inputs), race.__dict__, winners, inputs)


# ---- map

def mapped(mesh, count, limit):
    """One map of works, none of which ends before all of the limit are there; checks it all."""
    seen, most = len(mesh.executions()), min(count, limit)
    payloads = ["%d %d" % (10 * (i % 10 == 0), i) for i in range(count)]
    mesh.hold(0)
    mapping = begin(mesh, "map", "-", limit, 0, *["work=" + each for each in payloads])
    until(lambda: len(mesh.executions()) - seen == most, 60, "it uses all of its limit")
    mesh.release()
    done = Joined(end(mapping, 240))
    check(done.status == "ok", done.__dict__)
    check(done.inputs == [("succeeded", each) for each in payloads], "in input order", done.inputs)
    ran = mesh.executions()[seen:]
    check(len(ran) == 2 * count, "each ran once:", len(ran), count)
    check(peak(ran) == most, peak(ran), "alive of", limit)


def a_map_never_has_more_than_its_limit():
    with Mesh() as mesh:
        mesh.worker("w1", slots=40)
        mesh.worker("w2", slots=40)
        for most in (1, 2, 7, 64):
            for count in sorted({0, 1, most - 1, most, most + 1}):
                mapped(mesh, count, most)
            many = 10000 if LONG or most > 2 else 500
            mapped(mesh, many, most)


def nothing_starts_after_a_map_has_stopped():
    with Mesh() as mesh:
        mesh.worker("w1", slots=8)
        for failures, limit in ((1, 1), (1, 7), (3, 2)):
            seen, key = len(starts(mesh)), "%d of %d" % (failures, limit)
            payloads = ["10 %d%s" % (i, " fail" * (i in (20, 30, 40)[:failures])) for i in range(300)]
            stopped = join(mesh, "map", key, limit, failures, *["work=" + p for p in payloads])
            nothing_starts_after(mesh, join_id(mesh, key))
            begun = len(starts(mesh)) - seen
            check(stopped.status == "failed" and "10 20 fail" in stopped.error, stopped.error)
            check(stopped.failed == failures, stopped.failed)
            check(stopped.succeeded + stopped.failed + stopped.cancelled == 300, stopped.__dict__)
            check(stopped.succeeded + stopped.failed <= begun
                  < stopped.succeeded + stopped.failed + limit, begun, "begun", stopped.succeeded)
            for position, (code, data) in enumerate(stopped.inputs):
                check(code != "succeeded" or data == payloads[position], position, data)


def a_map_goes_on_without_its_parent(function, count, limit, *more):
    """Its worker is killed; all of the items that were appended end meanwhile, and none of them
    runs again for the parent that runs again."""
    with Mesh() as mesh:
        mesh.worker("w2", slots=limit + 2, functions=["work"])
        parent = mesh.worker("w1", functions=[function])
        appended = min(count, 200)
        mesh.hold(appended * 3 // 4)
        ids = mesh.submit_all(function, "p", 1, " ".join(map(str, (count, limit, 10) + more)))
        until(lambda: len(began(mesh, "end:work")) == appended * 3 // 4, 60, "it is in the middle")
        if not more:
            parent.kill()
        parent.wait(60)
        mesh.release()
        until(lambda: len(began(mesh, "end:work")) >= appended, 60, "it goes on without")
        mesh.worker("w1", functions=[function])
        outcome = mesh.outcomes(ids)[ids[0]]
        check(outcome[0] == "succeeded" and outcome[3] == 2, outcome)
        check(outcome[1].decode() == "".join("10 %d\n" % i for i in range(count)), outcome)
        ran = [execution[1] for execution in began(mesh, "work")]
        check(len(ran) == len(set(ran)) == count, len(ran), "works, each once, of", count)
        check(peak(mesh.executions()) <= limit, peak(mesh.executions()), "alive of", limit)
        check([each[2] for each in began(mesh, function)] == ["1", "2"], "its parent ran twice")


def a_map_survives_a_killed_parent_that_waits():
    a_map_goes_on_without_its_parent("mapper", 100, 3)


def a_map_survives_a_killed_parent_that_reads():
    with_flag = os.path.join(os.environ.get("TMPDIR", "/tmp"), "grove-e2e-%d" % os.getpid())
    try:
        a_map_goes_on_without_its_parent("eater", scaled(700, 400), 7, 120, with_flag)
    finally:
        os.unlink(with_flag)


# ---- gather

def a_gather_delivers_once_over_a_restart():
    count = 10000
    with Mesh() as mesh:
        mesh.worker("w1", slots=4)
        mesh.hold(count // 4)
        ids = mesh.submit_all("gatherer", "g", 1, str(count))
        until(lambda: len(began(mesh, "echo")) > count // 4, 60, "it is in the middle")
        mesh.kill()
        mesh.release()
        mesh.restart()
        outcome = mesh.outcomes(ids, 120)[ids[0]]
        check(outcome[0] == "succeeded" and outcome[3] == 1, outcome[0], outcome[2:])
        check(outcome[1].decode() == "".join("%d\n" % i for i in range(count)), "in order, each once")
        ran = [execution[1] for execution in began(mesh, "echo")]
        check(len(ran) == len(set(ran)) == count, len(ran), "echoes, each once, of", count)
        check(len(began(mesh, "gatherer")) == 1, "it was resumed, not run again")


def a_gather_from_outside_outlives_a_restart():
    count = scaled(4000, 800)
    with Mesh() as mesh:
        mesh.worker("w1", slots=4)
        mesh.hold(count // 4)
        gather = begin(mesh, "gather", "-", 0, *["echo=%d" % i for i in range(count)])
        until(lambda: len(began(mesh, "echo")) > count // 4, 60, "it is in the middle")
        mesh.kill()
        mesh.release()
        mesh.restart()
        done = Joined(end(gather, 120))
        check(done.status == "ok", done.status, done.error)
        check(done.inputs == [("succeeded", str(i)) for i in range(count)], "in order, each once")
        ran = [execution[1] for execution in began(mesh, "echo")]
        check(len(ran) == len(set(ran)) == count, len(ran), "echoes, each once, of", count)


# ---- cancel

def leaves(executions):
    """How many of a tree run."""
    return sum(function == "tree" and payload.startswith("0 ")
               for function, _, _, payload in executions)


def stands(mesh, identity, seen):
    """Whether leaves have all four slots, and every other one that began is known to wait."""
    begun = starts(mesh)[seen:]
    states = [task["state"] for task in tree(mesh, identity).values()]
    return leaves(begun) == 4 and states.count("waiting") == len(begun) - 4


def a_tree_is_cancelled_at_any_step():
    """A tree of five levels, while it grows, and when it stands; its counts add up, and its workers
    are free afterwards."""
    with Mesh() as mesh:
        mesh.worker("w1", slots=2)
        mesh.worker("w2", slots=2)
        for step in (1, 2, 3, 5, 8, None):
            seen = len(starts(mesh))
            identity = mesh.submit_all("tree", "step%s" % step, 1, "4 3")[0]
            until(lambda: len(starts(mesh)) - seen >= step if step
                  else stands(mesh, identity, seen), 60, "it has come so far")
            begun, counts = len(starts(mesh)) - seen, cancel(mesh, identity)
            check(mesh.outcomes([identity])[identity][0] == "cancelled", "the root is")
            check(cancel(mesh, identity) == counts, "cancelled again it says the same")
            states = [task["state"] for task in tree(mesh, identity).values()]
            check(set(states) == {"cancelled"}, set(states))
            check(sum(counts) == len(states) and counts[2] == 0, counts, len(states))
            check(step or counts[1] == begun, "what had begun was stopped:", counts, begun)
            nothing_starts_after(mesh, identity)
            done = join(mesh, "gather", "-", 0, *["work=100 %d" % i for i in range(4)])
            check(done.status == "ok", "the slots are free", done.__dict__)
        check(mesh.stats()["totals"]["losses"] == 0, mesh.stats()["totals"])


def a_cancelled_join_counts_what_was_done():
    with Mesh() as mesh:
        mesh.worker("w1", slots=3)
        gather = begin(mesh, "gather", "key", 0, "echo=1", "echo=2", "stubborn=", "tree=1 2")
        root = join_id(mesh, "key")
        until(lambda: leaves(starts(mesh)) == 2 and
              [task["state"] for task in tree(mesh, root).values()].count("succeeded") == 2,
              60, "two echoes have ended, three run and two wait")
        counts = cancel(mesh, root)
        check(sum(counts) == len(tree(mesh, root)) == 7 and counts[2] == 2, counts)
        done = Joined(end(gather))
        check(done.status == "failed" and done.succeeded == 2 and done.cancelled == 2, done.__dict__)
        check([code for code, _ in done.inputs] == ["succeeded"] * 2 + ["cancelled"] * 2, done.inputs)


# ---- fairness

def ended_beside(mesh, name, function, payload):
    """A root of three tasks, each of which has to wait for a slot; returns how many others ended, by the
    ledger, between its submission and its end."""
    newest = mesh.ask("events")["newest"]
    ids = mesh.submit_all(function, name, 1, payload)
    check(mesh.outcomes(ids)[ids[0]][0] == "succeeded", "it succeeds")
    happened = [(event["event"], event.get("task")) for event in events(mesh, newest)]
    span = happened[happened.index(("task-submitted", ids[0])):happened.index(("task-ended", ids[0]))]
    return [event for event, _ in span].count("task-ended") - 2


def a_root_of_many_does_not_starve_a_root_of_three():
    """Whether it gathers or maps; and of a limited function, too."""
    count, most = 20000, 600
    roots = (("gatherer", "2 0"), ("mapper", "2 2 0"))
    with Mesh() as mesh:
        mesh.worker("w1", slots=4)
        many, root = begin(mesh, "gather", "key", 0, *["nap=10 %d" % i for i in range(count)]), \
            join_id(mesh, "key")
        until(lambda: len(began(mesh, "nap")) > 50, 60, "it runs")
        beside = [ended_beside(mesh, "busy " + each[0], *each) for each in roots]
        limit(mesh, "work", "--running", "2")
        beside.append(ended_beside(mesh, "limited", *roots[0]))
        counts = cancel(mesh, root)
        check(counts[0] > most, "many are left:", counts)
        print("beside roots of three ended", beside, "of", count, flush=True)
        check(max(beside) < most, beside)
        check(Joined(end(many)).status == "failed", "and the many are cancelled")


run_tests([a_fast_failure_does_not_win_a_race, nothing_of_the_losers_starts_after_a_race,
           a_race_that_all_lose_lists_each, contenders_in_one_group_make_one_winner,
           a_map_never_has_more_than_its_limit, nothing_starts_after_a_map_has_stopped,
           a_map_survives_a_killed_parent_that_waits, a_map_survives_a_killed_parent_that_reads,
           a_gather_delivers_once_over_a_restart, a_gather_from_outside_outlives_a_restart,
           a_tree_is_cancelled_at_any_step, a_cancelled_join_counts_what_was_done,
           a_root_of_many_does_not_starve_a_root_of_three])
