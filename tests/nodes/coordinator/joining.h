/* SPDX-License-Identifier: MPL-2.0
 * Joins for tests of a coordinator's parts: opened, fed and paged as a client or a worker does. */
#ifndef GROVE_TESTS_COORDINATOR_JOINING_H
#define GROVE_TESTS_COORDINATOR_JOINING_H

#include "tests/nodes/coordinator/harness.h"

/* A join under test. */
struct joining {
    uint8_t route; /* of whoever feeds it */
    const struct credential *from;
    struct id parent, root, id;
    struct join_terms terms;
    uint32_t tag;
    bool is_outside;
};

/* What a test does not look at. */
static void skip_sent(enum message_type type)
{
    struct message message;

    for (size_t i = 0; i < outside.count; i++) {
        if (wire_message_open(buffer_bytes(&outside.sent[i].frame), &message) == GROVE_OK &&
            message.type == type) {
            outside.sent[i].is_taken = true;
        }
    }
}

/* Submits a grove.join root, told apart by its route; returns it. */
static struct joining open_outside(struct harness *h, uint8_t route, struct join_terms terms)
{
    struct task_item item = party_root(route, "grove.join", "", h->egress.stamp_ms);
    struct joining joining = {
        .route = route, .from = &h->party.client, .terms = terms, .is_outside = true};
    struct buffer payload = {0};

    terms.first = (struct digest){{1}};
    wire_terms_encode(&payload, &terms);
    item.payload = buffer_bytes(&payload);
    item.nonce[1] = 'j';
    put_submit(h, joining.from, &item, 1, &joining.id);
    buffer_clear(&payload);
    receive(h, route, joining.from);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(route, MESSAGE_ACCEPTED);
    joining.parent = joining.id;
    joining.root = joining.id;
    return joining;
}

/* The join that a worker opens for a root whose attempt it holds. */
static struct joining open_inside(struct harness *h, uint8_t route, const struct id *root,
                                  struct join_terms terms)
{
    struct joining joining = {.route = route, .from = &h->party.worker, .parent = *root};

    terms.first = (struct digest){{1}};
    joining.root = *root;
    joining.terms = terms;
    joining.id = id_of_join(root, 0, &terms, &joining.tag);
    return joining;
}

static struct task_item input_of(const struct joining *joining, uint32_t position)
{
    struct task_item item = party_root((uint8_t)position, "echo", "input", 0);

    item.expires_ms = 0;
    item.nonce[1] = (uint8_t)(position >> 8);
    item.lineage = (struct lineage){
        .present = true,
        .parent = joining->parent,
        .root = joining->root,
        .attempt = 1,
        .occurrence = joining->tag,
        .join_kind = joining->terms.kind,
        .join_position = position,
    };
    return item;
}

static void put_append(struct harness *h, const struct joining *joining, struct append append,
                       struct wire_writer *writer)
{
    struct buffer terms = {0};

    append.parent = joining->parent;
    append.attempt = 1;
    if (!joining->is_outside) {
        wire_terms_encode(&terms, &joining->terms);
        append.terms = buffer_bytes(&terms);
    }
    (void)h;
    wire_put_append(writer, EXPAND_APPENDS, &append);
    buffer_clear(&terms);
}

/* Writes an Expand with `count` inputs from `offset` on, and with these appends; the parent of each
 * is filled in. */
static void put_appends(struct harness *h, const struct joining *joining, uint32_t offset,
                        const struct append *appends, size_t append_count)
{
    struct task_item items[LIMIT_BATCH_ITEMS];
    struct buffer batch = {0};
    struct wire_writer writer;
    unsigned count = 0;

    for (size_t i = 0; i < append_count; i++) {
        count += appends[i].count;
    }
    for (uint32_t i = 0; i < count; i++) {
        items[i] = input_of(joining, offset + i);
    }
    wire_open(&writer, &h->frame, MESSAGE_EXPAND, 8);
    if (count > 0) {
        party_seal_tasks(joining->from, items, count, NULL, &batch);
        wire_put_bytes(&writer, EXPAND_BATCH, buffer_bytes(&batch));
    }
    for (size_t i = 0; i < append_count; i++) {
        put_append(h, joining, appends[i], &writer);
    }
    wire_close(&writer);
    buffer_clear(&batch);
}

/* Sends what put_appends wrote, and commits it; what was answered is borrowed until the next. */
static struct accepted expand(struct harness *h, const struct joining *joining)
{
    struct accepted accepted;

    receive(h, joining->route, joining->from);
    work(h, 1);
    assert_true(commit(h));
    assert_int_equal(
        wire_accepted_decode(expect_sent(joining->route, MESSAGE_ACCEPTED).body, &accepted),
        GROVE_OK);
    return accepted;
}

/* Appends inputs, which are all taken.
 *
 *   ids   out: `count` */
static void append(struct harness *h, const struct joining *joining, uint32_t offset,
                   uint32_t count, struct id *ids)
{
    const struct append one = {.offset = offset, .count = count};
    struct accepted accepted;

    put_appends(h, joining, offset, &one, 1);
    accepted = expand(h, joining);
    assert_int_equal(accepted.refused.count, 0);
    assert_int_equal(accepted.appends.size, 1);
    assert_int_equal(accepted.appends.data[0], REFUSED_NOT);
    assert_int_equal(accepted.ids.size, count * sizeof(struct id));
    memcpy(ids, accepted.ids.data, accepted.ids.size);
    egress_flush(&h->egress);
    skip_sent(MESSAGE_ASSIGN);
}

static void close_join(struct harness *h, const struct joining *joining, uint32_t offset)
{
    const struct append one = {.offset = offset, .close = true};

    put_appends(h, joining, offset, &one, 1);
    expand(h, joining);
}

/* Asks for a page; what can be said at once is said. */
static void ask_page(struct harness *h, uint8_t route, const struct credential *from,
                     const struct page *page)
{
    wire_page_encode(&h->frame, 77, page);
    receive(h, route, from);
    egress_flush(&h->egress);
}

static struct paged expect_paged(uint8_t route, uint32_t state, size_t inputs)
{
    const struct message message = expect_sent(route, MESSAGE_PAGED);
    struct paged paged;

    assert_int_equal(message.correlation, 77);
    assert_int_equal(wire_paged_decode(message.body, &paged), GROVE_OK);
    assert_int_equal(paged.state, state);
    assert_int_equal(paged.ids.size, inputs * sizeof(struct id));
    return paged;
}

/* A test or two has no use for each of these. */
static inline void joining_keep(void)
{
    (void)open_outside;
    (void)open_inside;
    (void)append;
    (void)close_join;
    (void)ask_page;
    (void)expect_paged;
}

#endif
