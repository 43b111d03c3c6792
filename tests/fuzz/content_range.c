/* tests/fuzz/content_range.c - the range of an upload's chunk: what passes prints and parses to itself. */
#include <inttypes.h>
#include <stdio.h>

#include "fuzz.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_range r, again, answered;
    uint64_t total;
    bool answers = http_content_range_answer_parse((berth_str){(const char *)data, size}, &answered, &total);
    require(!answers || (answered.first <= answered.last && answered.last < total));
    if (http_content_range_size_parse((berth_str){(const char *)data, size}, &total))
        require(!answers);
    if (!http_content_range_parse((berth_str){(const char *)data, size}, &r))
        return 0;
    require(r.first <= r.last);
    char text[64];
    for (unsigned form = 0; form < 2; form++) {
        snprintf(text, sizeof(text), "%s%" PRIu64 "-%" PRIu64 "%s", form ? "bytes " : "", r.first, r.last,
                 form ? "/*" : "");
        require(http_content_range_parse(str_from(text), &again));
        require(again.first == r.first && again.last == r.last);
    }
    return 0;
}
