/* cli/measure.c - see measure.h. To get a file's bytes out of the kernel takes a third as long as to hash
 * them: a large one is read by a thread of its own, a few pieces ahead, so that both go on at once. */
#include "cli/measure.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "util/buf.h"
#include "util/io.h"

#define PIECE  (256 * KIB)
#define PIECES 4         /* that have been read and are not hashed yet */
#define LARGE  (4 * MIB) /* a thread is worth its while */

struct reader {
    int fd;
    char *pieces;
    size_t n[PIECES];
    berth_error err;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* lock: */
    unsigned read, hashed; /* pieces */
    bool over;             /* no more of them follow */
};

static char *piece_of(const struct reader *r, unsigned i)
{
    return r->pieces + (size_t)(i % PIECES) * PIECE;
}

static void *read_ahead(void *arg)
{
    struct reader *r = arg;
    uint64_t at = 0;
    bool over = false;
    for (unsigned i = 0; !over; i++) {
        size_t n = 0;
        pthread_mutex_lock(&r->lock);
        while (i - r->hashed == PIECES)
            pthread_cond_wait(&r->changed, &r->lock);
        pthread_mutex_unlock(&r->lock);
        over = io_pread(r->fd, piece_of(r, i), PIECE, at, &n, &r->err) != BERTH_OK || n == 0;
        at += n;
        r->n[i % PIECES] = n;
        pthread_mutex_lock(&r->lock);
        r->read += !over;
        r->over = over;
        pthread_cond_signal(&r->changed);
        pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

/* False: there is no piece @i. */
static bool await(struct reader *r, unsigned i)
{
    pthread_mutex_lock(&r->lock);
    while (r->read == i && !r->over)
        pthread_cond_wait(&r->changed, &r->lock);
    bool there = r->read != i;
    pthread_mutex_unlock(&r->lock);
    return there;
}

static void hash_what_is_read(struct reader *r, berth_hash *hash, uint64_t *ret_size)
{
    uint64_t size = 0;
    for (unsigned i = 0; await(r, i); i++) {
        hash_update(hash, piece_of(r, i), r->n[i % PIECES]);
        size += r->n[i % PIECES];
        pthread_mutex_lock(&r->lock);
        r->hashed++;
        pthread_cond_signal(&r->changed);
        pthread_mutex_unlock(&r->lock);
    }
    *ret_size = size;
}

/* Signals are for the main thread. */
static bool begin(struct reader *r, pthread_t *ret_thread)
{
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    bool begun = pthread_create(ret_thread, NULL, read_ahead, r) == 0;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return begun;
}

static int one_by_one(struct reader *r, berth_hash *hash, uint64_t *ret_size)
{
    size_t n = 1;
    int rc = BERTH_OK;
    for (uint64_t at = 0; rc == BERTH_OK && n; at += n) {
        rc = io_pread(r->fd, r->pieces, PIECE, at, &n, &r->err);
        if (rc == BERTH_OK)
            hash_update(hash, r->pieces, n);
        *ret_size = at + n;
    }
    return rc;
}

int measure_file(int fd, enum hash_algorithm a, uint64_t *ret_size, berth_digest *ret_digest,
                 berth_error *err)
{
    struct reader r = {.fd = fd,
                       .err = BERTH_ERROR_INIT,
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .changed = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    struct stat st;
    berth_hash hash;
    uint64_t size = 0;
    bool large = fstat(fd, &st) == 0 && st.st_size >= (off_t)LARGE;
    CLEANUP(freep) char *pieces = malloc(large ? PIECES * PIECE : PIECE);
    if (!pieces)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    r.pieces = pieces;
    hash_init(&hash, a);
    if (large && begin(&r, &thread)) {
        hash_what_is_read(&r, &hash, &size);
        pthread_join(thread, NULL);
    } else {
        one_by_one(&r, &hash, &size);
    }
    if (r.err.code != BERTH_OK)
        return berth_error_set(err, r.err.code, "%s", r.err.message);
    digest_from_hash(&hash, ret_digest);
    if (ret_size)
        *ret_size = size;
    return BERTH_OK;
}
