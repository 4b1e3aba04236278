/* SPDX-License-Identifier: MPL-2.0
 * One command, one table: each workload beside its target and beside the floor of this very run.
 * Everything is signed, encrypted and synced before it is acknowledged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "tests/bench/floor.h"
#include "tests/bench/joins.h"
#include "tests/bench/mesh.h"
#include "tests/bench/voters.h"
#include "tests/bench/workload.h"

enum { CORES = 2, BATCH = 256, SLOTS = 2, WINDOW = 1024, SPIN_US = 200, QUEUED = 200000 };
enum {
    CHILDREN = 1000,
    ITEMS = 1000,
    LIMIT = 20,
    MAP_SLOTS = 32,
    STREAMED = 1000000,
    MANY_SLOTS = 1024
};

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

static void run_gather(const struct mesh *mesh)
{
    struct grove_client *client = workload_client(mesh->client_credential, SPIN_US);
    char measured[64];

    joins_gather(client, CHILDREN, 3);
    const double ms = joins_gather(client, CHILDREN, 15);

    snprintf(measured, sizeof(measured), "%.1f ms", ms);
    print_row("W3", "a parent gathers 1,000 children", measured, "10 ms", ms / 10, "<= 10 ms",
              ms <= 10);
    grove_client_close(client);
}

/* Ideal is ITEMS / LIMIT items one after the other. */
static void run_map(struct grove_client *client, unsigned item_us)
{
    const double ideal = (double)ITEMS / LIMIT * item_us / 1e6;
    const unsigned rounds = item_us > 5000 ? 3 : 9;
    char work[64], measured[64], floor[64];

    const double raw = raw_window_seconds(ITEMS, LIMIT, item_us);
    const double seconds = joins_map(client, ITEMS, LIMIT, item_us, rounds);
    const bool is_long = item_us > 5000;

    snprintf(work, sizeof(work), "map 1,000 of %u ms, limit 20", item_us / 1000);
    snprintf(measured, sizeof(measured), "%.0f ms", seconds * 1e3);
    snprintf(floor, sizeof(floor), "%.0f ms", (is_long ? ideal : raw) * 1e3);
    print_row("W4", work, measured, floor, (is_long ? ideal : raw) / seconds,
              is_long ? ">= 0.95 x ideal" : ">= 0.8 x raw plaintext broker",
              is_long ? ideal >= 0.95 * seconds : raw >= 0.8 * seconds);
    printf("     ideal %.0f ms; the raw plaintext broker %.0f ms\n", ideal * 1e3, raw * 1e3);
}

static void run_maps(const char *grove)
{
    struct mesh mesh = {.voters = 1};

    mesh_start(&mesh, grove, MAP_SLOTS, WINDOW, SPIN_US);
    struct grove_client *client = workload_client(mesh.client_credential, SPIN_US);
    joins_map(client, ITEMS, LIMIT, 1000, 1);
    run_map(client, 1000);
    run_map(client, 20000);
    grove_client_close(client);
    mesh_stop(&mesh);
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

/* Inputs of a map are never assigned ahead, so there is a slot for each of those in its window.
 * What a million of them take at both ends and between them: bounded at the ends. */
static void run_million(const char *grove)
{
    struct mesh mesh = {.voters = 1};
    const uint64_t before = mesh_resident(getpid(), "VmRSS:");

    mesh_start(&mesh, grove, MANY_SLOTS, WINDOW, 0);
    struct grove_client *client = workload_client(mesh.client_credential, 0);
    const double seconds = joins_stream(client, STREAMED, 1024);
    const uint64_t after = mesh_resident(getpid(), "VmHWM:");

    printf("M    map of 1,000,000 echoes, streamed: %.0f items/s; memory: client %.0f MiB more, "
           "worker %.0f MiB, coordinator %.0f MiB (%.0f B an item)\n",
           STREAMED / seconds, mib(after > before ? after - before : 0),
           mib(mesh_resident(mesh.worker, "VmHWM:")),
           mib(mesh_resident(mesh.coordinator, "VmHWM:")), (double)mesh_memory(&mesh) / STREAMED);
    grove_client_close(client);
    mesh_stop(&mesh);
}

int main(int argc, char **argv)
{
    struct floor_parts parts;
    struct mesh mesh = {.voters = 1};
    const char *wanted = argc > 2 ? argv[2] : NULL;

    if (argc < 2 || sodium_init() < 0) {
        fprintf(stderr, "usage: bench GROVE [W1,W2,W3,W4,W5,W6,W8,M | voters]\n");
        return 2;
    }
    if (wanted != NULL && strcmp(wanted, "voters") == 0) {
        return voters_compare(argv[1]);
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
    if (only_these(wanted, "W3")) {
        run_gather(&mesh);
    }
    if (only_these(wanted, "W8")) {
        run_crowd(&mesh, &parts);
    }
    if (only_these(wanted, "W6")) {
        run_enqueue(&mesh, &parts, argv[1]);
    }
    mesh_stop(&mesh);
    if (only_these(wanted, "W4")) {
        run_maps(argv[1]);
    }
    if (only_these(wanted, "M")) {
        run_million(argv[1]);
    }
    return 0;
}
