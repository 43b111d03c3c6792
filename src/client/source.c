/* client/source.c - what an upload's bytes come from: memory, a descriptor or a function, hashed on the way.
 */
#include <errno.h>
#include <sys/stat.h>

#include "client/internal.h"
#include "util/io.h"

/* Of a source that an older header made, what it knew. */
static berth_source read_struct(const berth_source *given)
{
    berth_source of = {.fd = -1};
    memcpy(&of, given, MIN(given->size, sizeof(of)));
    return of;
}

static int open_fd(struct source *s, berth_error *err)
{
    struct stat st;
    if (fstat(s->of.fd, &st) < 0)
        return berth_error_set(err, BERTH_E_INVALID, "the content has no open descriptor: %s",
                               strerror(errno));
    if (S_ISDIR(st.st_mode))
        return berth_error_set(err, BERTH_E_INVALID, "the content is a folder");
    s->start = S_ISREG(st.st_mode) ? lseek(s->of.fd, 0, SEEK_CUR) : -1;
    s->rewindable = s->start >= 0;
    if (s->rewindable && s->length < 0)
        s->length = MAX(st.st_size - s->start, (off_t)0);
    return BERTH_OK;
}

int source_open(struct source *s, const berth_source *of, berth_error *err)
{
    *s = (struct source){.of = of ? read_struct(of) : (berth_source){.fd = -1}};
    bool known = s->of.length <= INT64_MAX;
    s->length = known ? (int64_t)s->of.length : -1;
    if (s->of.fd >= 0)
        return open_fd(s, err);
    s->rewindable = !s->of.read || s->of.seek;
    if (!of || (!s->of.read && (!known || (!s->of.bytes && s->length > 0))))
        return berth_error_set(err, BERTH_E_INVALID, "the content comes from nowhere");
    return BERTH_OK;
}

void source_hash(struct source *s, enum hash_algorithm a)
{
    s->hashing = true;
    s->hashed = 0;
    hash_init(&s->hash, a);
}

bool source_digest(const struct source *s, berth_digest *ret)
{
    berth_hash copy = s->hash;
    if (s->hashing)
        digest_from_hash(&copy, ret);
    return s->hashing;
}

/* What is read for the second time is not hashed again. */
static void hash_new(struct source *s, const char *p, size_t n)
{
    if (s->at > s->hashed)
        s->hashing = false; /* a part was passed over */
    size_t known = (size_t)MIN(s->hashed - MIN(s->at, s->hashed), (uint64_t)n);
    if (!s->hashing || known == n)
        return;
    hash_update(&s->hash, p + known, n - known);
    s->hashed += n - known;
}

static int read_some(struct source *s, void *p, size_t n, size_t *ret_n, berth_error *err)
{
    if (s->of.read) {
        int r = s->of.read(s->of.arg, p, n, ret_n);
        return r == BERTH_PAUSE        ? BERTH_PAUSE
               : r == 0 && *ret_n <= n ? BERTH_OK
                                       : berth_error_set(err, BERTH_E_CANCELLED, "the content can't be read");
    }
    if (s->of.fd < 0) {
        *ret_n = (size_t)MIN((uint64_t)n, (uint64_t)s->length - s->at);
        if (*ret_n)
            memcpy(p, (const char *)s->of.bytes + s->at, *ret_n);
        return BERTH_OK;
    }
    if (s->rewindable)
        return io_pread(s->of.fd, p, n, (uint64_t)s->start + s->at, ret_n, err);
    ssize_t got;
    do
        got = read(s->of.fd, p, n);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return BERTH_PAUSE;
    if (got < 0)
        return berth_error_set(err, BERTH_E_IO, "reading the content: %s", strerror(errno));
    *ret_n = (size_t)got;
    return BERTH_OK;
}

static bool is_stream(const struct source *s)
{
    return s->of.read || (s->of.fd >= 0 && !s->rewindable);
}

/* Of a known length, to which it is held. A stream's last byte is handed out when it is clear that none
 * follows. */
static int check_length(struct source *s, char *p, size_t *n, berth_error *err)
{
    uint64_t left = (uint64_t)s->length - s->at;
    size_t more = 0;
    char next;
    if (*n < left)
        return *n ? BERTH_OK
                  : berth_error_set(err, BERTH_E_INVALID, "the content is shorter than was announced");
    int r = *n == left && *n && is_stream(s) ? read_some(s, &next, 1, &more, err) : BERTH_OK;
    s->holds = r == BERTH_PAUSE;
    if (s->holds) {
        s->held = p[--*n];
        return *n ? BERTH_OK : BERTH_PAUSE;
    }
    return r == BERTH_OK && (more || *n > left)
               ? berth_error_set(err, BERTH_E_INVALID, "the content is longer than was announced")
               : r;
}

/* @n is not 0. */
static int read_checked(struct source *s, char *p, size_t n, size_t *ret_n, berth_error *err)
{
    int r = BERTH_OK;
    if (s->holds) {
        *p = s->held;
        *ret_n = 1;
    } else {
        if (s->length >= 0 && !is_stream(s))
            n = (size_t)MIN((uint64_t)n, (uint64_t)s->length - s->at);
        r = read_some(s, p, n, ret_n, err);
    }
    return r == BERTH_OK && s->length >= 0 ? check_length(s, p, ret_n, err) : r;
}

int source_read(struct source *s, void *p, size_t n, size_t *ret_n, berth_error *err)
{
    size_t got = 0;
    int r = read_checked(s, p, n, &got, err);
    if (r != BERTH_OK)
        return r;
    if (s->hashing)
        hash_new(s, p, got);
    s->at += got;
    *ret_n = got;
    return BERTH_OK;
}

bool source_seek(struct source *s, uint64_t to)
{
    if (to == s->at)
        return true;
    if (!s->rewindable || (s->length >= 0 && to > (uint64_t)s->length))
        return false;
    if (s->of.read && s->of.fd < 0 && s->of.seek(s->of.arg, to) != 0)
        return false;
    s->at = to;
    s->holds = false;
    return true;
}
