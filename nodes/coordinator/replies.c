/* SPDX-License-Identifier: MPL-2.0
 * Answers: each to its question, after the commit that it speaks of. */
#include "nodes/coordinator/egress.h"

#include "core/message.h"
#include "nodes/coordinator/members.h"

/* When a refusal that passes is worth another try, unless somebody knows better. */
#define RETRY_MS 100u

/* Where the leader is, if that is known and not here. */
static bool find_leader(const struct egress *egress, struct location *location)
{
    const struct members *members = egress->members;
    const struct member *leader = NULL;

    if (members != NULL && members->leader != members->id) {
        leader = members_find(members, members->leader);
    }
    return leader != NULL && members_locate(egress->forest, leader, location);
}

static void encode_refused(struct egress *egress, uint64_t correlation, enum refusal refusal,
                           const char *text, uint64_t retry_ms)
{
    const bool is_retryable = refusal_is_retryable(refusal);
    const struct refused refused = {
        .code = refusal,
        .text = bytes_of_text(text),
        .retryable = is_retryable,
        .retry_ms = is_retryable && retry_ms == 0 ? RETRY_MS : retry_ms,
    };
    struct location leader;

    buffer_reset(&egress->frame);
    if (refusal == REFUSED_NO_LEADER && find_leader(egress, &leader)) {
        wire_redirect_encode(&egress->frame, correlation, &refused, &leader);
    } else {
        wire_refused_encode(&egress->frame, correlation, &refused);
    }
}

void egress_refuse(struct egress *egress, struct session *session,
                   const struct bus_message *message, uint64_t correlation, enum refusal refusal,
                   uint64_t retry_ms)
{
    egress->counters.refused[refusal]++;
    encode_refused(egress, correlation, refusal, refusal_text(refusal), retry_ms);
    if (session != NULL) {
        egress_send(egress, session, &message->envelope, buffer_bytes(&egress->frame));
    } else if (bus_send(egress->socket, &message->route, &message->envelope,
                        buffer_bytes(&egress->frame)) != GROVE_OK) {
        egress->counters.gone++;
    }
}

void egress_refuse_saying(struct egress *egress, struct session *session,
                          const struct envelope *envelope, uint64_t correlation,
                          enum refusal refusal, const char *text)
{
    egress->counters.refused[refusal]++;
    encode_refused(egress, correlation, refusal, text, 0);
    egress_send(egress, session, envelope, buffer_bytes(&egress->frame));
}

void egress_tell_refused(struct egress *egress, const struct job *job, enum refusal refusal)
{
    encode_refused(egress, job->correlation, refusal, refusal_text(refusal), 0);
    egress_send(egress, job->session, &job->envelope, buffer_bytes(&egress->frame));
}

void egress_refuse_job(struct egress *egress, const struct job *job, enum refusal refusal)
{
    egress->counters.refused[refusal]++;
    egress_tell_refused(egress, job, refusal);
}

static void put_coordinators(const struct egress *egress, struct wire_writer *writer)
{
    const struct certificate *certificate;
    struct bytes signed_form;

    for (size_t i = 0; forest_certificate_at(egress->forest, i, &certificate, &signed_form); i++) {
        if ((certificate->roles & ROLE_COORDINATOR) != 0 &&
            forest_trusts(egress->forest, &certificate->sign_key)) {
            wire_put_bytes(writer, WELCOME_CERTIFICATES, signed_form);
        }
    }
}

static void put_members(const struct egress *egress, struct wire_writer *writer)
{
    const struct members *members = egress->members;
    struct location location;

    for (size_t i = 0; members != NULL && i < members->count; i++) {
        if (members_locate(egress->forest, &members->list[i], &location)) {
            wire_put_location(writer, WELCOME_COORDINATORS, &location);
        }
    }
}

void egress_welcome(struct egress *egress, struct session *session, const struct envelope *envelope,
                    uint64_t correlation)
{
    struct wire_writer writer;

    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_WELCOME, correlation);
    wire_put_bytes(&writer, WELCOME_LEDGER, bytes_of(&egress->ledger, sizeof(egress->ledger)));
    wire_put_uint(&writer, WELCOME_STAMP, egress->stamp_ms);
    wire_put_uint(&writer, WELCOME_SESSION, session->seat != NULL ? session->seat->index : 0);
    put_coordinators(egress, &writer);
    wire_put_uint(&writer, WELCOME_HEARTBEAT, LIMIT_HEARTBEAT_MS);
    wire_put_uint(&writer, WELCOME_SESSION_MS, egress->session_ms);
    put_members(egress, &writer);
    wire_close(&writer);
    egress_send(egress, session, envelope, buffer_bytes(&egress->frame));
}

static void put_refused(struct wire_writer *writer, const struct job *job)
{
    const struct job_refused *list = (const struct job_refused *)(void *)job->refused.data;
    const size_t count = job->refused.size / sizeof(*list);

    for (size_t i = 0; i < count; i++) {
        const bool is_conflict = list[i].refusal == REFUSED_CONFLICT;
        const struct item_refused refused = {
            .position = list[i].position,
            .code = list[i].refusal,
            .text = bytes_of_text(refusal_text(list[i].refusal)),
            .conflict = bytes_of(&list[i].conflict, is_conflict ? sizeof(list[i].conflict) : 0),
        };

        wire_put_item_refused(writer, ACCEPTED_REFUSED, &refused);
    }
}

void egress_accept(struct egress *egress, const struct job *job)
{
    struct wire_writer writer;

    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_ACCEPTED, job->correlation);
    wire_put_bytes(&writer, ACCEPTED_IDS, buffer_bytes(&job->ids));
    put_refused(&writer, job);
    wire_put_uint(&writer, ACCEPTED_STAMP, egress->stamp_ms);
    wire_put_bytes(&writer, ACCEPTED_SETTLED, buffer_bytes(&job->settled));
    wire_put_bytes(&writer, ACCEPTED_APPENDS, buffer_bytes(&job->appends));
    wire_close(&writer);
    egress_send(egress, job->session, &job->envelope, buffer_bytes(&egress->frame));
}

void egress_done(struct egress *egress, struct session *session, const struct envelope *envelope,
                 uint64_t correlation)
{
    struct wire_writer writer;

    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_DONE, correlation);
    wire_put_uint(&writer, DONE_INDEX, egress->index);
    wire_close(&writer);
    egress_send(egress, session, envelope, buffer_bytes(&egress->frame));
}

void egress_heartbeat(struct egress *egress, struct session *session,
                      const struct envelope *envelope, uint64_t correlation)
{
    struct wire_writer writer;

    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_HEARTBEAT, correlation);
    wire_put_uint(&writer, HEARTBEAT_STAMP, egress->stamp_ms);
    wire_close(&writer);
    egress_send(egress, session, envelope, buffer_bytes(&egress->frame));
}
