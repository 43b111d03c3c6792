/* tests/unit/cli/say.c */
#include "fixture.h"

static void test_cli_say__hides_what_stands_before_a_host(void **state)
{
    (void)state;
    static const char *const words[] = {"berth", "reference", "http://bob:secret@host/a:v1", "--x=u:p@ss@h",
                                        NULL};
    berth_error err = BERTH_ERROR_INIT;
    int was, file = divert(STDERR_FILENO, &was);
    setenv("BERTH_DEFAULT_REGISTRY", "http://env:hidden@h", 1);
    cli_hide_arguments((char **)(uintptr_t)words);
    berth_error_set(&err, BERTH_E_INVALID, "'%s' twice: '%s'", words[2], words[2]);
    cli_fail("reference", &err);
    cli_say("x", "%s and http://env:hidden@h", words[3] + 4);
    CHECK(cli_usage("x", "what has none: app@sha256:00") == EXIT_USAGE);
    cli_hide_arguments(NULL);
    unsetenv("BERTH_DEFAULT_REGISTRY");
    restore(STDERR_FILENO, was, file, err_text, sizeof(err_text));
    CHECK_STR(str_from(err_text),
              STR("berth reference: 'http://***@host/a:v1' twice: 'http://***@host/a:v1'\n"
                  "berth x: ***@h and http://***@h\n"
                  "berth x: what has none: app@sha256:00\ntry: berth x --help\n"));
}

static void test_cli_say__commands_do_not_repeat_it(void **state)
{
    (void)state;
    static const char *const commands[] = {"reference http://bob:secret@host/a:v1",
                                           "reference bob:secret@host:1/a", "reference bob:se$cret@host/a",
                                           "http://bob:secret@host"};
    for (size_t i = 0; i < COUNT(commands); i++) {
        CHECK_ROW(i, berth("%s", commands[i]) != EXIT_OK);
        if (strstr(err_text, "cret") || strstr(err_text, "colons"))
            fail_msg("%s", err_text);
    }
}

RUN_TESTS(CLI_TEST(test_cli_say__hides_what_stands_before_a_host),
          CLI_TEST(test_cli_say__commands_do_not_repeat_it))
