/* metadata/sqlite_gc.c - the collector's steps (docs/internals/collector.md).
 *
 * A row is looked at when its review_at comes. What still has an edge stops being reviewed - whoever takes
 * the edge sets a review again, in the same transaction - what has a lease is looked at when that ends, the
 * rest goes. A key enters gc_objects only in the transaction that takes it from blobs or uploads. */
#include "metadata/sqlite_private.h"

#include "util/clock.h"

#define HOUR_MS   ((int64_t)3600 * 1000)
#define MINUTE_MS ((int64_t)60 * 1000)

/* The manifest in alias m lost its subject. */
#define MANIFEST_LOST                                                                                        \
    "EXISTS(SELECT 1 FROM manifest_missing x WHERE x.manifest_id=m.id AND x.repo_id=m.repo_id AND "          \
    "x.kind=3)"
_Static_assert(META_LOST_SUBJECT == 3, "stands in the text above");

/* --- one step --- */

/* By a clock that was moved a lease may look over that is not. */
static int check_clock(struct sqlite_meta *m, berth_error *err)
{
    int64_t pause = sqlite_clock_pause(m);
    if (pause == 0)
        return BERTH_OK;
    return berth_error_set(
        err, BERTH_E_BUSY,
        "the clock was moved by more than an hour: collection pauses for %lld minutes more,"
        " until every promise made before has ended",
        (long long)(pause / MINUTE_MS + 1));
}

struct gc_row {
    int64_t repo_id;
    berth_str id, key; /* digest or session; object key */
    int64_t lease, size;
    bool held, lost;
};

struct gc_step {
    size_t rows;
    struct meta_gc_step *ret;
    int64_t now;
    size_t left;       /* of @rows */
    berth_arena arena; /* of one batch of rows */
    bool skipped;      /* a session is over, but held */
};

/* The rows of a statement whose columns are repo_id, id, key, lease, size, held, lost: read whole before the
 * first of them is changed. */
static int read_rows(struct db *db, struct gc_step *op, sqlite3_stmt *st, struct gc_row **ret, size_t *ret_n,
                     berth_error *err)
{
    struct gc_row *rows = NULL;
    size_t n = 0, cap = 0;
    int r;
    while ((r = db_step(db, st, err)) > 0) {
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            struct gc_row *more = berth_arena_alloc(&op->arena, cap * sizeof(*more));
            if (!more)
                return db_nomem(db, err);
            if (n)
                memcpy(more, rows, n * sizeof(*more));
            rows = more;
        }
        struct gc_row *row = &rows[n++];
        *row = (struct gc_row){.repo_id = sqlite3_column_int64(st, 0),
                               .lease = sqlite3_column_int64(st, 3),
                               .size = sqlite3_column_int64(st, 4),
                               .held = sqlite3_column_int(st, 5),
                               .lost = sqlite3_column_int(st, 6)};
        r = db_copy(db, st, 1, &op->arena, &row->id, err);
        if (r == BERTH_OK)
            r = db_copy(db, st, 2, &op->arena, &row->key, err);
        if (r != BERTH_OK)
            return r;
    }
    *ret = rows;
    *ret_n = n;
    return r;
}

static void spend(struct gc_step *op, size_t n)
{
    op->left -= MIN(op->left, n);
}

static int step_uploads(struct db *db, struct gc_step *op, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    struct gc_row *rows;
    size_t n;
    int64_t held = 0;
    pthread_mutex_lock(&db->m->claims_lock); /* so many may stand in front of what can be collected */
    held = db->m->claims_n;
    pthread_mutex_unlock(&db->m->claims_lock);
    int r = db_start(db, &st, err,
                     "SELECT repo_id, id, object_key, 0, size, 0, 0 FROM uploads WHERE expires_at<=?1"
                     " ORDER BY expires_at LIMIT ?2",
                     "ii", op->now, (int64_t)op->left + held);
    if (r == BERTH_OK)
        r = read_rows(db, op, st, &rows, &n, err);
    for (size_t i = 0; r == BERTH_OK && op->left && i < n; i++) {
        if (claim_held(db->m, rows[i].id)) {
            op->skipped = true;
            continue;
        }
        r = db_run(db, err, "DELETE FROM uploads WHERE id=?1", "s", rows[i].id);
        if (r == BERTH_OK)
            r = object_discard(db, rows[i].key.p, (uint64_t)rows[i].size, op->now, err);
        if (r == BERTH_OK)
            r = repo_review(db, rows[i].repo_id, op->now, err);
        op->ret->uploads++;
        op->ret->bytes += (uint64_t)rows[i].size;
        spend(op, 1);
    }
    return r;
}

/* Deleted subjects with many referrers; one that came back has them again. */
static int step_subjects(struct db *db, struct gc_step *op, berth_error *err)
{
    while (op->left) {
        int64_t repo_id;
        berth_str subject, after_type, after_digest;
        bool back;
        size_t n;
        {
            CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
            int r =
                db_start(db, &st, err,
                         "SELECT repo_id, digest, after_type, after_digest, EXISTS(SELECT 1 FROM manifests m"
                         " WHERE m.repo_id=l.repo_id AND m.digest=l.digest) FROM lost_subjects l"
                         " WHERE repo_id>0 LIMIT 1",
                         "");
            if (r != BERTH_OK || (r = db_step(db, st, err)) <= 0)
                return r;
            repo_id = sqlite3_column_int64(st, 0);
            back = sqlite3_column_int(st, 4);
            r = db_copy(db, st, 1, &op->arena, &subject, err);
            if (r == BERTH_OK)
                r = db_copy(db, st, 2, &op->arena, &after_type, err);
            if (r == BERTH_OK)
                r = db_copy(db, st, 3, &op->arena, &after_digest, err);
            if (r != BERTH_OK)
                return r;
        }
        int r = back ? db_run(db, err, "DELETE FROM lost_subjects WHERE repo_id=?1 AND digest=?2", "is",
                              repo_id, subject)
                     : referrers_orphan(db, repo_id, subject, after_type, after_digest, op->left, op->now, &n,
                                        err);
        if (r != BERTH_OK)
            return r;
        spend(op, back ? 1 : n + 1);
    }
    return BERTH_OK;
}

static int review_manifest(struct db *db, const struct gc_row *row, int64_t review, berth_error *err)
{
    return db_run(db, err, "UPDATE manifests SET review_at=nullif(?3, 0) WHERE repo_id=?1 AND digest=?2",
                  "isi", row->repo_id, row->id, review);
}

static int step_manifest(struct db *db, struct gc_step *op, const struct gc_row *row, berth_error *err)
{
    const struct meta_times *times = &db->m->times;
    bool kept = row->lost ? times->keep_referrers : !times->untagged_ms;
    if (row->held || kept)
        return review_manifest(db, row, 0, err);
    if (row->lease > op->now)
        return review_manifest(db, row, row->lease, err);
    op->ret->manifests++;
    return manifest_remove(db, row->repo_id, row->id.p, op->now, err);
}

static int step_manifests(struct db *db, struct gc_step *op, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    struct gc_row *rows;
    size_t n;
    int r = db_start(db, &st, err,
                     "SELECT m.repo_id, m.digest, '', m.lease_until, m.size, 0, 0 FROM manifests m"
                     " WHERE m.review_at<=?1 ORDER BY m.review_at LIMIT ?2",
                     "ii", op->now, (int64_t)op->left);
    if (r == BERTH_OK)
        r = read_rows(db, op, st, &rows, &n, err);
    for (size_t i = 0; r == BERTH_OK && op->left && i < n; i++) {
        /* asked for each when its turn comes: removing one may let go of the next */
        CLEANUP(db_resetp) sqlite3_stmt *one = NULL;
        r = db_start(db, &one, err,
                     "SELECT " MANIFEST_HELD ", " MANIFEST_LOST ", m.lease_until FROM manifests m"
                     " WHERE m.repo_id=?1 AND m.digest=?2",
                     "is", rows[i].repo_id, rows[i].id);
        if (r == BERTH_OK && (r = db_step(db, one, err)) > 0) {
            rows[i].held = sqlite3_column_int(one, 0);
            rows[i].lost = sqlite3_column_int(one, 1);
            rows[i].lease = sqlite3_column_int64(one, 2);
            db_reset(one);
            int before = sqlite3_total_changes(db->handle);
            r = step_manifest(db, op, &rows[i], err);
            spend(op, (size_t)(sqlite3_total_changes(db->handle) - before)); /* its edges count */
        }
    }
    return r;
}

static int step_links(struct db *db, struct gc_step *op, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    struct gc_row *rows;
    size_t n;
    int r = db_start(db, &st, err,
                     "SELECT l.repo_id, l.digest, '', l.lease_until, 0, EXISTS(SELECT 1 FROM manifest_blobs e"
                     " WHERE e.repo_id=l.repo_id AND e.digest=l.digest), 0 FROM repo_blobs l"
                     " WHERE l.review_at<=?1 ORDER BY l.review_at LIMIT ?2",
                     "ii", op->now, (int64_t)op->left);
    if (r == BERTH_OK)
        r = read_rows(db, op, st, &rows, &n, err);
    for (size_t i = 0; r == BERTH_OK && i < n; i++) {
        const struct gc_row *row = &rows[i];
        spend(op, 1);
        if (row->held || row->lease > op->now) {
            r = db_run(db, err,
                       "UPDATE repo_blobs SET review_at=nullif(?3, 0) WHERE repo_id=?1 AND digest=?2", "isi",
                       row->repo_id, row->id, row->held ? 0 : row->lease);
            continue;
        }
        op->ret->links++;
        r = db_run(db, err, "DELETE FROM repo_blobs WHERE repo_id=?1 AND digest=?2", "is", row->repo_id,
                   row->id);
        if (r == BERTH_OK)
            r = db_run(db, err, "UPDATE blobs SET review_at=?2 WHERE digest=?1", "si", row->id, op->now);
        if (r == BERTH_OK)
            r = repo_review(db, row->repo_id, op->now, err);
    }
    return r;
}

static int step_blobs(struct db *db, struct gc_step *op, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    struct gc_row *rows;
    size_t n;
    int r = db_start(
        db, &st, err,
        "SELECT 0, b.digest, b.object_key, 0, b.size, EXISTS(SELECT 1 FROM repo_blobs l"
        " WHERE l.digest=b.digest), 0 FROM blobs b WHERE b.review_at<=?1 ORDER BY b.review_at LIMIT ?2",
        "ii", op->now, (int64_t)op->left);
    if (r == BERTH_OK)
        r = read_rows(db, op, st, &rows, &n, err);
    for (size_t i = 0; r == BERTH_OK && i < n; i++) {
        spend(op, 1);
        if (rows[i].held) {
            r = db_run(db, err, "UPDATE blobs SET review_at=NULL WHERE digest=?1", "s", rows[i].id);
            continue;
        }
        op->ret->blobs++;
        op->ret->bytes += (uint64_t)rows[i].size;
        r = db_run(db, err, "DELETE FROM blobs WHERE digest=?1", "s",
                   rows[i].id); /* an inline body goes with it */
        if (r == BERTH_OK && rows[i].key.n)
            r = object_discard(db, rows[i].key.p, (uint64_t)rows[i].size, op->now, err);
    }
    return r;
}

static int step_results(struct db *db, struct gc_step *op, berth_error *err)
{
    int r =
        db_run(db, err,
               "DELETE FROM upload_results WHERE id IN (SELECT id FROM upload_results WHERE expires_at<=?1"
               " ORDER BY expires_at LIMIT ?2)",
               "ii", op->now, (int64_t)op->left);
    if (r == BERTH_OK)
        spend(op, (size_t)db_changes(db));
    return r;
}

/* --- deleted and empty repositories --- */

/* @sql deletes up to ?2 rows of repository ?1; adds their number to *@count. */
static int purge(struct db *db, struct gc_step *op, int64_t repo_id, const char *sql, uint64_t *count,
                 berth_error *err)
{
    if (!op->left)
        return BERTH_OK;
    int r = db_run(db, err, sql, "ii", repo_id, (int64_t)op->left);
    if (r != BERTH_OK)
        return r;
    spend(op, (size_t)db_changes(db));
    if (count)
        *count += (uint64_t)db_changes(db);
    return BERTH_OK;
}

static int purge_links(struct db *db, struct gc_step *op, int64_t repo_id, berth_error *err)
{
    if (!op->left)
        return BERTH_OK;
    int r =
        db_run(db, err,
               "UPDATE blobs SET review_at=?3 WHERE digest IN (SELECT digest FROM repo_blobs WHERE repo_id=?1"
               " ORDER BY digest LIMIT ?2)",
               "iii", repo_id, (int64_t)op->left, op->now);
    if (r != BERTH_OK)
        return r;
    return purge(db, op, repo_id,
                 "DELETE FROM repo_blobs WHERE repo_id=?1 AND digest IN (SELECT digest FROM repo_blobs"
                 " WHERE repo_id=?1 ORDER BY digest LIMIT ?2)",
                 &op->ret->links, err);
}

static int purge_uploads(struct db *db, struct gc_step *op, int64_t repo_id, berth_error *err)
{
    int64_t bytes = 0;
    if (!op->left)
        return BERTH_OK;
    int r = db_run(
        db, err,
        "INSERT INTO gc_objects(object_key, size, delete_after) SELECT object_key, size, ?3 FROM uploads"
        " WHERE repo_id=?1 ORDER BY rowid LIMIT ?2",
        "iii", repo_id, (int64_t)op->left, op->now + db->m->times.drain_ms);
    if (r == BERTH_OK)
        r = db_int(db, &bytes, err,
                   "SELECT coalesce(sum(size), 0) FROM"
                   " (SELECT size FROM uploads WHERE repo_id=?1 ORDER BY rowid LIMIT ?2)",
                   "ii", repo_id, (int64_t)op->left);
    if (r < 0)
        return r;
    op->ret->bytes += (uint64_t)bytes;
    return purge(
        db, op, repo_id,
        "DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE repo_id=?1 ORDER BY rowid LIMIT ?2)",
        &op->ret->uploads, err);
}

/* Rows in the order in which nothing refers to them any more; what the budget does not reach is left for
 * later. */
static int purge_repo(struct db *db, struct gc_step *op, int64_t repo_id, berth_error *err)
{
    int r = purge(
        db, op, repo_id,
        "DELETE FROM tags WHERE repo_id=?1 AND name IN (SELECT name FROM tags WHERE repo_id=?1 LIMIT ?2)",
        NULL, err);
    if (r == BERTH_OK)
        r = purge(db, op, repo_id,
                  "DELETE FROM manifest_children WHERE (manifest_id, repo_id, child) IN (SELECT manifest_id, "
                  "repo_id, child"
                  " FROM manifest_children WHERE repo_id=?1 LIMIT ?2)",
                  NULL, err);
    if (r == BERTH_OK)
        r = purge(db, op, repo_id,
                  "DELETE FROM manifest_blobs WHERE (manifest_id, repo_id, digest) IN (SELECT manifest_id, "
                  "repo_id, digest"
                  " FROM manifest_blobs WHERE repo_id=?1 LIMIT ?2)",
                  NULL, err);
    if (r == BERTH_OK)
        r = purge(db, op, repo_id,
                  "DELETE FROM manifests WHERE repo_id=?1 AND digest IN (SELECT digest FROM manifests WHERE "
                  "repo_id=?1"
                  " LIMIT ?2)",
                  &op->ret->manifests, err);
    if (r == BERTH_OK)
        r = purge(db, op, repo_id,
                  "DELETE FROM lost_subjects WHERE repo_id=?1 AND digest IN (SELECT digest FROM lost_subjects"
                  " WHERE repo_id=?1 LIMIT ?2)",
                  NULL, err);
    if (r == BERTH_OK)
        r = purge_links(db, op, repo_id, err);
    if (r == BERTH_OK)
        r = purge_uploads(db, op, repo_id, err);
    if (r == BERTH_OK)
        r = purge(
            db, op, repo_id,
            "DELETE FROM tag_history WHERE repo_id=?1 AND (name, id) IN (SELECT name, id FROM tag_history"
            " WHERE repo_id=?1 LIMIT ?2)",
            NULL, err);
    if (r == BERTH_OK)
        r = purge(db, op, repo_id, "DELETE FROM repositories WHERE id=?1 AND ?2>0", &op->ret->repositories,
                  err);
    return r;
}

static int step_repos(struct db *db, struct gc_step *op, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    struct gc_row *rows;
    size_t n;
    /* lease: when an empty one may go; lost: it was deleted */
    int r = db_start(
        db, &st, err,
        "SELECT r.id, '', '', r.created_at+?3, 0, EXISTS(SELECT 1 FROM repo_blobs WHERE repo_id=r.id)"
        " OR EXISTS(SELECT 1 FROM manifests WHERE repo_id=r.id)"
        " OR EXISTS(SELECT 1 FROM uploads WHERE repo_id=r.id), r.state FROM repositories r"
        " WHERE r.review_at<=?1 ORDER BY r.review_at LIMIT ?2",
        "iii", op->now, (int64_t)op->left, db->m->times.grace_ms);
    if (r == BERTH_OK)
        r = read_rows(db, op, st, &rows, &n, err);
    for (size_t i = 0; r == BERTH_OK && op->left && i < n; i++) {
        const struct gc_row *row = &rows[i];
        spend(op, 1);
        if (row->lost || (!row->held && row->lease <= op->now))
            r = purge_repo(db, op, row->repo_id, err);
        else
            r = db_run(db, err, "UPDATE repositories SET review_at=nullif(?2, 0) WHERE id=?1", "ii",
                       row->repo_id, row->held ? 0 : row->lease);
    }
    return r;
}

/* --- the step as a whole --- */

/* 0: nothing waits. */
static int earliest(struct db *db, int64_t *ret, berth_error *err)
{
    *ret = 0;
    int r =
        db_int(db, ret, err,
               "SELECT min(at) FROM (SELECT min(review_at) AS at FROM manifests WHERE review_at IS NOT NULL"
               " UNION ALL SELECT min(review_at) FROM repo_blobs WHERE review_at IS NOT NULL"
               " UNION ALL SELECT min(review_at) FROM blobs WHERE review_at IS NOT NULL"
               " UNION ALL SELECT min(review_at) FROM repositories WHERE review_at IS NOT NULL"
               " UNION ALL SELECT min(expires_at) FROM uploads WHERE expires_at>?1"
               " UNION ALL SELECT min(expires_at) FROM upload_results WHERE expires_at>?1"
               " UNION ALL SELECT min(delete_after) FROM gc_objects WHERE delete_after>0)",
               "i", sqlite_now(db->m));
    return MIN(r, 0);
}

static int gc_step(struct db *db, void *arg, berth_error *err)
{
    struct gc_step *op = arg;
    static int (*const steps[])(struct db *, struct gc_step *, berth_error *) = {
        step_uploads, step_subjects, step_manifests, step_links, step_blobs, step_results, step_repos};
    *op->ret = (struct meta_gc_step){0};
    op->left = op->rows;
    op->skipped = false;
    op->now = sqlite_now(db->m);
    int r = check_clock(db->m, err);
    for (size_t i = 0; r == BERTH_OK && op->left && i < COUNT(steps); i++) {
        berth_arena_reset(&op->arena);
        r = steps[i](db, op, err);
    }
    op->ret->more = op->left == 0;
    if (r == BERTH_OK && !op->ret->more)
        r = earliest(db, &op->ret->next_due, err);
    if (op->skipped && (!op->ret->next_due || op->ret->next_due > op->now + MINUTE_MS))
        op->ret->next_due = op->now + MINUTE_MS;
    return r;
}

int sqlite_gc_step(meta *base, size_t rows, struct meta_gc_step *ret, berth_error *err)
{
    struct sqlite_meta *m = sqlite_of(base);
    *ret = (struct meta_gc_step){0};
    struct meta_gc_step done = {0};
    struct gc_step op = {.rows = MIN(MAX(rows, (size_t)1), (size_t)INT32_MAX), .ret = &done};
    int r = writer_run(m, "collecting", gc_step, &op, err);
    berth_arena_done(&op.arena);
    if (r == BERTH_OK)
        *ret = done;
    return r;
}

/* --- the plan --- */

int sqlite_gc_plan(meta *base, struct meta_gc_plan *ret, berth_error *err)
{
    struct sqlite_meta *m = sqlite_of(base);
    struct db *db;
    int r = reader_get(m, "planning the collection", &db, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = db_start(db, &st, err,
                 "SELECT"
                 " (SELECT count(*) FROM manifests m WHERE m.review_at<=?1 AND m.lease_until<=?1 AND "
                 "NOT " MANIFEST_HELD "   AND CASE WHEN " MANIFEST_LOST " THEN NOT ?3 ELSE ?2 END),"
                 " (SELECT count(*) FROM repo_blobs l WHERE l.review_at<=?1 AND l.lease_until<=?1 AND NOT"
                 "   EXISTS(SELECT 1 FROM manifest_blobs e WHERE e.repo_id=l.repo_id AND e.digest=l.digest)),"
                 " b.n, b.bytes, u.n, u.bytes, o.n, o.bytes FROM"
                 /* A blob goes in the same run as its last link: count those whose every link is due. */
                 " (SELECT count(*) AS n, total(size) AS bytes FROM blobs b WHERE (b.review_at<=?1"
                 "   OR b.digest IN (SELECT digest FROM repo_blobs WHERE review_at<=?1)) AND NOT EXISTS("
                 "   SELECT 1 FROM repo_blobs l WHERE l.digest=b.digest AND NOT (ifnull(l.review_at<=?1,0)"
                 "     AND l.lease_until<=?1 AND NOT EXISTS(SELECT 1 FROM manifest_blobs e"
                 "     WHERE e.repo_id=l.repo_id AND e.digest=l.digest)))) AS b,"
                 " (SELECT count(*) AS n, total(size) AS bytes FROM uploads WHERE expires_at<=?1) AS u,"
                 " (SELECT count(*) AS n, total(size) AS bytes FROM gc_objects WHERE delete_after<=?1) AS o",
                 "iii", sqlite_now(m), (int64_t)(m->times.untagged_ms > 0), (int64_t)m->times.keep_referrers);
    if (r != BERTH_OK || (r = db_step(db, st, err)) < 0)
        return r;
    *ret = (struct meta_gc_plan){.manifests = (uint64_t)sqlite3_column_int64(st, 0),
                                 .links = (uint64_t)sqlite3_column_int64(st, 1),
                                 .blobs = (uint64_t)sqlite3_column_int64(st, 2),
                                 .blob_bytes = (uint64_t)sqlite3_column_int64(st, 3),
                                 .uploads = (uint64_t)sqlite3_column_int64(st, 4),
                                 .upload_bytes = (uint64_t)sqlite3_column_int64(st, 5),
                                 .objects = (uint64_t)sqlite3_column_int64(st, 6),
                                 .object_bytes = (uint64_t)sqlite3_column_int64(st, 7)};
    return BERTH_OK;
}

/* --- objects --- */

int sqlite_gc_objects(meta *base, size_t n, berth_arena *a, struct meta_gc_object **ret, size_t *ret_n,
                      berth_error *err)
{
    struct sqlite_meta *m = sqlite_of(base);
    struct db *db;
    int r = reader_get(m, "listing objects to remove", &db, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int64_t now = sqlite_now(m);
    r = check_clock(m, err);
    if (r != BERTH_OK)
        return r;
    r = db_start(db, &st, err,
                 "SELECT object_key, size, attempts FROM gc_objects WHERE delete_after<=?1 ORDER BY "
                 "delete_after LIMIT ?2",
                 "ii", now, (int64_t)MIN(n, (size_t)INT32_MAX));
    if (r != BERTH_OK)
        return r;
    struct meta_gc_object *list = NULL;
    size_t got = 0, cap = 0;
    while ((r = db_step(db, st, err)) > 0) {
        if (got == cap) {
            cap = cap ? cap * 2 : 16;
            struct meta_gc_object *more = berth_arena_alloc(a, cap * sizeof(*more));
            if (!more)
                return db_nomem(db, err);
            if (got)
                memcpy(more, list, got * sizeof(*more));
            list = more;
        }
        db_key(st, 0, list[got].key);
        list[got].size = (uint64_t)sqlite3_column_int64(st, 1);
        list[got].attempts = sqlite3_column_int(st, 2);
        got++;
    }
    if (r < 0)
        return r;
    *ret = list;
    *ret_n = got;
    return BERTH_OK;
}

struct gc_keys {
    const char *const *keys;
    size_t n;
};

static int gc_objects_done(struct db *db, void *arg, berth_error *err)
{
    const struct gc_keys *op = arg;
    int r = BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < op->n; i++)
        r = db_run(db, err, "DELETE FROM gc_objects WHERE object_key=?1", "z", op->keys[i]);
    return r;
}

int sqlite_gc_objects_done(meta *base, const char *const *keys, size_t n, berth_error *err)
{
    struct gc_keys op = {keys, n};
    return writer_run(sqlite_of(base), "forgetting removed objects", gc_objects_done, &op, err);
}

static int gc_object_failed(struct db *db, void *arg, berth_error *err)
{
    const struct gc_keys *op = arg;
    /* a minute, two, four, ... up to about a day */
    return db_run(db, err,
                  "UPDATE gc_objects SET attempts=attempts+1, delete_after=?2+(?3<<min(attempts, 11)) WHERE "
                  "object_key=?1",
                  "zii", op->keys[0], sqlite_now(db->m), MINUTE_MS);
}

int sqlite_gc_object_failed(meta *base, const char *key, berth_error *err)
{
    struct gc_keys op = {&key, 1};
    return writer_run(sqlite_of(base), "putting off the removal of an object", gc_object_failed, &op, err);
}

/* --- untagged manifests, when that setting was switched on --- */

struct gc_requeue {
    size_t rows;
    int64_t repo; /* start behind this row */
    berth_str digest;
    berth_arena arena;
    int64_t last_repo; /* the last row looked at */
    berth_str last_digest;
    bool more;
};

static int gc_requeue(struct db *db, void *arg, berth_error *err)
{
    struct gc_requeue *op = arg;
    int64_t review = untagged_review(db->m, sqlite_now(db->m));
    struct gc_step batch = {0};
    struct gc_row *rows;
    size_t n;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r = db_start(db, &st, err,
                     "SELECT m.repo_id, m.digest, '', 0, 0, m.review_at IS NOT NULL OR " MANIFEST_HELD
                     ", 0 FROM manifests m WHERE (m.repo_id, m.digest)>(?1, ?2)"
                     " ORDER BY m.repo_id, m.digest LIMIT ?3",
                     "isi", op->repo, op->digest, (int64_t)op->rows);
    if (r != BERTH_OK)
        return r;
    r = read_rows(db, &batch, st, &rows, &n, err);
    for (size_t i = 0; r == BERTH_OK && i < n; i++)
        if (!rows[i].held)
            r = review_manifest(db, &rows[i], review, err);
    op->more = n == op->rows;
    if (r == BERTH_OK && n) {
        op->last_repo = rows[n - 1].repo_id;
        op->last_digest = berth_arena_str(&op->arena, rows[n - 1].id);
        if (!op->last_digest.p)
            r = db_nomem(db, err);
    }
    berth_arena_done(&batch.arena);
    return r;
}

int sqlite_gc_requeue_untagged(meta *base, size_t rows, berth_buf *cursor, bool *ret_more, berth_error *err)
{
    struct sqlite_meta *m = sqlite_of(base);
    struct gc_requeue op = {.rows = MIN(MAX(rows, (size_t)1), (size_t)INT32_MAX)};
    int r = cursor_read(cursor, &op.repo, &op.digest, err);
    if (r == BERTH_OK)
        r = writer_run(m, "queueing untagged manifests", gc_requeue, &op, err);
    if (r == BERTH_OK && op.last_digest.p)
        r = cursor_write(cursor, op.last_repo, op.last_digest, err);
    if (r == BERTH_OK)
        *ret_more = op.more;
    berth_arena_done(&op.arena);
    return r;
}
