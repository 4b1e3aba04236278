/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/parcel.h"

#include "nodes/coordinator/replica/configuration.h"

#include <stdio.h>
#include <stdlib.h>

static void *allocate(size_t size)
{
    void *memory = raft_malloc(size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* One array, and one batch that all payloads lie in. */
static void copy_entries(struct raft_append_entries *append)
{
    const struct raft_entry *from = append->entries;
    size_t size = 0;

    if (append->n_entries == 0) {
        append->entries = NULL;
        return;
    }
    for (unsigned i = 0; i < append->n_entries; i++) {
        size += from[i].buf.len;
    }
    uint8_t *batch = allocate(size);
    append->entries = allocate(append->n_entries * sizeof(*from));
    size = 0;
    for (unsigned i = 0; i < append->n_entries; i++) {
        append->entries[i] = from[i];
        append->entries[i].batch = batch;
        append->entries[i].buf.base = batch + size;
        memcpy(batch + size, from[i].buf.base, from[i].buf.len);
        size += from[i].buf.len;
    }
}

static void copy_snapshot(struct raft_install_snapshot *install)
{
    struct raft_configuration configuration;
    void *data = allocate(install->data.len);

    memcpy(data, install->data.base, install->data.len);
    install->data.base = data;
    configuration_copy(&install->conf, &configuration);
    install->conf = configuration;
}

static struct parcel *copy(const struct parcel *from)
{
    struct parcel *parcel = malloc(sizeof(*parcel));

    if (parcel == NULL) {
        abort();
    }
    *parcel = *from;
    if (parcel->message.type == RAFT_IO_APPEND_ENTRIES) {
        copy_entries(&parcel->message.append_entries);
    } else if (parcel->message.type == RAFT_IO_INSTALL_SNAPSHOT) {
        copy_snapshot(&parcel->message.install_snapshot);
    }
    return parcel;
}

struct parcel *parcel_pack(raft_id from, const char *address, const struct raft_message *message)
{
    struct parcel parcel = {.from = from, .to = message->server_id, .message = *message};

    snprintf(parcel.address, sizeof(parcel.address), "%s", address);
    return copy(&parcel);
}

struct parcel *parcel_copy(const struct parcel *parcel)
{
    return copy(parcel);
}

void parcel_deliver(struct parcel *parcel, void (*receive)(void *context, struct raft_message *),
                    void *context)
{
    parcel->message.server_id = parcel->from;
    parcel->message.server_address = parcel->address;
    receive(context, &parcel->message);
    free(parcel);
}

void parcel_free(struct parcel *parcel)
{
    struct raft_message *message = &parcel->message;

    if (message->type == RAFT_IO_APPEND_ENTRIES) {
        if (message->append_entries.n_entries > 0) {
            raft_free(message->append_entries.entries[0].batch);
        }
        raft_free(message->append_entries.entries);
    } else if (message->type == RAFT_IO_INSTALL_SNAPSHOT) {
        raft_free(message->install_snapshot.data.base);
        raft_configuration_close(&message->install_snapshot.conf);
    }
    free(parcel);
}
