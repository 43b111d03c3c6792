/* metadata/sqlite_log.c - the write-ahead log reaches its file in large pieces.
 *
 * SQLite writes each page of a transaction by two calls, 24 bytes and the page. A layer over the system's
 * files (a VFS) gathers what follows upon each other and writes it by one call, at the latest when SQLite
 * asks for the sync; before that nobody reads it but the connection that wrote it: with synchronous=FULL a
 * commit syncs the log, then tells the readers how long it is. Nothing for a connection that does not sync:
 * what fails late would be a transaction that was thought to be done.
 *
 * Small images pushed by 16 clients: 1,880 to 2,060/s instead of 1,600 to 1,690 (docs/adr/0033). */
#include "metadata/sqlite_private.h"

#include <stdio.h>

#include "util/fault.h"

#define GATHER_BYTES (124 * KIB) /* SQLite's own layer writes no more than 128 KiB - 1 by one call */

struct log_file {
    sqlite3_file base;
    sqlite3_file *real; /* right behind this */
    char *p;            /* gathered bytes; made with the first write */
    sqlite3_int64 offset;
    int n;
};

static struct log_file *log_of(sqlite3_file *f)
{
    return (struct log_file *)(void *)f;
}

static int flush(struct log_file *l)
{
    int n = l->n;
    l->n = 0; /* also after a failure: SQLite gives the transaction up */
    return n ? l->real->pMethods->xWrite(l->real, l->p, n, l->offset) : SQLITE_OK;
}

static int log_close(sqlite3_file *f)
{
    struct log_file *l = log_of(f);
    int r = flush(l), c = l->real->pMethods->xClose(l->real);
    mem_free(l->p);
    return r == SQLITE_OK ? c : r;
}

static int log_read(sqlite3_file *f, void *p, int n, sqlite3_int64 offset)
{
    struct log_file *l = log_of(f);
    int r = l->n && offset < l->offset + l->n && offset + n > l->offset ? flush(l) : SQLITE_OK;
    return r == SQLITE_OK ? l->real->pMethods->xRead(l->real, p, n, offset) : r;
}

static int log_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 offset)
{
    struct log_file *l = log_of(f);
    int r = SQLITE_OK;
    if (l->n && (offset != l->offset + l->n || n > (int)GATHER_BYTES - l->n))
        r = flush(l);
    if (!l->p && !fault_hit())
        l->p = mem_alloc(GATHER_BYTES);
    if (r != SQLITE_OK || !l->p || n > (int)GATHER_BYTES)
        return r == SQLITE_OK ? l->real->pMethods->xWrite(l->real, p, n, offset) : r;
    if (!l->n)
        l->offset = offset;
    memcpy(l->p + l->n, p, (size_t)n);
    l->n += n;
    return SQLITE_OK;
}

static int log_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct log_file *l = log_of(f);
    int r = flush(l);
    return r == SQLITE_OK ? l->real->pMethods->xTruncate(l->real, size) : r;
}

static int log_sync(sqlite3_file *f, int flags)
{
    struct log_file *l = log_of(f);
    int r = flush(l);
    return r == SQLITE_OK ? l->real->pMethods->xSync(l->real, flags) : r;
}

static int log_file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    struct log_file *l = log_of(f);
    int r = flush(l);
    return r == SQLITE_OK ? l->real->pMethods->xFileSize(l->real, ret) : r;
}

static int log_lock(sqlite3_file *f, int level)
{
    struct log_file *l = log_of(f);
    return l->real->pMethods->xLock(l->real, level);
}

static int log_unlock(sqlite3_file *f, int level)
{
    struct log_file *l = log_of(f);
    return l->real->pMethods->xUnlock(l->real, level);
}

static int log_check_lock(sqlite3_file *f, int *ret)
{
    struct log_file *l = log_of(f);
    return l->real->pMethods->xCheckReservedLock(l->real, ret);
}

static int log_control(sqlite3_file *f, int op, void *arg)
{
    struct log_file *l = log_of(f);
    return l->real->pMethods->xFileControl(l->real, op, arg);
}

static int log_sector_size(sqlite3_file *f)
{
    struct log_file *l = log_of(f);
    return l->real->pMethods->xSectorSize(l->real);
}

static int log_characteristics(sqlite3_file *f)
{
    struct log_file *l = log_of(f);
    return l->real->pMethods->xDeviceCharacteristics(l->real);
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1, /* maps and shared memory belong to the database's file */
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_file_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

/* --- the file system: all but opening a log is the system's --- */

static sqlite3_vfs *system_of(sqlite3_vfs *v)
{
    return v->pAppData;
}

static int fs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    sqlite3_vfs *s = system_of(v);
    if (!(flags & SQLITE_OPEN_WAL))
        return s->xOpen(s, name, f, flags, ret_flags);
    struct log_file *l = log_of(f);
    *l = (struct log_file){.real = (sqlite3_file *)(void *)(l + 1)};
    l->real->pMethods = NULL;
    int r = s->xOpen(s, name, l->real, flags, ret_flags);
    if (r == SQLITE_OK)
        f->pMethods = &log_methods;
    else if (l->real->pMethods)
        l->real->pMethods->xClose(l->real);
    return r;
}

static int fs_delete(sqlite3_vfs *v, const char *name, int sync_dir)
{
    return system_of(v)->xDelete(system_of(v), name, sync_dir);
}

static int fs_access(sqlite3_vfs *v, const char *name, int flags, int *ret)
{
    return system_of(v)->xAccess(system_of(v), name, flags, ret);
}

static int fs_full_path(sqlite3_vfs *v, const char *name, int n, char *out)
{
    return system_of(v)->xFullPathname(system_of(v), name, n, out);
}

static int fs_randomness(sqlite3_vfs *v, int n, char *out)
{
    return system_of(v)->xRandomness(system_of(v), n, out);
}

static int fs_sleep(sqlite3_vfs *v, int us)
{
    return system_of(v)->xSleep(system_of(v), us);
}

static int fs_time(sqlite3_vfs *v, sqlite3_int64 *ret)
{
    return system_of(v)->xCurrentTimeInt64(system_of(v), ret);
}

static int fs_last_error(sqlite3_vfs *v, int n, char *out)
{
    return system_of(v)->xGetLastError(system_of(v), n, out);
}

int log_gather(struct sqlite_meta *m, berth_error *err)
{
    sqlite3_vfs *s = sqlite3_vfs_find(NULL);
    if (!s || s->iVersion < 2)
        return BERTH_OK; /* a file system of its own kind: as it is */
    snprintf(m->vfs_name, sizeof(m->vfs_name), "berth-%p", (void *)m);
    m->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(struct log_file) + s->szOsFile,
        .mxPathname = s->mxPathname,
        .zName = m->vfs_name,
        .pAppData = s,
        .xOpen = fs_open,
        .xDelete = fs_delete,
        .xAccess = fs_access,
        .xFullPathname = fs_full_path,
        .xRandomness = fs_randomness,
        .xSleep = fs_sleep,
        .xGetLastError = fs_last_error,
        .xCurrentTimeInt64 = fs_time,
    };
    int rc = fault_hit() ? SQLITE_NOMEM : sqlite3_vfs_register(&m->vfs, 0);
    if (rc == SQLITE_OK)
        return BERTH_OK;
    m->vfs.zName = NULL;
    return berth_error_set(err, BERTH_E_NOMEM, "opening the database: %s", sqlite3_errstr(rc));
}

void log_gather_no_more(struct sqlite_meta *m)
{
    if (m->vfs.zName)
        sqlite3_vfs_unregister(&m->vfs);
    m->vfs.zName = NULL;
}
