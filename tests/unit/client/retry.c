/* tests/unit/client/retry.c - other tries, and what they mean for all calls of the host. */
#include "fixture.h"

#include <poll.h>
#include <time.h>

#include "util/clock.h"

#define LATER   "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n"
#define CUT_OFF "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}"
#define GOING   "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"

static berth_client_options quick(void)
{
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.first_wait_ms = 4;
    o.longest_wait_ms = 3000;
    return o;
}

/* C054 */
static void test_client_retry__waits_grow_and_differ(void **state)
{
    (void)state;
    const struct retry_policy p = {.first_wait_ms = 100, .longest_wait_ms = 1000};
    static const uint32_t longest[] = {100, 200, 400, 800, 1000, 1000};
    for (unsigned i = 0; i < COUNT(longest); i++) {
        CHECK_ROW(i, retry_wait_ms(&p, i + 1, 0) == longest[i] / 2);
        CHECK_ROW(i, retry_wait_ms(&p, i + 1, UINT32_MAX) == longest[i]);
        CHECK_ROW(i, retry_wait_ms(&p, i + 1, UINT32_MAX / 2) == longest[i] * 3 / 4 - 1);
    }
    CHECK(retry_wait_ms(&p, UINT32_MAX, UINT32_MAX) == 1000);
    const struct retry_policy none = {0};
    CHECK(retry_wait_ms(&none, 3, UINT32_MAX) == 0);
}

/* C054 */
static void test_client_retry__asks_again_after_what_may_pass(void **state)
{
    (void)state;
    static const char *const passing[] = {CUT_OFF,
                                          GOING,
                                          LATER "\r\n",
                                          "HTTP/1.1 408 X\r\nContent-Length: 0\r\n\r\n",
                                          "HTTP/1.1 500 X\r\n\r\nbody",
                                          "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n",
                                          "HTTP/1.1 504 X\r\nContent-Length: 0\r\n\r\n",
                                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"};
    for (size_t i = 0; i < COUNT(passing); i++) {
        struct script s = {.answers = {passing[i], passing[i], OK_EMPTY}, .retries = true};
        berth_client_options o = quick();
        script_begin(&s, &o);
        CHECK_ROW(i, berth_ping(s.client, &test_err) == BERTH_OK);
        script_end(&s);
    }
    static const char *const lasting[] = {
        "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 501 X\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 507 X\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < COUNT(lasting); i++) {
        struct script s = {.answers = {lasting[i]}, .retries = true};
        berth_client_options o = quick();
        script_begin(&s, &o);
        CHECK_ROW(i, berth_ping(s.client, &test_err) != BERTH_OK);
        CHECK_ROW(i, !strstr(test_err.message, "tried"));
        script_end(&s);
    }
}

static void test_client_retry__gives_up_and_says_after_how_many(void **state)
{
    (void)state;
    struct script s = {.answers = {GOING, GOING, GOING}, .retries = true};
    berth_client_options o = quick();
    o.retries = 2;
    script_begin(&s, &o);
    CHECK_CODE(berth_ping(s.client, &test_err), BERTH_E_IO);
    CHECK(strstr(test_err.message, "answered 502 (tried 3 times)") && test_err.http_status == 502);
    script_end(&s);
}

static void test_client_retry__does_not_insist_on_a_host_that_was_never_there(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    CLEANUP(closep) int held = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* nobody listens */
    CHECK(bind(held, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(getsockname(held, (struct sockaddr *)&a, &size) == 0);
    char host[32];
    snprintf(host, sizeof(host), "127.0.0.1:%d", ntohs(a.sin_port));
    berth_client_options o = quick();
    berth_client *gone = NULL;
    CHECK_OK(berth_client_new(host, &o, &gone, &test_err));
    CHECK_CODE(berth_ping(gone, &test_err), BERTH_E_NETWORK);
    CHECK(!strstr(test_err.message, "tried"));
    gone->answered = true; /* as if it had been there: it may come back */
    CHECK_CODE(berth_ping(gone, &test_err), BERTH_E_NETWORK);
    CHECK(strstr(test_err.message, "(tried 6 times)"));
    berth_client_free(gone);
}

/* C055, C057: the second call is under way when the first is told to wait, and waits with it */
static void test_client_retry__one_pause_holds_every_call_of_the_host(void **state)
{
    (void)state;
    static struct script s = {.answers = {LATER "Retry-After: 1\r\n\r\n", OK_EMPTY, OK_EMPTY},
                              .retries = true};
    berth_client_options o = quick();
    script_begin(&s, &o);
    berth_call *first = NULL, *second = NULL;
    int64_t before = clock_mono_ms();
    CHECK_OK(berth_ping_start(s.client, &first, &test_err));
    while (first->tries == 0) {
        struct pollfd p = {.fd = berth_client_fd(s.client), .events = POLLIN};
        poll(&p, 1, 1000);
        berth_client_process(s.client);
    }
    CHECK_OK(berth_ping_start(s.client, &second, &test_err));
    berth_client_process(s.client);
    CHECK(second->state == CALL_WAITING);
    CHECK_OK(berth_call_wait(second, &test_err));
    CHECK(clock_mono_ms() - before >= 1000);
    CHECK_OK(berth_call_wait(first, &test_err));
    assert_int_equal(s.client->limits.lanes[LANE_READ].limit, 6); /* halved, and two successes */
    berth_call_free(first);
    berth_call_free(second);
    script_end(&s);
}

/* C056 */
static void test_client_retry__waits_until_a_date(void **state)
{
    (void)state;
    char answer[256], date[64];
    time_t at = time(NULL) + 2;
    struct tm tm;
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
    snprintf(answer, sizeof(answer), "HTTP/1.1 503 X\r\nContent-Length: 0\r\nRetry-After: %s\r\n\r\n", date);
    struct script s = {.answers = {answer, OK_EMPTY}, .retries = true};
    berth_client_options o = quick();
    script_begin(&s, &o);
    CHECK_OK(berth_ping(s.client, &test_err));
    CHECK(clock_wall_ms() / 1000 >= at);
    script_end(&s);
}

static void test_client_retry__does_not_wait_for_ever(void **state)
{
    (void)state;
    struct script s = {.answers = {LATER "Retry-After: 3600\r\n\r\n"}, .retries = true};
    berth_client_options o = quick();
    script_begin(&s, &o);
    CHECK_CODE(berth_ping(s.client, &test_err), BERTH_E_BUSY);
    CHECK(strstr(test_err.message, "3600 seconds") && test_err.http_status == 429);
    script_end(&s);
    struct script slow = {.answers = {LATER "Retry-After: 60\r\n\r\n"}, .retries = true};
    o.longest_wait_ms = 100000;
    o.call_timeout_ms = 500;
    script_begin(&slow, &o);
    int64_t before = clock_mono_ms();
    CHECK_CODE(berth_ping(slow.client, &test_err), BERTH_E_NETWORK);
    CHECK(strstr(test_err.message, "took longer than") && clock_mono_ms() - before < 30000);
    script_end(&slow);
}

/* The token endpoint is asked again, too; and after a redirect the request begins at the registry. */
static void test_client_retry__begins_where_the_request_began(void **state)
{
    (void)state;
    static struct script s = {
        .answers = {UNAUTHORIZED BEARER "scope=\"x\"\r\n\r\n", GOING, JSON(13) "{\"token\":\"t\"}",
                    "HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", GOING, OK_EMPTY},
        .retries = true};
    berth_client_options o = quick();
    script_begin(&s, &o);
    CHECK_OK(berth_ping(s.client, &test_err));
    script_end(&s);
    static const char *const asked_for[] = {"GET /v2/ ", "GET /token",      "GET /token",
                                            "GET /v2/ ", "GET /elsewhere ", "GET /v2/ "};
    for (size_t i = 0; i < COUNT(asked_for); i++)
        CHECK_ROW(i, strncmp(s.requests[i], asked_for[i], strlen(asked_for[i])) == 0);
}

struct watcher {
    unsigned calls, until;
    char why[256];
};

static int watch(void *arg, berth_call *call, const berth_retry *retry)
{
    struct watcher *w = arg;
    CHECK(call && retry->tries == ++w->calls);
    snprintf(w->why, sizeof(w->why), "%s", retry->why->message);
    return w->calls == w->until;
}

/* C062 */
static void test_client_retry__a_callback_may_watch_and_refuse(void **state)
{
    (void)state;
    struct script s = {.answers = {GOING, GOING}, .retries = true};
    struct watcher w = {.until = 2};
    berth_client_options o = quick();
    o.on_retry = watch;
    o.on_retry_arg = &w;
    script_begin(&s, &o);
    CHECK_CODE(berth_ping(s.client, &test_err), BERTH_E_IO);
    CHECK(w.calls == 2 && strstr(w.why, "502") && test_err.http_status == 502);
    script_end(&s);
}

/* C053 */
static void test_client_retry__a_call_can_be_cancelled_while_it_waits(void **state)
{
    (void)state;
    struct script s = {.answers = {LATER "Retry-After: 60\r\n\r\n"}, .retries = true};
    berth_client_options o = quick();
    o.longest_wait_ms = 100000;
    script_begin(&s, &o);
    berth_call *calls[5];
    int64_t before = clock_mono_ms();
    CHECK_OK(berth_ping_start(s.client, &calls[0], &test_err));
    while (calls[0]->tries == 0) {
        struct pollfd p = {.fd = berth_client_fd(s.client), .events = POLLIN};
        poll(&p, 1, 1000);
        berth_client_process(s.client);
    }
    for (int i = 1; i < 5; i++)
        CHECK_OK(berth_ping_start(s.client, &calls[i], &test_err));
    berth_client_process(s.client);
    for (int i = 0; i < 5; i++)
        berth_call_free(calls[i]);
    CHECK(clock_mono_ms() - before < 30000);
    CHECK(limits_due(&s.client->limits, 0) == INT64_MAX);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_retry__waits_grow_and_differ),
          TEST(test_client_retry__asks_again_after_what_may_pass),
          TEST(test_client_retry__gives_up_and_says_after_how_many),
          TEST(test_client_retry__does_not_insist_on_a_host_that_was_never_there),
          TEST(test_client_retry__one_pause_holds_every_call_of_the_host),
          TEST(test_client_retry__waits_until_a_date), TEST(test_client_retry__does_not_wait_for_ever),
          TEST(test_client_retry__begins_where_the_request_began),
          TEST(test_client_retry__a_callback_may_watch_and_refuse),
          TEST(test_client_retry__a_call_can_be_cancelled_while_it_waits))
