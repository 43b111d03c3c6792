/* client/catalog.c - the repositories of a registry, page by page (Docker's, and many registries' way still).
 */
#include "client/internal.h"
#include "oci/answer.h"

static int on_end(berth_call *call, const struct step **ret_next)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_str *names = NULL;
    size_t n = 0;
    berth_arena_reset(&call->page);
    int r = oci_read_names(berth_buf_str(&call->body), &call->page, &names, &n, &err);
    if (r != BERTH_OK)
        return call_fail_unread(call, &err);
    for (size_t i = 0; i < n; i++)
        if (call->tag(call->arg, names[i].p) != 0 || atomic_load(&call->cancelled))
            return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    return call_next_page(call, ret_next);
}

static const struct step listing = {
    .method = "GET", .body_max = PAGE_MAX, .end = on_end, .refused = call_smaller_page};
static const struct operation catalog = {.first = &listing};

int berth_catalog_start(berth_client *client, const berth_list_options *opts, berth_name_fn fn, void *arg,
                        berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = call_new(client, &catalog, NULL, NULL, &call, err);
    if (r != BERTH_OK)
        return r;
    call->tag = fn;
    call->arg = arg;
    call->scope = berth_arena_dup(&call->arena, STR("registry:catalog:*"));
    berth_buf_addf(&call->url, "%s/v2/_catalog", client->base);
    r = call->scope ? call_first_page(call, opts, err) : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_catalog(berth_client *client, const berth_list_options *opts, berth_name_fn fn, void *arg,
                  berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_catalog_start(client, opts, fn, arg, &call, err);
    return call_run(r, call, ret_call, err);
}
