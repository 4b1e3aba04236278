# SPDX-License-Identifier: MPL-2.0
"""grove: submit tasks to a worker mesh, and run them. One file, written from schema/PROTOCOL.md.

A program that submits opens a `Client`, one that runs tasks a `Worker`. Inside a handler the calls of
this module make children of the task that it runs, and waiting for one gives the slot back: lineage
needs no argument, it goes by context variables.

    with grove.Client() as client:
        print(client.wait("echo", b"hello").get().bytes)

Every call returns a `Call` and does nothing yet: `await` it in a coroutine, `.get()` it anywhere else,
or give it to `gather` or `race` as an input.

A payload or result may be bytes, a text, or whatever JSON can say; `Result.value` is it again. Times
are seconds, unless a name ends in `_ms`. Needs PyZMQ, PyNaCl and protobuf (Debian: python3-zmq,
python3-nacl, python3-protobuf).
"""

from __future__ import annotations

import asyncio
import base64
import collections
import concurrent.futures
import contextvars
import dataclasses
import functools
import hashlib
import inspect
import itertools
import json
import logging
import os
import re
import signal
import socket
import stat
import struct
import threading
import time
from typing import (Any, AsyncIterator, Callable, Coroutine, Dict, Generator, Iterable, Iterator,
                    List, NamedTuple, Optional, Sequence, Tuple, Union)

import nacl.exceptions
import nacl.public
import nacl.signing
import zmq
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from zmq.utils import z85

__all__ = ["Attempt", "Call", "Cancelled", "Client", "Error", "Failure", "Join", "JoinError", "NotTrusted",
           "Refused", "Result", "Task", "TaskExecutionError", "Worker", "cancel", "current", "gather",
           "map", "race", "result", "submit", "submit_many", "wait"]

log = logging.getLogger("grove")

# ---- the schema, as protobuf classes

# schema/grove.proto without its comments and enums; nodes/clients/embed puts it here.
# [schema
SCHEMA = """
message Message { uint32 version = 1; fixed64 correlation = 2; oneof body { Hello hello = 10;
 Welcome welcome = 11; Refused refused = 12; Heartbeat heartbeat = 13; Goodbye goodbye = 14;
 Submit submit = 20; Accepted accepted = 21; Wait wait = 22; Notify notify = 23;
 Cancel cancel = 24; Cancelled cancelled = 25; Page page = 26; Paged paged = 27; Fetch fetch = 28;
 Fetched fetched = 29; Enlist enlist = 30; Assign assign = 31; Expand expand = 32;
 Resume resume = 33; Report report = 34; Return returned = 35; Checkpoint checkpoint = 36;
 Stop stop = 37; Progress progress = 38; Recall recall = 39; Admit admit = 40;
 Snapshot snapshot = 41; Done done = 42; Limit limit = 43; Change change = 44; Drain drain = 45; }
 }
message Sealed { bytes signer = 1; uint32 kind = 2; uint32 count = 3; bytes signature = 4;
 repeated bytes items = 5; bytes indices = 6; bytes hashes = 7; }
message TaskItem { bytes nonce = 1; string function = 2; bytes payload = 3;
 string content_type = 4; string key = 5; optional sint32 priority = 6; uint64 delay_ms = 7;
 uint64 deadline_ms = 8; uint64 timeout_ms = 9; uint32 max_attempts = 10; bool at_most_once = 11;
 bool fresh = 12; uint64 expires_ms = 13; uint32 max_tasks = 14; uint64 max_bytes = 15;
 bytes retry_of = 16; bytes parent = 20; bytes root = 21; uint32 attempt = 22;
 uint32 generation = 23; uint32 occurrence = 24; uint32 join_kind = 25; uint32 join_position = 26;
 }
message ResultItem { bytes nonce = 1; bytes task = 2; bytes root = 3; bytes parent = 4;
 string function = 5; bytes payload_digest = 6; uint32 attempt = 7; uint64 session = 8;
 uint32 code = 9; bytes bytes = 10; string text = 11; uint64 run_ms = 12; string content_type = 13;
 }
message VerdictItem { bytes task = 1; bytes root = 2; bytes parent = 3; string function = 4;
 bytes payload_digest = 5; uint32 code = 6; string text = 7; uint64 at_ms = 8; }
message Certificate { bytes body = 1; bytes signature = 2; }
message CertificateBody { bytes mesh = 1; bytes serial = 2; string name = 3; uint32 roles = 4;
 bytes sign_key = 5; bytes link_key = 6; repeated string submit = 7; repeated string run = 8;
 uint64 not_before_ms = 9; uint64 not_after_ms = 10; }
message Revocation { bytes body = 3; bytes signature = 4; }
message RevocationBody { bytes mesh = 1; bytes sign_key = 2; bytes serial = 3; string reason = 4;
 uint64 at_ms = 5; }
message Hello { bytes mesh = 1; bytes boot = 2; bytes ledger = 3; }
message Welcome { bytes ledger = 1; uint64 stamp_ms = 2; uint64 session = 3;
 repeated bytes certificates = 4; uint32 heartbeat_ms = 5; uint32 session_ms = 6;
 repeated Location coordinators = 7; }
message Location { bytes certificate = 1; string endpoint = 2; }
message Refused { uint32 code = 1; string text = 2; bool retryable = 3; uint64 retry_ms = 4;
 repeated Location leader = 5; }
message Heartbeat { repeated Held held = 1; uint64 stamp_ms = 2; }
message Held { bytes task = 1; uint32 attempt = 2; uint32 state = 3; }
message Goodbye {}
message Done { uint64 index = 1; }
message Submit { bytes batch = 1; bool wait = 2; }
message Accepted { bytes ids = 1; repeated ItemRefused refused = 2; uint64 stamp_ms = 3;
 bytes settled = 4; bytes appends = 5; }
message ItemRefused { uint32 position = 1; uint32 code = 2; string text = 3; bytes conflict = 4; }
message Wait { bytes ids = 1; }
message Notify { repeated bytes outcomes = 1; repeated bytes certificates = 2;
 repeated ItemRefused unknown = 3; }
message Cancel { bytes task = 1; bytes by = 2; uint32 attempt = 3; }
message Cancelled { uint64 never_started = 1; uint64 stopped = 2; uint64 already_done = 3; }
message Join { uint32 kind = 1; string function = 2; uint32 limit = 3; uint32 stop = 4;
 bool first_settled = 5; bytes first = 6; uint32 occurrence = 7; uint32 revision = 8;
 string key = 9; }
message Append { bytes parent = 1; uint32 attempt = 2; Join join = 3; uint32 offset = 4;
 uint32 first = 5; uint32 count = 6; bytes adopted = 7; bool close = 8; uint32 generation = 9; }
message Page { bytes join = 1; uint32 offset = 2; uint32 most = 3; uint32 room = 4; }
message Paged { bytes join = 1; uint32 state = 2; uint32 accepted = 3; uint32 room = 4;
 bool closed = 5; uint32 succeeded = 6; uint32 failed = 7; uint32 running = 8; bytes winners = 9;
 uint32 offset = 10; bytes ids = 11; repeated bytes outcomes = 12;
 repeated bytes certificates = 13; }
message Enlist { string instance = 1; repeated string functions = 2; uint32 slots = 3;
 uint32 window = 4; uint32 max_waiting = 5; repeated Held held = 6; bool previous_exited = 7; }
message Assign { repeated bytes batches = 1; repeated Assignment assignments = 2;
 repeated bytes certificates = 3; }
message Assignment { bytes task = 1; uint32 attempt = 2; uint32 generation = 3; uint32 batch = 4;
 uint32 item = 5; uint64 deadline_ms = 6; bytes checkpoint = 7; uint32 depth = 8;
 bytes root_batch = 9; bool is_behind = 10; }
message Expand { bytes batch = 1; repeated Waits waits = 2; repeated ProgressItem progress = 3;
 repeated Append appends = 4; }
message Waits { bytes task = 1; uint32 attempt = 2; bytes awaited = 3; bytes positions = 4;
 repeated AwaitedJoin joins = 5; }
message AwaitedJoin { bytes join = 1; uint32 until = 2; uint32 room = 3; }
message Resume { repeated Held resumed = 1; }
message Report { bytes batch = 1; repeated ProgressItem progress = 2; }
message Return { repeated Returned returned = 1; }
message Returned { bytes task = 1; uint32 attempt = 2; uint32 reason = 3; string text = 4; }
message Checkpoint { bytes task = 1; uint32 attempt = 2; bytes bytes = 3;
 repeated ProgressItem progress = 4; }
message Stop { repeated Stopped stopped = 1; }
message Stopped { bytes task = 1; uint32 attempt = 2; uint32 reason = 3; }
message Progress { repeated ProgressItem progress = 1; }
message ProgressItem { bytes task = 1; uint32 attempt = 2; uint32 percent = 3; string text = 4; }
message Recall { string function = 1; }
message Fetch { bytes task = 1; }
message Fetched { bytes batch = 1; repeated bytes certificates = 2; bool has_ended = 3;
 uint32 code = 4; }
message Limit { string function = 1; uint32 change = 2; uint32 running = 3; uint32 rate = 4;
 bool paused = 5; }
message Admit { repeated bytes certificates = 1; }
message Snapshot {}
message Change { uint32 kind = 1; string name = 2; }
message Drain { string name = 1; }
"""
# schema]

_SCALARS = {"bytes": 12, "string": 9, "uint32": 13, "uint64": 4, "bool": 8, "sint32": 17, "fixed64": 6}
_DECLARATION = re.compile(r"(message|oneof) (\w+) \{|(?:(repeated|optional) )?(\w+) (\w+) = (\d+);|\}")


def _describe(text: str) -> descriptor_pb2.FileDescriptorProto:
    """The descriptor of SCHEMA: messages of fields and at most one oneof, nothing nested."""
    file = descriptor_pb2.FileDescriptorProto(name="grove.proto", package="grove.v1", syntax="proto3")
    message, depth = None, 0
    for found in _DECLARATION.finditer(text):
        opened, name, label, kind, field_name, number = found.groups()
        depth += 1 if opened else 0 if number else -1
        if opened == "message":
            message = file.message_type.add(name=name)
        elif opened:
            message.oneof_decl.add(name=name)
        elif number:
            field = message.field.add(name=field_name, number=int(number), json_name=field_name,
                                      label=3 if label == "repeated" else 1)
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = 11, ".grove.v1." + kind
            if label == "optional":
                field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
                message.oneof_decl.add(name="_" + field_name)
            elif depth == 2:
                field.oneof_index = 0
    for message in file.message_type:
        for field in message.field:
            field.ClearField("json_name")
    return file


class _Messages:
    """The classes of SCHEMA by name: `_wire.Hello(...)`."""

    def __init__(self, text: str) -> None:
        pool = descriptor_pool.DescriptorPool()
        pool.Add(_describe(text))
        for name in re.findall(r"message (\w+)", text):
            found = pool.FindMessageTypeByName("grove.v1." + name)
            if hasattr(message_factory, "GetMessageClass"):
                setattr(self, name, message_factory.GetMessageClass(found))
            else:
                setattr(self, name, message_factory.MessageFactory(pool).GetPrototype(found))


_wire: Any = _Messages(SCHEMA)

TASK, RESULT, VERDICT = 1, 2, 3
COORDINATOR, WORKER, CLIENT = 1, 2, 4
GATHER, RACE, MAP = 1, 2, 3
CODES = {0: "succeeded", 1: "failed", 2: "permanent", 3: "timeout", 16: "cancelled", 17: "poison",
         18: "deadline", 19: "refused", 20: "lost", 21: "abandoned", 22: "joined", 23: "join-failed"}
REFUSALS = {1: "malformed", 2: "too-large", 3: "version", 4: "no-session", 5: "unexpected",
            6: "wrong-mesh", 7: "wrong-signer", 8: "unknown-key", 9: "bad-signature", 10: "held-off",
            11: "busy", 12: "no-leader", 13: "connections", 20: "expired", 21: "conflict",
            22: "function-name", 23: "right-submit", 24: "right-run", 25: "role", 26: "revoked",
            27: "stale", 28: "parent", 29: "lineage", 30: "depth", 31: "option", 32: "not-found",
            33: "forgotten", 34: "mismatch", 35: "duplicate-instance", 36: "no-worker-session",
            37: "awaited", 38: "certificate", 39: "quota", 40: "join", 41: "differs", 42: "credit",
            43: "over", 44: "budget"}
RETRYABLE = {4, 10, 11, 12, 13, 35, 36, 39, 42}
NO_SESSION, NO_LEADER, NO_WORKER_SESSION, AWAITED, JOIN, DIFFERS, CREDIT, OVER = 4, 12, 36, 37, 40, 41, 42, 43
UNSTARTED, STOPPED, CANNOT_RUN, REFUSED_IT = 1, 2, 3, 4  # reasons of Return

BATCH_ITEMS, BATCH_SIZE, FRAME_SIZE, PAYLOAD_SIZE = 256, 512 << 10, 4 << 20, 1 << 20
EXPIRES_MS = 30000   # how long submitting may take
RETRY_MS = 50        # until what was refused for now is sent again, unless the answer says when
HELLO_MS = 250       # between Hellos that nobody answers
GIVE_UP_MS = 1000    # of a coordinator that does not answer, before the next one is tried
NO_LEADER_MS = 250   # ... that knows no leader
AT_MOST_ONCE_MS = 4000  # of silence, after which such attempts are stopped
DRAIN_SILENT_MS = 10000  # of silence, after which a worker that drains ends
UNSAFE_SIZE = 64 << 20  # bytes of results that nobody has taken; beyond, nothing more is started
PAGE = 1024     # outcomes asked for at a time
PORTION = 128   # inputs that are worth a message, when so many more may follow
NEVER = 0xFFFFFFFF  # a position that no input has
JSON = "application/json"


# ---- what goes wrong

class Error(Exception):
    """Whatever grove raises."""


class TaskExecutionError(Error):
    """A task has ended, and not well.

    error      why, for people
    code       "failed", "permanent" or "timeout" by its worker; "cancelled", "deadline", ... by the mesh
    task_id    32 hexadecimal digits
    function   its name
    bytes      what the handler added to its failure
    """

    def __init__(self, error: str, code: str, task_id: str, function: str, data: bytes = b"") -> None:
        super().__init__("%s: %s: %s" % (function or task_id, code, error))
        self.error, self.code, self.task_id, self.function = error, code, task_id, function
        self.bytes = data


class JoinError(TaskExecutionError):
    """A join that stopped at a failure, was cancelled, or that nobody won. `failures` tells of each
    input that did not succeed: [(position, TaskExecutionError)]."""

    def __init__(self, first: TaskExecutionError, failures: List[Tuple[int, TaskExecutionError]]) -> None:
        super().__init__(first.error, first.code, first.task_id, first.function, first.bytes)
        self.failures = failures


class Refused(Error):
    """The mesh said no. `code` is that of section 8 of PROTOCOL.md, `reason` its name; `retryable`: the
    same call may succeed later."""

    def __init__(self, code: int, text: str = "") -> None:
        self.code, self.reason, self.retryable = code, REFUSALS.get(code, str(code)), code in RETRYABLE
        super().__init__(self.reason + (": " + text if text else ""))


class Cancelled(Error):
    """This very attempt was told to stop; nothing that it does counts any more."""


class NotTrusted(Error):
    """What came as an outcome is not signed by one who may sign it, or is of another task."""


class Failure(Error):
    """For a handler to raise: fails its task with a text and bytes; for good if `permanent`."""

    def __init__(self, text: str, data: bytes = b"", permanent: bool = False) -> None:
        super().__init__(text)
        self.bytes, self.permanent = data, permanent


# ---- hashes, seals, ids (PROTOCOL.md, section 4)

def digest(data: bytes) -> bytes:
    """H: 32 bytes."""
    return hashlib.blake2b(data).digest()[:32]


def leaf_of(item: bytes) -> bytes:
    return digest(b"\0" + item)


def _left_of(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over at least one leaf (RFC 6962, section 2.1)."""
    if len(leaves) == 1:
        return leaves[0]
    left = _left_of(len(leaves))
    return digest(b"\1" + root_of(leaves[:left]) + root_of(leaves[left:]))


def prove(leaves: Dict[int, bytes], hashes: List[bytes], first: int, count: int) -> bytes:
    """The root that the leaves of an excerpt and its hashes make; takes what it uses from `hashes`.

    errors    IndexError: too few hashes
    """
    if not any(first <= index < first + count for index in leaves):
        return hashes.pop(0)
    if count == 1:
        return leaves[first]
    left = _left_of(count)
    return digest(b"\1" + prove(leaves, hashes, first, left)
                  + prove(leaves, hashes, first + left, count - left))


def _text(data: Union[str, bytes]) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return struct.pack("<H", len(data)) + data


def root_id(signer: bytes, item: Any) -> bytes:
    """The id of a root: 16 bytes."""
    name = b"\1" + _text(item.key) if item.key else b"\0" + _text(item.nonce)
    return digest(b"grove.v1.root\0" + signer + name)[:16]


def child_id(item: Any) -> bytes:
    """The id of a child: 16 bytes."""
    if item.key:
        request = b"\1" + _text(item.key)
    else:
        request = (b"\0" + _text(item.function) + digest(item.payload)
                   + struct.pack("<III", item.join_kind, item.join_position, item.occurrence))
    return digest(b"grove.v1.child\0" + item.parent + struct.pack("<I", item.generation)
                  + digest(b"grove.v1.request\0" + request))[:16]


def first_inputs(inputs: Iterable[Tuple[str, bytes]]) -> bytes:
    """The digest of a join's first inputs: of each its function and its payload's digest, or, of a
    child that was submitted before, "" and its id with 16 zero bytes."""
    return digest(b"grove.v1.inputs\0" + b"".join(_text(name) + each for name, each in inputs))


def terms_of(join: Any) -> bytes:
    """The terms of a Join, hashed: 32 bytes, whose first four are its inputs' tag."""
    if join.key:
        return digest(b"grove.v1.terms\0\1" + _text(join.key))
    return digest(b"grove.v1.terms\0\0" + struct.pack("<I", join.kind) + _text(join.function)
                  + struct.pack("<II?", join.limit, join.stop, join.first_settled) + join.first
                  + struct.pack("<I", join.occurrence))


def join_id(parent: bytes, generation: int, join: Any) -> bytes:
    """The id of a join in a handler: 16 bytes."""
    return digest(b"grove.v1.join\0" + parent + struct.pack("<I", generation) + terms_of(join)
                  + struct.pack("<I", join.revision))[:16]


def _signed(mesh: bytes, sealed: Any, root: bytes) -> bytes:
    return (b"grove.v1.seal\0" + mesh + sealed.signer + struct.pack("<BH", sealed.kind, sealed.count)
            + root)


class Sealer:
    """Seals batches for one signer, and opens those of others; remembers which signatures were good."""

    REMEMBERED = 4096

    def __init__(self, mesh: bytes, key: Optional[nacl.signing.SigningKey]) -> None:
        self.mesh, self.key = mesh, key
        self.good: collections.OrderedDict = collections.OrderedDict()

    def seal(self, kind: int, items: Sequence[bytes]) -> bytes:
        """A whole batch of 1 to 256 items."""
        sealed = _wire.Sealed(signer=bytes(self.key.verify_key), kind=kind, count=len(items), items=items)
        root = root_of([leaf_of(item) for item in items])
        sealed.signature = self.key.sign(_signed(self.mesh, sealed, root)).signature
        return sealed.SerializeToString()

    def open(self, data: bytes) -> Any:
        """A batch or an excerpt whose signature is its signer's; who that is, is for others to judge.

        errors    NotTrusted
        """
        sealed = _wire.Sealed.FromString(data)
        indices = sealed.indices or bytes(range(sealed.count % 257))
        hashes = [sealed.hashes[i:i + 32] for i in range(0, len(sealed.hashes), 32)]
        if not 1 <= sealed.count <= BATCH_ITEMS or len(indices) != len(sealed.items) \
                or list(indices) != sorted(set(indices)) or indices[-1] >= sealed.count:
            raise NotTrusted("an excerpt that is none")
        try:
            root = prove({index: leaf_of(item) for index, item in zip(indices, sealed.items)},
                         hashes, 0, sealed.count)
        except IndexError:
            raise NotTrusted("an excerpt with too few hashes") from None
        if hashes:
            raise NotTrusted("an excerpt with too many hashes")
        self._verify(sealed, root)
        return sealed

    def _verify(self, sealed: Any, root: bytes) -> None:
        name = (sealed.signer, sealed.kind, sealed.count, root, sealed.signature)
        if name in self.good:
            return
        try:
            nacl.signing.VerifyKey(sealed.signer).verify(_signed(self.mesh, sealed, root), sealed.signature)
        except (nacl.exceptions.CryptoError, ValueError):
            raise NotTrusted("a signature that does not verify") from None
        self.good[name] = True
        if len(self.good) > self.REMEMBERED:
            self.good.popitem(last=False)


def matches(patterns: Iterable[str], function: str) -> bool:
    """Whether a function is named: by its name, or by a prefix and `*`."""
    return any(function.startswith(each[:-1]) if each.endswith("*") else function == each
               for each in patterns)


class Trust:
    """The certificates of a mesh, each checked to its key, and what was revoked."""

    def __init__(self, mesh: bytes) -> None:
        self.mesh = mesh
        self.key = nacl.signing.VerifyKey(mesh)
        self.bodies: Dict[bytes, Dict[bytes, Any]] = {}  # by sign_key, then serial
        self.revoked: set = set()                        # sign_keys and serials

    def learn(self, form: bytes) -> None:
        """Takes a signed certificate or revocation; one that is not the mesh's is logged and dropped."""
        try:
            certificate = _wire.Certificate.FromString(form)
            if certificate.body:
                self.key.verify(b"grove.v1.cert\0" + certificate.body, certificate.signature)
                body = _wire.CertificateBody.FromString(certificate.body)
                self.bodies.setdefault(body.sign_key, {})[body.serial] = body
                return
            revocation = _wire.Revocation.FromString(form)
            self.key.verify(b"grove.v1.revoke\0" + revocation.body, revocation.signature)
            body = _wire.RevocationBody.FromString(revocation.body)
            self.revoked.add(body.sign_key or body.serial)
        except (nacl.exceptions.CryptoError, ValueError) as error:
            log.warning("certificate dropped: %s", error)

    def certificate(self, signer: bytes, at_ms: Optional[int] = None) -> Any:
        """The signer's certificate, at a time a valid one; of several the one that ends last.

        errors    NotTrusted
        """
        bodies = [body for serial, body in self.bodies.get(signer, {}).items()
                  if serial not in self.revoked and signer not in self.revoked
                  and (at_ms is None or body.not_before_ms <= at_ms < body.not_after_ms)]
        if not bodies:
            raise NotTrusted("signed by nobody of this mesh")
        return max(bodies, key=lambda body: body.not_after_ms)

    def check_submitter(self, signer: bytes, function: str, at_ms: int) -> None:
        """errors    NotTrusted: it has no right to submit this function"""
        body = self.certificate(signer, at_ms)
        if not body.roles & (CLIENT | WORKER) or not matches(body.submit, function):
            raise NotTrusted("%s may not submit %s" % (body.name, function))

    def check_judge(self, signer: bytes, kind: int, function: str) -> None:
        """errors    NotTrusted: no word of this signer ends a task of this function"""
        body = self.certificate(signer)
        if kind == VERDICT and body.roles & COORDINATOR:
            return
        if kind != RESULT or not body.roles & WORKER or not matches(body.run, function):
            raise NotTrusted("%s may not end a task of %s" % (body.name, function))


# ---- credentials (PROTOCOL.md, section 12)

def credential_path() -> str:
    """$GROVE_CREDENTIAL, else where `grove dev` publishes its own."""
    if os.environ.get("GROVE_CREDENTIAL"):
        return os.environ["GROVE_CREDENTIAL"]
    if os.environ.get("XDG_RUNTIME_DIR"):
        return os.path.join(os.environ["XDG_RUNTIME_DIR"], "grove", "dev.credential")
    return os.path.join(os.environ.get("TMPDIR") or "/tmp", "grove-%d" % os.getuid(), "dev.credential")


class Credential:
    """A credential file: who we are, and where the coordinators are.

    errors    OSError; PermissionError: others may read it; ValueError: not a credential of its mesh
    """

    def __init__(self, path: Optional[str] = None) -> None:
        self.path = path or credential_path()
        sections = self._read()
        own = sections[0][1]
        self.mesh = bytes.fromhex(own["mesh"])
        self.sign = nacl.signing.SigningKey(bytes.fromhex(own["sign"]))
        self.link = nacl.public.PrivateKey(bytes.fromhex(own["link"]))
        self.forms = [self._form(entries) for _, entries in sections]
        trust = Trust(self.mesh)
        for form in self.forms:
            trust.learn(form)
        if trust.certificate(bytes(self.sign.verify_key)).link_key != bytes(self.link.public_key):
            raise ValueError(self.path + ": the keys are not those of the certificate")
        self.coordinators: List[Tuple[str, bytes]] = []  # endpoint, link key
        for (_, entries), form in zip(sections[1:], self.forms[1:]):
            body = _wire.CertificateBody.FromString(_wire.Certificate.FromString(form).body)
            if not trust.certificate(body.sign_key).roles & COORDINATOR:
                raise ValueError(self.path + ": a coordinator that is none")
            self.coordinators.append((entries["endpoint"], body.link_key))

    def _read(self) -> List[Tuple[str, Dict[str, str]]]:
        with open(self.path, encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise PermissionError(self.path + ": others may read it; chmod 600")
            lines = file.read().splitlines()
        sections: List[Tuple[str, Dict[str, str]]] = []
        name = ""
        for line in lines:
            if line.startswith("["):
                sections.append((line.strip("[] "), {}))
            elif line[:1].isspace() and line.strip() and name:
                sections[-1][1][name] += line.strip()
            elif "=" in line and line[0] not in "#;" and sections:
                name, value = (part.strip() for part in line.split("=", 1))
                sections[-1][1][name] = value
        if [each for each, _ in sections] != ["credential"] + ["coordinator"] * (len(sections) - 1) \
                or len(sections) < 2 or sections[0][1].get("version") != "1":
            raise ValueError(self.path + ": not a credential of version 1 with a coordinator")
        return sections

    @staticmethod
    def _form(entries: Dict[str, str]) -> bytes:
        text = entries["certificate"]
        return base64.b64decode(text + "=" * (-len(text) % 4))


# ---- values

def to_payload(value: Any) -> Tuple[bytes, str]:
    """What travels for a value, and its content type.

    errors    ValueError: over 1 MiB; TypeError: nothing that JSON can say
    """
    if value is None:
        data, kind = b"", ""
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data, kind = bytes(value), ""
    elif isinstance(value, str):
        data, kind = value.encode(), "text/plain"
    else:
        data, kind = json.dumps(value, separators=(",", ":")).encode(), JSON
    if len(data) > PAYLOAD_SIZE:
        raise ValueError("%d bytes; a payload or result has at most 1 MiB" % len(data))
    return data, kind


def from_payload(data: bytes, content_type: str) -> Any:
    """The value that travelled: what JSON says, a text, or bytes."""
    if content_type == JSON:
        return json.loads(data)
    return data.decode() if content_type == "text/plain" else data


@dataclasses.dataclass(frozen=True)
class Result:
    """A success, verified to be signed by a worker that may run this function."""

    task_id: str
    function: str
    bytes: bytes
    content_type: str
    attempt: int
    run_ms: int

    @property
    def value(self) -> Any:
        return from_payload(self.bytes, self.content_type)

    def json(self) -> Any:
        """What the bytes say as JSON, whatever their content type."""
        return json.loads(self.bytes)


Outcome = Union[Result, TaskExecutionError]


def _outcome_of(kind: int, item: Any) -> Outcome:
    if kind == RESULT and item.code == 0:
        return Result(item.task.hex(), item.function, item.bytes, item.content_type, item.attempt,
                      item.run_ms)
    return TaskExecutionError(item.text, CODES.get(item.code, str(item.code)), item.task.hex(),
                              item.function, item.bytes if kind == RESULT else b"")


OPTIONS = ("key", "priority", "delay_ms", "deadline_ms", "timeout_ms", "max_attempts", "at_most_once",
           "fresh", "max_tasks", "max_bytes", "retry_of")


class Spec(NamedTuple):
    """What is to be done: a function, its payload, the fields of a TaskItem named by OPTIONS."""

    function: str
    payload: bytes
    content_type: str
    options: Dict[str, Any]

    def item(self, expires_ms: int) -> Any:
        return _wire.TaskItem(nonce=os.urandom(16), function=self.function, payload=self.payload,
                              content_type=self.content_type, expires_ms=expires_ms, **self.options)


def spec_of(function: Union[str, "Task"], payload: Any = None, options: Optional[Dict[str, Any]] = None) -> Spec:
    """errors    TypeError: an option that there is none of"""
    options = options or {}
    unknown = set(options) - set(OPTIONS)
    if unknown:
        raise TypeError("no such option: " + ", ".join(sorted(unknown)))
    if "retry_of" in options:
        options = {**options, "retry_of": _id(options["retry_of"])}
    return Spec(function if isinstance(function, str) else function.name, *to_payload(payload), options)


# ---- calls: written once as coroutines, run by asyncio or by the calling thread

class _Until:
    """What a call awaits: a future that the I/O thread settles."""

    def __init__(self, future: concurrent.futures.Future) -> None:
        self.future = future

    def __await__(self) -> Generator["_Until", Any, Any]:
        return (yield self)


def _run_sync(coroutine: Any, timeout: Optional[float] = None) -> Any:
    """Runs a call on this thread. errors    TimeoutError: not within `timeout` seconds"""
    end = None if timeout is None else time.monotonic() + timeout
    go_on, value = coroutine.send, None
    while True:
        try:
            until = go_on(value)
        except StopIteration as done:
            return done.value
        try:
            left = None if end is None else max(0.0, end - time.monotonic())
            go_on, value = coroutine.send, until.future.result(left)
        except BaseException as error:  # pylint: disable=broad-except
            until.future.cancel()
            go_on, value = coroutine.throw, error


async def _run_async(coroutine: Any) -> Any:
    """Runs a call in the running loop of asyncio."""
    go_on, value = coroutine.send, None
    while True:
        try:
            until = go_on(value)
        except StopIteration as done:
            return done.value
        try:
            go_on, value = coroutine.send, await asyncio.wrap_future(until.future)
        except BaseException as error:  # pylint: disable=broad-except
            go_on, value = coroutine.throw, error


def _settle(future: concurrent.futures.Future, value: Any) -> None:
    """Gives a future its value, or raises it there; nothing if who awaited it has gone."""
    try:
        if isinstance(value, BaseException) and not isinstance(value, TaskExecutionError):
            future.set_exception(value)
        else:
            future.set_result(value)
    except concurrent.futures.InvalidStateError:
        pass


class Call:
    """Something to be done: `await` it, or `.get()` what comes of it. What `wait` returns may be an
    input of `gather` and `race` instead."""

    def __init__(self, body: Callable[[], Coroutine], spec: Optional[Spec] = None) -> None:
        self._body, self.spec = body, spec

    def __await__(self) -> Generator[Any, None, Any]:
        return _run_async(self._body()).__await__()

    def get(self, timeout: Optional[float] = None) -> Any:
        """errors    TimeoutError: it goes on all the same; what the call raises"""
        return _run_sync(self._body(), timeout)


# ---- the I/O thread: one socket, one session, whatever is ready in a turn sealed together

class _Request:
    """A task on its way: an item to be accepted, an outcome to come, or both."""

    def __init__(self, spec: Optional[Spec], item: Any, identity: bytes) -> None:
        self.function = spec.function if spec else ""
        self.digest = digest(spec.payload) if spec else b""
        self.bytes = item.SerializeToString() if item is not None else b""
        self.expires_ms = item.expires_ms if item is not None else 0
        self.is_placed = item is not None  # its lineage is known
        self.root, self.parent = (item.root, item.parent) if item is not None else (b"", b"")
        self.id = identity
        self.is_accepted = item is None
        self.accepted: concurrent.futures.Future = concurrent.futures.Future()
        self.on_end: Optional[Callable[[Any], None]] = None  # with an Outcome or an exception

    def fail(self, error: BaseException) -> None:
        _settle(self.accepted, error)
        if self.on_end:
            self.on_end(error)

    def check(self, item: Any) -> None:
        """errors    NotTrusted: an outcome that is of something else than was asked for"""
        agrees = item.task == self.id and (not self.function or (
            item.function == self.function and item.payload_digest == self.digest))
        if self.is_placed and self.parent:
            agrees = agrees and item.parent == self.parent and item.root == self.root
        elif self.is_placed:
            agrees = agrees and not item.parent and item.root == item.task
        if not agrees:
            raise NotTrusted("an outcome of another task")


@dataclasses.dataclass
class _Ask:
    """A message that wants an answer: the same bytes until there is one."""

    frame: bytes
    done: Callable[[Any], None]  # with the answer's body, or an exception
    retry_at: float = 0.0        # when it was refused for now
    gives_up_ms: int = 0         # by the ledger; 0: never


def _parts(requests: Iterable[Any], size_of: Callable[[Any], int]) -> Iterator[List[Any]]:
    """Cut into what one batch may hold."""
    part: List[Any] = []
    size = 0
    for request in requests:
        if part and (len(part) == BATCH_ITEMS or size + size_of(request) > BATCH_SIZE - 16 * BATCH_ITEMS):
            yield part
            part, size = [], 0
        part.append(request)
        size += size_of(request)
    if part:
        yield part


def _size_of(request: _Request) -> int:
    return len(request.bytes)


def _connect(context: zmq.Context, credential: Credential, endpoint: str, link_key: bytes) -> zmq.Socket:
    """A DEALER under CURVE, its server's key pinned."""
    dealer = context.socket(zmq.DEALER)
    dealer.curve_secretkey = z85.encode(bytes(credential.link))
    dealer.curve_publickey = z85.encode(bytes(credential.link.public_key))
    dealer.curve_serverkey = z85.encode(link_key)
    dealer.setsockopt(zmq.LINGER, 0)
    dealer.setsockopt(zmq.MAXMSGSIZE, FRAME_SIZE)
    dealer.setsockopt(zmq.SNDHWM, 0)
    dealer.connect(endpoint)
    return dealer


class _Engine:
    """A session and its thread. All methods but `post` are called by that thread alone."""

    def __init__(self, credential: Credential) -> None:
        self.credential = credential
        self.signer = bytes(credential.sign.verify_key)
        self.sealer = Sealer(credential.mesh, credential.sign)
        self.trust = Trust(credential.mesh)
        for form in credential.forms:
            self.trust.learn(form)
        self.boot, self.ledger = os.urandom(16), b""
        self.asks: Dict[int, _Ask] = {}
        self.correlations = itertools.count(1)
        self.hello = 0
        self.is_welcome = False
        self.heartbeat_ms, self.offset_ms = 2000, 0
        self.heard = self.said = self.beat = self.tried = time.monotonic()
        self.roots: List[_Request] = []                     # to be submitted in this turn
        self.later: List[Tuple[float, Callable, tuple]] = []  # (when, function, arguments)
        self.awaited: Dict[bytes, List[_Request]] = {}
        self.asking: List[bytes] = []                       # ids for a Wait of this turn
        self.statistics: Dict[bytes, concurrent.futures.Future] = {}
        self.stats_socket: Optional[zmq.Socket] = None
        self.failure: Optional[Error] = None
        self.welcomed: concurrent.futures.Future = concurrent.futures.Future()
        self.posted: collections.deque = collections.deque()
        self.is_closed = False
        self.context = zmq.Context()
        self.coordinators = list(credential.coordinators)  # endpoint, link key
        self.coordinator = 0
        self.left: List[zmq.Socket] = []  # to be closed at the end of the turn
        self.dealer = _connect(self.context, credential, *self.coordinators[0])
        self.wake_out, self.wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.thread = threading.Thread(target=self._run, name="grove", daemon=True)

    # -- from any thread

    def post(self, function: Callable, *arguments: Any) -> None:
        """Has the I/O thread call a function, soon."""
        self.posted.append((function, arguments))
        try:
            os.write(self.wake_in, b"!")
        except BlockingIOError:
            pass  # it is awake

    def ledger_ms(self) -> int:
        """Unix time as the ledger has it."""
        return int(time.time() * 1000) + self.offset_ms

    def open(self, timeout: float) -> None:
        """Starts, and awaits the Welcome. errors    Error: nobody answers, or not to us"""
        self.thread.start()
        try:
            self.welcomed.result(timeout)
        except concurrent.futures.TimeoutError:
            self.close()
            raise Error("no coordinator answers at %s; it may not know the key of %s" % (
                self.credential.coordinators[0][0], self.credential.path)) from None
        except Error:
            self.close()
            raise

    def close(self) -> None:
        """Ends the thread; what is unanswered fails."""
        self.post(self.leave)
        self.thread.join(5)

    # -- the loop

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self.wake_out, zmq.POLLIN)
        try:
            while not self.is_closed:
                for each in (self.dealer, self.stats_socket):
                    if each is not None:
                        poller.register(each, zmq.POLLIN)
                timeout = 100
                if self.later:
                    timeout = max(0, min(100, int((self.later[0][0] - time.monotonic()) * 1000) + 1))
                poller.poll(timeout)
                self._turn()
                while self.left:
                    dealer = self.left.pop()
                    if dealer in poller:
                        poller.unregister(dealer)
                    dealer.close()
        finally:
            self.is_closed = True
            self._fail_all(self.failure or Error("closed"))
            for dealer in self.left + [self.dealer]:
                dealer.close()
            if self.stats_socket:
                self.stats_socket.close()
            self.context.term()
            os.close(self.wake_out)

    def _turn(self) -> None:
        try:
            os.read(self.wake_out, 65536)
        except BlockingIOError:
            pass
        self._receive()
        for _ in range(len(self.posted)):
            function, arguments = self.posted.popleft()
            function(*arguments)
        now = time.monotonic()
        while self.later and self.later[0][0] <= now:
            _, function, arguments = self.later.pop(0)
            function(*arguments)
        self.tick(now)
        self.end_turn()

    def after(self, seconds: float, function: Callable, *arguments: Any) -> None:
        self.later.append((time.monotonic() + seconds, function, arguments))
        self.later.sort(key=lambda each: each[0])

    def _receive(self) -> None:
        for _ in range(256):
            try:
                frame = self.dealer.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            self.heard = time.monotonic()
            self._take(frame)
        while self.stats_socket is not None:
            try:
                frames = self.stats_socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            future = self.statistics.pop(frames[0], None)
            if future:
                _settle(future, frames[-1])

    def _take(self, frame: bytes) -> None:
        try:
            message = _wire.Message.FromString(frame)
            kind = message.WhichOneof("body")
            body = getattr(message, kind)
        except Exception as error:  # pylint: disable=broad-except
            log.warning("frame dropped: %s", error)
            return
        if kind == "welcome" and message.correlation == self.hello:
            self._welcome(body)
        elif kind == "refused":
            self._refused(message.correlation, body)
        else:
            handler = getattr(self, "on_" + kind, None)
            if handler:
                handler(body)
            ask = self.asks.pop(message.correlation, None)
            if ask:
                ask.done(body)

    def _refused(self, correlation: int, body: Any) -> None:
        ask = self.asks.get(correlation)
        if body.code == NO_SESSION:
            self.lose_session()
        elif body.code == NO_LEADER:
            self._follow(body.leader)
        elif correlation == self.hello and not body.retryable:
            self.failure = Refused(body.code, body.text)
            self.is_closed = True
        if ask and body.retryable:
            ask.retry_at = time.monotonic() + max(body.retry_ms, RETRY_MS) / 1000
        elif ask:
            del self.asks[correlation]
            ask.done(Refused(body.code, body.text))

    def send(self, frame: bytes) -> None:
        """What cannot go now is sent again after the next Welcome."""
        try:
            self.dealer.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            pass

    def tell(self, kind: str, body: Any) -> int:
        """Sends a message that is not sent again; returns its correlation."""
        correlation = next(self.correlations)
        self.send(_wire.Message(version=1, correlation=correlation, **{kind: body}).SerializeToString())
        return correlation

    def ask(self, kind: str, body: Any, done: Callable[[Any], None], gives_up_ms: int = 0) -> None:
        """Sends a message until it is answered; `done` gets the answer or an Error."""
        correlation = next(self.correlations)
        frame = _wire.Message(version=1, correlation=correlation, **{kind: body}).SerializeToString()
        self.asks[correlation] = _Ask(frame, done, gives_up_ms=gives_up_ms)
        if self.is_ready():
            self.send(frame)

    # -- the session

    def is_ready(self) -> bool:
        """Whether the session takes requests."""
        return self.is_welcome

    def _say_hello(self, now: float) -> None:
        self.said = now
        self.hello = self.tell("hello", _wire.Hello(mesh=self.credential.mesh, boot=self.boot,
                                                    ledger=self.ledger))

    def lose_session(self) -> None:
        """Begins again; what is unanswered goes again after the next Welcome."""
        if self.is_welcome:
            self.is_welcome = False
            self.tried = time.monotonic()
            self._say_hello(self.tried)

    def _move_on(self) -> None:
        """Tries the next coordinator."""
        self._turn_to((self.coordinator + 1) % len(self.coordinators))

    def _turn_to(self, coordinator: int) -> None:
        """Says Hello to a coordinator; the one of before is connected to again by its socket itself."""
        self.tried = time.monotonic()
        self.is_welcome = False
        if coordinator != self.coordinator:
            self.coordinator = coordinator
            self.left.append(self.dealer)
            self.dealer = _connect(self.context, self.credential, *self.coordinators[coordinator])

    def _follow(self, leaders: Iterable[Any]) -> None:
        """Goes to the leader, or, where none is known, on to the next one in a while."""
        was_welcome, self.is_welcome = self.is_welcome, False
        places = [place for place in (self._learn_place(each) for each in leaders) if place is not None]
        if places:
            self._turn_to(places[0])
        elif was_welcome or self.tried < time.monotonic() - NO_LEADER_MS / 1000:
            self._move_on()

    def _learn_place(self, location: Any) -> Optional[int]:
        """Takes where a coordinator is; gives its place in the list, None for one that is none."""
        self.trust.learn(location.certificate)
        try:
            body = _wire.CertificateBody.FromString(
                _wire.Certificate.FromString(location.certificate).body)
            if not self.trust.certificate(body.sign_key).roles & COORDINATOR:
                return None
        except (NotTrusted, ValueError):
            return None
        for i, (_, link_key) in enumerate(self.coordinators):
            if link_key == body.link_key:
                self.coordinators[i] = (location.endpoint, link_key)
                return i
        self.coordinators.append((location.endpoint, body.link_key))
        return len(self.coordinators) - 1

    def _welcome(self, body: Any) -> None:
        if self.ledger and self.ledger != body.ledger:
            self.failure, self.is_closed = Refused(6, "another ledger than before"), True
            return
        self.ledger = body.ledger
        self._set_stamp(body.stamp_ms)
        for form in body.certificates:
            self.trust.learn(form)
        for location in body.coordinators:
            self._learn_place(location)
        self.heartbeat_ms = body.heartbeat_ms or 2000
        self.is_welcome = True
        self.on_session()
        _settle(self.welcomed, True)

    def on_session(self) -> None:
        """A session has begun."""
        self.send_again()

    def send_again(self) -> None:
        """Sends all that is unanswered, and asks again for what is awaited."""
        for ask in self.asks.values():
            self.send(ask.frame)
        self.asking += [identity for identity, requests in self.awaited.items()
                        if any(request.is_accepted for request in requests)]

    def _set_stamp(self, stamp_ms: int) -> None:
        if stamp_ms:
            self.offset_ms = stamp_ms - int(time.time() * 1000)

    def on_heartbeat(self, body: Any) -> None:
        self._set_stamp(body.stamp_ms)

    def heartbeat(self) -> Any:
        return _wire.Heartbeat()

    def tick(self, now: float) -> None:
        """What time does: Hello, heartbeats, silence, retries."""
        if self.is_welcome and now - self.heard > (self.heartbeat_ms + GIVE_UP_MS) / 1000:
            self.lose_session()
        if not self.is_welcome and now - self.tried > GIVE_UP_MS / 1000:
            self._move_on()
        if not self.is_welcome and (now - self.said > HELLO_MS / 1000 or not self.hello):
            self._say_hello(now)
        if self.is_welcome and now - self.beat >= self.heartbeat_ms / 1000:
            self.beat = now
            self.tell("heartbeat", self.heartbeat())
        for correlation, ask in list(self.asks.items()):
            if ask.gives_up_ms and self.ledger_ms() > ask.gives_up_ms:
                del self.asks[correlation]
                ask.done(TimeoutError("no answer in time; it may or may not have been accepted"))
            elif ask.retry_at and ask.retry_at <= now and self.is_ready():
                ask.retry_at = 0.0
                self.send(ask.frame)

    def leave(self) -> None:
        """Says goodbye and ends the loop."""
        if self.is_welcome:
            self.tell("goodbye", _wire.Goodbye())
            self.dealer.setsockopt(zmq.LINGER, 200)
        self.is_closed = True

    def _fail_all(self, error: Error) -> None:
        _settle(self.welcomed, error)
        for ask in list(self.asks.values()):
            ask.done(error)
        self.asks.clear()
        for request in self.roots + [each for many in self.awaited.values() for each in many]:
            request.fail(error)
        for future in self.statistics.values():
            _settle(future, error)
        self.roots, self.awaited = [], {}

    # -- tasks

    def submit(self, request: _Request) -> None:
        """Takes a root, to be sealed with whatever else this turn has."""
        if self.is_closed:
            request.fail(self.failure or Error("closed"))
        else:
            self.roots.append(request)

    def end_turn(self) -> None:
        """Sends what the turn has produced."""
        roots, self.roots = self.roots, []
        for wanted in (True, False):
            for part in _parts((each for each in roots if bool(each.on_end) == wanted), _size_of):
                for request in part:
                    self._expect(request)
                self.ask("submit", _wire.Submit(batch=self.seal_requests(part), wait=wanted),
                         functools.partial(self.accepted, part, self.submit),
                         max(request.expires_ms for request in part))
        self._ask_for_outcomes()

    def seal_requests(self, part: Sequence[_Request]) -> bytes:
        return self.sealer.seal(TASK, [request.bytes for request in part])

    def _expect(self, request: _Request) -> None:
        if request.on_end and request not in self.awaited.setdefault(request.id, []):
            self.awaited[request.id].append(request)

    def _forget(self, request: _Request) -> None:
        waiting = self.awaited.get(request.id, [])
        if request in waiting:
            waiting.remove(request)
        if not waiting:
            self.awaited.pop(request.id, None)

    def await_end(self, request: _Request) -> None:
        """Asks for the outcome of a task that was accepted before."""
        if self.is_closed:
            request.fail(self.failure or Error("closed"))
        else:
            self._expect(request)
            self.asking.append(request.id)

    def accepted(self, part: List[_Request], again: Callable[[_Request], None], answer: Any) -> None:
        """What became of a batch."""
        if isinstance(answer, BaseException):
            for request in part:
                self._forget(request)
                request.fail(answer)
            return
        self._set_stamp(answer.stamp_ms)
        refused = {each.position: each for each in answer.refused}
        for i, request in enumerate(part):
            if i in refused:
                self._item_refused(request, refused[i], again)
            else:
                self._item_accepted(request, answer.ids[16 * i:16 * i + 16],
                                    answer.settled[i:i + 1] == b"\1")

    def _item_refused(self, request: _Request, refused: Any, again: Callable) -> None:
        self._forget(request)
        expires_ms = request.expires_ms or 1 << 63
        if refused.code in RETRYABLE and self.ledger_ms() < expires_ms:
            self.after(RETRY_MS / 1000, again, request)
        else:
            request.fail(Refused(refused.code, refused.text))

    def _item_accepted(self, request: _Request, identity: bytes, is_settled: bool) -> None:
        if request.on_end and identity != request.id:  # an earlier child answers
            self._forget(request)
            request.id = identity
            self._expect(request)
            is_settled = True
        request.id, request.is_accepted = identity, True
        if is_settled and request.id in self.awaited:
            self.asking.append(identity)
        _settle(request.accepted, identity)

    def _ask_for_outcomes(self) -> None:
        asking, self.asking = [each for each in dict.fromkeys(self.asking) if each in self.awaited], []
        for i in range(0, len(asking), 4096):
            ids = asking[i:i + 4096]
            if self.is_ready():
                self.ask("wait", _wire.Wait(ids=b"".join(ids)), functools.partial(self._waited, ids))
            else:
                self.asking += ids

    def _waited(self, ids: List[bytes], answer: Any) -> None:
        if isinstance(answer, BaseException):
            unknown = {identity: answer for identity in ids}
        else:
            unknown = {ids[each.position]: Refused(each.code, each.text) for each in answer.unknown}
        for identity, error in unknown.items():
            for request in self.awaited.pop(identity, []):
                request.fail(error)

    def open_outcomes(self, body: Any) -> Iterator[Tuple[Any, Any]]:
        """The (sealed, item) of a Notify or Paged, in its order. What is forged is logged and dropped."""
        for form in body.certificates:
            self.trust.learn(form)
        for data in body.outcomes:
            try:
                sealed = self.sealer.open(data)
                shape = _wire.ResultItem if sealed.kind == RESULT else _wire.VerdictItem
                items = [shape.FromString(item) for item in sealed.items]
            except (Error, ValueError) as error:
                log.warning("outcome dropped: %s", error)
                continue
            yield from ((sealed, item) for item in items)

    def judge(self, request: _Request, sealed: Any, item: Any) -> Union[Outcome, NotTrusted]:
        """What an outcome says, if its signer may say it."""
        try:
            self.trust.check_judge(sealed.signer, sealed.kind, item.function)
            request.check(item)
        except NotTrusted as error:
            return error
        return _outcome_of(sealed.kind, item)

    def on_notify(self, body: Any) -> None:
        for sealed, item in self.open_outcomes(body):
            for request in self.awaited.pop(item.task, []):
                request.on_end(self.judge(request, sealed, item))

    # -- statistics

    def ask_statistics(self, words: str, future: concurrent.futures.Future) -> None:
        """Sends a request to the socket beside that of tasks."""
        if self.stats_socket is None:
            endpoint, key = self.coordinators[self.coordinator]
            address, port = endpoint.rsplit(":", 1)
            self.stats_socket = _connect(self.context, self.credential,
                                         "%s:%d" % (address, int(port) + 1), key)
        name = struct.pack("<I", next(self.correlations) & 0xFFFFFFFF)
        self.statistics[name] = future
        self.stats_socket.send_multipart([name, b"", words.encode("ascii")])


# ---- who calls: a client, or the attempt that a handler runs

_scope: contextvars.ContextVar = contextvars.ContextVar("grove", default=None)


def _raised(outcome: Any) -> Any:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _id(identity: str) -> bytes:
    """errors    ValueError: not 32 hexadecimal digits"""
    data = bytes.fromhex(identity)
    if len(data) != 16:
        raise ValueError("an id has 32 hexadecimal digits")
    return data


class _Caller:
    """The calls, as a client and an attempt have them."""

    engine: _Engine

    def _caller(self) -> "_Caller":
        """Whose tasks its calls make."""
        return self

    def submit(self, function: Union[str, "Task"], payload: Any = None, **options: Any) -> Call:
        """Submits a task, which is durable then; gives its id.

        options   OPTIONS, the fields of a TaskItem (PROTOCOL.md, section 6)
        errors    Refused; TimeoutError: it may or may not have been accepted; do it again with its key
        """
        spec = spec_of(function, payload, options)
        return Call(lambda: self._caller()._submit([spec], single=True), spec)

    def submit_many(self, function: Union[str, "Task"], payloads: Iterable[Any], **options: Any) -> Call:
        """Submits many in few round trips; gives their ids, in order. errors    as submit, the first"""
        specs = [spec_of(function, payload, options) for payload in payloads]
        return Call(lambda: self._caller()._submit(specs))

    def wait(self, function: Union[str, "Task"], payload: Any = None, **options: Any) -> Call:
        """Submits a task and awaits its end; gives a Result.

        errors    TaskExecutionError: it ended, and not well; NotTrusted; those of submit
        """
        spec = spec_of(function, payload, options)
        return Call(lambda: self._caller()._wait(spec), spec)

    def result(self, identity: str) -> Call:
        """Awaits the end of a task that was submitted before, in a handler one of its children; gives
        a Result. errors    those of wait; Refused: not-found, forgotten"""
        return Call(lambda: self._caller()._result(_id(identity)))

    def gather(self, *inputs: Any, **options: Any) -> "Join":
        """Runs what `wait` returns, of any functions, or awaits children submitted before (their ids);
        gives their Results in order when all have ended.

        inputs    or one iterable of them
        options   those of Join
        """
        return Join(self._caller(), GATHER, _inputs_of(inputs), **options)

    def race(self, *inputs: Any, **options: Any) -> "Join":
        """Runs what `wait` returns; gives the first success, and cancels the others with all below
        them. With `winners=K` a list of the first K; with `first_settled` who ends first wins."""
        return Join(self._caller(), RACE, _inputs_of(inputs), **options)

    def map(self, function: Union[str, "Task"], payloads: Iterable[Any], limit: int = 16,
            **options: Any) -> "Join":
        """Runs one function on many payloads, never more than `limit` at a time; gives Results in
        order, or, iterated over, one after the other: a million need little memory."""
        return Join(self._caller(), MAP, (spec_of(function, payload) for payload in payloads),
                    function=function if isinstance(function, str) else function.name, limit=limit,
                    can_restart=isinstance(payloads, (list, tuple)), payloads=payloads, **options)

    def cancel(self, identity: str) -> Call:
        """Ends a task and all below it, for good; gives {never_started, stopped, already_done}.

        errors    Refused: not-found: no such task, or not yours
        """
        return Call(lambda: self._caller()._cancel(_id(identity)))

    # -- how: an attempt does these in its own way

    def _make(self, spec: Spec) -> _Request:
        raise NotImplementedError

    def _start(self, request: _Request) -> None:
        """Has the engine submit a request."""
        raise NotImplementedError

    def _await(self, request: _Request) -> concurrent.futures.Future:
        """The future of a request's outcome; it is started if that is new."""
        raise NotImplementedError

    async def _page(self, page: Any, awaited: Any) -> Any:
        raise NotImplementedError

    def _cancel_request(self, identity: bytes) -> Any:
        return _wire.Cancel(task=identity)

    async def _ask(self, kind: str, body: Any) -> Any:
        future: concurrent.futures.Future = concurrent.futures.Future()
        self.engine.post(self.engine.ask, kind, body, functools.partial(_settle, future))
        return await _Until(future)

    async def _submit(self, specs: Sequence[Spec], single: bool = False) -> Union[str, List[str]]:
        requests = [self._make(spec) for spec in specs]
        for request in requests:
            self._start(request)
        ids = [(await _Until(request.accepted)).hex() for request in requests]
        return ids[0] if single else ids

    async def _wait(self, spec: Spec) -> Result:
        return _raised(await _Until(self._await(self._make(spec))))

    async def _result(self, identity: bytes) -> Result:
        return _raised(await _Until(self._await(_Request(None, None, identity))))

    async def _cancel(self, identity: bytes) -> Dict[str, int]:
        done = await self._ask("cancel", self._cancel_request(identity))
        return {"never_started": done.never_started, "stopped": done.stopped,
                "already_done": done.already_done}


def _inputs_of(inputs: Sequence[Any]) -> List[Union[Spec, bytes]]:
    if len(inputs) == 1 and not isinstance(inputs[0], (Call, str)):
        inputs = list(inputs[0])
    specs = [_id(each) if isinstance(each, str) else getattr(each, "spec", None) for each in inputs]
    if None in specs:
        raise TypeError("an input is what wait returns, or the id of a child")
    return specs


class Client(_Caller):
    """Connects to the mesh; may be used by any number of threads and coroutines at a time. In a handler
    its calls make children of the handler's task, like those of the module. In `with`, those of the
    module are this client's.

    credential  path of the file; default: $GROVE_CREDENTIAL, else that of `grove dev`
    timeout     seconds until a coordinator must have answered
    errors      Error, OSError, ValueError: with a sentence
    """

    def __init__(self, credential: Optional[str] = None, timeout: float = 5.0) -> None:
        self.engine = _Engine(Credential(credential))
        self.engine.open(timeout)
        self._entered: List[contextvars.Token] = []

    def __enter__(self) -> "Client":
        self._entered.append(_scope.set(self))
        return self

    def __exit__(self, *_: Any) -> None:
        _scope.reset(self._entered.pop())
        self.close()

    def close(self) -> None:
        """Calls that are under way fail."""
        self.engine.close()

    def stats(self, request: str = "stats") -> Call:
        """The mesh's answer to a request of PROTOCOL.md, section 11, as a dictionary; for observers."""
        return Call(lambda: self._stats(request))

    def _caller(self) -> _Caller:
        scope = _scope.get()
        return scope if isinstance(scope, Attempt) else self

    async def _stats(self, request: str) -> Dict[str, Any]:
        future: concurrent.futures.Future = concurrent.futures.Future()
        self.engine.post(self.engine.ask_statistics, request, future)
        return json.loads(await _Until(future))

    def _make(self, spec: Spec) -> _Request:
        item = spec.item(self.engine.ledger_ms() + EXPIRES_MS)
        return _Request(spec, item, root_id(self.engine.signer, item))

    def _start(self, request: _Request) -> None:
        self.engine.post(self.engine.submit, request)

    def _await(self, request: _Request) -> concurrent.futures.Future:
        future: concurrent.futures.Future = concurrent.futures.Future()
        request.on_end = functools.partial(_settle, future)
        self.engine.post(self.engine.await_end if request.is_accepted else self.engine.submit, request)
        return future

    async def _page(self, page: Any, awaited: Any) -> Any:
        return await self._ask("page", page)


def _here() -> Any:
    scope = _scope.get()
    if scope is None:
        raise RuntimeError("neither in a handler nor in `with grove.Client()`")
    return scope


# ---- joins: many tasks as one, driven by the mesh

class Join(Call):
    """Many tasks as one. `await` it or `.get()` it for all outcomes; or iterate over it, with `for` or
    `async for`, to have each Result or TaskExecutionError, in the order of inputs, as soon as it and
    all before it have ended.

    limit               map: inputs that run, or wait for children, at a time
    stop_on_failure     gather, map: the first failure ends the rest
    max_failures        ... or that many; 0: all run, however many fail
    winners             race: so many; then a list of Results is what comes of it
    first_settled       race: whoever ends first wins, not whoever succeeds first
    return_exceptions   a TaskExecutionError stands in the place of its Result, and nothing is raised
    key                 names the join: called for again with the same inputs, it is gone on with
    priority, deadline_ms   of a join from outside, and so of all its inputs
    errors              JoinError; Refused; NotTrusted
    """

    def __init__(self, caller: _Caller, kind: int, inputs: Iterable[Union[Spec, bytes]], *, function: str = "",
                 limit: int = 0, stop_on_failure: bool = False, max_failures: int = 0, winners: int = 1,
                 first_settled: bool = False, return_exceptions: bool = False, key: str = "",
                 can_restart: bool = True, payloads: Any = None, **root_options: Any) -> None:
        super().__init__(self._collect)
        stop = winners if kind == RACE else 1 if stop_on_failure else max_failures
        self.caller, self.inputs, self.payloads = caller, inputs, payloads
        self.terms = _wire.Join(kind=kind, function=function, limit=limit, stop=stop,
                                first_settled=first_settled, key=key)
        self.return_exceptions, self.can_restart = return_exceptions, can_restart
        self.root_options = root_options
        self.winners: List[int] = []  # places of a race's winners, in their order
        self.id = ""                  # of the join; from outside of its root
        self.delivered = 0
        self.is_stream = True         # outcomes are wanted as they come

    # -- for whoever calls

    def __aiter__(self) -> AsyncIterator[Outcome]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[Outcome]:
        outcomes = self._outcomes()
        try:
            while True:
                try:
                    outcome = await _run_async(outcomes.__anext__())
                except StopAsyncIteration:
                    return
                yield outcome
        finally:
            await _run_async(outcomes.aclose())

    def __iter__(self) -> Iterator[Outcome]:
        outcomes = self._outcomes()
        try:
            while True:
                try:
                    outcome = _run_sync(outcomes.__anext__())
                except StopAsyncIteration:
                    return
                yield outcome
        finally:
            _run_sync(outcomes.aclose())

    async def _collect(self) -> Any:
        self.is_stream = False
        outcomes = [outcome async for outcome in self._outcomes()]
        failures = [(i, each) for i, each in enumerate(outcomes) if not isinstance(each, Result)]
        if self.terms.kind != RACE:
            if failures and not self.return_exceptions:
                raise _join_error(failures)
            return outcomes
        winners = [outcomes[i] for i in self.winners]
        if len(winners) < max(1, self.terms.stop) and failures:
            raise _join_error(failures)
        if self.terms.stop > 1:
            return winners
        return winners[0] if self.return_exceptions else _raised(winners[0])

    # -- the loop: give what the join takes, hand on what has ended, wait for news

    async def _outcomes(self) -> AsyncIterator[Outcome]:
        while True:
            run = _JoinRun(self, self.caller)
            try:
                async for position, outcome in run.outcomes():
                    if position >= self.delivered:
                        self.delivered += 1
                        yield outcome
                return
            except Refused as refused:
                inside = isinstance(self.caller, Attempt)
                if refused.code != DIFFERS or not inside or not self.can_restart:
                    raise
                self.terms.revision += 1  # the handler took another path than before it died
            finally:
                run.leave()

    def source(self) -> Iterator[Union[Spec, bytes]]:
        """The inputs, from the first."""
        if self.payloads is not None and self.can_restart:
            return iter([spec_of(self.terms.function, payload) for payload in self.payloads])
        return iter(self.inputs)


def _join_error(failures: List[Tuple[int, TaskExecutionError]]) -> JoinError:
    own = [failure for _, failure in failures if failure.code != "cancelled"]
    return JoinError(own[0] if own else failures[0][1], failures)


class _JoinRun:
    """One opening of a join, until it is over or left."""

    def __init__(self, join: Join, caller: Any) -> None:
        self.join, self.caller, self.terms = join, caller, join.terms
        self.source = join.source()
        self.ahead: List[Union[Spec, bytes]] = []   # pulled, and not in a portion yet
        self.portion: List[Union[Spec, bytes]] = []  # to be given next
        self.is_exhausted = self.is_closed = self.is_over = False
        self.given = self.next = self.accepted = 0   # inputs; outcomes handed on
        self.room = 1 << 30
        self.expected: Dict[int, Tuple[str, bytes]] = {}  # by position: function, payload digest
        self.parent = self.root = self.id = b""
        self.attempt, self.generation, self.tag, self.state = 1, 0, 0, 0

    def _pull(self, most: int) -> None:
        """Fills the portion with at most `most` inputs, and finds out whether more follow."""
        size = 0
        while not self.is_exhausted or self.ahead:
            if not self.ahead:
                try:
                    self.ahead.append(next(self.source))
                except StopIteration:
                    self.is_exhausted = True
                    return
            weight = 512 + (0 if isinstance(self.ahead[0], bytes) else len(self.ahead[0].payload))
            if self.portion and (len(self.portion) >= most or size + weight > BATCH_SIZE):
                return
            if self.portion and isinstance(self.portion[0], bytes) != isinstance(self.ahead[0], bytes):
                return
            size += weight
            self.portion.append(self.ahead.pop())

    async def outcomes(self) -> AsyncIterator[Tuple[int, Outcome]]:
        """Runs it: (position, outcome) in the order of inputs."""
        self._pull(BATCH_ITEMS)
        if not self.portion:
            if self.terms.kind == RACE:
                raise ValueError("a race of nobody")
            return
        await self._open()
        while True:
            await self._give()
            page = await self._news()
            while True:
                for pair in self._take(page):
                    yield pair
                if not page.ids or self.is_stream_done():
                    break
                page = await self._read()
            if self.is_over and self.next >= self.accepted:
                break
        self.join.winners = [each for each, in struct.iter_unpack("<I", page.winners)]
        if self.state in (3, 4) and self.join.is_stream and not self.join.return_exceptions:
            raise JoinError(TaskExecutionError(
                "stopped at a failure" if self.state == 3 else "cancelled",
                "join-failed" if self.state == 3 else "cancelled", self.id.hex(), "grove.join"), [])

    def is_stream_done(self) -> bool:
        return not self.is_over and self.next >= self.accepted

    # -- opening

    async def _open(self) -> None:
        self.terms.first = first_inputs(self._name(each) for each in self.portion)
        if isinstance(self.caller, Attempt):
            self.terms.occurrence = self.join.occurrence = self.caller.count_join(self.join)
            self.parent, self.root = self.caller.task, self.caller.root
            self.attempt, self.generation = self.caller.number, self.caller.generation
            self.id = join_id(self.parent, self.generation, self.terms)
        else:
            options = {**self.join.root_options, **({"key": self.terms.key} if self.terms.key else {})}
            spec = spec_of("grove.join", self.terms.SerializeToString(), options)
            self.parent = self.root = self.id = bytes.fromhex(
                await self.caller._submit([spec], single=True))  # pylint: disable=protected-access
        self.tag = struct.unpack("<I", terms_of(self.terms)[:4])[0]
        self.join.id = self.id.hex()
        if self.terms.kind == MAP:
            self.room = max(2 * self.terms.limit, 256)

    @staticmethod
    def _name(each: Union[Spec, bytes]) -> Tuple[str, bytes]:
        return ("", each + bytes(16)) if isinstance(each, bytes) else (each.function, digest(each.payload))

    # -- giving

    async def _give(self) -> None:
        while not self.is_closed and not self.is_over:
            if not self.portion:
                self._pull(max(PORTION, min(BATCH_ITEMS, self.room)))
            if len(self.portion) > self.room:
                return
            closes = self.is_exhausted and not self.ahead
            answer = await self._append(self.portion, closes)
            if not answer:
                self._taken(closes)
            elif answer == CREDIT or answer in RETRYABLE:
                self.room = 0
                return
            elif answer == OVER:
                self.is_closed = True
                return

    def _taken(self, closes: bool) -> None:
        for i, each in enumerate(self.portion):
            if self.given + i >= self.next:
                self.expected[self.given + i] = self._name(each)
        self.given += len(self.portion)
        self.room -= len(self.portion)
        self.portion, self.is_closed = [], closes

    def _item(self, spec: Spec, position: int) -> bytes:
        item = spec.item(0)
        item.parent, item.root, item.attempt = self.parent, self.root, self.attempt
        item.generation, item.occurrence, item.join_position = self.generation, self.tag, position
        item.join_kind = self.terms.kind + 256 * self.terms.revision
        return item.SerializeToString()

    async def _append(self, portion: List[Any], closes: bool) -> int:
        """Gives a portion; returns 0, or a refusal that is no failure."""
        append = _wire.Append(parent=self.parent, attempt=self.attempt, generation=self.generation,
                              offset=self.given, close=closes)
        if isinstance(self.caller, Attempt):
            append.join.CopyFrom(self.terms)
        expand = _wire.Expand()
        if portion and isinstance(portion[0], bytes):
            append.adopted = b"".join(portion)
        elif portion:
            append.count = len(portion)
            items = [self._item(spec, self.given + i) for i, spec in enumerate(portion)]
            expand.batch = self.caller.engine.sealer.seal(TASK, items)
        expand.appends.append(append)
        answer = await self.caller._ask("expand", expand)  # pylint: disable=protected-access
        code = answer.appends[0] if answer.appends else JOIN
        if code in (0, CREDIT, OVER) or code in RETRYABLE:
            return code
        raise Refused(code, next((each.text for each in answer.refused if each.code == code), ""))

    # -- waiting and reading

    async def _news(self) -> Any:
        """Waits until there is something to do; returns what the join looks like then."""
        room = 0 if self.is_closed else len(self.portion)
        is_stream = self.join.is_stream
        end = self.next if is_stream else NEVER  # the input whose end is news
        page = _wire.Page(join=self.id, offset=end, most=PAGE if is_stream or not room else 0, room=room)
        awaited = _wire.AwaitedJoin(join=self.id, until=end + 1 if is_stream else 0, room=room)
        paged = await self.caller._page(page, awaited)  # pylint: disable=protected-access
        self._see(paged)
        return paged if is_stream else await self._read()

    async def _read(self) -> Any:
        """What has ended, if the join is over; without waiting."""
        most = PAGE if self.is_over else 0
        paged = await self.caller._ask(  # pylint: disable=protected-access
            "page", _wire.Page(join=self.id, offset=self.next, most=most))
        self._see(paged)
        return paged

    def _see(self, paged: Any) -> None:
        self.state, self.accepted, self.room = paged.state, paged.accepted, paged.room
        self.is_over = paged.state != 0

    def _take(self, paged: Any) -> List[Tuple[int, Outcome]]:
        if paged.offset != self.next:
            return []
        engine, found = self.caller.engine, {}
        for sealed, item in engine.open_outcomes(paged):
            found[item.task] = (sealed, item)
        pairs = []
        for i in range(0, len(paged.ids), 16):
            identity = paged.ids[i:i + 16]
            if identity not in found:
                raise NotTrusted("an outcome that is not signed")
            pairs.append((self.next, self._judge(identity, *found[identity])))
            self.next += 1
        return pairs

    def _judge(self, identity: bytes, sealed: Any, item: Any) -> Outcome:
        request = _Request(None, None, identity)
        request.is_placed, request.parent, request.root = True, self.parent, self.root
        request.function, request.digest = self.expected.pop(self.next, ("", b""))
        outcome = self.caller.engine.judge(request, sealed, item)
        if isinstance(outcome, NotTrusted):
            raise outcome
        return outcome

    def leave(self) -> None:
        """One from outside that is left before it is over is cancelled."""
        if self.id and not self.is_over and isinstance(self.caller, Client):
            self.caller.engine.post(self.caller.engine.ask, "cancel", _wire.Cancel(task=self.id),
                                    lambda _: None)


# ---- workers

Handler = Callable[..., Any]


class Task:
    """A function that a worker runs, and whoever has it may call: by what its handler is given, as one
    JSON object."""

    def __init__(self, name: str, options: Optional[Dict[str, Any]] = None) -> None:
        self.name, self.options = name, options or {}

    def given(self, **options: Any) -> "Task":
        """The same with OPTIONS: `fetch.given(max_attempts=3).wait(...)`."""
        return Task(self.name, {**self.options, **options})

    def wait(self, **arguments: Any) -> Call:
        return _here().wait(self.name, arguments, **self.options)

    def submit(self, **arguments: Any) -> Call:
        return _here().submit(self.name, arguments, **self.options)


QUEUED, RUNNING, WAITING = 0, 1, 2  # as Held has them


class _Await:
    """What a strand of an attempt waits for: a child's end, or news of a join."""

    def __init__(self, request: Optional[_Request], joined: Any, is_main: bool) -> None:
        self.request, self.joined, self.is_main = request, joined, is_main
        self.future: concurrent.futures.Future = concurrent.futures.Future()
        self.value: Any = None  # when it has come
        self.is_asked = False   # by Wait, as the slot is kept


class Attempt(_Caller):
    """One execution of a task, and what its handler may do: `grove.current()`.

    task_id, root_id, parent_id   32 hexadecimal digits; parent_id is "" for a root
    number                        from 1
    depth                         a root has 0
    function, payload, content_type, checkpoint_bytes
    """

    TURNS = 6  # of asyncio's loop, after which whatever can run has run

    def __init__(self, engine: "_WorkerEngine", assignment: Any, item: Any) -> None:
        self.engine: Any = engine
        self.task, self.number, self.generation = assignment.task, assignment.attempt, assignment.generation
        self.item, self.depth, self.is_behind = item, assignment.depth, assignment.is_behind
        self.root, self.parent = item.root or self.task, item.parent
        self.function, self.payload, self.content_type = item.function, item.payload, item.content_type
        self.checkpoint_bytes = assignment.checkpoint
        self.state, self.is_stopped, self.is_over, self.is_timed_out = QUEUED, False, False, False
        self.awaits: List[_Await] = []
        self.counts: collections.Counter = collections.Counter()
        self.shown: Optional[Any] = None  # its last progress
        self.thread: Optional[threading.Thread] = None
        self.coroutine: Optional[asyncio.Task] = None
        self.ran, self.since = 0.0, 0.0
        self.turn = 0

    @property
    def task_id(self) -> str:
        return self.task.hex()

    @property
    def root_id(self) -> str:
        return self.root.hex()

    @property
    def parent_id(self) -> str:
        return self.parent.hex()

    def value(self) -> Any:
        """The payload as its submitter gave it."""
        return from_payload(self.payload, self.content_type)

    def cancelled(self) -> bool:
        """Whether it was told to stop: return soon. Coroutines are cancelled besides."""
        return self.is_stopped

    def progress(self, percent: float, text: str = "") -> None:
        """Says how far it is; cheap, as only the latest of each 100 ms travels. `text` is cut at 200 B."""
        shown = _wire.ProgressItem(task=self.task, attempt=self.number, percent=max(0, min(100, int(percent))),
                                   text=_cut(text, 200))
        self.shown = shown
        self.engine.post(self.engine.show, self)

    def checkpoint(self, data: bytes) -> Call:
        """Keeps bytes, at most 1 MiB, for the next attempt of this task; durable when it is done."""
        return Call(lambda: self._ask("checkpoint", _wire.Checkpoint(
            task=self.task, attempt=self.number, bytes=data, progress=[self.shown] if self.shown else [])))

    # -- the calls, of children

    def count_join(self, join: Join) -> int:
        """Which of the equal joins of this attempt it is; counted once."""
        if getattr(join, "occurrence", None) is not None:
            return join.occurrence
        name = (_wire.Join(kind=join.terms.kind, function=join.terms.function, limit=join.terms.limit,
                           stop=join.terms.stop, first_settled=join.terms.first_settled,
                           first=join.terms.first, key=join.terms.key)).SerializeToString()
        self.counts[name] += 1
        return self.counts[name] - 1

    def _make(self, spec: Spec) -> _Request:
        item = spec.item(0)
        item.parent, item.root, item.attempt = self.task, self.root, self.number
        item.generation = self.generation
        if not item.key:
            name = (item.function, digest(item.payload))
            item.occurrence = self.counts[name]
            self.counts[name] += 1
        return _Request(spec, item, child_id(item))

    def _start(self, request: _Request) -> None:
        self._check()
        self.engine.post(self.engine.expand, self, request)

    def _check(self) -> None:
        if self.is_stopped or self.is_over:
            raise Cancelled("this attempt was told to stop" if self.is_stopped else "this attempt is over")

    def _is_main(self) -> bool:
        return self.thread is None or threading.current_thread() is self.thread

    def _await(self, request: _Request) -> concurrent.futures.Future:
        self._check()
        awaited = _Await(request, None, self._is_main())
        self.engine.post(self.engine.await_child, self, awaited)
        return awaited.future

    async def _page(self, page: Any, awaited: Any) -> Any:
        self._check()
        waiting = _Await(None, awaited, self._is_main())
        self.engine.post(self.engine.await_page, self, waiting, page)
        return await _Until(waiting.future)

    async def _ask(self, kind: str, body: Any) -> Any:
        self._check()
        return await super()._ask(kind, body)

    def _cancel_request(self, identity: bytes) -> Any:
        return _wire.Cancel(task=identity, by=self.task, attempt=self.number)


def current() -> Attempt:
    """The attempt that this handler runs. errors    RuntimeError: outside a handler"""
    scope = _scope.get()
    if not isinstance(scope, Attempt):
        raise RuntimeError("not in a handler")
    return scope


def _cut(text: str, size: int) -> str:
    """What fits into `size` bytes, without U+0000."""
    return text.replace("\0", " ").encode()[:size].decode(errors="ignore")


class _WorkerEngine(_Engine):
    """The session of a worker: what it holds, what of that runs, what is to be reported."""

    def __init__(self, credential: Credential, worker: "Worker") -> None:
        super().__init__(credential)
        self.worker = worker
        self.index = 0           # of the session, once enlisted
        self.enlisting = 0       # correlation of an Enlist that is unanswered
        self.is_enlisted = False
        self.is_draining = False
        self.held: Dict[Tuple[bytes, int], Attempt] = {}
        self.line: List[Attempt] = []     # not started, in the order in which they start
        self.resumed: List[Attempt] = []  # to go on with the next free slot
        self.running = 0
        self.children: List[Tuple[Attempt, _Request]] = []
        self.telling: List[Attempt] = []  # that wait, and have not said so
        self.results: List[Tuple[bytes, Attempt]] = []
        self.showing: List[Attempt] = []  # progress that has not travelled
        self.shown_at = 0.0
        self.returned: List[Tuple[Any, Optional[Attempt]]] = []  # Returned, and of what
        self.unsafe = 0                   # bytes reported and not taken
        self.root_signers: Dict[bytes, bytes] = {}  # by the root's id
        self.loop = asyncio.new_event_loop()
        self.loop_thread = threading.Thread(target=self.loop.run_forever, name="grove-handlers", daemon=True)
        self.loop_thread.start()
        self.enlisted: concurrent.futures.Future = concurrent.futures.Future()
        self.ended = threading.Event()

    # -- the session

    def is_ready(self) -> bool:
        return self.is_welcome and self.is_enlisted

    def on_session(self) -> None:
        self.is_enlisted = False
        self._enlist()

    def _enlist(self) -> None:
        worker = self.worker
        self.enlisting = self.tell("enlist", _wire.Enlist(
            instance=worker.instance, functions=[] if self.is_draining else sorted(worker.handlers),
            slots=worker.slots, window=worker.window, max_waiting=1024, held=self._held()))

    def _held(self) -> List[Any]:
        return [_wire.Held(task=each.task, attempt=each.number, state=each.state)
                for each in self.held.values()]

    def heartbeat(self) -> Any:
        return _wire.Heartbeat(held=self._held())

    def on_welcome(self, body: Any) -> None:
        """Of an Enlist."""
        if not body.session:
            return
        if self.index not in (0, body.session):
            for attempt in list(self.held.values()):
                self._forget_attempt(attempt)
            self.asks.clear()
            self.results, self.returned, self.unsafe = [], [], 0
        self.index, self.is_enlisted = body.session, True
        self.send_again()
        _settle(self.enlisted, True)

    def _refused(self, correlation: int, body: Any) -> None:
        if correlation == self.enlisting:
            if body.retryable:
                self.after(max(body.retry_ms, 500) / 1000, self._enlist)
            else:
                self.failure, self.is_closed = Refused(body.code, body.text), True
        elif body.code == NO_WORKER_SESSION:  # retired meanwhile
            self.is_enlisted = False
            self._enlist()
        super()._refused(correlation, body)

    # -- assignments

    def on_assign(self, body: Any) -> None:
        if not self.is_enlisted:
            return  # nobody knows yet which session's it is; it is sent again
        for form in body.certificates:
            self.trust.learn(form)
        for assignment in body.assignments:
            if (assignment.task, assignment.attempt) not in self.held:
                self._take_assignment(assignment, body.batches)
        self._schedule()

    def _take_assignment(self, assignment: Any, batches: Sequence[bytes]) -> None:
        try:
            item = self._verify(assignment, batches)
        except (NotTrusted, IndexError, ValueError) as error:
            self._give_back(assignment.task, assignment.attempt, REFUSED_IT, str(error))
            return
        attempt = Attempt(self, assignment, item)
        self.held[(attempt.task, attempt.number)] = attempt
        if item.function not in self.worker.handlers:
            self._return(attempt, CANNOT_RUN, "no handler")
        else:
            self.line.append(attempt)
            self.line.sort(key=lambda each: (each.is_behind, each.depth == 0))

    def _verify(self, assignment: Any, batches: Sequence[bytes]) -> Any:
        """The item, sealed by one who may submit it, with the id that is its own.

        errors    NotTrusted
        """
        sealed = self.sealer.open(batches[assignment.batch])
        item = _wire.TaskItem.FromString(sealed.items[assignment.item])
        now = self.ledger_ms()
        self.trust.check_submitter(sealed.signer, item.function, now)
        if assignment.root_batch:
            root = self.sealer.open(assignment.root_batch)
            root_item = _wire.TaskItem.FromString(root.items[0])
            self.root_signers[root_id(root.signer, root_item)] = root.signer
        if item.parent:
            if item.root not in self.root_signers:
                raise NotTrusted("a child without its root")
            self.trust.check_submitter(self.root_signers[item.root], item.function, now)
        identity = child_id(item) if item.parent else root_id(sealed.signer, item)
        if sealed.kind != TASK or identity != assignment.task:
            raise NotTrusted("an item of another task")
        return item

    def _schedule(self) -> None:
        """Fills the free slots: first with what goes on."""
        while self.running < self.worker.slots and self.resumed:
            self._go_on(self.resumed.pop(0))
        while self.running < self.worker.slots and self.line and not self.is_draining \
                and self.unsafe < UNSAFE_SIZE:
            attempt = self.line.pop(0)
            self._run_attempt(attempt)
            self.worker.launch(attempt)

    def _run_attempt(self, attempt: Attempt) -> None:
        attempt.state, attempt.since = RUNNING, time.monotonic()
        self.running += 1

    def _release(self, attempt: Attempt) -> None:
        """It has a slot no more."""
        if attempt.state == RUNNING:
            self.running -= 1
            attempt.ran += time.monotonic() - attempt.since
        for line in (self.line, self.resumed, self.telling):
            if attempt in line:
                line.remove(attempt)

    def on_goodbye(self, _: Any) -> None:
        """An operator wants it to leave."""
        self.drain()

    def on_recall(self, body: Any) -> None:
        for attempt in [each for each in self.line if each.function == body.function]:
            self._return(attempt, UNSTARTED)

    # -- children and waiting

    def expand(self, attempt: Attempt, request: _Request) -> None:
        """Takes a child, to be sealed with whatever else this turn has."""
        if attempt.is_over:
            request.fail(Cancelled("this attempt is over"))
        else:
            self.children.append((attempt, request))

    def await_child(self, attempt: Attempt, awaited: _Await) -> None:
        request = awaited.request
        request.on_end = functools.partial(self._came, attempt, awaited)
        self._add_await(attempt, awaited)
        if request.is_accepted:
            self._expect(request)
        else:
            self.expand(attempt, request)

    def await_page(self, attempt: Attempt, awaited: _Await, page: Any) -> None:
        self._add_await(attempt, awaited)
        self.ask("page", page, functools.partial(self._came, attempt, awaited))

    def _add_await(self, attempt: Attempt, awaited: _Await) -> None:
        if attempt.is_stopped or attempt.is_over:
            _settle(awaited.future, Cancelled("this attempt was told to stop"))
            return
        attempt.awaits.append(awaited)
        self._rest(attempt)

    def _came(self, attempt: Attempt, awaited: _Await, value: Any) -> None:
        awaited.value = value
        if attempt.state == RUNNING:
            self._hand_on(attempt)

    def _hand_on(self, attempt: Attempt) -> None:
        """Gives an attempt that has a slot what has come."""
        come = [each for each in attempt.awaits if each.value is not None]
        attempt.awaits = [each for each in attempt.awaits if each.value is None and not each.future.cancelled()]
        for awaited in come:
            _settle(awaited.future, awaited.value)
        if attempt.awaits:
            self._rest(attempt)

    def _rest(self, attempt: Attempt) -> None:
        """Has the attempt give its slot back once all of it that can run has run: a handler in a thread
        is blocked at once, coroutines after some turns of their loop."""
        attempt.turn += 1
        if attempt.coroutine is None:
            self._tell_wait(attempt, attempt.turn)
        else:
            self.loop.call_soon_threadsafe(self._count_turns, attempt, attempt.turn, Attempt.TURNS)

    def _count_turns(self, attempt: Attempt, turn: int, left: int) -> None:
        if left > 0 and attempt.turn == turn:
            self.loop.call_soon(self._count_turns, attempt, turn, left - 1)
        elif attempt.turn == turn:
            self.post(self._tell_wait, attempt, turn)

    def _tell_wait(self, attempt: Attempt, turn: int) -> None:
        if attempt.turn != turn or attempt.is_over or attempt.state != RUNNING or not attempt.awaits:
            return
        if any(each.is_main for each in attempt.awaits):
            if attempt not in self.telling:
                self.telling.append(attempt)
            return
        for awaited in attempt.awaits:  # another thread waits, the handler's goes on
            if awaited.request and awaited.request.is_accepted and not awaited.is_asked:
                awaited.is_asked = True
                self.asking.append(awaited.request.id)

    def _waits_of(self, attempt: Attempt, positions: Dict[int, int]) -> Any:
        """What an attempt waits for, or None while the mesh cannot know all of it yet.

        positions   of requests, by id(): their places in the batch beside
        """
        waits = _wire.Waits(task=attempt.task, attempt=attempt.number)
        ids, places = [], []
        for awaited in attempt.awaits:
            if awaited.joined is not None:
                waits.joins.append(awaited.joined)
            elif awaited.request.is_accepted:
                ids.append(awaited.request.id)
            elif id(awaited.request) in positions:
                places.append(positions[id(awaited.request)])
            else:
                return None
        waits.awaited, waits.positions = b"".join(ids[:9000]), bytes(places)
        return waits

    def _park(self, attempt: Attempt) -> None:
        self._release(attempt)
        attempt.state = WAITING

    def on_resume(self, body: Any) -> None:
        for each in body.resumed:
            attempt = self.held.get((each.task, each.attempt))
            if attempt and attempt.state == WAITING and not attempt.is_over \
                    and attempt not in self.resumed:
                self.resumed.append(attempt)
        self._schedule()

    def _go_on(self, attempt: Attempt) -> None:
        self._run_attempt(attempt)
        self._hand_on(attempt)

    # -- stopping

    def on_stop(self, body: Any) -> None:
        for stopped in body.stopped:
            attempt = self.held.get((stopped.task, stopped.attempt))
            if attempt is None:
                if stopped.reason == 0:
                    self._give_back(stopped.task, stopped.attempt, STOPPED)
            elif stopped.reason == AWAITED:
                self._wait_refused(attempt)
            elif stopped.reason:
                self._forget_attempt(attempt)
            elif attempt.state == QUEUED and not attempt.is_over:
                self._return(attempt, STOPPED)
            elif not attempt.is_over:
                self.stop_handler(attempt)
        self._schedule()

    def _wait_refused(self, attempt: Attempt) -> None:
        for awaited in attempt.awaits:
            awaited.value = awaited.value if awaited.value is not None else Refused(AWAITED)
        if attempt.state == WAITING and attempt not in self.resumed:
            self.resumed.append(attempt)

    def stop_handler(self, attempt: Attempt) -> None:
        """Tells the handler to stop; what it does is over when it has returned."""
        attempt.is_stopped = True
        awaits, attempt.awaits = attempt.awaits, []
        for awaited in awaits:
            _settle(awaited.future, Cancelled("this attempt was told to stop"))
        if attempt.coroutine is not None:
            self.loop.call_soon_threadsafe(attempt.coroutine.cancel)

    def _forget_attempt(self, attempt: Attempt) -> None:
        """Nothing of it counts any more."""
        self._end(attempt)
        self._let_go([attempt])
        self.stop_handler(attempt)

    def _end(self, attempt: Attempt) -> None:
        """Frees its slot. It is held until the mesh has taken what came of it: a leader that has not
        would assign it again."""
        if attempt.is_over:
            return
        self._release(attempt)
        if attempt in self.showing:
            self.showing.remove(attempt)
        attempt.is_over = True

    def _let_go(self, attempts: Iterable[Optional[Attempt]], _: Any = None) -> None:
        for attempt in attempts:
            if attempt is not None and self.held.get((attempt.task, attempt.number)) is attempt:
                del self.held[(attempt.task, attempt.number)]

    def _return(self, attempt: Attempt, reason: int, text: str = "") -> None:
        self._end(attempt)
        self._give_back(attempt.task, attempt.number, reason, text, attempt)

    def _give_back(self, task: bytes, number: int, reason: int, text: str = "",
                   attempt: Optional[Attempt] = None) -> None:
        self.returned.append((_wire.Returned(task=task, attempt=number, reason=reason,
                                             text=_cut(text, 1024)), attempt))

    # -- results

    def handler_ended(self, attempt: Attempt, code: int, data: bytes, content_type: str, text: str) -> None:
        """Takes what a handler made of an attempt, unless that was told to stop, or timed out."""
        if attempt.is_over:
            self._schedule()
            return
        if attempt.is_stopped:
            self._return(attempt, STOPPED)
        else:
            self._report(attempt, code, data, content_type, text)
        self._schedule()

    def _report(self, attempt: Attempt, code: int, data: bytes, content_type: str, text: str) -> None:
        self._end(attempt)
        self.results.append((_wire.ResultItem(
            nonce=os.urandom(16), task=attempt.task, root=attempt.root, parent=attempt.parent,
            function=attempt.function, payload_digest=digest(attempt.payload), attempt=attempt.number,
            session=self.index, code=code, bytes=data, text=_cut(text, 1024),
            run_ms=int(attempt.ran * 1000), content_type=content_type).SerializeToString(), attempt))

    def show(self, attempt: Attempt) -> None:
        if attempt not in self.showing and not attempt.is_over:
            self.showing.append(attempt)

    # -- a turn, and time

    def end_turn(self) -> None:
        if self.is_draining:
            for attempt in list(self.line):
                self._return(attempt, UNSTARTED)
        self._schedule()
        self._send_children()
        self._send_waits()
        results, self.results = self.results, []
        for part in _parts(results, lambda result: len(result[0])):
            items, attempts = [item for item, _ in part], [attempt for _, attempt in part]
            size = sum(len(item) for item in items)
            self.unsafe += size
            self.ask("report", _wire.Report(batch=self.sealer.seal(RESULT, items),
                                            progress=[each.shown for each in attempts if each.shown]),
                     functools.partial(self._reported, size, attempts))
        if self.returned:
            returned, self.returned = self.returned, []
            self.ask("returned", _wire.Return(returned=[each for each, _ in returned]),
                     functools.partial(self._let_go, [attempt for _, attempt in returned]))
        self._ask_for_outcomes()
        if self.is_draining and not self.held and not self.asks:
            self.leave()

    def _reported(self, size: int, attempts: List[Attempt], _: Any) -> None:
        self.unsafe -= size
        self._let_go(attempts)

    def _send_children(self) -> None:
        children, self.children = self.children, []
        for part in _parts(children, lambda child: len(child[1].bytes)):
            requests = [request for _, request in part]
            positions = {id(request): i for i, request in enumerate(requests)}
            for request in requests:
                self._expect(request)
            expand = _wire.Expand(batch=self.seal_requests(requests))
            self._add_waits(expand, {attempt for attempt, _ in part}, positions)
            again = {id(request): attempt for attempt, request in part}
            self.ask("expand", expand, functools.partial(
                self.accepted, requests, lambda request, again=again: self.expand(again[id(request)], request)))

    def _send_waits(self) -> None:
        expand = _wire.Expand()
        self._add_waits(expand, set(self.telling), {})
        if expand.waits:
            self.ask("expand", expand, lambda _: None)

    def _add_waits(self, expand: Any, attempts: set, positions: Dict[int, int]) -> None:
        for attempt in [each for each in self.telling if each in attempts]:
            waits = self._waits_of(attempt, positions)
            if waits is not None:
                expand.waits.append(waits)
                self._park(attempt)

    def tick(self, now: float) -> None:
        super().tick(now)
        if self.showing and now - self.shown_at >= 0.1 and self.is_ready():
            self.shown_at = now
            showing, self.showing = self.showing[:BATCH_ITEMS], self.showing[BATCH_ITEMS:]
            self.tell("progress", _wire.Progress(progress=[each.shown for each in showing]))
        for attempt in [each for each in self.held.values() if not each.is_over]:
            self._watch(attempt, now)
        if self.is_draining and (now - self.heard) * 1000 > DRAIN_SILENT_MS:
            self.leave()  # there is nobody to take anything

    def _watch(self, attempt: Attempt, now: float) -> None:
        """Ends what has run for too long, or what may run elsewhere by now."""
        timeout_ms, is_running = attempt.item.timeout_ms, attempt.state == RUNNING
        if timeout_ms and is_running and (attempt.ran + now - attempt.since) * 1000 > timeout_ms:
            self._report(attempt, 3, b"", "", "over its timeout of %d ms" % timeout_ms)
            self.stop_handler(attempt)
        if attempt.item.at_most_once and (now - self.heard) * 1000 > AT_MOST_ONCE_MS:
            if attempt.state == QUEUED:
                self._return(attempt, UNSTARTED)
            elif not attempt.is_stopped:
                self.stop_handler(attempt)

    def drain(self) -> None:
        """Finishes what has started, hands the rest back, then takes leave."""
        if not self.is_draining:
            self.is_draining = True
            if self.is_welcome:
                self._enlist()

    def _fail_all(self, error: Error) -> None:
        super()._fail_all(error)
        _settle(self.enlisted, error)
        for attempt in list(self.held.values()):
            self._forget_attempt(attempt)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.ended.set()


class Worker:
    """Runs tasks. Name handlers with `@worker.task` or `handle`, then `run()`.

    instance    names this worker over restarts; default: host name and process
    slots       attempts that run at a time; window: how many are assigned ahead of that
    credential  as of Client
    """

    def __init__(self, instance: Optional[str] = None, slots: int = 1, window: int = 0,
                 credential: Optional[str] = None) -> None:
        self.instance = instance or _cut("%s/python-%d" % (socket.gethostname(), os.getpid()), 63)
        self.slots, self.window = slots, window
        self.handlers: Dict[str, Callable[[Attempt], Any]] = {}
        self.engine = _WorkerEngine(Credential(credential), self)

    def task(self, handler: Optional[Handler] = None, *, name: str = "") -> Any:
        """Names a handler, def or async def, which is called with what its Task is given; after its
        own name: `@worker.task`, or another one: `@worker.task(name="images.resize")`."""
        if handler is None:
            return functools.partial(self.task, name=name)
        named = name or handler.__name__
        self._name(named, handler, lambda attempt: handler(**json.loads(attempt.payload or b"{}")))
        return Task(named)

    def handle(self, function: str, handler: Handler) -> None:
        """Names a handler, def or async def, that gets the payload's value."""
        self._name(function, handler, lambda attempt: handler(attempt.value()))

    def _name(self, function: str, handler: Handler, run: Callable[[Attempt], Any]) -> None:
        if not re.fullmatch(r"[a-z0-9._-]{1,63}", function):
            raise ValueError("a function's name is [a-z0-9._-]{1,63}, not " + function)
        self.handlers[function] = _in_loop(run) if inspect.iscoroutinefunction(handler) else run

    def start(self, timeout: float = 5.0) -> None:
        """Enlists and works in the background. errors    Error: nobody takes it within `timeout` s"""
        self.engine.open(timeout)
        try:
            self.engine.enlisted.result(timeout)
        except concurrent.futures.TimeoutError:
            self.engine.close()
            raise Error("the mesh does not take this worker") from None

    def run(self) -> None:
        """Works until `stop`, SIGTERM or SIGINT: then it finishes what has started, hands the rest
        back and takes leave. errors    as start; Error: what ended it"""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self.stop())
        self.start()
        self.join()

    def stop(self) -> None:
        """From any thread, and from signal handlers."""
        self.engine.post(self.engine.drain)

    def join(self) -> None:
        """Waits until it has taken leave."""
        while not self.engine.ended.wait(0.2):
            pass
        if self.engine.failure:
            raise self.engine.failure

    def __enter__(self) -> "Worker":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()
        self.join()

    # -- running attempts

    def launch(self, attempt: Attempt) -> None:
        """Starts the handler of an attempt that has a slot: in the loop, or on a thread of its own."""
        handler = self.handlers[attempt.function]
        if inspect.iscoroutinefunction(handler):
            attempt.coroutine = _Coming()
            self.engine.loop.call_soon_threadsafe(self._launch_coroutine, attempt, handler)
        else:
            attempt.thread = threading.Thread(target=self._run_handler, args=(attempt, handler), daemon=True,
                                              name="grove-" + attempt.function)
            attempt.thread.start()

    def _launch_coroutine(self, attempt: Attempt, handler: Callable) -> None:
        is_cancelled = attempt.is_stopped
        context = contextvars.copy_context()
        context.run(_scope.set, attempt)
        attempt.coroutine = context.run(self.engine.loop.create_task, self._await_handler(attempt, handler))
        if is_cancelled:
            attempt.coroutine.cancel()

    async def _await_handler(self, attempt: Attempt, handler: Callable) -> None:
        try:
            ended = _ended_well(await handler(attempt))
        except BaseException as error:  # pylint: disable=broad-except
            ended = _ended_badly(error)
        self.engine.post(self.engine.handler_ended, attempt, *ended)

    def _run_handler(self, attempt: Attempt, handler: Callable) -> None:
        _scope.set(attempt)
        try:
            ended = _ended_well(handler(attempt))
        except BaseException as error:  # pylint: disable=broad-except
            ended = _ended_badly(error)
        self.engine.post(self.engine.handler_ended, attempt, *ended)


class _Coming:
    """Stands for a coroutine that its loop has not begun; `is_stopped` is what cancels it."""

    def cancel(self) -> None:
        pass


def _in_loop(run: Callable[[Attempt], Any]) -> Callable[[Attempt], Any]:
    async def handler(attempt: Attempt) -> Any:
        return await run(attempt)
    return handler


Ended = Tuple[int, bytes, str, str]  # code, bytes, content type, text


def _ended_well(value: Any) -> Ended:
    if isinstance(value, Result):
        return 0, value.bytes, value.content_type, ""
    return (0, *to_payload(value), "")


def _ended_badly(error: BaseException) -> Ended:
    if isinstance(error, Failure):
        return 2 if error.permanent else 1, error.bytes, "", str(error)
    if isinstance(error, (Error, asyncio.CancelledError)):
        return 1, b"", "", str(error) or type(error).__name__
    return 1, b"", "", "%s: %s" % (type(error).__name__, error)


# ---- the calls of whoever calls: in a handler its children, in `with grove.Client()` that client's

def submit(function: Union[str, Task], payload: Any = None, **options: Any) -> Call:
    """As _Caller.submit."""
    return _here().submit(function, payload, **options)


def submit_many(function: Union[str, Task], payloads: Iterable[Any], **options: Any) -> Call:
    """As _Caller.submit_many."""
    return _here().submit_many(function, payloads, **options)


def wait(function: Union[str, Task], payload: Any = None, **options: Any) -> Call:
    """As _Caller.wait."""
    return _here().wait(function, payload, **options)


def result(identity: str) -> Call:
    """As _Caller.result."""
    return _here().result(identity)


def gather(*inputs: Any, **options: Any) -> Join:
    """As _Caller.gather."""
    return _here().gather(*inputs, **options)


def race(*inputs: Any, **options: Any) -> Join:
    """As _Caller.race."""
    return _here().race(*inputs, **options)


def map(function: Union[str, Task], payloads: Iterable[Any], limit: int = 16, **options: Any) -> Join:  # pylint: disable=redefined-builtin
    """As _Caller.map."""
    return _here().map(function, payloads, limit, **options)


def cancel(identity: str) -> Call:
    """As _Caller.cancel."""
    return _here().cancel(identity)
