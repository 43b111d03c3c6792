/* client/call_fail.c - failures in words: what the call is about, and why; the registry's own words where it
 * has some. */
#include "client/call_private.h"

#include <stdarg.h>
#include <stdio.h>

#include "oci/answer.h"

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

/* Servers tell it in pages of their own when they are spoken to in plain HTTP and speak HTTPS. */
static bool mentions_https(berth_str page)
{
    return memmem(page.p, page.n, "HTTPS", 5);
}

/* What the answer says went wrong, in its own words where it has some. */
int call_fail_by_answer_of(berth_call *call, const char *who)
{
    int status = call->x.status;
    berth_str code, message;
    if (oci_read_error(berth_buf_str(&call->body), &call->arena, &code, &message)) {
        call_fail(call, code_of(status), STR_FMT "%s" STR_FMT "%s", STR_ARG(message), message.n ? " (" : "",
                  STR_ARG(code), message.n ? ")" : "");
        snprintf(call->err.oci_code, sizeof(call->err.oci_code), STR_FMT, STR_ARG(code));
    } else {
        bool confused =
            status == 400 && !call->client->origin.tls && mentions_https(berth_buf_str(&call->body));
        call_fail(call, code_of(status), "%s answered %d%s", status == 407 ? "the proxy" : who, status,
                  confused ? " (it speaks HTTPS)" : "");
    }
    call->err.http_status = status;
    return call->code;
}

const char *call_who_answers(const berth_call *call)
{
    return call->foreign ? "the host that it redirects to" : "the registry";
}

int call_fail_by_answer(berth_call *call)
{
    return call_fail_by_answer_of(call, call_who_answers(call));
}
