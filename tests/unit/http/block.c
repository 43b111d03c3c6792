/* tests/unit/http/block.c */
#include "test.h"

#include "block_cases.h"
#include "http/block.h"

static const struct http_block_limits limits = {.bytes = 32 * KIB, .count = 100, .uri = 16 * KIB};
static struct http_field fields[100];

/* What a connection does: look for the end, then take apart. -1: more is needed. */
static int read_block(berth_str text, size_t step, struct http_block *ret)
{
    size_t at = 0, end = 0;
    struct http_refusal why = {.reason = NULL};
    for (size_t n = MIN(step, text.n);; n = MIN(n + step, text.n)) {
        int r = http_block_scan(text.p, n, &at, &end);
        if (r < 0)
            return 400;
        if (r > 0)
            break;
        if (n == text.n)
            return -1;
    }
    int status = http_block_parse(text.p, end, &limits, fields, ret, &why);
    CHECK(!status || why.reason);
    return status;
}

/* These are well-formed as blocks; that their targets mean nothing is for the request to find. */
static bool is_targets_fault(berth_str text)
{
    static const char *const lines[] = {"GET a ",           "GET * ",        "GET http:///x",
                                        "GET http://u@a/x", "GET ftp://a/x", "CONNECT "};
    for (size_t i = 0; i < COUNT(lines); i++)
        if (str_starts(text, str_from(lines[i])))
            return true;
    return false;
}

static void test_http_block__gives_each_block_the_status_it_deserves(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(block_cases); i++) {
        struct http_block b;
        int want = is_targets_fault(block_cases[i].text) ? 0 : block_cases[i].status;
        int whole = read_block(block_cases[i].text, SIZE_MAX / 2, &b);
        int slow = read_block(block_cases[i].text, 1, &b);
        if (whole != want || slow != want)
            fail_msg("row %zu: %d and %d, wanted %d: " STR_FMT, i, whole, slow, want,
                     STR_ARG(block_cases[i].text));
    }
}

static void test_http_block__needs_more_until_the_empty_line(void **state)
{
    (void)state;
    berth_str text = STR("GET /a HTTP/1.1\r\nHost: b\r\n\r\n");
    struct http_block b;
    for (size_t n = 0; n < text.n; n++)
        CHECK_ROW(n, read_block(str_head(text, n), SIZE_MAX / 2, &b) == -1);
    CHECK(read_block(text, SIZE_MAX / 2, &b) == 0);
}

static void test_http_block__takes_a_request_apart(void **state)
{
    (void)state;
    struct http_block b;
    CHECK(read_block(STR("PATCH /a?b=c HTTP/1.1\r\nHost:  h:1 \r\nX:\r\nContent-Length: 0042\r\n"
                         "Connection: x, Close\r\nExpect: 100-Continue\r\nx: two\r\n\r\nGET"),
                     SIZE_MAX / 2, &b) == 0);
    CHECK_STR(b.method, STR("PATCH"));
    CHECK_STR(b.target, STR("/a?b=c"));
    CHECK_STR(b.host, STR("h:1"));
    CHECK(b.minor == 1 && b.content_length == 42 && !b.chunked && !b.keep_alive && b.expect_continue);
    CHECK(b.n_fields == 6);
    CHECK_STR(http_field_get(&b, STR("X"), 0), STR(""));
    CHECK_STR(http_field_get(&b, STR("X"), 1), STR("two"));
    CHECK(http_field_get(&b, STR("X"), 0).p && !http_field_get(&b, STR("X"), 2).p);

    CHECK(read_block(STR("POST / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n"), 1,
                     &b) == 0);
    CHECK(b.minor == 0 && b.keep_alive && !b.expect_continue && b.content_length == -1 && !b.host.p);
    CHECK(read_block(STR("POST / HTTP/1.0\r\n\r\n"), 1, &b) == 0);
    CHECK(!b.keep_alive);
    CHECK(read_block(STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"), 1, &b) == 0);
    CHECK(b.chunked && b.keep_alive);
}

static void test_http_block__keeps_to_its_limits_exactly(void **state)
{
    (void)state;
    berth_str text = STR("GET /1234 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
    static const struct {
        struct http_block_limits limits;
        int status;
    } rows[] = {
        {{.bytes = 37, .count = 2, .uri = 5}, 0},
        {{.bytes = 36, .count = 2, .uri = 5}, 431},
        {{.bytes = 37, .count = 1, .uri = 5}, 431},
        {{.bytes = 37, .count = 2, .uri = 4}, 414},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_block b;
        struct http_refusal why;
        CHECK_ROW(i, text.n == 37);
        CHECK_ROW(i, http_block_parse(text.p, text.n, &rows[i].limits, fields, &b, &why) == rows[i].status);
    }
}

static void test_http_block__tells_where_a_header_went_wrong(void **state)
{
    (void)state;
    static const struct {
        berth_str block;
        unsigned line;
        berth_str text;
        uint64_t limit;
    } rows[] = {
        {{"GET  / HTTP/1.1\r\n\r\n", 19}, 1, {"GET  / HTTP/1.1", 15}, 0},
        {{"GET /12345 HTTP/1.1\r\n\r\n", 23}, 1, {"GET /12345 HTTP/1.1", 19}, 5},
        {{"GET / HTTP/1.1\r\nHost: a\r\nX : secret\r\n\r\n", 39}, 3, {"X", 1}, 0},
        {{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: secret\r\n\r\n", 51}, 3, {"Content-Length", 14}, 0},
        {{"GET / HTTP/1.1\r\nHost: a\r\nSecret\r\n\r\n", 35}, 3, {"Secret", 6}, 0},
        {{"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nZ: y\r\n\r\n", 39}, 4, {"Z", 1}, 2},
        {{"GET / HTTP/1.1\r\n\r\n", 18}, 0, {NULL, 0}, 0},
    };
    const struct http_block_limits small = {.bytes = 100, .count = 2, .uri = 5};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_block b;
        struct http_refusal why;
        CHECK_ROW(i, http_block_parse(rows[i].block.p, rows[i].block.n, &small, fields, &b, &why));
        CHECK_ROW(i, why.line == rows[i].line && why.limit == rows[i].limit);
        CHECK_ROW(i, str_eq(why.text, rows[i].text));
    }
}

static void test_http_block__refuses_bytes_after_the_end(void **state)
{
    (void)state;
    berth_str text = STR("GET / HTTP/1.1\r\nHost: a\r\n\r\nX: y\r\n\r\n");
    struct http_block b;
    struct http_refusal why;
    CHECK(http_block_parse(text.p, text.n, &limits, fields, &b, &why) == 400);
}

static void test_http_block__walks_lists_around_quoted_commas(void **state)
{
    (void)state;
    berth_str list = STR(" a ,, \"b,\\\",c\" ,d\t,"), one;
    CHECK(http_list_next(&list, &one));
    CHECK_STR(one, STR("a"));
    CHECK(http_list_next(&list, &one));
    CHECK_STR(one, STR("\"b,\\\",c\""));
    CHECK(http_list_next(&list, &one));
    CHECK_STR(one, STR("d"));
    CHECK(!http_list_next(&list, &one));
}

RUN_TESTS(TEST(test_http_block__gives_each_block_the_status_it_deserves),
          TEST(test_http_block__needs_more_until_the_empty_line),
          TEST(test_http_block__takes_a_request_apart), TEST(test_http_block__keeps_to_its_limits_exactly),
          TEST(test_http_block__tells_where_a_header_went_wrong),
          TEST(test_http_block__refuses_bytes_after_the_end),
          TEST(test_http_block__walks_lists_around_quoted_commas))
