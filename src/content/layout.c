/* content/layout.c - an OCI image layout (image-spec, image-layout.md); see berth/layout.h. Blobs are written
 * by layout_writer.c.
 *
 * Writers of one layout may run at the same time: a blob has its name when it is whole, and index.json is
 * read, changed and written under a lock of the folder. Links are not followed below the folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "content/layout_private.h"
#include "oci/layout.h"
#include "util/fault.h"
#include "util/io.h"

#define MANIFEST_MAX (32 * MIB)
#define HEADER_MAX   (64 * KIB)

/* --- files --- */

int layout_open_file(const berth_layout *l, const char *path, int *ret_fd, uint64_t *ret_size,
                     berth_error *err)
{
    struct stat st;
    CLEANUP(closep) int fd = openat(l->dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return berth_error_set(
            err, errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? BERTH_E_NOT_FOUND : BERTH_E_IO,
            "opening '%s/%s': %s", l->path, path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s/%s' is not a file", l->path, path);
    *ret_size = (uint64_t)st.st_size;
    *ret_fd = steal_fd(&fd);
    return BERTH_OK;
}

static int read_whole(const berth_layout *l, const char *path, size_t max, berth_buf *out, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    uint64_t size = 0, at = 0;
    size_t n = 0;
    int r = layout_open_file(l, path, &fd, &size, err);
    if (r == BERTH_OK && size > max)
        r = berth_error_set(err, BERTH_E_TOO_BIG, "'%s/%s' is larger than %zu MiB", l->path, path, max / MIB);
    while (r == BERTH_OK && at < size) {
        size_t want = (size_t)MIN(size - at, (uint64_t)LAYOUT_PIECE);
        char *p = berth_buf_reserve(out, want);
        r = p ? io_pread(fd, p, want, at, &n, err) : no_memory(err);
        if (r != BERTH_OK || n == 0)
            break;
        berth_buf_grow(out, n);
        at += n;
    }
    return r;
}

/* --- the index --- */

struct index {
    berth_arena arena;
    oci_layout_entry *entries;
    size_t n;
};

static void index_done(struct index *x)
{
    berth_arena_done(&x->arena);
}

static int read_index(const berth_layout *l, struct index *ret, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(OCI_LAYOUT_INDEX_MAX + 1);
    int r = read_whole(l, "index.json", OCI_LAYOUT_INDEX_MAX, &text, err);
    if (r == BERTH_OK)
        r = oci_layout_index_parse(text.p, text.n, &ret->arena, &ret->entries, &ret->n, err);
    return r == BERTH_OK ? r : berth_error_prefix(err, "index.json");
}

/* What is to become of index.json. */
struct change {
    const berth_manifest *adds; /* under @name, which may be empty; NULL: @name goes */
    berth_str name;
    bool purges;
};

static int apply(oci_layout_index *index, const struct change *c, berth_error *err)
{
    berth_digest d;
    if (!c->adds)
        return oci_layout_index_remove(index, c->name, c->purges, err);
    int r = digest_parse(str_from(c->adds->digest), &d, err);
    return r == BERTH_OK
               ? oci_layout_index_put(index, &d, str_from(c->adds->media_type), c->adds->size, c->name, err)
               : r;
}

/* Other writers wait until it is closed. */
static int lock_folder(const berth_layout *l, int *ret_lock, berth_error *err)
{
    CLEANUP(closep) int lock = openat(l->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = -1;
    while (lock >= 0 && (r = flock(lock, LOCK_EX)) < 0 && errno == EINTR)
        continue;
    if (r < 0)
        return berth_error_set(err, BERTH_E_IO, "locking '%s': %s", l->path, strerror(errno));
    *ret_lock = steal_fd(&lock);
    return BERTH_OK;
}

static int change_index(const berth_layout *l, const struct change *c, berth_error *err)
{
    CLEANUP(closep) int lock = -1;
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(OCI_LAYOUT_INDEX_MAX + 1);
    oci_layout_index *index = NULL;
    int r = lock_folder(l, &lock, err);
    if (r != BERTH_OK)
        return r;
    r = read_whole(l, "index.json", OCI_LAYOUT_INDEX_MAX, &text, err);
    if (r == BERTH_E_NOT_FOUND)
        r = BERTH_OK;
    if (r == BERTH_OK)
        r = oci_layout_index_open(text.p, text.n, &index, err);
    if (r == BERTH_OK)
        r = apply(index, c, err);
    if (r == BERTH_OK) {
        berth_buf_reset(&text);
        oci_layout_index_print(index, &text);
        r = berth_buf_failed(&text) ? no_memory(err) : layout_sync(l->dir_fd, err);
    }
    if (r == BERTH_OK)
        r = layout_write(l->dir_fd, "index.json", text.p, text.n, err);
    oci_layout_index_free(index);
    return r;
}

/* The digest that @reference stands for. A name may be a whole reference that ends in the tag, as containerd
 * and skopeo write it. */
static int resolve(const berth_layout *l, const char *reference, berth_digest *ret, berth_str *ret_type,
                   berth_arena *arena, berth_error *err)
{
    CLEANUP(index_done) struct index x = {.n = 0};
    berth_str want = str_from(reference);
    const oci_layout_entry *found = NULL;
    if (reference && memchr(reference, ':', want.n))
        return digest_parse(want, ret, err);
    int r = read_index(l, &x, err);
    if (r != BERTH_OK)
        return r;
    for (size_t i = 0; i < x.n; i++) {
        berth_str name = x.entries[i].ref_name;
        bool ends = name.n > want.n && str_ends(name, want) && name.p[name.n - want.n - 1] == ':';
        if (!reference ? x.n == 1 : str_eq(name, want))
            found = &x.entries[i];
        else if (reference && ends && !found)
            found = &x.entries[i];
    }
    if (!found && !reference)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s' holds %zu images: say which by oci:%s:TAG",
                               l->path, x.n, l->path);
    if (!found)
        return berth_error_set_oci(err, BERTH_E_NOT_FOUND, "MANIFEST_UNKNOWN", "'%s' has no '%.150s'",
                                   l->path, reference);
    *ret = found->descriptor.digest;
    *ret_type = berth_arena_str(arena, found->descriptor.media_type);
    return ret_type->p ? BERTH_OK : no_memory(err);
}

/* --- manifests --- */

int layout_read_manifest(const berth_layout *l, const berth_digest *d, const char *media_type,
                         berth_manifest **ret, berth_error *err)
{
    char path[LAYOUT_PATH_MAX];
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(MANIFEST_MAX);
    berth_digest have;
    layout_blob_path(d, path);
    int r = read_whole(l, path, MANIFEST_MAX, &text, err);
    if (r != BERTH_OK)
        return r;
    digest_of((enum hash_algorithm)d->algorithm, text.p, text.n, &have);
    if (!digest_eq(&have, d))
        return berth_error_set(err, BERTH_E_DIGEST, "'%s/%s' has the digest %.20s...", l->path, path,
                               have.text);
    return berth_manifest_parse(text.p, text.n, media_type, ret, err);
}

int berth_layout_manifest_get(berth_layout *l, const char *reference, berth_manifest **ret, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    berth_str type = STR("");
    berth_digest d;
    int r = resolve(l, reference, &d, &type, &arena, err);
    return r == BERTH_OK ? layout_read_manifest(l, &d, type.n ? type.p : NULL, ret, err) : r;
}

/* Its bytes, unless they are there. */
static int store(berth_layout *l, const berth_manifest *m, berth_error *err)
{
    berth_layout_writer *w = NULL;
    uint64_t size;
    if (berth_layout_blob_size(l, m->digest, &size, NULL) == BERTH_OK)
        return BERTH_OK;
    int r = berth_layout_writer_new(l, m->digest, &w, err);
    if (r != BERTH_OK)
        return r;
    berth_layout_writer_add(w, m->data, m->size);
    r = berth_layout_writer_finish(w, NULL, err);
    berth_layout_writer_free(w);
    return r;
}

int berth_layout_manifest_put(berth_layout *l, const char *reference, const berth_manifest *m,
                              berth_error *err)
{
    bool digest = reference && strchr(reference, ':');
    if (m->kind == BERTH_KIND_SCHEMA1)
        return berth_error_set(err, BERTH_E_UNSUPPORTED, "an image layout has no place for Docker schema 1");
    if (reference && !*reference)
        return berth_error_set(err, BERTH_E_INVALID, "a tag can't be empty");
    if (digest && strcmp(reference, m->digest) != 0)
        return berth_error_set(err, BERTH_E_DIGEST, "the manifest has the digest %.20s..., not %.20s...",
                               m->digest, reference);
    int r = store(l, m, err);
    const struct change adds = {.adds = m, .name = digest ? STR("") : str_from(reference)};
    return r == BERTH_OK && reference ? change_index(l, &adds, err) : r;
}

int berth_layout_tag(berth_layout *l, const char *reference, const char *tag, berth_error *err)
{
    berth_manifest *m = NULL;
    if (strchr(tag, ':'))
        return berth_error_set(err, BERTH_E_INVALID, "'%.150s' is no tag", tag);
    int r = berth_layout_manifest_get(l, reference, &m, err);
    if (r == BERTH_OK)
        r = berth_layout_manifest_put(l, tag, m, err);
    berth_manifest_free(m);
    return r;
}

int berth_layout_untag(berth_layout *l, const char *tag, bool purge, berth_error *err)
{
    const struct change removes = {.name = str_from(tag), .purges = purge};
    int r =
        *tag ? change_index(l, &removes, err) : berth_error_set(err, BERTH_E_INVALID, "a tag can't be empty");
    return r == BERTH_OK ? r : berth_error_prefix(err, "'%s'", l->path);
}

int berth_layout_list(berth_layout *l, berth_layout_entry_fn fn, void *arg, berth_error *err)
{
    CLEANUP(index_done) struct index x = {.n = 0};
    int r = read_index(l, &x, err);
    for (size_t i = 0; r == BERTH_OK && i < x.n; i++) {
        const oci_descriptor *have = &x.entries[i].descriptor;
        const char *name = berth_arena_dup(&x.arena, x.entries[i].ref_name);
        berth_descriptor d = BERTH_DESCRIPTOR_INIT;
        d.media_type = berth_arena_dup(&x.arena, have->media_type);
        d.digest = have->digest.text;
        d.size = have->size;
        if (!name || !d.media_type)
            return no_memory(err);
        if (fn(arg, *name ? name : NULL, &d) != 0)
            r = berth_error_set(err, BERTH_E_CANCELLED, "cancelled");
    }
    return r;
}

/* --- referrers --- */

static int tell(const berth_manifest *m, const char *artifact_type, berth_descriptor_fn fn, void *arg,
                berth_error *err)
{
    berth_descriptor d;
    berth_manifest_describe(m, &d);
    if (!d.artifact_type && m->config) /* distribution-spec, "Listing Referrers" */
        d.artifact_type = m->config->media_type;
    d.annotations = m->annotations;
    d.n_annotations = m->n_annotations;
    if (artifact_type && (!d.artifact_type || strcmp(d.artifact_type, artifact_type) != 0))
        return BERTH_OK;
    return fn(arg, &d) == 0 ? BERTH_OK : berth_error_set(err, BERTH_E_CANCELLED, "cancelled");
}

/* A layout lists none: each manifest that index.json names is asked for its subject. */
int berth_layout_referrers(berth_layout *l, const char *digest, const char *artifact_type,
                           berth_descriptor_fn fn, void *arg, berth_error *err)
{
    CLEANUP(index_done) struct index x = {.n = 0};
    int r = read_index(l, &x, err);
    for (size_t i = 0; r == BERTH_OK && i < x.n; i++) {
        berth_manifest *m = NULL;
        const oci_descriptor *d = &x.entries[i].descriptor;
        bool again = false; /* under a second tag */
        for (size_t k = 0; k < i && !again; k++)
            again = digest_eq(&x.entries[k].descriptor.digest, &d->digest);
        if (again || mediatype_kind(d->media_type) == MANIFEST_OTHER)
            continue;
        berth_error why = BERTH_ERROR_INIT;
        if (layout_read_manifest(l, &d->digest, NULL, &m, &why) !=
            BERTH_OK) /* damaged, and of no concern here */
            continue;
        if (m->subject && strcmp(m->subject->digest, digest) == 0)
            r = tell(m, artifact_type, fn, arg, err);
        berth_manifest_free(m);
    }
    return r;
}

/* --- blobs --- */

/* Opens the file of a blob. */
static int open_blob(const berth_layout *l, const char *digest, char path[LAYOUT_PATH_MAX], berth_digest *ret,
                     int *ret_fd, uint64_t *ret_size, berth_error *err)
{
    int r = digest_parse(str_from(digest), ret, err);
    if (r != BERTH_OK)
        return r;
    layout_blob_path(ret, path);
    return layout_open_file(l, path, ret_fd, ret_size, err);
}

int berth_layout_blob_size(berth_layout *l, const char *digest, uint64_t *ret_size, berth_error *err)
{
    char path[LAYOUT_PATH_MAX];
    CLEANUP(closep) int fd = -1;
    berth_digest d;
    return open_blob(l, digest, path, &d, &fd, ret_size, err);
}

int berth_layout_blob_get(berth_layout *l, const char *digest, berth_sink_fn fn, void *arg, berth_error *err)
{
    char path[LAYOUT_PATH_MAX];
    CLEANUP(closep) int fd = -1;
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(LAYOUT_PIECE);
    berth_digest want, have;
    berth_hash h;
    uint64_t size = 0, at = 0;
    size_t n = 0;
    int r = piece ? open_blob(l, digest, path, &want, &fd, &size, err) : no_memory(err);
    if (r != BERTH_OK)
        return r;
    hash_init(&h, (enum hash_algorithm)want.algorithm);
    while (r == BERTH_OK && (r = io_pread(fd, piece, LAYOUT_PIECE, at, &n, err)) == BERTH_OK && n) {
        hash_update(&h, piece, n);
        at += n;
        if (fn(arg, piece, n) != 0)
            r = berth_error_set(err, BERTH_E_CANCELLED, "cancelled");
    }
    if (r != BERTH_OK)
        return r;
    digest_from_hash(&h, &have);
    return digest_eq(&have, &want) ? BERTH_OK
                                   : berth_error_set(err, BERTH_E_DIGEST, "'%s/%s' has the digest %.20s...",
                                                     l->path, path, have.text);
}

/* --- the layout --- */

/* An empty index is an index; a folder without one is none. Another process may be at it, and may have added
 * to the index already. */
static int create(berth_layout *l, berth_error *err)
{
    static const char empty[] = "{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[]}";
    CLEANUP(closep) int lock = -1;
    struct stat st;
    int r = lock_folder(l, &lock, err);
    if (r == BERTH_OK)
        r = layout_prepare(l->dir_fd, err);
    if (r == BERTH_OK && fstatat(l->dir_fd, "index.json", &st, AT_SYMLINK_NOFOLLOW) < 0)
        r = layout_write(l->dir_fd, "index.json", empty, strlen(empty), err);
    return r;
}

static int check(const berth_layout *l, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(HEADER_MAX + 1);
    int r = read_whole(l, "oci-layout", HEADER_MAX, &text, err);
    if (r == BERTH_E_NOT_FOUND)
        return berth_error_set(err, r, "'%s' is not an image layout: it has no file 'oci-layout'", l->path);
    if (r == BERTH_OK)
        r = oci_layout_header_parse(text.p, text.n, err);
    return r == BERTH_OK ? r : berth_error_prefix(err, "'%s/oci-layout'", l->path);
}

int berth_layout_open(const char *path, bool create_it, berth_layout **ret, berth_error *err)
{
    berth_layout *l = fault_hit() ? NULL : mem_zalloc(1, sizeof(*l));
    if (!l)
        return no_memory(err);
    l->dir_fd = -1;
    l->path = str_dup(str_from(path));
    int r = l->path ? BERTH_OK : no_memory(err);
    if (r == BERTH_OK && create_it)
        r = io_mkdirs(path, 0777, err);
    if (r == BERTH_OK && (l->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        r = berth_error_set(err, errno == ENOENT || errno == ENOTDIR ? BERTH_E_NOT_FOUND : BERTH_E_IO,
                            "opening '%s': %s", path, strerror(errno));
    if (r == BERTH_OK && create_it)
        r = create(l, err);
    if (r == BERTH_OK)
        r = check(l, err);
    if (r == BERTH_OK)
        *ret = l;
    else
        berth_layout_free(l);
    return r;
}

void berth_layout_free(berth_layout *l)
{
    if (!l)
        return;
    closep(&l->dir_fd);
    mem_free(l->path);
    mem_free(l);
}
