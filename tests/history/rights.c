/* SPDX-License-Identifier: MPL-2.0
 * Who may do what, by the certificates and revocations that a ledger holds. */
#include <string.h>

#include "tests/history/state.h"

struct certificate {
    struct certificate *next;
    const char *of, *serial;
    uint64_t roles, from_ms, until_ms;
    const char *submit; /* "f,st*" */
    bool is_revocation; /* of all with this identity, or else with this serial */
};

static struct certificate *add(struct history *history, const struct line *line)
{
    struct certificate *certificate = pile_take(&history->kept, sizeof(*certificate));

    certificate->of = pile_text(&history->kept, line_get(line, "of"));
    certificate->serial = pile_text(&history->kept, line_get(line, "serial"));
    certificate->submit = pile_text(&history->kept, line_get(line, "submit"));
    certificate->next = history->certificates;
    history->certificates = certificate;
    return certificate;
}

void rights_read(struct history *history, const struct line *line)
{
    if (!line_is(line, 0, "certificate") && !line_is(line, 0, "revoke")) {
        return;
    }
    struct certificate *certificate = add(history, line);
    certificate->is_revocation = line_is(line, 0, "revoke");
    certificate->roles = line_number(line, "roles");
    certificate->from_ms = line_number(line, "from");
    certificate->until_ms = line_number(line, "until");
}

/* The newest of an identity counts. */
static const struct certificate *in_force(const struct history *history, const char *identity)
{
    const struct certificate *newest = NULL;

    for (const struct certificate *each = history->certificates; each; each = each->next) {
        if (!each->is_revocation && strcmp(each->of, identity) == 0 &&
            (!newest || each->from_ms > newest->from_ms ||
             (each->from_ms == newest->from_ms && strcmp(each->serial, newest->serial) > 0))) {
            newest = each;
        }
    }
    return newest;
}

static bool matches(const char *patterns, const char *function)
{
    const size_t size = strlen(function);
    bool found = false;

    while (!found && *patterns != '\0') {
        const size_t length = strcspn(patterns, ",");
        found = length > 0 && patterns[length - 1] == '*'
                    ? strncmp(patterns, function, length - 1) == 0
                    : length == size && strncmp(patterns, function, size) == 0;
        patterns += length + (patterns[length] == ',');
    }
    return found;
}

bool rights_revoked(const struct history *history, const char *identity)
{
    const struct certificate *certificate = in_force(history, identity);
    bool is_revoked = !certificate;

    for (const struct certificate *each = history->certificates; certificate && each;
         each = each->next) {
        is_revoked |= each->is_revocation && (strcmp(each->of, identity) == 0 ||
                                              strcmp(each->serial, certificate->serial) == 0);
    }
    return is_revoked;
}

bool rights_allow(const struct history *history, const char *identity, unsigned roles,
                  const char *function)
{
    const struct certificate *certificate = in_force(history, identity);

    return certificate && (certificate->roles & roles) != 0 &&
           certificate->from_ms <= history->now_ms && history->now_ms < certificate->until_ms &&
           (!function || matches(certificate->submit, function)) &&
           !rights_revoked(history, identity);
}
