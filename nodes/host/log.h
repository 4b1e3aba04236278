/* SPDX-License-Identifier: MPL-2.0
 * One event, one line on stderr, key=value; values from outside are quoted and escaped. */
#ifndef GROVE_NODES_HOST_LOG_H
#define GROVE_NODES_HOST_LOG_H

#include "core/bytes.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Lines above this level are not written; LOG_INFO at first. Set once, before threads. */
void log_set_level(enum log_level level);

/* event     a word or two, "journal full"
 * format    "file=%s offset=%llu": the writer quotes values itself with log_quote where they come from outside */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes `bytes` quoted and escaped (control characters, ESC, bidi overrides, quotes) into `out`; returns out. */
const char *log_quote(struct bytes bytes, char *out, size_t size);

#endif
