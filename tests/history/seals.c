/* SPDX-License-Identifier: MPL-2.0
 * Pass 5: what a ledger says of tasks, results and certificates is what somebody has signed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "tests/history/form.h"
#include "tests/history/state.h"

enum { KIND_TASK = 1, KIND_RESULT = 2 };

static const char pass[] = "seals";

struct seals {
    bool has_mesh;
    uint8_t mesh[FORM_KEY_SIZE];
    unsigned long verified;
    /* the present command */
    bool is_command, is_open;
    struct span form; /* as it was signed; of the command that comes, or is read */
    struct span signer, items[ITEMS_MOST];
    uint64_t kind;
    size_t count, told;
};

struct seals *seals_create(void)
{
    struct seals *seals = calloc(1, sizeof(*seals));

    if (!seals || sodium_init() < 0) {
        abort();
    }
    return seals;
}

void seals_destroy(struct seals *seals)
{
    free(seals);
}

unsigned long seals_verified(const struct seals *seals)
{
    return seals->verified;
}

/* ---- what was signed */

static bool is_signed(struct span signature, const uint8_t *letter, size_t size, const uint8_t *key)
{
    return signature.size == crypto_sign_BYTES &&
           crypto_sign_verify_detached(signature.data, letter, size, key) == 0;
}

/* A batch's: prefix, mesh, signer, kind, count, root. */
static bool is_sealed(const struct seals *seals, struct span signature)
{
    static const char prefix[] = "grove.v1.seal";
    uint8_t letter[sizeof(prefix) + 3 * FORM_KEY_SIZE + 3];
    uint8_t *next = letter;

    memcpy(next, prefix, sizeof(prefix));
    memcpy(next += sizeof(prefix), seals->mesh, FORM_KEY_SIZE);
    memcpy(next += FORM_KEY_SIZE, seals->signer.data, FORM_KEY_SIZE);
    next += FORM_KEY_SIZE;
    *next++ = (uint8_t)seals->kind;
    *next++ = (uint8_t)seals->count;
    *next++ = (uint8_t)(seals->count >> 8);
    form_root(seals->items, seals->count, next);
    return is_signed(signature, letter, sizeof(letter), seals->signer.data);
}

/* ---- a line and what was signed say the same */

static void differ(struct history *history, const struct line *line, const char *key)
{
    history_fault(history, pass, "%s=%s is not what was signed", key, line_get(line, key));
}

static void compare_bytes(struct history *history, const struct line *line, const char *key,
                          struct span bytes)
{
    char text[2 * FORM_ID_SIZE + 1] = "";

    if (bytes.size >= FORM_ID_SIZE) {
        (void)sodium_bin2hex(text, sizeof(text), bytes.data, FORM_ID_SIZE);
    }
    if (strcmp(line_get(line, key), text) != 0) {
        differ(history, line, key);
    }
}

static void compare_text(struct history *history, const struct line *line, const char *key,
                         struct span text)
{
    const char *told = line_get(line, key);

    if (strlen(told) != text.size || memcmp(told, text.data, text.size) != 0) {
        differ(history, line, key);
    }
}

static void compare_number(struct history *history, const struct line *line, const char *key,
                           uint64_t number)
{
    if (line_number(line, key) != number) {
        differ(history, line, key);
    }
}

/* ---- batches */

static bool open_batch(struct history *history, uint64_t kind)
{
    struct seals *seals = history->seals;
    struct span rest = seals->form;
    struct field field;

    seals->is_open = true;
    seals->signer = form_bytes(rest, 1);
    seals->kind = form_number(rest, 2);
    const uint64_t count = form_number(rest, 3);
    while (form_next(&rest, &field) && seals->count < ITEMS_MOST) {
        if (field.number == 5) {
            seals->items[seals->count++] = field.bytes;
        }
    }
    if (seals->kind != kind || seals->count != count || count == 0 ||
        seals->signer.size != FORM_KEY_SIZE || !is_sealed(seals, form_bytes(seals->form, 4))) {
        history_fault(history, pass, "this batch was never sealed");
        return false;
    }
    seals->verified++;
    return true;
}

/* The signed item that a line tells of; NULL, and a fault, when there is none. */
static const struct span *item_of(struct history *history, const struct line *line, uint64_t kind)
{
    struct seals *seals = history->seals;
    const uint64_t at = line_number(line, "at");

    if (!seals->is_open && !open_batch(history, kind)) {
        return NULL;
    }
    seals->told++;
    if (seals->kind != kind || at >= seals->count) {
        history_fault(history, pass, "no item %llu was signed", (unsigned long long)at);
        return NULL;
    }
    return &seals->items[at];
}

static void read_task(struct history *history, const struct line *line)
{
    const struct span *item = item_of(history, line, KIND_TASK);
    uint8_t payload[FORM_KEY_SIZE], id[FORM_KEY_SIZE];

    if (!item) {
        return;
    }
    form_digest(form_bytes(*item, 3), payload);
    form_identify(*item, history->seals->signer, id);
    compare_bytes(history, line, "id", (struct span){id, sizeof(id)});
    compare_bytes(history, line, "digest", (struct span){payload, sizeof(payload)});
    compare_bytes(history, line, "by", history->seals->signer);
    compare_text(history, line, "function", form_bytes(*item, 2));
    compare_bytes(history, line, "parent", form_bytes(*item, 20));
    compare_bytes(history, line, "root", form_bytes(*item, 21));
    compare_bytes(history, line, "retry", form_bytes(*item, 16));
    compare_number(history, line, "attempt", form_number(*item, 22));
    compare_number(history, line, "generation", form_number(*item, 23));
    compare_number(history, line, "most", form_number(*item, 10));
    compare_number(history, line, "delay", form_number(*item, 7));
    compare_number(history, line, "deadline", form_number(*item, 8));
    compare_number(history, line, "expires", form_number(*item, 13));
    if (line_has(line, "once") != (form_number(*item, 11) != 0)) {
        history_fault(history, pass, "how often it may run is not what was signed");
    }
}

static void read_result(struct history *history, const struct line *line)
{
    static const char *const codes[] = {"succeeded", "failed", "permanent", "timeout"};
    const struct span *item = item_of(history, line, KIND_RESULT);
    uint8_t digest[FORM_KEY_SIZE];

    if (!item) {
        return;
    }
    const uint64_t code = form_number(*item, 9);
    form_digest(form_bytes(*item, 10), digest);
    compare_bytes(history, line, "task", form_bytes(*item, 2));
    compare_bytes(history, line, "root", form_bytes(*item, 3));
    compare_bytes(history, line, "parent", form_bytes(*item, 4));
    compare_text(history, line, "function", form_bytes(*item, 5));
    compare_bytes(history, line, "payload", form_bytes(*item, 6));
    compare_number(history, line, "attempt", form_number(*item, 7));
    compare_number(history, line, "session", form_number(*item, 8));
    compare_bytes(history, line, "digest", (struct span){digest, sizeof(digest)});
    compare_bytes(history, line, "by", history->seals->signer);
    if (code >= sizeof(codes) / sizeof(codes[0]) ||
        strcmp(line_get(line, "code"), codes[code]) != 0) {
        differ(history, line, "code");
    }
}

/* ---- certificates and revocations */

/* What the mesh has signed; empty, and a fault, when it has not. */
static struct span open_form(struct history *history, const char *prefix, uint64_t number)
{
    struct seals *seals = history->seals;
    const struct span body = form_bytes(seals->form, number);
    const struct span mesh = form_bytes(body, 1);
    const size_t length = strlen(prefix) + 1;
    uint8_t *letter = pile_take(&history->scratch, length + body.size + 1);

    memcpy(letter, prefix, length);
    if (body.size > 0) {
        memcpy(letter + length, body.data, body.size);
    }
    if (mesh.size != FORM_KEY_SIZE || memcmp(mesh.data, seals->mesh, FORM_KEY_SIZE) != 0 ||
        !is_signed(form_bytes(seals->form, number + 1), letter, length + body.size, seals->mesh)) {
        history_fault(history, pass, "the mesh has never signed this");
        return (struct span){NULL, 0};
    }
    seals->verified++;
    return body;
}

/* "f,st*" */
static struct span join_patterns(struct history *history, struct span body)
{
    char *joined = pile_take(&history->scratch, body.size + 1);
    struct field field;
    size_t size = 0;

    while (form_next(&body, &field)) {
        if (field.number == 7) {
            if (size > 0) {
                joined[size++] = ',';
            }
            memcpy(joined + size, field.bytes.data, field.bytes.size);
            size += field.bytes.size;
        }
    }
    return (struct span){(const uint8_t *)joined, size};
}

static void read_certificate(struct history *history, const struct line *line)
{
    const struct span body = open_form(history, "grove.v1.cert", 1);

    compare_bytes(history, line, "of", form_bytes(body, 5));
    compare_bytes(history, line, "serial", form_bytes(body, 2));
    compare_number(history, line, "roles", form_number(body, 4));
    compare_number(history, line, "from", form_number(body, 9));
    compare_number(history, line, "until", form_number(body, 10));
    compare_text(history, line, "submit", join_patterns(history, body));
}

static void read_revocation(struct history *history, const struct line *line)
{
    const struct span body = open_form(history, "grove.v1.revoke", 3);

    compare_bytes(history, line, "of", form_bytes(body, 2));
    compare_bytes(history, line, "serial", form_bytes(body, 3));
}

/* ---- lines */

static struct span read_hex(struct pile *pile, const char *text)
{
    const size_t most = strlen(text) / 2;
    uint8_t *bytes = pile_take(pile, most + 1);
    size_t size = 0;

    (void)sodium_hex2bin(bytes, most, text, strlen(text), NULL, &size, NULL);
    return (struct span){bytes, size};
}

static void read_mesh(struct history *history, const struct line *line)
{
    const struct span key = read_hex(&history->scratch, line_get(line, "key"));

    if (key.size != FORM_KEY_SIZE) {
        history_fault(history, pass, "this is no key");
        return;
    }
    memcpy(history->seals->mesh, key.data, FORM_KEY_SIZE);
    history->seals->has_mesh = true;
}

void seals_read(struct history *history, const struct line *line)
{
    struct seals *seals = history->seals;

    if (line_is(line, 0, "mesh")) {
        read_mesh(history, line);
    } else if (line_is(line, 0, "signed")) {
        seals->form = read_hex(&history->scratch, line_word(line, 1));
    } else if (line_is(line, 0, "do")) {
        seals->is_command = true;
    } else if (seals->has_mesh && line_is(line, 0, "item")) {
        read_task(history, line);
    } else if (seals->has_mesh && line_is(line, 0, "result")) {
        read_result(history, line);
    } else if (seals->has_mesh && line_is(line, 0, "certificate")) {
        read_certificate(history, line);
    } else if (seals->has_mesh && line_is(line, 0, "revoke")) {
        read_revocation(history, line);
    }
}

void seals_finish(struct history *history)
{
    struct seals *seals = history->seals;

    if (!seals->is_command) {
        return; /* what was signed is that of the one that comes */
    }
    if (seals->told != seals->count) {
        history_fault(history, pass, "%zu items were signed, and %zu are told", seals->count,
                      seals->told);
    }
    seals->is_command = seals->is_open = false;
    seals->form = (struct span){NULL, 0};
    seals->count = seals->told = 0;
}
