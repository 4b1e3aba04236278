/* SPDX-License-Identifier: MPL-2.0
 * Every outside cause of failure, with its text. Installed beside grove.h.
 *
 * A status says that a call could not do its work; a refusal by the mesh (core/refusal.h) is an
 * answer. */
#ifndef GROVE_STATUS_H
#define GROVE_STATUS_H

#if defined(__GNUC__)
#define GROVE_CHECKED __attribute__((warn_unused_result))
#else
#define GROVE_CHECKED
#endif

enum grove_status {
    GROVE_OK = 0,
    GROVE_MALFORMED,     /* bytes that are not what they claim to be */
    GROVE_TOO_LARGE,     /* over a limit of core/limits.h */
    GROVE_VERSION,       /* another version of the protocol or of a file */
    GROVE_UNKNOWN_KEY,   /* a signer without a certificate of this mesh */
    GROVE_BAD_SIGNATURE, /* a seal or certificate that does not verify */
    GROVE_WRONG_MESH,    /* made for another mesh, or by another ledger */
    GROVE_EXPIRED,       /* a certificate out of its dates, or a request past its `expires` */
    GROVE_DENIED,        /* the certificate does not give this right */
    GROVE_CONFLICT,      /* the same id with other contents */
    GROVE_NOT_FOUND,     /* no such task, file or peer */
    GROVE_FORGOTTEN,     /* known once, past its retention */
    GROVE_BUSY,          /* held by another process, or no room now: try again */
    GROVE_REFUSED,       /* refused by the mesh for a reason given beside */
    GROVE_FAILED,        /* the task ended, and not well */
    GROVE_CANCELLED,     /* the task or the call was cancelled */
    GROVE_TIMEOUT,       /* the time given for this call is over */
    GROVE_NO_LEADER,     /* no coordinator answers */
    GROVE_CORRUPT,       /* a file contradicts its digest or a promise */
    GROVE_IO,            /* a read, write or sync failed; errno was logged where it happened */
    GROVE_FULL,          /* no space left on the device, or a quota */
    GROVE_PERMISSION,    /* a file that others can read or write, or that we cannot */
    GROVE_EMPTY,         /* a data directory without a ledger */
    GROVE_IN_USE,        /* an address that another socket holds */
    GROVE_CLOSED,        /* the other end or this object is closing */
    GROVE_INVALID,       /* an argument or an option that makes no sense */
    GROVE_STATUS_COUNT
};

/* A short lower-case sentence for people, never NULL. */
const char *grove_status_text(enum grove_status status);

/* The name as it stands in JSON and logs ("bad-signature"), never NULL. */
const char *grove_status_name(enum grove_status status);

#endif
