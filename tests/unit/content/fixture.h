/* tests/unit/content/fixture.h - a folder of a test's own, and archives. */
#ifndef CONTENT_FIXTURE_H
#define CONTENT_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#include "content/tar.h"

#define TAR_END 1024 /* bytes: two blocks of zeros */

struct world {
    char path[64];
    int base_fd, dir_fd; /* the folder around, and the one that things go into */
};

static UNUSED struct world world_new(void)
{
    struct world w = {.path = "/tmp/berth-content-XXXXXX"};
    CHECK(mkdtemp(w.path));
    w.base_fd = open(w.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(mkdirat(w.base_fd, "in", 0755) == 0);
    w.dir_fd = openat(w.base_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(w.dir_fd >= 0);
    return w;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static UNUSED void world_done(struct world *w)
{
    close(w->dir_fd);
    close(w->base_fd);
    nftw(w->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static UNUSED bool exists(int fd, const char *path)
{
    struct stat st;
    return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int add_bytes(void *arg, const void *p, size_t n, berth_error *err)
{
    (void)err;
    berth_buf_add(arg, p, n);
    return BERTH_OK;
}

/* One entry more; @out has no end yet. */
static UNUSED void add_entry(berth_buf *out, const struct tar_entry *e, const char *bytes)
{
    struct tar_writer *w = NULL;
    CHECK_OK(tar_writer_new(add_bytes, out, &w, &test_err));
    CHECK_OK(tar_writer_entry(w, e, &test_err));
    CHECK_OK(tar_writer_data(w, bytes, strlen(bytes), &test_err));
    CHECK_OK(tar_writer_end(w, &test_err));
    tar_writer_free(w);
    out->n -= TAR_END;
}

#endif
