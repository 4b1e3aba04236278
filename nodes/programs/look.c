/* SPDX-License-Identifier: MPL-2.0
 * Colour by the sequences of ECMA-48, section 8.3.117, in the eight colours that every theme has.
 */
#include "nodes/programs/look.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct glyphs lines = {"├─ ", "└─ ", "│  ", "   ", "█", "░",
                                    "…",   "─",   "→",   "×",   "◆", "◀──"};
static const struct glyphs ascii = {"|- ", "`- ", "|  ", "   ", "#", ".",
                                    "...", "-",   ">",   "x",   "*", "<--"};

static bool environment_has(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0';
}

/* The source is no-color.org: any value but an empty one. What is asked for by --color comes first.
 */
static bool wants_color(const char *when, FILE *out)
{
    const char *terminal = getenv("TERM");

    if (when != NULL && strcmp(when, "auto") != 0) {
        return strcmp(when, "always") == 0;
    }
    return !environment_has("NO_COLOR") && isatty(fileno(out)) == 1 && terminal != NULL &&
           terminal[0] != '\0' && strcmp(terminal, "dumb") != 0;
}

struct look look_of(const struct arguments *arguments, FILE *out)
{
    const bool is_ascii = argument_given(arguments, "ascii");

    return (struct look){.has_color = wants_color(argument_value(arguments, "color"), out),
                         .glyphs = is_ascii ? &ascii : &lines};
}

const char *look_begin(const struct look *look, enum tone tone)
{
    static const char *const sequences[TONE_COUNT] = {
        [TONE_PLAIN] = "",        [TONE_STRONG] = "\033[1m", [TONE_DIM] = "\033[2m",
        [TONE_GOOD] = "\033[32m", [TONE_BAD] = "\033[31m",   [TONE_WARN] = "\033[33m",
        [TONE_BUSY] = "\033[36m",
    };

    return look->has_color ? sequences[tone] : "";
}

const char *look_end(const struct look *look)
{
    return look->has_color ? "\033[0m" : "";
}

void look_print(const struct look *look, FILE *out, enum tone tone, const char *text)
{
    fputs(look_begin(look, tone), out);
    print_text(out, text);
    fputs(tone == TONE_PLAIN ? "" : look_end(look), out);
}

enum tone tone_of_state(const char *state)
{
    static const struct {
        const char *state;
        enum tone tone;
    } tones[] = {
        {"succeeded", TONE_GOOD}, {"failed", TONE_BAD},    {"cancelled", TONE_WARN},
        {"running", TONE_BUSY},   {"waiting", TONE_PLAIN}, {"held", TONE_WARN},
        {"ready", TONE_DIM},      {"delayed", TONE_DIM},
    };

    for (size_t i = 0; i < sizeof(tones) / sizeof(tones[0]); i++) {
        if (strcmp(tones[i].state, state) == 0) {
            return tones[i].tone;
        }
    }
    return TONE_PLAIN;
}
