/* SPDX-License-Identifier: MPL-2.0
 * A coordinator: owns the parts and wires them to the loop; decides nothing. Runs on the thread
 * that calls coordinator_run, so that `grove dev` can have one beside a worker. */
#ifndef GROVE_COORDINATOR_COORDINATOR_H
#define GROVE_COORDINATOR_COORDINATOR_H

#include "core/status.h"
#include "nodes/host/credential.h"

#define COORDINATOR_ERROR_SIZE 512

/* Everything is borrowed for the life of the coordinator. */
struct coordinator_options {
    const char *directory; /* of the ledger; made with --bootstrap */
    const char *listen; /* HOST:PORT of the task socket; stats is PORT + 1. Port 0: two free ones */
    const struct credential *credential; /* role coordinator */
    bool bootstrap;                      /* an empty directory begins a new ledger */
    bool join;      /* ... or waits to be added to the ledger of those that the credential names */
    bool has_peers; /* PORT + 2 is for other coordinators; not with port 0 */
    const char *advertise; /* HOST:PORT at which others reach the task socket; NULL: listen */
    const struct bytes *admitted; /* certificates or revocations to admit, signed form */
    size_t admitted_count;
    size_t segment_size;  /* bytes of a ledger segment; 0: the replica's own */
    size_t snapshot_size; /* bytes of log between snapshots; 0: the replica's own */
    uint32_t threads;     /* that verify; 0: half of the cores */
    uint32_t spin_us;     /* before the loop sleeps; 0: COORDINATOR_SPIN_US */
    uint32_t session_ms;  /* silence that ends a session; 0: LIMIT_SESSION_MS */
    uint64_t abandon_ms;  /* a join from outside ends when its signer is gone for so long; 0:
                             COORDINATOR_ABANDON_MS */
};

#define COORDINATOR_ABANDON_MS 300000u

/* A wake-up of an idle core costs 40 to 50 us: polling as long as that at most doubles the cost. */
#define COORDINATOR_SPIN_US 50u

struct coordinator;

/* Opens the ledger, replays it, and binds the sockets; strangers are refused from the first moment.
 * One voter leads when this returns; one of several follows, and stands for election in
 * coordinator_run.
 *
 *   error     a sentence naming file and offset, address or option; COORDINATOR_ERROR_SIZE bytes
 *   errors    GROVE_EMPTY: no ledger and no `bootstrap`; GROVE_CORRUPT, GROVE_VERSION,
 *             GROVE_WRONG_MESH: data that must not be used; GROVE_IN_USE: a busy port;
 *             GROVE_BUSY: another process has the directory; GROVE_FULL, GROVE_IO,
 *             GROVE_PERMISSION, GROVE_INVALID */
enum grove_status coordinator_open(const struct coordinator_options *options,
                                   struct coordinator **coordinator, char *error) GROVE_CHECKED;

/* Serves until coordinator_stop. When the ledger cannot be written any more, on a full disk for
 * one, the process says so in a line and exits with 74 from where it is: nothing acknowledged is
 * lost.
 *
 *   error     as for coordinator_open
 *   errors    GROVE_IO */
enum grove_status coordinator_run(struct coordinator *coordinator, char *error) GROVE_CHECKED;

/* Makes coordinator_run return; from any thread, or a signal handler. */
void coordinator_stop(struct coordinator *coordinator);

/* Releases all; not while coordinator_run is running. Accepts NULL. */
void coordinator_close(struct coordinator *coordinator);

uint16_t coordinator_task_port(const struct coordinator *coordinator);
uint16_t coordinator_stats_port(const struct coordinator *coordinator);

#endif
