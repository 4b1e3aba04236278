/* SPDX-License-Identifier: MPL-2.0
 * One line of a history: plain words, then words that are "key=value". */
#ifndef GROVE_TESTS_HISTORY_LINE_H
#define GROVE_TESTS_HISTORY_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_WORDS 24u

struct line {
    unsigned number; /* in its file, from 1 */
    unsigned count;
    char *words[LINE_WORDS];
};

/* Cuts `text` in place; words beyond LINE_WORDS are left out. */
void line_cut(struct line *line, unsigned number, char *text);

/* The i-th word, "" beyond the last. */
const char *line_word(const struct line *line, unsigned i);

/* Whether the i-th word is this one. */
bool line_is(const struct line *line, unsigned i, const char *word);

/* Whether this plain word stands anywhere in it. */
bool line_has(const struct line *line, const char *word);

/* The value of a key, "" when it is not there. */
const char *line_get(const struct line *line, const char *key);

/* ... as a number, 0 when it is not there. */
uint64_t line_number(const struct line *line, const char *key);

#endif
