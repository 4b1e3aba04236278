/* SPDX-License-Identifier: MPL-2.0
 * Coordinators that made something else of the same ledger than most are found out; others are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/ledger.h"
#include "nodes/coordinator/machine.h"

#define MACHINES 3u
#define ENTRIES 8u /* of a stretch, here */

struct fixture {
    struct machine machine[MACHINES]; /* of the coordinators 1, 2 and 3 */
    struct members members;
};

static int setup(void **state)
{
    static struct fixture fixture;
    const struct forest_options options = {.mesh = {{1}}};

    fixture.members = (struct members){.count = MACHINES};
    for (unsigned i = 0; i < MACHINES; i++) {
        machine_init(&fixture.machine[i], &options);
        fixture.machine[i].concord.entries = ENTRIES;
        fixture.members.list[i] = (struct member){.id = i + 1, .role = REPLICA_VOTER};
    }
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < MACHINES; i++) {
        machine_clear(&f->machine[i]);
    }
    return 0;
}

/* An entry of the next index whose one command moves the forest's time to `at_ms`. */
static void apply(struct machine *machine, uint64_t at_ms, uint64_t token)
{
    const struct command expire = {.kind = COMMAND_EXPIRE};
    const struct replica_machine face = machine_face(machine);
    struct buffer entry = {.size = 0};

    ledger_group_begin(&entry, at_ms);
    ledger_group_append(&entry, &expire);
    machine->tokens = token != 0 ? &token : NULL;
    machine->token_count = token != 0;
    face.apply(face.context, machine->index + 1, entry.data, entry.size);
    buffer_clear(&entry);
}

/* Applies so many entries; each machine but `other` makes the same of them. The first one leads. */
static void apply_all(struct fixture *f, unsigned count, unsigned other)
{
    for (unsigned n = 0; n < count; n++) {
        for (unsigned i = 0; i < MACHINES; i++) {
            apply(&f->machine[i], f->machine[i].index + (i == other ? 1000 : 0), i == 0 ? 7 : 0);
        }
    }
}

/* Each tells the others what is new. */
static void tell_all(struct fixture *f)
{
    for (unsigned i = 0; i < MACHINES; i++) {
        for (unsigned j = 0; j < MACHINES; j++) {
            if (i != j && f->machine[i].concord.newest.entries != 0) {
                concord_hear(&f->machine[j].concord, i + 1, &f->machine[i].concord.newest);
            }
        }
    }
}

static bool dissents(const struct fixture *f, unsigned which)
{
    uint64_t stretch;

    return concord_dissents(&f->machine[which].concord, &f->members, &stretch);
}

static void those_that_made_the_same_of_it_agree(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 0; n < 10 * ENTRIES; n++) {
        apply_all(f, 1, MACHINES);
        tell_all(f);
        for (unsigned i = 0; i < MACHINES; i++) {
            assert_false(dissents(f, i));
        }
    }
    assert_int_equal(f->machine[0].concord.newest.stretch, 9); /* 80 entries: 1 to 80 */
    assert_int_equal(f->machine[0].concord.newest.sum, f->machine[2].concord.newest.sum);
}

static void who_made_something_else_of_it_stops_and_nobody_else(void **state)
{
    for (unsigned other = 0; other < MACHINES; other++) {
        struct fixture *f = *state;

        teardown(state);
        setup(state);
        apply_all(f, ENTRIES, MACHINES);
        apply_all(f, 1, other);
        tell_all(f);
        assert_false(dissents(f, other)); /* that stretch is not over */
        apply_all(f, ENTRIES, MACHINES);
        tell_all(f);
        for (unsigned i = 0; i < MACHINES; i++) {
            assert_int_equal(dissents(f, i), i == other);
        }
    }
}

/* One alone may be the one that is wrong, as far as anybody knows. */
static void against_one_other_nobody_stops(void **state)
{
    struct fixture *f = *state;

    apply_all(f, 1, 1);
    apply_all(f, ENTRIES, MACHINES);
    concord_hear(&f->machine[1].concord, 1, &f->machine[0].concord.newest);
    assert_false(dissents(f, 1));
    f->members.list[2].role = REPLICA_STANDBY; /* has no vote */
    concord_hear(&f->machine[1].concord, 3, &f->machine[2].concord.newest);
    assert_false(dissents(f, 1));
    f->members.list[2].role = REPLICA_VOTER;
    assert_true(dissents(f, 1));
}

static bool put(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

/* Of a stretch that it has only the end of it says nothing. */
static void who_gets_a_snapshot_goes_on_with_the_next_stretch(void **state)
{
    struct fixture *f = *state;
    struct machine *machine = &f->machine[1];
    const struct replica_machine face = machine_face(machine);
    struct buffer snapshot = {.size = 0};

    apply_all(f, 3, 1); /* what it is to forget */
    assert_true(forest_snapshot(f->machine[0].forest, put, &snapshot));
    assert_int_equal(face.read(machine, snapshot.data, snapshot.size), GROVE_OK);
    face.adopt(machine);
    apply_all(f, ENTRIES, MACHINES);
    assert_int_equal(f->machine[0].concord.newest.entries, ENTRIES);
    assert_int_equal(machine->concord.newest.entries, 0);
    tell_all(f);
    assert_false(dissents(f, 1));
    apply_all(f, ENTRIES, MACHINES);
    assert_int_equal(machine->concord.newest.stretch, f->machine[0].concord.newest.stretch);
    assert_int_equal(machine->concord.newest.sum, f->machine[0].concord.newest.sum);
    buffer_clear(&snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_that_made_the_same_of_it_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(who_made_something_else_of_it_stops_and_nobody_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(against_one_other_nobody_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(who_gets_a_snapshot_goes_on_with_the_next_stretch, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
