/* tests/unit/client/notices.c */
#include "fixture.h"

#include "util/clock.h"

struct heard {
    unsigned n;
    char last[64];
};

static void hear(void *arg, const char *text)
{
    struct heard *h = arg;
    h->n++;
    snprintf(h->last, sizeof(h->last), "%s", text);
}

/* C048 */
static void test_client_notices__hand_on_each_warning_once(void **state)
{
    (void)state;
    static struct script s = {
        .answers = {"HTTP/1.1 200 OK\r\nWarning: 299 - \"going away\"\r\nWarning: 199 - \"not for us\"\r\n"
                    "Content-Length: 2\r\n\r\n{}",
                    "HTTP/1.1 200 OK\r\nWarning: 299 - \"going away\"\r\nContent-Length: 2\r\n\r\n{}",
                    "HTTP/1.1 404 X\r\nWarning: 299 - \"say \\\"hello\\\"\"\r\nContent-Length: 0\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nWarning: 299 - \"esc \x1b[2J\"\r\nContent-Length: 2\r\n\r\n{}"}};
    struct heard h = {0};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.on_warning = hear;
    o.on_warning_arg = &h;
    script_begin(&s, &o);
    CHECK_OK(berth_ping(s.client, &test_err));
    CHECK(h.n == 1 && strcmp(h.last, "going away") == 0);
    CHECK_OK(berth_ping(s.client, &test_err));
    assert_int_equal(h.n, 1);
    CHECK_CODE(berth_ping(s.client, &test_err), BERTH_E_NOT_FOUND);
    CHECK(h.n == 2 && strcmp(h.last, "say \"hello\"") == 0);
    CHECK_OK(berth_ping(s.client, &test_err));
    assert_int_equal(h.n, 2);
    script_end(&s);
}

/* C060 */
static void test_client_notices__keep_what_is_left_of_a_rate(void **state)
{
    (void)state;
    static struct script s = {.answers = {"HTTP/1.1 200 OK\r\nRateLimit-Limit: 100;w=21600\r\n"
                                          "RateLimit-Remaining: 76;w=21600\r\nContent-Length: 2\r\n\r\n{}",
                                          OK_EMPTY,
                                          "HTTP/1.1 200 OK\r\nRateLimit-Limit: many\r\n"
                                          "RateLimit-Remaining: 76\r\nContent-Length: 2\r\n\r\n{}"}};
    script_begin(&s, NULL);
    for (int i = 0; i < 3; i++) {
        berth_rate rate = {0};
        berth_call *call = NULL;
        CHECK_OK(berth_ping_start(s.client, &call, &test_err));
        CHECK(!berth_call_rate(call, &rate));
        CHECK_OK(berth_call_wait(call, &test_err));
        CHECK_ROW((size_t)i, berth_call_rate(call, &rate) == (i == 0));
        CHECK_ROW((size_t)i, i || (rate.limit == 100 && rate.remaining == 76 && rate.window_s == 21600));
        berth_call_free(call);
    }
    script_end(&s);
}

#define LEFT(n, reset)                                                                                       \
    "HTTP/1.1 200 OK\r\nRateLimit-Limit: 100\r\nRateLimit-Remaining: " n "\r\n" reset                        \
    "Content-Length: 2\r\n\r\n{}"

/* C060 */
static void test_client_notices__wait_until_enough_of_a_rate_is_left(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        int64_t least_ms, most_ms;
        unsigned at_once;
    } rows[] = {
        {LEFT("3", ""), 0, 200, 8},
        {LEFT("2", ""), 300, 900, 8}, /* looks again, by and by */
        {LEFT("2", ""), 300, 900, 0},
        {LEFT("0", "RateLimit-Reset: 86400\r\n"), 300, 900, 8}, /* not for ever */
        {LEFT("2", "RateLimit-Reset: 0\r\n"), 0, 200, 8},
        {LEFT("2", "RateLimit-Reset: 1000000000\r\n"), 0, 200, 8},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {rows[i].first, LEFT("50", ""), LEFT("49", "")}};
        berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
        berth_call *calls[2];
        berth_rate rate;
        o.rate_reserve = 3;
        o.rate_wait_ms = 300;
        o.reads_at_once = rows[i].at_once;
        script_begin(&s, &o);
        int64_t begin = clock_mono_ms(); /* the wait counts from the answer that says what is left */
        CHECK_OK(berth_ping(s.client, &test_err));
        for (int k = 0; k < 2; k++)
            CHECK_OK(berth_ping_start(s.client, &calls[k], &test_err));
        for (int k = 0; k < 2; k++) {
            CHECK_OK(berth_call_wait(calls[k], &test_err));
            CHECK(berth_call_rate(calls[k], &rate) && rate.remaining >= 49);
            berth_call_free(calls[k]);
        }
        int64_t took = clock_mono_ms() - begin;
        CHECK_ROW(i, took >= rows[i].least_ms && took < rows[i].most_ms + 20000);
        unsigned limit = s.client->limits.lanes[LANE_READ].limit; /* one, and one more with each success */
        CHECK_ROW(i, !rows[i].at_once ? limit == 0 : !rows[i].least_ms || limit == 3);
        script_end(&s);
    }
}

RUN_TESTS(TEST(test_client_notices__wait_until_enough_of_a_rate_is_left),
          TEST(test_client_notices__hand_on_each_warning_once),
          TEST(test_client_notices__keep_what_is_left_of_a_rate))
