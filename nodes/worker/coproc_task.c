/* SPDX-License-Identifier: MPL-2.0
 * An attempt as a line of JSON. */
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/text.h"
#include "nodes/worker/coproc.h"

static json_t *id_json(const struct id *id)
{
    char text[ID_TEXT_SIZE];

    id_format(id, text);
    return json_string(text);
}

/* As text, if it is that. */
static void put_payload(json_t *task, struct bytes payload)
{
    const size_t size = sodium_base64_encoded_len(payload.size, sodium_base64_VARIANT_ORIGINAL);
    char *encoded;

    if (text_is_valid(payload)) {
        json_object_set_new(
            task, "payload",
            json_stringn(payload.size > 0 ? (const char *)payload.data : "", payload.size));
        return;
    }
    encoded = malloc(size);
    if (!encoded) {
        abort();
    }
    sodium_bin2base64(encoded, size, payload.data, payload.size, sodium_base64_VARIANT_ORIGINAL);
    json_object_set_new(task, "payload_base64", json_string(encoded));
    free(encoded);
}

static int append(const char *data, size_t size, void *buffer)
{
    buffer_append(buffer, data, size);
    return 0;
}

void coproc_put_task(struct buffer *line, const struct grove_attempt *attempt,
                     const struct exec_place *place)
{
    json_t *task = json_object();

    json_object_set_new(task, "id", id_json(&attempt->key.task));
    json_object_set_new(task, "root", id_json(&attempt->root));
    json_object_set_new(task, "parent",
                        attempt->has_parent ? id_json(&attempt->parent) : json_null());
    json_object_set_new(task, "attempt", json_integer(attempt->key.attempt));
    json_object_set_new(task, "depth", json_integer(attempt->depth));
    json_object_set_new(task, "function", json_string(attempt->function->name));
    json_object_set_new(task, "content_type", json_string(attempt->content_type));
    json_object_set_new(task, "deadline_ms",
                        attempt->deadline_ms > 0 ? json_integer((json_int_t)attempt->deadline_ms)
                                                 : json_null());
    json_object_set_new(task, "directory", json_string(place->work));
    json_object_set_new(task, "checkpoint_file", json_string(place->checkpoint));
    json_object_set_new(task, "socket", json_string(place->socket));
    put_payload(task, attempt->payload);
    if (json_dump_callback(task, append, line, JSON_COMPACT) != 0) {
        abort();
    }
    json_decref(task);
    buffer_append(line, "\n", 1);
}
