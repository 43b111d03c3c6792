/* tests/fuzz/query.c - percent-coding and query strings: what is decoded encodes and decodes to itself, and a
 * bad escape anywhere refuses the query. */
#include "fuzz.h"
#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_str s = {(const char *)data, size}, value, back;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf encoded = BERTH_BUF_INIT(16 * MIB);
    bool valid = http_query_valid(s);
    require(http_url_decode(s, true, &arena, &value) == valid);
    if (valid) {
        require(value.n <= s.n && !(value.n && memchr(value.p, '\0', value.n)));
        http_url_encode(&encoded, value, "/");
        require(http_url_decode(berth_buf_str(&encoded), true, &arena, &back) && str_eq(value, back));
    }
    for (size_t i = 0; i < 3; i++) {
        require(http_query_get(s, "n", i, &arena, &value) == valid);
        if (valid && !value.p)
            break;
    }
    return 0;
}
