/* SPDX-License-Identifier: MPL-2.0
 * One event, one line on stderr, key=value; values from outside are quoted and escaped. */
#ifndef GROVE_NODES_HOST_LOG_H
#define GROVE_NODES_HOST_LOG_H

#include "core/bytes.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Lines above this level are not written; LOG_INFO at first. Set once, before threads. */
void log_set_level(enum log_level level);

/* Writes one line with one write, so that lines of several threads do not mix:
 *   at=2026-01-31T12:00:00.123Z level=info event="journal full" file=... offset=...
 *
 *   event     a word or two, "journal full"
 *   format    "file=%s offset=%llu": the caller quotes values from outside with log_quote; a
 * control character that comes through nevertheless becomes '?' */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes `bytes` in quotes into `out`, with every byte but printable ASCII (so control characters,
 * ESC and bidi overrides), quote and backslash as \xNN, and returns out.
 *
 *   size   of out, at least LOG_QUOTE_MIN; what does not fit is cut at "...\"" */
const char *log_quote(struct bytes bytes, char *out, size_t size);

#define LOG_QUOTE_MIN 16

#endif
