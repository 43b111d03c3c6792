/* client/response.c - the answer to a request by template: status, headers, body, Location in both forms,
 * errors. */
#include "client/request.h"

#include <strings.h>

#include "oci/answer.h"
#include "oci/mediatype.h"

#define ERRORS_MAX (64 * KIB) /* a longer body is no list of errors */

static bool read_headers(berth_call *call, berth_response *r)
{
    berth_str all = berth_buf_str(&call->x.header), left = all, line, name, value;
    size_t n = 0;
    for (size_t i = 0; i < all.n; i++)
        n += all.p[i] == '\n';
    r->headers = berth_arena_alloc(&call->arena, (n + 1) * sizeof(*r->headers));
    if (!r->headers)
        return false;
    n = 0;
    str_cut(left, '\n', &line, &left); /* "HTTP/1.1 200 OK" */
    while (left.n) {
        str_cut(left, '\n', &line, &left);
        if (!str_cut(line, ':', &name, &value))
            continue;
        if (str_ends(value, STR("\r")))
            value.n--;
        r->headers[n].name = berth_arena_dup(&call->arena, str_trim(name));
        r->headers[n].value = berth_arena_dup(&call->arena, str_trim(value));
        if (!r->headers[n].name || !r->headers[n].value)
            return false;
        n++;
    }
    return true;
}

/* An answer without one, or with one that is no URL, has none. */
static bool read_location(berth_call *call, berth_response *r)
{
    const char *said = berth_response_header(r, "Location");
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(HTTP_URI_MAX);
    http_uri u;
    if (!said || !http_uri_resolve(berth_buf_str(&call->url), str_from(said), &url) ||
        !http_uri_parse(berth_buf_str(&url), &u))
        return true;
    r->absolute = berth_arena_dup(&call->arena, berth_buf_str(&url));
    r->location = berth_arena_printf(&call->arena, "%s" STR_FMT, str_starts(u.target, STR("/")) ? "" : "/",
                                     STR_ARG(u.target));
    return r->absolute && r->location;
}

static bool read_errors(berth_call *call, berth_response *r)
{
    oci_error_entry *entries = NULL;
    berth_str type = mediatype_essence(str_from(berth_response_header(r, "Content-Type")));
    int code = BERTH_E_INVALID;
    if (r->body_n > ERRORS_MAX || !r->body_n)
        berth_error_set(&r->why, code, "the answer of %d has %s", r->status,
                        r->body_n ? "a body too long for a list of errors" : "no body to tell errors");
    else if (str_eq_nocase(type, STR("text/html")))
        berth_error_set(&r->why, code, "the answer of %d is a web page, not a list of errors", r->status);
    else
        code =
            oci_read_errors((berth_str){r->body, r->body_n}, &call->arena, &entries, &r->n_errors, &r->why);
    if (code == BERTH_E_NOMEM)
        return false;
    if (code != BERTH_OK)
        return true;
    berth_response_error *errors = berth_arena_alloc(&call->arena, r->n_errors * sizeof(*errors));
    for (size_t i = 0; errors && i < r->n_errors; i++)
        errors[i] = (berth_response_error){entries[i].code.p, entries[i].message.p, entries[i].detail.p};
    r->errors = errors;
    return errors;
}

berth_response *response_read(berth_call *call)
{
    berth_response *r = berth_arena_alloc(&call->arena, sizeof(*r));
    const char *body = berth_buf_cstr(&call->body);
    if (!r || !body)
        return NULL;
    r->status = call->x.status;
    r->body = body;
    r->body_n = call->body.n;
    return read_headers(call, r) && read_location(call, r) && read_errors(call, r) ? r : NULL;
}

int berth_response_status(const berth_response *response)
{
    return response->status;
}

const char *berth_response_header(const berth_response *response, const char *name)
{
    for (const struct pair *h = response->headers; h->name; h++)
        if (strcasecmp(h->name, name) == 0)
            return h->value;
    return NULL;
}

const char *berth_response_header_at(const berth_response *response, size_t i, const char **ret_name)
{
    const struct pair *h = response->headers;
    while (h->name && i--)
        h++;
    if (h->name && ret_name)
        *ret_name = h->name;
    return h->value;
}

const void *berth_response_body(const berth_response *response, size_t *ret_size)
{
    if (ret_size)
        *ret_size = response->body_n;
    return response->body;
}

const char *berth_response_location(const berth_response *response)
{
    return response->location;
}

const char *berth_response_absolute_location(const berth_response *response)
{
    return response->absolute;
}

int berth_response_errors(const berth_response *response, const berth_response_error **ret_errors,
                          size_t *ret_n, berth_error *err)
{
    if (!response->errors) {
        if (err)
            *err = response->why;
        return BERTH_E_INVALID;
    }
    *ret_errors = response->errors;
    *ret_n = response->n_errors;
    return BERTH_OK;
}
