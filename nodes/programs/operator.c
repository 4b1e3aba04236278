/* SPDX-License-Identifier: MPL-2.0
 * What an operator's commands ask of a running mesh: one request in a session of its own. */
#include "nodes/programs/operator.h"

#include <stdio.h>

#include "nodes/client/session.h"
#include "nodes/host/clock.h"
#include "nodes/programs/connect.h"

#define TICK_MS 5u
#define CORRELATION (UINT64_C(1) << 32) /* of our request; the session counts from 1 */
#define ANSWER_MS 60000u                /* a large snapshot takes its time */

bool operator_credential(const struct arguments *arguments, struct credential *credential,
                         char *path, enum exit_code *code)
{
    char error[CREDENTIAL_ERROR_SIZE];

    if (!connect_choose(arguments, path, code)) {
        return false;
    }
    const enum grove_status status = credential_load(path, credential, error);

    if (status != GROVE_OK) {
        complain("%s", error);
        *code = exit_of_status(status);
        return false;
    }
    if ((credential->certificate.roles & ROLE_OPERATOR) == 0) {
        complain("%s is no operator's credential", path);
        credential_clear(credential);
        *code = EXIT_REFUSED;
        return false;
    }
    return true;
}

/* One request, which is sent again in each new session until it is answered. */
struct exchange {
    struct session session;
    struct bus *bus;
    const char *path;
    struct buffer frame;
    uint64_t welcome_by_ms, answer_by_ms; /* monotonic */
    uint64_t index;
    bool may_be_missing; /* NOT_FOUND is for the caller to tell */
    enum exit_code code;
};

static void finish(struct exchange *exchange, enum exit_code code)
{
    exchange->code = code;
    bus_stop(exchange->bus);
}

static void welcomed(void *context, const struct message *message, const struct welcome *welcome)
{
    struct exchange *exchange = context;

    (void)message;
    (void)welcome;
    if (session_send(&exchange->session, buffer_bytes(&exchange->frame)) != GROVE_OK) {
        complain("the coordinator takes no requests now");
        finish(exchange, EXIT_NO_LEADER);
    }
}

static void say_refused(const struct refused *refused)
{
    fprintf(stderr, "grove: refused (%s): ", refusal_name((enum refusal)refused->code));
    print_bytes(stderr, refused->text.data, refused->text.size);
    fputc('\n', stderr);
}

static void received(void *context, const struct message *message)
{
    struct exchange *exchange = context;
    struct refused refused;

    if (message->correlation != CORRELATION) {
        return;
    }
    if (message->type == MESSAGE_DONE &&
        wire_done_decode(message->body, &exchange->index) == GROVE_OK) {
        finish(exchange, EXIT_DONE);
    } else if (message->type == MESSAGE_REFUSED &&
               wire_refused_decode(message->body, &refused) == GROVE_OK) {
        if (exchange->may_be_missing && refused.code == REFUSED_NOT_FOUND) {
            finish(exchange, EXIT_NOT_FOUND);
            return;
        }
        if (refused.code == REFUSED_NO_LEADER) { /* any more; who leads now is asked again */
            session_restart(&exchange->session);
            return;
        }
        say_refused(&refused);
        finish(exchange, refused.code == REFUSED_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_REFUSED);
    }
}

static void tick(void *context)
{
    struct exchange *exchange = context;
    const uint64_t now_ms = clock_monotonic_ms();
    char error[SESSION_ERROR_SIZE];

    session_tick(&exchange->session, now_ms);
    if (!exchange->session.is_welcome &&
        (now_ms >= exchange->welcome_by_ms || exchange->session.refusal != GROVE_OK)) {
        const enum grove_status status =
            session_complaint(&exchange->session, exchange->path, error);

        complain("%s", error);
        finish(exchange, exit_of_status(status));
    } else if (now_ms >= exchange->answer_by_ms) {
        complain("no answer in %u s; it may or may not have been done", ANSWER_MS / 1000);
        finish(exchange, EXIT_NO_LEADER);
    }
}

static enum exit_code perform(struct exchange *exchange, const struct credential *credential)
{
    const struct session_events events = {
        .context = exchange, .welcomed = welcomed, .received = received};

    exchange->welcome_by_ms = clock_monotonic_ms() + CONNECT_PATIENCE_MS;
    exchange->answer_by_ms = clock_monotonic_ms() + ANSWER_MS;
    exchange->bus = bus_create(0);
    if (session_open(&exchange->session, exchange->bus, credential, &events) != GROVE_OK ||
        bus_every(exchange->bus, TICK_MS, tick, exchange) != GROVE_OK) {
        complain("cannot connect to the coordinators that %s names", exchange->path);
        exchange->code = EXIT_NO_LEADER;
    } else {
        bus_run(exchange->bus);
    }
    session_close(&exchange->session);
    bus_destroy(exchange->bus);
    buffer_clear(&exchange->frame);
    return exchange->code;
}

enum exit_code operator_admit(const struct credential *credential, const char *path,
                              const struct bytes *certificates, size_t count)
{
    struct exchange exchange = {.path = path};
    struct wire_writer writer;

    wire_open(&writer, &exchange.frame, MESSAGE_ADMIT, CORRELATION);
    for (size_t i = 0; i < count; i++) {
        wire_put_bytes(&writer, ADMIT_CERTIFICATES, certificates[i]);
    }
    wire_close(&writer);
    return perform(&exchange, credential);
}

enum exit_code operator_snapshot(const struct credential *credential, const char *path,
                                 uint64_t *index)
{
    struct exchange exchange = {.path = path};

    wire_empty_encode(&exchange.frame, CORRELATION, MESSAGE_SNAPSHOT);
    const enum exit_code code = perform(&exchange, credential);

    *index = exchange.index;
    return code;
}

enum exit_code operator_limit(const struct credential *credential, const char *path,
                              const struct limit *limit)
{
    struct exchange exchange = {.path = path};

    wire_limit_encode(&exchange.frame, CORRELATION, limit);
    return perform(&exchange, credential);
}

enum exit_code operator_change(const struct credential *credential, const char *path,
                               const struct change *change)
{
    struct exchange exchange = {.path = path};

    wire_change_encode(&exchange.frame, CORRELATION, change);
    return perform(&exchange, credential);
}

enum exit_code operator_drain(const struct credential *credential, const char *path,
                              const char *name)
{
    struct exchange exchange = {.path = path, .may_be_missing = true};

    wire_drain_encode(&exchange.frame, CORRELATION, bytes_of_text(name));
    return perform(&exchange, credential);
}
