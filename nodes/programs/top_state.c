/* SPDX-License-Identifier: MPL-2.0
 * Where the user of `grove top` is. */
#include "nodes/programs/top_state.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/programs/json_text.h"
#include "nodes/programs/task_view.h"
#include "nodes/programs/tree_view.h"

static const char help_text[] =
    "Keys of grove top\n"
    "\n"
    "  arrows, Page Up, Page Down, Home, End   go through the rows\n"
    "  Tab, F2, 1 2 3                          roots, functions, workers\n"
    "  F3  /                                   search; F3 again for the next\n"
    "  F4  \\                                   show only rows that hold a word; empty: all\n"
    "  F5  t                                   the tree of the root selected, and back\n"
    "  F6  >  <                                sort by the next column, or the one before\n"
    "  I                                       the other way round\n"
    "  s  Enter                                what is known of the root, and why it is not done\n"
    "  Space, U                                tag a root; no tags\n"
    "  F9  k                                   cancel what is tagged, else what is selected\n"
    "  F1  h  ?                                this help, and back\n"
    "  F10  q                                  quit\n"
    "\n"
    "A coordinator that is gone is asked again until one answers.\n";

void top_state_init(struct top_state *state, struct feed *feed, const struct glyphs *glyphs)
{
    *state = (struct top_state){.feed = feed, .glyphs = glyphs, .page = 10};
    state->tagged = json_object();
    for (size_t i = 0; i < TOP_PANES; i++) {
        state->view[i].sort = TOP_UNSORTED;
    }
}

void top_state_clear(struct top_state *state)
{
    top_lines_clear(&state->rows);
    top_lines_clear(&state->text);
    json_decref(state->tagged);
    top_data_clear(&state->data);
}

/* ---- rows */

const char *top_state_key(const struct top_state *state, size_t row)
{
    return row > 0 && row < state->rows.count
               ? json_text(state->rows.list[row].element, top_rows[state->pane]->key)
               : "";
}

size_t top_state_row(const struct top_state *state)
{
    for (size_t i = 1; i < state->rows.count; i++) {
        if (strcmp(top_state_key(state, i), state->selected[state->pane]) == 0) {
            return i;
        }
    }
    return state->rows.count > 1 ? 1 : 0;
}

/* Keeps the row selected in sight. */
static void scroll(struct top_state *state)
{
    const size_t row = top_state_row(state), page = state->page > 0 ? state->page : 1;
    size_t *first = &state->first[state->pane];

    if (*first < 1 || row < *first) {
        *first = row > 0 ? row : 1;
    } else if (row >= *first + page) {
        *first = row - page + 1;
    }
}

static void select_row(struct top_state *state, size_t row)
{
    char *selected = state->selected[state->pane];

    if (row >= state->rows.count) {
        row = state->rows.count > 1 ? state->rows.count - 1 : 0;
    }
    snprintf(selected, sizeof(state->selected[0]), "%s", top_state_key(state, row > 0 ? row : 1));
    scroll(state);
}

/* ---- text */

static char *write_text(const struct top_state *state, uint64_t now_ms)
{
    const struct look look = {.glyphs = state->glyphs};
    const struct tree_style style = {.look = look, .now_ms = now_ms};
    const json_t *detail = state->data.detail;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        abort();
    }
    if (state->mode == TOP_HELP) {
        fputs(help_text, out);
    } else if (state->mode == TOP_TREE && json_object_get(detail, "tasks") != NULL) {
        tree_print(out, detail, &style);
    } else if (state->mode == TOP_TASK && json_object_get(detail, "task") != NULL) {
        task_print(out, &look, json_object_get(detail, "task"));
        fputs("\nwhy it is where it is:\n", out);
        reasons_print(out, &look, json_object_get(detail, "explain"));
    } else {
        fputs("...\n", out);
    }
    if (fclose(out) != 0) {
        abort();
    }
    return text;
}

void top_state_refresh(struct top_state *state, uint64_t now_ms)
{
    top_lines_clear(&state->rows);
    top_table(&state->rows, &state->data, state->pane, &state->view[state->pane], now_ms);
    scroll(state);
    if (state->data.news[0] != '\0') {
        snprintf(state->message, sizeof(state->message), "%s", state->data.news);
        state->data.news[0] = '\0';
    }
    if (state->mode != TOP_LIST) {
        char *text = write_text(state, now_ms);

        top_lines_clear(&state->text);
        top_lines_add_text(&state->text, text);
        free(text);
    }
}

/* ---- keys */

static void show(struct top_state *state, enum top_mode mode)
{
    const bool is_back = state->mode == mode || mode == TOP_LIST;
    const enum top_detail details[] = {TOP_DETAIL_NONE, TOP_DETAIL_TREE, TOP_DETAIL_TASK,
                                       TOP_DETAIL_NONE};

    if (!is_back && mode != TOP_HELP) {
        if (state->pane != TOP_ROOTS || top_state_row(state) == 0) {
            snprintf(state->message, sizeof(state->message), "select a root for that");
            return;
        }
        snprintf(state->subject, sizeof(state->subject), "%.39s",
                 top_state_key(state, top_state_row(state)));
    }
    state->mode = is_back ? TOP_LIST : mode;
    state->text_first = 0;
    json_decref(state->data.detail);
    state->data.detail = NULL;
    feed_want(state->feed, details[state->mode], state->subject);
}

/* The next row that holds the word, from the one selected on, and round. */
static void search(struct top_state *state)
{
    const size_t count = state->rows.count > 0 ? state->rows.count - 1 : 0;
    const size_t row = top_state_row(state);

    for (size_t i = 1; i <= count && state->sought[0] != '\0'; i++) {
        const size_t at = (row - 1 + i) % count + 1;

        if (strcasestr(state->rows.list[at].text, state->sought) != NULL) {
            select_row(state, at);
            return;
        }
    }
    snprintf(state->message, sizeof(state->message), "nothing found");
}

static void begin_prompt(struct top_state *state, enum top_prompt prompt)
{
    const bool is_root = state->pane == TOP_ROOTS && top_state_row(state) > 0;

    if (prompt == TOP_PROMPT_CANCEL && !is_root && json_object_size(state->tagged) == 0) {
        snprintf(state->message, sizeof(state->message), "select a root for that");
        return;
    }
    snprintf(state->word, sizeof(state->word), "%s",
             prompt == TOP_PROMPT_FILTER ? state->view[state->pane].filter : "");
    state->prompt = prompt;
}

static void cancel(struct top_state *state)
{
    const char *id;
    json_t *value;

    if (json_object_size(state->tagged) == 0) {
        feed_cancel(state->feed, top_state_key(state, top_state_row(state)));
    }
    json_object_foreach(state->tagged, id, value)
    {
        feed_cancel(state->feed, id);
    }
    json_object_clear(state->tagged);
    snprintf(state->message, sizeof(state->message), "cancelling ...");
}

static void end_prompt(struct top_state *state)
{
    const enum top_prompt prompt = state->prompt;

    state->prompt = TOP_PROMPT_NONE;
    if (prompt == TOP_PROMPT_SEARCH) {
        snprintf(state->sought, sizeof(state->sought), "%s", state->word);
        search(state);
    }
}

static void press_in_prompt(struct top_state *state, int key)
{
    const size_t length = strlen(state->word);

    if (state->prompt == TOP_PROMPT_CANCEL) {
        state->prompt = TOP_PROMPT_NONE;
        if (key == 'y' || key == 'Y') {
            cancel(state);
        } else {
            snprintf(state->message, sizeof(state->message), "nothing is cancelled");
        }
        return;
    }
    if (key == TOP_KEY_ENTER) {
        end_prompt(state);
        return;
    }
    if (key == TOP_KEY_ESCAPE) {
        state->view[state->pane].filter[0] = '\0';
        state->prompt = TOP_PROMPT_NONE;
        return;
    }
    if (key == TOP_KEY_BACKSPACE && length > 0) {
        state->word[length - 1] = '\0';
    } else if (key >= ' ' && key <= '~' && length + 1 < sizeof(state->word)) {
        state->word[length] = (char)key;
        state->word[length + 1] = '\0';
    }
    if (state->prompt == TOP_PROMPT_FILTER) {
        snprintf(state->view[state->pane].filter, sizeof(state->word), "%s", state->word);
    }
}

/* Goes up and down; true when it was such a key. */
static bool press_move(struct top_state *state, int key)
{
    const bool is_list = state->mode == TOP_LIST;
    const size_t page = state->page > 1 ? state->page - 1 : 1;
    const size_t last = is_list ? state->rows.count : state->text.count;
    const size_t least = is_list ? 1 : 0;
    size_t at = is_list ? top_state_row(state) : state->text_first;

    switch (key) {
    case TOP_KEY_UP:
        at = at > least ? at - 1 : least;
        break;
    case TOP_KEY_DOWN:
        at = at + 1;
        break;
    case TOP_KEY_PAGE_UP:
        at = at > page ? at - page : least;
        break;
    case TOP_KEY_PAGE_DOWN:
        at = at + page;
        break;
    case TOP_KEY_HOME:
        at = least;
        break;
    case TOP_KEY_END:
        at = last;
        break;
    default:
        return false;
    }
    if (is_list) {
        select_row(state, at);
    } else {
        const size_t most = last > state->page ? last - state->page : 0;

        state->text_first = at < most ? at : most;
    }
    return true;
}

static void sort_by(struct top_state *state, int step)
{
    struct top_pane_view *view = &state->view[state->pane];
    const struct rows *rows = top_rows[state->pane];
    const size_t count = rows->column_count + 1; /* one more: as it comes */
    const size_t now = view->sort == TOP_UNSORTED ? rows->column_count : view->sort;
    const size_t next = (now + count + (step > 0 ? 1 : count - 1)) % count;

    view->sort = next == rows->column_count ? TOP_UNSORTED : next;
    snprintf(state->message, sizeof(state->message), "sorted by %s",
             view->sort == TOP_UNSORTED ? "nothing" : rows->columns[next].title);
}

static void toggle_tag(struct top_state *state)
{
    const char *id = top_state_key(state, top_state_row(state));

    if (state->pane != TOP_ROOTS || id[0] == '\0') {
        return;
    }
    if (json_object_del(state->tagged, id) != 0) {
        json_object_set_new(state->tagged, id, json_true());
    }
    select_row(state, top_state_row(state) + 1);
}

static void go_to(struct top_state *state, unsigned pane)
{
    state->pane = (enum top_pane)(pane % TOP_PANES);
    if (state->mode != TOP_LIST) {
        show(state, TOP_LIST);
    }
}

/* Of the list alone. */
static void press_in_list(struct top_state *state, int key)
{
    switch (key) {
    case TOP_KEY_F1 + 2:
        if (state->sought[0] != '\0') {
            search(state);
            break;
        }
        begin_prompt(state, TOP_PROMPT_SEARCH);
        break;
    case '/':
        begin_prompt(state, TOP_PROMPT_SEARCH);
        break;
    case TOP_KEY_F1 + 3:
    case '\\':
        begin_prompt(state, TOP_PROMPT_FILTER);
        break;
    case TOP_KEY_F1 + 5:
    case '>':
        sort_by(state, 1);
        break;
    case '<':
        sort_by(state, -1);
        break;
    case 'I':
        state->view[state->pane].is_reverse = !state->view[state->pane].is_reverse;
        break;
    case ' ':
        toggle_tag(state);
        break;
    case 'U':
        json_object_clear(state->tagged);
        break;
    case TOP_KEY_F1 + 8:
    case 'k':
        begin_prompt(state, TOP_PROMPT_CANCEL);
        break;
    default:
        break;
    }
}

void top_press(struct top_state *state, int key)
{
    state->message[0] = '\0';
    if (state->prompt != TOP_PROMPT_NONE) {
        press_in_prompt(state, key);
        return;
    }
    if (press_move(state, key)) {
        return;
    }
    switch (key) {
    case TOP_KEY_F10:
    case 'q':
        state->is_over = true;
        break;
    case TOP_KEY_ESCAPE:
        show(state, TOP_LIST);
        break;
    case TOP_KEY_F1:
    case 'h':
    case '?':
        show(state, TOP_HELP);
        break;
    case TOP_KEY_F1 + 4:
    case 't':
        show(state, TOP_TREE);
        break;
    case 's':
    case TOP_KEY_ENTER:
        show(state, TOP_TASK);
        break;
    case TOP_KEY_F1 + 1:
    case '\t':
        go_to(state, (unsigned)state->pane + 1);
        break;
    case TOP_KEY_BACK_TAB:
        go_to(state, (unsigned)state->pane + TOP_PANES - 1);
        break;
    case '1':
    case '2':
    case '3':
        go_to(state, (unsigned)(key - '1'));
        break;
    default:
        if (state->mode == TOP_LIST) {
            press_in_list(state, key);
        }
        break;
    }
}
