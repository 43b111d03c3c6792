/* content/unpack_stage.c - see unpack_stage.h. Paths are walked name by name, and never deeper than one
 * folder at a time: an archive may be of any depth. */
#include "content/unpack_stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "content/unpack_private.h"
#include "util/fault.h"
#include "util/io.h"

#define FOLDER     (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define SHARED_MAX (256 * MIB) /* bytes of the paths of folders that are to be filled up */

/* --- folders --- */

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* What is in it, from the first on; @fd stays the caller's. */
static DIR *list(int fd)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    if (!d)
        closep(&own);
    return d;
}

/* The next name that is not the folder's own or its parent's. */
static const char *next_of(DIR *d)
{
    const struct dirent *e = readdir(d);
    while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0))
        e = readdir(d);
    return e ? e->d_name : NULL;
}

/* One name down; *@at stays what it is where there is no such folder. */
static int step(int *at, berth_str name)
{
    CLEANUP(freep) char *folder = fault_hit() ? NULL : str_dup(name);
    errno = ENOMEM;
    int below = folder ? openat(*at, folder, FOLDER) : -1;
    if (below < 0)
        return -1;
    close(*at);
    *at = below;
    return 0;
}

/* --- removing --- */

/* Brings what is in the folder @name to where that is, and removes it. False: nothing changed. */
static bool dissolve(int fd, const char *name)
{
    const char *within;
    char key[IO_KEY_SIZE];
    bool any = false;
    if (unlinkat(fd, name, AT_REMOVEDIR) == 0)
        return true;
    CLEANUP(closep) int below = openat(fd, name, FOLDER);
    CLEANUP(closedirp) DIR *d = below < 0 ? NULL : list(below);
    while (d && (within = next_of(d))) {
        io_random_key(key);
        any |= unlinkat(below, within, 0) == 0 || renameat(below, within, fd, key) == 0;
    }
    return unlinkat(fd, name, AT_REMOVEDIR) == 0 || any;
}

static void empty(int fd)
{
    const char *name;
    for (bool any = true; any;) {
        CLEANUP(closedirp) DIR *d = list(fd);
        any = false;
        while (d && (name = next_of(d)))
            any |= unlinkat(fd, name, 0) == 0 || dissolve(fd, name);
    }
}

static bool is_stage(const char *name)
{
    size_t n = strlen(UNPACK_STAGE_PREFIX);
    return strncmp(name, UNPACK_STAGE_PREFIX, n) == 0 && strlen(name + n) == IO_KEY_SIZE - 1 &&
           strspn(name + n, "0123456789abcdef") == IO_KEY_SIZE - 1;
}

/* What nobody holds any more. */
static void sweep(int dir_fd)
{
    CLEANUP(closedirp) DIR *d = list(dir_fd);
    const char *name;
    while (d && (name = next_of(d))) {
        CLEANUP(closep) int fd = is_stage(name) ? openat(dir_fd, name, FOLDER) : -1;
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
            continue;
        empty(fd);
        unlinkat(dir_fd, name, AT_REMOVEDIR);
    }
}

void unpack_stage_done(struct unpack_stage *s)
{
    if (s->fd >= 0) {
        empty(s->fd);
        unlinkat(s->parent_fd, s->name, AT_REMOVEDIR);
    }
    closep(&s->fd);
    closep(&s->parent_fd);
    *s = (struct unpack_stage)UNPACK_STAGE_INIT;
}

/* --- making --- */

/* No other file system begins between this and what will be made: what is moved there can be. */
static int open_near(int dir_fd, const char *below, int *ret_fd, berth_error *err)
{
    berth_str rest = str_from(below), name;
    CLEANUP(closep) int at = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return unpack_os_error(err, "opening the folder of", below ? below : ".");
    do
        sweep(at);
    while ((name = unpack_next_name(&rest)).n && step(&at, name) == 0);
    *ret_fd = steal_fd(&at);
    return BERTH_OK;
}

/* A file system without locks is one where nothing is swept either. */
static bool lock(const struct unpack_stage *s)
{
    struct stat held, named;
    return (flock(s->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && fstat(s->fd, &held) == 0 &&
           fstatat(s->parent_fd, s->name, &named, AT_SYMLINK_NOFOLLOW) == 0 && held.st_ino == named.st_ino;
}

int unpack_stage_open(int dir_fd, const char *below, struct unpack_stage *ret, berth_error *err)
{
    CLEANUP(unpack_stage_done) struct unpack_stage s = UNPACK_STAGE_INIT;
    char key[IO_KEY_SIZE];
    int r = below ? unpack_check_path(below, err) : BERTH_OK;
    if (r == BERTH_OK)
        r = open_near(dir_fd, below, &s.parent_fd, err);
    if (r != BERTH_OK)
        return r;
    do { /* until nobody swept it before it was locked */
        closep(&s.fd);
        io_random_key(key);
        snprintf(s.name, sizeof(s.name), UNPACK_STAGE_PREFIX "%s", key);
        if (fault_io() || mkdirat(s.parent_fd, s.name, 0700) < 0 ||
            (s.fd = openat(s.parent_fd, s.name, FOLDER)) < 0)
            return unpack_os_error(err, "making a folder for", below ? below : ".");
    } while (!lock(&s));
    *ret = s;
    s = (struct unpack_stage)UNPACK_STAGE_INIT;
    return BERTH_OK;
}

/* --- moving --- */

struct move {
    int from_fd, to_fd;
    bool overwrite, really; /* not really: looks for what is in the way */
    berth_buf shared;       /* paths of folders that are there on both sides, each with its NUL */
};

/* An entry of such a folder. */
struct entry {
    int from, to;
    const char *name, *path;
    struct stat have, there; /* what was unpacked, and what has the name already */
};

/* Where a file system knows no such renaming, a folder still takes no place but that of an empty one. */
static int rename_new(const struct entry *e)
{
    errno = EINVAL;
    if (!fault_hit() && renameat2(e->from, e->name, e->to, e->name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    return S_ISDIR(e->have.st_mode) ? renameat(e->from, e->name, e->to, e->name)
                                    : linkat(e->from, e->name, e->to, e->name, 0);
}

static bool same_link(const struct entry *e)
{
    char a[PATH_MAX], b[PATH_MAX];
    ssize_t n = readlinkat(e->from, e->name, a, sizeof(a)), m = readlinkat(e->to, e->name, b, sizeof(b));
    return n >= 0 && n == m && memcmp(a, b, (size_t)n) == 0;
}

static int is_same(const struct entry *e, bool *ret, berth_error *err)
{
    *ret = S_ISLNK(e->have.st_mode) && S_ISLNK(e->there.st_mode) && same_link(e);
    if (!S_ISREG(e->have.st_mode))
        return BERTH_OK;
    CLEANUP(closep) int fd = openat(e->from, e->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? unpack_os_error(err, "opening", e->path) : unpack_file_same(fd, e->to, e->name, ret, err);
}

static int meet(struct move *m, const struct entry *e, berth_error *err)
{
    bool same = false;
    if (S_ISDIR(e->have.st_mode) && S_ISDIR(e->there.st_mode)) {
        berth_buf_add(&m->shared, e->path, strlen(e->path) + 1);
        return BERTH_OK;
    }
    if (S_ISDIR(e->have.st_mode))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' leads through a link or a file",
                               unpack_show(e->path).text);
    if (m->overwrite && !S_ISDIR(e->there.st_mode))
        return m->really && renameat(e->from, e->name, e->to, e->name) < 0
                   ? unpack_os_error(err, "replacing", e->path)
                   : BERTH_OK;
    int r = is_same(e, &same, err);
    return r != BERTH_OK || same
               ? r
               : berth_error_set(err, BERTH_E_EXISTS, "'%s' is there already", unpack_show(e->path).text);
}

static int move_entry(struct move *m, struct entry *e, berth_error *err)
{
    if (fstatat(e->from, e->name, &e->have, AT_SYMLINK_NOFOLLOW) < 0)
        return unpack_os_error(err, "looking at", e->path);
    if (fstatat(e->to, e->name, &e->there, AT_SYMLINK_NOFOLLOW) == 0)
        return meet(m, e, err);
    if (errno != ENOENT)
        return unpack_os_error(err, "looking at", e->path);
    if (!m->really || rename_new(e) == 0)
        return BERTH_OK;
    if (errno != EEXIST || fstatat(e->to, e->name, &e->there, AT_SYMLINK_NOFOLLOW) < 0)
        return unpack_os_error(err, "naming", e->path);
    return meet(m, e, err); /* another process was faster */
}

static int open_path(int root_fd, const char *path, int *ret_fd, berth_error *err)
{
    berth_str rest = str_from(path), name;
    CLEANUP(closep) int at = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool there = at >= 0;
    while (there && (name = unpack_next_name(&rest)).n)
        there = step(&at, name) == 0;
    if (!there)
        return unpack_os_error(err, "opening", path);
    *ret_fd = steal_fd(&at);
    return BERTH_OK;
}

static int move_folder(struct move *m, const char *path, berth_error *err)
{
    CLEANUP(closep) int from = -1, to = -1;
    CLEANUP(berth_buf_done) berth_buf whole = BERTH_BUF_INIT(SHARED_MAX);
    const char *name;
    int r = open_path(m->from_fd, path, &from, err);
    if (r == BERTH_OK)
        r = open_path(m->to_fd, path, &to, err);
    CLEANUP(closedirp) DIR *d = r == BERTH_OK ? list(from) : NULL;
    if (r == BERTH_OK && !d)
        r = unpack_os_error(err, "reading", path);
    while (r == BERTH_OK && (name = next_of(d))) {
        berth_buf_reset(&whole);
        berth_buf_addf(&whole, "%s%s%s", path, *path ? "/" : "", name);
        struct entry e = {.from = from, .to = to, .name = name, .path = berth_buf_cstr(&whole)};
        r = e.path ? move_entry(m, &e, err) : no_memory(err);
    }
    return r;
}

static int move_all(struct move *m, bool really, berth_error *err)
{
    int r = BERTH_OK;
    m->really = really;
    berth_buf_reset(&m->shared);
    berth_buf_putc(&m->shared, '\0');
    for (size_t at = 0; r == BERTH_OK && at < m->shared.n;) {
        CLEANUP(freep) char *path = fault_hit() ? NULL : str_dup(str_from(m->shared.p + at));
        r = path ? move_folder(m, path, err) : no_memory(err);
        at += path ? strlen(path) + 1 : 0;
        if (r == BERTH_OK && berth_buf_failed(&m->shared))
            r = no_memory(err);
    }
    return r;
}

int unpack_stage_keep(const struct unpack_stage *s, int dir_fd, bool overwrite, berth_error *err)
{
    struct move m = {
        .from_fd = s->fd, .to_fd = dir_fd, .overwrite = overwrite, .shared = BERTH_BUF_INIT(SHARED_MAX)};
    int r = move_all(&m, false, err);
    if (r == BERTH_OK)
        r = move_all(&m, true, err);
    berth_buf_done(&m.shared);
    return r;
}
