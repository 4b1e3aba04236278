#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""nodes/clients/node/grove.mjs, as client and worker of a mesh of real processes."""

import functools
import os
import subprocess
import sys

from clients import HERE, SKIPPED, TESTS, missing, run_readme
from mesh import run_tests


def the_vectors_hold():
    subprocess.run(["node", os.path.join(HERE, "vectors.mjs")], check=True)


def the_program_of_the_readme_runs():
    run_readme("js", "node", ".mjs")


def in_node(test):
    return functools.wraps(test)(lambda: test("node"))


if __name__ == "__main__":
    if missing("node"):
        print("skipped:", missing("node"))
        sys.exit(SKIPPED)
    run_tests(([] if sys.argv[1:] else [the_vectors_hold, the_program_of_the_readme_runs])
              + [in_node(test) for test in TESTS if sys.argv[1:] in ([], [test.__name__])])
