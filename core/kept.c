/* SPDX-License-Identifier: MPL-2.0
 * Copies, counted records and interned names. */
#include "core/kept.h"

#include <assert.h>
#include <stdlib.h>

#include "core/limit.h"

static int by_name(const struct function *a, const struct function *b)
{
    return strcmp(a->name, b->name);
}

RB_GENERATE_STATIC(function_tree, function, named, by_name)

void *kept_allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory) {
        abort();
    }
    return memory;
}

struct blob *blob_make(struct bytes bytes)
{
    if (bytes.size == 0) {
        return NULL;
    }
    struct blob *blob = kept_allocate(sizeof(*blob) + bytes.size);
    blob->size = (uint32_t)bytes.size;
    memcpy(blob->data, bytes.data, bytes.size);
    return blob;
}

void blob_set(struct blob **blob, struct bytes bytes)
{
    struct blob *made = blob_make(bytes); /* first: `bytes` may borrow from the old one */

    free(*blob);
    *blob = made;
}

struct bytes blob_bytes(const struct blob *blob)
{
    return blob ? bytes_of(blob->data, blob->size) : bytes_of(NULL, 0);
}

size_t blob_size(const struct blob *blob)
{
    return blob ? sizeof(*blob) + blob->size : 0;
}

/* ---- records */

size_t record_size(const struct record *record)
{
    return sizeof(*record) + record->tree.hash_count * sizeof(struct digest);
}

static struct digest *hashes_resize(struct digest *hashes, size_t count)
{
    struct digest *resized = realloc(hashes, count * sizeof(*hashes));

    if (!resized) {
        abort();
    }
    return resized;
}

struct record *record_make(struct forest *forest, const struct seal *seal,
                           const struct seal_set *kept)
{
    struct record *record = kept_allocate(sizeof(*record));

    record->seal = *seal;
    record->tree.kept = *kept;
    record->tree.count = seal->count;
    record->tree.hash_count = (uint16_t)pruned_size(kept, seal->count);
    record->tree.hashes = hashes_resize(NULL, record->tree.hash_count);
    record->capacity = record->tree.hash_count;
    forest->counters.seal_size += record_size(record);
    return record;
}

/* Until it is closed it has all leaves, and `kept` grows. */
static struct record *make_whole(struct forest *forest, const struct batch *batch)
{
    const struct seal *seal = &batch->sealed.seal;
    struct seal_set all = {0};

    for (unsigned i = 0; i < seal->count; i++) {
        seal_set_add(&all, i);
    }
    struct record *record = record_make(forest, seal, &all);
    memcpy(record->tree.hashes, batch->leaves, seal->count * sizeof(*batch->leaves));
    record->tree.kept = (struct seal_set){0};
    return record;
}

struct record *record_use(struct forest *forest, struct record **record, const struct batch *batch,
                          uint16_t position)
{
    if (!*record) {
        *record = make_whole(forest, batch);
    }
    (*record)->uses++;
    seal_set_add(&(*record)->tree.kept, batch->sealed.index[position]);
    return *record;
}

/* Gives memory back once half of it is free, so that each hash is moved a few times at most. */
static void shrink(struct record *record)
{
    struct pruned *tree = &record->tree;

    if (2 * tree->hash_count <= record->capacity) {
        tree->hashes = hashes_resize(tree->hashes, tree->hash_count);
        record->capacity = tree->hash_count;
    }
}

void record_close(struct forest *forest, struct record *record)
{
    if (record && record->uses < record->seal.count) {
        forest->counters.seal_size -= record_size(record);
        pruned_close(&record->tree);
        forest->counters.seal_size += record_size(record);
        shrink(record);
    }
}

void record_drop(struct forest *forest, struct record *record)
{
    if (record && --record->uses == 0) {
        forest->counters.seal_size -= record_size(record);
        free(record->tree.hashes);
        free(record);
    }
}

void record_release(struct forest *forest, struct record **record, uint8_t index)
{
    struct record *released = *record;

    *record = NULL;
    if (released && released->uses > 1) {
        forest->counters.seal_size -= record_size(released);
        pruned_drop(&released->tree, index);
        forest->counters.seal_size += record_size(released);
        shrink(released);
    }
    record_drop(forest, released);
}

/* ---- functions */

/* False when no function can have this name. */
static bool name_key(struct bytes name, char key[LIMIT_FUNCTION_LENGTH + 1])
{
    if (name.size == 0 || name.size > LIMIT_FUNCTION_LENGTH) {
        return false;
    }
    memset(key, 0, LIMIT_FUNCTION_LENGTH + 1);
    memcpy(key, name.data, name.size);
    return true;
}

struct function *function_find(const struct forest *forest, struct bytes name)
{
    char key[LIMIT_FUNCTION_LENGTH + 1];

    return name_key(name, key) ? table_find(&forest->by_name, key) : NULL;
}

struct function *function_use(struct forest *forest, struct bytes name)
{
    struct function *function = forest->recent;

    if (!function || !bytes_equal(name, function_name(function))) {
        function = function_find(forest, name);
    }
    if (!function) {
        function = kept_allocate(sizeof(*function));
        const bool fits = name_key(name, function->name);
        assert(fits);
        TAILQ_INIT(&function->blocked);
        table_insert(&forest->by_name, function);
        RB_INSERT(function_tree, &forest->functions, function);
    }
    forest->recent = function;
    function->uses++;
    return function;
}

struct function *function_after(const struct forest *forest, const char *name)
{
    struct function_tree head = forest->functions; /* the macros want a head they could write to */
    struct function key = {0};

    if (!name) {
        return RB_MIN(function_tree, &head);
    }
    const size_t size = strlen(name);
    if (size > LIMIT_FUNCTION_LENGTH) {
        return NULL;
    }
    memcpy(key.name, name, size);
    struct function *found = RB_NFIND(function_tree, &head, &key);
    return found && strcmp(found->name, name) == 0 ? RB_NEXT(function_tree, &head, found) : found;
}

void function_drop(struct forest *forest, struct function *function)
{
    if (--function->uses > 0) {
        return;
    }
    if (forest->recent == function) {
        forest->recent = NULL;
    }
    assert(LIST_EMPTY(&function->offers) && TAILQ_EMPTY(&function->blocked));
    limit_forget(forest, function);
    table_remove(&forest->by_name, function);
    RB_REMOVE(function_tree, &forest->functions, function);
    free(function->runs);
    free(function);
}

struct bytes function_name(const struct function *function)
{
    return bytes_of_text(function->name);
}
