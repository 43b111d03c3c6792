/* http/chunk.h - the framing of a chunked body, checked byte by byte before llhttp decodes it. Pure.
 *
 * llhttp sets no limit on size lines and trailers; here they have one, CRLF is the only line end, and a size
 * is hexadecimal digits and nothing else (RFC 9112 section 7.1). */
#ifndef HTTP_CHUNK_H
#define HTTP_CHUNK_H

#include "util/str.h"

struct http_chunk_check {
    enum {
        CHUNK_SIZE, /* at or in the digits */
        CHUNK_EXTENSION,
        CHUNK_SIZE_LF,
        CHUNK_DATA,
        CHUNK_DATA_CR,
        CHUNK_DATA_LF,
        CHUNK_TRAILER, /* at the start of a trailer line, or of the empty one that ends all */
        CHUNK_TRAILER_NAME,
        CHUNK_TRAILER_VALUE,
        CHUNK_TRAILER_LF,
        CHUNK_END_LF,
        CHUNK_END,
        CHUNK_BAD,
    } state;
    uint64_t left; /* of the chunk's data */
    unsigned digits;
    size_t line; /* bytes of this size line, or of all trailers */
};

#define HTTP_CHUNK_LINE_MAX    256  /* a size with its extensions */
#define HTTP_CHUNK_TRAILER_MAX 8192 /* all trailers together */

/* Checks the next bytes; returns how many belong to the body (all of @n before its end). The state is then
 * CHUNK_END, CHUNK_BAD or one that waits for more. Starts as {0}. */
size_t http_chunk_check(struct http_chunk_check *c, const char *p, size_t n);

#endif
