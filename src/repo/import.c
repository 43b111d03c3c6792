/* repo/import.c - import of another registry's folder: tells what stands there, and holds what the readers of
 * the trees have in common. */
#include "repo/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "util/fault.h"

/* --- digests met --- */

/* 4 MiB of memory; a repository with more manifests and blobs than this is imported all the same. */
#define SET_MAX ((size_t)1 << 17)

static void set_key(const berth_digest *d, uint64_t key[2])
{
    const char *hex = strchr(d->text, ':') + 1;
    key[0] = key[1] = 0;
    for (size_t i = 0; i < 32; i++)
        key[i / 16] = key[i / 16] << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    key[0] |= key[0] == 0 && key[1] == 0; /* both zero: a free slot */
}

static size_t set_find(const struct import_set *s, const uint64_t key[2])
{
    size_t i = key[0] & (s->cap - 1);
    while ((s->slots[i][0] || s->slots[i][1]) && (s->slots[i][0] != key[0] || s->slots[i][1] != key[1]))
        i = (i + 1) & (s->cap - 1);
    return i;
}

bool import_set_has(const struct import_set *s, const berth_digest *d)
{
    uint64_t key[2];
    if (!s->n)
        return false;
    set_key(d, key);
    size_t i = set_find(s, key);
    return s->slots[i][0] || s->slots[i][1];
}

/* Twice the slots; false without memory, or at the ceiling. */
static bool set_widen(struct import_set *s)
{
    struct import_set wider = {.n = s->n, .cap = s->cap ? 2 * s->cap : 256};
    if (s->cap >= 2 * SET_MAX || fault_hit() || !(wider.slots = mem_zalloc(wider.cap, sizeof(*wider.slots))))
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i][0] || s->slots[i][1])
            memcpy(wider.slots[set_find(&wider, s->slots[i])], s->slots[i], sizeof(*s->slots));
    mem_free(s->slots);
    *s = wider;
    return true;
}

void import_set_add(struct import_set *s, const berth_digest *d)
{
    uint64_t key[2];
    if (s->n >= s->cap / 2 && !set_widen(s))
        return;
    set_key(d, key);
    uint64_t *slot = s->slots[set_find(s, key)];
    s->n += slot[0] == 0 && slot[1] == 0;
    memcpy(slot, key, sizeof(key));
}

void import_set_done(struct import_set *s)
{
    mem_free(s->slots);
    *s = (struct import_set){0};
}

/* --- telling --- */

int import_go_on(const struct import *im, berth_error *err)
{
    if (im->o->stop && atomic_load(im->o->stop))
        return berth_error_set(err, BERTH_E_CANCELLED,
                               "the import was stopped; it goes on when it is started again");
    return BERTH_OK;
}

void import_say(const struct import *im, const char *name, const char *fmt, ...)
{
    if (!im->o->report)
        return;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    va_list ap;
    va_start(ap, fmt);
    const char *text = berth_arena_vprintf(&a, fmt, ap);
    va_end(ap);
    im->o->report(im->o->arg, name, text ? text : "a line that there is no memory to tell");
}

int import_pass_over(const struct import *im, const char *name, int rc, const berth_error *why,
                     berth_error *err)
{
    if (rc == BERTH_E_NOMEM || rc == BERTH_E_IO)
        return berth_error_set(err, rc, "%s: %s", name, why->message);
    im->res->failed++;
    import_say(im, name, "not imported: %s", why->message);
    return BERTH_OK;
}

int import_listed(const struct import *im, berth_buf *name, int rc, const berth_error *why, berth_error *err)
{
    if (rc == BERTH_OK)
        return rc;
    return name->n ? import_pass_over(im, berth_buf_cstr(name), rc, why, err)
                   : berth_error_set(err, rc, "'%s': %s", im->o->path, why->message);
}

/* --- the tree --- */

static int cannot_open(const char *path, berth_error *err)
{
    if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s' is not there", path);
    if (errno == ELOOP)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s' is a symbolic link, which is not followed",
                               path);
    return berth_error_set(
        err, errno == EMFILE || errno == ENFILE || errno == ENOMEM ? BERTH_E_IO : BERTH_E_CORRUPT,
        "opening '%s': %s", path, strerror(errno));
}

int import_open(int dir_fd, const char *path, int flags, int *ret_fd, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    for (const char *at = path; *at;) {
        size_t n = strcspn(at, "/");
        char name[256];
        if (n == 0 || n >= sizeof(name))
            return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s' is not there", path);
        memcpy(name, at, n);
        name[n] = '\0';
        int how = at[n] ? O_DIRECTORY : flags;
        int next = fault_io() ? -1
                              : openat(fd < 0 ? dir_fd : fd, name,
                                       O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | how);
        if (next < 0)
            return cannot_open(path, err);
        closep(&fd);
        fd = next;
        at += n + (at[n] == '/');
    }
    struct stat st;
    if (fault_io() || fstat(fd, &st) < 0)
        return berth_error_set(err, BERTH_E_CORRUPT, "looking at '%s': %s", path, strerror(errno));
    if (!(flags & O_DIRECTORY) && !S_ISREG(st.st_mode))
        return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s' is not a regular file", path);
    *ret_fd = steal_fd(&fd);
    return BERTH_OK;
}

int import_open_file(int dir_fd, const char *path, int *ret_fd, uint64_t *ret_size, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    struct stat st;
    int rc = import_open(dir_fd, path, 0, &fd, err);
    if (rc != BERTH_OK)
        return rc;
    if (fault_io() || fstat(fd, &st) < 0)
        return berth_error_set(err, BERTH_E_CORRUPT, "looking at '%s': %s", path, strerror(errno));
    *ret_size = (uint64_t)st.st_size;
    *ret_fd = steal_fd(&fd);
    return BERTH_OK;
}

static int is_there(int dir_fd, const char *path, int flags, bool *ret, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    int rc = import_open(dir_fd, path, flags, &fd, err);
    *ret = rc == BERTH_OK;
    return rc == BERTH_E_NOT_FOUND ? BERTH_OK : rc;
}

int import_is_folder(int dir_fd, const char *path, bool *ret, berth_error *err)
{
    return is_there(dir_fd, path, O_DIRECTORY, ret, err);
}

int import_is_file(int dir_fd, const char *path, bool *ret, berth_error *err)
{
    return is_there(dir_fd, path, 0, ret, err);
}

int import_read(int fd, uint64_t size, size_t max, berth_buf *buf, berth_error *err)
{
    size_t got = 0;
    if (size > max)
        return berth_error_set(err, BERTH_E_TOO_BIG, "it is larger than %zu bytes", max);
    char *p = berth_buf_reserve(buf, (size_t)size + 1);
    if (!p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    berth_error why = BERTH_ERROR_INIT;
    if (io_pread(fd, p, (size_t)size + 1, 0, &got, &why) != BERTH_OK)
        return berth_error_set(err, BERTH_E_CORRUPT, "%s", why.message); /* the tree's fault, not ours */
    if (got != size)
        return berth_error_set(err, BERTH_E_CORRUPT, "it changes while it is read");
    berth_buf_grow(buf, got);
    return BERTH_OK;
}

int import_opendir(int dir_fd, const char *path, DIR **ret_dir, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    int rc = import_open(dir_fd, path, O_DIRECTORY, &fd, err);
    if (rc != BERTH_OK)
        return rc;
    DIR *dir = fault_hit() ? NULL : fdopendir(fd);
    if (!dir)
        return berth_error_set(err, BERTH_E_NOMEM, "listing '%s': %s", path, strerror(errno));
    steal_fd(&fd);
    *ret_dir = dir;
    return BERTH_OK;
}

void import_closedirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

int import_entry(DIR *dir, const char **ret, berth_error *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = fault_io() ? NULL : readdir(dir);
        if (!entry && errno)
            return berth_error_set(err, BERTH_E_CORRUPT, "listing the folder: %s", strerror(errno));
        *ret = entry ? entry->d_name : NULL;
        if (!entry || entry->d_name[0] != '.')
            return BERTH_OK;
    }
}

int import_next(DIR *dir, const char **ret, berth_error *err)
{
    int rc;
    do
        rc = import_entry(dir, ret, err);
    while (rc == BERTH_OK && *ret && (**ret == '_' || strcmp(*ret, "lost+found") == 0));
    return rc;
}

/* --- repositories --- */

int import_repo_may(struct import *im, const char *name, bool *ret_may, berth_error *err)
{
    *ret_may = false;
    if (!oci_name_valid(str_from(name))) {
        im->res->skipped++;
        import_say(im, name, "skipped: this is not a valid repository name");
        return BERTH_OK;
    }
    if (repo_policy_now(im->r)->auto_create) {
        *ret_may = true;
        return BERTH_OK;
    }
    int rc = im->r->m->ops->repo_exists(im->r->m, str_from(name), err);
    if (rc == BERTH_E_NOT_FOUND) {
        im->res->failed++;
        import_say(im, name, "not imported: there is no such repository here, and a push may not make one");
        return BERTH_OK;
    }
    *ret_may = rc == BERTH_OK;
    return rc;
}

void import_repo_end(struct import_repo *ir)
{
    ir->im->res->repositories += ir->any;
    import_set_done(&ir->done);
    import_set_done(&ir->failed);
    import_set_done(&ir->unread);
    import_set_done(&ir->refused);
}

/* --- what stands at the path --- */

/* Whether @root_fd itself is the folder of `repositories` and `blobs`. A folder of layouts may well have a
 * repository of either name. */
static int is_distribution(int root_fd, bool *ret, berth_error *err)
{
    static const char *const layouts[] = {"oci-layout", "blobs/oci-layout", "repositories/oci-layout"};
    bool layout = false;
    int rc = import_is_folder(root_fd, "repositories", ret, err);
    if (rc == BERTH_OK && *ret)
        rc = import_is_folder(root_fd, "blobs", ret, err);
    for (size_t i = 0; rc == BERTH_OK && *ret && i < COUNT(layouts); i++) {
        rc = import_is_file(root_fd, layouts[i], &layout, err);
        *ret = !layout;
    }
    return rc;
}

/* That folder: the root, or where distribution keeps it below its root directory. *@ret_fd -1: neither. */
static int find_distribution(int root_fd, int *ret_fd, berth_error *err)
{
    static const char *const places[] = {"docker/registry/v2", "registry/v2", "v2"};
    bool found = false;
    for (size_t i = 0; i < COUNT(places); i++) {
        CLEANUP(closep) int fd = -1;
        int rc = import_open(root_fd, places[i], O_DIRECTORY, &fd, err);
        if (rc == BERTH_OK)
            rc = import_is_folder(fd, "repositories", &found, err);
        if (rc != BERTH_OK && rc != BERTH_E_NOT_FOUND)
            return rc;
        if (found) {
            *ret_fd = steal_fd(&fd);
            return BERTH_OK;
        }
    }
    int rc = is_distribution(root_fd, &found, err);
    if (rc != BERTH_OK || !found)
        return rc;
    *ret_fd = fault_io() ? -1 : fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    return *ret_fd < 0 ? berth_error_set(err, BERTH_E_IO, "opening the folder: %s", strerror(errno))
                       : BERTH_OK;
}

/* The name for a single layout: as asked for, or as its folder is called. */
static int layout_name(const struct repo_import_options *o, char **ret_name, berth_error *err)
{
    if (o->name) {
        if (!oci_name_valid(str_from(o->name)))
            return berth_error_set(err, BERTH_E_INVALID, "'%s' is not a valid repository name", o->name);
        *ret_name = str_dup(str_from(o->name));
    } else {
        CLEANUP(freep) char *path = fault_io() ? NULL : mem_adopt(realpath(o->path, NULL));
        if (!path)
            return berth_error_set(err, BERTH_E_IO, "looking at '%s': %s", o->path, strerror(errno));
        const char *slash = strrchr(path, '/');
        if (!slash || !oci_name_valid(str_from(slash + 1)))
            return berth_error_set(err, BERTH_E_INVALID,
                                   "the folder '%s' has no name that a repository could have: give one",
                                   o->path);
        *ret_name = str_dup(str_from(slash + 1));
    }
    return *ret_name ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int import_tree(struct import *im, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    CLEANUP(freep) char *name = NULL;
    bool layout;
    int rc = import_is_file(im->root_fd, "oci-layout", &layout, err);
    if (rc == BERTH_OK && layout) {
        rc = layout_name(im->o, &name, err);
        return rc == BERTH_OK ? import_layout(im, name, err) : rc;
    }
    if (rc != BERTH_OK)
        return rc;
    if (im->o->name)
        return berth_error_set(err, BERTH_E_INVALID,
                               "'%s' is not an image layout: a name fits a single one only", im->o->path);
    rc = find_distribution(im->root_fd, &fd, err);
    if (rc != BERTH_OK)
        return rc;
    return fd >= 0 ? import_distribution(im, fd, err) : import_layouts(im, err);
}

int repo_import(repo *r, const struct repo_import_options *o, struct repo_import_result *ret,
                berth_error *err)
{
    *ret = (struct repo_import_result){0};
    int rc = o->dry_run ? BERTH_OK : repo__may_write(r, err);
    if (rc != BERTH_OK)
        return rc;
    CLEANUP(closep) int root_fd = fault_io() ? -1 : open(o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return berth_error_set(err, errno == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_INVALID,
                               "opening the folder '%s': %s", o->path, strerror(errno));
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(IMPORT_PIECE);
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    struct import im = {.r = r, .o = o, .res = ret, .root_fd = root_fd, .piece = piece};
    rc = import_tree(&im, err);
    import_set_done(&im.blobs);
    return rc;
}
