/* repo/export.c - writes a repository, or one manifest of it, as an OCI image layout that other tools read.
 *
 * Whatever a manifest refers to is written before the manifest, and index.json last: until then nothing in it
 * names what is not there. What is lost is told and counted; a manifest that misses something of its own is
 * not written, nor listed. Rows are read page by page, and what was met already is remembered only up to a
 * ceiling: forgetting costs another look at a file, no more. */
#include <fcntl.h>
#include <sys/stat.h>

#include "content/layout_files.h"
#include "oci/layout.h"
#include "repo/import.h"
#include "util/fault.h"

#define PAGE            200
#define PIECE           (256 * KIB)
#define NESTING_MAX     32 /* of indexes, and of referrers of referrers */
#define LOST_MAX        100000
#define REFERRERS_BYTES (4 * MIB)
#define PROGRESS_BYTES  (64 * MIB)
#define PROGRESS_BLOBS  1000

struct exporting {
    repo *r;
    meta *m;
    berth_str name;
    const struct repo_export_options *o;
    struct repo_export_result *res;
    oci_layout_index *index;
    char *piece;
    bool with_referrers; /* all that refers to what is exported comes along */
    /* written or there; not to be had; of an index; with a tag */
    struct import_set done, lost, children, tagged;
    uint64_t told_blobs, told_bytes;
};

/* BERTH_E_CANCELLED when it shall go no further. */
static int go_on(struct exporting *x, berth_error *err)
{
    const struct repo_export_result *res = x->res;
    if (res->blobs - x->told_blobs >= PROGRESS_BLOBS || res->copied_bytes - x->told_bytes >= PROGRESS_BYTES) {
        x->told_blobs = res->blobs;
        x->told_bytes = res->copied_bytes;
        if (x->o->progress)
            x->o->progress(x->o->arg, res->blobs, res->copied_bytes);
    }
    if (x->o->stop && atomic_load(x->o->stop))
        return berth_error_set(err, BERTH_E_CANCELLED, "it was stopped; started again, it goes on");
    if (x->lost.n >= LOST_MAX)
        return berth_error_set(err, BERTH_E_CORRUPT, "more than %d blobs and manifests are lost", LOST_MAX);
    return BERTH_OK;
}

static void say(const struct exporting *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct exporting *x, const char *fmt, ...)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    va_list ap;
    if (!x->o->problem)
        return;
    va_start(ap, fmt);
    const char *text = berth_arena_vprintf(&a, fmt, ap);
    va_end(ap);
    x->o->problem(x->o->arg, text ? text : "a problem, and no memory to tell it");
}

/* @of: the manifest that refers to it; NULL: none. */
static int lose(struct exporting *x, const char *what, const berth_digest *d, const berth_digest *of,
                const char *why)
{
    if (!import_set_has(&x->lost, d)) {
        x->res->problems++;
        say(x, "%s %s%s%s: %s", what, d->text, of ? " of manifest " : "", of ? of->text : "", why);
    }
    import_set_add(&x->lost, d);
    return BERTH_OK;
}

/* --- files --- */

/* Where the bytes of one blob or manifest come from. */
struct source {
    berth_str body; /* .p NULL: @reader */
    blob_reader *reader;
    uint64_t size;
};

/* Writes what @s holds to @fd. *@why is set, and BERTH_OK returned, when it is not what it should be. */
static int pump(struct exporting *x, const struct source *s, const berth_digest *want, int fd,
                berth_error *why, berth_error *err)
{
    berth_hash h;
    berth_digest have;
    hash_init(&h, want->algorithm);
    for (uint64_t at = 0; at < s->size;) {
        size_t n = (size_t)MIN((uint64_t)PIECE, s->size - at);
        const char *p = s->reader ? x->piece : s->body.p + at;
        int rc = s->reader ? store_read(s->reader, at, x->piece, PIECE, &n, why) : BERTH_OK;
        if (rc == BERTH_OK && n == 0)
            rc = berth_error_set(why, BERTH_E_CORRUPT, "it ends early");
        if (rc != BERTH_OK)
            return berth_error_prefix(why, "the object can't be read"), BERTH_OK;
        hash_update(&h, p, n);
        rc = io_write_all(fd, p, n, err);
        at += n;
        x->res->copied_bytes += n;
        if (rc == BERTH_OK)
            rc = go_on(x, err);
        if (rc != BERTH_OK)
            return rc;
    }
    digest_from_hash(&h, &have);
    if (!digest_eq(&have, want))
        berth_error_set(why, BERTH_E_DIGEST, "the bytes have the digest %s", have.text);
    return BERTH_OK;
}

static int copy_bytes(struct exporting *x, const struct source *s, const berth_digest *d, berth_error *why,
                      berth_error *err)
{
    char path[LAYOUT_PATH_MAX];
    CLEANUP(layout_part_done) struct layout_part part = {.fd = -1};
    struct stat st;
    layout_blob_path(d, path);
    if (fstatat(x->o->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
        (uint64_t)st.st_size == s->size)
        return BERTH_OK;
    uint64_t before = x->res->copied_bytes;
    int rc = layout_part_open(x->o->dir_fd, d, ".part", &part, err);
    if (rc == BERTH_OK)
        rc = pump(x, s, d, part.fd, why, err);
    if (rc == BERTH_OK && why->code == BERTH_OK)
        rc = layout_part_keep(&part, err);
    if (rc != BERTH_OK || why->code != BERTH_OK) {
        x->res->copied_bytes = before;
        return rc;
    }
    x->res->copied++;
    return BERTH_OK;
}

/* --- blobs --- */

/* The bytes of @c, which the metadata call @d, into the layout. *@ret_whole: they are there. */
static int put_content(struct exporting *x, const struct meta_content *c, const char *what,
                       const berth_digest *d, const berth_digest *of, bool *ret_whole, berth_error *err)
{
    struct source s = {.body = c->body, .size = c->body.n};
    berth_error why = BERTH_ERROR_INIT;
    *ret_whole = false;
    if (c->key[0]) {
        int rc = store_open(x->r->store, c->key, &s.reader, &why);
        if (rc == BERTH_E_NOMEM)
            return berth_error_set(err, rc, "%s", why.message);
        if (rc != BERTH_OK)
            return lose(x, what, d, of, rc == BERTH_E_NOT_FOUND ? "the object is missing" : why.message);
        s.size = store_reader_size(s.reader);
    }
    int rc = copy_bytes(x, &s, d, &why, err);
    store_close(s.reader);
    if (rc == BERTH_OK && why.code != BERTH_OK)
        return lose(x, what, d, of, why.message);
    if (rc != BERTH_OK)
        return rc;
    import_set_add(&x->done, d);
    *ret_whole = true;
    x->res->bytes += s.size;
    return BERTH_OK;
}

/* What the registry holds under @d. Fails with what ends the export; *@ret_there false: it holds nothing. */
static int look_up(struct exporting *x, const berth_digest *d, berth_arena *a, struct meta_content *ret,
                   bool *ret_there, berth_error *err)
{
    int rc = x->m->ops->content_get(x->m, x->name, d, a, ret, err);
    *ret_there = rc == BERTH_OK;
    return rc == BERTH_E_NOT_FOUND ? BERTH_OK : rc;
}

static int export_blob(struct exporting *x, const oci_descriptor *blob, const berth_digest *of,
                       bool *ret_whole, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    const berth_digest *d = &blob->digest;
    struct meta_content c = {.key = ""};
    bool there;
    *ret_whole = import_set_has(&x->done, d);
    if (*ret_whole || import_set_has(&x->lost, d))
        return BERTH_OK;
    int rc = go_on(x, err);
    if (rc == BERTH_OK)
        rc = look_up(x, d, &a, &c, &there, err);
    if (rc != BERTH_OK)
        return rc;
    if (there) {
        rc = put_content(x, &c, "blob", d, of, ret_whole, err);
        x->res->blobs += *ret_whole;
        return rc;
    }
    /* never here, and rightly so: its manifest was accepted without it */
    *ret_whole = blob->foreign || repo_policy_now(x->r)->sparse == REPO_SPARSE_ALL;
    return *ret_whole ? BERTH_OK : lose(x, "blob", d, of, "it is not in the registry");
}

/* --- manifests --- */

static int export_manifest(struct exporting *x, const berth_digest *d, const berth_digest *of, unsigned depth,
                           bool *ret_whole, berth_error *err);

static int export_child(struct exporting *x, const oci_descriptor *child, const berth_digest *of,
                        unsigned depth, bool *ret_whole, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct meta_content c = {.key = ""};
    bool there;
    int rc = look_up(x, &child->digest, &a, &c, &there, err);
    if (rc != BERTH_OK)
        return rc;
    if (there && c.media_type.n == 0) /* an index may list a blob */
        return export_blob(x, child, of, ret_whole, err);
    berth_arena_reset(&a);
    if (there)
        return export_manifest(x, &child->digest, of, depth, ret_whole, err);
    *ret_whole = repo_policy_now(x->r)->sparse != REPO_SPARSE_NONE;
    return *ret_whole ? BERTH_OK : lose(x, "manifest", &child->digest, of, "it is not in the registry");
}

static int export_references(struct exporting *x, const oci_manifest *man, const berth_digest *d,
                             unsigned depth, bool *ret_whole, berth_error *err)
{
    int rc = BERTH_OK;
    *ret_whole = true;
    for (size_t i = 0; rc == BERTH_OK && i < man->n_blobs + man->n_children; i++) {
        bool whole = false;
        rc = i < man->n_blobs ? export_blob(x, &man->blobs[i], d, &whole, err)
                              : export_child(x, &man->children[i - man->n_blobs], d, depth + 1, &whole, err);
        *ret_whole = *ret_whole && whole;
    }
    return rc;
}

/* The manifest after all that it refers to. */
static int write_manifest(struct exporting *x, const berth_digest *d, const berth_digest *of, unsigned depth,
                          bool *ret_whole, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct meta_content c = {.key = ""};
    oci_manifest man = {.kind = MANIFEST_OTHER};
    berth_error why = BERTH_ERROR_INIT;
    berth_digest have;
    bool there;
    int rc = look_up(x, d, &a, &c, &there, err);
    if (rc != BERTH_OK || !there) /* deleted since it was listed */
        return rc;
    digest_of(d->algorithm, c.body.p, c.body.n, &have);
    if (c.key[0] || !digest_eq(&have, d))
        return lose(x, "manifest", d, of, "its body in the database is wrong");
    rc = oci_manifest_parse(c.body.p, c.body.n, c.media_type, NULL, &a, &man, &why);
    if (rc == BERTH_E_NOMEM)
        return berth_error_set(err, rc, "%s", why.message);
    if (rc != BERTH_OK)
        return lose(x, "manifest", d, of, why.message);
    if (man.kind == MANIFEST_SCHEMA1)
        return lose(x, "manifest", d, of, "an image layout has no place for Docker schema 1");
    if (depth > NESTING_MAX)
        return lose(x, "manifest", d, of, "it is nested too deeply");
    bool complete = false;
    rc = export_references(x, &man, d, depth, &complete, err);
    if (rc != BERTH_OK)
        return rc;
    for (size_t i = 0; complete && i < man.n_children; i++)
        import_set_add(&x->children, &man.children[i].digest);
    if (complete)
        rc = put_content(x, &c, "manifest", d, of, ret_whole, err);
    else
        import_set_add(&x->lost, d); /* by what was told already */
    x->res->manifests += *ret_whole;
    return rc;
}

static int list(struct exporting *x, const berth_digest *d, berth_str media_type, uint64_t size,
                berth_str tag, berth_error *err)
{
    return oci_layout_index_put(x->index, d, media_type, size, tag, err);
}

static int export_referrers(struct exporting *x, const berth_digest *subject, unsigned depth,
                            berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena kept = BERTH_ARENA_INIT;
    berth_str after_type = STR(""), after_digest = STR("");
    for (bool more = true; more;) {
        berth_arena a = BERTH_ARENA_INIT;
        struct oci_referrers page = {0};
        int rc = x->m->ops->referrers(x->m, x->name, digest_str(subject), STR(""), after_type, after_digest,
                                      PAGE, REFERRERS_BYTES, &a, &page, err);
        for (size_t i = 0; rc == BERTH_OK && i < page.n; i++) {
            const oci_referrer *r = &page.items[i];
            berth_digest d;
            bool whole = false;
            rc = digest_parse(r->digest, &d, err);
            if (rc == BERTH_OK)
                rc = export_manifest(x, &d, NULL, depth + 1, &whole, err);
            if (rc == BERTH_OK && whole)
                rc = list(x, &d, r->media_type, r->size, STR(""), err);
        }
        more = rc == BERTH_OK && page.more && page.n;
        if (more) {
            after_type = page.items[page.n - 1].artifact_type;
            after_digest = page.items[page.n - 1].digest;
        }
        berth_arena_done(&kept); /* the page before, whose last item was the mark */
        kept = a;
        if (rc != BERTH_OK)
            return rc;
    }
    return BERTH_OK;
}

static int export_manifest(struct exporting *x, const berth_digest *d, const berth_digest *of, unsigned depth,
                           bool *ret_whole, berth_error *err)
{
    *ret_whole = import_set_has(&x->done, d);
    if (*ret_whole || import_set_has(&x->lost, d))
        return BERTH_OK;
    int rc = go_on(x, err);
    if (rc == BERTH_OK)
        rc = write_manifest(x, d, of, depth, ret_whole, err);
    return rc == BERTH_OK && *ret_whole && x->with_referrers ? export_referrers(x, d, depth, err) : rc;
}

/* --- what is asked for --- */

static int export_tag(struct exporting *x, const berth_digest *d, berth_str media_type, uint64_t size,
                      berth_str tag, berth_error *err)
{
    bool whole = false;
    import_set_add(&x->tagged, d);
    int rc = export_manifest(x, d, NULL, 0, &whole, err);
    if (rc == BERTH_OK && whole) {
        x->res->tags++;
        rc = list(x, d, media_type, size, tag, err);
    } else if (rc == BERTH_OK && import_set_has(&x->lost, d))
        say(x, "tag " STR_FMT " is not exported: its manifest %s is not whole", STR_ARG(tag), d->text);
    return rc;
}

/* Tags; then all manifests; then those of them that neither a tag nor an index leads to are listed. */
enum round { TAGS, MANIFESTS, ROOTS, ROUNDS_ };

static int export_row(struct exporting *x, enum round round, const struct meta_repo_row *row,
                      berth_error *err)
{
    berth_digest d;
    bool whole = false;
    int rc = digest_parse(row->digest, &d, err);
    if (rc != BERTH_OK)
        return rc;
    if (round == TAGS)
        return export_tag(x, &d, row->media_type, row->size, row->tag, err);
    if (round == ROOTS && (import_set_has(&x->tagged, &d) || import_set_has(&x->children, &d)))
        return BERTH_OK;
    rc = export_manifest(x, &d, NULL, 0, &whole, err);
    return rc == BERTH_OK && whole && round == ROOTS ? list(x, &d, row->media_type, row->size, STR(""), err)
                                                     : rc;
}

static int export_rows(struct exporting *x, enum round round, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf after = BERTH_BUF_INIT(64 * KIB);
    enum meta_repo_rows kind = round == TAGS ? META_REPO_TAGS : META_REPO_MANIFESTS;
    for (size_t n = PAGE; n == PAGE;) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        struct meta_repo_row *rows = NULL;
        n = 0;
        int rc = x->m->ops->repo_page(x->m, x->name, kind, berth_buf_str(&after), PAGE, &a, &rows, &n, err);
        for (size_t i = 0; rc == BERTH_OK && i < n; i++)
            rc = export_row(x, round, &rows[i], err);
        if (rc != BERTH_OK)
            return rc;
        if (n) {
            berth_buf_reset(&after);
            berth_buf_add_str(&after, round == TAGS ? rows[n - 1].tag : rows[n - 1].digest);
            if (berth_buf_failed(&after))
                return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        }
    }
    return BERTH_OK;
}

static int export_one(struct exporting *x, const oci_reference *ref, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct oci_stored m;
    bool whole = false;
    x->with_referrers = true;
    int rc = x->m->ops->manifest_get(x->m, x->name, ref->is_digest ? STR_NULL : ref->tag, &ref->digest, false,
                                     &a, &m, err);
    if (rc != BERTH_OK)
        return rc;
    if (!ref->is_digest)
        return export_tag(x, &m.digest, m.media_type, m.size, ref->tag, err);
    rc = export_manifest(x, &m.digest, NULL, 0, &whole, err);
    return rc == BERTH_OK && whole ? list(x, &m.digest, m.media_type, m.size, STR(""), err) : rc;
}

static int export_all(struct exporting *x, berth_error *err)
{
    int rc = x->m->ops->repo_exists(x->m, x->name, err);
    for (enum round round = TAGS; rc == BERTH_OK && round < ROUNDS_; round++)
        rc = export_rows(x, round, err);
    return rc;
}

/* --- the layout --- */

static int open_index(struct exporting *x, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(OCI_LAYOUT_INDEX_MAX + 1);
    CLEANUP(closep) int fd = -1;
    uint64_t size = 0;
    int rc = import_open_file(x->o->dir_fd, "index.json", &fd, &size, err);
    if (rc == BERTH_OK)
        rc = import_read(fd, size, OCI_LAYOUT_INDEX_MAX, &text, err);
    if (rc == BERTH_E_NOT_FOUND)
        rc = BERTH_OK;
    if (rc == BERTH_OK)
        rc = oci_layout_index_open(text.p, text.n, &x->index, err);
    return rc == BERTH_OK ? rc : berth_error_prefix(err, "index.json of the layout");
}

static int begin(struct exporting *x, berth_error *err)
{
    int rc = open_index(x, err);
    return rc == BERTH_OK ? layout_prepare(x->o->dir_fd, err) : rc;
}

/* What was written is durable before index.json names it. */
static int finish(struct exporting *x, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(OCI_LAYOUT_INDEX_MAX);
    int rc = layout_sync(x->o->dir_fd, err);
    if (rc != BERTH_OK)
        return rc;
    oci_layout_index_print(x->index, &text);
    if (berth_buf_failed(&text))
        return berth_error_set(err, BERTH_E_TOO_BIG,
                               "index.json would be longer than %zu MiB, or there is no memory for it",
                               OCI_LAYOUT_INDEX_MAX / MIB);
    return layout_write(x->o->dir_fd, "index.json", text.p, text.n, err);
}

int repo_export(repo *r, const struct repo_export_options *o, struct repo_export_result *ret,
                berth_error *err)
{
    *ret = (struct repo_export_result){0};
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(PIECE);
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    struct exporting x = {.r = r, .m = r->m, .name = o->name, .o = o, .res = ret, .piece = piece};
    int rc = begin(&x, err);
    repo__hold_objects(r);
    if (rc == BERTH_OK)
        rc = o->reference ? export_one(&x, o->reference, err) : export_all(&x, err);
    repo__release_objects(r);
    if (rc == BERTH_OK)
        rc = finish(&x, err);
    oci_layout_index_free(x.index);
    import_set_done(&x.done);
    import_set_done(&x.lost);
    import_set_done(&x.children);
    import_set_done(&x.tagged);
    return rc;
}
