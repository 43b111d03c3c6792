/* storage/direct.c - see direct.h. A ring of buffers: append() fills the next one, the thread writes the
 * oldest full one. Why it pays: of 1 GiB through the page cache the copy and the cache's own work take 1.1 to
 * 1.5 s of CPU on a virtual machine and the disk is reached at 0.6 GiB/s; past it 0.1 s and 1.4 to 1.9 GiB/s
 * (docs/adr/0032). */
#include "storage/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/base.h"
#include "util/fault.h"

#define PLACES       4 /* writers at once: what they hold together is bounded */
#define BUFFERS      4 /* one is filled, one written, two for a writer that falls behind */
#define BUFFER_BYTES (512 * KIB)

struct direct_writer {
    struct direct_gate *gate;
    int fd, direct_fd; /* the same file; fd is lent */
    char *buffers[BUFFERS];
    size_t n; /* bytes in the buffer that is being filled; the appending thread's own */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t filled, written; /* whole buffers: handed to the thread, and done with */
    uint64_t offset;          /* of the first buffer not written */
    int error;                /* errno of the first write that failed; nothing is written after it */
    bool closing;
};

void direct_gate_init(struct direct_gate *g)
{
    atomic_init(&g->places, PLACES);
    atomic_init(&g->unfit, false);
    for (size_t i = 0; i < DIRECT_KEPT; i++)
        atomic_init(&g->kept[i], NULL);
}

void direct_gate_done(struct direct_gate *g)
{
    for (size_t i = 0; i < DIRECT_KEPT; i++)
        free(atomic_load(&g->kept[i]));
}

/* A few buffers are kept: for a chunk of 16 MiB, fresh ones would cost a tenth of its time in page faults. */
static void *take_buffer(struct direct_gate *g)
{
    for (size_t i = 0; i < DIRECT_KEPT; i++) {
        void *p = atomic_exchange(&g->kept[i], NULL);
        if (p)
            return p;
    }
    void *p = NULL;
    return fault_hit() || posix_memalign(&p, DIRECT_BLOCK, BUFFER_BYTES) != 0 ? NULL : p;
}

static void give_buffer(struct direct_gate *g, void *p)
{
    for (size_t i = 0; p && i < DIRECT_KEPT; i++)
        p = atomic_exchange(&g->kept[i], p);
    free(p);
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
        ssize_t r = fault_hit() ? (errno = EIO, -1) : pwrite(fd, p, n, (off_t)offset);
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

static int write_buffer(direct_writer *d, const char *p, uint64_t offset)
{
    int e = atomic_load(&d->gate->unfit) ? EINVAL : write_whole(d->direct_fd, p, BUFFER_BYTES, offset);
    if (e != EINVAL)
        return e;
    /* What open() promised, this file system or device does not do, or not in these blocks. */
    atomic_store(&d->gate->unfit, true);
    return write_whole(d->fd, p, BUFFER_BYTES, offset);
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
        const char *p = d->buffers[d->written % BUFFERS];
        int e = d->error;
        pthread_mutex_unlock(&d->lock);
        if (!e)
            e = write_buffer(d, p, d->offset);
        pthread_mutex_lock(&d->lock);
        d->error = e;
        d->written++;
        d->offset += BUFFER_BYTES;
        pthread_cond_signal(&d->changed);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static void release(direct_writer *d)
{
    for (size_t i = 0; i < BUFFERS; i++)
        give_buffer(d->gate, d->buffers[i]);
    if (d->direct_fd >= 0)
        close(d->direct_fd);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    atomic_fetch_add(&d->gate->places, 1);
    free(d);
}

static bool start(direct_writer *d, int folder_fd, const char *name)
{
    d->direct_fd = fault_hit() ? -1 : openat(folder_fd, name, O_WRONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
    if (d->direct_fd < 0 && errno == EINVAL)
        atomic_store(&d->gate->unfit, true);
    if (d->direct_fd < 0)
        return false;
    for (size_t i = 0; i < BUFFERS; i++) {
        d->buffers[i] = take_buffer(d->gate);
        if (!d->buffers[i])
            return false;
    }
    return !fault_hit() && pthread_create(&d->thread, NULL, write_behind, d) == 0;
}

direct_writer *direct_open(struct direct_gate *g, int folder_fd, const char *name, int fd, uint64_t offset)
{
    if (atomic_load(&g->unfit) || !take_place(g))
        return NULL;
    direct_writer *d = fault_hit() ? NULL : calloc(1, sizeof(*d));
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

/* Until fewer than @most full buffers wait. */
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

int direct_append(direct_writer *d, const void *p, size_t n, berth_error *err)
{
    for (const char *at = p; n;) {
        int r = wait_for(d, BUFFERS, err);
        if (r != BERTH_OK)
            return r;
        size_t piece = MIN(n, BUFFER_BYTES - d->n);
        memcpy(d->buffers[d->filled % BUFFERS] + d->n, at, piece);
        d->n += piece;
        at += piece;
        n -= piece;
        if (d->n == BUFFER_BYTES)
            hand_over(d);
    }
    return BERTH_OK;
}

int direct_flush(direct_writer *d, berth_error *err)
{
    int r = wait_for(d, 1, err);
    if (r != BERTH_OK)
        return r;
    /* Less than a buffer, and its end need not be that of a block. */
    int e = write_whole(d->fd, d->buffers[d->filled % BUFFERS], d->n, d->offset);
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
