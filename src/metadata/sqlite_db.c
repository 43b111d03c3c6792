/* metadata/sqlite_db.c - one SQLite connection: its pragmas, its cache of prepared statements, short ways to
 * run them, and what SQLite's errors mean to a caller. It knows nothing of the schema. */
#include "metadata/sqlite_private.h"

#include <errno.h>
#include <stdarg.h>

#include "util/fault.h"

struct db_cached {
    const char *sql;
    sqlite3_stmt *stmt;
};

int db_open(struct db *db, struct sqlite_meta *m, const char *path, int flags, const char *vfs,
            berth_error *err)
{
    *db = (struct db){.m = m, .what = "opening the database"};
    int rc =
        fault_hit() ? SQLITE_NOMEM : sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, vfs);
    if (rc != SQLITE_OK) {
        rc = db_fail(db, rc, err);
        db_close(db);
        return rc;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, DB_BUSY_TIMEOUT_MS);
    /* secure_delete: what a registry deletes is no secret, and Debian's build would write every freed page
     * again. */
    rc = db_exec(db, "PRAGMA foreign_keys=ON; PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY;", err);
    if (rc != BERTH_OK)
        db_close(db);
    return rc;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < db->slots; i++)
        sqlite3_finalize(db->cache[i].stmt);
    mem_free(db->cache);
    recent_free(steal(&db->recent));
    sqlite3_close_v2(db->handle);
    db->cache = NULL;
    db->cached = db->slots = 0;
    db->handle = NULL;
}

int db_fail(struct db *db, int rc, berth_error *err)
{
    int code = BERTH_E_IO;
    switch (rc & 0xff) {
    case SQLITE_FULL:
        code = BERTH_E_NO_SPACE;
        break;
    case SQLITE_NOMEM:
        code = BERTH_E_NOMEM;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        code = BERTH_E_CORRUPT;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        code = BERTH_E_BUSY;
        break;
    case SQLITE_CONSTRAINT:
        code = BERTH_E_CONFLICT;
        break;
    case SQLITE_TOOBIG:
        code = BERTH_E_TOO_BIG;
        break;
    case SQLITE_IOERR: { /* SQLite knows ENOSPC as FULL, but not a quota */
        int e = db->handle ? sqlite3_system_errno(db->handle) : 0;
        if (e == ENOSPC || e == EDQUOT)
            code = BERTH_E_NO_SPACE;
        break;
    }
    default:
        break;
    }
    bool known = db->handle && sqlite3_extended_errcode(db->handle) == rc;
    return berth_error_set(err, code, "%s: %s", db->what,
                           known ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc));
}

int db_nomem(struct db *db, berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "%s: no memory", db->what);
}

/* The slot of @sql: its own, or the free one where it belongs. */
static struct db_cached *cache_slot(struct db_cached *cache, size_t slots, const char *sql)
{
    size_t i = ((uintptr_t)sql * (uintptr_t)0x9e3779b97f4a7c15u >> 20) & (slots - 1);
    while (cache[i].sql && cache[i].sql != sql)
        i = (i + 1) & (slots - 1);
    return &cache[i];
}

static int cache_grow(struct db *db, berth_error *err)
{
    size_t slots = db->slots ? db->slots * 2 : 32;
    struct db_cached *cache = fault_hit() ? NULL : mem_zalloc(slots, sizeof(*cache));
    if (!cache)
        return db_nomem(db, err);
    for (size_t i = 0; i < db->slots; i++)
        if (db->cache[i].sql)
            *cache_slot(cache, slots, db->cache[i].sql) = db->cache[i];
    mem_free(db->cache);
    db->cache = cache;
    db->slots = slots;
    return BERTH_OK;
}

static int prepare(struct db *db, const char *sql, sqlite3_stmt **ret, berth_error *err)
{
    struct db_cached *c = db->slots ? cache_slot(db->cache, db->slots, sql) : NULL;
    if (!c || !c->sql) {
        if (db->cached * 2 >= db->slots) {
            int r = cache_grow(db, err);
            if (r != BERTH_OK)
                return r;
            c = cache_slot(db->cache, db->slots, sql);
        }
        sqlite3_stmt *st = NULL;
        int rc = fault_hit() ? SQLITE_NOMEM
                             : sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
        if (rc != SQLITE_OK)
            return db_fail(db, rc, err);
        *c = (struct db_cached){sql, st};
        db->cached++;
    }
    *ret = c->stmt;
    return BERTH_OK;
}

static int bind_text(sqlite3_stmt *st, int i, berth_str s, bool null_when_empty)
{
    if (!s.n && null_when_empty)
        return sqlite3_bind_null(st, i);
    return sqlite3_bind_text64(st, i, s.p ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_one(sqlite3_stmt *st, int i, char type, va_list *ap)
{
    switch (type) {
    case 'i':
        return sqlite3_bind_int64(st, i, va_arg(*ap, int64_t));
    case 's':
    case 'S':
        return bind_text(st, i, va_arg(*ap, berth_str), type == 'S');
    case 'z':
    case 'Z':
        return bind_text(st, i, str_from(va_arg(*ap, const char *)), type == 'Z');
    case 'b':
    case 'B': {
        berth_str s = va_arg(*ap, berth_str);
        if (!s.n && type == 'B')
            return sqlite3_bind_null(st, i);
        return sqlite3_bind_blob64(st, i, s.p ? s.p : "", s.n, SQLITE_STATIC);
    }
    default:
        return SQLITE_MISUSE;
    }
}

static int start(struct db *db, sqlite3_stmt **ret, berth_error *err, const char *sql, const char *types,
                 va_list *ap)
{
    sqlite3_stmt *st = NULL;
    int r = prepare(db, sql, &st, err);
    if (r != BERTH_OK)
        return r;
    for (int i = 0; types[i]; i++) {
        int rc = bind_one(st, i + 1, types[i], ap);
        if (rc != SQLITE_OK) {
            db_reset(st);
            return db_fail(db, rc, err);
        }
    }
    *ret = st;
    return BERTH_OK;
}

int db_start(struct db *db, sqlite3_stmt **ret, berth_error *err, const char *sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    int r = start(db, ret, err, sql, types, &ap);
    va_end(ap);
    return r;
}

int db_step(struct db *db, sqlite3_stmt *st, berth_error *err)
{
    int rc = fault_hit() ? SQLITE_IOERR : sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : db_fail(db, rc, err);
}

void db_reset(sqlite3_stmt *st)
{
    if (st) {
        sqlite3_reset(st);
        sqlite3_clear_bindings(st);
    }
}

void db_resetp(sqlite3_stmt **st)
{
    db_reset(*st);
}

int db_run(struct db *db, berth_error *err, const char *sql, const char *types, ...)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    va_list ap;
    va_start(ap, types);
    int r = start(db, &st, err, sql, types, &ap);
    va_end(ap);
    if (r != BERTH_OK)
        return r;
    while ((r = db_step(db, st, err)) > 0)
        ;
    return r;
}

int db_int(struct db *db, int64_t *ret, berth_error *err, const char *sql, const char *types, ...)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    va_list ap;
    va_start(ap, types);
    int r = start(db, &st, err, sql, types, &ap);
    va_end(ap);
    if (r != BERTH_OK)
        return r;
    r = db_step(db, st, err);
    if (r > 0)
        *ret = sqlite3_column_int64(st, 0);
    return r;
}

int db_exec(struct db *db, const char *sql, berth_error *err)
{
    int rc = fault_hit() ? SQLITE_IOERR : sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? BERTH_OK : db_fail(db, rc, err);
}

berth_str db_text(sqlite3_stmt *st, int col)
{
    const char *p = sqlite3_column_blob(st, col);
    return (berth_str){p ? p : "", (size_t)sqlite3_column_bytes(st, col)};
}

int db_copy(struct db *db, sqlite3_stmt *st, int col, berth_arena *a, berth_str *ret, berth_error *err)
{
    berth_str s = db_text(st, col);
    *ret = berth_arena_str(a, s);
    return ret->p ? BERTH_OK : db_nomem(db, err);
}

void db_key(sqlite3_stmt *st, int col, char out[IO_KEY_SIZE])
{
    berth_str s = str_head(db_text(st, col), IO_KEY_SIZE - 1);
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
}

int list_add(struct db *db, struct list_builder *l, berth_arena *a, berth_str s, berth_error *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        berth_str *items = berth_arena_alloc(a, cap * sizeof(*items));
        if (!items)
            return db_nomem(db, err);
        if (l->n)
            memcpy(items, l->items, l->n * sizeof(*items));
        l->items = items;
        l->cap = cap;
    }
    berth_str copy = berth_arena_str(a, s);
    if (!copy.p)
        return db_nomem(db, err);
    l->items[l->n++] = copy;
    return BERTH_OK;
}
