/* tests/unit/auth/credentials.c */
#include "test.h"

#include "auth/credentials.h"

static const char config[] =
    "{\"auths\":{"
    "\"registry.example:5000\":{\"auth\":\"YWxpY2U6c2VjcmV0\"},"    /* alice:secret */
    "\"registry.example:5000/team\":{\"auth\":\"dGVhbTp0\"},"       /* team:t */
    "\"registry.example:5000/team/app\":{\"auth\":\"YXBwOmE6Yg\"}," /* app:a:b, without padding */
    "\"https://scheme.example/v2/\":{\"username\":\"u\",\"password\":\"p\"},"
    "\"https://index.docker.io/v1/\":{\"auth\":\"aHViOmg=\"}," /* hub:h */
    "\"token.example\":{\"identitytoken\":\"refresh\"},"
    "\"bearer.example\":{\"registrytoken\":\"as-it-is\"},"
    "\"padded.example\":{\"auth\":\"dTpwAAA=\"},"
    "\"helper.example\":{},"
    "\"broken.example\":{\"auth\":\"c2VjcmV0\"}," /* no colon */
    "\"odd.example\":\"nothing\"},"
    "\"credsStore\":\"desktop\"}";

static int find(const char *text, const char *host, const char *repository, berth_arena *arena,
                auth_credentials *ret)
{
    const auth_target target = {str_from(host), str_from(repository), AUTH_READ};
    return auth_credentials_find(str_from(text), &target, arena, ret, &test_err);
}

static void test_auth_credentials__finds_the_entry_that_leads_there(void **state)
{
    (void)state;
    static const struct {
        const char *host, *repository, *want; /* "user password", or NULL */
    } rows[] = {
        {"registry.example:5000", "other", "alice secret"},
        {"REGISTRY.example:5000", "other", "alice secret"},
        {"registry.example:5000", "", "alice secret"},
        {"registry.example:5000", "team", "team t"},
        {"registry.example:5000", "team/other", "team t"},
        {"registry.example:5000", "teams/other", "alice secret"}, /* a path ends at its border */
        {"registry.example:5000", "team/app", "app a:b"},
        {"registry.example:5000", "team/app/more", "app a:b"},
        {"registry.example:5000", "team/apple", "team t"},
        {"registry.example", "team", NULL}, /* another port is another registry */
        {"scheme.example", "x", "u p"},
        {"docker.io", "library/alpine", "hub h"},
        {"registry-1.docker.io", "library/alpine", "hub h"},
        {"padded.example", "x", "u p"},
        {"helper.example", "x", NULL},
        {"odd.example", "x", NULL},
        {"xample", "x", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        auth_credentials c = {0};
        int r = find(config, rows[i].host, rows[i].repository, &arena, &c);
        CHECK_ROW(i, r == (rows[i].want ? BERTH_OK : BERTH_E_NOT_FOUND));
        if (rows[i].want)
            CHECK_STR_ROW(i,
                          str_from(berth_arena_printf(&arena, STR_FMT " " STR_FMT, STR_ARG(c.username),
                                                      STR_ARG(c.password))),
                          str_from(rows[i].want));
    }
}

static void test_auth_credentials__reads_tokens(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_credentials c = {0};
    CHECK_OK(find(config, "token.example", "", &arena, &c));
    CHECK_STR(c.identity_token, STR("refresh"));
    CHECK_STR(c.username, STR(""));
    CHECK_OK(find(config, "bearer.example", "", &arena, &c));
    CHECK_STR(c.registry_token, STR("as-it-is"));
}

static void test_auth_credentials__says_what_is_wrong_but_no_secret(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_credentials c;
    CHECK_CODE(find(config, "broken.example", "", &arena, &c), BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "broken.example") && !strstr(test_err.message, "c2Vj"));
    static const char *const rows[] = {"[]", "{\"auths\":", "secret", "\v"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        int r = find(rows[i], "h", "", &arena, &c);
        CHECK_ROW(i, r == BERTH_E_INVALID && !strstr(test_err.message, "secret"));
    }
    CHECK_CODE(find("", "h", "", &arena, &c), BERTH_E_NOT_FOUND);
    CHECK_CODE(find(" \t\r\n", "h", "", &arena, &c), BERTH_E_NOT_FOUND);
    CHECK_CODE(find("{}", "h", "", &arena, &c), BERTH_E_NOT_FOUND);
    CHECK_CODE(find("{\"auths\":[]}", "h", "", &arena, &c), BERTH_E_NOT_FOUND);
}

static void test_auth_credentials__counts_an_entry_for_its_privilege(void **state)
{
    (void)state;
    static const char text[] = "{\"auths\":{\"a.example\":{\"username\":\"reader\",\"privilege\":\"read\"},"
                               "\"https://a.example\":{\"username\":\"writer\",\"privilege\":\"write\"},"
                               "\"a.example/\":{\"username\":\"root\"},\"*\":{\"username\":\"any\"}}}";
    static const struct {
        const char *host;
        enum auth_privilege needs;
        const char *username;
    } rows[] = {{"a.example", AUTH_READ, "reader"},
                {"a.example", AUTH_WRITE, "writer"},
                {"a.example", AUTH_ALL, "root"},
                {"b.example", AUTH_ALL, "any"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        const auth_target target = {str_from(rows[i].host), STR("app"), rows[i].needs};
        auth_credentials c = {0};
        CHECK_OK(auth_credentials_find(str_from(text), &target, &arena, &c, &test_err));
        CHECK_STR_ROW(i, c.username, str_from(rows[i].username));
    }
}

static void test_auth_credentials__names_the_helper_of_a_host(void **state)
{
    (void)state;
    static const char text[] = "{\"credsStore\":\"pass\",\"credHelpers\":{\"a.example\":\"ecr\","
                               "\"bad.example\":\"../x\",\"none.example\":\"\"}}";
    static const struct {
        const char *text, *host, *name, *server;
        int code;
    } rows[] = {{text, "a.example", "ecr", "a.example", BERTH_OK},
                {text, "b.example", "pass", "b.example", BERTH_OK},
                {text, "docker.io", "pass", "https://index.docker.io/v1/", BERTH_OK},
                {text, "bad.example", "", "", BERTH_E_INVALID},
                {text, "none.example", "", "", BERTH_OK},
                {"{}", "a.example", "", "", BERTH_OK}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        berth_str name = STR(""), server = STR("");
        CHECK_ROW(i, auth_credentials_helper(str_from(rows[i].text), str_from(rows[i].host), &arena, &name,
                                             &server, &test_err) == rows[i].code);
        CHECK_STR_ROW(i, name, str_from(rows[i].name));
        CHECK_STR_ROW(i, server, str_from(rows[i].server));
    }
}

static void test_auth_credentials__changes_one_entry_and_nothing_else(void **state)
{
    (void)state;
    static const char before[] =
        "{\"HttpHeaders\":{\"X\":\"y\"},\"auths\":{\"other.example\":{\"auth\":\"b3Ro\"},"
        "\"https://a.example/v1/\":{\"auth\":\"b2xk\"}},\"detachKeys\":\"ctrl-x\"}";
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf after = BERTH_BUF_INIT(10000);
    CLEANUP(berth_buf_done) berth_buf last = BERTH_BUF_INIT(10000);
    const auth_credentials c = {.username = STR("alice"), .password = STR("s"), .identity_token = STR("i")};
    auth_credentials found = {0};
    bool dropped = false;
    CHECK_OK(auth_credentials_put(STR(""), STR("a.example"), &c, &last, &test_err)); /* no file yet */
    CHECK_OK(auth_credentials_put(str_from(before), STR("a.example"), &c, &after, &test_err));
    const char *text = berth_buf_cstr(&after);
    CHECK(strstr(text, "HttpHeaders") && strstr(text, "ctrl-x") && strstr(text, "b3Ro") &&
          !strstr(text, "b2xk"));
    CHECK_OK(find(text, "a.example", "", &arena, &found));
    CHECK_STR(found.username, STR("alice"));
    CHECK_STR(found.password, STR("s"));
    CHECK_STR(found.identity_token, STR("i"));
    berth_buf_reset(&last);
    CHECK_OK(auth_credentials_drop(str_from(text), STR("http://A.example"), &last, &dropped, &test_err));
    CHECK(dropped && strstr(berth_buf_cstr(&last), "other.example") &&
          !strstr(berth_buf_cstr(&last), "a.example\""));
    CHECK_OK(auth_credentials_drop(str_from(text), STR("b.example"), &last, &dropped, &test_err));
    CHECK(!dropped);
    CHECK_CODE(auth_credentials_put(STR("{\"auths\":1}"), STR("a"), &c, &last, &test_err), BERTH_E_INVALID);
    CHECK_CODE(auth_credentials_put(STR("[]"), STR("a"), &c, &last, &test_err), BERTH_E_INVALID);
}

static void test_auth_credentials__prints_the_basic_header(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(1000);
    auth_print_basic(&out, STR("Aladdin"), STR("open sesame"));
    CHECK_STR(berth_buf_str(&out), STR("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
}

RUN_TESTS(TEST(test_auth_credentials__finds_the_entry_that_leads_there),
          TEST(test_auth_credentials__reads_tokens),
          TEST(test_auth_credentials__says_what_is_wrong_but_no_secret),
          TEST(test_auth_credentials__counts_an_entry_for_its_privilege),
          TEST(test_auth_credentials__names_the_helper_of_a_host),
          TEST(test_auth_credentials__changes_one_entry_and_nothing_else),
          TEST(test_auth_credentials__prints_the_basic_header))
