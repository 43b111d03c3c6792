/* client/fallback.c - see fallback.h: get the index, edit it, put it back (distribution-spec, "Pushing
 * Manifests with Subject" and "Deleting Manifests"). Two clients that do so at once may overwrite each other;
 * where the registry has entity tags and looks at If-Match, the later one begins anew. */
#include "client/fallback.h"

#include "oci/mediatype.h"

#define TRIES_MAX 5

static const struct step getting, putting, deleting;

static struct fallback *of(const berth_call *call)
{
    return call->fallback;
}

static int get(berth_call *call, const struct step **ret_next)
{
    call_aim_manifest(call, of(call)->tag);
    call_field(call, "Accept: %s", MT_OCI_INDEX);
    *ret_next = &getting;
    return BERTH_OK;
}

int fallback_begin(berth_call *call, struct fallback *f, const berth_digest *subject, const oci_referrer *add,
                   const berth_digest *which, const struct step **ret_next)
{
    *f = (struct fallback){.add = add, .which = *which};
    oci_fallback_tag(digest_str(subject), f->tag);
    call->fallback = f;
    return get(call, ret_next);
}

void fallback_done(struct fallback *f)
{
    berth_buf_done(&f->index);
}

static int put(berth_call *call, const struct step **ret_next)
{
    struct fallback *f = of(call);
    berth_str etag = exchange_field(&call->x, STR("ETag"), 0);
    bool strong = call->x.status == 200 && str_starts(etag, STR("\""));
    call_aim_manifest(call, f->tag);
    call_field(call, "Content-Type: %s", MT_OCI_INDEX);
    if (strong)
        call_field(call, "If-Match: " STR_FMT, STR_ARG(etag));
    call->payload = (struct payload){.present = true, .bytes = berth_buf_str(&f->index)};
    *ret_next = &putting;
    return BERTH_OK;
}

static int edit(berth_call *call, berth_str was, const struct step **ret_next)
{
    struct fallback *f = of(call);
    berth_error err = BERTH_ERROR_INIT;
    size_t left = 1;
    berth_buf_done(&f->index);
    berth_buf_init(&f->index, MANIFEST_MAX);
    int r = f->add ? oci_fallback_add(was, f->add, &f->index, &err)
                   : oci_fallback_remove(was, digest_str(&f->which), &f->index, &left, &err);
    if (r == BERTH_E_NOT_FOUND)
        return BERTH_OK; /* it is out already */
    if (r != BERTH_OK)
        return call_fail(call, r, "the tag %s: %s", f->tag, err.message);
    if (left)
        return put(call, ret_next);
    call_aim_manifest(call, f->tag);
    *ret_next = &deleting;
    return BERTH_OK;
}

static int end_get(berth_call *call, const struct step **ret_next)
{
    return edit(call, berth_buf_str(&call->body), ret_next);
}

static int refused_get(berth_call *call, const struct step **ret_next)
{
    if (call->x.status != 404)
        return call_fail_by_answer(call);
    return of(call)->add ? edit(call, STR(""), ret_next) : BERTH_OK;
}

static int end(berth_call *call, const struct step **ret_next)
{
    (void)call, (void)ret_next;
    return BERTH_OK;
}

static int refused_put(berth_call *call, const struct step **ret_next)
{
    if (call->x.status != 412 || ++of(call)->tries > TRIES_MAX)
        return call_fail_by_answer(call);
    return get(call, ret_next);
}

/* A registry that deletes no tags is given an empty index instead. */
static int refused_delete(berth_call *call, const struct step **ret_next)
{
    return call->x.status == 404 ? BERTH_OK : put(call, ret_next);
}

static const struct step getting = {
    .method = "GET", .body_max = MANIFEST_MAX, .end = end_get, .refused = refused_get};
static const struct step putting = {.method = "PUT", .end = end, .refused = refused_put};
static const struct step deleting = {.method = "DELETE", .end = end, .refused = refused_delete};
