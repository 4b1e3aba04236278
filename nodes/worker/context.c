/* SPDX-License-Identifier: MPL-2.0
 * What a handler sees of its attempt. */
#include "nodes/worker/context.h"

#include <assert.h>
#include <stdlib.h>

#include "core/text.h"
#include "nodes/worker/exec.h"
#include "nodes/worker/worker.h"

static _Thread_local struct grove_attempt *current;
static _Thread_local struct grove_attempt *own; /* whose handler was called on this thread */

static _Thread_local struct visit *visiting; /* of a thread that calls for a command */

/* Its value is the attempt of a thread that has adopted it, so that the end of the thread ends that
 * too. */
static pthread_key_t adopted;
static pthread_once_t adopted_once = PTHREAD_ONCE_INIT;

struct grove_attempt *context_attempt(void)
{
    return current;
}

const struct key *context_signer(const struct grove_attempt *attempt)
{
    return &attempt->worker->credential.signer->public_key;
}

uint64_t context_ledger_ms(const struct grove_attempt *attempt)
{
    return session_ledger_ms(&attempt->worker->session);
}

static void leave(void *attempt)
{
    current = NULL;
    handlers_leave(&((struct grove_attempt *)attempt)->worker->handlers, attempt);
}

void context_run(struct grove_attempt *attempt)
{
    const struct function *function = attempt->function;
    enum grove_status status;

    current = attempt;
    own = attempt;
    status =
        function->command ? exec_attempt(attempt) : function->handler(attempt, function->context);
    if (current) {
        leave(current);
    }
    own = NULL;
    handlers_return(&attempt->worker->handlers, attempt);
    attempt_conclude(attempt, status);
}

static void make_key(void)
{
    if (pthread_key_create(&adopted, leave) != 0) {
        abort();
    }
}

enum grove_status grove_context_adopt(struct grove_attempt *attempt)
{
    enum grove_status status;

    if (!attempt || current) {
        return GROVE_INVALID;
    }
    pthread_once(&adopted_once, make_key);
    status = handlers_join(&attempt->worker->handlers, attempt);
    if (status == GROVE_OK) {
        current = attempt;
        pthread_setspecific(adopted, attempt == own ? NULL : attempt);
    }
    return status;
}

void grove_context_release(void)
{
    if (current) {
        pthread_once(&adopted_once, make_key);
        pthread_setspecific(adopted, NULL);
        leave(current);
    }
}

void context_begin_visit(struct grove_attempt *attempt, struct visit *visit)
{
    current = attempt;
    visiting = visit;
}

void context_rest(void)
{
    handlers_rest(&current->worker->handlers, current);
}

void context_end_visit(void)
{
    context_rest();
    visiting = NULL;
    current = NULL;
}

const struct credential *context_credential(const struct grove_attempt *attempt)
{
    return &attempt->worker->credential;
}

uint32_t context_count_join(struct grove_attempt *attempt, const struct join_terms *terms)
{
    return attempt_count_join(attempt, terms);
}

void context_kick(struct grove_attempt *attempt, struct joining *joining)
{
    handlers_kick(&attempt->worker->handlers, joining);
}

void context_wait(struct call *call)
{
    call->visit = visiting;
    handlers_wait(&call->attempt->worker->handlers, call);
}

void context_wait_on(struct call *call)
{
    handlers_wait_on(&call->attempt->worker->handlers, call);
}

void context_perform(struct call *call)
{
    struct grove_attempt *attempt = call->attempt;
    struct handlers *handlers = &attempt->worker->handlers;

    call->visit = visiting;
    if (call->kind == CALL_RUN || call->kind == CALL_AWAIT) {
        handlers_wait(handlers, call);
    } else {
        handlers_call(handlers, call);
    }
    if (call_status(call) != GROVE_OK) {
        attempt_complain(attempt, call->complaint);
    }
}

struct grove_id grove_attempt_id(const struct grove_attempt *attempt)
{
    struct grove_id id;

    memcpy(&id, &attempt->key.task, sizeof(id));
    return id;
}

struct grove_id grove_attempt_root(const struct grove_attempt *attempt)
{
    struct grove_id id;

    memcpy(&id, &attempt->root, sizeof(id));
    return id;
}

struct grove_id grove_attempt_parent(const struct grove_attempt *attempt)
{
    struct grove_id id;

    memcpy(&id, &attempt->parent, sizeof(id));
    return id;
}

uint32_t grove_attempt_number(const struct grove_attempt *attempt)
{
    return attempt->key.attempt;
}

uint32_t grove_attempt_depth(const struct grove_attempt *attempt)
{
    return attempt->depth;
}

const char *grove_attempt_function(const struct grove_attempt *attempt)
{
    return attempt->function->name;
}

const char *grove_attempt_content_type(const struct grove_attempt *attempt)
{
    return attempt->content_type;
}

struct grove_bytes grove_attempt_payload(const struct grove_attempt *attempt)
{
    return (struct grove_bytes){attempt->payload.data, attempt->payload.size};
}

struct grove_bytes grove_attempt_checkpoint_load(const struct grove_attempt *attempt)
{
    return (struct grove_bytes){attempt->checkpoint.data, attempt->checkpoint.size};
}

static void set_bytes(struct buffer *buffer, const void *data, size_t size)
{
    buffer_reset(buffer);
    if (size > 0) {
        buffer_append(buffer, data, size);
    }
}

enum grove_status grove_attempt_return(struct grove_attempt *attempt, const void *data, size_t size)
{
    attempt->said.is_too_large = size > LIMIT_PAYLOAD_SIZE;
    if (attempt->said.is_too_large) {
        return GROVE_TOO_LARGE;
    }
    attempt->said.code = CODE_SUCCEEDED;
    set_bytes(&attempt->said.bytes, data, size);
    return GROVE_OK;
}

/* Cuts a text that is too long where a character begins. */
static size_t cut(const char *text, size_t most)
{
    size_t size = strlen(text);

    if (size > most) {
        size = most;
        while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80) {
            size--;
        }
    }
    return size;
}

static enum grove_status fail(struct grove_attempt *attempt, enum outcome_code code,
                              const char *text, struct grove_bytes bytes)
{
    struct bytes clean = bytes_of(text, text ? cut(text, LIMIT_TEXT_LENGTH) : 0);

    if (!text_is_valid(clean)) {
        clean = bytes_of_text("failed, with a text that is not UTF-8");
    }
    attempt->said.is_too_large = false;
    attempt->said.code = code;
    set_bytes(&attempt->said.text, clean.data, clean.size);
    set_bytes(&attempt->said.bytes, bytes.data,
              bytes.size < LIMIT_PAYLOAD_SIZE ? bytes.size : LIMIT_PAYLOAD_SIZE);
    return GROVE_FAILED;
}

enum grove_status grove_attempt_fail(struct grove_attempt *attempt, const char *text,
                                     struct grove_bytes bytes)
{
    return fail(attempt, CODE_FAILED, text, bytes);
}

enum grove_status grove_attempt_fail_permanently(struct grove_attempt *attempt, const char *text,
                                                 struct grove_bytes bytes)
{
    return fail(attempt, CODE_PERMANENT, text, bytes);
}

bool grove_cancelled(void)
{
    return current && atomic_load_explicit(&current->is_stopped, memory_order_acquire);
}

void context_progress(struct grove_attempt *attempt, unsigned percent, const char *text)
{
    size_t size = text ? cut(text, LIMIT_PROGRESS_LENGTH) : 0;

    if (!text_is_valid(bytes_of(text, size))) {
        return;
    }
    pthread_mutex_lock(&attempt->worker->handlers.lock);
    attempt->percent = percent < 100 ? percent : 100;
    if (size > 0) {
        memcpy(attempt->progress, text, size);
    }
    attempt->progress[size] = '\0';
    attempt->has_progress = true;
    attempt->has_unkept_progress = true;
    pthread_mutex_unlock(&attempt->worker->handlers.lock);
}

void grove_progress(unsigned percent, const char *text)
{
    if (current) {
        context_progress(current, percent, text);
    }
}

static struct call *checkpoint_call(struct grove_attempt *attempt, const void *data, size_t size)
{
    struct call *call = call_create(CALL_KEEP, 0, attempt);

    call->left = 1;
    set_bytes(&call->items, data, size);
    return call;
}

enum grove_status context_checkpoint(struct grove_attempt *attempt, const void *data, size_t size)
{
    enum grove_status status;
    struct call *call;

    if (size > LIMIT_CHECKPOINT_SIZE) {
        return GROVE_TOO_LARGE;
    }
    call = checkpoint_call(attempt, data, size);
    context_perform(call);
    status = call_status(call);
    call_destroy(call);
    return status;
}

enum grove_status grove_checkpoint(const void *data, size_t size)
{
    return current ? context_checkpoint(current, data, size) : GROVE_INVALID;
}

struct call *context_begin_checkpoint(struct grove_attempt *attempt, struct bytes bytes)
{
    struct call *call = checkpoint_call(attempt, bytes.data, bytes.size);

    handlers_post(&attempt->worker->handlers, call);
    return call;
}

bool context_end_checkpoint(struct call *call, enum patience patience)
{
    if (patience == PATIENCE_NONE && sem_trywait(&call->done) != 0) {
        return false;
    }
    if (patience == PATIENCE_ENDLESS) {
        call_wait(call, 0);
    }
    call_destroy(call);
    return true;
}
