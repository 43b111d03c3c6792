/* client/manifest_put.c - a manifest to a tag or its digest, and to further tags; a tag on what is there
 * already (distribution-spec, "Pushing Manifests"). */
#include "client/fallback.h"

#include "oci/manifest.h"
#include "oci/reference.h"
#include "oci/schema1.h"

#define TAGS_URL_MAX (4 * KIB) /* of a URL with tags in it; what doesn't fit goes singly */

struct manifest_put {
    berth_str bytes;
    berth_buf fetched; /* of one that came from the registry */
    const char *media_type;
    berth_digest digest;
    const char **tags;                       /* still to be set */
    size_t n_tags, asked;                    /* asked: of them, in the query of the request under way */
    bool keeps_fallback, has_subject, taken; /* taken: by the registry's own referrers API */
    berth_digest subject;
    oci_referrer referrer;
    struct fallback fallback;
};

static void done(berth_call *call)
{
    struct manifest_put *p = call->own;
    berth_buf_done(&p->fetched);
    fallback_done(&p->fallback);
}

static const struct step putting, fetching;

static int put(berth_call *call, const char *reference, bool with_tags, const struct step **ret_next)
{
    struct manifest_put *p = call->own;
    call_aim_manifest(call, reference);
    p->asked = 0;
    while (with_tags && p->asked < p->n_tags && call->url.n + strlen(p->tags[p->asked]) < TAGS_URL_MAX) {
        berth_buf_addf(&call->url, "%stag=%s", p->asked ? "&" : "?", p->tags[p->asked]);
        p->asked++;
    }
    call_field(call, "Content-Type: %s", p->media_type);
    call->payload = (struct payload){.present = true, .bytes = p->bytes};
    *ret_next = &putting;
    return BERTH_OK;
}

static bool is_set(const berth_call *call, const char *tag)
{
    berth_str field, left, one;
    for (size_t i = 0; (field = exchange_field(&call->x, STR("OCI-Tag"), i)).p; i++)
        for (left = field; left.n;) {
            str_cut(left, ',', &one, &left);
            if (str_eq(str_trim(one), str_from(tag)))
                return true;
        }
    return false;
}

/* Those of the asked ones that the registry says it has set are done. */
static void strike_tags(berth_call *call)
{
    struct manifest_put *p = call->own;
    size_t left = 0;
    for (size_t i = 0; i < p->n_tags; i++)
        if (i >= p->asked || !is_set(call, p->tags[i]))
            p->tags[left++] = p->tags[i];
    p->n_tags = left;
}

/* The registry may count a signed schema 1 without its signatures; that is its digest there. */
static int check_stored(berth_call *call)
{
    struct manifest_put *p = call->own;
    berth_digest said;
    berth_str field = exchange_field(&call->x, STR("Docker-Content-Digest"), 0);
    if (!field.p || digest_parse(field, &said, NULL) != BERTH_OK || said.algorithm != p->digest.algorithm)
        return BERTH_OK;
    int r = digest_eq(&said, &p->digest) ? BERTH_OK : oci_schema1_compare(p->bytes, &said);
    if (r == BERTH_E_NOMEM)
        return call_fail(call, r, "out of memory");
    if (r != BERTH_OK)
        return call_fail(call, BERTH_E_DIGEST, "the registry stored other bytes: their digest is %.20s...",
                         said.text);
    p->digest = said;
    return BERTH_OK;
}

static int end_put(berth_call *call, const struct step **ret_next)
{
    struct manifest_put *p = call->own;
    int r = check_stored(call);
    if (r != BERTH_OK)
        return r;
    p->taken |= exchange_field(&call->x, STR("OCI-Subject"), 0).p != NULL;
    strike_tags(call);
    if (p->n_tags)
        return put(call, p->tags[--p->n_tags], false, ret_next);
    r = call_give_manifest(call, str_from(p->media_type), digest_str(&p->digest), p->bytes.n, NULL);
    if (r != BERTH_OK || !p->has_subject || p->taken || !p->keeps_fallback)
        return r;
    r = fallback_begin(call, &p->fallback, &p->subject, &p->referrer, &p->digest, ret_next);
    return r;
}

/* A registry that stumbles over the query gets the tags one by one. */
static int refused_put(berth_call *call, const struct step **ret_next)
{
    struct manifest_put *p = call->own;
    int status = call->x.status;
    if (!p->asked || (status != 400 && status != 404 && status != 405 && status != 414))
        return call_fail_by_answer(call);
    return put(call, p->tags[--p->n_tags], false, ret_next);
}

static int end_fetch(berth_call *call, const struct step **ret_next)
{
    struct manifest_put *p = call->own;
    berth_str type;
    int r = call_check_manifest(call, &p->digest, &type);
    if (r != BERTH_OK)
        return r;
    p->media_type = berth_arena_dup(&call->arena, type);
    if (!p->media_type)
        return call_fail(call, BERTH_E_NOMEM, "out of memory");
    p->fetched = call->body;
    call->body = (berth_buf){0};
    p->bytes = berth_buf_str(&p->fetched);
    return put(call, p->tags[--p->n_tags], false, ret_next);
}

static const struct step putting = {.method = "PUT", .end = end_put, .refused = refused_put};
static const struct step fetching = {.method = "GET", .body_max = MANIFEST_MAX, .end = end_fetch};
static const struct operation put_op = {.actions = "pull,push", .first = &putting, .done = done};
static const struct operation add_op = {.actions = "pull,push", .first = &fetching, .done = done};

/* --- beginning --- */

static int copy_tag(berth_call *call, const char *tag, berth_error *err)
{
    struct manifest_put *p = call->own;
    const char *name = "";
    int r = tag ? names_to_registry(&call->client->names, tag, &call->arena, &name, err) : BERTH_OK;
    if (r != BERTH_OK)
        return r;
    if (!oci_tag_valid(str_from(name)))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is not a valid tag", name);
    p->tags[p->n_tags++] = name;
    return BERTH_OK;
}

static int make(berth_client *client, const struct operation *op, const char *repository,
                const char *reference, size_t tags_max, berth_call **ret, berth_error *err)
{
    berth_call *call = NULL;
    int r = call_new(client, op, repository, reference, &call, err);
    if (r != BERTH_OK)
        return r;
    struct manifest_put *p = call->own = berth_arena_alloc(&call->arena, sizeof(*p));
    if (p)
        p->tags = berth_arena_alloc(&call->arena, (tags_max + 1) * sizeof(*p->tags));
    if (!p || !p->tags) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    *ret = call;
    return BERTH_OK;
}

/* What the bytes say of themselves: their type, where none was given, and their subject. */
static int look_at(berth_call *call, const char *media_type, berth_error *err)
{
    struct manifest_put *p = call->own;
    oci_manifest m = {0};
    int r = oci_manifest_parse(p->bytes.p, p->bytes.n, str_from(media_type), NULL, &call->arena, &m, err);
    if (r == BERTH_E_NOMEM || (r != BERTH_OK && !media_type))
        return r;
    p->media_type = berth_arena_dup(&call->arena, media_type ? str_from(media_type) : m.media_type);
    if (!p->media_type)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    p->has_subject = r == BERTH_OK && m.has_subject;
    if (!p->has_subject)
        return BERTH_OK; /* also of a kind that is not known here, when the caller names it */
    p->subject = m.subject.digest;
    p->referrer = (oci_referrer){.media_type = m.media_type,
                                 .digest = digest_str(&p->digest),
                                 .artifact_type = m.artifact_type,
                                 .size = p->bytes.n,
                                 .annotations_json = m.annotations};
    return BERTH_OK;
}

static int begin_put(berth_call *call, const void *bytes, size_t n, const berth_manifest_put_options *o,
                     berth_error *err)
{
    struct manifest_put *p = call->own;
    bool by_digest = call->digest.text[0];
    p->bytes = berth_arena_str(&call->arena, (berth_str){bytes, n});
    p->keeps_fallback = !o->no_fallback;
    if (!p->bytes.p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    digest_of(by_digest ? (enum hash_algorithm)call->digest.algorithm : HASH_SHA256, bytes, n, &p->digest);
    int r = by_digest ? oci_schema1_compare(p->bytes, &call->digest) : BERTH_OK;
    if (r == BERTH_E_NOMEM)
        return berth_error_set(err, r, "out of memory");
    if (r != BERTH_OK)
        return berth_error_set(err, BERTH_E_DIGEST, "the manifest has the digest %.20s..., not the one given",
                               p->digest.text);
    if (by_digest)
        p->digest = call->digest;
    r = look_at(call, o->media_type, err);
    for (size_t i = 0; i < o->n_tags && r == BERTH_OK; i++)
        r = copy_tag(call, o->tags[i], err);
    if (r != BERTH_OK)
        return r;
    bool has_tag = call->reference && !by_digest;
    if (o->n_tags && has_tag)
        p->tags[p->n_tags++] = call->reference;
    return put(call, has_tag && !o->n_tags ? call->reference : p->digest.text, true, &call->step);
}

int berth_manifest_put_start(berth_client *client, const char *repository, const char *reference,
                             const void *bytes, size_t n, const berth_manifest_put_options *opts,
                             berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    berth_manifest_put_options o = BERTH_MANIFEST_PUT_OPTIONS_INIT;
    if (opts)
        memcpy(&o, opts, MIN(opts->size, sizeof(o)));
    if (!repository || !bytes)
        return berth_error_set(err, BERTH_E_INVALID, "a manifest is put into a repository, and has bytes");
    if (o.media_type && !mediatype_valid(str_from(o.media_type)))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is no media type", o.media_type);
    int r = make(client, &put_op, repository, reference, o.n_tags + 1, &call, err);
    if (r != BERTH_OK)
        return r;
    r = begin_put(call, bytes, n, &o, err);
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_manifest_put(berth_client *client, const char *repository, const char *reference, const void *bytes,
                       size_t n, const berth_manifest_put_options *opts, berth_call **ret_call,
                       berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_manifest_put_start(client, repository, reference, bytes, n, opts, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_tag_add_start(berth_client *client, const char *repository, const char *reference, const char *tag,
                        berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    if (!repository || !reference)
        return berth_error_set(err, BERTH_E_INVALID, "a tag is set on what stands in a repository");
    int r = make(client, &add_op, repository, reference, 1, &call, err);
    if (r != BERTH_OK)
        return r;
    r = copy_tag(call, tag, err);
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    call_aim_manifest(call, call->reference);
    call_field(call, "Accept: %s", ACCEPT_ANY);
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_tag_add(berth_client *client, const char *repository, const char *reference, const char *tag,
                  berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_tag_add_start(client, repository, reference, tag, &call, err);
    return call_run(r, call, ret_call, err);
}
