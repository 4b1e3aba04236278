/* SPDX-License-Identifier: MPL-2.0
 * One of everything that travels. */
#include "tests/support/samples.h"

#include "tests/support/join_samples.h"

#include <sodium.h>

#define TIME_MS UINT64_C(1767225600000) /* 2026-01-01 */

struct signer sample_signer(uint8_t number)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    struct signer signer;

    memset(seed, number, sizeof(seed));
    crypto_sign_seed_keypair(signer.public_key.byte, signer.secret, seed);
    return signer;
}

static struct id sample_id(uint8_t number)
{
    struct id id;

    memset(id.byte, number, sizeof(id.byte));
    return id;
}

static struct digest sample_digest(uint8_t number)
{
    struct digest digest;

    memset(digest.byte, number, sizeof(digest.byte));
    return digest;
}

struct task_item sample_root(uint8_t i)
{
    struct task_item item = {
        .function = bytes_of_text("images.resize"),
        .payload = bytes_of_text("{\"width\": 640}"),
        .content_type = bytes_of_text("application/json"),
        .has_priority = true,
        .priority = -7,
        .delay_ms = 1500,
        .deadline_ms = TIME_MS + 60000,
        .timeout_ms = 30000,
        .max_attempts = 3,
        .at_most_once = true,
        .fresh = true,
        .expires_ms = TIME_MS + 30000,
    };

    memset(item.nonce, i, sizeof(item.nonce));
    return item;
}

struct task_item sample_child(uint8_t i)
{
    struct task_item item = {
        .function = bytes_of_text("step"),
        .payload = bytes_of_text("7"),
        .key = bytes_of_text("m\xc3\xbcll"),
        .lineage = {.present = true,
                    .parent = sample_id(0x51),
                    .root = sample_id(0x52),
                    .attempt = 2,
                    .generation = 1,
                    .occurrence = 4,
                    .join_kind = 3,
                    .join_position = 300},
    };

    memset(item.nonce, i, sizeof(item.nonce));
    return item;
}

struct result_item sample_result(uint8_t i)
{
    struct result_item item = {
        .task = sample_id(0x61),
        .root = sample_id(0x62),
        .has_parent = true,
        .parent = sample_id(0x63),
        .function = bytes_of_text("images.resize"),
        .payload_digest = sample_digest(0x64),
        .attempt = 1,
        .session = 123456789,
        .code = CODE_FAILED,
        .bytes = bytes_of_text("partial"),
        .text = bytes_of_text("the disk is full"),
        .run_ms = 812,
        .content_type = bytes_of_text("text/plain"),
    };

    memset(item.nonce, i, sizeof(item.nonce));
    return item;
}

struct verdict_item sample_verdict(uint8_t i)
{
    return (struct verdict_item){
        .task = sample_id(i),
        .root = sample_id(0x72),
        .has_parent = true,
        .parent = sample_id(0x73),
        .function = bytes_of_text("step"),
        .payload_digest = sample_digest(0x74),
        .code = CODE_POISON,
        .text = bytes_of_text("its worker died three times"),
        .at_ms = TIME_MS,
    };
}

struct certificate sample_certificate(void)
{
    return (struct certificate){
        .mesh = sample_signer(1).public_key,
        .serial = sample_id(0x41),
        .name = "worker-1",
        .roles = ROLE_WORKER | ROLE_CLIENT,
        .sign_key = sample_signer(2).public_key,
        .link_key = {{0x42}},
        .submit_count = 2,
        .run_count = 1,
        .submit = {{"step"}, {"images.*"}},
        .run = {{"*"}},
        .not_before_ms = TIME_MS,
        .not_after_ms = TIME_MS + UINT64_C(31536000000),
    };
}

/* ---- batches */

static void encode_item(enum seal_kind kind, uint8_t i, struct buffer *out)
{
    struct task_item task = sample_root(i);
    struct result_item result = sample_result(i);
    struct verdict_item verdict = sample_verdict(i);

    switch (kind) {
    case SEAL_TASK:
        wire_task_encode(out, &task);
        break;
    case SEAL_RESULT:
        wire_result_encode(out, &result);
        break;
    case SEAL_VERDICT:
        wire_verdict_encode(out, &verdict);
        break;
    }
}

void sample_batch(enum seal_kind kind, unsigned count, struct buffer *items, struct sealed *sealed,
                  struct digest *leaves)
{
    const struct signer signer = sample_signer(2);
    const struct key mesh = sample_signer(1).public_key;
    struct digest own_leaves[LIMIT_BATCH_ITEMS];
    size_t end[LIMIT_BATCH_ITEMS];

    *sealed = (struct sealed){.item_count = (uint16_t)count};
    buffer_reset(items);
    for (unsigned i = 0; i < count; i++) {
        encode_item(kind, (uint8_t)i, items);
        end[i] = items->size;
    }
    for (unsigned i = 0; i < count; i++) {
        size_t start = i > 0 ? end[i - 1] : 0;

        sealed->item[i] = bytes_of(items->data + start, end[i] - start);
        sealed->index[i] = (uint8_t)i;
        own_leaves[i] = seal_leaf(sealed->item[i]);
    }
    seal_make(&signer, &mesh, kind, own_leaves, count, &sealed->seal);
    if (leaves != NULL) {
        memcpy(leaves, own_leaves, count * sizeof(*leaves));
    }
}

void sample_excerpt(const struct sealed *whole, const struct digest *leaves, const uint8_t *indices,
                    unsigned index_count, struct digest *hashes, struct sealed *excerpt)
{
    unsigned hash_count = seal_cut(leaves, whole->seal.count, indices, index_count, hashes);

    *excerpt = (struct sealed){.seal = whole->seal,
                               .item_count = (uint16_t)index_count,
                               .hashes = bytes_of(hashes, hash_count * sizeof(*hashes))};
    for (unsigned i = 0; i < index_count; i++) {
        excerpt->index[i] = indices[i];
        excerpt->item[i] = whole->item[indices[i]];
    }
}

/* ---- frames */

const enum message_type sample_types[] = {
    MESSAGE_HELLO,   MESSAGE_WELCOME,     MESSAGE_REFUSED,   MESSAGE_HEARTBEAT,  MESSAGE_GOODBYE,
    MESSAGE_SUBMIT,  MESSAGE_ACCEPTED,    MESSAGE_WAIT,      MESSAGE_NOTIFY,     MESSAGE_ENLIST,
    MESSAGE_ASSIGN,  MESSAGE_EXPAND,      MESSAGE_RESUME,    MESSAGE_REPORT,     MESSAGE_RETURN,
    MESSAGE_STOP,    MESSAGE_PROGRESS,    MESSAGE_ADMIT,     MESSAGE_CHECKPOINT, MESSAGE_SNAPSHOT,
    MESSAGE_DONE,    MESSAGE_CANCEL,      MESSAGE_CANCELLED, MESSAGE_PAGE,       MESSAGE_PAGED,
    MESSAGE_RECALL,  MESSAGE_LIMIT,       MESSAGE_CHANGE,    MESSAGE_DRAIN,      MESSAGE_FETCH,
    MESSAGE_FETCHED, (enum message_type)0};

void sample_put_certificate(struct wire_writer *writer, uint32_t field)
{
    const struct certificate certificate = sample_certificate();
    const struct signer mesh = sample_signer(1);
    struct buffer form = {0};

    certificate_issue(&form, &certificate, &mesh);
    wire_put_bytes(writer, field, buffer_bytes(&form));
    buffer_clear(&form);
}

static void put_batch(struct wire_writer *writer, uint32_t field, enum seal_kind kind)
{
    struct buffer items = {0};
    struct sealed sealed;

    sample_batch(kind, 2, &items, &sealed, NULL);
    wire_put_sealed(writer, field, &sealed);
    buffer_clear(&items);
}

void sample_put_excerpt(struct wire_writer *writer, uint32_t field, enum seal_kind kind)
{
    static const uint8_t indices[] = {1, 2};
    struct digest leaves[3], hashes[LIMIT_BATCH_ITEMS];
    struct buffer items = {0};
    struct sealed whole, excerpt;

    sample_batch(kind, 3, &items, &whole, leaves);
    sample_excerpt(&whole, leaves, indices, 2, hashes, &excerpt);
    wire_put_sealed(writer, field, &excerpt);
    buffer_clear(&items);
}

static const struct held held = {{{0x11}}, 2, HELD_RUNNING};
static const struct progress_item progress = {{{0x12}}, 1, 55, {(const uint8_t *)"half", 4}};

static const struct location location = {{(const uint8_t *)"a certificate", 13},
                                         {(const uint8_t *)"tcp://host:7310", 15}};

static void put_session_fields(struct wire_writer *writer, enum message_type type)
{
    const struct id ledger = sample_id(0x13);

    if (type == MESSAGE_WELCOME) {
        wire_put_bytes(writer, WELCOME_LEDGER, bytes_of(&ledger, sizeof(ledger)));
        wire_put_uint(writer, WELCOME_STAMP, TIME_MS);
        wire_put_uint(writer, WELCOME_SESSION, 99);
        sample_put_certificate(writer, WELCOME_CERTIFICATES);
        wire_put_uint(writer, WELCOME_HEARTBEAT, LIMIT_HEARTBEAT_MS);
        wire_put_uint(writer, WELCOME_SESSION_MS, LIMIT_SESSION_MS);
        wire_put_location(writer, WELCOME_COORDINATORS, &location);
    } else if (type == MESSAGE_HEARTBEAT) {
        wire_put_held(writer, HEARTBEAT_HELD, &held);
        wire_put_held(writer, HEARTBEAT_HELD, &held);
        wire_put_uint(writer, HEARTBEAT_STAMP, TIME_MS);
    } else if (type == MESSAGE_ADMIT) {
        sample_put_certificate(writer, ADMIT_CERTIFICATES);
    } else if (type == MESSAGE_DONE) {
        wire_put_uint(writer, DONE_INDEX, 1234);
    }
}

static void put_client_fields(struct wire_writer *writer, enum message_type type)
{
    const struct id ids[2] = {sample_id(0x14), {{0}}};
    const struct digest conflict = sample_digest(0x15);
    const struct item_refused refused = {1, 21, bytes_of_text("taken"),
                                         bytes_of(&conflict, sizeof(conflict))};

    if (type == MESSAGE_SUBMIT) {
        put_batch(writer, SUBMIT_BATCH, SEAL_TASK);
        wire_put_uint(writer, SUBMIT_WAIT, 1);
    } else if (type == MESSAGE_ACCEPTED) {
        wire_put_bytes(writer, ACCEPTED_IDS, bytes_of(ids, sizeof(ids)));
        wire_put_item_refused(writer, ACCEPTED_REFUSED, &refused);
        wire_put_uint(writer, ACCEPTED_STAMP, TIME_MS);
        wire_put_bytes(writer, ACCEPTED_SETTLED, bytes_of("\1\0", 2));
        wire_put_bytes(writer, ACCEPTED_APPENDS, bytes_of("\0\51", 2));
    } else if (type == MESSAGE_WAIT) {
        wire_put_bytes(writer, WAIT_IDS, bytes_of(ids, sizeof(ids)));
    } else if (type == MESSAGE_NOTIFY) {
        sample_put_excerpt(writer, NOTIFY_OUTCOMES, SEAL_RESULT);
        put_batch(writer, NOTIFY_OUTCOMES, SEAL_VERDICT);
        sample_put_certificate(writer, NOTIFY_CERTIFICATES);
        wire_put_item_refused(writer, NOTIFY_UNKNOWN, &refused);
    }
}

static void put_worker_fields(struct wire_writer *writer, enum message_type type)
{
    const struct assignment assignment = {.task = sample_id(0x16),
                                          .attempt = 1,
                                          .generation = 2,
                                          .batch = 0,
                                          .item = 1,
                                          .deadline_ms = TIME_MS,
                                          .depth = 3,
                                          .checkpoint = bytes_of_text("at 3"),
                                          .root_batch = bytes_of_text("root"),
                                          .is_behind = true};
    const struct waits waits = {.task = sample_id(0x17),
                                .attempt = 1,
                                .awaited = bytes_of(&assignment.task, 16),
                                .positions = bytes_of("\0\1", 2)};

    if (type == MESSAGE_ENLIST) {
        wire_put_bytes(writer, ENLIST_INSTANCE, bytes_of_text("host/1"));
        wire_put_bytes(writer, ENLIST_FUNCTIONS, bytes_of_text("echo"));
        wire_put_bytes(writer, ENLIST_FUNCTIONS, bytes_of_text("step"));
        wire_put_uint(writer, ENLIST_SLOTS, 4);
        wire_put_uint(writer, ENLIST_WINDOW, 8);
        wire_put_uint(writer, ENLIST_MAX_WAITING, LIMIT_MAX_WAITING);
        wire_put_held(writer, ENLIST_HELD, &held);
        wire_put_uint(writer, ENLIST_PREVIOUS_EXITED, 1);
    } else if (type == MESSAGE_ASSIGN) {
        sample_put_excerpt(writer, ASSIGN_BATCHES, SEAL_TASK);
        wire_put_assignment(writer, ASSIGN_ASSIGNMENTS, &assignment);
        sample_put_certificate(writer, ASSIGN_CERTIFICATES);
    } else if (type == MESSAGE_EXPAND) {
        put_batch(writer, EXPAND_BATCH, SEAL_TASK);
        const size_t opened = wire_open_waits(writer, &waits);
        sample_put_awaited(writer->out);
        wire_close_waits(writer, opened);
        wire_put_progress(writer, EXPAND_PROGRESS, &progress);
        sample_put_append(writer);
    } else if (type == MESSAGE_RESUME) {
        wire_put_held(writer, RESUME_RESUMED, &held);
    }
}

static void put_attempt_fields(struct wire_writer *writer, enum message_type type)
{
    const struct id task = sample_id(0x18);
    const struct returned returned = {task, 1, RETURN_CANNOT_RUN, bytes_of_text("no such file")};
    const struct stopped stopped = {task, 1, 27};

    if (type == MESSAGE_REPORT) {
        put_batch(writer, REPORT_BATCH, SEAL_RESULT);
        wire_put_progress(writer, REPORT_PROGRESS, &progress);
    } else if (type == MESSAGE_RETURN) {
        wire_put_returned(writer, RETURN_RETURNED, &returned);
    } else if (type == MESSAGE_CHECKPOINT) {
        wire_put_bytes(writer, CHECKPOINT_TASK, bytes_of(&task, sizeof(task)));
        wire_put_uint(writer, CHECKPOINT_ATTEMPT, 1);
        wire_put_bytes(writer, CHECKPOINT_BYTES, bytes_of_text("row 17"));
        wire_put_progress(writer, CHECKPOINT_PROGRESS, &progress);
    } else if (type == MESSAGE_STOP) {
        wire_put_stopped(writer, STOP_STOPPED, &stopped);
    } else if (type == MESSAGE_PROGRESS) {
        wire_put_progress(writer, PROGRESS_PROGRESS, &progress);
    }
}

void sample_frame(enum message_type type, struct buffer *out)
{
    const struct hello hello = {sample_signer(1).public_key, sample_id(0x19), true,
                                sample_id(0x13)};
    const struct refused refused = {
        .code = 12, .text = bytes_of_text("not here"), .retryable = true, .retry_ms = 250};
    const struct change change = {CHANGE_ADD, bytes_of_text("c2")};
    struct wire_writer writer;

    if (type == MESSAGE_HELLO) {
        wire_hello_encode(out, 7, &hello);
    } else if (type == MESSAGE_REFUSED) {
        wire_redirect_encode(out, 7, &refused, &location);
    } else if (type == MESSAGE_CHANGE) {
        wire_change_encode(out, 7, &change);
    } else if (type == MESSAGE_GOODBYE || type == MESSAGE_SNAPSHOT) {
        wire_empty_encode(out, 7, type);
    } else {
        wire_open(&writer, out, type, 7);
        put_session_fields(&writer, type);
        put_client_fields(&writer, type);
        put_worker_fields(&writer, type);
        put_attempt_fields(&writer, type);
        sample_put_join(&writer, type);
        wire_close(&writer);
    }
}

/* ---- decoding of anything */

static enum grove_status decode_sealed(struct bytes bytes)
{
    struct sealed sealed;

    return wire_sealed_decode(bytes, &sealed);
}

enum element {
    ELEMENT_HELD,
    ELEMENT_ITEM_REFUSED,
    ELEMENT_ASSIGNMENT,
    ELEMENT_WAITS,
    ELEMENT_PROGRESS,
    ELEMENT_RETURNED,
    ELEMENT_STOPPED,
    ELEMENT_LOCATION,
    ELEMENT_SEALED,
};

static enum grove_status decode_element(enum element type, struct bytes element)
{
    union {
        struct held held;
        struct item_refused refused;
        struct assignment assignment;
        struct waits waits;
        struct progress_item progress;
        struct returned returned;
        struct stopped stopped;
        struct location location;
    } out;

    switch (type) {
    case ELEMENT_HELD:
        return wire_held_decode(element, &out.held);
    case ELEMENT_ITEM_REFUSED:
        return wire_item_refused_decode(element, &out.refused);
    case ELEMENT_ASSIGNMENT:
        return wire_assignment_decode(element, &out.assignment);
    case ELEMENT_WAITS:
        return wire_waits_decode(element, &out.waits);
    case ELEMENT_PROGRESS:
        return wire_progress_item_decode(element, &out.progress);
    case ELEMENT_RETURNED:
        return wire_returned_decode(element, &out.returned);
    case ELEMENT_STOPPED:
        return wire_stopped_decode(element, &out.stopped);
    case ELEMENT_LOCATION:
        return wire_location_decode(element, &out.location);
    case ELEMENT_SEALED:
        return decode_sealed(element);
    }
    return GROVE_INVALID;
}

/* `status` is of what came before. */
static enum grove_status decode_list(enum grove_status status, struct wire_list list,
                                     enum element type)
{
    struct bytes element;

    while (status == GROVE_OK && wire_next(&list, &element)) {
        status = decode_element(type, element);
    }
    return status;
}

static enum grove_status decode_for_worker(enum message_type type, struct bytes body)
{
    struct wire_list list = {0};
    struct enlist enlist = {0};
    struct assign assign = {0};
    enum grove_status status = GROVE_INVALID;

    if (type == MESSAGE_ENLIST) {
        status = wire_enlist_decode(body, &enlist);
        return decode_list(status, enlist.held, ELEMENT_HELD);
    }
    if (type == MESSAGE_ASSIGN) {
        status = wire_assign_decode(body, &assign);
        status = decode_list(status, assign.assignments, ELEMENT_ASSIGNMENT);
        return decode_list(status, assign.batches, ELEMENT_SEALED);
    }
    if (type == MESSAGE_RESUME) {
        status = wire_resume_decode(body, &list);
        return decode_list(status, list, ELEMENT_HELD);
    }
    if (type == MESSAGE_STOP) {
        status = wire_stop_decode(body, &list);
        return decode_list(status, list, ELEMENT_STOPPED);
    }
    return status;
}

static enum grove_status decode_from_worker(enum message_type type, struct bytes body)
{
    struct wire_list list = {0};
    struct expand expand = {0};
    struct report report = {0};
    struct checkpoint checkpoint = {0};
    enum grove_status status = GROVE_INVALID;

    if (type == MESSAGE_EXPAND) {
        status = wire_expand_decode(body, &expand);
        status = decode_list(status, expand.progress, ELEMENT_PROGRESS);
        status = decode_list(status, expand.waits, ELEMENT_WAITS);
        status = status == GROVE_OK ? sample_decode_awaited(expand.waits) : status;
        status = status == GROVE_OK ? sample_decode_appends(expand.appends) : status;
        return status == GROVE_OK && expand.batch.size > 0 ? decode_sealed(expand.batch) : status;
    }
    if (type == MESSAGE_REPORT) {
        status = wire_report_decode(body, &report);
        status = decode_list(status, report.progress, ELEMENT_PROGRESS);
        return status == GROVE_OK ? decode_sealed(report.batch) : status;
    }
    if (type == MESSAGE_RETURN) {
        status = wire_return_decode(body, &list);
        return decode_list(status, list, ELEMENT_RETURNED);
    }
    if (type == MESSAGE_CHECKPOINT) {
        status = wire_checkpoint_decode(body, &checkpoint);
        return decode_list(status, checkpoint.progress, ELEMENT_PROGRESS);
    }
    if (type == MESSAGE_PROGRESS) {
        status = wire_progress_decode(body, &list);
        return decode_list(status, list, ELEMENT_PROGRESS);
    }
    return decode_for_worker(type, body);
}

static enum grove_status decode_of_client(enum message_type type, struct bytes body)
{
    struct submit submit = {0};
    struct accepted accepted = {0};
    struct notify notify = {0};
    struct bytes ids;
    enum grove_status status = GROVE_INVALID;

    if (type == MESSAGE_SUBMIT) {
        status = wire_submit_decode(body, &submit);
        return status == GROVE_OK ? decode_sealed(submit.batch) : status;
    }
    if (type == MESSAGE_ACCEPTED) {
        status = wire_accepted_decode(body, &accepted);
        return decode_list(status, accepted.refused, ELEMENT_ITEM_REFUSED);
    }
    if (type == MESSAGE_WAIT) {
        return wire_wait_decode(body, &ids);
    }
    if (type == MESSAGE_NOTIFY) {
        status = wire_notify_decode(body, &notify);
        status = decode_list(status, notify.unknown, ELEMENT_ITEM_REFUSED);
        return decode_list(status, notify.outcomes, ELEMENT_SEALED);
    }
    status = sample_decode_join(type, body);
    return status == GROVE_INVALID ? decode_from_worker(type, body) : status;
}

enum grove_status sample_decode(enum message_type type, struct bytes body)
{
    struct hello hello;
    struct welcome welcome = {0};
    struct refused refused = {0};
    struct heartbeat heartbeat = {0};
    struct change change;
    struct wire_list list;
    uint64_t index;
    enum grove_status status = GROVE_INVALID;

    if (type == MESSAGE_HELLO) {
        return wire_hello_decode(body, &hello);
    }
    if (type == MESSAGE_WELCOME) {
        status = wire_welcome_decode(body, &welcome);
        return decode_list(status, welcome.coordinators, ELEMENT_LOCATION);
    }
    if (type == MESSAGE_REFUSED) {
        status = wire_refused_decode(body, &refused);
        return decode_list(status, refused.leader, ELEMENT_LOCATION);
    }
    if (type == MESSAGE_HEARTBEAT) {
        status = wire_heartbeat_decode(body, &heartbeat);
        return decode_list(status, heartbeat.held, ELEMENT_HELD);
    }
    if (type == MESSAGE_ADMIT) {
        return wire_admit_decode(body, &list);
    }
    if (type == MESSAGE_DONE) {
        return wire_done_decode(body, &index);
    }
    if (type == MESSAGE_CHANGE) {
        return wire_change_decode(body, &change);
    }
    if (type == MESSAGE_GOODBYE || type == MESSAGE_SNAPSHOT) {
        return body.size == 0 ? GROVE_OK : GROVE_MALFORMED;
    }
    return decode_of_client(type, body);
}
