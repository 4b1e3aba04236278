/* SPDX-License-Identifier: MPL-2.0
 * Unix sockets, by paths that may be longer than an address has room for. */
#include "nodes/host/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/errand.h"

#define CHUNK ((size_t)64 * 1024)

/* ---- addresses */

/* A long path goes by a descriptor of its directory, to be closed once the address was used.
 *
 *   returns   false: there is no such directory, or the name alone is too long */
static bool address_of(const char *path, struct sockaddr_un *address, int *directory)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX];
    int size;

    *directory = -1;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof(address->sun_path)) {
        memcpy(address->sun_path, path, strlen(path) + 1);
        return true;
    }
    if (!slash || snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    *directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    size = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d%s", *directory,
                    slash);
    if (*directory >= 0 && size >= (int)sizeof(address->sun_path)) {
        close(*directory);
        errno = ENAMETOOLONG;
        return false;
    }
    return *directory >= 0;
}

/* A socket bound to a path, or connected to it. */
static int open_socket(const char *path,
                       int (*join)(int fd, const struct sockaddr *address, socklen_t size))
{
    struct sockaddr_un address;
    int directory, error = 0;
    int fd;

    if (!address_of(path, &address, &directory)) {
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || join(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        error = errno;
    }
    if (directory >= 0) {
        close(directory);
    }
    if (error != 0 && fd >= 0) {
        close(fd);
    }
    errno = error;
    return error == 0 ? fd : -1;
}

int channel_listen(const char *path, int backlog)
{
    int fd = open_socket(path, bind);

    if (fd >= 0 && listen(fd, backlog) != 0) {
        const int error = errno;

        close(fd);
        errno = error;
        fd = -1;
    }
    return fd;
}

int channel_connect(const char *path)
{
    return open_socket(path, connect);
}

bool channel_is_ours(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

/* ---- parts */

void channel_init(struct channel *channel, int fd)
{
    *channel = (struct channel){.fd = fd};
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void channel_clear(struct channel *channel)
{
    close(channel->fd);
    buffer_clear(&channel->in);
    buffer_clear(&channel->out);
}

static void drop_taken(struct channel *channel)
{
    if (channel->at > 0) {
        channel->in.size -= channel->at;
        memmove(channel->in.data, channel->in.data + channel->at, channel->in.size);
        channel->at = 0;
    }
}

/* What has come so far is at most a part that is not whole, so it is bounded as parts are. */
static enum grove_status read_more(struct channel *channel)
{
    ssize_t got;

    drop_taken(channel);
    do {
        got = recv(channel->fd, buffer_extend(&channel->in, CHUNK), CHUNK, 0);
        channel->in.size -= CHUNK - (got > 0 ? (size_t)got : 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        return GROVE_OK;
    }
    if (got < 0 && errno == EAGAIN) {
        return GROVE_BUSY;
    }
    channel->is_over = true;
    return GROVE_CLOSED;
}

/* The next part of what has come. */
static enum grove_status cut(struct channel *channel, struct bytes *part)
{
    struct bytes rest;
    enum grove_status status;

    if (channel->in.size == channel->at) {
        return GROVE_BUSY;
    }
    rest = bytes_of(channel->in.data + channel->at, channel->in.size - channel->at);
    status = errand_cut(&rest, part);
    channel->at = channel->in.size - rest.size;
    return status;
}

enum grove_status channel_take(struct channel *channel, struct bytes *part)
{
    enum grove_status status;

    do {
        status = cut(channel, part);
        if (status != GROVE_BUSY) {
            return status;
        }
        status = channel->is_over ? GROVE_CLOSED : read_more(channel);
    } while (status == GROVE_OK);
    return status;
}

enum grove_status channel_flush(struct channel *channel)
{
    struct buffer *out = &channel->out;

    while (channel->sent < out->size) {
        const ssize_t size =
            send(channel->fd, out->data + channel->sent, out->size - channel->sent, MSG_NOSIGNAL);

        if (size >= 0) {
            channel->sent += (size_t)size;
        } else if (errno == EAGAIN) {
            return GROVE_BUSY;
        } else if (errno != EINTR) {
            return GROVE_CLOSED;
        }
    }
    buffer_reset(out);
    channel->sent = 0;
    return GROVE_OK;
}

void channel_wait(const struct channel *channel, short events, int timeout_ms)
{
    struct pollfd polled = {.fd = channel->fd, .events = events};

    (void)poll(&polled, 1, timeout_ms);
}
