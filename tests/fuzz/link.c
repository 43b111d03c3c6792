/* tests/fuzz/link.c - the Link header: what is found is a part of it. */
#include "fuzz.h"
#include "http/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_str s = {(const char *)data, size};
    berth_str next = http_link_next(s);
    require(!next.n || (next.p > s.p && next.p + next.n < s.p + s.n));
    return 0;
}
