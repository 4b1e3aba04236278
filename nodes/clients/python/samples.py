#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Workflows in Python, a pattern each; worker and client in one:

    build/grove dev -- nodes/clients/python/samples.py

Prints what came of each as a line of JSON.
"""

import asyncio
import json

import grove

worker = grove.Worker(slots=1)


# ---- a chain: each step waits for the one before

@worker.task
async def fetch_data(source: str) -> dict:
    return {"source": source, "rows": 100}


@worker.task
async def transform(data: dict) -> dict:
    return {"transformed": True, **data}


@worker.task
async def pipeline(source: str) -> dict:
    raw = await fetch_data.wait(source=source)
    result = await transform.wait(data=raw.value)
    return result.value


# ---- lineage: parent_id and root_id come by themselves, at any depth

@worker.task
async def grandchild_task() -> list:
    here = grove.current()
    return [here.task_id, here.parent_id, here.root_id]


@worker.task
async def child_task(x: int) -> list:
    here = grove.current()
    result = await grandchild_task.wait()
    return [[here.task_id, here.parent_id, here.root_id], result.value]


@worker.task
async def parent_task() -> list:
    here = grove.current()
    result = await child_task.wait(x=1)
    return [[here.task_id, here.parent_id, here.root_id], *result.value]


# ---- a child's failure is an exception in its parent, which decides

@worker.task
async def risky_child(data: str) -> dict:
    raise ValueError("no such data: " + data)


@worker.task
async def orchestrator() -> dict:
    try:
        result = await risky_child.wait(data="x")
        return result.value
    except grove.TaskExecutionError as e:
        return {"status": "degraded", "error": e.error}


@worker.task
async def fetch_primary(query: str) -> dict:
    raise ConnectionError("the primary source is down")


@worker.task
async def fetch_secondary(query: str) -> dict:
    return {"query": query, "from": "secondary"}


@worker.task
async def process(data: dict) -> dict:
    return {"processed": data}


@worker.task
async def resilient_pipeline() -> dict:
    try:
        data = await fetch_primary.wait(query="data")
    except grove.TaskExecutionError:
        data = await fetch_secondary.wait(query="data")

    result = await process.wait(data=data.value)
    return result.value


# ---- fan-out and fan-in

@worker.task
async def process_user(uid: str) -> dict:
    return {"user": uid}


@worker.task
async def fan_out_example(user_ids: list) -> list:
    results = await grove.gather(
        process_user.wait(uid=uid)
        for uid in user_ids
    )
    return [r.value for r in results]


@worker.task
async def process_item(item: dict) -> int:
    return item["number"] ** 2


@worker.task
async def batch_process(items: list) -> list:
    results = await grove.map(
        process_item,
        [{"item": item} for item in items],
        limit=20,
    )
    return [r.value for r in results]


# ---- several levels, each of which says how far it is

@worker.task(name="samples.step")
async def step(segment: int, step: int) -> dict:
    ctx = grove.current()
    ctx.progress(100, f"Segment {segment}, step {step} done")
    return {"segment": segment, "step": step}


@worker.task(name="samples.segment")
async def segment(segment: int, steps: int = 3) -> dict:
    ctx = grove.current()
    completed = []

    for i in range(1, steps + 1):
        ctx.progress(i / steps * 100, f"Step {i}/{steps}")
        result = await step.wait(segment=segment, step=i)
        completed.append(result.value)

    return {"segment": segment, "steps": completed}


@worker.task(name="samples.flow")
async def flow(segments: int = 3) -> dict:
    ctx = grove.current()
    results = []

    for i in range(1, segments + 1):
        ctx.progress(i / segments * 100, f"Segment {i}/{segments}")
        result = await segment.wait(segment=i)
        results.append(result.value)

    return {"segments": results}


# ---- a race: the fastest wins, the others are cancelled

@worker.task
async def slow_provider(query: str) -> str:
    await asyncio.sleep(60)
    return "slow " + query


@worker.task
async def fast_provider(query: str) -> str:
    return "fast " + query


@worker.task
async def fastest(query: str) -> str:
    winner = await grove.race(fast_provider.wait(query=query), slow_provider.wait(query=query))
    return winner.value


# ---- fire and forget: submitted now, collected later

@worker.task
async def enqueue(count: int) -> list:
    return await grove.submit_many(process_item, [{"item": {"number": i}} for i in range(count)])


# ---- the same without asyncio: a handler on a thread of its own

@worker.task
def plain_pipeline(source: str) -> dict:
    raw = fetch_data.wait(source=source).get()
    return transform.wait(data=raw.value).get().value


def main() -> None:
    with worker, grove.Client() as client:
        def run(task: grove.Task, **arguments) -> None:
            print(json.dumps({task.name: client.wait(task, arguments).get(60).value}), flush=True)

        run(pipeline, source="api")
        run(parent_task)
        run(orchestrator)
        run(resilient_pipeline)
        run(fan_out_example, user_ids=["ada", "bob", "eve"])
        run(batch_process, items=[{"number": i} for i in range(50)])
        run(flow, segments=3)
        run(fastest, query="q")
        ids = client.wait(enqueue, {"count": 5}).get(60).value
        print(json.dumps({"collected": [client.result(each).get(60).value for each in ids]}))
        run(plain_pipeline, source="api")


if __name__ == "__main__":
    main()
