/* tests/unit/http/date.c */
#include "test.h"

#include "http/date.h"

static void test_http_date__is_read_in_all_three_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},         {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},           {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
        {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},    {"Fri, 31 Dec 9999 23:59:60 GMT", 253402300800},
        {"Saturday, 01-Jan-00 00:00:00 GMT", 946684800}, {"Wed Nov 16 08:49:37 1994", 784975777},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t seconds = -7;
        CHECK_ROW(i, http_date_parse(str_from(rows[i].text), &seconds));
        CHECK_ROW(i, seconds == rows[i].seconds);
    }
}

static void test_http_date__refuses_what_is_no_date(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "Sun",
        "Sun,",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Mon, 29 Feb 2100 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:00:61 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 06 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 GMT",
        "1994-11-06T08:49:37Z",
        "Sun, -6 Nov 1994 08:49:37 GMT",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t seconds = -7;
        CHECK_ROW(i, !http_date_parse(str_from(rows[i]), &seconds) && seconds == -7);
    }
}

RUN_TESTS(TEST(test_http_date__is_read_in_all_three_forms), TEST(test_http_date__refuses_what_is_no_date))
