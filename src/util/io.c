/* util/io.c - see io.h. Every call that can fail asks fault_hit() first. */
#include "util/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "util/fault.h"
#include "util/hash.h"

static int io_error(berth_error *err, const char *what)
{
    int code = errno == ENOSPC || errno == EDQUOT ? BERTH_E_NO_SPACE : BERTH_E_IO;
    return berth_error_set(err, code, "%s: %s", what, strerror(errno));
}

int io_write_all(int fd, const void *p, size_t n, berth_error *err)
{
    const char *at = p;
    while (n) {
        ssize_t r = fault_io() ? -1 : write(fd, at, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return io_error(err, "writing");
        at += r;
        n -= (size_t)r;
    }
    return BERTH_OK;
}

int io_pwrite_all(int fd, const void *p, size_t n, uint64_t offset, berth_error *err)
{
    const char *at = p;
    while (n) {
        ssize_t r = fault_io() ? -1 : pwrite(fd, at, n, (off_t)offset);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return io_error(err, "writing");
        at += r;
        offset += (uint64_t)r;
        n -= (size_t)r;
    }
    return BERTH_OK;
}

int io_pread(int fd, void *p, size_t n, uint64_t offset, size_t *ret_n, berth_error *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t r = fault_io() ? -1 : pread(fd, (char *)p + done, n - done, (off_t)(offset + done));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return io_error(err, "reading");
        if (r == 0)
            break;
        done += (size_t)r;
    }
    *ret_n = done;
    return BERTH_OK;
}

int io_sync(int fd, berth_error *err)
{
    return fault_io() || fdatasync(fd) < 0 ? io_error(err, "syncing") : BERTH_OK;
}

int io_sync_dir(int dir_fd, berth_error *err)
{
    return fault_io() || fsync(dir_fd) < 0 ? io_error(err, "syncing a folder") : BERTH_OK;
}

int io_sync_parent(const char *path, berth_error *err)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(freep)
    char *dir = str_dup(slash ? (berth_str){path, (size_t)(slash - path) + 1} : STR("."));
    if (!dir)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    CLEANUP(closep) int fd = fault_io() ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening '%s': %s", dir, strerror(errno));
    return io_sync_dir(fd, err);
}

int io_mkdirs(const char *path, mode_t mode, berth_error *err)
{
    CLEANUP(freep) char *copy = str_dup(str_from(path));
    if (!copy)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    for (char *at = copy + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char was = *at;
        *at = '\0';
        bool made = !fault_io() && mkdir(copy, mode) == 0;
        if (!made && errno != EEXIST)
            return berth_error_set(err, errno == ENOSPC || errno == EDQUOT ? BERTH_E_NO_SPACE : BERTH_E_IO,
                                   "creating the folder '%s': %s", copy, strerror(errno));
        /* durable before anything in it can be acknowledged */
        int r = made ? io_sync_parent(copy, err) : BERTH_OK;
        if (r != BERTH_OK)
            return r;
        if (!was)
            break;
        *at = was;
    }
    struct stat st;
    if (fault_io() || stat(path, &st) < 0)
        return berth_error_set(err, BERTH_E_IO, "looking at the folder '%s': %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return berth_error_set(err, BERTH_E_IO, "'%s' is not a folder", path);
    return BERTH_OK;
}

int io_sync_parents(const char *path, berth_error *err)
{
    CLEANUP(freep) char *copy = fault_hit() ? NULL : str_dup(str_from(path));
    if (!copy)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    for (char *at = copy + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char was = *at;
        *at = '\0';
        CLEANUP(closep) int fd = fault_io() ? -1 : open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CLEANUP(closep)
        int parent_fd = fd < 0 || fault_io() ? -1 : openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent_fd < 0 && errno != EACCES && errno != EPERM && errno != ENOENT && errno != ENOTDIR)
            return berth_error_set(err, BERTH_E_IO, "opening what holds '%s': %s", copy, strerror(errno));
        if (parent_fd >= 0 && (fault_io() || fsync(parent_fd) < 0) && errno != EINVAL && errno != EROFS)
            return berth_error_set(err, BERTH_E_IO, "syncing what holds '%s': %s", copy, strerror(errno));
        if (!was)
            return BERTH_OK;
        *at = was;
    }
}

int io_read_file(const char *path, berth_buf *buf, berth_error *err)
{
    CLEANUP(closep) int fd = fault_io() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return berth_error_set(err, errno == ENOENT || errno == ENOTDIR ? BERTH_E_NOT_FOUND : BERTH_E_IO,
                               "opening '%s': %s", path, strerror(errno));
    for (;;) {
        char piece[16 * KIB];
        ssize_t n = fault_io() ? -1 : read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return berth_error_set(err, BERTH_E_IO, "reading '%s': %s", path, strerror(errno));
        if (n == 0)
            return BERTH_OK;
        berth_buf_add(buf, piece, (size_t)n);
        if (berth_buf_failed(buf))
            return !berth_buf_exceeded(buf)
                       ? berth_error_set(err, BERTH_E_NOMEM, "out of memory")
                       : berth_error_set(err, BERTH_E_TOO_BIG, "'%s' is larger than %zu bytes", path,
                                         buf->max);
    }
}

int io_replace_file(const char *path, int folder, berth_str bytes, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf fresh = BERTH_BUF_INIT(64 * KIB);
    char key[IO_KEY_SIZE];
    io_random_key(key);
    berth_buf_addf(&fresh, "%s.%s", path, key);
    const char *name = berth_buf_cstr(&fresh);
    if (!name)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    CLEANUP(closep) int fd = fault_io() ? -1 : open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "creating '%s': %s", name, strerror(errno));
    int r = io_write_all(fd, bytes.p, bytes.n, err);
    if (r == BERTH_OK)
        r = io_sync(fd, err);
    if (r == BERTH_OK && (fault_io() || rename(name, path) < 0))
        r = berth_error_set(err, BERTH_E_IO, "renaming '%s': %s", name, strerror(errno));
    if (r != BERTH_OK) {
        unlink(name);
        return r;
    }
    return io_sync_dir(folder, err);
}

void io_random(void *p, size_t n)
{
    unsigned char *at = p;
    while (n) {
        ssize_t r = getrandom(at, n, 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            abort();
        at += r;
        n -= (size_t)r;
    }
}

void io_random_key(char out[IO_KEY_SIZE])
{
    unsigned char b[16];
    io_random(b, sizeof(b));
    hex_encode(b, sizeof(b), out);
}

void io_random_uuid(char out[37])
{
    unsigned char b[16];
    char hex[33];
    io_random(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    hex_encode(b, sizeof(b), hex);
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}
