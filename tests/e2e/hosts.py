# SPDX-License-Identifier: MPL-2.0
"""Hosts of their own on this machine: network namespaces on a bridge, in namespaces that are made for
the test and end with it. Where that is not allowed they are addresses of the loopback."""

import os
import shutil
import subprocess
import sys
import time

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "host")
NET = "10.73.0."


def enter():
    """Starts this script anew in namespaces of its own, in which nothing outlives it. Returns there; or
    here, having said so, if that is not allowed."""
    if "GROVE_HOSTS" in os.environ:
        return
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.getuid() != 0:
        unshare.insert(1, "--map-root-user")
    able = subprocess.run(unshare + ["sh", "-c", "ip link add bridge1 type bridge && ip link add veth1 type "
                                     "veth peer name veth2 && ip link set veth1 master bridge1"],
                          check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if able.returncode == 0:
        os.environ["GROVE_HOSTS"] = "namespaces"
        sys.stdout.flush()
        os.execvp("unshare", unshare + [sys.executable] + sys.argv)
    os.environ["GROVE_HOSTS"] = "loopback"
    print("no namespaces here, so hosts are on the loopback:", able.stderr.decode().strip(),
          flush=True)


def has_namespaces():
    return os.environ.get("GROVE_HOSTS") == "namespaces"


def ip(*words, prefix=()):
    subprocess.run([*prefix, "ip", *words], check=True)


class Host:
    """One host, for as long as its first process lives."""

    def __init__(self, name, number=None, command=("sleep", "infinity"), more=()):
        """With a number it is on the bridge, else on no network."""
        self.name, self.address, self.holder = name, "127.0.0.1", None
        if not has_namespaces():
            return
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--uts", *more, "sh", "-c",
             'hostname "$0" && until ip address show up | grep -q 127.0.0.1; do sleep 0.01; done && '
             'exec "$@"', name, *command],
            stdin=subprocess.DEVNULL)
        while os.readlink("/proc/%d/ns/net" % self.holder.pid) == os.readlink("/proc/self/ns/net"):
            time.sleep(0.01)
        if number is not None:
            self.join_bridge(number)
        ip("link", "set", "lo", "up", prefix=self.prefix())

    def join_bridge(self, number):
        link, inside, self.address = "grove%d" % number, self.prefix(), NET + str(number)
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns",
           str(self.holder.pid))
        ip("link", "set", link, "master", "grove", "up")
        ip("address", "add", self.address + "/24", "dev", "eth0", prefix=inside)
        ip("link", "set", "eth0", "up", prefix=inside)

    def prefix(self):
        """What a command begins with that runs there; its process id is the command's."""
        if self.holder is None:
            return []
        return ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid,
                "--uts=/proc/%d/ns/uts" % self.holder.pid]

    def end(self):
        if self.holder is not None:
            self.holder.kill()
            self.holder.wait()


class Network:
    """The bridge, this host at its end, and all hosts on it."""

    def __init__(self):
        self.hosts = {}
        if has_namespaces():
            ip("link", "add", "grove", "type", "bridge")
            ip("address", "add", NET + "254/24", "dev", "grove")
            ip("link", "set", "lo", "up")
            ip("link", "set", "grove", "up")

    def add(self, name, *command, more=()):
        self.hosts[name] = Host(name, len(self.hosts) + 1, command or ("sleep", "infinity"), more)
        return self.hosts[name]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for host in self.hosts.values():
            host.end()
        if has_namespaces():
            ip("link", "del", "grove")


class Remote:
    """Hosts with a root of their own that answer to ssh, or to what stands in for it."""

    def __init__(self, network, directory):
        self.network, self.directory = network, directory
        self.key, self.config = os.path.join(directory, "key"), os.path.join(directory, "config")
        self.has_sshd = has_namespaces() and shutil.which("dropbear") and shutil.which("ssh")
        if self.has_sshd:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key],
                           check=True)
            self.ssh = "ssh -F " + self.config
            self.name("nowhere", NET + "200")
        else:
            print("no sshd for hosts of their own: a stand-in for ssh enters them", flush=True)
            self.ssh = os.path.join(HERE, "ssh") + " " + directory

    def add(self, name):
        """Boots a host."""
        root = os.path.join(self.directory, name)
        os.mkdir(root)
        host = self.network.add(name, os.path.join(HERE, "boot"), root, self.key if self.has_sshd
                                else "-", more=("--mount", "--pid", "--fork", "--kill-child"))
        self.name(name, host.address)
        with open(root + ".holder", "w", encoding="utf-8") as file:
            file.write(str(host.holder.pid) if host.holder else "")
        return host

    def name(self, name, address):
        """For ssh, which knows no other hosts."""
        with open(self.config, "a", encoding="utf-8") as file:
            file.write("Host %s\n HostName %s\n User root\n IdentityFile %s\n BatchMode yes\n"
                       " ConnectTimeout 5\n StrictHostKeyChecking no\n LogLevel ERROR\n"
                       " UserKnownHostsFile %s/known\n" % (name, address, self.key, self.directory))

    def run(self, name, command):
        """Exit code and output of a command there."""
        done = subprocess.run([*self.ssh.split(), name, command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=60)
        return done.returncode, done.stdout.decode()
