/* http/block.h - the raw header block of a request, checked line by line before llhttp sees it. Pure.
 *
 * llhttp alone is not strict enough (docs/adr/0003): a fold passes it, it sets no limit on sizes. What
 * comes through here has CRLF line ends only, token names, no fold, no NUL, one Host, one meaning of its
 * length. */
#ifndef HTTP_BLOCK_H
#define HTTP_BLOCK_H

#include "http/refusal.h"

struct http_field {
    berth_str name, value; /* value without blanks around it */
};

struct http_block {
    berth_str method, target;
    unsigned minor; /* of HTTP/1.x: 0 or 1 */
    struct http_field *fields;
    size_t n_fields;
    berth_str host;         /* .p NULL: none (HTTP/1.0) */
    int64_t content_length; /* -1: none */
    bool chunked;
    bool keep_alive; /* what the client wants, by version and Connection */
    bool expect_continue;
};

struct http_block_limits {
    size_t bytes, count, uri;
};

/* Looks for the end of a block that may be incomplete. *@at, 0 at first, is where the unfinished line starts:
 * it spares a second look at what was seen. 1: complete, *@ret_end bytes long with its empty line; 0: more is
 * needed; -1: a line end without CR, or a first byte that no method starts with. */
int http_block_scan(const char *p, size_t n, size_t *at, size_t *ret_end);

/* Checks and takes apart a whole block. @fields has room for limits->count. The views of *@ret lie in @p.
 * 0, or the status of the refusal: 400, 414, 417, 431, 501, 505; *@ret_why then says why. */
int http_block_parse(const char *p, size_t n, const struct http_block_limits *limits,
                     struct http_field *fields, struct http_block *ret, struct http_refusal *ret_why);

/* Fills in which line of @p a refusal is about: the one that starts at @at. */
void http_block_locate(const char *p, size_t n, size_t at, struct http_refusal *ret_why);

bool http_is_token(berth_str s);       /* RFC 9110 section 5.6.2; not empty */
bool http_is_field_value(berth_str s); /* no control characters but the tab */
bool http_is_authority(berth_str s);   /* host or host:port, fit to be printed in a URL; not empty */
berth_str http_field_get(const struct http_block *b, berth_str name, size_t i); /* the @i-th; .p NULL: none */

/* The next element of a comma-separated list that is not empty, blanks around it cut; false at the end.
 * Commas in quoted strings do not separate. */
bool http_list_next(berth_str *rest, berth_str *ret);

#endif
