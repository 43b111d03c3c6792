/* client/tags.c - the tags of a repository, page by page (distribution-spec, "Listing Tags"). */
#include "client/internal.h"
#include "oci/answer.h"

static int on_end(berth_call *call, const struct step **ret_next)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_str *tags = NULL;
    size_t n = 0;
    berth_arena_reset(&call->page);
    int r = oci_read_tags(berth_buf_str(&call->body), &call->page, &tags, &n, &err);
    if (r != BERTH_OK)
        return call_fail_unread(call, &err);
    for (size_t i = 0; i < n; i++) {
        const char *tag = NULL;
        r = names_from_registry(&call->client->names, tags[i].p, &call->page, &tag, &err);
        if (r != BERTH_OK)
            return call_fail(call, r, "%s", err.message);
        if (call->tag(call->arg, tag) != 0 || atomic_load(&call->cancelled))
            return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    }
    return call_next_page(call, ret_next);
}

static const struct step listing = {
    .method = "GET", .body_max = PAGE_MAX, .end = on_end, .refused = call_smaller_page};
static const struct operation list = {.actions = "pull", .first = &listing};

int berth_tag_list_with_start(berth_client *client, const char *repository, const berth_list_options *opts,
                              berth_tag_fn fn, void *arg, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    berth_list_options o = BERTH_LIST_OPTIONS_INIT;
    if (opts)
        memcpy(&o, opts, MIN(opts->size, sizeof(o)));
    if (!repository)
        return berth_error_set(err, BERTH_E_INVALID, "tags are those of a repository");
    int r = call_new(client, &list, repository, NULL, &call, err);
    if (r != BERTH_OK)
        return r;
    call->tag = fn;
    call->arg = arg;
    berth_buf_addf(&call->url, "%s/v2/%s/tags/list", client->base, repository);
    r = o.last ? names_to_registry(&client->names, o.last, &call->arena, &o.last, err) : BERTH_OK;
    if (r == BERTH_OK)
        r = call_first_page(call, &o, err);
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_tag_list_start(berth_client *client, const char *repository, berth_tag_fn fn, void *arg,
                         berth_call **ret_call, berth_error *err)
{
    return berth_tag_list_with_start(client, repository, NULL, fn, arg, ret_call, err);
}

int berth_tag_list(berth_client *client, const char *repository, berth_tag_fn fn, void *arg, berth_error *err)
{
    return berth_tag_list_with(client, repository, NULL, fn, arg, NULL, err);
}

int berth_tag_list_with(berth_client *client, const char *repository, const berth_list_options *opts,
                        berth_tag_fn fn, void *arg, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_tag_list_with_start(client, repository, opts, fn, arg, &call, err);
    return call_run(r, call, ret_call, err);
}
