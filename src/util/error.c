/* util/error.c - fills berth_error; see berth/error.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/base.h"

__attribute__((format(printf, 3, 0))) static void set_message(berth_error *err, int code, const char *fmt,
                                                              va_list ap)
{
    err->code = code;
    err->http_status = 0;
    err->oci_code[0] = '\0';
    vsnprintf(err->message, sizeof(err->message), fmt, ap);
}

int berth_error_set(berth_error *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        set_message(err, code, fmt, ap);
        va_end(ap);
    }
    return code;
}

int berth_error_set_oci(berth_error *err, int code, const char *oci_code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        set_message(err, code, fmt, ap);
        va_end(ap);
        snprintf(err->oci_code, sizeof(err->oci_code), "%s", oci_code);
    }
    return code;
}

int berth_error_prefix(berth_error *err, const char *fmt, ...)
{
    if (!err)
        return BERTH_E_INVALID;
    char prefix[128], was[sizeof(err->message)];
    memcpy(was, err->message, sizeof(was));
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof(prefix), fmt, ap);
    va_end(ap);
    int n = snprintf(err->message, sizeof(err->message), "%s: ", prefix);
    snprintf(err->message + n, sizeof(err->message) - (size_t)n, "%s", was);
    return err->code;
}
