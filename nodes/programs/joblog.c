/* SPDX-License-Identifier: MPL-2.0
 * The log of a map. */
#include "nodes/programs/joblog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "nodes/host/clock.h"
#include "nodes/programs/json_text.h"

#define NUMBER_MOST (UINT64_C(1) << 32)
#define QUIET_MS 10000u /* after nobody has answered */
#define REQUEST_SIZE 64

struct joblog_seen {
    enum { SEEN_NOT, SEEN_FAILED, SEEN_SUCCEEDED } state;
    struct digest input;
};

char *joblog_input(const void *data, size_t size)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);

    if (memory == NULL) {
        abort();
    }
    print_bytes(memory, data, size);
    if (fclose(memory) != 0) {
        abort();
    }
    return text;
}

/* ---- what is in it */

static void see(struct joblog *log, uint64_t number, bool has_succeeded, const char *input)
{
    if (number >= log->seen_count) {
        const size_t count = (size_t)number * 2 + 64;

        log->seen = realloc(log->seen, count * sizeof(*log->seen));
        if (log->seen == NULL) {
            abort();
        }
        memset(log->seen + log->seen_count, 0, (count - log->seen_count) * sizeof(*log->seen));
        log->seen_count = count;
    }
    log->seen[number].state = has_succeeded ? SEEN_SUCCEEDED : SEEN_FAILED;
    log->seen[number].input = digest_of(bytes_of_text(input));
}

/* Splits off the next field of a line, which is changed for that. */
static char *field(char **line)
{
    char *start = *line, *tab = start != NULL ? strchr(start, '\t') : NULL;

    if (tab != NULL) {
        *tab = '\0';
    }
    *line = tab != NULL ? tab + 1 : NULL;
    return start;
}

/* A line without an end, or of another kind, is as if it were not there. */
static void take_line(struct joblog *log, char *line)
{
    char *fields[8];
    uint64_t number;

    for (size_t i = 0; i < 8; i++) {
        fields[i] = field(&line);
    }
    if (line == NULL || (number = strtoull(fields[0], NULL, 10)) == 0 || number > NUMBER_MOST) {
        return;
    }
    see(log, number, strcmp(fields[6], "0") == 0 && strcmp(fields[7], "0") == 0, line);
}

/* Reads what there is; and ends its last line, where a crash has left that open. */
static void take_up(struct joblog *log)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    bool is_whole = true, is_empty = true;

    rewind(log->file);
    while ((length = getline(&line, &size, log->file)) > 0) {
        is_empty = false;
        is_whole = line[length - 1] == '\n';
        if (is_whole) {
            line[length - 1] = '\0';
            take_line(log, line);
        }
    }
    free(line);
    fseek(log->file, 0, SEEK_END);
    if (!is_whole) {
        fputc('\n', log->file);
    }
    if (is_empty) {
        fputs("Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n",
              log->file);
    }
}

bool joblog_open(struct joblog *log, const char *path, enum joblog_use use)
{
    *log = (struct joblog){.use = use};
    if (path == NULL) {
        if (use != JOBLOG_NEW) {
            complain("map: --resume and --resume-failed go by a --joblog");
        }
        return use == JOBLOG_NEW;
    }
    log->file = fopen(path, use == JOBLOG_NEW ? "w+e" : "a+e");
    if (log->file == NULL) {
        complain("map: cannot write %s: %s", path, strerror(errno));
        return false;
    }
    take_up(log);
    fflush(log->file);
    return true;
}

void joblog_set_observer(struct joblog *log, const char *credential)
{
    if (log->file != NULL && credential != NULL) {
        log->observer = observer_open_quietly(credential);
    }
    if (log->observer != NULL) {
        observer_set_quiet(log->observer, true);
    }
}

void joblog_close(struct joblog *log)
{
    if (log->file != NULL && fclose(log->file) != 0) {
        complain("map: cannot write the joblog: %s", strerror(errno));
    }
    observer_close(log->observer);
    free(log->seen);
    *log = (struct joblog){0};
}

enum joblog_verdict joblog_judge(const struct joblog *log, uint64_t number, const char *input)
{
    const struct joblog_seen *seen = number < log->seen_count ? &log->seen[number] : NULL;

    if (log->use == JOBLOG_NEW || seen == NULL || seen->state == SEEN_NOT) {
        return JOBLOG_RUN;
    }
    const struct digest digest = digest_of(bytes_of_text(input));

    if (!digest_equal(&digest, &seen->input)) {
        return JOBLOG_DIFFERS;
    }
    return log->use == JOBLOG_RESUME || seen->state == SEEN_SUCCEEDED ? JOBLOG_SKIP : JOBLOG_RUN;
}

/* ---- what comes in */

/* What the stats socket says of a task; NULL when nobody says it. */
static json_t *ask_task(struct joblog *log, const struct grove_id *id)
{
    char text[GROVE_ID_TEXT_SIZE], request[REQUEST_SIZE];
    json_t *task = NULL;

    if (log->observer == NULL || clock_monotonic_ms() < log->ask_ms) {
        return NULL;
    }
    grove_id_format(id, text);
    snprintf(request, sizeof(request), "task %s", text);
    if (observer_ask(log->observer, request, &task) != EXIT_DONE) {
        log->ask_ms = clock_monotonic_ms() + QUIET_MS;
        return NULL;
    }
    return task;
}

/* The number behind a phrase that a text begins with; 0: it does not. */
static long number_behind(const char *text, const char *phrase)
{
    const size_t length = strlen(phrase);

    return strncmp(text, phrase, length) == 0 ? strtol(text + length, NULL, 10) : 0;
}

/* "exit status N: ..." and "killed by signal N ..." are what commands end with; else the code. */
static void put_verdict(FILE *file, const struct grove_failure *failure)
{
    const bool has_failed = failure->reason != NULL;
    const long number = has_failed ? number_behind(failure->text, "killed by signal ") : 0;
    long exit_status = has_failed ? number_behind(failure->text, "exit status ") : 0;

    if (has_failed && number == 0 && exit_status == 0) {
        exit_status = failure->code != GROVE_CODE_NONE ? (long)failure->code : 255;
    }
    fprintf(file, "%ld\t%ld\t", exit_status, number);
}

static void put_times(FILE *file, const json_t *task, uint64_t run_ms)
{
    const int64_t now_ms = (int64_t)clock_unix_ms();
    const int64_t started_ms = json_number(task, "started_ms");
    const int64_t ended_ms = json_number(task, "ended_ms");
    const int64_t ran_ms = started_ms > 0 ? ended_ms - started_ms : (int64_t)run_ms;

    fprintf(file, "%.3f\t%10.3f\t", (double)(started_ms > 0 ? started_ms : now_ms - ran_ms) / 1000,
            (double)(ran_ms > 0 ? ran_ms : 0) / 1000);
}

void joblog_add(struct joblog *log, uint64_t number, const char *input,
                const struct grove_result *result, const struct grove_failure *failure)
{
    const bool has_failed = failure->reason != NULL;

    if (log->file == NULL || (has_failed && failure->code == GROVE_CODE_CANCELLED)) {
        return;
    }
    json_t *task = ask_task(log, has_failed ? &failure->task : &result->task);
    const char *worker = json_text(task, "worker");

    fprintf(log->file, "%" PRIu64 "\t", number);
    print_text(log->file, worker[0] != '\0' ? worker : "-");
    fputc('\t', log->file);
    put_times(log->file, task, has_failed ? 0 : result->run_ms);
    fprintf(log->file, "%zu\t%zu\t", strlen(input),
            has_failed ? failure->bytes.size : result->bytes.size);
    put_verdict(log->file, failure);
    fprintf(log->file, "%s\n", input);
    fflush(log->file);
    json_decref(task);
}
