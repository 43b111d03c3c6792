/* tests/unit/client/pages.c */
#include "fixture.h"

static int count(void *arg, const char *tag)
{
    (void)tag;
    ++*(int *)arg;
    return 0;
}

#define REFUSED "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n"
#define ONE_TAG JSON(15) "{\"tags\":[\"v1\"]}"
#define NEXT_TAG                                                                                             \
    "HTTP/1.1 200 OK\r\nLink: <?last=v1>; rel=next\r\nContent-Length: 15\r\n\r\n{\"tags\":[\"v1\"]}"

static void test_client_pages__are_smaller_where_that_is_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *answers[5], *asked[4];
        int code, tags;
    } rows[] = {
        {{REFUSED, ONE_TAG}, {"?n=1000 ", "?n=100 "}, BERTH_OK, 1},
        {{REFUSED, REFUSED, ONE_TAG}, {"?n=1000 ", "?n=100 ", "list "}, BERTH_OK, 1},
        {{REFUSED, REFUSED, REFUSED}, {"?n=1000 ", "?n=100 ", "list "}, BERTH_E_INVALID, 0},
        {{REFUSED, NEXT_TAG, REFUSED}, {"?n=1000 ", "?n=100 ", "?last=v1 "}, BERTH_E_INVALID, 1},
        {{"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"}, {"?n=1000 "}, BERTH_E_NOT_FOUND, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        int tags = 0;
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        script_begin(&s, NULL);
        CHECK_ROW(i, berth_tag_list(s.client, "a", count, &tags, &test_err) == rows[i].code);
        CHECK_ROW(i, tags == rows[i].tags);
        script_end(&s);
        for (int k = 0; rows[i].asked[k]; k++)
            CHECK_ROW(i, asked(&s, k, rows[i].asked[k]));
    }
}

RUN_TESTS(TEST(test_client_pages__are_smaller_where_that_is_wanted))
