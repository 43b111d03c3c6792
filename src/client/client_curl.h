/* client/client_curl.h - what the files that see libcurl share: how a handle is told of a route,
 * and what an end means. */
#ifndef CLIENT_CLIENT_CURL_H
#define CLIENT_CLIENT_CURL_H

#include <curl/curl.h>

#include "client/internal.h"
#include "client/route.h"

/* libcurl's functions, by their names without "curl_"; usable once curl_load() has returned BERTH_OK. */
/* clang-format off */
#define CURL_FUNCTIONS(X)                                                                        \
    X(easy, cleanup) X(easy, getinfo) X(easy, init) X(easy, pause) X(easy, setopt) X(easy, strerror)            \
    X(global, init)                                                                              \
    X(multi, add_handle) X(multi, assign) X(multi, cleanup) X(multi, info_read) X(multi, init)   \
    X(multi, remove_handle) X(multi, setopt) X(multi, socket_action)                             \
    X(slist, append) X(slist, free_all)
/* clang-format on */
struct curl_functions {
#define POINTER(prefix, name) __typeof__(curl_##prefix##_##name) *prefix##_##name;
    CURL_FUNCTIONS(POINTER)
#undef POINTER
};
extern struct curl_functions curl;

/* Any thread, any number of times. BERTH_E_UNSUPPORTED: there is no libcurl. */
int curl_load(berth_error *err);

/* What holds for every request of the client. @resolve is lent as long as the handle lives. */
bool curl_route_set_up(CURL *easy, const struct route *r, struct curl_slist *resolve);
struct curl_slist *curl_route_resolve(const struct route *r, bool *ret_ok);

/* What depends on where this request goes. *@ret_shows: there is a certificate of ours to show. False: no
 * memory, or certificates that can't be read. */
bool curl_route_aim(CURL *easy, const struct route *r, const char *ca_file, const struct exchange *x,
                    bool *ret_shows);

/* What is known of an exchange that curl has ended. */
struct curl_failure {
    const struct exchange *x;
    const struct route *route;
    const char *why;                            /* in curl's words */
    long proxy_status;                          /* of its answer to CONNECT; 0: there was none */
    long os_errno;                              /* of connecting; 0: unknown */
    bool certificate_wanted, certificate_shown; /* of ours; the other end has asked for one */
};

/* Why it has ended so, in words that say what can be done about it. */
int curl_explain(CURLcode result, const struct curl_failure *f, enum exchange_failure *ret_kind,
                 berth_error *err);

#endif
