/* tests/unit/http/admission.c - limits on connections and on requests in flight, in all and for each client.
 */
#include "fixture.h"

#include <unistd.h>

#include "http/internal.h"

#define REQUEST(line) line " HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_http_admission__counts_what_each_peer_holds(void **state)
{
    (void)state;
    struct http_peers *p = http_peers_new(2, 1);
    const struct http_address b = {{1}};
    struct http_address a = {{2}};
    const enum http_peer_kind c = HTTP_PEER_CONNECTIONS, r = HTTP_PEER_REQUESTS;
    CHECK(http_peers_enter(p, &a, c) && http_peers_enter(p, &a, c) && !http_peers_enter(p, &a, c));
    CHECK(http_peers_enter(p, &a, r) && !http_peers_enter(p, &a, r));
    CHECK(http_peers_enter(p, &b, c) && http_peers_enter(p, &b, r));
    http_peers_leave(p, &a, c);
    CHECK(http_peers_enter(p, &a, c) && !http_peers_enter(p, &a, c) && !http_peers_enter(p, &a, r));
    http_peers_leave(p, &a, c);
    http_peers_leave(p, &a, c);
    CHECK(!http_peers_enter(p, &a, r)); /* the entry lives as long as anything is counted in it */
    http_peers_leave(p, &a, r);
    CHECK(http_peers_enter(p, &a, r));
    for (unsigned i = 0; i < 5000; i++) { /* every bucket holds several */
        memcpy(a.bytes, &i, sizeof(i));
        CHECK_ROW(i, http_peers_enter(p, &a, c));
    }
    for (unsigned i = 0; i < 5000; i += 2) {
        memcpy(a.bytes, &i, sizeof(i));
        http_peers_leave(p, &a, c);
    }
    http_peers_free(p);
}

static void test_http_admission__bounds_connections_in_all_and_for_each_peer(void **state)
{
    (void)state;
    struct http_options all = {.limits = {.connections = 3}}, each = {.limits = {.connections_per_peer = 3}};
    const struct http_options *const options[] = {&all, &each};
    const int statuses[] = {503, 429};
    for (size_t i = 0; i < 2; i++) {
        struct site *s = site_new(options[i], NULL, NULL);
        int fds[3];
        for (size_t c = 0; c < COUNT(fds); c++) {
            fds[c] = client_connect(s);
            CHECK_ROW(i, client_ask(fds[c], REQUEST("GET /hello")) == 200);
        }
        int one_more = client_connect(s);
        struct reply r;
        CHECK_ROW(i, client_read(one_more, false, &r) && r.status == statuses[i]);
        CHECK_ROW(i, reply_has(&r, "Retry-After: 1") && reply_has(&r, "Connection: close"));
        CHECK_ROW(i, client_is_closed(one_more));
        reply_done(&r);
        close(one_more);
        close(fds[0]);
        site_ask_until(s, REQUEST("GET /hello"), 200);
        close(fds[1]);
        close(fds[2]);
        site_free(s);
    }
}

/* A request that waits at the gate is in flight. One more is told so; it may ask again on its connection. */
static void test_http_admission__bounds_requests_in_flight(void **state)
{
    (void)state;
    struct http_options all = {.limits = {.requests = 2}}, each = {.limits = {.requests_per_peer = 2}};
    const struct http_options *const options[] = {&all, &each};
    const int statuses[] = {503, 429};
    for (size_t i = 0; i < 2; i++) {
        struct site *s = site_new(options[i], NULL, NULL);
        atomic_store(&s->gate, true);
        int first = client_connect(s), upload = client_connect(s), one_more = client_connect(s);
        client_say(first, REQUEST("GET /gate"));
        client_say(upload, "PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
        wait_for(&s->seen.at_gate, 1);
        wait_for(&s->seen.begun, 1);
        struct reply r;
        client_say(one_more, REQUEST("GET /hello"));
        CHECK_ROW(i, client_read(one_more, false, &r) && r.status == statuses[i]);
        CHECK_ROW(i, reply_has(&r, "Retry-After: 1") && !reply_has(&r, "Connection: close"));
        reply_done(&r);

        /* The body of who is turned away is no next request. */
        CHECK_ROW(i,
                  client_ask(one_more, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /") ==
                      statuses[i]);

        close(upload); /* who leaves in mid-body is not counted for ever */
        client_ask_until(one_more, REQUEST("GET /hello"), 200);
        atomic_store(&s->gate, false);
        CHECK_ROW(i, client_ask(first, "") == 200);
        for (unsigned n = 0; n < 10; n++) /* every way out gives the place back */
            CHECK_ROW(i, client_ask(first, REQUEST("GET /hello")) == 200 &&
                             client_ask(first, REQUEST("GET /nothing")) == 500 &&
                             client_ask(first, REQUEST("GET /worker")) == 200);
        close(first);
        close(one_more);
        site_free(s);
    }
}

static void test_http_admission__counts_requests_for_whom_a_proxy_names(void **state)
{
    (void)state;
    const char *trusted[] = {"127.0.0.1"};
    struct http_options opts = {
        .trusted_proxies = trusted, .n_trusted_proxies = 1, .limits = {.requests_per_peer = 1}};
    struct site *s = site_new(&opts, NULL, NULL);
    atomic_store(&s->gate, true);
    int held = client_connect(s), other = client_connect(s);
    client_say(
        held,
        "PUT /stream HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nContent-Length: 1000000\r\n\r\n");
    wait_for(&s->seen.begun, 1);
    CHECK(client_ask(other, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n") == 429);
    CHECK(client_ask(other, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 2.2.2.2\r\n\r\n") == 200);
    CHECK(client_ask(other, REQUEST("GET /hello")) == 200); /* the proxy itself is nobody's limit */
    close(held);
    close(other);
    site_free(s);
}

/* Who has its answer holds no place any more: it may ask again at once, on another loop as well. */
static void test_http_admission__frees_a_place_before_its_client_can_know(void **state)
{
    (void)state;
    static const char *const requests[] = {REQUEST("GET /hello"), REQUEST("GET /worker"),
                                           REQUEST("GET /mixed"), REQUEST("GET /nothing")};
    static const int statuses[] = {200, 200, 206, 500};
    struct http_options opts = {.limits = {.requests = 1, .requests_per_peer = 1}};
    struct site *s = site_new(&opts, NULL, NULL);
    for (size_t i = 0; i < 400; i++)
        CHECK_ROW(i, site_ask(s, requests[i % COUNT(requests)]) == statuses[i % COUNT(requests)]);
    site_free(s);
}

RUN_TESTS(TEST(test_http_admission__counts_what_each_peer_holds),
          TEST(test_http_admission__frees_a_place_before_its_client_can_know),
          TEST(test_http_admission__bounds_connections_in_all_and_for_each_peer),
          TEST(test_http_admission__bounds_requests_in_flight),
          TEST(test_http_admission__counts_requests_for_whom_a_proxy_names))
