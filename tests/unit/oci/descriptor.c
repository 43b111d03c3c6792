/* tests/unit/oci/descriptor.c - one descriptor: what it must have, what it may have, which layers are
 * foreign. */
#include "test.h"

#include "oci/descriptor.h"

#define DIGEST "\"digest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""
#define BASE   "\"mediaType\":\"a/b\",\"size\":3," DIGEST

static int read_one(const char *text, bool layer, berth_arena *a, oci_descriptor *ret)
{
    CLEANUP(oci_json_unrefp) json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);
    CHECK(j != NULL);
    test_err = (berth_error){0};
    return oci_descriptor_read(j, layer, a, ret, &test_err);
}

static void test_oci_descriptor__reads_every_member(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    oci_descriptor d;
    CHECK_OK(read_one("{" BASE
                      ",\"artifactType\":\"x/y\",\"urls\":[\"https://a\",\"\"],\"data\":7,\"platform\":{"
                      "\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\",\"os.version\":\"1\"}}",
                      true, &a, &d));
    CHECK_STR(d.media_type, STR("a/b"));
    CHECK_STR(d.artifact_type, STR("x/y"));
    CHECK(d.size == 3 && d.n_urls == 2 && d.has_platform);
    CHECK_STR(d.urls[0], STR("https://a"));
    CHECK_STR(d.platform.os, STR("linux"));
    CHECK_STR(d.platform.architecture, STR("arm"));
    CHECK_STR(d.platform.variant, STR("v7"));
    CHECK_STR(d.platform.os_version, STR("1"));
    CHECK_OK(read_one("{" BASE ",\"platform\":null,\"urls\":null}", true, &a, &d));
    CHECK(!d.has_platform && d.n_urls == 0 && d.artifact_type.n == 0);
}

static void test_oci_descriptor__refuses_what_is_not_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"[]", "a descriptor must be an object"},
        {"{\"size\":3," DIGEST "}", "it has no mediaType"},
        {"{\"mediaType\":\"\",\"size\":3," DIGEST "}", "it has no mediaType"},
        {"{\"mediaType\":\"a\\nb\",\"size\":3," DIGEST "}", "'mediaType' is not a media type"},
        {"{\"mediaType\":\"a/b\"," DIGEST "}", "it has no size"},
        {"{\"mediaType\":\"a/b\",\"size\":-1," DIGEST "}", "its size is negative"},
        {"{\"mediaType\":\"a/b\",\"size\":\"3\"," DIGEST "}", "'size' must be an integer"},
        {"{\"mediaType\":\"a/b\",\"size\":3}", "it has no digest"},
        {"{\"mediaType\":\"a/b\",\"size\":3,\"digest\":\"sha256:x\"}", ""},
        {"{" BASE ",\"urls\":[7]}", "'urls' must hold strings"},
        {"{" BASE ",\"urls\":\"https://a\"}", "'urls' must be an array"},
        {"{" BASE ",\"platform\":[]}", "'platform' must be an object"},
        {"{" BASE ",\"platform\":{\"os\":7}}", "'os' must be a string"},
        {"{" BASE ",\"artifactType\":\"\\u00e4/b\"}", "'artifactType' is not a media type"},
    };
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    for (size_t i = 0; i < COUNT(rows); i++) {
        oci_descriptor d = {.size = 12345};
        CHECK_ROW(i, read_one(rows[i].text, false, &a, &d) == BERTH_E_INVALID);
        CHECK_ROW(i, strstr(test_err.message, rows[i].says) &&
                         strcmp(test_err.oci_code, "MANIFEST_INVALID") == 0);
        CHECK_ROW(i, d.size == 12345); /* untouched */
    }
}

static void test_oci_descriptor__bounds_media_types(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    char type[257];
    memset(type, 'x', sizeof(type));
    for (int n = 255; n <= 256; n++) {
        oci_descriptor d;
        char *text = berth_arena_printf(&a, "{\"mediaType\":\"%.*s\",\"size\":3," DIGEST "}", n, type);
        CHECK_ROW(n, read_one(text, false, &a, &d) == (n == 255 ? BERTH_OK : BERTH_E_INVALID));
    }
}

static void test_oci_descriptor__only_layers_are_foreign(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool foreign;
    } rows[] = {
        {"{" BASE "}", false},
        {"{" BASE ",\"urls\":[]}", false},
        {"{" BASE ",\"urls\":[\"https://a\"]}", true},
        {"{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"size\":3," DIGEST
         "}",
         true},
    };
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    for (size_t i = 0; i < COUNT(rows); i++) {
        oci_descriptor d;
        CHECK_OK(read_one(rows[i].text, true, &a, &d));
        CHECK_ROW(i, d.foreign == rows[i].foreign);
        CHECK_OK(read_one(rows[i].text, false, &a, &d));
        CHECK_ROW(i, !d.foreign); /* a config must be here, whatever its urls say */
    }
}

RUN_TESTS(TEST(test_oci_descriptor__reads_every_member), TEST(test_oci_descriptor__refuses_what_is_not_whole),
          TEST(test_oci_descriptor__bounds_media_types), TEST(test_oci_descriptor__only_layers_are_foreign))
