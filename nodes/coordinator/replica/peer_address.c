/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/peer_address.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_SIZE (2 * sizeof(struct key)) /* digits */

static const char domain[] = "grove.v1.peer";

void peer_address_write(const struct peer_address *address, char text[REPLICA_ADDRESS_SIZE])
{
    char hex[HEX_SIZE + 1];

    sodium_bin2hex(hex, sizeof(hex), address->identity.byte, sizeof(address->identity.byte));
    snprintf(text, REPLICA_ADDRESS_SIZE, "%s %s", hex, address->endpoint);
}

bool peer_address_read(const char *text, struct peer_address *address)
{
    struct peer_address read = {.endpoint = ""};
    char port[PEER_ENDPOINT_SIZE];
    size_t size = 0;

    if (strlen(text) <= HEX_SIZE + 1 || text[HEX_SIZE] != ' ' ||
        strlen(text + HEX_SIZE + 1) >= sizeof(read.endpoint) ||
        sodium_hex2bin(read.identity.byte, sizeof(read.identity.byte), text, HEX_SIZE, NULL, &size,
                       NULL) != 0 ||
        size != sizeof(read.identity.byte)) {
        return false;
    }
    snprintf(read.endpoint, sizeof(read.endpoint), "%s", text + HEX_SIZE + 1);
    if (!peer_endpoint(read.endpoint, 0, port)) {
        return false;
    }
    *address = read;
    return true;
}

bool peer_endpoint(const char *tasks, unsigned offset, char endpoint[PEER_ENDPOINT_SIZE])
{
    const char *colon = strrchr(tasks, ':');
    char *end = NULL;

    if (strncmp(tasks, "tcp://", strlen("tcp://")) != 0 || colon == NULL || colon[1] < '0' ||
        colon[1] > '9') {
        return false;
    }
    const unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port == 0 || port + offset > UINT16_MAX) {
        return false;
    }
    const int size = snprintf(endpoint, PEER_ENDPOINT_SIZE, "%.*s:%lu", (int)(colon - tasks), tasks,
                              port + offset);
    return size > 0 && (size_t)size < PEER_ENDPOINT_SIZE;
}

/* Never 0: an id is told from none by it. */
static uint32_t hash_of(const struct key *identity)
{
    crypto_generichash_state state;
    uint32_t hash = 0;
    uint8_t full[crypto_generichash_BYTES];

    crypto_generichash_init(&state, NULL, 0, sizeof(full));
    crypto_generichash_update(&state, (const uint8_t *)domain, sizeof(domain));
    crypto_generichash_update(&state, identity->byte, sizeof(identity->byte));
    crypto_generichash_final(&state, full, sizeof(full));
    memcpy(&hash, full, sizeof(hash));
    return hash == 0 ? 1 : hash;
}

uint64_t peer_id(const struct key *identity, uint32_t birth)
{
    return (uint64_t)hash_of(identity) << 32 | birth;
}

bool peer_id_is_of(uint64_t id, const struct key *identity)
{
    return id >> 32 == hash_of(identity);
}
