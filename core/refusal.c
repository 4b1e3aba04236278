/* SPDX-License-Identifier: MPL-2.0
 * What each refusal is called, what it says, whether asking again can help, what a caller gets. */
#include "core/refusal.h"

#include <stddef.h>

enum again { NEVER, LATER };

struct meaning {
    const char *name;
    const char *text;
    enum again again;
    enum grove_status status;
};

static const struct meaning meanings[REFUSED_COUNT] = {
    [REFUSED_NOT] = {"not", "accepted", NEVER, GROVE_OK},
    [REFUSED_MALFORMED] = {"malformed", "not one frame of well-formed protobuf", NEVER,
                           GROVE_MALFORMED},
    [REFUSED_TOO_LARGE] = {"too-large", "over a size limit", NEVER, GROVE_TOO_LARGE},
    [REFUSED_VERSION] = {"version", "another version of the protocol is spoken here", NEVER,
                         GROVE_VERSION},
    [REFUSED_NO_SESSION] = {"no-session", "a session begins with Hello", LATER, GROVE_REFUSED},
    [REFUSED_UNEXPECTED] = {"unexpected", "this role or socket does not send such a message", NEVER,
                            GROVE_REFUSED},
    [REFUSED_WRONG_MESH] = {"wrong-mesh", "made for another mesh", NEVER, GROVE_WRONG_MESH},
    [REFUSED_WRONG_SIGNER] = {"wrong-signer", "sealed by another than the session's identity",
                              NEVER, GROVE_DENIED},
    [REFUSED_UNKNOWN_KEY] = {"unknown-key", "the signer has no certificate here", NEVER,
                             GROVE_UNKNOWN_KEY},
    [REFUSED_BAD_SIGNATURE] = {"bad-signature", "the seal does not verify", NEVER,
                               GROVE_BAD_SIGNATURE},
    [REFUSED_HELD_OFF] = {"held-off", "too many bad signatures; come back in ten minutes", LATER,
                          GROVE_BUSY},
    [REFUSED_BUSY] = {"busy", "no room now", LATER, GROVE_BUSY},
    [REFUSED_NO_LEADER] = {"no-leader", "this coordinator does not lead", LATER, GROVE_NO_LEADER},
    [REFUSED_CONNECTIONS] = {"connections", "this identity has as many sessions as it may", LATER,
                             GROVE_BUSY},
    [REFUSED_DISK] = {"disk", "busy: the disk of the ledger is nearly full", LATER, GROVE_BUSY},
    [REFUSED_EXPIRED] = {"expired", "past its expiry, or further ahead than can be remembered",
                         NEVER, GROVE_EXPIRED},
    [REFUSED_CONFLICT] = {"conflict", "the same id is known with another function or payload",
                          NEVER, GROVE_CONFLICT},
    [REFUSED_FUNCTION_NAME] = {"function-name",
                               "a function's name is 1 to 63 of a-z, 0-9, dot, underscore, hyphen",
                               NEVER, GROVE_INVALID},
    [REFUSED_RIGHT_SUBMIT] = {"right-submit",
                              "the certificate does not let it submit this function", NEVER,
                              GROVE_DENIED},
    [REFUSED_RIGHT_RUN] = {"right-run", "the certificate does not let it run this function", NEVER,
                           GROVE_DENIED},
    [REFUSED_ROLE] = {"role", "the certificate does not name this role", NEVER, GROVE_DENIED},
    [REFUSED_REVOKED] = {"revoked", "the certificate is revoked or out of its dates", NEVER,
                         GROVE_DENIED},
    [REFUSED_STALE] = {"stale", "not the attempt in force", NEVER, GROVE_REFUSED},
    [REFUSED_PARENT] = {"parent", "the parent is unknown, has ended or is in another generation",
                        NEVER, GROVE_REFUSED},
    [REFUSED_LINEAGE] = {"lineage", "root or parent differ from the attempt's own", NEVER,
                         GROVE_REFUSED},
    [REFUSED_DEPTH] = {"depth", "the tree is too deep", NEVER, GROVE_REFUSED},
    [REFUSED_OPTION] = {"option", "an option is out of its bounds", NEVER, GROVE_INVALID},
    [REFUSED_NOT_FOUND] = {"not-found", "there is no such task", NEVER, GROVE_NOT_FOUND},
    [REFUSED_FORGOTTEN] = {"forgotten", "the task is past its retention", NEVER, GROVE_FORGOTTEN},
    [REFUSED_MISMATCH] = {"mismatch", "the result names another task, function, parent or payload",
                          NEVER, GROVE_REFUSED},
    [REFUSED_DUPLICATE_INSTANCE] = {"duplicate-instance",
                                    "this instance is alive in another process", LATER, GROVE_BUSY},
    [REFUSED_NO_WORKER_SESSION] = {"no-worker-session", "the worker's session is over; enlist anew",
                                   LATER, GROVE_REFUSED},
    [REFUSED_AWAITED] = {"awaited",
                         "waits for what is no child or join of its own, or for too many", NEVER,
                         GROVE_INVALID},
    [REFUSED_CERTIFICATE] = {"certificate", "the certificate does not verify", NEVER,
                             GROVE_BAD_SIGNATURE},
    [REFUSED_QUOTA] = {"quota", "the mesh holds as much as it may", LATER, GROVE_BUSY},
    [REFUSED_JOIN] = {"join", "there is no such join, or the inputs do not fit it", NEVER,
                      GROVE_INVALID},
    [REFUSED_DIFFERS] = {"differs", "the join has other inputs at this place", NEVER,
                         GROVE_CONFLICT},
    [REFUSED_CREDIT] = {"credit", "the join takes no more inputs now", LATER, GROVE_BUSY},
    [REFUSED_OVER] = {"over", "the join is over", NEVER, GROVE_REFUSED},
    [REFUSED_BUDGET] = {"budget", "the budget of the tree is used up", NEVER, GROVE_REFUSED},
};

/* Numbers travel, and a newer coordinator may know more of them than we do. */
static const struct meaning *meaning_of(enum refusal refusal)
{
    static const struct meaning unknown = {
        "unknown", "refused for a reason unknown to this version", NEVER, GROVE_REFUSED};

    if ((unsigned)refusal >= REFUSED_COUNT || meanings[refusal].name == NULL) {
        return &unknown;
    }
    return &meanings[refusal];
}

const char *refusal_name(enum refusal refusal)
{
    return meaning_of(refusal)->name;
}

const char *refusal_text(enum refusal refusal)
{
    return meaning_of(refusal)->text;
}

bool refusal_is_retryable(enum refusal refusal)
{
    return meaning_of(refusal)->again == LATER;
}

enum grove_status refusal_status(enum refusal refusal)
{
    return meaning_of(refusal)->status;
}
