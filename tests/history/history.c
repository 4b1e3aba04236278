/* SPDX-License-Identifier: MPL-2.0
 * Reads a history line by line and hands each to its pass. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/state.h"

#define BLOCK_SIZE ((size_t)64 * 1024)

struct block {
    struct block *next;
    size_t used, size;
    max_align_t data[];
};

void *pile_take(struct pile *pile, size_t size)
{
    const size_t rounded = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    struct block *block = pile->blocks;

    if (!block || block->size - block->used < rounded) {
        const size_t room = rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE;
        block = malloc(sizeof(*block) + room);
        if (!block) {
            abort();
        }
        *block = (struct block){.next = pile->blocks, .size = room};
        pile->blocks = block;
    }
    void *taken = (char *)block->data + block->used;
    block->used += rounded;
    return memset(taken, 0, size);
}

char *pile_text(struct pile *pile, const char *text)
{
    const size_t size = strlen(text) + 1;

    return memcpy(pile_take(pile, size), text, size);
}

char *pile_pair(struct pile *pile, const char *one, const char *other)
{
    const size_t size = strlen(one) + strlen(other) + 2;
    char *pair = pile_take(pile, size);

    (void)snprintf(pair, size, "%s %s", one, other);
    return pair;
}

void pile_empty(struct pile *pile)
{
    while (pile->blocks && pile->blocks->next) {
        struct block *next = pile->blocks->next;
        free(pile->blocks);
        pile->blocks = next;
    }
    if (pile->blocks) {
        pile->blocks->used = 0;
    }
}

void pile_clear(struct pile *pile)
{
    pile_empty(pile);
    free(pile->blocks);
    pile->blocks = NULL;
}

void history_fault(struct history *history, const char *pass, const char *format, ...)
{
    const size_t size = sizeof(history->fault);

    if (history->fault[0] == '\0') {
        const int used = snprintf(history->fault, size, "%s: line %u: ", pass, history->number);
        va_list values;
        va_start(values, format);
        (void)vsnprintf(history->fault + used, size - (size_t)used, format, values);
        va_end(values);
    }
}

struct history *history_create(void)
{
    struct history *history = calloc(1, sizeof(*history));

    if (!history) {
        abort();
    }
    history->passes = passes_create();
    history->seals = seals_create();
    return history;
}

void history_destroy(struct history *history)
{
    if (!history) {
        return;
    }
    model_clear(history);
    passes_destroy(history->passes);
    seals_destroy(history->seals);
    pile_clear(&history->kept);
    pile_clear(&history->scratch);
    free(history);
}

/* What a command holds stands under it; whatever else comes ends it. */
static bool is_of_command(const struct line *line)
{
    static const char *const words[] = {"->",     "item",     "append",      "wait",  "held",
                                        "result", "returned", "certificate", "revoke"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (line_is(line, 0, words[i])) {
            return true;
        }
    }
    return false;
}

static void finish_command(struct history *history)
{
    seals_finish(history);
    model_finish(history);
}

void history_read(struct history *history, char *text)
{
    struct line line;

    history->number++;
    if (history->fault[0] != '\0' || text[0] == '#') {
        return;
    }
    line_cut(&line, history->number, text);
    if (line.count == 0) {
        return;
    }
    if (is_of_command(&line)) {
        seals_read(history, &line);
        model_read(history, &line);
        return;
    }
    finish_command(history);
    seals_read(history, &line);
    if (line_is(&line, 0, "do")) {
        model_read(history, &line);
    } else {
        passes_read(history, &line);
    }
}

unsigned long history_seals(const struct history *history)
{
    return seals_verified(history->seals);
}

const char *history_end(struct history *history)
{
    finish_command(history);
    if (history->fault[0] == '\0') {
        passes_end(history);
    }
    return history->fault[0] == '\0' ? NULL : history->fault;
}
