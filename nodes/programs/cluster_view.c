/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/programs/cluster_view.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "nodes/programs/connect.h"
#include "nodes/programs/figures.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"

#define CURRENT_MS 3000 /* a leader speaks many times a second; more than an election takes */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "?";
}

/* What a member itself answers; NULL when it is down. */
static json_t *ask_at(struct observer *observer, const json_t *member)
{
    const char *hex = json_string_value(json_object_get(member, "link_key"));
    struct key server;
    size_t size = 0;

    if (hex == NULL || sodium_hex2bin(server.byte, sizeof(server.byte), hex, strlen(hex), NULL,
                                      &size, NULL) != 0) {
        return NULL;
    }
    return observer_ask_at(observer, text_of(member, "endpoint"), &server, "cluster");
}

/* Whether who answers takes part, and hears a leader. */
static bool is_current(const json_t *answer)
{
    const char *role = text_of(json_object_get(answer, "self"), "role");
    const json_t *stale_ms = json_object_get(answer, "stale_ms");

    return strcmp(role, "removed") != 0 && strcmp(role, "waiting") != 0 &&
           json_is_string(json_object_get(answer, "leader")) && json_is_integer(stale_ms) &&
           json_integer_value(stale_ms) < CURRENT_MS;
}

/* Adds to a member what it says of itself: pid, term, index; nothing when it is down. */
static void put_self(json_t *member, const json_t *answer)
{
    const json_t *self = json_object_get(answer, "self");
    static const char *const names[] = {"pid", "term", "index"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && self != NULL; i++) {
        json_object_set(member, names[i], json_object_get(self, names[i]));
    }
    json_object_set_new(member, "answers", json_boolean(self != NULL));
}

/* Each says how it is itself.  Who was removed, or is cut off, shows who took part then: when
 * one of these knows better, that one's answer is returned, and is the one to go on with. */
static json_t *ask_members(struct observer *observer, const json_t *answer)
{
    const bool current = is_current(answer);
    json_t *member;
    size_t i;

    json_array_foreach(json_object_get(answer, "members"), i, member)
    {
        json_t *other = ask_at(observer, member);

        if (!current && is_current(other)) {
            return other;
        }
        put_self(member, other);
        json_decref(other);
    }
    return NULL;
}

/* How many entries it lacks of the furthest. */
static void set_lag(json_t *members)
{
    json_int_t furthest = 0;
    json_t *member;
    size_t i;

    json_array_foreach(members, i, member)
    {
        const json_int_t index = json_integer_value(json_object_get(member, "index"));

        furthest = index > furthest ? index : furthest;
    }
    json_array_foreach(members, i, member)
    {
        const json_t *index = json_object_get(member, "index");

        if (index != NULL) {
            json_object_set_new(member, "lag", json_integer(furthest - json_integer_value(index)));
        }
    }
}

static void print_member(const json_t *member)
{
    const bool leads = json_is_true(json_object_get(member, "leads"));

    print_column(stdout, text_of(member, "name"), 17);
    print_column(stdout, leads ? "leader" : text_of(member, "role"), 9);
    if (json_is_true(json_object_get(member, "answers"))) {
        printf("term %" JSON_INTEGER_FORMAT "  index %" JSON_INTEGER_FORMAT
               "  lag %" JSON_INTEGER_FORMAT "  pid %" JSON_INTEGER_FORMAT,
               json_integer_value(json_object_get(member, "term")),
               json_integer_value(json_object_get(member, "index")),
               json_integer_value(json_object_get(member, "lag")),
               json_integer_value(json_object_get(member, "pid")));
    } else {
        printf("does not answer");
    }
    fputs("  ", stdout);
    print_text(stdout, text_of(member, "endpoint"));
    putchar('\n');
}

static void print_text_form(json_t *answer)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(answer, "members"), i, one)
    {
        print_member(one);
    }
    json_array_foreach(json_object_get(answer, "waiting"), i, one)
    {
        print_column(stdout, text_of(one, "name"), 17);
        fputs("waits    grove cluster add ", stdout);
        print_text(stdout, text_of(one, "name"));
        fputs("  ", stdout);
        print_text(stdout, text_of(one, "endpoint"));
        putchar('\n');
    }
}

/* What is shown may be old: by whom, and how old. */
static void say_old(const json_t *answer)
{
    const json_t *self = json_object_get(answer, "self");
    const json_t *stale_ms = json_object_get(answer, "stale_ms");
    const char *name = text_of(self, "name"), *role = text_of(self, "role");
    char text[DURATION_TEXT_SIZE];

    if (strcmp(role, "removed") == 0) {
        complain("%s was removed from the ledger: this is what it knew then", name);
    } else if (strcmp(role, "waiting") == 0) {
        complain("%s waits to be added to a ledger, and knows of none", name);
    } else if (json_is_integer(stale_ms)) {
        complain("%s has heard no leader for %s: this may be as old", name,
                 duration_text((uint64_t)json_integer_value(stale_ms), text));
    } else {
        complain("%s has heard no leader since it was started: this is from before", name);
    }
}

enum exit_code cluster_ask(struct observer *observer, json_t **answer)
{
    const enum exit_code code = observer_ask(observer, "cluster", answer);
    json_t *better;

    if (code == EXIT_DONE) {
        while ((better = ask_members(observer, *answer)) != NULL) {
            json_decref(*answer);
            *answer = better;
        }
        set_lag(json_object_get(*answer, "members"));
    }
    return code;
}

/* Who leads, by an answer; NULL: it knows of nobody. */
static const json_t *leading(const json_t *answer)
{
    const json_t *member, *found = NULL;
    size_t i;

    json_array_foreach(json_object_get(answer, "members"), i, member)
    {
        found = json_is_true(json_object_get(member, "leads")) ? member : found;
    }
    return found;
}

bool cluster_leader(const char *path, char name[LIMIT_NAME_LENGTH + 1])
{
    enum exit_code code;
    struct observer *observer = observer_open(path, &code);
    json_t *answer = NULL, *own = NULL;

    if (observer != NULL) {
        observer_set_quiet(observer, true);
        code = observer_ask(observer, "cluster", &answer);
    }
    if (code == EXIT_DONE && leading(answer) != NULL) {
        own = ask_at(observer, leading(answer));
    }
    const char *leader = text_of(leading(own), "name");
    const bool leads = strcmp(leader, text_of(json_object_get(own, "self"), "name")) == 0 &&
                       strcmp(leader, "?") != 0;

    if (leads) {
        snprintf(name, LIMIT_NAME_LENGTH + 1, "%s", leader);
    }
    json_decref(own);
    json_decref(answer);
    observer_close(observer);
    return leads;
}

enum exit_code cluster_status(const struct arguments *arguments)
{
    struct observer *observer;
    json_t *answer;
    enum exit_code code;

    observer = observer_choose(arguments, &code);
    if (observer == NULL) {
        return code;
    }
    code = cluster_ask(observer, &answer);
    if (code == EXIT_DONE) {
        if (!is_current(answer)) {
            say_old(answer);
        }
        if (argument_json(arguments)) {
            json_object_set_new(answer, "schema", json_string("grove.members/1"));
            print_json(answer);
        } else {
            print_text_form(answer);
            json_decref(answer);
        }
    }
    observer_close(observer);
    return code;
}
