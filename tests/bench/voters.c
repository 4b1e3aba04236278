/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/voters.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/joins.h"
#include "tests/bench/mesh.h"
#include "tests/bench/workload.h"

enum { ROUNDS = 3, SLOTS = 2, MAP_SLOTS = 32, WINDOW = 1024, SPIN_US = 200 };
enum { ITEMS = 1000, LIMIT = 20, STREAM = 100000, QUEUED = 100000 };
enum { W1, W2, W3, W4_SHORT, W4_LONG, W5, W6, WORKLOADS };

static const struct workload {
    const char *name, *work, *unit;
    bool is_rate; /* more is better */
} workloads[WORKLOADS] = {
    [W1] = {"W1", "one at a time, round trip (p50)", "us", false},
    [W2] = {"W2", "1,000 in flight", "/s", true},
    [W3] = {"W3", "a parent gathers 1,000 children", "ms", false},
    [W4_SHORT] = {"W4", "map 1,000 of 1 ms, limit 20", "ms", false},
    [W4_LONG] = {"W4", "map 1,000 of 20 ms, limit 20", "ms", false},
    [W5] = {"W5", "a parent awaits 100 children, a step", "us", false},
    [W6] = {"W6", "bulk enqueue", "/s", true},
};

static void measure_maps(const char *grove, unsigned voters, double *figures)
{
    struct mesh mesh = {.voters = voters};

    mesh_start(&mesh, grove, MAP_SLOTS, WINDOW, SPIN_US);
    struct grove_client *client = workload_client(mesh.client_credential, SPIN_US);

    joins_map(client, ITEMS, LIMIT, 1000, 1);
    figures[W4_SHORT] = joins_map(client, ITEMS, LIMIT, 1000, 3) * 1e3;
    figures[W4_LONG] = joins_map(client, ITEMS, LIMIT, 20000, 1) * 1e3;
    grove_client_close(client);
    mesh_stop(&mesh);
}

/* The queue that W6 leaves behind goes with its mesh. */
static void measure(const char *grove, unsigned voters, double *figures)
{
    struct mesh mesh = {.voters = voters};
    double p99_us;

    mesh_start(&mesh, grove, SLOTS, WINDOW, SPIN_US);
    struct grove_client *spinning = workload_client(mesh.client_credential, SPIN_US);
    struct grove_client *client = workload_client(mesh.client_credential, 0);

    workload_round_trip(spinning, 100, &p99_us);
    figures[W1] = workload_round_trip(spinning, 1000, &p99_us);
    figures[W5] = workload_chain(spinning, 100, 5);
    joins_gather(spinning, ITEMS, 2);
    figures[W3] = joins_gather(spinning, ITEMS, 7);
    grove_client_close(spinning);
    workload_stream(client, 1000, STREAM / 10);
    figures[W2] = workload_stream(client, 1000, STREAM);
    figures[W6] = workload_enqueue(client, QUEUED);
    grove_client_close(client);
    mesh_stop(&mesh);
    measure_maps(grove, voters, figures);
}

static int by_size(const void *one, const void *other)
{
    const double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static double median(double figures[ROUNDS][WORKLOADS], unsigned workload)
{
    double sorted[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        sorted[i] = figures[i][workload];
    }
    qsort(sorted, ROUNDS, sizeof(*sorted), by_size);
    return sorted[ROUNDS / 2];
}

int voters_compare(const char *grove)
{
    static double one[ROUNDS][WORKLOADS], three[ROUNDS][WORKLOADS];
    int missed = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        measure(grove, 1, one[i]);
        measure(grove, MESH_VOTERS, three[i]);
    }
    printf("medians of %d rounds in turn; all coordinators on this machine\n", ROUNDS);
    printf("%-4s %-38s %12s %14s %8s  %s\n", "", "work", "one voter", "three voters", "speed",
           "target");
    for (unsigned i = 0; i < WORKLOADS; i++) {
        const double alone = median(one, i), together = median(three, i);
        const double speed = workloads[i].is_rate ? together / alone : alone / together;

        printf("%-4s %-38s %9.0f %-3s %10.0f %-3s %8.2f  >= 0.5 x one voter: %s\n",
               workloads[i].name, workloads[i].work, alone, workloads[i].unit, together,
               workloads[i].unit, speed, speed >= 0.5 ? "met" : "MISSED");
        missed |= speed < 0.5;
    }
    return missed;
}
