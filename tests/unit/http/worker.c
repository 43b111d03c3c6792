/* tests/unit/http/worker.c - the pool: first come, first served, nothing lost at the end. */
#include "test.h"

#include <stdatomic.h>

#include "http/internal.h"
#include "util/fault.h"

static atomic_int ran, order_broken;
static atomic_bool gate;

struct task {
    struct http_job job;
    int nr;
};

static void run(struct http_job *job)
{
    struct task *t = CONTAINER_OF(job, struct task, job);
    while (!atomic_load(&gate))
        usleep(500);
    if (atomic_fetch_add(&ran, 1) != t->nr)
        atomic_store(&order_broken, 1);
}

static void test_http_worker__runs_in_the_order_of_coming_and_finishes_what_waits(void **state)
{
    (void)state;
    struct http_pool *pool = NULL;
    struct task tasks[20];
    CHECK_OK(http_pool_new(1, &pool, &test_err));
    for (int i = 0; i < (int)COUNT(tasks); i++) {
        tasks[i] = (struct task){.job = {.run = run}, .nr = i};
        CHECK(http_pool_push(pool, &tasks[i].job));
    }
    for (int i = 0; i < 10000 && http_pool_waiting(pool) != COUNT(tasks) - 1; i++)
        usleep(1000);
    assert_int_equal(http_pool_waiting(pool), COUNT(tasks) - 1); /* one runs */
    atomic_store(&gate, true);
    http_pool_end(pool);
    assert_int_equal(atomic_load(&ran), COUNT(tasks));
    assert_int_equal(atomic_load(&order_broken), 0);
    assert_int_equal(http_pool_waiting(pool), 0);
    CHECK(!http_pool_push(pool, &tasks[0].job)); /* nobody would run it */
    http_pool_free(pool);
    http_pool_free(NULL);
}

static atomic_int together;

static void meet(struct http_job *job)
{
    (void)job;
    atomic_fetch_add(&together, 1);
    while (atomic_load(&together) < 3)
        usleep(500);
}

static void test_http_worker__works_in_as_many_places_as_asked(void **state)
{
    (void)state;
    struct http_pool *pool = NULL;
    struct http_job jobs[3] = {{.run = meet}, {.run = meet}, {.run = meet}};
    CHECK_OK(http_pool_new(3, &pool, &test_err));
    for (size_t i = 0; i < COUNT(jobs); i++)
        CHECK(http_pool_push(pool, &jobs[i]));
    http_pool_free(pool); /* returns only when the three have met */
    assert_int_equal(atomic_load(&together), 3);
}

static void test_http_worker__starts_whole_or_not_at_all(void **state)
{
    (void)state;
    struct http_pool *pool = NULL;
    for (unsigned n = 1; n <= 2; n++) {
        fault_arm(n);
        int rc = http_pool_new(3, &pool, &test_err);
        CHECK_ROW(n, fault_disarm() && rc == (n == 1 ? BERTH_E_NOMEM : BERTH_E_IO) && !pool);
    }
}

static void count(struct http_job *job)
{
    (void)job;
    atomic_fetch_add(&ran, 1);
}

static void test_http_worker__goes_on_with_those_that_are_there_when_no_other_can_be_had(void **state)
{
    (void)state;
    struct http_pool *pool = NULL;
    struct http_job jobs[5];
    atomic_store(&ran, 0);
    CHECK_OK(http_pool_new(3, &pool, &test_err));
    for (size_t i = 0; i < COUNT(jobs); i++) {
        jobs[i] = (struct http_job){.run = count};
        fault_arm(1);
        CHECK(http_pool_push(pool, &jobs[i]));
        fault_disarm();
    }
    http_pool_free(pool);
    assert_int_equal(atomic_load(&ran), COUNT(jobs));
}

RUN_TESTS(TEST(test_http_worker__runs_in_the_order_of_coming_and_finishes_what_waits),
          TEST(test_http_worker__works_in_as_many_places_as_asked),
          TEST(test_http_worker__starts_whole_or_not_at_all),
          TEST(test_http_worker__goes_on_with_those_that_are_there_when_no_other_can_be_had))
