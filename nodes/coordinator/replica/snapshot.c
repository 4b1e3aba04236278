/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/snapshot.h"

#include "nodes/coordinator/replica/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SNAPSHOT_VERSION 1u
#define BUFFER_SIZE ((size_t)64 << 10)

static const uint8_t magic[8] = {'g', 'r', 'v', 's', 'n', 'a', 'p', '1'};

/* As they lie in the file. */
struct file_head {
    uint8_t magic[8];
    uint64_t version;
    struct id ledger;
    uint64_t term;
    uint64_t configuration_index;
    struct chain end;
    uint64_t configuration_size; /* bytes; the configuration follows, then the state */
};

struct file_tail {
    uint64_t size; /* bytes of all before */
    struct digest digest;
};

_Static_assert(sizeof(struct file_head) == 16 + 16 + 16 + 40 + 8, "a head has no holes");
_Static_assert(sizeof(struct file_tail) == 8 + 32, "a tail has no holes");

struct snapshot_writer {
    crypto_generichash_state hash;
    int fd;
    int error;
    size_t offset; /* of the buffer's first byte in the file */
    size_t used;
    uint8_t buffer[BUFFER_SIZE];
};

static void flush(struct snapshot_writer *writer)
{
    if (writer->error == 0) {
        writer->error = file_write(writer->fd, writer->buffer, writer->used, writer->offset);
    }
    crypto_generichash_update(&writer->hash, writer->buffer, writer->used);
    writer->offset += writer->used;
    writer->used = 0;
}

void snapshot_put(struct snapshot_writer *writer, const void *data, size_t size)
{
    const uint8_t *next = data;

    while (size > 0) {
        size_t step = BUFFER_SIZE - writer->used;
        if (step > size) {
            step = size;
        }
        memcpy(writer->buffer + writer->used, next, step);
        writer->used += step;
        next += step;
        size -= step;
        if (writer->used == BUFFER_SIZE) {
            flush(writer);
        }
    }
}

static struct digest finish(crypto_generichash_state *hash)
{
    uint8_t full[crypto_generichash_BYTES_MAX];
    struct digest digest;

    crypto_generichash_final(hash, full, sizeof(full));
    memcpy(digest.byte, full, sizeof(digest.byte));
    return digest;
}

static void put_head(struct snapshot_writer *writer, const struct snapshot_head *head)
{
    struct file_head file = {
        .version = SNAPSHOT_VERSION,
        .ledger = head->ledger,
        .term = head->term,
        .configuration_index = head->configuration_index,
        .end = head->end,
        .configuration_size = head->configuration.size,
    };

    memcpy(file.magic, magic, sizeof(magic));
    snapshot_put(writer, &file, sizeof(file));
    snapshot_put(writer, head->configuration.data, head->configuration.size);
}

static void put_tail(struct snapshot_writer *writer)
{
    flush(writer);
    struct file_tail tail = {.size = writer->offset, .digest = finish(&writer->hash)};
    if (writer->error == 0) {
        writer->error = file_write(writer->fd, &tail, sizeof(tail), writer->offset);
    }
}

int snapshot_write_file(int directory, const struct snapshot_head *head, snapshot_fill fill,
                        void *context)
{
    struct snapshot_writer writer = {.error = 0};
    char name[SNAPSHOT_NAME_SIZE];
    char unfinished[SNAPSHOT_NAME_SIZE];

    snapshot_name(head->end.index, name);
    snprintf(unfinished, sizeof(unfinished), "snapshot-%d.new", (int)getpid());
    writer.fd = openat(directory, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (writer.fd < 0) {
        return errno;
    }
    crypto_generichash_init(&writer.hash, NULL, 0, crypto_generichash_BYTES_MAX);
    put_head(&writer, head);
    int error = fill(context, &writer);
    put_tail(&writer);
    if (error == 0) {
        error = writer.error;
    }
    if (error == 0 &&
        (fsync(writer.fd) < 0 || renameat(directory, unfinished, directory, name) < 0 ||
         fsync(directory) < 0)) {
        error = errno;
    }
    if (error != 0) {
        unlinkat(directory, unfinished, 0);
    }
    return error;
}

static void close_all_but(int directory)
{
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    if (directory > STDERR_FILENO + 1) {
        close_range(STDERR_FILENO + 1, (unsigned)directory - 1, 0);
    }
    close_range((unsigned)directory + 1, ~0u, 0);
}

enum grove_status snapshot_fork(int directory, const struct snapshot_head *head, snapshot_fill fill,
                                void *context, pid_t *child)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0) {
        return GROVE_BUSY;
    }
    if (pid > 0) {
        *child = pid;
        return GROVE_OK;
    }
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT,
           SIG_IGN); /* typed at a terminal it reaches parent and child; the parent decides */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EINTR);
    }
    close_all_but(directory);
    _exit(snapshot_write_file(directory, head, fill, context));
}

enum grove_status snapshot_read(const char *name, struct bytes image, struct snapshot *snapshot,
                                struct fault *fault)
{
    struct file_head head;
    struct file_tail tail;

    if (image.size < sizeof(head) + sizeof(tail)) {
        fault_set(fault, "%s: offset %zu: the file ends too early", name, image.size);
        return GROVE_CORRUPT;
    }
    size_t size = image.size - sizeof(tail);
    memcpy(&head, image.data, sizeof(head));
    memcpy(&tail, image.data + size, sizeof(tail));
    if (memcmp(head.magic, magic, sizeof(magic)) != 0) {
        fault_set(fault, "%s: offset 0: not a snapshot", name);
        return GROVE_CORRUPT;
    }

    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, crypto_generichash_BYTES_MAX);
    crypto_generichash_update(&hash, image.data, size);
    struct digest digest = finish(&hash);
    if (tail.size != size || !digest_equal(&digest, &tail.digest)) {
        fault_set(fault, "%s: offset %zu: the digest does not match", name, size);
        return GROVE_CORRUPT;
    }
    if (head.version != SNAPSHOT_VERSION) {
        fault_set(fault, "%s: version %" PRIu64 " of the format, not %u", name, head.version,
                  SNAPSHOT_VERSION);
        return GROVE_VERSION;
    }
    if (head.configuration_size > size - sizeof(head)) {
        fault_set(fault, "%s: offset 0: the sizes make no sense", name);
        return GROVE_CORRUPT;
    }
    struct bytes configuration =
        bytes_of(image.data + sizeof(head), (size_t)head.configuration_size);
    *snapshot = (struct snapshot){
        .head = {.ledger = head.ledger,
                 .term = head.term,
                 .configuration_index = head.configuration_index,
                 .end = head.end,
                 .configuration = configuration},
        .state = bytes_of(configuration.data + configuration.size,
                          size - sizeof(head) - configuration.size),
        .image = image,
    };
    return GROVE_OK;
}

/* Maps and verifies the file of this name. */
static enum grove_status open_file(int directory, const char *name, uint64_t index,
                                   struct snapshot *snapshot, struct fault *fault)
{
    struct bytes image;
    struct snapshot found;
    int error = file_map(directory, name, &image);

    if (error != 0) {
        return fault_errno(fault, name, "cannot read", error);
    }
    enum grove_status status = snapshot_read(name, image, &found, fault);
    if (status == GROVE_OK && found.head.end.index != index) {
        fault_set(fault, "%s: offset 0: holds index %" PRIu64, name, found.head.end.index);
        status = GROVE_CORRUPT;
    }
    if (status != GROVE_OK) {
        file_unmap(image);
        return status;
    }
    *snapshot = found;
    return GROVE_OK;
}

enum grove_status snapshot_open(int directory, uint64_t index, struct snapshot *snapshot,
                                struct fault *fault)
{
    char name[SNAPSHOT_NAME_SIZE];

    snapshot_name(index, name);
    return open_file(directory, name, index, snapshot, fault);
}

void snapshot_close(struct snapshot *snapshot)
{
    file_unmap(snapshot->image);
    *snapshot = (struct snapshot){.image = {.size = 0}};
}

void snapshot_name(uint64_t index, char name[SNAPSHOT_NAME_SIZE])
{
    snprintf(name, SNAPSHOT_NAME_SIZE, SNAPSHOT_PREFIX "%016" PRIx64, index);
}

void snapshot_incoming_name(uint64_t index, char name[SNAPSHOT_NAME_SIZE])
{
    snprintf(name, SNAPSHOT_NAME_SIZE, "incoming-%016" PRIx64 ".new", index);
}

enum grove_status snapshot_open_incoming(int directory, uint64_t index, struct snapshot *snapshot,
                                         struct fault *fault)
{
    char name[SNAPSHOT_NAME_SIZE];

    snapshot_incoming_name(index, name);
    return open_file(directory, name, index, snapshot, fault);
}

enum grove_status snapshot_name_incoming(int directory, uint64_t index, struct fault *fault)
{
    char incoming[SNAPSHOT_NAME_SIZE];
    char name[SNAPSHOT_NAME_SIZE];

    snapshot_incoming_name(index, incoming);
    snapshot_name(index, name);
    int fd = openat(directory, incoming, O_RDWR | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) < 0 || renameat(directory, incoming, directory, name) < 0 ||
                        fsync(directory) < 0
                    ? errno
                    : 0;
    if (fd >= 0) {
        close(fd);
    }
    return error == 0 ? GROVE_OK : fault_errno(fault, incoming, "cannot sync", error);
}
