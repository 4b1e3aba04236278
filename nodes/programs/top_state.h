/* SPDX-License-Identifier: MPL-2.0
 * Where the user of `grove top` is: what is shown, selected, tagged and being typed. Keys change
 * it; nothing here knows a terminal. */
#ifndef GROVE_NODES_PROGRAMS_TOP_STATE_H
#define GROVE_NODES_PROGRAMS_TOP_STATE_H

#include "nodes/programs/top_view.h"

enum top_mode { TOP_LIST, TOP_TREE, TOP_TASK, TOP_HELP };
enum top_prompt { TOP_PROMPT_NONE, TOP_PROMPT_SEARCH, TOP_PROMPT_FILTER, TOP_PROMPT_CANCEL };

/* What a key asks for, whatever the terminal sends for it. Characters stand for themselves. */
enum top_key {
    TOP_KEY_NONE = -1,
    TOP_KEY_UP = 0x110000, /* behind all characters */
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
    TOP_KEY_END,
    TOP_KEY_ENTER,
    TOP_KEY_BACKSPACE,
    TOP_KEY_ESCAPE,
    TOP_KEY_BACK_TAB,
    TOP_KEY_F1,
    TOP_KEY_F10 = TOP_KEY_F1 + 9,
};

struct top_state {
    struct feed *feed;
    struct top_data data;
    enum top_pane pane;
    struct top_pane_view view[TOP_PANES];
    char selected[TOP_PANES][2 * TOP_WORD_SIZE]; /* key of a row; "": the first */
    size_t first[TOP_PANES];                     /* row shown at the top */
    struct top_lines rows;                       /* of the pane, its title first */
    json_t *tagged;                              /* set of ids of roots */

    enum top_mode mode;
    char subject[40];      /* id, of a tree or a task */
    struct top_lines text; /* of anything but the list */
    size_t text_first;

    enum top_prompt prompt;
    char word[TOP_WORD_SIZE];   /* as far as it is typed */
    char sought[TOP_WORD_SIZE]; /* that was searched for last */
    char message[160];          /* "": none */
    size_t page;                /* rows that fit, as the screen says */
    const struct glyphs *glyphs;
    bool is_over;
};

void top_state_init(struct top_state *state, struct feed *feed, const struct glyphs *glyphs);
void top_state_clear(struct top_state *state);

/* Makes rows and text anew, of what is known now. */
void top_state_refresh(struct top_state *state, uint64_t now_ms);

/* The row selected, from 1, for its title is 0; 0: there is none. */
size_t top_state_row(const struct top_state *state);

/* The key that tells a row apart; "" of none. */
const char *top_state_key(const struct top_state *state, size_t row);

/* Does what a key asks for: an enum top_key, or a character. */
void top_press(struct top_state *state, int key);

#endif
