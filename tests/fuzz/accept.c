/* tests/fuzz/accept.c - Accept and If-None-Match, whose values are lists: two lines, one for each. */
#include "fuzz.h"
#include "http/accept.h"
#include "http/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const berth_str types[] = {{"application/vnd.oci.image.index.v1+json", 39}, {"a/b", 3}, {"", 0}};
    berth_str accept, tags, one;
    str_cut((berth_str){(const char *)data, size}, '\n', &accept, &tags);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        unsigned quality = http_accept_quality(accept, types[i]);
        require(quality <= 1000);
        if (http_accept_names(accept, types[i]))
            require(accept.n >= types[i].n);
    }
    if (http_etag_matches(tags, STR("\"sha256:0\""), HTTP_ETAG_STRONG))
        require(http_etag_matches(tags, STR("\"sha256:0\""), HTTP_ETAG_WEAK));
    require(http_etag_matches(STR("*"), STR("\"x\""), HTTP_ETAG_STRONG));
    size_t elements = 0;
    for (berth_str rest = tags; http_list_next(&rest, &one); elements++)
        require(one.n && one.p >= tags.p && one.p + one.n <= tags.p + tags.n);
    require(elements <= tags.n / 2 + 1);
    return 0;
}
