/* http/reply.h - the header block of an answer, as a client receives it. Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/reply.c. What a sender of ours would not send is not guessed at: line
 * ends without CR, folds, lengths that contradict each other (RFC 9112 sections 2.2, 5 and 6.3). */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "util/str.h"

struct http_reply {
    int status;             /* 100 to 999 */
    int64_t content_length; /* -1: none */
    bool chunked;
    bool keep_alive; /* another request may follow on this connection */
};

/* A whole block, with its empty line: http_block_scan() finds the end. False: it is none. */
bool http_reply_parse(berth_str block, struct http_reply *ret);

#endif
