/* SPDX-License-Identifier: MPL-2.0
 * Entries of the ledger, applied; what cannot be read is passed over and holds nothing up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/ledger.h"
#include "nodes/coordinator/machine.h"

static int setup(void **state)
{
    static struct machine machine;
    const struct forest_options options = {.mesh = {{1}}};

    machine_init(&machine, &options);
    *state = &machine;
    return 0;
}

static int teardown(void **state)
{
    machine_clear(*state);
    return 0;
}

/* Proposed here, with a token for each of `count` commands. */
static void apply(struct machine *machine, struct bytes entry, const uint64_t *tokens, size_t count)
{
    const struct replica_machine face = machine_face(machine);

    machine->tokens = tokens;
    machine->token_count = count;
    face.apply(face.context, machine->index + 1, entry.data, entry.size);
}

static void the_commands_of_an_entry_share_its_stamp(void **state)
{
    static const uint64_t tokens[] = {7, 0};
    const struct command expire = {.kind = COMMAND_EXPIRE};
    struct machine *machine = *state;
    struct buffer entry = {.size = 0};

    ledger_group_begin(&entry, 77);
    ledger_group_append(&entry, &expire);
    ledger_group_append(&entry, &expire);
    apply(machine, buffer_bytes(&entry), tokens, 2);
    assert_int_equal(machine->index, 1);
    assert_int_equal(forest_applied(machine->forest), 2);
    assert_int_equal(forest_now_ms(machine->forest), 77);
    assert_int_equal(machine->effects.count, 1);
    assert_int_equal(machine->effects.list[0].token, 7);
    assert_null(machine->tokens);
    buffer_clear(&entry);
}

/* The coordinator waits until the tokens are taken: else it would wait for ever. */
static void an_entry_that_cannot_be_read_is_passed_over(void **state)
{
    static const uint64_t tokens[LIMIT_GROUP_COMMANDS + 1] = {7};
    const struct command expire = {.kind = COMMAND_EXPIRE};
    struct machine *machine = *state;
    struct buffer entry = {.size = 0};

    ledger_group_begin(&entry, 77);
    for (size_t i = 0; i <= LIMIT_GROUP_COMMANDS; i++) {
        ledger_group_append(&entry, &expire);
    }
    apply(machine, buffer_bytes(&entry), tokens, LIMIT_GROUP_COMMANDS + 1);
    assert_int_equal(machine->index, 1);
    assert_int_equal(machine->malformed, 1);
    assert_int_equal(forest_applied(machine->forest), 0);
    assert_null(machine->tokens);
    assert_int_equal(machine->token_count, 0);
    buffer_clear(&entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_commands_of_an_entry_share_its_stamp, setup, teardown),
        cmocka_unit_test_setup_teardown(an_entry_that_cannot_be_read_is_passed_over, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
