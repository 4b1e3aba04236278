#!/usr/bin/env node
// SPDX-License-Identifier: MPL-2.0
/* Workflows in JavaScript, a pattern each; worker and client in one:
 *
 *     build/grove dev -- nodes/clients/node/samples.mjs
 *
 * Prints what came of each as a line of JSON. */

import { setTimeout as sleep } from "node:timers/promises";
import {
    Client, TaskExecutionError, Worker, current, gather, map, race, submitMany,
} from "./grove.mjs";

const worker = new Worker({ slots: 1 });

// ---- a chain: each step waits for the one before

const fetchData = worker.task("fetch_data", async ({ source }) => ({ source, rows: 100 }));

const transform = worker.task("transform", async ({ data }) => ({ transformed: true, ...data }));

const pipeline = worker.task("pipeline", async ({ source }) => {
    const raw = await fetchData.wait({ source });
    const result = await transform.wait({ data: raw.value });
    return result.value;
});

// ---- lineage: parentId and rootId come by themselves, at any depth

const ids = ({ taskId, parentId, rootId }) => [taskId, parentId, rootId];

const grandchildTask = worker.task("grandchild_task", async () => ids(current()));

const childTask = worker.task("child_task", async () => {
    const result = await grandchildTask.wait();
    return [ids(current()), result.value];
});

const parentTask = worker.task("parent_task", async () => {
    const result = await childTask.wait({ x: 1 });
    return [ids(current()), ...result.value];
});

// ---- a child's failure is an exception in its parent, which decides

const riskyChild = worker.task("risky_child", async ({ data }) => {
    throw new Error(`no such data: ${data}`);
});

const orchestrator = worker.task("orchestrator", async () => {
    try {
        const result = await riskyChild.wait({ data: "x" });
        return result.value;
    } catch (e) {
        if (!(e instanceof TaskExecutionError)) {
            throw e;
        }
        return { status: "degraded", error: e.error };
    }
});

const fetchPrimary = worker.task("fetch_primary", async () => {
    throw new Error("the primary source is down");
});

const fetchSecondary = worker.task("fetch_secondary", async ({ query }) =>
    ({ query, from: "secondary" }));

const process = worker.task("process", async ({ data }) => ({ processed: data }));

const resilientPipeline = worker.task("resilient_pipeline", async () => {
    let data;
    try {
        data = await fetchPrimary.wait({ query: "data" });
    } catch {
        data = await fetchSecondary.wait({ query: "data" });
    }

    const result = await process.wait({ data: data.value });
    return result.value;
});

// ---- fan-out and fan-in

const processUser = worker.task("process_user", async ({ uid }) => ({ user: uid }));

const fanOutExample = worker.task("fan_out_example", async ({ userIds }) => {
    const results = await gather(userIds.map((uid) => processUser.wait({ uid })));
    return results.map((r) => r.value);
});

const processItem = worker.task("process_item", async ({ item }) => item.number ** 2);

const batchProcess = worker.task("batch_process", async ({ items }) => {
    const results = await map(processItem, items.map((item) => ({ item })), { limit: 20 });
    return results.map((r) => r.value);
});

// ---- several levels, each of which says how far it is

const step = worker.task("samples.step", async ({ segment, step }) => {
    current().progress(100, `Segment ${segment}, step ${step} done`);
    return { segment, step };
});

const segment = worker.task("samples.segment", async ({ segment, steps = 3 }) => {
    const completed = [];

    for (let i = 1; i <= steps; i++) {
        current().progress(i / steps * 100, `Step ${i}/${steps}`);
        const result = await step.wait({ segment, step: i });
        completed.push(result.value);
    }

    return { segment, steps: completed };
});

const flow = worker.task("samples.flow", async ({ segments = 3 }) => {
    const results = [];

    for (let i = 1; i <= segments; i++) {
        current().progress(i / segments * 100, `Segment ${i}/${segments}`);
        const result = await segment.wait({ segment: i });
        results.push(result.value);
    }

    return { segments: results };
});

// ---- a race: the fastest wins, the others are cancelled

const slowProvider = worker.task("slow_provider", async ({ query }) => {
    await sleep(60000, undefined, { signal: current().signal });
    return `slow ${query}`;
});

const fastProvider = worker.task("fast_provider", async ({ query }) => `fast ${query}`);

const fastest = worker.task("fastest", async ({ query }) => {
    const winner = await race([fastProvider.wait({ query }), slowProvider.wait({ query })]);
    return winner.value;
});

// ---- fire and forget: submitted now, collected later

const enqueue = worker.task("enqueue", async ({ count }) =>
    submitMany(processItem, [...Array(count).keys()].map((i) => ({ item: { number: i } }))));

await worker.start();
const client = await Client.open();

async function run(task, payload) {
    console.log(JSON.stringify({ [task.name]: (await client.wait(task, payload)).value }));
}

await run(pipeline, { source: "api" });
await run(parentTask, {});
await run(orchestrator, {});
await run(resilientPipeline, {});
await run(fanOutExample, { userIds: ["ada", "bob", "eve"] });
await run(batchProcess, { items: [...Array(50).keys()].map((i) => ({ number: i })) });
await run(flow, { segments: 3 });
await run(fastest, { query: "q" });
const submitted = (await client.wait(enqueue, { count: 5 })).value;
const collected = await Promise.all(submitted.map((each) => client.result(each)));
console.log(JSON.stringify({ collected: collected.map((r) => r.value) }));
worker.stop();
await worker.ended();
await client.close();
