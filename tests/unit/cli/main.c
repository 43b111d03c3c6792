/* tests/unit/cli/main.c - finding the command, its help, and exit codes that tell causes apart. */
#include "fixture.h"

static const char *const commands[] = {"serve",  "gc",        "check", "import", "read-only", "reload",
                                       "config", "reference", "ping",  "tag",    "manifest",  "blob"};

static void test_cli_main__finds_the_command_or_says_that_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(berth("dance --now"), EXIT_USAGE);
    assert_string_equal(err_text, "berth: 'dance' is not a command\ntry: berth help\n");
    assert_int_equal(berth("chekc"), EXIT_USAGE);
    assert_string_equal(err_text, "berth: 'chekc' is not a command; did you mean check?\ntry: berth help\n");
    assert_string_equal(out_text, "");
    assert_int_equal(berth("%s", ""), EXIT_USAGE); /* no word at all: the list, but no success */
    CHECK(strstr(out_text, "usage: berth COMMAND") != NULL);
    static const char *const words[] = {"help", "--help", "-h"};
    for (size_t i = 0; i < COUNT(words); i++) {
        CHECK_ROW(i, berth("%s", words[i]) == EXIT_OK);
        for (size_t k = 0; k < COUNT(commands); k++)
            CHECK_ROW(k, strstr(out_text, berth_arena_printf(&scratch, "\n  %-10s ", commands[k])) != NULL);
    }
    assert_int_equal(berth("--output json version"), EXIT_OK); /* options may stand before it */
    CHECK(strstr(out_text, "\"version\""));
    assert_int_equal(berth("--output=json -v reference"), EXIT_USAGE);
    CHECK(strstr(err_text, "berth reference: '-v' is not an option"));
    assert_int_equal(berth("--debug dance"), EXIT_USAGE);
    CHECK(strstr(err_text, "'dance' is not a command"));
    assert_int_equal(berth("--debug"), EXIT_USAGE);
    assert_int_equal(berth("--output"), EXIT_USAGE);
    assert_int_equal(berth("--dance version"), EXIT_USAGE);
    CHECK(strstr(err_text, "'--dance' is not a command"));
    assert_int_equal(berth("version"), EXIT_OK);
    CHECK(strncmp(out_text, "berth ", 6) == 0 && strchr(out_text, '.'));
    CLEANUP(freep) char *version = str_dup(str_from(out_text));
    assert_int_equal(berth("--version"), EXIT_OK);
    assert_string_equal(out_text, version);
}

static void test_cli_main__every_command_has_its_help(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(commands); i++)
        for (size_t k = 0; k < 2; k++) {
            CHECK_ROW(i, berth("%s %s", commands[i], k ? "-h" : "--help") == EXIT_OK);
            const char *usage = berth_arena_printf(&scratch, "usage: berth %s ", commands[i]);
            CHECK_ROW(i, strncmp(out_text, usage, strlen(usage)) == 0);
            CHECK_ROW(i, strstr(out_text, "example") != NULL && err_text[0] == '\0');
        }
}

static void test_cli_main__exit_codes_tell_causes_apart(void **state)
{
    (void)state;
    static const struct {
        int code, exit_code;
    } rows[] = {
        {BERTH_OK, 0},
        {BERTH_E_NOT_FOUND, 4},
        {BERTH_E_BUSY, 5},
        {BERTH_E_IO, 1},
        {BERTH_E_INVALID, 1},
        {BERTH_E_NOMEM, 1},
        {BERTH_E_CORRUPT, 1},
        {BERTH_E_CANCELLED, 1},
        {BERTH_E_UNSUPPORTED, 1},
        {BERTH_E_DENIED, 1},
        {-12345, 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, cli_exit_code(rows[i].code) == rows[i].exit_code);
}

RUN_TESTS(CLI_TEST(test_cli_main__finds_the_command_or_says_that_there_is_none),
          CLI_TEST(test_cli_main__every_command_has_its_help),
          CLI_TEST(test_cli_main__exit_codes_tell_causes_apart))
