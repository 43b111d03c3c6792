/* tests/unit/http/accept.c */
#include "test.h"

#include "http/accept.h"

#define INDEX "application/vnd.oci.image.index.v1+json"

static void test_http_accept__weighs_a_type_by_its_most_specific_range(void **state)
{
    (void)state;
    static const struct {
        const char *accept, *type;
        unsigned want;
    } rows[] = {
        {NULL, INDEX, 1000},
        {"", INDEX, 1000},
        {" ", INDEX, 1000},
        {"*/*", INDEX, 1000},
        {"*/*;q=0.1", INDEX, 100},
        {"application/*", INDEX, 1000},
        {"application/*;q=0.5, */*;q=0.1", INDEX, 500},
        {"*/*;q=0.1, application/*;q=0.5", INDEX, 500},
        {"application/*;q=0.5, " INDEX ";q=0.25", INDEX, 250},
        {INDEX, INDEX, 1000},
        {"APPLICATION/vnd.oci.image.INDEX.v1+json", INDEX, 1000},
        {INDEX ";q=0", INDEX, 0},
        {"*/*, " INDEX ";q=0", INDEX, 0},
        {"text/html", INDEX, 0},
        {"text/*", INDEX, 0},
        {INDEX " ; q=0.123", INDEX, 123},
        {INDEX ";Q=1.000", INDEX, 1000},
        {INDEX ";q=1.001", INDEX, 0},
        {INDEX ";q=2", INDEX, 0},
        {INDEX ";q=0.1234", INDEX, 0},
        {INDEX ";q=", INDEX, 0},
        {INDEX ";q=.5", INDEX, 0},
        {INDEX ";q=x, */*;q=0.2", INDEX, 200},
        {INDEX ";q=0.1, " INDEX ";q=0.9", INDEX, 900},
        {INDEX ";charset=utf-8", INDEX, 1000},
        {INDEX ";title=\"a, b; q=0\";q=0.5", INDEX, 500},
        {"application", INDEX, 0},
        {"*", INDEX, 0},
        {"/", INDEX, 0},
        {",,,", INDEX, 0},
        {"text/html", "text/html; charset=utf-8", 1000},
        {"application/vnd.oci.image.index", INDEX, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned q = http_accept_quality(str_from(rows[i].accept), str_from(rows[i].type));
        if (q != rows[i].want)
            fail_msg("row %zu: %u, wanted %u", i, q, rows[i].want);
    }
}

static void test_http_accept__tells_a_name_from_a_wildcard(void **state)
{
    (void)state;
    CHECK(http_accept_names(STR("text/html, " INDEX), STR(INDEX)));
    CHECK(http_accept_names(STR(INDEX ";q=0.001"), STR(INDEX)));
    CHECK(!http_accept_names(STR(INDEX ";q=0"), STR(INDEX)));
    CHECK(!http_accept_names(STR("*/*, application/*"), STR(INDEX)));
    CHECK(!http_accept_names(STR_NULL, STR(INDEX)));
}

static void test_http_accept__compares_entity_tags_strongly_or_weakly(void **state)
{
    (void)state;
    static const struct {
        const char *header, *etag;
        bool weakly, strongly;
    } rows[] = {
        {"*", "\"a\"", true, true},
        {" * ", "\"a\"", true, true},
        {"\"a\"", "\"a\"", true, true},
        {"W/\"a\"", "\"a\"", true, false},
        {"\"a\"", "W/\"a\"", true, false},
        {"W/\"a\"", "W/\"a\"", true, false},
        {"W/\"a\", \"a\"", "\"a\"", true, true},
        {"\"b\", \"a\"", "\"a\"", true, true},
        {"\"b,\\\", W/\"a\"", "\"a\"", true, false},
        {"\"a,b\"", "\"a,b\"", true, true},
        {"\"a,b\"", "\"b\"", false, false},
        {"\"b\"", "\"a\"", false, false},
        {"a", "\"a\"", false, false},
        {"\"A\"", "\"a\"", false, false},
        {"w/\"a\"", "\"a\"", false, false},
        {"", "\"a\"", false, false},
        {NULL, "\"a\"", false, false},
        {"\"", "\"a\"", false, false},
        {"\"a", "\"a\"", false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_str header = str_from(rows[i].header), etag = str_from(rows[i].etag);
        CHECK_ROW(i, http_etag_matches(header, etag, HTTP_ETAG_WEAK) == rows[i].weakly);
        CHECK_ROW(i, http_etag_matches(header, etag, HTTP_ETAG_STRONG) == rows[i].strongly);
    }
}

RUN_TESTS(TEST(test_http_accept__weighs_a_type_by_its_most_specific_range),
          TEST(test_http_accept__tells_a_name_from_a_wildcard),
          TEST(test_http_accept__compares_entity_tags_strongly_or_weakly))
