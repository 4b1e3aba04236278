/* SPDX-License-Identifier: MPL-2.0
 * A worker for the end-to-end tests: worker SLOTS MAX_WAITING [FUNCTION...]; of all below when none
 * is named. Every execution appends "function id attempt payload" to $GROVE_TEST_LOG in one write,
 * before it does anything else; those marked + append "end:function id attempt payload" as the last
 * thing they do. What sleeps, and echo, ends when the test does not hold it (shared/hold.h).
 *
 *   echo           returns its payload
 *   random         returns 16 random bytes in hexadecimal: run again, it would return others
 *   nap MS         sleeps, returns its payload
 *   stamp MS       sleeps; the log says, in its payload's place, when it began and ended, by the
 *                  monotonic clock in ms
 *   tick MS        the same
 *   linger MS      says that it is 100 percent done, sleeps, returns MS
 *   work MS ...  + the same; fails when its payload says so
 *   flow N         awaits N segments in turn; a segment N awaits N echoes in turn; returns their
 *                  count
 *   chain N K F    awaits N randoms in turn and returns what they returned, one after the other;
 *                  when there is no file F after K of them, makes it and kills its own process
 *   kill           kills its own process
 *   process F      the fallback of the issue: primary, else secondary, and then fails if there was
 *                  a fallback; primary fails while there is no file F, and makes it
 *   stubborn       sleeps 100 ms at a time until it is told to stop
 *   tree D W       gathers W trees D-1 W; a tree 0 W sleeps until it is told to stop
 *   gatherer N     gathers the echoes of 0 to N-1; returns what they returned, one a line
 *   gatherer N MS  gathers the works "MS 0" to "MS N-1"; returns the same
 *   mapper N L MS  maps them with limit L
 *   eater N L MS K F   the same as a stream; when there is no file F after it took K outcomes,
 *                  makes it and kills its own process
 *   racer A=B,...  races functions A with payloads B; returns what the winner returned */
#include "tests/e2e/actors/worker/actor.h"

#include "tests/e2e/actors/shared/hold.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

const char *payload(const struct grove_attempt *attempt)
{
    return grove_attempt_payload(attempt).data;
}

static void append(const struct grove_attempt *attempt, const char *prefix, const char *text)
{
    const char *path = getenv("GROVE_TEST_LOG");
    char line[TEXT_SIZE], id[GROVE_ID_TEXT_SIZE];
    const struct grove_id task = grove_attempt_id(attempt);

    if (path == NULL) {
        return;
    }
    grove_id_format(&task, id);
    const int size =
        snprintf(line, sizeof(line), "%s%s %s %u %.300s\n", prefix, grove_attempt_function(attempt),
                 id, grove_attempt_number(attempt), text);
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, line, (size_t)size) != size) {
        abort();
    }
    close(fd);
}

void note(const struct grove_attempt *attempt)
{
    append(attempt, "", payload(attempt));
}

enum grove_status return_text(struct grove_attempt *attempt, const char *text)
{
    return grove_attempt_return(attempt, text, strlen(text));
}

static enum grove_status await(const char *function, const char *text, struct grove_result *result)
{
    struct grove_task task = GROVE_TASK_INIT;

    task.function = function;
    task.payload = (struct grove_bytes){text, strlen(text)};
    return grove_wait(NULL, &task, result, NULL);
}

bool mark(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        close(fd);
    }
    return fd < 0;
}

static void nap(long ms)
{
    for (long slept_ms = 0; slept_ms < ms && !grove_cancelled(); slept_ms += 10) {
        usleep(10000);
    }
}

static enum grove_status run_echo(struct grove_attempt *attempt, void *context)
{
    (void)context;
    note(attempt);
    hold(payload(attempt));
    return return_text(attempt, payload(attempt));
}

static enum grove_status run_random(struct grove_attempt *attempt, void *context)
{
    unsigned char bytes[16];
    char text[2 * sizeof(bytes) + 1];

    (void)context;
    note(attempt);
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
        abort();
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    return return_text(attempt, text);
}

static enum grove_status run_nap(struct grove_attempt *attempt, void *context)
{
    (void)context;
    note(attempt);
    nap(strtol(payload(attempt), NULL, 10));
    hold(payload(attempt));
    return return_text(attempt, payload(attempt));
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static enum grove_status run_stamp(struct grove_attempt *attempt, void *context)
{
    const double began_ms = now_ms();
    char text[64];

    (void)context;
    nap(strtol(payload(attempt), NULL, 10));
    (void)snprintf(text, sizeof(text), "%.3f %.3f", began_ms, now_ms());
    append(attempt, "", text);
    return return_text(attempt, text);
}

/* Has said all long before it ends: the last progress has been streamed by then. */
static enum grove_status run_linger(struct grove_attempt *attempt, void *context)
{
    (void)context;
    note(attempt);
    grove_progress(100, "all done");
    nap(strtol(payload(attempt), NULL, 10));
    return return_text(attempt, payload(attempt));
}

static enum grove_status run_work(struct grove_attempt *attempt, void *context)
{
    enum grove_status status = run_nap(attempt, context);

    if (strstr(payload(attempt), "fail")) {
        status = grove_attempt_fail(attempt, payload(attempt), (struct grove_bytes){NULL, 0});
    }
    append(attempt, "end:", payload(attempt));
    return status;
}

enum grove_status run_stubborn(struct grove_attempt *attempt, void *context)
{
    (void)context;
    note(attempt);
    while (!grove_cancelled()) {
        nap(100);
    }
    return GROVE_CANCELLED;
}

/* Flow and segment: `context` names the children's function. */
static enum grove_status run_level(struct grove_attempt *attempt, void *context)
{
    const long count = strtol(payload(attempt), NULL, 10);
    long total = 0;
    char text[TEXT_SIZE];

    note(attempt);
    for (long i = 0; i < count; i++) {
        struct grove_result result;
        const bool is_leaf = strcmp(context, "echo") == 0;

        snprintf(text, sizeof(text), "%ld", is_leaf ? i : count);
        const enum grove_status status = await(context, text, &result);

        if (status != GROVE_OK) {
            return status;
        }
        total += is_leaf ? 1 : strtol(result.bytes.data, NULL, 10);
        grove_progress((unsigned)((i + 1) * 100 / count), context);
        grove_result_clear(&result);
    }
    snprintf(text, sizeof(text), "%ld", total);
    return return_text(attempt, text);
}

/* Appends what `count` randoms return to `all`. */
static enum grove_status await_chain(long count, long fatal, const char *path, FILE *all)
{
    enum grove_status status = GROVE_OK;
    char text[TEXT_SIZE];

    for (long i = 0; i < count && status == GROVE_OK; i++) {
        struct grove_result result;

        if (i == fatal && !mark(path)) {
            kill(getpid(), SIGKILL);
        }
        snprintf(text, sizeof(text), "%ld", i);
        status = await("random", text, &result);
        if (status == GROVE_OK) {
            fprintf(all, "%s\n", (const char *)result.bytes.data);
        }
        grove_result_clear(&result);
    }
    return status;
}

static enum grove_status run_chain(struct grove_attempt *attempt, void *context)
{
    char *rest, *text = NULL;
    size_t size;

    (void)context;
    note(attempt);
    const long count = strtol(payload(attempt), &rest, 10);
    const long fatal = strtol(rest, &rest, 10);
    const char *path = rest + strspn(rest, " ");

    if (*path == '\0') {
        return GROVE_INVALID;
    }
    FILE *all = open_memstream(&text, &size);
    const enum grove_status status = await_chain(count, fatal, path, all);

    fclose(all);
    if (status == GROVE_OK) {
        (void)grove_attempt_return(attempt, text, size);
    }
    free(text);
    return status;
}

static enum grove_status run_kill(struct grove_attempt *attempt, void *context)
{
    (void)context;
    note(attempt);
    kill(getpid(), SIGKILL);
    return GROVE_OK;
}

static enum grove_status run_primary(struct grove_attempt *attempt, void *context)
{
    (void)context;
    note(attempt);
    if (!mark(payload(attempt))) {
        return grove_attempt_fail(attempt, "primary is down", (struct grove_bytes){"x", 1});
    }
    return return_text(attempt, "primary");
}

static enum grove_status run_process(struct grove_attempt *attempt, void *context)
{
    struct grove_result result;

    (void)context;
    note(attempt);
    if (await("primary", payload(attempt), &result) == GROVE_OK) {
        const enum grove_status status = return_text(attempt, result.bytes.data);

        grove_result_clear(&result);
        return status;
    }
    const enum grove_status status = await("echo", "secondary", &result);

    grove_result_clear(&result);
    return status != GROVE_OK ? status
                              : grove_attempt_fail(attempt, "fell back, then failed",
                                                   (struct grove_bytes){NULL, 0});
}

static struct grove_worker *stoppable;

static void stop(int signal_number)
{
    (void)signal_number;
    grove_worker_stop(stoppable);
}

static const struct {
    const char *name;
    grove_handler *handler;
    char *context;
} functions[] = {
    {"echo", run_echo, NULL},       {"random", run_random, NULL},
    {"nap", run_nap, NULL},         {"flow", run_level, "segment"},
    {"segment", run_level, "echo"}, {"chain", run_chain, NULL},
    {"kill", run_kill, NULL},       {"primary", run_primary, NULL},
    {"process", run_process, NULL}, {"stubborn", run_stubborn, NULL},
    {"linger", run_linger, NULL},   {"work", run_work, NULL},
    {"tree", run_tree, NULL},       {"gatherer", run_gatherer, NULL},
    {"mapper", run_mapper, NULL},   {"eater", run_mapper, NULL},
    {"racer", run_racer, NULL},     {"stamp", run_stamp, NULL},
    {"tick", run_stamp, NULL},
};

static bool is_among(const char *name, char **words)
{
    const bool is_all = *words == NULL;

    while (*words != NULL && strcmp(*words, name) != 0) {
        words++;
    }
    return is_all || *words != NULL;
}

int main(int argc, char **argv)
{
    struct grove_worker_options options = GROVE_WORKER_OPTIONS_INIT;
    char error[GROVE_ERROR_SIZE] = "worker SLOTS MAX_WAITING [FUNCTION...]";
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    bool is_open = argc >= 3;

    if (is_open) {
        options.slots = (uint32_t)strtoul(argv[1], NULL, 10);
        options.max_waiting = (uint32_t)strtoul(argv[2], NULL, 10);
        is_open = grove_worker_open(&options, &stoppable, error) == GROVE_OK;
    }
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && is_open; i++) {
        is_open = !is_among(functions[i].name, argv + 3) ||
                  grove_worker_handle(stoppable, functions[i].name, functions[i].handler,
                                      functions[i].context) == GROVE_OK;
    }
    if (is_open) {
        sigaction(SIGTERM, &action, NULL);
    }
    if (!is_open || grove_worker_run(stoppable, error) != GROVE_OK) {
        fprintf(stderr, "worker: %s\n", error);
        return 1;
    }
    grove_worker_close(stoppable);
    return 0;
}
