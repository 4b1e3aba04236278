// SPDX-License-Identifier: MPL-2.0
/* grove: submit tasks to a worker mesh, and run them. One file, written from schema/PROTOCOL.md.
 *
 * A program that submits opens a Client, one that runs tasks a Worker. Inside a handler the functions
 * of this module make children of the task that it runs, and waiting for one gives the slot back:
 * lineage needs no argument, it goes by AsyncLocalStorage.
 *
 *     const client = await Client.open();
 *     console.log((await client.wait("echo", "hello")).bytes.toString());
 *     await client.close();
 *
 * Every call returns a Call and does nothing yet: `await` it, or give it to gather or race as an input.
 * A payload or result may be bytes (Buffer, Uint8Array), a text, or whatever JSON can say; `value` of a
 * Result is it again. Times are milliseconds. Needs zeromq and protobufjs (package.json beside this
 * file). A handler shares its thread with the session: one that computes for seconds without an await
 * keeps the mesh from hearing of its worker. */

import { AsyncLocalStorage } from "node:async_hooks";
import {
    createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify,
} from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { hostname, tmpdir, userInfo } from "node:os";
import { join as joinPath } from "node:path";
import protobuf from "protobufjs";
import { Dealer } from "zeromq";

// ---- the schema

// schema/grove.proto without its comments and enums; nodes/clients/embed puts it here.
// [schema
const SCHEMA = `
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
`;
// schema]

protobuf.util.Long = null; // milliseconds and indices are within 2^53
protobuf.configure();
const root = protobuf.parse(`syntax = "proto3"; package grove.v1; ${SCHEMA}`, { keepCase: true }).root;
const types = new Map();

function typeOf(name) {
    if (!types.has(name)) {
        const type = root.lookupType(`grove.v1.${name}`);
        for (const field of type.fieldsArray.filter((each) => each.type === "bytes" && !each.repeated)) {
            field.resolve();
            type.ctor.prototype[field.name] = Buffer.alloc(0); // what absent bytes are
        }
        types.set(name, type);
    }
    return types.get(name);
}

function isAbsent(value) {
    return value === undefined || value === null || value === 0 || value === false ||
        value.length === 0;
}

/* Bytes of a message; what is 0, false or empty is left out, as PROTOCOL.md wants it. Fields that hold
 * a message are plain objects. */
export function encode(name, fields) {
    const type = typeOf(name);
    return Buffer.from(type.encode(prune(type, fields)).finish());
}

function prune(type, fields) {
    const kept = {};
    for (const [name, value] of Object.entries(fields)) {
        const field = type.fields[name];
        const inner = field.resolve().resolvedType;
        if (!inner) {
            if (!isAbsent(value) || (field.options?.proto3_optional && value !== undefined)) {
                kept[name] = value;
            }
        } else if (Array.isArray(value)) {
            kept[name] = value.map((each) => prune(inner, each));
        } else if (value) {
            kept[name] = prune(inner, value);
        }
    }
    return kept;
}

/* errors: throws on what is no such message. */
export function decode(name, bytes) {
    return typeOf(name).decode(bytes);
}

export const TASK = 1, RESULT = 2, VERDICT = 3;
export const COORDINATOR = 1, WORKER = 2, CLIENT = 4;
const GATHER = 1, RACE = 2, MAP = 3;
const CODES = {
    0: "succeeded", 1: "failed", 2: "permanent", 3: "timeout", 16: "cancelled", 17: "poison",
    18: "deadline", 19: "refused", 20: "lost", 21: "abandoned", 22: "joined", 23: "join-failed",
};
const REFUSALS = {
    1: "malformed", 2: "too-large", 3: "version", 4: "no-session", 5: "unexpected", 6: "wrong-mesh",
    7: "wrong-signer", 8: "unknown-key", 9: "bad-signature", 10: "held-off", 11: "busy",
    12: "no-leader", 13: "connections", 20: "expired", 21: "conflict", 22: "function-name",
    23: "right-submit", 24: "right-run", 25: "role", 26: "revoked", 27: "stale", 28: "parent",
    29: "lineage", 30: "depth", 31: "option", 32: "not-found", 33: "forgotten", 34: "mismatch",
    35: "duplicate-instance", 36: "no-worker-session", 37: "awaited", 38: "certificate", 39: "quota",
    40: "join", 41: "differs", 42: "credit", 43: "over", 44: "budget",
};
const RETRYABLE = new Set([4, 10, 11, 12, 13, 35, 36, 39, 42]);
const NO_SESSION = 4, NO_LEADER = 12, NO_WORKER_SESSION = 36;
const AWAITED = 37, JOIN = 40, DIFFERS = 41, CREDIT = 42, OVER = 43;
const UNSTARTED = 1, STOPPED = 2, CANNOT_RUN = 3, REFUSED_IT = 4; // reasons of Return

const BATCH_ITEMS = 256, BATCH_SIZE = 512 << 10, FRAME_SIZE = 4 << 20, PAYLOAD_SIZE = 1 << 20;
const EXPIRES_MS = 30000; // how long submitting may take
const RETRY_MS = 50; // until what was refused for now is sent again, unless the answer says when
const HELLO_MS = 250; // between Hellos that nobody answers
const GIVE_UP_MS = 1000; // of a coordinator that does not answer, before the next one is tried
const NO_LEADER_MS = 250; // ... that knows no leader
const AT_MOST_ONCE_MS = 4000; // of silence, after which such attempts are stopped
const DRAIN_SILENT_MS = 10000; // of silence, after which a worker that drains ends
const UNSAFE_SIZE = 64 << 20; // bytes of results that nobody has taken; beyond, nothing is started
const TICK_MS = 50;
const PAGE = 1024; // outcomes asked for at a time
const NEVER = 0xffffffff; // a position that no input has
const PORTION = 128; // inputs that are worth a message, when so many more may follow
const JSON_TYPE = "application/json";

// ---- what goes wrong

/* Whatever grove throws. */
export class GroveError extends Error {}

/* A task has ended, and not well.
 *
 *   error     why, for people
 *   code      "failed", "permanent" or "timeout" by its worker; "cancelled", "deadline"... by the mesh
 *   taskId    32 hexadecimal digits
 *   function  its name
 *   bytes     what the handler added to its failure */
export class TaskExecutionError extends GroveError {
    constructor({ error, code, taskId, function: name, bytes = Buffer.alloc(0) }) {
        super(`${name || taskId}: ${code}: ${error}`);
        Object.assign(this, { error, code, taskId, function: name, bytes });
    }
}

/* A join that stopped at a failure, was cancelled, or that nobody won. `failures`: [position,
 * TaskExecutionError] of each input that did not succeed. */
export class JoinError extends TaskExecutionError {
    constructor(first, failures) {
        super(first);
        this.failures = failures;
    }
}

/* The mesh said no. `code` is that of section 8 of PROTOCOL.md, `reason` its name. */
export class Refused extends GroveError {
    constructor(code, text = "") {
        super((REFUSALS[code] ?? String(code)) + (text ? `: ${text}` : ""));
        Object.assign(this, {
            code, reason: REFUSALS[code] ?? String(code), retryable: RETRYABLE.has(code),
        });
    }
}

/* No answer in time; a submit may or may not have been accepted: do it again with its key. */
export class TimedOut extends GroveError {}

/* This very attempt was told to stop; nothing that it does counts any more. */
export class Cancelled extends GroveError {}

/* What came as an outcome is not signed by one who may sign it, or is of another task. */
export class NotTrusted extends GroveError {}

/* For a handler to throw: fails its task with a text and bytes; for good if `permanent`. */
export class Failure extends GroveError {
    constructor(text, { bytes = Buffer.alloc(0), permanent = false } = {}) {
        super(text);
        Object.assign(this, { bytes, permanent });
    }
}

// ---- hashes, seals, ids (PROTOCOL.md, section 4)

/* H: 32 bytes over these, one after the other. */
export function digest(...parts) {
    const hash = createHash("blake2b512");
    parts.forEach((part) => hash.update(part));
    return hash.digest().subarray(0, 32);
}

const ZERO = Buffer.of(0), ONE = Buffer.of(1);

export function leafOf(item) {
    return digest(ZERO, item);
}

/* The largest power of two below `count`, which is at least 2. */
function leftOf(count) {
    return 1 << (31 - Math.clz32(count - 1));
}

/* The root over at least one leaf (RFC 6962, section 2.1). */
export function rootOf(leaves) {
    if (leaves.length === 1) {
        return leaves[0];
    }
    const left = leftOf(leaves.length);
    return digest(ONE, rootOf(leaves.slice(0, left)), rootOf(leaves.slice(left)));
}

/* The root that the leaves of an excerpt (a Map by index) and its hashes make; takes what it uses from
 * `hashes`. errors: NotTrusted: too few hashes. */
export function prove(leaves, hashes, first, count) {
    if (![...leaves.keys()].some((index) => first <= index && index < first + count)) {
        if (hashes.length === 0) {
            throw new NotTrusted("an excerpt with too few hashes");
        }
        return hashes.shift();
    }
    if (count === 1) {
        return leaves.get(first);
    }
    const left = leftOf(count);
    const before = prove(leaves, hashes, first, left);
    return digest(ONE, before, prove(leaves, hashes, first + left, count - left));
}

function number(value, width) {
    const bytes = Buffer.alloc(width);
    bytes.writeUIntLE(value, 0, width);
    return bytes;
}

function text(value) {
    const bytes = Buffer.from(value);
    return Buffer.concat([number(bytes.length, 2), bytes]);
}

function named(name) {
    return Buffer.from(`grove.v1.${name}\0`);
}

/* The id of a root: 16 bytes. */
export function rootId(signer, item) {
    const name = item.key ? [ONE, text(item.key)] : [ZERO, text(item.nonce)];
    return digest(named("root"), signer, ...name).subarray(0, 16);
}

/* The id of a child: 16 bytes. */
export function childId(item) {
    const request = item.key ? digest(named("request"), ONE, text(item.key)) : digest(
        named("request"), ZERO, text(item.function), digest(item.payload ?? ""),
        number(item.join_kind ?? 0, 4), number(item.join_position ?? 0, 4),
        number(item.occurrence ?? 0, 4));
    return digest(named("child"), item.parent, number(item.generation ?? 0, 4), request)
        .subarray(0, 16);
}

/* The digest of a join's first inputs: [function, payload digest] of each, or, of a child that was
 * submitted before, "" and its id with 16 zero bytes. */
export function firstInputs(inputs) {
    return digest(named("inputs"), ...inputs.flatMap(([name, payload]) => [text(name), payload]));
}

/* The terms of a Join, hashed: 32 bytes, whose first four are its inputs' tag. */
export function termsOf(join) {
    if (join.key) {
        return digest(named("terms"), ONE, text(join.key));
    }
    return digest(named("terms"), ZERO, number(join.kind, 4), text(join.function ?? ""),
        number(join.limit ?? 0, 4), number(join.stop ?? 0, 4), join.first_settled ? ONE : ZERO,
        join.first, number(join.occurrence ?? 0, 4));
}

/* The id of a join in a handler: 16 bytes. */
export function joinId(parent, generation, join) {
    return digest(named("join"), parent, number(generation, 4), termsOf(join),
        number(join.revision ?? 0, 4)).subarray(0, 16);
}

const DER = { // what stands before 32 bytes of a key
    ed25519: ["302e020100300506032b657004220420", "302a300506032b6570032100"],
    x25519: ["302e020100300506032b656e04220420", "302a300506032b656e032100"],
};

export function privateKey(kind, bytes) {
    const key = Buffer.concat([Buffer.from(DER[kind][0], "hex"), bytes]);
    return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

export function publicKey(bytes) {
    const key = Buffer.concat([Buffer.from(DER.ed25519[1], "hex"), bytes]);
    return createPublicKey({ key, format: "der", type: "spki" });
}

export function publicBytes(key) {
    return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
}

function isSigned(key, message, signature) {
    try {
        return verify(null, message, publicKey(key), signature);
    } catch {
        return false; // not even a key
    }
}

function signedBytes(mesh, sealed, top) {
    return Buffer.concat([named("seal"), mesh, sealed.signer, number(sealed.kind, 1),
        number(sealed.count, 2), top]);
}

/* Seals batches for one signer, and opens those of others; remembers which signatures were good. */
export class Sealer {
    static REMEMBERED = 4096;

    constructor(mesh, key) {
        this.mesh = mesh;
        this.key = key;
        this.signer = key && publicBytes(key);
        this.good = new Set();
    }

    /* A whole batch of 1 to 256 items. */
    seal(kind, items) {
        const sealed = { signer: this.signer, kind, count: items.length, items };
        const top = rootOf(items.map(leafOf));
        sealed.signature = sign(null, signedBytes(this.mesh, sealed, top), this.key);
        return encode("Sealed", sealed);
    }

    /* A batch or an excerpt whose signature is its signer's; who that is, is for others to judge.
     * errors: NotTrusted. */
    open(bytes) {
        const sealed = decode("Sealed", bytes);
        const indices = sealed.indices.length > 0 ? [...sealed.indices]
            : [...Array(sealed.count % 257).keys()];
        const hashes = [];
        for (let i = 0; i < sealed.hashes.length; i += 32) {
            hashes.push(sealed.hashes.subarray(i, i + 32));
        }
        const isAscending = indices.every((each, i) => i === 0 || indices[i - 1] < each);
        if (sealed.count < 1 || sealed.count > BATCH_ITEMS || !isAscending ||
            indices.length !== sealed.items.length || indices.at(-1) >= sealed.count) {
            throw new NotTrusted("an excerpt that is none");
        }
        const leaves = new Map(indices.map((index, i) => [index, leafOf(sealed.items[i])]));
        const top = prove(leaves, hashes, 0, sealed.count);
        if (hashes.length > 0) {
            throw new NotTrusted("an excerpt with too many hashes");
        }
        this.#verify(sealed, top);
        return sealed;
    }

    #verify(sealed, top) {
        const message = signedBytes(this.mesh, sealed, top);
        const name = Buffer.concat([message, sealed.signature]).toString("latin1");
        if (this.good.has(name)) {
            return;
        }
        if (!isSigned(sealed.signer, message, sealed.signature)) {
            throw new NotTrusted("a signature that does not verify");
        }
        this.good.add(name);
        if (this.good.size > Sealer.REMEMBERED) {
            this.good.delete(this.good.values().next().value);
        }
    }
}

/* Whether a function is named: by its name, or by a prefix and `*`. */
export function matches(patterns, name) {
    return patterns.some((each) =>
        each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each);
}

const hex = (bytes) => Buffer.from(bytes).toString("hex");

function warn(...words) {
    console.warn("grove:", ...words);
}

/* The certificates of a mesh, each checked to its key, and what was revoked. */
export class Trust {
    constructor(mesh) {
        this.mesh = mesh;
        this.bodies = new Map(); // by sign_key, then serial
        this.revoked = new Set(); // sign_keys and serials
    }

    /* Takes a signed certificate or revocation; one that is not the mesh's is logged and dropped. */
    learn(form) {
        const certificate = decode("Certificate", form);
        const isCertificate = certificate.body.length > 0;
        const { body, signature } = isCertificate ? certificate : decode("Revocation", form);
        if (!isSigned(this.mesh, Buffer.concat([named(isCertificate ? "cert" : "revoke"), body]),
            signature)) {
            warn("a certificate that is not of this mesh was dropped");
        } else if (isCertificate) {
            const known = decode("CertificateBody", body);
            const name = hex(known.sign_key);
            this.bodies.set(name, (this.bodies.get(name) ?? new Map()).set(hex(known.serial), known));
        } else {
            const revocation = decode("RevocationBody", body);
            this.revoked.add(hex(revocation.sign_key.length ? revocation.sign_key : revocation.serial));
        }
    }

    /* The signer's certificate, at a time a valid one; of several the one that ends last.
     * errors: NotTrusted. */
    certificate(signer, atMs) {
        const name = hex(signer);
        const bodies = [...this.bodies.get(name) ?? []].filter(([serial, body]) =>
            !this.revoked.has(serial) && !this.revoked.has(name) && (atMs === undefined ||
            (body.not_before_ms <= atMs && atMs < body.not_after_ms)));
        if (bodies.length === 0) {
            throw new NotTrusted("signed by nobody of this mesh");
        }
        return bodies.map(([, body]) => body)
            .reduce((last, body) => body.not_after_ms > last.not_after_ms ? body : last);
    }

    /* errors: NotTrusted: it has no right to submit this function. */
    checkSubmitter(signer, name, atMs) {
        const body = this.certificate(signer, atMs);
        if (!(body.roles & (CLIENT | WORKER)) || !matches(body.submit, name)) {
            throw new NotTrusted(`${body.name} may not submit ${name}`);
        }
    }

    /* errors: NotTrusted: no word of this signer ends a task of this function. */
    checkJudge(signer, kind, name) {
        const body = this.certificate(signer);
        const isVerdict = kind === VERDICT && body.roles & COORDINATOR;
        if (!isVerdict &&
            (kind !== RESULT || !(body.roles & WORKER) || !matches(body.run, name))) {
            throw new NotTrusted(`${body.name} may not end a task of ${name}`);
        }
    }
}

// ---- credentials (PROTOCOL.md, section 12)

/* $GROVE_CREDENTIAL, else where `grove dev` publishes its own. */
export function credentialPath() {
    const { GROVE_CREDENTIAL: given, XDG_RUNTIME_DIR: runtime } = process.env;
    if (given) {
        return given;
    }
    return runtime ? joinPath(runtime, "grove", "dev.credential")
        : joinPath(tmpdir(), `grove-${userInfo().uid}`, "dev.credential");
}

/* [[section, {name: value}]]; a line that begins with a space goes on with the one before. */
function sectionsOf(lines) {
    const sections = [];
    let name;
    for (const line of lines) {
        const at = line.indexOf("=");
        if (line.startsWith("[")) {
            sections.push([line.replace(/[[\] ]/g, ""), {}]);
        } else if (/^\s+\S/.test(line) && name) {
            sections.at(-1)[1][name] += line.trim();
        } else if (at > 0 && !/^[#;]/.test(line) && sections.length > 0) {
            name = line.slice(0, at).trim();
            sections.at(-1)[1][name] = line.slice(at + 1).trim();
        }
    }
    return sections;
}

/* A credential file: who we are, and where the coordinators are. errors: what reading throws;
 * GroveError: others may read it, or it is no credential of its mesh. */
export class Credential {
    constructor(path = credentialPath()) {
        this.path = path;
        if (statSync(path).mode & 0o077) {
            throw new GroveError(`${path}: others may read it; chmod 600`);
        }
        const [own, ...others] = sectionsOf(readFileSync(path, "ascii").split("\n"));
        if (own?.[0] !== "credential" || own[1].version !== "1" || others.length === 0 ||
            others.some(([name]) => name !== "coordinator")) {
            throw new GroveError(`${path}: not a credential of version 1 with a coordinator`);
        }
        this.mesh = Buffer.from(own[1].mesh, "hex");
        this.sign = privateKey("ed25519", Buffer.from(own[1].sign, "hex"));
        this.linkSecret = Buffer.from(own[1].link, "hex");
        this.linkPublic = publicBytes(privateKey("x25519", this.linkSecret));
        this.forms = [own, ...others].map(([, entries]) => Buffer.from(entries.certificate, "base64"));
        this.coordinators = others.map(([, entries]) => ({ endpoint: entries.endpoint }));
        this.#check();
    }

    #check() {
        const trust = new Trust(this.mesh);
        this.forms.forEach((form) => trust.learn(form));
        if (!trust.certificate(publicBytes(this.sign)).link_key.equals(this.linkPublic)) {
            throw new GroveError(`${this.path}: the keys are not those of the certificate`);
        }
        this.coordinators.forEach((coordinator, i) => {
            const { sign_key: key } = decode("CertificateBody",
                decode("Certificate", this.forms[i + 1]).body);
            const body = trust.certificate(key);
            if (!(body.roles & COORDINATOR)) {
                throw new GroveError(`${this.path}: a coordinator that is none`);
            }
            coordinator.linkKey = body.link_key;
        });
    }
}

const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/* source: ZeroMQ RFC 32 */
function z85(bytes) {
    let encoded = "";
    for (let i = 0; i < bytes.length; i += 4) {
        const value = bytes.readUInt32BE(i);
        for (let divisor = 85 ** 4; divisor >= 1; divisor /= 85) {
            encoded += Z85[Math.floor(value / divisor) % 85];
        }
    }
    return encoded;
}

/* A DEALER under CURVE, its server's key pinned. */
function connect(credential, endpoint, linkKey) {
    const dealer = new Dealer({
        linger: 0, sendHighWaterMark: 0, maxMessageSize: FRAME_SIZE,
        curveSecretKey: z85(credential.linkSecret), curvePublicKey: z85(credential.linkPublic),
        curveServerKey: z85(Buffer.from(linkKey)),
    });
    dealer.connect(endpoint);
    return dealer;
}

// ---- values

/* [bytes, content type] of a value. errors: GroveError: over 1 MiB. */
export function toPayload(value) {
    let bytes, type = "";
    if (value === undefined || value === null) {
        bytes = Buffer.alloc(0);
    } else if (value instanceof Uint8Array) {
        bytes = Buffer.from(value);
    } else if (typeof value === "string") {
        [bytes, type] = [Buffer.from(value), "text/plain"];
    } else {
        [bytes, type] = [Buffer.from(JSON.stringify(value)), JSON_TYPE];
    }
    if (bytes.length > PAYLOAD_SIZE) {
        throw new GroveError(`${bytes.length} bytes; a payload or result has at most 1 MiB`);
    }
    return [bytes, type];
}

/* The value that travelled: what JSON says, a text, or bytes. */
export function fromPayload(bytes, type) {
    return type === JSON_TYPE ? JSON.parse(bytes) : type === "text/plain" ? bytes.toString() : bytes;
}

/* A success, verified to be signed by a worker that may run this function. */
export class Result {
    constructor(item) {
        Object.assign(this, {
            taskId: hex(item.task), function: item.function, bytes: item.bytes,
            contentType: item.content_type, attempt: item.attempt, runMs: item.run_ms,
        });
    }

    get value() {
        return fromPayload(this.bytes, this.contentType);
    }

    /* What the bytes say as JSON, whatever their content type. */
    json() {
        return JSON.parse(this.bytes);
    }
}

function outcomeOf(kind, item) {
    if (kind === RESULT && item.code === 0) {
        return new Result(item);
    }
    return new TaskExecutionError({
        error: item.text, code: CODES[item.code] ?? String(item.code), taskId: hex(item.task),
        function: item.function, bytes: kind === RESULT ? item.bytes : undefined,
    });
}

/* Options of a task, and the field of a TaskItem that each is (PROTOCOL.md, section 6). */
const OPTIONS = {
    key: "key", priority: "priority", delayMs: "delay_ms", deadlineMs: "deadline_ms",
    timeoutMs: "timeout_ms", maxAttempts: "max_attempts", atMostOnce: "at_most_once", fresh: "fresh",
    maxTasks: "max_tasks", maxBytes: "max_bytes", retryOf: "retry_of",
};

/* What is to be done. errors: GroveError: an option that there is none of. */
function specOf(task, payload, options = {}) {
    const fields = {};
    for (const [name, value] of Object.entries(options)) {
        if (!(name in OPTIONS)) {
            throw new GroveError(`no such option: ${name}`);
        }
        fields[OPTIONS[name]] = name === "retryOf" ? idOf(value) : value;
    }
    const [bytes, type] = toPayload(payload);
    return { function: task.name ?? task, payload: bytes, content_type: type, ...fields };
}

function itemOf(spec, more) {
    return { nonce: randomBytes(16), ...spec, ...more };
}

/* At most `size` bytes of a text, without U+0000. */
function cut(value, size) {
    const bytes = Buffer.from(value.replaceAll("\0", " "));
    return bytes.length <= size ? bytes.toString()
        : new TextDecoder().decode(bytes.subarray(0, size), { stream: true });
}

function idOf(identity) {
    const bytes = Buffer.from(identity, "hex");
    if (bytes.length !== 16) {
        throw new GroveError("an id has 32 hexadecimal digits");
    }
    return bytes;
}

/* A promise with its ends outside. */
function deferred() {
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    made.promise.catch(() => {}); // whoever awaits it hears of it
    return made;
}

/* Something to be done: `await` it. What `wait` returns may be an input of gather and race instead. */
export class Call {
    #body;
    #promise;

    constructor(body, spec) {
        this.#body = body;
        this.spec = spec;
    }

    then(resolved, rejected) {
        this.#promise ??= this.#body();
        return this.#promise.then(resolved, rejected);
    }

    catch(rejected) {
        return this.then(undefined, rejected);
    }

    finally(done) {
        return Promise.resolve(this).finally(done);
    }
}

// ---- the session: one socket, whatever is ready in a turn sealed together

/* A task on its way: an item to be accepted, an outcome to come, or both. */
class Request {
    constructor(identity, item, spec) {
        this.id = identity;
        this.name = spec?.function ?? "";
        this.digest = spec ? digest(spec.payload) : undefined;
        this.bytes = item ? encode("TaskItem", item) : undefined;
        this.expiresMs = item?.expires_ms ?? 0;
        this.isAccepted = !item;
        this.lineage = item && { parent: item.parent, root: item.root };
        this.accepted = deferred();
        this.onEnd = undefined; // with an outcome or an Error
    }

    fail(error) {
        this.accepted.reject(error);
        this.onEnd?.(error);
    }

    /* errors: NotTrusted: an outcome that is of something else than was asked for. */
    check(item) {
        let agrees = this.id.equals(item.task) && (!this.name ||
            (item.function === this.name && this.digest.equals(item.payload_digest)));
        if (this.lineage?.parent) {
            agrees &&= this.lineage.parent.equals(item.parent) && this.lineage.root.equals(item.root);
        } else if (this.lineage) {
            agrees &&= item.parent.length === 0 && item.task.equals(item.root);
        }
        if (!agrees) {
            throw new NotTrusted("an outcome of another task");
        }
    }
}

/* Cut into what one batch may hold. */
function* partsOf(things, sizeOf) {
    let part = [], size = 0;
    for (const each of things) {
        if (part.length === BATCH_ITEMS ||
            (part.length > 0 && size + sizeOf(each) > BATCH_SIZE - 16 * BATCH_ITEMS)) {
            yield part;
            [part, size] = [[], 0];
        }
        part.push(each);
        size += sizeOf(each);
    }
    if (part.length > 0) {
        yield part;
    }
}

const nowMs = () => performance.now();
const requestSize = (request) => request.bytes.length;

class Engine {
    constructor(credential) {
        this.credential = credential;
        this.sealer = new Sealer(credential.mesh, credential.sign);
        this.trust = new Trust(credential.mesh);
        credential.forms.forEach((form) => this.trust.learn(form));
        this.boot = randomBytes(16);
        this.ledger = Buffer.alloc(0);
        this.asks = new Map(); // by correlation: {frame, done, retryAt, givesUpMs}
        this.correlation = 0;
        this.hello = 0;
        this.isWelcome = this.isClosed = this.isTurning = this.isSending = false;
        [this.heartbeatMs, this.offsetMs] = [2000, 0];
        this.heardAt = this.saidAt = this.beatAt = this.triedAt = nowMs();
        this.outgoing = [];
        this.roots = []; // requests of this turn
        this.awaited = new Map(); // requests by hex id
        this.asking = new Set(); // hex ids for a Wait of this turn
        this.statistics = new Map(); // deferred by name
        this.welcomed = deferred();
        this.coordinators = [...credential.coordinators];
        this.coordinator = 0;
        this.#connect();
        this.ticker = setInterval(() => this.tick(nowMs()), TICK_MS);
        this.tick(nowMs());
    }

    /* Unix time as the ledger has it. */
    ledgerMs() {
        return Date.now() + this.offsetMs;
    }

    /* Awaits the Welcome. errors: GroveError: nobody answers, or not to us. */
    async open(timeoutMs) {
        const late = setTimeout(() => this.end(new GroveError(
            `no coordinator answers at ${this.credential.coordinators[0].endpoint}; ` +
            `it may not know the key of ${this.credential.path}`)), timeoutMs);
        try {
            await this.welcomed.promise;
        } finally {
            clearTimeout(late);
        }
    }

    /* Says goodbye; what is unanswered fails. */
    async close() {
        if (this.isClosed) {
            return;
        }
        if (this.isWelcome) {
            this.tell("goodbye", {});
            await this.sending;
            this.dealer.linger = 200;
        }
        this.end(new GroveError("closed"));
    }

    /* Ends the session here. */
    end(error) {
        if (this.isClosed) {
            return;
        }
        this.isClosed = true;
        this.failure = error;
        clearInterval(this.ticker);
        this.dealer.close();
        this.stats?.close();
        this.failAll(error);
    }

    failAll(error) {
        this.welcomed.reject(error);
        [...this.asks.values()].forEach((ask) => ask.done(error));
        [...this.roots, ...[...this.awaited.values()].flat()].forEach((each) => each.fail(error));
        [...this.statistics.values()].forEach((each) => each.reject(error));
    }

    // -- frames

    #connect() {
        const { endpoint, linkKey } = this.coordinators[this.coordinator];
        this.dealer = connect(this.credential, endpoint, linkKey);
        this.#receive(this.dealer);
    }

    async #receive(dealer) {
        try {
            for await (const [frame] of dealer) {
                this.heardAt = nowMs();
                this.take(frame);
                this.turn();
            }
        } catch (error) {
            if (dealer === this.dealer && !this.isClosed) {
                this.end(new GroveError(`the socket failed: ${error.message}`));
            }
        }
    }

    /* What cannot go now is sent again after the next Welcome. */
    send(frame) {
        this.outgoing.push(frame);
        if (!this.isSending) {
            this.isSending = true;
            this.sending = this.#sendAll();
        }
    }

    async #sendAll() {
        try {
            while (this.outgoing.length > 0 && !this.isClosed) {
                await this.dealer.send(this.outgoing.shift());
            }
        } catch {
            // The socket was changed for another one; the next Welcome has all sent again.
        } finally {
            this.isSending = false;
        }
    }

    /* Has what is ready sent at the end of this turn of the event loop. */
    turn() {
        if (!this.isTurning && !this.isClosed) {
            this.isTurning = true;
            setImmediate(() => {
                this.isTurning = false;
                if (!this.isClosed) {
                    this.endTurn();
                }
            });
        }
    }

    frame(kind, body) {
        return encode("Message", { version: 1, correlation: ++this.correlation, [kind]: body });
    }

    /* Sends a message that is not sent again; returns its correlation. */
    tell(kind, body) {
        this.send(this.frame(kind, body));
        return this.correlation;
    }

    /* Sends a message until it is answered; `done` gets the answer or an Error. */
    ask(kind, body, done, givesUpMs = 0) {
        if (this.isClosed) {
            done(this.failure);
            return;
        }
        const frame = this.frame(kind, body);
        this.asks.set(this.correlation, { frame, done, retryAt: 0, givesUpMs });
        if (this.isReady()) {
            this.send(frame);
        }
    }

    take(frame) {
        let message;
        try {
            message = decode("Message", frame);
        } catch (error) {
            warn("frame dropped:", error.message);
            return;
        }
        const kind = message.body;
        if (kind === "welcome" && message.correlation === this.hello) {
            this.#welcome(message.welcome);
        } else if (kind === "refused") {
            this.refused(message.correlation, message.refused);
        } else {
            this[`on_${kind}`]?.(message[kind]);
            const ask = this.asks.get(message.correlation);
            this.asks.delete(message.correlation);
            ask?.done(message[kind]);
        }
    }

    refused(correlation, { code, text: why, retryable, retry_ms: retryMs, leader }) {
        const ask = this.asks.get(correlation);
        if (code === NO_SESSION) {
            this.loseSession();
        } else if (code === NO_LEADER) {
            this.#follow(leader);
        } else if (correlation === this.hello && !retryable) {
            this.end(new Refused(code, why));
            return;
        }
        if (ask && retryable) {
            ask.retryAt = nowMs() + Math.max(retryMs, RETRY_MS);
        } else if (ask) {
            this.asks.delete(correlation);
            ask.done(new Refused(code, why));
        }
    }

    // -- the session

    isReady() {
        return this.isWelcome;
    }

    #sayHello(now) {
        this.saidAt = now;
        this.hello = this.tell("hello",
            { mesh: this.credential.mesh, boot: this.boot, ledger: this.ledger });
    }

    /* Begins again; what is unanswered goes again after the next Welcome. */
    loseSession() {
        if (this.isWelcome) {
            this.isWelcome = false;
            this.triedAt = nowMs();
            this.#sayHello(this.triedAt);
        }
    }

    /* Tries the next coordinator. */
    #moveOn() {
        this.#turnTo((this.coordinator + 1) % this.coordinators.length);
    }

    /* Says Hello to a coordinator; the one of before is connected to again by its socket itself. */
    #turnTo(coordinator) {
        this.triedAt = nowMs();
        this.isWelcome = false;
        if (coordinator !== this.coordinator) {
            const old = this.dealer;
            this.coordinator = coordinator;
            this.outgoing = [];
            this.#connect();
            old.close();
        }
    }

    /* Goes to the leader, or, where none is known, on to the next one in a while. */
    #follow(leaders) {
        const wasWelcome = this.isWelcome;
        this.isWelcome = false;
        const [place] = leaders.map((each) => this.#learnPlace(each)).filter((each) => each >= 0);
        if (place !== undefined) {
            this.#turnTo(place);
        } else if (wasWelcome || this.triedAt < nowMs() - NO_LEADER_MS) {
            this.#moveOn();
        }
    }

    /* Takes where a coordinator is; gives its place in the list, -1 for one that is none. */
    #learnPlace({ certificate, endpoint }) {
        let body;
        try {
            this.trust.learn(certificate);
            body = decode("CertificateBody", decode("Certificate", certificate).body);
            if (!(this.trust.certificate(body.sign_key).roles & COORDINATOR)) {
                return -1;
            }
        } catch {
            return -1;
        }
        const known = this.coordinators.findIndex(({ linkKey }) => body.link_key.equals(linkKey));
        const place = known < 0 ? this.coordinators.length : known;
        this.coordinators[place] = { endpoint, linkKey: body.link_key };
        return place;
    }

    #welcome(body) {
        if (this.ledger.length > 0 && !this.ledger.equals(body.ledger)) {
            this.end(new Refused(6, "another ledger than before"));
            return;
        }
        this.ledger = body.ledger;
        this.setStamp(body.stamp_ms);
        body.certificates.forEach((form) => this.trust.learn(form));
        body.coordinators.forEach((location) => this.#learnPlace(location));
        this.heartbeatMs = body.heartbeat_ms || 2000;
        this.isWelcome = true;
        this.onSession();
        this.welcomed.resolve();
    }

    /* A session has begun. */
    onSession() {
        this.sendAgain();
    }

    /* Sends all that is unanswered, and asks again for what is awaited. */
    sendAgain() {
        [...this.asks.values()].forEach((ask) => this.send(ask.frame));
        for (const [name, requests] of this.awaited) {
            if (requests.some((request) => request.isAccepted)) {
                this.asking.add(name);
            }
        }
        this.turn();
    }

    setStamp(stampMs) {
        if (stampMs) {
            this.offsetMs = stampMs - Date.now();
        }
    }

    on_heartbeat(body) {
        this.setStamp(body.stamp_ms);
    }

    heartbeat() {
        return {};
    }

    /* What time does: Hello, heartbeats, silence, retries. */
    tick(now) {
        if (this.isWelcome && now - this.heardAt > this.heartbeatMs + GIVE_UP_MS) {
            this.loseSession();
        }
        if (!this.isWelcome && now - this.triedAt > GIVE_UP_MS) {
            this.#moveOn();
        }
        if (!this.isWelcome && (now - this.saidAt > HELLO_MS || this.hello === 0)) {
            this.#sayHello(now);
        }
        if (this.isWelcome && now - this.beatAt >= this.heartbeatMs) {
            this.beatAt = now;
            this.tell("heartbeat", this.heartbeat());
        }
        for (const [correlation, ask] of this.asks) {
            if (ask.givesUpMs && this.ledgerMs() > ask.givesUpMs) {
                this.asks.delete(correlation);
                ask.done(new TimedOut("no answer in time; it may or may not have been accepted"));
            } else if (ask.retryAt && ask.retryAt <= now && this.isReady()) {
                ask.retryAt = 0;
                this.send(ask.frame);
            }
        }
    }

    // -- tasks

    /* Takes a root, to be sealed with whatever else this turn has. */
    submit(request) {
        if (this.isClosed) {
            request.fail(this.failure);
            return;
        }
        this.roots.push(request);
        this.turn();
    }

    /* Sends what the turn has produced. */
    endTurn() {
        const roots = this.roots;
        this.roots = [];
        for (const wait of [true, false]) {
            for (const part of partsOf(roots.filter((each) => !!each.onEnd === wait), requestSize)) {
                part.forEach((request) => this.expect(request));
                this.ask("submit", { batch: this.sealRequests(part), wait },
                    (answer) => this.accepted(part, (request) => this.submit(request), answer),
                    Math.max(...part.map((request) => request.expiresMs)));
            }
        }
        this.askForOutcomes();
    }

    sealRequests(part) {
        return this.sealer.seal(TASK, part.map((request) => request.bytes));
    }

    expect(request) {
        const name = hex(request.id);
        const waiting = this.awaited.get(name) ?? [];
        if (request.onEnd && !waiting.includes(request)) {
            this.awaited.set(name, [...waiting, request]);
        }
    }

    forget(request) {
        const name = hex(request.id);
        const waiting = (this.awaited.get(name) ?? []).filter((each) => each !== request);
        if (waiting.length > 0) {
            this.awaited.set(name, waiting);
        } else {
            this.awaited.delete(name);
        }
    }

    /* Asks for the outcome of a task that was accepted before. */
    awaitEnd(request) {
        if (this.isClosed) {
            request.fail(this.failure);
            return;
        }
        this.expect(request);
        this.asking.add(hex(request.id));
        this.turn();
    }

    /* What became of a batch; `again` takes what was refused for now. */
    accepted(part, again, answer) {
        if (answer instanceof Error) {
            for (const request of part) {
                this.forget(request);
                request.fail(answer);
            }
            return;
        }
        this.setStamp(answer.stamp_ms);
        const refused = new Map(answer.refused.map((each) => [each.position, each]));
        part.forEach((request, i) => {
            if (refused.has(i)) {
                this.#itemRefused(request, refused.get(i), again);
            } else {
                this.#itemAccepted(request, answer.ids.subarray(16 * i, 16 * i + 16),
                    answer.settled[i] === 1);
            }
        });
    }

    #itemRefused(request, { code, text: why }, again) {
        this.forget(request);
        if (RETRYABLE.has(code) && this.ledgerMs() < (request.expiresMs || Infinity)) {
            setTimeout(() => again(request), RETRY_MS);
        } else {
            request.fail(new Refused(code, why));
        }
    }

    #itemAccepted(request, identity, isSettled) {
        let mustAsk = isSettled;
        if (request.onEnd && !request.id.equals(identity)) { // an earlier child answers
            this.forget(request);
            request.id = identity;
            this.expect(request);
            mustAsk = true;
        }
        request.id = identity;
        request.isAccepted = true;
        if (mustAsk && this.awaited.has(hex(identity))) {
            this.asking.add(hex(identity));
            this.turn();
        }
        request.accepted.resolve(identity);
    }

    askForOutcomes() {
        if (!this.isReady()) {
            return;
        }
        const asking = [...this.asking].filter((name) => this.awaited.has(name));
        this.asking.clear();
        for (let i = 0; i < asking.length; i += 4096) {
            const names = asking.slice(i, i + 4096);
            this.ask("wait", { ids: Buffer.from(names.join(""), "hex") },
                (answer) => this.#waited(names, answer));
        }
    }

    #waited(names, answer) {
        const unknown = answer instanceof Error ? names.map((name) => [name, answer])
            : answer.unknown.map((each) => [names[each.position], new Refused(each.code, each.text)]);
        for (const [name, error] of unknown) {
            const requests = this.awaited.get(name) ?? [];
            this.awaited.delete(name);
            requests.forEach((request) => request.fail(error));
        }
    }

    /* The [sealed, item] of a Notify or Paged, in its order. What is forged is logged and dropped. */
    openOutcomes(body) {
        body.certificates.forEach((form) => this.trust.learn(form));
        return body.outcomes.flatMap((bytes) => {
            try {
                const sealed = this.sealer.open(bytes);
                const shape = sealed.kind === RESULT ? "ResultItem" : "VerdictItem";
                return sealed.items.map((item) => [sealed, decode(shape, item)]);
            } catch (error) {
                warn("outcome dropped:", error.message);
                return [];
            }
        });
    }

    /* What an outcome says, or NotTrusted when its signer may not say it. */
    judge(request, sealed, item) {
        try {
            this.trust.checkJudge(sealed.signer, sealed.kind, item.function);
            request.check(item);
        } catch (error) {
            return error;
        }
        return outcomeOf(sealed.kind, item);
    }

    on_notify(body) {
        for (const [sealed, item] of this.openOutcomes(body)) {
            const name = hex(item.task);
            const requests = this.awaited.get(name) ?? [];
            this.awaited.delete(name);
            requests.forEach((request) => request.onEnd(this.judge(request, sealed, item)));
        }
    }

    // -- statistics

    /* Sends a request to the socket beside that of tasks; resolves to the answer's bytes. */
    async askStatistics(words) {
        if (!this.stats) {
            const { endpoint, linkKey } = this.coordinators[this.coordinator];
            const beside = endpoint.replace(/\d+$/, (port) => Number(port) + 1);
            this.stats = connect(this.credential, beside, linkKey);
            this.#receiveStatistics(this.stats);
        }
        const name = number(++this.correlation % 2 ** 32, 4);
        const answer = deferred();
        this.statistics.set(hex(name), answer);
        const before = this.asked ?? Promise.resolve();
        this.asked = before.then(() => this.stats.send([name, "", words]));
        await this.asked;
        return answer.promise;
    }

    async #receiveStatistics(socket) {
        for await (const frames of socket) {
            this.statistics.get(hex(frames[0]))?.resolve(frames.at(-1));
            this.statistics.delete(hex(frames[0]));
        }
    }
}

// ---- who calls: a client, or the attempt that a handler runs

const scope = new AsyncLocalStorage();

function raised(outcome) {
    if (outcome instanceof Error) {
        throw outcome;
    }
    return outcome;
}

/* Specs of what `wait` returned, and ids of children. errors: GroveError: anything else. */
function inputsOf(inputs) {
    return [...inputs].map((each) => {
        const spec = typeof each === "string" ? idOf(each) : each.spec;
        if (!spec) {
            throw new GroveError("an input is what wait returns, or the id of a child");
        }
        return spec;
    });
}

/* The calls, as a client and an attempt have them. */
class Caller {
    /* Whose tasks its calls make. */
    caller() {
        return this;
    }

    /* Submits a task, which is durable then; gives its id.
     *
     *   options  those of OPTIONS
     *   errors   Refused; TimedOut */
    submit(task, payload, options) {
        const spec = specOf(task, payload, options);
        return new Call(async () => (await this.caller().submitSpecs([spec]))[0], spec);
    }

    /* Submits many in few round trips; gives their ids, in order. errors: as submit, the first. */
    submitMany(task, payloads, options) {
        const specs = [...payloads].map((payload) => specOf(task, payload, options));
        return new Call(() => this.caller().submitSpecs(specs));
    }

    /* Submits a task and awaits its end; gives a Result. errors: TaskExecutionError: it ended, and not
     * well; NotTrusted; those of submit. */
    wait(task, payload, options) {
        const spec = specOf(task, payload, options);
        return new Call(async () => {
            const caller = this.caller();
            return raised(await caller.awaitRequest(caller.make(spec)));
        }, spec);
    }

    /* Awaits the end of a task that was submitted before, in a handler one of its children; gives a
     * Result. errors: those of wait; Refused: not-found, forgotten. */
    result(identity) {
        const id = idOf(identity);
        return new Call(async () => raised(await this.caller().awaitRequest(new Request(id))));
    }

    /* Runs what `wait` returns, of any functions, or awaits children submitted before (their ids);
     * gives their Results in order when all have ended. */
    gather(inputs, options) {
        return new Join(this.caller(), GATHER, inputsOf(inputs), options);
    }

    /* Runs what `wait` returns; gives the first success, and cancels the others with all below them. */
    race(inputs, options) {
        return new Join(this.caller(), RACE, inputsOf(inputs), options);
    }

    /* Runs one function on many payloads, never more than `limit` (16) at a time; gives Results in
     * order, or, iterated over, one after the other: a million need little memory. */
    map(task, payloads, options = {}) {
        const name = task.name ?? task;
        const specs = { * [Symbol.iterator]() {
            for (const payload of payloads) {
                yield specOf(name, payload);
            }
        } };
        return new Join(this.caller(), MAP, specs,
            { limit: 16, canRestart: Array.isArray(payloads), ...options, function: name });
    }

    /* Ends a task and all below it, for good; gives {neverStarted, stopped, alreadyDone}.
     * errors: Refused: not-found: no such task, or not yours. */
    cancel(identity) {
        const id = idOf(identity);
        return new Call(async () => {
            const caller = this.caller();
            const done = await caller.askFor("cancel", caller.cancelRequest(id));
            return { neverStarted: done.never_started, stopped: done.stopped,
                alreadyDone: done.already_done };
        });
    }

    async submitSpecs(specs) {
        const requests = specs.map((spec) => this.make(spec));
        requests.forEach((request) => this.start(request));
        return (await Promise.all(requests.map((request) => request.accepted.promise))).map(hex);
    }

    cancelRequest(id) {
        return { task: id };
    }

    askFor(kind, body) {
        return new Promise((resolve, reject) => this.engine.ask(kind, body, (answer) =>
            answer instanceof Error ? reject(answer) : resolve(answer)));
    }
}

/* Connects to the mesh. In a handler its calls make children of the handler's task, like the functions
 * of the module. */
export class Client extends Caller {
    /* errors: GroveError and what reading a file throws, with a sentence.
     *
     *   credential  path of the file; default: $GROVE_CREDENTIAL, else that of `grove dev` */
    static async open({ credential, timeoutMs = 5000 } = {}) {
        const client = new Client();
        client.engine = new Engine(new Credential(credential));
        await client.engine.open(timeoutMs);
        return client;
    }

    /* Calls that are under way fail. */
    close() {
        return this.engine.close();
    }

    caller() {
        return scope.getStore() ?? this;
    }

    /* The mesh's answer to a request of PROTOCOL.md, section 11; for observers. */
    stats(request = "stats") {
        return new Call(async () => JSON.parse(await this.engine.askStatistics(request)));
    }

    make(spec) {
        const item = itemOf(spec, { expires_ms: this.engine.ledgerMs() + EXPIRES_MS });
        return new Request(rootId(this.engine.sealer.signer, item), item, spec);
    }

    start(request) {
        this.engine.submit(request);
    }

    awaitRequest(request) {
        return new Promise((resolve) => {
            request.onEnd = resolve;
            if (request.isAccepted) {
                this.engine.awaitEnd(request);
            } else {
                this.engine.submit(request);
            }
        });
    }

    page(page) {
        return this.askFor("page", page);
    }
}

// ---- joins: many tasks as one, driven by the mesh

function joinError(failures) {
    const own = failures.find(([, failure]) => failure.code !== "cancelled") ?? failures[0];
    return new JoinError(own[1], failures);
}

/* Many tasks as one. `await` it for all outcomes; or iterate over it with `for await` to have each
 * Result or TaskExecutionError, in the order of inputs, as soon as it and all before it have ended.
 *
 *   limit            map: inputs that run, or wait for children, at a time
 *   stopOnFailure    gather, map: the first failure ends the rest
 *   maxFailures      ... or that many; 0: all run, however many fail
 *   winners          race: so many; more than one: a list of Results is what comes of it
 *   firstSettled     race: whoever ends first wins, not whoever succeeds first
 *   returnFailures   a TaskExecutionError stands in the place of its Result, and nothing is thrown
 *   key              names the join: called for again with the same inputs, it is gone on with
 *   priority, deadlineMs   of a join from outside, and so of all its inputs
 *   errors           JoinError; Refused; NotTrusted */
export class Join extends Call {
    constructor(caller, kind, inputs, {
        function: name = "", limit = 0, stopOnFailure = false, maxFailures = 0, winners = 1,
        firstSettled = false, returnFailures = false, key = "", canRestart = true, ...rootOptions
    } = {}) {
        super(() => this.#collect());
        Object.assign(this, { caller, inputs, returnFailures, canRestart, rootOptions });
        this.terms = {
            kind, function: name, limit, first_settled: firstSettled, key, revision: 0,
            stop: kind === RACE ? winners : stopOnFailure ? 1 : maxFailures,
        };
        this.winners = []; // places of a race's winners, in their order
        this.id = ""; // of the join; from outside of its root
        this.delivered = 0;
        this.isStream = true; // outcomes are wanted as they come
        this.occurrence = undefined; // once counted
    }

    [Symbol.asyncIterator]() {
        return this.#outcomes();
    }

    async #collect() {
        this.isStream = false;
        const outcomes = [];
        for await (const outcome of this.#outcomes()) {
            outcomes.push(outcome);
        }
        const failures = [...outcomes.entries()].filter(([, each]) => each instanceof Error);
        if (this.terms.kind !== RACE) {
            if (failures.length > 0 && !this.returnFailures) {
                throw joinError(failures);
            }
            return outcomes;
        }
        const winners = this.winners.map((i) => outcomes[i]);
        if (winners.length < Math.max(1, this.terms.stop) && failures.length > 0) {
            throw joinError(failures);
        }
        if (this.terms.stop > 1) {
            return winners;
        }
        return this.returnFailures ? winners[0] : raised(winners[0]);
    }

    async* #outcomes() {
        for (let isDone = false; !isDone;) {
            const run = new JoinRun(this);
            try {
                for await (const [position, outcome] of run.outcomes()) {
                    if (position >= this.delivered) {
                        this.delivered++;
                        yield outcome;
                    }
                }
                isDone = true;
            } catch (error) {
                if (error.code !== DIFFERS || !(this.caller instanceof Attempt) || !this.canRestart) {
                    throw error;
                }
                this.terms.revision++; // the handler took another path than before it died
            } finally {
                run.leave();
            }
        }
    }
}

const isId = (input) => Buffer.isBuffer(input);

/* One opening of a join, until it is over or left. */
class JoinRun {
    constructor(join) {
        Object.assign(this, { join, caller: join.caller, terms: join.terms });
        this.isInside = join.caller instanceof Attempt;
        this.source = join.inputs[Symbol.iterator]();
        this.ahead = this.source.next(); // pulled, and not in a portion yet
        this.portion = []; // to be given next
        this.isClosed = this.isOver = false;
        this.given = this.next = this.accepted = this.state = 0; // inputs; outcomes handed on
        this.room = Infinity;
        this.expected = new Map(); // by position: [function, payload digest]
    }

    /* Fills the portion with at most `most` inputs; whether more follow, `ahead` says. */
    #pull(most) {
        let size = 0;
        while (!this.ahead.done && this.portion.length < Math.min(most, BATCH_ITEMS)) {
            const input = this.ahead.value;
            const weight = 512 + (isId(input) ? 0 : input.payload.length);
            if (this.portion.length > 0 &&
                (size + weight > BATCH_SIZE || isId(this.portion[0]) !== isId(input))) {
                return;
            }
            size += weight;
            this.portion.push(input);
            this.ahead = this.source.next();
        }
    }

    /* Runs it: [position, outcome] in the order of inputs. */
    async* outcomes() {
        this.#pull(BATCH_ITEMS);
        if (this.portion.length === 0) {
            if (this.terms.kind === RACE) {
                throw new GroveError("a race of nobody");
            }
            return;
        }
        await this.#open();
        let paged;
        do {
            await this.#give();
            paged = await this.#news();
            for (;;) {
                yield* this.#take(paged);
                if (paged.ids.length === 0 || (!this.isOver && this.next >= this.accepted)) {
                    break;
                }
                paged = await this.#read();
            }
        } while (!this.isOver || this.next < this.accepted);
        this.#conclude(paged);
    }

    #conclude(paged) {
        for (let i = 0; i < paged.winners.length; i += 4) {
            this.join.winners.push(paged.winners.readUInt32LE(i));
        }
        if (this.state > 2 && this.join.isStream && !this.join.returnFailures) {
            throw new JoinError({
                error: this.state === 3 ? "stopped at a failure" : "cancelled",
                code: this.state === 3 ? "join-failed" : "cancelled",
                taskId: hex(this.id), function: "grove.join",
            }, []);
        }
    }

    // -- opening

    async #open() {
        const { caller, terms } = this;
        terms.first = firstInputs(this.portion.map((input) => this.#name(input)));
        if (this.isInside) {
            terms.occurrence = this.join.occurrence ??= caller.countJoin(terms);
            this.lineage = { parent: caller.task, root: caller.root, attempt: caller.number,
                generation: caller.generation };
            this.id = joinId(caller.task, caller.generation, terms);
        } else {
            const options = { ...this.join.rootOptions, ...terms.key ? { key: terms.key } : {} };
            const spec = specOf("grove.join", encode("Join", terms), options);
            this.id = idOf((await caller.submitSpecs([spec]))[0]);
            this.lineage = { parent: this.id, root: this.id, attempt: 1, generation: 0 };
        }
        this.tag = termsOf(terms).readUInt32LE(0);
        this.join.id = hex(this.id);
        if (terms.kind === MAP) {
            this.room = Math.max(2 * terms.limit, 256);
        }
    }

    #name(input) {
        return isId(input) ? ["", Buffer.concat([input, Buffer.alloc(16)])]
            : [input.function, digest(input.payload)];
    }

    // -- giving

    async #give() {
        while (!this.isClosed && !this.isOver) {
            if (this.portion.length === 0) {
                this.#pull(Math.max(PORTION, this.room));
            }
            if (this.portion.length > this.room) {
                return;
            }
            const closes = this.ahead.done;
            const answer = await this.#append(closes);
            if (answer === 0) {
                this.#taken(closes);
            } else if (answer === OVER) {
                this.isClosed = true;
            } else {
                this.room = 0;
                return;
            }
        }
    }

    #taken(closes) {
        this.portion.forEach((input, i) => {
            if (this.given + i >= this.next) {
                this.expected.set(this.given + i, this.#name(input));
            }
        });
        this.given += this.portion.length;
        this.room -= this.portion.length;
        this.portion = [];
        this.isClosed = closes;
    }

    /* Gives the portion; returns 0, or a refusal that is no failure. */
    async #append(closes) {
        const { parent, attempt, generation } = this.lineage;
        const append = { parent, attempt, generation, offset: this.given, close: closes };
        const expand = { appends: [append] };
        if (this.isInside) {
            append.join = this.terms;
        }
        if (this.portion.length > 0 && isId(this.portion[0])) {
            append.adopted = Buffer.concat(this.portion);
        } else if (this.portion.length > 0) {
            append.count = this.portion.length;
            expand.batch = this.caller.engine.sealer.seal(TASK, this.portion.map((spec, i) =>
                encode("TaskItem", itemOf(spec, {
                    ...this.lineage, occurrence: this.tag, join_position: this.given + i,
                    join_kind: this.terms.kind + 256 * this.terms.revision,
                }))));
        }
        const answer = await this.caller.askFor("expand", expand);
        const code = answer.appends.length > 0 ? answer.appends[0] : JOIN;
        if (code === 0 || code === CREDIT || code === OVER || RETRYABLE.has(code)) {
            return code;
        }
        throw new Refused(code, answer.refused.find((each) => each.code === code)?.text);
    }

    // -- waiting and reading

    /* Waits until there is something to do; returns what the join looks like then. */
    async #news() {
        const room = this.isClosed ? 0 : this.portion.length;
        const { isStream } = this.join;
        const end = isStream ? this.next : NEVER; // the input whose end is news
        const page = { join: this.id, offset: end, most: isStream || room === 0 ? PAGE : 0, room };
        const awaited = { join: this.id, until: isStream ? end + 1 : 0, room };
        const paged = await this.caller.page(page, awaited);
        this.#see(paged);
        return isStream ? paged : this.#read();
    }

    /* What has ended, without waiting: asked only when the join is over. */
    async #read() {
        const paged = await this.caller.askFor("page",
            { join: this.id, offset: this.next, most: this.isOver ? PAGE : 0 });
        this.#see(paged);
        return paged;
    }

    #see(paged) {
        this.state = paged.state;
        this.isOver = paged.state !== 0;
        this.accepted = paged.accepted;
        this.room = paged.room;
    }

    #take(paged) {
        if (paged.offset !== this.next) {
            return [];
        }
        const found = new Map(this.caller.engine.openOutcomes(paged)
            .map(([sealed, item]) => [hex(item.task), [sealed, item]]));
        const pairs = [];
        for (let i = 0; i < paged.ids.length; i += 16) {
            pairs.push([this.next, this.#judge(paged.ids.subarray(i, i + 16), found)]);
            this.next++;
        }
        return pairs;
    }

    #judge(identity, found) {
        const request = new Request(identity);
        const [name, payload] = this.expected.get(this.next) ?? [""];
        Object.assign(request, { name, digest: payload, lineage: this.lineage });
        this.expected.delete(this.next);
        const [sealed, item] = found.get(hex(identity)) ?? [];
        const outcome = item ? this.caller.engine.judge(request, sealed, item)
            : new NotTrusted("an outcome that is not signed");
        return outcome instanceof NotTrusted ? raised(outcome) : outcome;
    }

    /* One from outside that is left before it is over is cancelled. */
    leave() {
        if (this.id && !this.isOver && !this.isInside) {
            this.caller.engine.ask("cancel", { task: this.id }, () => {});
        }
    }
}

// ---- workers

/* A function that a worker runs, and whoever has it may call. */
export class Task {
    constructor(name, options = {}) {
        Object.assign(this, { name, options });
    }

    /* The same with options: `fetch.given({ maxAttempts: 3 }).wait(...)`. */
    given(options) {
        return new Task(this.name, { ...this.options, ...options });
    }

    wait(payload) {
        return current().wait(this.name, payload, this.options);
    }

    submit(payload) {
        return current().submit(this.name, payload, this.options);
    }
}

const QUEUED = 0, RUNNING = 1, WAITING = 2; // as Held has them

/* One execution of a task, and what its handler may do: `current()`.
 *
 *   taskId, rootId, parentId   32 hexadecimal digits; parentId is "" for a root
 *   number                     from 1
 *   depth                      a root has 0
 *   function, payload, contentType, checkpointBytes
 *   signal                     an AbortSignal: aborted when it is told to stop */
export class Attempt extends Caller {
    constructor(engine, assignment, item) {
        super();
        Object.assign(this, {
            engine, item, task: assignment.task, number: assignment.attempt,
            generation: assignment.generation, depth: assignment.depth, isBehind: assignment.is_behind,
            root: item.root.length > 0 ? item.root : assignment.task, function: item.function,
            payload: item.payload, contentType: item.content_type,
            checkpointBytes: assignment.checkpoint,
        });
        [this.taskId, this.rootId, this.parentId] = [this.task, this.root, item.parent].map(hex);
        this.name = `${this.taskId}.${this.number}`;
        this.state = QUEUED;
        this.isOver = false;
        this.awaits = []; // {request, joined, value, resolve}
        this.counts = new Map();
        this.shown = undefined; // its last progress
        this.ran = this.since = this.turns = 0; // ms
        this.aborter = new AbortController();
        this.signal = this.aborter.signal;
    }

    /* The payload as its submitter gave it. */
    value() {
        return fromPayload(this.payload, this.contentType);
    }

    /* Says how far it is; cheap, as only the latest of each 100 ms travels. `text` is cut at 200 B. */
    progress(percent, words = "") {
        this.shown = {
            task: this.task, attempt: this.number, text: cut(words, 200),
            percent: Math.max(0, Math.min(100, Math.floor(percent))),
        };
        this.engine.show(this);
    }

    /* Keeps bytes, at most 1 MiB, for the next attempt of this task; durable when it is done. */
    checkpoint(bytes) {
        return new Call(async () => {
            await this.askFor("checkpoint", { task: this.task, attempt: this.number, bytes,
                progress: this.shown ? [this.shown] : [] });
        });
    }

    // -- the calls, of children

    /* Which of the equal ones of this attempt it is, from 0. */
    #count(name) {
        const count = this.counts.get(name) ?? 0;
        this.counts.set(name, count + 1);
        return count;
    }

    countJoin(terms) {
        return this.#count(hex(encode("Join", { ...terms, occurrence: 0, revision: 0 })));
    }

    make(spec) {
        const item = itemOf(spec, { parent: this.task, root: this.root, attempt: this.number,
            generation: this.generation });
        if (!spec.key) {
            item.occurrence = this.#count(`${spec.function} ${hex(digest(spec.payload))}`);
        }
        return new Request(childId(item), item, spec);
    }

    /* errors: Cancelled: nothing that it does counts any more. */
    check() {
        if (this.isOver || this.signal.aborted) {
            throw new Cancelled("this attempt was told to stop, or is over");
        }
    }

    start(request) {
        this.check();
        this.engine.expand(this, request);
    }

    async awaitRequest(request) {
        this.check();
        return this.#awaitNews((awaited) => this.engine.awaitChild(this, awaited), { request });
    }

    async page(page, joined) {
        this.check();
        return raised(await this.#awaitNews(
            (awaited) => this.engine.awaitPage(this, awaited, page), { joined }));
    }

    #awaitNews(start, awaited) {
        return new Promise((resolve) => start({ ...awaited, value: undefined, resolve }));
    }

    askFor(kind, body) {
        this.check();
        return super.askFor(kind, body);
    }

    cancelRequest(id) {
        return { task: id, by: this.task, attempt: this.number };
    }
}

/* The attempt that this handler runs. errors: GroveError: outside a handler. */
export function current() {
    const attempt = scope.getStore();
    if (!attempt) {
        throw new GroveError("not in a handler: ask a Client");
    }
    return attempt;
}

const REST_TURNS = 3; // of the event loop, after which whatever can run has run

/* The session of a worker: what it holds, what of that runs, what is to be reported. */
class WorkerEngine extends Engine {
    constructor(credential, worker) {
        super(credential);
        this.worker = worker;
        this.index = 0; // of the session, once enlisted
        this.enlisting = 0; // correlation of an Enlist that is unanswered
        this.isEnlisted = this.isDraining = false;
        this.held = new Map(); // attempts by name
        this.line = []; // not started, in the order in which they start
        this.resumed = []; // to go on with the next free slot
        this.running = 0;
        this.children = []; // [attempt, request] of this turn
        this.telling = []; // that wait, and have not said so
        this.results = []; // [bytes, attempt]
        this.returned = [];
        this.showing = new Set(); // attempts, whose progress has not travelled
        this.shownAt = 0;
        this.unsafe = 0; // bytes reported and not taken
        this.rootSigners = new Map(); // by hex id of the root
        this.enlisted = deferred();
        this.ended = deferred();
    }

    // -- the session

    isReady() {
        return this.isWelcome && this.isEnlisted;
    }

    onSession() {
        this.isEnlisted = false;
        this.#enlist();
    }

    #enlist() {
        const { instance, slots, window, handlers } = this.worker;
        this.enlisting = this.tell("enlist", {
            instance, slots, window, max_waiting: 1024, held: this.#heldList(),
            functions: this.isDraining ? [] : [...handlers.keys()],
        });
    }

    #heldList() {
        return [...this.held.values()].map((each) =>
            ({ task: each.task, attempt: each.number, state: each.state }));
    }

    heartbeat() {
        return { held: this.#heldList() };
    }

    /* Of an Enlist. */
    on_welcome(body) {
        if (!body.session) {
            return;
        }
        if (this.index !== 0 && this.index !== body.session) {
            [...this.held.values()].forEach((attempt) => this.#forgetAttempt(attempt));
            this.asks.clear();
            [this.results, this.returned, this.unsafe] = [[], [], 0];
        }
        this.index = body.session;
        this.isEnlisted = true;
        this.sendAgain();
        this.enlisted.resolve();
    }

    refused(correlation, body) {
        if (correlation === this.enlisting && body.retryable) {
            setTimeout(() => this.isClosed || this.#enlist(), Math.max(body.retry_ms, 500));
        } else if (correlation === this.enlisting) {
            this.end(new Refused(body.code, body.text));
            return;
        } else if (body.code === NO_WORKER_SESSION) { // retired meanwhile
            this.isEnlisted = false;
            this.#enlist();
        }
        super.refused(correlation, body);
    }

    // -- assignments

    on_assign(body) {
        if (!this.isEnlisted) {
            return; // nobody knows yet which session's it is; it is sent again
        }
        body.certificates.forEach((form) => this.trust.learn(form));
        for (const assignment of body.assignments) {
            if (!this.held.has(`${hex(assignment.task)}.${assignment.attempt}`)) {
                this.#takeAssignment(assignment, body.batches);
            }
        }
        this.#schedule();
    }

    #takeAssignment(assignment, batches) {
        let item;
        try {
            item = this.#verify(assignment, batches);
        } catch (error) {
            this.#giveBack(assignment, REFUSED_IT, error.message);
            return;
        }
        const attempt = new Attempt(this, assignment, item);
        this.held.set(attempt.name, attempt);
        if (!this.worker.handlers.has(item.function)) {
            this.#return(attempt, CANNOT_RUN, "no handler");
            return;
        }
        this.line.push(attempt);
        const rank = (each) => (each.isBehind ? 2 : 0) + (each.depth === 0 ? 1 : 0);
        this.line.sort((a, b) => rank(a) - rank(b));
    }

    /* The item, sealed by one who may submit it, with the id that is its own. errors: NotTrusted. */
    #verify(assignment, batches) {
        const sealed = this.sealer.open(batches[assignment.batch]);
        const item = decode("TaskItem", sealed.items[assignment.item]);
        const isRoot = item.parent.length === 0;
        this.trust.checkSubmitter(sealed.signer, item.function, this.ledgerMs());
        if (assignment.root_batch.length > 0) {
            const top = this.sealer.open(assignment.root_batch);
            const name = hex(rootId(top.signer, decode("TaskItem", top.items[0])));
            this.rootSigners.set(name, top.signer);
        }
        if (!isRoot) {
            const signer = this.rootSigners.get(hex(item.root));
            if (!signer) {
                throw new NotTrusted("a child without its root");
            }
            this.trust.checkSubmitter(signer, item.function, this.ledgerMs());
        }
        const identity = isRoot ? rootId(sealed.signer, item) : childId(item);
        if (sealed.kind !== TASK || !identity.equals(assignment.task)) {
            throw new NotTrusted("an item of another task");
        }
        return item;
    }

    /* Fills the free slots: first with what goes on. */
    #schedule() {
        const { slots } = this.worker;
        while (this.running < slots && this.resumed.length > 0) {
            const attempt = this.resumed.shift();
            this.#run(attempt);
            this.#handOn(attempt);
        }
        while (this.running < slots && this.line.length > 0 && !this.isDraining &&
            this.unsafe < UNSAFE_SIZE) {
            const attempt = this.line.shift();
            this.#run(attempt);
            this.worker.launch(attempt);
        }
        this.turn();
    }

    #run(attempt) {
        attempt.state = RUNNING;
        attempt.since = nowMs();
        this.running++;
    }

    /* It has a slot no more. */
    #release(attempt) {
        if (attempt.state === RUNNING) {
            this.running--;
            attempt.ran += nowMs() - attempt.since;
        }
        for (const name of ["line", "resumed", "telling"]) {
            this[name] = this[name].filter((each) => each !== attempt);
        }
    }

    /* An operator wants it to leave. */
    on_goodbye() {
        this.drain();
    }

    on_recall(body) {
        this.line.filter((each) => each.function === body.function)
            .forEach((attempt) => this.#return(attempt, UNSTARTED));
    }

    // -- children and waiting

    /* Takes a child, to be sealed with whatever else this turn has. */
    expand(attempt, request) {
        if (attempt.isOver || this.isClosed) {
            request.fail(new Cancelled("this attempt is over"));
            return;
        }
        this.children.push([attempt, request]);
        this.turn();
    }

    awaitChild(attempt, awaited) {
        const { request } = awaited;
        request.onEnd = (value) => this.#came(attempt, awaited, value);
        this.#addAwait(attempt, awaited);
        if (request.isAccepted) {
            this.expect(request);
        } else {
            this.expand(attempt, request);
        }
    }

    awaitPage(attempt, awaited, page) {
        this.#addAwait(attempt, awaited);
        this.ask("page", page, (value) => this.#came(attempt, awaited, value));
    }

    #addAwait(attempt, awaited) {
        attempt.awaits.push(awaited);
        this.#rest(attempt);
    }

    #came(attempt, awaited, value) {
        awaited.value = value;
        if (attempt.state === RUNNING) {
            this.#handOn(attempt);
        }
    }

    /* Gives an attempt that has a slot what has come. */
    #handOn(attempt) {
        const come = attempt.awaits.filter((each) => each.value !== undefined);
        attempt.awaits = attempt.awaits.filter((each) => each.value === undefined);
        come.forEach((awaited) => awaited.resolve(awaited.value));
        if (attempt.awaits.length > 0) {
            this.#rest(attempt);
        }
    }

    /* Has the attempt give its slot back once all of it that can run has run. */
    #rest(attempt) {
        const turns = ++attempt.turns;
        const rest = (left) => {
            if (attempt.turns !== turns || attempt.isOver) {
                return;
            }
            if (left > 0) {
                setImmediate(rest, left - 1);
            } else if (attempt.state === RUNNING && attempt.awaits.length > 0 &&
                !this.telling.includes(attempt)) {
                this.telling.push(attempt);
                this.turn();
            }
        };
        rest(REST_TURNS);
    }

    /* What an attempt waits for, or undefined while the mesh cannot know all of it yet.
     *
     *   positions  of requests: their places in the batch beside */
    #waitsOf(attempt, positions) {
        const ids = [], places = [], joins = [];
        for (const { request, joined } of attempt.awaits) {
            if (joined) {
                joins.push(joined);
            } else if (request.isAccepted) {
                ids.push(request.id);
            } else if (positions.has(request)) {
                places.push(positions.get(request));
            } else {
                return undefined;
            }
        }
        return { task: attempt.task, attempt: attempt.number, joins,
            awaited: Buffer.concat(ids.slice(0, 9000)), positions: Buffer.from(places) };
    }

    on_resume(body) {
        for (const each of body.resumed) {
            const attempt = this.held.get(`${hex(each.task)}.${each.attempt}`);
            if (attempt?.state === WAITING && !attempt.isOver && !this.resumed.includes(attempt)) {
                this.resumed.push(attempt);
            }
        }
        this.#schedule();
    }

    // -- stopping

    on_stop(body) {
        for (const stopped of body.stopped) {
            const attempt = this.held.get(`${hex(stopped.task)}.${stopped.attempt}`);
            if (!attempt) {
                if (stopped.reason === 0) {
                    this.#giveBack(stopped, STOPPED);
                }
            } else if (stopped.reason === AWAITED) {
                this.#waitRefused(attempt);
            } else if (stopped.reason !== 0) {
                this.#forgetAttempt(attempt);
            } else if (attempt.state === QUEUED && !attempt.isOver) {
                this.#return(attempt, STOPPED);
            } else if (!attempt.isOver) {
                this.#stopHandler(attempt);
            }
        }
        this.#schedule();
    }

    #waitRefused(attempt) {
        attempt.awaits.forEach((awaited) => {
            awaited.value ??= new Refused(AWAITED);
        });
        if (attempt.state === WAITING && !this.resumed.includes(attempt)) {
            this.resumed.push(attempt);
        }
    }

    /* Tells the handler to stop; what it does is over when it has returned. */
    #stopHandler(attempt) {
        const { awaits } = attempt;
        attempt.awaits = [];
        attempt.aborter.abort();
        awaits.forEach((each) => each.resolve(new Cancelled("this attempt was told to stop")));
    }

    /* Nothing of it counts any more. */
    #forgetAttempt(attempt) {
        this.#end(attempt);
        this.held.delete(attempt.name);
        this.#stopHandler(attempt);
    }

    /* Frees its slot. It is held until the mesh has taken what came of it: a leader that has not would
     * assign it again. */
    #end(attempt) {
        if (!attempt.isOver) {
            this.#release(attempt);
            this.showing.delete(attempt);
            attempt.isOver = true;
        }
    }

    #return(attempt, reason, words) {
        this.#end(attempt);
        this.#giveBack({ task: attempt.task, attempt: attempt.number }, reason, words);
    }

    #giveBack({ task, attempt }, reason, words = "") {
        this.returned.push({ task, attempt, reason, text: cut(words, 1024) });
        this.turn();
    }

    // -- results

    /* Takes what a handler made of an attempt, unless that was told to stop, or timed out. */
    handlerEnded(attempt, ended) {
        if (!attempt.isOver && attempt.signal.aborted) {
            this.#return(attempt, STOPPED);
        } else if (!attempt.isOver) {
            this.#report(attempt, ended);
        }
        this.#schedule();
    }

    #report(attempt, ended) {
        this.#end(attempt);
        this.results.push([encode("ResultItem", {
            nonce: randomBytes(16), task: attempt.task, root: attempt.root, parent: attempt.item.parent,
            function: attempt.function, payload_digest: digest(attempt.payload),
            attempt: attempt.number, session: this.index, code: ended.code, bytes: ended.bytes,
            text: cut(ended.text ?? "", 1024), run_ms: Math.floor(attempt.ran),
            content_type: ended.contentType,
        }), attempt]);
    }

    show(attempt) {
        if (!attempt.isOver) {
            this.showing.add(attempt);
        }
    }

    // -- a turn, and time

    endTurn() {
        if (this.isDraining) {
            this.line.forEach((attempt) => this.#return(attempt, UNSTARTED));
        }
        this.#sendChildren();
        this.#sendWaits();
        this.#sendResults();
        if (this.returned.length > 0) {
            const { returned } = this;
            this.returned = [];
            this.ask("returned", { returned }, () => this.#letGo(returned));
        }
        this.askForOutcomes();
        if (this.isDraining && this.held.size === 0 && this.asks.size === 0) {
            this.close();
        }
    }

    #sendResults() {
        const results = this.results;
        this.results = [];
        for (const part of partsOf(results, ([bytes]) => bytes.length)) {
            const size = part.reduce((sum, [bytes]) => sum + bytes.length, 0);
            const batch = this.sealer.seal(RESULT, part.map(([bytes]) => bytes));
            const attempts = part.map(([, attempt]) => attempt);
            const progress = attempts.map(({ shown }) => shown).filter((shown) => shown);
            this.unsafe += size;
            this.ask("report", { batch, progress }, () => {
                this.unsafe -= size;
                this.#letGo(attempts.map(({ task, number: attempt }) => ({ task, attempt })));
            });
        }
    }

    /* The mesh has taken what came of these. */
    #letGo(attempts) {
        attempts.forEach(({ task, attempt }) => this.held.delete(`${hex(task)}.${attempt}`));
        this.turn();
    }

    #sendChildren() {
        const children = this.children;
        this.children = [];
        for (const part of partsOf(children, ([, request]) => request.bytes.length)) {
            const requests = part.map(([, request]) => request);
            const attempts = new Map(part.map(([attempt, request]) => [request, attempt]));
            const positions = new Map(requests.map((request, i) => [request, i]));
            requests.forEach((request) => this.expect(request));
            this.ask("expand", {
                batch: this.sealRequests(requests),
                waits: this.#waits(new Set(attempts.values()), positions),
            }, (answer) => this.accepted(requests,
                (request) => this.expand(attempts.get(request), request), answer));
        }
    }

    #sendWaits() {
        const waits = this.#waits(new Set(this.telling), new Map());
        if (waits.length > 0) {
            this.ask("expand", { waits }, () => {});
        }
    }

    /* What those of the attempts that are to say it wait for; they have no slot any more. */
    #waits(attempts, positions) {
        const waits = [];
        for (const attempt of this.telling.filter((each) => attempts.has(each))) {
            const wait = this.#waitsOf(attempt, positions);
            if (wait) {
                waits.push(wait);
                this.#release(attempt);
                attempt.state = WAITING;
                this.#schedule();
            }
        }
        return waits;
    }

    tick(now) {
        super.tick(now);
        if (this.showing?.size > 0 && now - this.shownAt >= 100 && this.isReady()) {
            const showing = [...this.showing].slice(0, BATCH_ITEMS);
            this.shownAt = now;
            showing.forEach((attempt) => this.showing.delete(attempt));
            this.tell("progress", { progress: showing.map((attempt) => attempt.shown) });
        }
        [...this.held?.values() ?? []].filter((attempt) => !attempt.isOver)
            .forEach((attempt) => this.#watch(attempt, now));
        if (this.isDraining && now - this.heardAt > DRAIN_SILENT_MS) {
            this.close(); // there is nobody to take anything
        }
    }

    /* Ends what has run for too long, or what may run elsewhere by now. */
    #watch(attempt, now) {
        const { timeout_ms: timeoutMs, at_most_once: isOnce } = attempt.item;
        if (timeoutMs && attempt.state === RUNNING && attempt.ran + now - attempt.since > timeoutMs) {
            this.#report(attempt, { code: 3, text: `over its timeout of ${timeoutMs} ms` });
            this.#stopHandler(attempt);
            this.#schedule();
        } else if (isOnce && now - this.heardAt > AT_MOST_ONCE_MS) {
            if (attempt.state === QUEUED) {
                this.#return(attempt, UNSTARTED);
            } else if (!attempt.signal.aborted) {
                this.#stopHandler(attempt);
            }
        }
    }

    /* Finishes what has started, hands the rest back, then takes leave. */
    drain() {
        if (!this.isDraining && !this.isClosed) {
            this.isDraining = true;
            if (this.isWelcome) {
                this.#enlist();
            }
            this.turn();
        }
    }

    failAll(error) {
        super.failAll(error);
        this.enlisted.reject(error);
        [...this.held.values()].forEach((attempt) => this.#forgetAttempt(attempt));
        this.ended.resolve(this.isDraining ? undefined : error);
    }
}

function endedBadly(error) {
    if (error instanceof Failure) {
        return { code: error.permanent ? 2 : 1, bytes: error.bytes, text: error.message };
    }
    if (error instanceof GroveError) {
        return { code: 1, text: error.message };
    }
    return { code: 1, text: String(error) };
}

function endedWell(value) {
    const [bytes, contentType] = value instanceof Result ? [value.bytes, value.contentType]
        : toPayload(value);
    return { code: 0, bytes, contentType };
}

/* Runs tasks. Name handlers with `task` or `handle`, then `run()`.
 *
 *   instance    names this worker over restarts; default: host name and process
 *   slots       attempts that run at a time (1); window: how many are assigned ahead of that (0)
 *   credential  as of Client.open */
export class Worker {
    constructor({ instance, slots = 1, window = 0, credential } = {}) {
        this.instance = instance ?? cut(`${hostname()}/node-${process.pid}`, 63);
        Object.assign(this, { slots, window, credential: new Credential(credential) });
        this.handlers = new Map();
    }

    /* Names a handler, which gets the one JSON value that its Task is given. */
    task(name, handler) {
        this.#name(name, (attempt) =>
            handler(attempt.payload.length > 0 ? JSON.parse(attempt.payload) : {}));
        return new Task(name);
    }

    /* Names a handler that gets the payload's value: bytes, a text, or what JSON says. */
    handle(name, handler) {
        this.#name(name, (attempt) => handler(attempt.value()));
    }

    #name(name, run) {
        if (!/^[a-z0-9._-]{1,63}$/.test(name)) {
            throw new GroveError(`a function's name is [a-z0-9._-]{1,63}, not ${name}`);
        }
        this.handlers.set(name, run);
    }

    /* Enlists and works in the background. errors: GroveError: nobody takes it in time. */
    async start({ timeoutMs = 5000 } = {}) {
        this.engine = new WorkerEngine(this.credential, this);
        await this.engine.open(timeoutMs);
        const late = setTimeout(() =>
            this.engine.end(new GroveError("the mesh does not take this worker")), timeoutMs);
        await this.engine.enlisted.promise.finally(() => clearTimeout(late));
    }

    /* Works until `stop`, SIGTERM or SIGINT: then it finishes what has started, hands the rest back and
     * takes leave. errors: as start; what ended it. */
    async run() {
        const stop = () => this.stop();
        process.once("SIGTERM", stop).once("SIGINT", stop);
        await this.start();
        await this.ended();
    }

    stop() {
        this.engine.drain();
    }

    /* Waits until it has taken leave. */
    async ended() {
        raised(await this.engine.ended.promise);
    }

    /* Starts the handler of an attempt that has a slot. */
    async launch(attempt) {
        let ended;
        try {
            const run = this.handlers.get(attempt.function);
            ended = endedWell(await scope.run(attempt, async () => run(attempt)));
        } catch (error) {
            ended = endedBadly(error);
        }
        this.engine.handlerEnded(attempt, ended);
    }
}

// ---- the calls of a handler, which make children of its task; as those of Caller

export const submit = (task, payload, options) => current().submit(task, payload, options);
export const submitMany = (task, payloads, options) =>
    current().submitMany(task, payloads, options);
export const wait = (task, payload, options) => current().wait(task, payload, options);
export const result = (identity) => current().result(identity);
export const gather = (inputs, options) => current().gather(inputs, options);
export const race = (inputs, options) => current().race(inputs, options);
export const map = (task, payloads, options) => current().map(task, payloads, options);
export const cancel = (identity) => current().cancel(identity);
