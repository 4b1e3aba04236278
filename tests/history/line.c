/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/history/line.h"

#include <stdlib.h>
#include <string.h>

void line_cut(struct line *line, unsigned number, char *text)
{
    char *rest = text;
    char *word = NULL;

    line->number = number;
    line->count = 0;
    while (line->count < LINE_WORDS && (word = strsep(&rest, " \t\n"))) {
        if (*word != '\0') {
            line->words[line->count++] = word;
        }
    }
}

const char *line_word(const struct line *line, unsigned i)
{
    return i < line->count ? line->words[i] : "";
}

bool line_is(const struct line *line, unsigned i, const char *word)
{
    return strcmp(line_word(line, i), word) == 0;
}

bool line_has(const struct line *line, const char *word)
{
    for (unsigned i = 0; i < line->count; i++) {
        if (strcmp(line->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

const char *line_get(const struct line *line, const char *key)
{
    const size_t size = strlen(key);

    for (unsigned i = 0; i < line->count; i++) {
        if (strncmp(line->words[i], key, size) == 0 && line->words[i][size] == '=') {
            return line->words[i] + size + 1;
        }
    }
    return "";
}

uint64_t line_number(const struct line *line, const char *key)
{
    return strtoull(line_get(line, key), NULL, 10);
}
