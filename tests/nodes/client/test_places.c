/* SPDX-License-Identifier: MPL-2.0
 * The coordinators that a node knows: it learns of others, and of nobody who is none. */
#include "nodes/client/places.h"

#include "tests/support/party.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct location at(const struct credential *credential, const char *endpoint)
{
    return (struct location){.certificate = buffer_bytes(&credential->certificate_bytes),
                             .endpoint = bytes_of_text(endpoint)};
}

static void it_learns_of_another_and_where_it_has_moved(void **state)
{
    struct party party;
    struct credential other;
    struct places places;

    (void)state;
    party_make(&party);
    party_credential(&party, "c2", ROLE_COORDINATOR, &other);
    places_init(&places, &party.client);
    const unsigned known = places.count;
    struct location location = at(&other, "tcp://host:7310");

    assert_int_equal(places_add(&places, &location), known);
    assert_int_equal(places.count, known + 1);
    assert_string_equal(places.list[known].endpoint, "tcp://host:7310");
    assert_true(key_equal(&places.list[known].link, &other.certificate.link_key));
    location = at(&other, "tcp://elsewhere:7310");
    assert_int_equal(places_add(&places, &location), known);
    assert_int_equal(places.count, known + 1);
    assert_string_equal(places.list[known].endpoint, "tcp://elsewhere:7310");
    credential_clear(&other);
    party_clear(&party);
}

/* Who is told a name that this host does not know goes on by the address that its credential has,
 * however often it is told the name. */
static void where_it_was_before_is_tried_when_nobody_is_there(void **state)
{
    struct party party;
    struct places places;

    (void)state;
    party_make(&party);
    places_init(&places, &party.client);
    const struct location named = at(&party.coordinator, "tcp://10.0.0.1:7310");
    const struct location told = at(&party.coordinator, "tcp://c1:7310");
    const unsigned known = places_add(&places, &named);

    places_turn(&places, known);
    assert_string_equal(places.list[known].endpoint, "tcp://10.0.0.1:7310");
    assert_int_equal(places_add(&places, &told), known);
    assert_string_equal(places.list[known].endpoint, "tcp://c1:7310");
    places_turn(&places, known);
    assert_string_equal(places.list[known].endpoint, "tcp://10.0.0.1:7310");
    assert_int_equal(places_add(&places, &told), known);
    assert_string_equal(places.list[known].endpoint, "tcp://10.0.0.1:7310");
    places_turn(&places, known);
    assert_string_equal(places.list[known].endpoint, "tcp://c1:7310");
    party_clear(&party);
}

static void only_coordinators_of_this_mesh_are_taken(void **state)
{
    struct party party, others;
    struct places places;

    (void)state;
    party_make(&party);
    party_make(&others);
    places_init(&places, &party.client);
    const struct places before = places;
    const struct location worker = at(&party.worker, "tcp://host:7310");
    const struct location stranger = at(&others.coordinator, "tcp://host:7310");

    assert_int_equal(places_add(&places, &worker), PLACES_MOST);
    assert_int_equal(places_add(&places, &stranger), PLACES_MOST);
    assert_memory_equal(&places, &before, sizeof(places));
    party_clear(&others);
    party_clear(&party);
}

static void it_knows_but_so_many(void **state)
{
    struct party party;
    struct credential others[PLACES_MOST + 1];
    struct places places;

    (void)state;
    party_make(&party);
    places_init(&places, &party.client);
    for (unsigned i = 0; i < PLACES_MOST + 1; i++) {
        party_credential(&party, "c", ROLE_COORDINATOR, &others[i]);
        const struct location location = at(&others[i], "tcp://host:7310");
        const unsigned before = places.count;

        assert_int_equal(places_add(&places, &location),
                         before < PLACES_MOST ? before : PLACES_MOST);
    }
    assert_int_equal(places.count, PLACES_MOST);
    for (unsigned i = 0; i < PLACES_MOST + 1; i++) {
        credential_clear(&others[i]);
    }
    party_clear(&party);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_of_another_and_where_it_has_moved),
        cmocka_unit_test(where_it_was_before_is_tried_when_nobody_is_there),
        cmocka_unit_test(only_coordinators_of_this_mesh_are_taken),
        cmocka_unit_test(it_knows_but_so_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
