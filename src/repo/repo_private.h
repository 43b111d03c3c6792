/* repo/repo_private.h - what the files of this room share. */
#ifndef REPO_REPO_PRIVATE_H
#define REPO_REPO_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "metadata/meta.h"
#include "repo/repo.h"
#include "repo/session_id.h"
#include "storage/store.h"
#include "util/publish.h"

struct repo {
    meta *m;
    blob_store *store;
    berth_publisher policy; /* of struct repo_policy */
    struct session_ids ids;
    _Atomic bool read_only; /* switched while it runs */
    /* Some object of a session may exist that its row does not tell of: recording it failed, or removing it.
     * From then on, until the restart that has every open session marked, a session that ends in the database
     * hands its key to the collector. */
    _Atomic bool uncounted;
    struct { /* since start, for /metrics */
        atomic_ullong runs, failures, manifests, blobs, uploads, objects, bytes;
    } collected;
    pthread_mutex_t gc_lock;      /* one collection at a time */
    pthread_mutex_t removal_lock; /* while objects are removed; guards @holds */
    unsigned holds; /* backups under way: no object is removed. A process's own, and so gone with it */
};

/* BERTH_OK, or UNSUPPORTED with the reason: read-only. */
int repo__may_write(repo *r, berth_error *err);
/* The same for deletion, which has its own switch. */
int repo__may_delete(repo *r, berth_error *err);
/* Between these no object leaves the store: those of a snapshot stay while it is copied. */
void repo__hold_objects(repo *r);
void repo__release_objects(repo *r);
/* What @man says of itself and of others goes into @put, as views on @man; @put->repo is given. */
int repo__describe_manifest(meta *m, const struct repo_policy *p, const oci_manifest *man, berth_arena *a,
                            struct meta_manifest_put *put, berth_error *err);
/* BERTH_E_NO_SPACE when @more bytes would leave less than the reserve. */
int repo__has_space(repo *r, uint64_t more, berth_error *err);

#endif
