/* tests/unit/http/forwarded.c - Forwarded as RFC 7239 writes it, and as those write it who mean no good. */
#include "test.h"

#include "http/internal.h"
#include "util/fault.h"

static struct http_proxies *proxies;

static int set_up(void **state)
{
    (void)state;
    static const char *const list[] = {"10.0.0.0/8", "2001:db8:a::/48"};
    return http_proxies_new(list, 2, &proxies, &test_err);
}

static int tear_down(void **state)
{
    (void)state;
    http_proxies_free(proxies);
    return 0;
}

/* "address scheme host" of the fields up to NULL, or NULL: malformed. */
static const char *understood(const char *const *fields)
{
    static char out[256];
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    struct http_forwarded f = {0};
    char address[HTTP_ADDRESS_TEXT] = "-";
    for (; *fields; fields++) {
        int r = http_forwarded_add(proxies, str_from(*fields), &arena, &f);
        if (r != BERTH_OK) {
            assert_int_equal(r, BERTH_E_INVALID);
            return NULL;
        }
    }
    if (f.has_address)
        http_address_print(&f.address, address);
    snprintf(out, sizeof(out), "%s " STR_FMT " " STR_FMT, address, STR_ARG(f.scheme), STR_ARG(f.host));
    return out;
}

struct row {
    const char *field, *want; /* NULL: malformed */
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = understood((const char *const[]){rows[i].field, NULL});
        if (!got != !rows[i].want || (got && strcmp(got, rows[i].want) != 0))
            fail_msg("row %zu, '%s': '%s'", i, rows[i].field, got ? got : "malformed");
    }
}

static void test_http_forwarded__reads_what_the_standard_writes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60 http "},
        {"For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17  "},
        {"FOR=\"[2001:db8::1]\";PROTO=HTTPS;HOST=Reg.Example", "2001:db8::1 https Reg.Example"},
        {"for=\"192.0.2.43:47011\"", "192.0.2.43  "},
        {"for=\"192.0.2.43:_port\"", "192.0.2.43  "},
        {"for=\"_gazonk\"", "-  "},
        {"for=_SEVKISEK.1-2_3", "-  "},
        {"for=\"_hidden:_p\";proto=https", "- https "},
        {"for=unknown;host=a", "-  a"},
        {"for=\"Unknown:80\"", "-  "},
        {"proto=https", "- https "},
        {"proto=ftp", "-  "}, /* a scheme, but none that we serve */
        {"proto=coap+tcp;host=\"reg.example:5000\"", "-  reg.example:5000"},
        {"host=\"[::1]:5000\"", "-  [::1]:5000"},
        {"for=1.1.1.1;x=y;z=\"a;b,c\"", "1.1.1.1  "}, /* extensions, whatever they hold */
        {"x=\"\"", "-  "},
        {";for=1.1.1.1;;proto=http;", "1.1.1.1 http "},
        {" for=1.1.1.1 ; proto=http\t", "1.1.1.1 http "},
        {",, for=1.1.1.1 ,,", "1.1.1.1  "},
        {"for=\"1.1\\.1.\\1:80\";host=\"a\\.b\";proto=\"ht\\tps\"", "1.1.1.1 https a.b"},
        {"x=\"\\\", for=6.6.6.6\";for=1.1.1.1", "1.1.1.1  "}, /* a quote that ends nothing */
        {"for=\"[::ffff:1.1.1.1]\"", "1.1.1.1  "},
    };
    check_rows(rows, COUNT(rows));
}

static void test_http_forwarded__refuses_what_is_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        ",",
        ";",
        "for",
        "for=",
        "=1.1.1.1",
        "for =1.1.1.1",
        "for= 1.1.1.1",
        "for=1.1.1.1 proto=http",
        "for=1.1.1.1,;",
        "for=1.1.1.1, x",
        "x, for=1.1.1.1",
        /* twice in one element */
        "for=1.1.1.1;for=2.2.2.2",
        "for=1.1.1.1;For=1.1.1.1",
        "proto=http;PROTO=https",
        "host=a;host=b",
        "by=_a;by=_b",
        /* quotes */
        "for=\"",
        "for=\"1.1.1.1",
        "for=\"1.1.1.1\\\"",
        "for=\"1.1.1.1\\",
        "for=\"1.1.1.1\"x",
        "for=1.1.1.1\"",
        "\"for\"=1.1.1.1",
        "for='1.1.1.1'",
        "host=\"a\x01\"",
        "host=\"a\r\nX: b\"",
        "x=\"\x7f\"",
        /* nodes */
        "for=2001:db8::1",
        "for=\"2001:db8::1\"",
        "for=[::1]",
        "for=\"[1.1.1.1]\"",
        "for=\"[::1\"",
        "for=\"[::1]x\"",
        "for=\"[::1]:\"",
        "for=\"[::1]:123456\"",
        "for=\"[]\"",
        "for=\"[fe80::1%eth0]\"",
        "for=1.1.1.1:80",
        "for=\"1.1.1.1:\"",
        "for=\"1.1.1.1:-1\"",
        "for=\"1.1.1.1:80:80\"",
        "for=1.1.1",
        "for=1.1.1.256",
        "for=example.com",
        "for=\"\"",
        "for=_",
        "for=\"_a/b\"",
        "for=\"_a b\"",
        "for=\":80\"",
        "by=nobody",
        "by=\"::1\"",
        "for=\"1.1.1.1 \"",
        /* hosts and schemes */
        "host=\"\"",
        "host=\"a b\"",
        "host=\"a/b\"",
        "host=\"a@b\"",
        "host=\"a\\\"b\"",
        "host=\"a:port\"",
        "host=\"a,b\"",
        "host=a;proto=\"\"",
        "proto=\"java<script\"",
        "proto=\"https:\"",
        "proto=1http",
        "proto=\"https://x\"",
        "proto=\"ht tp\"",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *got = understood((const char *const[]){bad[i], NULL});
        if (got)
            fail_msg("row %zu, '%s': '%s'", i, bad[i], got);
    }
    static const char nul[] = "for=_a\0b", host[] = "host=\"a\0b\"";
    struct http_forwarded f = {0};
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CHECK(http_forwarded_add(proxies, (berth_str){nul, sizeof(nul) - 1}, &arena, &f) == BERTH_E_INVALID);
    CHECK(http_forwarded_add(proxies, (berth_str){host, sizeof(host) - 1}, &arena, &f) == BERTH_E_INVALID);
}

static void test_http_forwarded__believes_as_far_as_trusted_proxies_reach(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"for=6.6.6.6;proto=https;host=evil, for=1.1.1.1", "1.1.1.1  "},
        {"for=6.6.6.6;host=evil, for=1.1.1.1;proto=https, for=10.0.0.2;proto=http;host=inner",
         "1.1.1.1 https inner"},
        {"for=1.1.1.1;proto=https;host=outer, for=10.0.0.3;proto=http;host=middle, for=10.0.0.2;host=inner",
         "1.1.1.1 https outer"},
        {"for=1.1.1.1, for=\"[2001:db8:a::1]:443\"", "1.1.1.1  "},
        {"for=10.0.0.3, for=10.0.0.2", "10.0.0.3  "}, /* all are ours: the first of them asks */
        {"for=1.1.1.1, for=unknown;proto=https, for=10.0.0.2", "10.0.0.2 https "},
        {"for=6.6.6.6;host=evil, for=_hidden", "-  "},
        {"for=6.6.6.6;host=evil, proto=https", "- https "}, /* who sent that, it does not say */
        {"for=6.6.6.6;host=evil, by=10.0.0.2", "-  "},
        {"for=6.6.6.6;host=evil, for=10.0.0.2;x=\"", NULL},
    };
    check_rows(rows, COUNT(rows));
    /* several fields are one list, except that no quote reaches from one into the next */
    const char *got =
        understood((const char *const[]){"for=6.6.6.6", "for=1.1.1.1;host=a, for=10.0.0.2", NULL});
    assert_string_equal(got, "1.1.1.1  a");
    got = understood((const char *const[]){"for=1.1.1.1;host=a", "for=10.0.0.3", "for=10.0.0.2", NULL});
    assert_string_equal(got, "1.1.1.1  a");
    assert_null(understood((const char *const[]){"x=\"a", "b\"", NULL}));
}

static void test_http_forwarded__says_when_there_is_no_memory_to_unquote(void **state)
{
    (void)state;
    struct http_forwarded f = {0};
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    fault_arm(1);
    CHECK(http_forwarded_add(proxies, STR("host=\"a\\b\""), &arena, &f) == BERTH_E_NOMEM);
    CHECK(fault_disarm());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_http_forwarded__reads_what_the_standard_writes),
        TEST(test_http_forwarded__refuses_what_is_malformed),
        TEST(test_http_forwarded__believes_as_far_as_trusted_proxies_reach),
        TEST(test_http_forwarded__says_when_there_is_no_memory_to_unquote),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
