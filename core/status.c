/* SPDX-License-Identifier: MPL-2.0
 * Names and texts of the statuses. */
#include "core/status.h"

static const struct {
    const char *name;
    const char *text;
} statuses[GROVE_STATUS_COUNT] = {
    [GROVE_OK] = {"ok", "done"},
    [GROVE_MALFORMED] = {"malformed", "the bytes are not what they claim to be"},
    [GROVE_TOO_LARGE] = {"too-large", "larger than a limit allows"},
    [GROVE_VERSION] = {"version", "made for another version of the protocol or file"},
    [GROVE_UNKNOWN_KEY] = {"unknown-key", "the signer has no certificate of this mesh"},
    [GROVE_BAD_SIGNATURE] = {"bad-signature", "the signature does not verify"},
    [GROVE_WRONG_MESH] = {"wrong-mesh", "made for another mesh or by another ledger"},
    [GROVE_EXPIRED] = {"expired", "out of its dates"},
    [GROVE_DENIED] = {"denied", "the certificate does not give this right"},
    [GROVE_CONFLICT] = {"conflict", "the same id is in use with other contents"},
    [GROVE_NOT_FOUND] = {"not-found", "there is no such task, file or peer"},
    [GROVE_FORGOTTEN] = {"forgotten", "known once, but past its retention"},
    [GROVE_BUSY] = {"busy", "held by another process or no room now; try again"},
    [GROVE_REFUSED] = {"refused", "the mesh refused"},
    [GROVE_FAILED] = {"failed", "the task failed"},
    [GROVE_CANCELLED] = {"cancelled", "the task or the call was cancelled"},
    [GROVE_TIMEOUT] = {"timeout", "the time given for this is over"},
    [GROVE_NO_LEADER] = {"no-leader", "no coordinator answers"},
    [GROVE_CORRUPT] = {"corrupt", "a file contradicts its digest or a promise"},
    [GROVE_IO] = {"io", "reading, writing or syncing failed"},
    [GROVE_FULL] = {"full", "no space is left on the device"},
    [GROVE_PERMISSION] = {"permission", "others can read or write the file, or this user cannot"},
    [GROVE_EMPTY] = {"empty", "the data directory holds no ledger"},
    [GROVE_IN_USE] = {"in-use", "another socket holds the address"},
    [GROVE_CLOSED] = {"closed", "the other end is closing"},
    [GROVE_INVALID] = {"invalid", "an argument or option makes no sense"},
};

const char *grove_status_text(enum grove_status status)
{
    return (unsigned)status < GROVE_STATUS_COUNT ? statuses[status].text : "an unknown status";
}

const char *grove_status_name(enum grove_status status)
{
    return (unsigned)status < GROVE_STATUS_COUNT ? statuses[status].name : "unknown";
}
