/* tests/unit/http/options.c - what the caller asked for becomes the server's own: defaults, copies, refusals.
 */
#include "test.h"

#include "http/internal.h"
#include "util/fault.h"

static void done(struct http_server *s)
{
    http_proxies_free(s->proxies);
    http_peers_free(s->peers);
    berth_arena_done(&s->arena);
}

static void test_http_options__fill_in_what_is_left_open(void **state)
{
    (void)state;
    struct http_server s = {0};
    const struct http_options none = {0};
    CHECK_OK(http_options_apply(&s, &none, 3, &test_err));
    CHECK(s.limits.header_bytes == 32 * KIB && s.limits.header_count == 100 &&
          s.limits.uri_bytes == 16 * KIB);
    CHECK(s.limits.connections == 16384 && s.limits.connections_per_peer == 0 && s.limits.drain_bytes == GIB);
    CHECK(s.limits.buffer_bytes == 512 * KIB && s.limits.buffers_total == 256 * MIB);
    CHECK(s.timeouts.header == 30000 && s.timeouts.body == 30000 && s.timeouts.body_rate == 500);
    CHECK(s.timeouts.idle == 75000 && s.timeouts.drain == 30000 && s.timeouts.stop == 30000);
    CHECK(s.n_loops == 3 && s.n_workers == 32);
    assert_string_equal(s.prefix, "");
    CHECK(!s.server_name && !s.headers && !s.peers);
    done(&s);
    struct http_server small = {0};
    CHECK_OK(http_options_apply(&small, &none, 1, &test_err));
    CHECK(small.n_loops == 1 && small.n_workers == 32); /* who sleeps through a sync needs no core */
    done(&small);
    struct http_server large = {0};
    CHECK_OK(http_options_apply(&large, &none, 16, &test_err));
    CHECK(large.n_workers == 64);
    done(&large);
}

static void test_http_options__keep_copies_of_what_is_given(void **state)
{
    (void)state;
    char prefix[] = "/my/path//", header[] = "X-A:  b c ", name[] = "berth";
    const char *const headers[] = {header, "X-B:"};
    const struct http_options o = {.loops = 7,
                                   .workers = 9,
                                   .limits = {.header_bytes = 1, .connections_per_peer = 2},
                                   .timeouts = {.idle = 3},
                                   .prefix = prefix,
                                   .headers = headers,
                                   .n_headers = 2,
                                   .server_name = name};
    struct http_server s = {0};
    CHECK_OK(http_options_apply(&s, &o, 1, &test_err));
    memset(prefix, 'x', sizeof(prefix) - 1);
    memset(header, 'x', sizeof(header) - 1);
    memset(name, 'x', sizeof(name) - 1);
    CHECK(s.n_loops == 7 && s.n_workers == 9 && s.limits.header_bytes == 1 && s.timeouts.idle == 3);
    CHECK(s.limits.connections_per_peer == 2 && s.peers);
    assert_string_equal(s.prefix, "/my/path");
    assert_string_equal(s.server_name, "berth");
    CHECK_STR(s.headers->name, STR("X-A"));
    CHECK_STR(s.headers->value, STR("b c"));
    CHECK_STR(s.headers->next->name, STR("X-B"));
    CHECK(s.headers->next->value.n == 0 && !s.headers->next->next);
    done(&s);
}

static void test_http_options__refuse_what_would_break_an_answer(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *header, *name, *proxy;
    } rows[] = {
        {"no-slash", NULL, NULL, NULL},      {NULL, "no colon", NULL, NULL},
        {NULL, "a b: c", NULL, NULL},        {NULL, ": value", NULL, NULL},
        {NULL, "a: b\r\nc: d", NULL, NULL},  {NULL, "a: b\001", NULL, NULL},
        {NULL, NULL, "berth\r\nx: y", NULL}, {NULL, NULL, NULL, "10.0.0.0/99"},
        {NULL, NULL, NULL, "a host"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_server s = {0};
        const struct http_options o = {.prefix = rows[i].prefix,
                                       .headers = &rows[i].header,
                                       .n_headers = rows[i].header != NULL,
                                       .trusted_proxies = &rows[i].proxy,
                                       .n_trusted_proxies = rows[i].proxy != NULL,
                                       .server_name = rows[i].name};
        CHECK_ROW(i, http_options_apply(&s, &o, 1, &test_err) == BERTH_E_INVALID);
        done(&s);
    }
}

static void test_http_options__say_when_there_is_no_memory(void **state)
{
    (void)state;
    const char *const headers[] = {"X-A: b"}, *const proxies[] = {"10.0.0.0/8"};
    const struct http_options o = {.limits = {.connections_per_peer = 2},
                                   .prefix = "/x",
                                   .headers = headers,
                                   .n_headers = 1,
                                   .trusted_proxies = proxies,
                                   .n_trusted_proxies = 1,
                                   .server_name = "x"};
    unsigned n = 1;
    for (;; n++) {
        struct http_server s = {0};
        fault_arm(n);
        int rc = http_options_apply(&s, &o, 1, &test_err);
        bool fired = fault_disarm();
        CHECK_ROW(n, rc == (fired ? BERTH_E_NOMEM : BERTH_OK));
        done(&s);
        if (!fired)
            break;
    }
    CHECK(n > 3);
}

RUN_TESTS(TEST(test_http_options__fill_in_what_is_left_open),
          TEST(test_http_options__keep_copies_of_what_is_given),
          TEST(test_http_options__refuse_what_would_break_an_answer),
          TEST(test_http_options__say_when_there_is_no_memory))
