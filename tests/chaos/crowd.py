# SPDX-License-Identifier: MPL-2.0
"""Clients that come all at once. As every client does, each says Hello again until it is welcome: a
connection that breaks takes along what was said on it."""

import os
import time

import zmq
from zmq.utils import z85

from mesh import HELLO, WELCOME, Message, check, encode, message

NO_LEADER = 12  # the code of a refusal
AGAIN_S = 2     # between two Hellos; of two thousand in one process, which takes its time


class Crowd:
    def __init__(self, mesh, count):
        self.mesh, self.node = mesh, mesh.nodes["client"]
        self.context, self.poller = zmq.Context(), zmq.Poller()
        self.context.set(zmq.MAX_SOCKETS, count + 64)
        self.places, self.welcome = {}, set()  # {link: where it is connected}
        for _ in range(count):
            link = self.context.socket(zmq.DEALER)
            link.linger = 0
            link.curve_publickey = z85.encode(bytes(self.node.link.public_key))
            link.curve_secretkey = z85.encode(bytes(self.node.link))
            self.places[link] = None
            self.poller.register(link, zmq.POLLIN)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for link in self.places:
            link.close()
        self.context.term()

    def come_to(self, leader):
        """True: all have been welcome somewhere; False: not yet, and it is time to look who leads."""
        server = self.mesh.nodes[leader].link.public_key
        place = "tcp://%s:%d" % (self.mesh.address(leader), self.mesh.port)
        for link in self.places.keys() - self.welcome:
            self.go(link, place, z85.encode(bytes(server)))
            link.send(message(HELLO, encode({1: self.mesh.public, 2: os.urandom(16)}), 1))
        end = time.monotonic() + AGAIN_S
        while len(self.welcome) < len(self.places) and time.monotonic() < end:
            self.hear()
        return len(self.welcome) == len(self.places)

    def go(self, link, place, key):
        if self.places[link] == place:
            return
        if self.places[link] is not None:
            link.disconnect(self.places[link])
        link.curve_serverkey = key
        link.connect(place)
        self.places[link] = place

    def hear(self):
        for link, _ in self.poller.poll(100):
            answer = Message(link.recv_multipart()[-1])
            check(answer.kind == WELCOME or answer.refusal() == NO_LEADER, "a Welcome, not",
                  answer.kind, answer.body)
            if answer.kind == WELCOME:
                self.welcome.add(link)
