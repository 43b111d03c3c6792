/* repo/import_layout.c - reads OCI image layouts: one, or a folder of them as zot and olareg keep it, where
 * the path of a layout below the root is the name of its repository.
 *
 * A registry that stores equal blobs once may have left an empty file in all layouts but one, or may keep the
 * bytes in
 * `_blobstore`: a file that is not there, or has not the size that its descriptor says, is looked for in the
 * others. */
#include "repo/import.h"

#include <fcntl.h>
#include <stdio.h>

#include "oci/layout.h"

#define HEADER_MAX (64 * KIB)
#define INDEX_MAX  (256 * MIB)

/* --- blobs --- */

struct wanted {
    const struct import *im;
    char path[32 + DIGEST_TEXT_MAX]; /* below a layout */
    uint64_t size;
    int trouble; /* the first place that could not be looked at: it may have been there */
    berth_error why;
};

/* Whether @rc is BERTH_OK; remembers what is no absence. */
static bool is_ok(struct wanted *w, int rc, const berth_error *why)
{
    if (rc != BERTH_OK && rc != BERTH_E_NOT_FOUND && w->trouble == BERTH_OK) {
        w->trouble = rc;
        w->why = *why;
    }
    return rc == BERTH_OK;
}

static bool open_fitting(int dir_fd, const char *path, struct wanted *w, int *ret_fd, uint64_t *ret_size)
{
    CLEANUP(closep) int fd = -1;
    CLEANUP(closep) int folder = -1;
    uint64_t size;
    berth_error why = BERTH_ERROR_INIT;
    if (!is_ok(w, import_open(dir_fd, path, O_DIRECTORY, &folder, &why), &why) ||
        !is_ok(w, import_open_file(folder, w->path, &fd, &size, &why), &why))
        return false;
    if (w->size == IMPORT_SIZE_UNKNOWN ? size == 0 : size != w->size)
        return false;
    *ret_size = size;
    *ret_fd = steal_fd(&fd);
    return true;
}

/* Any folder below @dir_fd that holds the blob. */
static bool open_below(int dir_fd, const char *path, unsigned depth, struct wanted *w, int *ret_fd,
                       uint64_t *ret_size)
{
    CLEANUP(import_closedirp) DIR *dir = NULL;
    const char *entry;
    bool is_layout;
    berth_error why = BERTH_ERROR_INIT;
    if (!is_ok(w, import_opendir(dir_fd, path, &dir, &why), &why) ||
        !is_ok(w, import_is_file(dirfd(dir), "oci-layout", &is_layout, &why), &why))
        return false;
    while (import_go_on(w->im, NULL) == BERTH_OK && is_ok(w, import_next(dir, &entry, &why), &why) && entry) {
        if (is_layout && strcmp(entry, "blobs") == 0)
            continue;
        if (open_fitting(dirfd(dir), entry, w, ret_fd, ret_size) ||
            (depth < IMPORT_DEPTH_MAX && open_below(dirfd(dir), entry, depth + 1, w, ret_fd, ret_size)))
            return true;
    }
    return false;
}

static bool open_elsewhere(struct import *im, struct wanted *w, int *ret_fd, uint64_t *ret_size)
{
    return open_fitting(im->root_fd, "_blobstore", w, ret_fd, ret_size) ||
           open_below(im->root_fd, ".", 0, w, ret_fd, ret_size);
}

static int open_blob(struct import_repo *ir, const berth_digest *d, uint64_t size, int *ret_fd,
                     uint64_t *ret_size, berth_error *err)
{
    struct wanted w = {.im = ir->im, .size = size, .why = BERTH_ERROR_INIT};
    CLEANUP(closep) int fd = -1;
    uint64_t have = 0;
    snprintf(w.path, sizeof(w.path), "blobs/%s/%s", hash_name(d->algorithm), strchr(d->text, ':') + 1);
    int rc = import_open_file(ir->dir_fd, w.path, &fd, &have, err);
    if (rc != BERTH_OK && rc != BERTH_E_NOT_FOUND)
        return rc;
    bool fits = rc == BERTH_OK && (size == IMPORT_SIZE_UNKNOWN ? have > 0 : have == size);
    if (!fits && open_elsewhere(ir->im, &w, ret_fd, ret_size))
        return BERTH_OK;
    if (!fits && w.trouble != BERTH_OK)
        return berth_error_set(err, w.trouble, "%s", w.why.message);
    if (rc != BERTH_OK)
        return rc;
    *ret_size = have; /* whatever its size: the digest decides */
    *ret_fd = steal_fd(&fd);
    return BERTH_OK;
}

/* --- one layout --- */

static int read_json(int dir_fd, const char *path, size_t max, berth_buf *buf, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    uint64_t size;
    int rc = import_open_file(dir_fd, path, &fd, &size, err);
    return rc == BERTH_OK ? import_read(fd, size, max, buf, err) : rc;
}

/* org.opencontainers.image.ref.name is a tag, or a whole reference that ends in one; empty: neither. */
static berth_str tag_of(berth_str ref_name)
{
    berth_str tag = ref_name;
    for (size_t i = 0; i < ref_name.n; i++) {
        if (ref_name.p[i] == '@') /* a digest ends it */
            return STR_NULL;
        if (ref_name.p[i] == ':')
            tag = str_from_offset(ref_name, i + 1);
    }
    return oci_tag_valid(tag) ? tag : STR_NULL;
}

static int import_entries(struct import_repo *ir, const oci_layout_entry *entries, size_t n, berth_error *err)
{
    int rc = BERTH_OK;
    for (size_t i = 0; rc == BERTH_OK && i < n; i++) {
        const oci_descriptor *d = &entries[i].descriptor;
        berth_str tag = tag_of(entries[i].ref_name);
        if (entries[i].ref_name.n && !tag.n)
            import_say(ir->im, ir->name, "'" STR_FMT "' names no tag: manifest %s is imported without one",
                       STR_ARG(str_head(entries[i].ref_name, 300)), d->digest.text);
        rc = import_manifest(ir, &d->digest, d->media_type, d->size, tag, err);
    }
    return rc;
}

static int import_one(struct import *im, int dir_fd, const char *name, berth_error *err)
{
    struct import_repo ir = {.im = im, .name = name, .open_blob = open_blob, .dir_fd = dir_fd};
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(INDEX_MAX + 1);
    oci_layout_entry *entries = NULL;
    size_t n = 0;
    bool may;
    int rc = import_repo_may(im, name, &may, err);
    if (rc != BERTH_OK || !may)
        return rc;
    const char *file = "oci-layout";
    berth_error why = BERTH_ERROR_INIT;
    rc = read_json(dir_fd, file, HEADER_MAX, &text, &why);
    if (rc == BERTH_OK)
        rc = oci_layout_header_parse(text.p, text.n, &why);
    berth_buf_reset(&text);
    if (rc == BERTH_OK) {
        file = "index.json";
        rc = read_json(dir_fd, file, INDEX_MAX, &text, &why);
    }
    if (rc == BERTH_OK)
        rc = oci_layout_index_parse(text.p, text.n, &a, &entries, &n, &why);
    berth_buf_done(&text);
    if (rc == BERTH_E_NOMEM || rc == BERTH_E_IO)
        return berth_error_set(err, rc, "%s: %s: %s", name, file, why.message);
    if (rc != BERTH_OK) {
        im->res->failed++;
        import_say(im, name, "not imported: %s: %s", file, why.message);
        return BERTH_OK;
    }
    rc = import_entries(&ir, entries, n, err);
    import_repo_end(&ir);
    return rc;
}

int import_layout(struct import *im, const char *name, berth_error *err)
{
    return import_one(im, im->root_fd, name, err);
}

/* --- a folder of layouts --- */

static int walk(struct import *im, int dir_fd, const char *path, berth_buf *name, unsigned depth,
                bool *ret_any, berth_error *err)
{
    CLEANUP(import_closedirp) DIR *dir = NULL;
    const char *entry;
    bool is_layout = false;
    berth_error why = BERTH_ERROR_INIT;
    int rc = import_go_on(im, err);
    if (rc != BERTH_OK)
        return rc;
    rc = import_opendir(dir_fd, path, &dir, &why);
    if (rc == BERTH_E_NOT_FOUND) /* a file, a link */
        return BERTH_OK;
    if (rc == BERTH_OK)
        rc = import_is_file(dirfd(dir), "oci-layout", &is_layout, &why);
    if (rc == BERTH_OK && is_layout) {
        *ret_any = true;
        rc = import_one(im, dirfd(dir), berth_buf_cstr(name), err);
        if (rc != BERTH_OK)
            return rc;
    }
    while (rc == BERTH_OK && depth < IMPORT_DEPTH_MAX) {
        size_t before = name->n;
        rc = import_next(dir, &entry, &why);
        if (rc != BERTH_OK || !entry)
            break;
        if (is_layout && strcmp(entry, "blobs") == 0)
            continue;
        berth_buf_addf(name, before ? "/%s" : "%s", entry);
        rc = berth_buf_cstr(name) ? walk(im, dirfd(dir), entry, name, depth + 1, ret_any, err)
                                  : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        name->n = before;
        if (rc != BERTH_OK)
            return rc;
    }
    return import_listed(im, name, rc, &why, err);
}

int import_layouts(struct import *im, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(IMPORT_DEPTH_MAX * 300);
    bool any = false;
    int rc = walk(im, im->root_fd, ".", &name, 0, &any, err);
    if (rc == BERTH_OK && !any && im->res->failed == 0)
        rc = berth_error_set(err, BERTH_E_NOT_FOUND,
                             "'%s' holds neither the tree of a registry nor image layouts", im->o->path);
    return rc;
}
