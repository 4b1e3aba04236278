#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A coordinator whose disk was lost, with what it had promised to the others: however it is started, it
neither votes under its old id nor keeps a ledger beside theirs. And other ways to take votes wrongly."""

import datetime
import os
import shutil

from cluster import NAMES, Cluster
from mesh import PATIENCE, SANITIZED, check, run_tests, until

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def lose(mesh, *files):
    """Stops one that follows, whose directory, or a file of it, is gone."""
    leader = mesh.leader()
    name = next(name for name in NAMES if name != leader)
    process = mesh.running.pop(name)
    process.kill()
    process.wait()
    for file in files:
        os.remove(os.path.join(mesh.data_of(name), file))
    if not files:
        shutil.rmtree(mesh.data_of(name))
    return name


def refused(mesh, name, reason):
    process = mesh.processes[-1]
    check(process.wait(PATIENCE) == 78, name, "exits with", process.returncode)
    with open(os.path.join(mesh.directory, name + ".log"), encoding="utf-8") as file:
        last = file.read().splitlines()[-1]
    check(reason in last, "a clear line:", last)


def voters(mesh):
    return {member["id"] for member in mesh.members().values() if member["role"] == "voter"}


def a_lost_disk_begins_no_second_ledger():
    """As the options say that once began the ledger: it stops as soon as it hears of the other."""
    with Cluster() as mesh:
        mesh.worker("w1", slots=2)
        name = lose(mesh)
        check(not mesh.run(name), "it does not start without being told how")
        refused(mesh, name, "No such file")
        mesh.run(name, "--bootstrap")
        mesh.running.pop(name, None)
        refused(mesh, name, "another ledger")
        if mesh.run(name, "--bootstrap"):  # what it began is there, and is stopped again
            mesh.running.pop(name)
        refused(mesh, name, "another ledger")
        mesh.leader()
        ids = mesh.submit_all("echo", "after", 20)
        check(all(outcome[0] == "succeeded" for outcome in mesh.outcomes(ids).values()), "all is well")


def a_lost_disk_gets_another_id():
    """It waits, and votes only when the old one is removed and it is added."""
    with Cluster() as mesh:
        old = {member["name"]: member["id"] for member in mesh.members().values()}
        before, name = voters(mesh), lose(mesh)
        check(mesh.run(name, "--join"), "it starts")
        with open(os.path.join(mesh.data_of(name), "member-id"), encoding="utf-8") as file:
            new = file.read().split()[0]
        check(new != old[name], "another id", new, old)
        check(voters(mesh) == before, "the voters are whom they were", voters(mesh), before)
        mesh.remove(name)
        mesh.add(name)
        check(voters(mesh) == before - {old[name]} | {new}, "the new one votes", voters(mesh))


def an_id_is_not_made_of_a_clock():
    """Some hosts begin at the same second with each boot."""
    if SANITIZED or not os.path.exists(FAKETIME):
        print("skipped: no clock stands still in this build", flush=True)
        return
    with Cluster() as mesh:
        name, ids = lose(mesh), set()
        now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")
        mesh.prefixes[name] = ["env", "LD_PRELOAD=" + FAKETIME, "FAKETIME=" + now,
                               "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        for _ in range(2):
            check(mesh.run(name, "--join"), "it starts:", mesh.complaints()[-1000:])
            with open(os.path.join(mesh.data_of(name), "member-id"), encoding="utf-8") as file:
                ids.add(file.read())
            mesh.running.pop(name).kill()
            mesh.processes[-1].wait()
            shutil.rmtree(mesh.data_of(name))
        check(len(ids) == 2, "each disk has an id of its own", ids)


def a_ledger_without_its_id_is_refused():
    with Cluster() as mesh:
        name = lose(mesh, "member-id")
        for option in ((), ("--join",), ("--bootstrap",)):
            check(not mesh.run(name, *option), "it does not start", option)
            refused(mesh, name, "member-id: missing")
        mesh.leader()


def a_ledger_of_another_key_is_refused():
    """Its votes are of the key that its id is made of; so are those of one that waits."""
    with Cluster() as mesh:
        name = lose(mesh, "member-id")
        other = next(each for each in NAMES if each not in (name, mesh.leader()))
        shutil.copy(os.path.join(mesh.data_of(other), "member-id"), mesh.data_of(name))
        check(not mesh.run(name), "it does not start")
        refused(mesh, name, "member-id: offset 0: of the key of another coordinator")
        shutil.rmtree(mesh.data_of(name))
        check(mesh.run(name, "--join"), "it waits")
        mesh.running[name].kill()
        mesh.running.pop(name).wait()
        shutil.copy(os.path.join(mesh.data_of(other), "member-id"), mesh.data_of(name))
        check(not mesh.run(name, "--join"), "nor does one that waits")
        refused(mesh, name, "member-id: offset 0: of the key of another coordinator")
        mesh.leader()


def is_refused_for_leading(mesh, name):
    """False if by then nobody leads (5), or another: it is given its vote back."""
    code, _, error = mesh.grove("cluster", "remove", name)
    if code == 0:
        check(mesh.leader() != name, name, "led, and was removed")
        mesh.add(name)
    check(code in (0, 5) or (code == 4 and "it leads: hand that over first" in error), code, error)
    return code == 4


def who_leads_is_not_removed():
    with Cluster() as mesh:
        before = voters(mesh)
        until(lambda: is_refused_for_leading(mesh, mesh.leader()), PATIENCE, "refused")
        check(voters(mesh) == before, "all vote as before", voters(mesh))


def status_by(mesh, name):
    """What `cluster status` prints of an operator who knows of that coordinator alone."""
    operator, every = mesh.nodes["operator"], mesh.coordinators
    mesh.coordinators = lambda: [(name, mesh.ports[name])]
    operator.save(mesh)
    code, out, error = mesh.grove("cluster", "status", seconds=60)
    mesh.coordinators = every
    operator.save(mesh)
    check(code == 0, "status:", code, error)
    return out, error


def one_that_was_removed_shows_no_old_view():
    """It may never hear so: others are asked, too; and without these it says how old its view is."""
    with Cluster() as mesh:
        leader = mesh.leader()
        name = next(name for name in NAMES if name != leader)
        code, _, error = mesh.grove("cluster", "remove", name)
        check(code == 0, "removed:", error)
        until(lambda: status_by(mesh, name)[0].count(" voter ") == 1, 60, "a leader, and one beside it")
        for other in set(NAMES) - {name}:
            mesh.running[other].kill()

        def is_told():
            error = status_by(mesh, name)[1]
            return "has heard no leader for" in error or "was removed from the ledger" in error
        until(is_told, 60, "that this is old is said")


run_tests([a_lost_disk_begins_no_second_ledger, a_lost_disk_gets_another_id,
           an_id_is_not_made_of_a_clock, a_ledger_without_its_id_is_refused,
           a_ledger_of_another_key_is_refused, who_leads_is_not_removed,
           one_that_was_removed_shows_no_old_view])
