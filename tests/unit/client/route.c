/* tests/unit/client/route.c */
#include "helper_fixture.h"

#include "client/route.h"

static void folder_make(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", helper_folder, name);
    CHECK(mkdir(path, 0700) == 0);
}

static int open_route(struct route *r, const berth_connection_options *o)
{
    memset(r, 0, sizeof(*r));
    int code = route_init(r, o, "a.example:5000", &test_err);
    if (code != BERTH_OK)
        route_done(r);
    return code;
}

static void test_client_route__finds_certificates_by_host(void **state)
{
    (void)state;
    const char *const folders[] = {"/nowhere", helper_folder, NULL};
    berth_connection_options o = BERTH_CONNECTION_OPTIONS_INIT;
    struct route r;
    o.certs_folders = folders;
    CHECK_OK(open_route(&r, &o));
    CHECK(!r.own.authorities.n && !r.own.certificate);
    route_done(&r);
    folder_make("a.example:5000");
    file_write("a.example:5000/b.crt", "second", 0600);
    file_write("a.example:5000/a.crt", "first", 0600);
    file_write("a.example:5000/x.cert", "", 0600);
    CHECK_CODE(open_route(&r, &o), BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "x.key"));
    file_write("a.example:5000/x.key", "", 0600);
    file_write("a.example:5000/y.cert", "", 0600);
    CHECK_OK(open_route(&r, &o));
    CHECK_STR(berth_buf_str(&r.own.authorities), STR("first\nsecond\n"));
    CHECK(str_ends(str_from(r.own.certificate), STR("/x.cert")) &&
          str_ends(str_from(r.own.key), STR("/x.key")));
    static const char *const others[] = {"a.example", "..", "../a.example:5000", ""};
    for (size_t i = 0; i < COUNT(others); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        struct route_certs certs = {0};
        CHECK_OK(route_find_certs(&r, str_from(others[i]), &arena, &certs, &test_err));
        CHECK_ROW(i, !certs.authorities.n && !certs.certificate);
        berth_buf_done(&certs.authorities);
    }
    route_done(&r);
}

static void test_client_route__refuses_what_makes_no_sense(void **state)
{
    (void)state;
    berth_connection_options key = BERTH_CONNECTION_OPTIONS_INIT, family = BERTH_CONNECTION_OPTIONS_INIT;
    struct route r;
    key.client_key = "key.pem";
    family.family = (berth_family)5;
    CHECK_CODE(open_route(&r, &key), BERTH_E_INVALID);
    CHECK_CODE(open_route(&r, &family), BERTH_E_INVALID);
    static const struct {
        const char *proxy, *resolve, *certificate;
        int code;
    } rows[] = {
        {"", NULL, NULL, BERTH_OK},
        {"proxy.example:3128", NULL, NULL, BERTH_OK},
        {"HTTP://a:b@proxy.example", NULL, NULL, BERTH_OK},
        {"socks5h://a:b:c@[::1]:1080/", NULL, NULL, BERTH_OK},
        {"http://a:b@c@proxy.example:1", NULL, NULL, BERTH_E_INVALID},
        {"http://a:b/c@proxy.example", NULL, NULL, BERTH_E_INVALID},
        {"a:b#c@proxy.example", NULL, NULL, BERTH_E_INVALID},
        {"http://a:b@pro xy.example", NULL, NULL, BERTH_E_INVALID},
        {"http://a:b@", NULL, NULL, BERTH_E_INVALID},
        {"proxy.example:65536", NULL, NULL, BERTH_E_INVALID},
        {"socks5h://proxy.example", NULL, NULL, BERTH_OK},
        {"ftp://proxy.example", NULL, NULL, BERTH_E_INVALID},
        {NULL, "a.example:443:192.0.2.1", NULL, BERTH_OK},
        {NULL, "+a.example:443:192.0.2.1,[2001:db8::1]", NULL, BERTH_OK},
        {NULL, "[2001:db8::1]:443:192.0.2.1", NULL, BERTH_OK},
        {NULL, "*:443:192.0.2.1", NULL, BERTH_OK},
        {NULL, "-a.example:443", NULL, BERTH_OK},
        {NULL, "bad", NULL, BERTH_E_INVALID},
        {NULL, "a.example:443", NULL, BERTH_E_INVALID},
        {NULL, "a.example:443:", NULL, BERTH_E_INVALID},
        {NULL, "a.example:x:192.0.2.1", NULL, BERTH_E_INVALID},
        {NULL, "a.example:70000:192.0.2.1", NULL, BERTH_E_INVALID},
        {NULL, ":443:192.0.2.1", NULL, BERTH_E_INVALID},
        {NULL, "[2001:db8::1", NULL, BERTH_E_INVALID},
        {NULL, NULL, "/nowhere/client.pem", BERTH_E_NOT_FOUND},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *const resolve[] = {rows[i].resolve, NULL};
        berth_connection_options o = BERTH_CONNECTION_OPTIONS_INIT;
        o.proxy = rows[i].proxy;
        o.resolve = resolve;
        o.client_certificate = rows[i].certificate;
        CHECK_ROW(i, open_route(&r, &o) == rows[i].code);
        if (rows[i].code == BERTH_OK)
            route_done(&r);
    }
    CHECK_OK(open_route(&r, NULL));
    route_done(&r);
}

RUN_TESTS(HELPER_TEST(test_client_route__finds_certificates_by_host),
          HELPER_TEST(test_client_route__refuses_what_makes_no_sense))
