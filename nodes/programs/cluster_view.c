/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/programs/cluster_view.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "nodes/programs/connect.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"

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

/* Adds to a member what it says of itself: pid, term, index; nothing when it is down. */
static void ask_member(struct observer *observer, json_t *member)
{
    json_t *answer = ask_at(observer, member);
    const json_t *self = json_object_get(answer, "self");
    static const char *const names[] = {"pid", "term", "index"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && self != NULL; i++) {
        json_object_set(member, names[i], json_object_get(self, names[i]));
    }
    json_object_set_new(member, "answers", json_boolean(self != NULL));
    json_decref(answer);
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

enum exit_code cluster_ask(struct observer *observer, json_t **answer)
{
    const enum exit_code code = observer_ask(observer, "cluster", answer);
    json_t *member;
    size_t i;

    if (code == EXIT_DONE) {
        json_array_foreach(json_object_get(*answer, "members"), i, member)
        {
            ask_member(observer, member);
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
