/* SPDX-License-Identifier: MPL-2.0
 * Hostile streams on the socket of a command: cut into parts, each read as anything it might be.
 * What is let in can be sent again. */
#include <assert.h>

#include "core/errand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The one part of what was just written. */
static struct bytes part_of(const struct buffer *out)
{
    struct bytes rest = buffer_bytes(out);
    struct bytes part;

    assert(errand_cut(&rest, &part) == GROVE_OK && rest.size == 0);
    return part;
}

static void check_errand(struct bytes bytes, struct buffer *again)
{
    struct errand errand, back;
    struct errand_ask ask;

    if (errand_decode(bytes, &errand) == GROVE_OK) {
        buffer_reset(again);
        errand_put(again, &errand);
        assert(errand_ask_decode(part_of(again), &ask) == GROVE_OK && ask.has_errand);
        assert(errand_decode(ask.errand, &back) == GROVE_OK);
        assert(back.verb == errand.verb && bytes_equal(back.text, errand.text));
    }
}

static void check_outcome(struct bytes bytes, struct buffer *again)
{
    struct errand_outcome outcome, back;
    struct errand_answer answer;

    if (errand_outcome_decode(bytes, &outcome) == GROVE_OK) {
        buffer_reset(again);
        errand_put_outcome(again, &outcome);
        assert(errand_answer_decode(part_of(again), &answer) == GROVE_OK && answer.has_outcome);
        assert(errand_outcome_decode(answer.outcome, &back) == GROVE_OK);
        assert(back.code == outcome.code && bytes_equal(back.bytes, outcome.bytes));
    }
}

static void check_conclusion(struct bytes bytes, struct buffer *again)
{
    struct errand_conclusion conclusion, back;
    struct errand_answer answer;

    if (errand_conclusion_decode(bytes, &conclusion) == GROVE_OK) {
        buffer_reset(again);
        errand_put_conclusion(again, &conclusion);
        assert(errand_answer_decode(part_of(again), &answer) == GROVE_OK && answer.has_conclusion);
        assert(errand_conclusion_decode(answer.conclusion, &back) == GROVE_OK);
        assert(back.failed == conclusion.failed && bytes_equal(back.winners, conclusion.winners));
    }
}

static void check_part(struct bytes part, struct buffer *again)
{
    struct errand_ask ask;
    struct errand_answer answer;

    if (errand_ask_decode(part, &ask) == GROVE_OK) {
        assert(ask.has_errand + ask.has_input + ask.end == 1);
        check_errand(ask.errand, again);
    }
    if (errand_answer_decode(part, &answer) == GROVE_OK) {
        assert(answer.has_outcome != answer.has_conclusion);
        check_outcome(answer.outcome, again);
        check_conclusion(answer.conclusion, again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_of(data, size);
    struct buffer again = {0};
    struct bytes part;
    enum grove_status status;

    while ((status = errand_cut(&rest, &part)) == GROVE_OK) {
        assert(part.size <= LIMIT_ERRAND_SIZE);
        check_part(part, &again);
    }
    assert(status == GROVE_BUSY || status == GROVE_TOO_LARGE);
    buffer_clear(&again);
    return 0;
}
