/* tests/unit/http/warning.c */
#include "test.h"

#include "http/warning.h"

static void test_http_warning__gives_the_words(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"299 - \"going away\"", "going away"},
        {" 299 - \"a \\\"b\\\" \\\\ c\" ", "a \"b\" \\ c"},
        {"299 - \"dated\" \"Sun, 06 Nov 1994 08:49:37 GMT\"", "dated"},
        {"299 - \"\xc3\xbc\"", "\xc3\xbc"},
        {"199 - \"other code\"", NULL},
        {"299 proxy \"other agent\"", NULL},
        {"299 - \"no end", NULL},
        {"299 - \"no end\\", NULL},
        {"299 - \"esc\x1b[2J\"", NULL},
        {"299 - \"esc\\\x1b[2J\"", NULL},
        {"299 - \"\"", NULL},
        {"299 - words", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(100);
        CHECK_ROW(i, http_warning_parse(str_from(rows[i][0]), &text) == (rows[i][1] != NULL));
        if (rows[i][1])
            CHECK_STR_ROW(i, berth_buf_str(&text), str_from(rows[i][1]));
    }
}

RUN_TESTS(TEST(test_http_warning__gives_the_words))
