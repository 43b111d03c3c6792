/* tests/unit/util/memory.c - an allocator is settled once by process: each test is a process of its own. */
#include "allocator.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "util/buf.h"

/* --- a process for each test --- */

#define MUST(cond)                                                                                           \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                                       \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static void run_apart(void (*test)(void))
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        test();
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
}

/* --- tests --- */

static void use_malloc(void)
{
    void *p = mem_alloc(3);
    MUST(p);
    free(p);
    berth_free(malloc(3));
    berth_error err = BERTH_ERROR_INIT;
    MUST(berth_allocator_set(&allocator, &err) == BERTH_E_CONFLICT && err.message[0]);
    mem_free(berth_malloc(3));
    MUST(allocator_counts.taken == 0 && allocator_counts.freed == 0);
}

static void test_util_memory__is_mallocs_where_nothing_was_set(void **state)
{
    (void)state;
    run_apart(use_malloc);
}

static void use_its_own(void)
{
    mem_free(NULL); /* settles nothing */
    MUST(berth_allocator_set(&allocator, NULL) == BERTH_OK);
    MUST(berth_allocator_set(&allocator, NULL) == BERTH_E_CONFLICT);
    char *p = mem_alloc(0), *q = mem_zalloc(3, 4), *r = mem_realloc(NULL, 5);
    MUST(p && q && r && allocator_counts.taken == 3 && allocator_counts.resized == 0);
    for (int i = 0; i < 12; i++)
        MUST(q[i] == 0);
    memcpy(r, "abcd", 5);
    MUST((r = mem_realloc(r, 4000)) && strcmp(r, "abcd") == 0 && allocator_counts.resized == 1);
    MUST((r = mem_realloc(r, 0)));
    char *s = mem_adopt(strdup("adopted"));
    MUST(s && strcmp(s, "adopted") == 0);
    char *t = str_dupf("%d and %s", 7, "more");
    MUST(t && strcmp(t, "7 and more") == 0);
    volatile size_t huge = SIZE_MAX / 2;
    MUST(!mem_zalloc(huge, 3));
    mem_free(p);
    freep(&q);
    mem_free(r);
    berth_free(s);
    mem_free(t);
    berth_free(NULL);
    MUST(allocator_left() == 0);
}

static void test_util_memory__comes_from_the_programs_allocator_and_goes_back(void **state)
{
    (void)state;
    run_apart(use_its_own);
}

static void use_none(void)
{
    MUST(berth_allocator_set(&allocator, NULL) == BERTH_OK);
    char *p = str_dup(STR("kept"));
    berth_buf b = BERTH_BUF_INIT(MIB);
    allocator_counts.none = 1;
    MUST(!mem_alloc(1) && !mem_zalloc(1, 1) && !berth_malloc(1) && !str_dupf("%d", 1));
    MUST(!mem_realloc(p, 100) && strcmp(p, "kept") == 0);
    errno = 0;
    MUST(!mem_adopt(strdup("lost")) && errno == ENOMEM);
    MUST(!mem_adopt(NULL));
    berth_buf_add_str(&b, STR("x"));
    MUST(berth_buf_failed(&b));
    mem_free(p);
}

static void test_util_memory__may_lack(void **state)
{
    (void)state;
    run_apart(use_none);
}

static void leave_out_each(void)
{
    berth_allocator a[] = {allocator, allocator, allocator, allocator};
    a[0].size = 0;
    a[1].alloc = NULL;
    a[2].realloc = NULL;
    a[3].free = NULL;
    berth_error err = BERTH_ERROR_INIT;
    for (size_t i = 0; i < COUNT(a); i++)
        MUST(berth_allocator_set(&a[i], &err) == BERTH_E_INVALID && err.code == BERTH_E_INVALID);
    MUST(berth_allocator_set(NULL, &err) == BERTH_E_INVALID);
    MUST(berth_allocator_set(&allocator, &err) == BERTH_OK);
}

static void test_util_memory__refuses_an_allocator_that_lacks_a_function(void **state)
{
    (void)state;
    run_apart(leave_out_each);
}

static pthread_barrier_t together;
static atomic_int winners, too_late;

static void *compete(void *arg)
{
    pthread_barrier_wait(&together);
    int r = arg ? berth_allocator_set(&allocator, NULL) : BERTH_OK;
    winners += arg && r == BERTH_OK;
    too_late += r == BERTH_E_CONFLICT;
    for (int i = 0; i < 100; i++)
        mem_free(mem_realloc(mem_zalloc(1, 10), 100)); /* a block of the other kind would be found out */
    return NULL;
}

static void settle_together(void)
{
    pthread_t threads[8];
    MUST(pthread_barrier_init(&together, NULL, COUNT(threads)) == 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        MUST(pthread_create(&threads[i], NULL, compete, i < 4 ? &winners : NULL) == 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        MUST(pthread_join(threads[i], NULL) == 0);
    MUST(winners <= 1 && winners + too_late == 4);
    MUST(allocator_counts.taken == (winners ? 8UL * 200 : 0) &&
         allocator_counts.freed == allocator_counts.taken);
}

static void test_util_memory__is_settled_by_the_first_of_many_threads(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        run_apart(settle_together);
}

RUN_TESTS(TEST(test_util_memory__is_mallocs_where_nothing_was_set),
          TEST(test_util_memory__comes_from_the_programs_allocator_and_goes_back),
          TEST(test_util_memory__may_lack),
          TEST(test_util_memory__refuses_an_allocator_that_lacks_a_function),
          TEST(test_util_memory__is_settled_by_the_first_of_many_threads))
