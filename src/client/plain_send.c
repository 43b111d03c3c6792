/* client/plain_send.c - a request on its way: its head in our words, its body from memory, from its call or
 * from a file that the kernel sends, and the wait for "100 Continue" between the two. */
#include "client/plain_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sendfile.h>

#include "util/clock.h"

#define SEND_PIECE  (128 * KIB) /* of a body that comes through memory */
#define SEND_FILE   (2 * MIB)   /* of one that comes from a file */
#define CONTINUE_MS 1000        /* the body goes out then, whether the registry says so or not */

/* --- the head --- */

static void add_fields(struct plain *c, const struct exchange *x)
{
    berth_str left = x->fields, line;
    while (left.n) {
        str_cut(left, '\n', &line, &left);
        if (str_ends(line, STR(";")) && !memchr(line.p, ':', line.n)) /* a field without a value */
            berth_buf_addf(&c->head, STR_FMT ":\r\n", STR_ARG(str_head(line, line.n - 1)));
        else
            berth_buf_addf(&c->head, STR_FMT "\r\n", STR_ARG(line));
    }
}

static int64_t length_of(const struct exchange *x)
{
    return x->streams ? x->body_length : (int64_t)x->bytes.n;
}

bool plain_write_head(const struct transport *t, struct plain *c, const struct exchange *x)
{
    http_uri u;
    http_uri_parse(str_from(x->url), &u);
    berth_buf_reset(&c->head);
    berth_buf_addf(&c->head, "%s %s" STR_FMT " HTTP/1.1\r\nHost: " STR_FMT "\r\nUser-Agent: %s\r\n",
                   x->method, str_starts(u.target, STR("/")) ? "" : "/", STR_ARG(u.target),
                   STR_ARG(u.port == 80 ? u.host : u.authority), t->user_agent);
    add_fields(c, x);
    if (x->has_body && x->expects)
        berth_buf_addf(&c->head, "Expect: 100-continue\r\n");
    if (x->has_body && length_of(x) >= 0)
        berth_buf_addf(&c->head, "Content-Length: %lld\r\n", (long long)length_of(x));
    else if (x->has_body)
        berth_buf_addf(&c->head, "Transfer-Encoding: chunked\r\n");
    berth_buf_addf(&c->head, "\r\n");
    return !berth_buf_failed(&c->head);
}

/* --- the body --- */

/* sendfile() raises SIGPIPE, which a library keeps to itself. */
static ssize_t send_file(int fd, int file, off_t at, size_t n)
{
    static const struct timespec now = {0};
    sigset_t pipe, was, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &was);
    ssize_t sent = sendfile(fd, file, &at, n);
    int why = errno;
    if (sent < 0 && why == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    errno = why;
    return sent;
}

/* The next piece of a body, in its framing. BERTH_PAUSE: there is none yet; negative: its call has given up.
 */
static int fill(struct plain *c)
{
    struct exchange *x = c->base.x;
    char size[24];
    size_t n = 0;
    bool chunked = x->body_length < 0;
    berth_buf_reset(&c->piece);
    c->piece_sent = 0;
    char *p = berth_buf_reserve(&c->piece, SEND_PIECE + 32);
    int r = p ? x->events->send(x, p + 24, SEND_PIECE, &n) : BERTH_E_NOMEM;
    if (r != BERTH_OK)
        return r;
    if (!chunked) {
        c->body_over = x->sent + n == (uint64_t)x->body_length;
        memmove(p, p + 24, n);
        berth_buf_grow(&c->piece, n);
        return BERTH_OK;
    }
    c->body_over = !n;
    int digits = snprintf(size, sizeof(size), "%zx\r\n", n);
    memmove(p + digits, p + 24, n);
    memcpy(p, size, (size_t)digits);
    memcpy(p + digits + n, "\r\n", 2);
    berth_buf_grow(&c->piece, (size_t)digits + n + 2);
    return BERTH_OK;
}

/* What is sent next of the body: so many bytes went, or -1 with errno; ECANCELED: its call has given up,
 * EINPROGRESS: there is nothing to send yet. */
static ssize_t send_body(struct plain *c)
{
    struct exchange *x = c->base.x;
    ssize_t n;
    if (!x->streams) {
        n = send(c->fd, x->bytes.p + x->sent, x->bytes.n - x->sent, MSG_NOSIGNAL);
        x->sent += n > 0 ? (uint64_t)n : 0;
        c->body_over = x->sent == x->bytes.n;
        return n;
    }
    uint64_t left = (uint64_t)x->body_length - x->sent;
    if (x->file >= 0 && c->piece_sent == c->piece.n) {
        n = send_file(c->fd, x->file, (off_t)(x->file_at + x->sent), (size_t)MIN(left, (uint64_t)SEND_FILE));
        if (n > 0) {
            x->events->passed(x, (size_t)n);
            x->sent += (uint64_t)n;
            c->body_over = (uint64_t)n == left;
        }
        if (n > 0 || (n < 0 && errno != EINVAL && errno != ENOSYS))
            return n;
        x->file = -1; /* a file system that can't, or a file that became shorter */
    }
    int r = c->piece_sent == c->piece.n ? fill(c) : BERTH_OK;
    if (r != BERTH_OK) {
        errno = r == BERTH_PAUSE ? EINPROGRESS : ECANCELED;
        return -1;
    }
    n = send(c->fd, c->piece.p + c->piece_sent, c->piece.n - c->piece_sent, MSG_NOSIGNAL);
    c->piece_sent += n > 0 ? (size_t)n : 0;
    if (x->body_length >= 0)
        x->sent += n > 0 ? (uint64_t)n : 0;
    return n;
}

/* --- as much as there is room for --- */

void plain_stop_sending(struct transport *t, struct plain *c)
{
    c->state = PLAIN_RECEIVES;
    plain_want_out(t, c, false);
}

enum outcome { WENT, BLOCKED, OVER };

/* What the last send() means. */
static enum outcome take_sent(struct transport *t, struct plain *c, ssize_t n)
{
    if (n >= 0 || errno == EINTR)
        return WENT;
    if (errno == ECANCELED) {
        plain_give_up(t, c);
        return OVER;
    }
    c->base.paused = errno == EINPROGRESS;
    if (c->base.paused || errno == EAGAIN || errno == EWOULDBLOCK)
        plain_want_out(t, c, !c->base.paused);
    else
        plain_stop_sending(t, c); /* the other end may have said why: what is to be read shows */
    return BLOCKED;
}

bool plain_all_sent(const struct plain *c)
{
    return c->head_sent == c->head.n && c->body_over && c->piece_sent == c->piece.n;
}

static enum outcome send_head(struct transport *t, struct plain *c, bool alone)
{
    enum outcome o = WENT;
    while (o == WENT && c->head_sent < c->head.n) {
        ssize_t n = send(c->fd, c->head.p + c->head_sent, c->head.n - c->head_sent,
                         MSG_NOSIGNAL | (alone ? 0 : MSG_MORE));
        o = take_sent(t, c, n);
        c->head_sent += n > 0 ? (size_t)n : 0;
    }
    return o;
}

static enum outcome send_some(struct transport *t, struct plain *c)
{
    struct exchange *x = c->base.x;
    enum outcome o = WENT;
    size_t turn = 0;
    while (o == WENT && !plain_all_sent(c)) {
        if (turn >= PLAIN_TURN) {
            plain_want_out(t, c, true);
            break;
        }
        ssize_t n = send_body(c);
        o = take_sent(t, c, n);
        turn += n > 0 ? (size_t)n : 0;
    }
    if (o == OVER || !turn)
        return o;
    c->base.since_ms = clock_mono_ms();
    if (x->events->moved)
        x->events->moved(x);
    return o;
}

bool plain_send(struct transport *t, struct plain *c)
{
    const struct exchange *x = c->base.x;
    bool waits = x->has_body && x->expects && !c->body_over && !c->go_on_ms;
    enum outcome o = send_head(t, c, waits || c->body_over);
    if (o == WENT && waits) {
        c->state = PLAIN_MAY_SEND;
        c->go_on_ms = clock_mono_ms() + CONTINUE_MS;
        t->plains_ms = MIN(t->plains_ms, c->go_on_ms);
        plain_want_out(t, c, false);
        return true;
    }
    if (o == WENT)
        o = send_some(t, c);
    if (o == OVER)
        return false;
    if (c->state == PLAIN_SENDS && plain_all_sent(c)) {
        plain_stop_sending(t, c);
        if (x->step == EXCHANGE_SENDS)
            carrier_enter(&c->base, EXCHANGE_WAITS);
    }
    return true;
}

/* --- from the beginning --- */

/* From its beginning, over this connection or another. False: it can't be, and that has been said. */
static bool rewind_request(struct transport *t, struct plain *c)
{
    struct exchange *x = c->base.x;
    c->head_sent = c->piece_sent = c->scanned = 0;
    c->answered = c->whole = c->keep = false;
    c->base.paused = false;
    c->go_on_ms = 0;
    c->interims = 0;
    c->body_over = !x->has_body || length_of(x) == 0;
    berth_buf_done(&c->piece);
    berth_buf_init(&c->piece, 2 * SEND_PIECE);
    berth_buf_reset(&x->header);
    x->sent = 0;
    if (!x->streams || x->events->rewind(x))
        return true;
    plain_end(t, c, FAILURE_LASTING, BERTH_E_NETWORK,
              "the connection broke, and the content can be sent only once");
    return false;
}

void plain_begin(struct transport *t, struct plain *c)
{
    const struct exchange *x = c->base.x;
    if (!rewind_request(t, c))
        return;
    c->state = PLAIN_SENDS;
    carrier_enter(&c->base, x->has_body ? EXCHANGE_SENDS : EXCHANGE_WAITS);
    berth_str head = berth_buf_str(&c->head);
    carrier_trace(&c->base, BERTH_TRACE_SENT, head);
    plain_send(t, c);
}
