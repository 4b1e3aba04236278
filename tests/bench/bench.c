/* SPDX-License-Identifier: MPL-2.0
 * One command, one table: each workload beside its target and beside the floor of this very run.
 * Everything is signed, encrypted and synced before it is acknowledged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "tests/bench/floor.h"
#include "tests/bench/mesh.h"
#include "tests/bench/workload.h"

enum { CORES = 2, BATCH = 256, SLOTS = 2, WINDOW = 1024, SPIN_US = 200, QUEUED = 200000 };

static bool only_these(const char *wanted, const char *name)
{
    return wanted == NULL || strstr(wanted, name) != NULL;
}

static void print_head(void)
{
    printf("%-4s %-34s %14s %14s %8s  %s\n", "", "work", "measured", "floor", "ratio", "target");
}

static void print_row(const char *name, const char *work, const char *measured, const char *floor,
                      double ratio, const char *target, bool met)
{
    printf("%-4s %-34s %14s %14s %8.2f  %s: %s\n", name, work, measured, floor, ratio, target,
           met ? "met" : "MISSED");
    fflush(stdout);
}

/* What one task at a time cannot avoid, microseconds. */
static double floor_of_one(const struct floor_parts *parts)
{
    return 2 * parts->sync_us + 2 * parts->sign_us + 4 * parts->verify_us +
           2 * parts->curve_round_trip_us;
}

static void print_parts(const struct floor_parts *parts)
{
    printf("floor parts: sync %.0f us, sign %.1f us, verify %.1f us, hash of an item %.2f us, "
           "CURVE round trip "
           "%.0f us,\n             CURVE %.2f ns/B a side, journal %.2f ns/B, raw plaintext broker "
           "%.0f tasks/s\n",
           parts->sync_us, parts->sign_us, parts->verify_us, parts->hash_us,
           parts->curve_round_trip_us, parts->curve_byte_ns, parts->journal_byte_ns,
           parts->raw_broker_rate);
    printf("W1 and W5:   2 syncs + 2 signs + 4 verifies + 2 round trips = %.0f us\n\n",
           floor_of_one(parts));
}

static void run_round_trips(const struct mesh *mesh, const struct floor_parts *parts)
{
    struct grove_client *client = workload_client(mesh->client_credential, SPIN_US);
    char measured[64], floor[64];
    double p99_us;

    workload_round_trip(client, 200, &p99_us);
    const double p50_us = workload_round_trip(client, 2000, &p99_us);
    const double ratio = p50_us / floor_of_one(parts);

    snprintf(measured, sizeof(measured), "%.0f us", p50_us);
    snprintf(floor, sizeof(floor), "%.0f us", floor_of_one(parts));
    print_row("W1", "one at a time, round trip (p50)", measured, floor, ratio, "<= 1.3 x floor",
              ratio <= 1.3);
    printf("     p99 %.0f us\n", p99_us);
    grove_client_close(client);
}

static void run_chain(const struct mesh *mesh, const struct floor_parts *parts)
{
    struct grove_client *client = workload_client(mesh->client_credential, SPIN_US);
    char measured[64], floor[64];

    workload_chain(client, 100, 2);
    const double step_us = workload_chain(client, 100, 15);
    const double ratio = step_us / floor_of_one(parts);

    snprintf(measured, sizeof(measured), "%.0f us", step_us);
    snprintf(floor, sizeof(floor), "%.0f us", floor_of_one(parts));
    print_row("W5", "a parent awaits 100 children, a step", measured, floor, ratio,
              "<= 1.3 x floor", ratio <= 1.3);
    grove_client_close(client);
}

struct used {
    double cpu_us, wire_bytes, journal_bytes; /* a task */
    double coordinator_us, worker_us;
};

static struct used used_between(const struct mesh_usage *before, const struct mesh_usage *after,
                                unsigned tasks)
{
    return (struct used){
        .cpu_us = (after->cpu_s - before->cpu_s) * 1e6 / tasks,
        .coordinator_us = (after->coordinator_s - before->coordinator_s) * 1e6 / tasks,
        .worker_us = (after->worker_s - before->worker_s) * 1e6 / tasks,
        .wire_bytes = (double)(after->wire_bytes - before->wire_bytes) / tasks,
        .journal_bytes = (double)(after->journal_bytes - before->journal_bytes) / tasks,
    };
}

/* Tasks/s that 2 cores would do if nothing but these parts cost: seals, hashes, CURVE at both ends,
 * the journal. */
static double rate_of_parts(const struct floor_parts *parts, const struct used *used, double signs,
                            double verifies, double hashes)
{
    const double us = signs * parts->sign_us + verifies * parts->verify_us +
                      hashes * parts->hash_us + used->wire_bytes * 2 * parts->curve_byte_ns / 1e3 +
                      used->journal_bytes * parts->journal_byte_ns / 1e3;

    return CORES * 1e6 / us;
}

static void print_used(const struct used *used, const char *parts)
{
    printf("     a task: %.1f us of CPU (coordinator %.1f, worker %.1f), %.0f B on the wire, %.0f "
           "B journal; "
           "floor: %s\n",
           used->cpu_us, used->coordinator_us, used->worker_us, used->wire_bytes,
           used->journal_bytes, parts);
}

static void run_stream(const struct mesh *mesh, const struct floor_parts *parts)
{
    struct grove_client *client = workload_client(mesh->client_credential, 0);
    struct mesh_usage before, after;
    char measured[64], floor[64];
    const unsigned tasks = 400000;

    workload_stream(client, 1000, 20000);
    mesh_usage(mesh, &before);
    const double rate = workload_stream(client, 1000, tasks);
    mesh_usage(mesh, &after);
    const struct used used = used_between(&before, &after, tasks);
    const double possible = rate_of_parts(parts, &used, 2.0 / BATCH, 4.0 / BATCH, 9);

    snprintf(measured, sizeof(measured), "%.0f /s", rate);
    snprintf(floor, sizeof(floor), "%.0f /s", possible);
    print_row("W2", "1,000 in flight", measured, floor, rate / possible,
              ">= 100,000/s and >= 0.2 x raw broker",
              rate >= 100000 && rate >= 0.2 * parts->raw_broker_rate);
    printf("     %.2f x the raw plaintext broker\n", rate / parts->raw_broker_rate);
    print_used(&used,
               "2 signs + 4 verifies a batch of 256, 9 hashes, CURVE and journal bytes, 2 cores");
    grove_client_close(client);
}

/* W6 fills the queue that W7 then weighs. */
static void run_enqueue(const struct mesh *mesh, const struct floor_parts *parts, const char *grove)
{
    struct grove_client *client = workload_client(mesh->client_credential, 0);
    struct mesh_usage before, after;
    char measured[64], floor[64];
    const uint64_t memory = mesh_memory(mesh);

    mesh_usage(mesh, &before);
    const double rate = workload_enqueue(client, QUEUED);
    mesh_usage(mesh, &after);
    const struct used used = used_between(&before, &after, QUEUED);
    const double possible = rate_of_parts(parts, &used, 1.0 / BATCH, 1.0 / BATCH, 6);

    snprintf(measured, sizeof(measured), "%.0f /s", rate);
    snprintf(floor, sizeof(floor), "%.0f /s", possible);
    print_row("W6", "bulk enqueue", measured, floor, rate / possible, ">= 300,000/s",
              rate >= 300000);
    print_used(&used,
               "1 sign + 1 verify a batch of 256, 6 hashes, CURVE and journal bytes, 2 cores");
    mesh_snapshot(mesh, grove);
    const double bytes = (double)(mesh_memory(mesh) - memory) / QUEUED;
    const double on_disk = (double)mesh_disk(mesh) / QUEUED;

    snprintf(measured, sizeof(measured), "%.0f B", bytes);
    snprintf(floor, sizeof(floor), "%.0f B", on_disk);
    print_row("W7", "200,000 queued: memory; snapshot", measured, floor, bytes / 600,
              "<= 600 B a task", bytes <= 600);
    grove_client_close(client);
}

static void run_crowd(const struct mesh *mesh, const struct floor_parts *parts)
{
    struct mesh_usage before, after;
    char measured[64], floor[64];
    const unsigned clients = 200, each = 60;

    mesh_usage(mesh, &before);
    const double rate = workload_crowd(mesh->client_credential, clients, each);
    mesh_usage(mesh, &after);
    const struct used used = used_between(&before, &after, clients * each);
    const double possible = CORES * 1e6 / (parts->sign_us + 3 * parts->verify_us);

    snprintf(measured, sizeof(measured), "%.0f /s", rate);
    snprintf(floor, sizeof(floor), "%.0f /s", possible);
    print_row("W8", "200 clients, each one at a time", measured, floor, rate / possible,
              ">= 0.6 x floor", rate >= 0.6 * possible);
    print_used(&used, "1 sign + 3 verifies a task (client; coordinator, worker, client), 2 cores");
}

int main(int argc, char **argv)
{
    struct floor_parts parts;
    struct mesh mesh;
    const char *wanted = argc > 2 ? argv[2] : NULL;

    if (argc < 2 || sodium_init() < 0) {
        fprintf(stderr, "usage: bench GROVE [W1,W2,W5,W6,W8]\n");
        return 2;
    }
    printf("signed, encrypted, synced before acknowledged; one coordinator, one worker, one "
           "submitter; 64 B payloads; "
           "%ld cores\n",
           sysconf(_SC_NPROCESSORS_ONLN));
    mesh_start(&mesh, argv[1], SLOTS, WINDOW, SPIN_US);
    floor_measure(mesh.directory, &parts);
    print_parts(&parts);
    print_head();
    if (only_these(wanted, "W1")) {
        run_round_trips(&mesh, &parts);
    }
    if (only_these(wanted, "W5")) {
        run_chain(&mesh, &parts);
    }
    if (only_these(wanted, "W2")) {
        run_stream(&mesh, &parts);
    }
    if (only_these(wanted, "W8")) {
        run_crowd(&mesh, &parts);
    }
    if (only_these(wanted, "W6")) {
        run_enqueue(&mesh, &parts, argv[1]);
    }
    mesh_stop(&mesh);
    return 0;
}
