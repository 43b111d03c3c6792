/* tests/fuzz/image_manifest.c - the first byte chooses what was announced, the rest is a manifest as a client
 * reads it: every field, whether it is valid, edited and printed again. */
#include <berth/manifest.h>

#include "fuzz.h"
#include "util/str.h"

static size_t entries(const berth_manifest *m)
{
    return m->kind == BERTH_KIND_INDEX ? m->n_manifests : m->n_layers;
}

static void check_descriptors(const berth_manifest *m)
{
    const berth_descriptor *d = m->kind == BERTH_KIND_INDEX ? m->manifests : m->layers;
    char text[64];
    for (size_t i = 0; i < entries(m); i++) {
        require(d[i].digest && (d[i].media_type || m->schema1));
        require(d[i].size <= INT64_MAX || d[i].size == BERTH_SIZE_UNKNOWN);
        if (d[i].platform) {
            berth_platform_print(d[i].platform, text, sizeof(text));
            require(berth_platform_matches(d[i].platform, d[i].platform));
            require(m->kind != BERTH_KIND_INDEX || berth_manifest_for_platform(m, d[i].platform));
        }
    }
}

/* What a builder prints is what it was given. */
static void check_edited(const berth_manifest *m)
{
    berth_builder *b = NULL;
    berth_manifest *again = NULL;
    if (berth_builder_from(m, &b, NULL) != BERTH_OK) {
        require(m->kind == BERTH_KIND_SCHEMA1);
        return;
    }
    int r = berth_builder_finish(b, &again, NULL);
    require(r == BERTH_OK);
    require(again->kind == m->kind && strcmp(again->media_type, m->media_type) == 0);
    require(entries(again) == entries(m) && again->n_annotations == m->n_annotations);
    require(!again->subject == !m->subject);
    require(berth_builder_remove(b, NULL, NULL) == entries(m));
    berth_manifest_free(again);
    berth_builder_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {NULL,
                                        BERTH_TYPE_OCI_MANIFEST,
                                        BERTH_TYPE_OCI_INDEX,
                                        BERTH_TYPE_DOCKER_LIST,
                                        BERTH_TYPE_DOCKER_MANIFEST,
                                        "application/json"};
    if (size == 0)
        return 0;
    berth_manifest *m = NULL;
    berth_error err = BERTH_ERROR_INIT;
    int r = berth_manifest_parse(data + 1, size - 1, types[data[0] % COUNT(types)], &m, &err);
    if (r != BERTH_OK) {
        require(r == BERTH_E_INVALID && err.message[0] && !m);
        return 0;
    }
    require(m->size == size - 1 && memcmp(m->data, data + 1, m->size) == 0);
    require(berth_media_type_kind(m->media_type) == m->kind && m->kind != BERTH_KIND_NONE);
    check_descriptors(m);
    check_edited(m);
    berth_manifest_validate(m, &err);
    berth_manifest_free(m);
    return 0;
}
