/* SPDX-License-Identifier: MPL-2.0
 * check_history FILE: reads a history, says what is wrong with it on stderr, and ends with 1 then;
 * with 0 it prints how many lines and seals it has read. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/history/history.h"

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    struct history *history = history_create();
    unsigned long lines = 0;
    char *text = NULL;
    size_t size = 0;

    if (!file) {
        fprintf(stderr, "usage: check_history FILE\n");
        history_destroy(history);
        return 2;
    }
    while (getline(&text, &size, file) >= 0) {
        history_read(history, text);
        lines++;
    }
    const char *fault = history_end(history);

    if (fault) {
        fprintf(stderr, "%s\n", fault);
    } else {
        printf("%lu lines, %lu seals, good\n", lines, history_seals(history));
    }
    const int status = fault != NULL;

    history_destroy(history);
    free(text);
    (void)fclose(file);
    return status;
}
