/* http/send.c - an answer leaves: memory by one sendmsg(), files by sendfile() in bounded slices, both
 * through OpenSSL record by record when the connection is encrypted.
 *
 * A loop must not wait for a disk. Before a slice of a file is sent its first and last byte are asked for
 * with RWF_NOWAIT; where they are not in memory a worker reads the slice first. */
#include "http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define IOVECS     16
#define TLS_RECORD (16 * KIB)

ssize_t http_send_bytes(struct http_conn *c, const void *p, size_t n)
{
    if (c->tls) {
        unsigned wants;
        ssize_t r = http_tls_send(c->tls, p, n, &wants);
        c->tls_wants |= (unsigned char)wants;
        return r;
    }
    ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
    if (r >= 0)
        return r;
    return errno == EAGAIN || errno == EINTR ? HTTP_IO_AGAIN : HTTP_IO_BROKEN;
}

uint64_t http_send_confirmed(const struct http_conn *c)
{
    int queued = 0;
    uint64_t sent = c->req ? c->req->answer.sent : 0;
    if (ioctl(c->fd, SIOCOUTQ, &queued) < 0 || queued < 0)
        queued = 0;
    return sent > (uint64_t)queued ? sent - (uint64_t)queued : 0;
}

/* --- bringing pages in --- */

/* On a worker. What cannot be read here, sendfile() will report. */
static void warm_up(struct http_job *job)
{
    struct http_req *req = CONTAINER_OF(job, struct http_req, warm_job);
    const struct http_segment *s = req->answer.at;
    char page[16 * KIB];
    for (uint64_t at = req->warm_from; at < req->warm_to;) {
        ssize_t n = pread(s->fd, page, (size_t)MIN(sizeof(page), req->warm_to - at), (off_t)at);
        if (n <= 0)
            break;
        at += (uint64_t)n;
    }
    http_loop_post(req->conn->loop, req);
}

static void warm_later(struct http_conn *c, uint64_t from, uint64_t n)
{
    struct http_req *req = c->req;
    req->warm_from = from;
    req->warm_to = from + n;
    req->warm_job.run = warm_up;
    req->busy = true;
    http_pool_push(req->server->pool, &req->warm_job);
}

static bool is_resident(int fd, uint64_t offset)
{
    char byte;
    struct iovec iov = {&byte, 1};
    if (preadv2(fd, &iov, 1, (off_t)offset, RWF_NOWAIT) >= 0 || errno != EAGAIN) {
        if (errno == EOPNOTSUPP) /* this file system cannot say: at least it may start reading */
            posix_fadvise(fd, (off_t)offset, (off_t)HTTP_SEND_TURN, POSIX_FADV_WILLNEED);
        return true;
    }
    return false;
}

/* Whether @n bytes of the file at @from may be touched now; else a worker has been sent for them and more. */
static bool is_warm(struct http_conn *c, const struct http_segment *s, uint64_t from, uint64_t n)
{
    struct http_req *req = c->req;
    if (from >= req->warm_from && from + n <= req->warm_to)
        return true;
    uint64_t slice = MIN(s->offset + s->n - from, (uint64_t)HTTP_SEND_TURN);
    if (!is_resident(s->fd, from) || (slice > 4096 && !is_resident(s->fd, from + slice - 1))) {
        warm_later(c, from, slice);
        return false;
    }
    req->warm_from = from;
    req->warm_to = from + slice;
    return true;
}

/* --- one step; each returns bytes taken, or HTTP_IO_…; AGAIN also when a worker was sent for pages --- */

static ssize_t step_memory(struct http_conn *c)
{
    const struct http_answer *a = &c->req->answer;
    struct iovec iov[IOVECS];
    struct msghdr msg = {.msg_iov = iov};
    uint64_t skip = a->at_offset;
    const struct http_segment *s = a->at;
    for (; s && s->fd < 0 && msg.msg_iovlen < IOVECS; s = s->next) {
        if (s->n > skip)
            iov[msg.msg_iovlen++] = (struct iovec){(void *)(uintptr_t)(s->p + skip), (size_t)(s->n - skip)};
        skip = 0;
    }
    if (!msg.msg_iovlen)
        return 0;
    ssize_t r = sendmsg(c->fd, &msg, MSG_NOSIGNAL | (s ? MSG_MORE : 0));
    if (r >= 0)
        return r;
    return errno == EAGAIN || errno == EINTR ? HTTP_IO_AGAIN : HTTP_IO_BROKEN;
}

/* The answer can't be finished, and its length is out: all that is left is to close, and to say why. */
static ssize_t unreadable(struct http_conn *c, ssize_t r)
{
    c->req->pub.unreadable = r == 0 ? ENODATA : errno;
    return HTTP_IO_BROKEN;
}

/* Of the two ends of sendfile(): no socket fails with these. */
static bool is_the_files(int error)
{
    return error == EIO || error == ESTALE || error == EUCLEAN || error == EBADMSG;
}

static ssize_t step_file(struct http_conn *c, size_t most)
{
    const struct http_answer *a = &c->req->answer;
    uint64_t left = a->at->n - a->at_offset, from = a->at->offset + a->at_offset;
    size_t n = (size_t)MIN(left, (uint64_t)most);
    if (!is_warm(c, a->at, from, n))
        return HTTP_IO_AGAIN;
    off_t at = (off_t)from;
    ssize_t r = sendfile(c->fd, a->at->fd, &at, n);
    if (r > 0)
        return r;
    if (r < 0 && (errno == EAGAIN || errno == EINTR))
        return HTTP_IO_AGAIN;
    return r == 0 || is_the_files(errno) ? unreadable(c, r) : HTTP_IO_BROKEN;
}

/* Fills the loop's write buffer with the next record's bytes, memory and file mixed. The same bytes again
 * when called again: OpenSSL insists on that after a record that did not fit the socket. */
static ssize_t gather_record(struct http_conn *c, char *out, size_t most)
{
    const struct http_answer *a = &c->req->answer;
    uint64_t skip = a->at_offset;
    size_t n = 0;
    for (const struct http_segment *s = a->at; s && n < most; s = s->next) {
        size_t take = (size_t)MIN(s->n - skip, (uint64_t)(most - n));
        if (take && s->fd < 0) {
            memcpy(out + n, s->p + skip, take);
        } else if (take) {
            if (s != a->at && !c->tls_retry)
                break; /* a file starts a record of its own */
            uint64_t from = s->offset + skip;
            if (!c->tls_retry && !is_warm(c, s, from, take))
                return HTTP_IO_AGAIN;
            for (size_t got = 0; got < take;) {
                ssize_t r = pread(s->fd, out + n + got, take - got, (off_t)(from + got));
                if (r <= 0)
                    return unreadable(c, r);
                got += (size_t)r;
            }
        }
        n += take;
        skip = 0;
    }
    return (ssize_t)n;
}

static ssize_t step_record(struct http_conn *c)
{
    char *out = c->loop->write_buffer;
    ssize_t n = gather_record(c, out, c->tls_retry ? c->tls_retry : TLS_RECORD);
    if (n <= 0)
        return n;
    ssize_t r = http_send_bytes(c, out, (size_t)n);
    c->tls_retry = r == HTTP_IO_AGAIN ? (size_t)n : 0;
    return r;
}

static void advance(struct http_answer *a, uint64_t n)
{
    a->sent += n;
    for (;;) {
        uint64_t take = MIN(n, a->at->n - a->at_offset);
        a->at_offset += take;
        n -= take;
        if (a->at_offset < a->at->n)
            return;
        a->at = a->at->next;
        a->at_offset = 0;
        if (!a->at)
            return;
    }
}

/* Whether what is left may leave at once. */
static bool is_last_turn(const struct http_answer *a)
{
    uint64_t n = 0;
    for (const struct http_segment *s = a->at; s && n <= HTTP_SEND_TURN; s = s->next)
        n += s->n - (s == a->at ? a->at_offset : 0);
    return n <= HTTP_SEND_TURN;
}

int http_send(struct http_conn *c)
{
    struct http_answer *a = &c->req->answer;
    size_t turn = 0;
    while (a->at) {
        if (is_last_turn(a)) /* a client that has its answer may ask again at once, on another loop as well */
            http_req_dismiss(c->req);
        if (turn >= HTTP_SEND_TURN) {
            c->blocked = true; /* the socket may take more, but others come first */
            return 0;
        }
        ssize_t n = c->tls          ? step_record(c)
                    : a->at->fd < 0 ? step_memory(c)
                                    : step_file(c, HTTP_SEND_TURN - turn);
        if (n == HTTP_IO_AGAIN) {
            c->blocked = !c->req->busy;
            return 0;
        }
        if (n < 0)
            return -1;
        uint64_t before = MAX(a->sent, a->head.n);
        const struct http_segment *was = a->at;
        advance(a, (uint64_t)n);
        if (a->at != was)
            c->req->warm_from = c->req->warm_to = 0; /* another file begins */
        turn += (size_t)n;
        if (a->sent > before)
            http_count(&c->loop->bytes_out, a->sent - before);
    }
    return 1;
}
