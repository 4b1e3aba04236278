/* SPDX-License-Identifier: MPL-2.0
 * Why the mesh said no: one code, one name, one counter for each. The numbers travel and never
 * change. */
#ifndef GROVE_CORE_REFUSAL_H
#define GROVE_CORE_REFUSAL_H

#include <stdbool.h>

#include "core/status.h"

enum refusal {
    REFUSED_NOT = 0, /* accepted */
    /* before any signature is checked */
    REFUSED_MALFORMED = 1,     /* not one frame of well-formed protobuf */
    REFUSED_TOO_LARGE = 2,     /* over a size limit */
    REFUSED_VERSION = 3,       /* another protocol version */
    REFUSED_NO_SESSION = 4,    /* Hello first */
    REFUSED_UNEXPECTED = 5,    /* a message of a type that this role or socket does not send */
    REFUSED_WRONG_MESH = 6,    /* made for another mesh */
    REFUSED_WRONG_SIGNER = 7,  /* sealed by another than the session's identity */
    REFUSED_UNKNOWN_KEY = 8,   /* a signer without a certificate */
    REFUSED_BAD_SIGNATURE = 9, /* the seal does not verify */
    REFUSED_HELD_OFF = 10,     /* too many bad signatures; retry after ten minutes */
    REFUSED_BUSY = 11,         /* no room now: retry */
    REFUSED_NO_LEADER = 12,    /* this coordinator does not lead: retry elsewhere */
    REFUSED_CONNECTIONS = 13,  /* the identity has as many sessions as it may: retry */
    REFUSED_DISK = 14,         /* the ledger's disk is nearly full: retry */
    /* by the forest, item by item */
    REFUSED_EXPIRED = 20,       /* past its `expires`, or too far ahead of what can be remembered */
    REFUSED_CONFLICT = 21,      /* the same id with another function or payload */
    REFUSED_FUNCTION_NAME = 22, /* not [a-z0-9._-]{1,63} */
    REFUSED_RIGHT_SUBMIT = 23,  /* the certificate does not let it submit this function */
    REFUSED_RIGHT_RUN = 24,     /* ... run this function */
    REFUSED_ROLE = 25,          /* ... act in this role */
    REFUSED_REVOKED = 26,       /* revoked, or out of its dates */
    REFUSED_STALE = 27,     /* not the attempt in force: superseded, ended, or another session's */
    REFUSED_PARENT = 28,    /* no such parent, or it has ended, or another generation */
    REFUSED_LINEAGE = 29,   /* root or parent other than the attempt's own */
    REFUSED_DEPTH = 30,     /* deeper than LIMIT_DEPTH */
    REFUSED_OPTION = 31,    /* an option out of its bounds */
    REFUSED_NOT_FOUND = 32, /* no such task */
    REFUSED_FORGOTTEN = 33, /* past its retention */
    REFUSED_MISMATCH = 34,  /* a result that names another task, function, parent or payload */
    REFUSED_DUPLICATE_INSTANCE = 35, /* this instance is alive under another boot id */
    REFUSED_NO_WORKER_SESSION = 36,  /* a session that was retired: enlist anew */
    REFUSED_AWAITED = 37,     /* waits for what is no child or join of its task, or for too many */
    REFUSED_CERTIFICATE = 38, /* a certificate or revocation that does not verify */
    REFUSED_QUOTA = 39,       /* a bound of the forest: live tasks, bodies, remembered ids: retry */
    REFUSED_JOIN = 40,        /* no such join, or inputs that do not fit it */
    REFUSED_DIFFERS = 41,     /* inputs other than those kept: the handler took another path */
    REFUSED_CREDIT = 42,      /* more inputs than the join takes now: retry when there is room */
    REFUSED_OVER = 43,        /* the join is over: it takes no more */
    REFUSED_BUDGET = 44,      /* the tree's budget of tasks or bytes is used up */
    REFUSED_COUNT = 45
};

/* "stale": for logs, JSON and counters; never NULL. */
const char *refusal_name(enum refusal refusal);

/* A sentence for people; never NULL. */
const char *refusal_text(enum refusal refusal);

/* Whether the same request may be accepted later. */
bool refusal_is_retryable(enum refusal refusal);

/* What a client's call returns for it. */
enum grove_status refusal_status(enum refusal refusal);

#endif
