/* daemon/backup_folder.c - the folder of a backup: what marks it as one, who may use it, what state it was
 * left in. */
#include "daemon/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "util/fault.h"

#define MARKER_NUMBER 1
#define MARKER_MAX    (4 * KIB)
#define PIECE         (256 * KIB)

static int os_error(berth_error *err, const char *what, const char *path)
{
    int code = errno == ENOSPC || errno == EDQUOT                    ? BERTH_E_NO_SPACE
               : errno == EACCES || errno == EPERM || errno == EROFS ? BERTH_E_DENIED
                                                                     : BERTH_E_IO;
    return berth_error_set(err, code, "%s '%s': %s", what, path, strerror(errno));
}

void backup_folder_done(struct backup_folder *f)
{
    closep(&f->fd);
    mem_free(f->path);
    *f = (struct backup_folder){.fd = -1};
}

/* --- small files --- */

int backup_put_file(int dir_fd, const char *name, const char *text, berth_error *err)
{
    char part[64];
    snprintf(part, sizeof(part), "%s.part", name);
    CLEANUP(closep)
    int fd =
        fault_io() ? -1 : openat(dir_fd, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return os_error(err, "creating", part);
    int rc = io_write_all(fd, text, strlen(text), err);
    if (rc == BERTH_OK)
        rc = io_sync(fd, err);
    if (rc != BERTH_OK)
        return rc;
    if (fault_io() || renameat(dir_fd, part, dir_fd, name) < 0)
        return os_error(err, "renaming", part);
    return io_sync_dir(dir_fd, err);
}

void backup_remove_database(int dir_fd, const char *name)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s%s", name, suffixes[i]);
        unlinkat(dir_fd, path, 0);
    }
}

int backup_copy_file(int fd, int to_fd, const _Atomic bool *stop, berth_digest *ret, berth_error *err)
{
    berth_hash h;
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(PIECE);
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    hash_init(&h, HASH_SHA256);
    size_t n = PIECE;
    for (uint64_t at = 0; n == PIECE; at += n) {
        int rc = io_pread(fd, piece, PIECE, at, &n, err);
        if (rc == BERTH_OK && to_fd >= 0)
            rc = io_write_all(to_fd, piece, n, err);
        if (rc == BERTH_OK && stop && atomic_load(stop))
            rc = berth_error_set(err, BERTH_E_CANCELLED, "it was stopped; started again, it goes on");
        if (rc != BERTH_OK)
            return rc;
        hash_update(&h, piece, n);
    }
    digest_from_hash(&h, ret);
    return BERTH_OK;
}

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

int backup_is_empty(int dir_fd, const char *const *but, bool *ret, berth_error *err)
{
    int fd = fault_io() ? -1 : openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(closedirp) DIR *dir = fd < 0 || fault_io() ? NULL : fdopendir(fd);
    if (!dir) {
        int rc = os_error(err, "listing", "the folder");
        closep(&fd);
        return rc;
    }
    *ret = true;
    while (*ret) {
        errno = 0;
        const struct dirent *entry = fault_io() ? NULL : readdir(dir);
        if (!entry)
            return errno ? os_error(err, "listing", "the folder") : BERTH_OK;
        const char *name = entry->d_name;
        bool known = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
        for (size_t i = 0; !known && but && but[i]; i++)
            known = strcmp(name, but[i]) == 0;
        *ret = known;
    }
    return BERTH_OK;
}

/* --- the marker --- */

int backup_marker_write(const struct backup_folder *f, const struct backup_marker *m, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(MARKER_MAX);
    berth_buf_addf(&text, "berth backup %d\n", MARKER_NUMBER);
    if (m->complete)
        berth_buf_addf(&text, "made %s\nprogram %s\ntags %llu\nblobs %llu\nbytes %llu\ndatabase %s\n",
                       m->made, m->program, (unsigned long long)m->tags, (unsigned long long)m->blobs,
                       (unsigned long long)m->bytes, m->database);
    if (m->previous[0])
        berth_buf_addf(&text, "previous %s\n", m->previous);
    const char *p = berth_buf_cstr(&text);
    return p ? backup_put_file(f->fd, "backup", p, err)
             : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static void take_text(char *to, size_t size, berth_str value)
{
    berth_str s = str_head(value, size - 1);
    memcpy(to, s.p, s.n);
    to[s.n] = '\0';
}

static void take_line(struct backup_marker *m, berth_str key, berth_str value)
{
    if (str_eq(key, STR("made")))
        take_text(m->made, sizeof(m->made), value);
    else if (str_eq(key, STR("program")))
        take_text(m->program, sizeof(m->program), value);
    else if (str_eq(key, STR("tags")))
        str_to_u64(value, &m->tags);
    else if (str_eq(key, STR("blobs")))
        str_to_u64(value, &m->blobs);
    else if (str_eq(key, STR("bytes")))
        str_to_u64(value, &m->bytes);
    else if (str_eq(key, STR("database")))
        take_text(m->database, sizeof(m->database), value);
    else if (str_eq(key, STR("previous")))
        take_text(m->previous, sizeof(m->previous), value);
}

/* BERTH_E_NOT_FOUND: the folder is no backup. */
static int read_marker(const struct backup_folder *f, struct backup_marker *ret, berth_error *err)
{
    char text[MARKER_MAX];
    size_t n = 0;
    uint64_t number = 0;
    berth_str line, rest, key, value;
    CLEANUP(closep)
    int fd = fault_io() ? -1 : openat(f->fd, "backup", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    *ret = (struct backup_marker){0};
    if (fd < 0 && errno == ENOENT)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s' is not a backup", f->path);
    if (fd < 0)
        return os_error(err, "opening the marker of", f->path);
    int rc = io_pread(fd, text, sizeof(text), 0, &n, err);
    if (rc != BERTH_OK)
        return rc;
    str_cut((berth_str){text, n}, '\n', &line, &rest);
    if (!str_starts(line, STR("berth backup ")) || !str_to_u64(str_from_offset(line, 13), &number))
        return berth_error_set(err, BERTH_E_CORRUPT, "'%s/backup' is not a backup's marker", f->path);
    if (number > MARKER_NUMBER)
        return berth_error_set(err, BERTH_E_UNSUPPORTED,
                               "the backup '%s' has format %llu, newer than this program (%d): upgrade berth",
                               f->path, (unsigned long long)number, MARKER_NUMBER);
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        str_cut(line, ' ', &key, &value);
        take_line(ret, key, value);
    }
    ret->complete = ret->database[0];
    return BERTH_OK;
}

/* --- the folder --- */

/* Opens @path or the nearest folder above it that exists. */
static int open_nearest(const char *path, berth_error *err)
{
    CLEANUP(freep) char *at = str_dup(str_from(path));
    if (!at)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    for (;;) {
        int fd = fault_io() ? -1 : open(*at ? at : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        char *slash = strrchr(at, '/');
        if (errno != ENOENT || !slash)
            return os_error(err, "opening", at);
        *slash = '\0';
    }
}

int backup_must_be_outside(const char *what, const char *path, int data_fd, berth_error *err)
{
    struct stat data, st, above = {0};
    if (data_fd < 0)
        return BERTH_OK;
    CLEANUP(closep) int fd = open_nearest(path, err);
    if (fd < 0)
        return fd;
    if (fault_io() || fstat(data_fd, &data) < 0 || fault_io() || fstat(fd, &st) < 0)
        return os_error(err, "looking at", path);
    for (;;) {
        if (st.st_dev == data.st_dev && st.st_ino == data.st_ino)
            return berth_error_set(err, BERTH_E_INVALID,
                                   "'%s' is the data folder, or inside it: %s belongs elsewhere", path, what);
        int up = fault_io() ? -1 : openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        closep(&fd);
        fd = up;
        if (fd < 0 || fault_io() || fstat(fd, &above) < 0)
            return errno == EACCES ? BERTH_OK : os_error(err, "looking above", path);
        if (above.st_dev == st.st_dev && above.st_ino == st.st_ino)
            return BERTH_OK; /* the root */
        st = above;
    }
}

static int open_folder(const char *path, int lock, struct backup_folder *f, berth_error *err)
{
    f->path = str_dup(str_from(path));
    if (!f->path)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    f->fd = fault_io() ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->fd < 0 && errno == ENOENT)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "there is no folder '%s'", path);
    if (f->fd < 0)
        return os_error(err, "opening the folder", path);
    if (fault_io() || flock(f->fd, lock | LOCK_NB) < 0)
        return errno != EWOULDBLOCK ? os_error(err, "locking the folder", path)
                                    : berth_error_set(err, BERTH_E_BUSY,
                                                      "another backup or restore uses the folder '%s'", path);
    return BERTH_OK;
}

/* Marks an empty folder as ours before anything else is in it. */
static int begin_new(struct backup_folder *f, berth_error *err)
{
    static const char *const ours[] = {"backup.part", NULL};
    bool empty = false;
    int rc = backup_is_empty(f->fd, ours, &empty, err);
    if (rc == BERTH_OK && !empty)
        rc = berth_error_set(err, BERTH_E_INVALID,
                             "the folder '%s' is not empty and not a backup: nothing was written", f->path);
    return rc == BERTH_OK ? backup_marker_write(f, &f->marker, err) : rc;
}

static int create(const char *path, const struct instance *in, struct backup_folder *f, berth_error *err)
{
    int rc = backup_must_be_outside("a backup", path, in->data_fd, err);
    if (rc == BERTH_OK)
        rc = io_mkdirs(path, 0700, err);
    if (rc == BERTH_OK)
        rc = open_folder(path, LOCK_EX, f, err);
    if (rc != BERTH_OK)
        return rc;
    rc = read_marker(f, &f->marker, err);
    if (rc == BERTH_E_NOT_FOUND)
        rc = begin_new(f, err);
    if (rc != BERTH_OK)
        return rc;
    rc = wiring_has(f->fd, path, "writing", &f->interrupted, err);
    return rc == BERTH_OK ? backup_put_file(f->fd, "writing", "", err) : rc;
}

int backup_folder_create(const char *path, const struct instance *in, struct backup_folder *ret,
                         berth_error *err)
{
    *ret = (struct backup_folder){.fd = -1};
    int rc = create(path, in, ret, err);
    if (rc != BERTH_OK)
        backup_folder_done(ret);
    return rc;
}

int backup_folder_open(const char *path, struct backup_folder *ret, berth_error *err)
{
    *ret = (struct backup_folder){.fd = -1};
    int rc = open_folder(path, LOCK_SH, ret, err);
    if (rc == BERTH_OK)
        rc = read_marker(ret, &ret->marker, err);
    if (rc == BERTH_OK)
        rc = wiring_check_format(ret->fd, path, err);
    if (rc == BERTH_OK && !ret->marker.complete)
        rc = berth_error_set(err, BERTH_E_INVALID,
                             "the backup '%s' was never finished: there is nothing in it", path);
    if (rc != BERTH_OK)
        backup_folder_done(ret);
    return rc;
}

int backup_take_database(const struct backup_folder *f, int dir_fd, const char *name,
                         const _Atomic bool *stop, berth_error *err)
{
    berth_digest have;
    backup_remove_database(dir_fd, name);
    CLEANUP(closep)
    int from = fault_io() ? -1 : openat(f->fd, "berth.db", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (from < 0)
        return berth_error_set(err, BERTH_E_CORRUPT, "the backup '%s' has lost its database: %s", f->path,
                               strerror(errno));
    CLEANUP(closep)
    int to = fault_io() ? -1 : openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return os_error(err, "creating", name);
    int rc = backup_copy_file(from, to, stop, &have, err);
    if (rc == BERTH_OK)
        rc = io_sync(to, err);
    if (rc == BERTH_OK)
        rc = io_sync_dir(dir_fd, err);
    if (rc == BERTH_OK && strcmp(have.text, f->marker.database) != 0 &&
        strcmp(have.text, f->marker.previous) != 0)
        rc = berth_error_set(err, BERTH_E_CORRUPT,
                             "the database of the backup '%s' is damaged: its digest is not the recorded one",
                             f->path);
    if (rc != BERTH_OK)
        backup_remove_database(dir_fd, name);
    return rc;
}
