/* SPDX-License-Identifier: MPL-2.0
 * What a test has to wait for before it looks, or kills, must not be over by then: it holds it. */
#ifndef GROVE_TESTS_E2E_ACTORS_HOLD_H
#define GROVE_TESTS_E2E_ACTORS_HOLD_H

/* Returns when the execution may end: while there is a file $GROVE_TEST_LOG.hold with a number in
 * it, those whose payload ends with that number or a greater one may not, unless they are told to
 * stop. */
void hold(const char *payload);

#endif
