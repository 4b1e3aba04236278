/* SPDX-License-Identifier: MPL-2.0
 * Events as JSON, written as they are read: there may be very many. */
#include "nodes/coordinator/stats.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/item.h"
#include "core/notice.h"
#include "nodes/coordinator/phrase.h"

#define PAGE_EVENTS 512u
#define EVENT_SIZE 16384u /* bytes of one, and of what ends a page: never so many */

static void put_id(struct buffer *out, const char *name, const struct id *id)
{
    char text[ID_TEXT_SIZE];

    id_format(id, text);
    phrase(out, ", \"%s\": \"%s\"", name, text);
}

static void put_text(struct buffer *out, const char *name, const char *text)
{
    phrase(out, ", \"%s\": ", name);
    phrase_json(out, text != NULL && *text != '\0' ? bytes_of_text(text) : bytes_of(NULL, 0));
}

/* The instance, as long as it has its session. */
static void put_worker(const struct forest *forest, uint64_t session, struct buffer *out)
{
    struct session_view view;
    const bool is_known =
        session != 0 && forest_session(forest, session - 1, &view) && view.session == session;

    phrase(out, ", \"session\": %" PRIu64, session);
    put_text(out, "worker", is_known ? view.instance : NULL);
}

static void put_error(const struct task_view *view, struct buffer *out)
{
    const bool has_failed = view->state == TASK_FAILED || view->state == TASK_CANCELLED;
    const struct bytes text = view->has_result ? view->failure_text : view->verdict_text;

    phrase(out, ", \"error\": ");
    phrase_json(out, has_failed && text.size > 0 ? text : bytes_of(NULL, 0));
}

static void put_end(const struct notice *notice, const struct task_view *view, struct buffer *out)
{
    phrase(out, ", \"code\": \"%s\"", outcome_code_name((enum outcome_code)notice->code));
    if (view != NULL) {
        put_error(view, out);
    } else {
        phrase(out, ", \"error\": null");
    }
}

/* Of a task that is forgotten no more than its id is known. */
static void put_task(const struct forest *forest, const struct notice *notice, struct buffer *out)
{
    struct task_view view;
    const bool is_known = forest_task(forest, &notice->id, &view);

    put_id(out, "task", &notice->id);
    if (is_known) {
        put_id(out, "root", &view.root);
        phrase(out, ", \"function\": ");
        phrase_json(out, view.function);
    } else {
        phrase(out, ", \"root\": null, \"function\": null");
    }
    phrase(out, ", \"attempt\": %" PRIu32, notice->attempt);
    if (notice->kind == NOTICE_ENDED) {
        put_end(notice, is_known ? &view : NULL, out);
    } else if (notice->session != 0) {
        put_worker(forest, notice->session, out);
    }
}

static void put_join(const struct forest *forest, const struct notice *notice, struct buffer *out)
{
    static const char *const kinds[] = {"none", "gather", "race", "map"};
    static const char *const states[] = {"open", "complete", "won", "failed", "cancelled"};
    struct join_view view;

    put_id(out, "join", &notice->id);
    if (forest_join(forest, &notice->id, &view)) {
        put_id(out, "task", &view.parent);
        put_text(out, "kind", kinds[view.kind]);
    } else {
        phrase(out, ", \"task\": null, \"kind\": null");
    }
    put_text(out, "state", states[notice->code]);
}

static void put_event(const struct stats *stats, const struct notice *notice, struct buffer *out)
{
    const struct forest *forest = stats->egress->forest;
    const char *name = notices_name(stats->machine->effects.notices, notice);
    const enum notice_kind kind = (enum notice_kind)notice->kind;

    phrase(out, "{\"number\": %" PRIu64 ", \"at_ms\": %" PRIu64 ", \"event\": \"%s\"",
           notice->number, notice->at_ms, notice_kind_name(kind));
    switch (kind) {
    case NOTICE_SUBMITTED:
    case NOTICE_ASSIGNED:
    case NOTICE_WAITS:
    case NOTICE_RESUMED:
    case NOTICE_RETRIED:
    case NOTICE_RETURNED:
    case NOTICE_LOST:
    case NOTICE_ENDED:
        put_task(forest, notice, out);
        break;
    case NOTICE_JOINED:
        put_join(forest, notice, out);
        break;
    case NOTICE_ENLISTED:
    case NOTICE_RETIRED:
        phrase(out, ", \"session\": %" PRIu64, notice->session);
        put_text(out, "worker", name);
        break;
    case NOTICE_LIMIT:
        put_text(out, "function", name);
        break;
    case NOTICE_LEADER:
        put_text(out, "leader", name);
        break;
    case NOTICE_ROOM:
        put_text(out, "room", room_name((enum replica_room)notice->code));
        break;
    case NOTICE_TRUST:
    case NOTICE_KINDS:
        break;
    }
    buffer_append(out, "}", 1);
}

/* Returns the number of the last one. */
static uint64_t put_list(const struct stats *stats, uint64_t since, unsigned most,
                         struct buffer *out)
{
    const struct notices *notices = stats->machine->effects.notices;
    const struct notice *notice = notices_after(notices, since);
    const size_t begin = out->size;
    unsigned count = 0;

    for (; notice != NULL && count < most && out->size - begin < LIMIT_STATS_PAGE - EVENT_SIZE;
         notice = notices_after(notices, since)) {
        if (count++ > 0) {
            buffer_append(out, ", ", 2);
        }
        put_event(stats, notice, out);
        since = notice->number;
    }
    return since;
}

uint64_t stats_put_events(const struct stats *stats, uint64_t since, unsigned most,
                          struct buffer *out)
{
    const struct notices *notices = stats->machine->effects.notices;
    uint64_t last;

    stats_put_head(stats, "grove.events/1", out);
    phrase(out, ", \"after\": %" PRIu64 ", \"complete\": %s, \"events\": [", since,
           notices_has_all_after(notices, since) ? "true" : "false");
    last = put_list(stats, since, most, out);
    phrase(out, "], \"last\": %" PRIu64 ", \"newest\": %" PRIu64 "}", last, notices_last(notices));
    return last;
}

bool stats_events(struct stats *stats, const char *since, struct buffer *out, const char **error)
{
    const struct notices *notices = stats->machine->effects.notices;
    char *end = NULL;

    if (since == NULL) {
        stats_put_events(stats, notices_last(notices), 0, out);
        return true;
    }
    const uint64_t number = strtoull(since, &end, 10);

    if (since[0] < '0' || since[0] > '9' || *end != '\0' || number > INT64_MAX) {
        *error = "events are asked for by the number of the last that is known";
        return false;
    }
    stats_put_events(stats, number, PAGE_EVENTS, out);
    return true;
}
