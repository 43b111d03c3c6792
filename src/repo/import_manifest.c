/* repo/import_manifest.c - brings one manifest of a foreign tree: what it refers to first, then itself, then
 * its tag. What is here already costs a look-up and nothing more, so that a second run is quick. */
#include "repo/import.h"

#include <inttypes.h>

/* An index within an index within …: no tool nests them deeper than three. */
#define NESTING_MAX 16
/* Of a repository of which this much can't be had nothing more is tried: what failed is remembered only up to
 * a ceiling, and indexes of indexes of what is not there could be walked for ever. */
#define FAILED_MAX 100000

/* What ends the import, rather than one item of it. */
static bool is_fatal(int rc)
{
    return rc == BERTH_E_NOMEM || rc == BERTH_E_IO || rc == BERTH_E_NO_SPACE || rc == BERTH_E_UNSUPPORTED ||
           rc == BERTH_E_CANCELLED || rc == BERTH_E_BUSY;
}

/* It is there and can't be had: no absence, which a manifest may do without (repo_policy.sparse). What was
 * stored without it would be here when the import is run again, and never be completed. */
static bool is_unread(int rc)
{
    return rc == BERTH_E_CORRUPT || rc == BERTH_E_DIGEST;
}

/* --- blobs --- */

static int blob_here(struct import_repo *ir, const berth_digest *d, bool *ret, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct repo_blob b;
    int rc = repo_blob_open(ir->im->r, str_from(ir->name), d, false, &a, &b, err);
    if (rc == BERTH_OK && b.lease_due &&
        !ir->im->o->dry_run) /* it must not be collected before its manifest comes */
        rc = repo_blob_promise(ir->im->r, str_from(ir->name), d, err);
    *ret = rc == BERTH_OK;
    return rc == BERTH_E_NOT_FOUND ? BERTH_OK : rc;
}

/* A failure to read the tree is BERTH_E_CORRUPT: one item's, where one of ours would end the import. */
static int copy_blob(struct import_repo *ir, const berth_digest *d, int fd, uint64_t *ret_size,
                     berth_error *err)
{
    struct import *im = ir->im;
    repo_upload *u = NULL;
    int rc = repo_upload_single(im->r, str_from(ir->name), d, &u, err);
    for (uint64_t at = 0; rc == BERTH_OK;) {
        size_t n = 0;
        berth_error why = BERTH_ERROR_INIT;
        if (io_pread(fd, im->piece, IMPORT_PIECE, at, &n, &why) != BERTH_OK)
            rc = berth_error_set(err, BERTH_E_CORRUPT, "%s", why.message);
        else if (n == 0)
            break;
        else if ((rc = import_go_on(im, err)) == BERTH_OK)
            rc = repo_upload_append(u, im->piece, n, err);
        at += n;
    }
    if (rc != BERTH_OK) {
        repo_upload_abandon(u);
        return rc;
    }
    *ret_size = repo_upload_offset(u);
    return repo_upload_finish(u, d, err);
}

/* Links the blob from another repository of this registry, or brings its bytes. */
static int bring_blob(struct import_repo *ir, const oci_descriptor *blob, uint64_t *ret_size,
                      berth_error *err)
{
    struct import *im = ir->im;
    const struct repo_policy *p = repo_policy_now(im->r);
    int rc = BERTH_E_NOT_FOUND;
    *ret_size = 0;
    /* Not repo_blob_mount(): whether clients may mount without a source is no matter here. */
    if (!im->o->dry_run)
        rc = im->r->m->ops->blob_mount(im->r->m, str_from(ir->name), p->auto_create, STR_NULL, &blob->digest,
                                       NULL, NULL, err);
    if (rc != BERTH_E_NOT_FOUND)
        return rc;
    CLEANUP(closep) int fd = -1;
    rc = ir->open_blob(ir, &blob->digest, blob->size, &fd, ret_size, err);
    return rc == BERTH_OK && !im->o->dry_run ? copy_blob(ir, &blob->digest, fd, ret_size, err) : rc;
}

/* @manifest: what refers to it; NULL: nothing does. */
static int import_blob(struct import_repo *ir, const oci_descriptor *blob, const berth_digest *manifest,
                       berth_error *err)
{
    struct import *im = ir->im;
    const berth_digest *d = &blob->digest;
    bool here = false, met = import_set_has(&ir->done, d);
    uint64_t size;
    if (import_set_has(&ir->failed, d) || (met && im->o->dry_run))
        return BERTH_OK;
    import_set_add(&ir->done, d);
    int rc = import_go_on(im, err);
    if (rc == BERTH_OK)
        rc = blob_here(ir, d, &here, err);
    if (rc != BERTH_OK || here) {
        im->res->skipped += here && !met;
        return rc;
    }
    if (im->o->dry_run && import_set_has(&im->blobs, d)) {
        im->res->blobs++; /* it will be linked */
        return BERTH_OK;
    }

    berth_error why = BERTH_ERROR_INIT;
    rc = bring_blob(ir, blob, &size, &why);
    if (rc == BERTH_OK) {
        if (im->o->dry_run)
            import_set_add(&im->blobs, d);
        im->res->blobs++;
        im->res->bytes += size;
        return BERTH_OK;
    }
    if (is_fatal(rc))
        return berth_error_set_oci(err, rc, why.oci_code, "blob %s: %s", d->text, why.message);
    if (rc == BERTH_E_NOT_FOUND && blob->foreign)
        return BERTH_OK;
    import_set_add(&ir->failed, d);
    if (is_unread(rc))
        import_set_add(&ir->unread, d);
    im->res->failed++;
    const char *of = manifest ? " of manifest " : "", *whose = manifest ? manifest->text : "";
    if (rc == BERTH_E_NOT_FOUND)
        import_say(im, ir->name, "blob %s%s%s is missing", d->text, of, whose);
    else
        import_say(im, ir->name, "blob %s%s%s is not imported: %s", d->text, of, whose, why.message);
    return BERTH_OK;
}

int import_lone_blob(struct import_repo *ir, const berth_digest *d, uint64_t size, berth_error *err)
{
    const oci_descriptor blob = {.digest = *d, .size = size};
    return import_blob(ir, &blob, NULL, err);
}

/* --- manifests --- */

static int bring(struct import_repo *ir, const berth_digest *d, berth_str media_type, uint64_t size,
                 berth_str tag, unsigned depth, berth_error *err);

static int manifest_here(struct import_repo *ir, const berth_digest *d, bool *ret, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    oci_reference ref = {.is_digest = true, .digest = *d};
    struct oci_stored m;
    int rc = repo_manifest_get(ir->im->r, str_from(ir->name), &ref, false, &a, &m, err);
    if (rc == BERTH_OK && m.lease_due && !ir->im->o->dry_run)
        rc = repo_manifest_promise(ir->im->r, str_from(ir->name), d, err);
    *ret = rc == BERTH_OK;
    return rc == BERTH_E_NOT_FOUND ? BERTH_OK : rc;
}

static int tag_here(struct import_repo *ir, berth_str tag, const berth_digest *d, bool *ret, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    oci_reference ref = {.tag = tag};
    struct oci_stored m;
    int rc = repo_manifest_get(ir->im->r, str_from(ir->name), &ref, false, &a, &m, err);
    *ret = rc == BERTH_OK && digest_eq(&m.digest, d);
    return rc == BERTH_E_NOT_FOUND ? BERTH_OK : rc;
}

int import_has_tag(struct import_repo *ir, berth_str tag, bool *ret, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    oci_reference ref = {.tag = tag};
    struct oci_stored m;
    int rc = repo_manifest_get(ir->im->r, str_from(ir->name), &ref, false, &a, &m, err);
    *ret = rc == BERTH_OK;
    return rc == BERTH_E_NOT_FOUND ? BERTH_OK : rc;
}

/* The body, in @buf, with the right digest. */
static int read_body(struct import_repo *ir, const berth_digest *d, uint64_t size, berth_buf *buf,
                     berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    berth_digest have;
    int rc = ir->open_blob(ir, d, size, &fd, &size, err);
    if (rc == BERTH_OK)
        rc = import_read(fd, size, IMPORT_MANIFEST_MAX, buf, err);
    if (rc != BERTH_OK)
        return rc;
    digest_of(d->algorithm, buf->p, buf->n, &have);
    return digest_eq(&have, d)
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_DIGEST, "its bytes have the digest %s", have.text);
}

/* An index may list a blob, or a manifest under a type that nobody knows: the bytes tell. */
static int bring_child(struct import_repo *ir, const oci_descriptor *child, const berth_digest *index,
                       unsigned depth, berth_error *err)
{
    if (mediatype_kind(child->media_type) == MANIFEST_OTHER) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        CLEANUP(berth_buf_done) berth_buf body = BERTH_BUF_INIT(IMPORT_MANIFEST_MAX + 1);
        oci_manifest man;
        berth_error why = BERTH_ERROR_INIT;
        int rc = read_body(ir, &child->digest, child->size, &body, &why);
        if (rc == BERTH_OK)
            rc = oci_manifest_parse(body.p, body.n, STR_NULL, NULL, &a, &man, &why);
        if (is_fatal(rc))
            return berth_error_set(err, rc, "blob %s: %s", child->digest.text, why.message);
        if (rc != BERTH_OK && rc != BERTH_E_CORRUPT) /* what can't be read may be either */
            return import_blob(ir, child, index, err);
        return bring(ir, &child->digest, STR_NULL, child->size, STR_NULL, depth, err);
    }
    return bring(ir, &child->digest, child->media_type, child->size, STR_NULL, depth, err);
}

/* Everything that the manifest needs. What can't be had was told; whether it can do without what is absent is
 * for repo_manifest_put() to say. *@ret_whole false: some of it can't be read. */
static int bring_references(struct import_repo *ir, const berth_digest *d, const oci_manifest *man,
                            unsigned depth, bool *ret_whole, berth_error *err)
{
    int rc = BERTH_OK;
    *ret_whole = true;
    for (size_t i = 0; rc == BERTH_OK && i < man->n_blobs; i++) {
        rc = import_blob(ir, &man->blobs[i], d, err);
        *ret_whole = *ret_whole && !import_set_has(&ir->unread, &man->blobs[i].digest);
    }
    for (size_t i = 0; rc == BERTH_OK && i < man->n_children; i++) {
        rc = bring_child(ir, &man->children[i], d, depth + 1, err);
        *ret_whole = *ret_whole && !import_set_has(&ir->unread, &man->children[i].digest);
    }
    return rc;
}

static int put(struct import_repo *ir, const berth_digest *d, berth_str media_type, berth_str body,
               berth_str tag, berth_arena *a, berth_error *err)
{
    struct repo_manifest_put put = {
        .name = str_from(ir->name),
        .reference = {.is_digest = true, .digest = *d},
        .content_type = media_type,
        .body = body,
        .tags = &tag,
        .n_tags = tag.n ? 1 : 0,
    };
    struct repo_manifest_stored stored = {0};
    return ir->im->o->dry_run ? BERTH_OK : repo_manifest_put(ir->im->r, &put, a, &stored, err);
}

/* Counts and tells that @d, or its tag, can't be had or is not wanted. */
static int give_up(struct import_repo *ir, const berth_digest *d, berth_str tag, bool refused,
                   const char *why)
{
    const char *how = refused ? "skipped" : "not imported";
    *(refused ? &ir->im->res->skipped : &ir->im->res->failed) += 1;
    import_set_add(refused ? &ir->refused : &ir->failed, d);
    if (tag.n)
        import_say(ir->im, ir->name, "tag " STR_FMT ", manifest %s: %s: %s", STR_ARG(tag), d->text, how, why);
    else
        import_say(ir->im, ir->name, "manifest %s: %s: %s", d->text, how, why);
    return BERTH_OK;
}

static int bring_new(struct import_repo *ir, const berth_digest *d, berth_str media_type, uint64_t size,
                     berth_str tag, bool here, unsigned depth, berth_error *err)
{
    struct import *im = ir->im;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf body = BERTH_BUF_INIT(IMPORT_MANIFEST_MAX + 1);
    berth_error why = BERTH_ERROR_INIT;
    oci_manifest man = {.kind = MANIFEST_OTHER};
    int rc = ir->type_of ? ir->type_of(ir, d, &a, &media_type, &why) : BERTH_OK;
    if (rc == BERTH_OK)
        rc = read_body(ir, d, size, &body, &why);
    if (rc == BERTH_OK)
        rc = oci_manifest_parse(body.p, body.n, media_type, NULL, &a, &man, &why);
    if (rc == BERTH_OK && man.kind == MANIFEST_SCHEMA1 && !repo_policy_now(im->r)->schema1)
        return give_up(ir, d, tag, true, "Docker schema 1 is not accepted here");
    if (rc == BERTH_OK && depth > NESTING_MAX)
        rc = berth_error_set(&why, BERTH_E_INVALID, "indexes are nested too deeply");
    if (rc == BERTH_OK && !here) {
        bool whole;
        rc = bring_references(ir, d, &man, depth, &whole, err);
        if (rc != BERTH_OK)
            return rc;
        if (!whole)
            rc = berth_error_set(&why, BERTH_E_CORRUPT, "not all that it refers to can be read");
    }
    if (rc == BERTH_OK)
        rc = put(ir, d, media_type, berth_buf_str(&body), tag, &a, &why);
    if (is_fatal(rc))
        return berth_error_set_oci(err, rc, why.oci_code, "manifest %s: %s", d->text, why.message);
    if (is_unread(rc))
        import_set_add(&ir->unread, d);
    if (rc != BERTH_OK)
        return give_up(ir, d, tag, false, why.message);
    ir->any = true;
    im->res->manifests += !here;
    if (tag.n) {
        im->res->tags++;
        import_say(im, ir->name, "tag " STR_FMT ": %s", STR_ARG(tag), d->text);
    }
    return BERTH_OK;
}

static int bring(struct import_repo *ir, const berth_digest *d, berth_str media_type, uint64_t size,
                 berth_str tag, unsigned depth, berth_error *err)
{
    struct import *im = ir->im;
    bool here = false, tagged = tag.n == 0, met = import_set_has(&ir->done, d);
    int rc = import_go_on(im, err);
    if (rc != BERTH_OK)
        return rc;
    if (ir->failed.n >= FAILED_MAX) {
        im->res->failed++;
        return BERTH_OK;
    }
    bool refused = import_set_has(&ir->refused, d);
    if (refused || import_set_has(&ir->failed, d))
        return tag.n ? give_up(ir, d, tag, refused, "see above") : BERTH_OK;
    if (met && im->o->dry_run)
        here = true;
    else
        rc = manifest_here(ir, d, &here, err);
    if (rc == BERTH_OK && tag.n)
        rc = tag_here(ir, tag, d, &tagged, err);
    if (rc != BERTH_OK)
        return rc;
    import_set_add(&ir->done, d);
    if (here && tagged) {
        ir->any = true;
        im->res->skipped += !met;
        return BERTH_OK;
    }
    return bring_new(ir, d, media_type, size, tag, here, depth, err);
}

int import_manifest(struct import_repo *ir, const berth_digest *d, berth_str media_type, uint64_t size,
                    berth_str tag, berth_error *err)
{
    return bring(ir, d, media_type, size, tag, 0, err);
}
