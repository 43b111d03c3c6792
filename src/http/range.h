/* http/range.h - Range and Content-Range (RFC 9110 section 14; distribution-spec's own form on PATCH). Pure.
 */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "util/str.h"

#define HTTP_RANGES_MAX 16 /* more in one request: the header is ignored, the whole body is answered */

struct http_range {
    uint64_t first, last; /* inclusive */
};

enum http_range_result {
    HTTP_RANGE_NONE, /* absent, malformed, another unit, too many: answer 200 */
    HTTP_RANGE_SOME, /* *@ret_n satisfiable ranges, sorted as asked; touching or overlapping ones merged */
    HTTP_RANGE_UNSATISFIABLE, /* answer 416 with "Content-Range: bytes @star/size" */
};

enum http_range_result http_range_parse(berth_str header, uint64_t size,
                                        struct http_range ranges[HTTP_RANGES_MAX], size_t *ret_n);

/* The "<first>-<last>" of a PATCH or PUT, also as "bytes <first>-<last>/<size or star>". False: malformed, or
 * last < first. */
bool http_content_range_parse(berth_str header, struct http_range *ret);

#define HTTP_SIZE_UNKNOWN UINT64_MAX

/* The "bytes <first>-<last>/<size or star>" of a 206. False: malformed, or another unit. */
bool http_content_range_answer_parse(berth_str header, struct http_range *ret, uint64_t *ret_size);

/* The "bytes star/<size>" of a 416. */
bool http_content_range_size_parse(berth_str header, uint64_t *ret_size);

#endif
