/* client/content.c - see content.h. */
#include "client/content.h"

#include <berth/download.h>
#include <berth/upload.h>
#include <stdio.h>
#include <stdlib.h>

#include "oci/answer.h"
#include "util/fault.h"

struct registry {
    content base;
    berth_client *client;
    char *repository;
};

static struct registry *registry_of(content *c)
{
    return CONTAINER_OF(c, struct registry, base);
}

static int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int manifest_get(content *c, const char *reference, berth_manifest **ret, berth_error *err)
{
    const struct registry *r = registry_of(c);
    berth_call *call = NULL;
    int rc = berth_manifest_get(r->client, r->repository, reference ? reference : "latest", BERTH_ACCEPT_ANY,
                                &call, err);
    if (rc != BERTH_OK)
        return rc;
    const berth_content *m = berth_call_content(call);
    rc = berth_manifest_parse(m->data, m->size, m->media_type, ret, err);
    berth_call_free(call);
    return rc;
}

/* --- blobs --- */

struct content_flight {
    content seen; /* of the place its progress alone, as it was when this began */
    berth_call *call;
    /* Of a blob that is got: no more is handed on than its descriptor promises. */
    berth_sink_fn fn; /* NULL: it goes to a file, which takes no more */
    void *arg;
    uint64_t left, done;
    bool measured, too_long;
    char name[20]; /* "sha256:" and the first digits */
};

static void drop(struct content_flight *f)
{
    berth_call_free(f->call);
    mem_free(f);
}

static int land(struct content_flight *f, berth_error *err)
{
    int rc = berth_call_wait(f->call, err);
    if (!f->fn && rc == BERTH_OK)
        f->left -= berth_call_content(f->call)->size;
    f->too_long |= !f->fn && rc == BERTH_E_TOO_BIG;
    bool too_short = rc == BERTH_OK && f->measured && f->left;
    if (f->too_long || too_short)
        rc = berth_error_set(err, BERTH_E_DIGEST, "the blob %s... is %s than its descriptor says", f->name,
                             too_short ? "shorter" : "longer");
    drop(f);
    return rc;
}

static struct content_flight *take_off(const content *c, const berth_descriptor *blob)
{
    struct content_flight *f = fault_hit() ? NULL : mem_zalloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->seen = *c;
    f->left = blob->size;
    f->measured = blob->size != BERTH_SIZE_UNKNOWN;
    snprintf(f->name, sizeof(f->name), "%s", blob->digest);
    return f;
}

static int on_piece(void *arg, const void *p, size_t n)
{
    struct content_flight *f = arg;
    f->too_long = n > f->left;
    if (f->too_long)
        return 1;
    f->left -= n;
    f->done += n;
    content_tell(&f->seen, f->done, 0);
    return f->fn(f->arg, p, n);
}

static int blob_get_start(content *c, const berth_descriptor *blob, berth_sink_fn fn, void *arg,
                          struct content_flight **ret, berth_error *err)
{
    const struct registry *r = registry_of(c);
    struct content_flight *f = take_off(c, blob);
    if (!f)
        return no_memory(err);
    f->fn = fn;
    f->arg = arg;
    int rc = berth_blob_get_start(r->client, r->repository, blob->digest, on_piece, f, &f->call, err);
    if (rc == BERTH_OK)
        *ret = f;
    else
        drop(f);
    return rc;
}

static void on_progress(void *arg, const berth_call *call, const berth_progress *progress)
{
    (void)call;
    content_tell(arg, progress->done, progress->found);
}

static int blob_get_fd_start(content *c, const berth_descriptor *blob, int fd, struct content_flight **ret,
                             berth_error *err)
{
    const struct registry *r = registry_of(c);
    berth_get_options how = BERTH_GET_OPTIONS_INIT;
    if (blob->size == 0) /* then no byte may come, and on_piece() sees to that */
        return blob_get_start(c, blob, NULL, NULL, ret, err);
    struct content_flight *f = take_off(c, blob);
    if (!f)
        return no_memory(err);
    how.ranges = c->ranges;
    how.ranges_from = c->ranges_from;
    how.max = blob->size;
    how.goes_on = true;
    int rc = berth_blob_get_fd_start(r->client, r->repository, blob->digest, fd, &how, &f->call, err);
    if (rc != BERTH_OK) {
        drop(f);
        return rc;
    }
    berth_call_on_progress(f->call, on_progress, &f->seen);
    *ret = f;
    return BERTH_OK;
}

static int blob_get(content *c, const berth_descriptor *blob, berth_sink_fn fn, void *arg, berth_error *err)
{
    struct content_flight *f = NULL;
    int rc = blob_get_start(c, blob, fn, arg, &f, err);
    return rc == BERTH_OK ? land(f, err) : rc;
}

static int blob_has(content *c, const char *digest, bool *ret, berth_error *err)
{
    const struct registry *r = registry_of(c);
    berth_call *call = NULL;
    int rc = berth_blob_head(r->client, r->repository, digest, &call, err);
    berth_call_free(call);
    if (rc != BERTH_OK && rc != BERTH_E_NOT_FOUND)
        return rc;
    *ret = rc == BERTH_OK;
    return BERTH_OK;
}

static int blob_put_start(content *c, const berth_descriptor *blob, const struct content_source *from,
                          struct content_flight **ret, berth_error *err)
{
    const struct registry *r = registry_of(c);
    berth_source bytes = BERTH_SOURCE_BYTES(from->p, blob->size), file = BERTH_SOURCE_FD(from->fd);
    berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    how.digest = blob->digest;
    if (!from->p && lseek(from->fd, 0, SEEK_SET) < 0)
        return berth_error_set(err, BERTH_E_IO, "a file can't be read from its beginning");
    struct content_flight *f = take_off(c, blob);
    if (!f)
        return no_memory(err);
    f->measured = false;
    int rc = berth_blob_put_start(r->client, r->repository, from->p ? &bytes : &file, &how, &f->call, err);
    if (rc != BERTH_OK) {
        drop(f);
        return rc;
    }
    berth_call_on_progress(f->call, on_progress, &f->seen);
    *ret = f;
    return BERTH_OK;
}

static int blob_put(content *c, const berth_descriptor *blob, const struct content_source *from,
                    berth_error *err)
{
    struct content_flight *f = NULL;
    int rc = blob_put_start(c, blob, from, &f, err);
    return rc == BERTH_OK ? land(f, err) : rc;
}

/* A registry that refuses may still take the bytes, and says why if it does not. */
static int blob_mount(content *c, content *from, const char *digest, bool *ret, berth_error *err)
{
    const struct registry *r = registry_of(c);
    const struct registry *other = from->ops == c->ops ? registry_of(from) : NULL;
    *ret = false;
    if (!other || other->client != r->client)
        return BERTH_OK;
    int rc = berth_blob_mount(r->client, r->repository, digest, other->repository, NULL, err);
    *ret = rc == BERTH_OK;
    return rc == BERTH_E_NOT_FOUND || rc == BERTH_E_UNSUPPORTED || rc == BERTH_E_DENIED ? BERTH_OK : rc;
}

/* --- manifests --- */

static int manifest_put(content *c, const char *reference, const berth_manifest *m, berth_error *err)
{
    const struct registry *r = registry_of(c);
    berth_manifest_put_options how = BERTH_MANIFEST_PUT_OPTIONS_INIT;
    berth_call *call = NULL;
    how.media_type = m->media_type;
    int rc = berth_manifest_put(r->client, r->repository, reference, m->data, m->size, &how, &call, err);
    berth_call_free(call);
    return rc;
}

struct referring {
    content_descriptor_fn fn;
    void *arg;
    berth_error err;
};

static int on_referrer(void *arg, const berth_referrer *found)
{
    struct referring *x = arg;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    berth_descriptor d = BERTH_DESCRIPTOR_INIT;
    d.digest = found->digest;
    d.media_type = found->media_type;
    d.size = found->size;
    d.artifact_type = found->artifact_type[0] ? found->artifact_type : NULL;
    if (oci_read_annotations(str_from(found->annotations), &arena, &d.annotations, &d.n_annotations, &x->err))
        return 1;
    return x->fn(x->arg, &d);
}

static int referrers(content *c, const char *digest, const char *artifact_type, content_descriptor_fn fn,
                     void *arg, berth_error *err)
{
    const struct registry *r = registry_of(c);
    struct referring x = {.fn = fn, .arg = arg, .err = BERTH_ERROR_INIT};
    int rc = berth_referrers_list(r->client, r->repository, digest, artifact_type, on_referrer, &x, err);
    return x.err.code != BERTH_OK ? berth_error_set(err, x.err.code, "%s", x.err.message) : rc;
}

static int tags(content *c, berth_tag_fn fn, void *arg, berth_error *err)
{
    const struct registry *r = registry_of(c);
    return berth_tag_list(r->client, r->repository, fn, arg, err);
}

static int tag_delete(content *c, const char *tag, bool purge, berth_error *err)
{
    const struct registry *r = registry_of(c);
    return berth_tag_delete(r->client, r->repository, tag, purge, err);
}

/* --- the place --- */

static void registry_free(content *c)
{
    struct registry *r = registry_of(c);
    mem_free(r->repository);
    mem_free(r);
}

static const struct content_ops registry_ops = {
    .manifest_get = manifest_get,
    .blob_get = blob_get,
    .blob_has = blob_has,
    .blob_put = blob_put,
    .blob_mount = blob_mount,
    .manifest_put = manifest_put,
    .referrers = referrers,
    .tags = tags,
    .tag_delete = tag_delete,
    .blob_get_start = blob_get_start,
    .blob_get_fd_start = blob_get_fd_start,
    .blob_put_start = blob_put_start,
    .land = land,
    .drop = drop,
    .free = registry_free,
};

int content_registry_open(berth_client *client, const char *repository, content **ret, berth_error *err)
{
    struct registry *r = fault_hit() ? NULL : mem_zalloc(1, sizeof(*r));
    if (!r)
        return no_memory(err);
    r->base.ops = &registry_ops;
    r->client = client;
    r->repository = str_dup(str_from(repository));
    if (!r->repository) {
        registry_free(&r->base);
        return no_memory(err);
    }
    *ret = &r->base;
    return BERTH_OK;
}
