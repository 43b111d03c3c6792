/* storage/direct.c - see direct.h. A ring of pieces: append() fills the next one, the thread writes those
 * that are full, as many as lie together. Why it pays: of 1 GiB through the page cache the copy and the
 * cache's own work take 1.1 to 1.5 s of CPU on a virtual machine and the disk is reached at 0.6 GiB/s; past
 * it 0.1 s and 1.4 to 1.9 GiB/s (docs/adr/0032). */
#include "storage/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "util/base.h"
#include "util/fault.h"

#define PLACES 4 /* writers at once: what they hold together is bounded */
/* One piece is filled while others are written, and a disk that pauses for a moment is not felt: with two, a
 * push of 1 GiB in chunks waited 0.05 to 0.1 s for a place and took 2 % longer. Pieces of 512 KiB woke the
 * thread twice as often, each time on the processor that hashes: 0.90 GiB/s instead of 1.05 to 1.24. */
#define PIECES      4
#define PIECE_BYTES MIB
/* On huge pages where the system has them: the device then gets one range of memory instead of 256 pages
 * for each piece, which is 0.1 s of CPU for each GiB, and a third more speed. */
#define RING_BYTES (PIECES * PIECE_BYTES)

struct direct_writer {
    struct direct_gate *gate;
    int fd, direct_fd; /* the same file; fd is lent */
    char *ring;
    size_t n; /* bytes in the piece that is being filled; the appending thread's own */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t filled, written; /* whole pieces: handed to the thread, and done with */
    uint64_t offset;          /* of the first piece not written */
    int error;                /* errno of the first write that failed; nothing is written after it */
    bool closing;
};

void direct_gate_init(struct direct_gate *g)
{
    atomic_init(&g->places, PLACES);
    atomic_init(&g->unfit, false);
    atomic_init(&g->kept, NULL);
}

void direct_gate_done(struct direct_gate *g)
{
    free(atomic_load(&g->kept));
}

/* One is kept: for a chunk of 16 MiB, a fresh one would cost a tenth of its time in page faults. */
static char *take_ring(struct direct_gate *g)
{
    void *p = atomic_exchange(&g->kept, NULL);
    if (p)
        return p;
    if (fault_hit() || posix_memalign(&p, RING_BYTES, RING_BYTES) != 0)
        return NULL;
    (void)madvise(p, RING_BYTES, MADV_HUGEPAGE); /* the same without */
    return p;
}

static void give_ring(struct direct_gate *g, char *ring)
{
    if (ring)
        free(atomic_exchange(&g->kept, ring));
}

static char *piece_at(const direct_writer *d, uint64_t i)
{
    return d->ring + i % PIECES * PIECE_BYTES;
}

static bool take_place(struct direct_gate *g)
{
    if (atomic_fetch_sub(&g->places, 1) > 0)
        return true;
    atomic_fetch_add(&g->places, 1);
    return false;
}

/* 0, or an error number. */
static int write_whole(int fd, const char *p, size_t n, uint64_t offset)
{
    while (n) {
        ssize_t r = fault_io() ? -1 : pwrite(fd, p, n, (off_t)offset);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? errno : EIO;
        p += r;
        n -= (size_t)r;
        offset += (size_t)r;
    }
    return 0;
}

static int write_pieces(direct_writer *d, const char *p, size_t n, uint64_t offset)
{
    int e = atomic_load(&d->gate->unfit) ? EINVAL : write_whole(d->direct_fd, p, n, offset);
    if (e != EINVAL)
        return e;
    /* What open() promised, this file system or device does not do, or not in these blocks. */
    atomic_store(&d->gate->unfit, true);
    return write_whole(d->fd, p, n, offset);
}

static void *write_behind(void *arg)
{
    direct_writer *d = arg;
    pthread_mutex_lock(&d->lock);
    for (;;) {
        while (d->filled == d->written && !d->closing)
            pthread_cond_wait(&d->changed, &d->lock);
        if (d->filled == d->written || d->closing)
            break;
        const uint64_t count = MIN(d->filled - d->written, PIECES - d->written % PIECES);
        int e = d->error;
        pthread_mutex_unlock(&d->lock);
        if (!e)
            e = write_pieces(d, piece_at(d, d->written), count * PIECE_BYTES, d->offset);
        pthread_mutex_lock(&d->lock);
        d->error = e;
        d->written += count;
        d->offset += count * PIECE_BYTES;
        pthread_cond_signal(&d->changed);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static void release(direct_writer *d)
{
    give_ring(d->gate, d->ring);
    if (d->direct_fd >= 0)
        close(d->direct_fd);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    atomic_fetch_add(&d->gate->places, 1);
    mem_free(d);
}

static bool start(direct_writer *d, int folder_fd, const char *name)
{
    d->direct_fd = fault_hit() ? -1 : openat(folder_fd, name, O_WRONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
    if (d->direct_fd < 0 && errno == EINVAL)
        atomic_store(&d->gate->unfit, true);
    if (d->direct_fd < 0)
        return false;
    d->ring = take_ring(d->gate);
    return d->ring && !fault_hit() && pthread_create(&d->thread, NULL, write_behind, d) == 0;
}

direct_writer *direct_open(struct direct_gate *g, int folder_fd, const char *name, int fd, uint64_t offset)
{
    if (atomic_load(&g->unfit) || !take_place(g))
        return NULL;
    direct_writer *d = fault_hit() ? NULL : mem_zalloc(1, sizeof(*d));
    if (!d) {
        atomic_fetch_add(&g->places, 1);
        return NULL;
    }
    d->gate = g;
    d->fd = fd;
    d->offset = offset;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    if (start(d, folder_fd, name))
        return d;
    release(d);
    return NULL;
}

static int failed(int e, berth_error *err)
{
    int code = e == ENOSPC || e == EDQUOT ? BERTH_E_NO_SPACE : BERTH_E_IO;
    return berth_error_set(err, code, "writing an object: %s", strerror(e));
}

/* Until fewer than @most full pieces wait. */
static int wait_for(direct_writer *d, uint64_t most, berth_error *err)
{
    pthread_mutex_lock(&d->lock);
    while (d->filled - d->written >= most)
        pthread_cond_wait(&d->changed, &d->lock);
    int e = d->error;
    pthread_mutex_unlock(&d->lock);
    return e ? failed(e, err) : BERTH_OK;
}

static void hand_over(direct_writer *d)
{
    pthread_mutex_lock(&d->lock);
    d->filled++;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    d->n = 0;
}

/* Only the device reads what is copied here, so it goes past the caches, which hold what is hashed next: a
 * GiB in chunks of 16 MiB took 1.03 s instead of 1.11, and 1.10 s of CPU instead of 1.15 (means of 16 pushes
 * each, in turns; without any copy it took 1.00). */
static void copy_past_caches(char *to, const char *from, size_t n)
{
#ifdef __SSE2__
    enum { WORD = sizeof(__m128i), LINE = 4 * WORD };
    if ((uintptr_t)to % WORD == 0) {
        for (; n >= LINE; n -= LINE, to += LINE, from += LINE)
            for (size_t i = 0; i < LINE; i += WORD)
                _mm_stream_si128((__m128i *)(void *)(to + i),
                                 _mm_loadu_si128((const __m128i *)(const void *)(from + i)));
        _mm_sfence(); /* before another thread is told of them */
    }
#endif
    memcpy(to, from, n);
}

int direct_append(direct_writer *d, const void *p, size_t n, berth_error *err)
{
    for (const char *at = p; n;) {
        int r = wait_for(d, PIECES, err);
        if (r != BERTH_OK)
            return r;
        size_t piece = MIN(n, PIECE_BYTES - d->n);
        copy_past_caches(piece_at(d, d->filled) + d->n, at, piece);
        d->n += piece;
        at += piece;
        n -= piece;
        if (d->n == PIECE_BYTES)
            hand_over(d);
    }
    return BERTH_OK;
}

int direct_flush(direct_writer *d, berth_error *err)
{
    int r = wait_for(d, 1, err);
    if (r != BERTH_OK)
        return r;
    /* Less than a piece, and its end need not be that of a block. */
    int e = write_whole(d->fd, piece_at(d, d->filled), d->n, d->offset);
    return e ? failed(e, err) : BERTH_OK;
}

void direct_free(direct_writer *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->closing = true;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    release(d);
}
