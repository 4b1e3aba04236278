/* SPDX-License-Identifier: MPL-2.0
 * Ids: what changes them, what does not, how they read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/id.h"
#include "core/purpose.h"
#include "tests/support/samples.h"

static const char *const purposes[] = {PURPOSE_SEAL, PURPOSE_CERTIFICATE, PURPOSE_REVOCATION,
                                       PURPOSE_ROOT, PURPOSE_CHILD,       PURPOSE_REQUEST};

static struct id id_of(const struct task_item *item)
{
    const struct key signer = sample_signer(2).public_key;
    const struct digest payload = digest_of(item->payload);

    return id_of_task(item, &signer, &payload);
}

static bool same_id(const struct task_item *a, const struct task_item *b)
{
    const struct id id_a = id_of(a);
    const struct id id_b = id_of(b);

    return id_equal(&id_a, &id_b);
}

/* With its NUL, as it is hashed, so that "a" is no prefix of "ab". */
static void no_purpose_is_a_prefix_of_another(void **state)
{
    const size_t count = sizeof(purposes) / sizeof(purposes[0]);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(purposes[i][0], '\0');
        for (size_t j = 0; j < count; j++) {
            assert_true(i == j || strncmp(purposes[i], purposes[j], strlen(purposes[i])) != 0);
        }
    }
}

static void a_root_is_named_by_its_signer_and_nonce(void **state)
{
    const struct key other = sample_signer(3).public_key;
    const struct task_item root = sample_root(1);
    const struct task_item second = sample_root(2);
    const struct digest payload = digest_of(root.payload);
    struct task_item changed = root;

    (void)state;
    assert_false(same_id(&root, &second));
    struct id mine = id_of(&root);
    struct id theirs = id_of_task(&root, &other, &payload);
    assert_false(id_equal(&mine, &theirs));
    changed.payload = bytes_of_text("other");
    changed.function = bytes_of_text("other");
    assert_true(same_id(&root, &changed));
}

static void a_root_with_a_key_is_named_by_the_key(void **state)
{
    struct task_item first = sample_root(1);
    struct task_item second = sample_root(2);

    (void)state;
    first.key = second.key = bytes_of_text("order-17");
    assert_true(same_id(&first, &second));
    second.key = bytes_of_text("order-18");
    assert_false(same_id(&first, &second));
    /* A key that equals a nonce is still no nonce. */
    second = sample_root(1);
    first.key = bytes_of(second.nonce, sizeof(second.nonce));
    assert_false(same_id(&first, &second));
}

static void a_child_is_named_by_parent_generation_and_request(void **state)
{
    struct task_item child = sample_child(1);
    struct task_item other;

    (void)state;
    child.key = (struct bytes){0};
    other = child;
    memset(other.nonce, 9, sizeof(other.nonce));
    other.lineage.attempt++;
    other.lineage.root.byte[0]++;
    assert_true(same_id(&child, &other));
#define CHANGES(change)                                                                            \
    do {                                                                                           \
        other = child;                                                                             \
        change;                                                                                    \
        assert_false(same_id(&child, &other));                                                     \
    } while (0)
    CHANGES(other.lineage.parent.byte[15] ^= 1);
    CHANGES(other.lineage.generation++);
    CHANGES(other.lineage.occurrence++);
    CHANGES(other.lineage.join_kind++);
    CHANGES(other.lineage.join_position++);
    CHANGES(other.function = bytes_of_text("stepp"));
    CHANGES(other.payload = bytes_of_text("8"));
    CHANGES(other.key = bytes_of_text("k"));
    CHANGES(other.lineage.present = false);
#undef CHANGES
}

static void a_childs_key_takes_the_place_of_its_content(void **state)
{
    const struct task_item child = sample_child(1);
    struct task_item other = child;

    (void)state;
    other.function = bytes_of_text("other");
    other.payload = bytes_of_text("other");
    other.lineage.occurrence++;
    assert_true(same_id(&child, &other));
    other.lineage.generation++;
    assert_false(same_id(&child, &other));
}

static void reads_what_it_wrote(void **state)
{
    const struct task_item item = sample_root(1);
    const struct id id = id_of(&item);
    struct id read = {{0}};
    char text[ID_TEXT_SIZE];

    (void)state;
    id_format(&id, text);
    assert_int_equal(strlen(text), 32);
    assert_true(id_parse(text, &read));
    assert_true(id_equal(&id, &read));
}

static void refuses_what_is_no_id(void **state)
{
    static const char *const texts[] = {"",
                                        "00",
                                        "0123456789abcdef0123456789abcde",
                                        "0123456789abcdef0123456789abcdef0",
                                        "0123456789abcdef0123456789abcdeg",
                                        "0123456789abcdef 123456789abcdef"};
    struct id id = {{42}};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(id_parse(texts[i], &id));
        assert_int_equal(id.byte[0], 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_purpose_is_a_prefix_of_another),
        cmocka_unit_test(a_root_is_named_by_its_signer_and_nonce),
        cmocka_unit_test(a_root_with_a_key_is_named_by_the_key),
        cmocka_unit_test(a_child_is_named_by_parent_generation_and_request),
        cmocka_unit_test(a_childs_key_takes_the_place_of_its_content),
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(refuses_what_is_no_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
