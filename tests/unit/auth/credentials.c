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
        int r = auth_credentials_find(str_from(config), str_from(rows[i].host), str_from(rows[i].repository),
                                      &arena, &c, &test_err);
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
    CHECK_OK(auth_credentials_find(str_from(config), STR("token.example"), STR(""), &arena, &c, &test_err));
    CHECK_STR(c.identity_token, STR("refresh"));
    CHECK_STR(c.username, STR(""));
    CHECK_OK(auth_credentials_find(str_from(config), STR("bearer.example"), STR(""), &arena, &c, &test_err));
    CHECK_STR(c.registry_token, STR("as-it-is"));
}

static void test_auth_credentials__says_what_is_wrong_but_no_secret(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_credentials c;
    CHECK_CODE(auth_credentials_find(str_from(config), STR("broken.example"), STR(""), &arena, &c, &test_err),
               BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "broken.example") && !strstr(test_err.message, "c2Vj"));
    static const char *const rows[] = {"", "[]", "{\"auths\":", "secret"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        int r = auth_credentials_find(str_from(rows[i]), STR("h"), STR(""), &arena, &c, &test_err);
        CHECK_ROW(i, r == BERTH_E_INVALID && !strstr(test_err.message, "secret"));
    }
    CHECK_CODE(auth_credentials_find(STR("{}"), STR("h"), STR(""), &arena, &c, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(auth_credentials_find(STR("{\"auths\":[]}"), STR("h"), STR(""), &arena, &c, &test_err),
               BERTH_E_NOT_FOUND);
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
          TEST(test_auth_credentials__prints_the_basic_header))
