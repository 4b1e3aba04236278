/* SPDX-License-Identifier: MPL-2.0
 * grove progress, checkpoint, log, fail: what a command that a worker runs says of its attempt. */
#include <string.h>

#include "core/limits.h"
#include "nodes/programs/caller.h"
#include "nodes/programs/task_options.h"
#include "nodes/programs/values.h"

/* Says it to the node; EXIT_DONE once that has it. */
static enum exit_code say(const struct arguments *arguments, const struct errand *errand)
{
    struct errand_conclusion conclusion;
    struct grove_result nothing;
    struct grove_failure failure;
    struct caller caller;
    enum exit_code code;

    if (!caller_open_node(arguments, &caller, &code)) {
        return code;
    }
    const enum grove_status status =
        node_ask(&caller.node, errand, GROVE_FOREVER, &conclusion, &nothing, &failure);

    if (status != GROVE_OK) {
        complain_of(failure.reason, failure.text);
    }
    code = exit_of_status(status);
    grove_result_clear(&nothing);
    grove_failure_clear(&failure);
    caller_close(&caller);
    return code;
}

/* The words from the given one on, as one text, which is cut where it gets too long. */
static struct bytes join_words(const struct arguments *arguments, size_t from, struct buffer *text)
{
    size_t size;

    for (size_t i = from; i < arguments->word_count; i++) {
        buffer_append(text, " ", i > from ? 1 : 0);
        buffer_append(text, arguments->word[i], strlen(arguments->word[i]));
    }
    size = text->size;
    if (size > LIMIT_TEXT_LENGTH) {
        size = LIMIT_TEXT_LENGTH;
        while (size > 0 && (text->data[size] & 0xC0) == 0x80) {
            size--;
        }
    }
    return bytes_of(text->data, size);
}

static enum exit_code progress(const struct arguments *arguments)
{
    struct errand errand = {.verb = ERRAND_PROGRESS};
    struct buffer text = {0};
    int64_t percent;

    if (arguments->word_count == 0 || !value_number(arguments->word[0], &percent) || percent < 0 ||
        percent > 100) {
        complain("progress: how far? A percentage, 0 to 100, and a text");
        return EXIT_USAGE;
    }
    errand.percent = (uint32_t)percent;
    errand.text = join_words(arguments, 1, &text);

    const enum exit_code code = say(arguments, &errand);

    buffer_clear(&text);
    return code;
}

static enum exit_code checkpoint(const struct arguments *arguments)
{
    struct errand errand = {.verb = ERRAND_CHECKPOINT};
    struct grove_bytes bytes;
    struct buffer memory = {0};
    enum exit_code code;

    if (task_options_payload(arguments, &memory, &bytes, &code)) {
        errand.bytes = bytes_of(bytes.data, bytes.size);
        code = say(arguments, &errand);
    }
    buffer_clear(&memory);
    return code;
}

static enum exit_code say_text(const struct arguments *arguments, struct errand *errand)
{
    struct buffer text = {0};
    enum exit_code code;

    if (arguments->word_count == 0) {
        complain("what? Give a text");
        return EXIT_USAGE;
    }
    errand->text = join_words(arguments, 0, &text);
    code = say(arguments, errand);
    buffer_clear(&text);
    return code;
}

static enum exit_code log_text(const struct arguments *arguments)
{
    struct errand errand = {.verb = ERRAND_LOG};

    return say_text(arguments, &errand);
}

/* It exits as its command should, which so may end with it. */
static enum exit_code foretell(const struct arguments *arguments)
{
    struct errand errand = {
        .verb = ERRAND_FAIL,
        .is_permanent = argument_given(arguments, "permanent"),
    };
    const enum exit_code code = say_text(arguments, &errand);

    return code == EXIT_DONE ? EXIT_TASK_FAILED : code;
}

static const struct option fail_options[] = {
    {"permanent", 0, NULL, "no other attempt would do better"},
    OPTION_END,
};

const struct subcommand progress_subcommand = {
    .name = "progress",
    .summary = "Within a command of a worker: say how far its task is",
    .usage = "PERCENT [TEXT]",
    .description = "grove tree and run --follow show it.",
    .run = progress,
};

const struct subcommand checkpoint_subcommand = {
    .name = "checkpoint",
    .summary = "Within a command of a worker: keep bytes for the task's next attempt",
    .usage = "[PAYLOAD]",
    .description = "The bytes are the word, else stdin; the last ones count, durable when this "
                   "exits with 0.\nThe next attempt finds them in the file GROVE_CHECKPOINT_FILE.",
    .run = checkpoint,
};

const struct subcommand log_subcommand = {
    .name = "log",
    .summary = "Within a command of a worker: a line in the worker's log",
    .usage = "TEXT",
    .run = log_text,
};

const struct subcommand fail_subcommand = {
    .name = "fail",
    .summary = "Within a command of a worker: say why it fails, and exit with 1",
    .usage = "[--permanent] TEXT",
    .description = "What its task's failure says, if the command then exits with another status "
                   "than 0.",
    .options = fail_options,
    .run = foretell,
};
