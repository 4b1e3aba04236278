/* SPDX-License-Identifier: MPL-2.0
 * Lines of fd 3, and the bounds on them. */
#include "nodes/worker/exec_aside.h"

#include "core/id.h"
#include "nodes/worker/context.h"

#define REFILL_MS 50u /* until a flooded pipe is looked at again */
#define QUOTED_SIZE 1024u

void aside_begin(struct aside *aside, struct grove_attempt *attempt, uint64_t now_ms)
{
    *aside = (struct aside){
        .attempt = attempt,
        .lines = {.most = EXEC_LINE_SIZE},
        .budget = ASIDE_BURST,
        .budget_ms = now_ms,
        .logs = ASIDE_LOGS,
        .logs_ms = now_ms,
        .keep_ms = now_ms,
    };
}

/* ---- bounds */

static void refill_budget(struct aside *aside, uint64_t now_ms)
{
    const uint64_t fresh = (now_ms - aside->budget_ms) * ASIDE_RATE / 1000;

    aside->budget_ms = now_ms;
    aside->budget =
        fresh < ASIDE_BURST - aside->budget ? aside->budget + (size_t)fresh : ASIDE_BURST;
}

static void spend_budget(struct aside *aside, size_t size)
{
    aside->budget = aside->budget > size ? aside->budget - size : 0;
}

static bool may_log(struct aside *aside, uint64_t now_ms)
{
    const uint64_t fresh = (now_ms - aside->logs_ms) / ASIDE_LOG_EVERY_MS;

    aside->logs_ms += fresh * ASIDE_LOG_EVERY_MS;
    aside->logs = aside->logs + fresh < ASIDE_LOGS ? aside->logs + fresh : ASIDE_LOGS;
    if (aside->logs == 0) {
        aside->dropped++;
        return false;
    }
    aside->logs--;
    return true;
}

/* ---- lines */

static void log_line(struct aside *aside, const struct exec_line *line)
{
    const struct grove_attempt *attempt = aside->attempt;
    char id[ID_TEXT_SIZE];
    char quoted[QUOTED_SIZE];

    id_format(&attempt->key.task, id);
    log_event(line->level, "said", "function=%s task=%s text=%s", attempt->function->name, id,
              log_quote(buffer_bytes(&line->text), quoted, sizeof(quoted)));
}

void aside_foretell(struct grove_attempt *attempt, const struct exec_line *line)
{
    const struct foretold foretold = {
        .is_permanent = line->is_permanent,
        .text = buffer_bytes(&line->text),
        .bytes = line->bytes.size > 0 ? buffer_bytes(&line->bytes) : bytes_of("", 0),
    };

    attempt_foretell(attempt, &foretold);
}

static void heed(struct aside *aside, struct exec_line *line, uint64_t now_ms)
{
    switch (line->kind) {
    case EXEC_LINE_PROGRESS:
        context_progress(aside->attempt, line->percent, (const char *)line->text.data);
        break;
    case EXEC_LINE_LOG:
        if (may_log(aside, now_ms)) {
            log_line(aside, line);
        }
        break;
    case EXEC_LINE_CHECKPOINT:
        if (line->bytes.size > LIMIT_CHECKPOINT_SIZE) {
            aside->rubbish++;
            break;
        }
        buffer_clear(&aside->checkpoint);
        aside->checkpoint = line->bytes;
        line->bytes = (struct buffer){0};
        aside->has_checkpoint = true;
        break;
    case EXEC_LINE_ERROR:
        aside_foretell(aside->attempt, line);
        break;
    case EXEC_LINE_RESULT: /* it comes on stdout */
    case EXEC_LINE_RUBBISH:
        aside->rubbish++;
        break;
    }
}

bool aside_listens(const struct aside *aside)
{
    return aside->budget > 0;
}

void aside_take(struct aside *aside, struct bytes bytes, uint64_t now_ms)
{
    struct bytes text;

    spend_budget(aside, bytes.size);
    lines_add(&aside->lines, bytes);
    while (lines_next(&aside->lines, &text)) {
        struct exec_line line = {.kind = EXEC_LINE_RUBBISH};

        exec_line_read(text, &line);
        heed(aside, &line, now_ms);
        exec_line_clear(&line);
    }
}

/* ---- time */

/* One at a time: the next begins when the mesh has the last. */
static uint64_t keep(struct aside *aside, uint64_t now_ms)
{
    if (!aside->has_checkpoint) {
        return UINT64_MAX;
    }
    if (now_ms < aside->keep_ms) {
        return aside->keep_ms;
    }
    if (aside->keeping && !context_end_checkpoint(aside->keeping, PATIENCE_NONE)) {
        return now_ms + REFILL_MS;
    }
    aside->keeping = context_begin_checkpoint(aside->attempt, buffer_bytes(&aside->checkpoint));
    aside->keep_ms = now_ms + ASIDE_CHECKPOINT_EVERY_MS;
    aside->has_checkpoint = false;
    return UINT64_MAX;
}

uint64_t aside_tick(struct aside *aside, uint64_t now_ms)
{
    const uint64_t keep_ms = keep(aside, now_ms);

    refill_budget(aside, now_ms);
    return !aside_listens(aside) && now_ms + REFILL_MS < keep_ms ? now_ms + REFILL_MS : keep_ms;
}

static void complain(const struct aside *aside)
{
    const uint64_t rubbish = aside->rubbish + aside->lines.skipped;

    if (rubbish > 0 || aside->dropped > 0) {
        log_event(LOG_WARNING, "not all was heeded",
                  "function=%s lines_not_understood=%llu lines_not_logged=%llu",
                  aside->attempt->function->name, (unsigned long long)rubbish,
                  (unsigned long long)aside->dropped);
    }
}

void aside_end(struct aside *aside, enum aside_end end)
{
    if (aside->keeping) {
        (void)context_end_checkpoint(aside->keeping, PATIENCE_ENDLESS);
    }
    if (aside->has_checkpoint && end == ASIDE_FAILED) {
        /* Refused, it is of no use to anybody. */
        (void)!context_checkpoint(aside->attempt, aside->checkpoint.data, aside->checkpoint.size);
    }
    complain(aside);
    buffer_clear(&aside->checkpoint);
    lines_clear(&aside->lines);
}
