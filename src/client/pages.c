/* client/pages.c - listings come in pages, chained by Link (distribution-spec, "Listing Tags"). */
#include "client/internal.h"

#include "http/link.h"

#define PAGE       1000
#define PAGE_SMALL 100 /* what the registries that refuse larger ones take */

void call_first_page(berth_call *call)
{
    call->page_size = PAGE;
    call->bare_url = call->url.n;
    berth_buf_addf(&call->url, "?n=%d", PAGE);
}

/* The next page is asked for with credentials, so it has to be the registry's own. */
int call_next_page(berth_call *call, const struct step **ret_next)
{
    berth_str next = STR_NULL, field;
    for (size_t i = 0; !next.p && (field = exchange_field(&call->x, STR("Link"), i)).p; i++)
        next = http_link_next(field);
    if (!next.p)
        return BERTH_OK;
    char *was = berth_arena_dup(&call->page, berth_buf_str(&call->url));
    int r = was ? call_follow(call, next, "the registry's link to the next page")
                : call_fail(call, BERTH_E_NOMEM, "out of memory");
    if (r != BERTH_OK)
        return r;
    if (call->foreign)
        return call_fail(call, BERTH_E_DENIED, "the registry's link to the next page leads to another host");
    if (str_eq(berth_buf_str(&call->url), str_from(was)))
        return call_fail(call, BERTH_E_INVALID, "the registry's link to the next page leads to the same one");
    call->page_size = 0;
    *ret_next = call->step;
    return BERTH_OK;
}

/* Some registries refuse a page of more than a hundred, others any wish at all. */
int call_smaller_page(berth_call *call, const struct step **ret_next)
{
    bool too_many = call->x.status == 400 || call->x.status == 413 || call->x.status == 416;
    if (!call->page_size || !too_many || call->redirects)
        return call_fail_by_answer(call);
    call->page_size = call->page_size > PAGE_SMALL ? PAGE_SMALL : 0;
    call->url.n = call->bare_url;
    if (call->page_size)
        berth_buf_addf(&call->url, "?n=%u", call->page_size);
    *ret_next = call->step;
    return BERTH_OK;
}
