/* SPDX-License-Identifier: MPL-2.0
 * What the API's calls ask of a client. */
#ifndef GROVE_NODES_CLIENT_CLIENT_H
#define GROVE_NODES_CLIENT_CLIENT_H

#include "nodes/client/call.h"
#include "nodes/host/credential.h"

/* What follows is for threads that have entered: closing the client waits until they have left. */
void client_enter(struct grove_client *client);
void client_leave(struct grove_client *client);

/* Who seals what this client submits. */
const struct key *client_signer(const struct grove_client *client);

const struct credential *client_credential(const struct grove_client *client);

/* Ledger time, as far as the client knows it; any thread. */
uint64_t client_ledger_ms(const struct grove_client *client);

/* Takes the call to the I/O thread; call->done is posted when it has ended. Any thread.
 *
 *   call      with something left to do */
void client_post(struct grove_client *client, struct call *call);

/* Has the I/O thread send what is new of a join. Any thread. */
void client_kick(struct grove_client *client, struct joining *joining);

/* How long a caller polls before it sleeps. */
uint32_t client_spin_us(const struct grove_client *client);

#endif
