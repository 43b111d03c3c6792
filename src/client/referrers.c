/* client/referrers.c - what refers to a manifest: by the API, page by page, or from the referrers tag
 * (distribution-spec, "Listing Referrers" and "Referrers Tag Schema"). */
#include "client/fallback.h"

#include "http/url.h"
#include "oci/mediatype.h"

struct listing {
    const char *type; /* NULL: all */
    berth_referrer_fn fn;
    bool by_tag;
};

static const struct step by_tag;

static const char *text(berth_str s)
{
    return s.p ? s.p : "";
}

static int end(berth_call *call, const struct step **ret_next)
{
    struct listing *p = call->own;
    berth_error err = BERTH_ERROR_INIT;
    oci_referrer *items = NULL;
    size_t n = 0;
    berth_arena_reset(&call->page);
    int r = oci_read_referrers(berth_buf_str(&call->body), &call->page, &items, &n, &err);
    if (r != BERTH_OK)
        return call_fail_unread(call, &err);
    for (size_t i = 0; i < n; i++) {
        const oci_referrer *d = &items[i];
        if (p->type && !str_eq(d->artifact_type, str_from(p->type)))
            continue;
        berth_referrer one = {.digest = d->digest.p,
                              .media_type = text(d->media_type),
                              .artifact_type = text(d->artifact_type),
                              .size = d->size,
                              .annotations = text(d->annotations_json)};
        if (p->fn(call->arg, &one) != 0 || atomic_load(&call->cancelled))
            return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    }
    return p->by_tag ? BERTH_OK : call_next_page(call, ret_next);
}

static int refused_api(berth_call *call, const struct step **ret_next)
{
    struct listing *p = call->own;
    int status = call->x.status;
    char tag[FALLBACK_TAG_MAX];
    if (status != 400 && status != 404 && status != 405 && status != 501)
        return call_fail_by_answer(call);
    oci_fallback_tag(digest_str(&call->digest), tag);
    p->by_tag = true;
    call_aim_manifest(call, tag);
    call_field(call, "Accept: %s", MT_OCI_INDEX);
    *ret_next = &by_tag;
    return BERTH_OK;
}

static int refused_tag(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    return call->x.status == 404 ? BERTH_OK : call_fail_by_answer(call);
}

static const struct step by_api = {.method = "GET", .body_max = PAGE_MAX, .end = end, .refused = refused_api};
static const struct step by_tag = {
    .method = "GET", .body_max = MANIFEST_MAX, .end = end, .refused = refused_tag};
static const struct operation list = {.actions = "pull", .first = &by_api};

int berth_referrers_list_start(berth_client *client, const char *repository, const char *digest,
                               const char *artifact_type, berth_referrer_fn fn, void *arg,
                               berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    if (!repository || !digest)
        return berth_error_set(err, BERTH_E_INVALID,
                               "referrers are those of a manifest, named by its digest");
    int r = call_new_blob(client, &list, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    struct listing *p = call->own = berth_arena_alloc(&call->arena, sizeof(*p));
    if (p && artifact_type)
        p->type = berth_arena_dup(&call->arena, str_from(artifact_type));
    if (!p || (artifact_type && !p->type)) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    p->fn = fn;
    call->arg = arg;
    berth_buf_addf(&call->url, "%s/v2/%s/referrers/%s", client->base, repository, digest);
    if (artifact_type) {
        berth_buf_addf(&call->url, "?artifactType=");
        http_url_encode(&call->url, str_from(artifact_type), "/");
    }
    call_field(call, "Accept: %s", MT_OCI_INDEX);
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_referrers_list(berth_client *client, const char *repository, const char *digest,
                         const char *artifact_type, berth_referrer_fn fn, void *arg, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_referrers_list_start(client, repository, digest, artifact_type, fn, arg, &call, err);
    return call_run(r, call, NULL, err);
}
