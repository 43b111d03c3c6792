/* metadata/sqlite_backup.c - what `berth backup` and `berth restore` need of the metadata: a consistent copy
 * of the database while others write, and pages of everything a repository holds. */
#include "metadata/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>

#include "util/fault.h"

/* Pages copied between two looks at @stop; the kernel is asked to begin writing them, so that the sync at the
 * end, which others' syncs may have to wait for, has little left to do. */
#define STEP_PAGES 2048

static bool stopped(const _Atomic bool *stop)
{
    return stop && atomic_load(stop);
}

/* --- the copy --- */

static int create_file(const char *path, int *ret_fd, berth_error *err)
{
    int fd = fault_io() ? -1 : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return berth_error_set(err, errno == ENOSPC ? BERTH_E_NO_SPACE : BERTH_E_IO, "creating '%s': %s",
                               path, strerror(errno));
    *ret_fd = fd;
    return BERTH_OK;
}

static int copy_pages(struct db *from, struct db *to, int fd, const _Atomic bool *stop, berth_error *err)
{
    sqlite3_backup *b = fault_hit() ? NULL : sqlite3_backup_init(to->handle, "main", from->handle, "main");
    if (!b)
        return db_fail(to, SQLITE_NOMEM, err);
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && !stopped(stop)) {
        rc = fault_hit() ? SQLITE_IOERR : sqlite3_backup_step(b, STEP_PAGES);
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    if (rc == SQLITE_OK) { /* stopped */
        sqlite3_backup_finish(b);
        return berth_error_set(err, BERTH_E_CANCELLED, "copying the database was stopped");
    }
    int ended = sqlite3_backup_finish(b);
    return rc == SQLITE_DONE && ended == SQLITE_OK ? BERTH_OK : db_fail(to, ended ? ended : rc, err);
}

/* One reading transaction over all pages: others go on writing, and none of it is seen. */
static int copy_database(struct db *from, struct db *to, int fd, const _Atomic bool *stop, berth_error *err)
{
    int64_t version;
    int r = db_run(from, err, "BEGIN", "");
    if (r != BERTH_OK)
        return r;
    r = db_int(from, &version, err, "SELECT max(version) FROM schema_version", "");
    if (r >= 0)
        r = copy_pages(from, to, fd, stop, err);
    sqlite3_exec(from->handle, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

/* Sessions end with the process, those that are only names by another secret, and the objects that wait for
 * removal belong to this store alone. A repository that held nothing but a session is looked at by the
 * collector. */
static int leave_out(struct db *db, berth_error *err)
{
    return db_exec(db,
                   "PRAGMA journal_mode=DELETE; BEGIN;"
                   "UPDATE repositories SET review_at=0 WHERE id IN (SELECT repo_id FROM uploads);"
                   "DELETE FROM upload_parts; DELETE FROM uploads; DELETE FROM upload_results;"
                   "DELETE FROM gc_objects; DELETE FROM leases;"
                   "UPDATE secrets SET value=randomblob(32) WHERE name='sessions'; COMMIT",
                   err);
}

static int check_pages(struct db *db, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r = db_start(db, &st, err, "PRAGMA quick_check(1)", "");
    if (r == BERTH_OK)
        r = db_step(db, st, err);
    if (r > 0 && !str_eq(db_text(st, 0), STR("ok")))
        return berth_error_set(err, BERTH_E_CORRUPT, "the database is damaged: " STR_FMT,
                               STR_ARG(str_head(db_text(st, 0), 150)));
    return MIN(r, 0);
}

static int write_copy(struct sqlite_meta *m, const char *path, const _Atomic bool *stop, berth_error *err)
{
    CLEANUP(closep)
    int fd = -1; /* closed last: closing it lets go of the locks that SQLite took on the file */
    struct db *from, to;
    int r = reader_get(m, "copying the database", &from, err);
    if (r == BERTH_OK)
        r = create_file(path, &fd, err);
    if (r == BERTH_OK)
        r = db_open(&to, m, path, SQLITE_OPEN_READWRITE, NULL, err);
    if (r != BERTH_OK)
        return r;
    to.what = from->what;
    /* what is half is thrown away, and what is whole is synced once */
    r = db_exec(&to, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA cache_size=-2048", err);
    if (r == BERTH_OK)
        r = copy_database(from, &to, fd, stop, err);
    db_close(&to);
    if (r == BERTH_OK)
        r = db_open(&to, m, path, SQLITE_OPEN_READWRITE, NULL, err); /* anew: the schema is another one now */
    if (r != BERTH_OK)
        return r;
    to.what = from->what;
    r = db_exec(&to, "PRAGMA synchronous=OFF; PRAGMA cache_size=-2048", err);
    if (r == BERTH_OK)
        r = leave_out(&to, err);
    if (r == BERTH_OK)
        r = check_pages(&to, err);
    db_close(&to);
    return r == BERTH_OK ? io_sync(fd, err) : r;
}

int sqlite_snapshot(meta *base, const char *path, const _Atomic bool *stop, meta **ret, berth_error *err)
{
    struct sqlite_meta *m = sqlite_of(base);
    int r = write_copy(m, path, stop, err);
    if (r == BERTH_OK)
        r = meta_sqlite_open(path, &m->times, ret, err);
    if (r != BERTH_OK) {
        unlink(path);
        return r;
    }
    meta_sqlite_shift_clock(*ret, m->shift_ms);
    return BERTH_OK;
}

/* --- what the database holds --- */

int sqlite_totals(meta *base, struct meta_totals *ret, berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "counting blobs", &db, err);
    if (r != BERTH_OK)
        return r;
    int64_t blobs = 0, bytes = 0, tags = 0;
    r = db_int(db, &blobs, err, "SELECT count(*) FROM blobs", "");
    if (r >= 0)
        r = db_int(db, &bytes, err, "SELECT coalesce(sum(size), 0) FROM blobs", "");
    if (r >= 0)
        r = db_int(db, &tags, err, "SELECT count(*) FROM tags", "");
    if (r >= 0)
        *ret = (struct meta_totals){(uint64_t)blobs, (uint64_t)bytes, (uint64_t)tags};
    return MIN(r, 0);
}

/* The texts of @st's first column. */
static int read_list(struct db *db, sqlite3_stmt *st, size_t n, berth_arena *a, struct oci_list *ret,
                     berth_error *err)
{
    struct list_builder l = {0};
    int r;
    while ((r = db_step(db, st, err)) > 0) {
        r = list_add(db, &l, a, db_text(st, 0), err);
        if (r != BERTH_OK)
            return r;
    }
    if (r == BERTH_OK)
        *ret = (struct oci_list){l.items, l.n, l.n == n};
    return r;
}

int sqlite_blob_repos(meta *base, berth_str digest, size_t n, berth_arena *a, struct oci_list *ret,
                      berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "looking who has a blob", &db, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = db_start(db, &st, err,
                 "SELECT r.name FROM repo_blobs l JOIN repositories r ON r.id=l.repo_id"
                 " WHERE l.digest=?1 AND r.state=0 ORDER BY l.repo_id LIMIT ?2",
                 "si", digest, (int64_t)n);
    return r == BERTH_OK ? read_list(db, st, n, a, ret, err) : r;
}

int sqlite_repos_page(meta *base, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                      berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "listing repositories", &db, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = db_start(db, &st, err,
                 "SELECT name FROM repositories WHERE name>?1 AND state=0 ORDER BY name LIMIT ?2", "si",
                 after, (int64_t)n);
    return r == BERTH_OK ? read_list(db, st, n, a, ret, err) : r;
}

/* For each kind of row: the columns, and the place after which to go on. */
int sqlite_repo_page(meta *base, berth_str repo, enum meta_repo_rows kind, berth_str after, size_t n,
                     berth_arena *a, struct meta_repo_row **ret, size_t *ret_n, berth_error *err)
{
    struct db *db;
    int64_t repo_id;
    int r = reader_get(sqlite_of(base), "listing what a repository holds", &db, err);
    if (r == BERTH_OK)
        r = repo_find(db, repo, &repo_id, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    switch (kind) {
    case META_REPO_LINKS:
        r = db_start(db, &st, err,
                     "SELECT '', l.digest, b.size, '' FROM repo_blobs l JOIN blobs b ON b.digest=l.digest"
                     " WHERE l.repo_id=?1 AND l.digest>?2 ORDER BY l.digest LIMIT ?3",
                     "isi", repo_id, after, (int64_t)n);
        break;
    case META_REPO_MANIFESTS:
        r = db_start(db, &st, err,
                     "SELECT '', digest, size, media_type FROM manifests"
                     " WHERE repo_id=?1 AND digest>?2 ORDER BY digest LIMIT ?3",
                     "isi", repo_id, after, (int64_t)n);
        break;
    case META_REPO_TAGS:
        r = db_start(db, &st, err,
                     "SELECT t.name, t.manifest, m.size, m.media_type FROM tags t JOIN manifests m"
                     " ON m.repo_id=t.repo_id AND m.digest=t.manifest"
                     " WHERE t.repo_id=?1 AND t.name>?2 ORDER BY t.name LIMIT ?3",
                     "isi", repo_id, after, (int64_t)n);
        break;
    }
    struct meta_repo_row *list = r == BERTH_OK ? berth_arena_alloc(a, n * sizeof(*list)) : NULL;
    if (!list)
        return r == BERTH_OK ? db_nomem(db, err) : r;
    size_t got = 0;
    while (got < n && (r = db_step(db, st, err)) > 0) {
        struct meta_repo_row *row = &list[got++];
        row->size = (uint64_t)sqlite3_column_int64(st, 2);
        r = db_copy(db, st, 0, a, &row->tag, err);
        if (r == BERTH_OK)
            r = db_copy(db, st, 1, a, &row->digest, err);
        if (r == BERTH_OK)
            r = db_copy(db, st, 3, a, &row->media_type, err);
        if (r != BERTH_OK)
            return r;
    }
    if (r < 0)
        return r;
    *ret = list;
    *ret_n = got;
    return BERTH_OK;
}

int sqlite_content_get(meta *base, berth_str repo, const berth_digest *d, berth_arena *a,
                       struct meta_content *ret, berth_error *err)
{
    struct db *db;
    int64_t repo_id;
    int r = reader_get(sqlite_of(base), "reading what a repository holds", &db, err);
    if (r == BERTH_OK)
        r = repo_find(db, repo, &repo_id, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = db_start(db, &st, err,
                 "SELECT body, NULL, media_type FROM manifests WHERE repo_id=?1 AND digest=?2 UNION ALL"
                 " SELECT i.body, b.object_key, '' FROM repo_blobs l JOIN blobs b ON b.digest=l.digest"
                 " LEFT JOIN blob_bodies i ON i.digest=b.digest WHERE l.repo_id=?1 AND l.digest=?2",
                 "is", repo_id, digest_str(d));
    if (r != BERTH_OK || (r = db_step(db, st, err)) < 0)
        return r;
    if (r == 0)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "%s is not there", d->text);
    db_key(st, 1, ret->key);
    r = db_copy(db, st, 0, a, &ret->body, err);
    return r == BERTH_OK ? db_copy(db, st, 2, a, &ret->media_type, err) : r;
}
