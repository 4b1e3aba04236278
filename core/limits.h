/* SPDX-License-Identifier: MPL-2.0
 * Every bound, with its unit and its reason. schema/grove.options repeats some; core/item.c and
 * core/certificate.c assert them equal. */
#ifndef GROVE_CORE_LIMITS_H
#define GROVE_CORE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#define LIMIT_KIB ((size_t)1024)
#define LIMIT_MIB (1024 * LIMIT_KIB)

/* What travels. */
#define LIMIT_FRAME_SIZE (4 * LIMIT_MIB) /* bytes of a message; ZeroMQ checks it, and we again */
#define LIMIT_PEER_FRAME_SIZE (8 * LIMIT_MIB) /* of a coordinator; the largest entry fits */
#define LIMIT_PAYLOAD_SIZE LIMIT_MIB          /* bytes; a payload or a result */
#define LIMIT_ITEM_SIZE (LIMIT_PAYLOAD_SIZE + 4 * LIMIT_KIB) /* bytes, with all its fields */
#define LIMIT_BATCH_ITEMS 256u             /* items under one seal; bounds every hashing loop */
#define LIMIT_BATCH_SIZE (512 * LIMIT_KIB) /* bytes; or a single item of any permitted size */
#define LIMIT_HELLO_SIZE (4 * LIMIT_KIB)   /* bytes; the first message of a session */
#define LIMIT_STATS_PAGE (512 * LIMIT_KIB) /* bytes; a reply of the stats socket */
#define LIMIT_ERRAND_TEXT (80 * LIMIT_KIB) /* bytes; why each loser of a race has lost */
#define LIMIT_ERRAND_SIZE (LIMIT_PAYLOAD_SIZE + 96 * LIMIT_KIB) /* bytes of a part of an errand */

/* Names and texts, bytes without the terminating NUL. */
#define LIMIT_FUNCTION_LENGTH 63u      /* [a-z0-9._-]{1,63} */
#define LIMIT_KEY_LENGTH 128u          /* idempotency or request key */
#define LIMIT_CONTENT_TYPE_LENGTH 127u /* RFC 6838 names are shorter */
#define LIMIT_NAME_LENGTH 63u          /* a node's name in its certificate, a worker's instance */
#define LIMIT_ENDPOINT_LENGTH 127u     /* tcp://HOST:PORT */
#define LIMIT_TEXT_LENGTH 1024u        /* failure text; one screen */
#define LIMIT_PROGRESS_LENGTH 200u     /* progress text; one line */
#define LIMIT_PATTERNS 16u             /* submit or run patterns in a certificate */
#define LIMIT_FUNCTIONS 256u           /* functions a worker offers */
#define LIMIT_CERTIFICATE_SIZE 4096u   /* bytes, signed form */
#define LIMIT_REVOCATION_SIZE 512u     /* bytes, signed form */
#define LIMIT_CERTIFICATES 16384u      /* identities a mesh knows, about 3 KiB each */
#define LIMIT_REVOCATIONS 65536u       /* revoked identities and serials */

/* Who is connected. */
#define LIMIT_CONNECTIONS 4096u /* sessions of one identity */

/* The ledger. */
#define LIMIT_GROUP_COMMANDS 1024u              /* commands in one entry; a command is a batch */
#define LIMIT_GROUP_SIZE (256 * LIMIT_KIB)      /* bytes of one entry, but at least one command */
#define LIMIT_UNCOMMITTED 4096u                 /* commands that wait for the ledger before BUSY */
#define LIMIT_UNCOMMITTED_SIZE (64 * LIMIT_MIB) /* bytes of them */

/* The forest. */
#define LIMIT_DEPTH 1024u                         /* a root has depth 0 */
#define LIMIT_LIVE_TASKS UINT32_C(2000000)        /* tasks that have not ended */
#define LIMIT_BODY_SIZE (UINT64_C(1) << 30)       /* bytes of items of live tasks */
#define LIMIT_REMEMBERED_SIZE (UINT64_C(1) << 30) /* bytes of remembered ids, at most 56 B each */
#define LIMIT_MOVES 1000u                         /* tasks one command may move */
#define LIMIT_TURNS 64u                        /* attempts or open tasks of a small tree; a byte */
#define LIMIT_LIMITED 1000u                    /* functions that have a limit of their own */
#define LIMIT_LARGE_SHARE 8u                   /* 1 place in 8 ahead is not for large trees */
#define LIMIT_TERMS_SIZE 320u                  /* bytes of a Join as it travels */
#define LIMIT_JOIN_INPUTS UINT32_C(1000000000) /* inputs of a join */
#define LIMIT_JOIN_CREDIT 256u                 /* unstarted inputs of a map, or twice its limit */
#define LIMIT_JOIN_REVISIONS 1000u             /* times a handler may take another path */
#define LIMIT_OPEN_JOINS 1000u                 /* open joins of one task */
#define LIMIT_MEMBERSHIPS 16u                  /* joins that one task is an input of */
#define LIMIT_WINNERS 256u                     /* of a race */
#define LIMIT_PAGE 4096u                       /* outcomes of a join in one answer */
#define LIMIT_AWAITED 10000u                   /* children one attempt may await at a time */
#define LIMIT_ATTEMPTS 1000u                   /* max_attempts a submitter may ask for */
#define LIMIT_LOSSES 3u                        /* lost attempts that make a task POISON */
#define LIMIT_REFUSALS 3u               /* sessions that refuse a task before it ends `refused` */
#define LIMIT_CHECKPOINT_SIZE LIMIT_MIB /* bytes; latest wins */
#define LIMIT_SESSIONS 10000u           /* workers at a time */
#define LIMIT_SLOTS 4096u               /* RUNNING attempts of one worker */
#define LIMIT_WINDOW 4096u              /* attempts assigned ahead of one worker */
#define LIMIT_MAX_WAITING 1024u         /* WAITING handlers of one worker: one thread each */
#define LIMIT_PRIORITY 100              /* priorities run from -100 to 100, 0 by default */

/* Time, milliseconds. */
#define LIMIT_HEARTBEAT_MS 2000u /* between heartbeats of a worker */
#define LIMIT_SESSION_MS 6000u   /* silence after which a worker is retired */
#define LIMIT_EXPIRES_MS 30000u  /* a submit without a key may be re-sent this long */
#define LIMIT_RETENTION_MS                                                                         \
    (UINT64_C(24) * 3600 * 1000)               /* a settled tree stays this long, or ...           \
                                                */
#define LIMIT_RETENTION_SIZE (512 * LIMIT_MIB) /* ... until settled trees exceed this, bytes */
#define LIMIT_BACKOFF_FIRST_MS 1000u           /* before a second attempt; doubles */
#define LIMIT_BACKOFF_LAST_MS 300000u          /* and stops doubling here */
#define LIMIT_DELAY_MS (UINT64_C(366) * 24 * 3600 * 1000) /* the longest delay or deadline */

#endif
