/* tests/unit/cli/config.c - `berth config`: what is wrong, what is in force, the reference. */
#include "fixture.h"

#include <jansson.h>

static void test_cli_config__says_whether_a_file_is_valid(void **state)
{
    (void)state;
    write_file("good.yaml", "data: /d\n");
    write_file("bad.yaml", "data: /d\nhttp:\n  loops: many\n");
    assert_int_equal(berth("config check %s", path_of("good.yaml")), EXIT_OK);
    assert_string_equal(out_text, berth_arena_printf(&scratch, "%s: valid\n", path_of("good.yaml")));
    assert_int_equal(berth("config check %s", path_of("bad.yaml")), EXIT_CONFIG);
    const char *place = berth_arena_printf(&scratch, "%s:3:", path_of("bad.yaml"));
    CHECK(strncmp(err_text, place, strlen(place)) == 0 && strstr(err_text, "'many'"));
    assert_string_equal(out_text, "");
    assert_int_equal(berth("config check %s", path_of("none.yaml")), EXIT_CONFIG);
    assert_int_equal(berth("config check"), EXIT_OK);
    assert_string_equal(out_text, "defaults and environment: valid\n");
    assert_int_equal(berth("config check --http-loops=many"), EXIT_CONFIG);
    setenv("BERTH_CONFIG", path_of("bad.yaml"), 1);
    assert_int_equal(berth("config check"), EXIT_CONFIG);
    assert_int_equal(berth("config check --config %s", path_of("good.yaml")), EXIT_OK);
}

static void test_cli_config__says_everything_that_is_wrong(void **state)
{
    (void)state;
    write_file("bad.yaml", "http:\n  loops: many\nlog: {level: loud}\n");
    write_file("tls.yaml", "listen:\n  - {address: ':1', certificate: /none/c, key: /none/k}\n");
    assert_int_equal(berth("config check %s --gc-grace=x", path_of("bad.yaml")), EXIT_CONFIG);
    CHECK(strstr(err_text, ":2:") && strstr(err_text, ":3:") && strstr(err_text, "--gc-grace"));
    assert_int_equal(berth("config check %s", path_of("tls.yaml")), EXIT_CONFIG);
    CHECK(strstr(err_text, "'/none/c' can't be read") && strstr(err_text, "'/none/k' can't be read"));
    setenv("BERTH_GC_GRCE", "1h", 1);
    assert_int_equal(berth("config check"), EXIT_OK); /* perhaps another program's */
    CHECK(strstr(err_text, "warning: BERTH_GC_GRCE is no setting (did you mean BERTH_GC_GRACE?)\n"));
    unsetenv("BERTH_GC_GRCE");
    assert_int_equal(berth("config check"), EXIT_OK);
    CHECK(!strstr(err_text, "BERTH_GC_GRCE"));
}

static void test_cli_config__shows_what_is_in_force(void **state)
{
    (void)state;
    write_file("a.yaml", "data: /from-file\nhttp: {loops: 3}\n");
    assert_int_equal(berth("config show %s --data /from-flag", path_of("a.yaml")), EXIT_OK);
    CLEANUP(freep) char *shown = str_dup(str_from(out_text));
    write_file("b.yaml", shown);
    assert_int_equal(berth("config show %s", path_of("b.yaml")), EXIT_OK);
    assert_string_equal(out_text, shown);
    CONFIG c = NULL;
    CHECK_OK(config_load(path_of("b.yaml"), NULL, 0, &c, &test_err));
    assert_string_equal(c->data, "/from-flag");
    assert_int_equal(c->http.loops, 3);
}

static void test_cli_config__documents_in_two_forms(void **state)
{
    (void)state;
    assert_int_equal(berth("config document"), EXIT_OK);
    CHECK(strstr(out_text, "http.prefix") != NULL);
    CLEANUP(freep) char *markdown = str_dup(str_from(out_text));
    assert_int_equal(berth("config document --markdown"), EXIT_OK);
    assert_string_equal(out_text, markdown);
    assert_int_equal(berth("config document --schema"), EXIT_OK);
    json_t *schema = json_loads(out_text, 0, NULL);
    CHECK(json_is_object(json_object_get(schema, "properties")));
    json_decref(schema);
}

static void test_cli_config__refuses_what_it_does_not_know(void **state)
{
    (void)state;
    static const struct {
        const char *words, *says;
    } rows[] = {
        {"config mend", "'mend' is not one of its commands"},
        {"config check --nonsense", "'--nonsense' is not an option"},
        {"config show -x", "'-x' is not an option"},
        {"config document --html", "'--html' is not an option"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, berth("%s", rows[i].words) == EXIT_USAGE);
        CHECK_ROW(i, strstr(err_text, rows[i].says) && strstr(err_text, "try: berth config "));
    }
    assert_int_equal(berth("config"), EXIT_USAGE);
    CHECK(strncmp(out_text, "usage: berth config", 19) == 0);
    assert_int_equal(berth("config show --help"), EXIT_OK);
}

RUN_TESTS(CLI_TEST(test_cli_config__says_whether_a_file_is_valid),
          CLI_TEST(test_cli_config__says_everything_that_is_wrong),
          CLI_TEST(test_cli_config__shows_what_is_in_force),
          CLI_TEST(test_cli_config__documents_in_two_forms),
          CLI_TEST(test_cli_config__refuses_what_it_does_not_know))
