/* client/tags.c - the tags of a repository, page by page (distribution-spec, "Listing Tags"). */
#include "client/internal.h"
#include "http/link.h"
#include "oci/answer.h"

#define PAGE     1000
#define PAGE_MAX (64 * MIB) /* a registry that knows no pages answers with all at once */

/* Pages are chained by Link. The next one is asked for with credentials, so it has to be the registry's own.
 */
static int next_page(berth_call *call, bool *ret_again)
{
    berth_str next = STR_NULL, field;
    for (size_t i = 0; !next.p && (field = exchange_field(&call->x, STR("Link"), i)).p; i++)
        next = http_link_next(field);
    if (!next.p)
        return BERTH_OK;
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(call->url.max);
    http_uri u;
    if (!http_uri_resolve(berth_buf_str(&call->url), next, &url) || !http_uri_parse(berth_buf_str(&url), &u))
        return call_fail(call, BERTH_E_INVALID, "the registry's link to the next page is no URL");
    if (!http_uri_same_origin(&u, &call->client->origin))
        return call_fail(call, BERTH_E_DENIED,
                         "the registry's link to the next page leads to another host, '" STR_FMT "'",
                         STR_ARG(u.authority));
    if (str_eq(berth_buf_str(&url), berth_buf_str(&call->url)))
        return call_fail(call, BERTH_E_INVALID, "the registry's link to the next page leads to the same one");
    berth_buf was = call->url;
    call->url = url;
    url = was;
    call->foreign = false;
    *ret_again = true;
    return BERTH_OK;
}

static int on_end(berth_call *call, bool *ret_again)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_str *tags = NULL;
    size_t n = 0;
    berth_arena_reset(&call->page);
    int r = oci_read_tags(berth_buf_str(&call->body), &call->page, &tags, &n, &err);
    if (r != BERTH_OK)
        return call_fail(call, r, "%s", err.message);
    for (size_t i = 0; i < n; i++)
        if (call->tag(call->arg, tags[i].p) != 0 || atomic_load(&call->cancelled))
            return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    return next_page(call, ret_again);
}

static const struct operation list = {
    .method = "GET", .actions = "pull", .body_max = PAGE_MAX, .end = on_end};

int berth_tag_list_start(berth_client *client, const char *repository, berth_tag_fn fn, void *arg,
                         berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    if (!repository)
        return berth_error_set(err, BERTH_E_INVALID, "tags are those of a repository");
    int r = call_new(client, &list, repository, NULL, &call, err);
    if (r != BERTH_OK)
        return r;
    call->tag = fn;
    call->arg = arg;
    berth_buf_addf(&call->url, "%s/v2/%s/tags/list?n=%d", client->base, repository, PAGE);
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_tag_list(berth_client *client, const char *repository, berth_tag_fn fn, void *arg, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_tag_list_start(client, repository, fn, arg, &call, err);
    return call_run(r, call, NULL, err);
}
