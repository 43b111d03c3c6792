/* tests/unit/util/clock.c */
#include "test.h"

#include "util/clock.h"

static void test_util_clock__prints_times_in_utc(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {999, "1970-01-01T00:00:00.999Z"},
        {1709251199001, "2024-02-29T23:59:59.001Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[25];
        clock_format(rows[i].ms, out);
        CHECK_STR_ROW(i, str_from(out), str_from(rows[i].want));
    }
}

static void test_util_clock__never_goes_back(void **state)
{
    (void)state;
    int64_t ms = clock_mono_ms(), us = clock_mono_us(), boot = clock_boot_ms();
    for (unsigned i = 0; i < 1000; i++) {
        int64_t ms2 = clock_mono_ms(), us2 = clock_mono_us(), boot2 = clock_boot_ms();
        CHECK(ms2 >= ms && us2 >= us && boot2 >= boot);
        ms = ms2, us = us2, boot = boot2;
    }
    CHECK(clock_wall_ms() > 1600000000000);
}

RUN_TESTS(TEST(test_util_clock__prints_times_in_utc), TEST(test_util_clock__never_goes_back))
