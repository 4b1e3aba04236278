/* SPDX-License-Identifier: MPL-2.0
 * The exit code that stands for a status. */
#include "nodes/programs/program.h"

enum exit_code exit_of_status(enum grove_status status)
{
    switch (status) {
    case GROVE_OK:
        return EXIT_DONE;
    case GROVE_FAILED:
    case GROVE_CLOSED:
        return EXIT_TASK_FAILED;
    case GROVE_INVALID:
        return EXIT_USAGE;
    case GROVE_NOT_FOUND:
    case GROVE_FORGOTTEN:
        return EXIT_NOT_FOUND;
    case GROVE_TOO_LARGE:
    case GROVE_MALFORMED:
    case GROVE_VERSION:
    case GROVE_UNKNOWN_KEY:
    case GROVE_BAD_SIGNATURE:
    case GROVE_WRONG_MESH:
    case GROVE_EXPIRED:
    case GROVE_DENIED:
    case GROVE_BUSY:
    case GROVE_REFUSED:
    case GROVE_PERMISSION:
        return EXIT_REFUSED;
    case GROVE_CONFLICT:
        return EXIT_CONFLICT;
    case GROVE_CANCELLED:
        return EXIT_CANCELLED;
    case GROVE_TIMEOUT:
        return EXIT_DEADLINE;
    case GROVE_NO_LEADER:
        return EXIT_NO_LEADER;
    case GROVE_CORRUPT:
    case GROVE_EMPTY:
        return EXIT_REFUSED_DATA;
    case GROVE_IO:
    case GROVE_FULL:
    case GROVE_IN_USE:
        return EXIT_SYSTEM;
    case GROVE_STATUS_COUNT:
        break;
    }
    return EXIT_SYSTEM;
}

enum exit_code exit_of_opening(enum grove_status status)
{
    return status == GROVE_VERSION || status == GROVE_WRONG_MESH || status == GROVE_MALFORMED
               ? EXIT_REFUSED_DATA
               : exit_of_status(status);
}
