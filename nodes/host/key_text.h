/* SPDX-License-Identifier: MPL-2.0
 * The text of files with keys: INI, with binary fields in hexadecimal, or in base64 over lines. */
#ifndef GROVE_NODES_HOST_KEY_TEXT_H
#define GROVE_NODES_HOST_KEY_TEXT_H

#include "core/buffer.h"
#include "core/status.h"

/* Takes one entry; NULL, or what is wrong with it. A value over several lines comes line by line.
 */
typedef const char *key_text_entry(void *context, const char *section, const char *name,
                                   const char *value);

/* Reads a text; the first entry that is refused ends it.
 *
 *   path      for the error, which also names line and key
 *   errors    GROVE_MALFORMED */
enum grove_status key_text_read(const char *path, struct bytes text, key_text_entry *entry,
                                void *context, char *error) GROVE_CHECKED;

/* Fields that stand alone: `size` bytes exactly, given once. NULL, or what is wrong.
 *
 *   seen     whether this one was read before; set here */
const char *key_text_hex(const char *value, uint8_t *bytes, size_t size, bool *seen);
const char *key_text_version(const char *value, bool *seen);

/* Decodes base64 gathered from several lines; false when it is none. */
bool key_text_base64(struct bytes text, struct buffer *bytes);

/* Appends to a text. */
void key_text_put(struct buffer *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void key_text_put_hex(struct buffer *text, const char *name, const void *bytes, size_t size);
void key_text_put_base64(struct buffer *text, const char *name, struct bytes bytes);

#endif
