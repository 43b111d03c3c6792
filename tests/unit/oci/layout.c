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

#define OTHER      "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define DESC_OTHER "\"mediaType\":\"" MT_OCI_MANIFEST "\",\"digest\":\"" OTHER "\",\"size\":7"

static int put(oci_layout_index *x, const char *digest, const char *name)
{
    berth_digest d;
    CHECK_OK(digest_parse(str_from(digest), &d, &test_err));
    return oci_layout_index_put(x, &d, STR(MT_OCI_MANIFEST), 7, str_from(name), &test_err);
}

static void check_prints(const oci_layout_index *x, const char *want)
{
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(64 * KIB);
    oci_layout_index_print(x, &out);
    CHECK(!berth_buf_failed(&out));
    CHECK_STR(berth_buf_str(&out), str_from(want));
}

#define ANNOTATED(name) ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}"
#define NEW(entries)    "{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[" entries "]}"

static void test_oci_layout__an_index_has_one_entry_for_each_name(void **state)
{
    (void)state;
    oci_layout_index *x;
    CHECK_OK(oci_layout_index_open(NULL, 0, &x, &test_err));
    check_prints(x, NEW(""));
    CHECK_OK(put(x, OTHER, "v1"));
    CHECK_OK(put(x, DIGEST, "v1"));
    CHECK_OK(put(x, DIGEST, ""));
    CHECK_OK(put(x, DIGEST, ""));
    check_prints(x, NEW("{" DESC ANNOTATED("v1") "},{" DESC "}"));
    CHECK_OK(put(x, DIGEST, "v2")); /* takes the place of the nameless one */
    check_prints(x, NEW("{" DESC ANNOTATED("v1") "},{" DESC ANNOTATED("v2") "}"));
    CHECK_OK(put(x, DIGEST, ""));
    CHECK_OK(put(x, DIGEST, "v2"));
    check_prints(x, NEW("{" DESC ANNOTATED("v1") "},{" DESC ANNOTATED("v2") "},{" DESC "}"));
    CHECK_CODE(oci_layout_index_remove(x, STR("v3"), false, &test_err), BERTH_E_NOT_FOUND);
    CHECK_OK(oci_layout_index_remove(x, STR("v1"), false, &test_err));
    CHECK_OK(put(x, OTHER, "v1"));
    CHECK_OK(oci_layout_index_remove(x, STR("v2"), true, &test_err)); /* and the nameless one */
    CHECK_OK(oci_layout_index_remove(x, STR("v1"), false, &test_err));
    CHECK_OK(put(x, DIGEST, ""));
    CHECK_OK(put(x, OTHER, "v1")); /* is found without its name, and gets one */
    check_prints(x, NEW("{" DESC_OTHER ANNOTATED("v1") "},{" DESC "}"));
    oci_layout_index_free(x);
    oci_layout_index_free(NULL);
}

static void test_oci_layout__an_index_keeps_what_is_not_replaced(void **state)
{
    (void)state;
    static const char old[] = "{\"x\":1,\"manifests\":[{" DESC ANNOTATED(
        "p") "},{" DESC ",\"y\":[2]},"
             "{" DESC ANNOTATED("p") "},{" DESC ANNOTATED("q") "}]}";
    static const char *const wrong[] = {"{", "{}", "{\"manifests\":null}", "{\"manifests\":[{}]}"};
    oci_layout_index *x;
    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_ROW(i, oci_layout_index_open(wrong[i], strlen(wrong[i]), &x, &test_err) == BERTH_E_INVALID);
    CHECK_OK(oci_layout_index_open(old, strlen(old), &x, &test_err));
    check_prints(x, old);
    CHECK_OK(put(x, DIGEST, "p")); /* both of that name give way */
    check_prints(x, "{\"x\":1,\"manifests\":[{" DESC
                    ",\"y\":[2]},{" DESC ANNOTATED("p") "},{" DESC ANNOTATED("q") "}]}");
    oci_layout_index_free(x);
}

static void test_oci_layout__an_index_has_a_ceiling(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf small = BERTH_BUF_INIT(100);
    oci_layout_index *x;
    char name[16];
    CHECK_OK(oci_layout_index_open(NULL, 0, &x, &test_err));
    for (int i = 0; i < OCI_LAYOUT_INDEX_ENTRIES; i++) {
        snprintf(name, sizeof(name), "v%d", i);
        CHECK_OK(put(x, DIGEST, name));
    }
    CHECK_CODE(put(x, DIGEST, "more"), BERTH_E_TOO_BIG);
    CHECK_OK(put(x, OTHER, "v0"));
    oci_layout_index_print(x, &small);
    CHECK(berth_buf_failed(&small));
    oci_layout_index_free(x);
}

RUN_TESTS(TEST(test_oci_layout__reads_the_header), TEST(test_oci_layout__lists_descriptors_with_their_names),
          TEST(test_oci_layout__refuses_a_bad_index),
          TEST(test_oci_layout__an_index_has_one_entry_for_each_name),
          TEST(test_oci_layout__an_index_keeps_what_is_not_replaced),
          TEST(test_oci_layout__an_index_has_a_ceiling))
