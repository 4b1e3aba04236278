#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Who is known stays known: admitted and revoked certificates outlive kills of the coordinator, and
are known before the first connection. And who is not let in is told why, as far as it may know."""

import subprocess
import time

from mesh import (CLIENT, DONE, GROVE, OBSERVER, PATIENCE, SNAPSHOT, WORKER, Mesh, Node, check,
                  run_tests, until)


def snapshot(mesh):
    before = mesh.stats()["ledger"]["snapshots"]
    with mesh.peer("operator") as operator:
        check(operator.ask(SNAPSHOT).kind == DONE, "a snapshot")
    until(lambda: mesh.stats()["ledger"]["snapshots"] > before, PATIENCE, "the snapshot is written")


def lost(mesh):
    """Kills the coordinator and starts it without --admit."""
    mesh.kill()
    mesh.restart()


def knocks(mesh, name):
    """NAME gets in, or the test fails."""
    mesh.peer(name).close()


def admitted_certificates_outlive_kills():
    with Mesh() as mesh:
        for name, before_the_kill in (("early", lambda: None), ("late", lambda: snapshot(mesh)),
                                      ("later", lambda: None)):
            mesh.admit(name, WORKER | CLIENT).close()
            before_the_kill()
            lost(mesh)
            knocks(mesh, name)  # the first to connect
            counted = mesh.stats()["handshakes"]
            check(counted["unknown_key"] == counted["revoked"] == 0, name, counted)
        for name in ("c1", "client", "operator", "w1", "early", "late", "later"):
            knocks(mesh, name)


def revoked_certificates_stay_revoked():
    with Mesh() as mesh:
        for name, before_the_kill in (("w1", lambda: None), ("w2", lambda: snapshot(mesh))):
            mesh.revoke(name)
            before_the_kill()
            lost(mesh)
            refused(mesh, name, "worker", "--exec", "x=cat")
            check(mesh.stats()["handshakes"]["revoked"] > 0, "refused at the door")
            knocks(mesh, "client")


def run(mesh, name, *arguments):
    """What a command says that uses this credential: exit code, stderr, and the time it took."""
    started = time.monotonic()
    done = subprocess.run([GROVE, *arguments, "--credential", mesh.nodes[name].path],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                          check=False)
    return done.returncode, done.stderr, time.monotonic() - started


def refused(mesh, name, *arguments):
    """At once, and not when patience ends after 5 s; which a busy machine hides now and then."""
    def is_at_once():
        code, why, seconds = run(mesh, name, *arguments)
        check(code == 4 and "revoked" in why and mesh.nodes[name].path in why, code, why)
        return seconds < 4
    until(is_at_once, PATIENCE, "it is refused at once")


def each_is_told_why():
    with Mesh() as mesh:
        mesh.admit("gone", CLIENT | OBSERVER).close()
        mesh.revoke("gone")
        refused(mesh, "gone", "run", "-t", "echo", "x")
        refused(mesh, "gone", "stats")

        stranger = mesh.nodes["stranger"] = Node(mesh, "stranger", CLIENT | OBSERVER)
        stranger.save(mesh)
        for command in (("run", "-t", "echo", "x"), ("stats",)):
            code, why, _ = run(mesh, "stranger", *command)
            check(code == 4 and "keys admit " + stranger.path in why, code, why)
        mesh.stop()
        code, why, _ = run(mesh, "client", "run", "-t", "echo", "x")
        check(code == 5 and "nobody answers" in why and mesh.nodes["client"].path in why, code, why)


run_tests([admitted_certificates_outlive_kills, revoked_certificates_stay_revoked,
           each_is_told_why])
