/* tests/unit/auth/helper.c */
#include "test.h"

#include "auth/helper.h"

static void test_auth_helper__reads_the_answer_to_get(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int code;
        const char *username, *password, *token;
    } rows[] = {
        {"{\"ServerURL\":\"a\",\"Username\":\"alice\",\"Secret\":\"s:\\u00e9\"}\n", BERTH_OK, "alice",
         "s:\xc3\xa9", ""},
        {"{\"Username\":\"<token>\",\"Secret\":\"again\"}", BERTH_OK, "", "", "again"},
        {"{\"Username\":\"alice\",\"Secret\":\"\"}", BERTH_OK, "alice", "", ""},
        {"{\"Username\":\"\",\"Secret\":\"\"}", BERTH_E_NOT_FOUND, "", "", ""},
        {"{}", BERTH_E_NOT_FOUND, "", "", ""},
        {"{\"Secret\":\"alone-secret\"}", BERTH_E_INVALID, "", "", ""},
        {"", BERTH_E_INVALID, "", "", ""},
        {"secret", BERTH_E_INVALID, "", "", ""},
        {"[]", BERTH_E_INVALID, "", "", ""},
        {"{\"Username\":1,\"Secret\":\"s\"}", BERTH_E_INVALID, "", "", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        auth_credentials c = {0};
        test_err.message[0] = '\0';
        CHECK_ROW(i, auth_helper_read(str_from(rows[i].answer), &arena, &c, &test_err) == rows[i].code);
        CHECK_STR_ROW(i, c.username, str_from(rows[i].username));
        CHECK_STR_ROW(i, c.password, str_from(rows[i].password));
        CHECK_STR_ROW(i, c.identity_token, str_from(rows[i].token));
        CHECK_ROW(i, !strstr(test_err.message, "secret"));
    }
}

static void test_auth_helper__has_a_name_and_no_path(void **state)
{
    (void)state;
    CHECK(auth_helper_name_valid(STR("ecr-login")) && auth_helper_name_valid(STR("a.B_9+")));
    CHECK(!auth_helper_name_valid(STR("")) && !auth_helper_name_valid(STR("../evil")));
    CHECK(!auth_helper_name_valid(STR("a b")) && !auth_helper_name_valid((berth_str){"a\0b", 3}));
}

static void test_auth_helper__knows_what_is_said_when_there_is_nothing(void **state)
{
    (void)state;
    CHECK(auth_helper_has_none(STR("credentials not found in native keychain\n")));
    CHECK(auth_helper_has_none(STR("  credentials not found")));
    CHECK(!auth_helper_has_none(STR("the keychain is locked")) && !auth_helper_has_none(STR("")));
}

static void test_auth_helper__is_told_what_to_store(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(1000);
    const auth_credentials password = {.username = STR("alice"), .password = STR("s\"x")},
                           token = {.username = STR("alice"), .identity_token = STR("again")},
                           odd = {.username = STR("\xff")};
    CHECK_OK(auth_helper_print(STR("a.example"), &password, &out, &test_err));
    CHECK_STR(berth_buf_str(&out),
              STR("{\"ServerURL\":\"a.example\",\"Username\":\"alice\",\"Secret\":\"s\\\"x\"}"));
    berth_buf_reset(&out);
    CHECK_OK(auth_helper_print(STR("a.example"), &token, &out, &test_err));
    CHECK_STR(berth_buf_str(&out),
              STR("{\"ServerURL\":\"a.example\",\"Username\":\"<token>\",\"Secret\":\"again\"}"));
    CHECK_CODE(auth_helper_print(STR("a.example"), &odd, &out, &test_err), BERTH_E_INVALID);
}

RUN_TESTS(TEST(test_auth_helper__reads_the_answer_to_get), TEST(test_auth_helper__has_a_name_and_no_path),
          TEST(test_auth_helper__knows_what_is_said_when_there_is_nothing),
          TEST(test_auth_helper__is_told_what_to_store))
