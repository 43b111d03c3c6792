/* tests/unit/oci/manifest.c */
#include "test.h"

#include "oci/manifest.h"
#include "util/buf.h"
#include "util/fault.h"

#define HEX64      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D1         "sha256:" HEX64
#define D2         "sha512:" HEX64 HEX64
#define DESC(t, d) "{\"mediaType\":\"" t "\",\"digest\":\"" d "\",\"size\":7}"
#define CONFIG     "\"config\":" DESC("application/vnd.oci.image.config.v1+json", D1)
#define LAYER      DESC("application/vnd.oci.image.layer.v1.tar+gzip", D2)
#define V2         "\"schemaVersion\":2,"
#define IMAGE      "{" V2 CONFIG ",\"layers\":[" LAYER "]}"
#define INDEX      "{" V2 "\"manifests\":[" DESC(MT_OCI_MANIFEST, D1) "]}"

static int parse(const char *text, const char *type, berth_arena *arena, oci_manifest *m)
{
    memset(&test_err, 0, sizeof(test_err));
    return oci_manifest_parse(text, strlen(text), str_from(type), NULL, arena, m, &test_err);
}

static void test_oci_manifest__lists_config_layers_subject_and_annotations(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_manifest m;
    CHECK_OK(parse(
        "{" V2 "\"mediaType\":\"" MT_OCI_MANIFEST "\"," CONFIG ",\"layers\":[" LAYER ","
        "{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":9223372036854775807,\"data\":\"e30=\","
        "\"annotations\":{\"x\":\"y\"},\"custom\":[1.5,null,{}]}],"
        "\"subject\":" DESC(MT_OCI_MANIFEST, D2) ",\"annotations\":{ \"z\": \"1\", \"a\":\"\\u00e4\\\"\" },"
                                                 "\"custom\":true}",
        MT_OCI_MANIFEST, &arena, &m));
    CHECK(m.kind == MANIFEST_IMAGE && m.n_blobs == 3 && m.n_children == 0);
    CHECK_STR(m.media_type, STR(MT_OCI_MANIFEST));
    CHECK_STR(m.config_media_type, STR("application/vnd.oci.image.config.v1+json"));
    CHECK_STR(m.artifact_type, m.config_media_type);
    CHECK_STR(digest_str(&m.blobs[0].digest), STR(D1));
    CHECK_STR(digest_str(&m.blobs[1].digest), STR(D2));
    CHECK(m.blobs[1].size == 7 && m.blobs[2].size == INT64_MAX);
    CHECK(!m.blobs[2].foreign && !m.blobs[2].has_platform);
    CHECK(m.has_subject);
    CHECK_STR(digest_str(&m.subject.digest), STR(D2));
    CHECK_STR(m.annotations, STR("{\"z\":\"1\",\"a\":\"\xc3\xa4\\\"\"}"));
}

static void test_oci_manifest__lists_children_with_platforms(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_manifest m;
    CHECK_OK(parse(
        "{" V2 "\"artifactType\":\"x/y\",\"manifests\":["
        "{\"mediaType\":\"" MT_OCI_MANIFEST "\",\"digest\":\"" D1 "\",\"size\":0,\"artifactType\":\"p/q\","
        "\"platform\":{\"os\":\"windows\",\"architecture\":\"arm64\",\"variant\":\"v8\",\"os.version\":"
        "\"10.0\",\"os.features\":[\"win32k\"]}},"
        "{\"mediaType\":\"unknown/type\",\"digest\":\"" D2 "\",\"size\":1,\"platform\":{},"
        "\"urls\":[\"https://example.com/a\"]}],"
        "\"subject\":" DESC("c/d", D1) "}",
        "", &arena, &m));
    CHECK(m.kind == MANIFEST_INDEX && m.n_children == 2 && m.n_blobs == 0 && m.has_subject);
    CHECK_STR(m.media_type, STR(MT_OCI_INDEX));
    CHECK_STR(m.artifact_type, STR("x/y"));
    CHECK(m.children[0].has_platform && m.children[1].has_platform);
    CHECK_STR(m.children[0].platform.os, STR("windows"));
    CHECK_STR(m.children[0].platform.architecture, STR("arm64"));
    CHECK_STR(m.children[0].platform.variant, STR("v8"));
    CHECK_STR(m.children[0].platform.os_version, STR("10.0"));
    CHECK_STR(m.children[0].artifact_type, STR("p/q"));
    CHECK(m.children[1].platform.os.n == 0);
    CHECK(!m.children[1].foreign && m.children[1].n_urls == 1);
    CHECK_OK(parse("{" V2 "\"manifests\":[]}", MT_DOCKER_LIST, &arena, &m));
    CHECK(m.n_children == 0 && m.artifact_type.n == 0 && m.annotations.n == 0);
}

static void test_oci_manifest__decides_the_kind_by_type_then_by_shape(void **state)
{
    (void)state;
    static const struct {
        const char *body, *type, *want; /* want NULL: refused */
    } rows[] = {
        {IMAGE, MT_OCI_MANIFEST, MT_OCI_MANIFEST},
        {IMAGE, MT_OCI_MANIFEST "; charset=utf-8", MT_OCI_MANIFEST},
        {IMAGE, "Application/vnd.OCI.image.manifest.v1+json", MT_OCI_MANIFEST},
        {IMAGE, MT_DOCKER_MANIFEST, MT_DOCKER_MANIFEST},
        {IMAGE, "", MT_OCI_MANIFEST},
        {IMAGE, "application/json", MT_OCI_MANIFEST},
        {IMAGE, MT_OCI_INDEX, NULL},
        {IMAGE, "text/plain", NULL},
        {IMAGE, "application/vnd.oci.artifact.manifest.v1+json", NULL},
        {INDEX, MT_OCI_INDEX, MT_OCI_INDEX},
        {INDEX, MT_DOCKER_LIST, MT_DOCKER_LIST},
        {INDEX, "", MT_OCI_INDEX},
        {INDEX, MT_OCI_MANIFEST, NULL},
        {INDEX, MT_DOCKER_SCHEMA1, NULL},
        {"{" V2 "\"mediaType\":\"" MT_DOCKER_MANIFEST "\"," CONFIG "}", "", MT_DOCKER_MANIFEST},
        {"{" V2 "\"mediaType\":\"" MT_DOCKER_MANIFEST "\"," CONFIG "}", "application/json",
         MT_DOCKER_MANIFEST},
        {"{" V2 "\"mediaType\":\"" MT_DOCKER_MANIFEST "\"," CONFIG "}", MT_OCI_MANIFEST, NULL},
        {"{" V2 "\"mediaType\":\"" MT_OCI_INDEX "\"," CONFIG "}", MT_OCI_MANIFEST, NULL},
        {"{" V2 "\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[]}", MT_OCI_MANIFEST, NULL},
        {"{" V2 "\"mediaType\":\"x/y\"," CONFIG "}", "", NULL},
        {"{" V2 "\"mediaType\":\"\"," CONFIG "}", "", MT_OCI_MANIFEST},
        {"{" V2 "\"mediaType\":1," CONFIG "}", "", NULL},
        {"{" V2 "\"custom\":1}", "", NULL},
        {"{\"schemaVersion\":1,\"name\":\"a\"}", MT_DOCKER_SCHEMA1, MT_DOCKER_SCHEMA1},
        {"{\"schemaVersion\":1,\"name\":\"a\"}", "", MT_DOCKER_SCHEMA1},
        {"{\"schemaVersion\":1,\"signatures\":[]}", "", MT_DOCKER_SCHEMA1_JWS},
        {"{\"schemaVersion\":1,\"signatures\":[]}", MT_DOCKER_SCHEMA1_JWS, MT_DOCKER_SCHEMA1_JWS},
        {"{\"schemaVersion\":1}", MT_OCI_MANIFEST, NULL},
        {"{\"schemaVersion\":2}", MT_DOCKER_SCHEMA1_JWS, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        oci_manifest m = {.media_type = STR("")};
        int r = parse(rows[i].body, rows[i].type, &arena, &m);
        CHECK_ROW(i, r == (rows[i].want ? BERTH_OK : BERTH_E_INVALID));
        CHECK_STR_ROW(i, m.media_type, str_from(rows[i].want));
        CHECK_STR_ROW(i, str_from(test_err.oci_code), str_from(rows[i].want ? "" : "MANIFEST_INVALID"));
    }
}

static void test_oci_manifest__names_an_unknown_type(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_manifest m;
    CHECK_CODE(parse(IMAGE, "application/x-tar", &arena, &m), BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "application/x-tar"));
}

static void test_oci_manifest__refuses_what_contradicts_the_specification(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        " ",
        "null",
        "[]",
        "1",
        "\"x\"",
        "{",
        "{}",
        "{\"schemaVersion\":2}",
        IMAGE "x",
        IMAGE IMAGE,
        "\xef\xbb\xbf" IMAGE,
        /* schemaVersion */
        "{" CONFIG "}",
        "{\"schemaVersion\":\"2\"," CONFIG "}",
        "{\"schemaVersion\":2.0," CONFIG "}",
        "{\"schemaVersion\":3," CONFIG "}",
        /* what two readers would read differently */
        "{" V2 V2 CONFIG "}",
        "{" V2 CONFIG "," CONFIG "}",
        "{" V2 CONFIG ",\"manifests\":[]}",
        "{" V2 "\"custom\":{\"a\":1,\"a\":2}," CONFIG "}",
        /* config and layers */
        "{" V2 "\"layers\":[]}",
        "{" V2 "\"config\":null,\"layers\":[]}",
        "{" V2 "\"config\":[]}",
        "{" V2 "\"config\":{}}",
        "{" V2 CONFIG ",\"layers\":{}}",
        "{" V2 CONFIG ",\"layers\":[1]}",
        "{" V2 CONFIG ",\"layers\":[null]}",
        "{" V2 CONFIG ",\"layers\":[{}]}",
        /* descriptors */
        "{" V2 "\"config\":{\"digest\":\"" D1 "\",\"size\":1}}",
        "{" V2 "\"config\":{\"mediaType\":\"\",\"digest\":\"" D1 "\",\"size\":1}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\\n\",\"digest\":\"" D1 "\",\"size\":1}}",
        "{" V2 "\"config\":{\"mediaType\":1,\"digest\":\"" D1 "\",\"size\":1}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"size\":1}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"sha256:1\",\"size\":1}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":1,\"size\":1}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"blake3:" HEX64 "\",\"size\":1}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\"}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":-1}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":1.0}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":\"1\"}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":9223372036854775808}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":1,\"urls\":\"x\"}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":1,\"urls\":[1]}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":1,\"platform\":[]}}",
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":1,\"platform\":{\"os\":1}}}",
        /* the rest */
        "{" V2 CONFIG ",\"subject\":{}}",
        "{" V2 CONFIG ",\"subject\":\"x\"}",
        "{" V2 CONFIG ",\"annotations\":[]}",
        "{" V2 CONFIG ",\"annotations\":{\"a\":1}}",
        "{" V2 CONFIG ",\"annotations\":{\"a\":null}}",
        "{" V2 CONFIG ",\"artifactType\":1}",
        /* text */
        "{" V2 CONFIG ",\"a\":\"\xff\"}",
        "{" V2 CONFIG ",\"a\":\"\xc0\x80\"}",
        "{" V2 CONFIG ",\"a\":\"\\u0000\"}",
        "{" V2 CONFIG ",\"\\u0000\":1}",
        "{" V2 CONFIG ",\"a\":\"\\ud800\"}",
        "{" V2 CONFIG ",}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        oci_manifest m = {.kind = MANIFEST_OTHER};
        int r = parse(rows[i], MT_OCI_MANIFEST, &arena, &m);
        CHECK_ROW(i, r == BERTH_E_INVALID && m.kind == MANIFEST_OTHER);
        CHECK_STR_ROW(i, str_from(test_err.oci_code), STR("MANIFEST_INVALID"));
        CHECK_ROW(i, oci_manifest_parse(rows[i], strlen(rows[i]), STR(MT_OCI_MANIFEST), NULL, &arena, &m,
                                        NULL) == BERTH_E_INVALID);
    }
    static const char *const indexes[] = {
        "{\"schemaVersion\":2}",
        "{" V2 "\"manifests\":{}}",
        "{" V2 "\"manifests\":[{}]}",
        "{" V2 "\"manifests\":[],\"layers\":[]}",
        "{" V2 "\"manifests\":[]," CONFIG "}",
        "{" V2 "\"manifests\":[" DESC("", D1) "]}",
    };
    for (size_t i = 0; i < COUNT(indexes); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        oci_manifest m;
        CHECK_ROW(i, parse(indexes[i], MT_OCI_INDEX, &arena, &m) == BERTH_E_INVALID);
    }
}

static void test_oci_manifest__says_which_descriptor_is_wrong(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_manifest m;
    CHECK_CODE(parse("{" V2 CONFIG ",\"layers\":[" LAYER ",{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\"}]}",
                     "", &arena, &m),
               BERTH_E_INVALID);
    assert_string_equal(test_err.message, "layers[1]: it has no size");
    CHECK_CODE(parse("{" V2 "\"config\":" DESC("a/b", "blake3:abc") "}", "", &arena, &m), BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "config: ") && strstr(test_err.message, "blake3"));
}

static void test_oci_manifest__passes_what_encoders_print_for_nothing(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_manifest m;
    CHECK_OK(parse("{" V2 CONFIG ",\"layers\":null,\"annotations\":null,\"subject\":null,\"mediaType\":null,"
                   "\"manifests\":null,\"artifactType\":\"\"}",
                   MT_OCI_MANIFEST, &arena, &m));
    CHECK(m.n_blobs == 1 && !m.has_subject && m.annotations.n == 0);
    CHECK_OK(parse("{" V2 "\"manifests\":null,\"annotations\":{}}", MT_OCI_INDEX, &arena, &m));
    CHECK(m.kind == MANIFEST_INDEX && m.n_children == 0 && m.annotations.n == 0);
}

static void test_oci_manifest__finds_layers_that_need_not_be_present(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_manifest m;
    CHECK_OK(parse(
        "{" V2 "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":1,\"urls\":[\"u\"]},"
        "\"layers\":[" DESC("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                            D1) ","
                                "{\"mediaType\":\"a/b\",\"digest\":\"" D1
                                "\",\"size\":1,\"urls\":[\"https://example.com/1\",\"x\"]},"
                                "{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":1,\"urls\":[]}]}",
        MT_DOCKER_MANIFEST, &arena, &m));
    CHECK(!m.blobs[0].foreign && m.blobs[0].n_urls == 1); /* a config is always needed */
    CHECK(m.blobs[1].foreign && m.blobs[1].n_urls == 0);
    CHECK(m.blobs[2].foreign && m.blobs[2].n_urls == 2);
    CHECK_STR(m.blobs[2].urls[0], STR("https://example.com/1"));
    CHECK(!m.blobs[3].foreign);
}

/* @depth arrays in a field that the specification does not know. */
static int parse_nested(size_t depth, bool close, const oci_manifest_limits *limits)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(8 * MIB);
    oci_manifest m;
    berth_buf_addf(&b, "{%s%s,\"s\":\"[[[[\\\"[[[[\",\"x\":", V2, CONFIG);
    for (size_t i = 0; i < depth; i++)
        berth_buf_putc(&b, '[');
    for (size_t i = 0; close && i < depth; i++)
        berth_buf_putc(&b, ']');
    if (close)
        berth_buf_putc(&b, '}');
    return oci_manifest_parse(b.p, b.n, STR(MT_OCI_MANIFEST), limits, &arena, &m, &test_err);
}

static void test_oci_manifest__bounds_nesting(void **state)
{
    (void)state;
    const oci_manifest_limits few = {.max_depth = 5};
    CHECK_OK(parse_nested(63, true, NULL));
    CHECK_CODE(parse_nested(64, true, NULL), BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "nested"));
    CHECK_CODE(parse_nested(4 * MIB, false, NULL), BERTH_E_INVALID);
    CHECK_OK(parse_nested(4, true, &few));
    CHECK_CODE(parse_nested(5, true, &few), BERTH_E_INVALID);
}

static void test_oci_manifest__bounds_descriptors_and_values(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    const oci_manifest_limits limits = {.max_descriptors = 2};
    oci_manifest m;
    static const char two[] = "{" V2 CONFIG ",\"layers\":[" LAYER "]}",
                      three[] = "{" V2 CONFIG ",\"layers\":[" LAYER "," LAYER "]}";
    CHECK_OK(oci_manifest_parse(two, strlen(two), STR(""), &limits, &arena, &m, &test_err));
    CHECK_CODE(oci_manifest_parse(three, strlen(three), STR(""), &limits, &arena, &m, &test_err),
               BERTH_E_INVALID);
    for (unsigned row = 0; row < 2; row++) { /* 4 MiB that would cost a hundred times as much when parsed */
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(8 * MIB);
        berth_buf_addf(&b, "{%s%s,\"x\":[0", V2, CONFIG);
        while (b.n < 4 * MIB)
            berth_buf_add_str(&b, row ? STR(",0") : STR(",{}"));
        berth_buf_add_str(&b, STR("]}"));
        CHECK_CODE(oci_manifest_parse(b.p, b.n, STR(""), NULL, &arena, &m, &test_err), BERTH_E_INVALID);
        CHECK(strstr(test_err.message, row ? "too many values" : "too many objects"));
    }
}

static void test_oci_manifest__reads_as_many_descriptors_as_four_mebibytes_hold(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(8 * MIB);
    size_t n = 1;
    berth_buf_add_str(&b,
                      STR("{" V2 "\"manifests\":[{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\",\"size\":1}"));
    for (; b.n < 4 * MIB - 200; n++)
        berth_buf_addf(
            &b, ",{\"mediaType\":\"a/b\",\"digest\":\"%s\",\"size\":1,\"platform\":{\"os\":\"x\"}}", D1);
    berth_buf_add_str(&b, STR("]}"));
    oci_manifest m;
    CHECK_OK(oci_manifest_parse(b.p, b.n, STR(""), NULL, &arena, &m, &test_err));
    assert_int_equal(m.n_children, n);
    CHECK_STR(m.children[n - 1].platform.os, STR("x"));
}

static void test_oci_manifest__fails_cleanly_without_memory(void **state)
{
    (void)state;
#ifndef BERTH_FAULT
    skip();
#else
    static const char text[] = "{" V2 CONFIG ",\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"" D1
                               "\",\"size\":1,\"urls\":[\"u\"]}],"
                               "\"annotations\":{\"a\":\"b\"}}";
    for (unsigned nth = 1;; nth++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        oci_manifest m;
        fault_arm(nth);
        int r = parse(text, "", &arena, &m);
        if (!fault_disarm()) {
            CHECK_OK(r);
            CHECK(nth > 1);
            break;
        }
        CHECK_CODE(r, BERTH_E_NOMEM);
    }
#endif
}

RUN_TESTS(TEST(test_oci_manifest__lists_config_layers_subject_and_annotations),
          TEST(test_oci_manifest__lists_children_with_platforms),
          TEST(test_oci_manifest__decides_the_kind_by_type_then_by_shape),
          TEST(test_oci_manifest__names_an_unknown_type),
          TEST(test_oci_manifest__refuses_what_contradicts_the_specification),
          TEST(test_oci_manifest__says_which_descriptor_is_wrong),
          TEST(test_oci_manifest__passes_what_encoders_print_for_nothing),
          TEST(test_oci_manifest__finds_layers_that_need_not_be_present),
          TEST(test_oci_manifest__bounds_nesting), TEST(test_oci_manifest__bounds_descriptors_and_values),
          TEST(test_oci_manifest__reads_as_many_descriptors_as_four_mebibytes_hold),
          TEST(test_oci_manifest__fails_cleanly_without_memory))
