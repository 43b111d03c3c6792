/* tests/unit/cli/environment.c */
#include "fixture.h"

#include <stdlib.h>

#include "cli/environment.h"

static int begin(void **state)
{
    (void)state;
    for (const char *const *v = config_client_variables; *v; v++)
        unsetenv(*v);
    return 0;
}

/* C104: every variable of DRCA, and protocol in both spellings. */
static void test_cli_environment__has_an_equivalent_of_each_of_drcas(void **state)
{
    (void)state;
    static const char *const drca[] = {"DRCA_CACERTS",     "DRCA_CHUNK_SIZE",       "DRCA_CREDENTIALS_STORE",
                                       "DRCA_DEBUG",       "DRCA_DEFAULT_REGISTRY", "DRCA_DEFAULT_NAMESPACE",
                                       "DRCA_DEFAULT_TAG", "DRCA_PROTOCOL"};
    for (size_t i = 0; i < COUNT(drca); i++) {
        const struct environment_variable *v = environment_variables;
        while (v->name && strcmp(v->drca, drca[i]) != 0)
            v++;
        CHECK_ROW(i, v->name && *v->about);
        char same[64];
        snprintf(same, sizeof(same), "BERTH_%s", drca[i] + strlen("DRCA_"));
        CHECK_ROW(i, strcmp(v->name, same) == 0 || strcmp(v->other, same) == 0);
    }
}

static void test_cli_environment__is_known_to_those_who_warn(void **state)
{
    (void)state;
    size_t n = 0;
    for (const struct environment_variable *v = environment_variables; v->name; v++)
        for (int other = 0; other < (v->other ? 2 : 1); other++, n++)
            assert_string_equal(config_client_variables[n], other ? v->other : v->name);
    assert_string_equal(config_client_variables[n], "BERTH_HOSTS_FILE"); /* read by hosts_store.c */
    CHECK(!config_client_variables[n + 1]);
}

static void test_cli_environment__is_read(void **state)
{
    (void)state;
    struct environment e;
    CHECK_OK(environment_read(&e, &test_err));
    CHECK(!e.registry && !e.namespace && !e.tag && !e.ca_file && !e.credentials && !e.chunk_size && !e.debug);
    assert_int_equal(e.transport, BERTH_TRANSPORT_AUTO);
    for (const char *const *v = config_client_variables; *v; v++)
        setenv(*v, "", 1);
    CHECK_OK(environment_read(&e, &test_err));
    CHECK(!e.registry && e.transport == BERTH_TRANSPORT_AUTO && !e.debug);
    setenv("BERTH_DEFAULT_REGISTRY", "registry.example", 1);
    setenv("BERTH_DEFAULT_NAMESPACE", "team", 1);
    setenv("BERTH_DEFAULT_TAG", "edge", 1);
    setenv("BERTH_DEFAULT_PROTOCOL", "http", 1);
    setenv("BERTH_CACERTS", "/ca", 1);
    setenv("BERTH_CREDENTIALS_STORE", "/store", 1);
    setenv("BERTH_CHUNK_SIZE", "2097152", 1);
    setenv("BERTH_DEBUG", "yes", 1);
    CHECK_OK(environment_read(&e, &test_err));
    assert_string_equal(e.registry, "registry.example");
    assert_string_equal(e.namespace, "team");
    assert_string_equal(e.tag, "edge");
    assert_string_equal(e.ca_file, "/ca");
    assert_string_equal(e.credentials, "/store");
    CHECK(e.transport == BERTH_TRANSPORT_HTTP && e.chunk_size == 2097152 && e.debug);
    setenv("BERTH_PROTOCOL", "HTTPS", 1);
    setenv("BERTH_CA_FILE", "/other", 1);
    setenv("BERTH_DEBUG", "False", 1);
    setenv("BERTH_CHUNK_SIZE", "1MiB", 1);
    CHECK_OK(environment_read(&e, &test_err));
    assert_string_equal(e.ca_file, "/other");
    CHECK(e.transport == BERTH_TRANSPORT_HTTPS && !e.debug && e.chunk_size == MIB);
}

static void test_cli_environment__says_what_is_wrong(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"BERTH_PROTOCOL", "ftp"},
                                          {"BERTH_CHUNK_SIZE", "much"},
                                          {"BERTH_CHUNK_SIZE", "0"},
                                          {"BERTH_CHUNK_SIZE", "-1"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct environment e;
        begin(NULL);
        setenv(rows[i][0], rows[i][1], 1);
        CHECK_ROW(i, environment_read(&e, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, strstr(test_err.message, rows[i][0]) && strstr(test_err.message, rows[i][1]));
    }
}

static void test_cli_environment__is_named_where_a_default_is_wrong(void **state)
{
    (void)state;
    static const char why[] = "a default for references: it is bad";
    const struct {
        struct environment e;
        const char *said, *message;
    } rows[] = {{{.registry = "a/b"}, why, "BERTH_DEFAULT_REGISTRY: "},
                {{.registry = "r.example", .namespace = "A"}, why, "BERTH_DEFAULT_NAMESPACE: "},
                {{.namespace = "n", .tag = "-"}, why, "BERTH_DEFAULT_TAG: "},
                {{.tag = "-"}, "the name is bad", "the name is bad"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_error_set(&test_err, BERTH_E_INVALID, "%s", rows[i].said);
        CHECK_ROW(i, environment_blame(&rows[i].e, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, strstr(test_err.message, rows[i].message) == test_err.message);
        CHECK_ROW(i, strstr(test_err.message, rows[i].said));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_cli_environment__has_an_equivalent_of_each_of_drcas, begin),
        cmocka_unit_test_setup(test_cli_environment__is_known_to_those_who_warn, begin),
        cmocka_unit_test_setup(test_cli_environment__is_read, begin),
        cmocka_unit_test_setup(test_cli_environment__says_what_is_wrong, begin),
        cmocka_unit_test(test_cli_environment__is_named_where_a_default_is_wrong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
