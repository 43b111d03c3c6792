/* http/buffers.c - a loop's share of the memory that bodies may take: half of it for buffers of streams, half
 * for collected bodies, so that neither keeps the other waiting. Full-sized buffers go back to a list and are
 * used again; who finds their share exhausted waits in line. */
#include "http/internal.h"

#include "util/fault.h"

#define KEEP_BYTES (16 * MIB) /* of unused buffers; more are given back to the system */

struct http_buffer *http_buffer_get(struct http_loop *l, size_t cap)
{
    const size_t full = l->server->limits.buffer_bytes;
    if (l->buffers_used + cap > l->buffers_max)
        return NULL;
    struct http_buffer *b = cap == full ? l->free_buffers : NULL;
    if (b) {
        l->free_buffers = b->next;
        l->free_bytes -= cap;
    } else {
        b = fault_hit() ? NULL : mem_alloc(sizeof(*b) + cap);
    }
    if (!b)
        return NULL;
    b->next = NULL;
    b->n = 0;
    b->cap = cap;
    l->buffers_used += cap;
    return b;
}

/* One waits no longer: it tries again in its next turn. */
void http_buffer_wake_one(struct http_loop *l)
{
    struct http_conn *c = l->waiting;
    if (!c)
        return;
    http_buffer_wait_no_more(c);
    http_loop_ready(c);
}

void http_buffer_put(struct http_loop *l, struct http_buffer *b)
{
    if (!b)
        return;
    l->buffers_used -= b->cap;
    if (b->cap == l->server->limits.buffer_bytes && l->free_bytes < KEEP_BYTES) {
        l->free_bytes += b->cap;
        b->next = l->free_buffers;
        l->free_buffers = b;
    } else {
        mem_free(b);
    }
    http_buffer_wake_one(l);
}

void http_buffer_wait(struct http_conn *c)
{
    struct http_loop *l = c->loop;
    if (c->waiting)
        return;
    c->waiting = true;
    c->next_waiting = NULL;
    *l->waiting_end = c;
    l->waiting_end = &c->next_waiting;
}

void http_buffer_wait_no_more(struct http_conn *c)
{
    struct http_loop *l = c->loop;
    if (!c->waiting)
        return;
    c->waiting = false;
    struct http_conn **link = &l->waiting;
    while (*link != c)
        link = &(*link)->next_waiting;
    *link = c->next_waiting;
    if (!*link)
        l->waiting_end = link;
}

/* One alone may always be collected, whatever the share is. */
bool http_buffer_charge(struct http_loop *l, size_t n, size_t have)
{
    if (l->collected + n > l->buffers_max && l->collected > have)
        return false;
    l->collected += n;
    return true;
}

void http_buffer_discharge(struct http_loop *l, size_t n)
{
    l->collected -= n;
}

void http_buffers_free(struct http_loop *l)
{
    for (struct http_buffer *b = l->free_buffers, *next; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    l->free_buffers = NULL;
}
