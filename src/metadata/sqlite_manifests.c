/* metadata/sqlite_manifests.c - manifests and tags: everything that changes an edge.
 *
 * Whoever loses an edge - a manifest its tag or parent, a link its manifest - gets a lease and a review of G
 * from now in the same transaction: what a client was told while the edge stood holds for G more. */
#include "metadata/sqlite_private.h"

/* Referrers that the deletion of their subject touches itself: a few milliseconds of the writer's time. */
#define ORPHANS_AT_ONCE 200

int64_t untagged_review(struct sqlite_meta *m, int64_t now)
{
    return now + MAX(m->times.grace_ms, m->times.untagged_ms);
}

static int manifest_unknown(berth_str reference, berth_error *err)
{
    return berth_error_set_oci(err, BERTH_E_NOT_FOUND, "MANIFEST_UNKNOWN",
                               "manifest '" STR_FMT "' is not known", STR_ARG(reference));
}

/* 1: the repository holds @digest. */
static int manifest_exists(struct db *db, int64_t repo_id, berth_str digest, berth_error *err)
{
    int64_t one;
    return db_int(db, &one, err, "SELECT 1 FROM manifests WHERE repo_id=?1 AND digest=?2", "is", repo_id,
                  digest);
}

int manifest_release(struct db *db, int64_t repo_id, const char *digest, int64_t now, berth_error *err)
{
    return db_run(
        db, err,
        "UPDATE manifests SET lease_until=max(lease_until, ?3), review_at=?4 WHERE repo_id=?1 AND digest=?2",
        "izii", repo_id, digest, now + db->m->times.grace_ms, untagged_review(db->m, now));
}

/* --- storing --- */

struct edge_list {
    struct meta_edge *items; /* sorted, each digest once; it may miss only if every mention of it may */
    size_t n;
};

static int compare_edges(const void *a, const void *b)
{
    return str_cmp(((const struct meta_edge *)a)->digest, ((const struct meta_edge *)b)->digest);
}

static bool sort_edges(berth_arena *a, const struct meta_edge *from, size_t n, struct edge_list *ret)
{
    *ret = (struct edge_list){0};
    if (!n)
        return true;
    struct meta_edge *to = berth_arena_alloc(a, n * sizeof(*to));
    if (!to)
        return false;
    memcpy(to, from, n * sizeof(*to));
    qsort(to, n, sizeof(*to), compare_edges);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept && str_eq(to[kept - 1].digest, to[i].digest))
            to[kept - 1].may_miss = to[kept - 1].may_miss && to[i].may_miss;
        else
            to[kept++] = to[i];
    }
    *ret = (struct edge_list){to, kept};
    return true;
}

struct manifest_put {
    const struct meta_manifest_put *put;
    struct edge_list blobs, children;
    berth_arena *a;
    struct oci_list missing;
};

static int add_missing(struct db *db, int64_t repo_id, int64_t manifest_id, enum meta_missing_kind kind,
                       berth_str digest, berth_error *err)
{
    return db_run(db, err,
                  "INSERT INTO manifest_missing(manifest_id, repo_id, kind, digest) VALUES(?1, ?2, ?3, ?4)"
                  " ON CONFLICT DO NOTHING",
                  "iiis", manifest_id, repo_id, (int64_t)kind, digest);
}

/* Every absent digest that may not be, before anything is stored. */
static int collect_missing(struct db *db, int64_t repo_id, struct manifest_put *op, berth_error *err)
{
    struct list_builder l = {0};
    for (size_t i = 0; i < op->blobs.n + op->children.n; i++) {
        bool child = i >= op->blobs.n;
        const struct meta_edge *e = child ? &op->children.items[i - op->blobs.n] : &op->blobs.items[i];
        if (e->may_miss)
            continue;
        int64_t one;
        int r = child ? manifest_exists(db, repo_id, e->digest, err)
                      : db_int(db, &one, err, "SELECT 1 FROM repo_blobs WHERE repo_id=?1 AND digest=?2", "is",
                               repo_id, e->digest);
        if (r == 0)
            r = list_add(db, &l, op->a, e->digest, err);
        if (r < 0)
            return r;
    }
    op->missing = (struct oci_list){l.items, l.n, false};
    if (!l.n)
        return BERTH_OK;
    return berth_error_set_oci(
        err, BERTH_E_NOT_FOUND, "MANIFEST_BLOB_UNKNOWN",
        "%zu of the manifest's blobs and manifests are not known, the first is " STR_FMT, l.n,
        STR_ARG(l.items[0]));
}

/* The manifest's row and its id. A repeated put writes the bytes again (they have the digest: damage is
 * healed), refreshes what was said about them, and the lease. */
static int put_row(struct db *db, int64_t repo_id, const struct meta_manifest_put *put, int64_t now,
                   int64_t *ret_id, berth_error *err)
{
    /* Nothing looks at an untagged manifest that is kept for ever. */
    int64_t review = db->m->times.untagged_ms ? untagged_review(db->m, now) : 0;
    int r = db_int(
        db, ret_id, err,
        "INSERT INTO manifests(id, repo_id, digest, media_type, artifact_type, subject, size, created_at,"
        " lease_until, review_at, annotations, body)"
        " VALUES(?12, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, nullif(?9, 0), ?10, ?11)"
        " ON CONFLICT(repo_id, digest) DO UPDATE SET media_type=excluded.media_type,"
        " artifact_type=excluded.artifact_type, subject=excluded.subject, annotations=excluded.annotations,"
        " size=excluded.size, body=excluded.body,"
        " lease_until=max(lease_until, excluded.lease_until),"
        " review_at=coalesce(excluded.review_at, review_at) RETURNING id",
        "izssSiiiiSbi", repo_id, put->digest->text, put->media_type, put->artifact_type, put->subject,
        (int64_t)put->body.n, now, now + db->m->times.grace_ms, review, put->annotations, put->body,
        sqlite_new_id(db->m));
    return MIN(r, BERTH_OK);
}

static int put_edges(struct db *db, int64_t repo_id, int64_t id, const struct manifest_put *op,
                     berth_error *err)
{
    for (size_t i = 0; i < op->blobs.n; i++) {
        int64_t one;
        berth_str digest = op->blobs.items[i].digest;
        int r = db_int(db, &one, err, "SELECT 1 FROM repo_blobs WHERE repo_id=?1 AND digest=?2", "is",
                       repo_id, digest);
        if (r == 0)
            r = add_missing(db, repo_id, id, META_MISSING_BLOB, digest, err);
        else if (r > 0)
            r = db_run(db, err,
                       "INSERT INTO manifest_blobs(manifest_id, repo_id, digest) VALUES(?1, ?2, ?3)"
                       " ON CONFLICT DO NOTHING",
                       "iis", id, repo_id, digest);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < op->children.n; i++) {
        berth_str digest = op->children.items[i].digest;
        int r = manifest_exists(db, repo_id, digest, err);
        if (r == 0)
            r = add_missing(db, repo_id, id, META_MISSING_CHILD, digest, err);
        else if (r > 0)
            r = db_run(db, err,
                       "INSERT INTO manifest_children(manifest_id, repo_id, child) VALUES(?1, ?2, ?3)"
                       " ON CONFLICT DO NOTHING",
                       "iis", id, repo_id, digest);
        if (r < 0)
            return r;
    }
    return BERTH_OK;
}

/* A referrer may come before its subject. One that is pushed again after its subject was deleted waits anew.
 */
static int put_subject(struct db *db, int64_t repo_id, int64_t id, const struct meta_manifest_put *put,
                       berth_error *err)
{
    if (!put->subject.n)
        return BERTH_OK;
    int r = manifest_exists(db, repo_id, put->subject, err);
    if (r != 0)
        return r < 0 ? r : BERTH_OK;
    r = db_run(db, err, "DELETE FROM manifest_missing WHERE manifest_id=?1 AND repo_id=?2 AND kind=?3", "iii",
               id, repo_id, (int64_t)META_LOST_SUBJECT);
    return r == BERTH_OK ? add_missing(db, repo_id, id, META_MISSING_SUBJECT, put->subject, err) : r;
}

/* What waited for this manifest has it now. */
static int resolve_waiting(struct db *db, int64_t repo_id, const char *digest, berth_error *err)
{
    int64_t waiting;
    int r = db_int(db, &waiting, err,
                   "SELECT 1 FROM manifest_missing WHERE repo_id=?1 AND digest=?2 AND kind<>?3 LIMIT 1",
                   "izi", repo_id, digest, (int64_t)META_MISSING_BLOB);
    if (r <= 0)
        return r;
    r = db_run(
        db, err,
        "INSERT INTO manifest_children(manifest_id, repo_id, child) SELECT manifest_id, repo_id, digest"
        " FROM manifest_missing WHERE repo_id=?1 AND digest=?2 AND kind=?3 ON CONFLICT DO NOTHING",
        "izi", repo_id, digest, (int64_t)META_MISSING_CHILD);
    if (r == BERTH_OK)
        r = db_run(db, err, "DELETE FROM manifest_missing WHERE repo_id=?1 AND digest=?2 AND kind<>?3", "izi",
                   repo_id, digest, (int64_t)META_MISSING_BLOB);
    return r;
}

/* A tag that moves every minute must not grow the database for ever. */
#define HISTORY_MAX 100

static int add_history(struct db *db, int64_t repo_id, berth_str tag, berth_str manifest, int64_t now,
                       berth_error *err)
{
    int r =
        db_run(db, err, "INSERT INTO tag_history(repo_id, name, id, manifest, at) VALUES(?1, ?2, ?3, ?4, ?5)",
               "isiSi", repo_id, tag, sqlite_new_id(db->m), manifest, now);
    if (r != BERTH_OK)
        return r;
    return db_run(db, err,
                  "DELETE FROM tag_history WHERE repo_id=?1 AND name=?2 AND id<=(SELECT id FROM tag_history"
                  " WHERE repo_id=?1 AND name=?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
                  "isi", repo_id, tag, (int64_t)HISTORY_MAX);
}

/* The digest that @tag points at: 1, or 0. */
static int tag_read(struct db *db, int64_t repo_id, berth_str tag, char ret[DIGEST_TEXT_MAX],
                    berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r =
        db_start(db, &st, err, "SELECT manifest FROM tags WHERE repo_id=?1 AND name=?2", "is", repo_id, tag);
    if (r == BERTH_OK)
        r = db_step(db, st, err);
    if (r > 0) {
        berth_str s = str_head(db_text(st, 0), DIGEST_TEXT_MAX - 1);
        memcpy(ret, s.p, s.n);
        ret[s.n] = '\0';
    }
    return r;
}

/* @digest is what stands under @reference; .p NULL: nothing. */
static int ask_condition(const struct oci_condition *c, berth_str reference, berth_str digest,
                         berth_error *err)
{
    if (!c || c->holds(c->arg, digest))
        return BERTH_OK;
    if (!digest.p)
        return berth_error_set(err, BERTH_E_CONDITION,
                               "'" STR_FMT "' is not there, and the request is for one that is",
                               STR_ARG(reference));
    return berth_error_set(err, BERTH_E_CONDITION, "'" STR_FMT "' is not what the request demands: see ETag",
                           STR_ARG(reference));
}

static int ask_before_put(struct db *db, int64_t repo_id, const struct meta_manifest_put *put,
                          berth_error *err)
{
    if (!put->condition)
        return BERTH_OK;
    char now[DIGEST_TEXT_MAX];
    berth_str tag = put->condition_tag, digest = digest_str(put->digest);
    int r = tag.p ? tag_read(db, repo_id, tag, now, err) : manifest_exists(db, repo_id, digest, err);
    if (r < 0)
        return r;
    return ask_condition(put->condition, tag.p ? tag : digest,
                         !r      ? STR_NULL
                         : tag.p ? str_from(now)
                                 : digest,
                         err);
}

static int put_tag(struct db *db, int64_t repo_id, berth_str tag, const char *digest, int64_t now,
                   berth_error *err)
{
    char was[DIGEST_TEXT_MAX];
    int r = tag_read(db, repo_id, tag, was, err);
    if (r < 0 || (r > 0 && strcmp(was, digest) == 0))
        return r < 0 ? r : BERTH_OK;
    bool moved = r > 0;
    r = db_run(db, err,
               "INSERT INTO tags(repo_id, name, manifest, updated_at) VALUES(?1, ?2, ?3, ?4)"
               " ON CONFLICT(repo_id, name) DO UPDATE SET manifest=excluded.manifest, "
               "updated_at=excluded.updated_at",
               "iszi", repo_id, tag, digest, now);
    if (r == BERTH_OK)
        r = add_history(db, repo_id, tag, str_from(digest), now, err);
    return r == BERTH_OK && moved ? manifest_release(db, repo_id, was, now, err) : r;
}

static int manifest_put(struct db *db, void *arg, berth_error *err)
{
    struct manifest_put *op = arg;
    const struct meta_manifest_put *put = op->put;
    int64_t repo_id, id = 0, now = sqlite_now(db->m);
    op->missing = (struct oci_list){0};
    int r = repo_ensure(db, put->repo, put->create_repo, &repo_id, err);
    if (r == BERTH_OK)
        r = ask_before_put(db, repo_id, put, err);
    if (r == BERTH_OK)
        r = collect_missing(db, repo_id, op, err);
    if (r == BERTH_OK)
        r = put_row(db, repo_id, put, now, &id, err);
    if (r == BERTH_OK)
        r = repo_list_it(db, repo_id, err);
    if (r == BERTH_OK)
        r = put_edges(db, repo_id, id, op, err);
    if (r == BERTH_OK)
        r = put_subject(db, repo_id, id, put, err);
    if (r == BERTH_OK)
        r = resolve_waiting(db, repo_id, put->digest->text, err);
    for (size_t i = 0; r == BERTH_OK && i < put->n_tags; i++)
        r = put_tag(db, repo_id, put->tags[i], put->digest->text, now, err);
    return r;
}

static int prepare_put(const struct meta_manifest_put *put, berth_arena *a, struct manifest_put *ret,
                       berth_error *err)
{
    struct manifest_put op = {.put = put, .a = a};
    if (!sort_edges(a, put->blobs, put->n_blobs, &op.blobs) ||
        !sort_edges(a, put->children, put->n_children, &op.children))
        return berth_error_set(err, BERTH_E_NOMEM, "storing a manifest: no memory");
    *ret = op;
    return BERTH_OK;
}

int manifest_store(struct db *db, const struct meta_manifest_put *put, berth_arena *a, berth_error *err)
{
    struct manifest_put op;
    int r = prepare_put(put, a, &op, err);
    return r == BERTH_OK ? manifest_put(db, &op, err) : r;
}

int sqlite_manifest_put(meta *base, const struct meta_manifest_put *put, berth_arena *a,
                        struct oci_list *ret_missing, berth_error *err)
{
    struct manifest_put op;
    int r = prepare_put(put, a, &op, err);
    if (r != BERTH_OK)
        return r;
    r = writer_run(sqlite_of(base), "storing a manifest", manifest_put, &op, err);
    if (r != BERTH_OK && op.missing.n && ret_missing)
        *ret_missing = op.missing;
    return r;
}

/* --- leases --- */

struct manifest_op {
    berth_str repo;
    const berth_digest *digest;
    const struct oci_condition *condition;
};

/* Whether something holds the manifest was asked before; a lease too many does no harm. */
static int manifest_lease(struct db *db, void *arg, berth_error *err)
{
    const struct manifest_op *op = arg;
    int64_t repo_id, due, grace = db->m->times.grace_ms, now = sqlite_now(db->m);
    int r = repo_find(db, op->repo, &repo_id, err);
    if (r != BERTH_OK)
        return r;
    r = db_int(db, &due, err, "SELECT lease_until<?3 FROM manifests WHERE repo_id=?1 AND digest=?2", "izi",
               repo_id, op->digest->text, now + grace);
    if (r <= 0)
        return r < 0 ? r : manifest_unknown(digest_str(op->digest), err);
    if (!due)
        return BERTH_OK;
    return db_run(db, err, "UPDATE manifests SET lease_until=?3 WHERE repo_id=?1 AND digest=?2", "izi",
                  repo_id, op->digest->text, now + 2 * grace);
}

int sqlite_manifest_lease(meta *base, berth_str repo, const berth_digest *d, berth_error *err)
{
    struct manifest_op op = {repo, d, NULL};
    return writer_run(sqlite_of(base), "prolonging the lease of a manifest", manifest_lease, &op, err);
}

/* --- deletion --- */

/* A referrer whose subject is going. One that was pushed while the subject was absent waits for it, and is
 * not asked. */
struct orphan {
    int64_t id;
    berth_str type, digest;
    bool waits;
};

static int read_orphans(struct db *db, int64_t repo_id, berth_str subject, const struct orphan *after,
                        size_t limit, berth_arena *a, struct orphan **ret, size_t *ret_n, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    struct orphan *rows = berth_arena_alloc(a, limit * sizeof(*rows));
    size_t n = 0;
    if (!rows)
        return db_nomem(db, err);
    int r = db_start(
        db, &st, err,
        "SELECT m.artifact_type, m.digest, EXISTS(SELECT 1 FROM manifest_missing x"
        " WHERE x.manifest_id=m.id AND x.repo_id=m.repo_id AND x.kind=?6), m.id"
        " FROM manifests m WHERE m.repo_id=?1 AND m.subject=?2 AND (m.artifact_type, m.digest)>(?3, ?4)"
        " ORDER BY m.artifact_type, m.digest LIMIT ?5",
        "isssii", repo_id, subject, after->type, after->digest, (int64_t)limit,
        (int64_t)META_MISSING_SUBJECT);
    if (r != BERTH_OK)
        return r;
    while ((r = db_step(db, st, err)) > 0 && n < limit) {
        r = db_copy(db, st, 0, a, &rows[n].type, err);
        if (r == BERTH_OK)
            r = db_copy(db, st, 1, a, &rows[n].digest, err);
        if (r != BERTH_OK)
            return r;
        rows[n].id = sqlite3_column_int64(st, 3);
        rows[n++].waits = sqlite3_column_int(st, 2);
    }
    *ret = rows;
    *ret_n = n;
    return MIN(r, 0);
}

static int orphan(struct db *db, int64_t repo_id, const struct orphan *row, berth_str subject, int64_t now,
                  berth_error *err)
{
    int r = add_missing(db, repo_id, row->id, META_LOST_SUBJECT, subject, err);
    if (r != BERTH_OK)
        return r;
    return db_run(db, err, "UPDATE manifests SET lease_until=max(lease_until, ?2), review_at=?2 WHERE id=?1",
                  "ii", row->id, now + db->m->times.grace_ms);
}

int referrers_orphan(struct db *db, int64_t repo_id, berth_str subject, berth_str after_type,
                     berth_str after_digest, size_t limit, int64_t now, size_t *ret_n, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct orphan after = {.type = after_type, .digest = after_digest}, *rows = NULL;
    size_t n = 0;
    int r = read_orphans(db, repo_id, subject, &after, limit, &a, &rows, &n, err);
    for (size_t i = 0; r == BERTH_OK && i < n; i++)
        if (!rows[i].waits)
            r = orphan(db, repo_id, &rows[i], subject, now, err);
    if (r == BERTH_OK && n == limit) /* perhaps there are more */
        r = db_run(
            db, err,
            "INSERT INTO lost_subjects(repo_id, digest, after_type, after_digest) VALUES(?1, ?2, ?3, ?4)"
            " ON CONFLICT(repo_id, digest) DO UPDATE SET after_type=excluded.after_type,"
            " after_digest=excluded.after_digest",
            "isss", repo_id, subject, rows[n - 1].type, rows[n - 1].digest);
    else if (r == BERTH_OK)
        r = db_run(db, err, "DELETE FROM lost_subjects WHERE repo_id=?1 AND digest=?2", "is", repo_id,
                   subject);
    *ret_n = n;
    return r;
}

/* Its referrers go with it: the first at once, the rest, if there are many, by the collector. */
static int lose_subject(struct db *db, int64_t repo_id, const char *digest, int64_t now, berth_error *err)
{
    size_t n;
    return referrers_orphan(db, repo_id, str_from(digest), STR(""), STR(""), ORPHANS_AT_ONCE, now, &n, err);
}

/* Of the manifest that parameters 1 and 2 name, for statements that begin with its digest. */
#define MANIFEST_ID "(SELECT id FROM manifests WHERE repo_id=?1 AND digest=?2)"

int manifest_remove(struct db *db, int64_t repo_id, const char *digest, int64_t now, berth_error *err)
{
    int64_t until = now + db->m->times.grace_ms;
    /* its parents wait for it again */
    int r = db_run(db, err,
                   "INSERT INTO manifest_missing(manifest_id, repo_id, kind, digest) SELECT manifest_id, "
                   "repo_id, ?3, child"
                   " FROM manifest_children WHERE repo_id=?1 AND child=?2 ON CONFLICT DO NOTHING",
                   "izi", repo_id, digest, (int64_t)META_MISSING_CHILD);
    if (r == BERTH_OK)
        r = db_run(db, err, "DELETE FROM manifest_children WHERE repo_id=?1 AND child=?2", "iz", repo_id,
                   digest);
    if (r == BERTH_OK)
        r = lose_subject(db, repo_id, digest, now, err);
    /* what it held is let go */
    if (r == BERTH_OK)
        r = db_run(db, err,
                   "UPDATE manifests SET lease_until=max(lease_until, ?3), review_at=?4 WHERE repo_id=?1 AND "
                   "digest IN"
                   " (SELECT child FROM manifest_children WHERE manifest_id=" MANIFEST_ID ")",
                   "izii", repo_id, digest, until, untagged_review(db->m, now));
    if (r == BERTH_OK)
        r = db_run(db, err,
                   "UPDATE repo_blobs SET lease_until=max(lease_until, ?3), review_at=?3 WHERE repo_id=?1 "
                   "AND digest IN"
                   " (SELECT digest FROM manifest_blobs WHERE manifest_id=" MANIFEST_ID ")",
                   "izi", repo_id, digest, until);
    if (r == BERTH_OK) /* the rest of its edges goes with the row */
        r = db_run(db, err, "DELETE FROM manifests WHERE repo_id=?1 AND digest=?2", "iz", repo_id, digest);
    if (r == BERTH_OK)
        r = repo_list_no_more(db, repo_id, err);
    return r == BERTH_OK ? repo_review(db, repo_id, now, err) : r;
}

static int remove_tags(struct db *db, int64_t repo_id, const char *digest, int64_t now, berth_error *err)
{
    int r = BERTH_OK;
    for (;;) { /* each has its own line in the history */
        char tag[256];
        {
            CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
            r = db_start(db, &st, err, "SELECT name FROM tags WHERE repo_id=?1 AND manifest=?2 LIMIT 1", "iz",
                         repo_id, digest);
            if (r == BERTH_OK)
                r = db_step(db, st, err);
            if (r <= 0)
                return r;
            berth_str name = db_text(st, 0);
            if (name.n >= sizeof(tag))
                return berth_error_set(err, BERTH_E_CORRUPT, "%s: a tag is %zu bytes long", db->what, name.n);
            memcpy(tag, name.p, name.n);
            tag[name.n] = '\0';
        }
        r = add_history(db, repo_id, str_from(tag), STR_NULL, now, err);
        if (r == BERTH_OK)
            r = db_run(db, err, "DELETE FROM tags WHERE repo_id=?1 AND name=?2", "iz", repo_id, tag);
        if (r != BERTH_OK)
            return r;
    }
}

static int manifest_delete(struct db *db, void *arg, berth_error *err)
{
    const struct manifest_op *op = arg;
    int64_t repo_id, now = sqlite_now(db->m);
    int r = repo_find(db, op->repo, &repo_id, err);
    if (r != BERTH_OK)
        return r;
    r = manifest_exists(db, repo_id, digest_str(op->digest), err);
    if (r <= 0)
        return r < 0 ? r : manifest_unknown(digest_str(op->digest), err);
    r = ask_condition(op->condition, digest_str(op->digest), digest_str(op->digest), err);
    if (r == BERTH_OK)
        r = remove_tags(db, repo_id, op->digest->text, now, err);
    return r == BERTH_OK ? manifest_remove(db, repo_id, op->digest->text, now, err) : r;
}

int sqlite_manifest_delete(meta *base, berth_str repo, const berth_digest *d,
                           const struct oci_condition *condition, berth_error *err)
{
    struct manifest_op op = {repo, d, condition};
    return writer_run(sqlite_of(base), "deleting a manifest", manifest_delete, &op, err);
}

struct tag_delete {
    berth_str repo, tag;
    const struct oci_condition *condition;
};

static int tag_delete(struct db *db, void *arg, berth_error *err)
{
    const struct tag_delete *op = arg;
    int64_t repo_id, now = sqlite_now(db->m);
    char was[DIGEST_TEXT_MAX];
    int r = repo_find(db, op->repo, &repo_id, err);
    if (r != BERTH_OK)
        return r;
    r = tag_read(db, repo_id, op->tag, was, err);
    if (r <= 0)
        return r < 0 ? r : manifest_unknown(op->tag, err);
    r = ask_condition(op->condition, op->tag, str_from(was), err);
    if (r == BERTH_OK)
        r = db_run(db, err, "DELETE FROM tags WHERE repo_id=?1 AND name=?2", "is", repo_id, op->tag);
    if (r == BERTH_OK)
        r = add_history(db, repo_id, op->tag, STR_NULL, now, err);
    return r == BERTH_OK ? manifest_release(db, repo_id, was, now, err) : r;
}

int sqlite_tag_delete(meta *base, berth_str repo, berth_str tag, const struct oci_condition *condition,
                      berth_error *err)
{
    struct tag_delete op = {repo, tag, condition};
    return writer_run(sqlite_of(base), "deleting a tag", tag_delete, &op, err);
}
