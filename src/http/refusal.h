/* http/refusal.h - why the server itself refuses a request, told so that the client can be helped: what is
 * wrong, where, and which limit it went over. */
#ifndef HTTP_REFUSAL_H
#define HTTP_REFUSAL_H

#include "util/str.h"

struct http_refusal {
    const char *reason; /* what is wrong and what to do about it, without a full stop; static */
    unsigned line;      /* of the header block, 1 is the request line; 0: it is about none of them */
    berth_str text;     /* the start of that line as sent, never a header's value; valid during the call */
    uint64_t limit;     /* that it went over, then @reason ends with "the limit"; 0: none */
};

#endif
