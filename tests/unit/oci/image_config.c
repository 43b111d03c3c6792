/* tests/unit/oci/image_config.c */
#include "test.h"

#include <berth/config.h>
#include <berth/layout.h>

#include "util/fault.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define WHOLE                                                                                                \
    "{\"created\":\"2024-01-31T09:00:00.5Z\",\"author\":\"me\",\"architecture\":\"arm64\",\"variant\":"      \
    "\"v8\","                                                                                                \
    "\"os\":\"linux\",\"os.version\":\"6\",\"os.features\":[\"f\"],\"config\":{\"User\":\"1:2\","            \
    "\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}},\"Env\":[\"A=1\",\"B=2\"],\"Entrypoint\":[\"/bin/sh\"]," \
    "\"Cmd\":[\"-c\",\"x\"],\"Volumes\":{\"/data\":{}},\"WorkingDir\":\"/w\",\"Labels\":{\"k\":\"v\"},"      \
    "\"StopSignal\":\"SIGTERM\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX64 "\"]},"      \
    "\"history\":[{\"created\":\"2024-01-31T09:00:00+01:00\",\"author\":\"a\",\"created_by\":\"RUN\","       \
    "\"comment\":\"c\",\"empty_layer\":true},{}],\"custom\":1}\n"

static berth_config *parse(const char *text)
{
    berth_config *c = NULL;
    CHECK_OK(berth_config_parse(text, strlen(text), &c, &test_err));
    return c;
}

static void test_oci_image_config__reads_each_field_and_keeps_the_bytes(void **state)
{
    (void)state;
    berth_config *c = parse(WHOLE);
    CHECK(c->size == strlen(WHOLE) && memcmp(c->data, WHOLE, c->size) == 0 && strlen(c->digest) == 71);
    CHECK_STR(str_from(c->created), STR("2024-01-31T09:00:00.5Z"));
    CHECK_STR(str_from(c->author), STR("me"));
    CHECK_STR(str_from(c->platform->architecture), STR("arm64"));
    CHECK_STR(str_from(c->platform->variant), STR("v8"));
    CHECK_STR(str_from(c->platform->os_version), STR("6"));
    CHECK(c->platform->n_os_features == 1);
    CHECK_STR(str_from(c->user), STR("1:2"));
    CHECK_STR(str_from(c->working_dir), STR("/w"));
    CHECK_STR(str_from(c->stop_signal), STR("SIGTERM"));
    CHECK(c->n_env == 2 && c->n_entrypoint == 1 && c->n_cmd == 2 && c->n_exposed_ports == 2 &&
          c->n_volumes == 1);
    CHECK_STR(str_from(c->env[1]), STR("B=2"));
    CHECK_STR(str_from(c->cmd[0]), STR("-c"));
    CHECK_STR(str_from(c->exposed_ports[1]), STR("53/udp"));
    CHECK_STR(str_from(c->volumes[0]), STR("/data"));
    CHECK_STR(str_from(berth_config_label(c, "k")), STR("v"));
    CHECK(!berth_config_label(c, "v") && c->n_diff_ids == 1 && c->n_history == 2);
    CHECK(c->history[0].empty_layer && !c->history[1].empty_layer && !c->history[1].created_by);
    CHECK_STR(str_from(c->history[0].created_by), STR("RUN"));
    CHECK_OK(berth_config_validate(c, &test_err));
    berth_config_free(c);
    berth_config_free(NULL);
}

/* C107: configs of others are configs. */
static void test_oci_image_config__takes_what_has_none_of_it(void **state)
{
    (void)state;
    static const char *const rows[] = {"{}",
                                       "{\"config\":null,\"history\":null,\"rootfs\":{\"diff_ids\":null}}",
                                       "{\"config\":{\"Labels\":null,\"Cmd\":null,\"Volumes\":null}}"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_config *c = parse(rows[i]);
        CHECK_ROW(i, !c->platform && !c->created && !c->n_labels && !c->n_diff_ids && !c->n_history);
        CHECK_ROW(i, berth_config_validate(c, &test_err) == BERTH_E_INVALID);
        berth_config_free(c);
    }
}

static void test_oci_image_config__refuses_fields_of_another_type(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "[]",
        "{\"os\":1}",
        "{\"config\":[]}",
        "{\"config\":{\"Env\":[1]}}",
        "{\"config\":{\"Labels\":{\"a\":1}}}",
        "{\"config\":{\"Volumes\":[\"/x\"]}}",
        "{\"rootfs\":{\"diff_ids\":\"x\"}}",
        "{\"history\":[1]}",
        "{\"history\":[{\"created_by\":[]}]}",
        "{\"author\":\"\\u0000\"}",
    };
    berth_config *c = NULL;
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, berth_config_parse(rows[i], strlen(rows[i]), &c, &test_err) == BERTH_E_INVALID && !c);
}

static void test_oci_image_config__survives_each_lack_of_memory(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        berth_config *c = NULL;
        fault_arm(n);
        int r = berth_config_parse(WHOLE, strlen(WHOLE), &c, &test_err);
        bool fired = fault_disarm();
        CHECK(r == BERTH_OK ? c != NULL : r == BERTH_E_NOMEM && !c);
        berth_config_free(c);
        if (!fired)
            break;
    }
}

static void test_oci_image_config__knows_layout_files(void **state)
{
    (void)state;
    CHECK_OK(berth_layout_file_check(BERTH_LAYOUT_FILE, strlen(BERTH_LAYOUT_FILE), &test_err));
    CHECK_CODE(berth_layout_file_check("{}", 2, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_layout_file_check("{\"imageLayoutVersion\":\"2.0.0\"}", 30, &test_err),
               BERTH_E_UNSUPPORTED);
}

RUN_TESTS(TEST(test_oci_image_config__reads_each_field_and_keeps_the_bytes),
          TEST(test_oci_image_config__takes_what_has_none_of_it),
          TEST(test_oci_image_config__refuses_fields_of_another_type),
          TEST(test_oci_image_config__survives_each_lack_of_memory),
          TEST(test_oci_image_config__knows_layout_files))
