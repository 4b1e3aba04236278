/* SPDX-License-Identifier: MPL-2.0
 * The random bytes in every item, so that a sibling hash lets nobody guess it. */
#ifndef GROVE_NODES_CLIENT_NONCE_H
#define GROVE_NODES_CLIENT_NONCE_H

#include <stdint.h>

#define NONCE_SIZE 16

/* Draws from a pool of the calling thread: asking the kernel for each would cost more than the
 * hashing. */
void nonce_fill(uint8_t nonce[NONCE_SIZE]);

#endif
