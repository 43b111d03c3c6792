/* tests/unit/http/link.c */
#include "test.h"

#include "http/link.h"

static void test_http_link__finds_the_next_page(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", NULL},
        {"</v2/a/tags/list?n=2&last=b>; rel=\"next\"", "/v2/a/tags/list?n=2&last=b"},
        {"<?last=b>;rel=next", "?last=b"},
        {"<a>; REL = \"NEXT\"", "a"},
        {"<a>; rel=\"prev\", <b>; rel=\"next\"", "b"},
        {"<a>; rel=\"prev next\"", "a"},
        {"<a>; title=\"x; rel=next\"; rel=\"next\"", "a"},
        {"<a>; title=\"x, <b>; rel=next\"; rel=prev", NULL},
        {"<a>; rel=prev; rel=next", NULL},
        {"<a?x=1,2;3>; rel=next", "a?x=1,2;3"},
        {"< a >; rel=next", "a"},
        {"<a>; x; rel=next", "a"},
        {"<a>", NULL},
        {"<a; rel=next", NULL},
        {"a; rel=next", NULL},
        {"<a>; rel=\"next", "a"},
        {"<a>; rel=", NULL},
        {"<>; rel=next", ""},
        {"< >; rel=next", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_str next = http_link_next(str_from(rows[i][0]));
        CHECK_ROW(i, (next.p != NULL) == (rows[i][1] != NULL));
        CHECK_STR_ROW(i, next, str_from(rows[i][1]));
    }
}

RUN_TESTS(TEST(test_http_link__finds_the_next_page))
