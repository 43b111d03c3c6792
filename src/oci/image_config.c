/* oci/image_config.c - image configs as callers of the library see them; see berth/config.h. */
#include "oci/image.h"
#include "util/fault.h"

/* What the caller holds is its first member. */
struct document {
    berth_config c;
    berth_arena arena; /* of all that @c points to */
};

/* What a container of it runs (image-spec, config.md "config"). */
static int read_run(const json_t *root, struct document *doc, berth_error *err)
{
    berth_config *c = &doc->c;
    berth_arena *a = &doc->arena;
    json_t *run = NULL;
    int r = oci_json_get(root, "config", JSON_OBJECT, &run, err);
    if (r != BERTH_OK || !run)
        return r;
    r = oci_json_copy_text(run, "User", a, &c->user, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(run, "WorkingDir", a, &c->working_dir, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(run, "StopSignal", a, &c->stop_signal, err);
    if (r == BERTH_OK)
        r = oci_json_copy_texts(run, "Env", a, &c->env, &c->n_env, err);
    if (r == BERTH_OK)
        r = oci_json_copy_texts(run, "Entrypoint", a, &c->entrypoint, &c->n_entrypoint, err);
    if (r == BERTH_OK)
        r = oci_json_copy_texts(run, "Cmd", a, &c->cmd, &c->n_cmd, err);
    if (r == BERTH_OK)
        r = oci_json_copy_keys(run, "ExposedPorts", a, &c->exposed_ports, &c->n_exposed_ports, err);
    if (r == BERTH_OK)
        r = oci_json_copy_keys(run, "Volumes", a, &c->volumes, &c->n_volumes, err);
    return r == BERTH_OK ? oci_json_copy_pairs(run, "Labels", a, &c->labels, &c->n_labels, err) : r;
}

static int read_step(const json_t *j, berth_arena *a, berth_history *ret, berth_error *err)
{
    if (!json_is_object(j))
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "'history' must hold objects");
    int r = oci_json_copy_text(j, "created", a, &ret->created, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(j, "author", a, &ret->author, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(j, "created_by", a, &ret->created_by, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(j, "comment", a, &ret->comment, err);
    ret->empty_layer = json_is_true(json_object_get(j, "empty_layer"));
    return r;
}

static int read_history(const json_t *root, struct document *doc, berth_error *err)
{
    json_t *array = NULL;
    int r = oci_json_get(root, "history", JSON_ARRAY, &array, err);
    size_t n = json_array_size(array);
    if (r != BERTH_OK || n == 0)
        return r;
    berth_history *steps = berth_arena_alloc(&doc->arena, n * sizeof(*steps));
    if (!steps)
        return no_memory(err);
    for (size_t i = 0; r == BERTH_OK && i < n; i++)
        r = read_step(json_array_get(array, i), &doc->arena, &steps[i], err);
    doc->c.history = steps;
    doc->c.n_history = n;
    return r;
}

static int read_fields(const json_t *root, struct document *doc, berth_error *err)
{
    berth_config *c = &doc->c;
    berth_arena *a = &doc->arena;
    json_t *rootfs = NULL;
    int r = oci_json_copy_text(root, "created", a, &c->created, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(root, "author", a, &c->author, err);
    if (r == BERTH_OK)
        r = oci_image_platform(root, a, &c->platform, err);
    if (r == BERTH_OK)
        r = read_run(root, doc, err);
    if (r == BERTH_OK)
        r = oci_json_get(root, "rootfs", JSON_OBJECT, &rootfs, err);
    if (r == BERTH_OK && rootfs)
        r = oci_json_copy_texts(rootfs, "diff_ids", a, &c->diff_ids, &c->n_diff_ids, err);
    return r == BERTH_OK ? read_history(root, doc, err) : r;
}

int berth_config_parse(const void *p, size_t n, berth_config **ret_config, berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *root = NULL;
    int r = oci_manifest_load(p, n, &root, err);
    if (r != BERTH_OK)
        return r;
    struct document *doc = fault_hit() ? NULL : mem_zalloc(1, sizeof(*doc));
    if (!doc)
        return no_memory(err);
    r = oci_image_keep(p, n, &doc->arena, &doc->c.digest, &doc->c.data, err);
    doc->c.size = n;
    if (r == BERTH_OK)
        r = read_fields(root, doc, err);
    if (r != BERTH_OK) {
        berth_config_free(&doc->c);
        return r;
    }
    *ret_config = &doc->c;
    return BERTH_OK;
}

void berth_config_free(berth_config *config)
{
    if (!config)
        return;
    struct document *doc = CONTAINER_OF(config, struct document, c);
    berth_arena_done(&doc->arena);
    mem_free(doc);
}

int berth_config_validate(const berth_config *config, berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *root = NULL;
    berth_error local = BERTH_ERROR_INIT;
    if (!err) /* prefixes are put before what is there */
        err = &local;
    int r = oci_manifest_load(config->data, config->size, &root, err);
    return r == BERTH_OK ? oci_schema_check_config(root, err) : r;
}

const char *berth_config_label(const berth_config *config, const char *key)
{
    for (size_t i = 0; i < config->n_labels; i++)
        if (strcmp(config->labels[i].key, key) == 0)
            return config->labels[i].value;
    return NULL;
}
