/* SPDX-License-Identifier: MPL-2.0
 * Rows under titles. */
#include "nodes/programs/listing.h"

#include <inttypes.h>
#include <stdlib.h>

struct cell {
    char *text; /* escaped */
    enum tone tone;
};

char *text_escaped(const char *text)
{
    char *escaped = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&escaped, &size);

    if (memory == NULL) {
        abort();
    }
    print_text(memory, text);
    if (fclose(memory) != 0) {
        abort();
    }
    return escaped;
}

size_t text_columns(const char *text)
{
    size_t columns = 0;

    for (; *text != '\0'; text++) {
        columns += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return columns;
}

void listing_init(struct listing *listing, const struct look *look, const struct column *columns,
                  size_t column_count)
{
    *listing = (struct listing){.look = *look, .columns = columns, .column_count = column_count};
}

static const struct cell *cells_of(const struct listing *listing, size_t *count)
{
    *count = listing->cells.size / sizeof(struct cell);
    return (const struct cell *)(void *)listing->cells.data;
}

void listing_clear(struct listing *listing)
{
    size_t count;
    const struct cell *cells = cells_of(listing, &count);

    for (size_t i = 0; i < count; i++) {
        free(cells[i].text);
    }
    buffer_clear(&listing->cells);
}

void listing_add(struct listing *listing, enum tone tone, const char *text)
{
    const struct cell cell = {.text = text_escaped(text), .tone = tone};

    buffer_append(&listing->cells, &cell, sizeof(cell));
}

void listing_add_number(struct listing *listing, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, number);
    listing_add(listing, number == 0 ? TONE_DIM : TONE_PLAIN, text);
}

static void print_cell(const struct listing *listing, FILE *out, const struct cell *cell, size_t i,
                       size_t width)
{
    const bool is_last = i + 1 == listing->column_count;
    const size_t used = text_columns(cell->text);
    const int fill = (int)(width > used ? width - used : 0);

    fprintf(out, "%*s%s%s%s%*s%s", listing->columns[i].is_number ? fill : 0, "",
            look_begin(&listing->look, cell->tone), cell->text,
            cell->tone == TONE_PLAIN ? "" : look_end(&listing->look),
            listing->columns[i].is_number || is_last ? 0 : fill, "", is_last ? "\n" : "  ");
}

void listing_print(const struct listing *listing, FILE *out)
{
    const size_t columns = listing->column_count;
    size_t count;
    const struct cell *cells = cells_of(listing, &count);
    size_t *widths = calloc(columns, sizeof(*widths));

    if (widths == NULL) {
        abort();
    }
    for (size_t i = 0; i < columns; i++) {
        widths[i] = text_columns(listing->columns[i].title);
    }
    count -= count % columns;
    for (size_t i = 0; i < count; i++) {
        const size_t width = text_columns(cells[i].text);

        widths[i % columns] = width > widths[i % columns] ? width : widths[i % columns];
    }
    for (size_t i = 0; i < columns && count > 0; i++) {
        char *title = text_escaped(listing->columns[i].title);
        const struct cell cell = {.text = title, .tone = TONE_STRONG};

        print_cell(listing, out, &cell, i, widths[i]);
        free(title);
    }
    for (size_t i = 0; i < count; i++) {
        print_cell(listing, out, &cells[i], i % columns, widths[i % columns]);
    }
    free(widths);
}
