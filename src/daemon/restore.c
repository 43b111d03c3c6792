/* daemon/restore.c - reads a backup: makes a data folder of it, or brings what it holds into a registry that
 * is in use. The backup is only read. */
#include "daemon/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"

/* Of a restore into a registry in use: the backup's database, where an older one can be brought forward and
 * what is read is what was verified. Wiring removes a left one from a folder that it opens. */
#define SOURCE "restore.db"

static int open_objects(const struct backup_folder *f, blob_store **ret, berth_error *err)
{
    int fd = fault_hit() ? (errno = EMFILE, -1) : fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? berth_error_set(err, BERTH_E_IO, "opening '%s': %s", f->path, strerror(errno))
                  : store_fs_read_only_new(fd, ret, err);
}

/* --- a new data folder --- */

static const char *const beginning[] = {"lock", RESTORING, RESTORING ".part", NULL};

/* *@ret -1: there is none. */
static int open_data(const char *data, int *ret, berth_error *err)
{
    *ret = fault_io() ? -1 : open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = errno == ENOTDIR ? BERTH_E_INVALID : errno == EACCES ? BERTH_E_DENIED : BERTH_E_IO;
    return *ret >= 0 || errno == ENOENT
               ? BERTH_OK
               : berth_error_set(err, code, "opening the data folder '%s': %s", data, strerror(errno));
}

int restore_makes_folder(const char *data, bool *ret, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    int rc = open_data(data, &fd, err);
    *ret = fd < 0;
    if (rc != BERTH_OK || fd < 0)
        return rc;
    rc = wiring_has(fd, data, RESTORING, ret, err);
    return rc == BERTH_OK && !*ret ? backup_is_empty(fd, beginning, ret, err) : rc;
}

int restore_may_merge(const char *data, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    bool there = false;
    int rc = open_data(data, &fd, err);
    if (rc == BERTH_OK && fd >= 0)
        rc = wiring_has(fd, data, "format", &there, err);
    return rc != BERTH_OK || there
               ? rc
               : berth_error_set(err, BERTH_E_INVALID,
                                 "'%s' is neither empty nor a data folder: nothing was written", data);
}

/* With the folder's lock. *@ret_again: an earlier restore left something. */
static int begin(const struct config *c, const struct backup_folder *f, struct instance *in, bool *ret_again,
                 berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(64 * KIB);
    bool may;
    int rc = restore_makes_folder(c->data, &may, err);
    if (rc == BERTH_OK && !may)
        rc = berth_error_set(err, BERTH_E_CONFLICT, "the data folder '%s' is not empty any more", c->data);
    if (rc == BERTH_OK)
        rc = wiring_has(in->data_fd, c->data, RESTORING, ret_again, err);
    if (rc != BERTH_OK)
        return rc;
    berth_buf_addf(&text, "%s\n", f->path);
    const char *p = berth_buf_cstr(&text);
    rc = p ? backup_put_file(in->data_fd, RESTORING, p, err)
           : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    return rc == BERTH_OK ? wiring_check_format(in->data_fd, c->data, err) : rc;
}

static int fill(const struct config *c, const struct backup_folder *f, struct instance *in, bool again,
                const struct admin_out *out, struct repo_backup_result *ret, berth_error *err)
{
    blob_store *objects = NULL;
    struct admin_out copy = *out;
    struct repo_backup_options o = backup_options(&copy, again);
    int rc = backup_take_database(f, in->data_fd, "berth.db", out->stop, err);
    if (rc == BERTH_OK)
        rc = instance_fill(c, in, err);
    if (rc == BERTH_OK)
        rc = open_objects(f, &objects, err);
    if (rc == BERTH_OK)
        rc = repo_backup_fill(in->repo, objects, &o, ret, err);
    store_free(objects);
    if (rc == BERTH_OK)
        rc = repo_backup_prune(in->m, in->store, &o, ret, err);
    if (rc == BERTH_OK && again && (fault_hit() || syncfs(in->data_fd) < 0))
        rc = berth_error_set(err, BERTH_E_IO, "syncing '%s': %s", c->data, strerror(errno));
    return rc;
}

static int end(const struct config *c, struct instance *in, berth_error *err)
{
    if (fault_hit() || unlinkat(in->data_fd, RESTORING, 0) < 0)
        return berth_error_set(err, BERTH_E_IO, "removing '%s/" RESTORING "': %s", c->data, strerror(errno));
    return io_sync_dir(in->data_fd, err);
}

static void say_result(const struct admin_out *out, const struct backup_folder *f,
                       const struct repo_backup_result *r)
{
    out->value(out->arg, "made", f->marker.made);
    admin_number(out, "tags", r->tags);
    admin_number(out, "blobs", r->blobs - r->problems);
    admin_number(out, "bytes", r->bytes);
    admin_number(out, "failed", r->problems);
}

int restore_fresh(const struct config *c, const char *path, const struct restore_options *o,
                  const struct admin_out *out, berth_error *err)
{
    CLEANUP(backup_folder_done) struct backup_folder f = {.fd = -1};
    struct instance in = {.data_fd = -1, .lock_fd = -1};
    struct repo_backup_result r = {0};
    bool again = false;
    if (strcmp(c->storage.driver, "memory") == 0)
        return berth_error_set(err, BERTH_E_INVALID, "the store is in memory: nothing would stay");
    int rc = backup_folder_open(path, &f, err);
    if (rc != BERTH_OK)
        return rc;
    if (o->dry_run) {
        r = (struct repo_backup_result){
            .tags = f.marker.tags, .blobs = f.marker.blobs, .bytes = f.marker.bytes};
        say_result(out, &f, &r);
        return BERTH_OK;
    }
    rc = instance_lock(c, true, &in, err);
    if (rc == BERTH_OK)
        rc = begin(c, &f, &in, &again, err);
    if (rc == BERTH_OK && again)
        out->line(out->arg, "an earlier restore was interrupted: what it left is read and verified");
    if (rc == BERTH_OK)
        rc = fill(c, &f, &in, again, out, &r, err);
    if (rc == BERTH_OK)
        rc = end(c, &in, err);
    instance_close(&in);
    if (rc == BERTH_OK)
        say_result(out, &f, &r);
    return rc;
}

/* --- into a registry in use --- */

static void tell_item(void *arg, const char *name, const char *text)
{
    const struct admin_out *out = arg;
    CLEANUP(berth_buf_done) berth_buf line = BERTH_BUF_INIT(64 * KIB);
    berth_buf_addf(&line, "%s: %s", name, text);
    const char *p = berth_buf_cstr(&line);
    out->line(out->arg, p ? p : "a line that there is no memory to tell");
}

static int bring(struct instance *in, const struct backup_folder *f, const struct restore_options *ro,
                 const struct admin_out *out, struct repo_import_result *ret, berth_error *err)
{
    struct admin_out copy = *out;
    struct repo_import_options o = {
        .path = f->path, .dry_run = ro->dry_run, .report = tell_item, .arg = &copy, .stop = out->stop};
    CLEANUP(berth_buf_done) berth_buf path = BERTH_BUF_INIT(64 * KIB);
    blob_store *objects = NULL;
    meta *m = NULL;
    berth_buf_addf(&path, "%s/" SOURCE, in->data);
    const char *p = berth_buf_cstr(&path);
    if (!p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int rc = meta_sqlite_open(p, NULL, &m, err);
    if (rc != BERTH_OK)
        return rc;
    rc = open_objects(f, &objects, err);
    if (rc == BERTH_OK)
        rc = repo_restore(in->repo, m, objects, ro->keep_tags, &o, ret, err);
    store_free(objects);
    m->ops->free(m);
    return rc;
}

int restore_merge(struct instance *in, const char *path, const struct restore_options *o,
                  const struct admin_out *out, berth_error *err)
{
    static atomic_flag busy = ATOMIC_FLAG_INIT;
    CLEANUP(backup_folder_done) struct backup_folder f = {.fd = -1};
    struct repo_import_result r = {0};
    if (!in->data)
        return berth_error_set(err, BERTH_E_INVALID, "the store is in memory: nothing would stay");
    int rc = backup_folder_open(path, &f, err);
    if (rc != BERTH_OK)
        return rc;
    if (atomic_flag_test_and_set(&busy))
        return berth_error_set(err, BERTH_E_BUSY, "another restore is running");
    rc = backup_take_database(&f, in->data_fd, SOURCE, out->stop, err);
    if (rc == BERTH_OK)
        rc = bring(in, &f, o, out, &r, err);
    backup_remove_database(in->data_fd, SOURCE);
    atomic_flag_clear(&busy);
    if (rc != BERTH_OK)
        return rc;
    log_event(r.failed ? LOG_WARN : LOG_INFO, "restored", F_CSTR("folder", path), F_INT("tags", r.tags),
              F_INT("manifests", r.manifests), F_INT("blobs", r.blobs), F_INT("bytes", r.bytes),
              F_INT("failed", r.failed));
    out->value(out->arg, "made", f.marker.made);
    admin_number(out, "repositories", r.repositories);
    admin_number(out, "tags", r.tags);
    admin_number(out, "manifests", r.manifests);
    admin_number(out, "blobs", r.blobs);
    admin_number(out, "bytes", r.bytes);
    admin_number(out, "skipped", r.skipped);
    admin_number(out, "failed", r.failed);
    return BERTH_OK;
}
