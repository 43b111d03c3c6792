/* tests/unit/client/notices.c */
#include "fixture.h"

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

RUN_TESTS(TEST(test_client_notices__hand_on_each_warning_once),
          TEST(test_client_notices__keep_what_is_left_of_a_rate))
