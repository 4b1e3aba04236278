/* SPDX-License-Identifier: MPL-2.0
 * The text of files with keys. */
#include "nodes/host/key_text.h"

#include <assert.h>
#include <ini.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/host/log.h"
#include "nodes/host/secret_file.h"

#define VERSION "1"
#define BASE64 sodium_base64_VARIANT_ORIGINAL_NO_PADDING
#define WIDTH 76u        /* characters of base64 a line; libinih cuts lines at 200 */
#define STACK_SIZE 16384 /* bytes; more than libinih and we use below key_text_read */

struct reading {
    key_text_entry *entry;
    void *context;
    const char *wrong; /* with the first entry that is refused */
    char name[64];     /* of it, quoted */
};

static int on_entry(void *context, const char *section, const char *name, const char *value)
{
    struct reading *reading = context;

    if (reading->wrong == NULL) {
        reading->wrong = reading->entry(reading->context, section, name, value);
        log_quote(bytes_of_text(name), reading->name, sizeof(reading->name));
    }
    return reading->wrong == NULL;
}

enum grove_status key_text_read(const char *path, struct bytes text, key_text_entry *entry,
                                void *context, char *error)
{
    struct reading reading = {.entry = entry, .context = context};
    struct buffer copy;

    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) {
        return secret_file_refuse(error, GROVE_MALFORMED, "%s: not a text file", path);
    }
    secret_buffer_init(&copy, text.size + 1);
    buffer_append(&copy, text.data, text.size);
    buffer_append(&copy, "", 1);
    const int line = ini_parse_string((const char *)copy.data, on_entry, &reading);
    sodium_stackzero(STACK_SIZE); /* libinih copied every line */
    secret_buffer_clear(&copy);
    if (reading.wrong != NULL) {
        return secret_file_refuse(error, GROVE_MALFORMED, "%s:%d: %s: %s", path, line, reading.name,
                                  reading.wrong);
    }
    return line == 0 ? GROVE_OK
                     : secret_file_refuse(error, GROVE_MALFORMED,
                                          "%s:%d: not of the form key = "
                                          "value",
                                          path, line);
}

const char *key_text_hex(const char *value, uint8_t *bytes, size_t size, bool *seen)
{
    size_t got = 0;

    if (*seen) {
        return "given twice";
    }
    *seen = true;
    if (strlen(value) != 2 * size ||
        sodium_hex2bin(bytes, size, value, 2 * size, NULL, &got, NULL) != 0 || got != size) {
        return "not as many hexadecimal digits as it has";
    }
    return NULL;
}

const char *key_text_version(const char *value, bool *seen)
{
    if (*seen) {
        return "given twice";
    }
    *seen = true;
    return strcmp(value, VERSION) == 0 ? NULL : "another version than " VERSION;
}

bool key_text_base64(struct bytes text, struct buffer *bytes)
{
    const size_t most = text.size / 4 * 3 + 3;
    const size_t before = bytes->size;
    size_t size = 0;
    uint8_t *room = buffer_extend(bytes, most);
    const int rc = text.size == 0 ? -1
                                  : sodium_base642bin(room, most, (const char *)text.data,
                                                      text.size, NULL, &size, NULL, BASE64);

    bytes->size = rc == 0 ? before + size : before;
    return rc == 0;
}

void key_text_put(struct buffer *text, const char *format, ...)
{
    char line[512];
    va_list values;

    va_start(values, format);
    const int size = vsnprintf(line, sizeof(line), format, values);
    va_end(values);
    assert(size >= 0 && size < (int)sizeof(line));
    buffer_append(text, line, (size_t)size);
    sodium_memzero(line, sizeof(line));
}

void key_text_put_hex(struct buffer *text, const char *name, const void *bytes, size_t size)
{
    char digits[129];

    assert(size <= sizeof(digits) / 2);
    sodium_bin2hex(digits, sizeof(digits), bytes, size);
    key_text_put(text, "%s = %s\n", name, digits);
    sodium_memzero(digits, sizeof(digits));
}

void key_text_put_base64(struct buffer *text, const char *name, struct bytes bytes)
{
    const size_t room = sodium_base64_ENCODED_LEN(bytes.size, BASE64);
    char *digits = malloc(room);

    if (digits == NULL) {
        abort();
    }
    sodium_bin2base64(digits, room, bytes.data, bytes.size, BASE64);
    key_text_put(text, "%s =", name);
    for (size_t at = 0; at < room - 1; at += WIDTH) {
        key_text_put(text, "%s%.*s\n", at == 0 ? " " : "    ", (int)WIDTH, digits + at);
    }
    free(digits);
}
