/* tests/unit/daemon/config_document.c - the reference names every setting, and its examples are valid. */
#include "config_fixture.h"

#include <jansson.h>

#include "util/io.h"

static void test_daemon_config_document__documents_every_setting(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done)
    berth_buf markdown = BERTH_BUF_INIT(MIB), schema = BERTH_BUF_INIT(MIB), help = BERTH_BUF_INIT(MIB),
              file = BERTH_BUF_INIT(MIB);
    config_document_markdown(&markdown);
    config_document_schema(&schema);
    config_document_flags(&help);
    json_error_t why;
    json_t *json = json_loads(berth_buf_cstr(&schema), JSON_REJECT_DUPLICATES, &why);
    if (!json)
        fail_msg("%d: %s", why.line, why.text);
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        char row[128], section[64];
        snprintf(row, sizeof(row), "\n| `%s` | ", s->key);
        CHECK_ROW(i, strstr(berth_buf_cstr(&markdown), row));
        snprintf(section, sizeof(section), STR_FMT, STR_ARG(config_section(s)));
        const json_t *at = json_object_get(json, "properties");
        if (*section)
            at = json_object_get(json_object_get(at, section), "properties");
        CHECK_ROW(i, json_is_string(json_object_get(json_object_get(at, config_name(s).p), "description")) ==
                         config_in_file(s));
        CLEANUP(berth_buf_done) berth_buf flag = BERTH_BUF_INIT(KIB);
        config_add_flag(s, &flag);
        berth_buf_putc(&flag, s->type == CONFIG_BOOL ? '=' : ' ');
        CHECK_ROW(i, !strstr(berth_buf_cstr(&help), berth_buf_cstr(&flag)) == s->file_only);
    }
    json_decref(json);
    CHECK_OK(io_read_file(SOURCE_ROOT "/docs/configuration.md", &file, &test_err));
    CHECK(strcmp(berth_buf_cstr(&file), berth_buf_cstr(&markdown)) == 0);
}

static void test_daemon_config_document__reads_the_examples_it_gives(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf markdown = BERTH_BUF_INIT(MIB);
    config_document_markdown(&markdown);
    char *from = strstr(berth_buf_cstr(&markdown), "```yaml\n");
    assert_non_null(from);
    from += strlen("```yaml\n");
    char *to = strstr(from, "```");
    assert_non_null(to);
    *to = '\0';
    CONFIG c = NULL;
    CHECK_OK(load(from, &c));
    assert_int_equal(c->listen_count, 2);
    config_free(steal(&c));
    CHECK_OK(config_load(SOURCE_ROOT "/packaging/berth.yaml", NULL, 0, &c, &test_err));
    assert_string_equal(c->data, "/var/lib/berth");
}

RUN_TESTS(CASE(test_daemon_config_document__documents_every_setting),
          CASE(test_daemon_config_document__reads_the_examples_it_gives))
