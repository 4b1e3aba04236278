/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/configuration.h"

#include <stdlib.h>

#define ENTRY_FORMAT 1u /* of libraft's entries */

static void put_integer(struct buffer *buffer, uint64_t value)
{
    buffer_append(buffer, &value, sizeof(value));
}

void configuration_encode(const struct raft_configuration *configuration, struct buffer *buffer)
{
    put_integer(buffer, configuration->n);
    for (unsigned i = 0; i < configuration->n; i++) {
        const struct raft_server *server = &configuration->servers[i];
        put_integer(buffer, server->id);
        put_integer(buffer, (uint64_t)server->role);
        put_integer(buffer, strlen(server->address));
        buffer_append(buffer, server->address, strlen(server->address));
    }
}

static bool take(struct bytes *rest, void *value, size_t size)
{
    if (rest->size < size) {
        return false;
    }
    memcpy(value, rest->data, size);
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}

static bool take_address(struct bytes *rest, size_t length, char address[])
{
    address[length < CONFIGURATION_ADDRESS_SIZE ? length : 0] = '\0';
    return length < CONFIGURATION_ADDRESS_SIZE && take(rest, address, length);
}

static bool decode_server(struct bytes *rest, struct raft_configuration *configuration)
{
    uint64_t id;
    uint64_t role;
    uint64_t length;
    char address[CONFIGURATION_ADDRESS_SIZE];

    return take(rest, &id, sizeof(id)) && take(rest, &role, sizeof(role)) &&
           take(rest, &length, sizeof(length)) && take_address(rest, (size_t)length, address) &&
           raft_configuration_add(configuration, id, address, (int)role) == 0;
}

/* As libraft writes one: id, the address with its NUL, a byte of role. */
static bool read_server(struct bytes *rest, struct raft_configuration *configuration)
{
    uint64_t id;
    uint8_t end_of_address, role;
    char address[CONFIGURATION_ADDRESS_SIZE];

    if (!take(rest, &id, sizeof(id))) {
        return false;
    }
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\0', rest->size);
    if (end == NULL || !take_address(rest, (size_t)(end - rest->data), address)) {
        return false;
    }
    return take(rest, &end_of_address, sizeof(end_of_address)) && take(rest, &role, sizeof(role)) &&
           raft_configuration_add(configuration, id, address, role) == 0;
}

static bool read_servers(struct bytes *bytes, struct raft_configuration *configuration,
                         bool (*read)(struct bytes *, struct raft_configuration *))
{
    uint64_t count;

    raft_configuration_init(configuration);
    bool whole = take(bytes, &count, sizeof(count));
    for (uint64_t i = 0; whole && i < count; i++) {
        whole = read(bytes, configuration);
    }
    if (!whole) {
        raft_configuration_close(configuration);
        raft_configuration_init(configuration);
    }
    return whole;
}

bool configuration_decode(struct bytes bytes, struct raft_configuration *configuration)
{
    return read_servers(&bytes, configuration, decode_server);
}

bool configuration_of_entry(const struct raft_buffer *payload,
                            struct raft_configuration *configuration)
{
    struct bytes rest = bytes_of(payload->base, payload->len);
    uint8_t format;

    return take(&rest, &format, sizeof(format)) && format == ENTRY_FORMAT &&
           read_servers(&rest, configuration, read_server);
}

void configuration_copy(const struct raft_configuration *from, struct raft_configuration *to)
{
    raft_configuration_init(to);
    for (unsigned i = 0; i < from->n; i++) {
        const struct raft_server *server = &from->servers[i];
        if (raft_configuration_add(to, server->id, server->address, server->role) != 0) {
            abort(); /* out of memory */
        }
    }
}

const struct raft_server *configuration_server(const struct raft_configuration *configuration,
                                               raft_id id)
{
    for (unsigned i = 0; i < configuration->n; i++) {
        if (configuration->servers[i].id == id) {
            return &configuration->servers[i];
        }
    }
    return NULL;
}
