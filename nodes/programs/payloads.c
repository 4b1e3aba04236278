/* SPDX-License-Identifier: MPL-2.0
 * Words, or lines as they are written: a slow writer's are run one by one. */
#include "nodes/programs/payloads.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/limits.h"

#define CHUNK ((size_t)64 * 1024)
#define PATIENCE_MS 100 /* for a line, when none had come before */

bool payloads_open(struct payloads *payloads, const struct arguments *arguments)
{
    memset(payloads, 0, sizeof(*payloads));
    payloads->file = STDIN_FILENO;
    if (arguments->list == NULL) {
        return true;
    }
    if (!arguments->names_file) {
        payloads->file = -1;
        payloads->word = arguments->list;
        payloads->word_count = arguments->list_count;
        return true;
    }
    if (arguments->list_count != 1) {
        complain(":::: wants one file");
        return false;
    }
    if (strcmp(arguments->list[0], "-") != 0) {
        payloads->file = open(arguments->list[0], O_RDONLY | O_CLOEXEC);
    }
    if (payloads->file < 0) {
        complain("%s: %s", arguments->list[0], strerror(errno));
        return false;
    }
    return true;
}

void payloads_close(struct payloads *payloads)
{
    if (payloads->file > STDIN_FILENO) {
        close(payloads->file);
    }
    buffer_clear(&payloads->input);
}

size_t payloads_count(const struct payloads *payloads)
{
    return payloads->word_count;
}

/* Whether there is something to be read, or the end. */
static bool is_readable(const struct payloads *payloads)
{
    struct pollfd file = {.fd = payloads->file, .events = POLLIN};

    return poll(&file, 1, payloads->was_empty ? PATIENCE_MS : 0) != 0;
}

static void drop_read(struct payloads *payloads)
{
    struct buffer *input = &payloads->input;

    if (payloads->at > 0) {
        input->size -= payloads->at;
        memmove(input->data, input->data + payloads->at, input->size);
        payloads->seen -= payloads->at;
        payloads->at = 0;
    }
}

static enum grove_status read_more(struct payloads *payloads)
{
    ssize_t got;

    if (!is_readable(payloads)) {
        payloads->was_empty = true;
        return GROVE_BUSY;
    }
    drop_read(payloads);
    uint8_t *at = buffer_extend(&payloads->input, CHUNK);

    got = read(payloads->file, at, CHUNK);
    payloads->input.size -= CHUNK - (got > 0 ? (size_t)got : 0);
    if (got < 0 && errno != EINTR) {
        snprintf(payloads->complaint, sizeof(payloads->complaint), "cannot read the inputs: %s",
                 strerror(errno));
        return GROVE_IO;
    }
    payloads->is_over = got == 0;
    return GROVE_OK;
}

static enum grove_status take_line(struct payloads *payloads, size_t end,
                                   struct grove_bytes *payload)
{
    *payload = (struct grove_bytes){payloads->input.data + payloads->at, end - payloads->at};
    payloads->lines++;
    payloads->was_empty = false;
    if (payload->size > LIMIT_PAYLOAD_SIZE) {
        snprintf(payloads->complaint, sizeof(payloads->complaint),
                 "line %llu is over the limit of %zu bytes", (unsigned long long)payloads->lines,
                 (size_t)LIMIT_PAYLOAD_SIZE);
        return GROVE_TOO_LARGE;
    }
    return GROVE_OK;
}

static enum grove_status next_line(struct payloads *payloads, struct grove_bytes *payload)
{
    for (;;) {
        const struct buffer *input = &payloads->input;
        const uint8_t *newline =
            input->size > payloads->seen
                ? memchr(input->data + payloads->seen, '\n', input->size - payloads->seen)
                : NULL;
        enum grove_status status;

        if (newline != NULL) {
            const size_t end = (size_t)(newline - input->data);

            status = take_line(payloads, end, payload);
            payloads->at = payloads->seen = end + 1;
            return status;
        }
        payloads->seen = input->size;
        if (payloads->is_over && payloads->at == input->size) {
            return GROVE_CLOSED;
        }
        if (payloads->is_over || input->size - payloads->at > LIMIT_PAYLOAD_SIZE) {
            status = take_line(payloads, input->size, payload);
            payloads->at = input->size;
            return status;
        }
        status = read_more(payloads);
        if (status != GROVE_OK) {
            return status;
        }
    }
}

enum grove_status payloads_next(struct payloads *payloads, struct grove_bytes *payload)
{
    if (payloads->file >= 0) {
        return next_line(payloads, payload);
    }
    if (payloads->lines == payloads->word_count) {
        return GROVE_CLOSED;
    }
    const char *word = payloads->word[payloads->lines++];

    *payload = (struct grove_bytes){word, strlen(word)};
    if (payload->size > LIMIT_PAYLOAD_SIZE) {
        snprintf(payloads->complaint, sizeof(payloads->complaint),
                 "input %llu is over the limit of %zu bytes", (unsigned long long)payloads->lines,
                 (size_t)LIMIT_PAYLOAD_SIZE);
        return GROVE_TOO_LARGE;
    }
    return GROVE_OK;
}
