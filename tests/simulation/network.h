/* SPDX-License-Identifier: MPL-2.0
 * The network between simulated replicas: late, lossy, repetitive, out of order, and cut. */
#ifndef GROVE_TESTS_SIMULATION_NETWORK_H
#define GROVE_TESTS_SIMULATION_NETWORK_H

#include "tests/simulation/disk.h"
#include "tests/support/parcel.h"

#define NETWORK_NODES 8u /* ids from 1 */

struct network;

struct letter {
    struct network *network;
    struct parcel *parcel;         /* NULL once it is delivered */
    struct disk_snapshot snapshot; /* the file that goes with an InstallSnapshot */
    TAILQ_ENTRY(letter) link;
};

struct network {
    struct schedule *schedule;
    struct dice *dice;
    uint64_t least_us, most_us;                     /* on the way */
    unsigned drop, duplicate;                       /* permille */
    bool reorders;                                  /* else what is sent later arrives later */
    bool cut[NETWORK_NODES + 1][NETWORK_NODES + 1]; /* from, to */
    uint64_t arrival_us[NETWORK_NODES + 1][NETWORK_NODES + 1];
    TAILQ_HEAD(, letter) letters;

    /* Gets each letter that arrives; frees it with network_free. */
    void (*arrive)(void *context, struct letter *letter);
    void *context;
};

void network_init(struct network *network, struct schedule *schedule, struct dice *dice);

/* Sends a message, taken, and with it a snapshot's file, or NULL. False when it is lost at once:
 * but for a file, which is sent over a connection, nobody should know. */
bool network_send(struct network *network, struct parcel *parcel,
                  const struct disk_snapshot *snapshot);

/* No cut, no loss, nothing late. */
void network_heal(struct network *network);
void network_mend_cuts(struct network *network);

/* Cuts a node off: what it sends, what it is sent, or both. */
void network_cut(struct network *network, unsigned node, bool out, bool in);

/* Cuts between the nodes of a mask of ids and the others. */
void network_split(struct network *network, unsigned mask);

/* The event of a letter's arrival; happens again when its receiver was paused. */
void network_arrive(void *context, uint64_t unused);

void network_free(struct letter *letter);
void network_clear(struct network *network);

#endif
