/* tests/unit/http/body.c - bodies over real sockets: sizes and codings, both buffers, early answers, 100
 * Continue, clients that leave. */
#include "fixture.h"

#include <sys/socket.h>

#include "util/clock.h"
#include "util/fault.h"

static void send_chunked(int fd, uint64_t n, size_t step)
{
    char line[32];
    for (uint64_t at = 0; at < n;) {
        uint64_t take = MIN((uint64_t)step, n - at);
        snprintf(line, sizeof(line), "%llx\r\n", (unsigned long long)take);
        client_say(fd, line);
        client_send_body(fd, at, take);
        client_say(fd, "\r\n");
        at += take;
    }
    client_say(fd, "0\r\n\r\n");
}

static void put(int fd, const char *path, uint64_t n, bool chunked, size_t step, const char *more)
{
    char head[256];
    if (chunked)
        snprintf(head, sizeof(head), "PUT %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n%s\r\n",
                 path, more);
    else
        snprintf(head, sizeof(head), "PUT %s HTTP/1.1\r\nHost: a\r\nContent-Length: %llu\r\n%s\r\n", path,
                 (unsigned long long)n, more);
    client_say(fd, head);
    if (chunked)
        send_chunked(fd, n, step);
    else
        client_send_body(fd, 0, n);
}

static void test_http_body__streams_bodies_of_any_size_in_both_codings(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {
        0, 1, 1000, 512 * 1024 - 1, 512 * 1024, 512 * 1024 + 1, 1000003, 64 * 1024 * 1024};
    static const char *const paths[] = {"/stream", "/bare", "/inline"};
    struct site *s = site_new(NULL, NULL, NULL);
    int fd = client_connect(s);
    int n = 0;
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (unsigned chunked = 0; chunked < 2; chunked++)
            for (size_t p = 0; p < COUNT(paths); p++) {
                struct reply r;
                char want[64];
                put(fd, paths[p], sizes[i], chunked, sizes[i] < 5000 ? 7 : 50021, "");
                CHECK_ROW(i, client_read(fd, false, &r) && r.status == 201);
                snprintf(want, sizeof(want), "X-Bytes: %llu", (unsigned long long)sizes[i]);
                CHECK_ROW(i, reply_has(&r, want));
                snprintf(want, sizeof(want), "X-Pieces: %llu",
                         (unsigned long long)((sizes[i] + 512 * KIB - 1) / (512 * KIB)));
                CHECK_ROW(i, reply_has(&r, want)); /* full buffers, and the rest */
                reply_done(&r);
                n++;
            }
    close(fd);
    wait_for(&s->seen.done, n);
    CHECK(atomic_load(&s->seen.ended) == n);
    site_free(s);
}

static void test_http_body__takes_a_body_byte_by_byte(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    int fd = client_connect(s);
    client_send_slowly(fd,
                       STR("PUT /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n"));
    client_send_body(fd, 0, 1);
    client_send_body(fd, 1, 1);
    client_send_slowly(fd, STR("\r\n1\r\n"));
    client_send_body(fd, 2, 1);
    client_send_slowly(fd, STR("\r\n0\r\nTrailer: x\r\n\r\n"));
    struct reply r;
    CHECK(client_read(fd, false, &r) && r.status == 201 && reply_has(&r, "X-Bytes: 3"));
    reply_done(&r);
    close(fd);
    site_free(s);
}

static void test_http_body__collects_a_body_up_to_its_ceiling(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        int status;
    } rows[] = {{0, 200}, {1, 200}, {99999, 200}, {100000, 200}, {100001, 413}};
    struct site *s = site_new(NULL, NULL, NULL);
    for (size_t i = 0; i < COUNT(rows); i++)
        for (unsigned way = 0; way < 4; way++) {
            int fd = client_connect(s);
            char head[256];
            const char *path = way & 1 ? "/echo" : "/echo-worker";
            if (way & 2) {
                snprintf(head, sizeof(head),
                         "POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", path);
                client_say(fd, head);
                send_chunked(fd, rows[i].n, 9973);
            } else {
                snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                         path, rows[i].n);
                client_say(fd, head);
                client_send_body(fd, 0, rows[i].n);
            }
            struct reply r;
            CHECK_ROW(i, client_read(fd, false, &r) && r.status == rows[i].status);
            CHECK_ROW(i, r.status != 200 || r.body.n == rows[i].n);
            for (size_t b = 0; r.status == 200 && b < r.body.n; b++)
                CHECK_ROW(i, r.body.p[b] == site_byte(b));
            reply_done(&r);
            close(fd);
        }
    site_free(s);
}

static void test_http_body__drops_a_body_that_nobody_wants(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "POST /drop HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n",
        "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n",
        "DELETE /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n",
    };
    static const int statuses[] = {200, 200, 404, 405};
    struct site *s = site_new(NULL, NULL, NULL);
    int fd = client_connect(s);
    for (size_t i = 0; i < COUNT(heads); i++) { /* on one connection: what follows is found again */
        client_say(fd, heads[i]);
        client_send_body(fd, 0, 3000000);
        CHECK_ROW(i, client_ask(fd, "") == statuses[i]);
    }
    close(fd);
    site_free(s);
}

static void test_http_body__answers_early_and_is_heard(void **state)
{
    (void)state;
    static const char *const paths[] = {"/401", "/413"};
    static const int statuses[] = {401, 413};
    struct site *s = site_new(NULL, NULL, NULL);
    int fd = client_connect(s);
    for (unsigned i = 0; i < 4; i++) {
        /* the client sends all before it reads, and its connection lives on */
        struct reply r;
        put(fd, paths[i / 2], 20 * MIB, i % 2, 50021, "");
        CHECK_ROW(i, client_read(fd, false, &r) && r.status == statuses[i / 2]);
        CHECK_ROW(i, !reply_has(&r, "Connection: close"));
        reply_done(&r);
    }
    /* and the answer comes at once, before the rest is sent */
    for (unsigned i = 0; i < 2; i++) {
        char head[128];
        snprintf(head, sizeof(head), "PUT %s HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n",
                 paths[i]);
        client_say(fd, head);
        client_send_body(fd, 0, 1000000);
        CHECK_ROW(i, client_ask(fd, "") == statuses[i]);
        client_send_body(fd, 1000000, 19000000);
    }
    CHECK(client_ask(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
    close(fd);
    wait_for(&s->seen.done, 6);
    CHECK(atomic_load(&s->seen.ended) == 0);
    site_free(s);
}

static void test_http_body__drains_no_more_than_its_limit(void **state)
{
    (void)state;
    struct http_options few = {.limits = {.drain_bytes = 4 * MIB}}, quick = {.timeouts = {.drain = 400}};
    struct site *s = site_new(&few, NULL, NULL);
    struct reply r;
    /* announced as too much: the connection ends, and yet the client that sends on sees why */
    int fd = client_connect(s);
    client_say(fd, "PUT /401 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    client_send_body(fd, 0, 3 * MIB);
    CHECK(client_read(fd, false, &r) && r.status == 401 && reply_has(&r, "Connection: close"));
    reply_done(&r);
    CHECK(client_is_closed(fd));
    close(fd);
    /* found out on the way */
    fd = client_connect(s);
    put(fd, "/401", 12 * MIB, true, 50021, "");
    close(fd);
    site_free(s);
    /* a client that stalls while it is drained, and has less patience than the server would have else */
    s = site_new(&quick, NULL, NULL);
    fd = client_connect(s);
    client_say(fd, "PUT /401 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    CHECK(client_ask(fd, "") == 401);
    CHECK(client_is_closed(fd));
    close(fd);
    site_free(s);
}

static void test_http_body__says_continue_when_the_body_is_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *request; /* without the empty line */
        int first, last;     /* answers; last 0: there is none */
    } rows[] = {
        {"PUT /stream HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n", 100, 201},
        {"PUT /bare HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n", 100, 201},
        {"PUT /inline HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n", 100, 201},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n", 100, 200},
        {"PUT /401 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n", 401, 0},
        {"PUT /none HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n", 404, 0},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n", 413, 0},
        {"PUT /most HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000001\r\n", 413, 0},
        {"POST /drop HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n", 200, 0},
        {"PUT /stream HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n", 201, -1},
    };
    struct site *s = site_new(NULL, NULL, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = client_connect(s);
        struct reply r;
        client_say(fd, rows[i].request);
        client_say(fd, "\r\n");
        CHECK_ROW(i, client_read(fd, false, &r));
        if (r.status != rows[i].first)
            fail_msg("row %zu: %d, wanted %d", i, r.status, rows[i].first);
        CHECK_ROW(i, rows[i].last || reply_has(&r, "Connection: close"));
        reply_done(&r);
        if (rows[i].last > 0) {
            client_send_body(fd, 0, 1000);
            CHECK_ROW(i, client_ask(fd, "") == rows[i].last);
        } else if (!rows[i].last) {
            CHECK_ROW(i, client_is_closed(fd));
        }
        close(fd);
    }
    /* who does not wait needs no invitation */
    int fd = client_connect(s);
    CLEANUP(berth_buf_done) berth_buf all = BERTH_BUF_INIT(KIB);
    berth_buf_add_str(
        &all, STR("PUT /stream HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    berth_buf_putc(&all, site_byte(0));
    berth_buf_putc(&all, site_byte(1));
    client_send(fd, berth_buf_str(&all));
    CHECK(client_ask(fd, "") == 201);
    close(fd);
    site_free(s);
}

static void test_http_body__calls_done_once_when_the_client_leaves(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    for (int i = 0; i < 40; i++) {
        int fd = client_connect(s);
        atomic_store(&s->gate, i % 4 == 3); /* a worker may be in the middle of a piece */
        client_say(fd,
                   i % 2 ? "PUT /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n"
                         : "PUT /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n");
        client_send_body(fd, 0, i % 5 ? 600000 : 100);
        if (i % 3 == 0) { /* a reset instead of an end */
            const struct linger now = {1, 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        }
        close(fd);
        sleep_ms(2);
        atomic_store(&s->gate, false);
        wait_for(&s->seen.finished, i + 1);
        wait_for(&s->seen.done, i + 1);
    }
    CHECK(atomic_load(&s->seen.ended) == 0 && atomic_load(&s->seen.aborted) == 40);
    site_free(s);
}

static void test_http_body__fills_two_buffers_while_a_third_is_worked_on(void **state)
{
    (void)state;
    struct http_options opts = {.limits = {.buffer_bytes = 64 * KIB}};
    struct site *s = site_new(&opts, NULL, NULL);
    atomic_store(&s->gate, true);
    int fd = client_connect(s);
    client_say(fd, "PUT /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    client_send_body(fd, 0, 192 * KIB);
    struct http_stats stats;
    do
        http_server_stats(s->server, &stats);
    while (stats.bytes_in < 192 * KIB); /* all three are full although no piece is done */
    CHECK(atomic_load(&s->seen.pieces) == 0);
    atomic_store(&s->gate, false);
    client_send_body(fd, 192 * KIB, 1000000 - 192 * KIB);
    CHECK(client_ask(fd, "") == 201);
    close(fd);
    site_free(s);
}

static void test_http_body__waits_its_turn_when_buffers_are_short(void **state)
{
    (void)state;
    struct http_options opts = {.loops = 1, .limits = {.buffer_bytes = 64 * KIB, .buffers_total = 1}};
    struct site *s = site_new(&opts, NULL, NULL); /* two buffers in all */
    int fds[12];
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = client_connect(s);
        client_say(fds[i], "PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
        client_send_body(fds[i], 0, 199999);
    }
    for (size_t i = 0; i < COUNT(fds); i += 3) /* some lose patience, in line or not */
        close(fds[i]);
    for (size_t i = 0; i < COUNT(fds); i++) {
        if (i % 3 == 0)
            continue;
        client_send_body(fds[i], 199999, 1);
    }
    for (size_t i = 0; i < COUNT(fds); i++) {
        if (i % 3 == 0)
            continue;
        CHECK_ROW(i, client_ask(fds[i], "") == 201);
        close(fds[i]);
    }
    wait_for(&s->seen.done, COUNT(fds));
    site_free(s);
}

/* Those that stall hold every buffer there is; a third must not wait for their deadline. */
static void test_http_body__takes_buffers_back_from_those_that_stall(void **state)
{
    (void)state;
    struct http_options opts = {.loops = 1, .limits = {.buffer_bytes = 64 * KIB, .buffers_total = 1}};
    struct site *s = site_new(&opts, NULL, NULL); /* two buffers in all */
    static const char *const paths[] = {"/stream", "/bare", "/inline"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        int stalled[4];
        char head[128];
        for (size_t k = 0; k < COUNT(stalled); k++) {
            stalled[k] = client_connect(s);
            /* a long one, and one that fits its buffer and would be handed over whole */
            snprintf(head, sizeof(head), "PUT %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", paths[i],
                     k % 2 ? 50000 : 200000);
            client_say(stalled[k], head);
            client_send_body(stalled[k], 0, 10);
        }
        int honest = client_connect(s);
        put(honest, paths[i], 200000, false, 0, "");
        CHECK_ROW(i, client_ask(honest, "") == 201);
        close(honest);
        for (size_t k = 0; k < COUNT(stalled); k++) { /* and they lose nothing by it */
            client_send_body(stalled[k], 10, (k % 2 ? 50000 : 200000) - 10);
            CHECK_ROW(i, client_ask(stalled[k], "") == 201);
            close(stalled[k]);
        }
    }
    site_free(s);
}

static void test_http_body__collects_within_a_share_of_its_own(void **state)
{
    (void)state;
    struct http_options opts = {.loops = 1, .limits = {.buffer_bytes = 4 * KIB, .buffers_total = 1}};
    struct site *s = site_new(&opts, NULL, NULL);
    int held = client_connect(s), more = client_connect(s), upload = client_connect(s);
    client_say(held, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    client_send_body(held, 0, 99999); /* more than the share, but alone */
    struct http_stats stats;
    do
        http_server_stats(s->server, &stats);
    while (stats.bytes_in < 99999);
    client_say(more, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    client_send_body(more, 0, 1000);
    CHECK(client_ask(more, "") == 503);
    client_say(upload, "PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    client_send_body(upload, 0, 200000);
    CHECK(client_ask(upload, "") == 201);
    client_send_body(held, 99999, 1);
    CHECK(client_ask(held, "") == 200);
    client_say(more, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    client_send_body(more, 0, 1000);
    CHECK(client_ask(more, "") == 200);
    close(held);
    close(more);
    close(upload);
    site_free(s);
}

static void test_http_body__carries_many_at_once(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    int fds[40];
    for (size_t i = 0; i < COUNT(fds); i++)
        fds[i] = client_connect(s);
    for (size_t i = 0; i < COUNT(fds); i++)
        client_say(fds[i], "PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n\r\n");
    for (uint64_t at = 0; at < 700000; at += 100000)
        for (size_t i = 0; i < COUNT(fds); i++)
            client_send_body(fds[i], at, 100000);
    for (size_t i = 0; i < COUNT(fds); i++) {
        CHECK_ROW(i, client_ask(fds[i], "") == 201);
        CHECK_ROW(i, client_ask(fds[i], "GET /worker HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
        close(fds[i]);
    }
    site_free(s);
}

static void test_http_body__survives_any_failing_call(void **state)
{
    (void)state;
#ifdef BERTH_FAULT
    unsigned fired = 0;
    for (unsigned n = 1; n < 60; n++) {
        struct http_options opts = {.loops = 1, .workers = 1};
        struct site *s = site_new(&opts, NULL, NULL);
        int fd = client_connect(s);
        fault_arm(n);
        put(fd, "/stream", 300000, n % 2, 50021, "");
        struct reply r;
        bool answered = client_read(fd, false, &r);
        CHECK_ROW(n, !answered || r.status == 201 || r.status >= 400);
        reply_done(&r);
        fired += fault_disarm();
        close(fd);
        sleep_ms(n < 10 ? 20 : 0);
        int status = 0; /* the server itself is well, after a rest at most */
        for (unsigned tries = 0; status != 200 && tries < 20; tries++)
            status = site_ask(s, "GET /mixed HTTP/1.1\r\nHost: a\r\n\r\n") ? 200 : 0;
        CHECK_ROW(n, status == 200);
        CHECK_ROW(n, atomic_load(&s->seen.begun) <= 1);
        site_free(s);
    }
    CHECK(fired > 5);
#else
    skip();
#endif
}

RUN_TESTS(TEST(test_http_body__streams_bodies_of_any_size_in_both_codings),
          TEST(test_http_body__takes_a_body_byte_by_byte),
          TEST(test_http_body__collects_a_body_up_to_its_ceiling),
          TEST(test_http_body__drops_a_body_that_nobody_wants),
          TEST(test_http_body__answers_early_and_is_heard),
          TEST(test_http_body__drains_no_more_than_its_limit),
          TEST(test_http_body__says_continue_when_the_body_is_wanted),
          TEST(test_http_body__calls_done_once_when_the_client_leaves),
          TEST(test_http_body__fills_two_buffers_while_a_third_is_worked_on),
          TEST(test_http_body__waits_its_turn_when_buffers_are_short),
          TEST(test_http_body__takes_buffers_back_from_those_that_stall),
          TEST(test_http_body__collects_within_a_share_of_its_own),
          TEST(test_http_body__carries_many_at_once), TEST(test_http_body__survives_any_failing_call))
