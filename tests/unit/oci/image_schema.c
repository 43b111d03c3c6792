/* tests/unit/oci/image_schema.c */
#include "test.h"

#include <berth/config.h>

#define HEX64    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* of "abc" */
#define D1       "sha256:" HEX64
#define DESC(x)  "{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":3" x "}"
#define V2       "{\"schemaVersion\":2,"
#define IMAGE(x) V2 "\"config\":" DESC("") ",\"layers\":[" DESC("") "]" x "}"
#define INDEX(x) V2 "\"manifests\":[" DESC(x) "]}"
#define LAYER(x) V2 "\"config\":" DESC("") ",\"layers\":[" DESC(x) "]}"

static int validate(const char *text, const char *type)
{
    berth_manifest *m = NULL;
    CHECK_OK(berth_manifest_parse(text, strlen(text), type, &m, &test_err));
    int r = berth_manifest_validate(m, &test_err);
    berth_manifest_free(m);
    return r;
}

static void test_oci_image_schema__takes_what_is_right(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type;
    } rows[] = {
        {IMAGE(""), NULL},
        {IMAGE(
             ",\"artifactType\":\"x/y\",\"subject\":" DESC("") ",\"annotations\":{\"a\":\"\"},\"z\":[null]"),
         NULL},
        {LAYER(",\"data\":\"YWJj\",\"urls\":[\"https://example.com/a?b\"]"), NULL},
        {INDEX(",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"os.features\":[\"a\"]}"), NULL},
        {V2 "\"manifests\":[]}", NULL},
        {V2 "\"config\":" DESC("") ",\"layers\":[]}", BERTH_TYPE_DOCKER_MANIFEST},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, validate(rows[i].text, rows[i].type) == BERTH_OK);
}

static void test_oci_image_schema__names_the_place_that_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {V2 "\"config\":" DESC("") "}", "layers is missing"},
        {V2 "\"config\":" DESC("") ",\"layers\":[]}", "layers is not"},
        {V2 "\"config\":{\"mediaType\":\"a\",\"digest\":\"" D1 "\",\"size\":3},\"layers\":[]}",
         "config.mediaType"},
        {IMAGE(",\"subject\":null"), "subject"},
        {IMAGE(",\"annotations\":{\"\":\"x\"}"), "annotations"},
        {IMAGE(",\"artifactType\":\"nothing\""), "artifactType"},
        {LAYER(",\"urls\":[\"/relative\"]"), "layers[0].urls"},
        {LAYER(",\"urls\":[\"https://a b\"]"), "layers[0].urls"},
        {LAYER(",\"data\":\"YWI=\""), "layers[0] has data of another size"},
        {LAYER(",\"data\":\"YWJk\""), "layers[0] has data of another digest"},
        {LAYER(",\"artifactType\":\"x\""), "layers[0].artifactType"},
        {INDEX(",\"platform\":{\"os\":\"linux\"}"), "manifests[0].platform.architecture is missing"},
        {INDEX(",\"platform\":{\"os\":\"linux\",\"architecture\":\"a\",\"variant\":null}"),
         "platform.variant"},
        {V2 "\"config\":{\"mediaType\":\"" BERTH_TYPE_OCI_EMPTY "\",\"digest\":\"" D1
            "\",\"size\":2},\"layers\":[" DESC("") "]}",
         "artifactType is missing"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, validate(rows[i].text, NULL) == BERTH_E_INVALID);
        CHECK_ROW(i, strstr(test_err.message, rows[i].says));
    }
}

#define CONFIG(x)                                                                                            \
    "{\"architecture\":\"a\",\"os\":\"b\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]}" x "}"

static void test_oci_image_schema__checks_configs(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says; /* NULL: right */
    } rows[] = {
        {CONFIG(""), NULL},
        {CONFIG(",\"created\":\"2024-01-31T09:00:00Z\""), NULL},
        {CONFIG(",\"created\":\"2024-01-31T09:00:00.123456789-07:00\""), NULL},
        {CONFIG(",\"created\":\"2024-01-31\""), "created"},
        {CONFIG(",\"created\":\"2024-01-31T09:00:00\""), "created"},
        {CONFIG(",\"created\":\"2024-01-31T09:00:00.Z\""), "created"},
        {CONFIG(",\"created\":\"2024-01-31T09:00:00Zx\""), "created"},
        {CONFIG(",\"created\":\"\""), "created"},
        {CONFIG(",\"config\":{\"Cmd\":null,\"Labels\":null}"), NULL},
        {CONFIG(",\"config\":{\"User\":null}"), "config.User"},
        {CONFIG(",\"config\":{\"ExposedPorts\":{\"80\":1}}"), "config.ExposedPorts"},
        {CONFIG(",\"config\":{\"ArgsEscaped\":1}"), "config.ArgsEscaped"},
        {CONFIG(",\"history\":[{},{\"empty_layer\":\"yes\"}]"), "history[1].empty_layer"},
        {"{\"os\":\"b\",\"rootfs\":{}}", "architecture is missing"},
        {"{\"architecture\":\"a\",\"os\":\"b\",\"rootfs\":{\"type\":\"x\",\"diff_ids\":[]}}", "rootfs.type"},
        {"{\"architecture\":\"a\",\"os\":\"b\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}",
         "diff_ids"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_config *c = NULL;
        CHECK_OK(berth_config_parse(rows[i].text, strlen(rows[i].text), &c, &test_err));
        int r = berth_config_validate(c, &test_err);
        CHECK_ROW(i, r == (rows[i].says ? BERTH_E_INVALID : BERTH_OK));
        CHECK_ROW(i, !rows[i].says || strstr(test_err.message, rows[i].says));
        berth_config_free(c);
    }
}

RUN_TESTS(TEST(test_oci_image_schema__takes_what_is_right),
          TEST(test_oci_image_schema__names_the_place_that_is_wrong),
          TEST(test_oci_image_schema__checks_configs))
