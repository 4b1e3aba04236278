/* SPDX-License-Identifier: MPL-2.0
 * Lists of the stats socket. */
#include "nodes/programs/observer_list.h"

#include <stdio.h>

#include "nodes/host/clock.h"
#include "nodes/programs/outcome.h"

#define REQUEST_SIZE 256

/* Moves what is wanted of a page into the list; false when that has as many as are wanted. */
static bool take_page(json_t *list, const json_t *page, const struct selection *selection)
{
    size_t i;
    json_t *element;

    json_array_foreach(page, i, element)
    {
        if (json_array_size(list) >= selection->most) {
            return false;
        }
        if (selection->wants == NULL || selection->wants(selection->context, element)) {
            json_array_append(list, element);
        }
    }
    return json_array_size(list) < selection->most;
}

enum exit_code observer_list(struct observer *observer, const char *request, const char *name,
                             const struct selection *selection, json_t **answer)
{
    char with_cursor[REQUEST_SIZE];
    json_t *list = json_array(), *head = NULL;
    enum exit_code code = EXIT_DONE;
    bool is_more = true;

    snprintf(with_cursor, sizeof(with_cursor), "%s", request);
    while (code == EXIT_DONE && is_more) {
        json_t *page;

        code = observer_ask(observer, with_cursor, &page);
        if (code != EXIT_DONE) {
            break;
        }
        const char *cursor = json_string_value(json_object_get(page, "cursor"));

        is_more = take_page(list, json_object_get(page, name), selection) && cursor != NULL;
        snprintf(with_cursor, sizeof(with_cursor), "%s %.150s", request,
                 cursor != NULL ? cursor : "");
        if (head == NULL) {
            head = page;
        } else {
            json_decref(page);
        }
    }
    if (code != EXIT_DONE) {
        json_decref(head);
        json_decref(list);
        return code;
    }
    json_object_del(head, "cursor");
    json_object_set_new(head, name, list);
    *answer = head;
    return EXIT_DONE;
}

enum exit_code list_ask(const struct arguments *arguments, const char *request, const char *name,
                        const struct selection *selection, json_t **answer)
{
    enum exit_code code;

    struct observer *observer = observer_choose(arguments, &code);

    if (observer == NULL) {
        return code;
    }
    code = observer_list(observer, request, name, selection, answer);
    observer_close(observer);
    return code;
}

enum exit_code list_show(const struct arguments *arguments, const struct rows *rows,
                         const struct selection *selection)
{
    const struct look look = look_of(arguments, stdout);
    struct listing listing;
    json_t *answer = NULL, *element;
    size_t i;
    const enum exit_code code = list_ask(arguments, rows->request, rows->name, selection, &answer);

    if (code != EXIT_DONE) {
        return code;
    }
    if (argument_json(arguments)) {
        print_json(answer);
        return EXIT_DONE;
    }
    listing_init(&listing, &look, rows->columns, rows->column_count);
    json_array_foreach(json_object_get(answer, rows->name), i, element)
    {
        rows->add(&listing, element, clock_unix_ms());
    }
    listing_print(&listing, stdout);
    listing_clear(&listing);
    json_decref(answer);
    return EXIT_DONE;
}
