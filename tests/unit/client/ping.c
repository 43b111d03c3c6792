/* tests/unit/client/ping.c */
#include "fixture.h"

static void test_client_ping__finds_a_registry(void **state)
{
    (void)state;
    static struct script s = {.answers = {OK_EMPTY}};
    script_begin(&s, NULL);
    CHECK_OK(berth_ping(s.client, &test_err));
    script_end(&s);
    CHECK(strncmp(s.requests[0], "GET /v2/ HTTP/1.1\r\n", 19) == 0);
    CHECK(asked(&s, 0, "\r\nuser-agent: berth/") && !asked(&s, 0, "\r\naccept:") &&
          !asked(&s, 0, "\r\nauthorization:"));
}

static void test_client_ping__takes_no_web_page_for_one(void **state)
{
    (void)state;
    static struct script s = {
        .answers = {
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n\r\n<html>"}};
    script_begin(&s, NULL);
    CHECK_CODE(berth_ping(s.client, &test_err), BERTH_E_INVALID);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_ping__finds_a_registry), TEST(test_client_ping__takes_no_web_page_for_one))
