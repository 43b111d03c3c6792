/* storage/direct.c - see direct.h. A ring of pieces: append() fills the next one, the thread writes those
 * that are full, as many as lie together. Why it pays: of 1 GiB through the page cache the copy and the
 * cache's own work take 1.1 to 1.5 s of CPU on a virtual machine and the disk is reached at 0.6 GiB/s; past
 * it 0.1 s and 1.4 to 1.9 GiB/s (docs/adr/0032). */
#include "storage/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "util/base.h"
#include "util/fault.h"

#define PLACES 4 /* writers at once: what they hold together is bounded */
/* One piece is filled while others are written, and a disk that pauses for a moment is not felt: with 2 MiB
 * in all, a push of 1 GiB in chunks waited 0.05 to 0.1 s for a place and took 2 % longer. Eight pieces of 512
 * KiB wake the thread twice as often: 0.96 GiB/s instead of 0.99 (30 pushes each, in turns). */
#define PIECES      4
#define PIECE_BYTES MIB
/* On huge pages where the system has them: the device then gets one range of memory instead of 256 pages
 * for each piece, which is 0.1 s of CPU for each GiB, and a third more speed. */
#define RING_BYTES (PIECES * PIECE_BYTES)
#define SLICE_NS   100000 /* the shortest there is */

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

/* A thread that only hands memory to the device must not wait for its turn behind one that hashes: with a
 * short slice the scheduler lets it in when it wakes (since Linux 6.12; where it is unknown or forbidden, as
 * in our systemd unit, all goes on as before). Half of the chunks of 16 MiB had filled the ring, and stood,
 * before the first write was issued, 2 to 3 ms after the first piece was full; now it takes 0.6. */
static void be_let_in(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } a = {0};
    if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) < 0 || a.policy != SCHED_OTHER)
        return;
    a.runtime = SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &a, 0);
}

static void *write_behind(void *arg)
{
    direct_writer *d = arg;
    be_let_in();
    pthread_mutex_lock(&d->lock);
    for (;;) {
        while (d->filled == d->written && !d->closing)
            pthread_cond_wait(&d->changed, &d->lock);
        if (d->closing)
            break;
        const uint64_t count = MIN(d->filled - d->written, PIECES - d->written % PIECES);
        int e = d->error;
        pthread_mutex_unlock(&d->lock);
        if (!e)
            e = write_pieces(d, piece_at(d, d->written), count * PIECE_BYTES, d->offset);
        pthread_mutex_lock(&d->lock);
        if (!d->error)
            d->error = e;
        d->written += count;
        d->offset += count * PIECE_BYTES;
        pthread_mutex_unlock(&d->lock);
        pthread_cond_signal(&d->changed);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static void dispose(direct_writer *d)
{
    free(d->ring);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    mem_free(d);
}

static direct_writer *make_writer(void)
{
    direct_writer *d = fault_hit() ? NULL : mem_zalloc(1, sizeof(*d));
    if (!d)
        return NULL;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    void *ring = NULL;
    if (!fault_hit() && posix_memalign(&ring, RING_BYTES, RING_BYTES) == 0) {
        d->ring = ring;
        (void)madvise(ring, RING_BYTES, MADV_HUGEPAGE); /* the same without */
    }
    if (d->ring && !fault_hit() && pthread_create(&d->thread, NULL, write_behind, d) == 0)
        return d;
    dispose(d);
    return NULL;
}

static void end_writer(direct_writer *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->closing = true;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    dispose(d);
}

void direct_gate_init(struct direct_gate *g)
{
    atomic_init(&g->places, PLACES);
    atomic_init(&g->unfit, false);
    atomic_init(&g->kept, NULL);
}

void direct_gate_done(struct direct_gate *g)
{
    end_writer(atomic_load(&g->kept));
}

static int open_past_cache(struct direct_gate *g, int folder_fd, const char *name)
{
    int fd = fault_hit() ? -1 : openat(folder_fd, name, O_WRONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EINVAL)
        atomic_store(&g->unfit, true);
    return fd;
}

direct_writer *direct_open(struct direct_gate *g, int folder_fd, const char *name, int fd, uint64_t offset)
{
    if (atomic_load(&g->unfit) || !take_place(g))
        return NULL;
    CLEANUP(closep) int direct_fd = open_past_cache(g, folder_fd, name);
    /* One is kept: for a chunk of 16 MiB the page faults of a fresh ring are a tenth of its time. */
    direct_writer *d = direct_fd < 0 ? NULL : atomic_exchange(&g->kept, NULL);
    if (direct_fd >= 0 && !d)
        d = make_writer();
    if (!d) {
        atomic_fetch_add(&g->places, 1);
        return NULL;
    }
    pthread_mutex_lock(&d->lock);
    d->gate = g;
    d->fd = fd;
    d->direct_fd = steal_fd(&direct_fd);
    d->offset = offset;
    d->filled = d->written = d->n = 0;
    d->error = 0;
    pthread_mutex_unlock(&d->lock);
    return d;
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
    pthread_mutex_unlock(&d->lock);
    pthread_cond_signal(&d->changed); /* let in at once, it must find the lock free */
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
    if (!d->error)
        d->error = ECANCELED; /* what waits is not written */
    while (d->filled != d->written)
        pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);
    close(d->direct_fd);
    struct direct_gate *g = d->gate;
    end_writer(atomic_exchange(&g->kept, d));
    atomic_fetch_add(&g->places, 1);
}
