/* tests/unit/util/str.c */
#include "test.h"

static void test_util_str__compares_bytes_and_lengths(void **state)
{
    (void)state;
    CHECK(str_eq(STR(""), STR_NULL));
    CHECK(str_eq((berth_str){"a\0b", 3}, (berth_str){"a\0b", 3}));
    CHECK(!str_eq((berth_str){"a\0b", 3}, (berth_str){"a\0c", 3}));
    CHECK(!str_eq(STR("a"), STR("ab")));
    CHECK(str_eq_nocase(STR("aBz["), STR("AbZ[")));
    CHECK(!str_eq_nocase(STR("["), STR("{"))); /* differ by 0x20, as letters would */
    CHECK(!str_eq_nocase(STR("\xc3\xa4"), STR("\xc3\x84")));
    CHECK(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("b"), STR("a")) > 0 &&
          str_cmp(STR("a"), STR("a")) == 0);
    CHECK(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR(""), STR_NULL) == 0);
    CHECK(str_cmp(STR("\xff"), STR("a")) > 0);
}

static void test_util_str__takes_views_apart(void **state)
{
    (void)state;
    berth_str head, tail;
    CHECK(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("abc"), STR("bc")) &&
          !str_starts(STR("a"), STR("ab")));
    CHECK(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("abc"), STR("ab")) &&
          !str_ends(STR("c"), STR("bc")));
    CHECK(str_starts(STR(""), STR("")) && str_ends(STR_NULL, STR("")));
    CHECK_STR(str_from_offset(STR("abc"), 1), STR("bc"));
    CHECK_STR(str_from_offset(STR("abc"), 3), STR(""));
    CHECK_STR(str_from_offset(STR("abc"), SIZE_MAX), STR(""));
    CHECK_STR(str_head(STR("abc"), 2), STR("ab"));
    CHECK_STR(str_head(STR("abc"), SIZE_MAX), STR("abc"));
    CHECK_STR(str_trim(STR(" \ta b\t ")), STR("a b"));
    CHECK_STR(str_trim(STR(" \t ")), STR(""));
    CHECK_STR(str_trim(STR("\n")), STR("\n"));
    CHECK(str_cut(STR("a=b=c"), '=', &head, &tail));
    CHECK_STR(head, STR("a"));
    CHECK_STR(tail, STR("b=c"));
    CHECK(str_cut(STR("a="), '=', &head, &tail) && tail.n == 0);
    CHECK(!str_cut(STR("abc"), '=', &head, &tail));
    CHECK_STR(head, STR("abc"));
    CHECK(tail.n == 0);
    CHECK(!str_cut(STR_NULL, '=', &head, &tail));
}

static void test_util_str__reads_decimal_numbers_alone(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool good;
        uint64_t want;
    } rows[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x1", false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t v = 0;
        CHECK_ROW(i, str_to_u64(str_from(rows[i].in), &v) == rows[i].good && v == rows[i].want);
    }
}

static void test_util_str__copies_with_a_nul(void **state)
{
    (void)state;
    CLEANUP(freep) char *a = str_dup((berth_str){"abcdef", 3}), *b = str_dup(STR_NULL);
    assert_string_equal(a, "abc");
    assert_string_equal(b, "");
    CHECK(str_from(NULL).n == 0);
}

RUN_TESTS(TEST(test_util_str__compares_bytes_and_lengths), TEST(test_util_str__takes_views_apart),
          TEST(test_util_str__reads_decimal_numbers_alone), TEST(test_util_str__copies_with_a_nul))
