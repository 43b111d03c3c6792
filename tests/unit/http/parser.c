/* tests/unit/http/parser.c - the second reader of headers and chunked bodies: it agrees, or the request goes.
 */
#include "test.h"

#include "http/parser.h"
#include "util/buf.h"
#include "util/fault.h"

#define HEAD "PUT /x HTTP/1.1\r\nHost: x\r\n"

static void test_http_parser__agrees_only_about_the_same_body(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool chunked;
        int64_t length;
        bool agrees;
    } rows[] = {
        {HEAD "\r\n", false, -1, true},
        {HEAD "Content-Length: 5\r\n\r\n", false, 5, true},
        {HEAD "Content-Length: 0\r\n\r\n", false, 0, true},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n", true, -1, true},
        /* what our own reading might have got wrong */
        {HEAD "Content-Length: 5\r\n\r\n", false, -1, false},
        {HEAD "Content-Length: 5\r\n\r\n", false, 6, false},
        {HEAD "\r\n", false, 5, false},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n", false, -1, false},
        {HEAD "\r\n", true, -1, false},
        /* what llhttp does not take, or does not take for a whole header */
        {HEAD, false, -1, false},
        {HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", false, 5, false},
        {"PUT /x HTTP/1.1\r\nHo st: x\r\n\r\n", false, -1, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct http_block b = {.chunked = rows[i].chunked, .content_length = rows[i].length};
        struct http_chunked *k = NULL;
        CHECK_ROW(i, http_parser_agrees(rows[i].text, strlen(rows[i].text), &b, &k) == rows[i].agrees);
        CHECK_ROW(i, !k == !(rows[i].agrees && rows[i].chunked));
        mem_free(k);
    }
}

static struct http_chunked *decoder(void)
{
    const char *head = HEAD "Transfer-Encoding: chunked\r\n\r\n";
    const struct http_block b = {.chunked = true, .content_length = -1};
    struct http_chunked *k = NULL;
    CHECK(http_parser_agrees(head, strlen(head), &b, &k) && k);
    return k;
}

static void keep(void *arg, const char *p, size_t n)
{
    berth_buf_add(arg, p, n);
}

static void test_http_parser__decodes_a_body_however_it_is_cut(void **state)
{
    (void)state;
    static const char body[] = "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\nGET /next";
    const size_t end = sizeof(body) - 1 - strlen("GET /next");
    for (size_t step = 1; step <= sizeof(body) - 1; step++) {
        CLEANUP(freep) struct http_chunked *k = decoder();
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(KIB);
        enum http_chunked_result r = HTTP_CHUNKED_MORE;
        size_t at = 0, used = 0;
        while (r == HTTP_CHUNKED_MORE && at < sizeof(body) - 1) {
            r = http_chunked_decode(k, body + at, MIN(step, sizeof(body) - 1 - at), keep, &out, &used);
            at += used;
        }
        CHECK_ROW(step, r == HTTP_CHUNKED_END && at == end); /* the next request stays where it is */
        CHECK_STR_ROW(step, berth_buf_str(&out), STR("hello world"));
    }
}

static void test_http_parser__refuses_bodies_that_others_might_read_otherwise(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "x\r\n",  "5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n",
        "-1\r\n", "0x5\r\nhello\r\n",      "11111111111111111\r\n",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(freep) struct http_chunked *k = decoder();
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(KIB);
        size_t used;
        CHECK_ROW(i, http_chunked_decode(k, rows[i], strlen(rows[i]), keep, &out, &used) == HTTP_CHUNKED_BAD);
    }
    const char *head = HEAD "Transfer-Encoding: chunked\r\n\r\n";
    const struct http_block b = {.chunked = true, .content_length = -1};
    struct http_chunked *k = NULL;
    fault_arm(1);
    CHECK(!http_parser_agrees(head, strlen(head), &b, &k) && !k); /* no memory */
    CHECK(fault_disarm());
}

RUN_TESTS(TEST(test_http_parser__agrees_only_about_the_same_body),
          TEST(test_http_parser__decodes_a_body_however_it_is_cut),
          TEST(test_http_parser__refuses_bodies_that_others_might_read_otherwise))
