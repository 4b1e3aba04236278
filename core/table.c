/* SPDX-License-Identifier: MPL-2.0
 * Chained hashing with two arrays while a move is under way.
 *
 * Where a link is follows from its hash h and from how far the move has come:
 *
 *   old bucket h % old_size   below `moving`   at `moving`            above
 *   link in                   buckets          old or buckets         old
 *   new links go to           buckets          buckets                old */
#include "core/table.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 16u
#define STEPS_AHEAD 8u /* a link is asked for this many buckets before it is moved */
#define EXPECTED 64u   /* keys whose buckets are asked for before their first links are */

static struct table_link *link_of(const struct table *table, void *entry)
{
    return (struct table_link *)(void *)((char *)entry + table->link_offset);
}

static void *entry_of(const struct table *table, struct table_link *link)
{
    return (char *)link - table->link_offset;
}

static const void *key_of(const struct table *table, struct table_link *link)
{
    return (const char *)entry_of(table, link) + table->key_offset;
}

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

__extension__ typedef unsigned __int128 product_type; /* ISO C has none so wide */

/* Both halves of the whole product. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    const product_type product = (product_type)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Folded products of the key's words under secret ones: a tenth of what SipHash costs, and whoever
 * does not know the secret words cannot steer it. That is all a table asks whose order never shows
 * (Halevi and Krawczyk 1997, MMH and NMH). */
static size_t hash(const struct table *table, const void *key)
{
    const uint64_t secret[2] = {word_at(table->hash_key), word_at(table->hash_key + 8)};
    const uint8_t *bytes = key;
    const uint8_t *end = bytes + table->key_size;
    uint64_t sum = secret[1];

    for (; end - bytes >= 16; bytes += 16) {
        sum = fold(word_at(bytes) ^ secret[0], word_at(bytes + 8) ^ sum);
    }
    if (bytes < end) {
        uint8_t last[16] = {0};

        memcpy(last, bytes, (size_t)(end - bytes));
        sum = fold(word_at(last) ^ secret[0], word_at(last + 8) ^ sum);
    }
    return (size_t)fold(sum, secret[0] ^ UINT64_C(0x9e3779b97f4a7c15));
}

/* Its bucket among `size`: a power of two, as all sizes are. */
static size_t bucket_of(size_t hash, size_t size)
{
    return hash & (size - 1);
}

/* calloc takes a large array from the system as it is, zero and untouched, so that its pages are
 * paid for one at a time. */
static struct table_link **allocate(size_t size)
{
    struct table_link **buckets = calloc(size, sizeof(*buckets));

    if (!buckets) {
        abort();
    }
    return buckets;
}

static void begin_move(struct table *table, size_t size)
{
    table->old = table->buckets;
    table->old_size = table->size;
    table->moving = 0;
    table->buckets = allocate(size);
    table->size = size;
}

static void step(struct table *table)
{
    struct table_link **from = &table->old[table->moving];
    struct table_link *link = *from;

    if (table->moving + STEPS_AHEAD < table->old_size) {
        __builtin_prefetch(from[STEPS_AHEAD]);
    }
    if (link) {
        struct table_link **to =
            &table->buckets[bucket_of(hash(table, key_of(table, link)), table->size)];
        *from = link->next;
        link->next = *to;
        *to = link;
        return;
    }
    table->moving++;
    if (table->moving == table->old_size) {
        free(table->old);
        table->old = NULL;
    }
}

/* Takes a move some steps on, or begins one when the load is over one or under an eighth. */
static void advance(struct table *table)
{
    if (!table->old && table->count > table->size) {
        begin_move(table, table->size * 2);
    } else if (!table->old && table->size > SIZE_MIN && table->count < table->size / 8) {
        begin_move(table, table->size / 2);
    }
    for (int i = 0; i < TABLE_STEPS && table->old; i++) {
        step(table);
    }
}

/* The link in a chain that points to the entry with this key; NULL when there is none. */
static struct table_link **find_in(const struct table *table, struct table_link **head,
                                   const void *key)
{
    for (struct table_link **at = head; *at; at = &(*at)->next) {
        if (memcmp(key_of(table, *at), key, table->key_size) == 0) {
            return at;
        }
    }
    return NULL;
}

static struct table_link **find(const struct table *table, const void *key)
{
    struct table_link **at = NULL;

    if (table->size == 0) {
        return NULL;
    }
    const size_t h = hash(table, key);
    const size_t in_old = table->old ? bucket_of(h, table->old_size) : 0;
    if (table->old && in_old >= table->moving) {
        at = find_in(table, &table->old[in_old], key);
    }
    if (!at && (!table->old || in_old <= table->moving)) {
        at = find_in(table, &table->buckets[bucket_of(h, table->size)], key);
    }
    return at;
}

void table_init(struct table *table, const uint8_t hash_key[16], size_t link_offset,
                size_t key_offset, size_t key_size)
{
    *table =
        (struct table){.link_offset = link_offset, .key_offset = key_offset, .key_size = key_size};
    memcpy(table->hash_key, hash_key, sizeof(table->hash_key));
}

void table_clear(struct table *table)
{
    free(table->buckets);
    free(table->old);
    table->buckets = NULL;
    table->old = NULL;
    table->size = 0;
    table->count = 0;
}

/* Where the search for a key begins. */
static struct table_link **begins_at(const struct table *table, const void *key)
{
    const size_t h = hash(table, key);

    return table->old && bucket_of(h, table->old_size) >= table->moving
               ? &table->old[bucket_of(h, table->old_size)]
               : &table->buckets[bucket_of(h, table->size)];
}

static void expect_some(const struct table *table, const uint8_t *keys, size_t count)
{
    struct table_link **heads[EXPECTED];

    for (size_t i = 0; i < count; i++) {
        heads[i] = begins_at(table, keys + i * table->key_size);
        __builtin_prefetch(heads[i]);
    }
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(*heads[i]);
    }
}

void table_expect(const struct table *table, const void *keys, size_t count)
{
    const uint8_t *first = keys;

    for (size_t at = 0; at < count && table->size > 0; at += EXPECTED) {
        const size_t left = count - at;
        expect_some(table, first + at * table->key_size, left < EXPECTED ? left : EXPECTED);
    }
}

void *table_find(const struct table *table, const void *key)
{
    struct table_link **at = find(table, key);

    return at ? entry_of(table, *at) : NULL;
}

void table_insert(struct table *table, void *entry)
{
    struct table_link *link = link_of(table, entry);

    if (table->size == 0) {
        table->buckets = allocate(SIZE_MIN);
        table->size = SIZE_MIN;
    }
    const size_t h = hash(table, key_of(table, link));
    const bool moved = !table->old || bucket_of(h, table->old_size) <= table->moving;
    struct table_link **to = moved ? &table->buckets[bucket_of(h, table->size)]
                                   : &table->old[bucket_of(h, table->old_size)];
    link->next = *to;
    *to = link;
    table->count++;
    advance(table);
}

void table_remove(struct table *table, void *entry)
{
    struct table_link *link = link_of(table, entry);
    struct table_link **at = find(table, key_of(table, link));

    assert(at && *at == link);
    *at = link->next;
    link->next = NULL;
    table->count--;
    advance(table);
}
