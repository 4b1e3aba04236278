/* SPDX-License-Identifier: MPL-2.0
 * How a command finds its mesh. */
#ifndef GROVE_NODES_PROGRAMS_CONNECT_H
#define GROVE_NODES_PROGRAMS_CONNECT_H

#include <limits.h>

#include "nodes/grove.h"
#include "nodes/programs/program.h"

#define CONNECT_PATIENCE_MS 5000u /* how long a command tries before it exits with 5 */

/* The credential file that this command line uses. Waits for one that is not there yet, since a
 * `grove dev` may just be starting.
 *
 *   path      out: PATH_MAX bytes
 *   code      out: what to exit with when it returns false; the reason is on stderr */
bool connect_choose(const struct arguments *arguments, char path[PATH_MAX], enum exit_code *code);

/* Opens a client; as connect_choose. */
bool connect_client(const struct arguments *arguments, struct grove_client **client,
                    char path[PATH_MAX], enum exit_code *code);

#endif
