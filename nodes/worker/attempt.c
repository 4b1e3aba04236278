/* SPDX-License-Identifier: MPL-2.0
 * Attempts: made from an item, counted requests, encoded results. */
#include "nodes/worker/attempt.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/join_message.h"
#include "core/text.h"
#include "nodes/client/nonce.h"

#define COUNTED_MOST 65536u            /* different requests of which the equal ones are counted */
#define UNCOUNTED UINT32_C(0x80000000) /* beyond that, their order takes the place of a count */

struct occurrence {
    struct table_link link;
    struct digest request;
    uint32_t count;
    struct occurrence *next;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory) {
        abort();
    }
    return memory;
}

/* Copies to `*at` with a NUL behind, and moves it on. */
static struct bytes place(uint8_t **at, struct bytes bytes)
{
    struct bytes placed = bytes_of(*at, bytes.size);

    if (bytes.size > 0) {
        memcpy(*at, bytes.data, bytes.size);
    }
    (*at)[bytes.size] = 0;
    *at += bytes.size + 1;
    return placed;
}

struct grove_attempt *attempt_create(const struct task_item *item,
                                     const struct digest *payload_digest, struct bytes checkpoint)
{
    size_t size = item->payload.size + item->content_type.size + checkpoint.size + 3;
    struct grove_attempt *attempt = allocate(sizeof(*attempt) + size);
    uint8_t *at = (uint8_t *)(attempt + 1);

    attempt->payload = place(&at, item->payload);
    attempt->checkpoint = place(&at, checkpoint);
    attempt->content_type = (const char *)place(&at, item->content_type).data;
    attempt->payload_digest = *payload_digest;
    attempt->has_parent = item->lineage.present;
    attempt->parent = item->lineage.parent;
    attempt->root = item->lineage.root;
    attempt->at_most_once = item->at_most_once;
    attempt->timeout_ms = item->timeout_ms;
    attempt->stop_fd = -1;
    attempt->threads = 1;
    pthread_mutex_init(&attempt->lock, NULL);
    STAILQ_INIT(&attempt->returning);
    TAILQ_INIT(&attempt->calls);
    atomic_init(&attempt->is_stopped, false);
    return attempt;
}

void attempt_destroy(struct grove_attempt *attempt)
{
    struct occurrence *occurrence;

    if (!attempt) {
        return;
    }
    while ((occurrence = attempt->first_occurrence) != NULL) {
        attempt->first_occurrence = occurrence->next;
        free(occurrence);
    }
    table_clear(&attempt->occurrences);
    pthread_mutex_destroy(&attempt->lock);
    buffer_clear(&attempt->said.bytes);
    buffer_clear(&attempt->said.text);
    buffer_clear(&attempt->item);
    buffer_clear(&attempt->foretelling);
    free(attempt);
}

/* What makes two requests of one parent equal. */
static struct digest request_digest(const struct task_item *item,
                                    const struct digest *payload_digest)
{
    struct buffer all = {0};
    struct digest digest;

    buffer_append(&all, payload_digest, sizeof(*payload_digest));
    buffer_append(&all, item->function.data, item->function.size);
    buffer_append(&all, "", 1);
    if (item->key.size > 0) {
        buffer_append(&all, item->key.data, item->key.size);
    }
    digest = digest_of(buffer_bytes(&all));
    buffer_clear(&all);
    return digest;
}

static struct occurrence *find_occurrence(struct grove_attempt *attempt,
                                          const struct digest *request)
{
    if (!attempt->first_occurrence) {
        /* The keys are digests already: whoever could choose them could choose ids as well. */
        uint8_t hash_key[16] = {0};

        table_init(&attempt->occurrences, hash_key, offsetof(struct occurrence, link),
                   offsetof(struct occurrence, request), sizeof(struct digest));
    }
    return table_find(&attempt->occurrences, request);
}

/* Which of its equals a request is. An attempt that makes too many different ones to remember them
 * all numbers what comes after: run again, it makes the same ones if it makes them in that order.
 */
static uint32_t count_request(struct grove_attempt *attempt, const struct digest *request)
{
    struct occurrence *occurrence = find_occurrence(attempt, request);

    if (!occurrence && attempt->occurrences.count >= COUNTED_MOST) {
        return UNCOUNTED + attempt->uncounted++;
    }
    if (!occurrence) {
        occurrence = allocate(sizeof(*occurrence));
        occurrence->request = *request;
        occurrence->next = attempt->first_occurrence;
        attempt->first_occurrence = occurrence;
        table_insert(&attempt->occurrences, occurrence);
    }
    return occurrence->count++;
}

void attempt_give_lineage(struct grove_attempt *attempt, struct task_item *item,
                          const struct digest *payload_digest)
{
    struct digest request = request_digest(item, payload_digest);
    uint32_t occurrence;

    pthread_mutex_lock(&attempt->lock);
    occurrence = count_request(attempt, &request);
    pthread_mutex_unlock(&attempt->lock);
    item->lineage = (struct lineage){
        .present = true,
        .parent = attempt->key.task,
        .root = attempt->root,
        .attempt = attempt->key.attempt,
        .generation = attempt->generation,
        .occurrence = occurrence,
    };
}

uint32_t attempt_count_join(struct grove_attempt *attempt, const struct join_terms *terms)
{
    static const char purpose[] = "join";
    struct buffer all = {0};
    struct digest digest;
    uint32_t occurrence;

    buffer_append(&all, purpose, sizeof(purpose));
    wire_terms_encode(&all, terms);
    digest = digest_of(buffer_bytes(&all));
    buffer_clear(&all);
    pthread_mutex_lock(&attempt->lock);
    occurrence = count_request(attempt, &digest);
    pthread_mutex_unlock(&attempt->lock);
    return occurrence;
}

void attempt_foretell(struct grove_attempt *attempt, const struct foretold *foretold)
{
    struct buffer *kept = &attempt->foretelling;

    pthread_mutex_lock(&attempt->lock);
    buffer_reset(kept);
    buffer_append(kept, foretold->text.data, foretold->text.size);
    buffer_append(kept, "", 1);
    buffer_append(kept, foretold->bytes.data, foretold->bytes.size);
    attempt->foretold = (struct foretold){
        .is_given = true,
        .is_permanent = foretold->is_permanent,
        .text = bytes_of(kept->data, foretold->text.size),
        .bytes = bytes_of(kept->data + foretold->text.size + 1, foretold->bytes.size),
    };
    pthread_mutex_unlock(&attempt->lock);
}

void attempt_complain(struct grove_attempt *attempt, const char *complaint)
{
    char *kept = attempt->said.complaint;
    size_t size;

    pthread_mutex_lock(&attempt->lock);
    snprintf(kept, sizeof(attempt->said.complaint), "%s", complaint);
    size = strlen(kept);
    /* What is too long may have been cut within a character. */
    while (!text_is_valid(bytes_of(kept, size))) {
        size--;
    }
    kept[size] = '\0';
    pthread_mutex_unlock(&attempt->lock);
}

enum grove_status attempt_cannot_run(struct grove_attempt *attempt, const char *why)
{
    attempt->said.cannot_run = true;
    return grove_attempt_fail(attempt, why, (struct grove_bytes){NULL, 0});
}

void attempt_conclude(struct grove_attempt *attempt, enum grove_status status)
{
    struct said *said = &attempt->said;

    if (said->is_too_large) {
        static const char text[] = "the result is larger than 1 MiB (1,048,576 bytes)";

        said->code = CODE_PERMANENT;
        buffer_reset(&said->bytes);
        buffer_reset(&said->text);
        buffer_append(&said->text, text, sizeof(text) - 1);
    } else if (status == GROVE_OK) {
        said->code = CODE_SUCCEEDED;
        buffer_reset(&said->text);
    } else if (said->code == CODE_SUCCEEDED) {
        const char *text = said->complaint[0] ? said->complaint : grove_status_text(status);

        said->code = CODE_FAILED;
        buffer_reset(&said->bytes);
        buffer_reset(&said->text);
        buffer_append(&said->text, text, strlen(text));
    }
}

void attempt_encode(const struct grove_attempt *attempt, const struct said *said, uint64_t run_ms,
                    struct buffer *encoded)
{
    struct result_item item = {
        .task = attempt->key.task,
        .root = attempt->root,
        .has_parent = attempt->has_parent,
        .parent = attempt->parent,
        .function = bytes_of_text(attempt->function->name),
        .payload_digest = attempt->payload_digest,
        .attempt = attempt->key.attempt,
        .session = attempt->session,
        .code = said->code,
        .bytes = buffer_bytes(&said->bytes),
        .text = buffer_bytes(&said->text),
        .run_ms = run_ms,
    };

    nonce_fill(item.nonce);
    wire_result_encode(encoded, &item);
}
