/* SPDX-License-Identifier: MPL-2.0
 * What `grove top` shows, as lines of text. */
#include "nodes/programs/top_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/host/clock.h"
#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"

#define BAR_WIDTH 30

void top_lines_clear(struct top_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->list[i].text);
    }
    free(lines->list);
    *lines = (struct top_lines){0};
}

static struct top_line *add(struct top_lines *lines, const char *text, size_t length)
{
    lines->list = realloc(lines->list, (lines->count + 1) * sizeof(*lines->list));
    if (lines->list == NULL) {
        abort();
    }
    struct top_line *line = &lines->list[lines->count++];

    *line = (struct top_line){.text = strndup(text, length)};
    if (line->text == NULL) {
        abort();
    }
    return line;
}

void top_lines_add_text(struct top_lines *lines, const char *text)
{
    while (*text != '\0') {
        const size_t length = strcspn(text, "\n");

        add(lines, text, length);
        text += length + (text[length] == '\n' ? 1 : 0);
    }
}

/* ---- the summary */

static void put_leader(FILE *out, const struct top_data *data)
{
    const int64_t stale_ms = json_number(data->stats, "stale_ms");
    char text[DURATION_TEXT_SIZE];

    fputs("grove  leader ", out);
    print_text(out, json_text(data->stats, "leader")[0] != '\0' ? json_text(data->stats, "leader")
                                                                : "none");
    fprintf(out, "  entry %" PRId64 "  workers %" PRId64 "  open trees %" PRId64,
            json_number(data->stats, "applied"), json_number(data->stats, "workers"),
            json_number(json_object_get(data->stats, "totals"), "open_roots"));
    if (stale_ms > 0) {
        fprintf(out, "  %s behind", duration_text((uint64_t)stale_ms, text));
    }
}

static void put_slots(FILE *out, const struct top_data *data)
{
    const json_t *states = json_object_get(data->stats, "states");
    int64_t slots = 0, running = json_number(states, "running");
    json_t *worker;
    size_t i;

    json_array_foreach(json_object_get(data->list[TOP_WORKERS], "workers"), i, worker)
    {
        slots += json_number(worker, "slots");
    }
    const int64_t busy = running < slots ? running : slots;
    const int64_t full = slots > 0 ? busy * BAR_WIDTH / slots : 0;

    fputs("slots  [", out);
    for (int64_t k = 0; k < BAR_WIDTH; k++) {
        fputc(k < full || (k == 0 && busy > 0) ? '|' : ' ', out);
    }
    fprintf(out,
            "] %" PRId64 "/%" PRId64 "  ahead %" PRId64 "  ready %" PRId64 "  held %" PRId64
            "  delayed %" PRId64 "  waiting %" PRId64,
            busy, slots, running - busy, json_number(states, "ready"), json_number(states, "held"),
            json_number(states, "delayed"), json_number(states, "waiting"));
}

static void put_rates(FILE *out, const struct top_data *data)
{
    const json_t *totals = json_object_get(data->stats, "totals");

    if (data->rates.is_known) {
        fprintf(out, "rates  submitted %.0f/s  ended %.0f/s  failed %.0f/s", data->rates.submitted,
                data->rates.ended, data->rates.failed);
    } else {
        fprintf(out,
                "ever   submitted %" PRId64 "  succeeded %" PRId64 "  failed %" PRId64
                "  cancelled %" PRId64,
                json_number(totals, "submitted"), json_number(totals, "succeeded"),
                json_number(totals, "failed"), json_number(totals, "cancelled"));
    }
}

static void add_written(struct top_lines *lines, const struct top_data *data,
                        void (*put)(FILE *out, const struct top_data *data))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        abort();
    }
    put(out, data);
    if (fclose(out) != 0) {
        abort();
    }
    add(lines, text, size);
    free(text);
}

void top_summary(struct top_lines *lines, const struct top_data *data)
{
    char text[96], since[DURATION_TEXT_SIZE];

    if (data->stats == NULL) {
        top_lines_add_text(lines, "grove  no coordinator has answered yet");
        return;
    }
    add_written(lines, data, put_leader);
    add_written(lines, data, put_slots);
    add_written(lines, data, put_rates);
    if (data->lost_ms != 0) {
        snprintf(text, sizeof(text), "no coordinator answers since %s: this is what was known last",
                 duration_text(clock_monotonic_ms() - data->lost_ms, since));
        add(lines, text, strlen(text))->tone = TONE_BAD;
    }
}

/* ---- panes */

int top_row_compare(const void *a, const void *b, void *order)
{
    const struct top_row_order *by = order;
    const json_t *left = rows_value(by->rows, by->view->sort, *(json_t *const *)a);
    const json_t *right = rows_value(by->rows, by->view->sort, *(json_t *const *)b);
    int result;

    if (json_is_string(left) && json_is_string(right)) {
        result = strcmp(json_string_value(left), json_string_value(right));
    } else {
        const int64_t difference = json_integer_value(right) - json_integer_value(left);

        result = difference > 0 ? 1 : difference < 0 ? -1 : 0;
    }
    return by->view->is_reverse ? -result : result;
}

static bool is_shown(const char *line, const struct top_pane_view *view)
{
    return view->filter[0] == '\0' || strcasestr(line, view->filter) != NULL;
}

/* All rows as one text, their titles first. */
static char *write_rows(const struct rows *rows, json_t *const *list, size_t count, uint64_t now_ms)
{
    const struct look plain = {0};
    struct listing listing;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        abort();
    }
    listing_init(&listing, &plain, rows->columns, rows->column_count);
    for (size_t i = 0; i < count; i++) {
        rows->add(&listing, list[i], now_ms);
    }
    listing_print(&listing, out);
    listing_clear(&listing);
    if (fclose(out) != 0) {
        abort();
    }
    return text;
}

/* The elements in their order; `list` has room for all. */
static size_t sort_rows(const json_t *elements, const struct rows *rows,
                        const struct top_pane_view *view, json_t **list)
{
    const size_t count = json_array_size(elements);
    struct top_row_order order = {rows, view};

    for (size_t i = 0; i < count; i++) {
        list[i] = json_array_get(elements, i);
    }
    if (view->sort != TOP_UNSORTED && count > 0) {
        qsort_r(list, count, sizeof(*list), top_row_compare, &order);
    }
    return count;
}

void top_table(struct top_lines *lines, const struct top_data *data, enum top_pane pane,
               const struct top_pane_view *view, uint64_t now_ms)
{
    const struct rows *rows = top_rows[pane];
    const json_t *elements = json_object_get(data->list[pane], rows->name);
    json_t **list = calloc(json_array_size(elements) + 1, sizeof(json_t *));
    size_t before = lines->count, kept;

    if (list == NULL) {
        abort();
    }
    const size_t count = sort_rows(elements, rows, view, list);
    char *text = write_rows(rows, list, count, now_ms);

    top_lines_add_text(lines, text);
    free(text);
    kept = before + (lines->count > before ? 1 : 0);
    for (size_t i = 0; before + 1 + i < lines->count; i++) {
        struct top_line *line = &lines->list[before + 1 + i];

        if (!is_shown(line->text, view)) {
            free(line->text);
            continue;
        }
        line->element = list[i];
        line->tone = pane == TOP_ROOTS ? tone_of_state(json_text(list[i], "state")) : TONE_PLAIN;
        lines->list[kept++] = *line;
    }
    lines->count = kept;
    free(list);
}
