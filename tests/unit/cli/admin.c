/* tests/unit/cli/admin.c - the commands that look after a registry: which words they send, how they print
 * what comes back, how they exit. */
#include "fixture.h"

#include <jansson.h>

#include "daemon/control.h"

/* A server of the test's own. */
static struct {
    char command[1024];
    int rc;
    const char *line, *key, *value;
} server;

static int answer(void *arg, berth_str command, const struct admin_out *out, berth_error *err)
{
    (void)arg;
    snprintf(server.command, sizeof(server.command), STR_FMT, STR_ARG(command));
    if (server.line)
        out->line(out->arg, server.line);
    if (server.key)
        out->value(out->arg, server.key, server.value);
    return server.rc == BERTH_OK ? BERTH_OK : berth_error_set(err, server.rc, "the reason");
}

static void test_cli_admin__sends_its_words(void **state)
{
    (void)state;
    CHECK(mkdir(path_of("my%layout"), 0700) == 0);
    control *c;
    CHECK_OK(control_start(folder, answer, NULL, &c, &test_err));
    server.key = "read_only";
    server.value = "true";
    const struct {
        const char *words, *sent;
    } rows[] = {
        {"gc", "gc"},
        {"gc --dry-run", "gc dry-run"},
        {"check --repair --quick", "check quick repair"},
        {"read-only on", "read-only on"},
        {"reload", "reload"},
        {berth_arena_printf(&scratch, "import %s --name=team/app --dry-run", path_of("my%layout")),
         berth_arena_printf(&scratch, "import %s/my%%25layout dry-run name=team/app", folder)},
        {berth_arena_printf(&scratch, "import --name a&b %s/../%s", folder, folder + 5),
         berth_arena_printf(&scratch, "import %s name=a%%26b",
                            folder)}, /* a path that the server finds, too */
        {"export team/app:v1 /srv/new", "export /srv/new name=team/app%3Av1"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, berth("%s --data %s", rows[i].words, folder) == EXIT_OK);
        CHECK_STR_ROW(i, str_from(server.command), str_from(rows[i].sent));
    }
    server.key = NULL;
    control_stop(c);
}

static void test_cli_admin__exits_by_what_the_server_says(void **state)
{
    (void)state;
    static const struct {
        int rc, code;
    } rows[] = {{BERTH_OK, EXIT_OK},
                {BERTH_E_BUSY, EXIT_BUSY},
                {BERTH_E_NOT_FOUND, EXIT_NOT_FOUND},
                {BERTH_E_IO, EXIT_FAILED},
                {BERTH_E_INVALID, EXIT_FAILED}};
    control *c;
    CHECK_OK(control_start(folder, answer, NULL, &c, &test_err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        server.rc = rows[i].rc;
        CHECK_ROW(i, berth("gc --data %s", folder) == rows[i].code);
        assert_string_equal(err_text, rows[i].rc == BERTH_OK ? "" : "berth gc: the reason\n");
        CHECK_ROW(i, (out_text[0] != '\0') == (rows[i].rc == BERTH_OK));
    }
    server.rc = BERTH_OK;
    control_stop(c);
}

/* A name from a foreign tree must not act on a terminal. */
static void test_cli_admin__prints_lines_in_which_nothing_acts(void **state)
{
    (void)state;
    control *c;
    CHECK_OK(control_start(folder, answer, NULL, &c, &test_err));
    server.line = "a\x1b[31m\x7f\xc3\xa4";
    server.key = "problems";
    server.value = "1";
    assert_int_equal(berth("check --data %s", folder), EXIT_PROBLEMS);
    CHECK(strncmp(out_text, "a?[31m???\n", 10) == 0);
    assert_int_equal(berth("check --data %s --output json", folder), EXIT_PROBLEMS);
    json_t *root = json_loads(out_text, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(root, "problems")), 1); /* a number */
    assert_string_equal(json_string_value(json_array_get(json_object_get(root, "lines"), 0)), "a?[31m???");
    json_decref(root);
    server.line = NULL;
    server.key = "failed";
    assert_int_equal(berth("import %s --data %s", folder, folder), EXIT_PROBLEMS);
    CHECK(strstr(out_text, "1 failed\n") != NULL);
    server.key = NULL;
    assert_int_equal(berth("import %s --data %s", folder, folder), EXIT_OK);
    control_stop(c);
}

static void test_cli_admin__works_without_a_server(void **state)
{
    (void)state;
    assert_int_equal(berth("gc --data %s", folder), EXIT_OK);
    assert_string_equal(out_text,
                        "removed 0 manifests, 0 blobs, 0 uploads\nfreed 0.0 MiB (0 objects); 0.0 MiB "
                        "follow when their readers have had time to finish\n");
    assert_int_equal(berth("gc --dry-run --data %s", folder), EXIT_OK);
    CHECK(strncmp(out_text, "due now: 0 manifests, 0 blobs, 0 uploads\n", 41) == 0);
    assert_int_equal(berth("check --data %s", folder), EXIT_OK);
    CHECK(strstr(out_text, ": 0 problems\n") != NULL);
    assert_int_equal(berth("gc --output=json --data %s", folder), EXIT_OK);
    json_t *root = json_loads(out_text, 0, NULL);
    CHECK(json_is_integer(json_object_get(root, "blobs")) && !json_object_get(root, "lines"));
    json_decref(root);
    assert_int_equal(berth("read-only on --data %s", folder), EXIT_NOT_FOUND);
    assert_int_equal(berth("reload --data %s", folder), EXIT_NOT_FOUND);
    assert_int_equal(berth("gc --data %s", path_of("none")), EXIT_NOT_FOUND);
    assert_int_equal(berth("gc --data %s --http-loops=many", folder), EXIT_CONFIG);
}

static void test_cli_admin__refuses_what_it_does_not_know(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int code;
    } rows[] = {
        {"gc now", EXIT_USAGE},
        {"gc --repair", EXIT_USAGE},
        {"gc --output", EXIT_USAGE},
        {"gc --output xml", EXIT_USAGE},
        {"gc --output=", EXIT_USAGE},
        {"check it", EXIT_USAGE},
        {"check -x", EXIT_USAGE},
        {"reload now", EXIT_USAGE},
        {"read-only", EXIT_USAGE},
        {"read-only maybe", EXIT_USAGE},
        {"read-only on off", EXIT_USAGE},
        {"import", EXIT_USAGE},
        {"import --name", EXIT_USAGE},
        {"import /a /b", EXIT_USAGE},
        {"import /nowhere/at/all", EXIT_NOT_FOUND},
        {"export", EXIT_USAGE},
        {"export team/app", EXIT_USAGE},
        {"export team/app /a /b", EXIT_USAGE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, berth("%s", rows[i].words) == rows[i].code);
        CHECK_ROW(i, out_text[0] == '\0' && strncmp(err_text, "berth ", 6) == 0);
    }
}

RUN_TESTS(CLI_TEST(test_cli_admin__sends_its_words), CLI_TEST(test_cli_admin__exits_by_what_the_server_says),
          CLI_TEST(test_cli_admin__prints_lines_in_which_nothing_acts),
          CLI_TEST(test_cli_admin__works_without_a_server),
          CLI_TEST(test_cli_admin__refuses_what_it_does_not_know))
