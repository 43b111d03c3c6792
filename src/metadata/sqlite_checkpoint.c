/* metadata/sqlite_checkpoint.c - the pages of the log are copied back into the database: by a thread of its
 * own, while the writer goes on, and the little that came meanwhile by the writer, so that the log can start
 * anew.
 *
 * The more the database holds, the more different pages a commit touches, and the longer the copying takes:
 * done by the writer alone it took from 13 % of its time, with 10,000 tags in a repository, to 30 %, with
 * 100,000 (docs/adr/0037). */
#include "metadata/sqlite_private.h"

#include <errno.h>

#include "util/fault.h"

/* After so many more pages in the log they are copied back, as far as readers let them. The more, the more
 * often a page has been written again meanwhile, and is copied once: 4,000 (16 MiB) pushed 20 to 30 % more
 * small images a second than 1,000, 8,000 no more than that. */
#define FRAMES 4000
/* With no more than this left the writer copies them itself. */
#define FEW_FRAMES 250
/* From here on the writer waits for readers to step aside, so that the log can start anew: briefly, for one
 * that reads long (a check of the whole database) must not stop the pushes; and then not again before as many
 * have come. */
#define MANY_FRAMES     16000
#define RESTART_WAIT_MS 50
#define NO_PASS         (-1)
/* The writer's own sync is short when no more than this was copied since the last one. */
#define MANY_COPIED 1000

static int count_frames(void *arg, sqlite3 *handle, const char *name, int frames)
{
    (void)handle;
    (void)name;
    ((struct copier *)arg)->frames = frames;
    return SQLITE_OK;
}

static void log_is_new(struct copier *c)
{
    c->look_at = FRAMES;
    c->restart_at = MANY_FRAMES;
    c->before = NO_PASS;
    atomic_store(&c->copied, 0);
}

/* --- the thread --- */

static int open_own(struct copier *c, struct sqlite_meta *m, berth_error *err)
{
    int r = db_open(&c->db, m, m->path, SQLITE_OPEN_READWRITE, NULL, err);
    if (r != BERTH_OK)
        return r;
    sqlite3_db_config(c->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    r = db_exec(&c->db, m->temp_dir ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL", err);
    if (r != BERTH_OK)
        db_close(&c->db);
    c->opened = r == BERTH_OK;
    return r;
}

/* A sync that failed says so once, and what it was of may be lost. From then on nothing is copied any more,
 * the log keeps all of it, also when the database is closed, and nothing more is written, for a log that only
 * grows fills the disk in the end. The next start copies it again. */
static void note_failure(struct copier *c, int r)
{
    if (r == SQLITE_IOERR_FSYNC)
        atomic_store(&c->broken, true);
}

/* SQLite syncs the database when the last page is copied, mostly by the writer: for all that was copied here
 * it stood 3 ms with 10,000 tags in a repository and 15 ms with 100,000, a tenth of its time. Where this was
 * the last one it is synced already, and that costs nothing. */
static void sync_copied(struct copier *c)
{
    sqlite3_file *f = NULL;
    if (sqlite3_file_control(c->db.handle, "main", SQLITE_FCNTL_FILE_POINTER, &f) == SQLITE_OK && f->pMethods)
        note_failure(c, f->pMethods->xSync(f, SQLITE_SYNC_NORMAL));
}

/* What fails leaves the log as it is: it is longer the next time. */
static void pass(struct copier *c, struct sqlite_meta *m)
{
    int copied = -1;
    if (!c->opened && open_own(c, m, NULL) != BERTH_OK)
        return;
    int r = sqlite3_wal_checkpoint_v2(c->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &copied);
    note_failure(c, r);
    if (r != SQLITE_OK || copied < 0)
        return;
    if (copied < c->synced) /* the log has begun anew */
        c->synced = 0;
    if (!m->temp_dir && copied - c->synced > MANY_COPIED) {
        sync_copied(c);
        c->synced = copied;
    }
    atomic_store(&c->copied, copied);
}

static void *copier_main(void *arg)
{
    struct sqlite_meta *m = arg;
    struct copier *c = &m->writer.copier;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->asked && !c->stopping)
            pthread_cond_wait(&c->wake, &c->lock);
        if (c->stopping)
            break;
        c->asked = false;
        pthread_mutex_unlock(&c->lock);
        pass(c, m);
        atomic_store(&c->busy, false);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

int copier_start(struct sqlite_meta *m, berth_error *err)
{
    struct copier *c = &m->writer.copier;
    log_is_new(c);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    sqlite3_wal_hook(m->writer.db.handle, count_frames, c); /* instead of SQLite's own checkpoints */
    int e = fault_hit() ? EAGAIN : pthread_create(&c->thread, NULL, copier_main, m);
    c->running = e == 0;
    if (e == 0)
        return BERTH_OK;
    copier_stop(m);
    return berth_error_set(err, BERTH_E_NOMEM, "starting the thread that copies the log back: %s",
                           strerror(e));
}

void copier_stop(struct sqlite_meta *m)
{
    struct copier *c = &m->writer.copier;
    if (c->running) {
        pthread_mutex_lock(&c->lock);
        c->stopping = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
    }
    c->running = false;
    if (atomic_load(&c->broken))
        sqlite3_db_config(m->writer.db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (c->opened)
        db_close(&c->db);
    c->opened = false;
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
}

/* --- the writer --- */

int log_is_whole(const struct writer *w, berth_error *err)
{
    return atomic_load(&w->copier.broken)
               ? berth_error_set(
                     err, BERTH_E_IO,
                     "the disk has failed to keep the database: nothing more is written before the"
                     " server is started again, which brings back all of it from the log")
               : BERTH_OK;
}

static void ask(struct copier *c)
{
    atomic_store(&c->busy, true);
    pthread_mutex_lock(&c->lock);
    c->asked = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

static void restart(struct writer *w)
{
    sqlite3_busy_timeout(w->db.handle, RESTART_WAIT_MS);
    note_failure(&w->copier,
                 sqlite3_wal_checkpoint_v2(w->db.handle, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL));
    sqlite3_busy_timeout(w->db.handle, DB_BUSY_TIMEOUT_MS);
}

void log_copy_back(struct writer *w)
{
    struct copier *c = &w->copier;
    if (atomic_load(&c->busy) || atomic_load(&c->broken))
        return;
    if (c->frames < c->last)
        log_is_new(c);
    c->last = c->frames;
    if (c->frames < c->look_at)
        return;
    int copied = atomic_load(&c->copied);
    if (c->frames < c->restart_at && c->frames - copied > FEW_FRAMES && copied != c->before) {
        c->before = copied;
        ask(c);
        return;
    }
    c->before = NO_PASS; /* it is done but for the rest, or a reader stands in the way */
    c->look_at = c->frames + FRAMES;
    if (c->frames >= c->restart_at) {
        c->restart_at = c->frames + MANY_FRAMES;
        restart(w);
    } else if (c->frames - copied <= FEW_FRAMES) {
        note_failure(c, sqlite3_wal_checkpoint_v2(w->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
    }
}
