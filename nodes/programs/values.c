/* SPDX-License-Identifier: MPL-2.0
 * What the values of options are, by the names that help gives them. */
#include "nodes/programs/values.h"

#include <string.h>

static const char *const formats[] = {"text", "json", NULL};
static const char *const whens[] = {"auto", "always", "never", NULL};
static const char *const roles[] = {"worker",   "client",      "observer",
                                    "operator", "coordinator", NULL};

static const struct value_kind kinds[] = {
    {"FORMAT", formats},
    {"WHEN", whens},
    {"ROLE", roles},
};

const struct value_kind *value_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* "a, b or c". */
static void list_choices(const char *const *choices, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; choices[i] != NULL && used < size; i++) {
        const char *between = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";

        used += (size_t)snprintf(text + used, size - used, "%s%s", between, choices[i]);
    }
}

bool value_check(const char *what, const char *name, const char *text)
{
    const struct value_kind *kind = value_kind(name);
    char list[160];
    size_t count = 0;

    if (kind == NULL) {
        return true;
    }
    for (; kind->choices[count] != NULL; count++) {
        if (strcmp(kind->choices[count], text) == 0) {
            return true;
        }
    }
    const char *nearest = nearest_word(text, kind->choices, count);

    list_choices(kind->choices, list, sizeof(list));
    if (nearest != NULL) {
        complain("%s is %s, not '%s'; did you mean %s?", what, list, text, nearest);
    } else {
        complain("%s is %s, not '%s'", what, list, text);
    }
    return false;
}
