/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/network.h"

#include <stdlib.h>

void network_init(struct network *network, struct schedule *schedule, struct dice *dice)
{
    *network = (struct network){.schedule = schedule, .dice = dice};
    TAILQ_INIT(&network->letters);
    network_heal(network);
}

void network_free(struct letter *letter)
{
    TAILQ_REMOVE(&letter->network->letters, letter, link);
    if (letter->parcel != NULL) {
        parcel_free(letter->parcel);
    }
    disk_snapshot_clear(&letter->snapshot);
    free(letter);
}

void network_arrive(void *context, uint64_t unused)
{
    struct letter *letter = context;

    (void)unused;
    letter->network->arrive(letter->network->context, letter);
}

static void dispatch(struct network *network, struct parcel *parcel,
                     const struct disk_snapshot *snapshot)
{
    struct letter *letter = calloc(1, sizeof(*letter));
    uint64_t *last_us = &network->arrival_us[parcel->from][parcel->to];
    uint64_t delay_us = dice_between(network->dice, network->least_us, network->most_us);
    uint64_t at_us = network->schedule->now_us + delay_us;

    if (letter == NULL) {
        abort();
    }
    letter->network = network;
    letter->parcel = parcel;
    raft_configuration_init(&letter->snapshot.configuration);
    if (snapshot != NULL) {
        disk_snapshot_copy(snapshot, &letter->snapshot);
    }
    if (!network->reorders && at_us < *last_us) {
        at_us = *last_us;
    }
    *last_us = at_us;
    TAILQ_INSERT_TAIL(&network->letters, letter, link);
    schedule_after(network->schedule, at_us - network->schedule->now_us, network_arrive, letter, 0);
}

bool network_send(struct network *network, struct parcel *parcel,
                  const struct disk_snapshot *snapshot)
{
    if (network->cut[parcel->from][parcel->to] || dice_chance(network->dice, network->drop)) {
        parcel_free(parcel);
        return false;
    }
    if (dice_chance(network->dice, network->duplicate)) {
        dispatch(network, parcel_copy(parcel), snapshot);
    }
    dispatch(network, parcel, snapshot);
    return true;
}

void network_mend_cuts(struct network *network)
{
    memset(network->cut, 0, sizeof(network->cut));
}

void network_heal(struct network *network)
{
    network_mend_cuts(network);
    network->least_us = 200;
    network->most_us = 1000;
    network->drop = network->duplicate = 0;
    network->reorders = false;
}

void network_cut(struct network *network, unsigned node, bool out, bool in)
{
    for (unsigned i = 1; i <= NETWORK_NODES; i++) {
        network->cut[node][i] = network->cut[node][i] || out;
        network->cut[i][node] = network->cut[i][node] || in;
    }
}

void network_split(struct network *network, unsigned mask)
{
    for (unsigned i = 1; i <= NETWORK_NODES; i++) {
        for (unsigned k = 1; k <= NETWORK_NODES; k++) {
            network->cut[i][k] = network->cut[i][k] || (mask >> i & 1) != (mask >> k & 1);
        }
    }
}

void network_clear(struct network *network)
{
    struct letter *next;

    for (struct letter *letter = TAILQ_FIRST(&network->letters); letter != NULL; letter = next) {
        next = TAILQ_NEXT(letter, link);
        network_free(letter);
    }
}
