/* SPDX-License-Identifier: MPL-2.0
 * The ring, and numbers that grow along it. */
#include "core/notice.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Room for the notices of one entry, and 2^32 entries, in the 53 bits that JSON carries exactly. */
#define INDEX_SHIFT 21

void notices_init(struct notices *notices, size_t capacity)
{
    assert(capacity > 0 && (capacity & (capacity - 1)) == 0);
    memset(notices, 0, sizeof(*notices));
    notices->ring = calloc(capacity, sizeof(*notices->ring));
    if (!notices->ring) {
        abort();
    }
    notices->capacity = capacity;
    notices->next = 1;
}

void notices_clear(struct notices *notices)
{
    free(notices->ring);
    notices->ring = NULL;
}

void notices_begin(struct notices *notices, uint64_t index)
{
    const uint64_t first = index << INDEX_SHIFT;

    if (first > notices->next) {
        notices->next = first;
    }
    if (notices->is_cut) {
        notices->is_cut = false;
        notices->gone = notices->next - 1;
        notices->count = 0;
    }
}

void notices_cut(struct notices *notices)
{
    notices->is_cut = true;
}

static struct notice *slot(const struct notices *notices, uint64_t which)
{
    return &notices->ring[which & (notices->capacity - 1)];
}

struct notice *notices_add(struct notices *notices, enum notice_kind kind, uint64_t at_ms)
{
    struct notice *notice = slot(notices, notices->count);

    if (notices->count >= notices->capacity) {
        notices->gone = notice->number;
    }
    notices->count++;
    *notice = (struct notice){.number = notices->next++, .at_ms = at_ms, .kind = (uint8_t)kind};
    return notice;
}

void notices_set_name(struct notices *notices, struct notice *notice, struct bytes name)
{
    char *to = notices->names[notices->name_count % NOTICE_NAMES];
    const size_t size = name.size < NOTICE_NAME_SIZE ? name.size : NOTICE_NAME_SIZE - 1;

    memset(to, 0, NOTICE_NAME_SIZE);
    if (size > 0) {
        memcpy(to, name.data, size);
    }
    notice->name = (uint16_t)notices->name_count++;
}

bool notices_has_all_after(const struct notices *notices, uint64_t number)
{
    return !notices->is_cut && number >= notices->gone;
}

const struct notice *notices_after(const struct notices *notices, uint64_t number)
{
    uint64_t low = notices->count > notices->capacity ? notices->count - notices->capacity : 0;
    uint64_t high = notices->count;

    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;

        if (slot(notices, middle)->number > number) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < notices->count ? slot(notices, low) : NULL;
}

uint64_t notices_last(const struct notices *notices)
{
    return notices->count > 0 ? slot(notices, notices->count - 1)->number : notices->gone;
}

const char *notices_name(const struct notices *notices, const struct notice *notice)
{
    const uint16_t age = (uint16_t)(notices->name_count - notice->name);

    return age >= 1 && age <= NOTICE_NAMES ? notices->names[notice->name % NOTICE_NAMES] : NULL;
}

const char *notice_kind_name(enum notice_kind kind)
{
    static const char *const names[NOTICE_KINDS] = {
        [NOTICE_SUBMITTED] = "task-submitted", [NOTICE_ASSIGNED] = "task-assigned",
        [NOTICE_WAITS] = "task-waits",         [NOTICE_RESUMED] = "task-resumed",
        [NOTICE_RETRIED] = "task-retried",     [NOTICE_RETURNED] = "task-returned",
        [NOTICE_LOST] = "task-lost",           [NOTICE_ENDED] = "task-ended",
        [NOTICE_JOINED] = "join-ended",        [NOTICE_ENLISTED] = "worker-enlisted",
        [NOTICE_RETIRED] = "worker-retired",   [NOTICE_LIMIT] = "limit-set",
        [NOTICE_TRUST] = "trust-changed",      [NOTICE_LEADER] = "leader-changed",
        [NOTICE_ROOM] = "room-changed",
    };

    return names[kind];
}
