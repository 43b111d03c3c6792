/* tests/unit/util/base64.c */
#include "test.h"

#include "util/base64.h"

static void test_util_base64__writes_what_rfc_4648_shows(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"},
                                          {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(100), back = BERTH_BUF_INIT(100);
        base64_encode(&out, rows[i][0], strlen(rows[i][0]));
        CHECK_STR_ROW(i, berth_buf_str(&out), str_from(rows[i][1]));
        CHECK_ROW(i, base64_decode(str_from(rows[i][1]), &back));
        CHECK_STR_ROW(i, berth_buf_str(&back), str_from(rows[i][0]));
    }
}

static void test_util_base64__reads_any_padding_and_both_alphabets(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want; /* NULL: refused */
    } rows[] = {
        {"Zg", "f"},     {"Zg=", "f"},    {"Zm8", "fo"},      {"__79", "\xff\xfe\xfd"},
        {"Z", NULL},     {"Zg===", NULL}, {"Zm=8", NULL},     {"Zm8 ", NULL},
        {"Z\ng=", NULL}, {"=", ""},       {"Zm9vYg", "foob"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf back = BERTH_BUF_INIT(100);
        CHECK_ROW(i, base64_decode(str_from(rows[i].in), &back) == (rows[i].want != NULL));
        if (rows[i].want)
            CHECK_STR_ROW(i, berth_buf_str(&back), str_from(rows[i].want));
    }
}

RUN_TESTS(TEST(test_util_base64__writes_what_rfc_4648_shows),
          TEST(test_util_base64__reads_any_padding_and_both_alphabets))
