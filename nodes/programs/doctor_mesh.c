/* SPDX-License-Identifier: MPL-2.0
 * What grove doctor sees of the mesh: connections to all coordinators side by side, then a session.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/client/session.h"
#include "nodes/host/clock.h"
#include "nodes/programs/connect.h"
#include "nodes/programs/doctor.h"

#define TICK_MS 5u
#define REACH_MS 3000u /* to all of them */
#define OFFSET_WARN_MS 2000
#define OFFSET_BAD_MS 30000 /* what a Submit lives: with less left it is refused */

static int64_t magnitude(int64_t number)
{
    return number < 0 ? -number : number;
}

/* ---- connections */

struct reaching {
    const struct credential *credential;
    struct bus *bus;
    struct bus_socket *socket[CREDENTIAL_COORDINATORS]; /* NULL: no such endpoint */
    uint64_t until_ms;                                  /* monotonic */
};

static void ignore(void *context, const struct bus_message *message)
{
    (void)context;
    (void)message;
}

static void watch(void *context)
{
    struct reaching *reaching = context;
    bool is_over = true;

    for (unsigned i = 0; i < reaching->credential->coordinator_count; i++) {
        const enum bus_handshake state =
            reaching->socket[i] != NULL ? bus_handshake(reaching->socket[i]) : BUS_CONNECTED;

        is_over = is_over && (state == BUS_CONNECTED || state == BUS_REFUSED);
    }
    if (is_over || clock_monotonic_ms() >= reaching->until_ms) {
        bus_stop(reaching->bus);
    }
}

static const char *advice(enum bus_handshake state)
{
    switch (state) {
    case BUS_UNANSWERED:
        return "is it running (grove cluster status)? Does its host name resolve, and does a "
               "firewall let its ports pass?";
    case BUS_UNDECIDED:
    case BUS_SHUT_OUT:
        return "an operator admits it: grove keys admit FILE";
    case BUS_REFUSED:
        return "an operator issues another: grove keys issue";
    case BUS_CONNECTED:
        break;
    }
    return NULL;
}

/* Whether this one is reached. */
static bool judge(const struct reaching *reaching, unsigned i, const char *path,
                  struct findings *findings)
{
    const struct coordinator_address *address = &reaching->credential->coordinator[i];
    char why[SESSION_ERROR_SIZE];

    if (reaching->socket[i] == NULL) {
        find(findings, "coordinator", VERDICT_BAD, "issue the credential again",
             "%s at %s: no address to connect to", address->certificate.name, address->endpoint);
        return false;
    }
    const enum bus_handshake state = bus_handshake(reaching->socket[i]);

    if (state == BUS_CONNECTED) {
        find(findings, "coordinator", VERDICT_OK, NULL,
             "%s at %s is reached, proves its key and lets this one in", address->certificate.name,
             address->endpoint);
    } else {
        (void)session_why(state, address->endpoint, path, why);
        find(findings, "coordinator", VERDICT_BAD, advice(state), "%s: %s",
             address->certificate.name, why);
    }
    return state == BUS_CONNECTED;
}

/* Whether any of them is reached. */
static bool reach_all(const struct credential *credential, const char *path,
                      struct findings *findings)
{
    struct reaching reaching = {.credential = credential,
                                .bus = bus_create(0),
                                .until_ms = clock_monotonic_ms() + REACH_MS};

    for (unsigned i = 0; i < credential->coordinator_count; i++) {
        const struct coordinator_address *address = &credential->coordinator[i];

        if (bus_connect(reaching.bus, address->endpoint, &address->certificate.link_key,
                        credential->link, ignore, NULL, &reaching.socket[i]) != GROVE_OK) {
            reaching.socket[i] = NULL;
        }
    }
    if (bus_every(reaching.bus, TICK_MS, watch, &reaching) != GROVE_OK) {
        abort();
    }
    bus_run(reaching.bus);
    bool is_any = false;

    for (unsigned i = 0; i < credential->coordinator_count; i++) {
        is_any = judge(&reaching, i, path, findings) || is_any;
    }
    bus_destroy(reaching.bus);
    return is_any;
}

/* ---- a session */

struct meeting {
    struct session session;
    struct bus *bus;
    uint64_t until_ms; /* monotonic */
};

static void welcomed(void *context, const struct message *message, const struct welcome *welcome)
{
    struct meeting *meeting = context;

    (void)message;
    (void)welcome;
    bus_stop(meeting->bus);
}

static void received(void *context, const struct message *message)
{
    (void)context;
    (void)message;
}

static void meet(void *context)
{
    struct meeting *meeting = context;
    const uint64_t now_ms = clock_monotonic_ms();

    session_tick(&meeting->session, now_ms);
    if (now_ms >= meeting->until_ms || meeting->session.refusal != GROVE_OK) {
        bus_stop(meeting->bus);
    }
}

static void judge_clock(const struct session *session, struct findings *findings)
{
    const int64_t offset_ms = (int64_t)session_ledger_ms(session) - (int64_t)clock_unix_ms();
    const enum verdict verdict = magnitude(offset_ms) >= OFFSET_BAD_MS    ? VERDICT_BAD
                                 : magnitude(offset_ms) >= OFFSET_WARN_MS ? VERDICT_WARN
                                                                          : VERDICT_OK;

    find(findings, "clock", verdict,
         verdict != VERDICT_OK ? "set this host's clock by NTP, or that of the coordinators" : NULL,
         "the mesh's clock is %" PRId64 " ms %s of this host's", magnitude(offset_ms),
         offset_ms < 0 ? "behind" : "ahead");
}

static void judge_session(const struct session *session, const char *path,
                          struct findings *findings)
{
    char why[SESSION_ERROR_SIZE];

    if (session->is_welcome) {
        find(findings, "leader", VERDICT_OK, NULL, "a coordinator that leads welcomes it at %s",
             session->places.list[session->coordinator].endpoint);
        judge_clock(session, findings);
    } else {
        (void)session_complaint(session, path, why);
        find(findings, "leader", VERDICT_BAD,
             "a majority of the coordinators must run and reach each other: grove cluster status",
             "%s", why);
    }
}

/* What a coordinator is greets nobody. */
static void greet(const struct credential *credential, const char *path, struct findings *findings)
{
    struct meeting meeting = {.bus = bus_create(0),
                              .until_ms = clock_monotonic_ms() + CONNECT_PATIENCE_MS};
    const struct session_events events = {
        .context = &meeting, .welcomed = welcomed, .received = received};

    if (session_open(&meeting.session, meeting.bus, credential, &events) != GROVE_OK ||
        bus_every(meeting.bus, TICK_MS, meet, &meeting) != GROVE_OK) {
        find(findings, "leader", VERDICT_BAD, NULL, "cannot connect to what %s names", path);
    } else {
        bus_run(meeting.bus);
        judge_session(&meeting.session, path, findings);
    }
    session_close(&meeting.session);
    bus_destroy(meeting.bus);
}

void doctor_mesh(const struct credential *credential, const char *path, struct findings *findings)
{
    const uint32_t greeters = ROLE_CLIENT | ROLE_WORKER | ROLE_OPERATOR;

    if (credential->coordinator_count == 0) {
        find(findings, "coordinator", VERDICT_BAD, "issue the credential again",
             "%s names no coordinator", path);
        return;
    }
    if (!reach_all(credential, path, findings)) {
        find(findings, "leader", VERDICT_BAD, "first the connections above",
             "no coordinator can be asked who leads");
    } else if ((credential->certificate.roles & greeters) != 0) {
        greet(credential, path, findings);
    }
}
