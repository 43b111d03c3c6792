/* daemon/backup.c - writes a backup. Whatever happens on the way, the backup that was there before is whole:
 * objects are only added until the new database has taken the old one's place. */
#include "daemon/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"

#define PART "berth.db.part"

static void tell_problem(void *arg, const char *text)
{
    const struct admin_out *out = arg;
    out->line(out->arg, text);
}

static void tell_progress(void *arg, uint64_t blobs, uint64_t of, uint64_t bytes)
{
    const struct admin_out *out = arg;
    char text[100];
    snprintf(text, sizeof(text), "%llu of %llu blobs, %.1f MiB read", (unsigned long long)blobs,
             (unsigned long long)of, (double)bytes / (double)MIB);
    out->progress(out->arg, text);
}

struct repo_backup_options backup_options(struct admin_out *out, bool verify)
{
    return (struct repo_backup_options){
        .verify = verify, .problem = tell_problem, .progress = tell_progress, .arg = out, .stop = out->stop};
}

/* What berth.db is now. Only a writer that was interrupted between the marker and the database leaves doubt.
 */
static int current_database(const struct backup_folder *f, char ret[DIGEST_TEXT_MAX], berth_error *err)
{
    berth_digest have;
    memcpy(ret, f->marker.database, DIGEST_TEXT_MAX);
    if (!f->interrupted)
        return BERTH_OK;
    CLEANUP(closep)
    int fd = fault_io() ? -1 : openat(f->fd, "berth.db", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        ret[0] = '\0';
        return BERTH_OK;
    }
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening '%s/berth.db': %s", f->path, strerror(errno));
    int rc = backup_copy_file(fd, -1, NULL, &have, err);
    if (rc == BERTH_OK)
        memcpy(ret, have.text, DIGEST_TEXT_MAX);
    return rc;
}

/* The new database takes the old one's place. The marker says beforehand that it will: from then on either is
 * the right one. */
static int publish(struct backup_folder *f, const struct repo_backup_result *r, berth_error *err)
{
    struct backup_marker m = {.complete = true, .tags = r->tags, .blobs = r->blobs, .bytes = r->bytes};
    berth_digest d;
    clock_format(clock_wall_ms(), m.made);
    snprintf(m.program, sizeof(m.program), "%s", BERTH_VERSION);
    CLEANUP(closep)
    int fd = fault_io() ? -1 : openat(f->fd, PART, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening '%s/" PART "': %s", f->path, strerror(errno));
    int rc = backup_copy_file(fd, -1, NULL, &d, err);
    if (rc == BERTH_OK)
        rc = io_sync(fd, err);
    if (rc == BERTH_OK)
        rc = wiring_check_format(f->fd, f->path, err);
    if (rc == BERTH_OK)
        rc = current_database(f, m.previous, err);
    if (rc != BERTH_OK)
        return rc;
    memcpy(m.database, d.text, sizeof(m.database));
    /* an empty log may stand there, of a prune that was killed: it must not meet another database */
    unlinkat(f->fd, "berth.db-wal", 0);
    unlinkat(f->fd, "berth.db-shm", 0);
    rc = backup_marker_write(f, &m, err);
    if (rc != BERTH_OK)
        return rc;
    if (fault_hit() || renameat(f->fd, PART, f->fd, "berth.db") < 0)
        return berth_error_set(err, BERTH_E_IO, "renaming '%s/" PART "': %s", f->path, strerror(errno));
    f->marker = m;
    return io_sync_dir(f->fd, err);
}

/* Objects of the backup before this one, and of what was interrupted. */
static int prune(const struct backup_folder *f, blob_store *store, const struct repo_backup_options *o,
                 struct repo_backup_result *ret, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf path = BERTH_BUF_INIT(64 * KIB);
    meta *m = NULL;
    berth_buf_addf(&path, "%s/berth.db", f->path);
    const char *p = berth_buf_cstr(&path);
    if (!p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int rc = meta_sqlite_open(p, NULL, &m, err);
    if (rc != BERTH_OK)
        return rc;
    rc = repo_backup_prune(m, store, o, ret, err);
    m->ops->free(m);
    return rc;
}

static int write_into(struct instance *in, struct backup_folder *f, blob_store *store,
                      const struct repo_backup_options *o, struct repo_backup_result *ret, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf part = BERTH_BUF_INIT(64 * KIB);
    berth_buf_addf(&part, "%s/" PART, f->path);
    const char *p = berth_buf_cstr(&part);
    if (!p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    backup_remove_database(f->fd, PART);
    int rc = repo_backup(in->repo, p, store, o, ret, err);
    if (rc == BERTH_OK && ret->blobs + ret->tags == 0 && f->marker.blobs + f->marker.tags > 0)
        rc = berth_error_set(
            err, BERTH_E_CONFLICT,
            "the registry is empty and the backup '%s' is not: is this the right data folder? "
            "An empty registry needs a new backup folder",
            f->path);
    /* What an interrupted run left was verified as it is read now, which is not yet how it is on the disk. */
    if (rc == BERTH_OK && f->interrupted && (fault_hit() || syncfs(f->fd) < 0))
        rc = berth_error_set(err, BERTH_E_IO, "syncing '%s': %s", f->path, strerror(errno));
    if (rc == BERTH_OK)
        rc = publish(f, ret, err);
    if (rc != BERTH_OK) {
        backup_remove_database(f->fd, PART);
        return rc;
    }
    rc = prune(f, store, o, ret, err);
    if (rc == BERTH_OK && (fault_hit() || unlinkat(f->fd, "writing", 0) < 0))
        rc = berth_error_set(err, BERTH_E_IO, "removing '%s/writing': %s", f->path, strerror(errno));
    return rc == BERTH_OK ? io_sync_dir(f->fd, err) : rc;
}

int backup_write(struct instance *in, const char *path, bool verify, const struct admin_out *out,
                 berth_error *err)
{
    CLEANUP(backup_folder_done) struct backup_folder f = {.fd = -1};
    blob_store *store = NULL;
    int rc = backup_folder_create(path, in, &f, err);
    if (rc != BERTH_OK)
        return rc;
    if (f.interrupted)
        out->line(out->arg, "the last backup was interrupted: what it left is read and verified");
    int fd = fault_hit() ? (errno = EMFILE, -1) : fcntl(f.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening '%s': %s", path, strerror(errno));
    rc = store_fs_new(fd, true, 0, &store, err);
    if (rc != BERTH_OK)
        return rc;
    int64_t began = clock_mono_ms();
    struct admin_out copy = *out;
    struct repo_backup_options o = backup_options(&copy, verify || f.interrupted);
    struct repo_backup_result r = {0};
    rc = write_into(in, &f, store, &o, &r, err);
    store_free(store);
    if (rc != BERTH_OK)
        return rc;
    log_event(r.problems ? LOG_WARN : LOG_INFO, "backup written", F_CSTR("folder", path),
              F_INT("blobs", r.blobs), F_INT("copied", r.copied), F_INT("bytes", r.copied_bytes),
              F_INT("problems", r.problems), F_INT("ms", clock_mono_ms() - began));
    out->value(out->arg, "made", f.marker.made);
    admin_number(out, "tags", r.tags);
    admin_number(out, "blobs", r.blobs);
    admin_number(out, "bytes", r.bytes);
    admin_number(out, "copied", r.copied);
    admin_number(out, "copied_bytes", r.copied_bytes);
    admin_number(out, "removed", r.removed);
    admin_number(out, "problems", r.problems);
    return BERTH_OK;
}
