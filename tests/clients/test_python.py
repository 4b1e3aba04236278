#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""nodes/clients/python/grove.py, as client and worker of a mesh of real processes."""

import functools
import subprocess
import sys

import vectors
from clients import CLIENTS, TESTS, Clients, check, run_readme
from mesh import run_tests


def in_python(test):
    return functools.wraps(test)(lambda: test("python"))


def a_handler_on_a_thread_gives_its_slot_back():
    with Clients() as clients:
        clients.worker("python")
        answer = clients.client("python").do("wait", "python.thread", "python python")
        check(answer == "python python python", answer)


def the_program_of_the_readme_runs():
    run_readme("python", "/usr/bin/python3", ".py")


def the_schema_is_the_one_that_clients_carry():
    subprocess.run([CLIENTS + "/embed", "--check"], check=True)


if __name__ == "__main__":
    chosen = [test for test in TESTS if sys.argv[1:] in ([], [test.__name__])]
    alone = [*vectors.TESTS, the_schema_is_the_one_that_clients_carry,
             the_program_of_the_readme_runs, a_handler_on_a_thread_gives_its_slot_back]
    run_tests(([] if sys.argv[1:] else alone) + [in_python(test) for test in chosen])
