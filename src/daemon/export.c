/* daemon/export.c - see export.h. Nothing is made before it is known that there is something to export, and
 * nothing is written into a folder that has content and is no layout. */
#include "daemon/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "daemon/backup.h"
#include "oci/layout.h"
#include "util/clock.h"
#include "util/log.h"

static void tell_problem(void *arg, const char *text)
{
    const struct admin_out *out = arg;
    out->line(out->arg, text);
}

static void tell_progress(void *arg, uint64_t blobs, uint64_t bytes)
{
    const struct admin_out *out = arg;
    char text[80];
    snprintf(text, sizeof(text), "%llu blobs, %.1f MiB written", (unsigned long long)blobs,
             (double)bytes / (double)MIB);
    out->progress(out->arg, text);
}

/* "team/app", "team/app:v1", "team/app@sha256:...": a name holds neither '@' nor ':'. */
static int parse_what(berth_str what, berth_str *ret_name, oci_reference *ret_ref, bool *ret_one,
                      berth_error *err)
{
    berth_str reference;
    *ret_one = str_cut(what, '@', ret_name, &reference) || str_cut(what, ':', ret_name, &reference);
    if (!oci_name_valid(*ret_name))
        return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "' is not the name of a repository",
                               STR_ARG(str_head(*ret_name, 100)));
    if (!*ret_one)
        return BERTH_OK;
    int rc = oci_reference_parse(reference, ret_ref, err);
    if (rc == BERTH_OK && ret_ref->is_digest != (what.p[ret_name->n] == '@'))
        rc = berth_error_set(err, BERTH_E_INVALID,
                             "'" STR_FMT "' is neither REPOSITORY:TAG nor "
                             "REPOSITORY@DIGEST",
                             STR_ARG(str_head(what, 150)));
    return rc;
}

static int must_exist(struct instance *in, berth_str name, const oci_reference *ref, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct oci_stored m;
    int rc = ref ? repo_manifest_get(in->repo, name, ref, false, &a, &m, err)
                 : in->m->ops->repo_exists(in->m, name, err);
    if (rc == BERTH_E_NOT_FOUND)
        return berth_error_prefix(err, STR_FMT, STR_ARG(str_head(name, 100)));
    return rc;
}

static int open_layout(const char *path, int *ret_fd, berth_error *err)
{
    static const char *const ours[] = {"oci-layout.part", NULL};
    bool empty = false;
    char text[4 * KIB];
    size_t n = 0;
    CLEANUP(closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return berth_error_set(err, errno == EACCES ? BERTH_E_DENIED : BERTH_E_IO,
                               "opening the folder '%s': %s", path, strerror(errno));
    if (flock(dir, LOCK_EX | LOCK_NB) < 0)
        return berth_error_set(err, BERTH_E_BUSY, "another export uses the folder '%s'", path);
    CLEANUP(closep) int fd = openat(dir, "oci-layout", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    int rc = fd < 0 ? backup_is_empty(dir, ours, &empty, err) : io_pread(fd, text, sizeof(text), 0, &n, err);
    if (rc == BERTH_OK && fd < 0 && !empty)
        rc = berth_error_set(err, BERTH_E_INVALID,
                             "the folder '%s' is not empty and not an image layout: nothing was written",
                             path);
    if (rc == BERTH_OK && fd >= 0 && (rc = oci_layout_header_parse(text, n, err)) != BERTH_OK)
        rc = berth_error_prefix(err, "'%s/oci-layout'", path);
    if (rc == BERTH_OK)
        *ret_fd = steal_fd(&dir);
    return rc;
}

int export_write(struct instance *in, berth_str what, const char *path, const struct admin_out *out,
                 berth_error *err)
{
    struct admin_out copy = *out;
    struct repo_export_options o = {
        .problem = tell_problem, .progress = tell_progress, .arg = &copy, .stop = out->stop};
    struct repo_export_result r = {0};
    oci_reference reference = {0};
    bool one;
    CLEANUP(closep) int dir = -1;
    int64_t began = clock_mono_ms();
    int rc = parse_what(what, &o.name, &reference, &one, err);
    if (rc != BERTH_OK)
        return rc;
    o.reference = one ? &reference : NULL;
    rc = must_exist(in, o.name, o.reference, err);
    if (rc == BERTH_OK)
        rc = backup_must_be_outside("an export", path, in->data_fd, err);
    if (rc == BERTH_OK)
        rc = io_mkdirs(path, 0700, err);
    if (rc == BERTH_OK)
        rc = open_layout(path, &dir, err);
    if (rc != BERTH_OK)
        return rc;
    o.dir_fd = dir;
    rc = repo_export(in->repo, &o, &r, err);
    if (rc != BERTH_OK)
        return rc;
    log_event(r.problems ? LOG_WARN : LOG_INFO, "exported", F_STR("what", what), F_CSTR("folder", path),
              F_INT("manifests", r.manifests), F_INT("blobs", r.blobs), F_INT("bytes", r.copied_bytes),
              F_INT("problems", r.problems), F_INT("ms", clock_mono_ms() - began));
    admin_number(out, "tags", r.tags);
    admin_number(out, "manifests", r.manifests);
    admin_number(out, "blobs", r.blobs);
    admin_number(out, "bytes", r.bytes);
    admin_number(out, "copied", r.copied);
    admin_number(out, "copied_bytes", r.copied_bytes);
    admin_number(out, "problems", r.problems);
    return BERTH_OK;
}
