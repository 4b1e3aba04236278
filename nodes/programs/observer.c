/* SPDX-License-Identifier: MPL-2.0
 * A connection to a coordinator's stats socket, which is one port above its task socket. */
#include "nodes/programs/observer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/client/session.h"
#include "nodes/host/clock.h"
#include "nodes/host/credential.h"

#define TICK_MS 5u
#define ASK_AGAIN_MS 2000u
#define NEXT_MS 300u         /* not connected to one */
#define AT_PATIENCE_MS 1000u /* for one that may be down */
#define REQUEST_SIZE 256

struct observer {
    char path[PATH_MAX];
    char endpoint[140];
    struct key server;
    unsigned coordinator; /* of the credential's list */
    bool is_fixed;        /* asks that one alone */
    bool is_quiet;
    struct credential credential;
    struct bus *bus;
    struct bus_socket *socket;
    const char *request;
    uint64_t asked_ms, until_ms; /* monotonic; asked_ms 0: it is still to be sent */
    uint64_t connected_ms;
    json_t *answer;
};

static void receive(void *context, const struct bus_message *message)
{
    struct observer *observer = context;

    if (message->status != GROVE_OK || observer->request == NULL || observer->answer != NULL) {
        return;
    }
    const struct bytes bytes = bus_frame_bytes(message->frame);

    observer->answer = json_loadb((const char *)bytes.data, bytes.size, 0, NULL);
    if (observer->answer == NULL) {
        observer->answer = json_stringn((const char *)bytes.data, bytes.size);
    }
    bus_stop(observer->bus);
}

/* tcp://HOST:P to tcp://HOST:P+1. */
static bool set_endpoint(struct observer *observer, const char *tasks)
{
    const char *colon = strrchr(tasks, ':');

    if (colon == NULL) {
        return false;
    }
    snprintf(observer->endpoint, sizeof(observer->endpoint), "%.*s:%ld", (int)(colon - tasks),
             tasks, strtol(colon + 1, NULL, 10) + 1);
    return true;
}

static bool choose(struct observer *observer)
{
    const struct coordinator_address *address =
        &observer->credential.coordinator[observer->coordinator];

    observer->server = address->certificate.link_key;
    return observer->credential.coordinator_count > 0 && set_endpoint(observer, address->endpoint);
}

/* On a new connection no late answer to an earlier request can come. */
static void reconnect(struct observer *observer)
{
    bus_close(observer->bus, observer->socket);
    observer->socket = NULL;
    observer->asked_ms = 0;
    observer->connected_ms = clock_monotonic_ms();
    if (bus_connect(observer->bus, observer->endpoint, &observer->server, observer->credential.link,
                    receive, observer, &observer->socket) != GROVE_OK) {
        observer->until_ms = 0;
    }
}

/* Any of them answers; of those that nobody answers for, the next. */
static void try_next(struct observer *observer)
{
    const unsigned count = observer->credential.coordinator_count;

    if (!observer->is_fixed && count > 1) {
        observer->coordinator = (observer->coordinator + 1) % count;
        choose(observer);
        reconnect(observer);
    }
}

static void send_request(struct observer *observer)
{
    if (bus_send(observer->socket, NULL, NULL, bytes_of_text(observer->request)) == GROVE_OK) {
        observer->asked_ms = clock_monotonic_ms();
    }
}

static void tick(void *context)
{
    struct observer *observer = context;
    const uint64_t now_ms = clock_monotonic_ms();

    if (now_ms >= observer->until_ms || bus_handshake(observer->socket) == BUS_REFUSED) {
        bus_stop(observer->bus);
        return;
    }
    if (observer->asked_ms == 0) {
        send_request(observer);
    }
    if (observer->asked_ms == 0 && now_ms - observer->connected_ms >= NEXT_MS) {
        try_next(observer);
    }
    if (observer->asked_ms != 0 && now_ms - observer->asked_ms >= ASK_AGAIN_MS) {
        reconnect(observer);
    }
}

static enum exit_code load(struct observer *observer)
{
    char error[CREDENTIAL_ERROR_SIZE];
    const enum grove_status status = credential_load(observer->path, &observer->credential, error);

    if (status != GROVE_OK) {
        complain("%s", error);
        return exit_of_status(status);
    }
    if ((observer->credential.certificate.roles & (ROLE_OBSERVER | ROLE_OPERATOR)) == 0) {
        complain("%s is no observer: it may not ask for statistics", observer->path);
        return EXIT_REFUSED;
    }
    if (!choose(observer)) {
        complain("%s names no coordinator", observer->path);
        return EXIT_NO_LEADER;
    }
    return EXIT_DONE;
}

struct observer *observer_open(const char *path, enum exit_code *code)
{
    struct observer *observer = calloc(1, sizeof(*observer));

    if (observer == NULL) {
        abort();
    }
    snprintf(observer->path, sizeof(observer->path), "%s", path);
    *code = load(observer);
    if (*code == EXIT_DONE) {
        observer->bus = bus_create(0);
        if (bus_every(observer->bus, TICK_MS, tick, observer) != GROVE_OK) {
            abort();
        }
        reconnect(observer);
        return observer;
    }
    observer_close(observer);
    return NULL;
}

void observer_close(struct observer *observer)
{
    if (observer == NULL) {
        return;
    }
    bus_destroy(observer->bus);
    credential_clear(&observer->credential);
    free(observer);
}

void observer_set_quiet(struct observer *observer, bool is_quiet)
{
    observer->is_quiet = is_quiet;
}

static enum exit_code judge(const json_t *answer, const char *error)
{
    if (json_object_get(answer, "reason") != NULL) {
        return EXIT_REFUSED;
    }
    if (strcmp(error, "not found") == 0 || strcmp(error, "forgotten") == 0) {
        return EXIT_NOT_FOUND;
    }
    return EXIT_USAGE;
}

static enum exit_code nobody_answered(struct observer *observer)
{
    char error[SESSION_ERROR_SIZE];
    const enum grove_status status =
        session_why(bus_handshake(observer->socket), observer->endpoint, observer->path, error);

    if (!observer->is_quiet) {
        complain("%s", error);
    }
    reconnect(observer);
    return status == GROVE_NO_LEADER ? EXIT_NO_LEADER : EXIT_REFUSED;
}

static void ask(struct observer *observer, const char *request, uint32_t patience_ms)
{
    observer->request = request;
    observer->answer = NULL;
    observer->asked_ms = 0;
    observer->until_ms = clock_monotonic_ms() + patience_ms;
    send_request(observer);
    bus_run(observer->bus);
    observer->request = NULL;
}

json_t *observer_ask_at(struct observer *observer, const char *tasks, const struct key *server,
                        const char *request)
{
    observer->is_fixed = true;
    observer->server = *server;
    if (!set_endpoint(observer, tasks)) {
        return NULL;
    }
    reconnect(observer);
    ask(observer, request, AT_PATIENCE_MS);
    return observer->answer;
}

/* NULL, and not a word, when nobody answers in time, or only with an error. */
static json_t *ask_quietly(struct observer *observer, const char *request, uint32_t patience_ms)
{
    ask(observer, request, patience_ms);
    if (json_object_get(observer->answer, "error") != NULL &&
        json_object_get(observer->answer, "id") == NULL) {
        json_decref(observer->answer);
        return NULL;
    }
    return observer->answer;
}

json_t *observer_try(struct observer *observer, const char *request)
{
    return ask_quietly(observer, request, AT_PATIENCE_MS);
}

enum exit_code observer_ask(struct observer *observer, const char *request, json_t **answer)
{
    ask(observer, request, observer->is_quiet ? AT_PATIENCE_MS : CONNECT_PATIENCE_MS);
    if (observer->answer == NULL) {
        return nobody_answered(observer);
    }
    const char *error = json_string_value(json_object_get(observer->answer, "error"));

    if (error != NULL && json_object_get(observer->answer, "id") == NULL) {
        const enum exit_code code = judge(observer->answer, error);

        if (!observer->is_quiet) {
            complain_of(request, error);
        }
        json_decref(observer->answer);
        return code;
    }
    *answer = observer->answer;
    return EXIT_DONE;
}

enum exit_code observer_tree(struct observer *observer, const char *id, json_t **tree)
{
    char request[REQUEST_SIZE];
    json_t *page;

    snprintf(request, sizeof(request), "tree %.40s", id);
    enum exit_code code = observer_ask(observer, request, tree);

    if (code != EXIT_DONE) {
        return code;
    }
    const char *cursor = json_string_value(json_object_get(*tree, "cursor"));

    while (cursor != NULL) {
        snprintf(request, sizeof(request), "tree %.40s %.40s", id, cursor);
        json_object_del(*tree, "cursor");
        code = observer_ask(observer, request, &page);
        if (code != EXIT_DONE) {
            json_decref(*tree);
            return code;
        }
        json_array_extend(json_object_get(*tree, "tasks"), json_object_get(page, "tasks"));
        json_object_set(*tree, "cursor", json_object_get(page, "cursor"));
        json_decref(page);
        cursor = json_string_value(json_object_get(*tree, "cursor"));
    }
    json_object_del(*tree, "cursor");
    return EXIT_DONE;
}

struct observer *observer_choose(const struct arguments *arguments, enum exit_code *code)
{
    char path[PATH_MAX];

    return connect_choose(arguments, path, code) ? observer_open(path, code) : NULL;
}

struct observer *observer_open_quietly(const char *path)
{
    struct credential credential;
    char error[CREDENTIAL_ERROR_SIZE];
    enum exit_code code;

    if (credential_load(path, &credential, error) != GROVE_OK) {
        return NULL;
    }
    const uint32_t roles = credential.certificate.roles;

    credential_clear(&credential);
    return (roles & (ROLE_OBSERVER | ROLE_OPERATOR)) != 0 ? observer_open(path, &code) : NULL;
}

/* One that has not heard of the task yet, as a follower may be, says that it is not found: that is
 * no news to whoever was told its id. NULL is fine, and NULL when it cannot be known. */
static json_t *ask_of(struct observer *observer, const char *what, const char *id)
{
    char request[REQUEST_SIZE];

    snprintf(request, sizeof(request), "%s %.40s", what, id);
    return observer != NULL ? ask_quietly(observer, request, CONNECT_PATIENCE_MS) : NULL;
}

char *observer_unoffered(const char *path, const char *id)
{
    struct observer *observer = observer_open_quietly(path);
    char *waiting = NULL;
    json_t *task = ask_of(observer, "task", id);
    const char *text = json_string_value(json_object_get(task, "waiting"));

    if (text != NULL) {
        waiting = strdup(text);
    }
    json_decref(task);
    observer_close(observer);
    return waiting;
}

/* The last reason is what all the others come from. */
static char *last_reason(const json_t *answer)
{
    const json_t *reasons = json_object_get(answer, "reasons");
    const size_t count = json_array_size(reasons);
    const json_t *last = count > 0 ? json_array_get(reasons, count - 1) : NULL;
    const char *kind = json_string_value(json_object_get(last, "kind"));
    const char *text = json_string_value(json_object_get(last, "text"));
    const char *help = json_string_value(json_object_get(last, "help"));
    char *line = NULL;

    if (kind == NULL || text == NULL || strcmp(kind, "inputs") == 0 || strcmp(kind, "runs") == 0 ||
        strcmp(kind, "ended") == 0) {
        return NULL;
    }
    if (asprintf(&line, "%s%s%s", text, help != NULL ? "; try: " : "", help != NULL ? help : "") <
        0) {
        abort();
    }
    return line;
}

char *observer_waiting(const char *path, const char *id)
{
    struct observer *observer = observer_open_quietly(path);
    json_t *answer = ask_of(observer, "explain", id);
    char *line = answer != NULL ? last_reason(answer) : NULL;

    json_decref(answer);
    observer_close(observer);
    return line;
}

static json_t *find_function(const json_t *page, const char *function)
{
    json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(page, "functions"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "function"));

        if (name != NULL && strcmp(name, function) == 0) {
            return json_incref(entry);
        }
    }
    return NULL;
}

enum exit_code observer_function(struct observer *observer, const char *function, json_t **entry)
{
    char request[REQUEST_SIZE] = "functions";
    bool is_last = false;

    *entry = NULL;
    while (*entry == NULL && !is_last) {
        json_t *page;
        const enum exit_code code = observer_ask(observer, request, &page);

        if (code != EXIT_DONE) {
            return code;
        }
        const char *cursor = json_string_value(json_object_get(page, "cursor"));

        *entry = find_function(page, function);
        is_last = cursor == NULL;
        snprintf(request, sizeof(request), "functions %.80s", is_last ? "" : cursor);
        json_decref(page);
    }
    return EXIT_DONE;
}
