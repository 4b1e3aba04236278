#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The Python client for the tests of clients; actors/peer.mjs is the same in JavaScript.

    peer.py worker SLOTS WINDOW    works until SIGTERM; says "enlisted" on stdout
    peer.py client                 does what each line of JSON on stdin says, and answers with one

Each execution appends "function id attempt payload" to $GROVE_TEST_LOG before it does anything else.

    python.echo            returns its payload
    python.hop A B ...     awaits A.hop with payload "B ..."; returns "python" and what that returned
    python.random          returns 16 random bytes in hexadecimal: run again, it would return others
    python.chain N K F     awaits N randoms in turn and returns what they returned; when there is no
                           file F after K of them, makes it and kills its own process
    python.fickle F        gathers echo and stubborn as a stream; when there is no file F after the first
                           outcome, makes it and kills its own process; else gathers two other echoes
                           by the same key
    python.stubborn        waits until it is told to stop, then appends "stopped:..." to the log
    python.tree            awaits a stubborn
    python.counted         keeps a checkpoint and fails; when there is one, says that it is 40 percent
                           done and returns that
    python.bad TEXT        fails for good with the text and bytes
    python.joins N         gathers, maps and races N echoes; returns what they returned
    python.thread          as hop, in a handler on a thread of its own
"""

import asyncio
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "nodes",
                                "clients", "python"))
import grove  # noqa: E402  pylint: disable=wrong-import-position

ME = "python."


def note(prefix: str = "") -> str:
    """Appends a line to the log; returns the payload as a text."""
    here = grove.current()
    words = here.payload.decode()
    line = "%s%s %s %d %s\n" % (prefix, here.function, here.task_id, here.number, words)
    log = os.open(os.environ["GROVE_TEST_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(log, line.encode())
    os.close(log)
    return words


def die_unless(path: str) -> None:
    """Makes a file that is not there, and dies."""
    if not os.path.exists(path):
        with open(path, "w", encoding="ascii"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)


async def echo(_):
    return note()


async def hop(_):
    first, _, rest = note().partition(" ")
    if not first:
        return "python"
    return "python " + (await grove.wait(first + ".hop", rest)).bytes.decode()


def thread(_):
    first, _, rest = note().partition(" ")
    return "python " + grove.wait(first + ".hop", rest).get().bytes.decode()


async def random(_):
    note()
    return os.urandom(16).hex()


async def chain(_):
    count, fatal, path = note().split()
    found = []
    for i in range(int(count)):
        found.append((await grove.wait(ME + "random", "%d" % i)).bytes.decode())
        if len(found) == int(fatal):
            die_unless(path)
    return " ".join(found)


async def fickle(_):
    path = note()
    if os.path.exists(path):
        inputs = (grove.wait(ME + "echo", each) for each in ("two", "three"))
        results = await grove.gather(inputs, key="k")
        return " ".join(each.value for each in results)
    inputs = (grove.wait(ME + "echo", "one"), grove.wait(ME + "stubborn", "x"))
    async for _ in grove.gather(inputs, key="k"):
        die_unless(path)


async def stubborn(_):
    note()
    try:
        await asyncio.Event().wait()
    finally:
        note("stopped:")


async def tree(_):
    note()
    await grove.wait(ME + "stubborn", "leaf")


async def counted(_):
    note()
    here = grove.current()
    if here.checkpoint_bytes:
        here.progress(40, "half way")
        return here.checkpoint_bytes
    await here.checkpoint(b"kept")
    raise grove.Failure("not yet")


async def bad(_):
    raise grove.Failure(note(), b"more", permanent=True)


async def joins(_):
    names = [str(i) for i in range(int(note()))]
    found = [each.value for each in await grove.gather(grove.wait(ME + "echo", each) for each in names)]
    found += [each.value for each in await grove.map(ME + "echo", names, limit=7)]
    async for each in grove.map(ME + "echo", iter(names), limit=7):
        found.append(each.value)
    winner = await grove.race(grove.wait(ME + "bad", "no"), grove.wait(ME + "echo", "won"))
    ids = await grove.submit_many(ME + "echo", ["later"] * 3)
    found += [winner.value] + [each.value for each in await grove.gather(ids)]
    return found


def work(slots: int, window: int) -> None:
    worker = grove.Worker(slots=slots, window=window)
    for handler in (echo, hop, random, chain, fickle, stubborn, tree, counted, bad, joins, thread):
        worker.handle(ME + handler.__name__, handler)
    worker.engine.enlisted.add_done_callback(lambda _: print("enlisted", flush=True))
    worker.run()


# ---- the client

def shown(outcome):
    """An outcome as JSON has it."""
    if isinstance(outcome, grove.Result):
        return outcome.bytes.decode()
    if isinstance(outcome, BaseException):
        return {"raised": type(outcome).__name__, "code": getattr(outcome, "code", None),
                "error": getattr(outcome, "error", str(outcome)),
                "function": getattr(outcome, "function", None), "task": getattr(outcome, "task_id", None),
                "bytes": getattr(outcome, "bytes", b"").decode(),
                "failures": [[i, each.code] for i, each in getattr(outcome, "failures", [])]}
    return [shown(each) for each in outcome] if isinstance(outcome, list) else outcome


async def do(client, what, options):
    """What a line asks for."""
    given = {"timeoutMs": "timeout_ms", "maxAttempts": "max_attempts", "stopOnFailure": "stop_on_failure",
             "returnFailures": "return_exceptions", "firstSettled": "first_settled", "retryOf": "retry_of"}
    options = {given.get(name, name): value for name, value in options.items()}
    name, *arguments = what
    if name in ("submit", "wait", "result", "cancel", "stats"):
        return await getattr(client, name)(*arguments, **options)
    if name == "many":
        return await asyncio.gather(*(client.wait(*each) for each in arguments), return_exceptions=True)
    if name in ("gather", "race"):
        return await getattr(client, name)((client.wait(*each) for each in arguments), **options)
    if name == "map":
        return await client.map(*arguments, **options)
    return [each async for each in client.map(*arguments, **options)]


async def serve():
    with grove.Client() as client:
        loop = asyncio.get_running_loop()
        while True:
            line = await loop.run_in_executor(None, sys.stdin.readline)
            if not line:
                return
            request = json.loads(line)
            try:
                answer = shown(await do(client, request["do"], request.get("options", {})))
            except grove.Error as error:
                answer = shown(error)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        work(int(sys.argv[2]), int(sys.argv[3]))
    else:
        asyncio.run(serve())
