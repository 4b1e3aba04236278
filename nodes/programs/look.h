/* SPDX-License-Identifier: MPL-2.0
 * How output looks: in colour or not, and with which line glyphs; chosen by --color, NO_COLOR and
 * --ascii. Lines that are read by programs have neither: a look is for people. */
#ifndef GROVE_NODES_PROGRAMS_LOOK_H
#define GROVE_NODES_PROGRAMS_LOOK_H

#include "nodes/programs/program.h"

/* What a colour says; a terminal without any loses nothing, as the words say it, too. */
enum tone {
    TONE_PLAIN,
    TONE_STRONG, /* titles */
    TONE_DIM,    /* ids, times, what seldom matters */
    TONE_GOOD,   /* succeeded, ok */
    TONE_BAD,    /* failed, down */
    TONE_WARN,   /* cancelled, held, about to end */
    TONE_BUSY,   /* runs */
    TONE_COUNT,
};

/* Each is as wide as its namesake in the other set, but for the ellipsis. */
struct glyphs {
    const char *branch, *last, *pass, *blank; /* of a tree: 3 columns each */
    const char *full, *rest;                  /* of a bar: 1 column */
    const char *ellipsis, *rule, *arrow;
    const char *times, *mark, *here; /* so many of; a point of interest; what was asked for */
};

struct look {
    bool has_color;
    const struct glyphs *glyphs;
};

/* How `out` looks, stdout or stderr. */
struct look look_of(const struct arguments *arguments, FILE *out);

/* What begins a tone, and what ends any; "" without colour. */
const char *look_begin(const struct look *look, enum tone tone);
const char *look_end(const struct look *look);

/* Writes text from outside in a tone, as print_text does. */
void look_print(const struct look *look, FILE *out, enum tone tone, const char *text);

/* The tone of a task's state, by its name. */
enum tone tone_of_state(const char *state);

#endif
