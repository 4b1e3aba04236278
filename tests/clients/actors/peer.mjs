#!/usr/bin/env node
// SPDX-License-Identifier: MPL-2.0
/* The JavaScript client for the tests of clients: what actors/peer.py is in Python, function by
 * function, named node.*; for the functions see there. */

import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as grove from "../../../nodes/clients/node/grove.mjs";

/* Appends a line to the log; returns the payload as a text. */
function note(prefix = "") {
    const { function: name, taskId, number, payload } = grove.current();
    const words = payload.toString();
    appendFileSync(process.env.GROVE_TEST_LOG, `${prefix}${name} ${taskId} ${number} ${words}\n`);
    return words;
}

/* Makes a file that is not there, and dies. */
function dieUnless(path) {
    if (!existsSync(path)) {
        writeFileSync(path, "");
        process.kill(process.pid, "SIGKILL");
    }
}

const handlers = {
    echo: async () => note(),
    async hop() {
        const [first, ...rest] = note().split(" ");
        return first ? `node ${(await grove.wait(`${first}.hop`, rest.join(" "))).bytes}` : "node";
    },
    async random() {
        note();
        return randomBytes(16).toString("hex");
    },
    async chain() {
        const [count, fatal, path] = note().split(" ");
        const found = [];
        for (let i = 0; i < Number(count); i++) {
            found.push((await grove.wait("node.random", String(i))).value);
            if (found.length === Number(fatal)) {
                dieUnless(path);
            }
        }
        return found.join(" ");
    },
    async fickle() {
        const path = note();
        if (existsSync(path)) {
            const inputs = ["two", "three"].map((each) => grove.wait("node.echo", each));
            const results = await grove.gather(inputs, { key: "k" });
            return results.map((each) => each.value).join(" ");
        }
        const inputs = [grove.wait("node.echo", "one"), grove.wait("node.stubborn", "x")];
        for await (const outcome of grove.gather(inputs, { key: "k" })) {
            dieUnless(path, outcome);
        }
        return undefined;
    },
    async stubborn() {
        note();
        const { signal } = grove.current();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        note("stopped:");
    },
    async tree() {
        note();
        await grove.wait("node.stubborn", "leaf");
    },
    async counted() {
        note();
        const here = grove.current();
        if (here.checkpointBytes.length > 0) {
            here.progress(40, "half way");
            return here.checkpointBytes;
        }
        await here.checkpoint(Buffer.from("kept"));
        throw new grove.Failure("not yet");
    },
    async bad() {
        throw new grove.Failure(note(), { bytes: Buffer.from("more"), permanent: true });
    },
    async joins() {
        const names = [...Array(Number(note())).keys()].map(String);
        const echo = "node.echo";
        const found = await grove.gather(names.map((each) => grove.wait(echo, each)));
        found.push(...await grove.map(echo, names, { limit: 7 }));
        for await (const each of grove.map(echo, names.values(), { limit: 7 })) {
            found.push(each);
        }
        found.push(await grove.race([grove.wait("node.bad", "no"), grove.wait(echo, "won")]));
        const ids = await grove.submitMany(echo, ["later", "later", "later"]);
        found.push(...await grove.gather(ids));
        return found.map((each) => each.value);
    },
};

async function work(slots, window) {
    const worker = new grove.Worker({ slots, window });
    for (const [name, handler] of Object.entries(handlers)) {
        worker.handle(`node.${name}`, handler);
    }
    process.once("SIGTERM", () => worker.stop());
    await worker.start();
    console.log("enlisted");
    await worker.ended();
}

// ---- the client

/* An outcome as JSON has it. */
function shown(outcome) {
    if (outcome instanceof grove.Result) {
        return outcome.bytes.toString();
    }
    if (outcome instanceof Error) {
        const { code, error, function: name, taskId, bytes, failures = [] } = outcome;
        return {
            raised: outcome.constructor.name, code, error: error ?? outcome.message, function: name,
            task: taskId, bytes: String(bytes ?? ""),
            failures: failures.map(([i, each]) => [i, each.code]),
        };
    }
    return Array.isArray(outcome) ? outcome.map(shown) : outcome;
}

/* What a line asks for. */
async function perform(client, [name, ...given], options) {
    if (["submit", "wait", "result", "cancel", "stats"].includes(name)) {
        return given.length > 1 ? client[name](...given, options) : client[name](...given);
    }
    if (name === "many") {
        return Promise.all(given.map((each) => client.wait(...each).catch((error) => error)));
    }
    if (name === "gather" || name === "race") {
        return client[name](given.map((each) => client.wait(...each)), options);
    }
    if (name === "map") {
        return client.map(...given, options);
    }
    const found = [];
    for await (const each of client.map(...given, options)) {
        found.push(each);
    }
    return found;
}

async function serve() {
    const client = await grove.Client.open();
    for await (const line of createInterface({ input: process.stdin })) {
        const { do: what, options = {} } = JSON.parse(line);
        let answer;
        try {
            answer = shown(await perform(client, what, options));
        } catch (error) {
            if (!(error instanceof grove.GroveError)) {
                throw error;
            }
            answer = shown(error);
        }
        console.log(JSON.stringify(answer));
    }
    await client.close();
}

const [mode, slots, window] = process.argv.slice(2);
await (mode === "worker" ? work(Number(slots), Number(window)) : serve());
