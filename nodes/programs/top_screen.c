/* SPDX-License-Identifier: MPL-2.0
 * `grove top` on a terminal, by ncurses. */
#include "nodes/programs/top_screen.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <wchar.h>

#include <ncursesw/curses.h>

#include "nodes/host/clock.h"
#include "nodes/programs/json_text.h"

#define ESCAPE_MS 25 /* until an Escape is not the beginning of a key */

static const char keys[] = "F1 help  F2 pane  F3 search  F4 filter  F5 tree  F6 sort  F9 cancel  "
                           "F10 quit";

/* ---- drawing */

static attr_t attribute_of(enum tone tone)
{
    switch (tone) {
    case TONE_STRONG:
        return A_BOLD;
    case TONE_DIM:
        return A_DIM;
    case TONE_PLAIN:
    case TONE_COUNT:
        return A_NORMAL;
    case TONE_GOOD:
    case TONE_BAD:
    case TONE_WARN:
    case TONE_BUSY:
        break;
    }
    return has_colors() ? (attr_t)COLOR_PAIR((int)tone) : A_NORMAL;
}

static void begin_colours(const struct look *look)
{
    if (!look->has_color || !has_colors()) {
        return;
    }
    start_color();
    use_default_colors();
    init_pair(TONE_GOOD, COLOR_GREEN, -1);
    init_pair(TONE_BAD, COLOR_RED, -1);
    init_pair(TONE_WARN, COLOR_YELLOW, -1);
    init_pair(TONE_BUSY, COLOR_CYAN, -1);
}

/* As many bytes of a text as fit into so many columns. */
static int fitting(const char *text, int columns)
{
    const char *at = text;
    mbstate_t state = {0};
    wchar_t character;

    while (*at != '\0') {
        const size_t size = mbrtowc(&character, at, MB_CUR_MAX, &state);
        const int width = size == 0 || size > MB_CUR_MAX ? -1 : wcwidth(character);

        if (width < 0 || width > columns) {
            break;
        }
        columns -= width;
        at += size;
    }
    return (int)(at - text);
}

/* One line of the screen, cut where that ends. */
static void draw_line(int y, const char *text, attr_t attribute)
{
    if (y < 0 || y >= LINES) {
        return;
    }
    move(y, 0);
    clrtoeol();
    attrset((int)attribute);
    addnstr(text, fitting(text, COLS));
    if ((attribute & A_REVERSE) != 0) {
        hline(' ' | A_REVERSE, COLS);
        mvchgat(y, 0, -1, A_REVERSE | (attribute & A_BOLD), 0, NULL);
    }
    attrset(A_NORMAL);
}

static int draw_summary(const struct top_state *state)
{
    struct top_lines lines = {0};
    int y = 0;

    top_summary(&lines, &state->data);
    for (size_t i = 0; i < lines.count && y < LINES - 2; i++) {
        draw_line(y++, lines.list[i].text, attribute_of(lines.list[i].tone));
    }
    top_lines_clear(&lines);
    return y;
}

static void draw_tabs(const struct top_state *state, int y)
{
    char text[160];
    size_t used = 0;

    for (size_t i = 0; i < TOP_PANES; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s",
                                 i == (size_t)state->pane ? "[" : " ", top_rows[i]->name,
                                 i == (size_t)state->pane ? "]" : " ");
    }
    if (state->view[state->pane].filter[0] != '\0') {
        snprintf(text + used, sizeof(text) - used, "  only %.60s", state->view[state->pane].filter);
    }
    draw_line(y, text, A_BOLD);
}

static bool is_tagged(const struct top_state *state, size_t row)
{
    return state->pane == TOP_ROOTS &&
           json_object_get(state->tagged, top_state_key(state, row)) != NULL;
}

static void draw_rows(struct top_state *state, int y, int end)
{
    const size_t selected = top_state_row(state);
    size_t row = state->first[state->pane] > 0 ? state->first[state->pane] : 1;

    draw_line(y++, state->rows.count > 0 ? state->rows.list[0].text : "nothing to show", A_REVERSE);
    for (; y < end; y++, row++) {
        const struct top_line *line = row < state->rows.count ? &state->rows.list[row] : NULL;
        attr_t attribute = line != NULL ? attribute_of(line->tone) : A_NORMAL;

        if (line != NULL && is_tagged(state, row)) {
            attribute = attribute_of(TONE_WARN) | A_BOLD;
        }
        if (row == selected && line != NULL) {
            attribute = A_REVERSE | (is_tagged(state, row) ? A_BOLD : A_NORMAL);
        }
        draw_line(y, line != NULL ? line->text : "", attribute);
    }
}

static void draw_text(const struct top_state *state, int y, int end)
{
    size_t i = state->text_first;

    for (; y < end; y++, i++) {
        draw_line(y, i < state->text.count ? state->text.list[i].text : "", A_NORMAL);
    }
}

static void draw_foot(const struct top_state *state)
{
    char text[256];
    const size_t tagged = json_object_size(state->tagged);

    if (state->prompt == TOP_PROMPT_CANCEL) {
        snprintf(text, sizeof(text), "cancel %s and all below? y or n",
                 tagged > 0 ? "what is tagged" : "the root selected");
    } else if (state->prompt != TOP_PROMPT_NONE) {
        snprintf(text, sizeof(text), "%s: %s_",
                 state->prompt == TOP_PROMPT_SEARCH ? "search" : "filter", state->word);
    } else if (state->message[0] != '\0') {
        char *escaped = text_escaped(state->message);

        snprintf(text, sizeof(text), "%.200s", escaped);
        free(escaped);
    } else if (tagged > 0) {
        snprintf(text, sizeof(text), "%zu tagged  %s", tagged, keys);
    } else {
        snprintf(text, sizeof(text), "%s", keys);
    }
    draw_line(LINES - 1, text, A_REVERSE);
}

static void draw(struct top_state *state)
{
    const int head = draw_summary(state) + 1;
    const bool is_list = state->mode == TOP_LIST;
    const int room = LINES - 1 - head - (is_list ? 1 : 0);

    state->page = room > 0 ? (size_t)room : 0;
    top_state_refresh(state, clock_unix_ms());
    draw_tabs(state, head - 1);
    if (is_list) {
        draw_rows(state, head, LINES - 1);
    } else {
        draw_text(state, head, LINES - 1);
    }
    draw_foot(state);
    refresh();
}

/* ---- keys */

static int key_of(int character)
{
    static const struct {
        int code, key;
    } keys_of[] = {
        {KEY_UP, TOP_KEY_UP},         {KEY_DOWN, TOP_KEY_DOWN},
        {KEY_PPAGE, TOP_KEY_PAGE_UP}, {KEY_NPAGE, TOP_KEY_PAGE_DOWN},
        {KEY_HOME, TOP_KEY_HOME},     {KEY_END, TOP_KEY_END},
        {KEY_ENTER, TOP_KEY_ENTER},   {'\n', TOP_KEY_ENTER},
        {'\r', TOP_KEY_ENTER},        {KEY_BACKSPACE, TOP_KEY_BACKSPACE},
        {127, TOP_KEY_BACKSPACE},     {'\b', TOP_KEY_BACKSPACE},
        {27, TOP_KEY_ESCAPE},         {KEY_BTAB, TOP_KEY_BACK_TAB},
    };

    for (size_t i = 0; i < sizeof(keys_of) / sizeof(keys_of[0]); i++) {
        if (keys_of[i].code == character) {
            return keys_of[i].key;
        }
    }
    if (character >= KEY_F(1) && character <= KEY_F(10)) {
        return TOP_KEY_F1 + character - KEY_F(1);
    }
    return character < 128 ? character : (int)TOP_KEY_NONE;
}

/* All that have been pressed. A resize is one, too: ncurses has seen to it, and all is drawn anew.
 */
static void take_keys(struct top_state *state)
{
    int character;

    while ((character = getch()) != ERR && !state->is_over) {
        if (character == KEY_RESIZE) {
            clear();
        } else {
            top_press(state, key_of(character));
        }
        draw(state);
    }
}

/* ---- the terminal */

/* UTF-8, or what looks like it to a terminal that says nothing. */
static void choose_locale(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

/* What a library says on stderr must not come between. Returns what stderr was. */
static int hush(void)
{
    const int before = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (nowhere >= 0) {
        dup2(nowhere, STDERR_FILENO);
        close(nowhere);
    }
    return before;
}

static int serve(struct top_state *state, int signals)
{
    struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = feed_fd(state->feed), .events = POLLIN},
                             {.fd = signals, .events = POLLIN}};
    struct signalfd_siginfo signal;

    while (!state->is_over) {
        const int count = poll(ready, 3, 1000);

        if (count < 0 && errno != EINTR) {
            return 0;
        }
        if (count > 0 && ready[2].revents != 0 &&
            read(signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
            return (int)signal.ssi_signo;
        }
        if (count > 0 && (ready[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
            return SIGHUP;
        }
        if (count > 0 && ready[1].revents != 0) {
            feed_take(state->feed, &state->data);
        }
        draw(state);
        take_keys(state); /* also after EINTR, for that may be a resize */
    }
    return 0;
}

int top_screen_run(struct top_state *state, const struct look *look)
{
    sigset_t stops;
    int number = SIGHUP;

    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGHUP);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGQUIT);
    const int signals = signalfd(-1, &stops, SFD_CLOEXEC);
    const int before = hush();

    choose_locale();
    SCREEN *screen = newterm(NULL, stdout, stdin);

    if (screen != NULL) {
        set_escdelay(ESCAPE_MS);
        begin_colours(look);
        cbreak();
        noecho();
        nonl();
        keypad(stdscr, TRUE);
        nodelay(stdscr, TRUE);
        curs_set(0);
        number = serve(state, signals);
        endwin();
        delscreen(screen);
    }
    if (before >= 0) {
        dup2(before, STDERR_FILENO);
        close(before);
    }
    close(signals);
    return number;
}
