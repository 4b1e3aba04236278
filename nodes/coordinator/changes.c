/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/changes.h"

#include "core/message.h"
#include "nodes/coordinator/members.h"
#include "nodes/host/log.h"

#define HANDING_MS UINT64_C(2000) /* until leadership has gone, or it was in vain */

/* What may be said; NULL: it goes on. */
struct answer {
    enum refusal refusal;
    const char *text;
};

static const struct answer going = {REFUSED_NOT, NULL};
static const struct answer nobody = {
    REFUSED_NOT_FOUND, "no coordinator of that name takes part, or waits to be added"};
static const struct answer alone = {
    REFUSED_OPTION,
    "this ledger was begun without an address for peers or under other keys, and takes none"};
static const struct answer leading = {REFUSED_OPTION,
                                      "it leads: hand that over first (grove cluster transfer)"};
static const struct answer failed = {REFUSED_BUSY, "the change did not come into force"};
static const struct answer unknown = {REFUSED_NO_LEADER,
                                      "leadership went: whether it is in force is not known"};

static struct answer answer_of(enum grove_status status)
{
    switch ((unsigned)status) {
    case GROVE_OK:
        return going;
    case GROVE_NO_LEADER:
        return unknown;
    case GROVE_NOT_FOUND:
        return nobody;
    case GROVE_BUSY:
        return (struct answer){REFUSED_BUSY, "another change is under way"};
    case GROVE_CONFLICT:
        return (struct answer){REFUSED_CONFLICT, "another takes part at that address"};
    default:
        return (struct answer){REFUSED_OPTION, "it is that already"};
    }
}

static void say(struct changes *changes, struct answer answer)
{
    if (answer.refusal == REFUSED_NOT) {
        egress_done(changes->egress, changes->session, &changes->envelope, changes->correlation);
    } else {
        egress_refuse_saying(changes->egress, changes->session, &changes->envelope,
                             changes->correlation, answer.refusal, answer.text);
    }
}

static void end(struct changes *changes, struct answer answer)
{
    struct session *session = changes->session;

    changes->step = CHANGE_IDLE;
    if (session == NULL) {
        return;
    }
    if (session->is_open) {
        say(changes, answer);
    }
    session_release(session);
    changes->session = NULL;
}

/* Others must find us, and know us by our key: a ledger from before that, or one that its voter
 * began under other keys, is its own for good. */
static bool can_have_peers(const struct changes *changes)
{
    const struct member *us = members_find(changes->members, changes->members->id);
    const struct key *identity = &changes->egress->credential->signer->public_key;

    return us != NULL && us->has_address && key_equal(&us->address.identity, identity);
}

/* Adds it, or goes on with one that was added and does not vote yet. Where it votes already there
 * is nothing to do. */
static struct answer begin_adding(struct changes *changes, struct bytes name)
{
    const struct forest *forest = changes->egress->forest;
    const struct member *member = members_named(changes->members, forest, name);
    const struct waiting *waiting = members_waiting(changes->members, forest, name);

    if (member != NULL) {
        changes->id = member->id;
        changes->step = CHANGE_PROMOTING;
        return member->role == REPLICA_VOTER
                   ? going
                   : answer_of(replica_assign(changes->replica, member->id, REPLICA_VOTER));
    }
    if (waiting == NULL) {
        return nobody;
    }
    if (!can_have_peers(changes)) {
        return alone;
    }
    changes->id = waiting->id;
    changes->step = CHANGE_ADDING;
    return answer_of(replica_add(changes->replica, waiting->id, waiting->text));
}

static struct answer begin_removing(struct changes *changes, struct bytes name)
{
    const struct member *member = members_named(changes->members, changes->egress->forest, name);

    if (member == NULL) {
        return nobody;
    }
    if (member->id == changes->members->id) {
        return leading;
    }
    changes->id = member->id;
    changes->step = CHANGE_REMOVING;
    return answer_of(replica_remove(changes->replica, member->id));
}

static struct answer begin_handing(struct changes *changes, struct bytes name)
{
    const struct member *member = members_named(changes->members, changes->egress->forest, name);

    if (name.size > 0 && (member == NULL || member->role != REPLICA_VOTER)) {
        return nobody;
    }
    changes->id = member != NULL ? member->id : 0;
    changes->step = CHANGE_HANDING;
    return changes->id == changes->members->id
               ? going
               : answer_of(replica_transfer(changes->replica, changes->id));
}

static struct answer begin(struct changes *changes, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_ADD:
        return begin_adding(changes, change->name);
    case CHANGE_REMOVE:
        return begin_removing(changes, change->name);
    case CHANGE_TRANSFER:
        return begin_handing(changes, change->name);
    default:
        return (struct answer){REFUSED_OPTION, "no such change"};
    }
}

void changes_begin(struct changes *changes, struct session *session,
                   const struct envelope *envelope, uint64_t correlation,
                   const struct change *change)
{
    struct answer answer;

    if (changes->step != CHANGE_IDLE) {
        egress_refuse_saying(changes->egress, session, envelope, correlation, REFUSED_BUSY,
                             "another change is under way");
        return;
    }
    session_hold(session);
    changes->session = session;
    changes->envelope = *envelope;
    changes->correlation = correlation;
    changes->begun_ms = changes->egress->now_ms;
    answer = begin(changes, change);
    if (answer.refusal != REFUSED_NOT) {
        end(changes, answer);
        return;
    }
    log_event(LOG_INFO, "members change", "kind=%u name=%.*s", change->kind, (int)change->name.size,
              (const char *)change->name.data);
}

static void go_on_adding(struct changes *changes, enum replica_change change)
{
    const struct member *member = members_find(changes->members, changes->id);

    if (member != NULL && change != REPLICA_CHANGE_RUNNING) {
        changes->step = CHANGE_PROMOTING;
        if (replica_assign(changes->replica, changes->id, REPLICA_VOTER) != GROVE_OK) {
            end(changes, failed);
        }
    } else if (change == REPLICA_CHANGE_FAILED) {
        end(changes, failed);
    }
}

static void go_on_promoting(struct changes *changes, enum replica_change change)
{
    const struct member *member = members_find(changes->members, changes->id);

    if (member != NULL && member->role == REPLICA_VOTER && change != REPLICA_CHANGE_RUNNING) {
        end(changes, going);
    } else if (change == REPLICA_CHANGE_FAILED) {
        end(changes, failed);
    }
}

static void go_on_removing(struct changes *changes, enum replica_change change)
{
    if (members_find(changes->members, changes->id) == NULL && change != REPLICA_CHANGE_RUNNING) {
        end(changes, going);
    } else if (change == REPLICA_CHANGE_FAILED) {
        end(changes, failed);
    }
}

void changes_tick(struct changes *changes)
{
    const enum replica_change change = replica_status(changes->replica).change;

    switch (changes->step) {
    case CHANGE_IDLE:
        break;
    case CHANGE_ADDING:
        go_on_adding(changes, change);
        break;
    case CHANGE_PROMOTING:
        go_on_promoting(changes, change);
        break;
    case CHANGE_REMOVING:
        go_on_removing(changes, change);
        break;
    case CHANGE_HANDING:
        if (changes->id == changes->members->id) {
            end(changes, going);
        } else if (changes->egress->now_ms - changes->begun_ms > HANDING_MS) {
            end(changes, failed);
        }
        break;
    }
}

void changes_lost(struct changes *changes)
{
    end(changes, changes->step == CHANGE_HANDING ? going : unknown);
}
