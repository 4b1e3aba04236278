#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Campaigns of the simulator: where they go on, what they count, what they write down."""

import os
import shutil
import subprocess
import tempfile

SOURCE = os.environ["GROVE_SOURCE"]
TABLE = """Runs of the simulator, newest last.

date        commit   kind                      seeds            failures
2026-11-26  b875ec9  test_seeds, release       1000 to 5999     0
2026-11-26  0554b42  test_seeds, ASan, UBSan   40000 to 43999   0
2026-11-26  5579c56  chaos, voters: 3          90000 to 90003   0

Found on the way there:
  seed 1    something
"""
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "%s/ran"
[ ! -e "%s/fails" ] || { echo "failed in seed 44017" >&2; echo "failed in seed 44003" >&2; exit 1; }
"""


def check(holds, what):
    if not holds:
        raise AssertionError(what)


class Place:
    """A repository with the script and nothing else of ours, and programs that only say they ran."""

    def __init__(self, directory):
        self.directory = directory
        self.git("init", "-q")
        for path in ("tests/simulation/mesh", "core", "nodes/coordinator/replica", "build/tests"):
            os.makedirs(os.path.join(directory, path))
        shutil.copy(os.path.join(SOURCE, "tests/simulation/campaign"),
                    os.path.join(directory, "tests/simulation/campaign"))
        self.write("tests/CAMPAIGNS", TABLE)
        for name in ("test_simulation_seeds", "test_simulation_disks", "test_simulation_meshes"):
            self.write("build/tests/" + name, PROGRAM % (directory, directory))
            os.chmod(os.path.join(directory, "build/tests", name), 0o755)

    def git(self, *words):
        return subprocess.run(
            ["git", "-C", self.directory, "-c", "user.name=n", "-c", "user.email=n@example.org",
             "-c", "commit.gpgsign=false"] + list(words),
            check=True, stdout=subprocess.PIPE).stdout.decode().strip()

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.directory, name), encoding="utf-8") as file:
            return file.read()

    def commit(self, name):
        """A commit that touches this file; its short hash."""
        self.write(name, self.git("rev-list", "--all", "--count"))
        self.git("add", "tests", name)
        self.git("commit", "-qm", name)
        return self.git("log", "-1", "--format=%h")

    def run(self, *size):
        """Runs a campaign, the shortest one: a batch of each kind. (status, what it printed)"""
        done = subprocess.run([os.path.join(self.directory, "tests/simulation/campaign"),
                               "--build", os.path.join(self.directory, "build")] +
                              list(size or ("--minutes", "0")),
                              stdout=subprocess.PIPE, check=False)
        return done.returncode, done.stdout.decode()


def goes_on_at_the_next_unused_seed(place):
    place.commit("core/a")
    check(place.run()[0] == 0 and place.run()[0] == 0, "two campaigns")
    ran = [line.split()[:4] for line in place.read("ran").splitlines()]
    check(ran == [["test_simulation_seeds", "--seeds", "44000", "100"],
                  ["test_simulation_disks", "--seeds", "1000", "100"],
                  ["test_simulation_meshes", "--seeds", "1000", "100"],
                  ["test_simulation_seeds", "--seeds", "44100", "100"],
                  ["test_simulation_disks", "--seeds", "1100", "100"],
                  ["test_simulation_meshes", "--seeds", "1100", "100"]], "the seeds: %s" % ran)


def writes_a_line_a_kind(place):
    by = place.commit("core/a")
    place.run()
    lines = place.read("tests/CAMPAIGNS").splitlines()
    at = lines.index("2026-11-26  5579c56  chaos, voters: 3          90000 to 90003   0")
    check(lines[at + 1][12:] == "%s  test_seeds, release       44000 to 44099   0" % by and
          lines[at + 2][12:] == "%s  test_disks, release       1000 to 1099     0" % by and
          lines[at + 3][12:] == "%s  test_meshes, release      1000 to 1099     0" % by,
          "after the last of the table: %s" % lines[at:at + 4])
    check(lines[at + 4:] == TABLE.splitlines()[6:], "and the rest stays")


def counts_from_the_last_commit_that_matters(place):
    by = place.commit("core/a")
    place.run()
    place.commit("README")
    check("test_seeds: 200 seeds since %s\n" % by in place.run()[1], "a README is no reason")
    for name in ("nodes/coordinator/replica/a", "tests/simulation/a", "core/b"):
        by = place.commit(name)
        said = place.run()[1]
        for kind in ("test_seeds", "test_disks", "test_meshes"):
            check("%s: 100 seeds since %s\n" % (kind, by) in said, "%s and %s" % (name, kind))


def counts_meshes_alone_from_a_change_of_theirs(place):
    before = place.commit("core/a")
    place.run()
    by = place.commit("tests/simulation/mesh/a")
    said = place.run()[1]
    for kind in ("test_seeds", "test_disks"):
        check("%s: 200 seeds since %s\n" % (kind, before) in said, kind)
    check("test_meshes: 100 seeds since %s\n" % by in said, "its own change")


def runs_as_many_as_it_is_told(place):
    place.commit("core/a")
    said = place.run("--seeds", "500")[1]
    check([said.count(kind + ": 200 seeds") for kind in ("test_seeds", "test_disks",
                                                         "test_meshes")] == [1, 1, 0] and
          "test_meshes: 100 seeds" in said, "five batches: %s" % said)


def says_which_seeds_failed(place):
    by = place.commit("core/a")
    place.write("fails", "")
    status, said = place.run()
    check(status == 1 and "failed in seed 44017" in said, "it fails, and says why")
    check("%s  test_seeds, release       44000 to 44099   2: 44003 44017\n" % by in
          place.read("tests/CAMPAIGNS"), "and it is written down")


def takes_minutes_for_long_runs_only():
    short = {name: value for name, value in os.environ.items() if name != "GROVE_LONG"}
    for words in (["--minutes", "5"], ["--long", "--minutes"], ["--long", "--minutes", "soon"]):
        done = subprocess.run([os.path.join(SOURCE, "tests/run")] + words, stderr=subprocess.PIPE,
                              env=short, check=False)
        check(done.returncode == 2 and b"usage: " in done.stderr, "tests/run %s" % words)


for test in (goes_on_at_the_next_unused_seed, writes_a_line_a_kind,
             counts_from_the_last_commit_that_matters,
             counts_meshes_alone_from_a_change_of_theirs, runs_as_many_as_it_is_told,
             says_which_seeds_failed):
    with tempfile.TemporaryDirectory() as scratch:
        test(Place(scratch))
    print("ok", test.__name__)
takes_minutes_for_long_runs_only()
print("ok takes_minutes_for_long_runs_only")
