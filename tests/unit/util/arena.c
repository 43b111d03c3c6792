/* tests/unit/util/arena.c */
#include "test.h"

#include <stdalign.h>

#include "util/arena.h"
#include "util/fault.h"

static void test_util_arena__gives_zeroed_aligned_memory_of_any_size(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    for (unsigned round = 0; round < 3; round++) {
        unsigned char *last = NULL;
        for (size_t n = 1; n < 10 * KIB; n = n * 2 + 1) {
            unsigned char *p = berth_arena_alloc(&a, n);
            CHECK(p && (uintptr_t)p % alignof(max_align_t) == 0 && p != last);
            for (size_t i = 0; i < n; i++)
                CHECK(p[i] == 0);
            memset(p, 0xff, n);
            last = p;
        }
        berth_arena_reset(&a);
    }
    CHECK(!berth_arena_alloc(&a, SIZE_MAX));
}

static void test_util_arena__copies_and_prints(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    char source[] = "abcdef";
    char *first = berth_arena_dup(&a, (berth_str){source, 3});
    berth_str second = berth_arena_str(&a, (berth_str){source, 6});
    source[0] = 'x';
    assert_string_equal(first, "abc");
    CHECK_STR(second, STR("abcdef"));
    assert_string_equal(berth_arena_printf(&a, "%s-%05d", "n", 42), "n-00042");
    assert_string_equal(berth_arena_dup(&a, STR_NULL), "");
    char *longest = berth_arena_printf(&a, "%5000d", 1);
    CHECK(strlen(longest) == 5000 && longest[4999] == '1');
    assert_string_equal(first, "abc");
}

static void test_util_arena__says_when_there_is_no_memory(void **state)
{
    (void)state;
#ifndef BERTH_FAULT
    skip();
#else
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    fault_arm(1);
    CHECK(!berth_arena_str(&a, STR("abc")).p);
    CHECK(fault_disarm());
    CHECK(berth_arena_str(&a, STR("abc")).p);
#endif
}

RUN_TESTS(TEST(test_util_arena__gives_zeroed_aligned_memory_of_any_size),
          TEST(test_util_arena__copies_and_prints), TEST(test_util_arena__says_when_there_is_no_memory))
