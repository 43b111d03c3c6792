/* tests/unit/oci/image_descriptor.c */
#include "test.h"

#include "oci/image.h"

/* Whatever a descriptor holds is there again after it was printed and read. */
static void test_oci_image_descriptor__comes_back_as_it_was(void **state)
{
    (void)state;
    static const char text[] =
        "{\"mediaType\":\"a/"
        "b\",\"digest\":\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        "\",\"size\":3,\"data\":\"YWI=\",\"urls\":[\"u:1\",\"u:2\"],\"annotations\":{\"b\":\"1\",\"a\":\"2\"}"
        ","
        "\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\",\"os.version\":\"1\",\"os.features\":[\"f\"]"
        ","
        "\"variant\":\"v7\",\"features\":[\"g\"]},\"artifactType\":\"x/y\"}";
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(4 * KIB);
    CLEANUP(oci_json_unrefp) json_t *j = json_loads(text, 0, NULL), *again = NULL;
    berth_descriptor d;
    CHECK_OK(oci_image_descriptor(j, &arena, &d, &test_err));
    CHECK(d.n_data == 2 && memcmp(d.data, "ab", 2) == 0);
    again = oci_image_descriptor_json(&d);
    oci_json_print(again, &out);
    CHECK_STR(berth_buf_str(&out), str_from(text));
}

static void test_oci_image_descriptor__empty_texts_are_absent(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(oci_json_unrefp)
    json_t *j = json_loads("{\"os\":\"linux\",\"architecture\":\"\",\"variant\":\"\"}", 0, NULL),
           *empty = json_loads("{\"os\":\"\",\"os.features\":[]}", 0, NULL);
    const berth_platform *p = NULL, *none = NULL;
    CHECK_OK(oci_image_platform(j, &arena, &p, &test_err));
    CHECK(p->os && !p->architecture && !p->variant);
    CHECK_OK(oci_image_platform(empty, &arena, &none, &test_err));
    CHECK(!none);
}

RUN_TESTS(TEST(test_oci_image_descriptor__comes_back_as_it_was),
          TEST(test_oci_image_descriptor__empty_texts_are_absent))
