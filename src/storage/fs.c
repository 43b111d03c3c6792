/* storage/fs.c - objects as files, objects/<2 hex of key>/<key>, from creation to removal under one name.
 *
 * What is whole is told by the mode: 0600 while it grows, 0400 from complete() on. The name is made durable
 * once, by whichever of suspend() and complete() comes first. An extended attribute repeats the digest, for
 * repair. */
#include "storage/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "storage/direct.h"
#include "util/fault.h"
#include "util/io.h"

#define FOLDERS          256
#define DIGEST_ATTRIBUTE "user.berth.digest"

#define MODE_GROWING 0600
#define MODE_WHOLE   0400

/* How many bytes may wait before the kernel is told to start writing them. Measured with hashing between the
 * writes, 2 cores, a virtual disk: complete() of 512 MiB took 4 ms instead of 155 ms, the whole 0.5 to 0.7 s
 * instead of 0.8 to 1.2 s; of 64 MiB 5 ms instead of 22 ms. Steps of 2, 4, 16 and 32 MiB were no better. */
#define WRITEBACK_STEP (8 * MIB)

typedef struct fs_store {
    blob_store base;
    int objects_fd;
    bool sync, any_mode;
    uint64_t direct_from; /* objects go past the page cache from this size on; 0: never */
    struct direct_gate gate;
    pthread_mutex_t lock;         /* over making and opening a folder */
    atomic_int folders[FOLDERS];  /* descriptors; -1: not opened yet */
    atomic_bool durable[FOLDERS]; /* the folder's own name was synced by this process */
} fs_store;

typedef struct fs_writer {
    blob_writer base;
    int fd, folder_fd; /* the folder's is lent */
    bool new_name;     /* the name is not durable yet */
    bool tail;         /* a failed append may have left bytes beyond size */
    bool plain;        /* it has asked for a direct writer */
    direct_writer *direct;
    uint64_t size, written_back;
    char key[IO_KEY_SIZE];
} fs_writer;

typedef struct fs_reader {
    blob_reader base;
    int fd;
    uint64_t size;
} fs_reader;

static const struct blob_store_ops fs_ops;

static fs_store *fs_of(blob_store *s)
{
    return (fs_store *)s;
}

static int os_error(berth_error *err, const char *what, const char *key)
{
    int code = errno == ENOSPC || errno == EDQUOT                      ? BERTH_E_NO_SPACE
               : errno == ENOMEM || errno == EMFILE || errno == ENFILE ? BERTH_E_NOMEM
                                                                       : BERTH_E_IO;
    return berth_error_set(err, code, "%s object %.32s: %s", what, key, strerror(errno));
}

/* --- folders --- */

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static int open_folder(int parent_fd, const char *name)
{
    return fault_io() ? -1 : openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* For reading. Not blocking: what lies in the folder may be a pipe that somebody put there. */
static int open_object(int folder_fd, const char *key)
{
    return fault_io() ? -1 : openat(folder_fd, key, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

static int make_folder(fs_store *fs, unsigned i, bool create, int *ret_fd, berth_error *err)
{
    char name[3];
    snprintf(name, sizeof(name), "%02x", i & 0xffu);
    if (create && (fault_io() || (mkdirat(fs->objects_fd, name, 0700) < 0 && errno != EEXIST)))
        return os_error(err, "making the folder of", name);
    int fd = atomic_load(&fs->folders[i]);
    if (fd < 0)
        fd = open_folder(fs->objects_fd, name);
    if (fd < 0 && errno == ENOENT)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "no such object");
    if (fd < 0)
        return os_error(err, "opening the folder of", name);
    atomic_store(&fs->folders[i], fd);
    *ret_fd = fd;
    if (!create)
        return BERTH_OK;
    /* Also when the folder was there: the process that made it may have died before it synced the name. */
    int r = fs->sync ? io_sync_dir(fs->objects_fd, err) : BERTH_OK;
    if (r == BERTH_OK)
        atomic_store(&fs->durable[i], true);
    return r;
}

static unsigned folder_index(const char *key)
{
    return hex_value(key[0]) << 4 | hex_value(key[1]);
}

/* The folder of @key, lent; opened once and kept. With @create it exists, durably. */
static int folder_of(fs_store *fs, const char *key, bool create, int *ret_fd, berth_error *err)
{
    unsigned i = folder_index(key);
    int fd = atomic_load(&fs->folders[i]);
    if (fd >= 0 && (!create || atomic_load(&fs->durable[i]))) {
        *ret_fd = fd;
        return BERTH_OK;
    }
    pthread_mutex_lock(&fs->lock);
    int r = make_folder(fs, i, create, ret_fd, err);
    pthread_mutex_unlock(&fs->lock);
    return r;
}

/* --- writing --- */

static void writer_free(fs_writer *w)
{
    if (!w)
        return;
    direct_free(w->direct);
    closep(&w->fd);
    mem_free(w);
}

static void writer_freep(fs_writer **w)
{
    writer_free(*w);
}

static fs_writer *writer_new(blob_store *s, int folder_fd, const char *key)
{
    fs_writer *w = fault_hit() ? NULL : mem_alloc(sizeof(*w));
    if (w) {
        *w = (fs_writer){.base = {s}, .fd = -1, .folder_fd = folder_fd};
        memcpy(w->key, key, sizeof(w->key));
    }
    return w;
}

static int fs_create(blob_store *s, const char *key, blob_writer **ret_w, berth_error *err)
{
    int folder_fd = -1, r = folder_of(fs_of(s), key, true, &folder_fd, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(writer_freep) fs_writer *w = writer_new(s, folder_fd, key);
    if (!w)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    w->fd = fault_io()
                ? -1
                : openat(folder_fd, key, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE_GROWING);
    if (w->fd < 0 && errno == EEXIST)
        return berth_error_set(err, BERTH_E_EXISTS, "object %s exists", key);
    if (w->fd < 0)
        return os_error(err, "creating", key);
    w->new_name = true;
    *ret_w = &steal(&w)->base;
    return BERTH_OK;
}

/* Makes sure that the object is one, holds @size bytes and may be written. *@ret_more: it holds others too.
 */
static int reopen(int folder_fd, const char *key, uint64_t size, bool *ret_more, berth_error *err)
{
    CLEANUP(closep) int fd = open_object(folder_fd, key);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "no such object");
    if (fd < 0 || fault_io() || fstat(fd, &st) < 0)
        return os_error(err, "opening", key);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < size)
        return berth_error_set(err, BERTH_E_CORRUPT, "object %s has fewer bytes than were recorded", key);
    if (!(st.st_mode & S_IWUSR) && (fault_io() || fchmod(fd, MODE_GROWING) < 0))
        return os_error(err, "opening again", key);
    *ret_more = (uint64_t)st.st_size > size;
    return BERTH_OK;
}

static int fs_resume(blob_store *s, const char *key, uint64_t size, blob_writer **ret_w, berth_error *err)
{
    bool more = false;
    int folder_fd = -1, r = folder_of(fs_of(s), key, false, &folder_fd, err);
    if (r == BERTH_OK)
        r = reopen(folder_fd, key, size, &more, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(writer_freep) fs_writer *w = writer_new(s, folder_fd, key);
    if (!w)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    w->fd = fault_io() ? -1 : openat(folder_fd, key, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    /* Cutting nothing is work too: the file system writes its inode again, 2 % of a push in chunks. */
    if (w->fd < 0 || (more && (fault_io() || ftruncate(w->fd, (off_t)size) < 0)))
        return os_error(err, "going on with", key);
    w->size = w->written_back = size;
    /* The caller may have recorded no byte yet and so never suspended it: an empty object may lack its name.
     */
    w->new_name = size == 0;
    *ret_w = &steal(&w)->base;
    return BERTH_OK;
}

/* Large objects: asks the kernel to write what has gathered, so that the sync at the end waits for the last
 * few MiB alone. Only advice: what it can't do, the sync does. */
static void start_writeback(fs_writer *w)
{
    if (!fs_of(w->base.store)->sync || w->size - w->written_back < WRITEBACK_STEP)
        return;
    sync_file_range(w->fd, (off_t)w->written_back, (off_t)(w->size - w->written_back), SYNC_FILE_RANGE_WRITE);
    w->written_back = w->size;
}

/* Larger writes are given large, cold runs of pages; in a virtual machine each is fetched from the host
 * first. 512 MiB took 1.3 to 1.7 s of system time in writes of 256 KiB, 0.4 to 0.6 s in these (driver
 * push-big). */
#define WRITE_BYTES (32 * KIB)

static int append_plain(fs_writer *w, const char *p, size_t n, berth_error *err)
{
    for (size_t done = 0; done < n;) {
        size_t piece = MIN(n - done, WRITE_BYTES);
        ssize_t r = fault_io() ? -1 : pwrite(w->fd, p + done, piece, (off_t)(w->size + done));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            w->tail |= done > 0;
            return os_error(err, "writing", w->key);
        }
        done += (size_t)r;
    }
    w->size += n;
    start_writeback(w);
    return BERTH_OK;
}

static int append_direct(fs_writer *w, const char *p, size_t n, berth_error *err)
{
    int r = direct_append(w->direct, p, n, err);
    if (r == BERTH_OK)
        w->size += n;
    else
        w->tail = true;
    return r;
}

/* How many of the next @n bytes go through the page cache whatever comes after them. */
static size_t plain_part(const fs_writer *w, size_t n)
{
    const fs_store *fs = fs_of(w->base.store);
    if (w->direct)
        return 0;
    if (w->plain || !fs->sync || fs->direct_from == 0)
        return n;
    uint64_t from = (MAX(w->size, fs->direct_from) + DIRECT_BLOCK - 1) / DIRECT_BLOCK * DIRECT_BLOCK;
    return (size_t)MIN((uint64_t)n, from - w->size);
}

static int fs_append(blob_writer *bw, const void *p, size_t n, berth_error *err)
{
    fs_writer *w = (fs_writer *)bw;
    const uint64_t was = w->size;
    size_t plain = plain_part(w, n);
    int r = plain ? append_plain(w, p, plain, err) : BERTH_OK;
    if (r != BERTH_OK || plain == n)
        return r;
    if (!w->direct) {
        w->plain = true; /* once asked, whatever the answer */
        w->direct = direct_open(&fs_of(bw->store)->gate, w->folder_fd, w->key, w->fd, w->size);
    }
    const char *rest = (const char *)p + plain;
    r = w->direct ? append_direct(w, rest, n - plain, err) : append_plain(w, rest, n - plain, err);
    if (r != BERTH_OK && plain) { /* nothing of @p counts */
        w->size = was;
        w->tail = true;
    }
    return r;
}

/* The file holds what was appended and no more; file and name are durable. */
static int settle(fs_writer *w, berth_error *err)
{
    if (w->tail && (fault_io() || ftruncate(w->fd, (off_t)w->size) < 0))
        return os_error(err, "cutting", "");
    if (!fs_of(w->base.store)->sync)
        return BERTH_OK;
    /* Not fdatasync: mode and attribute must be durable too, and one journal commit carries all of it. */
    if (fault_io() || fsync(w->fd) < 0)
        return os_error(err, "syncing", "");
    return w->new_name ? io_sync_dir(w->folder_fd, err) : BERTH_OK;
}

static int flush(fs_writer *w, berth_error *err)
{
    return w->direct ? direct_flush(w->direct, err) : BERTH_OK;
}

static int fs_complete(blob_writer *bw, const char *digest, berth_error *err)
{
    CLEANUP(writer_freep) fs_writer *w = (fs_writer *)bw;
    int r = flush(w, err);
    if (r != BERTH_OK)
        return r;
    /* Not every file system has attributes, and repair can do without: failure is no failure. */
    if (!fault_hit())
        (void)!fsetxattr(w->fd, DIGEST_ATTRIBUTE, digest, strlen(digest), 0);
    if (fault_io() || fchmod(w->fd, MODE_WHOLE) < 0)
        return os_error(err, "completing", "");
    r = settle(w, err);
    if (r != BERTH_OK)
        (void)!fchmod(w->fd, MODE_GROWING); /* open() must not find what may not last */
    return r;
}

static int fs_suspend(blob_writer *bw, berth_error *err)
{
    CLEANUP(writer_freep) fs_writer *w = (fs_writer *)bw;
    int r = flush(w, err);
    return r == BERTH_OK ? settle(w, err) : r;
}

static void fs_abandon(blob_writer *bw)
{
    writer_free((fs_writer *)bw);
}

/* --- reading --- */

static int fs_open(blob_store *s, const char *key, blob_reader **ret_r, berth_error *err)
{
    int folder_fd = -1, r = folder_of(fs_of(s), key, false, &folder_fd, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(closep) int fd = open_object(folder_fd, key);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "no such object");
    if (fd < 0 || fault_io() || fstat(fd, &st) < 0)
        return os_error(err, "opening", key);
    if (!S_ISREG(st.st_mode) || (st.st_mode & S_IWUSR && !fs_of(s)->any_mode))
        return berth_error_set(err, BERTH_E_NOT_FOUND, "object %s is not complete", key);
    fs_reader *reader = fault_hit() ? NULL : mem_alloc(sizeof(*reader));
    if (!reader)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    *reader = (fs_reader){.base = {s}, .fd = steal_fd(&fd), .size = (uint64_t)st.st_size};
    *ret_r = &reader->base;
    return BERTH_OK;
}

static uint64_t fs_size(blob_reader *r)
{
    return ((fs_reader *)r)->size;
}

static int fs_read(blob_reader *r, uint64_t offset, void *p, size_t n, size_t *ret_n, berth_error *err)
{
    fs_reader *reader = (fs_reader *)r;
    if (offset >= reader->size) {
        *ret_n = 0;
        return BERTH_OK;
    }
    return io_pread(reader->fd, p, n, offset, ret_n, err);
}

static int fs_reader_fd(blob_reader *r)
{
    return ((fs_reader *)r)->fd;
}

static void fs_close(blob_reader *r)
{
    fs_reader *reader = (fs_reader *)r;
    closep(&reader->fd);
    mem_free(reader);
}

/* --- the whole store --- */

/* The name is gone, not yet durably. *@ret_folder_fd -1: there is no folder that could hold it. */
static int unlink_object(fs_store *fs, const char *key, int *ret_folder_fd, berth_error *err)
{
    *ret_folder_fd = -1;
    int r = folder_of(fs, key, false, ret_folder_fd, err);
    if (r == BERTH_E_NOT_FOUND)
        return BERTH_OK;
    if (r == BERTH_OK && (fault_io() || (unlinkat(*ret_folder_fd, key, 0) < 0 && errno != ENOENT)))
        r = os_error(err, "removing", key);
    return r;
}

static int fs_remove(blob_store *s, const char *key, berth_error *err)
{
    int folder_fd, r = unlink_object(fs_of(s), key, &folder_fd, err);
    /* Also when it was absent: an earlier call may have removed it and failed to sync. */
    return r == BERTH_OK && folder_fd >= 0 && fs_of(s)->sync ? io_sync_dir(folder_fd, err) : r;
}

/* One sync for all that left the same folder. */
static void fs_remove_all(blob_store *s, const char *const *keys, size_t n, bool *ret_removed)
{
    fs_store *fs = fs_of(s);
    int touched[FOLDERS];
    bool synced[FOLDERS];
    for (size_t i = 0; i < FOLDERS; i++)
        touched[i] = -1;
    for (size_t i = 0; i < n; i++) {
        int folder_fd;
        ret_removed[i] = unlink_object(fs, keys[i], &folder_fd, NULL) == BERTH_OK;
        if (ret_removed[i])
            touched[folder_index(keys[i])] = folder_fd;
    }
    for (size_t i = 0; i < FOLDERS; i++)
        synced[i] = touched[i] < 0 || !fs->sync || io_sync_dir(touched[i], NULL) == BERTH_OK;
    for (size_t i = 0; i < n; i++)
        ret_removed[i] = ret_removed[i] && synced[folder_index(keys[i])];
}

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* One entry of the folder @name; what is no object of it is passed over. */
static int list_one(int folder_fd, const char *name, const char *key,
                    int (*each)(void *arg, const char *key, uint64_t size, const char *digest), void *arg,
                    berth_error *err)
{
    char digest[256] = "";
    struct stat st;
    if (!store_key_valid(str_from(key)) || strncmp(key, name, 2) != 0)
        return BERTH_OK;
    CLEANUP(closep) int fd = open_object(folder_fd, key);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP))
        return BERTH_OK; /* removed since the folder was read; a link is none of ours */
    if (fd < 0 || fault_io() || fstat(fd, &st) < 0)
        return os_error(err, "listing", key);
    if (!S_ISREG(st.st_mode))
        return BERTH_OK;
    if (!(st.st_mode & S_IWUSR)) {
        ssize_t n = fault_io() ? -1 : fgetxattr(fd, DIGEST_ATTRIBUTE, digest, sizeof(digest) - 1);
        /* What can't be read must not look like an object of unknown bytes: repair would do without it. */
        if (n < 0 && errno != ENODATA && errno != ENOTSUP && errno != ERANGE)
            return os_error(err, "listing", key);
        digest[n > 0 ? n : 0] = '\0';
    }
    return each(arg, key, (uint64_t)st.st_size, digest);
}

static int list_folder(fs_store *fs, const char *name,
                       int (*each)(void *arg, const char *key, uint64_t size, const char *digest), void *arg,
                       berth_error *err)
{
    int fd = open_folder(fs->objects_fd, name);
    if (fd < 0)
        return errno == ENOENT ? BERTH_OK : os_error(err, "listing the folder of", name);
    CLEANUP(closedirp) DIR *dir = fault_io() ? NULL : fdopendir(fd);
    if (!dir) {
        int r = os_error(err, "listing the folder of", name);
        close(fd);
        return r;
    }
    for (;;) {
        errno = 0;
        struct dirent *entry = fault_io() ? NULL : readdir(dir);
        if (!entry)
            return errno ? os_error(err, "listing the folder of", name) : BERTH_OK;
        int r = list_one(fd, name, entry->d_name, each, arg, err);
        if (r != BERTH_OK)
            return r;
    }
}

static int fs_list(blob_store *s, int (*each)(void *arg, const char *key, uint64_t size, const char *digest),
                   void *arg, berth_error *err)
{
    for (unsigned i = 0; i < FOLDERS; i++) {
        char name[3];
        snprintf(name, sizeof(name), "%02x", i & 0xffu);
        int r = list_folder(fs_of(s), name, each, arg, err);
        if (r != BERTH_OK)
            return r;
    }
    return BERTH_OK;
}

static int fs_space(blob_store *s, uint64_t *ret_free, berth_error *err)
{
    struct statvfs v;
    struct stat st;
    int fd = fs_of(s)->objects_fd;
    if (fault_io() || fstatvfs(fd, &v) < 0 || fault_io() || fstat(fd, &st) < 0)
        return berth_error_set(err, BERTH_E_IO, "asking for free space: %s", strerror(errno));
    if (st.st_nlink == 0) /* its file system still answers */
        return berth_error_set(err, BERTH_E_IO, "the folder of the objects was removed");
    *ret_free = (uint64_t)v.f_bavail * v.f_frsize;
    return BERTH_OK;
}

static void fs_free(blob_store *s)
{
    fs_store *fs = fs_of(s);
    for (size_t i = 0; i < FOLDERS; i++) {
        int fd = atomic_load(&fs->folders[i]);
        closep(&fd);
    }
    closep(&fs->objects_fd);
    direct_gate_done(&fs->gate);
    pthread_mutex_destroy(&fs->lock);
    mem_free(fs);
}

static const struct blob_store_ops fs_ops = {
    .name = "fs",
    .create = fs_create,
    .resume = fs_resume,
    .append = fs_append,
    .complete = fs_complete,
    .suspend = fs_suspend,
    .abandon = fs_abandon,
    .open = fs_open,
    .size = fs_size,
    .read = fs_read,
    .close = fs_close,
    .remove = fs_remove,
    .free = fs_free,
    .reader_fd = fs_reader_fd,
    .list = fs_list,
    .space = fs_space,
    .remove_all = fs_remove_all,
};

static int new_store(int objects_fd, bool sync, bool any_mode, uint64_t direct_from, blob_store **ret_s,
                     berth_error *err)
{
    fs_store *fs = fault_hit() ? NULL : mem_alloc(sizeof(*fs));
    if (!fs) {
        close(objects_fd);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    fs->base.ops = &fs_ops;
    fs->objects_fd = objects_fd;
    fs->sync = sync;
    fs->any_mode = any_mode;
    fs->direct_from = direct_from;
    direct_gate_init(&fs->gate);
    pthread_mutex_init(&fs->lock, NULL);
    for (size_t i = 0; i < FOLDERS; i++) {
        atomic_init(&fs->folders[i], -1);
        atomic_init(&fs->durable[i], false);
    }
    *ret_s = &fs->base;
    return BERTH_OK;
}

int store_fs_new(int dir_fd, bool sync, uint64_t direct_from, blob_store **ret_s, berth_error *err)
{
    CLEANUP(closep) int parent_fd = dir_fd;
    if (fault_io() || (mkdirat(parent_fd, "objects", 0700) < 0 && errno != EEXIST))
        return berth_error_set(err, BERTH_E_IO, "making the folder 'objects': %s", strerror(errno));
    CLEANUP(closep) int objects_fd = open_folder(parent_fd, "objects");
    if (objects_fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening the folder 'objects': %s", strerror(errno));
    int r = sync ? io_sync_dir(parent_fd, err) : BERTH_OK;
    return r == BERTH_OK ? new_store(steal_fd(&objects_fd), sync, false, direct_from, ret_s, err) : r;
}

int store_fs_read_only_new(int dir_fd, blob_store **ret_s, berth_error *err)
{
    CLEANUP(closep) int parent_fd = dir_fd;
    CLEANUP(closep) int objects_fd = open_folder(parent_fd, "objects");
    if (objects_fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening the folder 'objects': %s", strerror(errno));
    return new_store(steal_fd(&objects_fd), false, true, 0, ret_s, err);
}
