/* tests/unit/daemon/config_table.c - the table of settings: their names as flags, and which of them a reload
 * may change. */
#include "config_fixture.h"

static void test_daemon_config_table__knows_what_a_reload_may_change(void **state)
{
    (void)state;
    static const char *const reload[] = {"log.level", "registry.read_only", "registry.warnings",
                                         "gc.interval"};
    static const char *const restart[] = {"listen",
                                          "data",
                                          "storage.driver",
                                          "http.loops",
                                          "http.workers",
                                          "http.prefix",
                                          "http.max_header_size",
                                          "metrics.enabled",
                                          "tls.key",
                                          "tls.ciphers",
                                          "no.such",
                                          "gc.grace",
                                          "http.headers"};
    for (size_t i = 0; i < COUNT(reload); i++)
        CHECK_ROW(i, config_key_reloads(str_from(reload[i])));
    for (size_t i = 0; i < COUNT(restart); i++)
        CHECK_ROW(i, !config_key_reloads(str_from(restart[i])));
}

static void test_daemon_config_table__knows_each_flag_by_one_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        CLEANUP(berth_buf_done) berth_buf flag = BERTH_BUF_INIT(KIB), key = BERTH_BUF_INIT(KIB);
        bool is_bool = !(s->type == CONFIG_BOOL);
        config_add_flag(s, &flag);
        CHECK_ROW(i, config_flag_key(berth_buf_str(&flag), &key, &is_bool) == !s->file_only);
        if (s->file_only)
            continue;
        CHECK_STR_ROW(i, berth_buf_str(&key), str_from(s->key));
        CHECK_ROW(i, is_bool == (s->type == CONFIG_BOOL));
    }
    CLEANUP(berth_buf_done) berth_buf key = BERTH_BUF_INIT(KIB);
    bool is_bool;
    CHECK(config_flag_key(STR("--http-prefix=/x"), &key, &is_bool) && !is_bool);
    CHECK_STR(berth_buf_str(&key), STR("http.prefix"));
    static const char *const unknown[] = {"--no-such", "http-prefix",  "--http.prefix", "--",
                                          "",          "--http-prefi", "--http_prefix"};
    for (size_t i = 0; i < COUNT(unknown); i++)
        CHECK_ROW(i, !config_flag_key(str_from(unknown[i]), &key, &is_bool));
}

static void test_daemon_config_table__knows_variables_and_the_nearest_to_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool known;
        const char *nearest;
    } rows[] = {
        {"BERTH_DATA", true, ""},
        {"BERTH_HTTP_MAX_CONNECTIONS_PER_ADDRESS", true, ""},
        {"BERTH_HTTP_MAX_CONNECTION_PER_ADRESS", false, "BERTH_HTTP_MAX_CONNECTIONS_PER_ADDRESS"},
        {"BERTH_DATTA", false, "BERTH_DATA"},
        {"BERTH_GC_GRCE", false, "BERTH_GC_GRACE"},
        {"BERTH_LOGLEVEL", false, "BERTH_LOG_LEVEL"},
        {"BERTH_VERSION", false, ""}, /* the file's alone */
        {"BERTH_SOMETHING_ELSE", false, ""},
        {"BERTH_", false, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf near = BERTH_BUF_INIT(KIB);
        CHECK_ROW(i, config_nearest_variable(str_from(rows[i].name), &near) == rows[i].known);
        if (!rows[i].known)
            CHECK_STR_ROW(i, berth_buf_str(&near), str_from(rows[i].nearest));
    }
}

RUN_TESTS(CASE(test_daemon_config_table__knows_variables_and_the_nearest_to_others),
          CASE(test_daemon_config_table__knows_what_a_reload_may_change),
          CASE(test_daemon_config_table__knows_each_flag_by_one_name))
