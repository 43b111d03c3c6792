/* client/manifest_delete.c - removes manifests and tags (distribution-spec, "Content Management"). A manifest
 * is read first: if it has a subject, and the registry no referrers API, its entry in the referrers tag goes
 * too. */
#include "client/fallback.h"

#include "oci/manifest.h"
#include "oci/reference.h"

struct removal {
    const char *tag; /* NULL: by digest */
    bool purges;
    bool has_subject;
    berth_digest digest, subject;
    struct fallback fallback;
};

static void done(berth_call *call)
{
    fallback_done(&((struct removal *)call->own)->fallback);
}

static const struct step reading, untagging, deleting, asking;

static int delete_manifest(berth_call *call, const struct step **ret_next)
{
    struct removal *p = call->own;
    call_aim_manifest(call, p->digest.text);
    *ret_next = &deleting;
    return BERTH_OK;
}

static int end_read(berth_call *call, const struct step **ret_next)
{
    struct removal *p = call->own;
    berth_str type;
    oci_manifest m = {0};
    int r = call_check_manifest(call, &p->digest, &type);
    if (r != BERTH_OK)
        return r;
    r = oci_manifest_parse(call->body.p, call->body.n, type, NULL, &call->arena, &m, NULL);
    p->has_subject = r == BERTH_OK && m.has_subject;
    if (p->has_subject)
        p->subject = m.subject.digest;
    if (!p->tag)
        return delete_manifest(call, ret_next);
    call_aim_manifest(call, p->tag);
    *ret_next = &untagging;
    return BERTH_OK;
}

static int end_untag(berth_call *call, const struct step **ret_next)
{
    struct removal *p = call->own;
    return p->purges ? delete_manifest(call, ret_next) : BERTH_OK;
}

/* With the manifest the tag will go as well. */
static int refused_untag(berth_call *call, const struct step **ret_next)
{
    struct removal *p = call->own;
    int status = call->x.status;
    if (p->purges && status != 401 && status != 403 && status < 500)
        return delete_manifest(call, ret_next);
    call_fail_by_answer(call);
    if (status == 400) { /* many take a digest alone for a reference here, and say something about that */
        call_fail(call, BERTH_E_UNSUPPORTED, "the registry deletes manifests alone, and no tags");
        call->err.http_status = status;
    }
    return call->code;
}

static int end_delete(berth_call *call, const struct step **ret_next)
{
    struct removal *p = call->own;
    if (!p->has_subject)
        return BERTH_OK;
    call_prepare(call);
    berth_buf_reset(&call->url);
    berth_buf_addf(&call->url, "%s/v2/%s/referrers/%s", call->client->base, call->repository,
                   p->subject.text);
    call_field(call, "Accept: %s", MT_OCI_INDEX);
    *ret_next = &asking;
    return BERTH_OK;
}

/* Some registries took the tag for the manifest, and both are gone. */
static int refused_delete(berth_call *call, const struct step **ret_next)
{
    struct removal *p = call->own;
    return p->tag && call->x.status == 404 ? end_delete(call, ret_next) : call_fail_by_answer(call);
}

/* The registry keeps the list itself. */
static int end_ask(berth_call *call, const struct step **ret_next)
{
    (void)call, (void)ret_next;
    return BERTH_OK;
}

static int refused_ask(berth_call *call, const struct step **ret_next)
{
    struct removal *p = call->own;
    return fallback_begin(call, &p->fallback, &p->subject, NULL, &p->digest, ret_next);
}

static const struct step reading = {.method = "GET", .body_max = MANIFEST_MAX, .end = end_read};
static const struct step untagging = {.method = "DELETE", .end = end_untag, .refused = refused_untag};
static const struct step deleting = {.method = "DELETE", .end = end_delete, .refused = refused_delete};
static const struct step asking = {
    .method = "GET", .body_max = PAGE_MAX, .end = end_ask, .refused = refused_ask};
static const struct operation read_op = {.actions = "pull,push,delete", .first = &reading, .done = done};
static const struct operation untag_op = {.actions = "delete", .first = &untagging, .done = done};

static int make(berth_client *client, const struct operation *op, const char *repository,
                const char *reference, berth_call **ret, berth_error *err)
{
    berth_call *call = NULL;
    int r = call_new(client, op, repository, reference, &call, err);
    if (r != BERTH_OK)
        return r;
    struct removal *p = call->own = berth_arena_alloc(&call->arena, sizeof(*p));
    if (!p) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    call_aim_manifest(call, reference);
    *ret = call;
    return BERTH_OK;
}

int berth_manifest_delete_start(berth_client *client, const char *repository, const char *digest,
                                berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    if (!repository || !digest)
        return berth_error_set(err, BERTH_E_INVALID, "a manifest is deleted by repository and digest");
    int r = make(client, &read_op, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    if (!call->digest.text[0]) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_INVALID, "a manifest is deleted by its digest, and '%s' is none",
                               digest);
    }
    call_field(call, "Accept: %s", ACCEPT_ANY);
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_tag_delete_start(berth_client *client, const char *repository, const char *tag, bool purge,
                           berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    if (!repository || !tag || !oci_tag_valid(str_from(tag)))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is not a valid tag", tag ? tag : "");
    int r = make(client, purge ? &read_op : &untag_op, repository, tag, &call, err);
    if (r != BERTH_OK)
        return r;
    struct removal *p = call->own;
    p->purges = purge;
    p->tag = berth_arena_dup(&call->arena, str_from(tag));
    if (!p->tag) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    if (purge)
        call_field(call, "Accept: %s", ACCEPT_ANY);
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_manifest_delete(berth_client *client, const char *repository, const char *digest, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_manifest_delete_start(client, repository, digest, &call, err);
    return call_run(r, call, NULL, err);
}

int berth_tag_delete(berth_client *client, const char *repository, const char *tag, bool purge,
                     berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_tag_delete_start(client, repository, tag, purge, &call, err);
    return call_run(r, call, NULL, err);
}
