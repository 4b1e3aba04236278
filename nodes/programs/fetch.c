/* SPDX-License-Identifier: MPL-2.0
 * Tasks as they were signed, fetched and verified. */
#include "nodes/programs/fetch.h"

#include <stdlib.h>

#include "core/fetch_message.h"
#include "core/id.h"
#include "core/message.h"
#include "nodes/client/session.h"
#include "nodes/host/clock.h"
#include "nodes/programs/connect.h"

#define TICK_MS 5u
#define CORRELATION (UINT64_C(1) << 32) /* of the first; the session counts from 1 */
#define AT_ONCE 16u                     /* each may be 1 MiB */
#define ANSWER_MS 30000u                /* without any */

struct fetching {
    struct session session;
    struct bus *bus;
    const struct credential *credential;
    const char *path;
    const struct id *ids;
    bool *is_answered;
    size_t count, next, answered;         /* next: the first that was not asked in this session */
    uint64_t welcome_by_ms, answer_by_ms; /* monotonic */
    void (*take)(void *context, const struct fetched_task *task);
    void *context;
    struct buffer frame;
    enum exit_code code;
};

static void finish(struct fetching *fetching, enum exit_code code)
{
    fetching->code = code;
    bus_stop(fetching->bus);
}

/* What cannot be sent now is sent by a tick. */
static void ask(struct fetching *fetching)
{
    size_t on_the_way = 0;

    for (size_t i = 0; i < fetching->next; i++) {
        on_the_way += fetching->is_answered[i] ? 0 : 1;
    }
    while (fetching->next < fetching->count && on_the_way < AT_ONCE) {
        if (!fetching->is_answered[fetching->next]) {
            buffer_reset(&fetching->frame);
            wire_fetch_encode(&fetching->frame, CORRELATION + fetching->next,
                              &fetching->ids[fetching->next]);
            if (session_send(&fetching->session, buffer_bytes(&fetching->frame)) != GROVE_OK) {
                return;
            }
            on_the_way++;
        }
        fetching->next++;
    }
}

static void welcomed(void *context, const struct message *message, const struct welcome *welcome)
{
    struct fetching *fetching = context;

    (void)message;
    (void)welcome;
    fetching->next = 0;
    ask(fetching);
}

static void answered(struct fetching *fetching, const struct fetched_task *task)
{
    fetching->is_answered[task->i] = true;
    fetching->answered++;
    fetching->answer_by_ms = clock_monotonic_ms() + ANSWER_MS;
    fetching->take(fetching->context, task);
    if (fetching->answered == fetching->count) {
        finish(fetching, EXIT_DONE);
    }
}

/* Whoever signs it anew must know that its first signer meant this very task. */
static enum grove_status verify(struct fetching *fetching, const struct fetched *fetched, size_t i,
                                struct task_item *item)
{
    struct sealed sealed;
    enum grove_status status = wire_sealed_decode(fetched->batch, &sealed);

    if (status == GROVE_OK && (sealed.seal.kind != SEAL_TASK || sealed.item_count != 1)) {
        status = GROVE_MALFORMED;
    }
    if (status == GROVE_OK) {
        status = seal_open(&sealed, &fetching->credential->mesh, NULL);
    }
    if (status == GROVE_OK) {
        status = wire_task_decode(sealed.item[0], item);
    }
    if (status != GROVE_OK) {
        return status;
    }
    session_learn(&fetching->session, fetched->certificates);
    if (trust_certificate(&fetching->session.trust, &sealed.seal.signer, NULL) == NULL) {
        return GROVE_UNKNOWN_KEY;
    }
    const struct digest payload = digest_of(item->payload);
    const struct id id = id_of_task(item, &sealed.seal.signer, &payload);

    return id_equal(&id, &fetching->ids[i]) ? GROVE_OK : GROVE_BAD_SIGNATURE;
}

static void take_fetched(struct fetching *fetching, size_t i, struct bytes body)
{
    struct fetched_task task = {.i = i, .refusal = REFUSED_NOT};
    struct fetched fetched;
    enum grove_status status = wire_fetched_decode(body, &fetched);

    if (status == GROVE_OK) {
        status = verify(fetching, &fetched, i, &task.item);
    }
    if (status != GROVE_OK) {
        complain("what the coordinator answers does not verify: %s", grove_status_text(status));
        finish(fetching, EXIT_REFUSED);
        return;
    }
    task.has_ended = fetched.has_ended;
    task.code = (enum outcome_code)fetched.code;
    answered(fetching, &task);
}

static void received(void *context, const struct message *message)
{
    struct fetching *fetching = context;
    const uint64_t i = message->correlation - CORRELATION;
    struct refused refused;

    if (message->correlation < CORRELATION || i >= fetching->count || fetching->is_answered[i] ||
        fetching->code != EXIT_NO_LEADER) {
        return;
    }
    if (message->type == MESSAGE_FETCHED) {
        take_fetched(fetching, (size_t)i, message->body);
    } else if (message->type == MESSAGE_REFUSED &&
               wire_refused_decode(message->body, &refused) == GROVE_OK && !refused.retryable) {
        const struct fetched_task task = {.i = (size_t)i, .refusal = (enum refusal)refused.code};

        answered(fetching, &task);
    }
    ask(fetching);
}

static void tick(void *context)
{
    struct fetching *fetching = context;
    const uint64_t now_ms = clock_monotonic_ms();
    char error[SESSION_ERROR_SIZE];

    session_tick(&fetching->session, now_ms);
    if (fetching->session.is_welcome) {
        fetching->welcome_by_ms = now_ms + CONNECT_PATIENCE_MS;
        ask(fetching);
    } else if (now_ms >= fetching->welcome_by_ms || fetching->session.refusal != GROVE_OK) {
        const enum grove_status status =
            session_complaint(&fetching->session, fetching->path, error);

        complain("%s", error);
        finish(fetching, exit_of_status(status));
        return;
    }
    if (now_ms >= fetching->answer_by_ms) {
        complain("no answer in %u s", ANSWER_MS / 1000);
        finish(fetching, EXIT_NO_LEADER);
    }
}

enum exit_code fetch_tasks(const struct credential *credential, const char *path,
                           const struct id *ids, size_t count,
                           void (*take)(void *context, const struct fetched_task *task),
                           void *context)
{
    struct fetching fetching = {.credential = credential,
                                .path = path,
                                .ids = ids,
                                .count = count,
                                .take = take,
                                .context = context,
                                .code = EXIT_NO_LEADER};
    const struct session_events events = {
        .context = &fetching, .welcomed = welcomed, .received = received};

    if (count == 0) {
        return EXIT_DONE;
    }
    fetching.is_answered = calloc(count, sizeof(bool));
    if (fetching.is_answered == NULL) {
        abort();
    }
    fetching.welcome_by_ms = clock_monotonic_ms() + CONNECT_PATIENCE_MS;
    fetching.answer_by_ms = clock_monotonic_ms() + ANSWER_MS;
    fetching.bus = bus_create(0);
    if (session_open(&fetching.session, fetching.bus, credential, &events) != GROVE_OK ||
        bus_every(fetching.bus, TICK_MS, tick, &fetching) != GROVE_OK) {
        complain("cannot connect to the coordinators that %s names", path);
    } else {
        bus_run(fetching.bus);
    }
    session_close(&fetching.session);
    bus_destroy(fetching.bus);
    buffer_clear(&fetching.frame);
    free(fetching.is_answered);
    return fetching.code;
}
