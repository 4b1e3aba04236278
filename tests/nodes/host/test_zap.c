/* SPDX-License-Identifier: MPL-2.0
 * Who is let in: decisions as a table, real handshakes, and the self-test, which must fail whenever
 * the guard does not hold. */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/certificate.h"
#include "nodes/host/bus.h"
#include "nodes/host/bus_context.h"
#include "nodes/host/bus_options.h"
#include "nodes/host/zap_probe.h"
#include "nodes/host/zap_rate.h"
#include "nodes/host/zap_roster.h"

/* ---- decisions */

static void who_is_let_in_is_a_matter_of_key_role_dates_and_domain(void **state)
{
    const struct zap_entry entries[] = {
        {.link = {{3}}, .identity = {{33}}, .roles = ROLE_WORKER, .not_after_ms = 100},
        {.link = {{1}}, .identity = {{11}}, .roles = ROLE_OBSERVER, .not_after_ms = 100},
        {.link = {{4}}, .roles = ROLE_CLIENT, .not_after_ms = 100, .revoked = true},
        {.link = {{2}}, .roles = ROLE_OPERATOR, .not_before_ms = 50, .not_after_ms = 100},
        {.link = {{6}}, .identity = {{66}}, .roles = ROLE_COORDINATOR, .not_after_ms = 100},
    };
    static const struct {
        const char *domain, *mechanism;
        uint64_t key, now_ms;
        enum zap_decision expected;
    } cases[] = {
        {"grove-task", "CURVE", 3, 99, ZAP_ACCEPTED},
        {"grove-task", "CURVE", 3, 100, ZAP_REVOKED},
        {"grove-task", "CURVE", 2, 49, ZAP_REVOKED},
        {"grove-task", "CURVE", 2, 50, ZAP_ACCEPTED},
        {"grove-stats", "CURVE", 2, 50, ZAP_ACCEPTED},
        {"grove-stats", "CURVE", 3, 50, ZAP_WRONG_ROLE},
        {"grove-stats", "CURVE", 1, 50, ZAP_ACCEPTED},
        {"grove-task", "CURVE", 1, 50, ZAP_WRONG_ROLE},
        {"grove-task", "CURVE", 4, 50, ZAP_REVOKED},
        {"grove-task", "CURVE", 5, 50, ZAP_UNKNOWN_KEY},
        {"grove-task", "NULL", 3, 50, ZAP_WRONG_MECHANISM},
        {"grove-task", "PLAIN", 3, 50, ZAP_WRONG_MECHANISM},
        {"grove-task", "CURVES", 3, 50, ZAP_WRONG_MECHANISM},
        {"grove-raft", "CURVE", 6, 50, ZAP_ACCEPTED},
        {"grove-raft", "CURVE", 3, 50, ZAP_WRONG_ROLE},
        {"grove-raft", "CURVE", 2, 50, ZAP_WRONG_ROLE},
        {"grove-stats", "CURVE", 6, 50, ZAP_WRONG_ROLE},
        {"grove-tas", "CURVE", 3, 50, ZAP_WRONG_DOMAIN},
        {"", "CURVE", 3, 50, ZAP_WRONG_DOMAIN},
    };
    struct zap_roster *roster = zap_roster_create(entries, 5, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct key key = {{(uint8_t)cases[i].key}};
        const struct zap_claim claim = {.domain = bytes_of_text(cases[i].domain),
                                        .mechanism = bytes_of_text(cases[i].mechanism),
                                        .credential = bytes_of(key.byte, sizeof(key.byte))};
        struct key identity = {{0}};
        assert_int_equal(zap_decide(roster, &claim, cases[i].now_ms, &identity), cases[i].expected);
        if (cases[i].expected == ZAP_ACCEPTED && cases[i].key != 2) {
            assert_int_equal(identity.byte[0], 11 * cases[i].key);
        } else {
            assert_int_equal(identity.byte[0], 0);
        }
        assert_int_not_equal(zap_decide(NULL, &claim, cases[i].now_ms, &identity), ZAP_ACCEPTED);
    }
    zap_roster_destroy(roster);
}

static void a_key_of_another_length_is_unknown(void **state)
{
    const struct zap_entry entry = {.roles = ROLE_CLIENT, .not_after_ms = 100};
    struct zap_roster *roster = zap_roster_create(NULL, 0, &entry);
    uint8_t zeros[64] = {0};

    (void)state;
    for (size_t size = 0; size <= sizeof(zeros); size++) {
        const struct zap_claim claim = {.domain = bytes_of_text(ZAP_DOMAIN_TASK),
                                        .mechanism = bytes_of_text("CURVE"),
                                        .credential = bytes_of(zeros, size)};
        struct key identity;
        assert_int_equal(zap_decide(roster, &claim, 1, &identity) == ZAP_ACCEPTED, size == 32);
    }
    zap_roster_destroy(roster);
}

static unsigned knock(struct zap_rate *rate, const char *address, uint64_t now_ms, unsigned times)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < times; i++) {
        taken += zap_rate_take(rate, address, now_ms);
    }
    return taken;
}

static void strangers_have_a_burst_and_then_a_rate(void **state)
{
    struct zap_rate *rate = calloc(1, sizeof(*rate));

    (void)state;
    assert_non_null(rate);
    assert_int_equal(knock(rate, "192.0.2.1", 10000, 100), ZAP_RATE_BURST);
    assert_int_equal(knock(rate, "192.0.2.1", 10049, 100), 0);
    assert_int_equal(knock(rate, "192.0.2.1", 10050, 100), 1);
    assert_int_equal(knock(rate, "192.0.2.2", 10050, 100), ZAP_RATE_BURST);
    assert_int_equal(knock(rate, "192.0.2.1", 99999, 100), ZAP_RATE_BURST);
    free(rate);
}

static void all_strangers_together_have_a_rate_too(void **state)
{
    struct zap_rate *rate = calloc(1, sizeof(*rate));
    unsigned taken = 0;
    char address[32];

    (void)state;
    assert_non_null(rate);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(address, sizeof(address), "2001:db8::%x", i);
        taken += knock(rate, address, 10000, 5);
    }
    assert_int_equal(taken, ZAP_RATE_ALL);
    free(rate);
}

/* ---- handshakes */

struct fixture {
    struct zap *zap;
    struct bus *bus;
    struct bus_socket *task, *stats;
    struct link_pair server, worker, observer, revoked;
    void *context;
};

static void ignore(void *context, const struct bus_message *message)
{
    (void)context;
    (void)message;
}

static struct bus_socket *bind_in(struct fixture *f, const char *domain)
{
    const struct bus_bind_options options = {
        .address = "127.0.0.1:0", .zap_domain = domain, .zap = f->zap, .link = &f->server};
    struct bus_socket *socket = NULL;

    assert_int_equal(bus_bind(f->bus, &options, ignore, f, &socket), GROVE_OK);
    return socket;
}

static void publish(struct fixture *f, bool worker_is_revoked)
{
    const struct zap_entry entries[] = {
        {.link = f->worker.public_key,
         .identity = {{1}},
         .roles = ROLE_WORKER,
         .not_after_ms = UINT64_MAX,
         .revoked = worker_is_revoked},
        {.link = f->observer.public_key,
         .identity = {{2}},
         .roles = ROLE_OBSERVER,
         .not_after_ms = UINT64_MAX},
        {.link = f->revoked.public_key,
         .identity = {{3}},
         .roles = ROLE_WORKER,
         .not_after_ms = UINT64_MAX,
         .revoked = true},
    };
    zap_publish(f->zap, entries, 3);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct link_pair *const pairs[] = {&f->server, &f->worker, &f->observer, &f->revoked};

    assert_non_null(f);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        crypto_box_keypair(pairs[i]->public_key.byte, pairs[i]->secret);
    }
    f->context = bus_context_retain();
    f->bus = bus_create(0);
    assert_int_equal(zap_start(&f->zap), GROVE_OK);
    publish(f, false);
    f->task = bind_in(f, ZAP_DOMAIN_TASK);
    f->stats = bind_in(f, ZAP_DOMAIN_STATS);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    bus_destroy(f->bus);
    zap_stop(f->zap);
    bus_context_release();
    free(f);
    return 0;
}

/* A DEALER that tries once; `monitor` shows how its handshake ends. */
struct caller {
    void *dealer, *monitor;
};

static struct caller call(struct fixture *f, const struct bus_socket *socket,
                          const struct link_pair *link)
{
    static unsigned calls;
    struct caller caller = {.dealer = zmq_socket(f->context, ZMQ_DEALER),
                            .monitor = zmq_socket(f->context, ZMQ_PAIR)};
    const int never = -1, none = 0, patience_ms = 120000;
    char name[32], endpoint[64];

    snprintf(name, sizeof(name), "inproc://caller-%u", calls++);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", (unsigned)bus_port(socket));
    zmq_setsockopt(caller.dealer, ZMQ_LINGER, &none, sizeof(none));
    zmq_setsockopt(caller.dealer, ZMQ_RECONNECT_IVL, &never, sizeof(never));
    zmq_setsockopt(caller.monitor, ZMQ_RCVTIMEO, &patience_ms, sizeof(patience_ms));
    zmq_setsockopt(caller.dealer, ZMQ_CURVE_SERVERKEY, f->server.public_key.byte, 32);
    zmq_setsockopt(caller.dealer, ZMQ_CURVE_PUBLICKEY, link->public_key.byte, 32);
    zmq_setsockopt(caller.dealer, ZMQ_CURVE_SECRETKEY, link->secret, 32);
    assert_int_equal(
        zmq_socket_monitor(caller.dealer, name,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH),
        0);
    assert_int_equal(zmq_connect(caller.monitor, name), 0);
    assert_int_equal(zmq_connect(caller.dealer, endpoint), 0);
    return caller;
}

static void hang_up(struct caller *caller)
{
    zmq_close(caller->monitor);
    zmq_close(caller->dealer);
}

/* Calls and waits for what libzmq says of it: an event, and for a refusal its code. */
static void expect_answer(struct fixture *f, const struct bus_socket *socket,
                          const struct link_pair *link, unsigned event, unsigned code)
{
    struct caller caller = call(f, socket, link);
    uint8_t part[6];
    uint16_t number;
    uint32_t value;

    assert_int_equal(zmq_recv(caller.monitor, part, sizeof(part), 0), sizeof(part));
    memcpy(&number, part, sizeof(number));
    memcpy(&value, part + sizeof(number), sizeof(value));
    assert_int_equal(number, event);
    assert_int_equal(value, code);
    hang_up(&caller);
}

static void expect_counters(const struct fixture *f, struct zap_counters expected)
{
    struct zap_counters counters;

    zap_read_counters(f->zap, &counters);
    assert_memory_equal(&counters, &expected, sizeof(counters));
}

static void a_known_key_is_let_in_where_its_role_belongs(void **state)
{
    struct fixture *f = *state;

    expect_answer(f, f->task, &f->worker, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    expect_answer(f, f->stats, &f->observer, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    expect_answer(f, f->task, &f->observer, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400);
    expect_answer(f, f->stats, &f->worker, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400);
    expect_counters(f, (struct zap_counters){.accepted = 2, .wrong_role = 2});
}

static void a_revoked_key_is_told_so(void **state)
{
    struct fixture *f = *state;

    expect_answer(f, f->task, &f->revoked, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400);
    expect_answer(f, f->task, &f->worker, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    publish(f, true);
    expect_answer(f, f->task, &f->worker, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400);
    publish(f, false);
    expect_answer(f, f->task, &f->worker, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    expect_counters(f, (struct zap_counters){.accepted = 2, .revoked = 2});
}

#define STRANGERS 20u

/* They call at once. A stranger hears nothing, so its refusal is waited for in the counters. */
static void strangers_call(struct fixture *f)
{
    struct zap_counters before, now;
    struct caller callers[STRANGERS];

    zap_read_counters(f->zap, &before);
    for (unsigned i = 0; i < STRANGERS; i++) {
        struct link_pair stranger;
        crypto_box_keypair(stranger.public_key.byte, stranger.secret);
        callers[i] = call(f, f->task, &stranger);
    }
    do {
        expect_answer(f, f->task, &f->worker, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
        zap_read_counters(f->zap, &now);
    } while (now.unknown_key + now.over_rate < before.unknown_key + before.over_rate + STRANGERS);
    for (unsigned i = 0; i < STRANGERS; i++) {
        assert_int_equal(zmq_recv(callers[i].monitor, NULL, 0, ZMQ_DONTWAIT), -1);
        hang_up(&callers[i]);
    }
}

static void strangers_are_counted_and_change_nothing_for_others(void **state)
{
    struct fixture *f = *state;
    struct zap_counters counters = {0};

    for (unsigned round = 1; counters.over_rate == 0; round++) { /* one may take so long that the
                                                                  * rate lets all of it in */
        assert_true(round < 100);
        strangers_call(f);
        zap_read_counters(f->zap, &counters);
        assert_int_equal(counters.unknown_key + counters.over_rate, round * STRANGERS);
    }
    assert_true(counters.unknown_key > 0);
}

struct publisher {
    struct fixture *f;
    volatile int *stop;
};

static void *publish_often(void *context)
{
    const struct publisher *publisher = context;

    while (!__atomic_load_n(publisher->stop, __ATOMIC_ACQUIRE)) {
        publish(publisher->f, false);
    }
    return NULL;
}

static void rosters_change_under_handshakes(void **state)
{
    struct fixture *f = *state;
    volatile int stop = 0;
    struct publisher publisher = {.f = f, .stop = &stop};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, publish_often, &publisher), 0);
    }
    for (int i = 0; i < 50; i++) {
        expect_answer(f, f->task, &f->worker, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    expect_counters(f, (struct zap_counters){.accepted = 50});
}

static void there_is_one_handler_in_a_process(void **state)
{
    struct fixture *f = *state;
    struct zap *second = NULL;

    assert_int_equal(zap_start(&second), GROVE_IN_USE);
    assert_null(second);
    expect_answer(f, f->task, &f->worker, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
}

static void self_tests_are_not_counted(void **state)
{
    expect_counters(*state, (struct zap_counters){0});
}

/* The known key is refused in a domain that nobody has heard of. */
static void nothing_is_bound_when_the_self_test_fails(void **state)
{
    struct fixture *f = *state;
    const struct bus_bind_options options = {
        .address = "127.0.0.1:0", .zap_domain = "grove-other", .zap = f->zap, .link = &f->server};
    struct bus_socket *socket = NULL;

    assert_int_equal(bus_bind(f->bus, &options, ignore, f, &socket), GROVE_DENIED);
    assert_null(socket);
}

/* ---- the self-test */

/* A ROUTER with its options set by us, for the tests to spoil. */
static void *guarded_router(const struct link_pair *server)
{
    void *router = zmq_socket(bus_context_retain(), ZMQ_ROUTER);

    assert_non_null(router);
    assert_int_equal(bus_options_router(router, server, ZAP_DOMAIN_TASK), GROVE_OK);
    return router;
}

static void close_router(void *router)
{
    zmq_close(router);
    bus_context_release();
}

static void it_passes_again_and_again_and_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    void *router = guarded_router(&f->server);

    for (int i = 0; i < 5; i++) {
        assert_int_equal(zap_self_test(f->zap, router, &f->server.public_key, ZAP_DOMAIN_TASK),
                         GROVE_OK);
    }
    assert_true(zmq_recv(router, NULL, 0, ZMQ_DONTWAIT) < 0);
    close_router(router);
}

static void expect_spoiled(struct fixture *f, int option, const void *value, size_t size)
{
    void *router = guarded_router(&f->server);

    assert_int_equal(zmq_setsockopt(router, option, value, size), 0);
    assert_int_equal(zap_self_test(f->zap, router, &f->server.public_key, ZAP_DOMAIN_TASK),
                     GROVE_DENIED);
    close_router(router);
}

static void it_fails_when_an_option_of_the_guard_is_off(void **state)
{
    struct fixture *f = *state;
    const int off = 0;

    expect_spoiled(f, BUS_ZAP_ENFORCE_DOMAIN, &off, sizeof(off));
    expect_spoiled(f, ZMQ_CURVE_SERVER, &off, sizeof(off));
    expect_spoiled(f, ZMQ_PLAIN_SERVER, &(int){1}, sizeof(int));
    expect_spoiled(f, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN_STATS, strlen(ZAP_DOMAIN_STATS));
}

static void it_fails_when_the_server_key_is_another(void **state)
{
    struct fixture *f = *state;
    void *router = guarded_router(&f->server);

    assert_int_equal(zap_self_test(f->zap, router, &f->worker.public_key, ZAP_DOMAIN_TASK),
                     GROVE_DENIED);
    close_router(router);
}

/* Another handler in the place of ours. It answers `known` to the probe's key and `others` to all
 * else, the first only after a while, until it is told to stop. */
struct rogue {
    void *replies;
    const struct zap_probe *probe;
    const char *known, *others, *user;
    useconds_t slow_us;
    pthread_t thread;
};

static void *answer(void *context)
{
    const struct rogue *rogue = context;
    useconds_t slow_us = rogue->slow_us;

    for (;; slow_us = 0) {
        uint8_t part[7][256];
        int size[7] = {0}, more = 1;
        size_t length = sizeof(more);
        for (int i = 0; more && i < 7; i++) {
            size[i] = zmq_recv(rogue->replies, part[i], sizeof(part[i]), 0);
            assert(size[i] >= 0);
            zmq_getsockopt(rogue->replies, ZMQ_RCVMORE, &more, &length);
        }
        const bool is_known = memcmp(part[6], rogue->probe->known.link.byte, 32) == 0;
        const char *const code = is_known ? rogue->known : rogue->others;
        usleep(slow_us);
        zmq_send(rogue->replies, "1.0", 3, ZMQ_SNDMORE);
        zmq_send(rogue->replies, part[1], (size_t)size[1], ZMQ_SNDMORE);
        zmq_send(rogue->replies, code, 3, ZMQ_SNDMORE);
        zmq_send(rogue->replies, "", 0, ZMQ_SNDMORE);
        zmq_send(rogue->replies, rogue->user, *code == '2' ? strlen(rogue->user) : 0, ZMQ_SNDMORE);
        zmq_send(rogue->replies, "", 0, 0);
        if (size[0] == 4) {
            return NULL;
        }
    }
}

static void rogue_start(struct rogue *rogue)
{
    rogue->replies = zmq_socket(bus_context_retain(), ZMQ_REP);
    assert_non_null(rogue->replies);
    assert_int_equal(zmq_bind(rogue->replies, "inproc://zeromq.zap.01"), 0);
    assert_int_equal(pthread_create(&rogue->thread, NULL, answer, rogue), 0);
}

static void rogue_stop(struct rogue *rogue)
{
    void *teller = zmq_socket(bus_context_retain(), ZMQ_REQ);

    assert_int_equal(zmq_connect(teller, "inproc://zeromq.zap.01"), 0);
    assert_int_equal(zmq_send(teller, "stop", 4, 0), 4);
    pthread_join(rogue->thread, NULL);
    zmq_close(teller);
    zmq_close(rogue->replies);
    bus_context_release();
    bus_context_release();
}

static enum grove_status run_probe(const struct zap_probe *probe)
{
    struct link_pair server;

    crypto_box_keypair(server.public_key.byte, server.secret);
    void *router = guarded_router(&server);
    const enum grove_status status =
        zap_probe_run(probe, router, &server.public_key, ZAP_DOMAIN_TASK);

    close_router(router);
    return status;
}

static void name_of(const struct zap_probe *probe, char user[65])
{
    sodium_bin2hex(user, 65, probe->known.identity.byte, sizeof(struct key));
}

/* Probes a good socket whose connections are decided by a rogue. */
static enum grove_status probe_under(const char *known, const char *others, bool right_user)
{
    struct zap_probe probe;
    char user[65];

    zap_probe_init(&probe, ZAP_DOMAIN_TASK);
    name_of(&probe, user);
    if (!right_user) {
        probe.known.identity.byte[0] ^= 1;
    }
    struct rogue rogue = {.probe = &probe, .known = known, .others = others, .user = user};
    rogue_start(&rogue);
    const enum grove_status status = run_probe(&probe);
    rogue_stop(&rogue);
    return status;
}

static void it_fails_when_the_handler_is_dead(void **state)
{
    struct zap_probe probe;

    (void)state;
    zap_probe_init(&probe, ZAP_DOMAIN_TASK);
    probe.patience_ms = 200;
    assert_int_equal(run_probe(&probe), GROVE_DENIED);
}

/* As on a machine that stands still meanwhile: longer than clients are given for a handshake. */
static void it_waits_for_a_handler_that_is_slow(void **state)
{
    struct zap_probe probe;
    char user[65];

    (void)state;
    zap_probe_init(&probe, ZAP_DOMAIN_TASK);
    name_of(&probe, user);
    struct rogue rogue = {
        .probe = &probe, .known = "200", .others = "300", .user = user, .slow_us = 4200000};
    rogue_start(&rogue);
    assert_int_equal(run_probe(&probe), GROVE_OK);
    rogue_stop(&rogue);
}

static void it_fails_when_the_handler_is_not_ours(void **state)
{
    (void)state;
    assert_int_equal(probe_under("200", "300", true), GROVE_OK);
    assert_int_equal(probe_under("200", "300", false), GROVE_DENIED); /* another's identity */
    assert_int_equal(probe_under("200", "200", true), GROVE_DENIED);  /* everybody comes in */
    assert_int_equal(probe_under("300", "300", true), GROVE_DENIED);  /* nobody does */
    assert_int_equal(probe_under("300", "200", true), GROVE_DENIED);  /* the wrong ones do */
    assert_int_equal(probe_under("200", "400", true), GROVE_DENIED);  /* strangers are told */
}

/* In the same context: a coordinator that is opened right after another has closed. */
static void the_next_handler_finds_its_place_free(void **state)
{
    struct zap *zap = NULL;

    (void)state;
    (void)bus_context_retain();
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(zap_start(&zap), GROVE_OK);
        zap_stop(zap);
    }
    bus_context_release();
}

/* Were it to live on, every later handshake would hang. The child aborts, as it should. */
static void the_process_ends_with_its_handler(void **state)
{
    int how = 0;
    const pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct zap *zap = NULL;
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        fclose(stderr);
        if (zap_start(&zap) == GROVE_OK) {
            zmq_ctx_shutdown(bus_context_retain());
            pause();
        }
        _exit(1);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
}

int main(void)
{
#define ZAP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_process_ends_with_its_handler),
        cmocka_unit_test(who_is_let_in_is_a_matter_of_key_role_dates_and_domain),
        cmocka_unit_test(a_key_of_another_length_is_unknown),
        cmocka_unit_test(strangers_have_a_burst_and_then_a_rate),
        cmocka_unit_test(all_strangers_together_have_a_rate_too),
        ZAP_TEST(a_known_key_is_let_in_where_its_role_belongs),
        ZAP_TEST(a_revoked_key_is_told_so),
        ZAP_TEST(strangers_are_counted_and_change_nothing_for_others),
        ZAP_TEST(rosters_change_under_handshakes),
        ZAP_TEST(there_is_one_handler_in_a_process),
        ZAP_TEST(self_tests_are_not_counted),
        ZAP_TEST(nothing_is_bound_when_the_self_test_fails),
        ZAP_TEST(it_passes_again_and_again_and_leaves_nothing_behind),
        ZAP_TEST(it_fails_when_an_option_of_the_guard_is_off),
        ZAP_TEST(it_fails_when_the_server_key_is_another),
        cmocka_unit_test(the_next_handler_finds_its_place_free),
        cmocka_unit_test(it_fails_when_the_handler_is_dead),
        cmocka_unit_test(it_waits_for_a_handler_that_is_slow),
        cmocka_unit_test(it_fails_when_the_handler_is_not_ours),
    };
    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
