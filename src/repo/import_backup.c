/* repo/import_backup.c - reads a backup as one more tree to import from: bytes from its store and its
 * database, repository by repository. Blobs first, also those that no manifest refers to, then manifests,
 * then tags: whoever pulls meanwhile meets nothing half. */
#include "repo/import.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "util/fault.h"

#define PAGE 200

struct import_source {
    meta *m;
    blob_store *objects;
    bool keep_tags;
};

/* What is wrong with the backup is one item's; only this process's own trouble ends the run. */
static int items_own(int rc, berth_error *err)
{
    if (rc == BERTH_OK || rc == BERTH_E_NOT_FOUND || rc == BERTH_E_NOMEM)
        return rc;
    if (err)
        err->code = BERTH_E_CORRUPT;
    return BERTH_E_CORRUPT;
}

/* Bytes from the database as a file, which is what the importer reads. */
static int file_of(berth_str body, int *ret_fd, berth_error *err)
{
    CLEANUP(closep) int fd = fault_hit() ? (errno = EMFILE, -1) : memfd_create("berth", MFD_CLOEXEC);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int rc = io_write_all(fd, body.p, body.n, err);
    if (rc == BERTH_OK)
        *ret_fd = steal_fd(&fd);
    return rc;
}

static int open_content(struct import_repo *ir, const berth_digest *d, uint64_t size, int *ret_fd,
                        uint64_t *ret_size, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    const struct import_source *s = ir->source;
    struct meta_content c = {.key = ""};
    (void)size; /* there is but one place */
    int rc = items_own(s->m->ops->content_get(s->m, str_from(ir->name), d, &a, &c, err), err);
    if (rc != BERTH_OK)
        return rc;
    if (!c.key[0]) {
        *ret_size = c.body.n;
        return file_of(c.body, ret_fd, err);
    }
    blob_reader *reader = NULL;
    rc = items_own(store_open(s->objects, c.key, &reader, err), err);
    if (rc != BERTH_OK)
        return rc;
    *ret_size = store_reader_size(reader);
    *ret_fd = fault_hit() ? (errno = EMFILE, -1) : fcntl(store_reader_fd(reader), F_DUPFD_CLOEXEC, 0);
    store_close(reader);
    return *ret_fd < 0 ? berth_error_set(err, BERTH_E_NOMEM, "opening object %s: %s", c.key, strerror(errno))
                       : BERTH_OK;
}

static int type_of(struct import_repo *ir, const berth_digest *d, berth_arena *a, berth_str *ret,
                   berth_error *err)
{
    struct meta_content c = {.key = ""};
    meta *m = ir->source->m;
    int rc = items_own(m->ops->content_get(m, str_from(ir->name), d, a, &c, err), err);
    if (rc == BERTH_OK && c.media_type.n)
        *ret = c.media_type;
    return rc;
}

static int restore_row(struct import_repo *ir, enum meta_repo_rows kind, const struct meta_repo_row *row,
                       berth_error *err)
{
    berth_digest d;
    bool there = false;
    if (digest_parse(row->digest, &d, NULL) != BERTH_OK) {
        ir->im->res->failed++;
        import_say(ir->im, ir->name, "'" STR_FMT "' is no digest", STR_ARG(row->digest));
        return BERTH_OK;
    }
    if (kind == META_REPO_LINKS)
        return import_lone_blob(ir, &d, row->size, err);
    if (kind == META_REPO_TAGS && ir->source->keep_tags) {
        int rc = import_has_tag(ir, row->tag, &there, err);
        if (rc != BERTH_OK)
            return rc;
        ir->im->res->skipped += there;
    }
    return there ? BERTH_OK : import_manifest(ir, &d, row->media_type, row->size, row->tag, err);
}

static int restore_rows(struct import_repo *ir, enum meta_repo_rows kind, berth_error *err)
{
    meta *m = ir->source->m;
    CLEANUP(berth_buf_done) berth_buf after = BERTH_BUF_INIT(64 * KIB);
    for (size_t n = PAGE; n == PAGE;) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        struct meta_repo_row *rows = NULL;
        int rc =
            m->ops->repo_page(m, str_from(ir->name), kind, berth_buf_str(&after), PAGE, &a, &rows, &n, err);
        if (rc == BERTH_E_NOT_FOUND) /* nothing else has the backup's copy open */
            return BERTH_OK;
        for (size_t i = 0; rc == BERTH_OK && i < n; i++)
            rc = restore_row(ir, kind, &rows[i], err);
        if (rc != BERTH_OK)
            return rc;
        if (n) {
            berth_buf_reset(&after);
            berth_buf_add_str(&after, kind == META_REPO_TAGS ? rows[n - 1].tag : rows[n - 1].digest);
            if (berth_buf_failed(&after))
                return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        }
    }
    return BERTH_OK;
}

static int restore_repo(struct import *im, const struct import_source *s, const char *name, berth_error *err)
{
    static const enum meta_repo_rows order[] = {META_REPO_LINKS, META_REPO_MANIFESTS, META_REPO_TAGS};
    struct import_repo ir = {
        .im = im, .name = name, .open_blob = open_content, .type_of = type_of, .dir_fd = -1, .source = s};
    bool may;
    int rc = import_repo_may(im, name, &may, err);
    if (rc != BERTH_OK || !may)
        return rc;
    for (size_t i = 0; rc == BERTH_OK && i < COUNT(order); i++)
        rc = restore_rows(&ir, order[i], err);
    import_repo_end(&ir);
    return rc;
}

int repo_restore(repo *r, meta *from, blob_store *objects, bool keep_tags,
                 const struct repo_import_options *o, struct repo_import_result *ret, berth_error *err)
{
    const struct import_source s = {.m = from, .objects = objects, .keep_tags = keep_tags};
    CLEANUP(berth_buf_done) berth_buf after = BERTH_BUF_INIT(64 * KIB);
    *ret = (struct repo_import_result){0};
    int rc = o->dry_run ? BERTH_OK : repo__may_write(r, err);
    if (rc != BERTH_OK)
        return rc;
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(IMPORT_PIECE);
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    struct import im = {.r = r, .o = o, .res = ret, .root_fd = -1, .piece = piece};
    for (bool more = true; rc == BERTH_OK && more;) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        struct oci_list names = {0};
        rc = from->ops->repos_page(from, berth_buf_str(&after), PAGE, &a, &names, err);
        more = names.more;
        for (size_t i = 0; rc == BERTH_OK && i < names.n; i++) {
            berth_buf_reset(&after);
            berth_buf_add_str(&after, names.items[i]);
            const char *name = berth_buf_cstr(&after);
            rc = name ? restore_repo(&im, &s, name, err)
                      : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        }
    }
    import_set_done(&im.blobs);
    return rc;
}
