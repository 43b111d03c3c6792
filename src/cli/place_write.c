/* cli/place_write.c - what the commands share that make images and bring them to a place; see place.h. */
#include "cli/place.h"

#include <stdio.h>

/* --- copying --- */

/* Each byte moves twice: it is read, and written. */
struct moving {
    struct progress_item *item;
    uint64_t before;
};

static void on_moved(void *arg, uint64_t bytes, uint64_t found)
{
    (void)found; /* what is there is not moved */
    struct moving *m = arg;
    progress_at(m->item, m->before + bytes);
}

static void watch(content *c, struct moving *m)
{
    c->progress = m ? on_moved : NULL;
    c->progress_arg = m;
}

static int move_blob(const struct place *from, const struct place *to, const berth_descriptor *d,
                     struct progress *progress, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    char label[20]; /* "sha256:" and 12 digits: the rest of the line has more to say */
    snprintf(label, sizeof(label), "%s", d->digest);
    struct moving m = {.item = progress_add(progress, label, 2 * d->size)};
    watch(from->c, &m);
    int r = place_blob_file(from, d, &fd, err);
    watch(from->c, NULL);
    if (r != BERTH_OK)
        return berth_error_prefix(err, "reading from %s", from->name);
    m.before = d->size;
    watch(to->c, &m);
    r = to->c->ops->blob_put(to->c, d, &(struct content_source){.fd = fd}, err);
    watch(to->c, NULL);
    progress_end(m.item);
    return r;
}

static int copy_blob(const struct place *from, const struct place *to, const berth_descriptor *d,
                     struct progress *progress, berth_error *err)
{
    bool there = false;
    int r = BERTH_OK;
    if (to->c->ops->blob_mount)
        r = to->c->ops->blob_mount(to->c, from->c, d->digest, &there, err);
    if (r == BERTH_OK && !there)
        r = to->c->ops->blob_has(to->c, d->digest, &there, err);
    return r != BERTH_OK || there ? r : move_blob(from, to, d, progress, err);
}

static int copy_manifest(const struct place *from, const struct place *to, const berth_manifest *m,
                         const char *reference, int depth, struct progress *progress, berth_error *err)
{
    int r = BERTH_OK;
    if (depth > PLACE_NESTING_MAX)
        return berth_error_set(err, BERTH_E_INVALID, "its indexes are nested too deeply");
    if (m->kind == BERTH_KIND_SCHEMA1)
        return berth_error_set(err, BERTH_E_UNSUPPORTED, "Docker's schema 1 is not copied");
    for (size_t i = 0; r == BERTH_OK && i < m->n_manifests; i++) {
        berth_manifest *child = NULL;
        r = from->c->ops->manifest_get(from->c, m->manifests[i].digest, &child, err);
        if (r == BERTH_OK)
            r = copy_manifest(from, to, child, NULL, depth + 1, progress, err);
        berth_manifest_free(child);
    }
    if (r == BERTH_OK && m->config)
        r = copy_blob(from, to, m->config, progress, err);
    for (size_t i = 0; r == BERTH_OK && i < m->n_layers; i++)
        if (m->layers[i].n_urls == 0) /* what lives elsewhere stays there */
            r = copy_blob(from, to, &m->layers[i], progress, err);
    return r == BERTH_OK ? to->c->ops->manifest_put(to->c, reference, m, err) : r;
}

int place_copy(const struct place *from, const struct place *to, const berth_manifest *m,
               const char *reference, struct progress *progress, berth_error *err)
{
    return copy_manifest(from, to, m, reference, 0, progress, err);
}

/* --- what is built --- */

/* "key=value" at its first '='. */
static int split(berth_arena *arena, const char *text, const char **ret_key, const char **ret_value,
                 berth_error *err)
{
    berth_str key, value;
    if (!str_cut(str_from(text), '=', &key, &value) || key.n == 0)
        return berth_error_set(err, BERTH_E_INVALID, "'%.100s' is not KEY=VALUE", text);
    *ret_key = berth_arena_dup(arena, key);
    *ret_value = berth_arena_dup(arena, value);
    return *ret_key && *ret_value ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

int place_annotate(berth_builder *b, const struct cli_words *words, bool removes, berth_arena *arena,
                   berth_error *err)
{
    int r = BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < words->n; i++) {
        const char *key = NULL, *value = NULL;
        r = split(arena, words->p[i], &key, &value, err);
        if (r == BERTH_OK)
            r = berth_builder_set_annotation(b, key, *value || !removes ? value : NULL, err);
    }
    return r;
}

int place_set_subject(const struct place *p, const char *reference, const char *platform, berth_builder *b,
                      berth_error *err)
{
    berth_manifest *m = NULL, *image = NULL;
    berth_descriptor d;
    int r = p->c->ops->manifest_get(p->c, reference, &m, err);
    if (r == BERTH_OK && platform)
        r = place_image(p, m, platform, &image, err);
    if (r == BERTH_OK) {
        berth_manifest_describe(image ? image : m, &d);
        d.artifact_type = NULL;
        r = berth_builder_set_subject(b, &d, err);
    }
    berth_manifest_free(image);
    berth_manifest_free(m);
    return r;
}

int place_put(const struct place *to, const char *reference, const struct cli_words *tags,
              const berth_manifest *m, berth_error *err)
{
    int r = to->c->ops->manifest_put(to->c, reference, m, err);
    for (size_t i = 0; r == BERTH_OK && i < tags->n; i++)
        r = to->c->ops->manifest_put(to->c, tags->p[i], m, err);
    return r;
}
