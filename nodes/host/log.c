/* SPDX-License-Identifier: MPL-2.0
 * One event, one line. */
#include "nodes/host/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "nodes/host/clock.h"

#define LINE_SIZE 4096 /* bytes; a line is cut here */

static enum log_level highest = LOG_INFO;

void log_set_level(enum log_level level)
{
    highest = level;
}

static size_t put_head(char *line, enum log_level level, const char *event)
{
    static const char *const names[] = {
        [LOG_ERROR] = "error",
        [LOG_WARNING] = "warning",
        [LOG_INFO] = "info",
        [LOG_DEBUG] = "debug",
    };
    const uint64_t ms = clock_unix_ms();
    const time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    char date[sizeof("2026-01-31T12:00:00")];

    gmtime_r(&seconds, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    const int size = snprintf(line, LINE_SIZE, "at=%s.%03uZ level=%s event=\"%s\" ", date,
                              (unsigned)(ms % 1000), names[level], event);
    assert(size > 0 && size < LINE_SIZE / 2);
    return (size_t)size;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[LINE_SIZE];

    if (level > highest) {
        return;
    }
    size_t size = put_head(line, level, event);
    va_list values;
    va_start(values, format);
    const int more = vsnprintf(line + size, sizeof(line) - size, format, values);
    va_end(values);
    assert(more >= 0);
    size = size + (size_t)more < sizeof(line) ? size + (size_t)more : sizeof(line) - 1;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    line[size] = '\n';
    /* Nobody is left to tell when stderr is gone. */
    const ssize_t written = write(STDERR_FILENO, line, size + 1);
    (void)written;
}

static bool is_plain(uint8_t byte)
{
    return byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
}

const char *log_quote(struct bytes bytes, char *out, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;

    assert(size >= LOG_QUOTE_MIN);
    /* Room is kept for an escape, then for the end of a cut value. */
    const char *const last = out + size - sizeof("\\xNN...\"");
    *at++ = '"';
    for (size_t i = 0; i < bytes.size; i++) {
        if (at > last) {
            memcpy(at, "...\"", sizeof("...\""));
            return out;
        }
        const uint8_t byte = bytes.data[i];
        if (is_plain(byte)) {
            *at++ = (char)byte;
        } else {
            *at++ = '\\';
            *at++ = 'x';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 15];
        }
    }
    memcpy(at, "\"", sizeof("\""));
    return out;
}
