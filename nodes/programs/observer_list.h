/* SPDX-License-Identifier: MPL-2.0
 * Lists of the stats socket, whose pages come one by one. */
#ifndef GROVE_NODES_PROGRAMS_OBSERVER_LIST_H
#define GROVE_NODES_PROGRAMS_OBSERVER_LIST_H

#include "nodes/programs/observer.h"
#include "nodes/programs/rows.h"

/* What of a list is wanted. */
struct selection {
    size_t most;                                               /* elements */
    bool (*wants)(const void *context, const json_t *element); /* NULL: all */
    const void *context;
};

/* All pages of a list in one answer, without a cursor, as far as they are wanted.
 *
 *   request   with a room for a cursor behind it, such as "roots"
 *   name      of the list in the answer
 *   answer    out, of EXIT_DONE: the caller's; its head is that of the first page */
enum exit_code observer_list(struct observer *observer, const char *request, const char *name,
                             const struct selection *selection, json_t **answer);

/* Connects as the command line says, and asks for a list, which the caller owns then. */
enum exit_code list_ask(const struct arguments *arguments, const char *request, const char *name,
                        const struct selection *selection, json_t **answer);

/* ... and prints it, for people or as JSON. */
enum exit_code list_show(const struct arguments *arguments, const struct rows *rows,
                         const struct selection *selection);

#endif
