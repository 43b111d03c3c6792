/* content/unpack_file.c - one file below a folder: the way there, and how it gets its name; see unpack.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "content/unpack_private.h"
#include "util/fault.h"
#include "util/io.h"

#define PIECE (64 * KIB)

struct unpack_shown unpack_show(const char *path)
{
    struct unpack_shown s;
    size_t n = strnlen(path, UNPACK_SHOWN_MAX);
    for (size_t i = 0; i < n; i++)
        s.text[i] = (unsigned char)path[i] < 0x20 || path[i] == 0x7f ? '?' : path[i];
    s.text[n] = '\0';
    return s;
}

int unpack_os_error(berth_error *err, const char *what, const char *path)
{
    int code = errno == ENOSPC || errno == EDQUOT                    ? BERTH_E_NO_SPACE
               : errno == EACCES || errno == EPERM || errno == EROFS ? BERTH_E_DENIED
               : errno == EEXIST                                     ? BERTH_E_EXISTS
                                                                     : BERTH_E_IO;
    if (errno == ELOOP || errno == ENOTDIR)
        return berth_error_set(err, BERTH_E_INVALID, "'%s' leads through a link or a file",
                               unpack_show(path).text);
    return berth_error_set(err, code, "%s '%s': %s", what, unpack_show(path).text, strerror(errno));
}

/* --- paths --- */

berth_str unpack_next_name(berth_str *rest)
{
    berth_str name = STR("");
    while (rest->n && (name.n == 0 || str_eq(name, STR("."))))
        str_cut(*rest, '/', &name, rest);
    return str_eq(name, STR(".")) ? STR("") : name;
}

int unpack_check_path(const char *path, berth_error *err)
{
    berth_str rest = str_from(path), name;
    bool any = false;
    if (path[0] == '/')
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is an absolute path", unpack_show(path).text);
    while ((name = unpack_next_name(&rest)).n) {
        any = true;
        if (str_eq(name, STR("..")))
            return berth_error_set(err, BERTH_E_INVALID, "'%s' leads out of the folder",
                                   unpack_show(path).text);
    }
    return any ? BERTH_OK
               : berth_error_set(err, BERTH_E_INVALID, "'%s' names no file", unpack_show(path).text);
}

int unpack_open_parent(int dir_fd, const char *path, int *ret_fd, char **ret_name, berth_error *err)
{
    berth_str rest = str_from(path), name = unpack_next_name(&rest), after;
    CLEANUP(closep) int at = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return unpack_os_error(err, "opening the folder of", path);
    for (; (after = unpack_next_name(&rest)).n; name = after) {
        CLEANUP(freep) char *folder = fault_hit() ? NULL : str_dup(name);
        if (!folder)
            return no_memory(err);
        if (mkdirat(at, folder, 0777) < 0 && errno != EEXIST)
            return unpack_os_error(err, "making a folder of", path);
        int below = openat(at, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0)
            return unpack_os_error(err, "opening a folder of", path);
        close(at);
        at = below;
    }
    char *last = fault_hit() ? NULL : str_dup(name);
    if (!last)
        return no_memory(err);
    *ret_name = last;
    *ret_fd = steal_fd(&at);
    return BERTH_OK;
}

/* --- one file --- */

/* To link a file that has no name takes a name for its descriptor (open(2), O_TMPFILE). */
static void make(struct unpack_file *f)
{
    if (fault_hit()) {
        errno = EIO;
        return;
    }
    if (!fault_hit() && access("/proc/self/fd", X_OK) == 0)
        f->fd = openat(f->parent_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0666);
    f->nameless = f->fd >= 0;
    if (!f->nameless)
        f->fd = openat(f->parent_fd, f->part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

static int prepare(struct unpack_file *f, int dir_fd, const char *path, berth_error *err)
{
    int r = unpack_check_path(path, err);
    if (r == BERTH_OK)
        r = unpack_open_parent(dir_fd, path, &f->parent_fd, &f->name, err);
    if (r != BERTH_OK)
        return r;
    f->path = fault_hit() ? NULL : str_dup(str_from(path));
    return f->path ? BERTH_OK : no_memory(err);
}

int unpack_file_open(int dir_fd, const char *path, struct unpack_file *ret, berth_error *err)
{
    CLEANUP(unpack_file_done) struct unpack_file f = UNPACK_FILE_INIT;
    char key[IO_KEY_SIZE], part[IO_KEY_SIZE + 16];
    int r = prepare(&f, dir_fd, path, err);
    if (r != BERTH_OK)
        return r;
    io_random_key(key);
    snprintf(part, sizeof(part), ".%s.part", key);
    f.part = str_dup(str_from(part));
    if (!f.part)
        return no_memory(err);
    make(&f);
    if (f.fd < 0)
        return unpack_os_error(err, "creating", path);
    *ret = f;
    f = (struct unpack_file)UNPACK_FILE_INIT;
    return BERTH_OK;
}

static int link_nameless(const struct unpack_file *f, const char *name)
{
    char self[32];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
    return linkat(AT_FDCWD, self, f->parent_fd, name, AT_SYMLINK_FOLLOW);
}

/* What is there is replaced only by a rename, for which it needs a name. */
static int replace(struct unpack_file *f)
{
    if (f->nameless && link_nameless(f, f->part) < 0)
        return -1;
    f->nameless = false;
    return renameat(f->parent_fd, f->part, f->parent_fd, f->name);
}

/* Where a file system knows no such renaming, the name is a second one for a moment. */
static int rename_new(const struct unpack_file *f)
{
    errno = EINVAL;
    if (!fault_hit() && renameat2(f->parent_fd, f->part, f->parent_fd, f->name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST || linkat(f->parent_fd, f->part, f->parent_fd, f->name, 0) < 0)
        return -1;
    return unlinkat(f->parent_fd, f->part, 0);
}

/* It has the name that it was given, and nobody put another file there. */
static bool is_named(const struct unpack_file *f, const char *name)
{
    struct stat held, named;
    return fstat(f->fd, &held) == 0 && fstatat(f->parent_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* Opens a regular file of so many bytes; -1: that is not what is there. */
static int open_found(int parent_fd, const char *name, uint64_t size)
{
    struct stat st;
    int fd = openat(parent_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int unpack_file_same(int fd, int parent_fd, const char *name, bool *ret, berth_error *err)
{
    struct stat st;
    CLEANUP(closep)
    int there = fstat(fd, &st) == 0 ? open_found(parent_fd, name, (uint64_t)st.st_size) : -1;
    CLEANUP(freep) char *pieces = there < 0 || fault_hit() ? NULL : mem_alloc(2 * PIECE);
    size_t n = 1, m;
    *ret = false;
    if (there < 0)
        return BERTH_OK;
    if (!pieces)
        return no_memory(err);
    for (uint64_t at = 0; n; at += n) {
        int r = io_pread(fd, pieces, PIECE, at, &n, err);
        if (r == BERTH_OK)
            r = io_pread(there, pieces + PIECE, PIECE, at, &m, err);
        if (r != BERTH_OK || n != m || memcmp(pieces, pieces + PIECE, n) != 0)
            return r;
    }
    *ret = true;
    return BERTH_OK;
}

int unpack_file_keep(struct unpack_file *f, bool overwrite, berth_error *err)
{
    if (f->stays && !is_named(f, f->part))
        return berth_error_set(err, BERTH_E_IO, "'%s' was replaced meanwhile", unpack_show(f->part).text);
    int r = overwrite ? replace(f) : f->nameless ? link_nameless(f, f->name) : rename_new(f);
    if (r < 0 && errno == EEXIST) {
        bool same;
        f->stays = false;
        r = unpack_file_same(f->fd, f->parent_fd, f->name, &same, err);
        return r != BERTH_OK || same
                   ? r
                   : berth_error_set(err, BERTH_E_EXISTS, "'%s' is there already", unpack_show(f->path).text);
    }
    if (r < 0)
        return unpack_os_error(err, "naming", f->path);
    close(f->fd);
    f->fd = -1;
    return BERTH_OK;
}

static bool is_empty(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_size == 0;
}

void unpack_file_done(struct unpack_file *f)
{
    if (f->fd >= 0 && !f->nameless && (!f->stays || is_empty(f->fd)))
        unlinkat(f->parent_fd, f->part, 0);
    closep(&f->fd);
    closep(&f->parent_fd);
    mem_free(f->path);
    mem_free(f->name);
    mem_free(f->part);
    *f = (struct unpack_file)UNPACK_FILE_INIT;
}

/* --- one that takes long to come --- */

/* A second name would be a way to write to what is there: a link in an archive may have made it. */
static int open_part(struct unpack_file *f, berth_error *err)
{
    struct stat st;
    f->fd = openat(f->parent_fd, f->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (f->fd < 0)
        return unpack_os_error(err, "creating", f->part);
    bool ours = flock(f->fd, LOCK_EX | LOCK_NB) == 0 && is_named(f, f->part);
    f->stays = true;
    if (ours && fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
        return BERTH_OK;
    close(f->fd); /* and it stays, whatever it is */
    f->fd = -1;
    return ours ? berth_error_set(err, BERTH_E_INVALID, "'%s' is no file to go on with",
                                  unpack_show(f->part).text)
                : berth_error_set(err, BERTH_E_BUSY, "another process is writing '%s'",
                                  unpack_show(f->part).text);
}

int unpack_file_go_on(int dir_fd, const char *path, const berth_digest *digest, struct unpack_file *ret,
                      berth_error *err)
{
    CLEANUP(unpack_file_done) struct unpack_file f = UNPACK_FILE_INIT;
    CLEANUP(berth_buf_done) berth_buf part = BERTH_BUF_INIT(16 * KIB);
    int r = prepare(&f, dir_fd, path, err);
    if (r != BERTH_OK)
        return r;
    berth_buf_addf(&part, "%s.%.12s.part", f.name, strchr(digest->text, ':') + 1);
    f.part = fault_hit() ? NULL : berth_buf_take(&part);
    if (!f.part)
        return no_memory(err);
    r = open_part(&f, err);
    if (r != BERTH_OK)
        return r;
    *ret = f;
    f = (struct unpack_file)UNPACK_FILE_INIT;
    return BERTH_OK;
}

static int has_digest(int fd, const berth_digest *digest, bool *ret, berth_error *err)
{
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(PIECE);
    berth_digest have;
    berth_hash hash;
    size_t n = 1;
    if (!piece)
        return no_memory(err);
    hash_init(&hash, digest->algorithm);
    for (uint64_t at = 0; n; at += n) {
        int r = io_pread(fd, piece, PIECE, at, &n, err);
        if (r != BERTH_OK)
            return r;
        hash_update(&hash, piece, n);
    }
    digest_from_hash(&hash, &have);
    *ret = digest_eq(&have, digest);
    return BERTH_OK;
}

int unpack_file_look(int dir_fd, const char *path, const berth_digest *digest, uint64_t size,
                     enum unpack_found *ret, berth_error *err)
{
    CLEANUP(unpack_file_done) struct unpack_file f = UNPACK_FILE_INIT;
    struct stat st;
    bool same = false;
    int r = prepare(&f, dir_fd, path, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(closep) int fd = open_found(f.parent_fd, f.name, size);
    if (fd >= 0)
        r = has_digest(fd, digest, &same, err);
    if (r != BERTH_OK)
        return r;
    *ret = same                                                          ? UNPACK_SAME
           : fstatat(f.parent_fd, f.name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? UNPACK_OTHER
                                                                         : UNPACK_NOTHING;
    return BERTH_OK;
}
