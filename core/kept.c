/* SPDX-License-Identifier: MPL-2.0
 * Copies, counted records and interned names. */
#include "core/kept.h"

#include <assert.h>
#include <stdlib.h>

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

struct record *record_make(const struct seal *seal, const struct digest *leaves)
{
    struct record *record = kept_allocate(sizeof(*record) + seal->count * sizeof(*leaves));

    record->seal = *seal;
    memcpy(record->leaves, leaves, seal->count * sizeof(*leaves));
    return record;
}

struct record *record_use(struct record **record, const struct batch *batch)
{
    if (!*record) {
        *record = record_make(&batch->sealed.seal, batch->leaves);
    }
    (*record)->uses++;
    return *record;
}

void record_drop(struct record *record)
{
    if (record && --record->uses == 0) {
        free(record);
    }
}

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
    table_remove(&forest->by_name, function);
    RB_REMOVE(function_tree, &forest->functions, function);
    free(function);
}

struct bytes function_name(const struct function *function)
{
    return bytes_of_text(function->name);
}
