#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""deploy/launch makes a mesh of hosts that have nothing but an account: coordinators and workers, as
plain processes and by systemd. What fails there is said, and the other hosts are not kept waiting."""

import functools
import json
import os
import shutil
import subprocess
import tempfile
import time

import hosts
from mesh import GROVE, check, free_ports, run_tests, scaled, until

SOURCE = os.environ.get("GROVE_SOURCE", ".")
COORDINATORS, WORKERS = ("c1", "c2", "c3"), ("w1", "w2", "w3")


class Operator:
    """Who has the mesh key, and launches."""

    def __init__(self, remote, directory):
        self.remote, self.keys, self.directory = remote, os.path.join(directory, "keys"), directory
        self.listen = {name: "%s:%d" % (remote.network.hosts[name].address,
                                        7310 if hosts.has_namespaces() else free_ports())
                       for name in COORDINATORS}
        self.secret = os.path.join(directory, "passphrase")
        with open(self.secret, "w", encoding="utf-8") as file:
            file.write("correct horse battery staple\n")
        self.grove("keys", "init", self.keys, "--passphrase-file", self.secret,
                   *[word for name in COORDINATORS
                     for word in ("--coordinator", name + "=" + self.listen[name])])
        self.credential = os.path.join(self.keys, "operator.credential")

    def grove(self, *words, code=0):
        """A command that ends with `code`, once somebody leads; returns what it printed."""
        done = self.attempt(*words)
        end = time.monotonic() + 60
        while done.returncode == 5 != code and time.monotonic() < end:
            done = self.attempt(*words)
        check(done.returncode == code, words, done.returncode, done.stderr.decode())
        return done.stdout.decode()

    def attempt(self, *words):
        environment = dict(os.environ, XDG_RUNTIME_DIR=self.directory)
        if os.path.exists(self.keys):
            environment["GROVE_CREDENTIAL"] = os.path.join(self.keys, "operator.credential")
        return subprocess.run([GROVE, *words], env=environment, capture_output=True, check=False,
                              timeout=60)

    def issue(self, name):
        """... and admits it, when there is a leader."""
        path = os.path.join(self.keys, name + ".credential")
        done = self.attempt("keys", "issue", "--role", "worker", name, "--passphrase-file",
                            self.secret, "--out", path)
        check(done.returncode in (0, 5), "issued:", done.stderr.decode())
        if done.returncode == 5:
            until(lambda: self.attempt("keys", "admit", path).returncode == 0, 60, "it is admitted")

    def launch(self, *words, code=0, credential="%h.credential"):
        """deploy/launch; returns {host: its line} and what it complained of."""
        done = subprocess.run(
            [os.path.join(SOURCE, "deploy", "launch"), "--binary", GROVE, "--ssh", self.remote.ssh,
             "--credential", os.path.join(self.keys, credential), *words],
            capture_output=True, check=False, timeout=200)
        out, error = done.stdout.decode(), done.stderr.decode()
        check(done.returncode == code, words, "exit", done.returncode, out, error)
        return dict(line.split(": ", 1) for line in out.splitlines()), error


def coordinators_on_three_hosts(operator):
    """The first begins the ledger; the others are added to it by the same command that starts them."""
    listen = operator.listen
    said, _ = operator.launch("--coordinator", "--file", operator.credential, "c1", "--", "--listen",
                              listen["c1"], "--bootstrap", "--admit", "%d/operator.credential")
    check(said["c1"].startswith("grove coordinator runs now, as a plain process, pid "), said)
    others = ("--coordinator", "--operator", operator.credential)
    if hosts.has_namespaces():  # each at the same port of its own host, by their names
        said, _ = operator.launch(*others, "c2", "c3", "--", "--join")
    else:
        said = {}
        for name in COORDINATORS[1:]:
            said.update(operator.launch(*others, name, "--", "--listen", listen[name], "--join")[0])
    check(all(said[name].endswith(", %s votes" % name) for name in COORDINATORS[1:]), said)
    members = json.loads(operator.grove("cluster", "status", "-o", "json"))["members"]
    check(sorted((member["name"], member["role"]) for member in members) ==
          [(name, "voter") for name in COORDINATORS], members)


def a_leader_is_found_whose_name_this_host_does_not_know(operator):
    """As launched, the others say that it is at c2:7310; the operator's credential has addresses."""
    operator.attempt("cluster", "transfer", "c2")
    operator.grove("keys", "admit", operator.credential)


def workers(operator):
    return {worker["name"]: worker
            for worker in json.loads(operator.grove("stats", "workers"))["workers"]}


def a_worker_joins_with_its_credential_file_alone(operator):
    """... and a script that it runs. What runs already is left alone; with another option it is not."""
    script = os.path.join(operator.directory, "shout")
    with open(os.open(script, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\ntr a-z A-Z\n")
    for name in WORKERS:
        operator.issue(name)
    words = ("--file", script, *WORKERS, "--", "--exec", "shout=%d/shout")
    first, _ = operator.launch(*words)
    check(sorted(first) == sorted(WORKERS), first)
    check(all(line.startswith("grove worker runs now, as a plain process, pid ")
              for line in first.values()), first)
    check(sorted(workers(operator)) == sorted(WORKERS), "all have joined", workers(operator))
    check(operator.grove("run", "-t", "shout", "anybody?").strip() == "ANYBODY?", "one runs")
    again, _ = operator.launch(*words)
    check(again == {name: line.replace("runs now", "runs already") for name, line in first.items()},
          "left alone", again)
    other, _ = operator.launch(*words, "--slots", "2")
    check(all("runs now" in line and line != first[name] for name, line in other.items()), other)
    check(all(worker["slots"] == 2 for worker in workers(operator).values()), workers(operator))


def nothing_is_readable_for_others(operator):
    remote = operator.remote
    _, files = remote.run("w1", "cd .grove && stat -c '%a %n' . worker worker/* | sort -k 2")
    check(files.split() == ["700", ".", "700", "worker", "700", "worker/grove", "600", "worker/log",
                            "600", "worker/options", "600", "worker/pid", "600", "worker/said",
                            "700", "worker/shout", "600", "worker/worker.credential"], files)
    if hosts.has_namespaces():
        left = remote.run("w1", "ls /tmp")[1].split()
        check(all(name.startswith("grove-") for name in left), "only the worker's own", left)


def what_fails_is_said(operator):
    """A host that is not there, a credential that the mesh does not know, a program that does not run;
    and the others run."""
    shutil.copy(os.path.join(operator.keys, "w1.credential"),
                os.path.join(operator.keys, "nowhere.credential"))
    said, _ = operator.launch("nowhere", "w1", "--", "--exec", "a=cat", code=1)
    check(said["nowhere"].startswith("FAILED: ssh: "), said)
    check(said["w1"].startswith("grove worker runs now"), said)
    issue_a_stranger(operator)
    until(lambda: "know this key" in strangely_launched(operator), 60, "it says why")
    said, _ = operator.launch("w2", "--", "--exec", "A=cat", code=1)
    check("ended: " in said["w2"] and "a function is named" in said["w2"], said)
    said, _ = operator.launch("--binary", "/bin/false", "w3", "--", "--exec", "a=cat", code=1)
    check("the program does not run here" in said["w3"] and "libczmq4" in said["w3"], said)


def strangely_launched(operator):
    """What is said of one that runs and cannot join: the last that it has said itself, in 5 s."""
    said, _ = operator.launch("--timeout", "5", "w2", "--", "--exec", "a=cat", code=1,
                              credential="stranger.credential")
    check("has not joined yet: " in said["w2"], said)
    return said["w2"]


def issue_a_stranger(operator):
    """By an operator who reaches no coordinator that could admit it."""
    lonely = os.path.join(operator.keys, "lonely.credential")
    stranger = os.path.join(operator.keys, "stranger.credential")
    rewrite(operator.credential, lonely, operator.listen.values(), "127.0.0.1:1")
    operator.grove("keys", "issue", "--role", "worker", "stranger", "--passphrase-file",
                   operator.secret, "--out", stranger, "--credential", lonely, code=5)
    rewrite(stranger, stranger, ["127.0.0.1:1"], operator.listen["c1"])


def rewrite(source, target, old, new):
    with open(source, encoding="utf-8") as file:
        text = file.read()
    for each in old:
        text = text.replace(each, new)
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        file.write(text)


def wrong_options_touch_no_host(operator):
    for words, reason in ((("w1", "w1"), "named twice"), ((), "no host"), (("-x", "w1"), "no such"),
                          (("w1", "--", "--exec", "a=b c"), "with blanks"),
                          (("w;1",), "no host"), (("--jobs", "0", "w1"), "--jobs"),
                          (("absent",), "absent.credential cannot be read")):
        _, error = operator.launch(*words, code=2)
        check(reason in error and error.count("\n") == 1, words, error)
    _, error = operator.launch("--coordinator", "c1", "c2", code=2, credential="c1.credential")
    check("of its own" in error, error)
    before = workers(operator)
    said, _ = operator.launch("--dry-run", "w1", "w2", "--", "--exec", "other=cat")
    check("w1.credential" in said["w1"] and "grove worker --exec other=cat" in said["w2"], said)
    said, _ = operator.launch("--dry-run", "--coordinator", "c2", "--", "--join")
    check("grove coordinator --listen 0.0.0.0:7310 --advertise c2:7310 --join" in said["c2"], said)
    check(workers(operator).keys() == before.keys(), "nothing has happened")


def by_systemd(operator):
    """What stands in for systemctl starts the command of the unit as its user."""
    remote, name = operator.remote, "s1"
    if not remote.has_sshd:
        return  # said already
    remote.add(name)
    until(lambda: is_up(remote, name), 30, "it has booted")
    code, out = remote.run(name, "mkdir -p /run/systemd/system /run/upper /run/work && mount -t "
                           "overlay o -o lowerdir=/usr/bin,upperdir=/run/upper,workdir=/run/work "
                           "/usr/bin")
    if code != 0:
        print("skipped: by systemd:", out, flush=True)
        return
    for program in ("systemctl", "journalctl"):
        path = "/usr/bin/" + program
        with open(os.path.join(hosts.HERE, "systemd"), "rb") as stand_in:
            subprocess.run([*remote.ssh.split(), name, "rm -f %s; cat >%s && chmod 755 %s" %
                            (path, path, path)], stdin=stand_in, check=True)
    operator.issue(name)
    said, _ = operator.launch(name, "--", "--exec", "id=id")
    check(said[name].startswith("grove worker runs now, by systemd, pid "), said)
    again, _ = operator.launch(name, "--", "--exec", "id=id")
    check(again[name] == said[name].replace("now", "already"), again)
    check("(grove)" in operator.grove("run", "-t", "id"), "as the user grove")
    _, files = remote.run(name, "cd / && stat -c '%a %U %n' usr/local/bin/grove etc/grove/*"
                          " etc/systemd/system/grove-worker.service")
    check(files.splitlines() == ["755 root usr/local/bin/grove", "644 root etc/grove/worker.conf",
                                 "600 grove etc/grove/worker.credential",
                                 "644 root etc/systemd/system/grove-worker.service"], files)


def is_up(remote, name):
    return remote.run(name, "true")[0] == 0


def end_all(remote, names):
    """Where hosts are no namespaces, what was launched would outlive them."""
    for name in names:
        remote.run(name, "for pid in $(cat .grove/*/pid); do kill -KILL $pid; done")


TESTS = (coordinators_on_three_hosts, a_leader_is_found_whose_name_this_host_does_not_know,
         a_worker_joins_with_its_credential_file_alone,
         nothing_is_readable_for_others, what_fails_is_said, wrong_options_touch_no_host, by_systemd)


def main():
    hosts.enter()
    with tempfile.TemporaryDirectory(prefix="grove-launch-") as directory, \
            hosts.Network() as network:
        remote = hosts.Remote(network, directory)
        names = COORDINATORS + WORKERS
        for name in names:
            remote.add(name)
        known = "".join("%s %s\n" % (host.address, name) for name, host in network.hosts.items())
        for name in names:
            until(lambda name=name: is_up(remote, name), scaled(30, 60), name + " has booted")
            if hosts.has_namespaces():
                remote.run(name, "printf '%s' >>/etc/hosts" % known)
        operator = Operator(remote, directory)
        try:
            complete = False
            run_tests([functools.partial(test, operator) for test in TESTS])
            complete = True
        finally:
            for name in () if complete else names:
                print(name, remote.run(name, "tail -n 5 .grove/*/log")[1], flush=True)
            end_all(remote, names)


main()
