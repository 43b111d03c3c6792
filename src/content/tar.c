/* content/tar.c - the reader; see tar.h. libarchive asks for the next piece when it wants one, and ours come
 * when they come: so it has a thread of its own, and of the two only one runs at a time. Decompression is
 * done before, by util/compress.c: here libarchive is told of no format but tar. */
#include "content/tar.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include "content/tar_library.h"
#include "util/fault.h"

#define PIECE (256 * KIB) /* smaller ones are collected: each costs two changes of the thread */

struct tar_reader {
    const struct tar_events *events;
    void *arg;
    pthread_t thread;
    sem_t given, taken; /* a piece is there; another is wanted, or the end has come */
    size_t n;           /* bytes in @piece */
    bool ended;         /* nothing follows it */
    bool over;          /* the thread has come to its end, with: */
    int result;
    berth_error err;
    unsigned char piece[PIECE];
};

static int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int corrupt(berth_error *err, const char *why)
{
    return berth_error_set(err, BERTH_E_CORRUPT, "it is no valid tar archive: %s", why);
}

/* What libarchive has to complain of. */
static int failed(struct tar_reader *t, struct archive *a)
{
    const char *why = libarchive.archive_error_string(a);
    return libarchive.archive_errno(a) == ENOMEM ? no_memory(&t->err)
                                                 : corrupt(&t->err, why ? why : "it is damaged");
}

/* --- the thread --- */

static void await(sem_t *s)
{
    while (sem_wait(s) < 0 && errno == EINTR)
        ;
}

static la_ssize_t next_piece(struct archive *a, void *arg, const void **ret)
{
    struct tar_reader *t = arg;
    (void)a;
    if (t->ended)
        return 0;
    sem_post(&t->taken);
    await(&t->given);
    *ret = t->piece;
    return (la_ssize_t)t->n;
}

static enum tar_type type_of(struct archive_entry *e)
{
    if (libarchive.archive_entry_hardlink(e))
        return TAR_HARDLINK;
    switch (libarchive.archive_entry_filetype(e)) {
    case AE_IFREG:
        return TAR_FILE;
    case AE_IFDIR:
        return TAR_FOLDER;
    case AE_IFLNK:
        return TAR_SYMLINK;
    default:
        return TAR_OTHER;
    }
}

static int take_data(struct tar_reader *t, struct archive *a, uint64_t size)
{
    const void *p;
    size_t n;
    la_int64_t at;
    uint64_t done = 0;
    int la, r = BERTH_OK;
    while (r == BERTH_OK && (la = libarchive.archive_read_data_block(a, &p, &n, &at)) != ARCHIVE_EOF) {
        if (la != ARCHIVE_OK)
            return failed(t, a);
        if ((uint64_t)at != done || n > size - done) /* sparse, and it did not say so */
            return corrupt(&t->err, "a file has another size than it says");
        if (n)
            r = t->events->data(t->arg, p, n, &t->err);
        done += n;
    }
    return r == BERTH_OK && done != size ? corrupt(&t->err, "a file has another size than it says") : r;
}

static int take_entry(struct tar_reader *t, struct archive *a, struct archive_entry *e)
{
    struct tar_entry out = {.type = type_of(e)};
    int64_t size =
        out.type == TAR_FILE ? libarchive.archive_entry_size(e) : 0; /* links may have that of a file */
    const char *path = libarchive.archive_entry_pathname(e);
    const char *link =
        out.type == TAR_HARDLINK ? libarchive.archive_entry_hardlink(e) : libarchive.archive_entry_symlink(e);
    if (size < 0)
        return corrupt(&t->err, "a file has a size that is none");
    if (libarchive.archive_entry_sparse_count(e))
        return berth_error_set(&t->err, BERTH_E_UNSUPPORTED, "the tar archive has sparse files");
    out.path = path ? path : "";
    out.link = link ? link : "";
    out.size = (uint64_t)size;
    out.mtime = libarchive.archive_entry_mtime(e);
    out.mode = libarchive.archive_entry_perm(e) & 07777;
    int r = t->events->entry(t->arg, &out, &t->err);
    if (r == BERTH_OK && out.type == TAR_FILE)
        r = take_data(t, a, out.size);
    return r == BERTH_OK && t->events->end ? t->events->end(t->arg, &t->err) : r;
}

static int read_all(struct tar_reader *t, struct archive *a)
{
    struct archive_entry *e;
    int r = BERTH_OK, la = libarchive.archive_read_support_format_tar(a);
    if (la == ARCHIVE_OK)
        la = libarchive.archive_read_support_format_empty(a);
    if (la == ARCHIVE_OK)
        la = libarchive.archive_read_open(a, t, NULL, next_piece, NULL);
    while (la == ARCHIVE_OK && r == BERTH_OK &&
           (la = libarchive.archive_read_next_header(a, &e)) != ARCHIVE_EOF) {
        /* A name that is not of this locale is no harm: it stays as it stands there. */
        if (la == ARCHIVE_WARN && libarchive.archive_errno(a) == EILSEQ)
            la = ARCHIVE_OK;
        if (la == ARCHIVE_OK)
            r = take_entry(t, a, e);
    }
    return la == ARCHIVE_OK || la == ARCHIVE_EOF ? r : failed(t, a);
}

static void *run(void *arg)
{
    struct tar_reader *t = arg;
    struct archive *a = fault_hit() ? NULL : libarchive.archive_read_new();
    t->result = a ? read_all(t, a) : no_memory(&t->err);
    libarchive.archive_read_free(a);
    t->over = true;
    sem_post(&t->taken);
    return NULL;
}

/* --- its caller --- */

int tar_reader_new(const struct tar_events *events, void *arg, struct tar_reader **ret, berth_error *err)
{
    int r = tar_library_load(err);
    if (r != BERTH_OK)
        return r;
    struct tar_reader *t = fault_hit() ? NULL : mem_zalloc(1, sizeof(*t));
    if (!t)
        return no_memory(err);
    t->events = events;
    t->arg = arg;
    sem_init(&t->given, 0, 0);
    sem_init(&t->taken, 0, 0);
    if (fault_hit() || pthread_create(&t->thread, NULL, run, t) != 0) {
        mem_free(t);
        return no_memory(err);
    }
    await(&t->taken);
    *ret = t;
    return BERTH_OK;
}

static int give(struct tar_reader *t, berth_error *err)
{
    if (!t->over) {
        sem_post(&t->given);
        await(&t->taken);
    }
    t->n = 0;
    return t->result == BERTH_OK ? BERTH_OK : berth_error_set(err, t->result, "%s", t->err.message);
}

void tar_reader_free(struct tar_reader *t)
{
    if (!t)
        return;
    t->ended = true;
    t->n = 0;
    give(t, NULL);
    pthread_join(t->thread, NULL);
    sem_destroy(&t->given);
    sem_destroy(&t->taken);
    mem_free(t);
}

int tar_reader_write(struct tar_reader *t, const void *p, size_t n, berth_error *err)
{
    const unsigned char *at = p;
    int r = BERTH_OK;
    while (n && r == BERTH_OK) {
        size_t take = MIN(n, PIECE - t->n);
        memcpy(t->piece + t->n, at, take);
        t->n += take;
        at += take;
        n -= take;
        if (t->n == PIECE || t->over)
            r = give(t, err);
    }
    return r;
}

int tar_reader_end(struct tar_reader *t, berth_error *err)
{
    t->ended = true;
    return give(t, err);
}
