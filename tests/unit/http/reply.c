/* tests/unit/http/reply.c */
#include "test.h"

#include "http/reply.h"

static void test_http_reply__takes_what_a_sender_of_sense_sends_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int status; /* 0: refused */
        int64_t length;
        bool chunked, keeps;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\n\r\n", 200, -1, false, true},
        {"HTTP/1.1 204\r\n\r\n", 204, -1, false, true},
        {"HTTP/1.1 404 \r\nContent-Length:  12 \r\n\r\n", 404, 12, false, true},
        {"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 200, 0, false, false},
        {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", 200, -1, false, true},
        {"HTTP/1.1 200 OK\r\nConnection: x, close\r\n\r\n", 200, -1, false, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", 200, -1, true, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 200, -1, true, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 200, 5, false, true},
        {"HTTP/1.1 200 \x1b[2J\r\nX: \x01\xff\r\n\r\n", 200, -1, false, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", 200, INT64_MAX, false, true},
        {"", 0, 0, false, false},
        {"\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\n\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\n\r\nbody", 0, 0, false, false},
        {"HTTP/2 200 OK\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1  200 OK\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 20 OK\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 099 OK\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 2000 OK\r\n\r\n", 0, 0, false, false},
        {"ICY 200 OK\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nName : x\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nA: x\r\n fold\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 0, 0, false, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 0, false,
         false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_reply r;
        CHECK_ROW(i, http_reply_parse(str_from(rows[i].in), &r) == (rows[i].status != 0));
        if (rows[i].status)
            CHECK_ROW(i, r.status == rows[i].status && r.content_length == rows[i].length &&
                             r.chunked == rows[i].chunked && r.keep_alive == rows[i].keeps);
    }
}

static void test_http_reply__refuses_a_nul(void **state)
{
    (void)state;
    struct http_reply r;
    CHECK(!http_reply_parse(STR("HTTP/1.1 200 OK\r\nA: x\0y\r\n\r\n"), &r));
    CHECK(!http_reply_parse(STR("HTTP/1.1 200 O\0K\r\n\r\n"), &r));
}

RUN_TESTS(TEST(test_http_reply__takes_what_a_sender_of_sense_sends_and_nothing_else),
          TEST(test_http_reply__refuses_a_nul))
