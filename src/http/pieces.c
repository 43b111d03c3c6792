/* http/pieces.c - the buffers of a body on their way between a connection and the worker that has its
 * request: one is filled, one is worked on, one waits filled for the worker, one waits empty for the loop.
 * The last two change hands by an exchange, so that neither side waits for the other. */
#include "http/internal.h"

/* The worker may give one back before the last one was taken: they hang on each other. */
struct http_buffer *http_pieces_spare(struct http_conn *c)
{
    struct http_buffer *first = atomic_exchange(&c->req->spare, NULL);
    for (struct http_buffer *b = first ? steal(&first->next) : NULL, *next; b; b = next) {
        next = b->next;
        http_buffer_put(c->loop, b);
    }
    return first;
}

void http_pieces_drop(struct http_conn *c)
{
    struct http_req *req = c->req;
    http_buffer_put(c->loop, steal(&req->filling));
    http_buffer_put(c->loop, steal(&req->running));
    http_buffer_put(c->loop, atomic_exchange(&req->queued, NULL));
    http_buffer_put(c->loop, http_pieces_spare(c));
}

bool http_pieces_next(struct http_req *req)
{
    if (req->run_end || req->answer.set || http_pool_waiting(req->server->pool))
        return false;
    struct http_buffer *next = atomic_exchange(&req->queued, NULL);
    if (!next)
        return false;
    req->run_begin = false;
    req->run_end = next->last;
    req->pub.body_received = next->received;
    if (req->running) {
        req->running->n = 0;
        req->running->next = atomic_exchange(&req->spare, NULL); /* nobody else adds to them */
        atomic_store(&req->spare, req->running);
    }
    req->running = next;
    if (atomic_exchange(&req->stuck, false))
        http_loop_unstick(req->conn->loop, req);
    return true;
}

void http_pieces_leave(struct http_conn *c)
{
    struct http_req *req = c->req;
    struct http_buffer *b = req->filling;
    const bool last = c->body.complete;
    if (req->plan.body != HTTP_BODY_STREAM || !b || b->n < (last ? 1 : b->cap) || req->fault ||
        c->loop->waiting)
        return;
    if (atomic_load(&req->queued)) {
        atomic_store(&req->stuck, true);
        if (atomic_load(&req->queued))
            return;
    }
    struct http_buffer *spare = http_pieces_spare(c);
    b->received = c->body.received;
    b->last = last;
    atomic_store(&req->queued, b);
    req->filling = spare;
}

void http_pieces_done(struct http_conn *c)
{
    struct http_req *req = c->req;
    atomic_store(&req->stuck, false);
    http_buffer_put(c->loop, steal(&req->running));
    http_buffer_put(c->loop, http_pieces_spare(c));
}
