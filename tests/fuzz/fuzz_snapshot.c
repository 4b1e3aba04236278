/* SPDX-License-Identifier: MPL-2.0
 * Whatever the bytes, forest_restore refuses them or gives a forest that holds every invariant,
 * takes commands, and writes bytes that give the same forest again. */
#include <stdlib.h>

#include "core/forest.h"
#include "tests/support/swarm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool append(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

static void write_all(const struct forest *forest, struct buffer *out)
{
    require(forest_snapshot(forest, append, out));
}

static void expect_the_same_again(const struct forest_options *options, const struct forest *forest)
{
    struct buffer first = {0};
    struct buffer second = {0};
    struct forest *again = NULL;

    write_all(forest, &first);
    require(forest_restore(options, buffer_bytes(&first), &again) == GROVE_OK);
    write_all(again, &second);
    require(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    forest_destroy(again);
    buffer_clear(&first);
    buffer_clear(&second);
}

static void apply(struct forest *forest, struct command *command)
{
    struct effects effects = {0};

    command->at_ms = forest_now_ms(forest) + 60000;
    forest_apply(forest, command, &effects);
    require(forest_check(forest) == NULL);
    effects_clear(&effects);
}

/* Time passes, all workers go, trees are forgotten. */
static void live_on(struct forest *forest)
{
    struct session_view view = {0};

    apply(forest, &(struct command){.kind = COMMAND_EXPIRE});
    while (forest_session(forest, view.session, &view)) {
        struct command command = {.kind = COMMAND_RETIRE};
        command.retire.session = view.session;
        command.retire.reason = RETIRE_SILENT;
        apply(forest, &command);
    }
    apply(forest, &(struct command){.kind = COMMAND_FORGET});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct swarm *swarm; /* its certificates are dear to make */
    struct forest *forest = NULL;

    if (!swarm) {
        swarm = swarm_create(1);
    }
    const struct forest_options options = swarm_options(swarm, 0);

    if (forest_restore(&options, bytes_of(data, size), &forest) == GROVE_OK) {
        require(forest_check(forest) == NULL);
        expect_the_same_again(&options, forest);
        live_on(forest);
        forest_destroy(forest);
    }
    return 0;
}
