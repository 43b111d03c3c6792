/* tests/fuzz/chunked.c - chunked bodies: the same bytes and verdict however they arrive. The first byte says
 * in which steps. */
#include "fuzz.h"
#include "http/parser.h"
#include "util/buf.h"

static void collect(void *arg, const char *p, size_t n)
{
    berth_buf_add(arg, p, n);
}

static enum http_chunked_result decode(const char *p, size_t n, size_t step, berth_buf *out, size_t *ret_used)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct http_block b = {.chunked = true, .content_length = -1};
    CLEANUP(freep) struct http_chunked *k = NULL;
    require(http_parser_agrees(head, sizeof(head) - 1, &b, &k));
    enum http_chunked_result r = HTTP_CHUNKED_MORE;
    size_t at = 0;
    while (at < n && r == HTTP_CHUNKED_MORE) {
        size_t take = MIN(step, n - at), used;
        r = http_chunked_decode(k, p + at, take, collect, out, &used);
        require(used <= take && (r != HTTP_CHUNKED_MORE || used == take));
        at += used;
    }
    *ret_used = at;
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const char *p = (const char *)data + 1;
    CLEANUP(berth_buf_done) berth_buf whole = BERTH_BUF_INIT(MIB), stepped = BERTH_BUF_INIT(MIB);
    size_t used, used_stepped;
    enum http_chunked_result r = decode(p, size - 1, SIZE_MAX, &whole, &used);
    require(decode(p, size - 1, (size_t)data[0] + 1, &stepped, &used_stepped) == r);
    require(whole.n <= size);
    if (r != HTTP_CHUNKED_BAD)
        require(used == used_stepped && str_eq(berth_buf_str(&whole), berth_buf_str(&stepped)));
    return 0;
}
