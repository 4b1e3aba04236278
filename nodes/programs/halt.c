/* SPDX-License-Identifier: MPL-2.0
 * When `grove map` has had enough. */
#include "nodes/programs/halt.h"

#include <string.h>

#include "nodes/programs/values.h"

/* Which of the words `text` begins with, up to `end`; -1: none. */
static int find_word(const char *text, char end, const char *const *words, int count)
{
    for (int i = 0; i < count; i++) {
        const size_t length = strlen(words[i]);

        if (strncmp(text, words[i], length) == 0 && text[length] == end) {
            return i;
        }
    }
    return -1;
}

/* "3" or "10%". */
static bool parse_number(const char *text, struct halt *halt)
{
    char digits[20];
    const size_t length = strcspn(text, "%");
    const bool is_percent = strcmp(text + length, "%") == 0;
    int64_t number;

    if (length == 0 || length >= sizeof(digits) || (text[length] != '\0' && !is_percent)) {
        return false;
    }
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (!value_number(digits, &number) || number < 1 || (is_percent && number > 100)) {
        return false;
    }
    halt->count = is_percent ? 0 : (uint64_t)number;
    halt->percent = is_percent ? (uint32_t)number : 0;
    return true;
}

bool halt_parse(const char *text, struct halt *halt)
{
    static const char *const whens[] = {"never", "soon", "now"};
    static const char *const whats[] = {"fail", "success", "done"};

    *halt = (struct halt){.when = HALT_NEVER};
    if (text == NULL || strcmp(text, "never") == 0) {
        return true;
    }
    const int when = find_word(text, ',', whens, 3);
    const char *rest = when > 0 ? text + strlen(whens[when]) + 1 : "";
    const int what = find_word(rest, '=', whats, 3);

    if (when <= 0 || what < 0 || !parse_number(rest + strlen(whats[what]) + 1, halt)) {
        complain(
            "--halt is never, or now or soon and when, such as now,fail=1 or soon,fail=10%% or "
            "now,success=1, not '%s'",
            text);
        return false;
    }
    halt->when = (enum halt_when)when;
    halt->what = (enum halt_what)what;
    return true;
}

bool halt_is_reached(const struct halt *halt, uint64_t succeeded, uint64_t failed)
{
    const uint64_t ended = succeeded + failed;
    const uint64_t counted = halt->what == HALT_FAIL      ? failed
                             : halt->what == HALT_SUCCESS ? succeeded
                                                          : ended;

    if (halt->when == HALT_NEVER) {
        return false;
    }
    if (halt->count > 0) {
        return counted >= halt->count;
    }
    return counted >= HALT_LEAST && counted * 100 >= (uint64_t)halt->percent * ended;
}
