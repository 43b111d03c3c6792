/* metadata/sqlite_create.c - a new database is written as one file that appears under its name whole and
 * durable, or not at all. What it holds was made when berth was (tools/embed-database). Made by SQLite in
 * place, by way of a rollback journal and a log, the same costs ten syncs instead of two; made by SQLite in
 * memory, 7 of the 17 million instructions of a first start. */
#include "metadata/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fault.h"
#include "util/io.h"

static int io_failed(berth_error *err, const char *what, const char *name)
{
    int code = errno == ENOSPC || errno == EDQUOT ? BERTH_E_NO_SPACE : BERTH_E_IO;
    return berth_error_set(err, code, "%s '%s': %s", what, name, strerror(errno));
}

/* @name holds the @n bytes at @p, durably; its name is not durable yet. */
static int write_file(const char *name, const void *p, size_t n, bool sync, berth_error *err)
{
    CLEANUP(closep)
    int fd = fault_io() ? -1 : open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return io_failed(err, "creating", name);
    int r = io_write_all(fd, p, n, err);
    return r == BERTH_OK && sync ? io_sync(fd, err) : r;
}

/* Never over a database that is there. Where a file system knows no such renaming, the folder's lock has to
 * do. */
static int rename_new(const char *from, const char *to)
{
    if (fault_io())
        return -1;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EINVAL ? rename(from, to) : -1;
}

static int place(struct sqlite_meta *m, const void *p, size_t n, berth_error *err)
{
    const bool sync = !m->temp_dir;
    CLEANUP(freep) char *name = str_dupf("%s.new", m->path);
    if (!name)
        return berth_error_set(err, BERTH_E_NOMEM, "creating the database: no memory");
    int r = write_file(name, p, n, sync, err);
    if (r == BERTH_OK && rename_new(name, m->path) < 0)
        r = io_failed(err, "creating", m->path);
    if (r != BERTH_OK) {
        unlink(name);
        return r;
    }
    return sync ? io_sync_parent(m->path, err) : BERTH_OK;
}

int db_create(struct sqlite_meta *m, berth_error *err)
{
    /* Absent is what is known to be absent, and nothing else: what can't be seen must not be made anew. Not
     * access(), which asks on behalf of the real user and forgets the right that daemon/offline.c keeps. */
    struct stat st;
    if (!fault_io() && lstat(m->path, &st) == 0)
        /* the process that made it may have died before it synced the name */
        return m->temp_dir ? BERTH_OK : io_sync_parent(m->path, err);
    if (errno != ENOENT)
        return io_failed(err, "looking for", m->path);
    CLEANUP(freep) unsigned char *image = fault_hit() ? NULL : mem_zalloc(1, meta_image_size);
    if (!image)
        return berth_error_set(err, BERTH_E_NOMEM, "creating the database: no memory");
    const unsigned char *p = meta_image;
    for (size_t i = 0; i < meta_image_runs_n; i++) {
        memcpy(image + meta_image_runs[i].offset, p, meta_image_runs[i].size);
        p += meta_image_runs[i].size;
    }
    sqlite3_randomness(META_SECRET_SIZE, image + meta_image_secret_at);
    return place(m, image, meta_image_size, err);
}
