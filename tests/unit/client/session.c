/* tests/unit/client/session.c */
#include "fixture.h"

#include "util/clock.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct session *session_new(bool tls, const berth_credentials_options *credentials)
{
    berth_client_options opts = BERTH_CLIENT_OPTIONS_INIT;
    opts.credentials = credentials;
    struct session *s = mem_zalloc(1, sizeof(*s));
    CHECK(s);
    s->host = str_dup(STR("registry.example"));
    CHECK_OK(session_init(s, &opts, &test_err));
    s->tls = tls;
    return s;
}

static void session_free(struct session **s)
{
    session_done(*s);
    mem_free(*s);
}

static int challenge(struct session *s, const char *field)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_challenges all = {0};
    CHECK(auth_challenges_parse(str_from(field), &arena, &all));
    return session_challenged(s, &all, &test_err);
}

static void test_client_session__takes_no_realm_on_plain_http_for_a_registry_on_https(void **state)
{
    (void)state;
    static const struct {
        bool tls;
        const char *field;
        int code;
    } rows[] = {
        {true, "Bearer realm=\"https://auth.example/token\"", BERTH_OK},
        {true, "Bearer realm=\"http://auth.example/token\"", BERTH_E_DENIED},
        {true, "realm=\"http://auth.example/token\"", BERTH_E_DENIED},
        {false, "Bearer realm=\"http://auth.example/token\"", BERTH_OK},
        {true, "Bearer realm=\"auth.example/token\"", BERTH_E_INVALID},
        {true, "Bearer realm=\"https://u:p@auth.example/token\"", BERTH_E_INVALID},
        {true, "Bearer realm=\"file:///etc/passwd\"", BERTH_E_INVALID},
        {true, "Basic realm=\"x\"", BERTH_OK},
        {true, "Negotiate", BERTH_E_UNAUTH},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(session_free) struct session *s = session_new(rows[i].tls, NULL);
        CHECK_ROW(i, challenge(s, rows[i].field) == rows[i].code);
    }
}

static const auth_challenge nothing_asked;

static void test_client_session__asks_for_tokens_as_docker_does(void **state)
{
    (void)state;
    CLEANUP(session_free) struct session *s = session_new(true, NULL);
    CLEANUP(token_request_done) struct token_request r = {0};
    const auth_credentials alice = {.username = STR("alice"), .password = STR("secret")}, nobody = {0};
    CHECK(!session_can_get_tokens(s, &nothing_asked));
    CHECK_OK(challenge(s, "Bearer realm=\"https://auth.example/token?x=1\",service=\"my registry\""));
    CHECK(session_can_get_tokens(s, &nothing_asked));
    auth_challenge asked = {.realm = str_from(s->realm),
                            .service = str_from(s->service),
                            .scope = STR("repository:team/app:push repository:other:pull")};
    CHECK_OK(session_token_request(s, &asked, STR("repository:team/app:pull"), &alice, false, &r, &test_err));
    CHECK_STR(berth_buf_str(&r.url),
              STR("https://auth.example/token?x=1&service=my%20registry&scope=repository:team/app:"
                  "push,pull&scope=repository:other:pull"));
    CHECK_STR(berth_buf_str(&r.authorization), STR("Authorization: Basic YWxpY2U6c2VjcmV0"));
    CHECK_STR(berth_buf_str(&r.scope), STR("repository:team/app:push,pull repository:other:pull"));
    assert_int_equal(r.form.n, 0);
    CHECK_OK(session_token_request(s, &nothing_asked, STR(""), &nobody, true, &r, &test_err));
    CHECK_STR(berth_buf_str(&r.url),
              STR("https://auth.example/token?x=1&service=my%20registry&client_id=berth&"
                  "offline_token=true"));
    assert_int_equal(r.authorization.n, 0);
}

static void test_client_session__names_no_service_where_none_was_named(void **state)
{
    (void)state;
    CLEANUP(session_free) struct session *s = session_new(true, NULL);
    CLEANUP(token_request_done) struct token_request r = {0};
    const auth_credentials nobody = {0}, identity = {.identity_token = STR("token")};
    CHECK_OK(challenge(s, "Bearer realm=\"https://auth.example/token\""));
    CHECK_OK(
        session_token_request(s, &nothing_asked, STR("repository:a:pull"), &nobody, false, &r, &test_err));
    CHECK_STR(berth_buf_str(&r.url), STR("https://auth.example/token?scope=repository:a:pull"));
    CHECK_OK(session_token_request(s, &nothing_asked, STR(""), &nobody, false, &r, &test_err));
    CHECK_STR(berth_buf_str(&r.url), STR("https://auth.example/token"));
    CHECK_OK(session_token_request(s, &nothing_asked, STR(""), &nobody, true, &r, &test_err));
    CHECK_STR(berth_buf_str(&r.url), STR("https://auth.example/token?client_id=berth&offline_token=true"));
    CHECK_OK(
        session_token_request(s, &nothing_asked, STR("repository:a:pull"), &identity, false, &r, &test_err));
    CHECK_STR(berth_buf_str(&r.form),
              STR("grant_type=refresh_token&client_id=berth&scope=repository:a:pull&refresh_token=token"));
}

static void test_client_session__posts_an_identity_token_and_takes_a_newer_one(void **state)
{
    (void)state;
    CLEANUP(session_free) struct session *s = session_new(true, NULL);
    CLEANUP(token_request_done) struct token_request r = {0};
    const auth_credentials c = {.username = STR("alice"), .identity_token = STR("refresh me")};
    static const char *const given[] = {"refresh%20me", "second", "third"};
    CHECK_OK(challenge(s, "Bearer realm=\"https://auth.example/token\",service=\"s\""));
    for (size_t i = 0; i < COUNT(given); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        CHECK_OK(
            session_token_request(s, &nothing_asked, STR("repository:other:pull"), &c, false, &r, &test_err));
        CHECK_STR_ROW(i, berth_buf_str(&r.form),
                      str_from(berth_arena_printf(&arena,
                                                  "grant_type=refresh_token&client_id=berth&service=s&"
                                                  "scope=repository:other:pull&refresh_token=%s",
                                                  given[i])));
        CHECK_STR_ROW(i, berth_buf_str(&r.url), STR("https://auth.example/token"));
        assert_int_equal(r.authorization.n, 0);
        const auth_token t = {.token = STR("t"),
                              .refresh_token = i + 1 < COUNT(given) ? str_from(given[i + 1]) : STR(""),
                              .lifetime_ms = 1000};
        CHECK_OK(session_token_add(s, &r, &t, &test_err));
    }
}

static int add(struct session *s, const char *scope, const char *text, int64_t lifetime_ms)
{
    CLEANUP(token_request_done) struct token_request r = {.scope = BERTH_BUF_INIT(1000)};
    const auth_token t = {.token = str_from(text), .lifetime_ms = lifetime_ms};
    berth_buf_addf(&r.scope, "%s", scope);
    return session_token_add(s, &r, &t, &test_err);
}

static void test_client_session__keeps_tokens_by_scope_until_they_end(void **state)
{
    (void)state;
    CLEANUP(session_free) struct session *s = session_new(true, NULL);
    CLEANUP(berth_buf_done) berth_buf field = BERTH_BUF_INIT(1000);
    bool wanted = false;
    CHECK_OK(session_authorize(s, STR(""), &field, &wanted, &test_err));
    CHECK(!wanted && !field.n); /* nothing was asked for yet */
    CHECK_OK(challenge(s, "Bearer realm=\"https://auth.example/token\""));
    CHECK_OK(add(s, "repository:a:pull", "long", 300000));
    CHECK_OK(add(s, "repository:b:pull", "short", 0));
    static const struct {
        const char *scope, *field;
    } rows[] = {{"repository:a:pull", "Authorization: Bearer long"},
                {"repository:a:pull,push", ""},
                {"repository:b:pull", ""},
                {"", "Authorization: Bearer long"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_buf_reset(&field);
        CHECK_OK(session_authorize(s, str_from(rows[i].scope), &field, &wanted, &test_err));
        CHECK_STR_ROW(i, berth_buf_str(&field), str_from(rows[i].field));
        CHECK_ROW(i, wanted == !rows[i].field[0]);
    }
    CHECK_OK(add(s, "repository:c:pull", "other", 300000));
    session_token_drop(s, STR("Authorization: Bearer long")); /* that one alone */
    berth_buf_reset(&field);
    CHECK_OK(session_authorize(s, STR("repository:a:pull"), &field, &wanted, &test_err));
    CHECK(wanted);
    CHECK_OK(session_authorize(s, STR("repository:c:pull"), &field, &wanted, &test_err));
    CHECK(!wanted);
    for (int i = 0; i < 2 * SESSION_TOKENS_MAX; i++) {
        char scope[64];
        snprintf(scope, sizeof(scope), "repository:r%d:pull", i);
        CHECK_OK(add(s, scope, "long", 300000));
    }
    CHECK(s->n_tokens <= SESSION_TOKENS_MAX);
}

/* C012 */
static void test_client_session__lets_go_of_a_token_before_it_ends(void **state)
{
    (void)state;
    static const int64_t rows[][2] = {{40000, 30000},
                                      {4000000, 3970000}}; /* lifetime, and what is used of it */
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(session_free) struct session *s = session_new(true, NULL);
        int64_t now = clock_mono_ms();
        CHECK_OK(add(s, "repository:a:pull", "t", rows[i][0]));
        CHECK_ROW(i, s->tokens[0].until_ms >= now + rows[i][1]);
        CHECK_ROW(i, s->tokens[0].until_ms <= clock_mono_ms() + rows[i][1]);
    }
}

static void test_client_session__begins_with_tokens_that_were_given(void **state)
{
    (void)state;
    const berth_token a = {"repository:a:pull", "for-a"}, bad = {"repository:b:pull", "b\r\nX: y"};
    const berth_token *const tokens[] = {&a, NULL}, *const bad_tokens[] = {&a, &bad, NULL};
    berth_credentials_options o = BERTH_CREDENTIALS_OPTIONS_INIT;
    berth_client_options opts = BERTH_CLIENT_OPTIONS_INIT;
    o.tokens = tokens;
    CLEANUP(session_free) struct session *s = session_new(true, &o);
    CLEANUP(berth_buf_done) berth_buf field = BERTH_BUF_INIT(1000);
    bool wanted = false;
    CHECK_OK(session_authorize(s, STR("repository:a:pull"), &field, &wanted, &test_err));
    CHECK_STR(berth_buf_str(&field), STR("Authorization: Bearer for-a"));
    o.tokens = bad_tokens;
    opts.credentials = &o;
    berth_client *client = NULL;
    CHECK_CODE(berth_client_new("registry.example", &opts, &client, &test_err), BERTH_E_INVALID);
    CHECK(!strstr(test_err.message, "X: y"));
}

RUN_TESTS(TEST(test_client_session__takes_no_realm_on_plain_http_for_a_registry_on_https),
          TEST(test_client_session__asks_for_tokens_as_docker_does),
          TEST(test_client_session__names_no_service_where_none_was_named),
          TEST(test_client_session__posts_an_identity_token_and_takes_a_newer_one),
          TEST(test_client_session__keeps_tokens_by_scope_until_they_end),
          TEST(test_client_session__lets_go_of_a_token_before_it_ends),
          TEST(test_client_session__begins_with_tokens_that_were_given))
