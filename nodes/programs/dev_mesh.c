/* SPDX-License-Identifier: MPL-2.0
 * The identities of a `grove dev`. */
#include "nodes/programs/dev_mesh.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/host/secret.h"

#define GOOD_FOR_MS (UINT64_C(10) * 365 * 24 * 3600 * 1000)

static const struct {
    const char *name;
    uint32_t roles;
    bool submits, runs;
} parts[DEV_PARTS] = {
    [DEV_COORDINATOR] = {"c1", ROLE_COORDINATOR, false, false},
    [DEV_WORKER] = {"worker", ROLE_WORKER, true, true},
    [DEV_USER] = {"dev", ROLE_CLIENT | ROLE_OBSERVER | ROLE_WORKER | ROLE_OPERATOR, true, true},
};

void dev_mesh_path(const struct dev_mesh *mesh, const char *name, char path[PATH_MAX])
{
    const int size = snprintf(path, PATH_MAX, "%s/%s", mesh->directory, name);

    if (size < 0 || size >= PATH_MAX) {
        path[0] = '\0'; /* dev_mesh_open leaves room, so it does not come to this */
    }
}

void dev_mesh_credential_path(const struct dev_mesh *mesh, enum dev_part part, char path[PATH_MAX])
{
    char name[64];

    snprintf(name, sizeof(name), "%s.credential", parts[part].name);
    dev_mesh_path(mesh, name, path);
}

/* ---- opening */

static enum exit_code make_directory(struct dev_mesh *mesh, const char *directory)
{
    const char *temporary = getenv("TMPDIR");
    char template[PATH_MAX];

    mesh->is_temporary = directory == NULL;
    if (mesh->is_temporary) {
        snprintf(template, sizeof(template), "%s/grove-dev.XXXXXX",
                 temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
        directory = mkdtemp(template);
    } else if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        directory = NULL;
    }
    if (directory == NULL || realpath(directory, mesh->directory) == NULL ||
        strlen(mesh->directory) > PATH_MAX - 64) {
        complain("dev: cannot make a directory: %s", strerror(errno));
        mesh->directory[0] = '\0';
        return EXIT_SYSTEM;
    }
    return EXIT_DONE;
}

static void make(const struct signer *key, struct certificate *wanted, struct credential *made)
{
    wanted->not_before_ms = clock_unix_ms() - 60000;
    wanted->not_after_ms = wanted->not_before_ms + GOOD_FOR_MS;
    credential_make(key, wanted, made);
}

void dev_mesh_make(const struct signer *key, const char *name, uint32_t roles,
                   struct credential *made)
{
    struct certificate wanted = {.roles = roles};

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    make(key, &wanted, made);
}

static void make_part(const struct signer *key, enum dev_part part, struct credential *made)
{
    struct certificate wanted = {.roles = parts[part].roles};

    snprintf(wanted.name, sizeof(wanted.name), "%s", parts[part].name);
    wanted.submit_count = parts[part].submits;
    wanted.run_count = parts[part].runs;
    snprintf(wanted.submit[0].text, sizeof(wanted.submit[0].text), "*");
    snprintf(wanted.run[0].text, sizeof(wanted.run[0].text), "*");
    make(key, &wanted, made);
}

static enum exit_code make_parts(struct dev_mesh *mesh)
{
    char path[PATH_MAX], error[CREDENTIAL_ERROR_SIZE];
    struct signer *key = secret_create(sizeof(*key));
    enum grove_status status;

    dev_mesh_path(mesh, "mesh.key", path);
    status = access(path, F_OK) == 0 ? mesh_key_load(path, NULL, key, error)
                                     : mesh_key_create(path, NULL, key, error);
    if (status != GROVE_OK) {
        complain("dev: %s", error);
    } else {
        for (unsigned i = 0; i < DEV_PARTS; i++) {
            make_part(key, (enum dev_part)i, &mesh->part[i]);
        }
        mesh->is_new = true;
    }
    secret_destroy(key);
    return exit_of_status(status);
}

static enum exit_code load_parts(struct dev_mesh *mesh)
{
    char path[PATH_MAX], error[CREDENTIAL_ERROR_SIZE];

    for (unsigned i = 0; i < DEV_PARTS; i++) {
        dev_mesh_credential_path(mesh, (enum dev_part)i, path);
        const enum grove_status status = credential_load(path, &mesh->part[i], error);

        if (status != GROVE_OK) {
            complain("dev: %s", error);
            return exit_of_status(status);
        }
    }
    return EXIT_DONE;
}

enum exit_code dev_mesh_open(const char *directory, struct dev_mesh *mesh)
{
    char path[PATH_MAX];

    memset(mesh, 0, sizeof(*mesh));
    const enum exit_code code = make_directory(mesh, directory);

    if (code != EXIT_DONE) {
        return code;
    }
    /* The user's is written last: where it is, the others are. */
    dev_mesh_credential_path(mesh, DEV_USER, path);
    return access(path, F_OK) == 0 ? load_parts(mesh) : make_parts(mesh);
}

/* ---- publishing */

static enum exit_code save(const char *path, const struct credential *credential)
{
    char error[CREDENTIAL_ERROR_SIZE];
    const enum grove_status status = credential_save(path, credential, error);

    if (status != GROVE_OK) {
        complain("dev: %s", error);
    }
    return exit_of_status(status);
}

static void set_places(struct credential *credential, const struct dev_places *places)
{
    credential->coordinator_count = places->count;
    for (unsigned i = 0; i < places->count; i++) {
        struct coordinator_address *address = &credential->coordinator[i];
        const struct credential *coordinator = places->credential[i];

        snprintf(address->endpoint, sizeof(address->endpoint), "%s", places->endpoint[i]);
        address->certificate = coordinator->certificate;
        buffer_reset(&address->certificate_bytes);
        buffer_append(&address->certificate_bytes, coordinator->certificate_bytes.data,
                      coordinator->certificate_bytes.size);
    }
}

static bool has_moved(const struct dev_mesh *mesh, const struct dev_places *places)
{
    const struct credential *user = &mesh->part[DEV_USER];
    bool moved = mesh->is_new || user->coordinator_count != places->count;

    for (unsigned i = 0; i < places->count && !moved; i++) {
        moved = strcmp(user->coordinator[i].endpoint, places->endpoint[i]) != 0;
    }
    return moved;
}

/* The user's last. */
static enum exit_code save_all(struct dev_mesh *mesh, const struct dev_places *places)
{
    char path[PATH_MAX], name[80];
    enum exit_code code = EXIT_DONE;

    for (unsigned i = 1; i < places->count && code == EXIT_DONE; i++) {
        set_places(places->credential[i], places);
        snprintf(name, sizeof(name), "%s.credential", places->credential[i]->certificate.name);
        dev_mesh_path(mesh, name, path);
        code = save(path, places->credential[i]);
    }
    for (unsigned i = 0; i < DEV_PARTS && code == EXIT_DONE; i++) {
        set_places(&mesh->part[i], places);
        dev_mesh_credential_path(mesh, (enum dev_part)i, path);
        code = save(path, &mesh->part[i]);
    }
    return code;
}

enum exit_code dev_mesh_publish(struct dev_mesh *mesh, const struct dev_places *places)
{
    char path[PATH_MAX], error[CREDENTIAL_ERROR_SIZE];
    enum exit_code code = has_moved(mesh, places) ? save_all(mesh, places) : EXIT_DONE;

    if (code != EXIT_DONE) {
        return code;
    }
    const enum grove_status status = credential_dev_path(path, error);

    if (status != GROVE_OK) {
        complain("dev: %s", error);
        return exit_of_status(status);
    }
    code = save(path, &mesh->part[DEV_USER]);
    if (code == EXIT_DONE) {
        memcpy(mesh->published, path, sizeof(path));
    }
    return code;
}

/* ---- closing */

static void unpublish(const struct dev_mesh *mesh)
{
    struct credential there;
    char error[CREDENTIAL_ERROR_SIZE];

    if (mesh->published[0] == '\0' || credential_load(mesh->published, &there, error) != GROVE_OK) {
        return;
    }
    if (key_equal(&there.signer->public_key, &mesh->part[DEV_USER].signer->public_key)) {
        unlink(mesh->published);
    }
    credential_clear(&there);
}

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *at)
{
    (void)about;
    (void)type;
    (void)at;
    return remove(path);
}

void dev_mesh_close(struct dev_mesh *mesh)
{
    unpublish(mesh);
    if (mesh->is_temporary && mesh->directory[0] != '\0') {
        nftw(mesh->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
    for (unsigned i = 0; i < DEV_PARTS; i++) {
        credential_clear(&mesh->part[i]);
    }
}
