/* tests/unit/http/throttle.c */
#include "test.h"

#include "http/throttle.h"

#define NOW_MS 784111777000 /* Sun, 06 Nov 1994 08:49:37 GMT */

/* C055, C056 */
static void test_http_throttle__reads_retry_after_as_seconds_and_as_a_date(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        int64_t ms;
    } rows[] = {
        {"0", 0},
        {"120", 120000},
        {" 5 ", 5000},
        {"00007", 7000},
        {"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60000},
        {"Sun Nov  6 08:49:38 1994", 1000},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0}, /* has passed */
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"99999999999999999999999999", HTTP_RETRY_AFTER_MAX},
        {"18446744073709551615", HTTP_RETRY_AFTER_MAX},
        {"Fri, 31 Dec 9999 23:59:59 GMT", HTTP_RETRY_AFTER_MAX},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t ms = -7;
        CHECK_ROW(i, http_retry_after_parse(str_from(rows[i].field), NOW_MS, &ms));
        CHECK_ROW(i, ms == rows[i].ms);
    }
    static const char *const wrong[] = {"", " ", "-1", "1.5", "5s", "+5", "soon", "1 2", "0x10"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        int64_t ms = -7;
        CHECK_ROW(i, !http_retry_after_parse(str_from(wrong[i]), NOW_MS, &ms) && ms == -7);
    }
}

/* C060 */
static void test_http_throttle__reads_rate_limits(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        uint64_t n, window;
    } rows[] = {{"100;w=21600", 100, 21600}, {"76;w=21600", 76, 21600},      {"100", 100, 0},
                {"0; w=60", 0, 60},          {"10;x=y;W=7, 100;w=9", 10, 7}, {" 5 ", 5, 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t n, window;
        CHECK_ROW(i, http_rate_parse(str_from(rows[i].field), &n, &window));
        CHECK_ROW(i, n == rows[i].n && window == rows[i].window);
    }
    static const char *const wrong[] = {
        "", ";w=1", "x;w=1", "-1", "100;w=", "100;w=x", "18446744073709551616"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        uint64_t n, window;
        CHECK_ROW(i, !http_rate_parse(str_from(wrong[i]), &n, &window));
    }
}

/* C060 */
static void test_http_throttle__reads_when_a_rate_begins_anew(void **state)
{
    (void)state;
    static const int64_t now_ms = 1700000000000;
    static const struct {
        const char *field;
        int64_t ms;
    } rows[] = {{"0", 0},
                {"60", 60000},
                {" 5 ", 5000},
                {"999999999", HTTP_RETRY_AFTER_MAX},
                {"18446744073709551616", HTTP_RETRY_AFTER_MAX},
                {"1000000000", 0}, /* Unix time: long ago */
                {"1700000090", 90000}};
    int64_t ms;
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, http_rate_reset_parse(str_from(rows[i].field), now_ms, &ms) && ms == rows[i].ms);
    static const char *const wrong[] = {"", "x", "-1", "1.5", "60s"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_ROW(i, !http_rate_reset_parse(str_from(wrong[i]), now_ms, &ms));
}

RUN_TESTS(TEST(test_http_throttle__reads_when_a_rate_begins_anew),
          TEST(test_http_throttle__reads_retry_after_as_seconds_and_as_a_date),
          TEST(test_http_throttle__reads_rate_limits))
