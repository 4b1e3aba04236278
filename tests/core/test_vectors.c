/* SPDX-License-Identifier: MPL-2.0
 * The test vectors of schema/vectors are what this code makes. tests/e2e/test_vectors derives them
 * again without it. After a change of the protocol, GROVE_WRITE_VECTORS=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "tests/support/samples.h"

#define HEX_SIZE ((size_t)4096)

static json_t *hex(const void *data, size_t size)
{
    char text[2 * HEX_SIZE + 1];

    assert_true(size <= HEX_SIZE);
    sodium_bin2hex(text, sizeof(text), data, size);
    return json_string(text);
}

static json_t *hex_of(struct bytes bytes)
{
    return bytes.size > 0 ? hex(bytes.data, bytes.size) : json_string("");
}

static json_t *text_of(struct bytes text)
{
    return json_stringn(text.data ? (const char *)text.data : "", text.size);
}

static void write_file(const char *path, const json_t *vectors)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(json_dumpf(vectors, file, JSON_INDENT(1)), 0);
    fputc('\n', file);
    assert_int_equal(fclose(file), 0);
}

/* Compares with the file, or writes it; takes `vectors`. */
static void check(const char *name, const char *about, json_t *vectors)
{
    const char *source = getenv("GROVE_SOURCE");
    json_t *made = json_pack("{s:s, s:o}", "about", about, "vectors", vectors);
    json_error_t error;
    char path[512];

    snprintf(path, sizeof(path), "%s/schema/vectors/%s.json", source ? source : ".", name);
    assert_non_null(made);
    if (getenv("GROVE_WRITE_VECTORS") != NULL) {
        write_file(path, made);
    }
    json_t *kept = json_load_file(path, 0, &error);
    assert_non_null(kept);
    assert_true(json_equal(kept, made));
    json_decref(kept);
    json_decref(made);
}

/* ---- the tree */

static void leaves_are_as_kept(void **state)
{
    static const char *const items[] = {"", "a", "grove"};
    json_t *vectors = json_array();

    (void)state;
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        struct digest leaf = seal_leaf(bytes_of_text(items[i]));
        struct digest digest = digest_of(bytes_of_text(items[i]));

        json_array_append_new(
            vectors, json_pack("{s:o, s:o, s:o}", "item", hex_of(bytes_of_text(items[i])), "digest",
                               hex(&digest, sizeof(digest)), "leaf", hex(&leaf, sizeof(leaf))));
    }
    check("leaf", "digest = H(item), as of a payload; leaf = H(00, item)", vectors);
}

/* Items of the tree's vectors: "item-0", "item-1", ... */
static void make_leaves(struct digest *leaves, unsigned count)
{
    char item[16];

    for (unsigned i = 0; i < count; i++) {
        snprintf(item, sizeof(item), "item-%u", i);
        leaves[i] = seal_leaf(bytes_of_text(item));
    }
}

static void roots_are_as_kept(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 5, 256};
    struct digest leaves[LIMIT_BATCH_ITEMS];
    json_t *vectors = json_array();

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        make_leaves(leaves, counts[i]);
        struct digest root = seal_root(leaves, counts[i]);
        json_array_append_new(vectors, json_pack("{s:i, s:o}", "count", (int)counts[i], "root",
                                                 hex(&root, sizeof(root))));
    }
    check("root", "the root over count items: item-0, item-1, ...", vectors);
}

static json_t *excerpt(unsigned count, const uint8_t *indices, unsigned index_count)
{
    struct digest leaves[LIMIT_BATCH_ITEMS], hashes[LIMIT_BATCH_ITEMS];

    make_leaves(leaves, count);
    unsigned hash_count = seal_cut(leaves, count, indices, index_count, hashes);
    return json_pack("{s:i, s:o, s:o}", "count", (int)count, "indices", hex(indices, index_count),
                     "hashes", hex_of(bytes_of(hashes, hash_count * sizeof(hashes[0]))));
}

static void excerpts_are_as_kept(void **state)
{
    static const uint8_t indices[] = {0, 1, 3, 4, 255};
    json_t *vectors = json_array();

    (void)state;
    json_array_append_new(vectors, excerpt(1, indices, 1));
    json_array_append_new(vectors, excerpt(2, indices + 1, 1));
    json_array_append_new(vectors, excerpt(3, indices, 1));
    json_array_append_new(vectors, excerpt(5, indices + 1, 2));
    json_array_append_new(vectors, excerpt(5, indices + 3, 1));
    json_array_append_new(vectors, excerpt(5, indices, 4));
    json_array_append_new(vectors, excerpt(256, indices + 2, 3));
    check("excerpt", "the hashes that go with some of count items: item-0, item-1, ...", vectors);
}

static void seals_are_as_kept(void **state)
{
    static const unsigned counts[] = {1, 3, 256};
    const struct signer signer = sample_signer(2);
    const struct signer mesh = sample_signer(1);
    struct digest leaves[LIMIT_BATCH_ITEMS];
    json_t *vectors = json_array();

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct seal seal;

        make_leaves(leaves, counts[i]);
        seal_make(&signer, &mesh.public_key, (enum seal_kind)(i + 1), leaves, counts[i], &seal);
        json_array_append_new(vectors,
                              json_pack("{s:o, s:o, s:o, s:o, s:i, s:i, s:o}", "mesh_seed",
                                        hex(mesh.secret, 32), "mesh", hex(&mesh.public_key, 32),
                                        "signer_seed", hex(signer.secret, 32), "signer",
                                        hex(&signer.public_key, 32), "kind", (int)i + 1, "count",
                                        (int)counts[i], "signature", hex(&seal.signature, 64)));
    }
    check("seal", "Ed25519 by the signer over count items of a kind: item-0, item-1, ...", vectors);
}

/* ---- ids */

static json_t *id_vector(const struct task_item *item)
{
    const struct key signer = sample_signer(2).public_key;
    const struct digest payload = digest_of(item->payload);
    const struct id id = id_of_task(item, &signer, &payload);
    json_t *vector =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "signer", hex(&signer, 32), "nonce",
                  hex(item->nonce, 16), "key", text_of(item->key), "function",
                  text_of(item->function), "payload", hex_of(item->payload), "id", hex(&id, 16));

    if (item->lineage.present) {
        json_object_set_new(vector, "parent", hex(&item->lineage.parent, 16));
        json_object_set_new(vector, "generation", json_integer(item->lineage.generation));
        json_object_set_new(vector, "occurrence", json_integer(item->lineage.occurrence));
        json_object_set_new(vector, "join_kind", json_integer(item->lineage.join_kind));
        json_object_set_new(vector, "join_position", json_integer(item->lineage.join_position));
    }
    return vector;
}

static void ids_are_as_kept(void **state)
{
    struct task_item root = sample_root(1);
    struct task_item child = sample_child(1);
    json_t *vectors = json_array();

    (void)state;
    json_array_append_new(vectors, id_vector(&root));
    root.key = bytes_of_text("order-17");
    json_array_append_new(vectors, id_vector(&root));
    json_array_append_new(vectors, id_vector(&child));
    child.lineage.generation = 2;
    json_array_append_new(vectors, id_vector(&child));
    child.key = (struct bytes){0};
    json_array_append_new(vectors, id_vector(&child));
    child.lineage.occurrence = child.lineage.join_kind = child.lineage.join_position = 0;
    json_array_append_new(vectors, id_vector(&child));
    check("id", "the id of a task: of a root by nonce or key, of a child by request or key",
          vectors);
}

/* ---- bytes */

static void certificates_are_as_kept(void **state)
{
    const struct signer mesh = sample_signer(1);
    const struct certificate certificate = sample_certificate();
    struct buffer form = {0};

    (void)state;
    certificate_issue(&form, &certificate, &mesh);
    check("certificate", "one certificate in its signed form, and what it says",
          json_pack("[{s:o, s:o, s:s, s:i, s:o, s:o, s:[s,s], s:[s], s:I, s:I, s:o}]", "mesh",
                    hex(&mesh.public_key, 32), "serial", hex(&certificate.serial, 16), "name",
                    certificate.name, "roles", (int)certificate.roles, "sign_key",
                    hex(&certificate.sign_key, 32), "link_key", hex(&certificate.link_key, 32),
                    "submit", certificate.submit[0].text, certificate.submit[1].text, "run",
                    certificate.run[0].text, "not_before_ms", (json_int_t)certificate.not_before_ms,
                    "not_after_ms", (json_int_t)certificate.not_after_ms, "form",
                    hex_of(buffer_bytes(&form))));
    buffer_clear(&form);
}

static void frames_are_as_kept(void **state)
{
    json_t *vectors = json_array();
    struct buffer frame = {0};

    (void)state;
    for (const enum message_type *type = sample_types; *type != 0; type++) {
        buffer_reset(&frame);
        sample_frame(*type, &frame);
        json_array_append_new(vectors,
                              json_pack("{s:i, s:i, s:o}", "type", (int)*type, "correlation", 7,
                                        "frame", hex_of(buffer_bytes(&frame))));
    }
    buffer_clear(&frame);
    check("frame", "one frame of every type with every field; seals and certificates verify",
          vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_as_kept),   cmocka_unit_test(roots_are_as_kept),
        cmocka_unit_test(excerpts_are_as_kept), cmocka_unit_test(seals_are_as_kept),
        cmocka_unit_test(ids_are_as_kept),      cmocka_unit_test(certificates_are_as_kept),
        cmocka_unit_test(frames_are_as_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
