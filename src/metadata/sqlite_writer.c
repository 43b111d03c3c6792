/* metadata/sqlite_writer.c - the one thread that writes: group commit.
 *
 * Callers leave an operation on the queue and sleep. The writer takes all that wait, runs them in one
 * transaction, each under a savepoint, commits once (one sync of the log for all), and wakes them: what is
 * acknowledged is durable.
 *
 * Callers that come back at once with their next operation would fall into two halves, each waiting for the
 * other's sync. So the writer waits a moment, a part of what a commit costs, for as many as were there the
 * last time. */
#include "metadata/sqlite_private.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "util/clock.h"
#include "util/fault.h"

/* How long the writer waits for a crowd to come back: this part of an average commit, at most GATHER_MAX_US,
 * and not at all below GATHER_MIN_US, where a commit costs less than the waiting. */
#define GATHER_PART   2
#define GATHER_MIN_US 100
#define GATHER_MAX_US 2000

struct writer_op {
    writer_fn *fn;
    void *arg;
    const char *what;
    struct writer_op *next;
    sem_t done; /* posted once; from then on the operation is its caller's again */
    int result;
    berth_error err;
};

static int commit(struct writer *w, berth_error *err)
{
    int64_t began = clock_mono_us();
    int r = db_run(&w->db, err, "COMMIT", "");
    atomic_fetch_add_explicit(&w->commits, 1, memory_order_release); /* also when it failed: who knows */
    if (r == BERTH_OK) {
        int64_t us = clock_mono_us() - began;
        w->transactions++;
        w->commit_us += (uint64_t)us;
        w->average_us += (us - w->average_us) / 8;
    }
    return r;
}

/* FULL, IOERR and NOMEM may have ended the transaction already. */
static void roll_back(struct writer *w)
{
    if (!sqlite3_get_autocommit(w->db.handle))
        sqlite3_exec(w->db.handle, "ROLLBACK", NULL, NULL, NULL);
}

static void run_alone(struct writer *w, struct writer_op *op)
{
    w->db.what = op->what;
    op->err = (berth_error)BERTH_ERROR_INIT;
    op->result = db_run(&w->db, &op->err, "BEGIN IMMEDIATE", "");
    if (op->result == BERTH_OK)
        op->result = op->fn(&w->db, op->arg, &op->err);
    if (op->result == BERTH_OK && sqlite3_get_autocommit(w->db.handle))
        op->result = berth_error_set(&op->err, BERTH_E_IO, "%s: the transaction was lost", op->what);
    if (op->result == BERTH_OK)
        op->result = commit(w, &op->err);
    if (op->result != BERTH_OK)
        roll_back(w);
}

/* An operation of a transaction that holds several. False: the whole transaction is of no use. So it is after
 * a damaged page, for SQLite takes no more writes in it; and without a savepoint, when an operation failed
 * that had written something. */
static bool run_within(struct writer *w, struct writer_op *op, bool savepoint)
{
    sqlite3 *handle = w->db.handle;
    w->db.what = op->what;
    op->err = (berth_error)BERTH_ERROR_INIT;
    if (savepoint && (op->result = db_run(&w->db, &op->err, "SAVEPOINT op", "")) != BERTH_OK)
        return false;
    sqlite3_int64 changes = sqlite3_total_changes64(handle);
    op->result = op->fn(&w->db, op->arg, &op->err);
    if (sqlite3_get_autocommit(handle) || op->result == BERTH_E_CORRUPT)
        return false;
    if (!savepoint)
        return op->result == BERTH_OK || sqlite3_total_changes64(handle) == changes;
    if (op->result != BERTH_OK && db_run(&w->db, NULL, "ROLLBACK TO op", "") != BERTH_OK)
        return false;
    return db_run(&w->db, NULL, "RELEASE op", "") == BERTH_OK;
}

/* All in one transaction; false: nothing was committed, and they may be tried again. */
static bool run_together(struct writer *w, struct writer_op *ops, bool savepoints)
{
    w->db.what = "starting a transaction";
    bool alive = db_run(&w->db, NULL, "BEGIN IMMEDIATE", "") == BERTH_OK, any = false;
    for (struct writer_op *op = ops; alive && op; op = op->next) {
        alive = run_within(w, op, savepoints);
        any = any || op->result == BERTH_OK;
    }
    if (!alive || !any) {
        roll_back(w);
        return alive;
    }
    berth_error err = BERTH_ERROR_INIT;
    w->db.what = "committing";
    int r = commit(w, &err);
    if (r != BERTH_OK) { /* whether it is in the log nobody knows: acknowledge none, repeat none */
        roll_back(w);
        for (struct writer_op *op = ops; op; op = op->next) {
            op->result = r;
            op->err = err;
        }
    }
    return true;
}

/* First without savepoints: under one SQLite keeps a copy of each page that an operation changes, and most
 * operations succeed, or fail before they write. */
static void run_batch(struct writer *w, struct writer_op *ops)
{
    if (ops->next && (run_together(w, ops, false) || run_together(w, ops, true)))
        return;
    for (struct writer_op *op = ops; op; op = op->next)
        run_alone(w, op);
}

/* Waits until @n operations are on the queue, stopping, or @us have passed. With the lock. */
static void wait_for(struct writer *w, size_t n, int64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + us * 1000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    w->wanted = n;
    while (w->waiting < n && !w->stopping && pthread_cond_timedwait(&w->wake, &w->lock, &until) != ETIMEDOUT)
        ;
}

/* What the next transaction is to hold, in order; NULL: stopping, and nothing is left. With the lock. */
static struct writer_op *take_batch(struct writer *w)
{
    w->wanted = 1;
    while (!w->first && !w->stopping)
        pthread_cond_wait(&w->wake, &w->lock);
    int64_t us = MIN(w->average_us / GATHER_PART, GATHER_MAX_US);
    if (w->waiting < w->crowd && us >= GATHER_MIN_US)
        wait_for(w, w->crowd, us);
    struct writer_op *ops = w->first;
    w->first = NULL;
    w->last = &w->first;
    w->wanted = SIZE_MAX;
    w->crowd = w->waiting;
    w->waiting = 0;
    return ops;
}

static void wake_callers(struct writer *w, struct writer_op *ops)
{
    for (struct writer_op *op = ops, *next; op; op = next) {
        next = op->next;
        if (op->result == BERTH_OK)
            w->operations++;
        else
            w->failures++;
        w->queue--;
        sem_post(&op->done);
    }
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    pthread_mutex_lock(&w->lock);
    for (struct writer_op *ops; (ops = take_batch(w));) {
        pthread_mutex_unlock(&w->lock);
        run_batch(w, ops);
        wake_callers(w, ops);
        log_copy_back(w);
        pthread_mutex_lock(&w->lock);
        w->crowd += w->waiting; /* who came meanwhile would have been in the next batch anyway */
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int writer_start(struct sqlite_meta *m, berth_error *err)
{
    struct writer *w = &m->writer;
    w->last = &w->first;
    int r = copier_start(m, err);
    if (r != BERTH_OK)
        return r;
    int e = fault_hit() ? EAGAIN : pthread_create(&w->thread, NULL, writer_main, w);
    if (e != 0) {
        copier_stop(m);
        return berth_error_set(err, BERTH_E_NOMEM, "starting the metadata writer: %s", strerror(e));
    }
    w->running = true;
    return BERTH_OK;
}

void writer_stop(struct sqlite_meta *m)
{
    struct writer *w = &m->writer;
    if (!w->running)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->running = false;
    copier_stop(m);
}

int writer_run(struct sqlite_meta *m, const char *what, writer_fn *fn, void *arg, berth_error *err)
{
    struct writer *w = &m->writer;
    struct writer_op op = {.fn = fn, .arg = arg, .what = what};
    if (log_is_whole(w, err) != BERTH_OK)
        return BERTH_E_IO;
    sem_init(&op.done, 0, 0);
    pthread_mutex_lock(&w->lock);
    *w->last = &op;
    w->last = &op.next;
    w->queue++;
    bool wake = ++w->waiting == w->wanted;
    pthread_mutex_unlock(&w->lock);
    if (wake)
        pthread_cond_signal(&w->wake);
    while (sem_wait(&op.done) < 0) /* EINTR */
        ;
    sem_destroy(&op.done);
    if (op.result != BERTH_OK && err)
        *err = op.err;
    return op.result;
}
