/* content/unpack.c - see unpack.h. */
#include "content/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "content/tar.h"
#include "util/compress.h"
#include "util/fault.h"
#include "util/io.h"

#define PIECE     (64 * KIB)
#define SHOWN_MAX 120 /* bytes of a stranger's path that an error repeats */

static int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

/* A path for a message: what could act on a terminal is replaced. */
struct shown {
    char text[SHOWN_MAX + 1];
};

static struct shown show(const char *path)
{
    struct shown s;
    size_t n = strnlen(path, SHOWN_MAX);
    for (size_t i = 0; i < n; i++)
        s.text[i] = (unsigned char)path[i] < 0x20 || path[i] == 0x7f ? '?' : path[i];
    s.text[n] = '\0';
    return s;
}

static int os_error(berth_error *err, const char *what, const char *path)
{
    int code = errno == ENOSPC || errno == EDQUOT                    ? BERTH_E_NO_SPACE
               : errno == EACCES || errno == EPERM || errno == EROFS ? BERTH_E_DENIED
               : errno == EEXIST                                     ? BERTH_E_EXISTS
                                                                     : BERTH_E_IO;
    if (errno == ELOOP || errno == ENOTDIR)
        return berth_error_set(err, BERTH_E_INVALID, "'%s' leads through a link or a file", show(path).text);
    return berth_error_set(err, code, "%s '%s': %s", what, show(path).text, strerror(errno));
}

/* --- paths --- */

/* The next name of @rest; empty: there is none. "." and doubled slashes are passed over. */
static berth_str next_name(berth_str *rest)
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
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is an absolute path", show(path).text);
    while ((name = next_name(&rest)).n) {
        any = true;
        if (str_eq(name, STR("..")))
            return berth_error_set(err, BERTH_E_INVALID, "'%s' leads out of the folder", show(path).text);
    }
    return any ? BERTH_OK : berth_error_set(err, BERTH_E_INVALID, "'%s' names no file", show(path).text);
}

/* Opens the folder that the last name of @path, checked already, is in; makes what is missing. @ret_name is
 * the caller's. */
static int open_parent(int dir_fd, const char *path, int *ret_fd, char **ret_name, berth_error *err)
{
    berth_str rest = str_from(path), name = next_name(&rest), after;
    CLEANUP(closep) int at = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return os_error(err, "opening the folder of", path);
    for (; (after = next_name(&rest)).n; name = after) {
        CLEANUP(freep) char *folder = fault_hit() ? NULL : str_dup(name);
        if (!folder)
            return no_memory(err);
        if (mkdirat(at, folder, 0777) < 0 && errno != EEXIST)
            return os_error(err, "making a folder of", path);
        int below = openat(at, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0)
            return os_error(err, "opening a folder of", path);
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

int unpack_file_open(int dir_fd, const char *path, struct unpack_file *ret, berth_error *err)
{
    CLEANUP(unpack_file_done) struct unpack_file f = UNPACK_FILE_INIT;
    char key[IO_KEY_SIZE], part[IO_KEY_SIZE + 16];
    int r = unpack_check_path(path, err);
    if (r == BERTH_OK)
        r = open_parent(dir_fd, path, &f.parent_fd, &f.name, err);
    if (r != BERTH_OK)
        return r;
    io_random_key(key);
    snprintf(part, sizeof(part), ".%s.part", key);
    f.path = fault_hit() ? NULL : str_dup(str_from(path));
    f.part = f.path ? str_dup(str_from(part)) : NULL;
    if (!f.part)
        return no_memory(err);
    make(&f);
    if (f.fd < 0)
        return os_error(err, "creating", path);
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

int unpack_file_keep(struct unpack_file *f, bool overwrite, berth_error *err)
{
    int r = overwrite     ? replace(f)
            : f->nameless ? link_nameless(f, f->name)
                          : linkat(f->parent_fd, f->part, f->parent_fd, f->name, 0);
    if (r < 0 && errno == EEXIST)
        return berth_error_set(err, BERTH_E_EXISTS, "'%s' is there already", show(f->path).text);
    if (r < 0)
        return os_error(err, "naming", f->path);
    if (!overwrite && !f->nameless)
        unlinkat(f->parent_fd, f->part, 0);
    close(f->fd);
    f->fd = -1;
    return BERTH_OK;
}

void unpack_file_done(struct unpack_file *f)
{
    if (f->fd >= 0) {
        close(f->fd);
        if (!f->nameless)
            unlinkat(f->parent_fd, f->part, 0);
    }
    closep(&f->parent_fd);
    mem_free(f->path);
    mem_free(f->name);
    mem_free(f->part);
    *f = (struct unpack_file)UNPACK_FILE_INIT;
}

/* --- an archive --- */

struct unpacking {
    const struct unpack_options *o;
    int dir_fd;
    struct tar_reader *tar;
    struct unpack_file file; /* that is being written; fd -1: none */
    unsigned mode;
    int64_t mtime;
    uint64_t bytes;
};

static int check_below(const struct unpacking *u, const char *path, berth_error *err)
{
    berth_str want = str_from(u->o->below), rest = str_from(path), name, wanted;
    while ((wanted = next_name(&want)).n) {
        name = next_name(&rest);
        if (!str_eq(name, wanted))
            return berth_error_set(err, BERTH_E_INVALID, "'%s' is not below '%s'", show(path).text,
                                   show(u->o->below).text);
    }
    return BERTH_OK;
}

/* Up to the folder at most, and by its beginning alone: what follows a name may be a link, and ".." behind it
 * would start from wherever that leads. */
static int check_link(const char *path, const char *target, berth_error *err)
{
    berth_str rest = str_from(path), name;
    long depth = -1; /* of the folder that the link stands in */
    bool down = false;
    while (next_name(&rest).n)
        depth++;
    rest = str_from(target);
    bool bad = target[0] == '/' || target[0] == '\0';
    while (!bad && (name = next_name(&rest)).n) {
        if (!str_eq(name, STR("..")))
            down = true;
        else
            bad = down || --depth < 0;
    }
    return bad ? berth_error_set(err, BERTH_E_INVALID, "the link '%s' leads out of the folder",
                                 show(path).text)
               : BERTH_OK;
}

/* Something stands where @name shall be. */
static int make_room(const struct unpacking *u, int parent_fd, const char *name, const char *path,
                     berth_error *err)
{
    if (u->o->overwrite && unlinkat(parent_fd, name, 0) < 0 && errno != ENOENT)
        return os_error(err, "replacing", path);
    return BERTH_OK;
}

static int make_folder(struct unpacking *u, int parent_fd, const char *name, const struct tar_entry *e,
                       berth_error *err)
{
    struct stat st;
    (void)u;
    if (mkdirat(parent_fd, name, (e->mode & 0777) | 0700) == 0)
        return BERTH_OK;
    if (errno == EEXIST && fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return BERTH_OK;
    return os_error(err, "making", e->path);
}

static int make_symlink(struct unpacking *u, int parent_fd, const char *name, const struct tar_entry *e,
                        berth_error *err)
{
    int r = check_link(e->path, e->link, err);
    if (r == BERTH_OK)
        r = make_room(u, parent_fd, name, e->path, err);
    if (r == BERTH_OK && symlinkat(e->link, parent_fd, name) < 0)
        r = os_error(err, "making", e->path);
    return r;
}

/* To a file of this archive, or one that stands below the folder: by names, as all else. */
static int make_hardlink(struct unpacking *u, int parent_fd, const char *name, const struct tar_entry *e,
                         berth_error *err)
{
    CLEANUP(closep) int from_fd = -1;
    CLEANUP(freep) char *from = NULL;
    struct stat st;
    int r = unpack_check_path(e->link, err);
    if (r == BERTH_OK && u->o->below)
        r = check_below(u, e->link, err);
    if (r == BERTH_OK)
        r = open_parent(u->dir_fd, e->link, &from_fd, &from, err);
    if (r != BERTH_OK)
        return r;
    if (fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return berth_error_set(err, BERTH_E_INVALID, "the link '%s' is to no file", show(e->path).text);
    r = make_room(u, parent_fd, name, e->path, err);
    if (r == BERTH_OK && linkat(from_fd, from, parent_fd, name, 0) < 0)
        r = os_error(err, "making", e->path);
    return r;
}

static int on_entry(void *arg, const struct tar_entry *e, berth_error *err)
{
    struct unpacking *u = arg;
    CLEANUP(closep) int parent_fd = -1;
    CLEANUP(freep) char *name = NULL;
    int r = unpack_check_path(e->path, err);
    if (r != BERTH_OK && e->type == TAR_FOLDER && !u->o->below && strspn(e->path, "./") == strlen(e->path) &&
        e->path[0] == '.' && !strstr(e->path, ".."))
        return BERTH_OK; /* "./", which is there */
    if (r == BERTH_OK && u->o->below)
        r = check_below(u, e->path, err);
    if (r == BERTH_OK && e->type == TAR_OTHER)
        r = berth_error_set(err, BERTH_E_INVALID, "'%s' is a device, a pipe or something like it",
                            show(e->path).text);
    if (r != BERTH_OK)
        return r;
    if (u->o->made)
        u->o->made(u->o->arg, e->path);
    u->mode = e->mode;
    u->mtime = e->mtime;
    if (e->type == TAR_FILE)
        return unpack_file_open(u->dir_fd, e->path, &u->file, err);
    r = open_parent(u->dir_fd, e->path, &parent_fd, &name, err);
    if (r != BERTH_OK)
        return r;
    return e->type == TAR_FOLDER    ? make_folder(u, parent_fd, name, e, err)
           : e->type == TAR_SYMLINK ? make_symlink(u, parent_fd, name, e, err)
                                    : make_hardlink(u, parent_fd, name, e, err);
}

static int on_data(void *arg, const void *p, size_t n, berth_error *err)
{
    struct unpacking *u = arg;
    u->bytes += n;
    if (u->bytes > u->o->max_bytes)
        return berth_error_set(err, BERTH_E_TOO_BIG, "the archive unpacks to more than %llu bytes",
                               (unsigned long long)u->o->max_bytes);
    return io_write_all(u->file.fd, p, n, err);
}

static int on_end(void *arg, berth_error *err)
{
    struct unpacking *u = arg;
    if (u->file.fd < 0)
        return BERTH_OK;
    mode_t mask = umask(0);
    umask(mask);
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)u->mtime}};
    if (fchmod(u->file.fd, (u->mode & 0777 & ~mask) | 0600) < 0 || futimens(u->file.fd, times) < 0)
        return os_error(err, "setting mode and time of", u->file.path);
    int r = unpack_file_keep(&u->file, u->o->overwrite, err);
    unpack_file_done(&u->file);
    return r;
}

static int on_unpacked(void *arg, const void *p, size_t n, berth_error *err)
{
    struct unpacking *u = arg;
    return tar_reader_write(u->tar, p, n, err);
}

static int pump(struct unpacking *u, struct inflater *in, int fd, berth_error *err)
{
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(PIECE);
    uint64_t at = 0;
    size_t n = 0;
    int r = piece ? BERTH_OK : no_memory(err);
    while (r == BERTH_OK && (r = io_pread(fd, piece, PIECE, at, &n, err)) == BERTH_OK && n) {
        r = inflater_write(in, piece, n, err);
        at += n;
    }
    if (r == BERTH_OK)
        r = inflater_end(in, err);
    return r == BERTH_OK ? tar_reader_end(u->tar, err) : r;
}

int unpack_archive(int fd, int dir_fd, const struct unpack_options *o, berth_error *err)
{
    static const struct tar_events events = {on_entry, on_data, on_end};
    struct unpacking u = {.o = o, .dir_fd = dir_fd, .file = UNPACK_FILE_INIT};
    struct inflater *in = NULL;
    int r = tar_reader_new(&events, &u, &u.tar, err);
    if (r == BERTH_OK)
        r = inflater_new(on_unpacked, &u, &in, err);
    if (r == BERTH_OK)
        r = pump(&u, in, fd, err);
    inflater_free(in);
    tar_reader_free(u.tar);
    unpack_file_done(&u.file);
    return r;
}
