/* http/parser.h - llhttp, behind what block.c and chunk.c have checked. Header blocks and chunked bodies are
 * read by both, and where the two disagree the request is malformed: nobody in front of or behind us can then
 * have read it otherwise than we did. */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include "http/block.h"

struct http_chunked; /* a chunked body that is being received */

/* Whether llhttp reads the @n bytes of the block as @b says. With chunked coding *@ret_chunked is the decoder
 * of the body that follows: mem_free() it. False without memory, too. */
bool http_parser_agrees(const char *p, size_t n, const struct http_block *b,
                        struct http_chunked **ret_chunked);

enum http_chunked_result { HTTP_CHUNKED_MORE, HTTP_CHUNKED_END, HTTP_CHUNKED_BAD };

/* Decodes the next bytes: @out(@arg) gets the data, *@ret_used is how many bytes belonged to the body. */
enum http_chunked_result http_chunked_decode(struct http_chunked *k, const char *p, size_t n,
                                             void (*out)(void *arg, const char *p, size_t n), void *arg,
                                             size_t *ret_used);

#endif
