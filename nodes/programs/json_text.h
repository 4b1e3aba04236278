/* SPDX-License-Identifier: MPL-2.0
 * Members of JSON that may not be there. */
#ifndef GROVE_NODES_PROGRAMS_JSON_TEXT_H
#define GROVE_NODES_PROGRAMS_JSON_TEXT_H

#include <stdint.h>

#include <jansson.h>

/* A member's text, "" when it has none; its number, 0 when it has none. */
const char *json_text(const json_t *object, const char *name);
int64_t json_number(const json_t *object, const char *name);

#endif
