/* SPDX-License-Identifier: MPL-2.0
 * Executions that end when the test says so. */
#include "tests/e2e/actors/shared/hold.h"

#include "nodes/grove.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 32
#define PATH_SIZE 4096
#define LOOK_US 5000 /* between two looks at the file */

/* The number that a payload ends with; -1: it ends with none. */
static long number_of(const char *payload)
{
    size_t at = strlen(payload);
    const size_t end = at;

    while (at > 0 && isdigit((unsigned char)payload[at - 1])) {
        at--;
    }
    return at < end ? strtol(payload + at, NULL, 10) : -1;
}

static bool is_held(const char *path, long number)
{
    FILE *file = fopen(path, "re");
    char text[TEXT_SIZE], *end = text;
    long first = 0;

    if (file == NULL) {
        return false;
    }
    if (fgets(text, sizeof(text), file) != NULL) {
        first = strtol(text, &end, 10);
    }
    (void)fclose(file);
    return end != text && number >= first;
}

void hold(const char *payload)
{
    const char *log = getenv("GROVE_TEST_LOG");
    const long number = number_of(payload);
    char path[PATH_SIZE];

    if (log == NULL || number < 0) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%s.hold", log);
    while (is_held(path, number) && !grove_cancelled()) {
        usleep(LOOK_US);
    }
}
