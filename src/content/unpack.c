/* content/unpack.c - see unpack.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "content/tar.h"
#include "content/unpack_private.h"
#include "content/unpack_stage.h"
#include "util/compress.h"
#include "util/fault.h"
#include "util/io.h"

#define PIECE (64 * KIB)

struct unpacking {
    const struct unpack_options *o;
    struct unpack_stage stage;
    struct tar_reader *tar;
    struct unpack_file file; /* that is being written; fd -1: none */
    unsigned mode;
    int64_t mtime;
    uint64_t bytes;
    bool any; /* there is an entry */
};

static int check_below(const struct unpacking *u, const char *path, berth_error *err)
{
    berth_str want = str_from(u->o->below), rest = str_from(path), name, wanted;
    while ((wanted = unpack_next_name(&want)).n) {
        name = unpack_next_name(&rest);
        if (!str_eq(name, wanted))
            return berth_error_set(err, BERTH_E_INVALID, "'%s' is not below '%s'", unpack_show(path).text,
                                   unpack_show(u->o->below).text);
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
    while (unpack_next_name(&rest).n)
        depth++;
    rest = str_from(target);
    bool bad = target[0] == '/' || target[0] == '\0';
    while (!bad && (name = unpack_next_name(&rest)).n) {
        if (!str_eq(name, STR("..")))
            down = true;
        else
            bad = down || --depth < 0;
    }
    return bad ? berth_error_set(err, BERTH_E_INVALID, "the link '%s' leads out of the folder",
                                 unpack_show(path).text)
               : BERTH_OK;
}

/* Something stands where @name shall be. */
static int make_room(const struct unpacking *u, int parent_fd, const char *name, const char *path,
                     berth_error *err)
{
    if (u->o->overwrite && unlinkat(parent_fd, name, 0) < 0 && errno != ENOENT)
        return unpack_os_error(err, "replacing", path);
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
    return unpack_os_error(err, "making", e->path);
}

static int make_symlink(struct unpacking *u, int parent_fd, const char *name, const struct tar_entry *e,
                        berth_error *err)
{
    int r = check_link(e->path, e->link, err);
    if (r == BERTH_OK)
        r = make_room(u, parent_fd, name, e->path, err);
    if (r == BERTH_OK && symlinkat(e->link, parent_fd, name) < 0)
        r = unpack_os_error(err, "making", e->path);
    return r;
}

/* To a file of this archive: by names, as all else. */
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
        r = unpack_open_parent(u->stage.fd, e->link, &from_fd, &from, err);
    if (r != BERTH_OK)
        return r;
    if (fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return berth_error_set(err, BERTH_E_INVALID, "the link '%s' is to no file",
                               unpack_show(e->path).text);
    r = make_room(u, parent_fd, name, e->path, err);
    if (r == BERTH_OK && linkat(from_fd, from, parent_fd, name, 0) < 0)
        r = unpack_os_error(err, "making", e->path);
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
                            unpack_show(e->path).text);
    if (r != BERTH_OK)
        return r;
    u->any = true;
    u->mode = e->mode;
    u->mtime = e->mtime;
    if (e->type == TAR_FILE)
        return unpack_file_open(u->stage.fd, e->path, &u->file, err);
    r = unpack_open_parent(u->stage.fd, e->path, &parent_fd, &name, err);
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
        return unpack_os_error(err, "setting mode and time of", u->file.path);
    int r = unpack_file_keep(&u->file, u->o->overwrite, err);
    unpack_file_done(&u->file);
    return r;
}

static int on_unpacked(void *arg, const void *p, size_t n, berth_error *err)
{
    struct unpacking *u = arg;
    if (u->o->stopped && u->o->stopped())
        return berth_error_set(err, BERTH_E_CANCELLED, "stopped in the middle of an archive");
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
    if (r == BERTH_OK)
        r = tar_reader_end(u->tar, err);
    return r == BERTH_OK && u->o->below && !u->any
               ? berth_error_set(err, BERTH_E_CORRUPT, "the archive of '%s' is empty",
                                 unpack_show(u->o->below).text)
               : r;
}

int unpack_archive(int fd, int dir_fd, const struct unpack_options *o, berth_error *err)
{
    static const struct tar_events events = {on_entry, on_data, on_end};
    struct unpacking u = {.o = o, .stage = UNPACK_STAGE_INIT, .file = UNPACK_FILE_INIT};
    struct inflater *in = NULL;
    int r = unpack_stage_open(dir_fd, o->below, &u.stage, err);
    if (r == BERTH_OK)
        r = tar_reader_new(&events, &u, &u.tar, err);
    if (r == BERTH_OK)
        r = inflater_new(on_unpacked, &u, &in, err);
    if (r == BERTH_OK)
        r = pump(&u, in, fd, err);
    inflater_free(in);
    tar_reader_free(u.tar);
    unpack_file_done(&u.file);
    if (r == BERTH_OK)
        r = unpack_stage_keep(&u.stage, dir_fd, o->overwrite, err);
    unpack_stage_done(&u.stage);
    return r;
}
