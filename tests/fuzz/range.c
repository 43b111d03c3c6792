/* tests/fuzz/range.c - Range: whatever is asked for, the ranges lie in the body, apart from each other. The
 * first eight bytes are its size. */
#include "fuzz.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t body;
    if (size < sizeof(body))
        return 0;
    memcpy(&body, data, sizeof(body));
    berth_str header = {(const char *)data + sizeof(body), size - sizeof(body)};
    struct http_range ranges[HTTP_RANGES_MAX];
    size_t n = SIZE_MAX;
    if (http_range_parse(header, body, ranges, &n) != HTTP_RANGE_SOME) {
        require(n == SIZE_MAX);
        return 0;
    }
    require(n >= 1 && n <= HTTP_RANGES_MAX);
    for (size_t i = 0; i < n; i++) {
        require(ranges[i].first <= ranges[i].last && ranges[i].last < body);
        for (size_t j = 0; j < i; j++)
            require(ranges[i].first > ranges[j].last + 1 || ranges[j].first > ranges[i].last + 1);
    }
    return 0;
}
