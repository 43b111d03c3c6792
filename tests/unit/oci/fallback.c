/* tests/unit/oci/fallback.c */
#include "test.h"

#include "oci/fallback.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ONE "sha256:" HEX
#define TWO "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_oci_fallback__cuts_its_tag(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {ONE, "sha256-" HEX},
        {"sha512:" HEX HEX, "sha512-" HEX},
        {"sha512+b64u:" HEX, "sha512-b64u-" HEX},
        {"an-algorithm-of-more-than-thirty-two:abc", "an-algorithm-of-more-than-thirty-abc"},
        {"multi+base=x:A_b.c", "multi-base-x-A_b.c"},
        {":x", "_x"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char tag[FALLBACK_TAG_MAX];
        oci_fallback_tag(str_from(rows[i][0]), tag);
        CHECK_STR_ROW(i, str_from(tag), str_from(rows[i][1]));
    }
}

static const oci_referrer entry = {.media_type = {"m/t", 3},
                                   .digest = {ONE, sizeof(ONE) - 1},
                                   .artifact_type = {"a/t", 3},
                                   .size = 7,
                                   .annotations_json = {"{\"k\":\"v\"}", 9}};

static void test_oci_fallback__holds_each_referrer_once(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done)
    berth_buf first = BERTH_BUF_INIT(MIB), again = BERTH_BUF_INIT(MIB), out = BERTH_BUF_INIT(MIB);
    oci_referrer *items = NULL;
    size_t n = 0, left = 9;
    CHECK_OK(oci_fallback_add(STR(""), &entry, &first, &test_err));
    CHECK_OK(oci_fallback_add(berth_buf_str(&first), &entry, &again, &test_err));
    CHECK_STR(berth_buf_str(&again), berth_buf_str(&first));
    CHECK_OK(oci_read_referrers(berth_buf_str(&again), &arena, &items, &n, &test_err));
    CHECK(n == 1 && items[0].size == 7);
    CHECK_STR(items[0].digest, STR(ONE));
    CHECK_STR(items[0].artifact_type, STR("a/t"));
    CHECK_STR(items[0].annotations_json, STR("{\"k\":\"v\"}"));
    CHECK_CODE(oci_fallback_remove(berth_buf_str(&again), STR(TWO), &out, &left, &test_err),
               BERTH_E_NOT_FOUND);
    CHECK(left == 9 && out.n == 0);
    CHECK_OK(oci_fallback_remove(berth_buf_str(&again), STR(ONE), &out, &left, &test_err));
    CHECK(left == 0);
}

static void test_oci_fallback__keeps_what_it_does_not_know(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
    size_t left = 0;
    CHECK_OK(oci_fallback_remove(
        STR("{\"x\":[1],\"manifests\":[{\"digest\":\"" TWO "\",\"own\":true},{\"digest\":\"" ONE "\"}]}"),
        STR(ONE), &out, &left, &test_err));
    CHECK(left == 1);
    CHECK_STR(berth_buf_str(&out), STR("{\"x\":[1],\"manifests\":[{\"digest\":\"" TWO "\",\"own\":true}]}"));
}

static void test_oci_fallback__refuses_what_is_no_index(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "<html>",
        "[]",
        "{}",
        "{\"manifests\":{}}",
        "{\"manifests\":[5]}",
        "{\"manifests\":[{}]}",
        "{\"manifests\":[{\"mediaType\":\"m/t\",\"digest\":\"x\",\"size\":1}]}",
        "{\"manifests\":[{\"mediaType\":\"m/t\",\"digest\":\"" ONE "\",\"size\":-1}]}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        oci_referrer *items = NULL;
        size_t n = 0;
        CHECK_ROW(i, oci_read_referrers(str_from(rows[i]), &arena, &items, &n, &test_err) == BERTH_E_INVALID);
    }
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB), small = BERTH_BUF_INIT(10);
    CHECK_CODE(oci_fallback_add(STR("[]"), &entry, &out, &test_err), BERTH_E_INVALID);
    CHECK_CODE(oci_fallback_add(STR(""), &entry, &small, &test_err), BERTH_E_TOO_BIG);
}

RUN_TESTS(TEST(test_oci_fallback__cuts_its_tag), TEST(test_oci_fallback__holds_each_referrer_once),
          TEST(test_oci_fallback__keeps_what_it_does_not_know),
          TEST(test_oci_fallback__refuses_what_is_no_index))
