/* SPDX-License-Identifier: MPL-2.0
 * Lines of commands: the first member that is known says what a line is; members that are not known
 * say nothing. */
#include "nodes/worker/exec_line.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void take_text(struct buffer *buffer, const json_t *value)
{
    const char *text = json_string_value(value);
    const size_t size = text ? json_string_length(value) : 0;

    buffer_append(buffer, text ? text : "", size + 1);
    buffer->size = size;
}

static bool take_base64(struct buffer *buffer, const json_t *value)
{
    const size_t size = json_string_length(value);
    size_t decoded;
    uint8_t *out = buffer_extend(buffer, size / 4 * 3 + 3);

    const bool is_whole =
        sodium_base642bin(out, size / 4 * 3 + 3, json_string_value(value), size, NULL, &decoded,
                          NULL, sodium_base64_VARIANT_ORIGINAL) == 0;

    buffer->size = is_whole ? decoded : 0;
    return is_whole;
}

/* Bytes are a string, or, by a name with _base64 behind, whatever that says. False: neither. */
static bool take_bytes(struct exec_line *read, const json_t *object, const char *name)
{
    const json_t *plain = json_object_get(object, name);
    char encoded_name[32];

    snprintf(encoded_name, sizeof(encoded_name), "%s_base64", name);

    const json_t *encoded = json_object_get(object, encoded_name);

    if (json_is_string(plain) && !encoded) {
        take_text(&read->bytes, plain);
        return true;
    }
    if (json_is_string(encoded) && !plain) {
        return take_base64(&read->bytes, encoded);
    }
    return false;
}

static void read_progress(struct exec_line *read, const json_t *object, const json_t *value)
{
    const double percent = json_number_value(value);

    if (json_is_number(value)) {
        read->kind = EXEC_LINE_PROGRESS;
        read->percent = percent <= 0 ? 0 : percent >= 100 ? 100 : (unsigned)percent;
        take_text(&read->text, json_object_get(object, "text"));
    }
}

static void read_log(struct exec_line *read, const json_t *object, const json_t *value)
{
    static const char *const names[] = {
        [LOG_ERROR] = "error",
        [LOG_WARNING] = "warning",
        [LOG_INFO] = "info",
        [LOG_DEBUG] = "debug",
    };
    const char *level = json_string_value(json_object_get(object, "level"));

    if (json_is_string(value)) {
        read->kind = EXEC_LINE_LOG;
        read->level = LOG_INFO;
        for (unsigned i = 0; level && i < sizeof(names) / sizeof(names[0]); i++) {
            if (strcmp(level, names[i]) == 0) {
                read->level = (enum log_level)i;
            }
        }
        take_text(&read->text, value);
    }
}

static void read_error(struct exec_line *read, const json_t *object, const json_t *value)
{
    const bool names_bytes =
        json_object_get(object, "bytes") || json_object_get(object, "bytes_base64");

    if (json_is_string(value) && take_bytes(read, object, "bytes") == names_bytes) {
        read->kind = EXEC_LINE_ERROR;
        read->is_permanent = json_is_true(json_object_get(object, "permanent"));
        take_text(&read->text, value);
    }
}

static void read_object(struct exec_line *read, const json_t *object)
{
    const json_t *value;

    take_text(&read->id, json_object_get(object, "id"));
    if ((value = json_object_get(object, "error")) != NULL) {
        read_error(read, object, value);
    } else if ((value = json_object_get(object, "progress")) != NULL) {
        read_progress(read, object, value);
    } else if ((value = json_object_get(object, "log")) != NULL) {
        read_log(read, object, value);
    } else if (take_bytes(read, object, "checkpoint")) {
        read->kind = EXEC_LINE_CHECKPOINT;
    } else if (take_bytes(read, object, "result")) {
        read->kind = EXEC_LINE_RESULT;
    }
}

void exec_line_read(struct bytes line, struct exec_line *read)
{
    json_t *object = json_loadb(line.size > 0 ? (const char *)line.data : "", line.size,
                                JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(object)) {
        read_object(read, object);
    }
    json_decref(object);
}

void exec_line_clear(struct exec_line *read)
{
    buffer_clear(&read->text);
    buffer_clear(&read->bytes);
    buffer_clear(&read->id);
}
