#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A worker enlists with a coordinator that takes longer to answer than the worker waits until it asks
again: as one does whose disk takes a second to write."""

import os
import threading
import time

import zmq
from zmq.utils import z85

from mesh import (ENLIST, GROVE, HELLO, PATIENCE, WELCOME, Mesh, Message, check, encode, message,
                  run_tests, until)

LATE_S = 1.5  # the first Enlist is said again after 1 s, the next after 2 s


class Late(threading.Thread):
    """What welcomes everybody like a coordinator, and workers so much later."""

    def __init__(self, mesh):
        super().__init__(daemon=True)
        self.welcome = mesh.peer("operator", hello=False).ask(HELLO, {1: mesh.public,
                                                                      2: os.urandom(16)}).body
        self.socket, self.is_over, self.owed = zmq.Context.instance().socket(zmq.ROUTER), False, []
        self.socket.linger, self.socket.curve_server = 0, True
        self.socket.curve_secretkey = z85.encode(bytes(mesh.nodes["c1"].link))
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.start()

    def run(self):
        while not self.is_over:
            if self.socket.poll(20):
                *route, frame = self.socket.recv_multipart()
                self.take(route, Message(frame))
            while self.owed and self.owed[0][0] < time.monotonic():
                self.answer(*self.owed.pop(0)[1:], {**self.welcome, 3: [1]})
        self.socket.close()

    def take(self, route, request):
        if request.kind == HELLO:
            self.answer(route, request.correlation, self.welcome)
        elif request.kind == ENLIST:
            self.owed.append((time.monotonic() + LATE_S, route, request.correlation))

    def answer(self, route, correlation, welcome):
        self.socket.send_multipart([*route, message(WELCOME, encode(welcome), correlation)])


def one_that_is_always_answered_late_enlists():
    with Mesh() as mesh:
        late = Late(mesh)
        path = mesh.credential_for("w1", late.port)
        worker = mesh.spawn("w1", [GROVE, "worker", "--exec", "x=cat", "--credential", path], "w1")
        mesh.processes.append(worker)
        until(lambda: 'event="enlisted"' in mesh.complaints(), PATIENCE, "it enlists")
        check(worker.poll() is None, "and stays")
        late.is_over = True
        late.join()


run_tests([one_that_is_always_answered_late_enlists])
