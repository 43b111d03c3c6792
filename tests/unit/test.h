/* tests/unit/test.h - what every unit test includes: cmocka, and checks that say which row of a table failed.
 *
 * A test is `static void test_<room>_<file>__<sentence>(void **state)`; main() is RUN_TESTS(…). */
#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "util/base.h"
#include "util/str.h"

static UNUSED berth_error test_err;

#define CHECK(cond) assert_true(cond)
#define CHECK_ROW(i, cond)                                                                                   \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            fail_msg("row %zu: %s (%s)", (size_t)(i), #cond, test_err.message);                              \
    } while (0)
#define CHECK_OK(call)                                                                                       \
    do {                                                                                                     \
        int r_ = (call);                                                                                     \
        if (r_ != BERTH_OK)                                                                                  \
            fail_msg("%s: %d %s", #call, r_, test_err.message);                                              \
    } while (0)
#define CHECK_CODE(call, code)                                                                               \
    do {                                                                                                     \
        int r_ = (call);                                                                                     \
        if (r_ != (code))                                                                                    \
            fail_msg("%s: %d, wanted %d (%s)", #call, r_, (int)(code), test_err.message);                    \
    } while (0)
#define CHECK_STR(have, want)                                                                                \
    do {                                                                                                     \
        berth_str have_ = (have), want_ = (want);                                                            \
        if (!str_eq(have_, want_))                                                                           \
            fail_msg("'" STR_FMT "', wanted '" STR_FMT "'", STR_ARG(have_), STR_ARG(want_));                 \
    } while (0)
#define CHECK_STR_ROW(i, have, want)                                                                         \
    do {                                                                                                     \
        berth_str have_ = (have), want_ = (want);                                                            \
        if (!str_eq(have_, want_))                                                                           \
            fail_msg("row %zu: '" STR_FMT "', wanted '" STR_FMT "'", (size_t)(i), STR_ARG(have_),            \
                     STR_ARG(want_));                                                                        \
    } while (0)

#define TEST(fn) cmocka_unit_test(fn)
#define RUN_TESTS(...)                                                                                       \
    int main(void)                                                                                           \
    {                                                                                                        \
        const struct CMUnitTest tests_[] = {__VA_ARGS__};                                                    \
        return cmocka_run_group_tests(tests_, NULL, NULL);                                                   \
    }

#endif
