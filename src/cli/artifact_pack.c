/* cli/artifact_pack.c - a folder as one packed archive; see artifact.h. Links are packed as links, whatever
 * they point at; what is neither file, folder nor link is refused. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/artifact.h"
#include "content/tar.h"
#include "oci/digest.h"
#include "util/compress.h"
#include "util/io.h"

#define PIECE     (64 * KIB)
#define DEPTH_MAX 200 /* of folders: each keeps a descriptor */

struct packing {
    struct tar_writer *archive;
    struct gzipper *gzip;
    int fd;
    berth_hash tar, packed;
    uint64_t size;
    char piece[PIECE];
};

static int failed(const char *what, const char *path, berth_error *err)
{
    return berth_error_set(err,
                           errno == ENOENT   ? BERTH_E_NOT_FOUND
                           : errno == EACCES ? BERTH_E_DENIED
                                             : BERTH_E_IO,
                           "%s '%s': %s", what, path, strerror(errno));
}

static int keep(void *arg, const void *p, size_t n, berth_error *err)
{
    struct packing *k = arg;
    hash_update(&k->packed, p, n);
    k->size += n;
    return io_write_all(k->fd, p, n, err);
}

static int to_gzip(void *arg, const void *p, size_t n, berth_error *err)
{
    struct packing *k = arg;
    hash_update(&k->tar, p, n);
    return gzipper_write(k->gzip, p, n, err);
}

static int add_file(struct packing *k, int fd, const struct tar_entry *e, berth_error *err)
{
    int r = tar_writer_entry(k->archive, e, err);
    for (uint64_t at = 0; r == BERTH_OK && at < e->size;) {
        size_t n = 0;
        r = io_pread(fd, k->piece, (size_t)MIN((uint64_t)PIECE, e->size - at), at, &n, err);
        if (r == BERTH_OK && n == 0)
            r = berth_error_set(err, BERTH_E_IO, "'%s' became shorter while it was read", e->path);
        if (r == BERTH_OK)
            r = tar_writer_data(k->archive, k->piece, n, err);
        at += n;
    }
    return r;
}

static int add_folder(struct packing *k, int fd, const char *name, int depth, berth_error *err);

static int add_entry(struct packing *k, int dir_fd, const char *entry, const char *name, int depth,
                     berth_error *err)
{
    struct stat st;
    char link[4096];
    CLEANUP(closep) int fd = -1;
    if (fstatat(dir_fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed("looking at", name, err);
    struct tar_entry e = {.path = name, .link = "", .mtime = st.st_mtime, .mode = st.st_mode & 0777};
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlinkat(dir_fd, entry, link, sizeof(link) - 1);
        if (n < 0)
            return failed("reading", name, err);
        link[n] = '\0';
        e.type = TAR_SYMLINK;
        e.link = link;
        return tar_writer_entry(k->archive, &e, err);
    }
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is neither a file nor a folder", name);
    fd = openat(dir_fd, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return failed("opening", name, err);
    if (S_ISDIR(st.st_mode)) {
        e.type = TAR_FOLDER;
        int r = tar_writer_entry(k->archive, &e, err);
        return r == BERTH_OK ? add_folder(k, fd, name, depth + 1, err) : r;
    }
    e.type = TAR_FILE;
    e.size = (uint64_t)st.st_size;
    return add_file(k, fd, &e, err);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dots(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int add_folder(struct packing *k, int fd, const char *name, int depth, berth_error *err)
{
    struct dirent **entries = NULL;
    int n = depth > DEPTH_MAX ? -1 : scandirat(fd, ".", &entries, no_dots, by_bytes), r = BERTH_OK;
    if (n < 0)
        return depth > DEPTH_MAX ? berth_error_set(err, BERTH_E_INVALID, "'%.100s' is too deep", name)
                                 : failed("reading", name, err);
    for (int i = 0; i < n; i++) {
        CLEANUP(berth_buf_done) berth_buf path = BERTH_BUF_INIT(MIB);
        berth_buf_addf(&path, "%s/%s", name, entries[i]->d_name);
        const char *whole = berth_buf_cstr(&path);
        if (r == BERTH_OK && !whole)
            r = berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        if (r == BERTH_OK)
            r = add_entry(k, fd, entries[i]->d_name, whole, depth, err);
        mem_free(entries[i]);
    }
    mem_free(entries);
    return r;
}

static int pack(struct packing *k, const char *path, const char *name, berth_error *err)
{
    int r = gzipper_new(keep, k, &k->gzip, err);
    if (r == BERTH_OK)
        r = tar_writer_new(to_gzip, k, &k->archive, err);
    if (r == BERTH_OK)
        r = add_entry(k, AT_FDCWD, path, name, 0, err);
    if (r == BERTH_OK)
        r = tar_writer_end(k->archive, err);
    return r == BERTH_OK ? gzipper_end(k->gzip, err) : r;
}

int artifact_pack(const char *path, const char *name, int *ret_fd, uint64_t *ret_size,
                  berth_digest *ret_digest, berth_digest *ret_tar, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    CLEANUP(freep) struct packing *k = mem_zalloc(1, sizeof(*k));
    int r = k ? place_temporary(&fd, err) : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (r != BERTH_OK)
        return r;
    k->fd = fd;
    hash_init(&k->tar, HASH_SHA256);
    hash_init(&k->packed, HASH_SHA256);
    r = pack(k, path, name, err);
    tar_writer_free(k->archive);
    gzipper_free(k->gzip);
    if (r != BERTH_OK)
        return r;
    digest_from_hash(&k->tar, ret_tar);
    digest_from_hash(&k->packed, ret_digest);
    *ret_size = k->size;
    *ret_fd = steal_fd(&fd);
    return BERTH_OK;
}
