/* SPDX-License-Identifier: MPL-2.0
 * Active, barred, held. */
#include "core/limit.h"

#include "core/emit.h"
#include "core/kept.h"
#include "core/pool.h"
#include "core/ready.h"

#define ATTEMPT UINT64_C(1000000) /* in a bucket: a millisecond brings `rate`, 1,000 s one each */
#define BURST_MS 50u              /* what a bucket holds, if that is more than one attempt */

static int by_sequence(const struct work *a, const struct work *b)
{
    return a->task->sequence < b->task->sequence ? -1 : a->task->sequence > b->task->sequence;
}

RB_GENERATE_STATIC(barred_tree, work, barred, by_sequence)

static int by_name(const struct function *a, const struct function *b)
{
    return strcmp(a->name, b->name);
}

RB_GENERATE_STATIC(loose_tree, function, loose, by_name)

static int by_time(const struct function *a, const struct function *b)
{
    return a->free_ms != b->free_ms ? (a->free_ms < b->free_ms ? -1 : 1) : by_name(a, b);
}

RB_GENERATE_STATIC(rated_tree, function, rated, by_time)

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

bool limit_is_set(const struct function *function)
{
    const struct function_limit *limit = &function->limit;

    return limit->running > 0 || limit->rate > 0 || limit->paused;
}

/* ---- the rate; what is ahead has its part put aside until it begins */

static uint64_t capacity(uint32_t rate)
{
    return larger((uint64_t)BURST_MS * rate, ATTEMPT);
}

static uint64_t level_at(const struct function_limit *limit, uint64_t now_ms)
{
    const uint64_t missing = capacity(limit->rate) - limit->level;
    const uint64_t elapsed_ms = now_ms - limit->level_ms;

    return elapsed_ms > missing / limit->rate ? capacity(limit->rate)
                                              : limit->level + elapsed_ms * limit->rate;
}

uint64_t limit_free_ms(const struct function *function)
{
    const struct function_limit *limit = &function->limit;
    const uint64_t wanted = (function->ahead + 1) * ATTEMPT;

    if (limit->rate == 0 || limit->level >= wanted) {
        return limit->level_ms;
    }
    if (wanted > capacity(limit->rate)) {
        return UINT64_MAX;
    }
    return limit->level_ms + (wanted - limit->level + limit->rate - 1) / limit->rate;
}

static void set_rate(const struct forest *forest, struct function_limit *limit, uint32_t rate)
{
    const uint64_t level = limit->rate > 0 ? level_at(limit, forest->now_ms) : UINT64_MAX;

    limit->rate = rate;
    limit->level = rate > 0 ? capacity(rate) : 0;
    limit->level = level < limit->level ? level : limit->level;
    limit->level_ms = rate > 0 ? forest->now_ms : 0;
}

/* ---- held or not */

static void leave_rated(struct forest *forest, struct function *function)
{
    if (function->is_rated) {
        RB_REMOVE(rated_tree, &forest->rated, function);
        function->is_rated = false;
    }
}

/* Makes is_held what the limit says now, but for barred attempts that have a place. What runs
 * beyond the limit becomes less, never more. */
static void look(struct forest *forest, struct function *function)
{
    const struct function_limit *limit = &function->limit;
    const uint64_t most = larger(function->active, limit->running);

    function->allowed = most < function->allowed ? most : function->allowed;

    leave_rated(forest, function);
    function->free_ms = limit_free_ms(function);
    if (function->free_ms > forest->now_ms) {
        RB_INSERT(rated_tree, &forest->rated, function);
        function->is_rated = true;
    }
    function->is_held = limit->paused || function->is_rated ||
                        (limit->running > 0 && function->active >= limit->running);
}

static void make_loose(struct forest *forest, struct function *function)
{
    if (!function->is_loose) {
        RB_INSERT(loose_tree, &forest->loose, function);
        function->is_loose = true;
    }
}

static void leave_loose(struct forest *forest, struct function *function)
{
    if (function->is_loose) {
        RB_REMOVE(loose_tree, &forest->loose, function);
        function->is_loose = false;
    }
}

void limit_look(struct forest *forest, struct function *function)
{
    if (limit_is_set(function)) {
        look(forest, function);
    }
}

/* What was assigned ahead before there was a limit may find its bucket empty. */
void limit_begin(struct forest *forest, struct function *function)
{
    struct function_limit *limit = &function->limit;

    if (limit->rate > 0) {
        const uint64_t level = level_at(limit, forest->now_ms);
        limit->level = level > ATTEMPT ? level - ATTEMPT : 0;
        limit->level_ms = forest->now_ms;
    }
    limit_look(forest, function);
}

void limit_loosen(struct forest *forest, struct function *function)
{
    if (limit_is_set(function)) {
        make_loose(forest, function);
    }
}

void limit_pass_time(struct forest *forest)
{
    struct function *function = NULL;

    while ((function = RB_MIN(rated_tree, &forest->rated)) && function->free_ms <= forest->now_ms) {
        leave_rated(forest, function);
        make_loose(forest, function);
    }
}

struct function *limit_loose(const struct forest *forest)
{
    struct loose_tree head = forest->loose; /* the macros want a head they could write to */

    return RB_MIN(loose_tree, &head);
}

struct work *limit_admissible(const struct function *function)
{
    struct barred_tree head = function->barred;
    const struct function_limit *limit = &function->limit;

    return limit->running == 0 || function->active < limit->running ? RB_MIN(barred_tree, &head)
                                                                    : NULL;
}

void limit_tighten(struct forest *forest, struct function *function)
{
    leave_loose(forest, function);
    look(forest, function);
    ready_unblock(forest, function);
}

uint64_t limit_due_ms(const struct forest *forest)
{
    struct rated_tree head = forest->rated;
    struct function *function = NULL;

    RB_FOREACH(function, rated_tree, &head) {
        if (function->state[TASK_READY] > 0) {
            return function->free_ms;
        }
    }
    return UINT64_MAX;
}

/* ---- attempts */

bool limit_is_active(enum place place)
{
    return place != PLACE_NONE && place != PLACE_WAITING && place != PLACE_BARRED;
}

void limit_enter(struct work *work, enum place place)
{
    struct function *function = work->task->request.function;

    function->active += limit_is_active(place);
    function->ahead += pool_is_ahead(place);
    if (place == PLACE_BARRED) {
        RB_INSERT(barred_tree, &function->barred, work);
        function->barred_count++;
    }
}

void limit_leave(struct work *work)
{
    struct function *function = work->task->request.function;

    function->active -= limit_is_active((enum place)work->place);
    function->ahead -= pool_is_ahead((enum place)work->place);
    if (work->place == PLACE_BARRED) {
        RB_REMOVE(barred_tree, &function->barred, work);
        function->barred_count--;
    }
}

/* ---- setting */

static bool is_narrower(const struct function_limit *now, const struct function_limit *before)
{
    return (now->paused && !before->paused) ||
           (now->running > 0 && now->running - 1 < before->running - 1) ||
           (now->rate > 0 && now->rate - 1 < before->rate - 1);
}

static void change(struct forest *forest, struct function *function, const struct limit *limit)
{
    const struct function_limit before = function->limit;

    if (limit->change & LIMIT_CHANGE_RUNNING) {
        function->limit.running = limit->running;
    }
    if (limit->change & LIMIT_CHANGE_RATE) {
        set_rate(forest, &function->limit, limit->rate);
    }
    if (limit->change & LIMIT_CHANGE_PAUSED) {
        function->limit.paused = limit->paused;
    }
    function->allowed = larger(function->active, function->limit.running);
    look(forest, function);
    make_loose(forest, function);
    if (is_narrower(&function->limit, &before)) {
        emit_recall(forest);
    }
}

/* A limited function is kept, with or without tasks and sessions. */
static void keep(struct forest *forest, struct function *function)
{
    function->uses++;
    forest->limited++;
}

static void let_go(struct forest *forest, struct function *function)
{
    forest->limited--;
    function_drop(forest, function);
}

enum refusal limit_set(struct forest *forest, const struct limit *limit)
{
    if (!wire_function_is_valid(limit->function)) {
        return REFUSED_FUNCTION_NAME;
    }
    struct function *function = function_use(forest, limit->function);
    const bool was_set = limit_is_set(function);
    if (!was_set && forest->limited == LIMIT_LIMITED) {
        function_drop(forest, function);
        return REFUSED_QUOTA;
    }
    change(forest, function, limit);
    emit_note_limit(forest, limit->function);
    if (!was_set && limit_is_set(function)) {
        keep(forest, function);
    } else if (was_set && !limit_is_set(function)) {
        let_go(forest, function);
    }
    function_drop(forest, function);
    return REFUSED_NOT;
}

/* ---- snapshots, ends */

bool limit_restore(struct forest *forest, struct function *function,
                   const struct function_limit *limit)
{
    function->limit = *limit;
    if (limit_is_set(function)) {
        keep(forest, function);
    }
    if (limit->rate == 0) {
        return limit->level == 0 && limit->level_ms == 0;
    }
    return limit->level <= capacity(limit->rate) && limit->level_ms <= forest->now_ms;
}

void limit_restore_all(struct forest *forest)
{
    struct function *function = NULL;

    while ((function = function_after(forest, function ? function->name : NULL))) {
        function->allowed = larger(function->active, function->limit.running);
        look(forest, function);
        if (limit_admissible(function)) {
            make_loose(forest, function);
        }
    }
}

void limit_forget(struct forest *forest, struct function *function)
{
    leave_rated(forest, function);
    leave_loose(forest, function);
}

void limit_clear(struct forest *forest)
{
    struct function *function = function_after(forest, NULL);

    while (function) {
        struct function *next = function_after(forest, function->name);
        if (limit_is_set(function)) {
            let_go(forest, function);
        }
        function = next;
    }
}
