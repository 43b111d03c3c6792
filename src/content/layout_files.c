/* content/layout_files.c - see layout_files.h. */
#include "content/layout_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "oci/layout.h"
#include "util/fault.h"
#include "util/io.h"

static int os_error(berth_error *err, const char *what, const char *path)
{
    int code = errno == ENOSPC || errno == EDQUOT                    ? BERTH_E_NO_SPACE
               : errno == EACCES || errno == EPERM || errno == EROFS ? BERTH_E_DENIED
                                                                     : BERTH_E_IO;
    return berth_error_set(err, code, "%s '%s' of the layout: %s", what, path, strerror(errno));
}

static bool faulted(void)
{
    if (!fault_hit())
        return false;
    errno = EIO;
    return true;
}

void layout_blob_path(const berth_digest *d, char out[LAYOUT_PATH_MAX])
{
    const char *name = hash_name((enum hash_algorithm)d->algorithm);
    snprintf(out, LAYOUT_PATH_MAX, "blobs/%s/%s", name, d->text + strlen(name) + 1);
}

static int create(int dir_fd, const char *path, int *ret_fd, berth_error *err)
{
    int fd =
        faulted() ? -1 : openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return os_error(err, "creating", path);
    *ret_fd = fd;
    return BERTH_OK;
}

static int name(int dir_fd, const char *part, const char *path, berth_error *err)
{
    if (faulted() || renameat(dir_fd, part, dir_fd, path) < 0)
        return os_error(err, "renaming", part);
    return BERTH_OK;
}

int layout_write(int dir_fd, const char *path, const void *p, size_t n, berth_error *err)
{
    char part[64];
    CLEANUP(closep) int fd = -1;
    snprintf(part, sizeof(part), "%s.part", path);
    int rc = create(dir_fd, part, &fd, err);
    if (rc != BERTH_OK)
        return rc;
    rc = io_write_all(fd, p, n, err);
    if (rc == BERTH_OK)
        rc = io_sync(fd, err);
    if (rc == BERTH_OK)
        rc = name(dir_fd, part, path, err);
    if (rc != BERTH_OK) {
        unlinkat(dir_fd, part, 0);
        return rc;
    }
    return io_sync_dir(dir_fd, err);
}

static int make_folder(int dir_fd, const char *path, berth_error *err)
{
    if (faulted() || (mkdirat(dir_fd, path, 0777) < 0 && errno != EEXIST))
        return os_error(err, "making", path);
    return BERTH_OK;
}

/* blobs/<algorithm>, one after the other. */
static int each_folder(int dir_fd, int (*fn)(int dir_fd, const char *path, berth_error *err),
                       berth_error *err)
{
    int rc = BERTH_OK;
    for (int h = 0; rc == BERTH_OK && h < HASH_ALGORITHMS_; h++) {
        char path[32];
        snprintf(path, sizeof(path), "blobs/%s", hash_name((enum hash_algorithm)h));
        rc = fn(dir_fd, path, err);
    }
    return rc;
}

int layout_prepare(int dir_fd, berth_error *err)
{
    struct stat st;
    int rc = BERTH_OK;
    if (fstatat(dir_fd, "oci-layout", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        rc = layout_write(dir_fd, "oci-layout", OCI_LAYOUT_HEADER, strlen(OCI_LAYOUT_HEADER), err);
    if (rc == BERTH_OK)
        rc = make_folder(dir_fd, "blobs", err);
    return rc == BERTH_OK ? each_folder(dir_fd, make_folder, err) : rc;
}

/* Other tools make a folder for the algorithms that they use: one that isn't there holds no new name. */
static int sync_folder(int dir_fd, const char *path, berth_error *err)
{
    CLEANUP(closep) int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? BERTH_OK : os_error(err, "opening", path);
    return io_sync_dir(fd, err);
}

int layout_sync(int dir_fd, berth_error *err)
{
    int rc = each_folder(dir_fd, sync_folder, err);
    return rc == BERTH_OK ? sync_folder(dir_fd, "blobs", err) : rc;
}

int layout_part_open(int dir_fd, const berth_digest *d, const char *suffix, struct layout_part *ret,
                     berth_error *err)
{
    struct layout_part p = {.dir_fd = dir_fd, .fd = -1, .path = "blobs/new"};
    char folder[32];
    snprintf(folder, sizeof(folder), "blobs/%s",
             hash_name(d ? (enum hash_algorithm)d->algorithm : HASH_SHA256));
    if (d)
        layout_blob_path(d, p.path);
    snprintf(p.part, sizeof(p.part), "%.*s%s", DIGEST_TEXT_MAX + 8, p.path, suffix);
    int rc = make_folder(dir_fd, folder, err);
    if (rc == BERTH_OK)
        rc = create(dir_fd, p.part, &p.fd, err);
    if (rc == BERTH_OK)
        *ret = p;
    return rc;
}

int layout_part_keep(struct layout_part *p, berth_error *err)
{
    int rc = io_sync(p->fd, err);
    if (rc == BERTH_OK)
        rc = name(p->dir_fd, p->part, p->path, err);
    if (rc == BERTH_OK) {
        close(p->fd);
        p->fd = -1;
    }
    return rc;
}

void layout_part_done(struct layout_part *p)
{
    if (p->fd < 0)
        return;
    close(p->fd);
    unlinkat(p->dir_fd, p->part, 0);
    p->fd = -1;
}
