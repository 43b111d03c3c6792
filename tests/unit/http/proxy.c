/* tests/unit/http/proxy.c - trusted proxies, and the count of connections by address. */
#include "test.h"

#include "http/internal.h"

static struct http_proxies *trust(const char *a, const char *b)
{
    const char *list[] = {a, b};
    struct http_proxies *p = NULL;
    CHECK_OK(http_proxies_new(list, b ? 2 : a ? 1 : 0, &p, &test_err));
    return p;
}

static struct http_address address(const char *text)
{
    struct http_address a;
    CHECK(http_address_parse(str_from(text), &a));
    return a;
}

static void test_http_proxy__reads_and_prints_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want; /* NULL: refused */
    } rows[] = {
        {"1.2.3.4", "1.2.3.4"},
        {"1.2.3.4:80", "1.2.3.4"},
        {"::1", "::1"},
        {"[::1]", "::1"},
        {"[::1]:80", "::1"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"2001:db8::1", "2001:db8::1"},
        {"", NULL},
        {"unknown", NULL},
        {"1.2.3", NULL},
        {"1.2.3.4.5", NULL},
        {"[1.2.3.4]", NULL},
        {"[::1]x", NULL},
        {"[::1", NULL},
        {":80", NULL},
        {"1.2.3.4\n", NULL},
        {"_hidden", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_address a;
        char text[HTTP_ADDRESS_TEXT] = "";
        bool ok = http_address_parse(str_from(rows[i].in), &a);
        CHECK_ROW(i, ok == (rows[i].want != NULL));
        if (!ok)
            continue;
        http_address_print(&a, text);
        CHECK_STR_ROW(i, str_from(text), str_from(rows[i].want));
    }
}

static void test_http_proxy__trusts_addresses_within_its_networks(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool want;
    } rows[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"10.0.0.1/32", "10.0.0.0", false},
        {"10.1.2.128/25", "10.1.2.200", true},
        {"10.1.2.128/25", "10.1.2.127", false},
        {"0.0.0.0/0", "1.2.3.4", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "1.2.3.4", true},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::1", "::1", true},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_proxies *p = trust(rows[i].network, NULL);
        struct http_address a = address(rows[i].address);
        CHECK_ROW(i, http_proxies_trust(p, &a) == rows[i].want);
        CHECK_ROW(i, !http_proxies_trust(p, NULL));
        http_proxies_free(p);
    }
    struct http_proxies *p = trust("unix", "10.0.0.1");
    CHECK(http_proxies_trust(p, NULL));
    http_proxies_free(p);
    static const char *const bad[] = {"10.0.0.0/33", "::/129",    "10.0.0/8", "host.example", "",
                                      "10.0.0.1/",   "10.0.0.1/x"};
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK_ROW(i, http_proxies_new(&bad[i], 1, &p, &test_err) == BERTH_E_INVALID);
}

static void test_http_proxy__takes_the_rightmost_address_that_is_not_a_proxys(void **state)
{
    (void)state;
    static const struct {
        const char *list, *want; /* NULL: none */
    } rows[] = {
        {"1.1.1.1", "1.1.1.1"},
        {"6.6.6.6, 1.1.1.1", "1.1.1.1"},
        {"6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"},
        {"1.1.1.1:5555 ,10.0.0.2", "1.1.1.1"},
        {"10.0.0.3, 10.0.0.2", "10.0.0.3"},
        {"[2001:db8::1]:80", "2001:db8::1"},
        {"1.1.1.1, unknown, 10.0.0.2", "10.0.0.2"},
        {"1.1.1.1, unknown", NULL},
        {"1.1.1.1,,", "1.1.1.1"},
        {"", NULL},
    };
    struct http_proxies *p = trust("10.0.0.0/8", NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_address a;
        char text[HTTP_ADDRESS_TEXT] = "";
        bool ok = http_forwarded_for(p, str_from(rows[i].list), &a);
        CHECK_ROW(i, ok == (rows[i].want != NULL));
        if (ok)
            http_address_print(&a, text);
        if (ok)
            CHECK_STR_ROW(i, str_from(text), str_from(rows[i].want));
    }
    http_proxies_free(p);
}

RUN_TESTS(TEST(test_http_proxy__reads_and_prints_addresses),
          TEST(test_http_proxy__trusts_addresses_within_its_networks),
          TEST(test_http_proxy__takes_the_rightmost_address_that_is_not_a_proxys))
