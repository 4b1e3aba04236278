#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Each answer of the stats socket is as schema/json says, of a mesh in which everything has happened
once; and so is what commands pass on. The schemas allow nothing else, so that nothing is undocumented."""

import json
import os
import subprocess

import jsonschema
import zmq

from mesh import CLIENT, GROVE, OBSERVER, Link, Mesh, check, run_tests, until

SCHEMAS = os.path.join(os.environ.get("GROVE_SOURCE", "."), "schema", "json")


def load(name):
    with open(os.path.join(SCHEMAS, name), encoding="utf-8") as file:
        return json.load(file)


def validators():
    """By the `schema` of an answer."""
    schemas = {name: load(name) for name in os.listdir(SCHEMAS)}
    made = {}
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        resolver = jsonschema.RefResolver(name, schema, store=dict(schemas))
        made["grove.%s/1" % name[:-len(".json")]] = jsonschema.Draft202012Validator(
            schema, resolver=resolver)
    return made


VALID = validators()


def validate(answer, what):
    check(answer.get("schema") in VALID, what, "has no schema:", answer.get("schema"))
    errors = [error.json_path + ": " + error.message
              for error in VALID[answer["schema"]].iter_errors(answer)]
    check(not errors, what, *errors[:5])
    return answer


def grove(mesh, *arguments, name="operator"):
    environment = dict(os.environ, GROVE_CREDENTIAL=mesh.nodes[name].path)
    done = subprocess.run([GROVE, *arguments], env=environment, capture_output=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def live(mesh):
    """A worker that came and went, ends of each kind, a join, a limit."""
    mesh.worker(slots=2, waiting=4)
    ids = mesh.submit_all("echo", "k", 3)
    mesh.outcomes(ids)
    for command in (["limit", "echo", "--running", "5"], ["submit", "-t", "nobody"],
                    ["race", "echo=1", "echo=2"], ["map", "-t", "echo", "-j", "2", ":::", "a", "b"]):
        code, _, error = grove(mesh, *command)
        check(code == 0, command, error)
    code, _, _ = grove(mesh, "run", "-t", "refused", "--deadline", "1ms")
    check(code != 0, "it cannot end well")
    return ids


def every_answer_is_as_its_schema_says():
    with Mesh() as mesh:
        ids = live(mesh)
        verbs = validate(mesh.ask("help"), "help")["verbs"]
        words = {"": "", "[CURSOR]": "", "ID": " " + ids[0], "ID [CURSOR]": " " + ids[0],
                 "[SINCE]": " 0", "NAME": " w1"}
        seen = set()
        for verb in verbs:
            if verb["schema"] is None:
                continue  # not JSON
            answer = validate(mesh.ask(verb["verb"] + words[verb["arguments"]]), verb["verb"])
            check(answer["schema"] == verb["schema"], verb, answer["schema"])
            seen.add(verb["verb"])
        check(len(seen) >= 13, "all of them", seen)
        until(lambda: mesh.ask("failures")["failures"], 30, "something has failed")
        for root in validate(mesh.ask("roots"), "roots")["roots"]:
            for verb in ("root", "task", "tree", "explain"):
                validate(mesh.ask(verb + " " + root["id"]), verb)
        validate(mesh.ask("failures"), "failures")
        check(validate(mesh.ask("dance"), "a wrong verb")["schema"] == "grove.error/1", "an error")
        events = validate(mesh.ask("events 0"), "events")["events"]
        kinds = {event["event"] for event in events}
        check({"task-submitted", "task-assigned", "task-ended", "join-ended", "worker-enlisted",
               "limit-set", "trust-changed"} <= kinds, kinds)


def every_envelope_gets_the_same_answer():
    """DEALER with and without delimiter, REQ, and REQ with correlation, of every verb."""
    with Mesh() as mesh:
        ids = live(mesh)
        operator = mesh.nodes["operator"]
        for request in ["help", "stats", "health", "cluster", "functions", "workers", "roots",
                        "failures", "events 0", "tree " + ids[0], "task " + ids[0],
                        "root " + ids[0], "explain " + ids[0]]:
            for kind, frames, options in ((zmq.DEALER, [b""], ()), (zmq.DEALER, [], ()),
                                          (zmq.REQ, [], ()),
                                          (zmq.REQ, [], (zmq.REQ_CORRELATE, zmq.REQ_RELAXED))):
                link = Link(mesh, operator, mesh.port + 1, kind)
                for option in options:
                    link.socket.setsockopt(option, 1)
                answer = link.exchange(frames + [request.encode()], 20)
                check(answer[:-1] == frames, request, "comes in its envelope", answer[:-1])
                validate(json.loads(answer[-1]), request)
                link.close()


def what_commands_pass_on_is_as_the_schemas_say():
    with Mesh() as mesh:
        ids = live(mesh)
        for command in (["stats"], ["stats", "health"], ["stats", "cluster"], ["tree", ids[0]],
                        ["explain", ids[0]], ["task", ids[0]], ["functions"], ["workers"]):
            code, out, error = grove(mesh, *command, "-o", "json")
            check(code == 0, command, error)
            validate(json.loads(out), " ".join(command))


def no_answer_is_for_those_who_may_not_ask():
    with Mesh(nodes=[("gone", CLIENT | OBSERVER)]) as mesh:
        link = Link(mesh, mesh.nodes["gone"], mesh.port + 1)
        validate(json.loads(link.exchange([b"stats"], 20)[0]), "stats")
        mesh.revoke("gone")
        refused = json.loads(link.exchange([b"stats"], 20)[0])
        check(refused["schema"] == "grove.error/1" and refused["reason"] == "revoked", refused)
        check(set(refused) == {"schema", "error", "reason"}, "and nothing else", refused)
        link.close()


run_tests([every_answer_is_as_its_schema_says, every_envelope_gets_the_same_answer,
           what_commands_pass_on_is_as_the_schemas_say, no_answer_is_for_those_who_may_not_ask])
