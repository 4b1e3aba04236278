#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""`metrics` is what Prometheus reads: by promtool where it is installed, and by the rules of its text
format, which are checked here in any case."""

import math
import os
import re
import shutil
import subprocess

from mesh import DONE, GROVE, Link, Mesh, check, run_tests

LIMIT = 43

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(r"^(%s)(?:\{(%s(?:,%s)*)\})? (\S+)$" % (NAME, LABEL, LABEL))
TYPES = {"counter", "gauge", "histogram"}
SUFFIXES = ("_bucket", "_sum", "_count")


class Family:
    def __init__(self, help_text, kind):
        self.help, self.kind, self.samples = help_text, kind, {}


def number(text):
    check(re.fullmatch(r"[0-9]+(\.[0-9]+)?", text), "a plain number", text)
    return float(text)


def family_of(name, families):
    for suffix in SUFFIXES:
        base = name[:-len(suffix)]
        if name.endswith(suffix) and base in families and families[base].kind == "histogram":
            return base
    return name


def parse(text):
    """{family: Family}; each rule of the format is checked as it is read."""
    families, current, pending = {}, None, None
    check(text.endswith("\n"), "the last line ends")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            _, _, name, help_text = line.split(" ", 3)
            check(re.fullmatch(NAME, name) and help_text and name not in families, "HELP", line)
            pending = (name, help_text)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            check(pending and pending[0] == name and kind in TYPES, "TYPE after its HELP", line)
            families[name], current, pending = Family(pending[1], kind), name, None
        else:
            match = SAMPLE.match(line)
            check(match and pending is None, "a sample", line)
            name, labels, value = match.group(1), match.group(2) or "", number(match.group(3))
            check(family_of(name, families) == current, "stands with its family", line)
            check((name, labels) not in families[current].samples, "comes once", line)
            families[current].samples[name, labels] = value
    return families


def labels_of(text):
    return dict(part.split("=", 1) for part in re.findall(LABEL, text))


def check_histogram(name, family):
    series = {}
    for (sample, text), value in family.samples.items():
        labels = labels_of(text)
        bound = labels.pop("le", None)
        one = series.setdefault(tuple(sorted(labels.items())), {"buckets": []})
        if sample == name + "_bucket":
            bound = bound.strip('"')
            one["buckets"].append((math.inf if bound == "+Inf" else float(bound), value))
        else:
            check(sample in (name + "_sum", name + "_count"), "of a histogram", sample)
            one[sample] = value
    for labels, one in series.items():
        bounds = [bound for bound, _ in one["buckets"]]
        counts = [count for _, count in one["buckets"]]
        check(bounds == sorted(set(bounds)) and bounds[-1] == math.inf, labels, "bounds", bounds)
        check(counts == sorted(counts), labels, "is cumulative", counts)
        check(counts[-1] == one[name + "_count"], labels, "the last bucket holds all")
        check(name + "_sum" in one, labels, "has a sum")


def check_names(families):
    """Base units, and a counter is called a total."""
    for name, family in families.items():
        check(name.startswith("grove_"), name)
        check((family.kind == "counter") == name.endswith("_total"), name, family.kind)
        check(not re.search(r"_(ms|us|ns|milliseconds|kib|mib|percent|size)(_|$)", name), name)
        check(not re.search(r"_(counter|gauge|histogram|info)$", name), name)
        check(family.help.endswith("."), name, "is told in a sentence", family.help)


def metrics(mesh):
    link = Link(mesh, mesh.nodes["operator"], mesh.port + 1)
    frames = link.exchange([b"metrics"], 20)
    link.close()
    check(len(frames) == 1 and len(frames[0]) <= 512 * 1024, "one frame")
    return frames[0].decode()


def value(families, name, labels=""):
    return families[family_of(name, families)].samples[name, labels]


def the_text_follows_the_format_and_tells_what_stats_tell():
    with Mesh() as mesh:
        mesh.worker(slots=3)
        mesh.outcomes(mesh.submit_all("echo", "k", 7))
        text = metrics(mesh)
        families = parse(text)
        check_names(families)
        for name, family in families.items():
            if family.kind == "histogram":
                check_histogram(name, family)
        stats = mesh.stats()
        for name, labels, expected in (
                ("grove_tasks_submitted_total", "", 7),
                ("grove_tasks_ended_total", 'state="succeeded"', 7),
                ("grove_tasks", 'state="ready"', 0),
                ("grove_workers", "", 1), ("grove_worker_slots", "", 3),
                ("grove_function_ended_total", 'function="echo",state="succeeded"', 7),
                ("grove_function_workers", 'function="echo"', 1),
                ("grove_run_seconds_count", 'function="echo"', 7),
                ("grove_joins_open", 'kind="map"', 0), ("grove_leader", "", 1),
                ("grove_refusals_total", 'reason="role"', stats["refusals"].get("role", 0))):
            check(value(families, name, labels) == expected, name, labels,
                  value(families, name, labels), "is not", expected)
        for name in ("grove_journal_syncs_total", "grove_raft_term", "grove_applied_index",
                     "grove_signatures_verified_total", "grove_raft_groups_total"):
            check(value(families, name) > 0, name, "counts")


def what_is_not_shown_is_counted():
    """A hundred functions are shown, in byte order; one is known while it has a limit."""
    with Mesh() as mesh:
        with mesh.peer("operator") as operator:
            for number in range(103):
                answer = operator.ask(LIMIT, {1: b"f%03d" % number, 2: 1, 3: 7})
                check(answer.kind == DONE, answer.refusal())
        families = parse(metrics(mesh))
        check(value(families, "grove_functions_shown") == 100, "as many are shown")
        check(value(families, "grove_functions_not_shown") == 3, "the others are counted")
        shown = families["grove_function_limit_running"].samples
        check(('grove_function_limit_running', 'function="f099"') in shown
              and ('grove_function_limit_running', 'function="f100"') not in shown, shown)


def counters_only_grow():
    with Mesh() as mesh:
        mesh.worker(slots=3)
        mesh.outcomes(mesh.submit_all("echo", "a", 3))
        before = parse(metrics(mesh))
        mesh.outcomes(mesh.submit_all("echo", "b", 3))
        after = parse(metrics(mesh))
        for name, family in before.items():
            if family.kind == "counter":
                for key, count in family.samples.items():
                    check(after[name].samples[key] >= count, name, key, "has fallen")


def promtool_accepts_it():
    promtool = shutil.which("promtool")
    if promtool is None:
        print("skipped: promtool is not installed (Debian: prometheus)", flush=True)
        return
    with Mesh() as mesh:
        mesh.worker(slots=3)
        mesh.outcomes(mesh.submit_all("echo", "k", 3))
        done = subprocess.run([promtool, "check", "metrics"], input=metrics(mesh).encode(),
                              capture_output=True, timeout=60, check=False)
        check(done.returncode == 0, done.stdout.decode(), done.stderr.decode())


def the_command_prints_it_as_it_is():
    with Mesh() as mesh:
        environment = dict(os.environ, GROVE_CREDENTIAL=mesh.nodes["operator"].path)
        out = subprocess.run([GROVE, "stats", "metrics"], env=environment, capture_output=True,
                             timeout=60, check=True).stdout.decode()
        check(value(parse(out), "grove_leader") == 1, out[:200])


run_tests([the_text_follows_the_format_and_tells_what_stats_tell, what_is_not_shown_is_counted,
           counters_only_grow, promtool_accepts_it, the_command_prints_it_as_it_is])
