/* tests/fuzz/reply.c - the header block of an answer: what passes has one status and one length, wherever it
 * is cut off before its end it does not pass. */
#include <stdlib.h>

#include "http/block.h"
#include "http/reply.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    struct http_reply r, unused;
    size_t at = 0, end = 0;
    if (!http_reply_parse((berth_str){p, size}, &r))
        return 0;
    require(r.status >= 100 && r.status <= 999 && r.content_length >= -1);
    require(!r.chunked || r.content_length < 0);
    require(http_block_scan(p, size, &at, &end) == 1 && end == size);
    require(!http_reply_parse((berth_str){p, size - 1}, &unused));
    return 0;
}
