/* tests/unit/util/fault.c - the n-th call fails, once, whichever thread makes it. */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "util/fault.h"

static void test_util_fault__fails_the_nth_call_once(void **state)
{
    (void)state;
    CHECK(!fault_hit() && !fault_disarm()); /* unarmed */
    for (unsigned n = 1; n < 5; n++) {
        fault_arm(n);
        for (unsigned i = 1; i < 8; i++)
            CHECK_ROW(n, fault_hit() == (i == n));
        CHECK_ROW(n, fault_disarm());
        CHECK_ROW(n, !fault_hit() && !fault_disarm());
    }
    fault_arm(3);
    CHECK(!fault_hit());
    CHECK(!fault_disarm()); /* it did not come so far */
    CHECK(!fault_hit() && !fault_hit());
}

static atomic_int hits;

static void *hit(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        atomic_fetch_add(&hits, fault_hit());
    return NULL;
}

static void test_util_fault__fails_one_call_of_many_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    fault_arm(2000);
    for (size_t i = 0; i < COUNT(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, hit, NULL) == 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&hits), 1);
    CHECK(fault_disarm());
}

RUN_TESTS(TEST(test_util_fault__fails_the_nth_call_once),
          TEST(test_util_fault__fails_one_call_of_many_threads))
