/* SPDX-License-Identifier: MPL-2.0
 * One frame is one Message: opened, its lists walked, written. */
#ifndef GROVE_CORE_FRAME_H
#define GROVE_CORE_FRAME_H

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/limits.h"
#include "core/status.h"

#define WIRE_VERSION 1u

/* The field numbers of grove.v1.Message. */
enum message_type {
    MESSAGE_HELLO = 10,
    MESSAGE_WELCOME = 11,
    MESSAGE_REFUSED = 12,
    MESSAGE_HEARTBEAT = 13,
    MESSAGE_GOODBYE = 14,
    MESSAGE_SUBMIT = 20,
    MESSAGE_ACCEPTED = 21,
    MESSAGE_WAIT = 22,
    MESSAGE_NOTIFY = 23,
    MESSAGE_CANCEL = 24,
    MESSAGE_CANCELLED = 25,
    MESSAGE_PAGE = 26,
    MESSAGE_PAGED = 27,
    MESSAGE_FETCH = 28,
    MESSAGE_FETCHED = 29,
    MESSAGE_ENLIST = 30,
    MESSAGE_ASSIGN = 31,
    MESSAGE_EXPAND = 32,
    MESSAGE_RESUME = 33,
    MESSAGE_REPORT = 34,
    MESSAGE_RETURN = 35,
    MESSAGE_CHECKPOINT = 36,
    MESSAGE_STOP = 37,
    MESSAGE_PROGRESS = 38,
    MESSAGE_RECALL = 39,
    MESSAGE_ADMIT = 40,
    MESSAGE_SNAPSHOT = 41,
    MESSAGE_DONE = 42,
    MESSAGE_LIMIT = 43,
    MESSAGE_CHANGE = 44,
    MESSAGE_DRAIN = 45,
};

/* A repeated field of a message that has been walked: wire_next gives one element at a time. */
struct wire_list {
    struct bytes rest;
    uint32_t field;
    uint32_t count; /* elements left */
};

/* Takes the next element; false at the end. */
bool wire_next(struct wire_list *list, struct bytes *element);

struct message {
    enum message_type type;
    uint64_t correlation;
    struct bytes body; /* of the one body field */
};

/* Opens a frame; what is in the body is for the decoder of its type.
 *
 *   errors    GROVE_TOO_LARGE, GROVE_MALFORMED (also a type unknown here), GROVE_VERSION */
enum grove_status wire_message_open(struct bytes frame, struct message *message) GROVE_CHECKED;

/* Encoding a frame: open a message, append its fields in any order, close it. The message's length
 * is put in at the close, so that fields can be added as they come. Frames of a fixed shape have
 * one call each. */
struct wire_writer {
    struct buffer *out;
    size_t start; /* of the body */
};

void wire_open(struct wire_writer *writer, struct buffer *out, enum message_type type,
               uint64_t correlation);
void wire_close(struct wire_writer *writer);

/* Puts a field of bytes or a string, even when empty. */
void wire_put_bytes(struct wire_writer *writer, uint32_t field, struct bytes bytes);

/* Puts a number or a bool; leaves it out when it is 0. */
void wire_put_uint(struct wire_writer *writer, uint32_t field, uint64_t value);

/* A whole frame of one message. */
struct shape;
void wire_frame_encode(struct buffer *out, uint64_t correlation, enum message_type type,
                       const struct shape *shape, const void *from);

/* A whole frame without fields: Goodbye, Snapshot. */
void wire_empty_encode(struct buffer *out, uint64_t correlation, enum message_type type);

#endif
