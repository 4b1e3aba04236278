# SPDX-License-Identifier: MPL-2.0
"""Networks that let nothing through, or not all: rules in a host's own network namespace."""

import contextlib
import subprocess

IN, OUT = ("input", "saddr"), ("output", "daddr")
BOTH = (IN, OUT)


def nft(host, text):
    return subprocess.run([*host.prefix(), "nft", "-f", "-"], input=text.encode(), check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def is_allowed(host):
    return nft(host, "table inet chaos { }\ndelete table inet chaos\n").returncode == 0


def rules(others, ways, percent):
    some = "" if percent == 100 else "numgen random mod 100 < %d " % percent
    whom = "{ %s } " % ", ".join(sorted(set(others)))
    return "table inet chaos {\n%s}\n" % "".join(
        "chain %s { type filter hook %s priority 0; ip %s %s%sdrop; }\n" % (hook, hook, side, whom,
                                                                        some)
        for hook, side in ways)


@contextlib.contextmanager
def cut(host, others, ways=BOTH, percent=100):
    """Meanwhile so many in a hundred packets between this host and those addresses are lost."""
    done = nft(host, rules(others, ways, percent))
    if done.returncode != 0:
        raise AssertionError("nft: " + done.stderr.decode())
    try:
        yield
    finally:
        nft(host, "delete table inet chaos")
