#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The door and the frame: strangers, wrong mechanisms, and frames that are none. One mesh for all;
at its end it still works."""

import contextlib
import os
import random
import socket

import nacl.public
import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from mesh import (ACCEPTED, CHECKPOINT, CLIENT, ENLIST, EXPAND, HEARTBEAT, HELLO, OBSERVER, RETURN,
                  PATIENCE, SUBMIT, TASK, WAIT, WELCOME, WORKER, Link, Mesh, Message, check, encode,
                  field, message, one, run_tests, scaled, until, varint)

MALFORMED, TOO_LARGE, VERSION, NO_SESSION, UNEXPECTED, WRONG_MESH = 1, 2, 3, 4, 5, 6
ENDS = (zmq.EVENT_DISCONNECTED, zmq.EVENT_HANDSHAKE_FAILED_AUTH,
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
mesh = Mesh(nodes=(("watcher", OBSERVER),))
SEED = int(os.environ.get("GROVE_SEED", random.randrange(1 << 30)))


def count(name):
    return mesh.stats()["handshakes"][name]


def curve(link, server=None):
    def setup(sock):
        sock.curve_serverkey = z85.encode(bytes(server or mesh.nodes["c1"].link.public_key))
        sock.curve_publickey = z85.encode(bytes(link.public_key))
        sock.curve_secretkey = z85.encode(bytes(link))
    return setup


def plain(sock):
    sock.plain_username, sock.plain_password = b"operator", b"secret"


def null(_):
    pass


class Knock:
    """A DEALER that tries once, whatever it speaks, says Hello if it can, and is watched."""

    def __init__(self, setup, port):
        self.events = set()
        self.link = Link(mesh, None, port, zmq.DEALER, lambda sock: self.prepare(sock, setup))
        try:
            self.link.socket.send(message(HELLO, encode({1: mesh.public, 2: os.urandom(16)})),
                                  zmq.NOBLOCK)
        except zmq.Again:
            pass  # it was shut out before

    def prepare(self, sock, setup):
        setup(sock)
        sock.reconnect_ivl = -1
        self.monitor = sock.get_monitor_socket()

    def look(self):
        while self.monitor.poll(0):
            self.events.add(recv_monitor_message(self.monitor)["event"])
        return self.events

    def stays_outside(self, what, how, event=None):
        """`how` comes to be true; then there was no handshake, but the event, and no answer."""
        until(how, PATIENCE, what)
        check(event is None or event in self.look(), what, self.events)
        check(zmq.EVENT_HANDSHAKE_SUCCEEDED not in self.look(), what, "gets no handshake")
        check(self.link.receive(0) is None, what, "gets no answer")
        self.link.socket.disable_monitor()
        self.monitor.close()
        self.link.close()

    def is_shut_out(self):
        return any(event in self.look() for event in ENDS)


def is_shut_out(setup, port, what, event=None):
    knock = Knock(setup, port)
    knock.stays_outside(what, knock.is_shut_out, event)


def gets_silence(setup, port, what):
    """Counted as unknown, and told nothing, not even that."""
    before = count("unknown_key")
    knock = Knock(setup, port)
    knock.stays_outside(what, lambda: count("unknown_key") == before + 1)
    check(zmq.EVENT_HANDSHAKE_FAILED_AUTH not in knock.events, what, knock.events)


def strangers():
    for port in (mesh.port, mesh.port + 1):
        gets_silence(curve(nacl.public.PrivateKey.generate()), port, "an unknown key")
        is_shut_out(null, port, "NULL")
        is_shut_out(plain, port, "PLAIN")
        wrong = nacl.public.PrivateKey.generate().public_key
        is_shut_out(curve(mesh.nodes["client"].link, wrong), port, "a wrong server key")


def the_wrong_door():
    before = count("wrong_role")
    is_shut_out(curve(mesh.nodes["watcher"].link), mesh.port, "an observer at the task socket",
                zmq.EVENT_HANDSHAKE_FAILED_AUTH)
    is_shut_out(curve(mesh.nodes["w1"].link), mesh.port + 1, "a worker at the stats socket",
                zmq.EVENT_HANDSHAKE_FAILED_AUTH)
    check(count("wrong_role") == before + 2, "both are counted")
    check(mesh.ask("health", "watcher")["status"] == "ok", "an observer may ask the stats socket")


def a_certificate_of_another_mesh():
    other = Mesh()
    gets_silence(curve(other.nodes["client"].link), mesh.port, "a node of another mesh")


def every_envelope_gets_its_answer():
    """DEALER with and without delimiter, REQ, and REQ with correlation."""
    hello = lambda: message(HELLO, encode({1: mesh.public, 2: os.urandom(16)}), 5)
    client = mesh.nodes["client"]
    for port, ask, judge in (
            (mesh.port, hello, lambda frame: Message(frame).kind == WELCOME),
            (mesh.port + 1, lambda: b"health", lambda frame: frame.startswith(b"{"))):
        bare = Link(mesh, client, port)
        answer = bare.exchange([ask()])
        check(len(answer) == 1 and judge(answer[0]), "DEALER", answer)
        bare.close()
        delimited = Link(mesh, client, port)
        answer = delimited.exchange([b"", ask()])
        check(len(answer) == 2 and answer[0] == b"" and judge(answer[1]), "with delimiter", answer)
        delimited.close()
        three = Link(mesh, client, port)
        answer = three.exchange([b"abcd", b"", ask()])
        check(answer[:2] == [b"abcd", b""] and judge(answer[2]), "with a request id", answer)
        three.close()
        req = Link(mesh, client, port, zmq.REQ)
        check(judge(req.exchange([ask()])[0]), "REQ")
        req.close()
        correlated = Link(mesh, client, port, zmq.REQ, lambda sock: (
            curve(client.link)(sock), sock.setsockopt(zmq.REQ_CORRELATE, 1),
            sock.setsockopt(zmq.REQ_RELAXED, 1)))
        check(judge(correlated.exchange([ask()])[0]), "REQ with correlation")
        correlated.close()


def wrong_versions():
    with mesh.peer() as peer:
        before = mesh.refused("version")
        for version in (0, 2, 99):
            peer.link.socket.send(message(HEARTBEAT, b"", 9, version))
            check(peer.next(PATIENCE).refusal() == VERSION, "version", version)
        check(mesh.refused("version") == before + 3, "counted")
        still_works(peer)


def still_works(peer):
    check(peer.submit([peer.task_item("door")]).kind == ACCEPTED, "the session goes on")


def before_hello():
    with mesh.peer(hello=False) as peer:
        answer = peer.ask(SUBMIT, {1: peer.seal(TASK, [peer.task_item("door")])})
        check(answer.refusal() == NO_SESSION and one(answer.body, 3) == 1, answer.body)
        peer.send(HELLO, encode({1: mesh.public, 2: os.urandom(16), 3: bytes(5000)}), 1)
        check(peer.next(PATIENCE).refusal() == TOO_LARGE, "a Hello over 4 KiB")
        answer = peer.ask(HELLO, {1: mesh.public, 2: os.urandom(16), 3: os.urandom(16)})
        check(answer.refusal() == WRONG_MESH, "a Hello for another ledger:", answer.body)


def frames_that_are_none():
    before = mesh.refused("malformed"), mesh.refused("unexpected")
    with mesh.peer() as peer:
        bad = (b"", b"\0", b"\xff" * 12, b"GET / HTTP/1.1\r\n", message(HEARTBEAT) + b"\x01",
               field(1, 1), field(1, 1) + field(13, b"") + field(13, b""),
               field(1, 1) + varint(13 << 3 | 2) + varint(1 << 40),
               field(1, 1) + varint(13 << 3 | 2) + b"\xff" * 10, message(99), message(0x1FFFFFF),
               field(1, 1) + field(10, b"\x0a\x20" + bytes(31)))
        for frame in bad:
            peer.link.socket.send(frame)
            answer = peer.next(PATIENCE)
            check(answer is not None and answer.refusal() == MALFORMED, frame,
                  answer and answer.body)
        check(peer.ask(WELCOME, {1: bytes(16)}).refusal() == UNEXPECTED, "a coordinator's word")
        still_works(peer)
    check(mesh.refused("malformed") == before[0] + len(bad), "each is counted")
    check(mesh.refused("unexpected") == before[1] + 1, "and so is the unexpected")


def many_parts():
    with mesh.peer() as peer:
        before = mesh.refused("malformed")
        shapes = ([b"a", b"b"], [b"a", b"b", b"c", b"d"], [b"", b"", message(HEARTBEAT)],
                  [b"x"] * 8000, [os.urandom(600), b"", message(HEARTBEAT)])
        for parts in shapes:
            peer.link.socket.send_multipart(parts)
            check(peer.next(PATIENCE).refusal() == MALFORMED, len(parts), "parts")
        check(mesh.refused("malformed") == before + len(shapes), "each is counted")
        still_works(peer)


def a_frame_over_four_mebibytes():
    """libzmq ends the connection before the frame is read; no other is hurt."""
    with mesh.peer() as peer, mesh.peer() as other:
        monitor = peer.link.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        peer.link.socket.send(bytes((4 << 20) + 1))
        check(monitor.poll(PATIENCE * 1000), "the connection ends")
        peer.link.socket.disable_monitor()
        monitor.close()
        still_works(other)
    with mesh.peer() as peer:
        still_works(peer)


def mutated(chance, body):
    frame = bytearray(body)
    for _ in range(chance.randrange(1, 4)):
        kind, at = chance.random(), chance.randrange(len(frame))
        if kind < 0.6:
            frame[at] ^= 1 << chance.randrange(8)
        elif kind < 0.8:
            del frame[at:at + chance.randrange(1, 9)]
        else:
            frame[at:at] = chance.randbytes(chance.randrange(1, 9))
        frame = frame or bytearray(b"\0")
    return bytes(frame)


def bodies_of(peer):
    item = peer.task_item("door", b"x" * 40)
    batch = peer.seal(TASK, [item])
    return [message(HELLO, encode({1: mesh.public, 2: peer.boot}), 3),
            message(SUBMIT, encode({1: batch}), 3), message(WAIT, field(1, bytes(32))),
            message(ENLIST, encode({1: "i", 2: ["a", "b"], 3: 2, 5: 3}), 3),
            message(EXPAND, encode({1: batch, 2: encode({1: bytes(16), 2: 1})}), 3),
            message(RETURN, field(1, encode({1: bytes(16), 2: 1, 3: 1}))),
            message(CHECKPOINT, encode({1: bytes(16), 2: 1, 3: b"c"})), message(HEARTBEAT, b"", 3)]


def mutated_frames():
    """Frames that begin well and go wrong somewhere; a few from each identity, for three bad
    signatures hold it off."""
    print("seed", SEED, flush=True)
    chance = random.Random(SEED)
    for i in range(scaled(300, 100)):
        with mesh.admit("mutant%d" % i, WORKER | CLIENT) as peer:
            before, bodies = received(), bodies_of(peer)
            for _ in range(20):
                peer.link.socket.send(mutated(chance, chance.choice(bodies)))
            until(lambda: received() >= before + 20, PATIENCE, "all are looked at")


def received():
    return mesh.stats()["messages"]["received"]


def raw_bytes_at_the_port():
    """Garbage, an old greeting, one byte at a time, a frame of 1 TiB, and doors held half open:
    members get in beside them, and all are shut out in time."""
    greeting = b"\xff" + bytes(8) + b"\x7f"
    held = []
    for data in (b"GET / HTTP/1.0\r\n\r\n", os.urandom(4096), greeting + b"\x01\x00" + bytes(52),
                 greeting + b"\x00", greeting + b"\x03\x00NULL" + bytes(48),
                 greeting + b"\x03\x00CURVE" + bytes(47) + b"\x06" + (1 << 40).to_bytes(8, "big")):
        for port in (mesh.port, mesh.port + 1):
            held.append(socket.create_connection(("127.0.0.1", port)))
            held[-1].sendall(data)
    held += [socket.create_connection(("127.0.0.1", mesh.port)) for _ in range(200)]
    for byte in greeting:
        with contextlib.suppress(OSError):  # it was shut out by now
            held[-1].sendall(bytes([byte]))
        with mesh.peer() as peer:
            still_works(peer)
    for raw in held:
        raw.settimeout(PATIENCE)
        while is_open(raw):
            pass
        raw.close()


def is_open(raw):
    try:
        return raw.recv(4096) != b""
    except ConnectionResetError:
        return False


def the_mesh_goes_on():
    worker = mesh.worker("w2", slots=2)
    ids = mesh.submit_all("flow", "after", 5, "3")
    check(all(outcome[:2] == ("succeeded", b"9") for outcome in mesh.outcomes(ids).values()),
          "honest work is done")
    worker.terminate()
    check(worker.wait(PATIENCE) == 0, "the worker ends well")
    mesh.stop()


with mesh:
    run_tests([strangers, the_wrong_door, a_certificate_of_another_mesh,
               every_envelope_gets_its_answer, wrong_versions, before_hello, frames_that_are_none,
               many_parts, a_frame_over_four_mebibytes, mutated_frames, raw_bytes_at_the_port,
               the_mesh_goes_on])
