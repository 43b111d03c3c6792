/* bench/push_manifests.c - pushing small images (config, layer, manifest by tag) and tags (a manifest alone,
 * whose blob "{}" is in the repository already). Every manifest is unique. */
#include "modes.h"

#include <stdio.h>

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define CONFIG_TYPE   "application/vnd.oci.image.config.v1+json"
#define LAYER_TYPE    "application/vnd.oci.image.layer.v1.tar+gzip"
#define EMPTY_TYPE    "application/vnd.oci.empty.v1+json"
#define EMPTY_DIGEST  "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define CONFIG_SIZE   512

enum { IMAGE_CONFIG, IMAGE_LAYER, IMAGE_BLOBS };

struct image {
    struct push_blob blobs[IMAGE_BLOBS];
    unsigned at; /* the blob being pushed; IMAGE_BLOBS: the manifest */
};

static void put_manifest(const struct load *l, struct load_client *c, const char *text, size_t n)
{
    char repository[256], path[512];
    push_repository(l, c->operation, repository, sizeof(repository));
    snprintf(path, sizeof(path), "/v2/%s/manifests/t%016llx-%llu", repository, (unsigned long long)l->seed,
             (unsigned long long)c->operation);
    load_head(l, c, "PUT", path, MANIFEST_TYPE, n);
    load_add(c, "%.*s", (int)n, text);
}

static void image_request(struct load *l, struct load_client *c)
{
    struct image *image = c->state;
    char repository[256], text[1024];
    push_repository(l, c->operation, repository, sizeof(repository));
    if (c->step++ == 0) {
        image->at = IMAGE_CONFIG;
        push_blob_begin(l, &image->blobs[IMAGE_CONFIG], 2 * c->operation, CONFIG_SIZE);
        push_blob_begin(l, &image->blobs[IMAGE_LAYER], 2 * c->operation + 1, l->o->size);
    }
    if (image->at < IMAGE_BLOBS) {
        push_blob_request(l, c, &image->blobs[image->at], repository);
        return;
    }
    int n = snprintf(text, sizeof(text),
                     "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE
                     "\",\"config\":{\"mediaType\":\"" CONFIG_TYPE
                     "\",\"digest\":\"%s\",\"size\":%d},\"layers\":[{\"mediaType\":\"" LAYER_TYPE
                     "\",\"digest\":\"%s\",\"size\":%llu}]}",
                     image->blobs[IMAGE_CONFIG].digest, CONFIG_SIZE, image->blobs[IMAGE_LAYER].digest,
                     (unsigned long long)l->o->size);
    put_manifest(l, c, text, (size_t)n);
}

static enum load_verdict image_answer(struct load *l, struct load_client *c)
{
    struct image *image = c->state;
    if (image->at == IMAGE_BLOBS)
        return c->status == 201 ? LOAD_DONE : LOAD_FAILED;
    enum load_verdict v = push_blob_answer(l, c, &image->blobs[image->at]);
    if (v != LOAD_DONE)
        return v;
    image->at++;
    return LOAD_MORE;
}

static void tag_request(struct load *l, struct load_client *c)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE
                     "\",\"config\":{\"mediaType\":\"" EMPTY_TYPE "\",\"digest\":\"" EMPTY_DIGEST
                     "\",\"size\":2},\"layers\":[{\"mediaType\":\"" EMPTY_TYPE "\",\"digest\":\"" EMPTY_DIGEST
                     "\",\"size\":2}],\"annotations\":{\"n\":\"%llx-%llu\"}}",
                     (unsigned long long)l->seed, (unsigned long long)c->operation);
    put_manifest(l, c, text, (size_t)n);
}

static enum load_verdict tag_answer(struct load *l, struct load_client *c)
{
    (void)l;
    return c->status == 201 ? LOAD_DONE : LOAD_FAILED;
}

const struct load_ops mode_push_images = {.name = "push-images",
                                          .state_size = sizeof(struct image),
                                          .needs_pattern = true,
                                          .request = image_request,
                                          .answer = image_answer};
const struct load_ops mode_push_tags = {.name = "push-tags", .request = tag_request, .answer = tag_answer};
