#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Disks that fill up, and disks that change what was written."""

import contextlib
import glob
import os
import random
import re
import resource
import shutil
import subprocess
import tempfile

from cluster import Cluster
from flips import copy, flip, used_place
from mesh import (ACCEPTED, GROVE, PATIENCE, SUBMIT, TASK, Mesh, check, one, run_tests, scaled,
                  until)

SEED = int(os.environ.get("GROVE_SEED", random.randrange(1 << 30)))
DISK = 14  # the refusal
FLIPS = scaled(60, 20)
BODY = 900000  # bytes of a payload; a segment of the log holds 64 MiB


def submit_until_it_ends(mesh, most):
    """Submits large tasks with keys; returns {key: id} of those acknowledged before the end."""
    acknowledged = {}
    with mesh.peer() as peer:
        for i in range(most):
            key = "large.%d" % i
            peer.send(SUBMIT, {1: peer.seal(TASK, [peer.task_item("echo", bytes(BODY), f5=key)])},
                      i + 1)
            answer = None
            while answer is None:
                answer = peer.next(0.05, lambda message: message.correlation != 0)
                if answer is None and mesh.coordinator.poll() is not None:
                    return acknowledged
            check(answer.kind == ACCEPTED and 2 not in answer.body, "accepted:", answer.body)
            acknowledged[key] = answer.body[1][0].hex()
    raise AssertionError("the disk never filled")


def ends_cleanly_and_loses_nothing(mesh, free, most):
    """Fills the disk, frees it, starts again."""
    small = mesh.submit_all("echo", "small", 100)
    acknowledged = submit_until_it_ends(mesh, most)
    check(mesh.coordinator.wait(PATIENCE) == 74, "exit 74, not", mesh.coordinator.returncode)
    last = mesh.said().splitlines()[-1]
    print(len(acknowledged), "large tasks, then:", last, flush=True)
    check(re.search("space|large|full", last), "a clear line:", last)
    free()
    mesh.restart()
    for identity in small + list(acknowledged.values()):
        check(mesh.task(identity)["state"] == "ready", "nothing acknowledged is lost")
    mesh.worker(slots=4)
    outcomes = mesh.outcomes(small + list(acknowledged.values()))
    check(all(outcome[0] == "succeeded" for outcome in outcomes.values()), "it goes on")


def fill(mount, name, left=4 << 20):
    """Another's file, which leaves so many bytes."""
    status = os.statvfs(mount)
    with open(os.path.join(mount, name), "wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - left)


def room(mesh):
    health = mesh.ask("health")
    return health["room"], health["status"]


def submit(peer, function, key, size=10):
    """The answer to a task."""
    return peer.ask(SUBMIT, {1: peer.seal(TASK, [peer.task_item(function, b"0" * size, f5=key)])})


def is_accepted(answer):
    return answer.kind == ACCEPTED and 2 not in answer.body


def await_acceptance(mesh, key):
    with mesh.peer() as peer:
        until(lambda: is_accepted(submit(peer, "nap", key)), PATIENCE, "work is taken again")


def others_fill_it(mesh, mount):
    """What has begun ends, whatever is asked is answered, and nothing begins."""
    begun = mesh.submit_all("nap", "begun", 50, "1")
    check(room(mesh) == ("enough", "ok"), "before:", room(mesh))
    fill(mount, "others")
    until(lambda: room(mesh) == ("low", "disk nearly full"), PATIENCE, "it is noticed")
    until(lambda: "room-changed" in [event["event"] for event in mesh.ask("events 0")["events"]],
          PATIENCE, "an event")
    with mesh.peer() as peer:
        refused = submit(peer, "nap", "refused")
        check(refused.refusal() == DISK and one(refused.body, 3) == 1, "retryable:", refused.body)
    check(mesh.refused("disk") >= 1, "and counted:", mesh.stats()["refusals"])
    check("event=\"disk\" room=low" in mesh.said(), "a line:", mesh.said()[-2000:])
    mesh.worker(slots=4)
    outcomes = mesh.outcomes(begun)
    check(all(outcome[0] == "succeeded" for outcome in outcomes.values()), "what has begun ends")
    os.remove(mount + "/others")
    await_acceptance(mesh, "refused")
    until(lambda: room(mesh) == ("enough", "ok"), PATIENCE, "all is well")


def it_fills_it_itself(mesh, mount, most):
    """Large tasks until one is refused; none of those acknowledged is lost."""
    acknowledged = {}
    with mesh.peer() as peer:
        for i in range(most):
            answer = submit(peer, "stays", "large.%d" % i, BODY)
            if not is_accepted(answer):
                break
            acknowledged["large.%d" % i] = answer.body[1][0].hex()
        check(answer.refusal() == DISK, "refused:", len(acknowledged), answer.body)
    print(len(acknowledged), "large tasks, then there is no room", flush=True)
    check(mesh.coordinator.poll() is None, "it goes on")
    os.remove(mount + "/ballast")
    await_acceptance(mesh, "more")
    mesh.kill()
    mesh.restart()
    for identity in acknowledged.values():
        check(mesh.task(identity)["state"] == "ready", "nothing acknowledged is lost")


@contextlib.contextmanager
def small_disk():
    """A file system of its own, or None where mounts are refused."""
    with tempfile.TemporaryDirectory(prefix="grove-disk-") as scratch:
        image, mount = scratch + "/image", scratch + "/mount"
        os.mkdir(mount)
        with open(image, "wb") as file:
            file.truncate(900 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        if subprocess.run(["mount", "-o", "loop", image, mount], stderr=subprocess.DEVNULL,
                          check=False).returncode != 0:
            print("mounts are refused here: only RLIMIT_FSIZE is tried", flush=True)
            yield None
            return
        print("on a loop mount", flush=True)
        try:
            yield mount
        finally:
            subprocess.run(["umount", mount], check=True)


def a_disk_nearly_full():
    with small_disk() as mount:
        if mount is None:
            return
        with Mesh() as mesh:
            mesh.stop()
            shutil.move(mesh.data, mount + "/data")
            mesh.data = mount + "/data"
            mesh.restart()
            others_fill_it(mesh, mount)
            fill(mount, "ballast", 200 << 20)
            it_fills_it_itself(mesh, mount, 400)


def answer_of(mesh, leads, instead):
    """The answer to a task of the leader; None while others lead than those who should."""
    try:
        if not leads(mesh.leader()):
            mesh.grove("cluster", "transfer", instead)
            return None
        with mesh.peer() as peer:
            return submit(peer, "nap", "one")
    except AssertionError:  # another leads since
        return None


def the_leader_of_three_has_no_room():
    with small_disk() as mount:
        if mount is None:
            return
        mesh = Cluster()
        mesh.places["c1"] = mount + "/data"
        with mesh:
            fill(mount, "others")
            until(lambda: (answer := answer_of(mesh, lambda name: name == "c1", "c1"))
                  and answer.refusal() == DISK, PATIENCE, "its disk counts")
            until(lambda: (answer := answer_of(mesh, lambda name: name != "c1", "c2"))
                  and is_accepted(answer), PATIENCE, "another has room")
            check(mesh.running["c1"].poll() is None, "it goes on, and follows")


def a_limit_of_file_size():
    """RLIMIT_FSIZE: writes fail in the middle of a segment."""
    with Mesh() as mesh:
        resource.prlimit(mesh.coordinator.pid, resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))
        ends_cleanly_and_loses_nothing(mesh, lambda: None, 100)


def flipped_bytes_are_refused_or_without_effect():
    print("seed", SEED, "flips", FLIPS, flush=True)
    chance = random.Random(SEED)
    refused = harmless = 0
    with Mesh() as mesh:
        worker = mesh.worker(slots=4)
        ids = mesh.submit_all("random", "before", 300)
        mesh.outcomes(ids)
        fill_a_segment(mesh)
        mesh_snapshot(mesh)
        ids += mesh.submit_all("echo", "after", 100)
        expected = mesh.outcomes(ids)
        worker.terminate()
        worker.wait()
        mesh.kill()  # so that the last promise may still be owed
        for older in sorted(glob.glob(mesh.data + "/snapshot-*"))[:-1]:
            os.remove(older)  # it would do, together with the log since then
        good = mesh.directory + "/good"
        copy(mesh.data, good)
        for _ in range(FLIPS):
            name, offset = used_place(mesh.data, chance)
            mask = 1 << chance.randrange(8)
            before = len(mesh.said())
            flip(os.path.join(mesh.data, name), offset, mask)
            if mesh.start():
                check(mesh.outcomes(ids) == expected, "a flip at", name, offset, "has an effect")
                mesh.kill()
                harmless += 1
            else:
                text = mesh.said()[before:]
                check(mesh.coordinator.returncode == 78, name, offset, "exits with",
                      mesh.coordinator.returncode, text)
                check(re.search(re.escape(name) + r": offset \d+", text), name, offset,
                      "is refused without file and offset:", text)
                refused += 1
            shutil.rmtree(mesh.data)
            copy(good, mesh.data)
        mesh.restart()
        check(mesh.outcomes(ids) == expected, "unharmed data are taken")
    print(refused, "refused,", harmless, "without effect", flush=True)
    check(refused > FLIPS // 4, "most flips in what is used are refused")


def fill_a_segment(mesh):
    """So that the log before the snapshot can go, and the snapshot must be right."""
    with mesh.peer() as peer:
        for _ in range((64 << 20) // BODY + 2):
            peer.submit([peer.task_item("random", bytes(BODY))])


def mesh_snapshot(mesh):
    environment = dict(os.environ, GROVE_CREDENTIAL=mesh.nodes["operator"].path)
    command = [GROVE, "cluster", "snapshot"]  # refused while one is being made
    until(lambda: subprocess.run(command, env=environment, stderr=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, check=False).returncode == 0,
          PATIENCE, "a snapshot begins")
    until(lambda: not os.path.exists(mesh.data + "/segment-0000000000000001"), PATIENCE,
          "the log before it goes")


run_tests([a_disk_nearly_full, the_leader_of_three_has_no_room, a_limit_of_file_size,
           flipped_bytes_are_refused_or_without_effect])
