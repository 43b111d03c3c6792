/* tests/unit/content/fixture.h - a folder of a test's own. */
#ifndef CONTENT_FIXTURE_H
#define CONTENT_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

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

#endif
