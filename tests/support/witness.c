/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/witness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/history.h"
#include "tests/support/scribe.h"

struct witness {
    struct history *history;
    struct buffer lines; /* of one command */
    bool has_seals;
    FILE *file; /* or NULL */
};

struct witness *witness_create(void)
{
    struct witness *witness = calloc(1, sizeof(*witness));
    const char *path = getenv("GROVE_HISTORY");

    if (!witness) {
        abort();
    }
    witness->history = history_create();
    witness->file = path ? fopen(path, "ab") : NULL;
    return witness;
}

void witness_destroy(struct witness *witness)
{
    if (!witness) {
        return;
    }
    history_destroy(witness->history);
    buffer_clear(&witness->lines);
    if (witness->file) {
        (void)fclose(witness->file);
    }
    free(witness);
}

static void read_lines(struct witness *witness)
{
    if (witness->file) {
        (void)fwrite(witness->lines.data, 1, witness->lines.size, witness->file);
    }
    buffer_append(&witness->lines, "", 1);
    char *rest = (char *)witness->lines.data;
    for (char *line = NULL; (line = strsep(&rest, "\n"));) {
        if (*line != '\0') {
            history_read(witness->history, line);
        }
    }
    buffer_reset(&witness->lines);
}

void witness_expect_seals(struct witness *witness, const struct key *mesh)
{
    witness->has_seals = true;
    scribe_mesh(&witness->lines, mesh);
    read_lines(witness);
}

void witness_see(struct witness *witness, const struct forest *forest,
                 const struct command *command, const struct effects *effects)
{
    if (witness->has_seals) {
        scribe_signed(&witness->lines, command);
    }
    scribe_command(&witness->lines, forest, command, effects);
    read_lines(witness);
}

void witness_hear(struct witness *witness, const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    buffer_append(&witness->lines, line, (size_t)size);
    buffer_append(&witness->lines, "\n", 1);
    read_lines(witness);
}

const char *witness_end(struct witness *witness)
{
    return history_end(witness->history);
}

const char *witness_end_quiet(struct witness *witness)
{
    buffer_append(&witness->lines, "quiet\n", 6);
    read_lines(witness);
    return history_end(witness->history);
}
