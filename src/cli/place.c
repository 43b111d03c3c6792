/* cli/place.c - see place.h. */
#include "cli/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "client/content.h"
#include "util/io.h"

#define CONFIG_MAX (8 * MIB)
#define SHOWN_MAX  600 /* bytes of a list of platforms in a message */

/* --- opening --- */

static int open_layout(struct remote *r, const char *path, const char *reference, bool create,
                       struct place *ret, berth_error *err)
{
    ret->reference = reference;
    ret->name = berth_arena_printf(&r->base.arena, "oci:%s", path);
    return ret->name ? content_layout_open(path, create, &ret->c, err)
                     : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int open_registry(struct remote *r, berth_client *client, const berth_ref *ref, struct place *ret,
                         berth_error *err)
{
    ret->reference = ref->tag;
    ret->name = berth_arena_printf(&r->base.arena, "%s", ref->without_tag);
    return ret->name ? content_registry_open(client, ref->repository, &ret->c, err)
                     : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

int place_open_first(struct remote *r, bool create, struct place *ret, berth_error *err)
{
    return r->layout ? open_layout(r, r->layout, r->reference, create, ret, err)
                     : open_registry(r, r->client, &r->ref, ret, err);
}

int place_open(struct remote *r, const char *text, bool create, struct place *ret, berth_error *err)
{
    const char *path, *tag, *reference;
    if (remote_parse_layout(text, &r->base.arena, &path, &tag, &reference))
        return open_layout(r, path, reference, create, ret, err);
    int rc = remote_parse(text, CLI_OPERAND_REFERENCE, &ret->ref, err);
    if (rc != BERTH_OK)
        return strstr(err->message, text) ? rc : berth_error_prefix(err, "'%s'", text);
    bool same = r->client && r->host && strcmp(r->host, ret->ref.netloc) == 0;
    if (!same)
        rc = remote_client(r, ret->ref.netloc, &ret->client, err);
    return rc == BERTH_OK ? open_registry(r, same ? r->client : ret->client, &ret->ref, ret, err) : rc;
}

void place_done(struct place *p)
{
    content_free(p->c);
    berth_client_free(p->client);
    berth_ref_done(&p->ref);
}

/* --- images --- */

/* Docker's and Go's names of what the kernel calls itself. berth_platform_matches() knows the rest. */
static int this_machine(berth_platform **ret, berth_error *err)
{
    struct utsname u;
    char text[sizeof(u.machine) + 16];
    if (uname(&u) < 0)
        return berth_error_set(err, BERTH_E_IO, "asking for this machine's name: %s", strerror(errno));
    bool arm = strncmp(u.machine, "armv", 4) == 0;
    snprintf(text, sizeof(text), "linux/%s", arm ? (u.machine[4] == '6' ? "armel" : "armhf") : u.machine);
    return berth_platform_parse(text, ret, err);
}

/* Nothing in a stranger's text shall act on a terminal. */
static void mask(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
            p[i] = '?';
}

static int no_such_platform(const berth_manifest *m, const berth_platform *want, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf have = BERTH_BUF_INIT(SHOWN_MAX);
    char text[128], wanted[128];
    for (size_t i = 0; i < m->n_manifests; i++)
        if (m->manifests[i].platform &&
            strcmp(m->manifests[i].platform->os ? m->manifests[i].platform->os : "", "unknown") != 0) {
            berth_platform_print(m->manifests[i].platform, text, sizeof(text));
            berth_buf_addf(&have, "%s%s", have.n ? ", " : "", text);
        }
    berth_platform_print(want, wanted, sizeof(wanted));
    mask(have.p, have.n);
    return berth_error_set(err, BERTH_E_NOT_FOUND, "the index has no image for %s (it has: %.*s)", wanted,
                           (int)MIN(have.n, (size_t)120), have.p ? have.p : "none that says");
}

static int choose(const berth_manifest *index, const char *platform, const berth_descriptor **ret,
                  berth_error *err)
{
    berth_platform *want = NULL;
    if (!platform && index->n_manifests == 1) {
        *ret = &index->manifests[0];
        return BERTH_OK;
    }
    int r = platform ? berth_platform_parse(platform, &want, err) : this_machine(&want, err);
    if (r != BERTH_OK)
        return r;
    *ret = berth_manifest_for_platform(index, want);
    if (!*ret)
        r = no_such_platform(index, want, err);
    berth_platform_free(want);
    return r;
}

/* One that is no part of an index has to be for @platform, too. */
static int check_platform(const struct place *p, const berth_manifest *image, const char *platform,
                          berth_error *err)
{
    berth_platform *want = NULL;
    berth_config *config = NULL;
    char have[128] = "a platform that it does not name", wanted[128];
    int r = berth_platform_parse(platform, &want, err);
    if (r == BERTH_OK)
        r = place_config(p, image, &config, err);
    if (r == BERTH_OK && !(config->platform && berth_platform_matches(config->platform, want))) {
        if (config->platform)
            berth_platform_print(config->platform, have, sizeof(have));
        mask(have, strlen(have));
        berth_platform_print(want, wanted, sizeof(wanted));
        r = berth_error_set(err, BERTH_E_NOT_FOUND, "it is a single image, for %s and not for %s", have,
                            wanted);
    }
    berth_config_free(config);
    berth_platform_free(want);
    return r;
}

int place_image(const struct place *p, const berth_manifest *m, const char *platform, berth_manifest **ret,
                berth_error *err)
{
    const berth_manifest *at = m;
    berth_manifest *owned = NULL;
    int r = platform && m->kind != BERTH_KIND_INDEX ? check_platform(p, m, platform, err) : BERTH_OK;
    for (int depth = 0; r == BERTH_OK && (at->kind == BERTH_KIND_INDEX || at == m); depth++) {
        const berth_descriptor *d = NULL;
        berth_manifest *next = NULL;
        if (at->kind != BERTH_KIND_INDEX) /* the caller gets one of its own in any case */
            r = berth_manifest_parse(at->data, at->size, at->media_type, &next, err);
        else if (depth >= PLACE_NESTING_MAX)
            r = berth_error_set(err, BERTH_E_INVALID, "its indexes are nested too deeply");
        else if ((r = choose(at, platform, &d, err)) == BERTH_OK)
            r = p->c->ops->manifest_get(p->c, d->digest, &next, err);
        berth_manifest_free(owned);
        owned = next;
        if (next)
            at = next;
    }
    if (r == BERTH_OK)
        *ret = owned;
    else
        berth_manifest_free(owned);
    return r;
}

int place_manifest(struct remote *r, const char *text, const char *platform, berth_manifest **ret,
                   berth_error *err)
{
    CLEANUP(place_done) struct place p = PLACE_INIT;
    berth_manifest *m = NULL, *image = NULL;
    int rc = place_open(r, text, false, &p, err);
    if (rc == BERTH_OK)
        rc = p.c->ops->manifest_get(p.c, p.reference, &m, err);
    if (rc == BERTH_OK && platform && (rc = place_image(&p, m, platform, &image, err)) != BERTH_OK &&
        !strstr(err->message, text))
        berth_error_prefix(err, "'%s'", text);
    if (image) {
        berth_manifest_free(m);
        m = image;
    }
    if (rc == BERTH_OK)
        *ret = m;
    else
        berth_manifest_free(m);
    return rc;
}

/* --- blobs --- */

static int collect(void *arg, const void *bytes, size_t n)
{
    berth_buf_add(arg, bytes, n);
    return berth_buf_failed(arg);
}

int place_blob(const struct place *p, const berth_descriptor *blob, size_t max, berth_buf *out,
               berth_error *err)
{
    berth_buf_init(out, max);
    int r = p->c->ops->blob_get(p->c, blob, collect, out, err);
    if (berth_buf_failed(out))
        return berth_error_set(err, BERTH_E_TOO_BIG, "the blob %.20s... is larger than %zu MiB", blob->digest,
                               max / MIB);
    return r;
}

int place_config(const struct place *p, const berth_manifest *image, berth_config **ret, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf bytes = BERTH_BUF_INIT(CONFIG_MAX);
    if (!image->config)
        return berth_error_set(err, BERTH_E_INVALID, "it has no config");
    if (strcmp(image->config->media_type, BERTH_TYPE_OCI_CONFIG) != 0 &&
        strcmp(image->config->media_type, BERTH_TYPE_DOCKER_CONFIG) != 0)
        return berth_error_set(err, BERTH_E_INVALID, "it is an artifact: its config, '%.100s', is no image's",
                               image->config->media_type);
    int r = place_blob(p, image->config, CONFIG_MAX, &bytes, err);
    return r == BERTH_OK ? berth_config_parse(bytes.p, bytes.n, ret, err) : r;
}

int place_temporary(int *ret_fd, berth_error *err)
{
    const char *folder = getenv("TMPDIR");
    CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(16 * KIB);
    berth_buf_addf(&name, "%s/berth-XXXXXX", folder && *folder ? folder : "/tmp");
    char *path = berth_buf_take(&name);
    int fd = path ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd < 0)
        berth_error_set(err, BERTH_E_IO, "making a temporary file '%s': %s", path ? path : "",
                        strerror(errno));
    else
        unlink(path); /* it lives as long as it is open */
    mem_free(path);
    *ret_fd = fd;
    return fd < 0 ? BERTH_E_IO : BERTH_OK;
}

struct file {
    int fd;
    berth_error err;
};

static int write_piece(void *arg, const void *bytes, size_t n)
{
    struct file *f = arg;
    return io_write_all(f->fd, bytes, n, &f->err);
}

int place_blob_file(const struct place *p, const berth_descriptor *blob, int *ret_fd, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    struct file f = {.err = BERTH_ERROR_INIT};
    int r = place_temporary(&fd, err);
    if (r != BERTH_OK)
        return r;
    f.fd = fd;
    r = p->c->ops->blob_get(p->c, blob, write_piece, &f, err);
    if (f.err.code != BERTH_OK)
        return berth_error_set(err, f.err.code, "%s", f.err.message);
    if (r == BERTH_OK)
        *ret_fd = steal_fd(&fd);
    return r;
}

static void on_progress(void *arg, uint64_t bytes, uint64_t found)
{
    progress_found(arg, found);
    progress_at(arg, bytes);
}

void place_progress(struct place *p, struct progress_item *item)
{
    p->c->progress = item ? on_progress : NULL;
    p->c->progress_arg = item;
}

/* --- texts --- */

void place_print(const char *text)
{
    remote_print(stdout, text);
}

/* --- documents --- */

void place_set_text(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

json_t *place_platform_json(const berth_platform *p)
{
    char text[256];
    if (!p)
        return json_null();
    berth_platform_print(p, text, sizeof(text));
    return json_string(text);
}

json_t *place_pairs_json(const berth_annotation *pairs, size_t n)
{
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new(object, pairs[i].key, json_string(pairs[i].value));
    return object;
}

json_t *place_descriptor_json(const berth_descriptor *d)
{
    json_t *j = json_object();
    place_set_text(j, "digest", d->digest);
    place_set_text(j, "mediaType", d->media_type);
    if (d->size != BERTH_SIZE_UNKNOWN)
        json_object_set_new(j, "size", json_integer((json_int_t)d->size));
    if (d->platform)
        json_object_set_new(j, "platform", place_platform_json(d->platform));
    place_set_text(j, "artifactType", d->artifact_type);
    if (d->n_annotations)
        json_object_set_new(j, "annotations", place_pairs_json(d->annotations, d->n_annotations));
    return j;
}
