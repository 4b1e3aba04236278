/* SPDX-License-Identifier: MPL-2.0
 * The bar, the lines in its place, and interrupts. */
#include "nodes/programs/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/programs/caller.h"
#include "nodes/programs/observer.h"

#define DRAW_MS 200u  /* between two bars */
#define LINE_MS 1000u /* before the first line */
#define IDLE_MS 1000u /* nothing runs for so long: the mesh is asked why */
#define AGAIN_MOST_MS 30000u
#define BAR_WIDTH 20
#define TEXT_SIZE 160

static void interrupt(void *context)
{
    struct progress *progress = context;

    atomic_store(&progress->is_interrupted, true);
}

void progress_begin(struct progress *progress, const struct arguments *arguments, const char *key)
{
    sigset_t stops;

    memset(progress, 0, sizeof(*progress));
    progress->look = look_of(arguments, stderr);
    progress->is_terminal = isatty(STDERR_FILENO) == 1;
    progress->started_ms = clock_monotonic_ms();
    progress->drawn_ms = progress->started_ms;
    progress->due_ms = progress->started_ms + LINE_MS;
    progress->idle_ms = progress->started_ms;
    progress->ask_ms = progress->started_ms + IDLE_MS;
    atomic_init(&progress->is_interrupted, false);
    progress->is_silent = caller_is_inside(arguments);
    progress->is_watching = key == NULL && !progress->is_silent;
    if (progress->is_watching) {
        signals_block(&stops);
        signals_watch(&progress->signals, interrupt, progress);
    }
}

void progress_end(struct progress *progress)
{
    progress_hide(progress);
    if (progress->is_watching) {
        signals_unwatch(&progress->signals);
    }
    free(progress->why);
    progress->why = NULL;
}

void progress_hide(struct progress *progress)
{
    if (progress->is_drawn) {
        fputs("\r\033[K", stderr);
        progress->is_drawn = false;
    }
}

/* "1,234,567". */
static const char *grouped(uint64_t number, char text[32])
{
    char digits[24];
    const int count = snprintf(digits, sizeof(digits), "%" PRIu64, number);
    char *at = text;

    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) {
            *at++ = ',';
        }
        *at++ = digits[i];
    }
    *at = '\0';
    return text;
}

/* How long the rest takes at this rate. */
static void put_left(const struct progress *progress, uint64_t done, char text[48])
{
    const uint64_t total = progress->last.total;

    text[0] = '\0';
    if (total > done && progress->rate > 0) {
        const double left_s = (double)(total - done) / progress->rate;

        if (left_s < 120) {
            snprintf(text, 48, ", %.0f s left", left_s);
        } else {
            snprintf(text, 48, ", %.0f min left", left_s / 60);
        }
    }
}

/* "12 of 1,000 done, 1 failed, 20 running, 215/s, 4 s left". */
static void describe(const struct progress *progress, uint64_t done, char text[TEXT_SIZE])
{
    const struct grove_join_progress *last = &progress->last;
    char number[4][32], left[48], of[40] = "";

    if (last->total > 0) {
        snprintf(of, sizeof(of), " of %s", grouped(last->total, number[0]));
    }
    put_left(progress, done, left);
    snprintf(text, TEXT_SIZE, "%s%s done, %s failed, %s running, %.*f/s%s",
             grouped(done, number[1]), of, grouped(last->failed, number[2]),
             grouped(last->running, number[3]), progress->rate < 10 ? 1 : 0, progress->rate, left);
}

static void draw(struct progress *progress, uint64_t done)
{
    const struct look *look = &progress->look;
    char text[TEXT_SIZE];
    const uint64_t total = progress->last.total;
    const size_t full = total > 0 ? (size_t)(done * BAR_WIDTH / total) : 0;

    describe(progress, done, text);
    fputc('\r', stderr);
    if (total > 0) {
        fprintf(stderr, "%3u %% %s", (unsigned)(done * 100 / total),
                look_begin(look, progress->last.failed > 0 ? TONE_WARN : TONE_GOOD));
        for (size_t i = 0; i < BAR_WIDTH; i++) {
            fputs(i < full ? look->glyphs->full : look->glyphs->rest, stderr);
        }
        fprintf(stderr, "%s ", look_end(look));
    }
    fprintf(stderr, "%s\033[K", text);
    fflush(stderr);
    progress->is_drawn = true;
}

/* After as long as it has taken so far, so that a long wait fills no log. */
static uint64_t again_ms(uint64_t since_ms, uint64_t now_ms)
{
    const uint64_t waited_ms = now_ms - since_ms;

    return now_ms + (waited_ms < AGAIN_MOST_MS ? waited_ms : AGAIN_MOST_MS);
}

static void write_line(struct progress *progress, uint64_t done, uint64_t now_ms)
{
    char text[TEXT_SIZE];

    describe(progress, done, text);
    fprintf(stderr, "grove: %s\n", text);
    progress->due_ms = again_ms(progress->started_ms, now_ms);
}

static void measure(struct progress *progress, uint64_t done, uint64_t now_ms)
{
    const double passed_s = (double)(now_ms - progress->drawn_ms) / 1000;
    const double rate = passed_s > 0 ? (double)(done - progress->drawn_done) / passed_s : 0;

    progress->rate = progress->rate > 0 ? 0.8 * progress->rate + 0.2 * rate : rate;
    progress->drawn_ms = now_ms;
    progress->drawn_done = done;
}

/* Unless it is what was said before. */
static void say_why(struct progress *progress)
{
    char id[GROVE_ID_TEXT_SIZE];
    char *why;

    grove_id_format(&progress->last.id, id);
    why = observer_waiting(progress->path, id);
    if (why == NULL || (progress->why != NULL && strcmp(why, progress->why) == 0)) {
        free(why);
        return;
    }
    progress_hide(progress);
    fprintf(stderr, "grove: nothing of %s runs: ", id);
    print_text(stderr, why);
    fputc('\n', stderr);
    free(progress->why);
    progress->why = why;
}

/* Nobody may offer a function, or let it run. The reason may become another one. */
static void explain_if_idle(struct progress *progress, uint64_t done, uint64_t now_ms)
{
    if (progress->last.running > 0 || done != progress->idle_done) {
        progress->idle_ms = now_ms;
        progress->idle_done = done;
        progress->ask_ms = now_ms + IDLE_MS;
    } else if (progress->path != NULL && now_ms >= progress->ask_ms) {
        say_why(progress);
        progress->ask_ms = again_ms(progress->idle_ms, now_ms);
    }
}

enum grove_status progress_show(void *context, const struct grove_join_progress *now)
{
    struct progress *progress = context;
    const uint64_t now_ms = clock_monotonic_ms();
    const uint64_t done = now->succeeded + now->failed;

    progress->last = *now;
    if (progress->last.total == 0) {
        progress->last.total = progress->total;
    }
    fflush(stdout); /* what has come is there for whoever reads along */
    if (progress->is_silent) {
        return GROVE_OK;
    }
    explain_if_idle(progress, done, now_ms);
    if (progress->is_terminal && now_ms >= progress->drawn_ms + DRAW_MS) {
        measure(progress, done, now_ms);
        draw(progress, done);
    } else if (!progress->is_terminal && now_ms >= progress->due_ms) {
        measure(progress, done, now_ms);
        write_line(progress, done, now_ms);
    }
    return atomic_load(&progress->is_interrupted) ? GROVE_CANCELLED : GROVE_OK;
}
