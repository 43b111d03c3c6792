/* client/put_plan.c - what a caller who puts or mounts a blob asks for: options, source, in which way; the
 * requests are those of put.c. */
#include "client/put.h"
#include "oci/reference.h"

static berth_put_options read_options(const berth_put_options *given)
{
    berth_put_options o = BERTH_PUT_OPTIONS_INIT;
    if (given)
        memcpy(&o, given, MIN(given->size, sizeof(o)));
    return o;
}

static int check_options(const berth_put_options *o, berth_error *err)
{
    if ((unsigned)o->mode > BERTH_PUT_CHUNKED)
        return berth_error_set(err, BERTH_E_INVALID, "there is no such way to put a blob");
    if (!o->digest && (o->mount_from || o->resume))
        return berth_error_set(err, BERTH_E_INVALID, "%s a blob needs its digest",
                               o->mount_from ? "mounting" : "going on with");
    if (o->digest && o->digest_later)
        return berth_error_set(err, BERTH_E_INVALID, "a digest is given at once or later, not both");
    if (o->mount_from && o->mount_from[0] && !oci_name_valid(str_from(o->mount_from)))
        return berth_error_set_oci(err, BERTH_E_INVALID, "NAME_INVALID",
                                   "'%s' is not a valid name of a repository", o->mount_from);
    return BERTH_OK;
}

static void copy_text(berth_call *call, const char **text)
{
    if (*text)
        *text = berth_arena_dup(&call->arena, str_from(*text));
}

/* Options' strings are the call's from here on; the source is opened. */
static int take_inputs(berth_call *call, const berth_source *source, berth_error *err)
{
    struct put *p = call->own;
    bool mounts = p->o.mount_from, resumes = p->o.resume;
    copy_text(call, &p->o.mount_from);
    copy_text(call, &p->o.resume);
    if (mounts && p->o.mount_from && p->o.mount_from[0])
        call->scope = berth_arena_printf(&call->arena, "repository:%s:pull %s", p->o.mount_from, call->scope);
    if ((mounts && !p->o.mount_from) || (resumes && !p->o.resume) || !call->scope)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    return p->mounting ? BERTH_OK : source_open(&p->source, source, err);
}

static int plan(berth_call *call, berth_error *err)
{
    struct put *p = call->own;
    struct source *s = &p->source;
    bool in_memory = s->of.fd < 0 && !s->of.read;
    if (!call->digest.text[0] && in_memory && !p->o.digest_later)
        digest_of(HASH_SHA256, s->of.bytes ? s->of.bytes : "", (size_t)s->length, &call->digest);
    bool known = call->digest.text[0], later = p->o.digest_later;
    if (later && (!s->rewindable || s->length < 0))
        return berth_error_set(
            err, BERTH_E_INVALID,
            "the digest may come later of content alone that has a length and can be read twice");
    if (p->o.mode == BERTH_PUT_SINGLE && (!known || s->length < 0))
        return berth_error_set(err, BERTH_E_INVALID,
                               "for a single POST the content's digest and length have to be known");
    bool chunked =
        p->o.mode == BERTH_PUT_CHUNKED || (p->o.mode == BERTH_PUT_AUTO && p->o.chunk_above &&
                                           s->length >= 0 && (uint64_t)s->length > p->o.chunk_above);
    /* An empty stream is asked whether it is empty. */
    p->kept = s->length < 0 || (!s->length && (s->of.read || !s->rewindable)) ||
              (!s->rewindable && (chunked || !known));
    call->progress.total = s->length >= 0 ? (uint64_t)s->length : UINT64_MAX;
    if (!later && (!known || chunked || p->kept))
        source_hash(s, known ? (enum hash_algorithm)call->digest.algorithm : HASH_SHA256);
    return BERTH_OK;
}

static int make(berth_client *client, const char *repository, const berth_source *source,
                const berth_put_options *o, bool mounting_alone, berth_call **ret, berth_error *err)
{
    berth_call *call = NULL;
    if (!repository)
        return berth_error_set(err, BERTH_E_INVALID, "a blob is put into a repository");
    int r = check_options(o, err);
    if (r == BERTH_OK)
        r = call_new_blob(client, &client_put_op, repository, o->digest, &call, err);
    if (r != BERTH_OK)
        return r;
    struct put *p = call->own = berth_arena_alloc(&call->arena, sizeof(*p));
    if (!p) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    client_upload_init(&p->upload);
    p->o = *o;
    p->mounting = mounting_alone;
    p->inherits = o->resume;
    r = take_inputs(call, source, err);
    if (r == BERTH_OK && !p->mounting)
        r = plan(call, err);
    client_upload_aim_new(call); /* what a relative URL of a session is relative to */
    if (r == BERTH_OK && p->o.resume) {
        r = call_follow(call, str_from(p->o.resume), "the URL of the upload");
        if (r == BERTH_OK)
            r = client_upload_set_url(call, &p->upload, berth_buf_str(&call->url));
        if (r != BERTH_OK && err)
            *err = call->err;
    }
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    *ret = call;
    return BERTH_OK;
}

int berth_blob_put_start(berth_client *client, const char *repository, const berth_source *source,
                         const berth_put_options *opts, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    const berth_put_options o = read_options(opts);
    int r = make(client, repository, source, &o, false, &call, err);
    if (r != BERTH_OK)
        return r;
    bool asks = call->digest.text[0] && !o.force;
    r = asks ? client_put_look(call, &call->step) : client_put_begin(call, &call->step);
    if (r != BERTH_OK) {
        if (err)
            *err = call->err;
        call_destroy(call);
        return r;
    }
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_blob_put(berth_client *client, const char *repository, const berth_source *source,
                   const berth_put_options *opts, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_blob_put_start(client, repository, source, opts, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_blob_mount_start(berth_client *client, const char *repository, const char *digest, const char *from,
                           berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    berth_put_options o = BERTH_PUT_OPTIONS_INIT;
    o.digest = digest;
    o.mount_from = from ? from : "";
    int r = make(client, repository, NULL, &o, true, &call, err);
    if (r != BERTH_OK)
        return r;
    client_put_begin(call, &call->step); /* names a request, and can't fail */
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_blob_mount(berth_client *client, const char *repository, const char *digest, const char *from,
                     berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_blob_mount_start(client, repository, digest, from, &call, err);
    return call_run(r, call, ret_call, err);
}

berth_put_outcome berth_call_put_outcome(const berth_call *call)
{
    return berth_call_result(call, NULL) == BERTH_OK ? call->outcome : BERTH_PUT_NONE;
}
