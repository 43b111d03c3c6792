/* http/uri.h - absolute http and https URLs as peers hand them out in Location, Link and realm. Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/uri.c. */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "util/buf.h"

#define HTTP_URI_MAX (16 * KIB) /* a longer one is refused */

typedef struct http_uri {
    bool tls;            /* https */
    berth_str authority; /* "registry.example:5000" */
    berth_str host;      /* without the port; an IPv6 literal keeps its brackets */
    uint16_t port;       /* 80 or 443 where none is named */
    berth_str target;    /* path and query; empty, or starts with '/' or '?' */
} http_uri;

/* False for another scheme, a user name in the authority (a trick to have one host taken for another), a
 * space, a control character, a backslash or a fragment. The views lie in @s. */
bool http_uri_parse(berth_str s, http_uri *ret);

/* Appends what @reference means at @base (RFC 3986 section 5.2, without the removal of dots): absolute, or
 * relative in any form. The query is kept as it is; a fragment is cut off. False: either is no URL. */
bool http_uri_resolve(berth_str base, berth_str reference, berth_buf *out);

bool http_uri_same_origin(const http_uri *a, const http_uri *b); /* scheme, host and port */

#endif
