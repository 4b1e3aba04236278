/* SPDX-License-Identifier: MPL-2.0
 * Directories of commands: read once, when the worker starts. */
#include "nodes/programs/exec_directory.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/item.h"

/* A path as a word of sh, to be run in the place of the shell. */
static char *command_of(const char *path)
{
    char *command = malloc(4 * strlen(path) + sizeof("exec ''"));
    char *at = command;

    if (command == NULL) {
        abort();
    }
    at = stpcpy(at, "exec '");
    for (; *path != '\0'; path++) {
        if (*path == '\'') {
            at = stpcpy(at, "'\\''");
        } else {
            *at++ = *path;
        }
    }
    (void)stpcpy(at, "'");
    return command;
}

static bool is_executable(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode) && access(path, X_OK) == 0;
}

static enum exit_code add(struct exec_directory *directory, const char *path, const char *name)
{
    char full[PATH_MAX];
    struct executable *added = &directory->list[directory->count];

    if (name[0] == '.' || name[strlen(name) - 1] == '~') {
        return EXIT_DONE;
    }
    if (snprintf(full, sizeof(full), "%s/%s", path, name) >= (int)sizeof(full) ||
        !is_executable(full)) {
        return EXIT_DONE;
    }
    if (!wire_function_is_valid(bytes_of_text(name))) {
        complain("--exec-dir %s: '%s' is passed over: a function is named [a-z0-9._-]{1,63}", path,
                 name);
        return EXIT_DONE;
    }
    if (directory->count == LIMIT_FUNCTIONS) {
        complain("--exec-dir %s: more than %u functions", path, LIMIT_FUNCTIONS);
        return EXIT_USAGE;
    }
    memcpy(added->name, name, strlen(name) + 1); /* it is valid, so it fits */
    added->command = command_of(full);
    directory->count++;
    return EXIT_DONE;
}

enum exit_code exec_directory_read(const char *path, struct exec_directory *directory)
{
    char full[PATH_MAX];
    struct dirent **entries = NULL;
    enum exit_code code = EXIT_DONE;
    const int count = realpath(path, full) != NULL ? scandir(full, &entries, NULL, alphasort) : -1;

    directory->count = 0;
    if (count < 0) {
        complain("--exec-dir %s: %s", path, strerrordesc_np(errno));
        return EXIT_USAGE;
    }
    for (int i = 0; i < count; i++) {
        if (code == EXIT_DONE) {
            code = add(directory, full, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    if (code == EXIT_DONE && directory->count == 0) {
        complain("--exec-dir %s: no executable file in it", path);
        code = EXIT_USAGE;
    }
    return code;
}

void exec_directory_clear(struct exec_directory *directory)
{
    for (size_t i = 0; i < directory->count; i++) {
        free(directory->list[i].command);
    }
    directory->count = 0;
}
