/* client/plain_receive.c - an answer as it comes: its header, its body in whichever framing, and what it
 * means when the connection ends before it. */
#include "client/plain_private.h"

#include <errno.h>
#include <sys/epoll.h>

#include "http/block.h"
#include "util/clock.h"

#define READ_HEAD    (16 * KIB) /* at once, before it is known what follows */
#define INTERIMS_MAX 32
#define PAUSED       SIZE_MAX /* instead of a number of bytes: they are not wanted yet */

/* --- its end --- */

static bool has_no_body(const struct plain *c)
{
    int status = c->reply.status;
    return strcmp(c->base.x->method, "HEAD") == 0 || status == 204 || status == 304;
}

/* All has come. @more: and something behind it, which nobody asked for. */
static void finish(struct transport *t, struct plain *c, bool more)
{
    c->keep = c->reply.keep_alive && c->framing != FRAMED_BY_END && plain_all_sent(c) && !more;
    plain_end(t, c, FAILURE_NONE, BERTH_OK, "%s", "");
}

/* The other end has closed, or @why. */
static void lose(struct transport *t, struct plain *c, int why)
{
    bool in_head = !c->base.x->header_complete;
    if (c->reused && !c->answered) /* it was closed while nobody looked: that says nothing of this request */
        plain_connect_anew(t, c);
    else if (in_head)
        plain_end(t, c, FAILURE_BROKEN, BERTH_E_NETWORK, "the connection was closed before the answer%s%s",
                  why ? ": " : "", why ? strerror(why) : "");
    else if (c->framing == FRAMED_BY_END && !why)
        finish(t, c, false);
    else
        plain_end(t, c, FAILURE_BROKEN, BERTH_E_NETWORK, "the body ended early%s%s", why ? ": " : "",
                  why ? strerror(why) : "");
}

/* --- its header --- */

/* One that only announces another, or lets the body go. False: that was the end of it. */
static bool take_interim(struct transport *t, struct plain *c)
{
    if (++c->interims > INTERIMS_MAX) {
        plain_end(t, c, FAILURE_LASTING, BERTH_E_INVALID, "the answer is announced again and again");
        return false;
    }
    berth_buf_reset(&c->base.x->header);
    c->scanned = 0;
    if (c->reply.status != 100 || c->state != PLAIN_MAY_SEND)
        return true;
    c->state = PLAIN_SENDS;
    return plain_send(t, c);
}

/* The header of the answer is whole. False: that was the end of it, or it begins anew. */
static bool take_head(struct transport *t, struct plain *c)
{
    struct exchange *x = c->base.x;
    struct http_reply *r = &c->reply;
    if (!http_reply_parse(berth_buf_str(&x->header), r) || r->status == 101) {
        plain_end(t, c, FAILURE_LASTING, BERTH_E_NETWORK, "the answer is not HTTP/1 (does it speak HTTPS?)");
        return false;
    }
    if (r->status < 200)
        return take_interim(t, c);
    if (r->status == 417 && x->has_body && x->expects) {
        x->expects = false;
        if (plain_write_head(t, c, x)) {
            plain_connect_anew(t, c);
            return false;
        }
    }
    if (!plain_all_sent(c))
        plain_stop_sending(t, c);
    c->framing = r->chunked ? FRAMED_BY_CHUNKS : r->content_length >= 0 ? FRAMED_BY_LENGTH : FRAMED_BY_END;
    c->left = r->content_length >= 0 ? (uint64_t)r->content_length : 0;
    c->chunk = (struct http_chunk_check){0};
    if (has_no_body(c)) {
        c->framing = FRAMED_BY_LENGTH;
        c->left = 0;
    }
    carrier_enter(&c->base, EXCHANGE_RECEIVES);
    if (!carrier_head(&c->base, r->status)) {
        plain_give_up(t, c);
        return false;
    }
    return true;
}

/* Returns how many bytes belonged to the header; 0: the exchange is over. */
static size_t feed_head(struct transport *t, struct plain *c, const char *p, size_t n)
{
    berth_buf *header = &c->base.x->header;
    size_t had = header->n, end_at = 0;
    n = MIN(n, HEADER_MAX - had);
    berth_buf_add(header, p, n);
    int found = berth_buf_failed(header) ? 0 : http_block_scan(header->p, header->n, &c->scanned, &end_at);
    if (found < 0) {
        plain_end(t, c, FAILURE_LASTING, BERTH_E_NETWORK, "the answer is not HTTP/1 (does it speak HTTPS?)");
        return 0;
    }
    if (!found && header->n == HEADER_MAX) {
        plain_end(t, c, FAILURE_LASTING, BERTH_E_TOO_BIG, "the header of the answer is too long");
        return 0;
    }
    if (berth_buf_failed(header)) {
        plain_give_up(t, c);
        return 0;
    }
    if (!found)
        return n;
    header->n = end_at;
    return take_head(t, c) ? end_at - had : 0;
}

/* --- its body --- */

/* Of a body: what its call says to the next bytes. */
static int take_body(struct transport *t, struct plain *c, const char *p, size_t n)
{
    struct exchange *x = c->base.x;
    int r = x->events->body(x, p, n);
    if (r == BERTH_PAUSE)
        c->base.paused = true;
    else if (r < 0)
        plain_give_up(t, c);
    return r;
}

/* Of a chunked body: its next data, or what frames them. The same. */
static size_t feed_chunk(struct transport *t, struct plain *c, const char *p, size_t n)
{
    bool data = c->chunk.state == CHUNK_DATA;
    n = data ? (size_t)MIN((uint64_t)n, c->chunk.left) : 1;
    int r = data ? take_body(t, c, p, n) : BERTH_OK;
    if (r != BERTH_OK)
        return r == BERTH_PAUSE ? PAUSED : 0;
    http_chunk_check(&c->chunk, p, n);
    if (c->chunk.state != CHUNK_BAD)
        return n;
    plain_end(t, c, FAILURE_BROKEN, BERTH_E_NETWORK, "the chunks of the body make no sense");
    return 0;
}

static size_t feed_body(struct transport *t, struct plain *c, const char *p, size_t n)
{
    if (c->framing == FRAMED_BY_CHUNKS)
        return feed_chunk(t, c, p, n);
    if (c->framing == FRAMED_BY_LENGTH)
        n = (size_t)MIN((uint64_t)n, c->left);
    int r = take_body(t, c, p, n);
    if (r != BERTH_OK)
        return r == BERTH_PAUSE ? PAUSED : 0;
    c->left -= c->framing == FRAMED_BY_LENGTH ? n : 0;
    return n;
}

/* --- all of it --- */

static bool is_whole(const struct plain *c)
{
    return c->base.x->header_complete && (c->framing == FRAMED_BY_CHUNKS   ? c->chunk.state == CHUNK_END
                                          : c->framing == FRAMED_BY_LENGTH ? c->left == 0
                                                                           : false);
}

/* Not wanted yet: kept, and no more is listened to. */
static void hold(struct transport *t, struct plain *c, const char *p, size_t n)
{
    struct epoll_event e = {0};
    berth_buf_init(&c->held, LARGE_BUFFER);
    berth_buf_add(&c->held, p, n);
    if (berth_buf_failed(&c->held)) {
        plain_give_up(t, c);
        return;
    }
    c->unheard = true; /* also of an error, which would be told again and again */
    epoll_ctl(t->epoll, EPOLL_CTL_DEL, c->fd, &e);
}

/* False: the exchange is over, begins anew, or has paused. */
static bool feed(struct transport *t, struct plain *c, const char *p, size_t n)
{
    for (size_t used; n || is_whole(c); p += used, n -= used) {
        if (is_whole(c)) {
            finish(t, c, n > 0);
            return false;
        }
        used = c->base.x->header_complete ? feed_body(t, c, p, n) : feed_head(t, c, p, n);
        if (used == PAUSED)
            hold(t, c, p, n);
        if (used == PAUSED || !used)
            return false;
    }
    return true;
}

void plain_receive(struct transport *t, struct plain *c)
{
    char *buffer = t->plains->buffer;
    for (size_t turn = 0; turn < PLAIN_TURN;) {
        size_t room = c->base.x->header_complete ? LARGE_BUFFER : READ_HEAD;
        ssize_t n = recv(c->fd, buffer, room, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            lose(t, c, n < 0 ? errno : 0);
            return;
        }
        c->answered = true;
        c->base.since_ms = clock_mono_ms();
        if (!feed(t, c, buffer, (size_t)n))
            return;
        if ((size_t)n < room && room == LARGE_BUFFER)
            return; /* that was all, as yet */
        turn += (size_t)n;
    }
}

void plain_hear_again(struct transport *t, struct plain *c)
{
    CLEANUP(berth_buf_done) berth_buf held = c->held;
    c->held = (berth_buf){0};
    c->unheard = false;
    if (plain_watch(t, c, EPOLL_CTL_ADD) && feed(t, c, held.p, held.n))
        plain_receive(t, c);
}
