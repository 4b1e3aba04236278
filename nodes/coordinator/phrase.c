/* SPDX-License-Identifier: MPL-2.0
 * Appending text. */
#include "nodes/coordinator/phrase.h"

#include <stdarg.h>
#include <stdio.h>

void phrase(struct buffer *out, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (size > 0) {
        buffer_append(out, text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
    }
}

static bool is_plain(uint8_t byte)
{
    return byte >= ' ' && byte != '"' && byte != '\\';
}

/* Runs of what need not be escaped go in one piece. */
void phrase_json(struct buffer *out, struct bytes text)
{
    size_t from = 0;

    if (text.data == NULL) {
        buffer_append(out, "null", 4);
        return;
    }
    buffer_append(out, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        if (!is_plain(text.data[i])) {
            buffer_append(out, text.data + from, i - from);
            phrase(out, "\\u%04x", text.data[i]);
            from = i + 1;
        }
    }
    buffer_append(out, text.data + from, text.size - from);
    buffer_append(out, "\"", 1);
}
