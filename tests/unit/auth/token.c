/* tests/unit/auth/token.c */
#include "test.h"

#include "auth/token.h"

#define NOW 1795595200000 /* 2026-11-25T08:26:40Z */

static void test_auth_token__reads_every_form_of_the_answer(void **state)
{
    (void)state;
    static const struct {
        const char *body, *token, *refresh;
        int64_t lifetime_ms;
    } rows[] = {
        {"{\"token\":\"abc\"}", "abc", "", 60000},
        {"{\"access_token\":\"abc\"}", "abc", "", 60000}, /* Azure */
        {"{\"token\":\"abc\",\"access_token\":\"abd\"}", "abc", "", 60000},
        {"{\"token\":\"\",\"access_token\":\"abd\"}", "abd", "", 60000},
        {"{\"token\":null,\"access_token\":\"abd\"}", "abd", "", 60000},
        {"{\"token\":\"abc\",\"expires_in\":300,\"refresh_token\":\"r\"}", "abc", "r", 300000},
        {"{\"token\":\"abc\",\"expires_in\":0}", "abc", "", 60000},
        {"{\"token\":\"abc\",\"expires_in\":-5}", "abc", "", 60000},
        {"{\"token\":\"abc\",\"expires_in\":300.5}", "abc", "", 300000},
        {"{\"token\":\"abc\",\"expires_in\":1e300}", "abc", "", 31536000000},
        {"{\"token\":\"abc\",\"expires_in\":300,\"issued_at\":\"2026-11-25T08:25:40Z\"}", "abc", "", 240000},
        {"{\"token\":\"abc\",\"expires_in\":300,\"issued_at\":\"2026-11-25T09:25:40.123+01:00\"}", "abc", "",
         240000},
        /* clocks that disagree: the moment of the answer counts */
        {"{\"token\":\"abc\",\"expires_in\":300,\"issued_at\":\"2026-11-25T09:25:40Z\"}", "abc", "", 300000},
        {"{\"token\":\"abc\",\"expires_in\":300,\"issued_at\":\"2020-11-25T08:25:40Z\"}", "abc", "", 300000},
        {"{\"token\":\"abc\",\"expires_in\":300,\"issued_at\":\"yesterday\"}", "abc", "", 300000},
        {"\n{\"token\":\"abc\", \"more\":[{}]}\n", "abc", "", 60000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        auth_token t;
        CHECK_ROW(i, auth_token_parse(str_from(rows[i].body), NOW, &arena, &t, &test_err) == BERTH_OK);
        CHECK_STR_ROW(i, t.token, str_from(rows[i].token));
        CHECK_STR_ROW(i, t.refresh_token, str_from(rows[i].refresh));
        CHECK_ROW(i, t.lifetime_ms == rows[i].lifetime_ms);
    }
}

static void test_auth_token__refuses_what_is_none_and_repeats_nothing(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "secret",
        "[]",
        "\"secret\"",
        "{}",
        "{\"token\":5}",
        "{\"token\":\"\"}",
        "{\"token\":\"secret",
        "<html>secret</html>",
        "{\"token\":\"secret\\r\\nX-Evil: 1\"}",
        "{\"token\":\"secret token\"}",
        "{\"token\":\"secr\xc3\xa9t\"}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        auth_token t;
        CHECK_ROW(i, auth_token_parse(str_from(rows[i]), NOW, &arena, &t, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, !strstr(test_err.message, "secr"));
    }
}

static void test_auth_token__takes_a_jwts_own_end(void **state)
{
    (void)state;
    static const struct {
        const char *token;
        int64_t lifetime_ms;
    } rows[] = {
        {"eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTU1OTU1MDB9.sig", 300000}, /* {"exp": 1795595500} */
        {"eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTU1OTU1MDAsImlhdCI6MTc5NTU5NTE0MH0.sig",
         300000}, /* {"exp": 1795595500, "iat": 1795595140} */
        {"eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTU1OTUxMDAsImlhdCI6MTc5NTU5NDgwMH0.sig",
         300000}, /* {"exp": 1795595100, "iat": 1795594800} */
        {"eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTU1OTYyMDAsImlhdCI6MTc5NTU5NTcwMH0.sig",
         500000}, /* {"exp": 1795596200, "iat": 1795595700} */
        {"eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTU1OTUxMDB9.sig", 60000}, /* {"exp": 1795595100} */
        {"eyJhbGciOiJub25lIn0.eyJleHAiOiJzb29uIn0.sig", 60000},      /* {"exp": "soon"} */
        {"eyJhbGciOiJub25lIn0.eyJpYXQiOjE3OTU1OTUyMDB9.sig", 60000}, /* {"iat": now} */
        {"eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDAwMDAwMDAwMDB9.sig",
         31536000000}, /* {"exp": 1000000000000000000} */
        {"x.WzFd.y", 60000},
        {"a.b.c", 60000},
        {"..", 60000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        auth_token t;
        const char *body = berth_arena_printf(&arena, "{\"token\":\"%s\"}", rows[i].token);
        CHECK_OK(auth_token_parse(str_from(body), NOW, &arena, &t, &test_err));
        CHECK_ROW(i, t.lifetime_ms == rows[i].lifetime_ms);
        body = berth_arena_printf(&arena, "{\"token\":\"%s\",\"expires_in\":7}", rows[i].token);
        CHECK_OK(auth_token_parse(str_from(body), NOW, &arena, &t, &test_err));
        CHECK_ROW(i, t.lifetime_ms == 7000); /* the answer's word counts more */
    }
}

static void test_auth_token__repeats_why_there_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *body, *why;
    } rows[] = {
        {"{\"details\":\"incorrect username or password\"}", "incorrect username or password"},
        {"{\"error\":\"invalid_grant\",\"error_description\":\"gone\"}", "gone"},
        {"{\"error\":\"invalid_grant\"}", "invalid_grant"},
        {"{\"message\":\"\\u001b[31m\\u00e4\"}", "?[31m??"},
        {"{\"details\":7}", ""},
        {"{\"details\":\"\"}", ""},
        {"[]", ""},
        {"<html>", ""},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        CHECK_STR_ROW(i, auth_token_refusal(str_from(rows[i].body), &arena), str_from(rows[i].why));
    }
}

RUN_TESTS(TEST(test_auth_token__reads_every_form_of_the_answer), TEST(test_auth_token__takes_a_jwts_own_end),
          TEST(test_auth_token__refuses_what_is_none_and_repeats_nothing),
          TEST(test_auth_token__repeats_why_there_is_none))
