/* SPDX-License-Identifier: MPL-2.0
 * A unix socket between a command and its node, which carries the parts of errands (core/errand.h).
 * Nothing blocks but channel_wait. */
#ifndef GROVE_NODES_HOST_CHANNEL_H
#define GROVE_NODES_HOST_CHANNEL_H

#include <poll.h>

#include "core/buffer.h"
#include "core/status.h"

struct channel {
    int fd;
    struct buffer in;
    size_t at; /* of what has come; before it all has been taken */
    struct buffer out;
    size_t sent;  /* of out */
    bool is_over; /* nothing more will come */
};

/* Listens at a path, of any length; or connects to who listens there.
 *
 *   returns   a descriptor, or -1 with errno */
int channel_listen(const char *path, int backlog);
int channel_connect(const char *path);

/* Whether the other end of a connection is a process of our own user. */
bool channel_is_ours(int fd);

/* Takes the descriptor, which no longer blocks. */
void channel_init(struct channel *channel, int fd);
void channel_clear(struct channel *channel);

/* Takes the next part that has come; borrowed until the next call.
 *
 *   errors    GROVE_BUSY: none has come whole; GROVE_CLOSED: none will; GROVE_TOO_LARGE: what comes
 *             is none, and neither is what would come behind it */
enum grove_status channel_take(struct channel *channel, struct bytes *part) GROVE_CHECKED;

/* Sends what was appended to `out`, as far as it goes.
 *
 *   errors    GROVE_BUSY: not all of it went; GROVE_CLOSED: the other end is gone */
enum grove_status channel_flush(struct channel *channel) GROVE_CHECKED;

/* Waits until something has come, or some of what is left can be sent, or both ends are gone.
 *
 *   events      of poll: POLLIN, POLLOUT
 *   timeout_ms  -1: none */
void channel_wait(const struct channel *channel, short events, int timeout_ms);

#endif
