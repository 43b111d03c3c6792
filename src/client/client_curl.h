/* client/client_curl.h - what the files that see libcurl share: how a handle is told of a route. */
#ifndef CLIENT_CLIENT_CURL_H
#define CLIENT_CLIENT_CURL_H

#include <curl/curl.h>

#include "client/internal.h"
#include "client/route.h"

/* What holds for every request of the client. @resolve is lent as long as the handle lives. */
bool curl_route_set_up(CURL *easy, const struct route *r, struct curl_slist *resolve);
struct curl_slist *curl_route_resolve(const struct route *r, bool *ret_ok);

/* What depends on where this request goes. False: no memory, or certificates that can't be read. */
bool curl_route_aim(CURL *easy, const struct route *r, const char *ca_file, const struct exchange *x);

#endif
