# SPDX-License-Identifier: MPL-2.0
"""schema/vectors, read by the code of the Python client; vectors.mjs does the same in JavaScript."""

import functools
import json
import os
import sys
from types import SimpleNamespace

from clients import CLIENTS, SOURCE, check

sys.path.insert(0, os.path.join(CLIENTS, "python"))
import grove  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402

MESH = bytes(SigningKey(bytes([1] * 32)).verify_key)
ZERO = {("paged", "running"), ("paged", "offset")}  # in the vectors
SEALED_IN = {"submit": "batch", "notify": "outcomes", "assign": "batches", "expand": "batch",
             "report": "batch"}


def vectors(name):
    with open(os.path.join(SOURCE, "schema", "vectors", name + ".json"), encoding="utf-8") as file:
        return json.load(file)["vectors"]


def numbered(count):
    return [b"item-%d" % i for i in range(count)]


def leaves_and_roots():
    for vector in vectors("leaf"):
        item = bytes.fromhex(vector["item"])
        check(grove.digest(item).hex() == vector["digest"], vector)
        check(grove.leaf_of(item).hex() == vector["leaf"], vector)
    for vector in vectors("root"):
        leaves = [grove.leaf_of(item) for item in numbered(vector["count"])]
        check(grove.root_of(leaves).hex() == vector["root"], vector)


def excerpts():
    for vector in vectors("excerpt"):
        leaves = [grove.leaf_of(item) for item in numbered(vector["count"])]
        hashes = bytes.fromhex(vector["hashes"])
        parts = [hashes[i:i + 32] for i in range(0, len(hashes), 32)]
        chosen = {index: leaves[index] for index in bytes.fromhex(vector["indices"])}
        check(grove.prove(chosen, parts, 0, vector["count"]) == grove.root_of(leaves), vector)
        check(not parts, "no hash is left over", vector)


def seals():
    for vector in vectors("seal"):
        mesh = bytes(SigningKey(bytes.fromhex(vector["mesh_seed"])).verify_key)
        sealer = grove.Sealer(mesh, SigningKey(bytes.fromhex(vector["signer_seed"])))
        batch = sealer.seal(vector["kind"], numbered(vector["count"]))
        check(sealer.open(batch).signature.hex() == vector["signature"], vector)
        forged = bytearray(batch)
        forged[-1] ^= 1
        check(is_refused(functools.partial(grove.Sealer(mesh, None).open, bytes(forged))), "a forgery")


def ids():
    for vector in vectors("id"):
        item = SimpleNamespace(**{**{"occurrence": 0, "join_kind": 0, "join_position": 0}, **vector})
        item.payload = bytes.fromhex(vector["payload"])
        if "parent" in vector:
            item.parent = bytes.fromhex(vector["parent"])
            check(grove.child_id(item).hex() == vector["id"], vector)
        else:
            item.nonce = bytes.fromhex(vector["nonce"])
            check(grove.root_id(bytes.fromhex(vector["signer"]), item).hex() == vector["id"], vector)


def certificates():
    for vector in vectors("certificate"):
        trust = grove.Trust(MESH)
        trust.learn(bytes.fromhex(vector["form"]))
        body = trust.certificate(bytes.fromhex(vector["sign_key"]), vector["not_before_ms"])
        check((body.name, body.roles, list(body.submit), list(body.run)) ==
              (vector["name"], vector["roles"], vector["submit"], vector["run"]), vector)
        check(is_refused(functools.partial(trust.certificate, body.sign_key, vector["not_after_ms"])),
              "past its end")
        other = grove.Trust(bytes(SigningKey(bytes([9] * 32)).verify_key))
        other.learn(bytes.fromhex(vector["form"]))
        check(is_refused(functools.partial(other.certificate, body.sign_key)), "of another mesh")


def rights():
    """Who may submit, and whose word ends a task."""
    form = bytes.fromhex(vectors("certificate")[0]["form"])
    trust = grove.Trust(MESH)
    trust.learn(form)
    signer = bytes.fromhex(vectors("certificate")[0]["sign_key"])
    trust.check_submitter(signer, "images.resize", vectors("certificate")[0]["not_before_ms"])
    trust.check_judge(signer, grove.RESULT, "anything")
    check(is_refused(lambda: trust.check_submitter(signer, "images", 1 << 50)), "out of its dates")
    check(is_refused(lambda: trust.check_submitter(
        signer, "payroll", vectors("certificate")[0]["not_before_ms"])), "another function")
    check(is_refused(lambda: trust.check_judge(signer, grove.VERDICT, "step")), "no coordinator")
    check(is_refused(lambda: trust.check_judge(bytes(32), grove.RESULT, "step")), "a stranger")


def frames():
    """Every field of every message is read, and the seals in it are good."""
    opened = 0
    for vector in vectors("frame"):
        frame = bytes.fromhex(vector["frame"])
        message = grove._wire.Message.FromString(frame)  # pylint: disable=protected-access
        check(message.version == 1 and message.correlation == vector["correlation"], vector["type"])
        kind = message.WhichOneof("body")
        body = getattr(message, kind)
        absent = [field.name for field in body.DESCRIPTOR.fields if not getattr(body, field.name)
                  and (kind, field.name) not in ZERO]
        check(not absent, kind, "without", absent)
        if kind in SEALED_IN:
            batches = getattr(body, SEALED_IN[kind])
            for batch in batches if not isinstance(batches, bytes) else [batches]:
                check(grove.Sealer(MESH, None).open(batch).items, kind)
                opened += 1
    check(opened == 6, opened, "batches")


def is_refused(call):
    try:
        call()
    except grove.NotTrusted:
        return True
    return False


TESTS = (leaves_and_roots, excerpts, seals, ids, certificates, rights, frames)
