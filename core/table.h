/* SPDX-License-Identifier: MPL-2.0
 * Entries by key, for look-up only: there is no way to walk them, so no order of theirs can show.
 *
 * Chains of intrusive links under a keyed hash, so that nobody who chooses keys can choose buckets.
 * It grows and shrinks in steps: while two arrays live, each insert and remove moves a few links
 * on, and none ever moves them all. */
#ifndef GROVE_CORE_TABLE_H
#define GROVE_CORE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Sits in the entry and belongs to the table while the entry is in it. */
struct table_link {
    struct table_link *next;
};

struct table {
    struct table_link **buckets;
    struct table_link **old; /* being emptied into `buckets`; NULL between moves */
    size_t size;             /* of buckets: 0, or a power of two */
    size_t old_size;
    size_t moving; /* bucket of `old` that is being emptied; those below are empty */
    size_t count;  /* entries */
    size_t link_offset, key_offset, key_size;
    uint8_t hash_key[16];
};

/* Makes an empty table of entries that hold their link and their key at these offsets; allocates
 * nothing yet.
 *
 *   hash_key   copied; secret, drawn once a process */
void table_init(struct table *table, const uint8_t hash_key[16], size_t link_offset,
                size_t key_offset, size_t key_size);

/* Releases the arrays and leaves the table empty and usable; the entries are the caller's. */
void table_clear(struct table *table);

/* The entry with this key, or NULL.
 *
 *   key   key_size bytes */
void *table_find(const struct table *table, const void *key);

/* Has what the search for each of these keys will read first fetched into the cache, side by side:
 * one look-up after another would wait for each.
 *
 *   keys   `count` of key_size bytes, without a gap */
void table_expect(const struct table *table, const void *keys, size_t count);

/* Links an entry; moves at most TABLE_STEPS others.  Its key is not in the table, and stays as it
 * is until it is removed.  Out of memory aborts. */
void table_insert(struct table *table, void *entry);

/* Unlinks an entry, which is in the table; moves at most TABLE_STEPS others. */
void table_remove(struct table *table, void *entry);

/* Steps an insert or a remove takes of a move under way: a step moves one link or leaves one empty
 * bucket.  A growing array has as many links as buckets, so the move is over long before the next.
 */
#define TABLE_STEPS 8

#endif
