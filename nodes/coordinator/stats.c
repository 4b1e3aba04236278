/* SPDX-License-Identifier: MPL-2.0
 * Requests to verbs, and the head of each answer. */
#include "nodes/coordinator/stats.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "nodes/coordinator/members.h"
#include "nodes/coordinator/phrase.h"

json_t *stats_text(struct bytes bytes)
{
    json_t *text = json_stringn((const char *)bytes.data, bytes.size);

    return text != NULL ? text : json_null();
}

json_t *stats_id(const struct id *id)
{
    char text[ID_TEXT_SIZE];

    id_format(id, text);
    return json_string(text);
}

/* Writing it would cost as much as all that comes before. */
size_t stats_size(json_t *value)
{
    size_t size = 32; /* of a number or a word, and what stands between */
    const char *name;
    json_t *part;
    size_t i;

    json_object_foreach(value, name, part)
    {
        size += strlen(name) + stats_size(part);
    }
    json_array_foreach(value, i, part)
    {
        size += stats_size(part);
    }
    return size + 6 * json_string_length(value); /* each byte may be escaped */
}

/* ---- requests */

#define WORDS 3

struct request {
    char text[STATS_REQUEST_SIZE + 1];
    const char *word[WORDS]; /* NULL where there is none */
};

/* False when it is too long or holds anything but printable ASCII, or too many words. */
static bool parse(struct bytes bytes, struct request *request)
{
    size_t count = 0;
    char *rest = NULL;

    *request = (struct request){.word = {NULL}};
    if (bytes.size == 0 || bytes.size > STATS_REQUEST_SIZE) {
        return false;
    }
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] < ' ' || bytes.data[i] > '~') {
            return false;
        }
        request->text[i] = (char)bytes.data[i];
    }
    for (char *word = strtok_r(request->text, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        if (count == WORDS) {
            return false;
        }
        request->word[count++] = word;
    }
    return count > 0;
}

/* ---- verbs */

static json_t *help(struct stats *stats, const struct request *request, const char **error);

static json_t *counts(struct stats *stats, const struct request *request, const char **error)
{
    (void)request;
    return stats_counts(stats, error);
}

static json_t *health(struct stats *stats, const struct request *request, const char **error)
{
    (void)request;
    return stats_health(stats, error);
}

static json_t *cluster(struct stats *stats, const struct request *request, const char **error)
{
    (void)request;
    return stats_cluster(stats, error);
}

static json_t *workers(struct stats *stats, const struct request *request, const char **error)
{
    return stats_workers(stats, request->word[1], error);
}

static json_t *tree(struct stats *stats, const struct request *request, const char **error)
{
    return stats_tree(stats, request->word[1], request->word[2], error);
}

static json_t *task(struct stats *stats, const struct request *request, const char **error)
{
    return stats_task(stats, request->word[1], error);
}

static json_t *roots(struct stats *stats, const struct request *request, const char **error)
{
    return stats_roots(stats, request->word[1], error);
}

static json_t *root(struct stats *stats, const struct request *request, const char **error)
{
    return stats_root(stats, request->word[1], error);
}

static json_t *failures(struct stats *stats, const struct request *request, const char **error)
{
    return stats_failures(stats, request->word[1], error);
}

static json_t *explain(struct stats *stats, const struct request *request, const char **error)
{
    return stats_explain(stats, request->word[1], error);
}

static json_t *functions(struct stats *stats, const struct request *request, const char **error)
{
    return stats_functions(stats, request->word[1], error);
}

static bool events(struct stats *stats, const struct request *request, struct buffer *out,
                   const char **error)
{
    return stats_events(stats, request->word[1], out, error);
}

static bool metrics(struct stats *stats, const struct request *request, struct buffer *out,
                    const char **error)
{
    (void)request;
    (void)error;
    stats_put_metrics(stats, out);
    return true;
}

/* Has an answer, or writes it itself; without a schema that is no JSON. */
static const struct verb {
    const char *name;
    const char *arguments;
    const char *schema;
    json_t *(*answer)(struct stats *stats, const struct request *request, const char **error);
    bool (*write)(struct stats *stats, const struct request *request, struct buffer *out,
                  const char **error);
} verbs[] = {
    {"cluster", "", "grove.cluster/1", .answer = cluster},
    {"events", "[SINCE]", "grove.events/1", .write = events},
    {"explain", "ID", "grove.explain/1", .answer = explain},
    {"failures", "[CURSOR]", "grove.failures/1", .answer = failures},
    {"functions", "[CURSOR]", "grove.functions/1", .answer = functions},
    {"health", "", "grove.health/1", .answer = health},
    {"help", "", "grove.help/1", .answer = help},
    {"metrics", "", NULL, .write = metrics},
    {"root", "ID", "grove.root/1", .answer = root},
    {"roots", "[CURSOR]", "grove.roots/1", .answer = roots},
    {"stats", "", "grove.stats/1", .answer = counts},
    {"task", "ID", "grove.task/1", .answer = task},
    {"tree", "ID [CURSOR]", "grove.tree/1", .answer = tree},
    {"workers", "[CURSOR]", "grove.workers/1", .answer = workers},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static json_t *help(struct stats *stats, const struct request *request, const char **error)
{
    json_t *list = json_array();

    (void)stats;
    (void)request;
    (void)error;
    for (size_t i = 0; i < VERBS; i++) {
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s?}", "verb", verbs[i].name, "arguments",
                                        verbs[i].arguments, "schema", verbs[i].schema));
    }
    return json_pack("{s:o}", "verbs", list);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static json_t *leader_name(const struct stats *stats)
{
    const struct members *members = stats->members;
    const struct member *leader = members != NULL ? members_find(members, members->leader) : NULL;

    if (replica_is_leader(stats->replica)) {
        return json_string(stats->egress->credential->certificate.name);
    }
    return leader != NULL && leader->has_address
               ? json_string(members_name(stats->egress->forest, &leader->address.identity))
               : json_null();
}

/* A follower has all that was committed when its leader spoke last. */
static json_t *staleness(const struct stats *stats)
{
    if (replica_is_leader(stats->replica)) {
        return json_integer(0);
    }
    if (stats->leader_heard_ms == NULL || *stats->leader_heard_ms == 0) {
        return json_null();
    }
    return json_integer((json_int_t)(stats->egress->now_ms - *stats->leader_heard_ms));
}

/* The schema first; and last who leads, how far we are, and how old that may be. */
static json_t *frame(struct stats *stats, json_t *answer, const char *schema)
{
    json_t *framed = json_pack("{s:s}", "schema", schema);

    json_object_update(framed, answer);
    json_decref(answer);
    json_object_set_new(framed, "leader", leader_name(stats));
    json_object_set_new(framed, "applied", json_integer((json_int_t)stats->machine->index));
    json_object_set_new(framed, "stale_ms", staleness(stats));
    return framed;
}

void stats_put_head(const struct stats *stats, const char *schema, struct buffer *out)
{
    json_t *leader = leader_name(stats);
    json_t *stale_ms = staleness(stats);

    phrase(out, "{\"schema\": \"%s\", \"leader\": ", schema);
    phrase_json(out, json_is_string(leader) ? bytes_of_text(json_string_value(leader))
                                            : bytes_of(NULL, 0));
    phrase(out, ", \"applied\": %" PRIu64, stats->machine->index);
    if (json_is_integer(stale_ms)) {
        phrase(out, ", \"stale_ms\": %" JSON_INTEGER_FORMAT, json_integer_value(stale_ms));
    } else {
        phrase(out, ", \"stale_ms\": null");
    }
    json_decref(leader);
    json_decref(stale_ms);
}

static int append(const char *text, size_t size, void *out)
{
    buffer_append(out, text, size);
    return 0;
}

static void append_json(struct buffer *out, json_t *answer)
{
    const int rc = json_dump_callback(answer, append, out, JSON_COMPACT);

    assert(rc == 0 && out->size <= LIMIT_STATS_PAGE);
    json_decref(answer);
}

enum refusal stats_judge(const struct stats *stats, const struct key *identity)
{
    const struct forest *forest = stats->egress->forest;
    const struct certificate *certificate = forest_certificate(forest, identity, NULL);

    if (certificate == NULL) {
        return REFUSED_UNKNOWN_KEY;
    }
    if (!forest_trusts(forest, identity)) {
        return REFUSED_REVOKED;
    }
    return certificate->roles & (ROLE_OBSERVER | ROLE_OPERATOR) ? REFUSED_NOT : REFUSED_ROLE;
}

void stats_refuse(enum refusal refusal, struct buffer *out)
{
    append_json(out, json_pack("{s:s, s:s, s:s}", "schema", "grove.error/1", "error",
                               refusal_text(refusal), "reason", refusal_name(refusal)));
}

void stats_answer(struct stats *stats, struct bytes request, struct buffer *out)
{
    const char *error = "a request is one line of words: try help";
    const char *schema = "grove.error/1";
    struct request parsed;
    json_t *answer = NULL;

    stats->requests++;
    if (parse(request, &parsed)) {
        const struct verb *verb = find_verb(parsed.word[0]);

        error = "unknown verb: try help";
        if (verb != NULL && verb->write != NULL) {
            if (verb->write(stats, &parsed, out, &error)) {
                return;
            }
        } else if (verb != NULL) {
            answer = verb->answer(stats, &parsed, &error);
            schema = answer != NULL ? verb->schema : schema;
        }
    }
    if (answer == NULL) {
        answer = json_pack("{s:s}", "error", error);
    }
    append_json(out, frame(stats, answer, schema));
}
