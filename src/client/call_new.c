/* client/call_new.c - birth and death of a call: what it is about is checked before anything is sent. */
#include "client/call_private.h"

#include "oci/reference.h"

static int check_inputs(berth_call *call, const char *repository, const char *reference, berth_error *err)
{
    oci_reference ref;
    if (!oci_name_valid(str_from(repository)))
        return berth_error_set_oci(err, BERTH_E_INVALID, "NAME_INVALID",
                                   "'%s' is not a valid name of a repository", repository);
    if (!reference)
        return BERTH_OK;
    int r = names_to_registry(&call->client->names, reference, &call->arena, &call->reference, err);
    if (r == BERTH_OK)
        r = oci_reference_parse(str_from(call->reference), &ref, err);
    if (r == BERTH_OK && ref.is_digest)
        call->digest = ref.digest;
    return r;
}

int call_new(berth_client *c, const struct operation *op, const char *repository, const char *reference,
             berth_call **ret, berth_error *err)
{
    berth_call *call = mem_zalloc(1, sizeof(*call));
    if (!call)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    call->client = c;
    call->op = op;
    call->step = op->first;
    call->x.events = &call_events;
    call->deadline_ms = INT64_MAX;
    call->progress.total = UINT64_MAX;
    berth_buf_init(&call->url, CALL_URL_MAX);
    berth_buf_init(&call->asked_url, CALL_URL_MAX);
    berth_buf_init(&call->authorization, CALL_FIELDS_MAX);
    berth_buf_init(&call->first_url, CALL_URL_MAX);
    call_prepare(call);
    int r = repository ? check_inputs(call, repository, reference, err) : BERTH_OK;
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    call->repository = berth_arena_dup(&call->arena, str_from(repository ? repository : ""));
    call->scope = op->actions && repository
                      ? berth_arena_printf(&call->arena, "repository:%s:%s", repository, op->actions)
                      : berth_arena_dup(&call->arena, STR(""));
    call->subject = berth_arena_printf(&call->arena, "%s%s%s%s%s", c->session.host, repository ? "/" : "",
                                       repository ? repository : "",
                                       !reference             ? ""
                                       : call->digest.text[0] ? "@"
                                                              : ":",
                                       call->reference ? call->reference : "");
    if (!call->repository || !call->scope || !call->subject) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    *ret = call;
    return BERTH_OK;
}

int call_new_blob(berth_client *c, const struct operation *op, const char *repository, const char *digest,
                  berth_call **ret, berth_error *err)
{
    if (digest && !strchr(digest, ':'))
        return berth_error_set_oci(err, BERTH_E_INVALID, "DIGEST_INVALID",
                                   "'%s' is no digest: a blob has no other name", digest);
    return call_new(c, op, repository, digest, ret, err);
}

void call_destroy(berth_call *call)
{
    if (call->op->done && call->own)
        call->op->done(call);
    exchange_done(&call->x);
    lookup_done(&call->lookup);
    token_request_done(&call->token);
    berth_buf_done(&call->url);
    berth_buf_done(&call->asked_url);
    berth_buf_done(&call->first_url);
    berth_buf_done(&call->fields);
    berth_buf_done(&call->authorization);
    berth_buf_done(&call->sent_fields);
    berth_buf_done(&call->body);
    berth_arena_done(&call->page);
    berth_arena_done(&call->arena);
    mem_free(call);
}
