/* tests/unit/daemon/config_value.c - what a text means for each type of setting, wherever it comes from. */
#include "config_fixture.h"

/* A value that is not the default, for any setting but records. */
static const char *sample(const struct config_setting *s)
{
    switch (s->type) {
    case CONFIG_BOOL:
        return strcmp(s->fallback, "true") == 0 ? "false" : "true";
    case CONFIG_NUMBER:
        return "17";
    case CONFIG_DURATION:
        return "7m";
    case CONFIG_SIZE:
        return strcmp(s->key, "storage.inline_size") == 0 ? "17KiB" : "9MiB";
    case CONFIG_TEXT:
    case CONFIG_LIST:
        if (s->values)
            return strcmp(s->key, "registry.sparse") == 0 ? "all"
                                                          : s->values[strcmp(s->values[0], s->fallback) == 0];
        return s->form && s->form->example ? s->form->example : "some-file";
    case CONFIG_RECORDS:
        return "localhost:7";
    case CONFIG_TLS:
        break;
    }
    return NULL;
}

static void test_daemon_config_value__gives_each_setting_the_same_value_from_each_source(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        if (s->file_only || !config_in_file(s))
            continue;
        bool list = s->type == CONFIG_LIST || s->type == CONFIG_RECORDS;
        char yaml[256], flag[256], name[128];
        CLEANUP(berth_buf_done) berth_buf variable = BERTH_BUF_INIT(KIB);
        config_add_variable(s, &variable);
        snprintf(name, sizeof(name), "%s", berth_buf_cstr(&variable));
        snprintf(yaml, sizeof(yaml), STR_FMT "%s" STR_FMT ": %s\"%s\"%s\n", STR_ARG(config_section(s)),
                 config_section(s).n ? ":\n  " : "", STR_ARG(config_name(s)), list ? "[" : "", sample(s),
                 list ? "]" : "");
        snprintf(flag, sizeof(flag), "%s=%s", s->key, sample(s));

        CONFIG plain = NULL;
        CONFIG file = NULL;
        CONFIG environment = NULL;
        CONFIG flags = NULL;
        CHECK_OK(config_load(NULL, NULL, 0, &plain, &test_err));
        CHECK_ROW(i, load(yaml, &file) == BERTH_OK);
        setenv(name, sample(s), 1);
        CHECK_ROW(i, config_load(NULL, NULL, 0, &environment, &test_err) == BERTH_OK);
        unsetenv(name);
        CHECK_ROW(i, LOAD_FLAGS("", &flags, flag) == BERTH_OK);

        CLEANUP(freep) char *a = printed(file);
        CLEANUP(freep) char *b = printed(environment);
        CLEANUP(freep) char *c = printed(flags);
        CHECK_STR_ROW(i, str_from(b), str_from(a));
        CHECK_STR_ROW(i, str_from(c), str_from(a));
        CLEANUP(berth_buf_done) berth_buf diff = BERTH_BUF_INIT(KIB);
        config_diff(plain, flags, &diff);
        CHECK_STR_ROW(i, berth_buf_str(&diff), str_from(s->key));
    }
}

static void test_daemon_config_value__bounds_what_comes_from_outside_the_file(void **state)
{
    (void)state;
    CONFIG c = NULL;
    CLEANUP(freep) char *text = crowd("data=", "x", CONFIG_TEXT_MAX, "");
    CHECK_OK(LOAD_FLAGS("", &c, text));
    config_free(steal(&c));
    CLEANUP(freep) char *longer = crowd("data=", "x", CONFIG_TEXT_MAX + 1, "");
    CHECK_CODE(LOAD_FLAGS("", &c, longer), BERTH_E_INVALID);
    assert_string_equal(test_err.message, "--data: longer than 8192 bytes");

    CLEANUP(freep) char *most = crowd(":1", ",:1", CONFIG_ENTRIES_MAX - 1, "");
    setenv("BERTH_LISTEN", most, 1);
    CHECK_OK(load("", &c));
    assert_int_equal(c->listen_count, CONFIG_ENTRIES_MAX);
    config_free(steal(&c));
    CLEANUP(freep) char *more = crowd(":1", ",:1", CONFIG_ENTRIES_MAX, "");
    setenv("BERTH_LISTEN", more, 1);
    CHECK_CODE(load("", &c), BERTH_E_INVALID);
    assert_string_equal(test_err.message, "BERTH_LISTEN: more than 1024 entries");
}

static void test_daemon_config_value__parses_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"0", 0},
        {"0s", 0},
        {"1", 1000},
        {"600", 600000},
        {"250ms", 250},
        {"10m", 600000},
        {"1h30m", 5400000},
        {"1d", 86400000},
        {"1d2h3m4s5ms", 93784005},
        {"90m", 5400000},
        {"1m500ms", 60500},
        {"007s", 7000},
        {"18446744073709551615ms", UINT64_MAX},
        {"18446744073709551", 18446744073709551000u},
    };
    static const char *const bad[] = {"",
                                      "m",
                                      "-1",
                                      "1.5h",
                                      "10 m",
                                      " 10m",
                                      "10m ",
                                      "1m1h",
                                      "1m1m",
                                      "1s1",
                                      "10M",
                                      "1min",
                                      "1w",
                                      "ms",
                                      "1ms1s",
                                      "+1",
                                      "1h m",
                                      "0x1s",
                                      "10m\n",
                                      "1e3",
                                      "18446744073709551616ms",
                                      "18446744073709552",
                                      "99999999999999999999d",
                                      "1dms"};
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t ms = 99;
        CHECK_ROW(i, config_parse_duration(str_from(good[i].text), &ms));
        CHECK_ROW(i, ms == good[i].ms);
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
        config_add_duration(ms, &b);
        CHECK_ROW(i, config_parse_duration(berth_buf_str(&b), &ms) && ms == good[i].ms);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t ms = 99;
        CHECK_ROW(i, !config_parse_duration(str_from(bad[i]), &ms) && ms == 99);
    }
}

static void test_daemon_config_value__parses_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"512", 512},
        {"512b", 512},
        {"16k", 16384},
        {"16K", 16384},
        {"16KB", 16384},
        {"16kib", 16384},
        {"4MiB", 4194304},
        {"4 MiB", 4194304},
        {"1g", 1073741824},
        {"2T", 2199023255552},
        {"1025", 1025},
        {"18446744073709551615", UINT64_MAX},
        {"16777215TiB", 18446742974197923840u},
    };
    static const char *const bad[] = {"",
                                      "k",
                                      "-1",
                                      "1.5M",
                                      "1x",
                                      "1kk",
                                      "1ki",
                                      "1bb",
                                      "1bib",
                                      "+1",
                                      " 1k",
                                      "1k 1",
                                      "18446744073709551616",
                                      "16777216TiB",
                                      "0x10",
                                      "1mib\n",
                                      "1m i b"};
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t n = 99;
        CHECK_ROW(i, config_parse_size(str_from(good[i].text), &n));
        CHECK_ROW(i, n == good[i].bytes);
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
        config_add_size(n, &b);
        CHECK_ROW(i, config_parse_size(berth_buf_str(&b), &n) && n == good[i].bytes);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t n = 99;
        CHECK_ROW(i, !config_parse_size(str_from(bad[i]), &n) && n == 99);
    }
}

RUN_TESTS(CASE(test_daemon_config_value__gives_each_setting_the_same_value_from_each_source),
          CASE(test_daemon_config_value__bounds_what_comes_from_outside_the_file),
          CASE(test_daemon_config_value__parses_durations), CASE(test_daemon_config_value__parses_sizes))
