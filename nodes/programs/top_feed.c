/* SPDX-License-Identifier: MPL-2.0
 * What `grove top` shows, asked for by a thread of its own. */
#include "nodes/programs/top_feed.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "nodes/grove.h"
#include "nodes/host/clock.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/observer_list.h"

#define SHOWN 500 /* rows of a pane */
#define REQUEST_SIZE 64
#define CANCELS_MOST 256u

const struct rows *const top_rows[TOP_PANES] = {&root_rows, &function_rows, &worker_rows};

struct feed {
    struct observer *observer; /* the thread's */
    char path[PATH_MAX];
    struct grove_client *client; /* the thread's, made with the first cancel */
    uint32_t delay_ms;
    int event;
    pthread_t thread;

    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t wanted;
    bool is_over, is_hurried;
    enum top_detail detail;
    char id[40];
    char cancel[CANCELS_MOST][40];
    size_t cancel_count;
    struct top_data fresh;
};

void top_data_clear(struct top_data *data)
{
    json_decref(data->stats);
    for (size_t i = 0; i < TOP_PANES; i++) {
        json_decref(data->list[i]);
    }
    json_decref(data->detail);
    *data = (struct top_data){0};
}

enum exit_code top_data_ask(struct observer *observer, struct top_data *data)
{
    const struct selection some = {.most = SHOWN};
    enum exit_code code = observer_ask(observer, "stats", &data->stats);

    for (size_t i = 0; i < TOP_PANES && code == EXIT_DONE; i++) {
        code =
            observer_list(observer, top_rows[i]->request, top_rows[i]->name, &some, &data->list[i]);
    }
    data->at_ms = clock_monotonic_ms();
    return code;
}

/* ---- the thread */

/* All of one look; false when nobody answers. */
static bool look(struct feed *feed, struct top_data *data)
{
    const struct selection some = {.most = SHOWN};

    observer_set_quiet(feed->observer, true);
    bool is_answered = observer_ask(feed->observer, "stats", &data->stats) == EXIT_DONE;

    for (size_t i = 0; i < TOP_PANES && is_answered; i++) {
        is_answered = observer_list(feed->observer, top_rows[i]->request, top_rows[i]->name, &some,
                                    &data->list[i]) == EXIT_DONE;
    }
    data->at_ms = clock_monotonic_ms();
    return is_answered;
}

static void look_closer(struct feed *feed, enum top_detail detail, const char *id,
                        struct top_data *data)
{
    char request[REQUEST_SIZE];
    json_t *task = NULL, *explain = NULL;

    if (detail == TOP_DETAIL_TREE) {
        (void)!observer_tree(feed->observer, id, &data->detail);
    } else if (detail == TOP_DETAIL_TASK) {
        snprintf(request, sizeof(request), "task %.40s", id);
        if (observer_ask(feed->observer, request, &task) == EXIT_DONE) {
            snprintf(request, sizeof(request), "explain %.40s", id);
            (void)!observer_ask(feed->observer, request, &explain);
            data->detail = json_pack("{s:o, s:o?}", "task", task, "explain", explain);
        }
    }
}

static bool open_client(struct feed *feed, char news[128])
{
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    char error[GROVE_ERROR_SIZE];

    options.credential_path = feed->path;
    if (feed->client == NULL && grove_client_open(&options, &feed->client, error) != GROVE_OK) {
        snprintf(news, 128, "not cancelled: %.100s", error);
        return false;
    }
    return true;
}

static void cancel(struct feed *feed, const char *id, char news[128])
{
    struct grove_cancelled counts;
    struct grove_failure failure;
    struct grove_id parsed;

    if (!grove_id_parse(id, &parsed) || !open_client(feed, news)) {
        return;
    }
    if (grove_cancel(feed->client, &parsed, &counts, &failure) == GROVE_OK) {
        snprintf(news, 128, "cancelled %.8s: %llu never started, %llu stopped, %llu done before",
                 id, (unsigned long long)counts.never_started, (unsigned long long)counts.stopped,
                 (unsigned long long)counts.already_done);
    } else {
        snprintf(news, 128, "not cancelled %.8s: %.90s", id, failure.text);
    }
    grove_failure_clear(&failure);
}

static double rate(const json_t *before, const json_t *now, const char *name, double seconds)
{
    const int64_t more = json_number(json_object_get(now, "totals"), name) -
                         json_number(json_object_get(before, "totals"), name);

    return more > 0 ? (double)more / seconds : 0;
}

/* From the counters of two looks; another leader's began anew. */
static void set_rates(const struct top_data *before, struct top_data *now)
{
    if (before->stats == NULL || now->at_ms <= before->at_ms) {
        return;
    }
    const double seconds = (double)(now->at_ms - before->at_ms) / 1000;

    now->rates.is_known = true;
    now->rates.submitted = rate(before->stats, now->stats, "submitted", seconds);
    now->rates.failed = rate(before->stats, now->stats, "failed", seconds);
    now->rates.ended = rate(before->stats, now->stats, "succeeded", seconds) + now->rates.failed +
                       rate(before->stats, now->stats, "cancelled", seconds);
}

/* After a look that was answered, all that is new; else only since when it is not. */
static void publish(struct feed *feed, struct top_data *data, bool is_answered)
{
    const uint64_t one = 1;

    if (is_answered) {
        char news[sizeof(data->news)];

        memcpy(news, data->news[0] != '\0' ? data->news : feed->fresh.news, sizeof(news));
        top_data_clear(&feed->fresh);
        feed->fresh = *data;
        memcpy(feed->fresh.news, news, sizeof(news));
    } else {
        const uint64_t since_ms = feed->fresh.lost_ms;

        if (data->news[0] != '\0') {
            memcpy(feed->fresh.news, data->news, sizeof(data->news));
        }
        top_data_clear(data);
        feed->fresh.lost_ms = since_ms != 0 ? since_ms : clock_monotonic_ms();
    }
    (void)!write(feed->event, &one, sizeof(one));
}

static void rest(struct feed *feed)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(feed->delay_ms % 1000) * 1000000;
    until.tv_sec += feed->delay_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!feed->is_over && !feed->is_hurried && feed->cancel_count == 0 &&
           pthread_cond_timedwait(&feed->wanted, &feed->mutex, &until) != ETIMEDOUT) {
    }
    feed->is_hurried = false;
}

/* Takes what is asked, with the mutex held. */
static enum top_detail take_wishes(struct feed *feed, char id[40], char cancels[][40],
                                   size_t *cancel_count)
{
    memcpy(id, feed->id, sizeof(feed->id));
    memcpy(cancels, feed->cancel, sizeof(feed->cancel));
    *cancel_count = feed->cancel_count;
    feed->cancel_count = 0;
    return feed->detail;
}

/* The counters of the look before, which the rates are reckoned from. */
static void remember(struct top_data *before, const struct top_data *now)
{
    json_decref(before->stats);
    before->stats = json_deep_copy(now->stats);
    before->at_ms = now->at_ms;
}

static void *run_feed(void *context)
{
    struct feed *feed = context;
    struct top_data before = {0};
    char id[40], cancels[CANCELS_MOST][40];
    size_t count;

    pthread_mutex_lock(&feed->mutex);
    while (!feed->is_over) {
        const enum top_detail detail = take_wishes(feed, id, cancels, &count);
        struct top_data data = {0};

        pthread_mutex_unlock(&feed->mutex);
        for (size_t i = 0; i < count; i++) {
            cancel(feed, cancels[i], data.news);
        }
        const bool is_answered = look(feed, &data);

        if (is_answered) {
            set_rates(&before, &data);
            remember(&before, &data);
            look_closer(feed, detail, id, &data);
        }
        pthread_mutex_lock(&feed->mutex);
        publish(feed, &data, is_answered);
        rest(feed);
    }
    pthread_mutex_unlock(&feed->mutex);
    top_data_clear(&before);
    return NULL;
}

/* ---- the other side */

struct feed *feed_open(struct observer *observer, const char *path, uint32_t delay_ms)
{
    struct feed *feed = calloc(1, sizeof(*feed));

    if (feed == NULL) {
        abort();
    }
    feed->observer = observer;
    feed->delay_ms = delay_ms;
    snprintf(feed->path, sizeof(feed->path), "%s", path);
    feed->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&feed->mutex, NULL);
    pthread_cond_init(&feed->wanted, NULL);
    if (feed->event < 0 || pthread_create(&feed->thread, NULL, run_feed, feed) != 0) {
        abort();
    }
    return feed;
}

void feed_close(struct feed *feed)
{
    pthread_mutex_lock(&feed->mutex);
    feed->is_over = true;
    pthread_cond_signal(&feed->wanted);
    pthread_mutex_unlock(&feed->mutex);
    pthread_join(feed->thread, NULL);
    top_data_clear(&feed->fresh);
    grove_client_close(feed->client);
    observer_close(feed->observer);
    pthread_cond_destroy(&feed->wanted);
    pthread_mutex_destroy(&feed->mutex);
    close(feed->event);
    free(feed);
}

int feed_fd(const struct feed *feed)
{
    return feed->event;
}

void feed_take(struct feed *feed, struct top_data *data)
{
    uint64_t count;

    (void)!read(feed->event, &count, sizeof(count));
    pthread_mutex_lock(&feed->mutex);
    if (feed->fresh.stats != NULL) {
        top_data_clear(data);
        *data = feed->fresh;
        feed->fresh = (struct top_data){.lost_ms = data->lost_ms};
    } else {
        data->lost_ms = feed->fresh.lost_ms;
        memcpy(data->news, feed->fresh.news, sizeof(data->news));
        feed->fresh.news[0] = '\0';
    }
    pthread_mutex_unlock(&feed->mutex);
}

void feed_want(struct feed *feed, enum top_detail detail, const char *id)
{
    pthread_mutex_lock(&feed->mutex);
    feed->detail = detail;
    snprintf(feed->id, sizeof(feed->id), "%.39s", id);
    feed->is_hurried = true;
    pthread_cond_signal(&feed->wanted);
    pthread_mutex_unlock(&feed->mutex);
}

void feed_cancel(struct feed *feed, const char *id)
{
    pthread_mutex_lock(&feed->mutex);
    if (feed->cancel_count < CANCELS_MOST) {
        snprintf(feed->cancel[feed->cancel_count++], sizeof(feed->cancel[0]), "%.39s", id);
    }
    pthread_cond_signal(&feed->wanted);
    pthread_mutex_unlock(&feed->mutex);
}
