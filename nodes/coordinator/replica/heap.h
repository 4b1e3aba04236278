/* SPDX-License-Identifier: MPL-2.0
 * The memory of libraft, which never fails: what the library does when there is none (0.15.0) frees
 * entries twice, and goes on. Out of memory ends the process, as everywhere in grove. */
#ifndef GROVE_COORDINATOR_REPLICA_HEAP_H
#define GROVE_COORDINATOR_REPLICA_HEAP_H

/* Makes it libraft's, for the whole process. Before anything that libraft will free is made. */
void heap_install(void);

#endif
