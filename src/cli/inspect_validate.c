/* cli/inspect_validate.c - reads an image whole and compares it with all that it says of itself: schemas,
 * sizes, digests of the blobs, digests of the layers unpacked, platforms. */
#include <stdio.h>

#include "cli/inspect.h"
#include "oci/digest.h"
#include "util/compress.h"

#define CONFIG_MAX (8 * MIB)

struct validating {
    const struct place *p;
    json_t *problems;
    json_t *told; /* a set: what several images share is read, and told of, once */
};

/* False: @key is in the set already. */
static bool is_new(const struct validating *v, const char *key)
{
    return !json_object_get(v->told, key) && json_object_set_new(v->told, key, json_true()) == 0;
}

static void say(const struct validating *v, const char *of, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(const struct validating *v, const char *of, const char *fmt, ...)
{
    char why[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    json_t *problem = json_sprintf("%s: %s", of, why);
    if (is_new(v, json_string_value(problem)))
        json_array_append(v->problems, problem);
    json_decref(problem);
}

/* Whether a failure is the content's fault, and was told, or ends the checking. */
static int told(const struct validating *v, const char *of, const berth_error *err)
{
    switch (err->code) {
    case BERTH_E_DIGEST:
    case BERTH_E_NOT_FOUND:
    case BERTH_E_INVALID:
    case BERTH_E_CORRUPT:
    case BERTH_E_TOO_BIG:
        say(v, of, "%s", err->message);
        return BERTH_OK;
    default:
        return err->code;
    }
}

/* --- layers --- */

struct layer {
    struct inflater *in;
    berth_hash unpacked;
    uint64_t size;
    berth_error err; /* of unpacking */
};

static int hash_unpacked(void *arg, const void *p, size_t n, berth_error *err)
{
    struct layer *l = arg;
    (void)err;
    hash_update(&l->unpacked, p, n);
    return BERTH_OK;
}

/* The bytes go on being hashed by who gives them, whether they can be unpacked or not. */
static int on_piece(void *arg, const void *p, size_t n)
{
    struct layer *l = arg;
    l->size += n;
    if (l->err.code == BERTH_OK)
        inflater_write(l->in, p, n, &l->err);
    return 0;
}

static void check_layer(const struct validating *v, const berth_descriptor *d, struct layer *l,
                        const char *diff_id)
{
    berth_digest have;
    if (l->size != d->size)
        say(v, d->digest, "the layer has %llu bytes, not the %llu that its descriptor says",
            (unsigned long long)l->size, (unsigned long long)d->size);
    if (l->err.code == BERTH_OK)
        inflater_end(l->in, &l->err);
    if (l->err.code != BERTH_OK) {
        say(v, d->digest, "the layer can't be unpacked: %s", l->err.message);
        return;
    }
    digest_from_hash(&l->unpacked, &have);
    if (diff_id && strcmp(have.text, diff_id) != 0)
        say(v, d->digest, "unpacked, the layer has the digest %s, and the config says %.80s", have.text,
            diff_id);
}

/* @diff_id NULL: nothing says what it unpacks to. */
static int validate_blob(const struct validating *v, const berth_descriptor *d, const char *diff_id,
                         berth_error *err)
{
    struct layer l = {.err = BERTH_ERROR_INIT};
    berth_digest want;
    CLEANUP(berth_buf_done) berth_buf key = BERTH_BUF_INIT(MIB);
    berth_buf_addf(&key, "%s %llu %s", d->digest, (unsigned long long)d->size, diff_id ? diff_id : "");
    if (d->n_urls || !is_new(v, berth_buf_cstr(&key))) /* it lives elsewhere, or was looked at */
        return BERTH_OK;
    bool known = diff_id && digest_parse(str_from(diff_id), &want, NULL) == BERTH_OK;
    hash_init(&l.unpacked, known ? (enum hash_algorithm)want.algorithm : HASH_SHA256);
    int r = inflater_new(hash_unpacked, &l, &l.in, err);
    if (r != BERTH_OK)
        return r;
    r = v->p->c->ops->blob_get(v->p->c, d, on_piece, &l, err);
    if (r == BERTH_OK && diff_id)
        check_layer(v, d, &l, diff_id);
    inflater_free(l.in);
    return r == BERTH_OK ? r : told(v, d->digest, err);
}

/* --- images --- */

static bool is_image_config(const char *type)
{
    return strcmp(type, BERTH_TYPE_OCI_CONFIG) == 0 || strcmp(type, BERTH_TYPE_DOCKER_CONFIG) == 0;
}

static void check_config(const struct validating *v, const berth_manifest *m, const berth_config *c,
                         const berth_platform *listed)
{
    berth_error why = BERTH_ERROR_INIT;
    if (berth_config_validate(c, &why) != BERTH_OK)
        say(v, m->config->digest, "the config is not valid: %s", why.message);
    if (c->n_diff_ids != m->n_layers)
        say(v, m->digest, "layers: %zu, and its config names %zu", m->n_layers, c->n_diff_ids);
    size_t made = 0;
    for (size_t i = 0; i < c->n_history; i++)
        made += !c->history[i].empty_layer;
    if (c->n_history && made != c->n_diff_ids)
        say(v, m->config->digest, "its history made %zu layers, not %zu", made, c->n_diff_ids);
    if (listed && c->platform && !berth_platform_matches(c->platform, listed)) {
        char says[128], lists[128];
        berth_platform_print(c->platform, says, sizeof(says));
        berth_platform_print(listed, lists, sizeof(lists));
        say(v, m->digest, "the index lists it for %s, its config is for %s", lists, says);
    }
}

static int validate_image(const struct validating *v, const berth_manifest *m, const berth_platform *listed,
                          berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf bytes = BERTH_BUF_INIT(CONFIG_MAX);
    berth_config *c = NULL;
    int r = place_blob(v->p, m->config, CONFIG_MAX, &bytes, err);
    if (r == BERTH_OK && bytes.n != m->config->size)
        say(v, m->config->digest, "the config has %zu bytes, not the %llu that its descriptor says", bytes.n,
            (unsigned long long)m->config->size);
    if (r == BERTH_OK && is_image_config(m->config->media_type))
        r = berth_config_parse(bytes.p, bytes.n, &c, err);
    if (r != BERTH_OK && (r = told(v, m->config->digest, err)) != BERTH_OK)
        return r;
    if (c)
        check_config(v, m, c, listed);
    for (size_t i = 0; r == BERTH_OK && i < m->n_layers; i++)
        r = validate_blob(v, &m->layers[i], c && i < c->n_diff_ids ? c->diff_ids[i] : NULL, err);
    berth_config_free(c);
    return r;
}

static int validate(const struct validating *v, const berth_manifest *m, const berth_platform *listed,
                    int depth, berth_error *err)
{
    berth_error why = BERTH_ERROR_INIT;
    int r = BERTH_OK;
    if (depth > PLACE_NESTING_MAX) {
        say(v, m->digest, "its indexes are nested too deeply");
        return BERTH_OK;
    }
    if (m->kind == BERTH_KIND_SCHEMA1)
        return berth_error_set(err, BERTH_E_UNSUPPORTED, "Docker's schema 1 has nothing to validate it by");
    if (berth_manifest_validate(m, &why) != BERTH_OK)
        say(v, m->digest, "%s", why.message);
    if (m->kind == BERTH_KIND_IMAGE)
        return validate_image(v, m, listed, err);
    for (size_t i = 0; r == BERTH_OK && i < m->n_manifests; i++) {
        const berth_descriptor *d = &m->manifests[i];
        berth_manifest *child = NULL;
        if (berth_media_type_kind(d->media_type) == BERTH_KIND_NONE) {
            r = validate_blob(v, d, NULL, err);
            continue;
        }
        r = v->p->c->ops->manifest_get(v->p->c, d->digest, &child, err);
        if (r != BERTH_OK && (r = told(v, d->digest, err)) != BERTH_OK)
            break;
        if (child && child->size != d->size)
            say(v, d->digest, "it has %zu bytes, not the %llu that the index says", child->size,
                (unsigned long long)d->size);
        if (child)
            r = validate(v, child, d->platform, depth + 1, err);
        berth_manifest_free(child);
    }
    return r;
}

int inspect_validate(const struct place *p, const berth_manifest *m, json_t *problems, berth_error *err)
{
    const struct validating v = {.p = p, .problems = problems, .told = json_object()};
    int r = v.told ? validate(&v, m, NULL, 0, err) : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    json_decref(v.told);
    return r;
}
