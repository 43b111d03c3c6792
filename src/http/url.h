/* http/url.h - percent-coding and query strings. Pure. */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "util/arena.h"
#include "util/buf.h"

/* Decodes %XX ('+' becomes a space only with @plus). Into @arena unless nothing is encoded. False: a bad
 * escape, an encoded NUL, or no memory. */
bool http_url_decode(berth_str s, bool plus, berth_arena *arena, berth_str *ret);

/* Encodes all but RFC 3986 unreserved characters and those in @keep. */
void http_url_encode(berth_buf *out, berth_str s, const char *keep);

/* The @i-th value of @key in a raw query, decoded; '+' stands for itself: media types hold it, nothing here a
 * space. *@ret.p is NULL where there is none ("key" alone and "key=" give an empty view). False: a bad escape
 * anywhere in the query. */
bool http_query_get(berth_str query, const char *key, size_t i, berth_arena *arena, berth_str *ret);
/* The value of a @key that has but one; *@ret_other.p is NULL unless it stands again with another. */
bool http_query_one(berth_str query, const char *key, berth_arena *arena, berth_str *ret,
                    berth_str *ret_other);
bool http_query_valid(berth_str query); /* every escape is well formed */

#endif
