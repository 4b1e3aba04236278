/* SPDX-License-Identifier: MPL-2.0
 * Hostile requests to the stats socket: each has an answer that is whole, bounded and without a
 * payload. An '@' in a request stands for the id of a task. */
#include "tests/nodes/coordinator/harness.h"

#include <assert.h>

#include "tests/nodes/coordinator/asking.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct harness *harness;
static struct stats stats;
static char known[ID_TEXT_SIZE];

/* A mesh of three tasks, of which one has succeeded and one runs. */
static void begin(void)
{
    void *state = NULL;
    struct id ids[3];

    setup(&state);
    harness = state;
    stats = stats_of(harness);
    greet(harness, 1, &harness->party.client);
    const uint64_t session = enlist(harness, 2, 1);

    submit(harness, 1, 0, 3, ids);
    report(harness, 2, session, ids, 1);
    id_format(&ids[1], known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer request = {.size = 0}, answer = {.size = 0};

    if (harness == NULL) {
        begin();
    }
    for (size_t i = 0; i < size; i++) {
        const bool is_id = data[i] == '@';

        buffer_append(&request, is_id ? (const void *)known : &data[i], is_id ? strlen(known) : 1);
    }
    stats_answer(&stats, buffer_bytes(&request), &answer);
    assert(answer.size > 0 && answer.size <= LIMIT_STATS_PAGE);
    assert(memmem(answer.data, answer.size, "payload", 7) == NULL);
    if (answer.data[0] != '#') { /* metrics are text */
        json_t *json = json_loadb((const char *)answer.data, answer.size, JSON_DECODE_ANY, NULL);

        assert(json != NULL);
        json_decref(json);
    }
    buffer_clear(&request);
    buffer_clear(&answer);
    return 0;
}
