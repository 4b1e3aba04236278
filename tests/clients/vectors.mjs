// SPDX-License-Identifier: MPL-2.0
/* schema/vectors, read by the code of the JavaScript client, as vectors.py does in Python. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as grove from "../../nodes/clients/node/grove.mjs";

const bytes = (hex) => Buffer.from(hex, "hex");
const key = (seed) => grove.privateKey("ed25519", seed);
const MESH = grove.publicBytes(key(Buffer.alloc(32, 1)));
const ZERO = ["paged.running", "paged.offset"]; // in the vectors
const SEALED_IN = {
    submit: "batch", notify: "outcomes", assign: "batches", expand: "batch", report: "batch",
};

function vectors(name) {
    const url = new URL(`../../schema/vectors/${name}.json`, import.meta.url);
    return JSON.parse(readFileSync(url)).vectors;
}

function numbered(count) {
    return [...Array(count).keys()].map((i) => Buffer.from(`item-${i}`));
}

const tests = {
    leavesAndRoots() {
        for (const vector of vectors("leaf")) {
            assert.deepEqual(grove.digest(bytes(vector.item)), bytes(vector.digest));
            assert.deepEqual(grove.leafOf(bytes(vector.item)), bytes(vector.leaf));
        }
        for (const vector of vectors("root")) {
            const leaves = numbered(vector.count).map(grove.leafOf);
            assert.deepEqual(grove.rootOf(leaves), bytes(vector.root));
        }
    },

    excerpts() {
        for (const vector of vectors("excerpt")) {
            const leaves = numbered(vector.count).map(grove.leafOf);
            const hashes = vector.hashes.match(/.{64}/g)?.map(bytes) ?? [];
            const chosen = new Map([...bytes(vector.indices)].map((i) => [i, leaves[i]]));
            assert.deepEqual(grove.prove(chosen, hashes, 0, vector.count), grove.rootOf(leaves));
            assert.equal(hashes.length, 0);
        }
    },

    seals() {
        for (const vector of vectors("seal")) {
            const mesh = grove.publicBytes(key(bytes(vector.mesh_seed)));
            const sealer = new grove.Sealer(mesh, key(bytes(vector.signer_seed)));
            const batch = sealer.seal(vector.kind, numbered(vector.count));
            assert.deepEqual(sealer.open(batch).signature, bytes(vector.signature));
            batch[batch.length - 1] ^= 1;
            assert.throws(() => new grove.Sealer(mesh).open(batch), grove.NotTrusted);
        }
    },

    ids() {
        for (const vector of vectors("id")) {
            const item = { ...vector, payload: bytes(vector.payload) };
            if (vector.parent) {
                item.parent = bytes(vector.parent);
                assert.deepEqual(grove.childId(item), bytes(vector.id));
            } else {
                item.nonce = bytes(vector.nonce);
                assert.deepEqual(grove.rootId(bytes(vector.signer), item), bytes(vector.id));
            }
        }
    },

    certificates() {
        for (const vector of vectors("certificate")) {
            const signer = bytes(vector.sign_key);
            const trust = new grove.Trust(MESH);
            trust.learn(bytes(vector.form));
            const body = trust.certificate(signer, vector.not_before_ms);
            assert.deepEqual([body.name, body.roles, body.submit, body.run],
                [vector.name, vector.roles, vector.submit, vector.run]);
            assert.throws(() => trust.certificate(signer, vector.not_after_ms), grove.NotTrusted);
            const other = new grove.Trust(grove.publicBytes(key(Buffer.alloc(32, 9))));
            other.learn(bytes(vector.form));
            assert.throws(() => other.certificate(signer), grove.NotTrusted);
        }
    },

    rights() {
        const [vector] = vectors("certificate");
        const signer = bytes(vector.sign_key);
        const trust = new grove.Trust(MESH);
        trust.learn(bytes(vector.form));
        trust.checkSubmitter(signer, "images.resize", vector.not_before_ms);
        trust.checkJudge(signer, grove.RESULT, "anything");
        for (const refused of [
            () => trust.checkSubmitter(signer, "step", 2 ** 50),
            () => trust.checkSubmitter(signer, "payroll", vector.not_before_ms),
            () => trust.checkJudge(signer, grove.VERDICT, "step"),
            () => trust.checkJudge(Buffer.alloc(32), grove.RESULT, "step"),
        ]) {
            assert.throws(refused, grove.NotTrusted);
        }
    },

    frames() {
        let opened = 0;
        for (const vector of vectors("frame")) {
            const message = grove.decode("Message", bytes(vector.frame));
            const kind = message.body;
            assert.equal(message.correlation, vector.correlation);
            for (const { name } of message[kind].$type.fieldsArray) {
                const value = message[kind][name];
                assert.ok((value && value.length !== 0) || ZERO.includes(`${kind}.${name}`),
                    `${kind} without ${name}`);
            }
            for (const batch of [message[kind][SEALED_IN[kind]] ?? []].flat()) {
                assert.ok(new grove.Sealer(MESH).open(batch).items.length > 0);
                opened++;
            }
        }
        assert.equal(opened, 6);
    },
};

for (const [name, test] of Object.entries(tests)) {
    test();
    console.log("ok", name);
}
