/* SPDX-License-Identifier: MPL-2.0
 * Text from outside, on a terminal that would otherwise obey it. */
#include "nodes/programs/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"

/* The code point at `text` and, in `size`, how many bytes it takes; the text is valid UTF-8. */
static uint32_t code_point(const unsigned char *text, size_t *size)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    uint32_t point = text[0] & masks[length];

    for (*size = 1; *size < length && (text[*size] & 0xc0) == 0x80; (*size)++) {
        point = point << 6 | (text[*size] & 0x3f);
    }
    return point;
}

/* Controls of both sets, line and paragraph separators, and what turns the writing direction. */
static bool is_harmful(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

/* Writes the character at `text`, of at most `left` bytes; returns how many it took. */
static size_t print_one(FILE *out, const unsigned char *text, size_t left)
{
    size_t size = 1;
    uint32_t point;

    while (text[0] >= 0xc0 && size < 4 && size < left && (text[size] & 0xc0) == 0x80) {
        size++;
    }
    if (!text_is_valid(bytes_of(text, size))) {
        fprintf(out, "\\x{%x}", (unsigned)text[0]);
        return 1;
    }
    point = code_point(text, &size);
    if (is_harmful(point)) {
        fprintf(out, "\\u{%x}", (unsigned)point);
    } else {
        fwrite(text, 1, size, out);
    }
    return size;
}

void print_bytes(FILE *out, const void *data, size_t size)
{
    const unsigned char *at = data;

    while (size > 0) {
        const size_t taken = print_one(out, at, size);

        at += taken;
        size -= taken;
    }
}

void print_text(FILE *out, const char *text)
{
    print_bytes(out, text, strlen(text));
}

void print_column(FILE *out, const char *text, int width)
{
    char *shown = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&shown, &size);

    if (memory == NULL) {
        abort();
    }
    print_text(memory, text);
    if (fclose(memory) != 0) {
        abort();
    }
    fputs(shown, out);
    for (size_t i = 0; i < size; i++) {
        width -= (shown[i] & 0xc0) != 0x80 ? 1 : 0; /* a character's later bytes take no column */
    }
    fprintf(out, "%*s", width > 0 ? width : 0, "");
    free(shown);
}

void print_result(const void *data, size_t size)
{
    const unsigned char *at = data;

    if (!isatty(STDOUT_FILENO)) {
        fwrite(data, 1, size, stdout);
        return;
    }
    while (size > 0) {
        const bool is_plain = *at == '\n' || *at == '\t';
        const size_t taken = is_plain ? 1 : print_one(stdout, at, size);

        if (is_plain) {
            putchar(*at);
        }
        at += taken;
        size -= taken;
    }
}
