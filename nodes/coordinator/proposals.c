/* SPDX-License-Identifier: MPL-2.0
 * One group in flight; the next one gathers behind it. */
#include "nodes/coordinator/proposals.h"

#include <assert.h>

#include "core/ledger.h"

void proposals_init(struct proposals *proposals)
{
    *proposals = (struct proposals){.own_count = 0};
    STAILQ_INIT(&proposals->queued);
    STAILQ_INIT(&proposals->in_flight);
}

void proposals_clear(struct proposals *proposals)
{
    buffer_clear(&proposals->own);
    buffer_clear(&proposals->own_sizes);
    buffer_clear(&proposals->entry);
    buffer_clear(&proposals->tokens);
    proposals_init(proposals);
}

void proposals_add(struct proposals *proposals, struct job *job)
{
    assert(job->command_count > 0);
    STAILQ_INSERT_TAIL(&proposals->queued, job, link);
}

void proposals_add_own(struct proposals *proposals, const struct command *command)
{
    const size_t before = proposals->own.size;
    size_t size;

    ledger_group_append(&proposals->own, command);
    size = proposals->own.size - before;
    buffer_append(&proposals->own_sizes, &size, sizeof(size));
    proposals->own_count++;
}

static void add_tokens(struct proposals *proposals, uint64_t token, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append(&proposals->tokens, &token, sizeof(token));
    }
}

static size_t token_count(const struct proposals *proposals)
{
    return proposals->tokens.size / sizeof(uint64_t);
}

static bool has_room(const struct proposals *proposals, size_t command_count, size_t size)
{
    const size_t count = token_count(proposals);

    return count == 0 || (count + command_count <= LIMIT_GROUP_COMMANDS &&
                          proposals->entry.size + size <= LIMIT_GROUP_SIZE);
}

static void drop_front(struct buffer *buffer, size_t size)
{
    memmove(buffer->data, buffer->data + size, buffer->size - size);
    buffer->size -= size;
}

/* As many as fit: thousands of workers may fall silent in one tick. */
static void add_own(struct proposals *proposals)
{
    const size_t *sizes = (const size_t *)(const void *)proposals->own_sizes.data;
    size_t taken = 0;
    size_t size = 0;

    while (taken < proposals->own_count && has_room(proposals, 1, sizes[taken])) {
        buffer_append(&proposals->entry, proposals->own.data + size, sizes[taken]);
        add_tokens(proposals, 0, 1);
        size += sizes[taken++];
    }
    if (taken > 0) {
        drop_front(&proposals->own, size);
        drop_front(&proposals->own_sizes, taken * sizeof(*sizes));
        proposals->own_count -= taken;
    }
}

static void add_jobs(struct proposals *proposals)
{
    struct job *job;

    while ((job = STAILQ_FIRST(&proposals->queued)) != NULL &&
           has_room(proposals, job->command_count, job->commands.size)) {
        STAILQ_REMOVE_HEAD(&proposals->queued, link);
        STAILQ_INSERT_TAIL(&proposals->in_flight, job, link);
        buffer_append(&proposals->entry, job->commands.data, job->commands.size);
        add_tokens(proposals, job->token, job->command_count);
    }
}

bool proposals_next(struct proposals *proposals, uint64_t at_ms, struct proposal *proposal)
{
    if (proposals->is_in_flight ||
        (proposals->own_count == 0 && STAILQ_EMPTY(&proposals->queued))) {
        return false;
    }
    buffer_reset(&proposals->entry);
    buffer_reset(&proposals->tokens);
    ledger_group_begin(&proposals->entry, at_ms);
    add_own(proposals);
    add_jobs(proposals);

    proposals->is_in_flight = true;
    proposals->groups++;
    proposals->commands += token_count(proposals);
    *proposal = (struct proposal){
        .entry = buffer_bytes(&proposals->entry),
        .tokens = (const uint64_t *)(const void *)proposals->tokens.data,
        .count = token_count(proposals),
    };
    return true;
}

struct job *proposals_land(struct proposals *proposals)
{
    struct job *job = STAILQ_FIRST(&proposals->in_flight);

    if (job != NULL) {
        STAILQ_REMOVE_HEAD(&proposals->in_flight, link);
    } else {
        proposals->is_in_flight = false;
    }
    return job;
}

struct job *proposals_withdraw(struct proposals *proposals)
{
    struct job *job = STAILQ_FIRST(&proposals->queued);

    if (job != NULL) {
        STAILQ_REMOVE_HEAD(&proposals->queued, link);
    }
    buffer_reset(&proposals->own);
    buffer_reset(&proposals->own_sizes);
    proposals->own_count = 0;
    return job;
}
