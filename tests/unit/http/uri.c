/* tests/unit/http/uri.c */
#include "test.h"

#include "http/uri.h"

static void test_http_uri__takes_urls_apart_and_refuses_tricks(void **state)
{
    (void)state;
    static const struct {
        const char *in, *host, *target; /* host NULL: refused */
        int port;
        bool tls;
    } rows[] = {
        {"https://registry.example/v2/?n=1", "registry.example", "/v2/?n=1", 443, true},
        {"HTTP://registry.example:5000", "registry.example", "", 5000, false},
        {"http://127.0.0.1:80?x", "127.0.0.1", "?x", 80, false},
        {"https://[::1]:5000/v2/", "[::1]", "/v2/", 5000, true},
        {"https://[::1]/v2/", "[::1]", "/v2/", 443, true},
        {"http://a/path?with=https://b/", "a", "/path?with=https://b/", 80, false},
        {"", NULL, NULL, 0, false},
        {"http:/a", NULL, NULL, 0, false},
        {"http://", NULL, NULL, 0, false},
        {"http:///path", NULL, NULL, 0, false},
        {"http://:5000/", NULL, NULL, 0, false},
        {"ftp://a/", NULL, NULL, 0, false},
        {"file:///etc/passwd", NULL, NULL, 0, false},
        {"http://a:b@c/", NULL, NULL, 0, false},
        {"http://a@c/", NULL, NULL, 0, false},
        {"http://a\\@c/", NULL, NULL, 0, false},
        {"http://a#@c/", NULL, NULL, 0, false},
        {"http://a/b c", NULL, NULL, 0, false},
        {"http://a/b\r\nX: y", NULL, NULL, 0, false},
        {"http://a:0/", NULL, NULL, 0, false},
        {"http://a:65536/", NULL, NULL, 0, false},
        {"http://a:/", NULL, NULL, 0, false},
        {"http://a:5x/", NULL, NULL, 0, false},
        {"http://[::1/", NULL, NULL, 0, false},
        {"http://::1/", NULL, NULL, 0, false},
        {"http://a%2eb/", NULL, NULL, 0, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        http_uri u;
        CHECK_ROW(i, http_uri_parse(str_from(rows[i].in), &u) == (rows[i].host != NULL));
        if (!rows[i].host)
            continue;
        CHECK_STR_ROW(i, u.host, str_from(rows[i].host));
        CHECK_STR_ROW(i, u.target, str_from(rows[i].target));
        CHECK_ROW(i, u.port == rows[i].port && u.tls == rows[i].tls);
    }
}

static void test_http_uri__resolves_every_form_of_reference(void **state)
{
    (void)state;
    static const char base[] = "https://r.example:5000/v2/a/tags/list?n=2";
    static const char *const rows[][2] = {
        {"https://other.example/x?a=b&c=d", "https://other.example/x?a=b&c=d"},
        {"http://other.example", "http://other.example"},
        {"//other.example/x", "https://other.example/x"},
        {"/v2/a/tags/list?n=2&last=b", "https://r.example:5000/v2/a/tags/list?n=2&last=b"},
        {"?n=2&last=b", "https://r.example:5000/v2/a/tags/list?n=2&last=b"},
        {"list?last=http://x", "https://r.example:5000/v2/a/tags/list?last=http://x"},
        {"", "https://r.example:5000/v2/a/tags/list?n=2"},
        {"/x#part", "https://r.example:5000/x"},
        {"//a@b/x", NULL},
        {"/x y", NULL},
        {"file:///etc/passwd", NULL},
        {"javascript:x", NULL},
        {"http://", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(1000);
        CHECK_ROW(i, http_uri_resolve(str_from(base), str_from(rows[i][0]), &out) == (rows[i][1] != NULL));
        if (rows[i][1])
            CHECK_STR_ROW(i, berth_buf_str(&out), str_from(rows[i][1]));
    }
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(1000);
    CHECK(http_uri_resolve(STR("http://a"), STR("v2/"), &out));
    CHECK_STR(berth_buf_str(&out), STR("http://a/v2/"));
    CHECK(!http_uri_resolve(STR("nonsense"), STR("http://a/"), &out));
}

static void test_http_uri__tells_origins_apart(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"http://a/x", "http://A:80/y", true}, {"https://a", "https://a:443/", true},
        {"http://a", "https://a", false},      {"http://a", "http://b", false},
        {"http://a:1", "http://a:2", false},   {"http://a", "http://a.b", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        http_uri a, b;
        CHECK_ROW(i, http_uri_parse(str_from(rows[i].a), &a) && http_uri_parse(str_from(rows[i].b), &b));
        CHECK_ROW(i, http_uri_same_origin(&a, &b) == rows[i].same);
    }
}

RUN_TESTS(TEST(test_http_uri__takes_urls_apart_and_refuses_tricks),
          TEST(test_http_uri__resolves_every_form_of_reference), TEST(test_http_uri__tells_origins_apart))
