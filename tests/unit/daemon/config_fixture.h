/* tests/unit/daemon/config_fixture.h - what the tests of config*.c share: configurations from texts, and an
 * environment without settings. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include "test.h"

#include "daemon/config_private.h"

static UNUSED void config_freep(struct config **c)
{
    config_free(*c);
}
#define CONFIG CLEANUP(config_freep) struct config *

static UNUSED int clean_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_settings_count; i++) {
        CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(KIB);
        config_add_variable(&config_settings[i], &name);
        unsetenv(berth_buf_cstr(&name));
    }
    return 0;
}

static UNUSED int load(const char *yaml, struct config **ret)
{
    test_err = (berth_error){0};
    return config_load_text(str_from(yaml), "berth.yaml", NULL, 0, ret, &test_err);
}

#define LOAD_FLAGS(yaml, ret, ...)                                                                           \
    config_load_text(str_from(yaml), "berth.yaml", (const char *const[]){__VA_ARGS__},                       \
                     COUNT(((const char *const[]){__VA_ARGS__})), ret, &test_err)

static UNUSED char *printed(const struct config *c)
{
    berth_buf b = BERTH_BUF_INIT(MIB);
    CHECK_OK(config_print(c, &b, &test_err));
    return berth_buf_take(&b);
}

/* @head, @times times @piece, @tail. */
static UNUSED char *crowd(const char *head, const char *piece, size_t times, const char *tail)
{
    berth_buf b = BERTH_BUF_INIT(4 * MIB);
    berth_buf_add_str(&b, str_from(head));
    for (size_t i = 0; i < times; i++)
        berth_buf_add_str(&b, str_from(piece));
    berth_buf_add_str(&b, str_from(tail));
    return berth_buf_take(&b);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, clean_environment, clean_environment)

#endif
