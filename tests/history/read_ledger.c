/* SPDX-License-Identifier: MPL-2.0
 * read_ledger NODE DIRECTORY [MESH]: what lies in the segments of a stopped coordinator, as a
 * history (tests/history/history.h), from the first entry on. Without the mesh's key, in
 * hexadecimal, only which entries there are, from the first that is left. Ends with 1 when an entry
 * is missing or damaged. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "core/ledger.h"
#include "nodes/coordinator/replica/file.h"
#include "nodes/coordinator/replica/segment.h"
#include "tests/support/scribe.h"

#define TYPE_COMMAND 1u /* of a record: a group, behind its size */

struct reader {
    const char *node;
    struct forest *forest; /* NULL: only the entries are wanted */
    struct effects effects;
    struct buffer lines;
    uint64_t last;
};

static void apply(struct reader *reader, struct bytes entry)
{
    struct ledger_group group;
    struct command command;
    enum grove_status status;

    if (ledger_group_open(entry, &group) != GROVE_OK) {
        return;
    }
    while ((status = ledger_group_next(&group, &command)) != GROVE_NOT_FOUND) {
        if (status == GROVE_OK) {
            command.token = 1;
            effects_reset(&reader->effects);
            forest_apply(reader->forest, &command, &reader->effects);
            scribe_signed(&reader->lines, &command);
            scribe_command(&reader->lines, reader->forest, &command, &reader->effects);
        }
    }
}

static void visit(void *context, const struct record *record)
{
    struct reader *reader = context;
    uint64_t size = 0;

    if (record->index <= reader->last) {
        return; /* of a segment that was replaced */
    }
    if (record->index != reader->last + 1 && !reader->forest) { /* a snapshot came between */
        reader->last = record->index - 1;
        printf("start %s index=%" PRIu64 "\n", reader->node, reader->last);
    }
    printf("log %s index=%" PRIu64 " term=%" PRIu64 " hash=", reader->node, record->index,
           record->term);
    for (size_t i = 0; i < 16; i++) {
        printf("%02x", record->hash.byte[i]);
    }
    putchar('\n');
    if (record->index != reader->last + 1) {
        fprintf(stderr, "read_ledger: entry %" PRIu64 " follows %" PRIu64 "\n", record->index,
                reader->last);
        exit(1);
    }
    reader->last = record->index;
    memcpy(&size, record->payload.data, sizeof(size));
    if (record->type == TYPE_COMMAND && reader->forest &&
        size <= record->payload.size - sizeof(size)) {
        apply(reader, bytes_of(record->payload.data + sizeof(size), size));
        fwrite(reader->lines.data, 1, reader->lines.size, stdout);
        buffer_reset(&reader->lines);
    }
}

static void read_segments(struct reader *reader, const char *path)
{
    const int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t *numbers = NULL;
    size_t count = 0;

    if (directory < 0 || file_list(directory, SEGMENT_PREFIX, &numbers, &count) != 0) {
        fprintf(stderr, "read_ledger: %s cannot be read\n", path);
        exit(1);
    }
    for (size_t i = 0; i < count; i++) {
        char name[SEGMENT_NAME_SIZE];
        struct segment_scan scan;
        struct bytes image;
        struct fault fault;
        segment_name(numbers[i], name);
        if (file_map(directory, name, &image) != 0 ||
            segment_read(name, image, visit, reader, &scan, &fault) != GROVE_OK) {
            fprintf(stderr, "read_ledger: %s/%s is damaged\n", path, name);
            exit(1);
        }
        file_unmap(image);
    }
    free(numbers);
    close(directory);
}

int main(int argc, char **argv)
{
    struct reader reader = {.node = argc > 2 ? argv[1] : ""};
    struct forest_options options = {.hash_key = {0}};

    if (argc < 3 || argc > 4 || sodium_init() < 0) {
        fprintf(stderr, "usage: read_ledger NODE DIRECTORY [MESH]\n");
        return 2;
    }
    if (argc > 3) {
        size_t size = 0;
        if (sodium_hex2bin(options.mesh.byte, sizeof(options.mesh), argv[3], strlen(argv[3]), NULL,
                           &size, NULL) != 0 ||
            size != sizeof(options.mesh)) {
            fprintf(stderr, "read_ledger: %s is no key\n", argv[3]);
            return 2;
        }
        reader.forest = forest_create(&options);
        scribe_mesh(&reader.lines, &options.mesh);
    }
    read_segments(&reader, argv[2]);
    forest_destroy(reader.forest);
    effects_clear(&reader.effects);
    buffer_clear(&reader.lines);
    return 0;
}
