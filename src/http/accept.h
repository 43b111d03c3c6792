/* http/accept.h - content negotiation by Accept (RFC 9110 section 12.5.1) and by entity tags (13.1). Pure. */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "util/str.h"

/* Quality in thousandths that @accept gives @media_type: the most specific range counts; 1000 when @accept is
 * absent
 * (.p NULL) or empty; 0: not acceptable. A malformed element is skipped. */
unsigned http_accept_quality(berth_str accept, berth_str media_type);

/* Whether @accept names @media_type itself, not by a wildcard, with quality above 0. */
bool http_accept_names(berth_str accept, berth_str media_type);

/* RFC 9110 section 8.8.3.2: compared strongly, a weak tag equals none, not even itself. */
enum http_etag_comparison { HTTP_ETAG_STRONG, HTTP_ETAG_WEAK };

/* If-Match (strong) or If-None-Match (weak) against @etag (with quotes): "*" or a list. */
bool http_etag_matches(berth_str header, berth_str etag, enum http_etag_comparison how);

#endif
