/* tests/crash/recorder.c - preloaded into a server: writes down, in their order, all its changes to the files
 * below a folder, and its syncs.
 *
 * - CRASH_ROOT: the folder, an absolute path without links.
 *
 * - CRASH_TRACE: file to append the records to (disk.py reads them); absent: nothing is recorded.
 *
 * - CRASH_COUNTER: file of 16 bytes, shared: how many records there are, for clients to look at; and the
 * number from which on the process ends as by kill -9, but never between a change and its record; 0: none.
 *
 * - CRASH_DROP: syncs that neither happen nor are recorded: all, dirs, files, wal, objects (files but the
 * WAL). Without CRASH_TRACE this is how a verification avoids waiting for a disk.
 *
 * A change and its record happen under one lock, so the records stand in the order of effects. A sync has two
 * records: what it covers ended before the first, and may be relied on from the second. Files are told apart
 * by inode; a name's folder is its text below the root, for the server never renames a folder. Writes through
 * a mapping cannot be seen: SQLite's shared memory alone is mapped for writing, and is not recorded; any
 * other such mapping is a record that the reader refuses. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum kind {
    CREATE = 1, /* a file; name, inode */
    OPEN,       /* a file that was there; name, inode; flags: 1 for writing past the page cache */
    WRITE,      /* inode, offset, bytes */
    TRUNCATE,   /* inode, size in offset */
    CHMOD,      /* inode, mode in offset */
    XATTR,      /* inode, name, value */
    MKDIR,      /* name, mode in offset */
    UNLINK,     /* name */
    RMDIR,      /* name */
    RENAME,     /* name, and the new name as bytes */
    LINK,       /* the new name, inode */
    SYNC,       /* inode; flags: 1 data only, 2 a folder (name); offset: number of this sync */
    SYNCED,     /* offset: number of the sync that has ended */
    MAPPED,     /* inode, name */
    UNSEEN,     /* a call that is not understood; name */
};

struct record {
    uint32_t kind, flags;
    uint64_t time_ms, inode, offset;
    uint32_t name_length, length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int trace_fd = -1;
static _Atomic(uint64_t) private_counter[2], *counter = private_counter;
static _Atomic(uint64_t) syncs;
static enum { DROP_NONE, DROP_ALL, DROP_DIRS, DROP_FILES, DROP_WAL, DROP_OBJECTS } drop;

static void fail(const char *what)
{
    char text[200];
    int n = snprintf(text, sizeof(text), "recorder: %s: %s\n", what, strerror(errno));
    (void)!write(2, text, (size_t)n);
    _exit(97);
}

static int counter_open(const char *path)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_ftruncate, fd, 16) < 0)
        fail("counter");
    return fd;
}

__attribute__((constructor)) static void begin(void)
{
    static const char *const names[] = {"", "all", "dirs", "files", "wal", "objects"};
    const char *r = getenv("CRASH_ROOT"), *trace = getenv("CRASH_TRACE"), *count = getenv("CRASH_COUNTER"),
               *what = getenv("CRASH_DROP");
    for (size_t i = 1; what && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(what, names[i]) == 0)
            drop = (__typeof__(drop))i;
    if (!r || !trace)
        return;
    if (strlen(r) >= sizeof(root))
        fail("root");
    memcpy(root, r, strlen(r) + 1);
    root_length = strlen(root);
    if (count) {
        int fd = counter_open(count);
        void *p = (void *)syscall(SYS_mmap, NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
        if (p == MAP_FAILED)
            fail("counter");
        counter = p;
        syscall(SYS_close, fd);
    }
    int fd = (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Out of the way of the descriptors that the server expects. */
    trace_fd = fd < 0 ? -1 : (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900);
    if (trace_fd < 0)
        fail("trace");
    syscall(SYS_close, fd);
}

/* --- records: the lock is held --- */

static void put_v(enum kind kind, uint32_t flags, uint64_t inode, uint64_t offset, const char *name,
                  const struct iovec *pieces, int n_pieces, size_t length)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct record rec = {
        .kind = (uint32_t)kind,
        .flags = flags,
        .inode = inode,
        .offset = offset,
        .time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
        .name_length = (uint32_t)strlen(name),
        .length = (uint32_t)length,
    };
    size_t total = sizeof(rec) + rec.name_length + length;
    char *whole = malloc(total), *p = whole;
    if (!whole)
        fail("memory");
    memcpy(p, &rec, sizeof(rec));
    p += sizeof(rec);
    memcpy(p, name, rec.name_length);
    p += rec.name_length;
    for (int i = 0; i < n_pieces && length; i++) {
        size_t n = pieces[i].iov_len < length ? pieces[i].iov_len : length;
        memcpy(p, pieces[i].iov_base, n);
        p += n;
        length -= n;
    }
    if (syscall(SYS_write, trace_fd, whole, total) != (long)total)
        fail("trace");
    free(whole);
    atomic_fetch_add(counter, 1);
}

static void put(enum kind kind, uint32_t flags, uint64_t inode, uint64_t offset, const char *name,
                const void *bytes, size_t length)
{
    struct iovec piece = {(void *)(uintptr_t)bytes, length};
    put_v(kind, flags, inode, offset, name, &piece, 1, length);
}

static void lock_records(void)
{
    pthread_mutex_lock(&lock);
    uint64_t last = atomic_load(&counter[1]);
    if (last && atomic_load(counter) >= last)
        kill(getpid(), SIGKILL);
}

static bool recording(void)
{
    return trace_fd >= 0;
}

/* --- names --- */

/* Below the root, without it; NULL: elsewhere. */
static const char *below(const char *path)
{
    if (strncmp(path, root, root_length) != 0 || (path[root_length] != '/' && path[root_length] != '\0'))
        return NULL;
    return path[root_length] ? path + root_length + 1 : "";
}

static bool shared_memory(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, "-shm") == 0;
}

static bool fd_path(int fd, char out[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n <= 0 || out[0] != '/')
        return false;
    out[n] = '\0';
    return true;
}

/* The name of @path at @dir_fd below the root, in @out; NULL: none. */
static const char *resolve(int dir_fd, const char *path, char out[PATH_MAX])
{
    char dir[PATH_MAX];
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else if (dir_fd == AT_FDCWD) {
        if (!getcwd(dir, sizeof(dir)))
            return NULL;
        snprintf(out, PATH_MAX, "%.*s/%s", PATH_MAX / 2, dir, path);
    } else {
        if (!fd_path(dir_fd, dir))
            return NULL;
        snprintf(out, PATH_MAX, "%.*s/%s", PATH_MAX / 2, dir, path);
    }
    return below(out);
}

/* Whether @fd is a file or folder of ours. */
static bool ours(int fd, struct stat *st, char path[PATH_MAX], const char **ret_name)
{
    if (!recording() || fstat(fd, st) < 0 || !(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) ||
        !fd_path(fd, path))
        return false;
    const char *name = below(path);
    if (!name || shared_memory(name))
        return false;
    *ret_name = name;
    return true;
}

static bool our_file(int fd, uint64_t *ret_inode)
{
    struct stat st;
    char path[PATH_MAX];
    const char *name;
    if (!ours(fd, &st, path, &name) || !S_ISREG(st.st_mode))
        return false;
    *ret_inode = st.st_ino;
    return true;
}

/* --- opening --- */

static int open_recorded(int dir_fd, const char *path, int flags, mode_t mode)
{
    char whole[PATH_MAX];
    const char *name = recording() ? resolve(dir_fd, path, whole) : NULL;
    if (!name || shared_memory(name) || (flags & O_ACCMODE) == O_RDONLY)
        return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
    lock_records();
    struct stat before, st;
    bool there = fstatat(dir_fd, path, &before, 0) == 0;
    int fd = (int)syscall(SYS_openat, dir_fd, path, flags, mode), e = errno;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        put(there ? OPEN : CREATE, there && flags & O_DIRECT ? 1 : 0, st.st_ino, st.st_mode & 07777, name,
            NULL, 0);
        if (there && flags & O_TRUNC)
            put(TRUNCATE, 0, st.st_ino, 0, "", NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = e;
    return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
}

#define OPENS(name)                                                                                          \
    EXPORT int name(const char *path, int flags, ...);                                                       \
    EXPORT int name(const char *path, int flags, ...)                                                        \
    {                                                                                                        \
        va_list ap;                                                                                          \
        va_start(ap, flags);                                                                                 \
        mode_t mode = mode_of(flags, ap);                                                                    \
        va_end(ap);                                                                                          \
        return open_recorded(AT_FDCWD, path, flags, mode);                                                   \
    }
#define OPENATS(name)                                                                                        \
    EXPORT int name(int dir_fd, const char *path, int flags, ...);                                           \
    EXPORT int name(int dir_fd, const char *path, int flags, ...)                                            \
    {                                                                                                        \
        va_list ap;                                                                                          \
        va_start(ap, flags);                                                                                 \
        mode_t mode = mode_of(flags, ap);                                                                    \
        va_end(ap);                                                                                          \
        return open_recorded(dir_fd, path, flags, mode);                                                     \
    }
OPENS(open)
OPENS(open64)
OPENATS(openat)
OPENATS(openat64)
/* What a fortified build calls: never with O_CREAT. */
#define FORTIFIED(name) EXPORT int name(const char *path, int flags);
FORTIFIED(__open_2)
FORTIFIED(__open64_2)
EXPORT int __openat_2(int dir_fd, const char *path, int flags);
EXPORT int __openat64_2(int dir_fd, const char *path, int flags);

EXPORT int __open_2(const char *path, int flags)
{
    return open_recorded(AT_FDCWD, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags)
{
    return open_recorded(AT_FDCWD, path, flags, 0);
}

EXPORT int __openat_2(int dir_fd, const char *path, int flags)
{
    return open_recorded(dir_fd, path, flags, 0);
}

EXPORT int __openat64_2(int dir_fd, const char *path, int flags)
{
    return open_recorded(dir_fd, path, flags, 0);
}

EXPORT int creat(const char *path, mode_t mode)
{
    return open_recorded(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

EXPORT int creat64(const char *path, mode_t mode)
{
    return open_recorded(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

/* --- bytes --- */

/* What `call` wrote to @fd at @at (below zero: at its position). */
#define RECORDED_WRITE(fd, at, pieces, n_pieces, call)                                                       \
    do {                                                                                                     \
        uint64_t inode;                                                                                      \
        if (!our_file(fd, &inode))                                                                           \
            return call;                                                                                     \
        lock_records();                                                                                      \
        off_t from = (at) < 0 ? lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR) : (at);    \
        ssize_t written = call;                                                                              \
        int e = errno;                                                                                       \
        if (written > 0)                                                                                     \
            put_v(WRITE, 0, inode, (uint64_t)from, "", pieces, n_pieces, (size_t)written);                   \
        pthread_mutex_unlock(&lock);                                                                         \
        errno = e;                                                                                           \
        return written;                                                                                      \
    } while (0)

EXPORT ssize_t write(int fd, const void *p, size_t n)
{
    struct iovec piece = {(void *)(uintptr_t)p, n};
    RECORDED_WRITE(fd, (off_t)-1, &piece, 1, syscall(SYS_write, fd, p, n));
}

EXPORT ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    struct iovec piece = {(void *)(uintptr_t)p, n};
    RECORDED_WRITE(fd, at, &piece, 1, syscall(SYS_pwrite64, fd, p, n, at));
}

EXPORT ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return pwrite(fd, p, n, at);
}

EXPORT ssize_t writev(int fd, const struct iovec *pieces, int n)
{
    RECORDED_WRITE(fd, (off_t)-1, pieces, n, syscall(SYS_writev, fd, pieces, n));
}

EXPORT ssize_t pwritev(int fd, const struct iovec *pieces, int n, off_t at)
{
    RECORDED_WRITE(fd, at, pieces, n, syscall(SYS_pwritev, fd, pieces, n, at, 0));
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *pieces, int n, off64_t at)
{
    return pwritev(fd, pieces, n, at);
}

EXPORT int ftruncate(int fd, off_t size)
{
    uint64_t inode;
    if (!our_file(fd, &inode))
        return (int)syscall(SYS_ftruncate, fd, size);
    lock_records();
    int r = (int)syscall(SYS_ftruncate, fd, size), e = errno;
    if (r == 0)
        put(TRUNCATE, 0, inode, (uint64_t)size, "", NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = e;
    return r;
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

/* Calls that write and that nothing here uses: if that changes, the reader of the trace must learn of them.
 */
static void unseen(int fd, const char *what)
{
    uint64_t inode;
    if (!our_file(fd, &inode))
        return;
    lock_records();
    put(UNSEEN, 0, inode, 0, what, NULL, 0);
    pthread_mutex_unlock(&lock);
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t n)
{
    unseen(fd, "fallocate");
    return (int)syscall(SYS_fallocate, fd, mode, at, n);
}

EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
    return fallocate(fd, mode, at, n);
}

EXPORT int posix_fallocate(int fd, off_t at, off_t n)
{
    return fallocate(fd, 0, at, n) < 0 ? errno : 0;
}

EXPORT int posix_fallocate64(int fd, off64_t at, off64_t n)
{
    return posix_fallocate(fd, at, n);
}

EXPORT ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
    unseen(out, "copy_file_range");
    return syscall(SYS_copy_file_range, in, in_at, out, out_at, n, flags);
}

EXPORT void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset)
{
    struct stat st;
    char path[PATH_MAX];
    const char *name;
    if (fd >= 0 && flags & MAP_SHARED && protection & PROT_WRITE && ours(fd, &st, path, &name)) {
        lock_records();
        put(MAPPED, 0, st.st_ino, 0, name, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

EXPORT void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    return mmap64(at, n, protection, flags, fd, offset);
}

/* --- mode and attributes --- */

EXPORT int fchmod(int fd, mode_t mode)
{
    uint64_t inode;
    if (!our_file(fd, &inode))
        return (int)syscall(SYS_fchmod, fd, mode);
    lock_records();
    int r = (int)syscall(SYS_fchmod, fd, mode), e = errno;
    if (r == 0)
        put(CHMOD, 0, inode, mode, "", NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = e;
    return r;
}

EXPORT int fsetxattr(int fd, const char *name, const void *value, size_t n, int flags)
{
    uint64_t inode;
    if (!our_file(fd, &inode))
        return (int)syscall(SYS_fsetxattr, fd, name, value, n, flags);
    lock_records();
    int r = (int)syscall(SYS_fsetxattr, fd, name, value, n, flags), e = errno;
    if (r == 0)
        put(XATTR, 0, inode, 0, name, value, n);
    pthread_mutex_unlock(&lock);
    errno = e;
    return r;
}

/* --- names that come and go --- */

static int named(enum kind kind, int dir_fd, const char *path, uint64_t inode, uint64_t offset,
                 const void *bytes, size_t length, long number, long a, long b, long c, long d, long e)
{
    char whole[PATH_MAX];
    const char *name = recording() ? resolve(dir_fd, path, whole) : NULL;
    if (!name || shared_memory(name))
        return (int)syscall(number, a, b, c, d, e);
    lock_records();
    int r = (int)syscall(number, a, b, c, d, e), saved = errno;
    if (r == 0)
        put(kind, 0, inode, offset, name, bytes, length);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return r;
}

EXPORT int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    return named(MKDIR, dir_fd, path, 0, mode, NULL, 0, SYS_mkdirat, dir_fd, (long)path, (long)mode, 0, 0);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

EXPORT int unlinkat(int dir_fd, const char *path, int flags)
{
    return named(flags & AT_REMOVEDIR ? RMDIR : UNLINK, dir_fd, path, 0, 0, NULL, 0, SYS_unlinkat, dir_fd,
                 (long)path, flags, 0, 0);
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags)
{
    char whole[PATH_MAX];
    const char *name = recording() ? resolve(new_fd, new, whole) : NULL;
    return named(RENAME, old_fd, old, 0, flags, name ? name : "", name ? strlen(name) : 0, SYS_renameat2,
                 old_fd, (long)old, new_fd, (long)new, (long)flags);
}

EXPORT int renameat(int old_fd, const char *old, int new_fd, const char *new)
{
    return renameat2(old_fd, old, new_fd, new, 0);
}

EXPORT int rename(const char *old, const char *new)
{
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

EXPORT int linkat(int old_fd, const char *old, int new_fd, const char *new, int flags)
{
    struct stat st = {0};
    (void)!fstatat(old_fd, old, &st, 0);
    return named(LINK, new_fd, new, st.st_ino, 0, NULL, 0, SYS_linkat, old_fd, (long)old, new_fd, (long)new,
                 flags);
}

EXPORT int link(const char *old, const char *new)
{
    return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

/* --- syncs --- */

static bool dropped(const struct stat *st, const char *name)
{
    size_t n = strlen(name);
    bool wal = n > 4 && strcmp(name + n - 4, "-wal") == 0;
    switch (drop) {
    case DROP_ALL:
        return true;
    case DROP_DIRS:
        return S_ISDIR(st->st_mode);
    case DROP_FILES:
        return S_ISREG(st->st_mode);
    case DROP_WAL:
        return wal;
    case DROP_OBJECTS:
        return S_ISREG(st->st_mode) && strstr(name, "objects/") != NULL;
    case DROP_NONE:
    default:
        return false;
    }
}

static int sync_recorded(int fd, long number, uint32_t flags)
{
    struct stat st;
    char path[PATH_MAX];
    const char *name;
    if (drop == DROP_ALL)
        return 0;
    if (!ours(fd, &st, path, &name))
        return (int)syscall(number, fd);
    if (dropped(&st, name))
        return 0;
    uint64_t which = (uint64_t)getpid() << 32 | atomic_fetch_add(&syncs, 1);
    lock_records();
    put(SYNC, flags | (S_ISDIR(st.st_mode) ? 2u : 0), st.st_ino, which, name, NULL, 0);
    pthread_mutex_unlock(&lock);
    int r = (int)syscall(number, fd), e = errno;
    if (r == 0) {
        lock_records();
        put(SYNCED, 0, 0, which, "", NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    errno = e;
    return r;
}

EXPORT int fsync(int fd)
{
    return sync_recorded(fd, SYS_fsync, 0);
}

EXPORT int fdatasync(int fd)
{
    return sync_recorded(fd, SYS_fdatasync, 1);
}

/* Advice: it promises nothing, so it is no record. */
EXPORT int sync_file_range(int fd, off64_t at, off64_t n, unsigned flags)
{
    return drop == DROP_ALL ? 0 : (int)syscall(SYS_sync_file_range, fd, at, n, flags);
}

EXPORT int syncfs(int fd)
{
    unseen(fd, "syncfs");
    return (int)syscall(SYS_syncfs, fd);
}

EXPORT void sync(void)
{
    syscall(SYS_sync);
}
