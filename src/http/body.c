/* http/body.c - the body of a request on its way in: how much may be taken, where it goes (dropped,
 * collected, or into a stream's buffers), and where it ends. No input or output here. */
#include "http/internal.h"

#include "http/parser.h"

void http_input_use(struct http_conn *c, size_t n)
{
    c->in += n;
    c->in_n -= n;
}

void http_body_forget(struct http_conn *c)
{
    mem_free(c->body.chunked);
    c->body = (struct http_body){.complete = true};
}

void http_body_lose(struct http_conn *c)
{
    mem_free(steal(&c->body.chunked));
    c->body.complete = false;
    c->body.left = UINT64_MAX;
    c->keep = false;
}

static bool dropping(const struct http_conn *c)
{
    return c->state != CONN_BODY || c->req->plan.body == HTTP_BODY_NONE || c->req->fault;
}

void http_body_fault(struct http_conn *c, int status, const char *reason, uint64_t limit)
{
    if (c->req && !c->req->fault) {
        c->req->fault = status;
        c->req->fault_why = (struct http_refusal){.reason = reason, .limit = limit};
    }
}

bool http_body_is_small(const struct http_conn *c)
{
    const struct http_block *b = &c->req->block;
    return !b->chunked && (uint64_t)b->content_length <= c->loop->server->limits.buffer_bytes;
}

size_t http_body_room(struct http_conn *c, bool get)
{
    struct http_req *req = c->req;
    if (c->body.complete || c->waiting)
        return 0;
    if (dropping(c) || req->plan.body == HTTP_BODY_COLLECT)
        return HTTP_SCRATCH;
    if (!req->filling && req->starved)
        return 0;
    if (!req->filling && !get)
        return HTTP_SCRATCH;
    if (!req->filling) {
        size_t cap = c->loop->server->limits.buffer_bytes;
        if (http_body_is_small(c))
            cap = (size_t)req->block.content_length;
        req->filling = req->busy ? http_pieces_spare(c) : NULL;
        if (!req->filling)
            req->filling = http_buffer_get(c->loop, cap);
        if (!req->filling && req->busy)
            req->starved = true; /* one buffer will do */
        else if (!req->filling)
            http_buffer_wait(c);
        if (!req->filling)
            return 0;
    }
    return req->filling->cap - req->filling->n;
}

bool http_body_too_long(const struct http_req *req, uint64_t n)
{
    return n > req->plan.max_body && (req->plan.max_body || req->plan.body == HTTP_BODY_COLLECT);
}

static void count_body(struct http_conn *c, size_t n)
{
    c->body.received += n;
    c->body.expects = false;
    http_count(&c->loop->bytes_in, n);
    if (dropping(c)) {
        c->drained += n;
        return;
    }
    if (http_body_too_long(c->req, c->body.received))
        http_body_fault(c, 413, "the body has more bytes than the limit", c->req->plan.max_body);
}

/* Decoded bytes; where they are streamed, body_room() has made room for them. */
static void deliver(void *arg, const char *p, size_t n)
{
    struct http_conn *c = arg;
    count_body(c, n);
    if (dropping(c))
        return;
    struct http_req *req = c->req;
    if (req->plan.body == HTTP_BODY_STREAM) {
        memcpy(req->filling->bytes + req->filling->n, p, n);
        req->filling->n += n;
        return;
    }
    berth_buf_add(&req->collected, p, n);
    size_t grown = req->collected.cap - req->charged;
    if (berth_buf_failed(&req->collected) || !http_buffer_charge(c->loop, grown, req->charged))
        http_body_fault(c, 503, "the server is short of memory for the body; try again", 0);
    else
        req->charged += grown;
}

static void take_chunks(struct http_conn *c, size_t n)
{
    size_t used;
    enum http_chunked_result r = http_chunked_decode(c->body.chunked, c->in, n, deliver, c, &used);
    http_input_use(c, used);
    if (r == HTTP_CHUNKED_BAD) {
        http_body_lose(c);
        http_body_fault(c, 400, "the body is not in the chunked coding that its header announces", 0);
    } else if (r == HTTP_CHUNKED_END) {
        mem_free(steal(&c->body.chunked));
        c->body.complete = true;
    }
}

void http_body_take(struct http_conn *c)
{
    while (c->in_n) {
        size_t n = MIN(c->in_n, http_body_room(c, true));
        if (!n)
            return;
        if (c->body.chunked) {
            take_chunks(c, n);
            continue;
        }
        n = (size_t)MIN((uint64_t)n, c->body.left);
        deliver(c, c->in, n);
        http_input_use(c, n);
        c->body.left -= n;
        c->body.complete = !c->body.left;
    }
}

char *http_body_direct(struct http_conn *c)
{
    if (dropping(c) || c->req->plan.body != HTTP_BODY_STREAM || c->body.chunked)
        return NULL;
    return c->req->filling->bytes + c->req->filling->n;
}

void http_body_filled(struct http_conn *c, size_t n)
{
    c->req->filling->n += n;
    c->body.left -= n;
    c->body.complete = !c->body.left;
    count_body(c, n);
}
