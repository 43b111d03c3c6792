/* tests/fuzz/address.c - who a client says it is: Host and other authorities, addresses, X-Forwarded-For,
 * Forwarded. */
#include "fuzz.h"
#include "http/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const trusted[] = {"127.0.0.1", "10.0.0.0/8", "fe80::/10", "unix"};
    static struct http_proxies *proxies;
    if (!proxies)
        require(http_proxies_new(trusted, COUNT(trusted), &proxies, NULL) == BERTH_OK);
    berth_str s = {(const char *)data, size};
    struct http_address a, back;
    char text[HTTP_ADDRESS_TEXT];

    if (http_is_authority(s)) /* it is printed into URLs and headers */
        for (size_t i = 0; i < s.n; i++)
            require((unsigned char)s.p[i] > ' ' && (unsigned char)s.p[i] < 0x7f &&
                    !strchr("/\\@?#\"<>", s.p[i]));
    if (http_address_parse(s, &a)) {
        http_address_print(&a, text);
        require(text[0] && http_address_parse(str_from(text), &back));
        require(memcmp(&a, &back, sizeof(a)) == 0);
        http_proxies_trust(proxies, &a);
    }
    if (http_forwarded_for(proxies, s, &a)) {
        http_address_print(&a, text);
        require(text[0]);
    }
    struct http_forwarded f = {0};
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    if (http_forwarded_add(proxies, s, &arena, &f) == BERTH_OK) { /* it goes into URLs and logs */
        require(!f.host.n || http_is_authority(f.host));
        require(!f.scheme.n || str_eq(f.scheme, STR("http")) || str_eq(f.scheme, STR("https")));
        if (f.has_address) {
            http_address_print(&f.address, text);
            require(text[0]);
        }
    }
    /* A list of networks as an operator may write it. */
    CLEANUP(freep) char *network = str_dup(s);
    struct http_proxies *p = NULL;
    if (network && http_proxies_new(&(const char *){network}, 1, &p, NULL) == BERTH_OK)
        http_proxies_free(p);
    return 0;
}
