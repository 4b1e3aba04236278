# SPDX-License-Identifier: MPL-2.0
"""What the Python tests share: a mesh of real processes, and a peer that speaks the wire by
PROTOCOL.md alone (protobuf by hand, PyNaCl, PyZMQ), as a stranger or an enemy would."""

import base64
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import nacl.public
import nacl.signing
import zmq
from zmq.utils import z85

BUILD = os.environ.get("GROVE_BUILD", "build")
GROVE = os.path.join(BUILD, "grove")
LONG = bool(os.environ.get("GROVE_LONG"))
PATIENCE = 60  # seconds for what should happen at once: a machine may stand still for a while
BEAT = 0.5     # seconds between two heartbeats of a peer

HELLO, WELCOME, REFUSED, HEARTBEAT, GOODBYE = 10, 11, 12, 13, 14
NO_SESSION, NO_LEADER = 4, 12  # refusals
SUBMIT, ACCEPTED, WAIT, NOTIFY = 20, 21, 22, 23
ENLIST, ASSIGN, EXPAND, RESUME, REPORT, RETURN, CHECKPOINT, STOP = 30, 31, 32, 33, 34, 35, 36, 37
ADMIT, SNAPSHOT, DONE = 40, 41, 42
COORDINATOR, WORKER, CLIENT, OBSERVER, OPERATOR = 1, 2, 4, 8, 16
TASK, RESULT, VERDICT = 1, 2, 3
CODES = {0: "succeeded", 1: "failed", 2: "permanent", 3: "timeout", 16: "cancelled", 17: "poison",
         18: "deadline", 19: "refused", 20: "lost", 21: "abandoned"}


def is_sanitized():
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as file:
        return re.search(r"^GROVE_SANITIZE:[A-Z]+=.+$", file.read(), re.MULTILINE) is not None


SANITIZED = is_sanitized()


def scaled(count, sanitized):
    return sanitized if SANITIZED else count


def check(is_right, *what):
    if not is_right:
        raise AssertionError(" ".join(str(word) for word in what))


def until(condition, seconds, what):
    """Waits until `condition` returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        tend()
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, "not within", seconds, "s:", what)
        time.sleep(0.02)


def finish(process, seconds=PATIENCE):
    """Waits until a process has ended; returns what it printed."""
    end = time.monotonic() + seconds
    while True:
        tend()
        try:
            return process.communicate(timeout=BEAT)[0]
        except subprocess.TimeoutExpired:
            check(time.monotonic() < end, "not within", seconds, "s: the end of", process.args)


def run_tests(tests):
    """Runs test functions, each on a mesh of its own making; says which one failed."""
    for test in tests:
        started, name = time.monotonic(), getattr(test, "func", test).__name__
        try:
            test()
        except BaseException:
            print("FAILED", name, flush=True)
            raise
        print("ok %-50s %5.1f s" % (name, time.monotonic() - started), flush=True)


# ---- protobuf, hashes, seals

def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(int(value))


def encode(values):
    """{number: value or list of values}; None is absent."""
    out = b""
    for number, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                out += field(number, one)
    return out


def take_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def decode(data):
    found, at = {}, 0
    while at < len(data):
        tag, at = take_varint(data, at)
        if tag & 7 == 0:
            value, at = take_varint(data, at)
        elif tag & 7 == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        else:
            size, at = take_varint(data, at)
            value, at = data[at:at + size], at + size
        found.setdefault(tag >> 3, []).append(value)
    return found


def one(fields, number, absent=0):
    return fields.get(number, [absent])[0]


def digest(data):
    return hashlib.blake2b(data).digest()[:32]


def left_of(count):
    left = 1
    while left * 2 < count:
        left *= 2
    return left


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    left = left_of(len(leaves))
    return digest(b"\x01" + root_of(leaves[:left]) + root_of(leaves[left:]))


def prove(leaves, hashes, first, count):
    if not any(first <= index < first + count for index in leaves):
        return hashes.pop(0)
    if count == 1:
        return leaves[first]
    left = left_of(count)
    return digest(b"\x01" + prove(leaves, hashes, first, left)
                  + prove(leaves, hashes, first + left, count - left))


def signed_bytes(mesh, signer, kind, count, root):
    return b"grove.v1.seal\0" + mesh + signer + struct.pack("<BH", kind, count) + root


def seal(mesh, key, kind, items):
    signer = bytes(key.verify_key)
    root = root_of([digest(b"\x00" + item) for item in items])
    signature = key.sign(signed_bytes(mesh, signer, kind, len(items), root)).signature
    return encode({1: signer, 2: kind, 3: len(items), 4: signature, 5: list(items)})


def open_seal(mesh, data):
    """Verifies a batch or an excerpt; returns signer, kind and items."""
    sealed = decode(data)
    signer, kind, count, items = one(sealed, 1), one(sealed, 2), one(sealed, 3), sealed[5]
    indices = list(one(sealed, 6, bytes(range(count)) if count == len(items) else b""))
    joined = one(sealed, 7, b"")
    hashes = [joined[i:i + 32] for i in range(0, len(joined), 32)]
    check(len(indices) == len(items), "an excerpt's indices")
    leaves = {index: digest(b"\x00" + item) for index, item in zip(indices, items)}
    root = prove(leaves, hashes, 0, count)
    check(not hashes, "an excerpt's hashes")
    nacl.signing.VerifyKey(signer).verify(signed_bytes(mesh, signer, kind, count, root),
                                          one(sealed, 4))
    return signer, kind, items


def root_id(signer, key=None, nonce=None):
    name = key.encode() if key else nonce
    return digest(b"grove.v1.root\0" + signer + bytes([key is not None])
                  + struct.pack("<H", len(name)) + name)[:16]


# ---- a mesh of processes

class Node:
    """An identity and its credential file."""

    def __init__(self, mesh, name, roles, submit="*", run="*"):
        self.name, self.roles = name, roles
        self.sign, self.link = nacl.signing.SigningKey.generate(), nacl.public.PrivateKey.generate()
        self.key = bytes(self.sign.verify_key)
        now = int(time.time() * 1000)
        self.certificate = mesh.certify({
            1: bytes(mesh.key.verify_key), 2: os.urandom(16), 3: name, 4: roles, 5: self.key,
            6: bytes(self.link.public_key), 7: submit if roles & (WORKER | CLIENT) else None,
            8: run if roles & WORKER else None, 9: now - 7200000, 10: now + 86400000})
        self.path = os.path.join(mesh.directory, name + ".credential")

    def save(self, mesh):
        text = "[credential]\nversion = 1\nmesh = %s\nsign = %s\nlink = %s\ncertificate = %s\n" % (
            bytes(mesh.key.verify_key).hex(), bytes(self.sign).hex(), bytes(self.link).hex(),
            wrapped(self.certificate))
        for name, port in mesh.coordinators():
            text += "[coordinator]\nendpoint = tcp://%s:%d\ncertificate = %s\n" % (
                mesh.address(name), port, wrapped(mesh.nodes[name].certificate))
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="utf-8") as file:
            file.write(text)


def wrapped(data):
    text = base64.b64encode(data).decode().rstrip("=")
    return "\n    ".join(text[i:i + 76] for i in range(0, len(text), 76))


class Mesh:
    """One coordinator, and whoever is started beside it; all are ended with the `with`."""

    def __init__(self, nodes=(), directory=None):
        self.directory = tempfile.mkdtemp(prefix="grove-e2e-", dir=directory)
        self.data, self.log = os.path.join(self.directory, "data"), self.directory + "/executions"
        self.key = nacl.signing.SigningKey.generate()
        self.public = bytes(self.key.verify_key)
        self.coordinator, self.processes, self.peers = None, [], []
        self.hosts = {}  # of nodes that are not on this one
        self.prefixes = {}  # what the commands of some nodes begin with
        self.places = {}    # data directories of coordinators
        self.more = []      # options of every coordinator
        self.nodes = {}
        for name, roles in (("c1", COORDINATOR), ("client", CLIENT | OBSERVER),
                            ("operator", CLIENT | OBSERVER | OPERATOR),
                            ("w1", WORKER), ("w2", WORKER)) + tuple(nodes):
            self.nodes[name] = Node(self, name, roles)
        self.port, self.server = 0, "c1"  # whom peers speak to

    def coordinators(self):
        """The name and the port of each."""
        return [("c1", self.port)]

    def address(self, name):
        return self.hosts[name].address if name in self.hosts else "127.0.0.1"

    def data_of(self, name):
        """The data directory of a coordinator."""
        return self.places.get(name, self.data)

    def certify(self, body):
        body = encode(body)
        return encode({1: body, 2: self.key.sign(b"grove.v1.cert\0" + body).signature})

    def __enter__(self):
        for _ in range(5):  # another test may take the ports between the look and the start
            self.port = free_ports()
            for node in self.nodes.values():
                node.save(self)
            if self.start("--bootstrap", *[word for node in self.nodes.values()
                                           for word in ("--admit", node.path)]):
                return self
        raise AssertionError("no coordinator: " + self.complaints())

    def __exit__(self, kind, value, trace):
        for peer in self.peers:
            peer.close()
        for process in self.processes + [self.coordinator]:
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            if process is not None:
                process.wait()
        if kind is not None:
            print(self.complaints(4000), file=sys.stderr)
        else:
            check("Sanitizer" not in self.complaints(), self.complaints())
        shutil.rmtree(self.directory, ignore_errors=True)

    def complaints(self, most=None):
        """What is in the logs, or at the end of each."""
        text = ""
        for name in sorted(os.listdir(self.directory)):
            if name.endswith(".log"):
                with open(os.path.join(self.directory, name), encoding="utf-8",
                          errors="replace") as file:
                    said = file.read()
                    text += "--- " + name + "\n" + (said[-most:] if most else said)
        return text

    def said(self):
        """What the coordinator has said on stderr."""
        with open(os.path.join(self.directory, "coordinator.log"), encoding="utf-8") as file:
            return file.read()

    def credential_for(self, name, port):
        """The path of that node's credential, which leads to this port of the host instead."""
        path = os.path.join(self.directory, "%s-%d.credential" % (name, port))
        with open(self.nodes[name].path, encoding="utf-8") as file:
            text = file.read().replace("127.0.0.1:%d" % self.port, "127.0.0.1:%d" % port)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def spawn(self, name, command, credential, host=None, **options):
        """Starts a process, on the host of its credential or another; its stderr goes to NAME.log."""
        host = host or self.hosts.get(credential)
        command = self.prefixes.get(credential, []) + command
        if host is not None:
            command = host.prefix() + command
        environment = dict(os.environ, GROVE_CREDENTIAL=self.nodes[credential].path,
                           GROVE_TEST_LOG=self.log, XDG_RUNTIME_DIR=self.directory)
        with open(os.path.join(self.directory, name + ".log"), "ab") as log:
            return subprocess.Popen(command, stderr=log, env=environment,
                                    **{"stdin": subprocess.DEVNULL, **options})

    def start(self, *arguments):
        """Starts the coordinator and awaits that it is ready; False if it ended instead."""
        self.coordinator = self.spawn(
            "coordinator", [GROVE, "coordinator", "--data", self.data_of("c1"), "--listen",
                            "%s:%d" % (self.address("c1"), self.port), "--credential",
                            self.nodes["c1"].path, *self.more, *arguments],
            "c1", stdout=subprocess.PIPE)
        if self.coordinator.stdout.readline().startswith(b"ready "):
            return True
        self.coordinator.wait(PATIENCE)
        return False

    def kill(self):
        """kill -9 of the coordinator."""
        self.coordinator.kill()
        self.coordinator.wait()

    def stop(self):
        self.coordinator.terminate()
        check(self.coordinator.wait(PATIENCE) == 0, "the coordinator ends with 0 at SIGTERM")

    def restart(self):
        check(self.start(), "the coordinator starts again:", self.complaints(1500))

    def worker(self, credential="w1", slots=1, waiting=0, functions=()):
        """Starts the worker of tests/e2e/actors, with all of its functions or some, and awaits its
        enlisting."""
        return self.actor(credential, "worker", str(slots), str(waiting), *functions)

    def actor(self, credential, name, *arguments):
        """Starts another one of them; likewise."""
        before = self.stats()["workers"]
        process = self.spawn(credential, [os.path.join(BUILD, "actors", name), *arguments],
                             credential)
        self.processes.append(process)
        until(lambda: self.stats()["workers"] > before or process.poll() is not None
              or self.knows(credential), PATIENCE, "a worker enlists")
        check(process.poll() in (None, -signal.SIGKILL), "the worker runs, or its task killed it")
        return process

    def knows(self, name):
        return any(worker["name"] == name and worker["connected"] and worker["silent_ms"] < 1000
                   for worker in self.ask("workers")["workers"])

    def submitter(self, function, prefix, first, end, payload="-", rest_ms=0, **options):
        process = self.spawn("submitter", [os.path.join(BUILD, "actors", "submitter"), function,
                                           prefix, str(first), str(end), payload,
                                           str(rest_ms)], "client",
                             stdout=subprocess.PIPE, **options)
        self.processes.append(process)
        return process

    def submit_all(self, function, prefix, count, payload="-"):
        """Submits by the library; returns the ids in order."""
        output = finish(self.submitter(function, prefix, 0, count, payload), 3 * PATIENCE)
        ids = dict(line.split() for line in output.decode().splitlines())
        check(len(ids) == count, len(ids), "of", count, "were acknowledged")
        return [ids[str(i)] for i in range(count)]

    def admit(self, name, roles, **rights):
        """A new identity, admitted while the mesh runs; returns its peer."""
        node = self.nodes[name] = Node(self, name, roles, **rights)
        node.save(self)
        with self.peer("operator") as operator:
            answer = operator.ask(ADMIT, {1: node.certificate})
            check(answer.kind == DONE, "admitted", answer.refusal())
        return Peer(self, node)

    def revoke(self, name):
        """Withdraws an identity while the mesh runs."""
        body = encode({1: self.public, 2: self.nodes[name].key, 4: "test",
                       5: int(time.time() * 1000)})
        signature = self.key.sign(b"grove.v1.revoke\0" + body).signature
        with self.peer("operator") as operator:
            answer = operator.ask(ADMIT, {1: encode({3: body, 4: signature})})
            check(answer.kind == DONE, "revoked", answer.refusal())

    def grove(self, *arguments, name="operator", seconds=PATIENCE):
        """A command of the operator, or another; returns its exit code and what it printed."""
        environment = dict(os.environ, GROVE_CREDENTIAL=self.nodes[name].path,
                           XDG_RUNTIME_DIR=self.directory)
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen([GROVE, *arguments], env=environment, stderr=errors,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.processes.append(process)
            output = finish(process, seconds)
            errors.seek(0)
            return process.returncode, output.decode(), errors.read().decode()

    def refused(self, name):
        return self.stats()["refusals"].get(name, 0)

    def peer(self, name="client", **options):
        return Peer(self, self.nodes[name], **options)

    def ask(self, request, name="operator", seconds=PATIENCE):
        """The answer of the stats socket."""
        link = Link(self, self.nodes[name], self.port + 1)
        try:
            return json.loads(link.exchange([request.encode()], seconds)[0])
        finally:
            link.close()

    def stats(self):
        return self.ask("stats")

    def task(self, identity):
        return self.ask("task " + identity)

    def executions(self):
        """[(function, id, attempt, payload)] in the order they began."""
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            lines = file.read().split("\n")[:-1]  # what has no end is being written
        return [tuple(line.split(" ", 3)) for line in lines]

    def hold(self, first):
        """Lets no execution end whose payload ends with `first` or more (actors/shared/hold.h)."""
        with open(self.log + ".next", "w", encoding="ascii") as file:
            file.write(str(first))
        os.replace(self.log + ".next", self.log + ".hold")

    def release(self):
        os.remove(self.log + ".hold")

    def outcomes(self, ids, seconds=3 * PATIENCE):
        """{id: (code, bytes, text, attempt)} of tasks, all of which must end, each but once, whoever
        leads meanwhile."""
        found, end = {}, time.monotonic() + seconds
        while len(found) < len(set(ids)):
            check(time.monotonic() < end, len(found), "of", len(ids), "ended within", seconds, "s")
            self.leader()
            with self.peer() as peer:
                found.update(peer.await_some([each for each in ids if each not in found], 10))
        return found

    def leader(self):
        """The name of who leads."""
        return self.server


def free_ports():
    """P so that P to P + 3 are free, below the range the kernel gives away: no test but this one gets
    them, even while nobody listens there."""
    while True:
        port = random.randrange(10000, 32000, 4)
        with contextlib.ExitStack() as bound:
            try:
                for i in range(4):
                    bound.enter_context(socket.socket()).bind(("127.0.0.1", port + i))
                claim = socket.socket(socket.AF_UNIX)
                claim.bind("\0grove-test-ports-%d" % port)
                claims.append(claim)
                return port
            except OSError:
                pass


claims = []  # held until the end of the process


# ---- peers

class Link:
    """A socket of any kind to one of the coordinator's ports, under CURVE."""

    # Those of links that nobody has closed: a context that is collected as garbage before its socket
    # waits for that for ever.
    contexts = set()

    def __init__(self, mesh, node, port, kind=zmq.DEALER, setup=None):
        self.context = zmq.Context()
        self.contexts.add(self.context)
        self.socket = self.context.socket(kind)
        self.socket.linger, self.socket.sndtimeo = 0, PATIENCE * 1000
        self.socket.rcvhwm = self.socket.sndhwm = 0
        if setup is None:
            self.socket.curve_serverkey = z85.encode(bytes(mesh.nodes[mesh.server].link.public_key))
            self.socket.curve_publickey = z85.encode(bytes(node.link.public_key))
            self.socket.curve_secretkey = z85.encode(bytes(node.link))
        else:
            setup(self.socket)
        self.socket.connect("tcp://%s:%d" % (mesh.address(mesh.server), port))

    def receive(self, seconds):
        """The frames of a message, or None."""
        end = time.monotonic() + seconds
        while True:
            tend()
            left = max(0, end - time.monotonic())
            if self.socket.poll(int(min(left, BEAT) * 1000)) != 0:
                return self.socket.recv_multipart()
            if left == 0:
                return None

    def exchange(self, frames, seconds=PATIENCE):
        self.socket.send_multipart(frames)
        answer = self.receive(seconds)
        check(answer is not None, "nobody answers", frames[-1][:40])
        return answer

    def close(self):
        self.socket.close()
        self.context.term()
        self.contexts.discard(self.context)


def message(kind, body=b"", correlation=0, version=1):
    out = field(1, version)
    if correlation:
        out += b"\x11" + struct.pack("<Q", correlation)
    return out + field(kind, body)


class Message:
    def __init__(self, frame):
        fields = decode(frame)
        self.correlation = one(fields, 2)
        self.kind = next(number for number in fields if number >= 10)
        self.body = decode(one(fields, self.kind))

    def refusal(self):
        """The code when this is a Refused, else 0."""
        return one(self.body, 1) if self.kind == REFUSED else 0


def tend():
    """Says for the peers of this thread that they are still there, whatever the test awaits."""
    for peer in tuple(Peer.tended):
        if peer.thread == threading.get_ident() and time.monotonic() - peer.beaten > BEAT:
            peer.beaten = time.monotonic()
            with contextlib.suppress(zmq.Again):
                peer.link.socket.send(message(HEARTBEAT), zmq.DONTWAIT)


class Peer:
    """A node of the mesh that does as it is told."""

    tended = set()

    def __init__(self, mesh, node, hello=True):
        self.mesh, self.node, self.inbox, self.correlation = mesh, node, [], 0
        self.link = Link(mesh, node, mesh.port)
        self.thread, self.beaten = threading.get_ident(), time.monotonic()
        self.boot = os.urandom(16)
        self.offset, self.had = 0, set()
        mesh.peers.append(self)
        if hello:
            welcome = self.enter()
            self.offset = one(welcome.body, 2) - int(time.time() * 1000)
            self.tended.add(self)

    def enter(self):
        """Says Hello to whoever leads; its Welcome."""
        while True:
            answer = self.ask(HELLO, {1: self.mesh.public, 2: self.boot})
            if answer.refusal() != NO_LEADER:
                check(answer.kind == WELCOME, "a Welcome", answer.body)
                return answer
            self.link.close()
            self.mesh.leader()
            self.link = Link(self.mesh, self.node, self.mesh.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.tended.discard(self)
        if self in self.mesh.peers:
            self.mesh.peers.remove(self)
            self.link.close()

    def now(self):
        return int(time.time() * 1000) + self.offset

    def send(self, kind, body=b"", correlation=0):
        body = encode(body) if isinstance(body, dict) else body
        if kind == GOODBYE:
            self.tended.discard(self)
        self.link.socket.send(message(kind, body, correlation))

    def next(self, seconds, accept=lambda message: True):
        """The next message that is accepted, or None; the others stay in the inbox."""
        end = time.monotonic() + seconds
        while True:
            for waiting in self.inbox:
                if accept(waiting):
                    self.inbox.remove(waiting)
                    return waiting
            frames = self.link.receive(end - time.monotonic())
            if frames is not None:
                arrived = Message(frames[-1])
                if arrived.kind != HEARTBEAT:
                    self.inbox.append(arrived)
            elif time.monotonic() >= end:
                return None

    def ask(self, kind, body=b"", seconds=PATIENCE):
        """The answer; asks again if its session has ended, for it or the mesh stood still."""
        while True:
            self.correlation += 1
            mine = self.correlation
            self.send(kind, body, mine)
            answer = self.next(seconds, lambda message: message.correlation == mine)
            check(answer is not None, "no answer to", kind)
            if answer.refusal() != NO_SESSION or self not in self.tended:
                return answer
            self.enter()

    def task_item(self, function, payload=b"", **more):
        """A TaskItem; `more` by field number: f5="key"."""
        values = {1: os.urandom(16), 2: function, 3: payload or None, 13: self.now() + 600000}
        values.update({int(name[1:]): value for name, value in more.items()})
        return encode(dict(sorted(values.items())))

    def child_item(self, parent, function, payload=b"", **more):
        """A TaskItem of a child of an assigned root; `more` by field number."""
        values = {"f13": None, "f20": parent["task"], "f21": parent["task"],
                  "f22": parent["attempt"], "f23": parent["generation"] or None}
        values.update(more)
        return self.task_item(function, payload, **values)

    def seal(self, kind, items):
        return seal(self.mesh.public, self.node.sign, kind, items)

    def submit(self, items, wait=False, batch=None):
        return self.ask(SUBMIT, {1: batch or self.seal(TASK, items), 2: wait or None})

    def enlist(self, functions, slots=1, window=0, **more):
        values = {1: "e2e/" + self.node.name, 2: functions, 3: slots, 4: window or None, 5: 100}
        values.update({int(name[1:]): value for name, value in more.items()})
        welcome = self.ask(ENLIST, values)
        self.session = one(welcome.body, 3)
        return welcome

    def assigned(self, seconds=PATIENCE):
        """The next assignment: {task, attempt, generation, item fields, item}. What it has had already
        is sent to it again, for its heartbeats do not list it."""
        while True:
            assign = self.next(seconds, lambda message: message.kind == ASSIGN)
            check(assign is not None, "nothing is assigned")
            assignments = [decode(each) for each in assign.body[2]]
            assignments = [each for each in assignments
                           if (one(each, 1), one(each, 2)) not in self.had]
            if assignments:
                break
        check(len(assignments) == 1, "one assignment at a time")
        self.had.add((one(assignments[0], 1), one(assignments[0], 2)))
        batch = assign.body[1][one(assignments[0], 4)]
        item = open_seal(self.mesh.public, batch)[2][one(assignments[0], 5)]
        return {"task": one(assignments[0], 1), "attempt": one(assignments[0], 2),
                "generation": one(assignments[0], 3), "item": decode(item)}

    def result_item(self, assigned, data=b"done", **more):
        """A ResultItem for an assignment of a root; `more` by field number."""
        values = {1: os.urandom(16), 2: assigned["task"], 3: assigned["task"],
                  5: one(assigned["item"], 2), 6: digest(one(assigned["item"], 3, b"")),
                  7: assigned["attempt"], 8: self.session, 10: data}
        values.update({int(name[1:]): value for name, value in more.items()})
        return encode(dict(sorted(values.items())))

    def report(self, items, batch=None):
        return self.ask(REPORT, {1: batch or self.seal(RESULT, items)})

    def await_all(self, ids, seconds=2 * PATIENCE):
        found = self.await_some(ids, seconds)
        check(len(found) == len(set(ids)), len(found), "of", len(ids), "ended within", seconds, "s")
        return found

    def await_some(self, ids, seconds):
        """Those that end within so long."""
        found = {}
        for i in range(0, len(ids), 10000):
            self.send(WAIT, {1: bytes.fromhex("".join(ids[i:i + 10000]))}, 1 << 40 | i)
        end = time.monotonic() + seconds
        while len(found) < len(set(ids)):
            notify = self.next(end - time.monotonic(), lambda message: message.kind == NOTIFY)
            if notify is None:
                break
            check(3 not in notify.body, "unknown tasks:", notify.body.get(3))
            for excerpt in notify.body.get(1, []):
                self.take(excerpt, found)
        return {identity.hex(): outcome for identity, outcome in found.items()}

    def take(self, excerpt, found):
        _, kind, items = open_seal(self.mesh.public, excerpt)
        for item in map(decode, items):
            if kind == RESULT:
                outcome = (CODES[one(item, 9)], one(item, 10, b""), one(item, 11, b"").decode(),
                           one(item, 7))
            else:
                outcome = (CODES[one(item, 6)], b"", one(item, 7, b"").decode(), 0)
            before = found.setdefault(one(item, 2), outcome)
            check(before == outcome, "two outcomes of one task:", before, outcome)
