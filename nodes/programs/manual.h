/* SPDX-License-Identifier: MPL-2.0
 * The part of the manual that the table of commands says, in scdoc(5), on stdout. */
#ifndef GROVE_NODES_PROGRAMS_MANUAL_H
#define GROVE_NODES_PROGRAMS_MANUAL_H

#include "nodes/programs/program.h"

void manual_print_commands(void); /* what help tells of each */
void manual_print_settings(void); /* the sections of the configuration, and their keys */

#endif
