/* http/link.h - the Link header (RFC 8288), as pages of a listing are chained by it. Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/link.c. */
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include "util/str.h"

/* The target of the first link in @field with rel="next", a view on it; .p NULL: none. */
berth_str http_link_next(berth_str field);

#endif
