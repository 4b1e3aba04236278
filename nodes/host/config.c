/* SPDX-License-Identifier: MPL-2.0
 * Configuration files. libinih takes the text line by line from take_line, which sees what libinih
 * would cut or leave out: it has 200 bytes a line, 50 for a section's name, and ends a value at "
 * ;". */
#include "nodes/host/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buffer.h"

#define SECTION_SIZE 128
#define BLANKS " \t\r\n\v\f" /* what libinih takes for such */

struct parsing {
    const char *path;
    struct bytes text; /* what is left of it */
    struct config *config;
    char *error;
    unsigned line; /* from 1 */
    char section[SECTION_SIZE];
    bool has_key;     /* in this section: a line that begins with a blank goes on with it */
    bool is_indented; /* the line does */
    bool is_wrong;
};

static enum grove_status refuse(char *error, enum grove_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum grove_status refuse(char *error, enum grove_status status, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(error, CONFIG_ERROR_SIZE, format, values);
    va_end(values);
    return status;
}

/* The first mistake is the one that is told. */
static void blame(struct parsing *parsing, const char *what)
{
    if (!parsing->is_wrong) {
        refuse(parsing->error, GROVE_MALFORMED, "%s:%u: %s", parsing->path, parsing->line, what);
    }
    parsing->is_wrong = true;
}

static char *copy(const char *text)
{
    char *copied = strdup(text);

    if (copied == NULL) {
        abort();
    }
    return copied;
}

static void add(struct parsing *parsing, const char *key, const char *value)
{
    struct config *config = parsing->config;
    struct config_entry *entries =
        reallocarray(config->entry, config->count + 1, sizeof(*config->entry));

    if (entries == NULL) {
        abort();
    }
    config->entry = entries;
    struct config_entry *entry = &entries[config->count++];

    *entry = (struct config_entry){.section = copy(parsing->section),
                                   .key = copy(key),
                                   .value = copy(value),
                                   .file = config->file_count};
    if (asprintf(&entry->origin, "%s:%u", parsing->path, parsing->line) < 0) {
        abort();
    }
}

static void go_on(struct config_entry *entry, const char *value)
{
    char *joined;

    if (asprintf(&joined, "%s%s%s", entry->value, entry->value[0] != '\0' ? " " : "", value) < 0) {
        abort();
    }
    free(entry->value);
    entry->value = joined;
}

static int take_entry(void *context, const char *section, const char *key, const char *value)
{
    struct parsing *parsing = context;

    (void)section; /* which libinih may have cut */
    if (!parsing->is_wrong && parsing->is_indented) {
        go_on(&parsing->config->entry[parsing->config->count - 1], value);
    } else if (key[0] == '\0') {
        blame(parsing, "not of the form key = value");
    } else if (!parsing->is_wrong) {
        add(parsing, key, value);
        parsing->has_key = true;
    }
    return 1;
}

static void take_section(struct parsing *parsing, const char *line)
{
    size_t size = strlen(line);

    while (size > 0 && strchr(BLANKS, line[size - 1]) != NULL) {
        size--;
    }
    if (size < 3 || line[size - 1] != ']' || size - 2 >= sizeof(parsing->section)) {
        blame(parsing, "not of the form [section]");
        return;
    }
    memcpy(parsing->section, line + 1, size - 2);
    parsing->section[size - 2] = '\0';
    parsing->has_key = false;
    add(parsing, "", "");
}

static bool has_comment(const char *line)
{
    for (const char *at = strchr(line, ';'); at != NULL; at = strchr(at + 1, ';')) {
        if (at > line && strchr(BLANKS, at[-1]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Looks at a line before libinih does. */
static void inspect(struct parsing *parsing, const char *line)
{
    const char *start = line + strspn(line, BLANKS);

    parsing->is_indented = start > line;
    if (*start == '\0' || *start == '#' || *start == ';') {
        return;
    }
    if (parsing->is_indented && !parsing->has_key) {
        blame(parsing, "begins with a blank, and there is no value before to go on with");
    } else if (has_comment(start)) {
        blame(parsing, "a ; behind a blank would begin a comment: those have lines of their own");
    } else if (!parsing->is_indented && *line == '[') {
        take_section(parsing, line);
    } else if (!parsing->is_indented && parsing->section[0] == '\0') {
        blame(parsing, "stands before the first [section]");
    }
}

/* An ini_reader: as fgets. */
static char *take_line(char *line, int room, void *context)
{
    struct parsing *parsing = context;
    const char *begin = (const char *)parsing->text.data;

    if (parsing->text.size == 0 || parsing->is_wrong) {
        return NULL;
    }
    const char *end = memchr(begin, '\n', parsing->text.size);
    const size_t size = end != NULL ? (size_t)(end - begin) + 1 : parsing->text.size;

    parsing->line++;
    if (size >= (size_t)room) {
        blame(parsing, "too long: go on in a second line that begins with a blank");
        return NULL;
    }
    memcpy(line, begin, size);
    line[size] = '\0';
    parsing->text = bytes_of(begin + size, parsing->text.size - size);
    inspect(parsing, line);
    return parsing->is_wrong ? NULL : line;
}

static void drop_after(struct config *config, size_t count)
{
    while (config->count > count) {
        struct config_entry *entry = &config->entry[--config->count];

        free(entry->section);
        free(entry->key);
        free(entry->value);
        free(entry->origin);
    }
}

enum grove_status config_parse(const char *path, struct bytes text, struct config *config,
                               char *error)
{
    struct parsing parsing = {.path = path, .text = text, .config = config, .error = error};
    const size_t before = config->count;

    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) {
        return refuse(error, GROVE_MALFORMED, "%s: not a text file", path);
    }
    const int line = ini_parse_stream(take_line, &parsing, take_entry, &parsing);

    if (line > 0 && !parsing.is_wrong) {
        parsing.line = (unsigned)line;
        blame(&parsing, "not of the form key = value");
    }
    if (parsing.is_wrong) {
        drop_after(config, before);
        return GROVE_MALFORMED;
    }
    config->file_count++;
    return GROVE_OK;
}

static enum grove_status refuse_open(const char *path, char *error)
{
    const enum grove_status status = errno == ENOENT || errno == ENOTDIR ? GROVE_NOT_FOUND
                                     : errno == EACCES                   ? GROVE_PERMISSION
                                                                         : GROVE_IO;

    return refuse(error, status, "%s: cannot open: %s", path, strerror(errno));
}

/* Whoever may write it says which commands a worker runs. */
static enum grove_status check_file(const char *path, int fd, char *error)
{
    struct stat about;

    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        return refuse(error, GROVE_IO, "%s: not a regular file", path);
    }
    if ((about.st_mode & S_IWOTH) != 0) {
        return refuse(error, GROVE_PERMISSION, "%s: everyone may write it: chmod o-w", path);
    }
    if (about.st_size > (off_t)CONFIG_SIZE) {
        return refuse(error, GROVE_TOO_LARGE, "%s: larger than %zu KiB", path, CONFIG_SIZE / 1024);
    }
    return GROVE_OK;
}

enum grove_status config_read(const char *path, struct config *config, char *error)
{
    struct buffer text = {0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return refuse_open(path, error);
    }
    enum grove_status status = check_file(path, fd, error);

    if (status == GROVE_OK) {
        const ssize_t size = read(fd, buffer_extend(&text, CONFIG_SIZE), CONFIG_SIZE);

        text.size = size > 0 ? (size_t)size : 0;
        status = size >= 0 ? config_parse(path, buffer_bytes(&text), config, error)
                           : refuse(error, GROVE_IO, "%s: cannot read: %s", path, strerror(errno));
    }
    buffer_clear(&text);
    close(fd);
    return status;
}

void config_clear(struct config *config)
{
    drop_after(config, 0);
    free(config->entry);
    *config = (struct config){.count = 0};
}
