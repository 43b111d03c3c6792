/* content/layout_place.c - an image layout as a place that holds content; see content.h. */
#include <berth/layout.h>

#include "content/content.h"
#include "util/fault.h"
#include "util/io.h"

#define PIECE (256 * KIB)

struct place {
    content base;
    berth_layout *layout;
};

static berth_layout *layout_of(content *c)
{
    return CONTAINER_OF(c, struct place, base)->layout;
}

static int manifest_get(content *c, const char *reference, berth_manifest **ret, berth_error *err)
{
    return berth_layout_manifest_get(layout_of(c), reference, ret, err);
}

static int manifest_put(content *c, const char *reference, const berth_manifest *m, berth_error *err)
{
    return berth_layout_manifest_put(layout_of(c), reference, m, err);
}

static int referrers(content *c, const char *digest, const char *artifact_type, content_descriptor_fn fn,
                     void *arg, berth_error *err)
{
    return berth_layout_referrers(layout_of(c), digest, artifact_type, fn, arg, err);
}

struct tags {
    berth_tag_fn fn;
    void *arg;
};

static int on_entry(void *arg, const char *name, const berth_descriptor *manifest)
{
    const struct tags *t = arg;
    (void)manifest;
    return name ? t->fn(t->arg, name) : 0;
}

static int tags(content *c, berth_tag_fn fn, void *arg, berth_error *err)
{
    struct tags t = {fn, arg};
    return berth_layout_list(layout_of(c), on_entry, &t, err);
}

static int tag_delete(content *c, const char *tag, bool purge, berth_error *err)
{
    return berth_layout_untag(layout_of(c), tag, purge, err);
}

/* --- blobs --- */

struct getting {
    const content *c;
    berth_sink_fn fn;
    void *arg;
    uint64_t done;
};

static int on_piece(void *arg, const void *p, size_t n)
{
    struct getting *g = arg;
    g->done += n;
    content_tell(g->c, g->done, 0);
    return g->fn(g->arg, p, n);
}

static int blob_get(content *c, const berth_descriptor *blob, berth_sink_fn fn, void *arg, berth_error *err)
{
    struct getting g = {.c = c, .fn = fn, .arg = arg};
    return berth_layout_blob_get(layout_of(c), blob->digest, on_piece, &g, err);
}

static int blob_has(content *c, const char *digest, bool *ret, berth_error *err)
{
    uint64_t size;
    int r = berth_layout_blob_size(layout_of(c), digest, &size, err);
    if (r != BERTH_OK && r != BERTH_E_NOT_FOUND)
        return r;
    *ret = r == BERTH_OK;
    return BERTH_OK;
}

/* A writer that fails says so when it is finished. */
static int copy(const content *c, const struct content_source *from, uint64_t size, berth_layout_writer *w,
                berth_error *err)
{
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(PIECE);
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    for (uint64_t at = 0; at < size;) {
        size_t n = (size_t)MIN(size - at, (uint64_t)PIECE);
        const char *p = from->p ? (const char *)from->p + at : piece;
        int r = from->p ? BERTH_OK : io_pread(from->fd, piece, n, at, &n, err);
        if (r == BERTH_OK && n == 0)
            r = berth_error_set(err, BERTH_E_IO, "it became shorter while it was read");
        if (r != BERTH_OK)
            return r;
        if (berth_layout_writer_add(w, p, n) != 0)
            break;
        at += n;
        content_tell(c, at, 0);
    }
    return berth_layout_writer_finish(w, NULL, err);
}

static int blob_put(content *c, const berth_descriptor *blob, const struct content_source *from,
                    berth_error *err)
{
    berth_layout_writer *w = NULL;
    bool there = false;
    int r = blob_has(c, blob->digest, &there, err);
    if (r != BERTH_OK || there)
        return r;
    r = berth_layout_writer_new(layout_of(c), blob->digest, &w, err);
    if (r == BERTH_OK)
        r = copy(c, from, blob->size, w, err);
    berth_layout_writer_free(w);
    return r;
}

/* --- the place --- */

static void place_free(content *c)
{
    berth_layout_free(layout_of(c));
    mem_free(CONTAINER_OF(c, struct place, base));
}

static const struct content_ops layout_ops = {
    .manifest_get = manifest_get,
    .blob_get = blob_get,
    .blob_has = blob_has,
    .blob_put = blob_put,
    .manifest_put = manifest_put,
    .referrers = referrers,
    .tags = tags,
    .tag_delete = tag_delete,
    .free = place_free,
};

int content_layout_open(const char *path, bool create, content **ret, berth_error *err)
{
    struct place *p = fault_hit() ? NULL : mem_zalloc(1, sizeof(*p));
    if (!p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    p->base.ops = &layout_ops;
    int r = berth_layout_open(path, create, &p->layout, err);
    if (r == BERTH_OK)
        *ret = &p->base;
    else
        mem_free(p);
    return r;
}
