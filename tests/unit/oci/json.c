/* tests/unit/oci/json.c - foreign JSON: bounded before it is parsed, whole, and read by type. */
#include "test.h"

#include "oci/json.h"

static const oci_json_limits limits = {.max_depth = 3, .max_containers = 5, .max_values = 6};

static int load(const char *text, size_t n, json_t **ret)
{
    test_err = (berth_error){0};
    return oci_json_load_object(text, n, &limits, ret, &test_err);
}

static void test_oci_json__takes_one_object_within_its_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says; /* NULL: fine */
    } rows[] = {
        {"{}", NULL},
        {" {\"a\":[[1]]} \n", NULL},
        {"{\"a\":[[[1]]]}", "nested too deeply"},
        {"{\"a\":\"[[[[[[[[[[{{{{{{,,,,,,,,,,\"}", NULL}, /* text nests nothing */
        {"{\"a\":\"\\\"[[[[[[\"}", NULL},
        {"{\"a\":\"\\\\\",\"b\":[[[]]]}", "nested too deeply"}, /* the string ended */
        {"{\"a\":[[],[],[]]}", NULL},
        {"{\"a\":[[],[],[],[]]}", "too many objects and arrays"},
        {"{\"a\":[1,2,3,4,5,6,7]}", NULL},
        {"{\"a\":[1,2,3,4,5,6,7,8]}", "too many values"},
        {"[]", "not a JSON object"},
        {"", "no valid JSON"},
        {"{}{}", "no valid JSON"},
        {"{\"a\":1,\"a\":2}", "no valid JSON"}, /* two readers would take different ones */
        {"{\"a\":1", "no valid JSON"},
        {"{\"a\":\"\\u0000\"}", "no valid JSON"},
        {"{\"a\":\"\xff\"}", "no valid JSON"},
        {"\xef\xbb\xbf{}", "no valid JSON"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(oci_json_unrefp) json_t *j = NULL;
        int rc = load(rows[i].text, strlen(rows[i].text), &j);
        CHECK_ROW(i, rc == (rows[i].says ? BERTH_E_INVALID : BERTH_OK) && !j == !!rows[i].says);
        CHECK_ROW(i, !rows[i].says || strstr(test_err.message, rows[i].says));
        CHECK_ROW(i, !rows[i].says || strcmp(test_err.oci_code, "MANIFEST_INVALID") == 0);
    }
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    CHECK_OK(load("{}trailing bytes that are not ours", 2, &j));
    CHECK_CODE(load(NULL, 0, &j), BERTH_E_INVALID);
}

/* A custom field may hold an integer beyond 64 bits; those beside it stay integers. */
static void test_oci_json__survives_huge_numbers(void **state)
{
    (void)state;
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    const char *text = "{\"x\":99999999999999999999,\"size\":7340032,\"a\":{\"size\":-3},\"r\":0.5}";
    CHECK_OK(load(text, strlen(text), &j));
    json_int_t n;
    bool present;
    CHECK_OK(oci_json_get_integer(j, "size", &n, &present, &test_err));
    CHECK(present && n == 7340032);
    CHECK_OK(oci_json_get_integer(json_object_get(j, "a"), "size", &n, &present, &test_err));
    CHECK(present && n == -3);
    CHECK_CODE(oci_json_get_integer(j, "x", &n, &present, &test_err), BERTH_E_INVALID);
    CHECK_CODE(oci_json_get_integer(j, "r", &n, &present, &test_err), BERTH_E_INVALID);
}

static void test_oci_json__reads_members_by_type(void **state)
{
    (void)state;
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    const char *text = "{\"s\":\"text\",\"n\":1,\"z\":null,\"l\":[],\"o\":{}}";
    CHECK_OK(load(text, strlen(text), &j));
    static const char *const absent[] = {"z", "none"}; /* null is as good as absent */
    berth_str s = STR("untouched");
    json_t *v;
    json_int_t n;
    bool present;
    for (size_t i = 0; i < COUNT(absent); i++) {
        CHECK_OK(oci_json_get_integer(j, absent[i], &n, &present, &test_err));
        CHECK_ROW(i, !present);
        CHECK_OK(oci_json_get(j, absent[i], JSON_ARRAY, &v, &test_err));
        CHECK_ROW(i, !v);
        CHECK_OK(oci_json_copy_string(j, absent[i], &a, &s, &test_err));
        CHECK_STR_ROW(i, s, STR(""));
    }
    s = STR("untouched");
    CHECK_CODE(oci_json_get_string(j, "n", &s, &test_err), BERTH_E_INVALID);
    assert_string_equal(test_err.message, "'n' must be a string");
    CHECK_CODE(oci_json_copy_string(j, "l", &a, &s, &test_err), BERTH_E_INVALID);
    CHECK_STR(s, STR("untouched"));
    CHECK_CODE(oci_json_get(j, "l", JSON_OBJECT, &v, &test_err), BERTH_E_INVALID);
    assert_string_equal(test_err.message, "'l' must be an object");
    CHECK_OK(oci_json_copy_string(j, "s", &a, &s, &test_err));
    json_object_clear(j);
    CHECK_STR(s, STR("text")); /* a copy */
}

RUN_TESTS(TEST(test_oci_json__takes_one_object_within_its_limits), TEST(test_oci_json__survives_huge_numbers),
          TEST(test_oci_json__reads_members_by_type))
