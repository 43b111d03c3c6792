/* tests/unit/client/session.c */
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct session *session_new(bool tls, const char *username, const char *file)
{
    struct session *s = calloc(1, sizeof(*s));
    CHECK(s);
    s->host = str_dup(STR("registry.example"));
    s->tls = tls;
    s->username = username ? str_dup(str_from(username)) : NULL;
    s->password = username ? str_dup(STR("secret")) : NULL;
    s->credentials_file = file ? str_dup(str_from(file)) : NULL;
    return s;
}

static void session_free(struct session **s)
{
    session_done(*s);
    free(*s);
}

static int challenge(struct session *s, const char *field)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_challenges all = {0};
    CHECK(auth_challenges_parse(str_from(field), &arena, &all));
    return session_challenged(s, STR("team/app"), &all, &test_err);
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
        CLEANUP(session_free) struct session *s = session_new(rows[i].tls, "alice", NULL);
        CHECK_ROW(i, challenge(s, rows[i].field) == rows[i].code);
    }
}

static void test_client_session__asks_for_tokens_as_docker_does(void **state)
{
    (void)state;
    CLEANUP(session_free) struct session *s = session_new(true, "alice", NULL);
    CLEANUP(token_request_done) struct token_request r = {0};
    CHECK_OK(challenge(s, "Bearer realm=\"https://auth.example/token?x=1\",service=\"my registry\""));
    CHECK_OK(session_token_request(s, STR("team/app"), STR("repository:team/app:pull"),
                                   STR("repository:team/app:push repository:other:pull"), &r, &test_err));
    CHECK_STR(berth_buf_str(&r.url),
              STR("https://auth.example/token?x=1&service=my%20registry&scope=repository:team/app:"
                  "push,pull&scope=repository:other:pull"));
    CHECK_STR(berth_buf_str(&r.authorization), STR("Authorization: Basic YWxpY2U6c2VjcmV0"));
    CHECK_STR(berth_buf_str(&r.scope), STR("repository:team/app:push,pull repository:other:pull"));
    assert_int_equal(r.form.n, 0);
}

static void test_client_session__keeps_tokens_by_scope_until_they_end(void **state)
{
    (void)state;
    CLEANUP(session_free) struct session *s = session_new(true, NULL, NULL);
    CLEANUP(berth_buf_done) berth_buf field = BERTH_BUF_INIT(1000);
    bool wanted = false;
    CHECK_OK(challenge(s, "Bearer realm=\"https://auth.example/token\""));
    const auth_token long_lived = {.token = STR("long"), .lifetime_ms = 300000},
                     short_lived = {.token = STR("short"), .lifetime_ms = 0};
    CHECK_OK(session_token_add(s, STR("repository:a:pull"), &long_lived, &test_err));
    CHECK_OK(session_token_add(s, STR("repository:b:pull"), &short_lived, &test_err));
    static const struct {
        const char *scope, *field;
    } rows[] = {{"repository:a:pull", "Authorization: Bearer long"},
                {"repository:a:pull,push", ""},
                {"repository:b:pull", ""},
                {"", "Authorization: Bearer long"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_OK(session_authorize(s, STR("a"), str_from(rows[i].scope), &field, &wanted, &test_err));
        CHECK_STR_ROW(i, berth_buf_str(&field), str_from(rows[i].field));
        CHECK_ROW(i, wanted == !rows[i].field[0]);
    }
    session_token_drop(s, STR("repository:a:pull"));
    CHECK_OK(session_authorize(s, STR("a"), STR("repository:a:pull"), &field, &wanted, &test_err));
    CHECK(wanted);
    for (int i = 0; i < 2 * SESSION_TOKENS_MAX; i++) {
        char scope[64];
        snprintf(scope, sizeof(scope), "repository:r%d:pull", i);
        CHECK_OK(session_token_add(s, str_from(scope), &long_lived, &test_err));
    }
    CHECK(s->n_tokens <= SESSION_TOKENS_MAX);
}

static void test_client_session__reads_the_file_when_it_is_asked(void **state)
{
    (void)state;
    char path[] = "/tmp/berth-session-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    CHECK(fd >= 0);
    static const char text[] = "{\"auths\":{\"registry.example/team\":{\"auth\":\"dGVhbTp0\"},"
                               "\"registry.example\":{\"identitytoken\":\"refresh me\"}}}";
    CHECK(write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    close(fd);
    CLEANUP(session_free) struct session *s = session_new(true, NULL, path);
    CLEANUP(token_request_done) struct token_request r = {0};
    CLEANUP(berth_buf_done) berth_buf field = BERTH_BUF_INIT(1000);
    bool wanted;
    CHECK_OK(challenge(s, "Basic realm=\"x\""));
    CHECK_OK(session_authorize(s, STR("team/app"), STR(""), &field, &wanted, &test_err));
    CHECK_STR(berth_buf_str(&field), STR("Authorization: Basic dGVhbTp0"));
    CHECK_OK(challenge(s, "Bearer realm=\"https://auth.example/token\",service=\"s\""));
    CHECK_OK(session_token_request(s, STR("other"), STR("repository:other:pull"), STR(""), &r, &test_err));
    CHECK_STR(berth_buf_str(&r.form), STR("grant_type=refresh_token&client_id=berth&service=s&"
                                          "scope=repository:other:pull&refresh_token=refresh%20me"));
    assert_int_equal(r.authorization.n, 0);
    unlink(path);
    CHECK_CODE(challenge(s, "Basic realm=\"x\""), BERTH_E_UNAUTH); /* no file: no credentials */
}

RUN_TESTS(TEST(test_client_session__takes_no_realm_on_plain_http_for_a_registry_on_https),
          TEST(test_client_session__asks_for_tokens_as_docker_does),
          TEST(test_client_session__keeps_tokens_by_scope_until_they_end),
          TEST(test_client_session__reads_the_file_when_it_is_asked))
