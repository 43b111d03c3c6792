/* tests/unit/oci/answer.c */
#include "test.h"

#include "oci/answer.h"

static void test_oci_answer__reads_the_first_error(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"not here\",\"detail\":{}}]}",
         "MANIFEST_UNKNOWN", "not here"},
        {"{\"errors\":[{\"code\":\"A\"},{\"code\":\"B\"}]}", "A", ""},
        {"{\"errors\":[{\"code\":\"A\",\"message\":null}]}", "A", ""},
        {"{\"errors\":[{\"code\":\"A\",\"message\":5}]}", "A", ""},
        {"{\"errors\":[{\"code\":\"A\",\"message\":\"\\u001b[31mred\"}]}", "A", "?[31mred"},
        {"{\"errors\":[]}", NULL, NULL},
        {"{\"errors\":{}}", NULL, NULL},
        {"{\"errors\":[{\"message\":\"x\"}]}", NULL, NULL},
        {"{\"errors\":[5]}", NULL, NULL},
        {"{}", NULL, NULL},
        {"<html>", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        berth_str code, message;
        CHECK_ROW(i, oci_read_error(str_from(rows[i][0]), &arena, &code, &message) == (rows[i][1] != NULL));
        if (!rows[i][1])
            continue;
        CHECK_STR_ROW(i, code, str_from(rows[i][1]));
        CHECK_STR_ROW(i, message, str_from(rows[i][2]));
    }
}

/* C004, C226 */
static void test_oci_answer__reads_every_error_with_its_detail(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int n; /* -1: refused */
        const char *code, *message, *detail;
    } rows[] = {
        {"{\"errors\":[{\"code\":\"A\",\"message\":\"b\",\"detail\":{\"c\":[1,\"\u00e9\"]}}]}", 1, "A", "b",
         "{\"c\":[1,\"\\u00E9\"]}"},
        {"{\"errors\":[{\"code\":\"A\",\"detail\":\"text\"},{\"code\":\"B\"}]}", 2, "A", "", "\"text\""},
        {"{\"errors\":[{\"message\":\"\\u001b[1m\",\"detail\":null}]}", 1, "", "?[1m", ""},
        {"{\"errors\":[{\"code\":\"A\"},{}]}", -1, NULL, NULL, NULL},
        {"{\"errors\":[{\"code\":\"A\",\"message\":5}]}", -1, NULL, NULL, NULL},
        {"{\"errors\":[]}", -1, NULL, NULL, NULL},
        {"{\"errors\":{}}", -1, NULL, NULL, NULL},
        {"{\"errors\":null}", -1, NULL, NULL, NULL},
        {"{}", -1, NULL, NULL, NULL},
        {"[]", -1, NULL, NULL, NULL},
        {"<html>", -1, NULL, NULL, NULL},
        {"", -1, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        oci_error_entry *e = NULL;
        size_t n = 0;
        int r = oci_read_errors(str_from(rows[i].body), &arena, &e, &n, &test_err);
        CHECK_ROW(i, r == (rows[i].n < 0 ? BERTH_E_INVALID : BERTH_OK));
        if (r != BERTH_OK)
            continue;
        CHECK_ROW(i, (int)n == rows[i].n);
        CHECK_STR_ROW(i, e[0].code, str_from(rows[i].code));
        CHECK_STR_ROW(i, e[0].message, str_from(rows[i].message));
        CHECK_STR_ROW(i, e[0].detail, str_from(rows[i].detail));
    }
}

static void test_oci_answer__reads_a_page_of_tags(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int n; /* -1: refused */
    } rows[] = {
        {"{\"name\":\"a\",\"tags\":[\"1\",\"latest\"]}", 2},
        {"{\"name\":\"a\",\"tags\":[]}", 0},
        {"{\"name\":\"a\",\"tags\":null}", 0},
        {"{\"tags\":[\"1\"]}", 1},
        {"{\"name\":\"a\"}", -1},
        {"{\"tags\":{}}", -1},
        {"{\"tags\":[5]}", -1},
        {"{\"tags\":[\"\"]}", -1},
        {"{\"tags\":[\"\\u001b[31m\"]}", -1},
        {"[\"1\"]", -1},
        {"<html></html>", -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        berth_str *tags = NULL;
        size_t n = 0;
        int r = oci_read_tags(str_from(rows[i].body), &arena, &tags, &n, &test_err);
        CHECK_ROW(i, r == (rows[i].n < 0 ? BERTH_E_INVALID : BERTH_OK));
        CHECK_ROW(i, rows[i].n < 0 || n == (size_t)rows[i].n);
        if (rows[i].n > 0)
            CHECK_STR_ROW(i, tags[0], STR("1"));
    }
}

static void test_oci_answer__reads_a_page_of_names(void **state)
{
    (void)state;
    static const char *const refused[] = {"{\"tags\":[]}", "{\"repositories\":[\"../a\"]}",
                                          "{\"repositories\":5}"};
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    berth_str *names = NULL;
    size_t n = 0;
    CHECK_OK(oci_read_names(STR("{\"repositories\":[\"a\",\"b/c\"]}"), &arena, &names, &n, &test_err));
    CHECK(n == 2);
    CHECK_STR(names[1], STR("b/c"));
    for (size_t i = 0; i < COUNT(refused); i++)
        CHECK_ROW(i, oci_read_names(str_from(refused[i]), &arena, &names, &n, &test_err) == BERTH_E_INVALID);
}

static void test_oci_answer__reads_the_media_type_of_a_manifest(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}",
         "application/vnd.oci.image.index.v1+json"},
        {"{\"mediaType\":5}", ""},
        {"{\"mediaType\":\"no type\"}", ""},
        {"{}", ""},
        {"<html>", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        CHECK_STR_ROW(i, oci_read_media_type(str_from(rows[i][0]), &arena), str_from(rows[i][1]));
    }
}

RUN_TESTS(TEST(test_oci_answer__reads_the_first_error),
          TEST(test_oci_answer__reads_every_error_with_its_detail),
          TEST(test_oci_answer__reads_a_page_of_tags), TEST(test_oci_answer__reads_a_page_of_names),
          TEST(test_oci_answer__reads_the_media_type_of_a_manifest))
