/* util/base64.h - base64 (RFC 4648 section 4), as credentials and tokens use it. */
#ifndef UTIL_BASE64_H
#define UTIL_BASE64_H

#include "util/buf.h"

void base64_encode(berth_buf *out, const void *p, size_t n);

/* Appends what @s stands for; padding may be absent, and the alphabet of URLs (- and _) is read as well.
 * False: another character, or a length that no bytes have. What was appended until then stays. */
bool base64_decode(berth_str s, berth_buf *out);

#endif
