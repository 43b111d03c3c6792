/* tests/unit/oci/layout.c */
#include "test.h"

#include "oci/layout.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DESC   "\"mediaType\":\"" MT_OCI_MANIFEST "\",\"digest\":\"" DIGEST "\",\"size\":7"

static void test_oci_layout__reads_the_header(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int code;
    } rows[] = {
        {"{\"imageLayoutVersion\": \"1.0.0\"}", BERTH_OK},
        {"{\"imageLayoutVersion\": \"1.1.0\", \"more\": 1}", BERTH_OK},
        {"{\"imageLayoutVersion\": \"2.0.0\"}", BERTH_E_UNSUPPORTED},
        {"{\"imageLayoutVersion\": 1}", BERTH_E_INVALID},
        {"{}", BERTH_E_INVALID},
        {"", BERTH_E_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, oci_layout_header_parse(rows[i].in, strlen(rows[i].in), &test_err) == rows[i].code);
}

static void test_oci_layout__lists_descriptors_with_their_names(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_layout_entry *entries;
    size_t n;
    static const char index[] = "{\"schemaVersion\":2,\"manifests\":[{" DESC ",\"annotations\":{"
                                "\"org.opencontainers.image.ref.name\":\"v1.0\"}},{" DESC "},"
                                "{" DESC ",\"annotations\":{\"other\":\"x\"}}]}";
    CHECK_OK(oci_layout_index_parse(index, strlen(index), &arena, &entries, &n, &test_err));
    assert_int_equal(n, 3);
    CHECK_STR(entries[0].ref_name, STR("v1.0"));
    CHECK_STR(digest_str(&entries[0].descriptor.digest), STR(DIGEST));
    CHECK(entries[0].descriptor.size == 7);
    CHECK(entries[1].ref_name.n == 0 && entries[2].ref_name.n == 0);
    CHECK_OK(oci_layout_index_parse("{\"manifests\":[]}", 16, &arena, &entries, &n, &test_err));
    assert_int_equal(n, 0);
}

static void test_oci_layout__refuses_a_bad_index(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"manifests\":{}}",
        "{\"manifests\":[1]}",
        "{\"manifests\":[{" DESC ",\"annotations\":[]}]}",
        "{\"manifests\":[{" DESC ",\"annotations\":{\"org.opencontainers.image.ref.name\":1}}]}",
        "{\"manifests\":[{\"mediaType\":\"a/b\",\"digest\":\"sha256:..\",\"size\":1}]}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        oci_layout_entry *entries = NULL;
        size_t n;
        CHECK_ROW(i, oci_layout_index_parse(rows[i], strlen(rows[i]), &arena, &entries, &n, &test_err) ==
                         BERTH_E_INVALID);
        CHECK_ROW(i, !entries);
        CHECK_ROW(i, oci_layout_index_parse(rows[i], strlen(rows[i]), &arena, &entries, &n, NULL) ==
                         BERTH_E_INVALID);
    }
}

RUN_TESTS(TEST(test_oci_layout__reads_the_header), TEST(test_oci_layout__lists_descriptors_with_their_names),
          TEST(test_oci_layout__refuses_a_bad_index))
