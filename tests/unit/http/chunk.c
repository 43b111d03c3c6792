/* tests/unit/http/chunk.c - the checker alone, and llhttp behind it. */
#include "test.h"

#include "http/chunk.h"
#include "http/parser.h"
#include "util/buf.h"

static const struct {
    berth_str text;
    int state; /* CHUNK_END, CHUNK_BAD, or -1 for one that waits */
    const char *data;
} rows[] = {
#define ROW(text, state, data)                                                                               \
    {                                                                                                        \
        {"" text, sizeof(text) - 1}, (state), (data)                                                         \
    }
    ROW("0\r\n\r\n", CHUNK_END, ""),
    ROW("5\r\nhello\r\n0\r\n\r\n", CHUNK_END, "hello"),
    ROW("05\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", CHUNK_END, "hello world"),
    ROW("a\r\n0123456789\r\n0\r\n\r\n", CHUNK_END, "0123456789"),
    ROW("A;x=y\r\n0123456789\r\n0;q=\"r\"\r\n\r\n", CHUNK_END, "0123456789"),
    ROW("1;x=y;z\r\nx\r\n0\r\n\r\n", CHUNK_BAD, NULL), /* the checker lets it pass, llhttp does not */
    ROW("1\r\nx\r\n0\r\nTrailer: y\r\nOther:\r\n\r\n", CHUNK_END, "x"),
    ROW("", -1, ""),
    ROW("5\r\nhel", -1, "hel"),
    ROW("0\r\n", -1, ""),
    ROW("0\r\n\r", -1, ""),
    ROW("\r\n", CHUNK_BAD, ""),
    ROW(" 5\r\nhello", CHUNK_BAD, ""),
    ROW("5 \r\nhello", CHUNK_BAD, ""),
    ROW("+5\r\nhello", CHUNK_BAD, ""),
    ROW("-5\r\nhello", CHUNK_BAD, ""),
    ROW("0x5\r\nhello", CHUNK_BAD, ""),
    ROW("g\r\nhello", CHUNK_BAD, ""),
    ROW("5\nhello\r\n0\r\n\r\n", CHUNK_BAD, ""),
    ROW("5\rhello\r\n0\r\n\r\n", CHUNK_BAD, ""),
    ROW("5\r\nhello0\r\n\r\n", CHUNK_BAD, NULL),
    ROW("5\r\nhello\n0\r\n\r\n", CHUNK_BAD, NULL),
    ROW("5\r\nhello\r0\r\n\r\n", CHUNK_BAD, NULL),
    ROW("5;a\nb\r\nhello", CHUNK_BAD, ""),
    ROW("5;a\0\r\nhello", CHUNK_BAD, ""),
    ROW("0\r\nX: y\n\r\n", CHUNK_BAD, ""),
    ROW("0\r\n X: y\r\n\r\n", CHUNK_BAD, ""),
    ROW("0\r\nX : y\r\n\r\n", CHUNK_BAD, ""),
    ROW("0\r\nX: y\r\n z\r\n\r\n", CHUNK_BAD, ""),
    ROW("0\r\n\n", CHUNK_BAD, ""),
    ROW("ffffffffffffff\r\n", -1, ""),
    ROW("fffffffffffffff\r\n", CHUNK_BAD, ""),
    ROW("ffffffffffffffff\r\n", CHUNK_BAD, ""),
    ROW("0000000000000005\r\nhello", CHUNK_BAD, ""),
    ROW("10000000000000000\r\n", CHUNK_BAD, ""),
};

static void collect(void *arg, const char *p, size_t n)
{
    berth_buf_add(arg, p, n);
}

static void run(size_t row, size_t step)
{
    berth_str header = STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    struct http_block b = {.chunked = true, .content_length = -1};
    CLEANUP(freep) struct http_chunked *k = NULL;
    CLEANUP(berth_buf_done) berth_buf data = BERTH_BUF_INIT(KIB);
    CHECK(http_parser_agrees(header.p, header.n, &b, &k));
    enum http_chunked_result r = HTTP_CHUNKED_MORE;
    berth_str text = rows[row].text;
    while (text.n && r == HTTP_CHUNKED_MORE) {
        /* a copy of its own for each step: reading beyond it is seen by the sanitizer */
        size_t n = MIN(step, text.n), used;
        CLEANUP(freep) char *piece = mem_alloc(n);
        memcpy(piece, text.p, n);
        r = http_chunked_decode(k, piece, n, collect, &data, &used);
        CHECK_ROW(row, used <= n && (r != HTTP_CHUNKED_MORE || used == n));
        text = str_from_offset(text, n);
    }
    int want = rows[row].state;
    enum http_chunked_result wanted = want == CHUNK_END   ? HTTP_CHUNKED_END
                                      : want == CHUNK_BAD ? HTTP_CHUNKED_BAD
                                                          : HTTP_CHUNKED_MORE;
    CHECK_ROW(row, r == wanted);
    if (rows[row].data && (want != CHUNK_BAD || step == 1))
        CHECK_STR_ROW(row, berth_buf_str(&data), str_from(rows[row].data));
}

static void test_http_chunk__decodes_or_refuses_each_body_at_once_and_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t step = 1; step < 40; step += step < 8 ? 1 : 31)
            run(i, step);
}

static void test_http_chunk__leaves_what_follows_the_body(void **state)
{
    (void)state;
    struct http_chunk_check c = {.left = 0};
    berth_str text = STR("1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n");
    CHECK(http_chunk_check(&c, text.p, text.n) == 11);
    CHECK(c.state == CHUNK_END);
    CHECK(http_chunk_check(&c, text.p, text.n) == 0);
}

static void test_http_chunk__bounds_size_lines_and_trailers(void **state)
{
    (void)state;
    char line[HTTP_CHUNK_TRAILER_MAX + 16];
    memset(line, 'a', sizeof(line));
    struct http_chunk_check c = {.left = 0};
    http_chunk_check(&c, "5;", 2);
    http_chunk_check(&c, line, HTTP_CHUNK_LINE_MAX - 2);
    CHECK(c.state == CHUNK_EXTENSION);
    http_chunk_check(&c, line, 1);
    CHECK(c.state == CHUNK_BAD);

    c = (struct http_chunk_check){.left = 0};
    http_chunk_check(&c, "0\r\nX:", 5);
    http_chunk_check(&c, line, HTTP_CHUNK_TRAILER_MAX - 2);
    CHECK(c.state == CHUNK_TRAILER_VALUE);
    http_chunk_check(&c, line, 1);
    CHECK(c.state == CHUNK_BAD);
}

static void test_http_chunk__refuses_a_block_that_llhttp_reads_otherwise(void **state)
{
    (void)state;
    berth_str header = STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
    struct http_chunked *k = NULL;
    struct http_block b = {.content_length = 3};
    CHECK(http_parser_agrees(header.p, header.n, &b, &k));
    b.content_length = 4;
    CHECK(!http_parser_agrees(header.p, header.n, &b, &k));
    b.content_length = -1;
    CHECK(!http_parser_agrees(header.p, header.n, &b, &k));
    b.chunked = true;
    CHECK(!http_parser_agrees(header.p, header.n, &b, &k));
    b = (struct http_block){.content_length = 3};
    CHECK(!http_parser_agrees(header.p, header.n - 2, &b, &k));
    CHECK(!k);
}

RUN_TESTS(TEST(test_http_chunk__decodes_or_refuses_each_body_at_once_and_byte_by_byte),
          TEST(test_http_chunk__leaves_what_follows_the_body),
          TEST(test_http_chunk__bounds_size_lines_and_trailers),
          TEST(test_http_chunk__refuses_a_block_that_llhttp_reads_otherwise))
