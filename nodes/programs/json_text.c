/* SPDX-License-Identifier: MPL-2.0
 * Members of JSON that may not be there. */
#include "nodes/programs/json_text.h"

const char *json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

int64_t json_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}
