/* SPDX-License-Identifier: MPL-2.0
 * A client whose coordinator is silent, forgetful or busy, played by a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/refusal.h"
#include "nodes/client/client.h"
#include "nodes/grove.h"
#include "nodes/host/zap.h"
#include "tests/support/party.h"
#include "tests/support/scratch.h"

#define ACTS_MOST 4u
#define SEEN_MOST 32u
#define PATIENCE_MS 120000u

/* What the coordinator does with a Submit; from the last one on always the same, for a client asks
 * again when its answer is late. */
enum act { ACT_NOTHING, ACT_SEEN, ACT_BUSY, ACT_FORGET_SESSION, ACT_RESULT };

struct fixture {
    struct party party;
    struct scratch keys;
    struct zap *zap;
    struct bus *bus;
    struct bus_socket *socket;
    pthread_t thread;
    char path[SCRATCH_PATH_SIZE + 32];
    enum act acts[ACTS_MOST];
    unsigned act_count;
    bool is_deaf;        /* to Hello */
    unsigned submits;    /* seen */
    unsigned hellos;     /* answered */
    struct buffer first; /* the batch of the first Submit */
    bool differed;       /* a later one was another */
    struct buffer frame;
    sem_t seen; /* tasks; each once */
    struct id tasks[SEEN_MOST];
    unsigned task_count;
};

/* ---- the script */

static void answer(struct fixture *f, const struct bus_message *to)
{
    (void)!bus_send(f->socket, &to->route, &to->envelope, buffer_bytes(&f->frame));
    buffer_reset(&f->frame);
}

static void welcome(struct fixture *f, const struct bus_message *from, uint64_t correlation)
{
    struct wire_writer writer;
    struct id ledger = {{1}};

    f->hellos++;
    wire_open(&writer, &f->frame, MESSAGE_WELCOME, correlation);
    wire_put_bytes(&writer, WELCOME_LEDGER, bytes_of(&ledger, sizeof(ledger)));
    wire_put_uint(&writer, WELCOME_STAMP, 1000000);
    wire_put_uint(&writer, WELCOME_HEARTBEAT, 2000);
    wire_put_uint(&writer, WELCOME_SESSION_MS, 6000);
    wire_put_bytes(&writer, WELCOME_CERTIFICATES, buffer_bytes(&f->party.worker.certificate_bytes));
    wire_close(&writer);
    answer(f, from);
}

static void refuse(struct fixture *f, const struct bus_message *from, uint64_t correlation,
                   enum refusal code, uint64_t retry_ms)
{
    struct refused refused = {.code = code, .retryable = retry_ms > 0, .retry_ms = retry_ms};

    wire_refused_encode(&f->frame, correlation, &refused);
    answer(f, from);
}

static void accept(struct fixture *f, const struct bus_message *from, uint64_t correlation,
                   const struct id *id)
{
    struct wire_writer writer;

    wire_open(&writer, &f->frame, MESSAGE_ACCEPTED, correlation);
    wire_put_bytes(&writer, ACCEPTED_IDS, bytes_of(id, sizeof(*id)));
    wire_put_uint(&writer, ACCEPTED_STAMP, 1000000);
    wire_put_bytes(&writer, ACCEPTED_SETTLED, bytes_of("", 1));
    wire_close(&writer);
    answer(f, from);
}

static void notify(struct fixture *f, const struct bus_message *from, const struct task_item *task,
                   const struct id *id)
{
    struct result_item item = {
        .nonce = {1},
        .task = *id,
        .root = *id,
        .function = task->function,
        .payload_digest = digest_of(task->payload),
        .attempt = 1,
        .session = 1,
        .bytes = task->payload,
    };
    struct buffer sealed = {0};
    struct wire_writer writer;

    party_seal_results(&f->party.worker, &item, 1, &sealed);
    wire_open(&writer, &f->frame, MESSAGE_NOTIFY, 0);
    wire_put_bytes(&writer, NOTIFY_OUTCOMES, buffer_bytes(&sealed));
    wire_close(&writer);
    buffer_clear(&sealed);
    answer(f, from);
}

static void see(struct fixture *f, const struct id *task)
{
    for (unsigned i = 0; i < f->task_count; i++) {
        if (id_equal(&f->tasks[i], task)) {
            return;
        }
    }
    assert_true(f->task_count < SEEN_MOST);
    f->tasks[f->task_count++] = *task;
    sem_post(&f->seen);
}

static enum act next_act(struct fixture *f)
{
    const unsigned i = f->submits++;

    return f->acts[i < f->act_count ? i : f->act_count - 1];
}

static void on_submit(struct fixture *f, const struct bus_message *from,
                      const struct message *message)
{
    const enum act act = next_act(f);
    struct submit submit;
    struct sealed sealed;
    struct task_item item;
    struct digest digest;
    struct id id;

    if (wire_submit_decode(message->body, &submit) != GROVE_OK ||
        wire_sealed_decode(submit.batch, &sealed) != GROVE_OK ||
        seal_open(&sealed, &f->party.mesh.public_key, NULL) != GROVE_OK ||
        wire_task_decode(sealed.item[0], &item) != GROVE_OK) {
        f->differed = true;
        return;
    }
    if (f->first.size == 0) {
        buffer_append(&f->first, submit.batch.data, submit.batch.size);
    }
    f->differed |= !bytes_equal(buffer_bytes(&f->first), submit.batch);
    digest = digest_of(item.payload);
    id = id_of_task(&item, &sealed.seal.signer, &digest);
    if (act == ACT_BUSY) {
        refuse(f, from, message->correlation, REFUSED_BUSY, 10);
    } else if (act == ACT_FORGET_SESSION) {
        refuse(f, from, message->correlation, REFUSED_NO_SESSION, 0);
    } else if (act == ACT_SEEN) {
        accept(f, from, message->correlation, &id);
        see(f, &id);
    } else if (act == ACT_RESULT) {
        notify(f, from, &item, &id);
        accept(f, from, message->correlation, &id);
    }
}

static void receive(void *context, const struct bus_message *from)
{
    struct fixture *f = context;
    struct message message;

    if (f->is_deaf || from->status != GROVE_OK ||
        wire_message_open(bus_frame_bytes(from->frame), &message) != GROVE_OK) {
        return;
    }
    if (message.type == MESSAGE_HELLO) {
        welcome(f, from, message.correlation);
    } else if (message.type == MESSAGE_SUBMIT) {
        on_submit(f, from, &message);
    }
}

static void *serve(void *context)
{
    struct fixture *f = context;

    bus_run(f->bus);
    return NULL;
}

/* ---- fixture */

static void publish(struct fixture *f)
{
    const struct certificate *certificate = &f->party.client.certificate;
    struct zap_entry entry = {
        .link = certificate->link_key,
        .identity = certificate->sign_key,
        .roles = certificate->roles,
        .not_before_ms = certificate->not_before_ms,
        .not_after_ms = certificate->not_after_ms,
    };

    zap_publish(f->zap, &entry, 1);
}

static void save(struct fixture *f, struct credential *credential)
{
    struct coordinator_address *address = &credential->coordinator[0];
    char error[CREDENTIAL_ERROR_SIZE];

    credential->coordinator_count = 1;
    snprintf(address->endpoint, sizeof(address->endpoint), "tcp://127.0.0.1:%u",
             bus_port(f->socket));
    address->certificate = f->party.coordinator.certificate;
    buffer_append(&address->certificate_bytes, f->party.coordinator.certificate_bytes.data,
                  f->party.coordinator.certificate_bytes.size);
    snprintf(f->path, sizeof(f->path), "%s/client", f->keys.path);
    assert_int_equal(credential_save(f->path, credential, error), GROVE_OK);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct bus_bind_options options = {.address = "127.0.0.1:0", .zap_domain = ZAP_DOMAIN_TASK};

    sem_init(&f->seen, 0, 0);
    party_make(&f->party);
    scratch_make(&f->keys);
    f->bus = bus_create(0);
    assert_int_equal(zap_start(&f->zap), GROVE_OK);
    publish(f);
    options.link = f->party.coordinator.link;
    options.zap = f->zap;
    assert_int_equal(bus_bind(f->bus, &options, receive, f, &f->socket), GROVE_OK);
    save(f, &f->party.client);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    bus_close(f->bus, f->socket);
    zap_stop(f->zap);
    bus_destroy(f->bus);
    buffer_clear(&f->first);
    buffer_clear(&f->frame);
    sem_destroy(&f->seen);
    scratch_remove(&f->keys);
    party_clear(&f->party);
    free(f);
    return 0;
}

static struct grove_client *open_client(struct fixture *f, const enum act *acts, unsigned count)
{
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    struct grove_client *client = NULL;
    char error[GROVE_ERROR_SIZE] = "";

    assert_in_range(count, 1, ACTS_MOST);
    memcpy(f->acts, acts, count * sizeof(acts[0]));
    f->act_count = count;
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    options.credential_path = f->path;
    options.connect_timeout_ms = PATIENCE_MS;
    if (grove_client_open(&options, &client, error) != GROVE_OK) {
        fail_msg("%s", error);
    }
    return client;
}

static void close_client(struct fixture *f, struct grove_client *client)
{
    grove_client_close(client);
    bus_stop(f->bus);
    pthread_join(f->thread, NULL);
}

static enum grove_status open_unanswered(struct fixture *f)
{
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    struct grove_client *client = NULL;
    char error[GROVE_ERROR_SIZE] = "";
    enum grove_status status;

    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    options.credential_path = f->path;
    options.connect_timeout_ms = 300;
    status = grove_client_open(&options, &client, error);
    assert_null(client);
    assert_non_null(strstr(error, f->path));
    assert_non_null(strstr(error, "tcp://127.0.0.1"));
    assert_non_null(strstr(error, "grove keys admit"));
    bus_stop(f->bus);
    pthread_join(f->thread, NULL);
    return status;
}

static enum grove_status run(struct grove_client *client, uint64_t expires_ms,
                             struct grove_failure *failure)
{
    struct grove_task task = {.size = sizeof(task),
                              .function = "echo",
                              .payload = {"hello", 5},
                              .expires_ms = expires_ms};
    struct grove_result result;
    enum grove_status status = grove_wait(client, &task, &result, failure);

    if (status == GROVE_OK) {
        assert_string_equal(result.bytes.data, "hello");
    }
    grove_result_clear(&result);
    return status;
}

/* ---- tests */

static void a_deaf_coordinator_is_named(void **state)
{
    struct fixture *f = *state;

    f->is_deaf = true;
    assert_int_equal(open_unanswered(f), GROVE_NO_LEADER);
}

/* A stranger is shut out without a word, sooner or later. */
static void a_key_that_is_not_admitted_is_told_how(void **state)
{
    struct fixture *f = *state;
    enum grove_status status;

    zap_publish(f->zap, NULL, 0);
    status = open_unanswered(f);
    assert_true(status == GROVE_UNKNOWN_KEY || status == GROVE_NO_LEADER);
}

static void an_unanswered_submit_is_sent_again_unchanged(void **state)
{
    static const enum act acts[] = {ACT_NOTHING, ACT_BUSY, ACT_RESULT};
    struct fixture *f = *state;
    struct grove_client *client = open_client(f, acts, 3);

    assert_int_equal(run(client, 0, NULL), GROVE_OK);
    close_client(f, client);
    assert_true(f->submits >= 3);
    assert_false(f->differed);
}

static void a_forgotten_session_is_begun_anew(void **state)
{
    static const enum act acts[] = {ACT_FORGET_SESSION, ACT_RESULT};
    struct fixture *f = *state;
    struct grove_client *client = open_client(f, acts, 2);

    assert_int_equal(run(client, 0, NULL), GROVE_OK);
    close_client(f, client);
    assert_true(f->hellos >= 2);
    assert_false(f->differed);
}

static void a_submit_past_its_time_is_unknown(void **state)
{
    static const enum act acts[] = {ACT_NOTHING};
    struct fixture *f = *state;
    struct grove_client *client = open_client(f, acts, 1);
    struct grove_failure failure;

    assert_int_equal(run(client, 200, &failure), GROVE_TIMEOUT);
    assert_int_equal(failure.code, GROVE_CODE_NONE);
    assert_true(failure.retryable);
    assert_string_equal(failure.function, "echo");
    grove_failure_clear(&failure);
    close_client(f, client);
}

struct caller {
    struct grove_client *client;
    enum grove_status status;
};

static void *call_from_elsewhere(void *context)
{
    struct caller *caller = context;

    caller->status = run(caller->client, 0, NULL);
    return NULL;
}

/* A call is under way when its Submit has been seen; it can never end by itself. */
static void closing_ends_the_calls_of_others(void **state)
{
    enum { CALLERS = SEEN_MOST };
    static const enum act acts[] = {ACT_SEEN};
    struct fixture *f = *state;
    struct grove_client *client = open_client(f, acts, 1);
    struct caller callers[CALLERS];
    pthread_t threads[CALLERS];

    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.client = client};
        assert_int_equal(pthread_create(&threads[i], NULL, call_from_elsewhere, &callers[i]), 0);
        sem_wait(&f->seen);
    }
    close_client(f, client);
    for (unsigned i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].status, GROVE_CLOSED);
    }
}

static void *close_elsewhere(void *client)
{
    grove_client_close(client);
    return NULL;
}

/* Whoever is in a call may still look at the client, however late it wakes. */
static void a_closed_client_lasts_until_its_callers_are_out(void **state)
{
    static const enum act acts[] = {ACT_NOTHING};
    struct fixture *f = *state;
    struct grove_client *client = open_client(f, acts, 1);
    pthread_t thread;

    client_enter(client);
    assert_int_equal(pthread_create(&thread, NULL, close_elsewhere, client), 0);
    assert_int_equal(run(client, 0, NULL), GROVE_CLOSED);
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(run(client, 0, NULL), GROVE_CLOSED);
    }
    client_leave(client);
    pthread_join(thread, NULL);
    bus_stop(f->bus);
    pthread_join(f->thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_deaf_coordinator_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_is_not_admitted_is_told_how, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unanswered_submit_is_sent_again_unchanged, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_forgotten_session_is_begun_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_submit_past_its_time_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_ends_the_calls_of_others, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closed_client_lasts_until_its_callers_are_out, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
