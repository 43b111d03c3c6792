/* client/content.c - see content.h. */
#include "client/content.h"

#include <berth/upload.h>
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

/* No more of a blob is handed on than its descriptor promises. */
struct measured {
    const content *c;
    berth_sink_fn fn;
    void *arg;
    uint64_t left, done;
    bool too_long;
};

static int on_piece(void *arg, const void *p, size_t n)
{
    struct measured *m = arg;
    m->too_long = n > m->left;
    if (m->too_long)
        return 1;
    m->left -= n;
    m->done += n;
    content_tell(m->c, m->done);
    return m->fn(m->arg, p, n);
}

static int blob_get(content *c, const berth_descriptor *blob, berth_sink_fn fn, void *arg, berth_error *err)
{
    const struct registry *r = registry_of(c);
    struct measured m = {.c = c, .fn = fn, .arg = arg, .left = blob->size};
    berth_call *call = NULL;
    int rc = berth_blob_get(r->client, r->repository, blob->digest, on_piece, &m, &call, err);
    berth_call_free(call);
    bool too_short = rc == BERTH_OK && m.left && blob->size != BERTH_SIZE_UNKNOWN;
    if (m.too_long || too_short)
        return berth_error_set(err, BERTH_E_DIGEST, "the blob %.20s... is %s than its descriptor says",
                               blob->digest, too_short ? "shorter" : "longer");
    return rc;
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

static void on_progress(void *arg, const berth_call *call, const berth_progress *progress)
{
    (void)call;
    content_tell(arg, progress->done);
}

static int blob_put(content *c, const berth_descriptor *blob, const struct content_source *from,
                    berth_error *err)
{
    const struct registry *r = registry_of(c);
    berth_source bytes = BERTH_SOURCE_BYTES(from->p, blob->size), file = BERTH_SOURCE_FD(from->fd);
    berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    berth_call *call = NULL;
    how.digest = blob->digest;
    if (!from->p && lseek(from->fd, 0, SEEK_SET) < 0)
        return berth_error_set(err, BERTH_E_IO, "a file can't be read from its beginning");
    int rc = berth_blob_put_start(r->client, r->repository, from->p ? &bytes : &file, &how, &call, err);
    if (rc == BERTH_OK) {
        berth_call_on_progress(call, on_progress, c);
        rc = berth_call_wait(call, err);
    }
    berth_call_free(call);
    return rc;
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

/* --- the place --- */

static void registry_free(content *c)
{
    struct registry *r = registry_of(c);
    free(r->repository);
    free(r);
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
    .free = registry_free,
};

int content_registry_open(berth_client *client, const char *repository, content **ret, berth_error *err)
{
    struct registry *r = fault_hit() ? NULL : calloc(1, sizeof(*r));
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
