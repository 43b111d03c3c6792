/* client/keep.c - login and logout keep and forget credentials: with the helper that Docker's file names, or
 * in the file itself, which is replaced as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "berth/credentials.h"
#include "client/helper.h"
#include "http/uri.h"
#include "util/io.h"
#include "util/mask.h"

#define FILE_MAX  (4 * MIB)
#define INPUT_MAX (256 * KIB)

/* A buffer of secrets. */
static void buf_wipe(berth_buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->n);
    berth_buf_done(b);
}

static berth_credential read_credential(const berth_credential *given)
{
    berth_credential c = BERTH_CREDENTIAL_INIT;
    memcpy(&c, given, MIN(given->size, sizeof(c)));
    return c;
}

/* --- the file --- */

struct config_file {
    char *path;    /* with links followed: what they lead to is replaced */
    int folder;    /* locked: of two that change the file, one waits */
    berth_buf was; /* its text; empty where there is none */
};

static void file_close(struct config_file *f)
{
    closep(&f->folder);
    buf_wipe(&f->was);
    mem_free(f->path);
}

static int file_open(const char *path, bool makes, struct config_file *f, berth_error *err)
{
    char *real = mem_adopt(realpath(path, NULL));
    f->path = real || errno == ENOMEM ? real : str_dup(str_from(path));
    if (!f->path)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    char *slash = strrchr(f->path, '/');
    CLEANUP(freep)
    char *folder = slash == f->path ? str_dup(STR("/"))
                   : slash          ? str_dup((berth_str){f->path, (size_t)(slash - f->path)})
                                    : str_dup(STR("."));
    int r = !folder ? berth_error_set(err, BERTH_E_NOMEM, "out of memory")
            : makes ? io_mkdirs(folder, 0700, err)
                    : BERTH_OK;
    if (r != BERTH_OK)
        return r;
    f->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->folder < 0 && !makes && errno == ENOENT)
        return BERTH_OK;
    if (f->folder < 0)
        return berth_error_set(err, BERTH_E_IO, "opening '%s': %s", folder, strerror(errno));
    while (flock(f->folder, LOCK_EX) < 0 && errno == EINTR)
        ; /* a file system without locks does without */
    r = io_read_file(f->path, &f->was, err);
    return r == BERTH_E_NOT_FOUND ? BERTH_OK : r;
}

/* --- the helper --- */

/* Helpers know hosts alone. */
static bool has_path(const char *place)
{
    berth_str host, path;
    return str_cut(str_from(place), '/', &host, &path) && path.n && !strstr(place, "://");
}

/* The helper of the host would be asked first, and what is kept for the path would never be found. */
static int check_no_helper(const struct config_file *f, const char *place, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    berth_str host, path, name = STR(""), server;
    if (!has_path(place) || !f->was.n)
        return BERTH_OK;
    str_cut(str_from(place), '/', &host, &path);
    int r = auth_credentials_helper(berth_buf_str(&f->was), host, &arena, &name, &server, err);
    return r == BERTH_OK && name.n ? berth_error_set(err, BERTH_E_UNSUPPORTED,
                                                     "the helper '" STR_FMT
                                                     "' keeps credentials of hosts alone, of no path on one",
                                                     STR_ARG(name))
                                   : r;
}

/* What keeps the credentials of @place: *@ret_name, empty for the file. */
static int find_helper(const struct config_file *f, const char *place, berth_arena *arena,
                       berth_str *ret_name, berth_str *ret_server, berth_error *err)
{
    *ret_name = *ret_server = STR("");
    if (!f->was.n || has_path(place))
        return BERTH_OK;
    return auth_credentials_helper(berth_buf_str(&f->was), str_from(place), arena, ret_name, ret_server, err);
}

/* --- login and logout --- */

static int check_place(const char *place, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(4 * KIB);
    http_uri u;
    berth_buf_addf(&url, "https://%s", place ? place : "");
    if (place && mask_find(str_from(place)).n)
        return berth_error_set(err, BERTH_E_INVALID, "credentials are for a host, with nothing before it");
    if (berth_buf_failed(&url) || !http_uri_parse(berth_buf_str(&url), &u) || !u.host.n)
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is no host", place ? place : "");
    return BERTH_OK;
}

static int store(const struct config_file *f, const char *place, const auth_credentials *c,
                 uint32_t timeout_ms, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(buf_wipe) berth_buf input = BERTH_BUF_INIT(INPUT_MAX);
    CLEANUP(buf_wipe) berth_buf text = BERTH_BUF_INIT(FILE_MAX);
    const auth_credentials nothing = {0};
    berth_str name, server;
    int r = check_no_helper(f, place, err);
    if (r == BERTH_OK)
        r = find_helper(f, place, &arena, &name, &server, err);
    if (r == BERTH_OK && name.n) {
        r = auth_helper_print(server, c, &input, err);
        if (r == BERTH_OK)
            r = helper_run(name, "store", berth_buf_str(&input), timeout_ms, err);
    }
    if (r == BERTH_OK)
        r = auth_credentials_put(berth_buf_str(&f->was), auth_place_of(str_from(place)),
                                 name.n ? &nothing : c, &text, err);
    return r == BERTH_OK ? io_replace_file(f->path, f->folder, berth_buf_str(&text), err) : r;
}

int berth_credentials_store(const char *file, const char *place, const berth_credential *credential,
                            uint32_t helper_timeout_ms, berth_error *err)
{
    const berth_credential given = read_credential(credential);
    const auth_credentials c = {str_from(given.username), str_from(given.password),
                                str_from(given.identity_token), str_from(given.bearer_token)};
    CLEANUP(file_close) struct config_file f = {.folder = -1, .was = BERTH_BUF_INIT(FILE_MAX)};
    int r = check_place(place, err);
    if (r != BERTH_OK)
        return r;
    if (auth_credentials_empty(&c) || (given.username && strchr(given.username, ':')))
        return berth_error_set(err, BERTH_E_INVALID, "a user name is needed, without a colon, or a token");
    r = file_open(file, true, &f, err);
    if (r == BERTH_OK)
        r = store(&f, place, &c, helper_timeout_ms, err);
    return r == BERTH_OK ? r : berth_error_prefix(err, "%s", file);
}

static int erase(const struct config_file *f, const char *place, uint32_t timeout_ms, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(buf_wipe) berth_buf text = BERTH_BUF_INIT(FILE_MAX);
    berth_str name, server;
    bool found = false, erased = false;
    if (!f->was.n)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "not logged in to '%s'", place);
    int r = find_helper(f, place, &arena, &name, &server, err);
    if (r == BERTH_OK && name.n) {
        r = helper_run(name, "erase", server, timeout_ms, err);
        erased = r == BERTH_OK;
        r = r == BERTH_E_NOT_FOUND ? BERTH_OK : r;
    }
    if (r == BERTH_OK)
        r = auth_credentials_drop(berth_buf_str(&f->was), str_from(place), &text, &found, err);
    if (r == BERTH_OK && found)
        r = io_replace_file(f->path, f->folder, berth_buf_str(&text), err);
    if (r == BERTH_OK && !found && !erased)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "not logged in to '%s'", place);
    return r;
}

int berth_credentials_erase(const char *file, const char *place, uint32_t helper_timeout_ms, berth_error *err)
{
    CLEANUP(file_close) struct config_file f = {.folder = -1, .was = BERTH_BUF_INIT(FILE_MAX)};
    int r = check_place(place, err);
    if (r == BERTH_OK)
        r = file_open(file, false, &f, err);
    if (r == BERTH_OK)
        r = erase(&f, place, helper_timeout_ms, err);
    return r == BERTH_OK ? r : berth_error_prefix(err, "%s", file);
}
