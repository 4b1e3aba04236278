/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/forest_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/id.h"
#include "core/revocation.h"

/* ---- names */

static struct signer signer_named(const char *name)
{
    struct signer signer;
    uint8_t seed[crypto_sign_SEEDBYTES] = {0};

    assert_true(strlen(name) < sizeof(seed));
    for (size_t i = 0; name[i] != '\0'; i++) {
        seed[i] = (uint8_t)name[i];
    }
    crypto_sign_seed_keypair(signer.public_key.byte, signer.secret, seed);
    return signer;
}

static struct fixture_worker *worker_named(struct fixture *f, const char *name)
{
    for (size_t i = 0; i < f->worker_count; i++) {
        if (strcmp(f->workers[i].name, name) == 0) {
            return &f->workers[i];
        }
    }
    assert_true(f->worker_count < FIXTURE_WORKERS);
    struct fixture_worker *worker = &f->workers[f->worker_count++];
    (void)snprintf(worker->name, sizeof(worker->name), "%s", name);
    return worker;
}

/* Names may be used again; the latest counts. */
static struct fixture_task *task_named(const struct fixture *f, const char *name)
{
    for (size_t i = f->task_count; i > 0; i--) {
        if (strcmp(f->tasks[i - 1].name, name) == 0) {
            return &f->tasks[i - 1];
        }
    }
    fail_msg("no task is named %s", name);
    return NULL;
}

const char *name_of(const struct fixture *f, const struct id *id)
{
    for (size_t i = 0; i < f->task_count; i++) {
        if (id_equal(&f->tasks[i].id, id)) {
            return f->tasks[i].name;
        }
    }
    return "?";
}

/* Takes the next of "a b c"; false at the end. */
static bool next_word(const char **words, char word[32])
{
    size_t size = 0;

    while (*words && **words == ' ') {
        (*words)++;
    }
    while (*words && **words && **words != ' ') {
        assert_true(size < 31);
        word[size++] = *(*words)++;
    }
    word[size] = '\0';
    return size > 0;
}

struct id id_of(const struct fixture *f, const char *task)
{
    return task_named(f, task)->id;
}

struct task_view view_of(const struct fixture *f, const char *task)
{
    struct task_view view;
    const struct id id = id_of(f, task);

    assert_true(forest_task(f->forest, &id, &view));
    return view;
}

struct session_view session_of(const struct fixture *f, const char *worker)
{
    struct session_view view;

    for (size_t i = 0; i < f->worker_count; i++) {
        if (strcmp(f->workers[i].name, worker) == 0) {
            assert_true(forest_session(f->forest, f->workers[i].session - 1, &view));
            assert_int_equal(view.session, f->workers[i].session);
            return view;
        }
    }
    fail_msg("no worker is named %s", worker);
    return (struct session_view){0};
}

/* ---- transcripts */

static void print(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void print(struct fixture *f, const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    const int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    buffer_append(&f->transcript, line, (size_t)size);
}

static const char *session_name(const struct fixture *f, uint64_t session)
{
    for (size_t i = 0; i < f->worker_count; i++) {
        if (f->workers[i].session == session) {
            return f->workers[i].name;
        }
    }
    return "?";
}

static void print_attempt(struct fixture *f, const char *verb, const struct effect *effect)
{
    print(f, "%s %s", verb, name_of(f, &effect->task));
    if (effect->attempt > 1) {
        print(f, "#%u", (unsigned)effect->attempt);
    }
    print(f, " %s%s%s\n", session_name(f, effect->session), effect->refusal ? " " : "",
          effect->refusal ? refusal_name(effect->refusal) : "");
}

static void print_effect(struct fixture *f, const struct effect *effect)
{
    const char *refusal = effect->refusal ? refusal_name(effect->refusal) : "ok";

    switch (effect->kind) {
    case EFFECT_ANSWER:
        print(f, "answer %u %s %s%s\n", (unsigned)effect->position, name_of(f, &effect->task),
              refusal, effect->settled ? " settled" : "");
        break;
    case EFFECT_DONE:
        print(f, "done %s\n", refusal);
        break;
    case EFFECT_ENLISTED:
        print(f, "enlisted %s\n", session_name(f, effect->session));
        break;
    case EFFECT_RETIRED:
        print(f, "retired %s\n", session_name(f, effect->session));
        break;
    case EFFECT_ASSIGN:
        print_attempt(f, "assign", effect);
        break;
    case EFFECT_RESUME:
        print_attempt(f, "resume", effect);
        break;
    case EFFECT_STOP:
        print_attempt(f, "stop", effect);
        break;
    case EFFECT_REFUSE:
        print_attempt(f, "refuse", effect);
        break;
    case EFFECT_SETTLED:
        print(f, "settled %s\n", name_of(f, &effect->task));
        break;
    case EFFECT_TRUSTED:
        print(f, "trusted\n");
        break;
    case EFFECT_APPENDED:
        print(f, "appended %u %s\n", (unsigned)effect->position, refusal);
        break;
    case EFFECT_JOIN:
        print(f, "join %s\n", name_of(f, &effect->task));
        break;
    case EFFECT_SWEPT:
        print(f, "swept %s\n", name_of(f, &effect->task));
        break;
    case EFFECT_RECALL:
        print(f, "recall\n");
        break;
    }
}

void skip_effects(struct fixture *f)
{
    buffer_reset(&f->transcript);
}

void expect_effects(struct fixture *f, const char *expected)
{
    buffer_append(&f->transcript, "", 1);
    assert_string_equal((const char *)f->transcript.data, expected);
    skip_effects(f);
}

void expect_state(struct fixture *f, const char *task, const char *state)
{
    assert_string_equal(task_state_name(view_of(f, task).state), state);
}

/* ---- commands */

static void apply(struct fixture *f, struct command *command)
{
    command->at_ms = f->now_ms;
    command->token = f->token;
    effects_reset(&f->effects);
    forest_apply(f->forest, command, &f->effects);
    for (size_t i = 0; i < f->effects.count; i++) {
        const struct effect *effect = &f->effects.list[i];
        if (effect->kind == EFFECT_ENLISTED && command->kind == COMMAND_ENLIST) {
            f->workers[command->enlist.boot.byte[1]].session = effect->session;
        }
        print_effect(f, effect);
    }
    const char *fault = forest_check(f->forest);
    if (fault) {
        fail_msg("forest_check: %s", fault);
    }
}

/* Closes the frame that is being written and gives its body. */
static struct bytes close_frame(struct fixture *f, struct wire_writer *writer)
{
    struct message message;

    wire_close(writer);
    assert_int_equal(wire_message_open(buffer_bytes(&f->frame), &message), GROVE_OK);
    return message.body;
}

static void open_frame(struct fixture *f, struct wire_writer *writer, enum message_type type)
{
    buffer_reset(&f->frame);
    wire_open(writer, &f->frame, type, 0);
}

struct certificate certificate_of(const struct fixture *f, const char *name, uint32_t roles,
                                  const char *pattern)
{
    struct certificate certificate = {
        .mesh = f->mesh.public_key,
        .roles = roles,
        .sign_key = signer_named(name).public_key,
        .submit_count = 1,
        .run_count = 1,
        .not_before_ms = FIXTURE_START_MS,
        .not_after_ms = FIXTURE_START_MS + UINT64_C(365) * 24 * 3600 * 1000,
    };

    (void)snprintf(certificate.name, sizeof(certificate.name), "%s", name);
    memcpy(certificate.link_key.byte, name, strlen(name));
    memcpy(certificate.serial.byte, name, strlen(name));
    certificate.serial.byte[15] = (uint8_t)roles;
    (void)snprintf(certificate.submit[0].text, sizeof(certificate.submit[0].text), "%s", pattern);
    (void)snprintf(certificate.run[0].text, sizeof(certificate.run[0].text), "%s", pattern);
    return certificate;
}

void admit(struct fixture *f, const struct certificate *certificate)
{
    struct buffer form = {0};

    certificate_issue(&form, certificate, &f->mesh);
    struct command command = {.kind = COMMAND_TRUST};
    command.trust.certificate = buffer_bytes(&form);
    apply(f, &command);
    buffer_clear(&form);
}

void revoke(struct fixture *f, const char *name)
{
    const struct revocation revocation = {
        .mesh = f->mesh.public_key,
        .of_identity = true,
        .sign_key = certificate_of(f, name, 0, "").sign_key,
    };
    struct command command = {.kind = COMMAND_TRUST};
    struct buffer form = {0};

    revocation_issue(&form, &revocation, &f->mesh);
    command.trust.certificate = buffer_bytes(&form);
    apply(f, &command);
    buffer_clear(&form);
}

static void put_held(struct fixture *f, struct wire_writer *writer, const char *tasks,
                     enum held_state state)
{
    char name[32];

    while (next_word(&tasks, name)) {
        const struct held held = {
            .task = id_of(f, name), .attempt = view_of(f, name).attempt, .state = state};
        wire_put_held(writer, ENLIST_HELD, &held);
    }
}

void fixture_enlist(struct fixture *f, const char *name, const struct enlisting *how)
{
    struct fixture_worker *worker = worker_named(f, name);
    const char *functions = how->functions ? how->functions : "flow segment step";
    struct command command = {.kind = COMMAND_ENLIST};
    struct wire_writer writer;
    char function[32];

    worker->boot = how->boot ? how->boot : (uint8_t)(worker->boot ? worker->boot : 1);
    open_frame(f, &writer, MESSAGE_ENLIST);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text(name));
    while (next_word(&functions, function)) {
        wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text(function));
    }
    wire_put_uint(&writer, ENLIST_SLOTS, how->slots);
    wire_put_uint(&writer, ENLIST_WINDOW, how->window);
    wire_put_uint(&writer, ENLIST_MAX_WAITING,
                  how->max_waiting ? how->max_waiting : LIMIT_MAX_WAITING);
    put_held(f, &writer, how->held, HELD_RUNNING);
    put_held(f, &writer, how->held_waiting, HELD_WAITING);
    wire_put_uint(&writer, ENLIST_PREVIOUS_EXITED, how->previous_exited);
    command.enlist.encoded = close_frame(f, &writer);
    assert_int_equal(wire_enlist_decode(command.enlist.encoded, &command.enlist.enlist), GROVE_OK);
    command.enlist.identity = signer_named(name).public_key;
    command.enlist.boot.byte[0] = worker->boot;
    command.enlist.boot.byte[1] = (uint8_t)(worker - f->workers);
    apply(f, &command);
}

/* One batch under construction: what the pool of a leader would hand over. */
struct made {
    struct command command;
    struct buffer items;
    size_t ends[LIMIT_BATCH_ITEMS];
    struct digest leaves[LIMIT_BATCH_ITEMS];
    struct digest digests[LIMIT_BATCH_ITEMS];
    struct id ids[LIMIT_BATCH_ITEMS];
    uint16_t count;
};

static void close_batch(struct made *made, struct batch *batch, const struct signer *signer,
                        enum seal_kind kind)
{
    const struct key mesh = signer_named("mesh").public_key;

    *batch = (struct batch){.leaves = made->leaves, .ids = made->ids, .digests = made->digests};
    batch->sealed.item_count = made->count;
    for (uint16_t i = 0; i < made->count; i++) {
        const size_t start = i > 0 ? made->ends[i - 1] : 0;
        batch->sealed.index[i] = (uint8_t)i;
        batch->sealed.item[i] = bytes_of(made->items.data + start, made->ends[i] - start);
        made->leaves[i] = seal_leaf(batch->sealed.item[i]);
    }
    seal_make(signer, &mesh, kind, made->leaves, made->count, &batch->sealed.seal);
}

static struct task_item item_asked(struct fixture *f, struct fixture_task *task,
                                   const struct asked *how)
{
    struct task_item item = {
        .function = bytes_of_text(how->function ? how->function : "step"),
        .payload = bytes_of_text(task->payload),
        .key = bytes_of_text(how->key),
        .priority = how->priority,
        .has_priority = how->has_priority || how->priority != 0,
        .delay_ms = how->delay_ms,
        .deadline_ms = how->deadline_ms ? f->now_ms + how->deadline_ms : 0,
        .max_attempts = how->max_attempts,
        .at_most_once = how->at_most_once,
        .fresh = how->fresh,
        .max_tasks = how->max_tasks,
        .max_bytes = how->max_bytes,
        .expires_ms =
            (uint64_t)((int64_t)f->now_ms + (how->expires_ms ? how->expires_ms : LIMIT_EXPIRES_MS)),
    };

    if (how->retry_of) {
        item.has_retry_of = true;
        item.retry_of = id_of(f, how->retry_of);
    }
    for (size_t i = 0; i < sizeof(item.nonce) && task->name[i] != '\0'; i++) {
        item.nonce[i] = (uint8_t)task->name[i];
    }
    return item;
}

static void add_item(struct fixture *f, struct made *made, const char *name,
                     const struct asked *how, const struct lineage *lineage,
                     const struct key *signer)
{
    assert_true(f->task_count < FIXTURE_TASKS && made->count < LIMIT_BATCH_ITEMS);
    struct fixture_task *task = &f->tasks[f->task_count++];
    (void)snprintf(task->name, sizeof(task->name), "%s", name);
    (void)snprintf(task->payload, sizeof(task->payload), "%s", how->payload ? how->payload : name);
    task->item = item_asked(f, task, how);
    task->item.lineage = *lineage;
    wire_task_encode(&made->items, &task->item);
    made->ends[made->count] = made->items.size;
    made->digests[made->count] = digest_of(task->item.payload);
    task->id = id_of_task(&task->item, signer, &made->digests[made->count]);
    made->ids[made->count++] = task->id;
}

void fixture_submit(struct fixture *f, const char *tasks, const struct asked *how)
{
    struct made *made = calloc(1, sizeof(*made));
    const struct signer signer = how->signer ? signer_named(how->signer) : f->client;
    struct lineage lineage = {0};
    char name[32];

    assert_non_null(made);
    if (how->root) {
        lineage = (struct lineage){
            .present = true, .parent = id_of(f, how->root), .root = id_of(f, how->root)};
    }
    while (next_word(&tasks, name)) {
        add_item(f, made, name, how, &lineage, &signer.public_key);
    }
    made->command.kind = COMMAND_SUBMIT;
    close_batch(made, &made->command.submit.batch, &signer, SEAL_TASK);
    apply(f, &made->command);
    buffer_clear(&made->items);
    free(made);
}

/* What a handler of this task would sign into its children now. */
static struct lineage lineage_of(struct fixture *f, const char *parent, const struct asked *how)
{
    struct task_view view = {0};
    const struct id id = id_of(f, parent);
    struct lineage lineage = {.present = true, .parent = id, .occurrence = how->occurrence};

    (void)forest_task(f->forest, &id, &view);
    lineage.root = how->root ? id_of(f, how->root) : view.root;
    lineage.attempt = how->attempt ? how->attempt - 1 : view.attempt;
    lineage.generation = how->generation ? how->generation - 1 : view.generation;
    return lineage;
}

static void apply_expand(struct fixture *f, struct made *made, const char *worker,
                         const struct signer *signer, const struct waits *waits)
{
    struct wire_writer writer;
    struct expand message;

    open_frame(f, &writer, MESSAGE_EXPAND);
    for (; waits && !id_is_zero(&waits->task); waits++) {
        wire_put_waits(&writer, EXPAND_WAITS, waits);
    }
    const struct bytes body = close_frame(f, &writer);
    made->command.kind = COMMAND_EXPAND;
    made->command.expand.session = worker_named(f, worker)->session;
    made->command.expand.has_batch = made->count > 0;
    if (made->count > 0) {
        close_batch(made, &made->command.expand.batch, signer, SEAL_TASK);
    }
    assert_int_equal(wire_expand_decode(body, &message), GROVE_OK);
    made->command.expand.waits = message.waits;
    made->command.expand.progress = message.progress;
    apply(f, &made->command);
}

void fixture_expand(struct fixture *f, const char *worker, const char *parent, const char *tasks,
                    enum fixture_then then, const struct asked *how)
{
    struct made *made = calloc(1, sizeof(*made));
    const struct lineage lineage = lineage_of(f, parent, how);
    const struct signer signer = signer_named(how->signer ? how->signer : worker);
    struct waits waits[2] = {{.task = lineage.parent, .attempt = lineage.attempt}};
    uint8_t positions[LIMIT_BATCH_ITEMS];
    char name[32];

    assert_non_null(made);
    while (next_word(&tasks, name)) {
        positions[made->count] = (uint8_t)made->count;
        add_item(f, made, name, how, &lineage, &signer.public_key);
    }
    waits[0].positions = bytes_of(positions, made->count);
    apply_expand(f, made, worker, &signer, then == FIXTURE_WAIT ? waits : NULL);
    buffer_clear(&made->items);
    free(made);
}

void submit(struct fixture *f, const char *tasks)
{
    fixture_submit(f, tasks, &(struct asked){.function = NULL});
}

void expand(struct fixture *f, const char *worker, const char *parent, const char *tasks)
{
    fixture_expand(f, worker, parent, tasks, FIXTURE_GO_ON, &(struct asked){.function = NULL});
}

void expand_and_wait(struct fixture *f, const char *worker, const char *parent, const char *tasks)
{
    fixture_expand(f, worker, parent, tasks, FIXTURE_WAIT, &(struct asked){.function = NULL});
}

void wait_for_all(struct fixture *f, const char *worker, const struct waits *waits)
{
    struct made *made = calloc(1, sizeof(*made));

    assert_non_null(made);
    apply_expand(f, made, worker, NULL, waits);
    free(made);
}

void wait_for(struct fixture *f, const char *worker, const char *parent, const char *children)
{
    struct id ids[64];
    size_t count = 0;
    char name[32];

    while (next_word(&children, name)) {
        ids[count++] = id_of(f, name);
    }
    const struct waits waits[] = {{.task = id_of(f, parent),
                                   .attempt = view_of(f, parent).attempt,
                                   .awaited = bytes_of(ids, count * sizeof(ids[0]))},
                                  {.attempt = 0}};
    wait_for_all(f, worker, waits);
}

struct result_item result_of(struct fixture *f, const char *worker, const char *name,
                             enum outcome_code code)
{
    const struct fixture_task *task = task_named(f, name);
    struct task_view view = {0};

    (void)forest_task(f->forest, &task->id, &view);
    return (struct result_item){
        .task = task->id,
        .root = view.root,
        .has_parent = !view.is_root,
        .parent = view.parent,
        .function = task->item.function,
        .payload_digest = view.payload_digest,
        .attempt = view.attempt,
        .session = worker_named(f, worker)->session,
        .code = code,
        .bytes = bytes_of_text(code == CODE_SUCCEEDED ? name : ""),
        .text = bytes_of_text(code == CODE_SUCCEEDED ? "" : "it went wrong"),
    };
}

static void add_result(struct made *made, const struct result_item *result)
{
    assert_true(made->count < LIMIT_BATCH_ITEMS);
    wire_result_encode(&made->items, result);
    made->ends[made->count] = made->items.size;
    made->ids[made->count++] = result->task;
}

static void apply_report(struct fixture *f, struct made *made, const char *worker,
                         const struct signer *signer)
{
    made->command.kind = COMMAND_REPORT;
    made->command.report.session = worker_named(f, worker)->session;
    close_batch(made, &made->command.report.batch, signer, SEAL_RESULT);
    made->command.report.batch.digests = NULL;
    apply(f, &made->command);
}

void report_sealed_by(struct fixture *f, const char *worker, const char *signer,
                      const struct result_item *result)
{
    const struct signer sealer = signer_named(signer);
    struct made *made = calloc(1, sizeof(*made));

    assert_non_null(made);
    add_result(made, result);
    apply_report(f, made, worker, &sealer);
    buffer_clear(&made->items);
    free(made);
}

void report_result(struct fixture *f, const char *worker, const struct result_item *result)
{
    report_sealed_by(f, worker, worker, result);
}

void report_all(struct fixture *f, const char *worker, const char *tasks, enum outcome_code code)
{
    const struct signer signer = signer_named(worker);
    struct made *made = calloc(1, sizeof(*made));
    char name[32];

    assert_non_null(made);
    while (next_word(&tasks, name)) {
        const struct result_item result = result_of(f, worker, name, code);
        add_result(made, &result);
    }
    apply_report(f, made, worker, &signer);
    buffer_clear(&made->items);
    free(made);
}

void report(struct fixture *f, const char *worker, const char *task, enum outcome_code code)
{
    const struct result_item result = result_of(f, worker, task, code);

    report_result(f, worker, &result);
}

void return_attempt(struct fixture *f, const char *worker, const char *task,
                    enum return_reason reason, const char *text)
{
    struct command command = {.kind = COMMAND_RETURN};
    struct wire_writer writer;
    const struct returned returned = {.task = id_of(f, task),
                                      .attempt = view_of(f, task).attempt,
                                      .reason = reason,
                                      .text = bytes_of_text(text)};

    open_frame(f, &writer, MESSAGE_RETURN);
    wire_put_returned(&writer, RETURN_RETURNED, &returned);
    const struct bytes body = close_frame(f, &writer);
    assert_int_equal(wire_return_decode(body, &command.return_.returned), GROVE_OK);
    command.return_.session = worker_named(f, worker)->session;
    apply(f, &command);
}

void checkpoint(struct fixture *f, const char *worker, const char *task, const char *bytes)
{
    struct command command = {.kind = COMMAND_CHECKPOINT};
    struct wire_writer writer;
    const struct id id = id_of(f, task);
    const struct progress_item progress = {.task = id,
                                           .attempt = view_of(f, task).attempt,
                                           .percent = 50,
                                           .text = bytes_of_text("half")};

    open_frame(f, &writer, MESSAGE_CHECKPOINT);
    wire_put_bytes(&writer, CHECKPOINT_TASK, bytes_of(&id, sizeof(id)));
    wire_put_uint(&writer, CHECKPOINT_ATTEMPT, progress.attempt);
    wire_put_bytes(&writer, CHECKPOINT_BYTES, bytes_of_text(bytes));
    wire_put_progress(&writer, CHECKPOINT_PROGRESS, &progress);
    command.checkpoint.encoded = close_frame(f, &writer);
    assert_int_equal(
        wire_checkpoint_decode(command.checkpoint.encoded, &command.checkpoint.checkpoint),
        GROVE_OK);
    command.checkpoint.session = worker_named(f, worker)->session;
    apply(f, &command);
}

void retire(struct fixture *f, const char *worker, enum retire_reason reason)
{
    struct command command = {.kind = COMMAND_RETIRE};

    command.retire.session = worker_named(f, worker)->session;
    command.retire.reason = reason;
    apply(f, &command);
}

void expire(struct fixture *f, uint64_t after_ms)
{
    struct command command = {.kind = COMMAND_EXPIRE};

    f->now_ms += after_ms;
    apply(f, &command);
}

void forget(struct fixture *f, uint64_t after_ms)
{
    struct command command = {.kind = COMMAND_FORGET};

    f->now_ms += after_ms;
    apply(f, &command);
}

void fixture_limit(struct fixture *f, const char *who, const struct limit *limit)
{
    struct command command = {.kind = COMMAND_LIMIT};

    command.limit.identity = signer_named(who).public_key;
    command.limit.limit = *limit;
    apply(f, &command);
}

struct function_view function_of(const struct fixture *f, const char *function)
{
    struct function_view view = {.function = NULL};

    while (forest_function(f->forest, view.function, &view)) {
        if (strcmp(view.function, function) == 0) {
            return view;
        }
    }
    fail_msg("no function is named %s", function);
    return view;
}

static bool append(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

void restart(struct fixture *f)
{
    struct buffer before = {0};
    struct buffer after = {0};
    struct forest *forest = NULL;

    f->options.hash_key[0] ^= 1;
    assert_true(forest_snapshot(f->forest, append, &before));
    assert_int_equal(forest_restore(&f->options, buffer_bytes(&before), &forest), GROVE_OK);
    assert_true(forest_snapshot(forest, append, &after));
    assert_true(bytes_equal(buffer_bytes(&before), buffer_bytes(&after)));
    forest_destroy(f->forest);
    f->forest = forest;
    buffer_clear(&before);
    buffer_clear(&after);
}

/* ---- the fixture */

int fixture_setup_bounded(void **state, const struct forest_options *bounds)
{
    struct fixture *f = calloc(1, sizeof(*f));
    static const char *const workers[] = {"w1", "w2", "w3", "w4"};

    assert_non_null(f);
    f->tasks = calloc(FIXTURE_TASKS, sizeof(*f->tasks));
    assert_non_null(f->tasks);
    f->options = *bounds;
    memset(f->options.hash_key, 7, sizeof(f->options.hash_key)); /* zeros would be a poor secret */
    f->mesh = signer_named("mesh");
    f->client = signer_named("client");
    f->options.mesh = f->mesh.public_key;
    f->now_ms = FIXTURE_START_MS;
    f->forest = forest_create(&f->options);
    const struct certificate client = certificate_of(f, "client", ROLE_CLIENT, "*");
    admit(f, &client);
    for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
        const struct certificate worker = certificate_of(f, workers[i], ROLE_WORKER, "*");
        admit(f, &worker);
    }
    skip_effects(f);
    *state = f;
    return 0;
}

int fixture_setup(void **state)
{
    return fixture_setup_bounded(state, &(struct forest_options){0});
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    forest_destroy(f->forest);
    effects_clear(&f->effects);
    buffer_clear(&f->transcript);
    buffer_clear(&f->item);
    buffer_clear(&f->frame);
    free(f->tasks);
    free(f);
    return 0;
}

/* ---- joins */

static struct join_terms terms_asked(const struct joining *how)
{
    const char *function = how->function ? how->function : "step";

    return (struct join_terms){
        .kind = how->kind,
        .function = bytes_of_text(how->kind == JOIN_MAP ? (how->terms_of ? how->terms_of : function)
                                                        : NULL),
        .limit = how->limit,
        .stop = how->stop,
        .first_settled = how->first_settled,
        .first = digest_of(bytes_of_text(how->name ? how->name : "j")),
        .revision = how->revision,
    };
}

static void name_id(struct fixture *f, const char *name, const struct id *id)
{
    struct fixture_task *task = &f->tasks[f->task_count++];

    assert_true(f->task_count <= FIXTURE_TASKS);
    (void)snprintf(task->name, sizeof(task->name), "%s", name);
    task->id = *id;
}

/* Items whose lineage says that they are these inputs. */
static void add_inputs(struct fixture *f, struct made *made, const char *inputs,
                       const struct joining *how, struct lineage lineage, const struct key *signer)
{
    const struct asked asked = {.function = how->function,
                                .payload = how->payload,
                                .key = how->key,
                                .max_attempts = how->max_attempts,
                                .delay_ms = how->delay_ms};
    char name[32];

    lineage.join_kind = (uint32_t)how->kind + JOIN_REVISION * how->revision;
    for (uint32_t i = 0; next_word(&inputs, name); i++) {
        lineage.join_position = how->position ? how->position - 1 : how->offset + i;
        add_item(f, made, name, &asked, &lineage, signer);
    }
}

static struct bytes put_join(struct fixture *f, struct wire_writer *writer,
                             const struct append *append, const struct id *join,
                             const struct joining *how)
{
    const struct waits waits = {.task = append->parent, .attempt = append->attempt};
    const struct awaited_join awaited = {*join, how->until, how->room};

    open_frame(f, writer, MESSAGE_EXPAND);
    wire_put_append(writer, EXPAND_APPENDS, append);
    if (how->wait) {
        const size_t opened = wire_open_waits(writer, &waits);
        wire_put_awaited_join(writer->out, &awaited);
        wire_close_waits(writer, opened);
    }
    return close_frame(f, writer);
}

static size_t ids_named(const struct fixture *f, const char *names, struct id *ids)
{
    size_t count = 0;
    char name[32];

    while (next_word(&names, name)) {
        ids[count++] = id_of(f, name);
    }
    return count;
}

void fixture_join(struct fixture *f, const char *worker, const char *parent, const char *inputs,
                  const struct joining *how)
{
    struct made *made = calloc(1, sizeof(*made));
    const struct signer signer = worker ? signer_named(worker) : f->client;
    const struct join_terms terms = terms_asked(how);
    struct lineage lineage = lineage_of(f, parent, &(struct asked){.function = NULL});
    struct buffer encoded = {0};
    struct id adopted[64];
    struct wire_writer writer;
    struct expand message;
    struct id id = lineage.parent;

    assert_non_null(made);
    if (worker) {
        id = id_of_join(&lineage.parent, lineage.generation, &terms, &lineage.occurrence);
        name_id(f, how->name ? how->name : "j", &id);
        wire_terms_encode(&encoded, &terms);
    }
    add_inputs(f, made, inputs, how, lineage, &signer.public_key);
    const struct append append = {
        .parent = lineage.parent,
        .attempt = lineage.attempt,
        .generation = lineage.generation,
        .terms = buffer_bytes(&encoded),
        .offset = how->offset,
        .count = made->count,
        .adopted = bytes_of(adopted, ids_named(f, how->adopted, adopted) * sizeof(adopted[0])),
        .close = !how->is_open,
    };
    const struct bytes body = put_join(f, &writer, &append, &id, how);
    assert_int_equal(wire_expand_decode(body, &message), GROVE_OK);
    made->command.kind = COMMAND_EXPAND;
    made->command.expand.session = worker ? worker_named(f, worker)->session : 0;
    made->command.expand.identity = signer.public_key;
    made->command.expand.has_batch = made->count > 0;
    if (made->count > 0) {
        close_batch(made, &made->command.expand.batch, &signer, SEAL_TASK);
    }
    made->command.expand.waits = message.waits;
    made->command.expand.appends = message.appends;
    made->command.expand.joins = &id;
    apply(f, &made->command);
    buffer_clear(&encoded);
    buffer_clear(&made->items);
    free(made);
}

void fixture_submit_join(struct fixture *f, const char *root, const struct joining *how)
{
    struct made *made = calloc(1, sizeof(*made));
    const struct join_terms terms = terms_asked(how);
    const struct lineage lineage = {0};
    struct buffer encoded = {0};

    assert_non_null(made);
    wire_terms_encode(&encoded, &terms);
    add_item(f, made, root, &(struct asked){.function = "grove.join", .max_tasks = how->max_tasks},
             &lineage, &f->client.public_key);
    /* The item again, with the terms for a payload. */
    struct fixture_task *task = &f->tasks[f->task_count - 1];
    task->item.payload = buffer_bytes(&encoded);
    buffer_reset(&made->items);
    wire_task_encode(&made->items, &task->item);
    made->ends[0] = made->items.size;
    made->digests[0] = digest_of(task->item.payload);
    made->command.kind = COMMAND_SUBMIT;
    close_batch(made, &made->command.submit.batch, &f->client, SEAL_TASK);
    apply(f, &made->command);
    buffer_clear(&encoded);
    buffer_clear(&made->items);
    free(made);
}

void cancel_by(struct fixture *f, const char *who, const char *by, const char *task)
{
    struct command command = {.kind = COMMAND_CANCEL};

    command.cancel.identity = signer_named(who).public_key;
    command.cancel.task = id_of(f, task);
    command.cancel.code = CODE_CANCELLED;
    if (by) {
        command.cancel.session = worker_named(f, who)->session;
        command.cancel.by = id_of(f, by);
        command.cancel.attempt = view_of(f, by).attempt;
    }
    apply(f, &command);
}

void cancel(struct fixture *f, const char *task)
{
    cancel_by(f, "client", NULL, task);
}

void sweep(struct fixture *f)
{
    struct command command = {.kind = COMMAND_SWEEP};

    apply(f, &command);
}

struct join_view join_of(const struct fixture *f, const char *join)
{
    const struct id id = id_of(f, join);
    struct join_view view;

    assert_true(forest_join(f->forest, &id, &view));
    return view;
}
