/* SPDX-License-Identifier: MPL-2.0
 * Environments of commands, a variable a line: each is told in the manual. */
#include "nodes/worker/exec_environment.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/id.h"

static void put(struct exec_environment *environment, const char *name, const char *value)
{
    struct buffer *text = &environment->text;

    assert(environment->count < EXEC_VARIABLES);
    environment->at[environment->count++] = text->size;
    buffer_append(text, name, strlen(name));
    buffer_append(text, "=", 1);
    buffer_append(text, value, strlen(value) + 1);
}

static void put_number(struct exec_environment *environment, const char *name, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    put(environment, name, text);
}

static void put_id(struct exec_environment *environment, const char *name, const struct id *id)
{
    char text[ID_TEXT_SIZE];

    id_format(id, text);
    put(environment, name, text);
}

static void put_inherited(struct exec_environment *environment)
{
    static const char *const names[] = {"HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SHELL"};
    const char *path = getenv("PATH");

    put(environment, "PATH", path ? path : "/usr/local/bin:/usr/bin:/bin");
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);

        if (value) {
            put(environment, names[i], value);
        }
    }
}

/* The program `grove`, if this worker is one: a command need not find it by its PATH. */
static void put_program(struct exec_environment *environment)
{
    char path[PATH_MAX];
    const ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    const char *name;

    path[size > 0 ? size : 0] = '\0';
    name = strrchr(path, '/');
    if (name && strcmp(name, "/grove") == 0) {
        put(environment, "GROVE_BIN", path);
    }
}

/* Where we were started: relative paths of the operator's are from there. */
static void put_start(struct exec_environment *environment)
{
    char path[PATH_MAX];

    if (getcwd(path, sizeof(path))) {
        put(environment, "GROVE_WORKER_DIR", path);
    }
}

/* The text stays where it is now. */
static void list(struct exec_environment *environment)
{
    for (unsigned i = 0; i < environment->count; i++) {
        environment->list[i] = (const char *)environment->text.data + environment->at[i];
    }
    environment->list[environment->count] = NULL;
}

void exec_environment_of_function(struct exec_environment *environment,
                                  const struct function *function)
{
    put_inherited(environment);
    put_program(environment);
    put_start(environment);
    put(environment, "GROVE_FUNCTION", function->name);
    list(environment);
}

void exec_environment_of_attempt(struct exec_environment *environment,
                                 const struct grove_attempt *attempt,
                                 const struct exec_place *place)
{
    exec_environment_of_function(environment, attempt->function);
    put_id(environment, "GROVE_TASK_ID", &attempt->key.task);
    put_id(environment, "GROVE_ROOT_ID", &attempt->root);
    if (attempt->has_parent) {
        put_id(environment, "GROVE_PARENT_ID", &attempt->parent);
    }
    put(environment, "GROVE_CONTENT_TYPE", attempt->content_type);
    put_number(environment, "GROVE_ATTEMPT", attempt->key.attempt);
    put_number(environment, "GROVE_DEPTH", attempt->depth);
    if (attempt->deadline_ms > 0) {
        put_number(environment, "GROVE_DEADLINE_MS", attempt->deadline_ms);
    }
    put(environment, "GROVE_CHECKPOINT_FILE", place->checkpoint);
    put(environment, "GROVE_SOCK", place->socket);
    list(environment);
}

void exec_environment_clear(struct exec_environment *environment)
{
    buffer_clear(&environment->text);
}
