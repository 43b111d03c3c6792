/* metadata/sqlite_salvage.c - makes a new database of every row that can still be read of a damaged one.
 *
 * Rows are poured tree by tree, in the order that the foreign keys ask for. Of a tree that is damaged also
 * the leaves below a page that can't be read are taken, then what its indexes know of it. Edges are not read
 * at all: manifests say what they refer to. What is in doubt waits in tables salvage_*, which go before the
 * end.
 *
 * The old file is only read, but for its log, which is folded into it as on any start. The new one grows
 * beside it, and takes its place when it is whole and durable: before that nothing has
 * changed. */
#include "metadata/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "metadata/sqlite_file.h"
#include "util/fault.h"

#define ROWS_AT_ONCE 1000 /* in a transaction */
#define TREES_MAX    128
#define SHAPES_SINCE 1    /* the first version of the schema whose tables have these columns */
#define IDS_SINCE    4    /* manifests have ids, and edges name them */
#define ASIDE_MAX    1000 /* damaged databases put aside */

struct tree {
    char name[48];
    uint32_t root;
    uint64_t bad; /* pages and rows that can't be read */
};

struct salvage {
    const char *path;
    const struct meta_salvage_rules *rules;
    struct meta_salvage_result *res;
    struct db_file f;
    struct tree trees[TREES_MAX];
    size_t n_trees;
    meta *to;
    struct db *db; /* its writing connection: nobody else writes, the writer sleeps */
    int64_t now;
    uint64_t rows; /* in this transaction */
    int64_t version;
    berth_error *err; /* for see_object() */
};

/* A tree of the old database and what becomes of each of its rows. Parameters of the statements: ?1.. its
 * columns, in @order if that is given; then those of bind_row(). */
struct source {
    const char *tree;
    struct file_shape shape;
    const char *order;
    const char *sql[3];
};

#define TABLE(columns)                                                                                       \
    {                                                                                                        \
        columns, true                                                                                        \
    }
#define INDEX(columns)                                                                                       \
    {                                                                                                        \
        columns, false                                                                                       \
    }
/* ?20 now, ?21 G, ?22 D, ?23 when an untagged manifest is looked at, ?24 the rowid */
#define FRESH_LEASE  "?20+2*?21"
#define REPO_LIVES   "EXISTS(SELECT 1 FROM repositories WHERE id=?1)"
#define REPO_DELETED "EXISTS(SELECT 1 FROM salvage_deleted WHERE id=?1)"
#define BLOB_THERE   "EXISTS(SELECT 1 FROM blobs WHERE digest=?2)"

static const char scratch[] =
    "CREATE TABLE salvage_deleted(id INTEGER PRIMARY KEY);"
    "CREATE TABLE salvage_repos(row INTEGER PRIMARY KEY, id INTEGER, name TEXT);"
    "CREATE TABLE salvage_objects(object_key TEXT PRIMARY KEY, digest TEXT NOT NULL, size INTEGER) WITHOUT "
    "ROWID;"
    "CREATE TABLE salvage_links(repo_id INTEGER, digest TEXT, lease_until INTEGER, review_at INTEGER,"
    " PRIMARY KEY(digest, repo_id)) WITHOUT ROWID;"
    "CREATE TABLE salvage_manifests(repo_id INTEGER, digest TEXT, PRIMARY KEY(repo_id, digest)) WITHOUT "
    "ROWID;"
    "CREATE TABLE salvage_tags(repo_id INTEGER, name TEXT, manifest TEXT, PRIMARY KEY(repo_id, name)) "
    "WITHOUT ROWID;"
    "CREATE TABLE salvage_uploads(row INTEGER PRIMARY KEY, id TEXT, repo_id INTEGER);";
static const char scratch_drop[] =
    "DROP TABLE salvage_deleted; DROP TABLE salvage_repos; DROP TABLE salvage_objects; DROP TABLE "
    "salvage_links;"
    "DROP TABLE salvage_manifests; DROP TABLE salvage_tags; DROP TABLE salvage_uploads;";

/* --- the new database --- */

__attribute__((format(printf, 2, 3))) static void say(const struct salvage *s, const char *fmt, ...)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    va_list ap;
    va_start(ap, fmt);
    const char *text = berth_arena_vprintf(&a, fmt, ap);
    va_end(ap);
    s->rules->say(s->rules->arg, text ? text : "a line that there is no memory to tell");
}

static int end_batch(struct salvage *s, berth_error *err)
{
    s->rows = 0;
    if (sqlite3_get_autocommit(s->db->handle))
        return BERTH_OK;
    int r = db_run(s->db, err, "COMMIT", "");
    if (r == BERTH_OK) /* failed: the log grows, and the last one tells */
        sqlite3_wal_checkpoint_v2(s->db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return r;
}

/* Before each row that is written. */
static int next_row(struct salvage *s, berth_error *err)
{
    if (s->rules->stop && atomic_load(s->rules->stop))
        return berth_error_set(err, BERTH_E_CANCELLED, "the salvage was stopped: nothing has changed");
    int r = ++s->rows > ROWS_AT_ONCE ? end_batch(s, err) : BERTH_OK;
    if (r == BERTH_OK && sqlite3_get_autocommit(s->db->handle))
        r = db_run(s->db, err, "BEGIN", "");
    return r;
}

static int bind_value(sqlite3_stmt *st, int i, const struct file_value *v)
{
    switch (v->type) {
    case 'i':
        return sqlite3_bind_int64(st, i, v->i);
    case 't':
        return sqlite3_bind_text64(st, i, v->s.p, v->s.n, SQLITE_STATIC, SQLITE_UTF8);
    case 'b':
        return sqlite3_bind_blob64(st, i, v->s.n ? v->s.p : "", v->s.n, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(st, i);
    }
}

static int bind_row(struct salvage *s, sqlite3_stmt *st, const struct file_row *row, const char *order,
                    berth_error *err)
{
    const struct meta_times *t = &s->db->m->times;
    const int64_t more[] = {s->now, t->grace_ms, t->drain_ms, untagged_review(s->db->m, s->now),
                            row ? row->rowid : 0};
    int n = sqlite3_bind_parameter_count(st), rc = SQLITE_OK;
    size_t columns = row ? order ? strlen(order) : row->n : 0;
    for (size_t i = 0; rc == SQLITE_OK && i < columns && (int)i < n; i++)
        rc = bind_value(st, (int)i + 1, &row->v[order ? (size_t)(order[i] - '0') : i]);
    for (size_t i = 0; rc == SQLITE_OK && i < COUNT(more) && 20 + (int)i <= n; i++)
        rc = sqlite3_bind_int64(st, 20 + (int)i, more[i]);
    return rc == SQLITE_OK ? BERTH_OK : db_fail(s->db, rc, err);
}

/* @sql, a literal, once for @row; NULL: for none. */
static int run(struct salvage *s, const char *sql, const struct file_row *row, const char *order,
               berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r = next_row(s, err);
    if (r == BERTH_OK)
        r = db_start(s->db, &st, err, sql, "");
    if (r == BERTH_OK)
        r = bind_row(s, st, row, order, err);
    while (r == BERTH_OK && (r = db_step(s->db, st, err)) > 0)
        r = BERTH_OK;
    return r;
}

/* --- the old database --- */

static struct tree *find_tree(struct salvage *s, const char *name)
{
    for (size_t i = 0; i < s->n_trees; i++)
        if (strcmp(s->trees[i].name, name) == 0)
            return &s->trees[i];
    return NULL;
}

static int add_tree(void *arg, const struct file_row *row, berth_error *err)
{
    struct salvage *s = arg;
    berth_str name = row->v[1].s;
    (void)err;
    if (s->n_trees == TREES_MAX || name.n >= sizeof(s->trees[0].name) || row->v[3].i <= 0 ||
        row->v[3].i > (int64_t)s->f.pages)
        return BERTH_OK;
    struct tree *t = &s->trees[s->n_trees++];
    *t = (struct tree){.root = (uint32_t)row->v[3].i};
    memcpy(t->name, name.p, name.n);
    return BERTH_OK;
}

/* What belongs to which tree, and which can't be read whole. What is left over and not free lies below a page
 * that is damaged. */
static int map_file(struct salvage *s, berth_error *err)
{
    static const struct file_shape schema = TABLE("tttiT");
    struct tree *master = &s->trees[s->n_trees++];
    *master = (struct tree){.name = "sqlite_schema", .root = 1};
    int r = s->f.sound ? file_walk(&s->f, 1, &schema, add_tree, s, &master->bad, err) : BERTH_OK;
    if (r == BERTH_OK && (!s->f.sound || master->bad)) {
        master->bad++;
        r = file_loose(&s->f, &schema, add_tree, s, err);
    }
    for (size_t i = 1; r == BERTH_OK && i < s->n_trees; i++) {
        struct tree *t = &s->trees[i];
        struct file_shape any = {NULL, false};
        uint64_t as_index = 0, as_table = 0; /* which it is, its root tells: as the other all of it is bad */
        r = file_walk(&s->f, t->root, &any, NULL, NULL, &as_index, err);
        any.rowids = true;
        if (r == BERTH_OK && as_index)
            r = file_walk(&s->f, t->root, &any, NULL, NULL, &as_table, err);
        t->bad = as_index && as_table ? MAX(as_index, as_table) : 0;
    }
    return r == BERTH_OK ? file_mark_free(&s->f, err) : r;
}

struct pour {
    struct salvage *s;
    const struct source *from;
    file_row_fn *fn; /* NULL: the source's statements */
};

static int pour_row(void *arg, const struct file_row *row, berth_error *err)
{
    struct pour *p = arg;
    if (p->fn)
        return p->fn(p->s, row, err);
    int r = BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < COUNT(p->from->sql) && p->from->sql[i]; i++)
        r = run(p->s, p->from->sql[i], row, p->from->order, err);
    return r;
}

/* *@ret_whole: every row was read. */
static int pour(struct salvage *s, const struct source *from, file_row_fn *fn, bool *ret_whole,
                berth_error *err)
{
    struct pour p = {s, from, fn};
    const struct tree *t = find_tree(s, from->tree);
    uint32_t root = t ? t->root : 0;
    uint64_t bad = 0;
    int r = t ? BERTH_OK : file_find_root(&s->f, &from->shape, &root, err);
    if (r == BERTH_OK && root)
        r = file_walk(&s->f, root, &from->shape, pour_row, &p, &bad, err);
    bool whole = root && bad == 0;
    if (r == BERTH_OK && !whole)
        r = file_loose(&s->f, &from->shape, pour_row, &p, err);
    if (ret_whole)
        *ret_whole = whole;
    return r == BERTH_OK ? end_batch(s, err) : r;
}

/* What indexes know of a table that is damaged. Too many look alike to find one without the schema. */
static int pour_known(struct salvage *s, const struct source *list, size_t n, berth_error *err)
{
    int r = BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < n; i++)
        if (find_tree(s, list[i].tree))
            r = pour(s, &list[i], NULL, NULL, err);
    return r;
}

/* --- repositories --- */

static const struct source repositories = {
    "repositories",
    TABLE("itIiiiiI"),
    NULL,
    {"INSERT OR IGNORE INTO salvage_deleted(id) SELECT ?1 WHERE ?5<>0",
     "INSERT OR IGNORE INTO repositories(id, name, owner_id, visibility, created_at, review_at)"
     " SELECT ?1, ?2, ?3, ?4, ?6, coalesce(?8, " FRESH_LEASE ") WHERE ?5=0"}};

static const struct source repositories_keys[] = {
    {"sqlite_autoindex_repositories_1",
     INDEX("ii"),
     NULL,
     {"INSERT INTO salvage_repos(row, id) VALUES(?2, ?1) ON CONFLICT(row) DO UPDATE SET id=excluded.id"}},
    {"sqlite_autoindex_repositories_2",
     INDEX("ti"),
     NULL,
     {"INSERT INTO salvage_repos(row, name) VALUES(?2, ?1) ON CONFLICT(row) DO UPDATE SET "
      "name=excluded.name"}},
};

/* A deleted one has a name that begins so (repo_delete()). */
static int join_repositories(struct salvage *s, berth_error *err)
{
    int r = pour_known(s, repositories_keys, COUNT(repositories_keys), err);
    if (r == BERTH_OK)
        r = run(s,
                "INSERT OR IGNORE INTO salvage_deleted(id) SELECT id FROM salvage_repos"
                " WHERE id IS NOT NULL AND substr(name, 1, 1)='!'",
                NULL, NULL, err);
    if (r == BERTH_OK)
        r = run(s,
                "INSERT OR IGNORE INTO repositories(id, name, created_at, review_at)"
                " SELECT id, name, id>>20, " FRESH_LEASE " FROM salvage_repos"
                " WHERE id IS NOT NULL AND name IS NOT NULL AND substr(name, 1, 1)<>'!'",
                NULL, NULL, err);
    return r;
}

static int salvage_repositories(struct salvage *s, berth_error *err)
{
    bool whole;
    int r = pour(s, &repositories, NULL, &whole, err);
    return r == BERTH_OK && !whole ? join_repositories(s, err) : r;
}

/* What has content but no name left gets one. */
#define NAME_REPO                                                                                            \
    "INSERT OR IGNORE INTO repositories(id, name, created_at, review_at)"                                    \
    " SELECT ?1, 'salvaged/' || ?1, ?1>>20, " FRESH_LEASE " WHERE NOT " REPO_LIVES " AND NOT " REPO_DELETED

/* --- blobs and links --- */

static const struct source bodies = {"blob_bodies", TABLE("db"), NULL, {NULL}};

static int salvage_body(void *arg, const struct file_row *row, berth_error *err)
{
    struct salvage *s = arg;
    if (!s->rules->trusted(s->rules->arg, row->v[0].s, row->v[1].s))
        return BERTH_OK;
    int r = run(s,
                "INSERT OR IGNORE INTO blobs(digest, size, created_at, review_at)"
                " VALUES(?1, length(?2), ?20, " FRESH_LEASE ")",
                row, NULL, err);
    return r == BERTH_OK
               ? run(s, "INSERT OR IGNORE INTO blob_bodies(digest, body) VALUES(?1, ?2)", row, NULL, err)
               : r;
}

static const struct source blobs = {
    "blobs",
    INDEX("diKiI"),
    NULL,
    {"INSERT OR IGNORE INTO blobs(digest, size, object_key, created_at, review_at)"
     " SELECT ?1, ?2, ?3, ?4, coalesce(?5, " FRESH_LEASE ") WHERE ?3 IS NOT NULL",
     "UPDATE blobs SET created_at=?4, review_at=coalesce(?5, review_at) WHERE digest=?1 AND ?3 IS NULL"}};

#define ADD_KEY                                                                                              \
    {                                                                                                        \
        "INSERT OR IGNORE INTO salvage_objects(object_key, digest) SELECT ?1, ?2 WHERE ?1 IS NOT NULL AND "  \
        "NOT " BLOB_THERE                                                                                    \
    }

static const struct source blob_keys[] = {
    {"blobs_object", INDEX("Kd"), NULL, ADD_KEY},
    {"sqlite_autoindex_blobs_2", INDEX("Kd"), NULL, ADD_KEY}, /* before version 3 of the schema */
};

#define ADD_LINK(lease, review)                                                                              \
    {                                                                                                        \
        NAME_REPO,                                                                                           \
            "INSERT OR IGNORE INTO salvage_links(repo_id, digest, lease_until, review_at)"                   \
            " SELECT ?1, ?2, " lease ", " review " WHERE NOT " BLOB_THERE " AND " REPO_LIVES,                \
            "INSERT OR IGNORE INTO repo_blobs(repo_id, digest, lease_until, review_at)"                      \
            " SELECT ?1, ?2, " lease ", " review " WHERE " BLOB_THERE " AND " REPO_LIVES                     \
    }

static const struct source links = {"repo_blobs", INDEX("idiI"), NULL,
                                    ADD_LINK("max(?3, " FRESH_LEASE ")", "coalesce(?4, " FRESH_LEASE ")")};

/* An edge needs its link: so there was one. */
static const struct source links_known[] = {
    {"repo_blobs_digest", INDEX("di"), "10", ADD_LINK(FRESH_LEASE, FRESH_LEASE)},
    {"manifest_blobs", INDEX("iid"), "12", ADD_LINK(FRESH_LEASE, FRESH_LEASE)},
    {"manifest_blobs_rev", INDEX("idi"), "01", ADD_LINK(FRESH_LEASE, FRESH_LEASE)},
    /* before version 4 of the schema */
    {"manifest_blobs", INDEX("idd"), "02", ADD_LINK(FRESH_LEASE, FRESH_LEASE)},
    {"manifest_blobs_rev", INDEX("idd"), "01", ADD_LINK(FRESH_LEASE, FRESH_LEASE)},
};

static const struct source uploads = {
    "uploads",
    TABLE("titTiiiitiBTiii"),
    NULL,
    {"INSERT OR IGNORE INTO uploads(id, repo_id, object_key, backend_id, stored, epoch, busy_until, size, "
     "algorithm,"
     " hash_version, hash_state, tail_key, tail_len, next_part, expires_at)"
     " SELECT ?1, ?2, ?3, ?4, 1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15"
     " WHERE EXISTS(SELECT 1 FROM repositories WHERE id=?2) AND NOT EXISTS(SELECT 1 FROM blobs WHERE "
     "object_key=?3)"}};

static const struct source uploads_known[] = {
    {"sqlite_autoindex_uploads_1",
     INDEX("ti"),
     NULL,
     {"INSERT INTO salvage_uploads(row, id) SELECT ?2, ?1 WHERE NOT EXISTS(SELECT 1 FROM uploads WHERE id=?1)"
      " ON CONFLICT(row) DO UPDATE SET id=excluded.id"}},
    {"uploads_repo", INDEX("ii"), NULL, {"UPDATE salvage_uploads SET repo_id=?1 WHERE row=?2"}},
};

static const struct source waiting_objects = {
    "gc_objects",
    INDEX("kTiii"),
    NULL,
    {"INSERT OR IGNORE INTO gc_objects(object_key, backend_id, size, delete_after, attempts)"
     " SELECT ?1, ?2, ?3, max(?4, ?20+?22), ?5 WHERE NOT EXISTS(SELECT 1 FROM blobs WHERE object_key=?1)"
     " AND NOT EXISTS(SELECT 1 FROM uploads WHERE object_key=?1)"}};

/* One of the store's objects: the size of one that an index knew, or the bytes of a blob that is looked for.
 */
static int see_object(void *arg, const char *key, uint64_t size, const char *digest)
{
    struct salvage *s = arg;
    int r = next_row(s, s->err);
    if (r == BERTH_OK)
        r = db_run(s->db, s->err, "UPDATE salvage_objects SET size=?2 WHERE object_key=?1", "zi", key,
                   (int64_t)size);
    if (r == BERTH_OK && db_changes(s->db) == 0 && *digest)
        r = db_run(s->db, s->err,
                   "INSERT OR IGNORE INTO salvage_objects(object_key, size, digest) SELECT ?1, ?2, ?3"
                   " WHERE EXISTS(SELECT 1 FROM salvage_links WHERE digest=?3)",
                   "ziz", key, (int64_t)size, digest);
    return r;
}

/* Blobs whose row is gone, from the store: first objects that nothing names, then those that wait for
 * removal; none of a session's, which goes on writing it. */
static int find_objects(struct salvage *s, berth_error *err)
{
    static const char *const steps[] = {
        "INSERT OR IGNORE INTO blobs(digest, size, object_key, created_at, review_at)"
        " SELECT o.digest, o.size, o.object_key, ?20, " FRESH_LEASE " FROM salvage_objects o"
        " LEFT JOIN gc_objects g ON g.object_key=o.object_key WHERE o.size IS NOT NULL"
        " AND NOT EXISTS(SELECT 1 FROM uploads u WHERE u.object_key=o.object_key)"
        " ORDER BY g.object_key IS NOT NULL",
        "DELETE FROM gc_objects WHERE EXISTS(SELECT 1 FROM blobs b WHERE b.object_key=gc_objects.object_key)",
        "INSERT OR IGNORE INTO repo_blobs(repo_id, digest, lease_until, review_at)"
        " SELECT repo_id, digest, lease_until, review_at FROM salvage_links l"
        " WHERE EXISTS(SELECT 1 FROM blobs b WHERE b.digest=l.digest)",
        "DELETE FROM salvage_links WHERE EXISTS(SELECT 1 FROM blobs b WHERE b.digest=salvage_links.digest)",
    };
    s->err = err;
    int r = s->rules->objects(s->rules->arg, see_object, s, err);
    for (size_t i = 0; r == BERTH_OK && i < COUNT(steps); i++)
        r = run(s, steps[i], NULL, NULL, err);
    return r == BERTH_OK ? end_batch(s, err) : r;
}

static int salvage_blobs(struct salvage *s, berth_error *err)
{
    bool blobs_whole = true, links_whole = true, uploads_whole = true;
    int64_t missing = 0;
    int r = pour(s, &bodies, salvage_body, NULL, err);
    if (r == BERTH_OK)
        r = pour(s, &blobs, NULL, &blobs_whole, err);
    if (r == BERTH_OK && !blobs_whole)
        r = pour_known(s, blob_keys, COUNT(blob_keys), err);
    if (r == BERTH_OK)
        r = pour(s, &uploads, NULL, &uploads_whole, err);
    if (r == BERTH_OK && !uploads_whole)
        r = pour_known(s, uploads_known, COUNT(uploads_known), err);
    if (r == BERTH_OK)
        r = pour(s, &waiting_objects, NULL, NULL, err);
    if (r == BERTH_OK)
        r = pour(s, &links, NULL, &links_whole, err);
    if (r == BERTH_OK && !links_whole)
        r = pour_known(s, links_known, COUNT(links_known), err);
    if (r == BERTH_OK)
        r = MIN(db_int(s->db, &missing, err, "SELECT 1 FROM salvage_links LIMIT 1", ""), BERTH_OK);
    return r == BERTH_OK && (missing || !blobs_whole) ? find_objects(s, err) : r;
}

/* --- manifests --- */

static const struct source manifests = {"manifests", TABLE("IidttDiiiITb"), NULL, {NULL}};
static const struct source manifests_without_ids = {"manifests", TABLE("idttDiiiITb"), NULL, {NULL}};

static const struct source manifests_known = {
    "sqlite_autoindex_manifests_1",
    INDEX("idi"),
    NULL,
    {NAME_REPO, "INSERT OR IGNORE INTO salvage_manifests(repo_id, digest) SELECT ?1, ?2 WHERE " REPO_LIVES}};

/* The row alone: its edges need the rows of others. It keeps its id, for what names it by that. */
static int salvage_manifest_without_id(void *arg, const struct file_row *row, berth_error *err)
{
    struct salvage *s = arg;
    int r = run(s, NAME_REPO, row, NULL, err);
    if (r != BERTH_OK)
        return r;
    if (!s->rules->trusted(s->rules->arg, row->v[1].s, row->v[10].s))
        return run(s,
                   "INSERT OR IGNORE INTO salvage_manifests(repo_id, digest) SELECT ?1, ?2 WHERE " REPO_LIVES,
                   row, NULL, err);
    return run(
        s,
        "INSERT OR IGNORE INTO manifests(id, repo_id, digest, media_type, artifact_type, subject, size, "
        "created_at, lease_until, review_at, annotations, body)"
        " SELECT CASE WHEN NOT EXISTS(SELECT 1 FROM manifests WHERE id=?24) THEN ?24 END, ?1, ?2, ?3, ?4,"
        " ?5, length(?11), ?7, max(?8, ?20+?21), coalesce(?9, ?23), ?10, ?11 WHERE " REPO_LIVES,
        row, NULL, err);
}

static int salvage_manifest(void *arg, const struct file_row *row, berth_error *err)
{
    struct file_row rest = {.rowid = row->rowid, .n = row->n - 1};
    memcpy(rest.v, row->v + 1, rest.n * sizeof(*rest.v));
    return salvage_manifest_without_id(arg, &rest, err);
}

/* Of an old database, or of one whose version can't be read, those without ids too. */
static int pour_manifests(struct salvage *s, bool *ret_whole, berth_error *err)
{
    bool with = false, without = false;
    int r = BERTH_OK;
    if (!s->version || s->version >= IDS_SINCE)
        r = pour(s, &manifests, salvage_manifest, &with, err);
    if (r == BERTH_OK && s->version < IDS_SINCE)
        r = pour(s, &manifests_without_ids, salvage_manifest_without_id, &without, err);
    *ret_whole = with || without;
    return r;
}

/* The next manifest of the new database: 1, or 0 at the end. */
static int read_manifest(struct salvage *s, int64_t *row, berth_arena *a, struct meta_manifest_put *put,
                         berth_digest *digest, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r = db_start(s->db, &st, err,
                     "SELECT m.id, r.name, m.digest, m.media_type, m.body FROM manifests m"
                     " CROSS JOIN repositories r ON r.id=m.repo_id WHERE m.id>?1 ORDER BY m.id LIMIT 1",
                     "i", *row);
    if (r != BERTH_OK || (r = db_step(s->db, st, err)) <= 0)
        return r;
    *row = sqlite3_column_int64(st, 0);
    r = digest_parse(db_text(st, 2), digest, err);
    if (r == BERTH_OK)
        r = db_copy(s->db, st, 1, a, &put->repo, err);
    if (r == BERTH_OK)
        r = db_copy(s->db, st, 3, a, &put->media_type, err);
    if (r == BERTH_OK)
        r = db_copy(s->db, st, 4, a, &put->body, err);
    put->digest = digest;
    return r == BERTH_OK ? 1 : r;
}

/* What each manifest refers to, and what of that is there. */
static int salvage_edges(struct salvage *s, berth_error *err)
{
    for (int64_t row = INT64_MIN;;) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        struct meta_manifest_put put = {0};
        berth_digest digest;
        berth_error why = BERTH_ERROR_INIT;
        int r = next_row(s, err);
        if (r == BERTH_OK)
            r = read_manifest(s, &row, &a, &put, &digest, err);
        if (r <= 0)
            return r < 0 ? r : end_batch(s, err);
        r = s->rules->manifest(s->rules->arg, s->to, &a, &put, &why);
        if (r == BERTH_E_INVALID) { /* taken as it is */
            say(s, "manifest " STR_FMT "@%s: it can't be understood: %s", STR_ARG(put.repo), digest.text,
                why.message);
            continue;
        }
        if (r == BERTH_OK)
            r = manifest_store(s->db, &put, &a, &why);
        if (r != BERTH_OK)
            return berth_error_set(err, r, "%s", why.message);
    }
}

/* ?2 is the manifest's id; before version 4 of the schema its digest. */
#define DELETED_SUBJECT                                                                                      \
    " FROM manifests WHERE repo_id=?1 AND (id=?2 OR digest=?2) AND ?3=3"                                     \
    " AND NOT EXISTS(SELECT 1 FROM manifests WHERE repo_id=?1 AND digest=?4)"
_Static_assert(META_MISSING_SUBJECT == 2 && META_LOST_SUBJECT == 3, "stand in the text above and below");

/* The one thing that a manifest can't tell: that its subject was deleted. */
#define ADD_DELETED_SUBJECT                                                                                  \
    {                                                                                                        \
        "DELETE FROM manifest_missing WHERE repo_id=?1 AND kind=2 AND manifest_id IN (SELECT "               \
        "id" DELETED_SUBJECT ")",                                                                            \
            "INSERT OR IGNORE INTO manifest_missing(manifest_id, repo_id, kind, digest)"                     \
            " SELECT id, repo_id, ?3, ?4" DELETED_SUBJECT                                                    \
    }

static const struct source subjects = {"manifest_missing", INDEX("iiid"), "1023", ADD_DELETED_SUBJECT};
static const struct source subjects_without_ids = {"manifest_missing", INDEX("idid"), NULL,
                                                   ADD_DELETED_SUBJECT};
static const struct source subjects_known[] = {
    {"manifest_missing_target", INDEX("idii"), "0231", ADD_DELETED_SUBJECT},
    {"manifest_missing_target", INDEX("iddi"), "0231", ADD_DELETED_SUBJECT}, /* before version 4 */
};

static int salvage_manifests(struct salvage *s, berth_error *err)
{
    bool whole = true;
    int r = pour_manifests(s, &whole, err);
    if (r == BERTH_OK && !whole)
        r = pour_known(s, &manifests_known, 1, err);
    if (r == BERTH_OK)
        r = salvage_edges(s, err);
    if (r == BERTH_OK)
        r = run(s,
                "UPDATE repositories SET listed=1 WHERE listed=0"
                " AND EXISTS(SELECT 1 FROM manifests m WHERE m.repo_id=repositories.id)",
                NULL, NULL, err);
    if (r == BERTH_OK)
        r = pour(s, s->version && s->version < IDS_SINCE ? &subjects_without_ids : &subjects, NULL, &whole,
                 err);
    return r == BERTH_OK && !whole ? pour_known(s, subjects_known, COUNT(subjects_known), err) : r;
}

/* --- tags --- */

static const struct source tag_history = {
    "tag_history",
    INDEX("itiDIi"),
    NULL,
    {"INSERT OR IGNORE INTO tag_history(repo_id, name, id, manifest, actor, at) SELECT ?1, ?2, ?3, ?4, ?5, ?6"
     " WHERE " REPO_LIVES}};

#define ADD_TAG(updated, immutable)                                                                          \
    {                                                                                                        \
        "INSERT OR IGNORE INTO tags(repo_id, name, manifest, updated_at, immutable)"                         \
        " SELECT ?1, ?2, ?3, " updated ", " immutable                                                        \
        " WHERE EXISTS(SELECT 1 FROM manifests WHERE repo_id=?1 AND digest=?3)",                             \
            "INSERT OR IGNORE INTO salvage_tags(repo_id, name, manifest) SELECT ?1, ?2, ?3"                  \
            " WHERE " REPO_LIVES " AND NOT EXISTS(SELECT 1 FROM tags WHERE repo_id=?1 AND name=?2)"          \
    }

static const struct source tags = {"tags", INDEX("itdii"), NULL, ADD_TAG("?4", "?5")};
static const struct source tags_known = {
    "tags_manifest", INDEX("idt"), "021",
    ADD_TAG("coalesce((SELECT max(at) FROM tag_history WHERE repo_id=?1 AND name=?2), ?20)", "0")};

static int salvage_tags(struct salvage *s, berth_error *err)
{
    bool whole = true, history_whole = true;
    int r = pour(s, &tag_history, NULL, &history_whole, err);
    if (r == BERTH_OK)
        r = pour(s, &tags, NULL, &whole, err);
    if (r == BERTH_OK && !whole)
        r = pour_known(s, &tags_known, 1, err);
    if (r == BERTH_OK && !history_whole) /* where each points now is known at least */
        r = run(s,
                "INSERT OR IGNORE INTO tag_history(repo_id, name, id, manifest, at)"
                " SELECT repo_id, name, updated_at<<20, manifest, updated_at FROM tags t WHERE NOT EXISTS("
                "SELECT 1 FROM tag_history h WHERE h.repo_id=t.repo_id AND h.name=t.name)",
                NULL, NULL, err);
    return r;
}

/* --- the rest --- */

static const struct source others[] = {
    {"lost_subjects",
     INDEX("idtt"),
     NULL,
     {"INSERT OR IGNORE INTO lost_subjects(repo_id, digest, after_type, after_digest) SELECT ?1, ?2, ?3, ?4"
      " WHERE " REPO_LIVES}},
    {"upload_parts",
     INDEX("titi"),
     NULL,
     {"INSERT OR IGNORE INTO upload_parts(upload_id, part_no, etag, size) SELECT ?1, ?2, ?3, ?4"
      " WHERE EXISTS(SELECT 1 FROM uploads WHERE id=?1)"}},
    {"upload_results",
     INDEX("tidi"),
     NULL,
     {"INSERT OR IGNORE INTO upload_results(id, repo_id, digest, expires_at) VALUES(?1, ?2, ?3, ?4)"}},
    {"users",
     TABLE("itTiiI"),
     NULL,
     {"INSERT OR IGNORE INTO users(id, name, password_hash, is_admin, created_at, disabled_at)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6)"}},
    {"tokens",
     TABLE("iibTII"),
     NULL,
     {"INSERT OR IGNORE INTO tokens(id, user_id, secret_hash, scope, expires_at, last_used_at)"
      " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS(SELECT 1 FROM users WHERE id=?2)"}},
    {"permissions",
     INDEX("iiti"),
     NULL,
     {"INSERT OR IGNORE INTO permissions(subject_kind, subject_id, pattern, actions) VALUES(?1, ?2, ?3, "
      "?4)"}},
    {"secrets",
     TABLE("tb"),
     NULL,
     {"INSERT INTO secrets(name, value) SELECT ?1, ?2 WHERE ?1='sessions' AND length(?2)=32"
      " ON CONFLICT(name) DO UPDATE SET value=excluded.value"}},
    {"leases",
     TABLE("ttii"),
     NULL,
     {"INSERT OR IGNORE INTO leases(name, holder, epoch, until) VALUES(?1, ?2, ?3, ?4)"}},
};

static int see_version(void *arg, const struct file_row *row, berth_error *err)
{
    struct salvage *s = arg;
    (void)err;
    s->version = MAX(s->version, row->rowid); /* an integer that is the primary key stands there alone */
    return BERTH_OK;
}

static int check_version(struct salvage *s, berth_error *err)
{
    static const struct source versions = {"schema_version", TABLE("Ii"), NULL, {NULL}};
    int last = meta_migrations[meta_migrations_n - 1].version;
    int r = find_tree(s, versions.tree) ? pour(s, &versions, see_version, NULL, err) : BERTH_OK;
    if (r == BERTH_OK && s->version && (s->version < SHAPES_SINCE || s->version > last))
        return berth_error_set(err, BERTH_E_UNSUPPORTED,
                               "the database has schema %" PRId64
                               ", this program salvages %d to %d: use the berth that wrote it",
                               s->version, SHAPES_SINCE, last);
    return r;
}

/* --- what is lost --- */

static int report(struct salvage *s, berth_error *err)
{
    static const char *const lost[] = {
        "SELECT 'repository ' || id || ': its name is lost; what it held is in ' || name FROM repositories"
        " WHERE name='salvaged/' || id",
        "SELECT 'manifest ' || r.name || '@' || l.digest || ': lost; whoever has it may push it again'"
        " FROM salvage_manifests l JOIN repositories r ON r.id=l.repo_id"
        " WHERE NOT EXISTS(SELECT 1 FROM manifests m WHERE m.repo_id=l.repo_id AND m.digest=l.digest)",
        "SELECT 'tag ' || r.name || ':' || t.name || ': lost with its manifest ' || t.manifest"
        " FROM salvage_tags t JOIN repositories r ON r.id=t.repo_id"
        " WHERE NOT EXISTS(SELECT 1 FROM tags x WHERE x.repo_id=t.repo_id AND x.name=t.name)",
        "SELECT 'blob ' || r.name || '@' || l.digest || ': lost; whoever has it may push it again'"
        " FROM salvage_links l JOIN repositories r ON r.id=l.repo_id",
        "SELECT 'upload session ' || coalesce(u.id, '?') || ' of ' || coalesce(r.name, '?') || ': lost'"
        " FROM salvage_uploads u LEFT JOIN repositories r ON r.id=u.repo_id",
    };
    for (size_t i = 0; i < COUNT(lost); i++) {
        CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
        int r = db_start(s->db, &st, err, lost[i], "");
        while (r >= 0 && (r = db_step(s->db, st, err)) > 0) {
            s->res->lost++;
            say(s, STR_FMT, STR_ARG(db_text(st, 0)));
        }
        if (r < 0)
            return r;
    }
    return BERTH_OK;
}

static void report_damage(struct salvage *s)
{
    for (size_t i = 0; i < s->n_trees; i++)
        if (s->trees[i].bad) {
            s->res->damaged++;
            say(s, "database: %s is damaged: what can be read of it is salvaged", s->trees[i].name);
        }
}

/* --- the whole --- */

static int fill(struct salvage *s, berth_error *err)
{
    int r = map_file(s, err);
    if (r == BERTH_OK)
        r = check_version(s, err);
    if (r != BERTH_OK)
        return r;
    report_damage(s);
    r = db_exec(s->db, scratch, err);
    if (r == BERTH_OK)
        r = salvage_repositories(s, err);
    if (r == BERTH_OK)
        r = salvage_blobs(s, err);
    if (r == BERTH_OK)
        r = salvage_manifests(s, err);
    if (r == BERTH_OK)
        r = salvage_tags(s, err);
    for (size_t i = 0; r == BERTH_OK && i < COUNT(others); i++)
        r = pour(s, &others[i], NULL, NULL, err);
    if (r == BERTH_OK)
        r = end_batch(s, err);
    if (r == BERTH_OK)
        r = report(s, err);
    return r == BERTH_OK ? db_exec(s->db, scratch_drop, err) : r;
}

/* The file alone holds everything. */
static int end_log(struct db *db, berth_error *err)
{
    int rc = fault_hit()
                 ? SQLITE_IOERR
                 : sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK ? BERTH_OK : db_fail(db, rc, err);
}

static void remove_new(const char *name)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        CLEANUP(freep) char *file = str_dupf("%s%s", name, suffixes[i]);
        if (file)
            unlink(file);
    }
}

static int build(struct salvage *s, const char *name, const struct meta_times *times, berth_error *err)
{
    remove_new(name); /* of a salvage that was cut off */
    int r = meta_sqlite_open(name, times, &s->to, err);
    if (r != BERTH_OK)
        return r;
    s->db = &sqlite_of(s->to)->writer.db;
    s->db->what = "salvaging the database";
    s->now = sqlite_now(s->db->m);
    r = fill(s, err);
    if (!sqlite3_get_autocommit(s->db->handle))
        sqlite3_exec(s->db->handle, "ROLLBACK", NULL, NULL, NULL);
    if (r == BERTH_OK)
        r = end_log(s->db, err);
    s->to->ops->free(s->to);
    CLEANUP(closep) int fd = -1;
    if (r == BERTH_OK) {
        fd = fault_io() ? -1 : open(name, O_RDWR | O_CLOEXEC);
        r = fd < 0 ? berth_error_set(err, BERTH_E_IO, "opening '%s': %s", name, strerror(errno))
                   : io_sync(fd, err);
    }
    return r;
}

/* A second name for the old file, that no other has; from here on it is not lost when the new one takes the
 * first. */
static int put_aside(struct salvage *s, berth_error *err)
{
    for (unsigned i = 1; i < ASIDE_MAX; i++) {
        char number[16] = "";
        if (i > 1)
            snprintf(number, sizeof(number), ".%u", i);
        CLEANUP(freep) char *name = str_dupf("%s.damaged%s", s->path, number);
        if (!name)
            return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        if (fault_hit() ? (errno = EIO, false) : link(s->path, name) == 0) {
            say(s, "database: the damaged one is kept as %s", name);
            return io_sync_parent(s->path, err);
        }
        if (errno != EEXIST)
            return berth_error_set(err, BERTH_E_IO, "keeping the damaged database as '%s': %s", name,
                                   strerror(errno));
    }
    return berth_error_set(err, BERTH_E_CONFLICT,
                           "too many files '%s.damaged': remove those that nobody needs", s->path);
}

static int take_place(struct salvage *s, const char *name, berth_error *err)
{
    int r = io_sync_parent(s->path, err);
    if (r == BERTH_OK)
        r = put_aside(s, err);
    if (r != BERTH_OK)
        return r;
    if (fault_hit() || rename(name, s->path) < 0)
        return berth_error_set(err, BERTH_E_IO, "renaming '%s': %s", name, strerror(errno));
    return io_sync_parent(s->path, err);
}

int meta_sqlite_salvage(const char *path, const struct meta_times *times,
                        const struct meta_salvage_rules *rules, struct meta_salvage_result *ret,
                        berth_error *err)
{
    CLEANUP(freep) char *name = str_dupf("%s.salvage", path);
    struct meta_salvage_result res = {0};
    CLEANUP(freep) struct salvage *s = fault_hit() ? NULL : mem_zalloc(1, sizeof(*s));
    if (!name || !s)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    *s = (struct salvage){.path = path, .rules = rules, .res = &res};
    int r = file_fold_log(path, err);
    if (r == BERTH_OK)
        r = file_open(path, &s->f, err);
    if (r != BERTH_OK)
        return r;
    r = build(s, name, times, err);
    file_done(&s->f);
    if (r == BERTH_OK)
        r = take_place(s, name, err);
    if (r != BERTH_OK)
        remove_new(name);
    else
        *ret = res;
    return r;
}
