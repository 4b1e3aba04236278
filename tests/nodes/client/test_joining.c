/* SPDX-License-Identifier: MPL-2.0
 * A join between its thread and a coordinator that says what it likes: what goes out, and what of
 * that which comes a caller ever sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>

#include "nodes/client/joining.h"
#include "tests/support/party.h"

#define MOST 20u /* portions of one test */

struct fixture {
    struct party party;
    struct session session;
    struct outcomes outcomes;
    struct parcels parcels;
    struct joining_io io;
    struct joining *joining;
    struct call *call;
    struct portion_maker maker;
    uint32_t given;
    struct buffer frame, scratch;
};

static void admit(struct fixture *f, const struct credential *credential)
{
    bool changed;

    assert_int_equal(trust_admit(&f->session.trust, buffer_bytes(&credential->certificate_bytes),
                                 credential->certificate.not_before_ms, &changed),
                     REFUSED_NOT);
}

/* A client's map of echo, whose root has the id 07 and is accepted. */
static int setup(void **state)
{
    static const uint8_t hash_key[16] = {1};
    struct fixture *f = calloc(1, sizeof(*f));

    party_make(&f->party);
    trust_init(&f->session.trust, &f->party.mesh.public_key, hash_key);
    f->session.credential = &f->party.client;
    admit(f, &f->party.client);
    admit(f, &f->party.worker);
    admit(f, &f->party.coordinator);
    outcomes_init(&f->outcomes, &f->session);
    parcels_init(&f->parcels);
    f->io = (struct joining_io){&f->session, &f->parcels, &f->outcomes};
    f->joining = joining_create(JOIN_MAP, NULL);
    f->joining->id = (struct id){{7}};
    f->joining->root = f->joining->id;
    f->joining->parent = f->joining->id;
    f->joining->attempt_number = 1;
    f->joining->frontier = 1000;
    joining_root(f->joining);
    f->call = call_create(CALL_JOIN, 0, NULL);
    f->call->joining = f->joining;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->joining && !joining_leave(f->joining)) {
        joining_hold(f->joining);
        assert_true(joining_drop(f->joining, &f->io));
        joining_release(f->joining);
        joining_release(f->joining);
    }
    parcels_clear(&f->parcels);
    call_destroy(f->call);
    portion_maker_clear(&f->maker);
    outcomes_clear(&f->outcomes);
    trust_clear(&f->session.trust);
    buffer_clear(&f->frame);
    buffer_clear(&f->scratch);
    party_clear(&f->party);
    free(f);
    return 0;
}

/* ---- what the thread does */

static const char *payload_of(uint32_t position)
{
    static char text[8];

    snprintf(text, sizeof(text), "%u", position);
    return text;
}

/* Gives a portion of so many inputs; the last one closes. */
static void give(struct fixture *f, uint32_t count, bool close)
{
    const struct credential *client = &f->party.client;

    portion_begin(&f->maker, f->given);
    for (uint32_t i = 0; i < count; i++) {
        struct task_item item = {
            .nonce = {1},
            .function = bytes_of_text("echo"),
            .payload = bytes_of_text(payload_of(f->given + i)),
            .lineage = {.present = true,
                        .root = f->joining->root,
                        .parent = f->joining->parent,
                        .attempt = 1,
                        .join_kind = JOIN_MAP,
                        .join_position = f->given + i},
        };

        assert_true(portion_add(&f->maker, &item));
    }
    f->maker.portion->close = close;
    f->given += count;
    joining_give(f->joining, portion_end(&f->maker, client->signer, &client->mesh));
}

/* Waits for endings and for room for so many more. */
static void block(struct fixture *f, uint32_t more)
{
    assert_true(joining_want(f->joining, WANT_ENDINGS | (more > 0 ? WANT_MORE : 0), more));
    f->call->left = 1;
    f->call->is_finishing = false;
    STAILQ_INIT(&f->outcomes.finished);
    joining_block(f->joining, &f->io, f->call);
}

static bool is_awake(const struct fixture *f)
{
    return f->call->left == 0;
}

/* ---- what goes out */

static void expect_append(struct fixture *f, uint32_t offset, uint32_t count, bool close)
{
    struct wire_writer writer;
    struct parcel *parcel = joining_send(f->joining, &f->io, &writer);
    struct message message;
    struct expand expand;
    struct append append;
    struct bytes element;

    assert_non_null(parcel);
    wire_close(&writer);
    parcels_add(&f->parcels, parcel);
    assert_int_equal(wire_message_open(buffer_bytes(&parcel->frame), &message), GROVE_OK);
    assert_int_equal(wire_expand_decode(message.body, &expand), GROVE_OK);
    assert_true(wire_next(&expand.appends, &element));
    assert_int_equal(wire_append_decode(element, &append), GROVE_OK);
    assert_int_equal(append.offset, offset);
    assert_int_equal(append.count, count);
    assert_int_equal(append.close, close);
    assert_int_equal(append.attempt, 1);
    assert_memory_equal(&append.parent, &f->joining->parent, sizeof(append.parent));
}

static void expect_nothing(struct fixture *f)
{
    struct wire_writer writer;

    assert_null(joining_send(f->joining, &f->io, &writer));
    assert_false(joining_has_unsent(f->joining));
}

/* The oldest parcel of this kind. */
static struct parcel *take_parcel(struct fixture *f, enum message_type type)
{
    struct parcel *parcel;

    TAILQ_FOREACH(parcel, &f->parcels.list, link) {
        if (parcel->type == type) {
            parcels_remove(&f->parcels, parcel);
            return parcel;
        }
    }
    fail_msg("no parcel of type %d", (int)type);
    return NULL;
}

static void expect_page(struct fixture *f, uint32_t offset, uint32_t most, uint32_t room)
{
    struct parcel *parcel;
    struct message message;
    struct page page;

    joining_ask(f->joining, &f->io, true);
    parcel = TAILQ_LAST(&f->parcels.list, parcel_list);
    assert_non_null(parcel);
    assert_int_equal(parcel->type, MESSAGE_PAGE);
    assert_int_equal(wire_message_open(buffer_bytes(&parcel->frame), &message), GROVE_OK);
    assert_int_equal(wire_page_decode(message.body, &page), GROVE_OK);
    assert_int_equal(page.offset, offset);
    assert_int_equal(page.most, most);
    assert_int_equal(page.room, room);
}

/* ---- what comes */

/* The id of an input, as the mesh would answer: its own. */
static struct id id_at(uint32_t position)
{
    struct id id = {{0xAA}};

    memcpy(&id.byte[4], &position, sizeof(position));
    return id;
}

static void answer(struct fixture *f, enum refusal refusal)
{
    struct parcel *parcel = take_parcel(f, MESSAGE_EXPAND);
    const struct portion *portion = parcel->portion;
    const uint8_t append = (uint8_t)refusal;
    struct accepted accepted = {.appends = bytes_of(&append, 1)};
    struct id ids[LIMIT_BATCH_ITEMS] = {{{0}}};

    for (uint32_t i = 0; i < portion->count && refusal == REFUSED_NOT; i++) {
        ids[i] = id_at(portion->offset + i);
    }
    accepted.ids = bytes_of(ids, portion->count * sizeof(ids[0]));
    joining_answered(parcel, &f->io, &accepted);
    parcel_destroy(parcel);
}

/* A result as the worker would make it. */
static struct result_item result_at(const struct fixture *f, uint32_t position)
{
    const struct bytes payload = bytes_of_text(payload_of(position));

    return (struct result_item){
        .nonce = {1},
        .task = id_at(position),
        .root = f->joining->root,
        .has_parent = true,
        .parent = f->joining->parent,
        .function = bytes_of_text("echo"),
        .payload_digest = digest_of(payload),
        .attempt = 1,
        .session = 7,
        .bytes = payload,
    };
}

static void open_page(struct fixture *f, struct wire_writer *writer)
{
    buffer_reset(&f->frame);
    wire_open(writer, &f->frame, MESSAGE_PAGED, 1);
}

/* Hands over what has been put, as the answer to the oldest Page. */
static void end_page(struct fixture *f, struct wire_writer *writer, const struct paged *paged)
{
    struct parcel *parcel = take_parcel(f, MESSAGE_PAGE);
    struct message message;
    struct paged decoded;

    wire_put_paged(writer, paged);
    wire_close(writer);
    assert_int_equal(wire_message_open(buffer_bytes(&f->frame), &message), GROVE_OK);
    assert_int_equal(wire_paged_decode(message.body, &decoded), GROVE_OK);
    joining_paged(parcel, &f->io, &decoded);
    parcel_destroy(parcel);
}

static struct paged paged_of(const struct fixture *f, enum join_state state, uint32_t offset)
{
    return (struct paged){
        .join = f->joining->id, .state = state, .accepted = f->given, .offset = offset};
}

/* A page with one input, whose outcome is sealed so. */
static void page_one(struct fixture *f, struct bytes sealed)
{
    const struct id id = id_at(0);
    struct paged paged = paged_of(f, JOIN_OPEN, 0);
    struct wire_writer writer;

    paged.ids = bytes_of(&id, sizeof(id));
    open_page(f, &writer);
    wire_put_bytes(&writer, PAGED_OUTCOMES, sealed);
    end_page(f, &writer, &paged);
}

static void page_result(struct fixture *f, const struct credential *signer,
                        const struct result_item *item)
{
    buffer_reset(&f->scratch);
    party_seal_results(signer, item, 1, &f->scratch);
    page_one(f, buffer_bytes(&f->scratch));
}

/* One input is taken and awaited. */
static void begin_one(struct fixture *f)
{
    give(f, 1, true);
    expect_append(f, 0, 1, true);
    answer(f, REFUSED_NOT);
    block(f, 0);
    expect_page(f, 0, 1, 0);
}

static struct ending expect_ending(struct fixture *f, struct endings **endings)
{
    assert_true(is_awake(f));
    *endings = joining_deliver(f->joining);
    assert_non_null(*endings);
    assert_int_equal((*endings)->offset, 0);
    assert_int_equal((*endings)->count, 1);
    return (*endings)->ending[0];
}

static void expect_distrust(struct fixture *f, enum grove_status status)
{
    struct endings *endings;
    const struct ending ending = expect_ending(f, &endings);

    assert_int_equal(ending.status, status);
    assert_null(ending.result.bytes.data);
    assert_int_equal(ending.failure.code, GROVE_CODE_NONE);
    assert_true(f->outcomes.refused > 0);
    endings_destroy(endings);
}

/* ---- tests: inputs */

static void portions_go_out_in_order_and_not_all_at_once(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < 18; i++) {
        give(f, 2, i == 17);
    }
    for (uint32_t i = 0; i < 16; i++) {
        expect_append(f, 2 * i, 2, false);
    }
    expect_nothing(f);
    answer(f, REFUSED_NOT);
    expect_append(f, 32, 2, false);
    expect_nothing(f);
    answer(f, REFUSED_NOT);
    expect_append(f, 34, 2, true);
    expect_nothing(f);
}

/* What was refused for now goes again before what stood behind it. */
static void what_is_refused_for_now_goes_again_in_order(void **state)
{
    struct fixture *f = *state;

    give(f, 1, false);
    give(f, 1, false);
    give(f, 1, true);
    expect_append(f, 0, 1, false);
    expect_append(f, 1, 1, false);
    expect_append(f, 2, 1, true);
    answer(f, REFUSED_QUOTA);
    answer(f, REFUSED_JOIN);
    answer(f, REFUSED_JOIN);
    expect_nothing(f);
    f->joining->retry_ms = 1; /* a little later */
    expect_append(f, 0, 1, false);
    expect_nothing(f);
    answer(f, REFUSED_NOT);
    expect_append(f, 1, 1, false);
    expect_append(f, 2, 1, true);
    answer(f, REFUSED_NOT);
    answer(f, REFUSED_NOT);
    expect_nothing(f);
    assert_int_equal(f->joining->taken, 3);
}

/* The inputs may be there before their root. */
static void inputs_wait_for_their_root(void **state)
{
    struct fixture *f = *state;

    f->joining->is_rooted = false;
    give(f, 1, true);
    expect_append(f, 0, 1, true);
    answer(f, REFUSED_PARENT);
    expect_nothing(f);
    joining_root(f->joining);
    expect_append(f, 0, 1, true);
    answer(f, REFUSED_PARENT);
    assert_true(joining_has_ended(f->joining));
    assert_int_equal(f->joining->failure.status, refusal_status(REFUSED_PARENT));
}

static void a_refusal_is_told_with_its_input(void **state)
{
    static const uint8_t append = REFUSED_RIGHT_SUBMIT;
    struct fixture *f = *state;
    struct item_refused refused = {
        .position = 1, .code = REFUSED_RIGHT_SUBMIT, .text = bytes_of_text("not this one")};
    struct accepted accepted = {.appends = bytes_of(&append, 1)};
    struct wire_writer writer;
    struct parcel *parcel;
    struct message message;

    give(f, 2, true);
    expect_append(f, 0, 2, true);
    block(f, 0);
    parcel = take_parcel(f, MESSAGE_EXPAND);
    wire_open(&writer, &f->frame, MESSAGE_ACCEPTED, 1);
    wire_put_bytes(&writer, ACCEPTED_APPENDS, accepted.appends);
    wire_put_item_refused(&writer, ACCEPTED_REFUSED, &refused);
    wire_close(&writer);
    assert_int_equal(wire_message_open(buffer_bytes(&f->frame), &message), GROVE_OK);
    assert_int_equal(wire_accepted_decode(message.body, &accepted), GROVE_OK);
    joining_answered(parcel, &f->io, &accepted);
    parcel_destroy(parcel);
    assert_true(is_awake(f));
    assert_int_equal(f->joining->failure.status, GROVE_DENIED);
    assert_string_equal(f->joining->failure.text, "not this one");
    assert_string_equal(f->joining->failure.function, "echo");
}

static void an_answer_without_a_word_is_none(void **state)
{
    struct fixture *f = *state;
    struct accepted accepted = {.appends = bytes_of(NULL, 0)};
    struct parcel *parcel;

    give(f, 1, true);
    expect_append(f, 0, 1, true);
    parcel = take_parcel(f, MESSAGE_EXPAND);
    joining_answered(parcel, &f->io, &accepted);
    parcel_destroy(parcel);
    assert_true(joining_has_ended(f->joining));
    assert_int_equal(f->joining->failure.status, GROVE_MALFORMED);
}

static void room_is_what_the_mesh_and_the_memory_have(void **state)
{
    struct fixture *f = *state;
    struct wire_writer writer;
    struct paged paged;

    assert_int_equal(joining_room(f->joining), 1000);
    give(f, 200, false);
    assert_int_equal(joining_room(f->joining), 800);
    expect_append(f, 0, 200, false);
    answer(f, REFUSED_NOT);
    block(f, 900);
    expect_page(f, 0, 200, 900);
    paged = paged_of(f, JOIN_OPEN, 0);
    paged.room = UINT32_MAX;
    open_page(f, &writer);
    end_page(f, &writer, &paged);
    assert_true(is_awake(f));
    assert_int_equal(joining_room(f->joining), JOINING_OUTSTANDING - 200);
    assert_true(joining_want(f->joining, WANT_MORE, JOINING_OUTSTANDING - 199));
    assert_false(joining_want(f->joining, WANT_MORE, JOINING_OUTSTANDING - 200));
}

/* What is on its way takes room that the mesh does not know of: it would answer at once, and again.
 */
static void room_is_asked_for_when_all_is_taken(void **state)
{
    struct fixture *f = *state;

    f->joining->frontier = 2;
    give(f, 1, false);
    give(f, 1, false);
    expect_append(f, 0, 1, false);
    expect_append(f, 1, 1, false);
    answer(f, REFUSED_NOT);
    block(f, 3);
    expect_page(f, 0, 1, 0);
    answer(f, REFUSED_NOT);
    expect_page(f, 0, 2, 3);
}

/* Its thread comes for more inputs, and waits on. */
static void a_patient_thread_is_called_for_more(void **state)
{
    struct fixture *f = *state;
    struct wire_writer writer;
    struct paged paged;

    f->joining->is_patient = true;
    f->joining->frontier = 2;
    give(f, 2, false);
    expect_append(f, 0, 2, false);
    answer(f, REFUSED_NOT);
    block(f, 3);
    joining_ask(f->joining, &f->io, false);
    paged = paged_of(f, JOIN_OPEN, 0);
    paged.room = 3;
    open_page(f, &writer);
    end_page(f, &writer, &paged);
    assert_false(is_awake(f));
    assert_int_equal(sem_trywait(&f->call->done), 0);
    assert_int_equal(sem_trywait(&f->call->done), -1);
    give(f, 1, false);
    assert_false(joining_wait_on(f->joining, 2));
    assert_true(joining_wait_on(f->joining, 3));
    expect_append(f, 2, 1, false);
    answer(f, REFUSED_NOT);
    assert_int_equal(sem_trywait(&f->call->done), -1);
    joining_ask(f->joining, &f->io, false);
    paged = paged_of(f, JOIN_OPEN, 0);
    paged.room = 3;
    open_page(f, &writer);
    end_page(f, &writer, &paged);
    assert_int_equal(sem_trywait(&f->call->done), 0); /* for a second time */
    give(f, 3, true);
    assert_true(joining_wait_on(f->joining, 0));
    expect_append(f, 3, 3, true);
    assert_false(is_awake(f));
}

static void page_of(struct fixture *f, uint32_t accepted, uint32_t room, bool closed)
{
    struct paged paged = paged_of(f, JOIN_OPEN, f->joining->paged);
    struct wire_writer writer;

    paged.accepted = accepted;
    paged.room = room;
    paged.closed = closed;
    open_page(f, &writer);
    end_page(f, &writer, &paged);
}

/* Its thread comes back to a map: what is there already is compared, however little it is worth,
 * and before anything is awaited that may never come. */
static void what_may_be_there_is_seen_first(void **state)
{
    struct fixture *f = *state;

    f->joining->may_be_known = true;
    f->joining->frontier = 2;
    give(f, 2, false);
    expect_append(f, 0, 2, false);
    answer(f, REFUSED_NOT);
    assert_int_equal(joining_worth(f->joining, 128), 128);
    block(f, 128);
    expect_page(f, 0, 0, 0);
    assert_false(joining_is_open(f->joining));
    page_of(f, 6, 0, false);
    assert_true(joining_is_open(f->joining));
    assert_true(is_awake(f));
    assert_int_equal(joining_worth(f->joining, 128), 4);
    assert_int_equal(joining_room(f->joining), 4);
    give(f, 4, false);
    expect_append(f, 2, 4, false);
    answer(f, REFUSED_NOT);
    assert_int_equal(joining_worth(f->joining, 128), 128);
    block(f, 128);
    expect_page(f, 0, 6, 128);
}

static void more_inputs_than_a_closed_join_has_differ(void **state)
{
    struct fixture *f = *state;

    f->joining->may_be_known = true;
    f->joining->frontier = 2;
    give(f, 2, false);
    expect_append(f, 0, 2, false);
    answer(f, REFUSED_NOT);
    block(f, 128);
    expect_page(f, 0, 0, 0);
    page_of(f, 3, 0, true);
    assert_true(is_awake(f));
    give(f, joining_room(f->joining), false);
    assert_int_equal(f->given, 3);
    assert_true(joining_room(f->joining) > 0);
    give(f, 1, true);
    assert_int_equal(joining_room(f->joining), 0);
    expect_append(f, 2, 1, false);
    answer(f, REFUSED_NOT);
    expect_append(f, 3, 1, true);
    answer(f, REFUSED_DIFFERS);
    assert_true(joining_differs(f->joining, 4));
}

/* All had ended before the end of the inputs was told: no outcome is left to tell that it is over.
 */
static void a_closed_join_is_asked_whether_it_is_over(void **state)
{
    struct fixture *f = *state;
    struct result_item item;
    struct wire_writer writer;
    struct paged paged;

    give(f, 1, false);
    expect_append(f, 0, 1, false);
    answer(f, REFUSED_NOT);
    block(f, 0);
    expect_page(f, 0, 1, 0);
    item = result_at(f, 0);
    page_result(f, &f->party.worker, &item);
    endings_destroy(joining_deliver(f->joining));
    give(f, 0, true);
    expect_append(f, 1, 0, true);
    block(f, 0);
    answer(f, REFUSED_NOT);
    expect_page(f, 1, 0, 0);
    paged = paged_of(f, JOIN_COMPLETE, 1);
    open_page(f, &writer);
    end_page(f, &writer, &paged);
    assert_true(is_awake(f));
    assert_true(joining_has_ended(f->joining));
}

static void nothing_more_goes_to_what_is_over(void **state)
{
    struct fixture *f = *state;
    struct wire_writer writer;
    struct paged paged;

    give(f, 1, false);
    give(f, 1, true);
    expect_append(f, 0, 1, false);
    expect_append(f, 1, 1, true);
    answer(f, REFUSED_NOT);
    answer(f, REFUSED_OVER);
    expect_nothing(f);
    block(f, 0);
    expect_page(f, 0, 1, 0);
    paged = paged_of(f, JOIN_WON, 1);
    paged.accepted = 0;
    open_page(f, &writer);
    end_page(f, &writer, &paged);
    assert_true(joining_has_ended(f->joining));
    expect_nothing(f);
}

/* Its deadline came before its first input: the mesh has nothing of it but its root, and how that
 * ended. */
static void what_was_over_before_it_began_is_asked_about(void **state)
{
    struct fixture *f = *state;
    struct wire_writer writer;
    struct paged paged;

    give(f, 2, true);
    expect_append(f, 0, 2, true);
    block(f, 0);
    answer(f, REFUSED_OVER);
    assert_false(is_awake(f));
    expect_page(f, 0, 0, 0);
    paged = paged_of(f, JOIN_CANCELLED, 0);
    paged.accepted = 0;
    open_page(f, &writer);
    end_page(f, &writer, &paged);
    assert_true(is_awake(f));
    assert_true(joining_has_ended(f->joining));
    expect_nothing(f);
}

/* ---- tests: outcomes */

static void a_good_result_is_delivered(void **state)
{
    struct fixture *f = *state;
    struct result_item item;
    struct endings *endings;
    struct ending ending;

    begin_one(f);
    item = result_at(f, 0);
    page_result(f, &f->party.worker, &item);
    ending = expect_ending(f, &endings);
    assert_int_equal(ending.status, GROVE_OK);
    assert_string_equal(ending.result.bytes.data, "0");
    assert_int_equal(f->outcomes.refused, 0);
    assert_true(TAILQ_EMPTY(&f->joining->portions));
    endings_destroy(endings);
}

static void a_result_by_no_worker_is_not_trusted(void **state)
{
    struct fixture *f = *state;
    struct result_item item;

    begin_one(f);
    item = result_at(f, 0);
    page_result(f, &f->party.coordinator, &item);
    expect_distrust(f, GROVE_DENIED);
}

static void a_result_of_another_input_is_not_trusted(void **state)
{
    struct fixture *f = *state;
    struct result_item item;

    begin_one(f);
    item = result_at(f, 1);
    item.task = id_at(0);
    page_result(f, &f->party.worker, &item);
    expect_distrust(f, GROVE_BAD_SIGNATURE);
}

static void a_result_of_another_parent_is_not_trusted(void **state)
{
    struct fixture *f = *state;
    struct result_item item;

    begin_one(f);
    item = result_at(f, 0);
    item.parent.byte[3] ^= 1;
    page_result(f, &f->party.worker, &item);
    expect_distrust(f, GROVE_BAD_SIGNATURE);
}

static void a_result_in_another_tree_is_not_trusted(void **state)
{
    struct fixture *f = *state;
    struct result_item item;

    begin_one(f);
    item = result_at(f, 0);
    item.root.byte[3] ^= 1;
    page_result(f, &f->party.worker, &item);
    expect_distrust(f, GROVE_BAD_SIGNATURE);
}

static void a_verdict_is_never_a_success(void **state)
{
    struct fixture *f = *state;
    struct verdict_item item = {.code = CODE_CANCELLED, .text = bytes_of_text("cancelled")};
    struct sealed sealed = {.item_count = 1};
    struct buffer encoded = {0};
    struct endings *endings;
    struct ending ending;

    begin_one(f);
    item.task = id_at(0);
    item.root = f->joining->root;
    item.has_parent = true;
    item.parent = f->joining->parent;
    item.function = bytes_of_text("echo");
    item.payload_digest = digest_of(bytes_of_text("0"));
    wire_verdict_encode(&encoded, &item);
    sealed.item[0] = buffer_bytes(&encoded);
    const struct digest leaf = seal_leaf(sealed.item[0]);

    seal_make(f->party.coordinator.signer, &f->party.mesh.public_key, SEAL_VERDICT, &leaf, 1,
              &sealed.seal);
    wire_sealed_encode(&f->scratch, &sealed);
    page_one(f, buffer_bytes(&f->scratch));
    ending = expect_ending(f, &endings);
    assert_int_equal(ending.status, GROVE_FAILED);
    assert_int_equal(ending.failure.code, GROVE_CODE_CANCELLED);
    assert_null(ending.result.bytes.data);
    endings_destroy(endings);
    buffer_clear(&encoded);
}

/* Each bit of the sealed result in turn: it is the one that was asked for, or none. */
static void no_flipped_bit_is_a_success(void **state)
{
    struct fixture *f = *state;
    struct result_item item;
    struct buffer sealed = {0};

    begin_one(f);
    item = result_at(f, 0);
    party_seal_results(&f->party.worker, &item, 1, &sealed);
    for (size_t bit = 0; bit < sealed.size * 8; bit++) {
        struct endings *endings;
        struct ending ending;

        sealed.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        page_one(f, buffer_bytes(&sealed));
        sealed.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        ending = expect_ending(f, &endings);
        assert_int_not_equal(ending.status, GROVE_OK);
        assert_null(ending.result.bytes.data);
        endings_destroy(endings);
        /* As if it had never come. */
        f->given = 0;
        f->joining->paged = f->joining->delivered = f->joining->taken = 0;
        f->joining->state = JOIN_OPEN;
        begin_one(f);
    }
    assert_true(f->outcomes.refused > 0);
    buffer_clear(&sealed);
}

static void a_page_that_lacks_an_outcome_is_a_failure(void **state)
{
    struct fixture *f = *state;
    const struct id id = id_at(0);
    struct paged paged;
    struct wire_writer writer;

    begin_one(f);
    paged = paged_of(f, JOIN_COMPLETE, 0);
    paged.ids = bytes_of(&id, sizeof(id));
    open_page(f, &writer);
    end_page(f, &writer, &paged);
    expect_distrust(f, GROVE_MALFORMED);
    assert_true(joining_has_ended(f->joining));
}

static void a_page_that_names_another_task_is_a_failure(void **state)
{
    struct fixture *f = *state;
    const struct id id = id_at(1);
    struct paged paged;
    struct wire_writer writer;
    struct result_item item;

    begin_one(f);
    item = result_at(f, 0);
    item.task = id;
    party_seal_results(&f->party.worker, &item, 1, &f->scratch);
    paged = paged_of(f, JOIN_COMPLETE, 0);
    paged.ids = bytes_of(&id, sizeof(id));
    open_page(f, &writer);
    wire_put_bytes(&writer, PAGED_OUTCOMES, buffer_bytes(&f->scratch));
    end_page(f, &writer, &paged);
    expect_distrust(f, GROVE_MALFORMED);
}

/* Inputs that are not taken yet have not been compared with what the mesh has. */
static void a_page_shows_no_more_than_is_taken(void **state)
{
    struct fixture *f = *state;
    struct id ids[2] = {id_at(0), id_at(1)};
    struct result_item items[2];
    struct paged paged;
    struct wire_writer writer;
    struct endings *endings;

    give(f, 1, false);
    give(f, 1, true);
    expect_append(f, 0, 1, false);
    expect_append(f, 1, 1, true);
    answer(f, REFUSED_NOT);
    block(f, 0);
    expect_page(f, 0, 1, 0);
    items[0] = result_at(f, 0);
    items[0].bytes = bytes_of_text("0");
    items[1] = result_at(f, 1);
    party_seal_results(&f->party.worker, items, 2, &f->scratch);
    paged = paged_of(f, JOIN_COMPLETE, 0);
    paged.ids = bytes_of(ids, sizeof(ids));
    open_page(f, &writer);
    wire_put_bytes(&writer, PAGED_OUTCOMES, buffer_bytes(&f->scratch));
    end_page(f, &writer, &paged);
    endings = joining_deliver(f->joining);
    assert_int_equal(endings->count, 1);
    assert_int_equal(endings->ending[0].status, GROVE_OK);
    assert_false(joining_has_ended(f->joining));
    endings_destroy(endings);
    answer(f, REFUSED_DIFFERS);
    assert_true(joining_has_ended(f->joining));
    assert_true(joining_differs(f->joining, 2));
}

static void an_old_page_says_nothing(void **state)
{
    struct fixture *f = *state;
    struct result_item item;
    struct endings *endings;

    begin_one(f);
    item = result_at(f, 0);
    f->joining->wants = 0;
    joining_ask(f->joining, &f->io, true);
    page_result(f, &f->party.worker, &item);
    endings = joining_deliver(f->joining);
    assert_int_equal(endings->count, 1);
    endings_destroy(endings);
    f->joining->state = JOIN_OPEN;
    f->joining->accepted = 2;
    f->joining->taken = 2;
    joining_ask(f->joining, &f->io, true);
    page_result(f, &f->party.worker, &item);
    assert_null(joining_deliver(f->joining));
}

/* ---- tests: the end */

/* It is held for its thread, which has yet to call the I/O thread: not even the last parcel takes
 * it along (a leak, or a use afterwards, is for the sanitizers to tell). */
static void what_is_left_stays_for_its_thread(void **state)
{
    struct fixture *f = *state;

    give(f, 1, false);
    give(f, 1, true);
    expect_append(f, 0, 1, false);
    expect_append(f, 1, 1, true);
    assert_false(joining_leave(f->joining));
    answer(f, REFUSED_NOT);
    answer(f, REFUSED_NOT);
    assert_true(joining_is_left(f->joining));
    joining_release(f->joining);
    f->joining = NULL;
}

static void what_is_left_goes_with_its_last_parcel(void **state)
{
    struct fixture *f = *state;

    give(f, 1, false);
    give(f, 1, true);
    expect_append(f, 0, 1, false);
    expect_append(f, 1, 1, true);
    assert_false(joining_leave(f->joining));
    joining_release(f->joining);
    answer(f, REFUSED_NOT);
    answer(f, REFUSED_NOT);
    f->joining = NULL;
}

static void what_is_left_is_dropped_with_its_parcels(void **state)
{
    struct fixture *f = *state;

    begin_one(f);
    give(f, 1, true);
    assert_int_equal(f->parcels.count, 1);
    assert_false(joining_leave(f->joining));
    joining_hold(f->joining);
    joining_release(f->joining);
    assert_true(joining_drop(f->joining, &f->io));
    assert_int_equal(f->parcels.count, 0);
    joining_release(f->joining);
    f->joining = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(portions_go_out_in_order_and_not_all_at_once),
        TEST(what_is_refused_for_now_goes_again_in_order),
        TEST(inputs_wait_for_their_root),
        TEST(a_refusal_is_told_with_its_input),
        TEST(an_answer_without_a_word_is_none),
        TEST(room_is_what_the_mesh_and_the_memory_have),
        TEST(room_is_asked_for_when_all_is_taken),
        TEST(a_patient_thread_is_called_for_more),
        TEST(what_may_be_there_is_seen_first),
        TEST(more_inputs_than_a_closed_join_has_differ),
        TEST(a_closed_join_is_asked_whether_it_is_over),
        TEST(nothing_more_goes_to_what_is_over),
        TEST(what_was_over_before_it_began_is_asked_about),
        TEST(a_good_result_is_delivered),
        TEST(a_result_by_no_worker_is_not_trusted),
        TEST(a_result_of_another_input_is_not_trusted),
        TEST(a_result_of_another_parent_is_not_trusted),
        TEST(a_result_in_another_tree_is_not_trusted),
        TEST(a_verdict_is_never_a_success),
        TEST(no_flipped_bit_is_a_success),
        TEST(a_page_that_lacks_an_outcome_is_a_failure),
        TEST(a_page_that_names_another_task_is_a_failure),
        TEST(a_page_shows_no_more_than_is_taken),
        TEST(an_old_page_says_nothing),
        TEST(what_is_left_stays_for_its_thread),
        TEST(what_is_left_goes_with_its_last_parcel),
        TEST(what_is_left_is_dropped_with_its_parcels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
