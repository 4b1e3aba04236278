/* SPDX-License-Identifier: MPL-2.0
 * What one line of a tree says. */
#include "nodes/programs/tree_line.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/program.h"

/* Of a lost race nobody need be sorry. */
static void print_state(FILE *out, enum tree_kind kind, const char *text,
                        const struct tree_style *style)
{
    const enum tone tone = kind == TREE_LOST_RACE ? TONE_DIM : tone_of_state(tree_kind_name(kind));

    look_print(&style->look, out, tone, text);
}

/* Retries, and workers that died of it or with it. */
static void print_attempts(FILE *out, const struct tree_node *node)
{
    const int64_t attempts = json_number(node->task, "attempts");
    const int64_t losses = json_number(node->task, "losses");

    if (attempts > 1 && tree_kind_is_open(node->kind)) {
        fprintf(out, " attempt %" PRId64, attempts);
    } else if (attempts > 1) {
        fprintf(out, " after %" PRId64 " attempts", attempts);
    }
    if (losses > 0) {
        fprintf(out, " lost %" PRId64 " worker%s", losses, losses > 1 ? "s" : "");
    }
}

static void print_progress(FILE *out, const struct tree_node *node)
{
    const json_t *progress = json_object_get(node->task, "progress");
    const int64_t percent = json_number(progress, "percent");
    const char *text = json_text(progress, "text");

    if (percent > 0 || text[0] != '\0') {
        fprintf(out, " %" PRId64 " %%%s", percent, text[0] != '\0' ? " " : "");
        print_text(out, text);
    }
}

static void print_retry(FILE *out, const struct tree_node *node)
{
    const char *retry_of = json_text(node->task, "retry_of");

    if (retry_of[0] != '\0') {
        fputs(" retry of ", out);
        print_bytes(out, retry_of, strnlen(retry_of, TREE_ID_SHOWN));
    }
}

static bool is_sought(const struct tree_node *node, const struct tree_style *style)
{
    return style->sought != NULL && strcmp(style->sought, json_text(node->task, "id")) == 0;
}

/* How long it ran, and the marks. */
static void print_time(FILE *out, const struct tree_model *model, const struct tree_node *node,
                       const struct tree_style *style)
{
    const uint64_t end_ms = node->ended_ms != 0 ? node->ended_ms : model->now_ms;
    const bool has_run =
        node->started_ms != 0 && end_ms >= node->started_ms &&
        (node->ended_ms != 0 || node->kind == TREE_RUNNING || node->kind == TREE_WAITING);
    const bool is_marked = node->is_critical && model->count > 1;
    char text[DURATION_TEXT_SIZE];

    if (has_run) {
        fprintf(out, " (%s)", duration_text(end_ms - node->started_ms, text));
    }
    if (is_marked) {
        fprintf(out, " %s", style->look.glyphs->mark);
    }
    if (is_sought(node, style)) {
        fprintf(out, " %s", style->look.glyphs->here);
    }
}

void tree_print_node(FILE *out, const struct tree_model *model, const struct tree_node *node,
                     const struct tree_style *style)
{
    const char *waiting = json_text(node->task, "waiting"), *error = json_text(node->task, "error");

    print_text(out, node->function);
    fputc(' ', out);
    print_bytes(out, json_text(node->task, "id"),
                strnlen(json_text(node->task, "id"), TREE_ID_SHOWN));
    fputc(' ', out);
    print_state(out, node->kind, tree_kind_name(node->kind), style);
    print_retry(out, node);
    print_attempts(out, node);
    print_progress(out, node);
    print_time(out, model, node, style);
    if (tree_kind_is_open(node->kind) && waiting[0] != '\0') {
        fputs(": ", out);
        print_text(out, waiting);
    }
    if (error[0] != '\0' && node->kind != TREE_LOST_RACE) {
        fputs(": ", out);
        print_text(out, error);
    }
    fputc('\n', out);
}

/* ---- many */

static void print_counts(FILE *out, struct tree_node *const *members, size_t count,
                         const struct tree_style *style)
{
    size_t counts[TREE_KINDS] = {0};
    const char *before = ": ";
    char text[48];

    for (size_t i = 0; i < count; i++) {
        counts[members[i]->kind]++;
    }
    for (enum tree_kind kind = TREE_FAILED; kind < TREE_KINDS; kind++) {
        if (counts[kind] > 0) {
            fputs(before, out);
            snprintf(text, sizeof(text), "%zu %s", counts[kind], tree_kind_name(kind));
            print_state(out, kind, text, style);
            before = ", ";
        }
    }
}

/* Of those that came to an end of their own. */
static void print_percentiles(FILE *out, struct tree_node *const *members, size_t count)
{
    uint64_t *ran_ms = calloc(count, sizeof(*ran_ms));
    char half[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];
    size_t ended = 0;

    if (ran_ms == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        const struct tree_node *node = members[i];

        if ((node->kind == TREE_SUCCEEDED || node->kind == TREE_FAILED) && node->started_ms != 0 &&
            node->ended_ms >= node->started_ms) {
            ran_ms[ended++] = node->ended_ms - node->started_ms;
        }
    }
    percentiles_prepare(ran_ms, ended);
    if (ended > 0) {
        fprintf(out, "; p50 %s, p99 %s", duration_text(percentile(ran_ms, ended, 50), half),
                duration_text(percentile(ran_ms, ended, 99), most));
    }
    free(ran_ms);
}

static void print_troubles(FILE *out, struct tree_node *const *members, size_t count)
{
    size_t below = 0, failed = 0, retried = 0;

    for (size_t i = 0; i < count; i++) {
        below += members[i]->below;
        failed += members[i]->failures_below;
        retried += json_number(members[i]->task, "attempts") > 1 ? 1 : 0;
    }
    if (retried > 0) {
        fprintf(out, "; %zu retried", retried);
    }
    if (below > 0) {
        fprintf(out, "; %zu below", below);
    }
    if (failed > 0) {
        fprintf(out, ", %zu of them failed", failed);
    }
}

void tree_print_group(FILE *out, struct tree_node *const *members, size_t count,
                      const struct tree_style *style)
{
    print_text(out, members[0]->function);
    fprintf(out, " %s%zu", style->look.glyphs->times, count);
    print_counts(out, members, count, style);
    print_percentiles(out, members, count);
    print_troubles(out, members, count);
    fputc('\n', out);
}

/* ---- the critical path */

void tree_print_path(FILE *out, const struct tree_model *model, const struct tree_style *style)
{
    const uint64_t all_ms = tree_node_span_ms(model, &model->nodes[0]);
    const struct tree_node *slowest = &model->nodes[0];
    char all[DURATION_TEXT_SIZE], own[DURATION_TEXT_SIZE], queued[DURATION_TEXT_SIZE];
    uint64_t most_ms = 0, queued_ms = 0;

    for (size_t i = 0; i < model->count; i++) {
        const struct tree_node *node = &model->nodes[i];
        const uint64_t own_ms = node->is_critical ? tree_node_own_ms(model, node) : 0;

        queued_ms += node->is_critical ? tree_node_queued_ms(model, node) : 0;
        if (own_ms > most_ms) {
            most_ms = own_ms;
            slowest = node;
        }
    }
    fprintf(out, "%s critical path %s; %s of it, %" PRIu64 " %%, in ", style->look.glyphs->mark,
            duration_text(all_ms, all), duration_text(most_ms, own),
            all_ms > 0 ? most_ms * 100 / all_ms : 0);
    print_text(out, slowest->function);
    fprintf(out, " ");
    print_bytes(out, json_text(slowest->task, "id"),
                strnlen(json_text(slowest->task, "id"), TREE_ID_SHOWN));
    if (queued_ms > 0) {
        fprintf(out, "; %s waiting to start", duration_text(queued_ms, queued));
    }
    fputc('\n', out);
}
