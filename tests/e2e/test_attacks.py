#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Members of the mesh that lie. Each lie is refused by its name, is counted, changes nothing, and
hurts nobody else. One mesh for all, so that a lie's late effect shows in a later test."""

import os

import nacl.signing

from mesh import (ACCEPTED, ADMIT, ASSIGN, CLIENT, DONE, ENLIST, EXPAND, REPORT,
                  PATIENCE, RESULT, SNAPSHOT, STOP, SUBMIT, TASK, VERDICT, WAIT, WELCOME, WORKER,
                  Mesh, check, decode, digest, encode, one, root_id, run_tests, seal)

(MALFORMED, TOO_LARGE, UNEXPECTED, WRONG_MESH, WRONG_SIGNER, BAD_SIGNATURE, HELD_OFF) = (
    1, 2, 5, 6, 7, 9, 10)
(EXPIRED, CONFLICT, FUNCTION_NAME, RIGHT_SUBMIT, RIGHT_RUN, ROLE, STALE, PARENT, LINEAGE, OPTION,
 NOT_FOUND, MISMATCH, AWAITED) = (20, 21, 22, 23, 24, 25, 27, 28, 29, 31, 32, 34, 37)
NAMES = {MALFORMED: "malformed", UNEXPECTED: "unexpected", WRONG_MESH: "wrong-mesh",
         TOO_LARGE: "too-large", WRONG_SIGNER: "wrong-signer", BAD_SIGNATURE: "bad-signature",
         HELD_OFF: "held-off", EXPIRED: "expired", CONFLICT: "conflict",
         FUNCTION_NAME: "function-name", RIGHT_SUBMIT: "right-submit", RIGHT_RUN: "right-run",
         ROLE: "role", STALE: "stale", PARENT: "parent", LINEAGE: "lineage", OPTION: "option",
         NOT_FOUND: "not-found", MISMATCH: "mismatch", AWAITED: "awaited"}

mesh = Mesh()
serial = iter(range(10000))


def enemy(roles=CLIENT, **rights):
    """A fresh identity, since three bad signatures are the end of one."""
    return mesh.admit("enemy%d" % next(serial), roles, **rights)


def verdict(answer):
    """The code of a Refused, else of the first item refused, else 0."""
    if answer.refusal():
        return answer.refusal()
    return one(decode(answer.body[2][0]), 2) if answer.kind == ACCEPTED and 2 in answer.body else 0


def expect(code, act, what):
    """`act` is answered by the refusal, which is counted, and no task comes of it."""
    before, roots = mesh.refused(NAMES[code]), mesh.stats()["totals"]["submitted"]
    answer = verdict(act())
    check(answer == code, what, "is answered by", answer, "and not", code, NAMES[code])
    check(mesh.refused(NAMES[code]) == before + 1, what, "is counted as", NAMES[code])
    check(mesh.stats()["totals"]["submitted"] == roots, what, "makes no task")


def flipped(data, part, bit=0):
    """`data` with one bit of the last place where `part` stands flipped."""
    at = data.rindex(part) + len(part) - 1
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


def working():
    """A worker peer that holds a task of its own, and the peer that submitted it."""
    worker, client, function = enemy(WORKER), mesh.peer(), "only-%d" % next(serial)
    worker.enlist([function])
    check(client.submit([client.task_item(function, b"honest")]).kind == ACCEPTED, "submitted")
    return worker, client, worker.assigned()


def one_bit_of_a_task():
    for part in (b"echo", b"honest payload", b"a-key", b"\x0d\x0e\x0f", None):
        peer = enemy()
        item = encode({1: bytes(range(16)), 2: "echo", 3: b"honest payload", 5: "a-key",
                       13: peer.now() + 600000})
        batch = peer.seal(TASK, [item])
        part = part or decode(batch)[4][0]  # the signature itself
        expect(BAD_SIGNATURE, lambda: peer.submit([], batch=flipped(batch, part)), part)
        answer = peer.submit([], batch=batch)
        check(answer.kind == ACCEPTED, "the honest one is accepted", answer.refusal())


def every_bit_of_a_small_batch():
    """Whatever is flipped, no task comes of it; identities are renewed as they are held off."""
    peer = enemy()
    batch = peer.seal(TASK, [encode({1: bytes(16), 2: "x", 13: peer.now() + 600000})])
    before = mesh.stats()["totals"]["submitted"]
    for bit in range(0, len(batch) * 8, 7):
        tampered = bytearray(batch)
        tampered[bit // 8] ^= 1 << bit % 8
        code = verdict(peer.submit([], batch=bytes(tampered)))
        check(code in (MALFORMED, WRONG_SIGNER, BAD_SIGNATURE, TOO_LARGE, HELD_OFF), bit, code)
        if code == BAD_SIGNATURE:
            peer.close()
            peer = enemy()
            batch = peer.seal(TASK, [encode({1: bytes(16), 2: "x", 13: peer.now() + 600000})])
    check(mesh.stats()["totals"]["submitted"] == before, "no task came of it")


def one_bit_of_a_child():
    for name, make in (("payload", lambda item: flipped(item, b"child payload")),
                       ("parent", lambda item: flipped(item, item_parent(item))),
                       ("attempt", lambda item: item.replace(b"\xb0\x01\x01", b"\xb0\x01\x03"))):
        worker, _, parent = working()
        item = worker.child_item(parent, "echo", b"child payload", f21=parent["task"])
        batch = worker.seal(TASK, [item])
        check(make(item) != item, "something is flipped")
        tampered = batch.replace(item, make(item))
        expect(BAD_SIGNATURE, lambda: worker.ask(EXPAND, {1: tampered}), name)
        check(worker.ask(EXPAND, {1: batch}).kind == ACCEPTED, "the honest one is accepted")
        worker.report([worker.result_item(parent)])


def item_parent(item):
    return b"\xa2\x01\x10" + decode(item)[20][0]


def one_bit_of_a_result():
    for name in ("result", "attempt", "session", "digest"):
        worker, _, task = working()
        item = worker.result_item(task, b"honest result")
        part = {"result": b"honest result", "attempt": encode({7: task["attempt"]}),
                "session": encode({8: worker.session}), "digest": digest(b"honest")}[name]
        batch = worker.seal(RESULT, [item])
        tampered = batch.replace(item, flipped(item, part, 1))
        expect(BAD_SIGNATURE, lambda: worker.report([], batch=tampered), name)
        check(mesh.task(task["task"].hex())["state"] == "running", "it is not over")
        check(worker.report([], batch=batch).kind == DONE, "the honest one is accepted")
        outcome = mesh.outcomes([task["task"].hex()])[task["task"].hex()]
        check(outcome[:2] == ("succeeded", b"honest result"), outcome)


def the_seal_of_another():
    victim, peer = mesh.peer(), enemy()
    batch = victim.seal(TASK, [victim.task_item("echo", b"mine")])
    expect(WRONG_SIGNER, lambda: peer.submit([], batch=batch), "another's batch")
    item = peer.task_item("echo")
    named = seal(mesh.public, peer.node.sign, TASK, [item]).replace(peer.node.key, victim.node.key)
    expect(WRONG_SIGNER, lambda: peer.submit([], batch=named), "another's name")
    foreign = seal(bytes(nacl.signing.SigningKey.generate().verify_key), peer.node.sign, TASK, [item])
    expect(BAD_SIGNATURE, lambda: peer.submit([], batch=foreign), "a seal for another mesh")
    kind = seal(mesh.public, peer.node.sign, RESULT, [item])
    expect(MALFORMED, lambda: peer.submit([], batch=kind), "results as tasks")
    check(victim.submit([], batch=batch).kind == ACCEPTED, "its owner may submit it")


def shapes_of_a_batch():
    peer = enemy()
    items = [peer.task_item("echo", b"%d" % i) for i in range(3)]
    whole = decode(peer.seal(TASK, items))

    def shaped(**changes):
        values = {number: list(value) for number, value in whole.items()}
        values.update({int(name[1:]): value for name, value in changes.items()})
        return encode(values)

    expect(MALFORMED, lambda: peer.submit([], batch=shaped(f5=items[:2])), "an item too few")
    expect(MALFORMED, lambda: peer.submit([], batch=shaped(f5=items + items[2:])), "a twin")
    expect(BAD_SIGNATURE, lambda: peer.submit([], batch=shaped(f3=4, f5=items + items[2:])),
           "an odd leaf doubled")
    expect(MALFORMED, lambda: peer.submit([], batch=shaped(f5=items[:2], f6=b"\0\1",
                                                           f7=bytes(32))), "an excerpt")
    expect(MALFORMED, lambda: peer.submit([], batch=shaped(f7=bytes(32))), "a hash too many")
    expect(MALFORMED, lambda: peer.submit([], batch=shaped(f5=[])), "no items")
    expect(MALFORMED, lambda: peer.submit([], batch=shaped(f3=257)), "a count of 257")
    expect(BAD_SIGNATURE, lambda: peer.submit([], batch=shaped(f5=items[::-1])), "another order")
    check(peer.submit([], batch=shaped()).kind == ACCEPTED, "as it was sealed")


def replays():
    peer = mesh.peer()
    batch = peer.seal(TASK, [peer.task_item("replayed", b"once")])
    first = peer.submit([], batch=batch).body[1]
    before = mesh.stats()["totals"]["submitted"]
    for _ in range(5):
        check(peer.submit([], batch=batch).body[1] == first, "the same id")
    with mesh.peer() as again:
        check(again.submit([], batch=batch).body[1] == first, "the same id in another session")
    check(mesh.stats()["totals"]["submitted"] == before, "and no task")
    past = peer.task_item("replayed", f13=peer.now() - 1000)
    expect(EXPIRED, lambda: peer.submit([past]), "past its time")
    late = peer.task_item("replayed", f13=peer.now() + 25 * 3600 * 1000)
    expect(EXPIRED, lambda: peer.submit([late]), "further ahead than is remembered")


def squatted_ids():
    """An id is a hash of its signer, so none can be taken for another; lineage is proved."""
    victim, peer = mesh.peer(), enemy()
    mine = victim.submit([victim.task_item("squat", b"a", f5="same key")]).body[1][0]
    check(mine == root_id(victim.node.key, key="same key"), "the id is as PROTOCOL.md has it")
    theirs = peer.submit([peer.task_item("squat", b"a", f5="same key")]).body[1][0]
    check(theirs == root_id(peer.node.key, key="same key") != mine, "another id")
    expect(CONFLICT, lambda: victim.submit([victim.task_item("squat", b"b", f5="same key")]),
           "the same key with another payload")
    expect(LINEAGE, lambda: peer.submit([peer.task_item("squat", f20=mine, f21=mine, f22=1)]),
           "a parent claimed by a client")
    nonce = os.urandom(16)
    first = victim.submit([victim.task_item("squat", b"n", f1=nonce)]).body[1][0]
    check(first == root_id(victim.node.key, nonce=nonce), "an id by nonce")
    check(peer.submit([peer.task_item("squat", b"n", f1=nonce)]).body[1][0] != first,
          "the nonce of another gives another id")


def foreign_parents():
    holder, client, held = working()
    other, _, own = working()

    def child(**changes):
        return other.ask(EXPAND, {1: other.seal(TASK, [other.child_item(own, "echo", **changes)])})

    one_of = {"another's parent": (held["task"], (STALE, PARENT, LINEAGE)),
              "an invented parent": (os.urandom(16), (PARENT, STALE))}
    for what, (parent, codes) in one_of.items():
        before = mesh.stats()["totals"]["submitted"]
        code = verdict(child(f20=parent, f21=parent))
        check(code in codes, what, code)
        check(mesh.stats()["totals"]["submitted"] == before, what)
    expect(LINEAGE, lambda: child(f21=held["task"]), "another's root")
    for changes in ({"f22": 2}, {"f22": 7}, {"f23": 1}):
        code = verdict(child(**changes))
        check(code in (STALE, PARENT), changes, code)
    expect(LINEAGE, lambda: other.ask(EXPAND, {1: other.seal(TASK, [other.task_item("echo")])}),
           "a root in an Expand")
    awaited = encode({1: own["task"], 2: own["attempt"], 3: held["task"]})
    other.send(EXPAND, {2: awaited}, 99)
    stop = other.next(PATIENCE, lambda message: message.kind == STOP
                      or message.correlation == 99)
    while stop is not None and stop.kind != STOP:
        stop = other.next(PATIENCE, lambda message: message.kind == STOP)
    check(stop is not None and one(decode(stop.body[1][0]), 3) == AWAITED,
          "waiting for no child of one's own")
    other.report([other.result_item(own)])
    before = mesh.stats()["totals"]["submitted"]
    check(verdict(child()) in (STALE, PARENT), "a parent that has ended")
    check(mesh.stats()["totals"]["submitted"] == before, "has no more children")
    check(holder.report([holder.result_item(held)]).kind == DONE, "its holder goes on")
    client.close()


def stopped(worker, act):
    """The reason of the Stop that a report earns."""
    act()
    stop = worker.next(PATIENCE, lambda message: message.kind == STOP)
    check(stop is not None, "a report that does not count is answered by Stop")
    return one(decode(stop.body[1][0]), 3)


def results_for_others():
    holder, _, held = working()
    thief, _, own = working()
    identity = held["task"].hex()

    def lies(worker, code, item, what):
        before = mesh.refused(NAMES[code])
        check(stopped(worker, lambda: worker.report([item])) == code, what)
        check(mesh.refused(NAMES[code]) == before + 1, what, "is counted")
        check(mesh.task(identity)["state"] == "running", what, "settles nothing")

    lies(thief, STALE, thief.result_item(held, b"stolen"), "a task of another session")
    lies(thief, STALE, thief.result_item(held, b"stolen", f8=holder.session), "in its name")
    lies(holder, STALE, holder.result_item(held, f7=held["attempt"] + 1), "another attempt")
    lies(holder, MISMATCH, holder.result_item(held, f6=digest(b"other")), "another payload")
    lies(holder, MISMATCH, holder.result_item(held, f5="echo"), "another function")
    lies(holder, MISMATCH, holder.result_item(held, f3=own["task"]), "another root")
    lies(holder, MISMATCH, holder.result_item(held, f4=own["task"]), "a parent it has not")
    expect(MALFORMED, lambda: holder.report([holder.result_item(held, f9=16)]), "a verdict's code")
    expect(MALFORMED, lambda: holder.report([], batch=holder.seal(VERDICT, [encode({
        1: held["task"], 2: held["task"], 4: one(held["item"], 2), 5: digest(b"honest"), 6: 16, 8: 1})])),
           "a verdict by a worker")
    check(holder.report([holder.result_item(held, b"true")]).kind == DONE, "the truth")
    outcome = mesh.outcomes([identity])[identity]
    check(stopped(holder, lambda: holder.report([holder.result_item(held, b"second")])) in
          (0, STALE), "a second result")
    check(mesh.outcomes([identity])[identity] == outcome == ("succeeded", b"true", "", 1), outcome)


def rights_and_roles():
    narrow = enemy(submit="mail.*")
    expect(RIGHT_SUBMIT, lambda: narrow.submit([narrow.task_item("echo")]), "not its function")
    check(narrow.submit([narrow.task_item("mail.send")]).kind == ACCEPTED, "its function")
    expect(ROLE, lambda: narrow.ask(ENLIST, {1: "i", 2: "echo", 3: 1}), "a client as worker")
    expect(ROLE, lambda: narrow.ask(ADMIT, {1: narrow.node.certificate}), "a client as operator")
    expect(ROLE, lambda: narrow.ask(SNAPSHOT), "a client's snapshot")
    expect(UNEXPECTED, lambda: narrow.ask(WELCOME, {1: bytes(16)}), "a coordinator's word")
    expect(UNEXPECTED, lambda: narrow.ask(ASSIGN), "an assignment")
    worker = enemy(WORKER, run="convert")
    expect(RIGHT_RUN, lambda: worker.ask(ENLIST, {1: "i", 2: "echo", 3: 1}), "not its function")
    mine = narrow.submit([narrow.task_item("mail.read")]).body[1][0]
    stranger = enemy()
    answer = stranger.ask(WAIT, {1: mine})
    check(one(decode(answer.body[3][0]), 2) == NOT_FOUND, "another's task cannot be read")


def options_out_of_bounds():
    peer = enemy()
    for what, changes, code in (
            ("priority", {"f6": 202}, OPTION), ("attempts", {"f10": 1001}, OPTION),
            ("delay", {"f7": 400 * 86400000}, OPTION), ("upper case", {"f2": "Echo"}, FUNCTION_NAME),
            ("path", {"f2": "../echo"}, FUNCTION_NAME)):
        expect(code, lambda: peer.submit([peer.task_item("echo", **changes)]), what)
    long = peer.task_item("echo", f2="a" * 64)
    check(verdict(peer.submit([long])) in (FUNCTION_NAME, MALFORMED, TOO_LARGE), "64 letters")
    check(verdict(peer.submit([peer.task_item("a\0b")])) == MALFORMED, "a NUL in a name")
    largest = peer.submit([peer.task_item("large", bytes(1 << 20))])
    check(largest.kind == ACCEPTED and 2 not in largest.body, "1 MiB is accepted")
    expect(TOO_LARGE, lambda: peer.submit([peer.task_item("large", bytes((1 << 20) + 1))]),
           "a byte more")
    item = peer.task_item("echo")
    expect(MALFORMED, lambda: peer.submit([item + b"\xf8\x07\x01"]), "an unknown field")
    expect(MALFORMED, lambda: peer.submit([item + encode({2: "echo"})]), "a field twice")


def three_bad_signatures_hold_off():
    peer, other = enemy(), mesh.peer()
    batch = peer.seal(TASK, [peer.task_item("echo", b"tampered")])
    tampered = flipped(batch, b"tampered")
    for _ in range(2):
        check(verdict(peer.submit([], batch=tampered)) == BAD_SIGNATURE, "refused")
    before = mesh.stats()["messages"]["held_off"]
    check(verdict(peer.submit([], batch=tampered)) == BAD_SIGNATURE, "refused once more")
    check(mesh.stats()["messages"]["held_off"] == before + 1, "and held off")
    again = mesh.peer(peer.node.name, hello=False)
    for refused in (peer, again):
        refused.send(1 + 9, encode({1: mesh.public, 2: os.urandom(16)}), 7)
        answer = refused.next(PATIENCE)
        check(answer.refusal() == HELD_OFF and one(answer.body, 3), "even a Hello", answer.body)
        check(500000 < one(answer.body, 4) <= 600000, "for ten minutes:", one(answer.body, 4))
    check(other.submit([other.task_item("echo")]).kind == ACCEPTED, "nobody else is")


def a_certificate_of_ones_own():
    """Only what the mesh key has signed is admitted."""
    other = Mesh()
    with mesh.peer("operator") as operator:
        before = mesh.refused("certificate")
        for forged in (other.nodes["client"].certificate, b"\x0a\x01x\x12\x01y",
                       flipped(mesh.nodes["client"].certificate, b"client")):
            check(operator.ask(ADMIT, {1: forged}).refusal() in (38, MALFORMED), "not admitted")
        check(mesh.refused("certificate") > before, "and counted")
    with mesh.peer("client", hello=False) as lost:
        answer = lost.ask(10, {1: other.public, 2: os.urandom(16)})
        check(answer.refusal() == WRONG_MESH, "a Hello for another mesh")


def the_mesh_goes_on():
    worker = mesh.worker("w1", slots=2)
    ids = mesh.submit_all("flow", "after", 5, "3")
    check(all(outcome[:2] == ("succeeded", b"9") for outcome in mesh.outcomes(ids).values()),
          "honest work is done")
    worker.terminate()
    check(worker.wait(PATIENCE) == 0, "the worker ends well")
    mesh.stop()
    mesh.restart()


with mesh:
    run_tests([one_bit_of_a_task, every_bit_of_a_small_batch, one_bit_of_a_child,
               one_bit_of_a_result, the_seal_of_another, shapes_of_a_batch, replays, squatted_ids,
               foreign_parents, results_for_others, rights_and_roles, options_out_of_bounds,
               three_bad_signatures_hold_off, a_certificate_of_ones_own, the_mesh_goes_on])
