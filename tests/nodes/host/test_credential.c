/* SPDX-License-Identifier: MPL-2.0
 * Credentials and mesh keys on disk, in a directory of the test's own. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/host/credential.h"
#include "nodes/host/libraries.h"
#include "nodes/host/secret_file.h"

#define PATH_SIZE 128

struct fixture {
    char directory[64];
    char path[PATH_SIZE]; /* of the credential */
    struct signer mesh;
    struct credential made;
    char error[CREDENTIAL_ERROR_SIZE];
};

static void in_directory(const struct fixture *f, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", f->directory, name);
}

static void add_coordinator(struct fixture *f, const char *endpoint, uint32_t roles)
{
    const struct certificate wanted = {
        .name = "c1", .roles = roles, .not_before_ms = 1, .not_after_ms = 2};
    struct coordinator_address *address = &f->made.coordinator[f->made.coordinator_count++];
    struct credential coordinator;

    credential_make(&f->mesh, &wanted, &coordinator);
    snprintf(address->endpoint, sizeof(address->endpoint), "%s", endpoint);
    address->certificate = coordinator.certificate;
    address->certificate_bytes = coordinator.certificate_bytes;
    coordinator.certificate_bytes = (struct buffer){0};
    credential_clear(&coordinator);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct certificate wanted = {
        .name = "w1",
        .roles = ROLE_WORKER | ROLE_CLIENT,
        .submit_count = 1,
        .run_count = 2,
        .submit = {{"*"}},
        .run = {{"echo"}, {"media.*"}},
        .not_before_ms = 1000,
        .not_after_ms = UINT64_C(4000000000000),
    };

    assert_non_null(f);
    snprintf(f->directory, sizeof(f->directory), "/tmp/grove-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    in_directory(f, "w1.credential", f->path);
    crypto_sign_keypair(f->mesh.public_key.byte, f->mesh.secret);
    credential_make(&f->mesh, &wanted, &f->made);
    add_coordinator(f, "tcp://127.0.0.1:7310", ROLE_COORDINATOR);
    add_coordinator(f, "tcp://[::1]:7310", ROLE_COORDINATOR);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    DIR *directory = opendir(f->directory);
    const struct dirent *entry;

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        unlinkat(dirfd(directory), entry->d_name, 0);
        unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
    }
    closedir(directory);
    assert_int_equal(rmdir(f->directory), 0);
    credential_clear(&f->made);
    free(f);
    return 0;
}

static void save(struct fixture *f)
{
    assert_int_equal(credential_save(f->path, &f->made, f->error), GROVE_OK);
}

/* Loads what must be refused: nothing is written out, and the error names the file. */
static void expect_refused(struct fixture *f, const char *path, enum grove_status status)
{
    struct credential loaded, before;

    memset(&loaded, 0x5a, sizeof(loaded));
    before = loaded;
    f->error[0] = '\0';
    assert_int_equal(credential_load(path, &loaded, f->error), status);
    assert_memory_equal(&loaded, &before, sizeof(loaded));
    assert_non_null(strstr(f->error, path));
}

static void expect_same_keys(const struct credential *a, const struct credential *b)
{
    assert_memory_equal(&a->mesh, &b->mesh, sizeof(a->mesh));
    assert_memory_equal(a->signer, b->signer, sizeof(*a->signer));
    /* X25519 ignores five bits of a secret, so the public key is what counts. */
    assert_memory_equal(&a->link->public_key, &b->link->public_key, sizeof(struct key));
    assert_true(
        bytes_equal(buffer_bytes(&a->certificate_bytes), buffer_bytes(&b->certificate_bytes)));
    assert_int_equal(a->coordinator_count, b->coordinator_count);
    for (unsigned i = 0; i < a->coordinator_count; i++) {
        assert_true(bytes_equal(buffer_bytes(&a->coordinator[i].certificate_bytes),
                                buffer_bytes(&b->coordinator[i].certificate_bytes)));
    }
}

static size_t read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    const size_t got = fread(text, 1, size - 1, file);
    fclose(file);
    text[got] = '\0';
    return got;
}

static void write_text(const char *path, const char *text, size_t size)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

/* ---- credentials */

static void a_credential_comes_back_as_it_was_saved(void **state)
{
    struct fixture *f = *state;
    struct credential loaded;
    struct stat file;

    save(f);
    assert_int_equal(stat(f->path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    assert_int_equal(credential_load(f->path, &loaded, f->error), GROVE_OK);
    expect_same_keys(&loaded, &f->made);
    assert_string_equal(loaded.certificate.name, "w1");
    assert_int_equal(loaded.certificate.roles, ROLE_WORKER | ROLE_CLIENT);
    assert_string_equal(loaded.certificate.run[1].text, "media.*");
    assert_string_equal(loaded.coordinator[0].endpoint, "tcp://127.0.0.1:7310");
    assert_string_equal(loaded.coordinator[1].endpoint, "tcp://[::1]:7310");
    assert_int_equal(loaded.coordinator[1].certificate.roles, ROLE_COORDINATOR);
    credential_clear(&loaded);
}

static void keys_are_fresh_and_apart(void **state)
{
    struct fixture *f = *state;
    struct credential other;

    credential_make(&f->mesh, &f->made.certificate, &other);
    assert_memory_not_equal(other.signer, f->made.signer, sizeof(*other.signer));
    assert_memory_not_equal(other.link, f->made.link, sizeof(*other.link));
    assert_memory_not_equal(other.link->secret, other.signer->secret, 32);
    assert_memory_not_equal(&other.certificate.serial, &f->made.certificate.serial,
                            sizeof(struct id));
    credential_clear(&other);
}

static void saving_replaces_in_one_step_and_leaves_nothing_beside(void **state)
{
    struct fixture *f = *state;
    unsigned count = 0;

    save(f);
    save(f);
    DIR *directory = opendir(f->directory);
    assert_non_null(directory);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    assert_int_equal(count, 3); /* with . and .. */
}

static void a_missing_file_is_not_found(void **state)
{
    struct fixture *f = *state;

    expect_refused(f, f->path, GROVE_NOT_FOUND);
}

static void a_file_that_others_may_touch_is_refused(void **state)
{
    static const mode_t modes[] = {0604, 0602, 0601, 0640, 0620, 0644, 0666, 0777};
    struct fixture *f = *state;

    save(f);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(f->path, modes[i]), 0);
        expect_refused(f, f->path, GROVE_PERMISSION);
        assert_non_null(strstr(f->error, "0600"));
    }
}

static void a_symbolic_link_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    save(f);
    in_directory(f, "link", path);
    assert_int_equal(symlink(f->path, path), 0);
    expect_refused(f, path, GROVE_PERMISSION);
    assert_non_null(strstr(f->error, "symbolic link"));
}

static void a_second_name_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    save(f);
    in_directory(f, "again", path);
    assert_int_equal(link(f->path, path), 0);
    expect_refused(f, f->path, GROVE_PERMISSION);
}

static void what_is_no_regular_file_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    in_directory(f, "fifo", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused(f, path, GROVE_PERMISSION);
    in_directory(f, "directory", path);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused(f, path, GROVE_PERMISSION);
}

static void another_users_file_is_refused(void **state)
{
    struct fixture *f = *state;

    save(f);
    if (geteuid() != 0 || chown(f->path, 12345, 0) != 0) {
        skip();
    }
    expect_refused(f, f->path, GROVE_PERMISSION);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[16384], path[PATH_SIZE];

    add_coordinator(f, "tcp://127.0.0.1:7311", ROLE_COORDINATOR);
    f->made.coordinator_count = 0; /* else whole coordinators could be cut off unseen */
    save(f);
    const size_t size = read_text(f->path, text, sizeof(text));
    in_directory(f, "cut", path);
    for (size_t i = 0; i < size - 1; i++) {
        struct credential loaded;
        write_text(path, text, i);
        assert_int_not_equal(credential_load(path, &loaded, f->error), GROVE_OK);
    }
}

/* A flip is refused, or does not matter (in a comment, the case of a digit); it may change an
 * endpoint, whose server then has not the key that is pinned. */
static void no_flipped_bit_changes_keys_or_certificates(void **state)
{
    struct fixture *f = *state;
    char text[16384], path[PATH_SIZE];
    unsigned refused = 0;

    f->made.coordinator_count = 1;
    save(f);
    const size_t size = read_text(f->path, text, sizeof(text));
    in_directory(f, "flipped", path);
    for (size_t i = 0; i < 8 * size; i++) {
        struct credential loaded;
        const char before = text[i / 8];
        text[i / 8] = (char)(uint8_t)((uint8_t)before ^ 1U << i % 8);
        write_text(path, text, size);
        text[i / 8] = before;
        if (credential_load(path, &loaded, f->error) != GROVE_OK) {
            assert_non_null(strstr(f->error, path));
            refused++;
            continue;
        }
        expect_same_keys(&loaded, &f->made);
        credential_clear(&loaded);
    }
    assert_in_range(refused, 6 * size, 8 * size);
}

static void another_mesh_is_refused(void **state)
{
    struct fixture *f = *state;

    randombytes_buf(f->made.mesh.byte, sizeof(f->made.mesh.byte));
    save(f);
    expect_refused(f, f->path, GROVE_BAD_SIGNATURE);
}

static void another_nodes_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    struct credential other;

    credential_make(&f->mesh, &f->made.certificate, &other);
    struct signer *const signer = f->made.signer;
    struct link_pair *const link = f->made.link;
    f->made.signer = other.signer;
    save(f);
    expect_refused(f, f->path, GROVE_MALFORMED);
    f->made.signer = signer;
    f->made.link = other.link;
    save(f);
    expect_refused(f, f->path, GROVE_MALFORMED);
    f->made.link = link;
    credential_clear(&other);
}

/* ---- in memory */

enum act { ACT_READ, ACT_WRITE, ACT_LOOK };

/* What becomes of a child that does this: 0, 1 when it saw more than zeros, or a signal. */
static int try_in_child(volatile uint8_t *at, size_t size, enum act act)
{
    int status = -1;
    const pid_t child = fork();

    if (child == 0) {
        bool saw_something = false;

        signal(SIGSEGV, SIG_DFL);
        for (size_t i = 0; i < size && act != ACT_WRITE; i++) {
            saw_something |= at[i] != 0;
        }
        if (act == ACT_WRITE) {
            at[0] = 1;
        }
        _exit(act == ACT_LOOK && saw_something);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void expect_guarded(void *secret, size_t size)
{
    uint8_t *const bytes = secret;

    assert_false(sodium_is_zero(bytes, size));
    assert_int_equal(try_in_child(bytes, size, ACT_WRITE), SIGSEGV);
    assert_int_equal(try_in_child(bytes + size, 1, ACT_READ), SIGSEGV);
    assert_int_equal(try_in_child(bytes, size, ACT_LOOK), 0);
}

/* KiB of this process that cannot be swapped out. */
static long locked_kib(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    long kib = -1;

    assert_non_null(file);
    while (kib < 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmLck:", 6) == 0) {
            kib = strtol(line + 6, NULL, 10);
        }
    }
    fclose(file);
    return kib;
}

/* Whether this process may lock memory, and does: AddressSanitizer only says so. */
static bool can_lock(void)
{
    const long before = locked_kib();
    uint8_t *const page = aligned_alloc(4096, 4096);
    bool is_locked;

    assert_non_null(page);
    is_locked = mlock(page, 4096) == 0 && locked_kib() > before;
    munlock(page, 4096);
    free(page);
    return is_locked;
}

/* Only to be read, with nothing beside them, unseen by children, gone when they are cleared. */
static void secrets_are_guarded(void **state)
{
    struct fixture *f = *state;
    struct credential loaded;
    const long before = locked_kib();

    save(f);
    assert_int_equal(credential_load(f->path, &loaded, f->error), GROVE_OK);
    struct signer *const signer = loaded.signer;
    expect_guarded(loaded.signer, sizeof(*loaded.signer));
    expect_guarded(loaded.link, sizeof(*loaded.link));
    expect_guarded(f->made.signer, sizeof(*f->made.signer));
    assert_true(!can_lock() || locked_kib() >= before + 8);
    credential_clear(&loaded);
    assert_int_equal(try_in_child(signer->secret, sizeof(signer->secret), ACT_READ), SIGSEGV);
}

static void a_coordinator_must_be_one(void **state)
{
    struct fixture *f = *state;

    add_coordinator(f, "tcp://127.0.0.1:7311", ROLE_WORKER);
    save(f);
    expect_refused(f, f->path, GROVE_DENIED);
    assert_non_null(strstr(f->error, "tcp://127.0.0.1:7311"));
}

static void a_wrong_line_is_named(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"[credential]\nversion = 1\ncolour = green\n", ":3: \"colour\": unknown key"},
        {"[credentials]\nversion = 1\n", ":2: \"version\": in an unknown section"},
        {"version = 1\n", ":1: \"version\": in an unknown section"},
        {"[credential]\nversion = 2\n", ":2: \"version\": another version"},
        {"[credential]\nversion = 1\nversion = 1\n", ":3: \"version\": given twice"},
        {"[credential]\nmesh = 00\n", ":2: \"mesh\": not as many"},
        {"[credential]\n\nnonsense\n", ":3: not of the form"},
        {"[credential]\nco\x1blour = 1\n", ":2: \"co\\x1blour\": unknown key"},
        {"[coordinator]\ncertificate = AAAA\n", ":2: \"certificate\": before its endpoint"},
        {"[coordinator]\nendpoint = ipc:///tmp/x\n", ":2: \"endpoint\": not of the form"},
        {"[credential]\nversion = 1\n", ": version, mesh, sign or link is missing"},
        {"", ": version, mesh, sign or link is missing"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_text(f->path, cases[i].text, strlen(cases[i].text));
        expect_refused(f, f->path, GROVE_MALFORMED);
        assert_non_null(strstr(f->error, cases[i].expected));
    }
    write_text(f->path, "[credential]\n\0x", 15);
    expect_refused(f, f->path, GROVE_MALFORMED);
}

static void a_file_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(SECRET_FILE_SIZE + 1);

    assert_non_null(text);
    memset(text, '#', SECRET_FILE_SIZE + 1);
    write_text(f->path, text, SECRET_FILE_SIZE + 1);
    expect_refused(f, f->path, GROVE_TOO_LARGE);
    write_text(f->path, text, SECRET_FILE_SIZE);
    expect_refused(f, f->path, GROVE_MALFORMED);
    free(text);
}

static void what_cannot_be_written_says_why(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    in_directory(f, "nowhere/w1.credential", path);
    assert_int_equal(credential_save(path, &f->made, f->error), GROVE_NOT_FOUND);
    assert_non_null(strstr(f->error, path));
}

static void clearing_wipes_the_secrets(void **state)
{
    struct fixture *f = *state;
    static const struct credential zero;

    credential_clear(&f->made);
    assert_memory_equal(&f->made, &zero, sizeof(zero));
    credential_clear(&f->made);
    credential_clear(NULL);
}

/* ---- the mesh key */

static void a_plain_mesh_key_comes_back(void **state)
{
    struct fixture *f = *state;
    struct signer made, loaded;
    char path[PATH_SIZE];

    in_directory(f, "mesh.key", path);
    assert_int_equal(mesh_key_create(path, NULL, &made, f->error), GROVE_OK);
    assert_false(mesh_key_is_sealed(path));
    assert_int_equal(mesh_key_load(path, NULL, &loaded, f->error), GROVE_OK);
    assert_memory_equal(&loaded, &made, sizeof(made));
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(mesh_key_load(path, NULL, &loaded, f->error), GROVE_PERMISSION);
}

static void a_sealed_mesh_key_needs_its_passphrase(void **state)
{
    struct fixture *f = *state;
    struct signer made, loaded, before;
    char path[PATH_SIZE], text[4096], seed[65];

    in_directory(f, "mesh.key", path);
    assert_int_equal(mesh_key_create(path, "correct horse", &made, f->error), GROVE_OK);
    assert_true(mesh_key_is_sealed(path));
    read_text(path, text, sizeof(text));
    sodium_bin2hex(seed, sizeof(seed), made.secret, 32);
    assert_null(strstr(text, seed));

    memset(&loaded, 0x5a, sizeof(loaded));
    before = loaded;
    assert_int_equal(mesh_key_load(path, "battery staple", &loaded, f->error), GROVE_DENIED);
    assert_int_equal(mesh_key_load(path, NULL, &loaded, f->error), GROVE_DENIED);
    assert_memory_equal(&loaded, &before, sizeof(loaded));
    assert_non_null(strstr(f->error, path));
    assert_int_equal(mesh_key_load(path, "correct horse", &loaded, f->error), GROVE_OK);
    assert_memory_equal(&loaded, &made, sizeof(made));
}

static void a_mesh_key_is_never_written_over(void **state)
{
    struct fixture *f = *state;
    struct signer first, second, loaded;
    char path[PATH_SIZE];

    in_directory(f, "mesh.key", path);
    assert_int_equal(mesh_key_create(path, NULL, &first, f->error), GROVE_OK);
    memset(&second, 0x5a, sizeof(second));
    const struct signer before = second;
    assert_int_equal(mesh_key_create(path, NULL, &second, f->error), GROVE_CONFLICT);
    assert_memory_equal(&second, &before, sizeof(second));
    assert_int_equal(mesh_key_load(path, NULL, &loaded, f->error), GROVE_OK);
    assert_memory_equal(&loaded, &first, sizeof(first));
}

static void half_a_mesh_key_is_refused(void **state)
{
    struct fixture *f = *state;
    struct signer loaded;
    char path[PATH_SIZE], text[4096];

    in_directory(f, "mesh.key", path);
    assert_int_equal(mesh_key_create(path, NULL, &loaded, f->error), GROVE_OK);
    read_text(path, text, sizeof(text));
    char *seed = strstr(text, "seed");
    assert_non_null(seed);
    seed[7] = seed[7] == '0' ? '1' : '0';
    write_text(path, text, strlen(text));
    assert_int_equal(mesh_key_load(path, NULL, &loaded, f->error), GROVE_MALFORMED);
    write_text(path, text, (size_t)(seed - text));
    assert_int_equal(mesh_key_load(path, NULL, &loaded, f->error), GROVE_MALFORMED);
}

/* ---- where it is */

static void the_credential_named_wins_over_the_environment(void **state)
{
    struct fixture *f = *state;
    char found[PATH_MAX], expected[PATH_SIZE];

    setenv("GROVE_CREDENTIAL", "/of/the/environment", 1);
    setenv("XDG_RUNTIME_DIR", f->directory, 1);
    assert_int_equal(credential_find("/given", found), GROVE_OK);
    assert_string_equal(found, "/given");
    assert_int_equal(credential_find(NULL, found), GROVE_OK);
    assert_string_equal(found, "/of/the/environment");
    unsetenv("GROVE_CREDENTIAL");
    assert_int_equal(credential_find(NULL, found), GROVE_OK);
    in_directory(f, "grove/dev.credential", expected);
    assert_string_equal(found, expected);
    unsetenv("XDG_RUNTIME_DIR");
}

static void the_temporary_directory_stands_in(void **state)
{
    struct fixture *f = *state;
    char found[PATH_MAX], expected[2 * PATH_SIZE], directory[PATH_SIZE + 32];
    struct stat made;

    unsetenv("XDG_RUNTIME_DIR");
    setenv("TMPDIR", f->directory, 1);
    snprintf(directory, sizeof(directory), "%s/grove-%u", f->directory, (unsigned)geteuid());
    snprintf(expected, sizeof(expected), "%s/dev.credential", directory);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(credential_dev_path(found, f->error), GROVE_OK);
        assert_string_equal(found, expected);
    }
    assert_int_equal(stat(directory, &made), 0);
    assert_int_equal(made.st_mode & 07777, 0700);

    assert_int_equal(chmod(directory, 0755), 0);
    assert_int_equal(credential_dev_path(found, f->error), GROVE_PERMISSION);
    assert_non_null(strstr(f->error, directory));
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(symlink("/tmp", directory), 0);
    assert_int_equal(credential_dev_path(found, f->error), GROVE_PERMISSION);
    unsetenv("TMPDIR");
}

static void the_libraries_are_fit(void **state)
{
    (void)state;
    assert_int_equal(host_check_libraries(), GROVE_OK);
}

int main(void)
{
#define FILE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_libraries_are_fit),
        FILE_TEST(a_credential_comes_back_as_it_was_saved),
        FILE_TEST(keys_are_fresh_and_apart),
        FILE_TEST(saving_replaces_in_one_step_and_leaves_nothing_beside),
        FILE_TEST(a_missing_file_is_not_found),
        FILE_TEST(a_file_that_others_may_touch_is_refused),
        FILE_TEST(a_symbolic_link_is_refused),
        FILE_TEST(secrets_are_guarded),
        FILE_TEST(a_second_name_is_refused),
        FILE_TEST(what_is_no_regular_file_is_refused),
        FILE_TEST(another_users_file_is_refused),
        FILE_TEST(a_file_cut_anywhere_is_refused),
        FILE_TEST(no_flipped_bit_changes_keys_or_certificates),
        FILE_TEST(another_mesh_is_refused),
        FILE_TEST(another_nodes_certificate_is_refused),
        FILE_TEST(a_coordinator_must_be_one),
        FILE_TEST(a_wrong_line_is_named),
        FILE_TEST(a_file_too_large_is_refused),
        FILE_TEST(what_cannot_be_written_says_why),
        FILE_TEST(clearing_wipes_the_secrets),
        FILE_TEST(a_plain_mesh_key_comes_back),
        FILE_TEST(a_sealed_mesh_key_needs_its_passphrase),
        FILE_TEST(a_mesh_key_is_never_written_over),
        FILE_TEST(half_a_mesh_key_is_refused),
        FILE_TEST(the_credential_named_wins_over_the_environment),
        FILE_TEST(the_temporary_directory_stands_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
