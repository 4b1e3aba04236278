/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/history/form.h"

#include <string.h>

#include <sodium.h>

/* ---- messages */

static bool take_number(struct span *rest, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 64 && rest->size > 0; shift += 7) {
        const uint8_t byte = *rest->data++;
        rest->size--;
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

bool form_next(struct span *rest, struct field *field)
{
    uint64_t tag = 0;

    *field = (struct field){.number = 0};
    if (!take_number(rest, &tag) || !take_number(rest, &field->value)) {
        return false;
    }
    field->number = tag >> 3;
    if ((tag & 7) == 2 && field->value <= rest->size) {
        field->bytes = (struct span){rest->data, (size_t)field->value};
        rest->data += field->value;
        rest->size -= (size_t)field->value;
        return true;
    }
    return (tag & 7) == 0;
}

/* The field, zeroed when it is not there. */
static struct field find(struct span message, uint64_t number)
{
    struct field field;

    while (form_next(&message, &field)) {
        if (field.number == number) {
            return field;
        }
    }
    return (struct field){.number = 0};
}

uint64_t form_number(struct span message, uint64_t number)
{
    return find(message, number).value;
}

struct span form_bytes(struct span message, uint64_t number)
{
    return find(message, number).bytes;
}

/* ---- what is hashed */

static void hash_begin(crypto_generichash_state *hash)
{
    (void)crypto_generichash_init(hash, NULL, 0, crypto_generichash_BYTES_MAX);
}

static void hash_add(crypto_generichash_state *hash, const void *data, size_t size)
{
    (void)crypto_generichash_update(hash, data, size);
}

static void hash_number(crypto_generichash_state *hash, uint64_t number, size_t size)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(number >> 8 * i);
    }
    hash_add(hash, bytes, size);
}

static void hash_text(crypto_generichash_state *hash, struct span text)
{
    hash_number(hash, text.size, 2);
    hash_add(hash, text.data, text.size);
}

static void hash_end(crypto_generichash_state *hash, uint8_t digest[FORM_KEY_SIZE])
{
    uint8_t whole[crypto_generichash_BYTES_MAX];

    (void)crypto_generichash_final(hash, whole, sizeof(whole));
    memcpy(digest, whole, FORM_KEY_SIZE);
}

void form_digest(struct span bytes, uint8_t digest[FORM_KEY_SIZE])
{
    crypto_generichash_state hash;

    hash_begin(&hash);
    hash_add(&hash, bytes.data, bytes.size);
    hash_end(&hash, digest);
}

void form_root(const struct span *items, size_t count, uint8_t root[FORM_KEY_SIZE])
{
    crypto_generichash_state hash;
    size_t left = 1;

    hash_begin(&hash);
    if (count == 1) {
        hash_add(&hash, "\0", 1);
        hash_add(&hash, items[0].data, items[0].size);
    } else {
        uint8_t halves[2 * FORM_KEY_SIZE];
        while (2 * left < count) {
            left *= 2;
        }
        form_root(items, left, halves);
        form_root(items + left, count - left, halves + FORM_KEY_SIZE);
        hash_add(&hash, "\1", 1);
        hash_add(&hash, halves, sizeof(halves));
    }
    hash_end(&hash, root);
}

static void identify_root(struct span item, struct span signer, uint8_t id[FORM_KEY_SIZE])
{
    const struct span key = form_bytes(item, 5);
    crypto_generichash_state hash;

    hash_begin(&hash);
    hash_add(&hash, "grove.v1.root", sizeof("grove.v1.root"));
    hash_add(&hash, signer.data, FORM_KEY_SIZE);
    hash_number(&hash, key.size > 0, 1);
    hash_text(&hash, key.size > 0 ? key : form_bytes(item, 1));
    hash_end(&hash, id);
}

static void identify_child(struct span item, uint8_t id[FORM_KEY_SIZE])
{
    const struct span key = form_bytes(item, 5);
    uint8_t payload[FORM_KEY_SIZE], request[FORM_KEY_SIZE];
    crypto_generichash_state hash;

    form_digest(form_bytes(item, 3), payload);
    hash_begin(&hash);
    hash_add(&hash, "grove.v1.request", sizeof("grove.v1.request"));
    hash_number(&hash, key.size > 0, 1);
    if (key.size > 0) {
        hash_text(&hash, key);
    } else {
        hash_text(&hash, form_bytes(item, 2));
        hash_add(&hash, payload, sizeof(payload));
        hash_number(&hash, form_number(item, 25), 4);
        hash_number(&hash, form_number(item, 26), 4);
        hash_number(&hash, form_number(item, 24), 4);
    }
    hash_end(&hash, request);
    hash_begin(&hash);
    hash_add(&hash, "grove.v1.child", sizeof("grove.v1.child"));
    hash_add(&hash, form_bytes(item, 20).data, FORM_ID_SIZE);
    hash_number(&hash, form_number(item, 23), 4);
    hash_add(&hash, request, sizeof(request));
    hash_end(&hash, id);
}

void form_identify(struct span item, struct span signer, uint8_t id[FORM_KEY_SIZE])
{
    if (form_bytes(item, 20).size == FORM_ID_SIZE) {
        identify_child(item, id);
    } else {
        identify_root(item, signer, id);
    }
}
