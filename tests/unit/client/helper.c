/* tests/unit/client/helper.c */
#include "client/helper.h"
#include "helper_fixture.h"

static void test_client_helper__failures_are_told_apart_and_without_secrets(void **state)
{
    (void)state;
    file_write("docker-credential-loose", "#!/bin/sh\necho '{\"Secret\":\"hidden\"}'\nexit 1\n", 0755);
    static const struct {
        const char *name;
        int code;
        const char *said;
    } rows[] = {{"keep", BERTH_E_NOT_FOUND, "has no such credentials"},
                {"mute", BERTH_E_NOT_FOUND, "has no such credentials"},
                {"angry", BERTH_E_IO, "failed: the keychain is locked"},
                {"slow", BERTH_E_CANCELLED, "in time"},
                {"absent", BERTH_E_IO, "'docker-credential-absent' is not there"},
                {"loose", BERTH_E_IO, "failed"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, helper_run(str_from(rows[i].name), "get", STR("a.example"), 300, &test_err) ==
                         rows[i].code);
        CHECK_ROW(i, strstr(test_err.message, rows[i].said) && !strstr(test_err.message, "hidden"));
    }
}

static void test_client_helper__keeps_and_forgets(void **state)
{
    (void)state;
    CHECK_OK(helper_run(STR("keep"), "store", STR("{\"ServerURL\":\"a.example\",\"Secret\":\"s\"}"), 0,
                        &test_err));
    CHECK_OK(helper_run(STR("keep"), "get", STR("a.example"), 0, &test_err));
    CHECK_OK(helper_run(STR("keep"), "erase", STR("a.example"), 0, &test_err));
    CHECK_CODE(helper_run(STR("keep"), "get", STR("a.example"), 0, &test_err), BERTH_E_NOT_FOUND);
}

RUN_TESTS(HELPER_TEST(test_client_helper__failures_are_told_apart_and_without_secrets),
          HELPER_TEST(test_client_helper__keeps_and_forgets))
