/* tests/fuzz/uri.c - URLs in Location, Link and realm: what passes has one meaning, and resolves to itself.
 */
#include "fuzz.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_str s = {(const char *)data, size};
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(64 * KIB), again = BERTH_BUF_INIT(64 * KIB);
    http_uri u, v;
    if (http_uri_parse(s, &u)) {
        require(u.host.n && u.port && u.authority.n + u.target.n < size);
        require(!memchr(u.authority.p, 64, u.authority.n)); /* at sign */
        require(http_uri_resolve(STR("http://base"), s, &again) && str_eq(berth_buf_str(&again), s));
    }
    if (http_uri_resolve(STR("https://base.example:5000/v2/a/tags/list?n=1"), s, &out)) {
        require(http_uri_parse(berth_buf_str(&out), &v));
        for (size_t i = 0; i < out.n; i++)
            require(out.p[i] > 32 || out.p[i] < 0);
    }
    return 0;
}
