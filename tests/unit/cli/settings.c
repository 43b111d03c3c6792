/* tests/unit/cli/settings.c - settings given as flags: their names, their values, what is missing. */
#include "fixture.h"

static void test_cli_settings__turn_flags_into_settings(void **state)
{
    (void)state;
    static const struct {
        const char *flag, *next, *pair;
        int took;
    } rows[] = {
        {"--data", "/d", "data=/d", 2},
        {"--data=/d", "x", "data=/d", 1},
        {"--data=", "x", "data=", 1},
        {"--data=a=b", "x", "data=a=b", 1},
        {"--listen", ":1", "listen=:1", 2},
        {"--tls-certificate", "c", "tls.certificate=c", 2},
        {"--tls-key", "k", "tls.key=k", 2},
        {"--tls-client-ca", "a", "tls.client_ca=a", 2},
        {"--tls-minimum", "1.3", "tls.minimum=1.3", 2},
        {"--tls-ciphers", "ECDHE", "tls.ciphers=ECDHE", 2},
        {"--store", "memory", "storage.driver=memory", 2},
        {"--read-only", "x", "registry.read_only=true", 1}, /* a switch takes no value from the next word */
        {"--read-only=false", "x", "registry.read_only=false", 1},
        {"--http-relative-urls", "x", "http.relative_urls=true", 1},
        {"--http-prefix", "/x", "http.prefix=/x", 2},
        {"--registry-session-timeout=5m", "x", "registry.session_timeout=5m", 1},
        {"--nonsense", "x", NULL, 0},
        {"operand", "x", NULL, 0},
        {"-d", "x", NULL, 0},
        {"--", "x", NULL, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(cli_settings_done) struct cli_settings s = {0};
        char *argv[] = {(char *)(uintptr_t) "serve", (char *)(uintptr_t)rows[i].flag,
                        (char *)(uintptr_t)rows[i].next};
        int at = 1;
        CHECK_ROW(i, cli_take_setting(&s, "serve", 3, argv, &at) == (rows[i].took > 0));
        CHECK_ROW(i, at == (rows[i].took == 2 ? 2 : 1));
        CHECK_ROW(i, s.n_flags == (rows[i].took > 0));
        if (rows[i].took)
            assert_string_equal(s.flags[0], rows[i].pair);
    }
}

static void test_cli_settings__keep_their_order_and_the_last_file(void **state)
{
    (void)state;
    CLEANUP(cli_settings_done) struct cli_settings s = {.path = "environment.yaml"};
    static const char *const words[] = {"serve",       "--listen",       ":1", "--config", "a.yaml",
                                        "--listen=:2", "--config=b.yaml"};
    char **argv = (char **)(uintptr_t)words;
    for (int i = 1; i < (int)COUNT(words); i++)
        assert_int_equal(cli_take_setting(&s, "serve", COUNT(words), argv, &i), 1);
    assert_int_equal(s.n_flags, 2);
    assert_string_equal(s.flags[0], "listen=:1");
    assert_string_equal(s.flags[1], "listen=:2");
    assert_string_equal(s.path, "b.yaml");
}

static void test_cli_settings__say_what_lacks_a_value(void **state)
{
    (void)state;
    assert_int_equal(berth("serve --data"), EXIT_USAGE);
    assert_string_equal(err_text, "berth serve: --data needs a value\ntry: berth serve --help\n");
    assert_int_equal(berth("gc --config"), EXIT_USAGE);
    assert_string_equal(err_text, "berth gc: --config needs a file\ntry: berth gc --help\n");
}

RUN_TESTS(CLI_TEST(test_cli_settings__turn_flags_into_settings),
          CLI_TEST(test_cli_settings__keep_their_order_and_the_last_file),
          CLI_TEST(test_cli_settings__say_what_lacks_a_value))
