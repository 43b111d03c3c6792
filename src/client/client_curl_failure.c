/* client/client_curl_failure.c - what it means when libcurl ends an exchange without an answer: a sentence
 * that says what the person can change, and whether another try is worth it. */
#include "client/client_curl.h"

#include <stdio.h>

#define REASON_MAX 200 /* bytes of curl's words, or OpenSSL's, in a message */

/* --- the words of others --- */

/* "OpenSSL SSL_read: OpenSSL/3.0.15: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0"
 * has its reason behind the last "::". */
struct reason {
    char text[REASON_MAX];
};

static struct reason reason_of(const struct curl_failure *f)
{
    struct reason r;
    berth_str why = str_from(f->why);
    const char *routines = strstr(f->why, "SSL routines:");
    const char *colons = routines ? strstr(routines, "::") : NULL;
    if (colons)
        why = str_from(colons + 2);
    if (colons && str_ends(why, STR(", errno 0")))
        why.n -= strlen(", errno 0");
    snprintf(r.text, sizeof(r.text), "%s" STR_FMT, colons ? "TLS: " : "", STR_ARG(why));
    return r;
}

static bool says(const struct curl_failure *f, const char *const *words)
{
    for (; *words; words++)
        if (strcasestr(f->why, *words))
            return true;
    return false;
}

/* --- what it is --- */

/* The other end has refused the certificate that it saw (RFC 8446 section 6.2), in OpenSSL's words. */
static bool is_about_ours(const struct curl_failure *f)
{
    static const char *const alerts[] = {"alert certificate",       "alert bad certificate",
                                         "alert unknown ca",        "alert unsupported certificate",
                                         "alert access denied",     "alert certificate required",
                                         "alert handshake failure", NULL};
    return f->certificate_wanted && says(f, alerts);
}

/* With TLS 1.3 a server says only after the handshake what it makes of our certificate, or of none, and hangs
 * up: whether its words are read before the connection is gone is chance. */
static bool broke_early(CURLcode result, const struct curl_failure *f)
{
    bool broke = result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR || result == CURLE_GOT_NOTHING ||
                 result == CURLE_SSL_CONNECT_ERROR;
    return broke && f->certificate_wanted && !f->x->header.n && !f->x->sent;
}

static bool is_plain_http(const struct curl_failure *f)
{
    static const char *const alert[] = {"alert", NULL};
    return !says(f, alert); /* who sends one speaks TLS */
}

static bool is_other_name(const struct curl_failure *f)
{
    static const char *const words[] = {"subject name", "host name", "hostname", NULL};
    return says(f, words);
}

/* Curl names whom it could not connect to: "Failed to connect to HOST port PORT after 0 ms: ...", newer ones
 * with "via PROXY" in it. */
static bool is_about_proxy(const struct curl_failure *f, const http_uri *u)
{
    CLEANUP(berth_buf_done) berth_buf host = BERTH_BUF_INIT(16 * KIB);
    berth_str name = u->host;
    if (str_starts(name, STR("[")))
        name = (berth_str){name.p + 1, name.n - 2};
    berth_buf_addf(&host, "connect to " STR_FMT " port %u ", STR_ARG(name), u->port);
    const char *text = berth_buf_cstr(&host);
    return strstr(f->why, " via ") ||
           (text && strstr(f->why, "connect to ") && strstr(f->why, " port ") && !strcasestr(f->why, text));
}

/* --- in a sentence --- */

static int not_connected(const struct curl_failure *f, berth_error *err)
{
    const char *why = f->os_errno ? strerror((int)f->os_errno) : f->why;
    http_uri u;
    if (f->x->home && f->route->unix_socket)
        return berth_error_set(err, BERTH_E_NETWORK, "connecting to the socket '%s': %s",
                               f->route->unix_socket, why);
    if (http_uri_parse(str_from(f->x->url), &u) && is_about_proxy(f, &u))
        return berth_error_set(err, BERTH_E_NETWORK, "the proxy can't be reached: %s", f->why);
    return berth_error_set(err, BERTH_E_NETWORK, "%s", f->why);
}

static int not_verified(const struct curl_failure *f, berth_error *err)
{
    http_uri u;
    if (is_other_name(f) && http_uri_parse(str_from(f->x->url), &u))
        return berth_error_set(err, BERTH_E_NETWORK,
                               "the certificate is made out to another host name than '" STR_FMT "'",
                               STR_ARG(u.host));
    return berth_error_set(err, BERTH_E_NETWORK, "%s", reason_of(f).text);
}

static int refused_by_proxy(const struct curl_failure *f, berth_error *err)
{
    if (f->proxy_status != 407)
        return berth_error_set(err, BERTH_E_NETWORK, "the proxy answered %ld and lets nothing through",
                               f->proxy_status);
    berth_error_set(err, BERTH_E_UNAUTH, "the proxy wants other credentials");
    if (err)
        err->http_status = 407;
    return BERTH_E_UNAUTH;
}

/* Of one that it can't read, of the environment's, curl shows all, with the password. */
static int no_proxy(const struct curl_failure *f, berth_error *err)
{
    static const char *const unread[] = {"Unsupported proxy", NULL};
    return says(f, unread)
               ? berth_error_set(
                     err, BERTH_E_INVALID,
                     "the proxy that https_proxy, http_proxy or all_proxy names is no URL, or of no "
                     "kind that is known: in a name and a password '@' is written %%40")
               : berth_error_set(err, BERTH_E_NETWORK, "%s", f->why);
}

/* Curl says what the first of its calls made of it, which tells nobody anything. */
static int broken(const struct curl_failure *f, berth_error *err)
{
    static const char *const empty[] = {"getpeername", "bad write retry", NULL};
    return says(f, empty) ? berth_error_set(err, BERTH_E_NETWORK, "the connection broke")
                          : berth_error_set(err, BERTH_E_NETWORK, "%s", reason_of(f).text);
}

static int explain(CURLcode result, const struct curl_failure *f, berth_error *err)
{
    switch ((int)result) {
    case CURLE_OUT_OF_MEMORY:
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    case CURLE_SSL_CACERT_BADFILE:
        return berth_error_set(err, BERTH_E_INVALID, "the file of trusted certificates can't be used: %s",
                               f->why);
    case CURLE_SSL_CERTPROBLEM:
        return berth_error_set(err, BERTH_E_INVALID, "the client's certificate or key can't be used: %s",
                               f->why);
    case CURLE_COULDNT_CONNECT:
        return not_connected(f, err);
    case CURLE_PEER_FAILED_VERIFICATION:
        return not_verified(f, err);
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer that is not HTTP/1 */
        return berth_error_set(err, BERTH_E_NETWORK, "%s (does it speak HTTPS?)", f->why);
    case CURLE_PARTIAL_FILE:
        return berth_error_set(err, BERTH_E_NETWORK, "the body ended early: %s", f->why);
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_ABORTED_BY_CALLBACK: /* by on_connected(), or by a call that knows more about it */
        return berth_error_set(err, BERTH_E_NETWORK,
                               "the connection broke, and the content can be sent only once");
    case CURLE_OPERATION_TIMEDOUT:
        return berth_error_set(err, BERTH_E_NETWORK, "no progress in time: %s", f->why);
    case CURLE_SSL_CONNECT_ERROR:
        return berth_error_set(err, BERTH_E_NETWORK, "%s%s", reason_of(f).text,
                               is_plain_http(f) ? " (does it speak plain HTTP?)" : "");
    case CURLE_WRITE_ERROR: /* a callback's wish, which its call knows more about; else it is the header */
        return berth_buf_exceeded(&f->x->header)
                   ? berth_error_set(err, BERTH_E_TOO_BIG, "the header of the answer is too long")
                   : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    case CURLE_COULDNT_RESOLVE_PROXY:
        return no_proxy(f, err);
    default:
        return broken(f, err);
    }
}

/* --- whether to try again --- */

static enum exchange_failure kind_of(CURLcode result, const struct curl_failure *f)
{
    switch ((int)result) {
    case CURLE_SSL_CONNECT_ERROR:
        return is_plain_http(f) ? FAILURE_UNREACHED : FAILURE_LASTING;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT: /* curl's own is that of connecting */
        return FAILURE_UNREACHED;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return FAILURE_BROKEN;
    default:
        return FAILURE_LASTING;
    }
}

int curl_explain(CURLcode result, const struct curl_failure *f, enum exchange_failure *ret_kind,
                 berth_error *err)
{
    *ret_kind = FAILURE_LASTING;
    if (result == CURLE_OK) {
        *ret_kind = FAILURE_NONE;
        return BERTH_OK;
    }
    if (f->proxy_status >= 400) {
        *ret_kind = f->proxy_status >= 500 ? FAILURE_UNREACHED : FAILURE_LASTING;
        return refused_by_proxy(f, err);
    }
    if (broke_early(result, f) && !f->certificate_shown)
        return berth_error_set(err, BERTH_E_UNAUTH, "the registry wants a client's certificate");
    if (is_about_ours(f))
        return berth_error_set(err, BERTH_E_UNAUTH, "the registry refuses the client's certificate: %s",
                               reason_of(f).text);
    *ret_kind = kind_of(result, f);
    if (broke_early(result, f))
        return berth_error_set(err, BERTH_E_NETWORK,
                               "the connection broke (is the client's certificate refused?)");
    return explain(result, f, err);
}
