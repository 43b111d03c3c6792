/* cli/inspect_sizes.c - how large images are, and what of it they have in common: sets of digests. */
#include "cli/inspect.h"

static int add(json_t *set, const char *digest, uint64_t size, berth_error *err)
{
    if (size == BERTH_SIZE_UNKNOWN)
        size = 0;
    return json_object_set_new(set, digest, json_integer((json_int_t)size)) == 0
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int collect(const struct place *p, const berth_manifest *m, json_t *set, int depth, berth_error *err)
{
    int r = depth > PLACE_NESTING_MAX
                ? berth_error_set(err, BERTH_E_INVALID, "its indexes are nested too deeply")
                : add(set, m->digest, m->size, err);
    if (r == BERTH_OK && m->config)
        r = add(set, m->config->digest, m->config->size, err);
    for (size_t i = 0; r == BERTH_OK && i < m->n_layers; i++)
        r = add(set, m->layers[i].digest, m->layers[i].size, err);
    for (size_t i = 0; r == BERTH_OK && i < m->n_manifests; i++) {
        berth_manifest *child = NULL;
        if (berth_media_type_kind(m->manifests[i].media_type) == BERTH_KIND_NONE) {
            r = add(set, m->manifests[i].digest, m->manifests[i].size, err);
            continue;
        }
        r = p->c->ops->manifest_get(p->c, m->manifests[i].digest, &child, err);
        if (r == BERTH_OK)
            r = collect(p, child, set, depth + 1, err);
        berth_manifest_free(child);
    }
    return r;
}

int inspect_collect(const struct place *p, const berth_manifest *m, json_t *set, berth_error *err)
{
    return collect(p, m, set, 0, err);
}

uint64_t inspect_total(const json_t *set)
{
    uint64_t total = 0;
    const char *digest;
    json_t *size;
    json_object_foreach((json_t *)(uintptr_t)set, digest, size)
    {
        (void)digest;
        total += (uint64_t)json_integer_value(size);
    }
    return total;
}

uint64_t inspect_shared(const json_t *a, const json_t *b)
{
    uint64_t total = 0;
    const char *digest;
    json_t *size;
    json_object_foreach((json_t *)(uintptr_t)a, digest, size) if (json_object_get(b, digest)) total +=
        (uint64_t)json_integer_value(size);
    return total;
}
