/* client/call_fail.c - failures in words: what the call is about, and why; the registry's own words where it
 * has some. */
#include "client/call_private.h"

#include <stdarg.h>
#include <stdio.h>

#include "oci/answer.h"
#include "oci/mediatype.h"

int call_fail(berth_call *call, int code, const char *fmt, ...)
{
    char why[sizeof(call->err.message)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    call->code = berth_error_set(&call->err, code, "%s: %s", call->subject, why);
    return code;
}

int call_fail_with(berth_call *call, const berth_error *err)
{
    call_fail(call, err->code, "%s", err->message);
    memcpy(call->err.oci_code, err->oci_code, sizeof(err->oci_code));
    return call->code;
}

static int code_of(int status)
{
    static const struct {
        int status, code;
    } known[] = {{400, BERTH_E_INVALID},  {401, BERTH_E_UNAUTH},      {407, BERTH_E_UNAUTH},
                 {403, BERTH_E_DENIED},   {404, BERTH_E_NOT_FOUND},   {405, BERTH_E_UNSUPPORTED},
                 {409, BERTH_E_CONFLICT}, {413, BERTH_E_TOO_BIG},     {416, BERTH_E_RANGE},
                 {429, BERTH_E_BUSY},     {501, BERTH_E_UNSUPPORTED}, {503, BERTH_E_BUSY}};
    for (size_t i = 0; i < COUNT(known); i++)
        if (known[i].status == status)
            return known[i].code;
    return BERTH_E_IO;
}

/* Registries differ in the status that they put to a code: what is missing is so with any. */
static int code_of_error(int status, berth_str code)
{
    static const char *const missing[] = {"BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN", "MANIFEST_BLOB_UNKNOWN",
                                          "MANIFEST_UNKNOWN", "NAME_UNKNOWN"};
    for (size_t i = 0; status == 400 && i < COUNT(missing); i++)
        if (str_eq(code, str_from(missing[i])))
            return BERTH_E_NOT_FOUND;
    return code_of(status);
}

/* Servers tell it in pages of their own when they are spoken to in plain HTTP and speak HTTPS, registries
 * also in an error of theirs. */
static bool wants_https(const berth_call *call)
{
    berth_str page = berth_buf_str(&call->body);
    bool json = page.n && page.p[0] == '{';
    return call->x.status == 400 && call->x.url && str_starts(str_from(call->x.url), STR("http:")) &&
           page.n && memmem(page.p, page.n, "HTTPS", 5) &&
           (!json || memmem(page.p, page.n, "HTTP request", 12));
}

/* As nginx says it. */
static bool wants_certificate(const berth_call *call)
{
    berth_str page = berth_buf_str(&call->body);
    return call->x.status == 400 && page.n && memmem(page.p, page.n, "No required SSL certificate", 27);
}

/* What the answer says went wrong, in its own words where it has some. */
int call_fail_by_answer_of(berth_call *call, const char *who)
{
    int status = call->x.status;
    berth_str code, message;
    if (wants_https(call)) {
        call_fail(call, BERTH_E_NETWORK, "%s answered 400 (it speaks HTTPS)", who);
    } else if (wants_certificate(call)) {
        call_fail(call, BERTH_E_UNAUTH, "%s wants a client's certificate", who);
    } else if (oci_read_error(berth_buf_str(&call->body), &call->arena, &code, &message)) {
        call_fail(call, code_of_error(status, code), STR_FMT "%s" STR_FMT "%s", STR_ARG(message),
                  message.n ? " (" : "", STR_ARG(code), message.n ? ")" : "");
        snprintf(call->err.oci_code, sizeof(call->err.oci_code), STR_FMT, STR_ARG(code));
    } else {
        berth_str why = call->state == CALL_TOKEN
                            ? auth_token_refusal(berth_buf_str(&call->body), &call->arena)
                            : STR("");
        call_fail(call, code_of(status), "%s answered %d%s" STR_FMT, status == 407 ? "the proxy" : who,
                  status, why.n ? ": " : "", STR_ARG(why));
    }
    call->err.http_status = status;
    return call->code;
}

int call_fail_unread(berth_call *call, const berth_error *err)
{
    berth_str type = mediatype_essence(exchange_field(&call->x, STR("Content-Type"), 0));
    bool page =
        str_eq_nocase(type, STR("text/html")) || str_starts(str_trim(berth_buf_str(&call->body)), STR("<"));
    if (!page || err->code != BERTH_E_INVALID)
        return call_fail(call, err->code, "%s", err->message);
    return call_fail(call, err->code, "%s answered with a web page (is that the registry's address?): %s",
                     call_who_answers(call), err->message);
}

const char *call_who_answers(const berth_call *call)
{
    return call->foreign ? "the host that it redirects to" : "the registry";
}

int call_fail_by_answer(berth_call *call)
{
    call_fail_by_answer_of(call, call_who_answers(call));
    if (call->x.status == 401 && call->lacks_rights) { /* logging in again would not help */
        call->code = call->err.code = BERTH_E_DENIED;
        berth_error_prefix(&call->err, "the user may not do this");
    }
    return call->code;
}
