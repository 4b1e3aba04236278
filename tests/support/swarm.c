/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/swarm.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/limits.h"
#include "core/revocation.h"

#define ARENA_SIZE ((size_t)256 * 1024)
#define KNOWN_MOST 4096
#define ATTEMPTS_MOST 8192
#define SESSIONS_MOST 64
#define BATCH_MOST 12
#define START_MS UINT64_C(1700000000000)

/* Two clients, an operator, four workers, one of them with few rights, one without a certificate,
 * and a worker that comes when all others have gone. */
enum { CLIENTS = 2, OPERATOR = 2, WORKERS_FROM = 3, STRANGER = 7, STEADY = 8, IDENTITIES = 9 };

static const char *const functions[] = {"flow", "segment", "step", "step2", "rare", "Bad Name", ""};
#define FUNCTION_COUNT 7

struct known {
    struct id id;
    struct task_item item; /* its slices are in `bytes` */
    struct key signer;
    uint8_t payload[64];
    char key[8];
    char function[16];
};

struct session {
    uint64_t index;
    struct key identity;
};

/* A join that was opened, by all that its messages said. */
#define INPUTS_MOST 48
struct swarm_join {
    struct id id, parent;
    bool is_outside;
    struct join_terms terms;
    char function[16];
    uint32_t count;
    size_t inputs[INPUTS_MOST]; /* in swarm->known */
};
#define JOINS_MOST 128

struct swarm {
    uint64_t random;
    uint64_t seed;
    uint64_t now_ms;
    struct signer mesh;
    struct signer identities[IDENTITIES];
    struct buffer forms[32]; /* certificates and revocations, signed */
    size_t form_count;
    size_t admitted; /* of the certificates that a good start needs */
    struct known *known;
    size_t known_count;
    struct swarm_attempt *attempts;
    size_t attempt_count;
    struct swarm_join *joins;
    size_t join_count;
    struct session sessions[SESSIONS_MOST];
    size_t session_count;
    uint64_t applied;
    struct command command;
    uint8_t *arena; /* of the last command */
    size_t arena_size;
    struct buffer frame;
    struct buffer scratch;
    char text[256];
};

/* ---- chance */

static uint64_t next_random(struct swarm *swarm)
{
    uint64_t z = (swarm->random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t swarm_draw(struct swarm *swarm, uint32_t below)
{
    return (uint32_t)((next_random(swarm) >> 32) * below >> 32);
}

static bool chance(struct swarm *swarm, uint32_t percent)
{
    return swarm_draw(swarm, 100) < percent;
}

static struct id draw_id(struct swarm *swarm)
{
    struct id id;

    for (size_t i = 0; i < sizeof(id.byte); i++) {
        id.byte[i] = (uint8_t)next_random(swarm);
    }
    return id;
}

/* ---- identities */

static struct signer signer_of(uint8_t number)
{
    struct signer signer;
    const uint8_t seed[crypto_sign_SEEDBYTES] = {number, 0x5e, 0xed};

    crypto_sign_seed_keypair(signer.public_key.byte, signer.secret, seed);
    return signer;
}

static void issue(struct swarm *swarm, uint8_t who, uint32_t roles, const char *pattern,
                  uint64_t not_before_ms)
{
    struct certificate certificate = {
        .mesh = swarm->mesh.public_key,
        .serial = {{who, (uint8_t)swarm->form_count}},
        .name = "node",
        .roles = roles,
        .sign_key = swarm->identities[who].public_key,
        .link_key = {{who, 1}},
        .submit_count = 1,
        .run_count = 1,
        .not_before_ms = not_before_ms,
        .not_after_ms = START_MS * 2,
    };

    memcpy(certificate.submit[0].text, pattern, strlen(pattern));
    memcpy(certificate.run[0].text, pattern, strlen(pattern));
    certificate_issue(&swarm->forms[swarm->form_count++], &certificate, &swarm->mesh);
}

static void issue_all(struct swarm *swarm)
{
    struct revocation revocation = {.mesh = swarm->mesh.public_key};

    issue(swarm, 0, ROLE_CLIENT, "*", 1);
    issue(swarm, 1, ROLE_CLIENT | ROLE_OBSERVER, "*", 1);
    issue(swarm, OPERATOR, ROLE_OPERATOR, "*", 1);
    for (unsigned i = WORKERS_FROM; i < STRANGER; i++) {
        issue(swarm, (uint8_t)i, ROLE_WORKER, i + 1 == STRANGER ? "st*" : "*", 1);
    }
    issue(swarm, STEADY, ROLE_WORKER, "*", 1);
    swarm->admitted = swarm->form_count;
    /* From here on what comes later or never: renewals, an early one, revocations. */
    issue(swarm, 1, ROLE_CLIENT, "st*", START_MS);
    issue(swarm, WORKERS_FROM, ROLE_WORKER, "*", START_MS);
    issue(swarm, WORKERS_FROM + 1, ROLE_WORKER, "flow", START_MS + 50000);
    revocation.serial = (struct id){{WORKERS_FROM, WORKERS_FROM}};
    revocation_issue(&swarm->forms[swarm->form_count++], &revocation, &swarm->mesh);
    revocation.of_identity = true;
    revocation.sign_key = swarm->identities[WORKERS_FROM + 2].public_key;
    revocation_issue(&swarm->forms[swarm->form_count++], &revocation, &swarm->mesh);
    buffer_append(&swarm->forms[swarm->form_count++], "nonsense", 8);
}

/* ---- an arena for what a command points to */

static void *take(struct swarm *swarm, size_t size)
{
    void *taken = swarm->arena + swarm->arena_size;

    swarm->arena_size += (size + 15) / 16 * 16;
    assert(swarm->arena_size <= ARENA_SIZE);
    memset(taken, 0, size);
    return taken;
}

static struct bytes keep(struct swarm *swarm, struct bytes bytes)
{
    void *kept = take(swarm, bytes.size);

    if (bytes.size > 0) {
        memcpy(kept, bytes.data, bytes.size);
    }
    return bytes_of(kept, bytes.size);
}

/* Opens the frame that was just written, at a place that stays. */
static struct bytes frame_body(struct swarm *swarm, struct wire_writer *writer)
{
    struct message message;

    wire_close(writer);
    const struct bytes frame = keep(swarm, buffer_bytes(&swarm->frame));
    buffer_reset(&swarm->frame);
    const enum grove_status status = wire_message_open(frame, &message);
    assert(status == GROVE_OK);
    return message.body;
}

/* ---- batches */

struct draft {
    unsigned count;
    struct batch *batch;
    struct digest *leaves, *digests;
    struct id *ids;
};

static struct draft draft_begin(struct swarm *swarm, enum seal_kind kind, const struct key *signer)
{
    struct draft draft = {
        .batch = take(swarm, sizeof(struct batch)),
        .leaves = take(swarm, BATCH_MOST * sizeof(struct digest)),
        .digests = take(swarm, BATCH_MOST * sizeof(struct digest)),
        .ids = take(swarm, BATCH_MOST * sizeof(struct id)),
    };

    draft.batch->sealed.seal.signer = *signer;
    draft.batch->sealed.seal.kind = (uint8_t)kind;
    draft.batch->sealed.seal.signature.byte[0] = (uint8_t)next_random(swarm);
    return draft;
}

/* Adds the item that is encoded in `scratch`. */
static void draft_add(struct swarm *swarm, struct draft *draft, const struct id *id,
                      const struct digest *digest)
{
    struct sealed *sealed = &draft->batch->sealed;
    const unsigned at = draft->count++;

    assert(at < BATCH_MOST);
    sealed->index[at] = (uint8_t)at;
    sealed->item[at] = keep(swarm, buffer_bytes(&swarm->scratch));
    draft->leaves[at] = seal_leaf(sealed->item[at]);
    draft->ids[at] = *id;
    if (digest) {
        draft->digests[at] = *digest;
    }
    buffer_reset(&swarm->scratch);
}

static struct batch draft_end(struct swarm *swarm, struct draft *draft)
{
    struct batch *batch = draft->batch;

    batch->sealed.item_count = (uint16_t)draft->count;
    batch->sealed.seal.count = (uint16_t)draft->count;
    batch->leaves = draft->leaves;
    batch->ids = draft->ids;
    batch->digests = batch->sealed.seal.kind == SEAL_TASK ? draft->digests : NULL;
    wire_sealed_encode(&swarm->scratch, &batch->sealed);
    batch->bytes = keep(swarm, buffer_bytes(&swarm->scratch));
    buffer_reset(&swarm->scratch);
    return *batch;
}

/* ---- tasks */

static void point_into(struct known *known)
{
    known->item.function = bytes_of_text(known->function);
    known->item.payload.data = known->payload;
    known->item.key = bytes_of_text(known->key);
}

static void draw_options(struct swarm *swarm, struct task_item *item)
{
    item->expires_ms = swarm->now_ms + (chance(swarm, 5) ? 0 : swarm_draw(swarm, 40000));
    if (chance(swarm, 15)) {
        item->has_priority = true;
        item->priority = (int32_t)swarm_draw(swarm, 7) - 3;
    }
    if (chance(swarm, 15)) {
        item->delay_ms = swarm_draw(swarm, 5000);
    }
    if (chance(swarm, 15)) {
        item->deadline_ms = swarm->now_ms - 500 + swarm_draw(swarm, 20000);
    }
    if (chance(swarm, 10)) {
        item->timeout_ms = 1 + swarm_draw(swarm, 5000);
    }
    if (chance(swarm, 50)) {
        item->max_attempts = 1 + swarm_draw(swarm, 4);
    }
    if (chance(swarm, 10)) {
        item->max_tasks = swarm_draw(swarm, 8);
    }
    if (chance(swarm, 10)) {
        item->max_bytes = swarm_draw(swarm, 3000);
    }
    item->at_most_once = chance(swarm, 10);
    item->fresh = chance(swarm, 10);
    if (chance(swarm, 2)) { /* beyond every bound */
        item->has_priority = true;
        item->priority = INT32_MIN;
        item->max_attempts = UINT32_MAX;
        item->delay_ms = UINT64_MAX;
        item->deadline_ms = UINT64_MAX;
        item->expires_ms = UINT64_MAX;
    }
}

static struct known *new_known(struct swarm *swarm)
{
    struct known *known =
        &swarm->known[swarm->known_count < KNOWN_MOST ? swarm->known_count++
                                                      : swarm_draw(swarm, KNOWN_MOST)];
    const uint32_t name =
        chance(swarm, 97) ? swarm_draw(swarm, 5) : swarm_draw(swarm, FUNCTION_COUNT);

    memset(known, 0, sizeof(*known));
    memcpy(known->function, functions[name], strlen(functions[name]));
    known->item.payload.size = swarm_draw(swarm, chance(swarm, 90) ? 8 : sizeof(known->payload));
    known->payload[0] = (uint8_t)swarm_draw(swarm, 4);
    if (chance(swarm, 20)) {
        known->key[0] = (char)('a' + swarm_draw(swarm, 12));
    }
    const struct id nonce = draw_id(swarm);
    memcpy(known->item.nonce, &nonce, sizeof(nonce));
    draw_options(swarm, &known->item);
    return known;
}

/* Encodes a task and adds it under its own id, now and then under another. */
static void add_task(struct swarm *swarm, struct draft *draft, struct known *known)
{
    struct id id;

    point_into(known);
    const struct digest digest = digest_of(known->item.payload);
    id = id_of_task(&known->item, &known->signer, &digest);
    if (chance(swarm, 1)) {
        id = draw_id(swarm);
    }
    known->id = id;
    wire_task_encode(&swarm->scratch, &known->item);
    draft_add(swarm, draft, &id, &digest);
}

static struct known *draw_known(struct swarm *swarm)
{
    return swarm->known_count > 0 ? &swarm->known[swarm_draw(swarm, (uint32_t)swarm->known_count)]
                                  : new_known(swarm);
}

/* One known before that has this parent (zero: a root), as often as not. */
static struct known *draw_known_of(struct swarm *swarm, const struct id *parent)
{
    struct known *known = draw_known(swarm);

    for (int i = 0; i < 12 && !id_equal(&known->item.lineage.parent, parent); i++) {
        known = draw_known(swarm);
    }
    return known;
}

static struct join_terms draw_terms(struct swarm *swarm)
{
    struct join_terms terms = {.kind = 1 + swarm_draw(swarm, 3), .first = {{1}}};

    terms.first.byte[1] = (uint8_t)swarm_draw(swarm, 200);
    if (terms.kind == JOIN_MAP) {
        terms.function = bytes_of_text(functions[swarm_draw(swarm, 4)]);
        terms.limit = 1 + swarm_draw(swarm, chance(swarm, 80) ? 3 : 200);
    }
    terms.first_settled = terms.kind == JOIN_RACE && chance(swarm, 20);
    terms.stop = chance(swarm, 40) ? 1 + swarm_draw(swarm, 3) : 0;
    return terms;
}

static struct swarm_join *note_join(struct swarm *swarm, const struct id *id,
                                    const struct id *parent, const struct join_terms *terms)
{
    struct swarm_join *join =
        &swarm->joins[swarm->join_count < JOINS_MOST ? swarm->join_count++
                                                     : swarm_draw(swarm, JOINS_MOST)];

    memset(join, 0, sizeof(*join));
    join->id = *id;
    join->parent = *parent;
    join->terms = *terms;
    if (terms->function.size > 0) {
        memcpy(join->function, terms->function.data, terms->function.size);
    }
    join->terms.function = bytes_of_text(join->function);
    return join;
}

/* Makes of a known root one that is a join. */
static void draw_outside(struct swarm *swarm, struct known *known)
{
    const struct join_terms terms = draw_terms(swarm);
    struct buffer encoded = {0};

    wire_terms_encode(&encoded, &terms);
    assert(encoded.size <= sizeof(known->payload));
    memcpy(known->payload, encoded.data, encoded.size);
    known->item.payload.size = encoded.size;
    memcpy(known->function, "grove.join", sizeof("grove.join"));
    if (chance(swarm, 90)) {
        known->item.delay_ms = 0;
        known->item.max_attempts = 0;
        known->item.at_most_once = false;
    }
    point_into(known);
    const struct digest digest = digest_of(known->item.payload);
    const struct id id = id_of_task(&known->item, &known->signer, &digest);
    note_join(swarm, &id, &id, &terms)->is_outside = true;
    buffer_clear(&encoded);
}

static void draw_submit(struct swarm *swarm)
{
    static const struct id none = {{0}};
    const uint8_t who =
        (uint8_t)(chance(swarm, 90) ? swarm_draw(swarm, CLIENTS) : swarm_draw(swarm, STEADY));
    const struct key *signer = &swarm->identities[who].public_key;
    struct draft draft = draft_begin(swarm, SEAL_TASK, signer);
    const uint32_t count = 1 + swarm_draw(swarm, chance(swarm, 70) ? 3 : BATCH_MOST);

    for (uint32_t i = 0; i < count; i++) {
        const bool again = chance(swarm, 10);
        struct known *known = again ? draw_known_of(swarm, &none) : new_known(swarm);
        if (!again || chance(swarm, 30)) {
            known->signer = *signer;
        }
        if (again && chance(swarm, 50)) {
            known->item.expires_ms = swarm->now_ms + swarm_draw(swarm, 40000);
        }
        if (again && chance(swarm, 30)) {
            known->payload[0] ^= 1;
        }
        if (!again && chance(swarm, 8)) {
            draw_outside(swarm, known);
        }
        if (chance(swarm, 1)) {
            known->item.lineage = (struct lineage){.present = true, .parent = draw_id(swarm)};
        }
        if (chance(swarm, 8)) {
            known->item.has_retry_of = true;
            known->item.retry_of = chance(swarm, 90) ? draw_known(swarm)->id : draw_id(swarm);
        }
        add_task(swarm, &draft, known);
    }
    swarm->command.submit.batch = draft_end(swarm, &draft);
}

/* ---- what workers say about what they hold */

static struct swarm_attempt draw_attempt(struct swarm *swarm)
{
    struct swarm_attempt attempt = {.task = draw_id(swarm), .attempt = 1, .session = 1};

    if (swarm->attempt_count > 0) {
        attempt = swarm->attempts[swarm_draw(swarm, (uint32_t)swarm->attempt_count)];
    }
    if (chance(swarm, 2)) {
        attempt.attempt += swarm_draw(swarm, 3) - 1;
    }
    if (chance(swarm, 2) && swarm->known_count > 0) {
        attempt.task = draw_known(swarm)->id;
    }
    if (chance(swarm, 2) && swarm->session_count > 0) {
        attempt.session = swarm->sessions[swarm_draw(swarm, (uint32_t)swarm->session_count)].index;
    }
    return attempt;
}

/* Another attempt of the same session, as often as not. */
static struct swarm_attempt draw_attempt_of(struct swarm *swarm, uint64_t session)
{
    struct swarm_attempt attempt = draw_attempt(swarm);

    for (int i = 0; i < 8 && attempt.session != session; i++) {
        attempt = draw_attempt(swarm);
    }
    return attempt;
}

static const struct key *identity_of(struct swarm *swarm, uint64_t session)
{
    for (size_t i = 0; i < swarm->session_count; i++) {
        if (swarm->sessions[i].index == session && chance(swarm, 99)) {
            return &swarm->sessions[i].identity;
        }
    }
    return &swarm->identities[swarm_draw(swarm, STEADY)].public_key;
}

static void put_progress(struct swarm *swarm, struct wire_writer *writer, uint32_t field,
                         const struct swarm_attempt *attempt)
{
    const struct progress_item item = {
        .task = attempt->task,
        .attempt = attempt->attempt,
        .percent = swarm_draw(swarm, 101),
        .text = bytes_of_text(chance(swarm, 50) ? "half way" : ""),
    };

    if (chance(swarm, 20)) {
        wire_put_progress(writer, field, &item);
    }
}

static void add_child(struct swarm *swarm, struct draft *draft, const struct forest *forest,
                      const struct swarm_attempt *parent, const struct key *signer)
{
    const bool again = chance(swarm, 15);
    struct known *known = again ? draw_known_of(swarm, &parent->task) : new_known(swarm);
    struct task_view view = {0};

    known->signer = *signer;
    (void)forest_task(forest, &parent->task, &view);
    known->item.lineage = (struct lineage){
        .present = !chance(swarm, 1),
        .parent = parent->task,
        .root = chance(swarm, 1) ? draw_id(swarm) : view.root,
        .attempt = parent->attempt,
        .generation = view.generation + (chance(swarm, 1) ? 1 : 0),
        .occurrence = swarm_draw(swarm, 3),
        .join_kind = chance(swarm, 1) ? 1 : 0,
    };
    add_task(swarm, draft, known);
}

static void put_waits(struct swarm *swarm, struct wire_writer *writer, unsigned children,
                      const struct swarm_attempt *attempt)
{
    struct id awaited[6];
    uint8_t positions[BATCH_MOST + 1];
    size_t awaited_count = 0;
    size_t position_count = 0;

    for (uint32_t i = 0; i < swarm->known_count && awaited_count < 5; i++) {
        const struct known *known = draw_known(swarm);
        if (id_equal(&known->item.lineage.parent, &attempt->task) && chance(swarm, 80)) {
            awaited[awaited_count++] = known->id;
        }
    }
    if (chance(swarm, 2)) {
        awaited[awaited_count++] = chance(swarm, 50) ? draw_id(swarm) : attempt->task;
    }
    for (unsigned i = 0; i < children; i++) {
        if (chance(swarm, 80)) {
            positions[position_count++] = (uint8_t)i;
        }
    }
    if (chance(swarm, 2)) {
        positions[position_count++] = (uint8_t)swarm_draw(swarm, 256);
    }
    const struct waits waits = {
        .task = attempt->task,
        .attempt = attempt->attempt,
        .awaited = bytes_of(awaited, awaited_count * sizeof(struct id)),
        .positions = bytes_of(positions, position_count),
    };
    wire_put_waits(writer, EXPAND_WAITS, &waits);
}

/* ---- joins */

/* A join of this parent that is known, or a new one; of a grove.join root the one it has. */
static struct swarm_join *draw_join(struct swarm *swarm, const struct id *parent,
                                    uint32_t generation)
{
    for (uint32_t i = 0; i < swarm->join_count && chance(swarm, 98); i++) {
        struct swarm_join *join = &swarm->joins[swarm_draw(swarm, (uint32_t)swarm->join_count)];
        if (id_equal(&join->parent, parent) && chance(swarm, 70)) {
            return join;
        }
    }
    const struct join_terms terms = draw_terms(swarm);
    uint32_t tag;
    const struct id id = id_of_join(parent, generation, &terms, &tag);
    return note_join(swarm, &id, parent, &terms);
}

/* The input at a place, as it was, or a new one. */
static struct known *draw_input(struct swarm *swarm, struct swarm_join *join, uint32_t position)
{
    if (position < join->count && chance(swarm, 97)) {
        return &swarm->known[join->inputs[position]];
    }
    struct known *known = new_known(swarm);
    if (join->terms.kind == JOIN_MAP && chance(swarm, 99)) {
        memset(known->function, 0, sizeof(known->function));
        memcpy(known->function, join->function, strlen(join->function));
    }
    if (chance(swarm, 90)) {
        known->key[0] = '\0';
    }
    if (position == join->count && position < INPUTS_MOST) {
        join->inputs[join->count++] = (size_t)(known - swarm->known);
    }
    return known;
}

static void put_awaited_join(struct swarm *swarm, struct wire_writer *writer,
                             const struct append *append, const struct id *id)
{
    const struct waits waits = {.task = append->parent, .attempt = append->attempt};
    const struct awaited_join awaited = {.join = chance(swarm, 98) ? *id : draw_id(swarm),
                                         .until = swarm_draw(swarm, 4),
                                         .room = swarm_draw(swarm, 2) * 250};
    const size_t opened = wire_open_waits(writer, &waits);

    wire_put_awaited_join(writer->out, &awaited);
    wire_close_waits(writer, opened);
}

static void add_inputs(struct swarm *swarm, struct draft *draft, struct swarm_join *join,
                       struct append *append, const struct lineage *lineage,
                       const struct key *signer)
{
    const uint32_t most = BATCH_MOST - draft->count;

    append->offset = chance(swarm, 70) ? join->count : swarm_draw(swarm, join->count + 1);
    append->first = draft->count;
    append->count = most > 0 ? swarm_draw(swarm, most < 5 ? most + 1 : 5) : 0;
    for (uint32_t i = 0; i < append->count; i++) {
        struct known *known = draw_input(swarm, join, append->offset + i);
        known->signer = *signer;
        known->item.lineage = *lineage;
        known->item.lineage.join_position = append->offset + i + (chance(swarm, 1) ? 1 : 0);
        add_task(swarm, draft, known);
    }
    if (chance(swarm, 1)) {
        append->count += 3;
    }
}

/* An Append for a join of an attempt, or of a grove.join root, with its inputs in the batch. */
static void put_append(struct swarm *swarm, struct wire_writer *writer, struct draft *draft,
                       const struct forest *forest, struct swarm_join *join,
                       const struct swarm_attempt *attempt, const struct key *signer)
{
    struct task_view view = {0};
    struct buffer encoded = {0};
    struct append append = {.parent = attempt->task, .attempt = attempt->attempt};
    uint32_t tag = 0;

    (void)forest_task(forest, &attempt->task, &view);
    join->terms.revision += chance(swarm, 3);
    append.generation = view.generation;
    append.close = chance(swarm, 40);
    struct lineage lineage = {.present = true,
                              .parent = attempt->task,
                              .root = view.root,
                              .attempt = attempt->attempt,
                              .generation = view.generation,
                              .join_kind = join->terms.kind + JOIN_REVISION * join->terms.revision};
    if (!join->is_outside) {
        join->id = id_of_join(&attempt->task, view.generation, &join->terms, &tag);
        wire_terms_encode(&encoded, &join->terms);
        append.terms = keep(swarm, buffer_bytes(&encoded));
    }
    lineage.occurrence = tag;
    struct id *ids = (struct id *)(void *)take(swarm, sizeof(struct id));
    *ids = join->id;
    swarm->command.expand.joins = ids;
    if (join->terms.kind == JOIN_GATHER && chance(swarm, 20)) {
        const struct known *known = draw_known_of(swarm, &attempt->task);
        append.adopted = keep(swarm, bytes_of(&known->id, sizeof(known->id)));
        append.offset = join->count;
    } else {
        add_inputs(swarm, draft, join, &append, &lineage, signer);
    }
    wire_put_append(writer, EXPAND_APPENDS, &append);
    if (chance(swarm, 60)) {
        put_awaited_join(swarm, writer, &append, ids);
    }
    buffer_clear(&encoded);
}

static void end_expand(struct swarm *swarm, struct wire_writer *writer, struct draft *draft)
{
    struct expand expand;
    const enum grove_status status = wire_expand_decode(frame_body(swarm, writer), &expand);

    assert(status == GROVE_OK);
    swarm->command.expand.has_batch = draft->count > 0;
    if (draft->count > 0) {
        swarm->command.expand.batch = draft_end(swarm, draft);
    }
    swarm->command.expand.waits = expand.waits;
    swarm->command.expand.progress = expand.progress;
    swarm->command.expand.appends = expand.appends;
}

/* A client's inputs for a join of its own, or now and then of another's. */
static void draw_outside_append(struct swarm *swarm, const struct forest *forest)
{
    struct swarm_join *join = &swarm->joins[swarm_draw(swarm, (uint32_t)swarm->join_count)];
    const struct key *signer = &swarm->identities[swarm_draw(swarm, CLIENTS)].public_key;
    const struct swarm_attempt attempt = {.task = join->parent, .attempt = 1};
    struct draft draft = draft_begin(swarm, SEAL_TASK, signer);
    struct wire_writer writer;

    wire_open(&writer, &swarm->frame, MESSAGE_EXPAND, 0);
    put_append(swarm, &writer, &draft, forest, join, &attempt, signer);
    swarm->command.expand.identity = *signer;
    end_expand(swarm, &writer, &draft);
}

static void draw_cancel(struct swarm *swarm)
{
    const struct known *known = draw_known(swarm);
    const struct swarm_attempt by = draw_attempt(swarm);

    swarm->command.cancel.task = known->id;
    swarm->command.cancel.identity = chance(swarm, 70) ? known->signer
                                     : chance(swarm, 50)
                                         ? swarm->identities[OPERATOR].public_key
                                         : swarm->identities[swarm_draw(swarm, STEADY)].public_key;
    if (chance(swarm, 40)) {
        swarm->command.cancel.session = by.session;
        swarm->command.cancel.by = by.task;
        swarm->command.cancel.attempt = by.attempt;
        swarm->command.cancel.task = draw_known_of(swarm, &by.task)->id;
    }
    swarm->command.cancel.code = chance(swarm, 80) ? CODE_CANCELLED : CODE_ABANDONED;
}

static void draw_expand(struct swarm *swarm, const struct forest *forest)
{
    const struct swarm_attempt attempt = draw_attempt(swarm);
    const struct key *signer = identity_of(swarm, attempt.session);
    struct draft draft = draft_begin(swarm, SEAL_TASK, signer);
    const uint32_t count = swarm_draw(swarm, chance(swarm, 80) ? 4 : BATCH_MOST);
    struct wire_writer writer;

    for (uint32_t i = 0; i < count; i++) {
        const struct swarm_attempt other = draw_attempt_of(swarm, attempt.session);
        add_child(swarm, &draft, forest, chance(swarm, 90) ? &attempt : &other, signer);
    }
    wire_open(&writer, &swarm->frame, MESSAGE_EXPAND, 0);
    if (chance(swarm, 70)) {
        put_waits(swarm, &writer, count, &attempt);
    }
    if (chance(swarm, 10)) {
        const struct swarm_attempt other = draw_attempt_of(swarm, attempt.session);
        put_waits(swarm, &writer, count, &other);
    }
    put_progress(swarm, &writer, EXPAND_PROGRESS, &attempt);
    if (chance(swarm, 40)) {
        struct task_view view = {0};
        (void)forest_task(forest, &attempt.task, &view);
        put_append(swarm, &writer, &draft, forest, draw_join(swarm, &attempt.task, view.generation),
                   &attempt, signer);
    }
    swarm->command.expand.session = attempt.session;
    end_expand(swarm, &writer, &draft);
}

static void add_result(struct swarm *swarm, struct draft *draft, const struct forest *forest,
                       const struct swarm_attempt *attempt)
{
    static const enum outcome_code codes[] = {CODE_FAILED, CODE_FAILED, CODE_PERMANENT,
                                              CODE_TIMEOUT};
    struct task_view view = {0};
    const bool known = forest_task(forest, &attempt->task, &view);
    struct result_item item = {
        .task = attempt->task,
        .root = view.root,
        .has_parent = known && !view.is_root,
        .parent = view.parent,
        .function = view.function,
        .payload_digest = view.payload_digest,
        .attempt = attempt->attempt,
        .session = attempt->session,
        .code = chance(swarm, 60) ? CODE_SUCCEEDED : codes[swarm_draw(swarm, 4)],
        .bytes = bytes_of_text(chance(swarm, 50) ? "a result" : ""),
        .run_ms = swarm_draw(swarm, 1000),
    };

    if (item.code != CODE_SUCCEEDED) {
        item.text = bytes_of_text("it broke");
    }
    if (chance(swarm, 1)) {
        item.payload_digest.byte[0] ^= 1;
    }
    if (chance(swarm, 1)) {
        item.session ^= 1;
    }
    const struct id nonce = draw_id(swarm);
    memcpy(item.nonce, &nonce, sizeof(nonce));
    wire_result_encode(&swarm->scratch, &item);
    draft_add(swarm, draft, &attempt->task, NULL);
}

static void draw_report(struct swarm *swarm, const struct forest *forest)
{
    const struct swarm_attempt first = draw_attempt(swarm);
    struct draft draft = draft_begin(swarm, SEAL_RESULT, identity_of(swarm, first.session));
    const uint32_t more = swarm_draw(swarm, 4);
    struct wire_writer writer;
    struct report report;

    add_result(swarm, &draft, forest, &first);
    for (uint32_t i = 0; i < more; i++) {
        const struct swarm_attempt other = draw_attempt_of(swarm, first.session);
        add_result(swarm, &draft, forest, &other);
    }
    wire_open(&writer, &swarm->frame, MESSAGE_REPORT, 0);
    wire_put_bytes(&writer, REPORT_BATCH, bytes_of_text("elsewhere"));
    put_progress(swarm, &writer, REPORT_PROGRESS, &first);
    const enum grove_status status = wire_report_decode(frame_body(swarm, &writer), &report);
    assert(status == GROVE_OK);
    swarm->command.report.session = first.session;
    swarm->command.report.batch = draft_end(swarm, &draft);
    swarm->command.report.progress = report.progress;
}

static void draw_return(struct swarm *swarm)
{
    const struct swarm_attempt first = draw_attempt(swarm);
    const uint32_t count = 1 + swarm_draw(swarm, 3);
    struct wire_writer writer;

    wire_open(&writer, &swarm->frame, MESSAGE_RETURN, 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct swarm_attempt attempt = i == 0 ? first : draw_attempt_of(swarm, first.session);
        const struct returned returned = {
            .task = attempt.task,
            .attempt = attempt.attempt,
            .reason = attempt.stopping && chance(swarm, 90) ? RETURN_STOPPED
                      : chance(swarm, 60)                   ? RETURN_UNSTARTED
                                                            : 1 + swarm_draw(swarm, 4),
            .text = bytes_of_text(chance(swarm, 50) ? "no such program" : ""),
        };
        wire_put_returned(&writer, RETURN_RETURNED, &returned);
    }
    const enum grove_status status =
        wire_return_decode(frame_body(swarm, &writer), &swarm->command.return_.returned);
    assert(status == GROVE_OK);
    swarm->command.return_.session = first.session;
}

static void draw_checkpoint(struct swarm *swarm)
{
    const struct swarm_attempt attempt = draw_attempt(swarm);
    struct wire_writer writer;

    wire_open(&writer, &swarm->frame, MESSAGE_CHECKPOINT, 0);
    wire_put_bytes(&writer, CHECKPOINT_TASK, bytes_of(&attempt.task, sizeof(attempt.task)));
    wire_put_uint(&writer, CHECKPOINT_ATTEMPT, attempt.attempt);
    wire_put_bytes(&writer, CHECKPOINT_BYTES, bytes_of_text(chance(swarm, 80) ? "half" : ""));
    put_progress(swarm, &writer, CHECKPOINT_PROGRESS, &attempt);
    swarm->command.checkpoint.encoded = frame_body(swarm, &writer);
    const enum grove_status status = wire_checkpoint_decode(swarm->command.checkpoint.encoded,
                                                            &swarm->command.checkpoint.checkpoint);
    assert(status == GROVE_OK);
    swarm->command.checkpoint.session = attempt.session;
}

/* ---- workers come and go */

static void put_held(struct swarm *swarm, struct wire_writer *writer, const struct key *identity)
{
    for (size_t i = 0; i < swarm->attempt_count; i++) {
        const struct swarm_attempt *attempt = &swarm->attempts[i];
        const struct held held = {
            .task = attempt->task,
            .attempt = attempt->attempt,
            .state = attempt->waiting ? HELD_WAITING : swarm_draw(swarm, 2),
        };
        for (size_t k = 0; k < swarm->session_count; k++) {
            if (swarm->sessions[k].index == attempt->session &&
                key_equal(&swarm->sessions[k].identity, identity) && chance(swarm, 90)) {
                wire_put_held(writer, ENLIST_HELD, &held);
            }
        }
    }
}

static void draw_enlist(struct swarm *swarm)
{
    static const char *const instances[] = {"host-0", "host-1", "other-0"};
    const uint8_t who = (uint8_t)(chance(swarm, 95) ? WORKERS_FROM + swarm_draw(swarm, 4)
                                                    : swarm_draw(swarm, STEADY));
    const uint32_t instance = swarm_draw(swarm, 3);
    const struct key *identity = &swarm->identities[who].public_key;
    struct wire_writer writer;

    swarm->command.enlist.identity = *identity;
    swarm->command.enlist.boot =
        (struct id){{(uint8_t)(1 + swarm_draw(swarm, 3)), (uint8_t)instance, who}};
    wire_open(&writer, &swarm->frame, MESSAGE_ENLIST, 0);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text(instances[instance]));
    for (uint32_t i = 0; i < 5; i++) {
        if (chance(swarm, i == 4 ? 20 : 80)) {
            wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text(functions[i]));
        }
    }
    wire_put_uint(&writer, ENLIST_SLOTS, swarm_draw(swarm, 5));
    wire_put_uint(&writer, ENLIST_WINDOW, swarm_draw(swarm, 4));
    wire_put_uint(&writer, ENLIST_MAX_WAITING, swarm_draw(swarm, 6));
    put_held(swarm, &writer, identity);
    wire_put_uint(&writer, ENLIST_PREVIOUS_EXITED, chance(swarm, 50));
    swarm->command.enlist.encoded = frame_body(swarm, &writer);
    const enum grove_status status =
        wire_enlist_decode(swarm->command.enlist.encoded, &swarm->command.enlist.enlist);
    assert(status == GROVE_OK);
}

static void draw_retire(struct swarm *swarm)
{
    swarm->command.retire.session = swarm_draw(swarm, 100);
    if (swarm->session_count > 0 && chance(swarm, 95)) {
        swarm->command.retire.session =
            swarm->sessions[swarm_draw(swarm, (uint32_t)swarm->session_count)].index;
    }
    swarm->command.retire.reason = (enum retire_reason)(1 + swarm_draw(swarm, 3));
}

static void draw_trust(struct swarm *swarm)
{
    const size_t form = swarm->applied < swarm->admitted
                            ? (size_t)swarm->applied
                            : swarm_draw(swarm, (uint32_t)swarm->form_count);

    swarm->command.trust.certificate = buffer_bytes(&swarm->forms[form]);
}

/* ---- limits */

static void draw_limit(struct swarm *swarm)
{
    const uint32_t who = chance(swarm, 97) ? OPERATOR : swarm_draw(swarm, STEADY);
    const uint32_t name =
        chance(swarm, 97) ? swarm_draw(swarm, 5) : swarm_draw(swarm, FUNCTION_COUNT);

    swarm->command.limit.identity = swarm->identities[who].public_key;
    swarm->command.limit.limit = (struct limit){
        .function = bytes_of_text(functions[name]),
        .change = swarm_draw(swarm, 8),
        .running = chance(swarm, 70) ? 1 + swarm_draw(swarm, 4) : 0,
        .rate = chance(swarm, 40) ? 1 + swarm_draw(swarm, chance(swarm, 50) ? 3000 : 200000) : 0,
        .paused = chance(swarm, 15),
    };
}

/* Lifts a limit; false when there is none. */
static bool lift_limit(struct swarm *swarm, const struct forest *forest)
{
    struct function_view view = {.function = NULL};

    while (forest_function(forest, view.function, &view)) {
        if (view.limit.running > 0 || view.limit.rate > 0 || view.limit.paused) {
            swarm->command.kind = COMMAND_LIMIT;
            swarm->command.limit.identity = swarm->identities[OPERATOR].public_key;
            swarm->command.limit.limit = (struct limit){
                .function = keep(swarm, bytes_of_text(view.function)),
                .change = LIMIT_CHANGE_RUNNING | LIMIT_CHANGE_RATE | LIMIT_CHANGE_PAUSED};
            return true;
        }
    }
    return false;
}

/* ---- the stream */

static enum command_kind draw_kind(struct swarm *swarm)
{
    static const struct {
        enum command_kind kind;
        uint32_t weight;
    } table[] = {
        {COMMAND_SUBMIT, 20}, {COMMAND_EXPAND, 23},    {COMMAND_REPORT, 23}, {COMMAND_RETURN, 6},
        {COMMAND_EXPIRE, 8},  {COMMAND_CHECKPOINT, 2}, {COMMAND_ENLIST, 6},  {COMMAND_RETIRE, 3},
        {COMMAND_FORGET, 2},  {COMMAND_TRUST, 1},      {COMMAND_CANCEL, 3},  {COMMAND_SWEEP, 1},
        {COMMAND_LIMIT, 2},
    };
    uint32_t at = swarm_draw(swarm, 100);
    size_t i = 0;

    if (swarm->applied < swarm->admitted) {
        return COMMAND_TRUST;
    }
    if (swarm->applied < swarm->admitted + 3) {
        return COMMAND_ENLIST;
    }
    while (at >= table[i].weight) {
        at -= table[i++].weight;
    }
    return table[i].kind;
}

static void pass_time(struct swarm *swarm)
{
    const uint32_t luck = swarm_draw(swarm, 100);

    if (luck < 60) {
        swarm->now_ms += swarm_draw(swarm, 20);
    } else if (luck < 95) {
        swarm->now_ms += swarm_draw(swarm, 2000);
    } else if (luck < 99) {
        swarm->now_ms += swarm_draw(swarm, 100000);
    }
    swarm->command.at_ms = swarm->now_ms - (luck == 99 ? swarm_draw(swarm, 5000) : 0);
}

static void forget_attempt(struct swarm *swarm, size_t i)
{
    swarm->attempts[i] = swarm->attempts[--swarm->attempt_count];
}

/* Most of what is over is forgotten; what is left of it makes late and repeated messages. */
static void forget_what_is_over(struct swarm *swarm, const struct forest *forest)
{
    struct task_view view;

    for (size_t i = swarm->attempt_count; i-- > 0;) {
        const struct swarm_attempt *attempt = &swarm->attempts[i];
        const bool held = forest_task(forest, &attempt->task, &view) &&
                          view.session == attempt->session && view.attempt == attempt->attempt;
        if (!held && chance(swarm, 20)) {
            forget_attempt(swarm, i);
        }
    }
}

const struct command *swarm_next(struct swarm *swarm, const struct forest *forest)
{
    forget_what_is_over(swarm, forest);
    swarm->arena_size = 0;
    memset(&swarm->command, 0, sizeof(swarm->command));
    swarm->command.kind = draw_kind(swarm);
    pass_time(swarm);
    swarm->command.token = chance(swarm, 50) ? swarm->applied + 1 : 0;
    switch (swarm->command.kind) {
    case COMMAND_SUBMIT:
        draw_submit(swarm);
        break;
    case COMMAND_EXPAND:
        if (swarm->join_count > 0 && chance(swarm, 15)) {
            draw_outside_append(swarm, forest);
        } else {
            draw_expand(swarm, forest);
        }
        break;
    case COMMAND_REPORT:
        draw_report(swarm, forest);
        break;
    case COMMAND_RETURN:
        draw_return(swarm);
        break;
    case COMMAND_CHECKPOINT:
        draw_checkpoint(swarm);
        break;
    case COMMAND_ENLIST:
        draw_enlist(swarm);
        break;
    case COMMAND_RETIRE:
        draw_retire(swarm);
        break;
    case COMMAND_TRUST:
        draw_trust(swarm);
        break;
    case COMMAND_EXPIRE:
    case COMMAND_FORGET:
    case COMMAND_SWEEP:
        break;
    case COMMAND_CANCEL:
        draw_cancel(swarm);
        break;
    case COMMAND_LIMIT:
        draw_limit(swarm);
        break;
    }
    swarm->applied++;
    return &swarm->command;
}

/* ---- the end of all trouble */

/* The next session that is not the steady worker's, from `after` on; 0: none. */
static uint64_t other_session(const struct swarm *swarm, const struct forest *forest)
{
    const struct key *steady = &swarm->identities[STEADY].public_key;
    struct session_view view = {0};

    while (forest_session(forest, view.session, &view)) {
        if (!key_equal(&view.identity, steady)) {
            return view.session;
        }
    }
    return 0;
}

static void enlist_steady(struct swarm *swarm)
{
    struct wire_writer writer;

    swarm->command.kind = COMMAND_ENLIST;
    swarm->command.enlist.identity = swarm->identities[STEADY].public_key;
    swarm->command.enlist.boot = (struct id){{STEADY}};
    wire_open(&writer, &swarm->frame, MESSAGE_ENLIST, 0);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text("steady-0"));
    for (uint32_t i = 0; i < 5; i++) {
        wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text(functions[i]));
    }
    wire_put_uint(&writer, ENLIST_SLOTS, 1);
    swarm->command.enlist.encoded = frame_body(swarm, &writer);
    const enum grove_status status =
        wire_enlist_decode(swarm->command.enlist.encoded, &swarm->command.enlist.enlist);
    assert(status == GROVE_OK);
}

/* Reports what runs; a waiting attempt has nothing to say. */
static bool report_running(struct swarm *swarm, const struct forest *forest,
                           const struct session_view *steady)
{
    struct draft draft = draft_begin(swarm, SEAL_RESULT, &swarm->identities[STEADY].public_key);
    struct effects owed = {0};
    bool found = false;

    forest_outstanding(forest, steady->session, &owed);
    for (size_t i = 0; i < owed.count && !found; i++) {
        const struct swarm_attempt attempt = {.task = owed.list[i].task,
                                              .attempt = owed.list[i].attempt,
                                              .session = owed.list[i].session};
        add_result(swarm, &draft, forest, &attempt);
        found = true;
    }
    effects_clear(&owed);
    if (!found) {
        return false;
    }
    swarm->command.kind = COMMAND_REPORT;
    swarm->command.report.session = steady->session;
    swarm->command.report.batch = draft_end(swarm, &draft);
    return true;
}

/* Nobody closes the joins from outside any more. */
static bool cancel_outside(struct swarm *swarm, const struct forest *forest)
{
    const struct id first = {{0}};
    struct key signer;

    swarm->command.cancel.code = CODE_ABANDONED;
    return forest_outside_join(forest, &first, &swarm->command.cancel.task, &signer);
}

const struct command *swarm_calm(struct swarm *swarm, const struct forest *forest)
{
    struct session_view view = {0};
    const uint64_t other = other_session(swarm, forest);
    const bool enlisted = forest_session(forest, 0, &view);

    swarm->arena_size = 0;
    memset(&swarm->command, 0, sizeof(swarm->command));
    swarm->applied++;
    if (other != 0) {
        swarm->command.kind = COMMAND_RETIRE;
        swarm->command.retire.session = other;
        swarm->command.retire.reason = RETIRE_SILENT;
    } else if (!enlisted) {
        enlist_steady(swarm);
    } else if (forest_has_more(forest)) {
        swarm->command.kind = COMMAND_SWEEP;
    } else if (lift_limit(swarm, forest)) {
        swarm->command.kind = COMMAND_LIMIT;
    } else if (cancel_outside(swarm, forest)) {
        swarm->command.kind = COMMAND_CANCEL;
    } else if (swarm->applied % 4 == 0 || !report_running(swarm, forest, &view)) {
        swarm->now_ms += 60000;
        swarm->command.kind = COMMAND_EXPIRE;
    }
    swarm->command.at_ms = swarm->now_ms;
    return &swarm->command;
}

/* ---- learning */

static struct swarm_attempt *find_attempt(struct swarm *swarm, const struct effect *effect)
{
    for (size_t i = 0; i < swarm->attempt_count; i++) {
        struct swarm_attempt *attempt = &swarm->attempts[i];
        if (id_equal(&attempt->task, &effect->task) && attempt->attempt == effect->attempt &&
            attempt->session == effect->session) {
            return attempt;
        }
    }
    return NULL;
}

static void learn_session(struct swarm *swarm, const struct effect *effect)
{
    for (size_t i = 0; i < swarm->session_count; i++) {
        if (swarm->sessions[i].index == effect->session) {
            return;
        }
    }
    const size_t at = swarm->session_count < SESSIONS_MOST ? swarm->session_count++
                                                           : swarm_draw(swarm, SESSIONS_MOST);
    swarm->sessions[at] =
        (struct session){.index = effect->session, .identity = swarm->command.enlist.identity};
}

static void learn_one(struct swarm *swarm, const struct effect *effect)
{
    struct swarm_attempt *attempt = find_attempt(swarm, effect);

    if (effect->kind == EFFECT_ENLISTED) {
        learn_session(swarm, effect);
    }
    if (effect->kind == EFFECT_ASSIGN && !attempt && swarm->attempt_count < ATTEMPTS_MOST) {
        swarm->attempts[swarm->attempt_count++] = (struct swarm_attempt){
            .task = effect->task, .attempt = effect->attempt, .session = effect->session};
    }
    if (attempt && effect->kind == EFFECT_RESUME) {
        attempt->waiting = false;
    }
    if (attempt && effect->kind == EFFECT_STOP) {
        attempt->stopping = true;
    }
}

void swarm_learn(struct swarm *swarm, const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        learn_one(swarm, &effects->list[i]);
    }
}

const struct swarm_attempt *swarm_attempt(const struct swarm *swarm, size_t i)
{
    return i < swarm->attempt_count ? &swarm->attempts[i] : NULL;
}

const char *swarm_describe(struct swarm *swarm)
{
    static const char *const names[] = {"?",          "submit", "expand", "report", "return",
                                        "checkpoint", "enlist", "retire", "expire", "trust",
                                        "forget",     "cancel", "sweep",  "limit"};

    snprintf(swarm->text, sizeof(swarm->text), "seed %llu, command %llu, %s",
             (unsigned long long)swarm->seed, (unsigned long long)swarm->applied,
             names[swarm->command.kind]);
    return swarm->text;
}

/* ---- making one */

struct swarm *swarm_create(uint64_t seed)
{
    struct swarm *swarm = calloc(1, sizeof(*swarm));

    assert(swarm && sodium_init() >= 0);
    swarm->seed = seed;
    swarm->random = seed;
    swarm->now_ms = START_MS;
    swarm->mesh = signer_of(100);
    for (unsigned i = 0; i < IDENTITIES; i++) {
        swarm->identities[i] = signer_of((uint8_t)i);
    }
    swarm->known = calloc(KNOWN_MOST, sizeof(*swarm->known));
    swarm->attempts = calloc(ATTEMPTS_MOST, sizeof(*swarm->attempts));
    swarm->arena = malloc(ARENA_SIZE);
    swarm->joins = calloc(JOINS_MOST, sizeof(*swarm->joins));
    assert(swarm->joins && swarm->known && swarm->attempts && swarm->arena);
    issue_all(swarm);
    return swarm;
}

void swarm_destroy(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->form_count; i++) {
        buffer_clear(&swarm->forms[i]);
    }
    buffer_clear(&swarm->frame);
    buffer_clear(&swarm->scratch);
    free(swarm->joins);
    free(swarm->known);
    free(swarm->attempts);
    free(swarm->arena);
    free(swarm);
}

struct forest_options swarm_options(const struct swarm *swarm, uint8_t replica)
{
    struct swarm dice = {.random = swarm->seed ^ UINT64_C(0xb0b)};
    struct forest_options options = {.mesh = swarm->mesh.public_key, .hash_key = {replica, 1}};

    if (chance(&dice, 50)) {
        options.live_tasks = 5 + swarm_draw(&dice, 200);
    }
    if (chance(&dice, 30)) {
        options.body_size = 1000 + swarm_draw(&dice, 30000);
    }
    if (chance(&dice, 30)) {
        options.remembered_size = 560 + swarm_draw(&dice, 5600);
    }
    if (chance(&dice, 30)) {
        options.retention_ms = 1 + swarm_draw(&dice, 50000);
    }
    if (chance(&dice, 50)) {
        options.retention_size = 1 + swarm_draw(&dice, 20000);
    }
    if (chance(&dice, 50)) {
        options.turns = 1 + swarm_draw(&dice, 8);
    }
    return options;
}
