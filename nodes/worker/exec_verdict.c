/* SPDX-License-Identifier: MPL-2.0
 * Exit statuses by sysexits.h, those of a shell that finds no command among them. */
#include "nodes/worker/exec_verdict.h"

#include <stdio.h>
#include <sysexits.h>

#include "core/text.h"

#define LINE_SIZE 800u /* bytes of stderr's last line that a failure's text may hold */

enum verdict { VERDICT_FAILED, VERDICT_PERMANENT, VERDICT_CANNOT_RUN };

static const struct {
    int number;
    enum verdict verdict;
    const char *name;
} statuses[] = {
    {EX_DATAERR, VERDICT_PERMANENT, "wrong data"},
    {EX_NOINPUT, VERDICT_PERMANENT, "no input"},
    {EX_UNAVAILABLE, VERDICT_FAILED, "unavailable"},
    {EX_TEMPFAIL, VERDICT_FAILED, "temporary"},
    {EX_NOPERM, VERDICT_PERMANENT, "no permission"},
    {EX_CONFIG, VERDICT_CANNOT_RUN, "not configured here"},
    {126, VERDICT_CANNOT_RUN, "not executable here"},
    {127, VERDICT_CANNOT_RUN, "not found here"},
};

static enum verdict verdict_of(int number, const char **name)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i].number == number) {
            *name = statuses[i].name;
            return statuses[i].verdict;
        }
    }
    *name = NULL;
    return VERDICT_FAILED;
}

/* Copies the last line that says anything, as one line of text. */
static void take_line(struct bytes errors, char line[LINE_SIZE + 1])
{
    size_t end = errors.size;
    size_t start;

    while (end > 0 && errors.data[end - 1] <= ' ') {
        end--;
    }
    start = end;
    while (start > 0 && errors.data[start - 1] != '\n') {
        start--;
    }
    while (start < end && errors.data[start] <= ' ') {
        start++;
    }
    if (end - start > LINE_SIZE) {
        end = start + LINE_SIZE;
    }
    memcpy(line, errors.data + start, end - start);
    line[end - start] = '\0';
    for (char *at = line; at < line + (end - start); at++) {
        if ((unsigned char)*at < ' ') {
            *at = ' ';
        }
    }
}

/* A line in another encoding, or cut within a character. */
static void make_valid(char *line)
{
    if (text_is_valid(bytes_of_text(line))) {
        return;
    }
    for (char *at = line; *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80) {
            *at = '?';
        }
    }
}

/* What it foretold, or else how it ended and the last that it wrote to stderr. */
static void describe(struct grove_attempt *attempt, const struct exec_outcome *outcome,
                     const char *what, struct buffer *text)
{
    const struct foretold *foretold = &attempt->foretold;
    char line[LINE_SIZE + 1] = "";

    if (foretold->is_given && foretold->text.size > 0) {
        buffer_append(text, foretold->text.data, foretold->text.size);
    } else {
        if (outcome->errors.size > 0) {
            take_line(buffer_bytes(&outcome->errors), line);
            make_valid(line);
        }
        buffer_append(text, what, strlen(what));
        buffer_append(text, ": ", line[0] ? 2 : 0);
        buffer_append(text, line, strlen(line));
    }
    buffer_append(text, "", 1);
}

/* Nobody else speaks for the attempt any more. */
static enum grove_status fail(struct grove_attempt *attempt, const struct exec_outcome *outcome,
                              enum verdict verdict, const char *what)
{
    const struct foretold *foretold = &attempt->foretold;
    const struct bytes kept = foretold->is_given && foretold->bytes.size > 0
                                  ? foretold->bytes
                                  : buffer_bytes(&outcome->errors);
    const struct grove_bytes bytes = {kept.data, kept.size};
    struct buffer said = {0};
    enum grove_status status;

    describe(attempt, outcome, what, &said);
    const char *text = (const char *)said.data;

    if (verdict == VERDICT_CANNOT_RUN && !attempt->at_most_once) {
        status = attempt_cannot_run(attempt, text);
    } else if (verdict == VERDICT_PERMANENT || (foretold->is_given && foretold->is_permanent)) {
        status = grove_attempt_fail_permanently(attempt, text, bytes);
    } else {
        status = grove_attempt_fail(attempt, text, bytes);
    }
    buffer_clear(&said);
    return status;
}

static enum grove_status judge_exit(struct grove_attempt *attempt,
                                    const struct exec_outcome *outcome)
{
    const char *name;
    const enum verdict verdict = verdict_of(outcome->number, &name);
    char what[64];

    if (outcome->number == 0) {
        return grove_attempt_return(attempt, outcome->output.data, outcome->output.size);
    }
    snprintf(what, sizeof(what), "exit status %d%s%s%s", outcome->number, name ? " (" : "",
             name ? name : "", name ? ")" : "");
    return fail(attempt, outcome, verdict, what);
}

static enum grove_status judge_signal(struct grove_attempt *attempt,
                                      const struct exec_outcome *outcome)
{
    const char *name = sigabbrev_np(outcome->number);
    char what[64];

    snprintf(what, sizeof(what), "killed by signal %d (SIG%s)", outcome->number, name ? name : "?");
    return fail(attempt, outcome, VERDICT_FAILED, what);
}

enum grove_status exec_judge(struct grove_attempt *attempt, const struct exec_outcome *outcome)
{
    char what[128];

    switch (outcome->end) {
    case EXEC_EXITED:
        return judge_exit(attempt, outcome);
    case EXEC_SIGNALED:
        return judge_signal(attempt, outcome);
    case EXEC_STOPPED:
        return GROVE_CANCELLED;
    case EXEC_TOO_LARGE:
        return fail(attempt, outcome, VERDICT_PERMANENT,
                    attempt->function->coprocs
                        ? "answered by a line of more than 2 MiB (2,097,152 bytes)"
                        : "wrote more than 1 MiB (1,048,576 bytes) to stdout");
    case EXEC_ANSWERED:
    case EXEC_RUBBISH:
        return fail(attempt, outcome, VERDICT_FAILED,
                    "answered by something else than one line of JSON with the task's id and a "
                    "result or an error");
    case EXEC_SILENT:
        return fail(attempt, outcome, VERDICT_FAILED, "ended without an answer");
    case EXEC_ADMITTED:
        return fail(attempt, outcome, VERDICT_FAILED, "failed");
    case EXEC_NOT_STARTED:
        break;
    }
    snprintf(what, sizeof(what), "cannot start here: %s", strerrordesc_np(outcome->number));
    return attempt_cannot_run(attempt, what);
}
