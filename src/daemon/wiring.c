/* daemon/wiring.c - see wiring.h. The folder:
 *
 *   DATA/lock          held by the owning process (flock)
 *   DATA/format        "berth 1": a newer number is refused
 *   DATA/berth.db      metadata (SQLite, with -wal and -shm)
 *   DATA/objects/      bytes by key
 *   DATA/control.sock  commands for the running server (control.c)
 *   DATA/restoring     while, and if unfinished after, `berth restore` makes the folder (restore.c) */
#include "daemon/wiring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "util/fault.h"
#include "util/log.h"

#define FORMAT_NUMBER 1

int wiring_has(int dir_fd, const char *path, const char *name, bool *ret, berth_error *err)
{
    *ret = !fault_io() && faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    return *ret || errno == ENOENT
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_IO, "looking for '%s/%s': %s", path, name, strerror(errno));
}

int wiring_check_format(int data_fd, const char *path, berth_error *err)
{
    char text[32] = "";
    CLEANUP(closep) int fd = fault_io() ? -1 : openat(data_fd, "format", O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) { /* until now nothing in the folder was relied on */
        int rc = io_sync_parents(path, err);
        if (rc != BERTH_OK)
            return rc;
        /* The store's, which makes it when it is not there: here one sync does for both names. */
        if (fault_io() || (mkdirat(data_fd, "objects", 0700) < 0 && errno != EEXIST))
            return berth_error_set(err, BERTH_E_IO, "making '%s/objects': %s", path, strerror(errno));
        fd = fault_io() ? -1 : openat(data_fd, "format", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            return berth_error_set(err, BERTH_E_IO, "creating '%s/format': %s", path, strerror(errno));
        int n = snprintf(text, sizeof(text), "berth %d\n", FORMAT_NUMBER);
        rc = io_write_all(fd, text, (size_t)n, err);
        if (rc == BERTH_OK)
            rc = io_sync(fd, err);
        return rc == BERTH_OK ? io_sync_dir(data_fd, err) : rc;
    }
    if (fd < 0 || fault_io() || read(fd, text, sizeof(text) - 1) < 0)
        return berth_error_set(err, BERTH_E_IO, "reading '%s/format': %s", path, strerror(errno));
    int number;
    if (text[0] == '\0') { /* a crash between its creation and its content */
        if (fault_io() || unlinkat(data_fd, "format", 0) < 0)
            return berth_error_set(err, BERTH_E_IO, "removing the empty '%s/format': %s", path,
                                   strerror(errno));
        return wiring_check_format(data_fd, path, err);
    }
    if (sscanf(text, "berth %d", &number) != 1)
        return berth_error_set(err, BERTH_E_CORRUPT, "'%s/format' is not berth's: is this the right folder?",
                               path);
    if (number > FORMAT_NUMBER)
        return berth_error_set(err, BERTH_E_UNSUPPORTED,
                               "the folder '%s' has format %d, newer than this program (%d): upgrade berth",
                               path, number, FORMAT_NUMBER);
    return BERTH_OK;
}

static int lock_folder(struct instance *in, const char *path, berth_error *err)
{
    in->lock_fd = fault_io() ? -1 : openat(in->data_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (in->lock_fd < 0)
        return berth_error_set(err, BERTH_E_IO, "creating '%s/lock': %s", path, strerror(errno));
    if (fault_io() || flock(in->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return errno != EWOULDBLOCK
                   ? berth_error_set(err, BERTH_E_IO, "locking '%s/lock': %s", path, strerror(errno))
                   : berth_error_set(err, BERTH_E_BUSY, "another berth process owns the folder '%s'", path);
    return BERTH_OK;
}

int instance_lock(const struct config *c, bool create, struct instance *in, berth_error *err)
{
    in->data = str_dup(str_from(c->data));
    if (!in->data)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int rc = create ? io_mkdirs(c->data, 0700, err) : BERTH_OK;
    if (rc != BERTH_OK)
        return rc;
    in->data_fd = fault_io() ? -1 : open(c->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in->data_fd < 0)
        return berth_error_set(err, errno == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO,
                               "opening the data folder '%s': %s", c->data, strerror(errno));
    return lock_folder(in, c->data, err);
}

/* A backup, and what a restore did not finish, look like a data folder but are none. */
static int check_folder(const struct instance *in, const char *path, berth_error *err)
{
    bool there;
    int rc = wiring_has(in->data_fd, path, "backup", &there, err);
    if (rc == BERTH_OK && there)
        return berth_error_set(
            err, BERTH_E_INVALID,
            "'%s' is a backup: make a data folder of it with `berth restore %s --data DIR`", path, path);
    if (rc == BERTH_OK)
        rc = wiring_has(in->data_fd, path, RESTORING, &there, err);
    if (rc != BERTH_OK)
        return rc;
    if (there)
        return berth_error_set(err, BERTH_E_INVALID,
                               "the restore into '%s' was not finished: run `berth restore` again, or remove "
                               "the folder",
                               path);
    /* of a restore into this folder, or a salvage, that was interrupted */
    static const char *const left[] = {"restore.db", "berth.db.salvage", "berth.db.salvage-wal",
                                       "berth.db.salvage-shm"};
    for (size_t i = 0; i < COUNT(left); i++)
        unlinkat(in->data_fd, left[i], 0);
    return wiring_check_format(in->data_fd, path, err);
}

static int open_store(const struct config *c, struct instance *in, berth_error *err)
{
    if (strcmp(c->storage.driver, "memory") == 0)
        return store_memory_new(&in->store, err);
    int fd = fault_io() ? -1 : fcntl(in->data_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening the data folder: %s", strerror(errno));
    return store_fs_new(fd, c->storage.sync, c->storage.direct_from, &in->store, err);
}

static struct meta_times times_of(const struct config *c)
{
    return (struct meta_times){
        .grace_ms = (int64_t)c->gc.grace,
        .drain_ms = (int64_t)c->gc.drain,
        .result_ms = 10 * 60 * 1000,
        .untagged_ms = (int64_t)c->gc.untagged,
        .keep_referrers = c->gc.keep_referrers,
    };
}

static int open_metadata(const struct config *c, struct instance *in, berth_error *err)
{
    const struct meta_times times = times_of(c);
    if (strcmp(c->storage.driver, "memory") == 0)
        return meta_sqlite_open(":memory:", &times, &in->m, err);
    CLEANUP(berth_buf_done) berth_buf path = BERTH_BUF_INIT(64 * KIB);
    berth_buf_addf(&path, "%s/berth.db", c->data);
    const char *p = berth_buf_cstr(&path);
    return p ? meta_sqlite_open(p, &times, &in->m, err)
             : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

int instance_fill(const struct config *c, struct instance *in, berth_error *err)
{
    struct repo_policy policy;
    berth_error why = BERTH_ERROR_INIT;
    int rc = wiring_repo_policy(c, &policy, &why);
    if (rc == BERTH_OK)
        rc = open_metadata(c, in, &why);
    if (rc == BERTH_OK)
        rc = open_store(c, in, &why);
    if (rc == BERTH_OK)
        rc = repo_new(in->m, in->store, &policy, &in->repo, &why);
    if (rc == BERTH_E_CORRUPT)
        return berth_error_set(err, rc, "the database of '%s' is damaged: run `berth check --repair` (%s)",
                               c->data, why.message);
    if (rc != BERTH_OK && err)
        *err = why;
    return rc;
}

int instance_salvage(const struct config *c, const struct repo_salvage_options *o,
                     struct repo_salvage_result *ret, berth_error *err)
{
    const struct meta_times times = times_of(c);
    CLEANUP(berth_buf_done) berth_buf path = BERTH_BUF_INIT(64 * KIB);
    struct instance in = {.data_fd = -1, .lock_fd = -1};
    berth_buf_addf(&path, "%s/berth.db", c->data);
    const char *p = berth_buf_cstr(&path);
    if (!p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int rc = instance_lock(c, false, &in, err);
    if (rc == BERTH_OK)
        rc = check_folder(&in, c->data, err);
    if (rc == BERTH_OK)
        rc = open_store(c, &in, err);
    if (rc == BERTH_OK)
        rc = repo_salvage(p, &times, in.store, o, ret, err);
    instance_close(&in);
    return rc;
}

int instance_open(const struct config *c, bool create, struct instance *ret, berth_error *err)
{
    struct instance in = {.data_fd = -1, .lock_fd = -1};
    int rc = BERTH_OK;
    if (strcmp(c->storage.driver, "memory") != 0) {
        rc = instance_lock(c, create, &in, err);
        if (rc == BERTH_OK)
            rc = check_folder(&in, c->data, err);
    }
    if (rc == BERTH_OK)
        rc = instance_fill(c, &in, err);
    if (rc != BERTH_OK) {
        instance_close(&in);
        return rc;
    }
    *ret = in;
    return BERTH_OK;
}

void instance_close(struct instance *in)
{
    repo_free(in->repo);
    store_free(in->store);
    if (in->m)
        in->m->ops->free(in->m);
    mem_free(in->data);
    closep(&in->data_fd);
    closep(&in->lock_fd); /* last: nobody may open the folder before we have let go of everything in it */
    *in = (struct instance){.data_fd = -1, .lock_fd = -1};
}

int wiring_repo_policy(const struct config *c, struct repo_policy *ret, berth_error *err)
{
    const struct config_registry *r = &c->registry;
    enum repo_sparse sparse = REPO_SPARSE_NONE;
    if (strcmp(r->sparse, "platforms") == 0)
        sparse = REPO_SPARSE_PLATFORMS;
    else if (strcmp(r->sparse, "all") == 0)
        sparse = REPO_SPARSE_ALL;
    else if (strcmp(r->sparse, "none") != 0)
        return berth_error_set(err, BERTH_E_INVALID, "registry.sparse: '%s' is none of none, platforms, all",
                               r->sparse);
    *ret = (struct repo_policy){
        .auto_create = r->auto_create,
        .deletes = r->deletes,
        .read_only = r->read_only,
        .schema1 = r->schema1,
        .mount_anywhere = r->mount_anywhere,
        .sparse = sparse,
        .platforms = (const char *const *)r->sparse_platforms,
        .n_platforms = r->sparse_platforms_count,
        .urls_allow = (const char *const *)r->foreign_urls_allow,
        .n_urls_allow = r->foreign_urls_allow_count,
        .urls_deny = (const char *const *)r->foreign_urls_deny,
        .n_urls_deny = r->foreign_urls_deny_count,
        .inline_size = c->storage.inline_size,
        .reserve = c->storage.reserve,
        .session_ms = (int64_t)r->session_timeout,
    };
    return BERTH_OK;
}

int wiring_registry_policy(const struct config *c, berth_arena *a, struct registry_policy *ret,
                           berth_error *err)
{
    const struct config_registry *r = &c->registry;
    struct registry_warning *warnings = berth_arena_alloc(a, (r->warnings_count + 1) * sizeof(*warnings));
    if (!warnings)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    for (unsigned i = 0; i < r->warnings_count; i++)
        warnings[i] =
            (struct registry_warning){r->warnings[i].repository, r->warnings[i].tag, r->warnings[i].text};
    *ret = (struct registry_policy){
        .relative_urls = c->http.relative_urls,
        .access_log = c->log.access,
        .metrics = c->metrics.enabled,
        .per_repository = c->metrics.per_repository,
        .max_manifest_size = r->max_manifest_size,
        .page_size = r->page_size,
        .default_platform = r->default_platform,
        .blob_content_types = (const char *const *)r->blob_content_types,
        .n_blob_content_types = r->blob_content_types_count,
        .warnings = warnings,
        .n_warnings = r->warnings_count,
    };
    return BERTH_OK;
}

int wiring_http_options(const struct config *c, struct http_options *ret)
{
    const struct config_http *h = &c->http;
    *ret = (struct http_options){
        .loops = h->loops,
        .workers = h->workers,
        .limits =
            {
                .header_bytes = (uint32_t)h->max_header_size,
                .uri_bytes = (uint32_t)h->max_uri_size,
                .connections = h->max_connections,
                .connections_per_peer = h->max_connections_per_address,
                .requests = h->max_requests,
                .requests_per_peer = h->max_requests_per_address,
                .buffers_total = h->upload_buffers,
            },
        .timeouts =
            {
                .header = (uint32_t)h->header_timeout,
                .body = (uint32_t)h->body_timeout,
                .idle = (uint32_t)h->idle_timeout,
                .drain = (uint32_t)h->drain_timeout,
                .stop = (uint32_t)h->stop_timeout,
            },
        .prefix = h->prefix,
        .trusted_proxies = (const char *const *)h->trusted_proxies,
        .n_trusted_proxies = h->trusted_proxies_count,
        .headers = (const char *const *)h->headers,
        .n_headers = h->headers_count,
        .server_name = "berth",
        .socket_mode = h->socket_mode ? (unsigned)strtoul(h->socket_mode, NULL, 8) : 0,
    };
    return BERTH_OK;
}

void wiring_log(const struct config *c)
{
    enum log_level level = LOG_INFO;
    log_level_by_name(str_from(c->log.level), &level);
    log_setup(level, strcmp(c->log.format, "json") == 0 ? LOG_JSON : LOG_TEXT, STDERR_FILENO);
}
