/* metadata/sqlite_inspect.c - what `berth check` reads and repairs: blobs and manifests page by page, who
 * owns a key, lost objects, the database's own check. */
#include "metadata/sqlite_private.h"

#include "util/fault.h"

/* The database's problems that are told; more help nobody. */
#define PROBLEMS_MAX 100

int cursor_read(const berth_buf *cursor, int64_t *ret_repo, berth_str *ret_digest, berth_error *err)
{
    uint64_t repo = 0;
    berth_str head, tail;
    *ret_repo = 0;
    *ret_digest = STR("");
    if (!cursor->n)
        return BERTH_OK;
    if (!str_cut(berth_buf_str(cursor), ' ', &head, &tail) || !str_to_u64(head, &repo) || repo > INT64_MAX)
        return berth_error_set(err, BERTH_E_INVALID, "the cursor is not one of this database");
    *ret_repo = (int64_t)repo;
    *ret_digest = tail;
    return BERTH_OK;
}

int cursor_write(berth_buf *cursor, int64_t repo, berth_str digest, berth_error *err)
{
    berth_buf_reset(cursor);
    berth_buf_addf(cursor, "%lld " STR_FMT, (long long)repo, STR_ARG(digest));
    return berth_buf_failed(cursor) ? berth_error_set(err, BERTH_E_NOMEM, "keeping the cursor: no memory")
                                    : BERTH_OK;
}

/* --- pages --- */

int sqlite_blobs_page(meta *base, berth_str after, size_t n, berth_arena *a, struct meta_blob_row **ret,
                      size_t *ret_n, berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "listing blobs", &db, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = db_start(
        db, &st, err,
        "SELECT b.digest, b.object_key, b.size, i.body FROM blobs b LEFT JOIN blob_bodies i"
        " ON i.digest=b.digest AND b.object_key IS NULL WHERE b.digest>?1 ORDER BY b.digest LIMIT ?2",
        "si", after, (int64_t)MIN(n, (size_t)INT32_MAX));
    if (r != BERTH_OK)
        return r;
    struct meta_blob_row *list = NULL;
    size_t got = 0, cap = 0;
    while ((r = db_step(db, st, err)) > 0) {
        if (got == cap) {
            cap = cap ? cap * 2 : 16;
            struct meta_blob_row *more = berth_arena_alloc(a, cap * sizeof(*more));
            if (!more)
                return db_nomem(db, err);
            if (got)
                memcpy(more, list, got * sizeof(*more));
            list = more;
        }
        struct meta_blob_row *row = &list[got++];
        db_key(st, 1, row->key);
        row->size = (uint64_t)sqlite3_column_int64(st, 2);
        r = db_copy(db, st, 0, a, &row->digest, err);
        if (r == BERTH_OK && !row->key[0])
            r = db_copy(db, st, 3, a, &row->body, err);
        if (r != BERTH_OK)
            return r;
    }
    if (r < 0)
        return r;
    *ret = list;
    *ret_n = got;
    return BERTH_OK;
}

int sqlite_manifests_page(meta *base, size_t n, berth_buf *cursor, berth_arena *a, struct oci_list *ret_repos,
                          struct oci_list *ret_digests, struct oci_list *ret_bodies, berth_error *err)
{
    struct db *db;
    int64_t repo;
    berth_str digest;
    int r = reader_get(sqlite_of(base), "listing manifests", &db, err);
    if (r == BERTH_OK)
        r = cursor_read(cursor, &repo, &digest, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = db_start(db, &st, err,
                 "SELECT m.repo_id, m.digest, r.name, m.body FROM manifests m CROSS JOIN repositories r ON "
                 "r.id=m.repo_id"
                 " WHERE (m.repo_id, m.digest)>(?1, ?2) AND r.state=0 ORDER BY m.repo_id, m.digest LIMIT ?3",
                 "isi", repo, digest, (int64_t)MIN(n, (size_t)INT32_MAX));
    if (r != BERTH_OK)
        return r;
    struct list_builder repos = {0}, digests = {0}, bodies = {0};
    while ((r = db_step(db, st, err)) > 0) {
        repo = sqlite3_column_int64(st, 0);
        r = list_add(db, &digests, a, db_text(st, 1), err);
        if (r == BERTH_OK)
            r = list_add(db, &repos, a, db_text(st, 2), err);
        if (r == BERTH_OK)
            r = list_add(db, &bodies, a, db_text(st, 3), err);
        if (r != BERTH_OK)
            return r;
    }
    if (r == BERTH_OK && digests.n)
        r = cursor_write(cursor, repo, digests.items[digests.n - 1], err);
    if (r != BERTH_OK)
        return r;
    bool more = n > 0 && digests.n == n;
    *ret_repos = (struct oci_list){repos.items, repos.n, more};
    *ret_digests = (struct oci_list){digests.items, digests.n, more};
    *ret_bodies = (struct oci_list){bodies.items, bodies.n, more};
    return BERTH_OK;
}

/* --- keys --- */

static int key_owner(struct db *db, const char *key, enum meta_key_owner *ret, berth_error *err)
{
    int64_t owner = META_KEY_UNKNOWN;
    int r = db_int(db, &owner, err,
                   "SELECT CASE WHEN EXISTS(SELECT 1 FROM blobs WHERE object_key=?1) THEN ?2"
                   " WHEN EXISTS(SELECT 1 FROM uploads WHERE object_key=?1) THEN ?3"
                   " WHEN EXISTS(SELECT 1 FROM gc_objects WHERE object_key=?1) THEN ?4 ELSE ?5 END",
                   "ziiii", key, (int64_t)META_KEY_BLOB, (int64_t)META_KEY_UPLOAD, (int64_t)META_KEY_GC,
                   (int64_t)META_KEY_UNKNOWN);
    if (r < 0)
        return r;
    *ret = (enum meta_key_owner)owner;
    return BERTH_OK;
}

int sqlite_key_owner(meta *base, const char *key, enum meta_key_owner *ret, berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "looking for an object's owner", &db, err);
    return r == BERTH_OK ? key_owner(db, key, ret, err) : r;
}

struct object_orphan {
    const char *key;
    uint64_t size;
};

static int object_orphan(struct db *db, void *arg, berth_error *err)
{
    const struct object_orphan *op = arg;
    enum meta_key_owner owner;
    int r = key_owner(db, op->key, &owner, err);
    if (r != BERTH_OK)
        return r;
    if (owner != META_KEY_UNKNOWN)
        return berth_error_set(err, BERTH_E_CONFLICT, "object %s has an owner", op->key);
    return object_discard(db, op->key, op->size, sqlite_now(db->m), err);
}

int sqlite_object_orphan(meta *base, const char *key, uint64_t size, berth_error *err)
{
    struct object_orphan op = {key, size};
    return writer_run(sqlite_of(base), "collecting an unknown object", object_orphan, &op, err);
}

/* --- repair --- */

struct blob_repair {
    const char *digest, *key;
};

static int blob_row(struct db *db, const char *digest, char ret_key[IO_KEY_SIZE], uint64_t *ret_size,
                    berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r = db_start(db, &st, err, "SELECT object_key, size FROM blobs WHERE digest=?1", "z", digest);
    if (r != BERTH_OK || (r = db_step(db, st, err)) < 0)
        return r;
    if (r == 0)
        return berth_error_set_oci(err, BERTH_E_NOT_FOUND, "BLOB_UNKNOWN", "blob %s is not known", digest);
    db_key(st, 0, ret_key);
    *ret_size = (uint64_t)sqlite3_column_int64(st, 1);
    return BERTH_OK;
}

static int blob_rekey(struct db *db, void *arg, berth_error *err)
{
    const struct blob_repair *op = arg;
    char was[IO_KEY_SIZE];
    uint64_t size = 0;
    enum meta_key_owner owner;
    int r = blob_row(db, op->digest, was, &size, err);
    if (r != BERTH_OK || strcmp(was, op->key) == 0)
        return r;
    r = key_owner(db, op->key, &owner, err);
    if (r != BERTH_OK)
        return r;
    if (owner == META_KEY_BLOB || owner == META_KEY_UPLOAD)
        return berth_error_set(err, BERTH_E_CONFLICT, "object %s has an owner", op->key);
    r = db_run(db, err, "DELETE FROM gc_objects WHERE object_key=?1", "z", op->key);
    if (r == BERTH_OK)
        r = db_run(db, err, "UPDATE blobs SET object_key=?2 WHERE digest=?1", "zz", op->digest, op->key);
    if (r == BERTH_OK)
        r = was[0] ? object_discard(db, was, size, sqlite_now(db->m), err)
                   : db_run(db, err, "DELETE FROM blob_bodies WHERE digest=?1", "z", op->digest);
    return r;
}

int sqlite_blob_rekey(meta *base, const char *digest, const char *key, berth_error *err)
{
    struct blob_repair op = {digest, key};
    return writer_run(sqlite_of(base), "giving a blob another object", blob_rekey, &op, err);
}

/* The edges of every repository to @digest, turned into missing ones; then its links. One at a time: few link
 * the same blob, and each step stays a search in an index. */
static int forget_links(struct db *db, const char *digest, int64_t now, berth_error *err)
{
    for (;;) {
        int64_t repo_id;
        int r =
            db_int(db, &repo_id, err, "SELECT repo_id FROM repo_blobs WHERE digest=?1 LIMIT 1", "z", digest);
        if (r <= 0)
            return r;
        r = db_run(
            db, err,
            "INSERT INTO manifest_missing(manifest_id, repo_id, kind, digest) SELECT manifest_id, repo_id, "
            "?3, digest"
            " FROM manifest_blobs WHERE repo_id=?1 AND digest=?2 ON CONFLICT DO NOTHING",
            "izi", repo_id, digest, (int64_t)META_MISSING_BLOB);
        if (r == BERTH_OK)
            r = db_run(db, err, "DELETE FROM manifest_blobs WHERE repo_id=?1 AND digest=?2", "iz", repo_id,
                       digest);
        if (r == BERTH_OK)
            r = db_run(db, err, "DELETE FROM repo_blobs WHERE repo_id=?1 AND digest=?2", "iz", repo_id,
                       digest);
        if (r == BERTH_OK)
            r = repo_review(db, repo_id, now, err);
        if (r != BERTH_OK)
            return r;
    }
}

static int blob_forget(struct db *db, void *arg, berth_error *err)
{
    const struct blob_repair *op = arg;
    char key[IO_KEY_SIZE];
    uint64_t size = 0;
    int64_t now = sqlite_now(db->m);
    int r = blob_row(db, op->digest, key, &size, err);
    if (r == BERTH_OK)
        r = forget_links(db, op->digest, now, err);
    if (r == BERTH_OK)
        r = db_run(db, err, "DELETE FROM blobs WHERE digest=?1", "z", op->digest);
    if (r == BERTH_OK && key[0])
        r = object_discard(db, key, size, now, err);
    return r;
}

int sqlite_blob_forget(meta *base, const char *digest, berth_error *err)
{
    struct blob_repair op = {digest, NULL};
    return writer_run(sqlite_of(base), "forgetting a lost blob", blob_forget, &op, err);
}

/* --- the database's own check --- */

/* Each row of @sql is a problem, told by its first column. Not cached: it runs once in a blue moon, and
 * scans. */
static int add_problems(struct db *db, const char *sql, const char *fine, struct list_builder *l,
                        berth_arena *a, berth_error *err)
{
    sqlite3_stmt *st = NULL;
    int rc = fault_hit() ? SQLITE_NOMEM : sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);
    int r = rc == SQLITE_OK ? 1 : db_fail(db, rc, err);
    while (r >= 0 && l->n < PROBLEMS_MAX && (r = db_step(db, st, err)) > 0) {
        berth_str s = db_text(st, 0);
        if (!str_eq(s, str_from(fine)))
            r = list_add(db, l, a, s, err);
    }
    sqlite3_finalize(st);
    return MIN(r, 0);
}

int sqlite_integrity(meta *base, bool quick, berth_arena *a, struct oci_list *ret_problems, berth_error *err)
{
    const char *const checks[] = {
        quick ? "PRAGMA quick_check(100)" : "PRAGMA integrity_check(100)",
        "SELECT 'a row of ' || \"table\" || ' refers to a row of ' || parent || ' that is not there'"
        " FROM pragma_foreign_key_check LIMIT 100",
        "SELECT 'object ' || object_key || ' belongs to blob ' || digest || ' and to an upload or the "
        "collector'"
        " FROM blobs b WHERE EXISTS(SELECT 1 FROM uploads u WHERE u.object_key=b.object_key)"
        " OR EXISTS(SELECT 1 FROM gc_objects g WHERE g.object_key=b.object_key) LIMIT 100",
        "SELECT 'object ' || object_key || ' belongs to upload ' || id || ' and to the collector'"
        " FROM uploads u WHERE EXISTS(SELECT 1 FROM gc_objects g WHERE g.object_key=u.object_key) LIMIT 100",
        "SELECT 'blob ' || digest || ' has neither an object nor a body' FROM blobs b WHERE object_key IS "
        "NULL"
        " AND NOT EXISTS(SELECT 1 FROM blob_bodies i WHERE i.digest=b.digest) LIMIT 100",
    };
    struct db unopened = {.what = "checking the database"}, *db = &unopened;
    int r = reader_get(sqlite_of(base), unopened.what, &db, err);
    struct list_builder l = {0};
    for (size_t i = 0; r == BERTH_OK && i < COUNT(checks); i++)
        r = add_problems(db, checks[i], i == 0 ? "ok" : NULL, &l, a, err);
    if (r == BERTH_E_CORRUPT) { /* too broken to say more */
        r = list_add(db, &l, a, STR("the database is malformed"), err);
    }
    if (r == BERTH_OK)
        *ret_problems = (struct oci_list){l.items, l.n, l.n >= PROBLEMS_MAX};
    return r;
}

/* --- indexes --- */

static int list_indexes(struct db *db, berth_arena *a, struct list_builder *l, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r =
        db_start(db, &st, err, "SELECT sql FROM sqlite_schema WHERE type='index' AND sql IS NOT NULL", "");
    while (r >= 0 && (r = db_step(db, st, err)) > 0)
        r = list_add(db, l, a, db_text(st, 0), err);
    return r;
}

/* Not REINDEX, nor DROP INDEX: both walk the old pages, and fail where the first of them is none. The old
 * ones are forgotten by the schema instead, and their pages lost until VACUUM. */
static int rebuild(struct db *db, void *arg, berth_error *err)
{
    (void)arg;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct list_builder l = {0};
    int r = list_indexes(db, &a, &l, err);
    if (r == BERTH_OK)
        r = db_exec(db,
                    "PRAGMA writable_schema=ON;"
                    "DELETE FROM sqlite_schema WHERE type='index' AND sql IS NOT NULL",
                    err);
    if (r == BERTH_OK)
        r = db_exec(db, "PRAGMA writable_schema=RESET", err);
    for (size_t i = 0; r == BERTH_OK && i < l.n; i++)
        r = db_exec(db, l.items[i].p, err); /* a copy in an arena ends with NUL */
    sqlite3_exec(db->handle, "PRAGMA writable_schema=RESET", NULL, NULL, NULL); /* also after a failure */
    return r;
}

/* Can't run within a transaction: the one that is open is given up, with what others wrote in it; the writer
 * runs them again, each by itself, and this once more. */
static int vacuum(struct db *db, void *arg, berth_error *err)
{
    bool *done = arg;
    if (*done)
        return BERTH_OK;
    int r = db_exec(db, "ROLLBACK", err);
    if (r == BERTH_OK)
        r = db_exec(db, "VACUUM", err);
    *done = r == BERTH_OK;
    int again = db_run(db, r == BERTH_OK ? err : NULL, "BEGIN IMMEDIATE", "");
    return r == BERTH_OK ? again : r;
}

int sqlite_rebuild(meta *base, berth_error *err)
{
    bool done = false;
    int r = writer_run(sqlite_of(base), "making the indexes anew", rebuild, NULL, err);
    return r == BERTH_OK ? writer_run(sqlite_of(base), "giving back lost pages", vacuum, &done, err) : r;
}
