/* tests/unit/bench/histogram.c */
#include "test.h"

#include "histogram.h"

static struct histogram h;

static void test_bench_histogram__small_values_are_exact(void **state)
{
    (void)state;
    h = (struct histogram){0};
    CHECK(histogram_at(&h, 0.5) == 0);
    for (uint64_t v = 1; v <= 100; v++)
        histogram_add(&h, v);
    static const struct {
        double share;
        uint64_t want;
    } rows[] = {{0.01, 1}, {0.5, 50}, {0.9, 90}, {0.99, 99}, {1, 100}};
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, histogram_at(&h, rows[i].share) == rows[i].want);
    CHECK(h.n == 100 && h.max == 100 && h.sum == 5050);
}

static void test_bench_histogram__large_values_are_off_by_a_64th_at_most(void **state)
{
    (void)state;
    static const uint64_t values[] = {
        127, 128, 129, 255, 256, 1000, 65535, 65536, 123456789, UINT64_MAX / 3, UINT64_MAX};
    for (size_t i = 0; i < COUNT(values); i++) {
        h = (struct histogram){0};
        histogram_add(&h, values[i]);
        histogram_add(&h, UINT64_MAX);
        uint64_t found = histogram_at(&h, 0.5);
        CHECK_ROW(i, found >= values[i] && found - values[i] <= values[i] / 64);
    }
}

static void test_bench_histogram__merging_is_adding(void **state)
{
    (void)state;
    static struct histogram other;
    h = (struct histogram){0};
    histogram_add(&h, 10);
    histogram_add(&other, 500);
    histogram_add(&other, 20);
    histogram_merge(&h, &other);
    CHECK(h.n == 3 && h.max == 500 && h.sum == 530);
    CHECK(histogram_at(&h, 0.5) == 20 && histogram_at(&h, 0.99) == 500);
}

RUN_TESTS(TEST(test_bench_histogram__small_values_are_exact),
          TEST(test_bench_histogram__large_values_are_off_by_a_64th_at_most),
          TEST(test_bench_histogram__merging_is_adding))
