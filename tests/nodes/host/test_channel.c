/* SPDX-License-Identifier: MPL-2.0
 * Parts over a unix socket: whole, in order, by paths of any length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/errand.h"
#include "nodes/host/channel.h"
#include "tests/support/scratch.h"

static void open_pair(struct channel ends[2])
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    channel_init(&ends[0], fds[0]);
    channel_init(&ends[1], fds[1]);
}

static void close_pair(struct channel ends[2])
{
    channel_clear(&ends[0]);
    channel_clear(&ends[1]);
}

/* An address has room for 107 bytes; directories are often deeper. */
static void a_path_may_be_longer_than_an_address(void **state)
{
    char directory[256], path[300];
    struct scratch scratch;
    int listening, connected, accepted;

    (void)state;
    scratch_make(&scratch);
    snprintf(directory, sizeof(directory), "%.*s/%0120d", SCRATCH_PATH_SIZE, scratch.path, 0);
    assert_int_equal(mkdir(directory, 0700), 0);
    snprintf(path, sizeof(path), "%s/socket", directory);
    listening = channel_listen(path, 1);
    assert_true(listening >= 0);
    assert_int_equal(channel_listen(path, 1), -1);
    assert_int_equal(errno, EADDRINUSE);
    connected = channel_connect(path);
    assert_true(connected >= 0);
    accepted = accept(listening, NULL, NULL);
    assert_true(channel_is_ours(accepted));
    close(accepted);
    close(connected);
    close(listening);
    assert_int_equal(channel_connect(path), -1);
    assert_int_equal(errno, ECONNREFUSED);
    unlink(path);
    assert_int_equal(channel_connect(path), -1);
    assert_int_equal(errno, ENOENT);
    rmdir(directory);
    scratch_remove(&scratch);
}

/* However the bytes come. */
static void parts_come_whole_and_in_order(void **state)
{
    struct errand_ask ask;
    struct channel ends[2];
    struct buffer all = {0};
    struct bytes part;

    (void)state;
    open_pair(ends);
    errand_put_input(&all, bytes_of_text("first"));
    errand_put_end(&all);
    for (size_t i = 0; i < all.size; i++) {
        const enum grove_status status = channel_take(&ends[1], &part);

        assert_true(status == GROVE_BUSY || ends[1].at == ends[1].in.size);
        if (status == GROVE_OK) {
            assert_int_equal(errand_ask_decode(part, &ask), GROVE_OK);
            assert_true(bytes_equal(ask.input, bytes_of_text("first")));
        }
        buffer_append(&ends[0].out, all.data + i, 1);
        assert_int_equal(channel_flush(&ends[0]), GROVE_OK);
    }
    assert_int_equal(channel_take(&ends[1], &part), GROVE_OK);
    assert_int_equal(errand_ask_decode(part, &ask), GROVE_OK);
    assert_true(ask.end);
    assert_int_equal(channel_take(&ends[1], &part), GROVE_BUSY);
    buffer_clear(&all);
    close_pair(ends);
}

/* A reader that does not read holds nobody up: what does not go is kept, and goes later. */
static void what_does_not_fit_goes_later(void **state)
{
    static const uint8_t zeros[LIMIT_PAYLOAD_SIZE];
    struct channel ends[2];
    struct bytes part;
    enum grove_status status = GROVE_BUSY;

    (void)state;
    open_pair(ends);
    errand_put_input(&ends[0].out, bytes_of(zeros, sizeof(zeros)));
    assert_int_equal(channel_flush(&ends[0]), GROVE_BUSY);
    while (status == GROVE_BUSY) {
        (void)!channel_flush(&ends[0]);
        channel_wait(&ends[1], POLLIN, 1000);
        status = channel_take(&ends[1], &part);
    }
    assert_int_equal(status, GROVE_OK);
    assert_true(part.size > sizeof(zeros));
    assert_int_equal(channel_flush(&ends[0]), GROVE_OK);
    assert_int_equal(ends[0].out.size, 0);
    close_pair(ends);
}

/* ... and what came before it was gone is there still. */
static void the_end_is_seen_behind_what_came(void **state)
{
    struct channel ends[2];
    struct bytes part;

    (void)state;
    open_pair(ends);
    errand_put_end(&ends[0].out);
    buffer_append(&ends[0].out, "\100", 1);
    assert_int_equal(channel_flush(&ends[0]), GROVE_OK);
    shutdown(ends[0].fd, SHUT_WR);
    assert_int_equal(channel_take(&ends[1], &part), GROVE_OK);
    assert_int_equal(channel_take(&ends[1], &part), GROVE_CLOSED);
    assert_int_equal(channel_take(&ends[1], &part), GROVE_CLOSED);
    channel_clear(&ends[0]);
    errand_put_end(&ends[1].out);
    assert_int_equal(channel_flush(&ends[1]), GROVE_CLOSED);
    channel_clear(&ends[1]);
}

static void a_size_over_the_limit_is_seen_at_once(void **state)
{
    struct channel ends[2];
    struct bytes part;

    (void)state;
    open_pair(ends);
    buffer_append(&ends[0].out, "GET ", 4);
    assert_int_equal(channel_flush(&ends[0]), GROVE_OK);
    assert_int_equal(channel_take(&ends[1], &part), GROVE_TOO_LARGE);
    close_pair(ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_may_be_longer_than_an_address),
        cmocka_unit_test(parts_come_whole_and_in_order),
        cmocka_unit_test(what_does_not_fit_goes_later),
        cmocka_unit_test(the_end_is_seen_behind_what_came),
        cmocka_unit_test(a_size_over_the_limit_is_seen_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
