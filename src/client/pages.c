/* client/pages.c - listings come in pages, chained by Link (distribution-spec, "Listing Tags"). */
#include "client/internal.h"

#include "http/link.h"
#include "http/url.h"

#define PAGE       1000
#define PAGE_SMALL 100 /* what the registries that refuse larger ones take */

static void add_wish(berth_call *call)
{
    const char *sign = "?";
    call->url.n = call->bare_url;
    if (call->page_size) {
        berth_buf_addf(&call->url, "?n=%u", call->page_size);
        sign = "&";
    }
    if (call->page_last) {
        berth_buf_addf(&call->url, "%slast=", sign);
        http_url_encode(&call->url, str_from(call->page_last), "/");
    }
}

int call_first_page(berth_call *call, const berth_list_options *given, berth_error *err)
{
    berth_list_options o = BERTH_LIST_OPTIONS_INIT;
    if (given)
        memcpy(&o, given, MIN(given->size, sizeof(o)));
    call->page_size = o.page_size ? o.page_size : PAGE;
    call->one_page = o.one_page;
    call->page_last = o.last ? berth_arena_dup(&call->arena, str_from(o.last)) : NULL;
    call->bare_url = call->url.n;
    add_wish(call);
    return !o.last || call->page_last ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

/* The next page is asked for with credentials, so it has to be the registry's own. */
int call_next_page(berth_call *call, const struct step **ret_next)
{
    berth_str next = STR_NULL, field;
    for (size_t i = 0; !next.p && (field = exchange_field(&call->x, STR("Link"), i)).p; i++)
        next = http_link_next(field);
    call->more = next.p;
    if (!next.p || call->one_page)
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
    add_wish(call);
    *ret_next = call->step;
    return BERTH_OK;
}

bool berth_call_has_more(const berth_call *call)
{
    return berth_call_result(call, NULL) == BERTH_OK && call->more;
}
