/* SPDX-License-Identifier: MPL-2.0
 * Text from outside, on a terminal that would otherwise obey it. */
#include "nodes/programs/program.h"

#include <stdio.h>
#include <string.h>

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

void print_text(FILE *out, const char *text)
{
    size_t size;

    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at += size) {
        const uint32_t point = code_point(at, &size);

        if (is_harmful(point)) {
            fprintf(out, "\\u{%x}", (unsigned)point);
        } else {
            fwrite(at, 1, size, out);
        }
    }
}
