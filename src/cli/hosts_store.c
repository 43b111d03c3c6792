/* cli/hosts_store.c - where the file of settings by host is, and how it is replaced as a whole: see hosts.h.
 */
#include "cli/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "util/io.h"

#define FILE_MAX MIB

static const char *from_environment(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* NULL: there is no place for it. */
static int find_file(berth_arena *arena, const char **ret, berth_error *err)
{
    const char *told = from_environment("BERTH_HOSTS_FILE"), *config = from_environment("XDG_CONFIG_HOME");
    const char *home = from_environment("HOME");
    *ret = NULL;
    if (told)
        *ret = berth_arena_printf(arena, "%s", told);
    else if (config)
        *ret = berth_arena_printf(arena, "%s/berth/hosts.yaml", config);
    else if (home)
        *ret = berth_arena_printf(arena, "%s/.config/berth/hosts.yaml", home);
    else
        return BERTH_OK;
    return *ret ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int read_text(struct hosts *h, const char *path, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(FILE_MAX);
    int r = io_read_file(path, &text, err);
    if (r == BERTH_E_NOT_FOUND)
        return BERTH_OK;
    return r == BERTH_OK ? hosts_parse(berth_buf_str(&text), h->path, h, err) : r;
}

int hosts_load(struct hosts *ret, berth_error *err)
{
    *ret = (struct hosts){0};
    int r = find_file(&ret->arena, &ret->path, err);
    return r == BERTH_OK && ret->path ? read_text(ret, ret->path, err) : r;
}

/* --- changing it --- */

/* The folder of @path, made if it isn't there, and locked: of two that change the file, one waits. */
static int lock_folder(const char *path, int *ret_fd, berth_error *err)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(freep)
    char *folder = !slash ? str_dup(STR(".")) : str_dup((berth_str){path, (size_t)(slash - path)});
    if (!folder)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int r = *folder ? io_mkdirs(folder, 0700, err) : BERTH_OK;
    if (r != BERTH_OK)
        return r;
    int fd = open(*folder ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening '%s': %s", folder, strerror(errno));
    while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
        ; /* a file system without locks does without */
    *ret_fd = fd;
    return BERTH_OK;
}

static int write_text(const struct hosts *h, const char *path, int folder, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(FILE_MAX);
    hosts_print(h, &text);
    if (berth_buf_exceeded(&text))
        return berth_error_set(err, BERTH_E_TOO_BIG, "'%s' would be too large", path);
    if (berth_buf_failed(&text))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    return io_replace_file(path, folder, berth_buf_str(&text), err);
}

int hosts_edit(int (*edit)(void *arg, struct hosts *h, berth_error *err), void *arg, struct hosts *ret,
               berth_error *err)
{
    CLEANUP(closep) int folder = -1;
    *ret = (struct hosts){0};
    int r = find_file(&ret->arena, &ret->path, err);
    if (r == BERTH_OK && !ret->path)
        r = berth_error_set(err, BERTH_E_INVALID,
                            "BERTH_HOSTS_FILE, XDG_CONFIG_HOME or HOME has to say where");
    if (r != BERTH_OK)
        return r;
    CLEANUP(freep) char *real = mem_adopt(realpath(ret->path, NULL)); /* what a link leads to is replaced */
    const char *path = real ? real : ret->path;
    r = lock_folder(path, &folder, err);
    if (r == BERTH_OK)
        r = read_text(ret, path, err);
    if (r == BERTH_OK)
        r = edit(arg, ret, err);
    return r == BERTH_OK ? write_text(ret, path, folder, err) : r;
}
