/* tests/unit/http/range.c */
#include "test.h"

#include <inttypes.h>

#include "http/range.h"

static void test_http_range__reads_what_a_client_asks_for(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        uint64_t size;
        const char *want; /* "none", "unsatisfiable", or the ranges */
    } rows[] = {
        {NULL, 100, "none"},
        {"", 100, "none"},
        {"bytes", 100, "none"},
        {"bytes=", 100, "none"},
        {"bytes=,", 100, "none"},
        {"bytes=-", 100, "none"},
        {"bytes=a-b", 100, "none"},
        {"bytes=1", 100, "none"},
        {"bytes=5-4", 100, "unsatisfiable"},
        {"bytes=5-4,7-8", 100, "7-8"},
        {"bytes=0-4,x", 100, "none"},
        {"bytes=+0-4", 100, "none"},
        {"bytes=0--4", 100, "none"},
        {"bytes=0 -4", 100, "none"},
        {"lines=0-4", 100, "none"},
        {"bytes:0-4", 100, "none"},
        {"bytes=0-4", 100, "0-4"},
        {"Bytes=0-4", 100, "0-4"},
        {"bytes=0-", 100, "0-99"},
        {"bytes=99-", 100, "99-99"},
        {"bytes=50-1000", 100, "50-99"},
        {"bytes=-1", 100, "99-99"},
        {"bytes=-100", 100, "0-99"},
        {"bytes=-1000", 100, "0-99"},
        {"bytes=-0", 100, "unsatisfiable"},
        {"bytes=100-", 100, "unsatisfiable"},
        {"bytes=0-0", 0, "unsatisfiable"},
        {"bytes=-5", 0, "unsatisfiable"},
        {"bytes=100-,200-300", 100, "unsatisfiable"},
        {"bytes=100-,0-1", 100, "0-1"},
        {"bytes=18446744073709551615-", 100, "unsatisfiable"},
        {"bytes=0-99999999999999999999999", 100, "0-99"},
        {"bytes=99999999999999999999999-", 100, "unsatisfiable"},
        {"bytes=-99999999999999999999999", 100, "0-99"},
        {"bytes=0-4, 10-14", 100, "0-4 10-14"},
        {"bytes=0-4,,10-14,", 100, "0-4 10-14"},
        {"bytes=10-14,0-4", 100, "10-14 0-4"},
        {"bytes=0-4,5-9", 100, "0-9"},
        {"bytes=0-4,3-9", 100, "0-9"},
        {"bytes=5-9,0-4", 100, "0-9"},
        {"bytes=0-4,6-9", 100, "0-4 6-9"},
        {"bytes=0-4,10-14,5-9", 100, "0-14"},
        {"bytes=20-24,0-4,10-14,5-9", 100, "20-24 0-14"},
        {"bytes=10-14,0-4,5-9,50-", 100, "0-14 50-99"},
        {"bytes=-10,0-4,85-", 100, "85-99 0-4"},
        {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30", 100,
         "0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14 16-16 18-18 20-20 22-22 24-24 26-26 28-28 30-30"},
        {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30,32-32",
         100, "none"},
        {"bytes=0-18446744073709551615", UINT64_MAX, "0-18446744073709551614"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_range ranges[HTTP_RANGES_MAX];
        size_t n = 0, at = 0;
        char text[512] = "";
        switch (http_range_parse(str_from(rows[i].header), rows[i].size, ranges, &n)) {
        case HTTP_RANGE_NONE:
            snprintf(text, sizeof(text), "none");
            break;
        case HTTP_RANGE_UNSATISFIABLE:
            snprintf(text, sizeof(text), "unsatisfiable");
            break;
        case HTTP_RANGE_SOME:
            for (size_t r = 0; r < n; r++)
                at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%" PRIu64 "-%" PRIu64, r ? " " : "",
                                       ranges[r].first, ranges[r].last);
            break;
        }
        CHECK_STR_ROW(i, str_from(text), str_from(rows[i].want));
    }
}

static void test_http_range__reads_the_range_of_a_chunk_in_both_forms(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool ok;
        uint64_t first, last;
    } rows[] = {
        {"0-4", true, 0, 4},
        {"7-7", true, 7, 7},
        {"bytes 0-4/5", true, 0, 4},
        {"bytes 0-4/*", true, 0, 4},
        {"Bytes 1-2/100", true, 1, 2},
        {"18446744073709551614-18446744073709551615", true, UINT64_MAX - 1, UINT64_MAX},
        {NULL, false, 0, 0},
        {"", false, 0, 0},
        {"-", false, 0, 0},
        {"0-", false, 0, 0},
        {"-4", false, 0, 0},
        {"5-4", false, 0, 0},
        {"a-b", false, 0, 0},
        {" 0-4", false, 0, 0},
        {"0-4 ", false, 0, 0},
        {"0-4/5", false, 0, 0},
        {"bytes=0-4", false, 0, 0},
        {"bytes 0-4", false, 0, 0},
        {"bytes 0-4/", false, 0, 0},
        {"bytes 0-4/4", false, 0, 0},
        {"bytes */5", false, 0, 0},
        {"0-99999999999999999999", false, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_range r = {0, 0};
        CHECK_ROW(i, http_content_range_parse(str_from(rows[i].header), &r) == rows[i].ok);
        CHECK_ROW(i, !rows[i].ok || (r.first == rows[i].first && r.last == rows[i].last));
    }
}

static void test_http_range__reads_what_an_answer_holds(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool ok;
        uint64_t first, last, size;
    } rows[] = {
        {"bytes 0-4/10", true, 0, 4, 10},
        {"Bytes 5-9/*", true, 5, 9, HTTP_SIZE_UNKNOWN},
        {"bytes 5-10/10", false, 0, 0, 0},
        {"bytes 5-18446744073709551615/*", false, 0, 0, 0}, /* no offset comes after it */
        {"bytes 5-4/10", false, 0, 0, 0},
        {"5-9", false, 0, 0, 0},
        {"bytes 5-9", false, 0, 0, 0},
        {"bytes */10", false, 0, 0, 0},
        {"lines 0-4/10", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_range r = {0, 0};
        uint64_t size = 0;
        CHECK_ROW(i, http_content_range_answer_parse(str_from(rows[i].header), &r, &size) == rows[i].ok);
        CHECK_ROW(i, r.first == rows[i].first && r.last == rows[i].last && size == rows[i].size);
    }
    uint64_t size = 0;
    CHECK(http_content_range_size_parse(STR("bytes */12"), &size) && size == 12);
    CHECK(!http_content_range_size_parse(STR("bytes 0-1/12"), &size));
    CHECK(!http_content_range_size_parse(STR("bytes */"), &size));
}

RUN_TESTS(TEST(test_http_range__reads_what_an_answer_holds),
          TEST(test_http_range__reads_what_a_client_asks_for),
          TEST(test_http_range__reads_the_range_of_a_chunk_in_both_forms))
