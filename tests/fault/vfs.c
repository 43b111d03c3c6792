/* tests/fault/vfs.c - see vfs.h. Only while it is armed does it change anything; syncs are not passed on, for
 * these tests ask what happens when a call fails, not when the power does. */
#include "vfs.h"

#include <pthread.h>
#include <sqlite3.h>

#include "util/base.h"

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs shim;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned countdown; /* 0: disarmed; 1: the next call fails */
static bool fired;
static enum vfs_failure kind;

enum call { CALL_READ, CALL_WRITE, CALL_SPACE /* needs space, writes nothing itself */, CALL_OTHER };

/* Whether this call fails; *@ret_first: it is the n-th, and not one after it. */
static bool fails(enum call call, bool *ret_first)
{
    *ret_first = false;
    if (call == CALL_READ && kind != VFS_IOERR && kind != VFS_BROKEN)
        return false; /* neither lack of space nor a torn write keeps anybody from reading */
    pthread_mutex_lock(&lock);
    *ret_first = countdown == 1 && !fired;
    if ((kind == VFS_SHORT || kind == VFS_TORN) && call != CALL_WRITE && !fired) {
        pthread_mutex_unlock(&lock);
        return *ret_first = false;
    }
    bool now = countdown == 1;
    if (countdown > 1)
        countdown--;
    fired = fired || now;
    if (now && (kind == VFS_IOERR || kind == VFS_TORN))
        countdown = 0; /* once */
    /* a full disk still lets go of files, and tells their sizes */
    if (now && (kind == VFS_FULL || kind == VFS_SHORT) && call == CALL_OTHER)
        now = false;
    pthread_mutex_unlock(&lock);
    return now;
}

static int refuse(enum call call, int code)
{
    bool first;
    if (!fails(call, &first))
        return SQLITE_OK;
    return kind == VFS_FULL || kind == VFS_SHORT ? SQLITE_FULL : code;
}

void vfs_arm(enum vfs_failure failure, unsigned nth)
{
    pthread_mutex_lock(&lock);
    kind = failure;
    countdown = nth;
    fired = false;
    pthread_mutex_unlock(&lock);
}

bool vfs_disarm(void)
{
    pthread_mutex_lock(&lock);
    bool was = fired;
    countdown = 0;
    fired = false;
    pthread_mutex_unlock(&lock);
    return was;
}

const char *vfs_failure_name(enum vfs_failure failure)
{
    static const char *const names[] = {"an error of the device", "a full disk",
                                        "a short write, then a full disk", "a torn write",
                                        "a device that is gone"};
    return names[failure];
}

#define REAL(file) (((struct shim_file *)(file))->real)

static int x_close(sqlite3_file *file)
{
    return REAL(file)->pMethods->xClose(REAL(file));
}
static int x_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    int rc = refuse(CALL_READ, SQLITE_IOERR_READ);
    return rc ? rc : REAL(file)->pMethods->xRead(REAL(file), p, n, at);
}
static int x_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    bool first;
    if (!fails(CALL_WRITE, &first))
        return REAL(file)->pMethods->xWrite(REAL(file), p, n, at);
    if (first && (kind == VFS_SHORT || kind == VFS_TORN))
        REAL(file)->pMethods->xWrite(REAL(file), p, n / 2, at);
    return kind == VFS_FULL || kind == VFS_SHORT ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}
static int x_truncate(sqlite3_file *file, sqlite3_int64 n)
{
    int rc = refuse(CALL_OTHER, SQLITE_IOERR_TRUNCATE);
    return rc ? rc : REAL(file)->pMethods->xTruncate(REAL(file), n);
}
static int x_sync(sqlite3_file *file, int flags)
{
    (void)file, (void)flags;
    return refuse(CALL_SPACE, SQLITE_IOERR_FSYNC);
}
static int x_size(sqlite3_file *file, sqlite3_int64 *n)
{
    int rc = refuse(CALL_OTHER, SQLITE_IOERR_FSTAT);
    return rc ? rc : REAL(file)->pMethods->xFileSize(REAL(file), n);
}
static int x_lock(sqlite3_file *file, int level)
{
    int rc = refuse(CALL_READ, SQLITE_IOERR_LOCK);
    return rc ? rc : REAL(file)->pMethods->xLock(REAL(file), level);
}
static int x_unlock(sqlite3_file *file, int level)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), level);
}
static int x_check(sqlite3_file *file, int *ret)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), ret);
}
static int x_control(sqlite3_file *file, int op, void *arg)
{
    return REAL(file)->pMethods->xFileControl(REAL(file), op, arg);
}
static int x_sector(sqlite3_file *file)
{
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}
static int x_device(sqlite3_file *file)
{
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}
static int x_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    int rc = refuse(CALL_SPACE, SQLITE_IOERR_SHMMAP);
    return rc ? rc : REAL(file)->pMethods->xShmMap(REAL(file), page, size, extend, ret);
}
static int x_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    int rc = flags & SQLITE_SHM_LOCK ? refuse(CALL_READ, SQLITE_IOERR_SHMLOCK) : SQLITE_OK;
    return rc ? rc : REAL(file)->pMethods->xShmLock(REAL(file), at, n, flags);
}
static void x_shm_barrier(sqlite3_file *file)
{
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}
static int x_shm_unmap(sqlite3_file *file, int del)
{
    return REAL(file)->pMethods->xShmUnmap(REAL(file), del);
}

/* Version 2: no mapped reading, so that every write is seen here. */
static const sqlite3_io_methods shim_methods = {
    2,          x_close,       x_read,      x_write,   x_truncate, x_sync,   x_size,
    x_lock,     x_unlock,      x_check,     x_control, x_sector,   x_device, x_shm_map,
    x_shm_lock, x_shm_barrier, x_shm_unmap, NULL,      NULL};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_vfs *real = vfs->pAppData;
    struct shim_file *s = (struct shim_file *)file;
    s->base.pMethods = NULL;
    int rc = refuse(CALL_SPACE, SQLITE_CANTOPEN);
    if (rc != SQLITE_OK)
        return rc == SQLITE_FULL ? SQLITE_CANTOPEN : rc;
    s->real = (sqlite3_file *)(s + 1);
    rc = real->xOpen(real, name, s->real, flags, out);
    if (rc == SQLITE_OK)
        s->base.pMethods = &shim_methods;
    return rc;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    sqlite3_vfs *real = vfs->pAppData;
    (void)sync_folder;
    int rc = refuse(CALL_OTHER, SQLITE_IOERR_DELETE);
    return rc ? rc : real->xDelete(real, name, 0);
}

static int shim_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    sqlite3_vfs *real = vfs->pAppData;
    int rc = refuse(CALL_OTHER, SQLITE_IOERR_ACCESS);
    return rc ? rc : real->xAccess(real, name, flags, ret);
}

void vfs_install(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    if (real == &shim)
        return;
    shim = *real;
    shim.zName = "berth-failing";
    shim.pNext = NULL;
    shim.pAppData = real;
    shim.szOsFile += (int)sizeof(struct shim_file);
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    shim.xAccess = shim_access;
    sqlite3_vfs_register(&shim, 1);
}
