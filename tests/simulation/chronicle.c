/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/chronicle.h"

#include "core/id.h"
#include "nodes/coordinator/replica/guard_rules.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/volume.h"

#include <inttypes.h>

#define DIGEST_EVERY 32u /* groups */

static void say_id(struct cluster *cluster, const char *before, const struct id *id)
{
    char text[2 * sizeof(*id) + 1];

    for (size_t i = 0; i < sizeof(*id); i++) {
        snprintf(text + 2 * i, 3, "%02x", ((const uint8_t *)id)[i]);
    }
    witness_hear(cluster->witness, "%s%s", before, text);
}

void chronicle_start(struct node *node)
{
    node->told = 0;
}

/* An entry without a group, such as a barrier, is one, too. */
static void tell_entry(struct node *node, raft_index index, bool has_group)
{
    witness_hear(node->cluster->witness, "log c%llu index=%llu term=%llu hash=%" PRIx64, node->id,
                 index, guard_term_of(&node->voter->raft, index),
                 has_group ? node->history.chain : 0);
}

static void tell_state(const struct node *node, raft_index index)
{
    struct buffer bytes = {.size = 0};

    node_write_forest(node, &bytes);
    const struct digest digest = digest_of(buffer_bytes(&bytes));
    witness_hear(node->cluster->witness, "digest c%llu index=%llu hash=%02x%02x%02x%02x%02x%02x",
                 node->id, index, digest.byte[0], digest.byte[1], digest.byte[2], digest.byte[3],
                 digest.byte[4], digest.byte[5]);
    buffer_clear(&bytes);
}

void chronicle_apply(struct node *node, raft_index index)
{
    if (node->cluster->witness == NULL || node->voter == NULL) {
        return; /* a lone voter applies its log while it starts */
    }
    if (node->told == 0 || guard_term_of(&node->voter->raft, node->told + 1) == 0) {
        node->told = index - 1;
        witness_hear(node->cluster->witness, "start c%llu index=%llu", node->id, node->told);
    }
    while (++node->told < index) {
        tell_entry(node, node->told, false);
    }
    tell_entry(node, index, true);
    if (node->history.count % DIGEST_EVERY == 0) {
        tell_state(node, index);
    }
}

void chronicle_lead(struct node *node)
{
    const raft_term term = node->voter->raft.current_term;

    if (node->cluster->witness != NULL && node->told_term != term) {
        node->told_term = term;
        witness_hear(node->cluster->witness, "lead c%llu term=%llu", node->id, term);
    }
}

void chronicle_accept(struct cluster *cluster, raft_index index, const struct effects *effects)
{
    struct cluster_accepted *accepted = &cluster->accepted[index % CLUSTER_ACCEPTED];

    *accepted = (struct cluster_accepted){.index = index};
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_ANSWER && effect->refusal == REFUSED_NOT &&
            accepted->count < CLUSTER_ACCEPTED_TASKS) {
            accepted->tasks[accepted->count++] = effect->task;
        }
    }
}

void chronicle_acknowledge(struct node *node, raft_index index)
{
    struct cluster *cluster = node->cluster;
    const struct cluster_accepted *accepted = &cluster->accepted[index % CLUSTER_ACCEPTED];
    const struct raft_configuration *configuration = &node->voter->raft.configuration;
    unsigned voters = 0;

    if (cluster->witness == NULL || node->volume == NULL || accepted->index != index) {
        return;
    }
    for (unsigned i = 0; i < configuration->n; i++) {
        const struct raft_server *server = &configuration->servers[i];
        const struct node *other = cluster_node(cluster, server->id);
        const bool votes = server->role == RAFT_VOTER;
        voters += votes;
        witness_hear(cluster->witness, "ack c%llu index=%" PRIu64, server->id,
                     votes ? other->volume->said.end : 0);
    }
    witness_hear(cluster->witness, "voters count=%u", voters);
    for (size_t i = 0; i < accepted->count; i++) {
        say_id(cluster, "ok c submit id=", &accepted->tasks[i]);
    }
}
