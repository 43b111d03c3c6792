/* content/content.h - a place that holds manifests and blobs: a repository of a registry, or an image layout
 * on the disk. Who works on images asks one of these, and need not know which.
 *
 * Places belong to one thread at a time. What comes out of them agrees with its digest. */
#ifndef CONTENT_CONTENT_H
#define CONTENT_CONTENT_H

#include <berth/client.h>
#include <berth/manifest.h>

#include "util/str.h"

/* Where the bytes of a blob come from: memory, or a regular file from its beginning. */
struct content_source {
    const void *p; /* NULL: @fd */
    int fd;
};

/* One descriptor, valid for the time of the call. Another answer than 0 ends the listing with
 * BERTH_E_CANCELLED. */
typedef int (*content_descriptor_fn)(void *arg, const berth_descriptor *d);

typedef struct content content;
struct content_flight; /* a blob on its way */

struct content_ops {
    /* By a tag or a digest. NULL: the only one there is, where that makes sense. BERTH_E_NOT_FOUND. */
    int (*manifest_get)(content *c, const char *reference, berth_manifest **ret, berth_error *err);
    /* What @fn was given is not to be trusted before this returns BERTH_OK. BERTH_E_NOT_FOUND,
     * BERTH_E_DIGEST; BERTH_E_CANCELLED when @fn answered other than 0. */
    int (*blob_get)(content *c, const berth_descriptor *blob, berth_sink_fn fn, void *arg, berth_error *err);
    int (*blob_has)(content *c, const char *digest, bool *ret, berth_error *err);
    int (*blob_put)(content *c, const berth_descriptor *blob, const struct content_source *from,
                    berth_error *err);
    /* Has it here without moving a byte, where that is another such place of the same host and can be done:
     * *@ret. NULL: it never can. */
    int (*blob_mount)(content *c, content *from, const char *digest, bool *ret, berth_error *err);
    /* Under a tag; under its digest as a root of its own when @reference is that; NULL: as part of another.
     */
    int (*manifest_put)(content *c, const char *reference, const berth_manifest *m, berth_error *err);
    /* Manifests whose subject is @digest; @artifact_type NULL: of any type. */
    int (*referrers)(content *c, const char *digest, const char *artifact_type, content_descriptor_fn fn,
                     void *arg, berth_error *err);
    int (*tags)(content *c, berth_tag_fn fn, void *arg, berth_error *err);
    /* What it points at stays, unless @purge: then that goes with every tag on it. BERTH_E_NOT_FOUND. */
    int (*tag_delete)(content *c, const char *tag, bool purge, berth_error *err);
    /* For several blobs at once; all NULL where that is no gain. A flight is ended by land(), which says how
     * it went, or by drop(). Until then source and functions are lent; those are called while others land. */
    int (*blob_get_start)(content *c, const berth_descriptor *blob, berth_sink_fn fn, void *arg,
                          struct content_flight **ret, berth_error *err);
    /* The same into a regular file, by the place's own means; NULL where it has none. It goes on with what
     * the file holds, which another flight may have left there; none that failed for good leaves anything. */
    int (*blob_get_fd_start)(content *c, const berth_descriptor *blob, int fd, struct content_flight **ret,
                             berth_error *err);
    int (*blob_put_start)(content *c, const berth_descriptor *blob, const struct content_source *from,
                          struct content_flight **ret, berth_error *err);
    int (*land)(struct content_flight *f, berth_error *err);
    void (*drop)(struct content_flight *f);
    void (*free)(content *c);
};

struct content { /* each place embeds this first */
    const struct content_ops *ops;
    /* How many bytes of the blob that is put or got are over so far, and how many of them were there already;
     * NULL: nobody asks. A flight keeps what stood here when it began. */
    void (*progress)(void *arg, uint64_t bytes, uint64_t found);
    void *progress_arg;
    unsigned ranges; /* of blob_get_fd_start(), as in berth_get_options */
    uint64_t ranges_from;
};

static inline void content_tell(const content *c, uint64_t bytes, uint64_t found)
{
    if (c->progress)
        c->progress(c->progress_arg, bytes, found);
}

/* A place without flights does it at once: *@ret is NULL then, and to be landed all the same. */
static inline int content_get_start(content *c, const berth_descriptor *blob, berth_sink_fn fn, void *arg,
                                    struct content_flight **ret, berth_error *err)
{
    *ret = NULL;
    return c->ops->blob_get_start ? c->ops->blob_get_start(c, blob, fn, arg, ret, err)
                                  : c->ops->blob_get(c, blob, fn, arg, err);
}

static inline int content_put_start(content *c, const berth_descriptor *blob,
                                    const struct content_source *from, struct content_flight **ret,
                                    berth_error *err)
{
    *ret = NULL;
    return c->ops->blob_put_start ? c->ops->blob_put_start(c, blob, from, ret, err)
                                  : c->ops->blob_put(c, blob, from, err);
}

static inline int content_land(const content *c, struct content_flight *f, berth_error *err)
{
    return f ? c->ops->land(f, err) : BERTH_OK;
}

static inline void content_drop(const content *c, struct content_flight *f)
{
    if (f)
        c->ops->drop(f);
}

static inline void content_free(content *c)
{
    if (c)
        c->ops->free(c);
}

/* An image layout; with @create it is made where there is none. BERTH_E_NOT_FOUND. */
int content_layout_open(const char *path, bool create, content **ret, berth_error *err);

#endif
