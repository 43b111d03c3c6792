/* tests/unit/util/buf.c */
#include <stdio.h>

#include "test.h"

#include "util/buf.h"
#include "util/fault.h"

static void test_util_buf__builds_a_message_in_pieces(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
    CHECK_STR(berth_buf_str(&b), STR(""));
    berth_buf_add(&b, "ab", 2);
    berth_buf_add(&b, NULL, 0);
    berth_buf_add_str(&b, STR("cd"));
    berth_buf_putc(&b, 'e');
    berth_buf_addf(&b, "-%d-%s", 42, "x");
    char *at = berth_buf_reserve(&b, 3);
    memcpy(at, "yyy", 3);
    berth_buf_grow(&b, 2);
    CHECK_STR(berth_buf_str(&b), STR("abcde-42-xyy"));
    assert_string_equal(berth_buf_cstr(&b), "abcde-42-xyy");
    CLEANUP(freep) char *taken = berth_buf_take(&b);
    assert_string_equal(taken, "abcde-42-xyy");
    CHECK(b.n == 0 && b.max == KIB);
}

static void test_util_buf__stops_at_its_ceiling_and_stays_failed(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(5);
    berth_buf_add(&b, "12345", 5);
    CHECK(!berth_buf_failed(&b));
    assert_string_equal(berth_buf_cstr(&b), "12345"); /* the NUL is not counted */
    berth_buf_putc(&b, '6');
    CHECK(berth_buf_failed(&b) && berth_buf_exceeded(&b));
    CHECK(!berth_buf_reserve(&b, 0) && !berth_buf_cstr(&b) && !berth_buf_take(&b));
    CHECK_STR(berth_buf_str(&b), STR("12345"));
    berth_buf_reset(&b);
    berth_buf_addf(&b, "%s", "123456");
    CHECK(berth_buf_failed(&b) && b.n == 0);
    berth_buf_reset(&b);
    CHECK(!berth_buf_reserve(&b, SIZE_MAX));
}

static void test_util_buf__fails_without_memory_and_keeps_what_it_has(void **state)
{
    (void)state;
#ifndef BERTH_FAULT
    skip();
#else
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(MIB);
    berth_buf_add_str(&b, STR("abc"));
    fault_arm(1);
    CHECK(!berth_buf_reserve(&b, KIB));
    CHECK(fault_disarm() && berth_buf_failed(&b) && !berth_buf_exceeded(&b));
    CHECK_STR(berth_buf_str(&b), STR("abc"));
#endif
}

static void test_util_buf__adds_numbers_of_any_size(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
    static const int64_t numbers[] = {0, 7, -7, 10, 1234567890123, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char want[32];
        snprintf(want, sizeof(want), "%lld", (long long)numbers[i]);
        berth_buf_reset(&b);
        berth_buf_add_int(&b, numbers[i]);
        assert_string_equal(berth_buf_cstr(&b), want);
    }
}

static void test_util_buf__prints_what_fits_and_what_does_not_alike(void **state)
{
    (void)state;
    for (int n = 0; n < 300; n++) {
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
        berth_buf_addf(&b, "%s", "before ");
        berth_buf_addf(&b, "%0*d", n, 1);
        berth_buf_addf(&b, "%s", " after");
        const char *text = berth_buf_cstr(&b);
        assert_int_equal(strlen(text), (n ? n : 1) + 13);
        assert_memory_equal(text + strlen(text) - 7, "1 after", 7);
    }
}

RUN_TESTS(TEST(test_util_buf__adds_numbers_of_any_size),
          TEST(test_util_buf__prints_what_fits_and_what_does_not_alike),
          TEST(test_util_buf__builds_a_message_in_pieces),
          TEST(test_util_buf__stops_at_its_ceiling_and_stays_failed),
          TEST(test_util_buf__fails_without_memory_and_keeps_what_it_has))
