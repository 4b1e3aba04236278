/* SPDX-License-Identifier: MPL-2.0
 * grove check: whether the mesh is well, in one line, as nagios and its like read it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nodes/programs/cluster_view.h"
#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/values.h"

/* They are the exit codes of a plugin. */
enum health { HEALTH_OK, HEALTH_WARNING, HEALTH_CRITICAL, HEALTH_UNKNOWN, HEALTH_COUNT };

static const char *const healths[HEALTH_COUNT] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

enum measure { BACKLOG, OLDEST, WORKERS, ANSWERING, MEASURE_COUNT };

static const struct {
    const char *name, *unit;
    bool is_least; /* fewer are bad, not more */
    bool is_time;
} measures[MEASURE_COUNT] = {
    [BACKLOG] = {"backlog", "", false, false},
    [OLDEST] = {"oldest", "s", false, true},
    [WORKERS] = {"workers", "", true, false},
    [ANSWERING] = {"coordinators", "", true, false},
};

struct threshold {
    bool is_set;
    int64_t value; /* of a time in milliseconds */
};

struct checking {
    struct threshold threshold[HEALTH_UNKNOWN][MEASURE_COUNT]; /* of warning and critical */
    int64_t value[MEASURE_COUNT];
    int64_t members, expiring;
    const char *leader; /* "": nobody leads */
    enum health health;
};

/* ---- thresholds */

static bool take_threshold(const char *text, struct threshold thresholds[MEASURE_COUNT])
{
    const size_t length = strcspn(text, "=");
    uint64_t ms = 0;

    for (size_t i = 0; i < MEASURE_COUNT && text[length] == '='; i++) {
        struct threshold *threshold = &thresholds[i];

        if (strlen(measures[i].name) != length || strncmp(measures[i].name, text, length) != 0) {
            continue;
        }
        threshold->is_set = measures[i].is_time
                                ? value_duration(text + length + 1, &ms)
                                : value_number(text + length + 1, &threshold->value);
        if (threshold->is_set && measures[i].is_time) {
            threshold->value = (int64_t)ms;
        }
        return threshold->is_set;
    }
    return false;
}

static bool take_thresholds(const struct arguments *arguments, struct checking *checking)
{
    static const char *const options[] = {
        [HEALTH_WARNING] = "warning", [HEALTH_CRITICAL] = "critical"};

    checking->threshold[HEALTH_CRITICAL][WORKERS] = (struct threshold){true, 1};
    for (enum health health = HEALTH_WARNING; health <= HEALTH_CRITICAL; health++) {
        const char *text;

        for (size_t i = 0; (text = argument_value_at(arguments, options[health], i)) != NULL; i++) {
            if (!take_threshold(text, checking->threshold[health])) {
                complain("check: --%s wants backlog=N, oldest=DURATION, workers=N or "
                         "coordinators=N, not '%s'",
                         options[health], text);
                return false;
            }
        }
    }
    return true;
}

/* ---- judging */

static void worsen(struct checking *checking, enum health health)
{
    checking->health = health > checking->health ? health : checking->health;
}

static void judge(struct checking *checking)
{
    for (enum health health = HEALTH_WARNING; health <= HEALTH_CRITICAL; health++) {
        for (size_t i = 0; i < MEASURE_COUNT; i++) {
            const struct threshold *threshold = &checking->threshold[health][i];
            const int64_t value = checking->value[i];

            if (threshold->is_set &&
                (measures[i].is_least ? value < threshold->value : value >= threshold->value)) {
                worsen(checking, health);
            }
        }
    }
    if (checking->leader[0] == '\0') {
        worsen(checking, HEALTH_CRITICAL);
    }
    if (checking->value[ANSWERING] < checking->members || checking->expiring > 0) {
        worsen(checking, HEALTH_WARNING);
    }
}

/* ---- asking */

static int64_t count_answering(const json_t *members)
{
    int64_t answering = 0;
    const json_t *member;
    size_t i;

    json_array_foreach(members, i, member)
    {
        answering += json_is_true(json_object_get(member, "answers")) ? 1 : 0;
    }
    return answering;
}

/* Of one that never had peers the list of members is empty. */
static void measure(json_t *const answers[3], struct checking *checking)
{
    const json_t *stats = answers[0], *health = answers[1];
    const json_t *backlog = json_object_get(stats, "backlog");
    const json_t *members = json_object_get(answers[2], "members");
    const bool is_alone = json_array_size(members) == 0;

    checking->value[BACKLOG] = json_number(backlog, "tasks");
    checking->value[OLDEST] = json_number(backlog, "oldest_ms");
    checking->value[WORKERS] = json_number(stats, "workers");
    checking->members = is_alone ? 1 : (int64_t)json_array_size(members);
    checking->value[ANSWERING] = is_alone ? 1 : count_answering(members);
    checking->expiring = (int64_t)json_array_size(json_object_get(health, "expiring"));
    checking->leader = json_text(stats, "leader");
}

static void print_measures(const struct checking *checking)
{
    for (size_t i = 0; i < MEASURE_COUNT; i++) {
        const int64_t scale = measures[i].is_time ? 1000 : 1;

        printf("%s%s=%" PRId64 "%s", i == 0 ? "" : " ", measures[i].name,
               checking->value[i] / scale, measures[i].unit);
        for (enum health health = HEALTH_WARNING; health <= HEALTH_CRITICAL; health++) {
            const struct threshold *threshold = &checking->threshold[health][i];

            putchar(';');
            if (threshold->is_set) {
                printf("%" PRId64 "%s", threshold->value / scale, measures[i].is_least ? ":" : "");
            }
        }
        fputs(";0", stdout);
    }
    putchar('\n');
}

static void print_line(const struct checking *checking)
{
    char oldest[DURATION_TEXT_SIZE];

    printf("GROVE %s - ", healths[checking->health]);
    if (checking->leader[0] == '\0') {
        fputs("nobody leads", stdout);
    } else {
        print_text(stdout, checking->leader);
        fputs(" leads", stdout);
    }
    printf(", %" PRId64 " of %" PRId64 " coordinators answer, %" PRId64
           " workers, backlog %" PRId64,
           checking->value[ANSWERING], checking->members, checking->value[WORKERS],
           checking->value[BACKLOG]);
    if (checking->value[BACKLOG] > 0) {
        printf(", the oldest waits for %s",
               duration_text((uint64_t)checking->value[OLDEST], oldest));
    }
    if (checking->expiring > 0) {
        printf(", %" PRId64 " certificates end within 30 days", checking->expiring);
    }
    fputs(" | ", stdout);
    print_measures(checking);
}

static void print_answer(const struct checking *checking)
{
    json_t *leader = checking->leader[0] != '\0' ? json_string(checking->leader) : json_null();

    print_json(json_pack(
        "{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "schema", "grove.check/1", "status",
        healths[checking->health], "leader", leader, "coordinators", (json_int_t)checking->members,
        "answering", (json_int_t)checking->value[ANSWERING], "workers",
        (json_int_t)checking->value[WORKERS], "backlog", (json_int_t)checking->value[BACKLOG],
        "oldest_ms", (json_int_t)checking->value[OLDEST], "expiring",
        (json_int_t)checking->expiring));
}

/* Why there is nothing to judge, which stderr says at length. */
static enum exit_code print_nothing(const struct arguments *arguments, enum health health,
                                    const char *why)
{
    if (argument_json(arguments)) {
        print_json(json_pack("{s:s, s:s, s:s}", "schema", "grove.check/1", "status",
                             healths[health], "error", why));
    } else {
        printf("GROVE %s - %s\n", healths[health], why);
    }
    return (enum exit_code)health;
}

static enum exit_code ask(struct observer *observer, const struct arguments *arguments,
                          struct checking *checking)
{
    static const char *const requests[] = {"stats", "health"};
    json_t *answers[3] = {NULL};
    enum exit_code code = EXIT_DONE;

    for (size_t i = 0; i < 2 && code == EXIT_DONE; i++) {
        code = observer_ask(observer, requests[i], &answers[i]);
    }
    if (code == EXIT_DONE) {
        code = cluster_ask(observer, &answers[2]); /* last: from then on it asks one alone */
    }
    if (code == EXIT_DONE) {
        measure(answers, checking);
        judge(checking);
        if (argument_json(arguments)) {
            print_answer(checking);
        } else {
            print_line(checking);
        }
        code = (enum exit_code)checking->health;
    } else {
        code = code == EXIT_NO_LEADER
                   ? print_nothing(arguments, HEALTH_CRITICAL, "no coordinator answers")
                   : print_nothing(arguments, HEALTH_UNKNOWN, "it may not be asked");
    }
    for (size_t i = 0; i < 3; i++) {
        json_decref(answers[i]);
    }
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct checking checking = {.leader = ""};
    enum exit_code code;

    if (arguments->word_count > 0 || !take_thresholds(arguments, &checking)) {
        return print_nothing(arguments, HEALTH_UNKNOWN, "usage: see grove help check");
    }
    struct observer *observer = observer_choose(arguments, &code);

    if (observer == NULL) {
        return print_nothing(arguments, HEALTH_UNKNOWN, "no credential that may ask");
    }
    code = ask(observer, arguments, &checking);
    observer_close(observer);
    return code;
}

static const struct option options[] = {
    {"warning", 'w', "MEASURE=LIMIT...", "exit with 1 from this on"},
    {"critical", 'c', "MEASURE=LIMIT...", "exit with 2 from this on (workers=1)"},
    OPTION_END,
};

const struct subcommand check_subcommand = {
    .name = "check",
    .summary = "Say in one line whether the mesh is well, as monitoring systems read it",
    .usage = "[-w MEASURE=LIMIT]... [-c MEASURE=LIMIT]...",
    .description = "MEASURE is backlog (tasks that wait for a slot) or oldest (for how long one "
                   "does), which are "
                   "to be less\nthan LIMIT, or workers or coordinators (that answer), which are to "
                   "be no fewer. "
                   "Exits with 0 when all is\nwell; 1 on a warning, also when a coordinator does "
                   "not answer or a "
                   "certificate ends within 30 days; 2\nwhen it is critical, also when nobody "
                   "leads or answers; 3 "
                   "when it cannot be known.",
    .options = options,
    .run = run,
};
