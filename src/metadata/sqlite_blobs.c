/* metadata/sqlite_blobs.c - blobs and the links that make them visible in repositories. */
#include "metadata/sqlite_private.h"

/* Repositories of which a mount without a source asks whether they may be read. Beyond that the client
 * uploads. */
#define MOUNT_CANDIDATES 1000

/* Whether a promise on the link in alias l needs a longer lease: no edge and less than G left. @n is now + G;
 * with @blind it counts as without edge, for one is not looked for. */
#define LINK_LEASE_DUE(n, blind)                                                                             \
    "CASE WHEN l.lease_until>=" n " THEN 0 WHEN " blind " THEN 1 ELSE NOT EXISTS(SELECT 1 FROM"              \
    " manifest_blobs e WHERE e.repo_id=l.repo_id AND e.digest=l.digest) END"

static int blob_unknown(const char *digest, berth_error *err)
{
    return berth_error_set_oci(err, BERTH_E_NOT_FOUND, "BLOB_UNKNOWN",
                               "blob %s is not known to the repository", digest);
}

/* --- parts of transactions --- */

int object_discard(struct db *db, const char *key, uint64_t size, int64_t now, berth_error *err)
{
    return db_run(db, err, "INSERT INTO gc_objects(object_key, size, delete_after) VALUES(?1, ?2, ?3)", "zii",
                  key, (int64_t)size, now + db->m->times.drain_ms);
}

int blob_insert(struct db *db, const char *digest, uint64_t size, const char *key, berth_str body,
                bool *ret_kept, berth_error *err)
{
    int r = db_run(db, err,
                   "INSERT INTO blobs(digest, size, object_key, created_at) VALUES(?1, ?2, ?3, ?4)"
                   " ON CONFLICT(digest) DO NOTHING",
                   "ziZi", digest, (int64_t)size, key, sqlite_now(db->m));
    if (r != BERTH_OK)
        return r;
    *ret_kept = db_changes(db) == 1;
    if (*ret_kept && !*key)
        r = db_run(db, err, "INSERT INTO blob_bodies(digest, body) VALUES(?1, ?2)", "zb", digest, body);
    return r;
}

int blob_link(struct db *db, int64_t repo_id, const char *digest, int64_t now, berth_error *err)
{
    int64_t lease = now + 2 * db->m->times.grace_ms, missing;
    int r = db_run(
        db, err,
        "INSERT INTO repo_blobs(repo_id, digest, lease_until, review_at) VALUES(?1, ?2, ?3, ?3)"
        " ON CONFLICT(repo_id, digest) DO UPDATE SET lease_until=max(lease_until, excluded.lease_until),"
        " review_at=coalesce(review_at, excluded.review_at)",
        "izi", repo_id, digest, lease);
    if (r != BERTH_OK)
        return r;
    r = db_int(db, &missing, err,
               "SELECT 1 FROM manifest_missing WHERE repo_id=?1 AND digest=?2 AND kind=?3 LIMIT 1", "izi",
               repo_id, digest, (int64_t)META_MISSING_BLOB);
    if (r <= 0)
        return r;
    r = db_run(db, err,
               "INSERT INTO manifest_blobs(manifest_id, repo_id, digest) SELECT manifest_id, repo_id, digest"
               " FROM manifest_missing WHERE repo_id=?1 AND digest=?2 AND kind=?3 ON CONFLICT DO NOTHING",
               "izi", repo_id, digest, (int64_t)META_MISSING_BLOB);
    if (r == BERTH_OK)
        r = db_run(db, err, "DELETE FROM manifest_missing WHERE repo_id=?1 AND digest=?2 AND kind=?3", "izi",
                   repo_id, digest, (int64_t)META_MISSING_BLOB);
    return r;
}

/* --- reading --- */

static int link_start(struct db *db, sqlite3_stmt **ret, berth_str repo, const char *digest, int64_t due,
                      bool with_body, bool blind, berth_error *err)
{
    if (with_body)
        return db_start(
            db, ret, err,
            "SELECT b.size, b.object_key, " LINK_LEASE_DUE(
                "?3",
                "?4") ", l.lease_until, i.body FROM repositories r"
                      " CROSS JOIN repo_blobs l ON l.repo_id=r.id AND l.digest=?2"
                      " CROSS JOIN blobs b ON b.digest=l.digest LEFT JOIN blob_bodies i ON i.digest=b.digest"
                      " WHERE r.name=?1 AND r.state=0",
            "szii", repo, digest, due, (int64_t)blind);
    return db_start(db, ret, err,
                    "SELECT b.size, b.object_key, " LINK_LEASE_DUE(
                        "?3", "?4") ", l.lease_until FROM repositories r"
                                    " CROSS JOIN repo_blobs l ON l.repo_id=r.id AND l.digest=?2"
                                    " CROSS JOIN blobs b ON b.digest=l.digest WHERE r.name=?1 AND r.state=0",
                    "szii", repo, digest, due, (int64_t)blind);
}

static int read_link(struct db *db, berth_str repo, const berth_digest *d, bool with_body, bool blind,
                     berth_arena *a, struct meta_blob *ret, int64_t *ret_until, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int64_t due = lease_due_before(db->m);
    int r = link_start(db, &st, repo, d->text, due, with_body, blind, err);
    if (r != BERTH_OK || (r = db_step(db, st, err)) < 0)
        return r;
    if (r == 0) {
        int64_t id;
        r = repo_find(db, repo, &id, err);
        return r == BERTH_OK ? blob_unknown(d->text, err) : r;
    }
    struct meta_blob b = {.size = (uint64_t)sqlite3_column_int64(st, 0),
                          .lease_due = sqlite3_column_int(st, 2)};
    db_key(st, 1, b.key);
    if (with_body && !b.key[0] && (r = db_copy(db, st, 4, a, &b.body, err)) != BERTH_OK)
        return r;
    *ret_until = recent_until(db, due, sqlite3_column_int64(st, 3));
    *ret = b;
    return BERTH_OK;
}

static bool blob_from(const struct recent_answer *known, bool with_body, berth_arena *a,
                      struct meta_blob *ret)
{
    struct meta_blob b = {.size = known->size};
    memcpy(b.key, known->text.p, known->text.n);
    if (with_body && !b.key[0] && !(b.body = berth_arena_str(a, known->body)).p)
        return false; /* no memory: the database says so, too */
    *ret = b;
    return true;
}

int sqlite_blob_get(meta *base, berth_str repo, const berth_digest *d, bool with_body, berth_arena *a,
                    struct meta_blob *ret, berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "looking for a blob", &db, err);
    if (r != BERTH_OK)
        return r;
    const uint64_t commits = recent_commits(db);
    const struct recent_answer *known = recent_find(db, RECENT_BLOB, repo, digest_str(d), with_body);
    if (known && blob_from(known, with_body, a, ret))
        return BERTH_OK;
    int64_t until = 0;
    struct meta_blob b;
    r = read_link(db, repo, d, with_body, false, a, &b, &until, err);
    /* The damage may lie where edges stand, and the blob does not: a lease too many does no harm. */
    if (r == BERTH_E_CORRUPT)
        r = read_link(db, repo, d, with_body, true, a, &b, &until, err);
    if (r != BERTH_OK)
        return r;
    if (!b.lease_due)
        recent_keep(db, commits, RECENT_BLOB, repo, digest_str(d),
                    &(struct recent_answer){.until = until,
                                            .with_body = with_body,
                                            .size = b.size,
                                            .text = str_from(b.key),
                                            .body = b.body});
    *ret = b;
    return BERTH_OK;
}

/* --- leases and mounts --- */

struct blob_lease {
    berth_str repo;
    const berth_digest *digest;
};

/* Whether an edge holds the link was asked before; a lease too many does no harm. */
static int blob_lease(struct db *db, void *arg, berth_error *err)
{
    const struct blob_lease *op = arg;
    int64_t repo_id, due, grace = db->m->times.grace_ms, now = sqlite_now(db->m);
    int r = repo_find(db, op->repo, &repo_id, err);
    if (r != BERTH_OK)
        return r;
    r = db_int(db, &due, err, "SELECT lease_until<?3 FROM repo_blobs WHERE repo_id=?1 AND digest=?2", "izi",
               repo_id, op->digest->text, now + grace);
    if (r <= 0)
        return r < 0 ? r : blob_unknown(op->digest->text, err);
    if (!due)
        return BERTH_OK;
    return db_run(db, err,
                  "UPDATE repo_blobs SET lease_until=?3, review_at=coalesce(review_at, ?3)"
                  " WHERE repo_id=?1 AND digest=?2",
                  "izi", repo_id, op->digest->text, now + 2 * grace);
}

int sqlite_blob_lease(meta *base, berth_str repo, const berth_digest *d, berth_error *err)
{
    struct blob_lease op = {repo, d};
    return writer_run(sqlite_of(base), "prolonging the lease of a blob", blob_lease, &op, err);
}

struct blob_mount {
    berth_str repo, from;
    bool create_repo;
    const berth_digest *digest;
    bool (*may_read)(void *arg, berth_str repo);
    void *arg;
};

static bool linked(struct db *db, int64_t repo_id, const char *digest, int *ret_r, berth_error *err)
{
    int64_t one;
    *ret_r = db_int(db, &one, err, "SELECT 1 FROM repo_blobs WHERE repo_id=?1 AND digest=?2", "iz", repo_id,
                    digest);
    return *ret_r > 0;
}

/* 1: some repository that links the blob may be read. */
static int find_source(struct db *db, const struct blob_mount *op, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r =
        db_start(db, &st, err,
                 "SELECT r.name FROM repo_blobs l CROSS JOIN repositories r ON r.id=l.repo_id AND r.state=0"
                 " WHERE l.digest=?1 LIMIT ?2",
                 "zi", op->digest->text, (int64_t)MOUNT_CANDIDATES);
    if (r != BERTH_OK)
        return r;
    while ((r = db_step(db, st, err)) > 0)
        if (!op->may_read || op->may_read(op->arg, db_text(st, 0)))
            return 1;
    return r;
}

static int blob_mount(struct db *db, void *arg, berth_error *err)
{
    const struct blob_mount *op = arg;
    int64_t from_id, repo_id;
    int r = 0;
    if (op->from.n) {
        r = repo_find(db, op->from, &from_id, err);
        if (r != BERTH_OK)
            return r;
        linked(db, from_id, op->digest->text, &r, err);
    } else {
        if (repo_find(db, op->repo, &repo_id, NULL) == BERTH_OK) /* what it has already, it may have */
            linked(db, repo_id, op->digest->text, &r, err);
        if (r == 0)
            r = find_source(db, op, err);
    }
    if (r <= 0)
        return r < 0 ? r : blob_unknown(op->digest->text, err);
    r = repo_ensure(db, op->repo, op->create_repo, &repo_id, err);
    return r == BERTH_OK ? blob_link(db, repo_id, op->digest->text, sqlite_now(db->m), err) : r;
}

int sqlite_blob_mount(meta *base, berth_str repo, bool create_repo, berth_str from, const berth_digest *d,
                      bool (*may_read)(void *arg, berth_str repo), void *arg, berth_error *err)
{
    struct blob_mount op = {repo, from, create_repo, d, may_read, arg};
    return writer_run(sqlite_of(base), "mounting a blob", blob_mount, &op, err);
}

/* --- small blobs --- */

struct blob_put {
    berth_str repo, body;
    bool create_repo;
    const berth_digest *digest;
};

static int blob_put(struct db *db, void *arg, berth_error *err)
{
    const struct blob_put *op = arg;
    int64_t repo_id;
    bool kept;
    int r = repo_ensure(db, op->repo, op->create_repo, &repo_id, err);
    if (r == BERTH_OK)
        r = blob_insert(db, op->digest->text, op->body.n, "", op->body, &kept, err);
    return r == BERTH_OK ? blob_link(db, repo_id, op->digest->text, sqlite_now(db->m), err) : r;
}

int sqlite_blob_put(meta *base, berth_str repo, bool create_repo, const berth_digest *d, berth_str body,
                    berth_error *err)
{
    struct blob_put op = {repo, body, create_repo, d};
    return writer_run(sqlite_of(base), "storing a small blob", blob_put, &op, err);
}

/* --- deletion --- */

struct blob_delete {
    berth_str repo;
    const berth_digest *digest;
    berth_arena *a;
    struct oci_list referrers;
};

static int list_referrers(struct db *db, int64_t repo_id, struct blob_delete *op, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r = db_start(db, &st, err,
                     "SELECT m.digest FROM manifest_blobs e CROSS JOIN manifests m ON m.id=e.manifest_id"
                     " WHERE e.repo_id=?1 AND e.digest=?2 LIMIT 11",
                     "iz", repo_id, op->digest->text);
    if (r != BERTH_OK)
        return r;
    struct list_builder l = {0};
    bool more = false;
    while ((r = db_step(db, st, err)) > 0 && !more) {
        more = l.n == 10;
        if (!more && (r = list_add(db, &l, op->a, db_text(st, 0), err)) != BERTH_OK)
            return r;
    }
    op->referrers = (struct oci_list){l.items, l.n, more};
    return r;
}

static int blob_delete(struct db *db, void *arg, berth_error *err)
{
    struct blob_delete *op = arg;
    int64_t repo_id, now = sqlite_now(db->m);
    op->referrers = (struct oci_list){0};
    int r = repo_find(db, op->repo, &repo_id, err);
    if (r != BERTH_OK)
        return r;
    if (!linked(db, repo_id, op->digest->text, &r, err))
        return r < 0 ? r : blob_unknown(op->digest->text, err);
    r = list_referrers(db, repo_id, op, err);
    if (r < 0)
        return r;
    if (op->referrers.n)
        return berth_error_set_oci(err, BERTH_E_CONFLICT, "DENIED",
                                   "manifests refer to blob %s: delete those first", op->digest->text);
    r = db_run(db, err, "DELETE FROM repo_blobs WHERE repo_id=?1 AND digest=?2", "iz", repo_id,
               op->digest->text);
    if (r == BERTH_OK)
        r = db_run(db, err, "UPDATE blobs SET review_at=?2 WHERE digest=?1", "zi", op->digest->text, now);
    return r == BERTH_OK ? repo_review(db, repo_id, now, err) : r;
}

int sqlite_blob_delete(meta *base, berth_str repo, const berth_digest *d, berth_arena *a,
                       struct oci_list *ret_referrers, berth_error *err)
{
    struct blob_delete op = {.repo = repo, .digest = d, .a = a};
    int r = writer_run(sqlite_of(base), "deleting a blob", blob_delete, &op, err);
    if (r == BERTH_E_CONFLICT && ret_referrers)
        *ret_referrers = op.referrers;
    return r;
}
