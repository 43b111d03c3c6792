/* repo/gc.c - the collector: removes what nothing refers to and nobody was promised, while everything else
 * goes on (docs/internals/collector.md).
 *
 * What may go is decided in the metadata, row by row, in small transactions; this file drives the steps,
 * pauses between them so that pushes get their turn, and removes the objects that the metadata has let go of.
 * No transaction is open while the store works. */
#include "repo/repo_private.h"

#include <time.h>

#define STEP_ROWS       200
#define OBJECTS_AT_ONCE 100

/* Between two steps: long enough for waiting pushes to commit, short enough to clear a million rows in
 * minutes. */
static const struct timespec pause_between = {.tv_nsec = 2000000};

static bool stopped(const _Atomic bool *stop)
{
    return stop && atomic_load(stop);
}

static int collect_rows(repo *r, const _Atomic bool *stop, struct repo_gc_result *ret, berth_error *err)
{
    struct meta_gc_step step = {.more = true};
    while (step.more && !stopped(stop)) {
        step = (struct meta_gc_step){0};
        int rc = r->m->ops->gc_step(r->m, STEP_ROWS, &step, err);
        if (rc != BERTH_OK)
            return rc;
        ret->manifests += step.manifests;
        ret->links += step.links;
        ret->blobs += step.blobs;
        ret->uploads += step.uploads;
        ret->repositories += step.repositories;
        ret->waiting_bytes += step.bytes;
        if (step.more)
            nanosleep(&pause_between, NULL);
    }
    ret->next_due = step.next_due;
    return BERTH_OK;
}

void repo__hold_objects(repo *r)
{
    pthread_mutex_lock(&r->removal_lock);
    r->holds++;
    pthread_mutex_unlock(&r->removal_lock);
}

void repo__release_objects(repo *r)
{
    pthread_mutex_lock(&r->removal_lock);
    r->holds--;
    pthread_mutex_unlock(&r->removal_lock);
}

/* One batch; with the lock, so that whoever holds the objects knows that none is being removed. Removal is
 * idempotent and may come late: a crash between the store and the row repeats it. A row goes only when its
 * object is gone durably; the store syncs once for a batch. */
static int remove_batch(repo *r, struct repo_gc_result *ret, bool *ret_more, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct meta_gc_object *due = NULL;
    size_t n = 0;
    *ret_more = false;
    if (r->holds)
        return BERTH_OK;
    int rc = r->m->ops->gc_objects(r->m, OBJECTS_AT_ONCE, &a, &due, &n, err);
    if (rc != BERTH_OK)
        return rc;
    const char *keys[OBJECTS_AT_ONCE], *done[OBJECTS_AT_ONCE];
    bool removed[OBJECTS_AT_ONCE];
    size_t n_done = 0;
    for (size_t i = 0; i < n; i++)
        keys[i] = due[i].key;
    store_remove_all(r->store, keys, n, removed);
    for (size_t i = 0; i < n; i++) {
        if (!removed[i]) {
            rc = r->m->ops->gc_object_failed(r->m, keys[i], err);
            if (rc != BERTH_OK)
                return rc;
            continue;
        }
        done[n_done++] = keys[i];
        ret->objects++;
        ret->bytes += due[i].size;
    }
    *ret_more = n == OBJECTS_AT_ONCE;
    return n_done ? r->m->ops->gc_objects_done(r->m, done, n_done, err) : BERTH_OK;
}

static int remove_objects(repo *r, const _Atomic bool *stop, struct repo_gc_result *ret, berth_error *err)
{
    for (bool more = true; more && !stopped(stop); nanosleep(&pause_between, NULL)) {
        pthread_mutex_lock(&r->removal_lock);
        int rc = remove_batch(r, ret, &more, err);
        pthread_mutex_unlock(&r->removal_lock);
        if (rc != BERTH_OK)
            return rc;
    }
    return BERTH_OK;
}

int repo_gc(repo *r, const _Atomic bool *stop, struct repo_gc_result *ret, berth_error *err)
{
    *ret = (struct repo_gc_result){0};
    if (pthread_mutex_trylock(&r->gc_lock) != 0)
        return berth_error_set(err, BERTH_E_BUSY, "a collection is running already");
    int rc = collect_rows(r, stop, ret, err);
    if (rc == BERTH_OK)
        rc = remove_objects(r, stop, ret, err);
    pthread_mutex_unlock(&r->gc_lock);
    r->collected.runs++;
    r->collected.failures += rc != BERTH_OK;
    r->collected.manifests += ret->manifests;
    r->collected.blobs += ret->blobs;
    r->collected.uploads += ret->uploads;
    r->collected.objects += ret->objects;
    r->collected.bytes += ret->bytes;
    return rc;
}

int repo_gc_preview(repo *r, struct repo_gc_preview *ret, berth_error *err)
{
    struct meta_gc_plan plan = {0};
    int rc = r->m->ops->gc_plan(r->m, &plan, err);
    if (rc == BERTH_OK)
        *ret = (struct repo_gc_preview){
            .manifests = plan.manifests,
            .links = plan.links,
            .blobs = plan.blobs,
            .uploads = plan.uploads,
            .objects = plan.objects,
            .bytes = plan.object_bytes,
            .waiting_bytes = plan.blob_bytes + plan.upload_bytes,
        };
    return rc;
}
