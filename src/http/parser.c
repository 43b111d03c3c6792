/* http/parser.c - the only file that sees llhttp (whose names for methods would clash with ours elsewhere);
 * see parser.h. */
#include "http/parser.h"

#include <llhttp.h>

#include "http/chunk.h"
#include "util/fault.h"

struct http_chunked {
    llhttp_t parser;
    struct http_chunk_check check;
    bool complete;
    void (*out)(void *arg, const char *p, size_t n);
    void *arg;
};

struct reading {
    bool header, chunked;
    uint64_t length;
};

static int on_headers(llhttp_t *parser)
{
    struct reading *r = parser->data;
    r->header = true;
    r->chunked = parser->flags & F_CHUNKED;
    r->length = parser->flags & F_CONTENT_LENGTH ? parser->content_length : 0;
    return 0;
}

static int on_data(llhttp_t *parser, const char *p, size_t n)
{
    struct http_chunked *k = parser->data;
    k->out(k->arg, p, n);
    return 0;
}

static int on_end(llhttp_t *parser)
{
    struct http_chunked *k = parser->data;
    k->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t header_settings = {.on_headers_complete = on_headers};
static const llhttp_settings_t body_settings = {.on_body = on_data, .on_message_complete = on_end};

bool http_parser_agrees(const char *p, size_t n, const struct http_block *b,
                        struct http_chunked **ret_chunked)
{
    struct reading read = {.header = false};
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &header_settings);
    parser.data = &read;
    llhttp_errno_t r = llhttp_execute(&parser, p, n);
    if ((r != HPE_OK && r != HPE_PAUSED_UPGRADE) || !read.header || read.chunked != b->chunked ||
        read.length != (uint64_t)MAX(b->content_length, 0))
        return false;
    if (!b->chunked)
        return true;
    struct http_chunked *k = fault_hit() ? NULL : mem_zalloc(1, sizeof(*k));
    if (!k)
        return false;
    k->parser = parser; /* it has read the header and goes on from there */
    k->parser.settings = (void *)(uintptr_t)&body_settings;
    k->parser.data = k;
    *ret_chunked = k;
    return true;
}

enum http_chunked_result http_chunked_decode(struct http_chunked *k, const char *p, size_t n,
                                             void (*out)(void *arg, const char *p, size_t n), void *arg,
                                             size_t *ret_used)
{
    size_t used = http_chunk_check(&k->check, p, n);
    *ret_used = used;
    if (k->check.state == CHUNK_BAD)
        return HTTP_CHUNKED_BAD;
    k->out = out;
    k->arg = arg;
    llhttp_errno_t r = used ? llhttp_execute(&k->parser, p, used) : HPE_OK;
    bool end = k->check.state == CHUNK_END;
    if (end != k->complete || (!end && r != HPE_OK))
        return HTTP_CHUNKED_BAD;
    return end ? HTTP_CHUNKED_END : HTTP_CHUNKED_MORE;
}
