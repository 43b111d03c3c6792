/* tests/unit/util/publish.c - a newer value takes the older one's place, and readers keep what they hold. */
#include "test.h"

#include "util/publish.h"

struct value {
    char *name;
    int n;
};

static struct value *make(int n)
{
    berth_arena *strings;
    struct value *v = publish_new(sizeof(*v), &strings);
    CHECK(v && !v->name && !v->n);
    CHECK((uintptr_t)v % _Alignof(max_align_t) == 0);
    v->name = berth_arena_printf(strings, "value %d", n);
    v->n = n;
    return v;
}

static void test_util_publish__shows_the_newest_and_keeps_the_others(void **state)
{
    (void)state;
    berth_publisher p = {.now = NULL};
    assert_null(publish_now(&p));
    publish_put(&p, make(1));
    const struct value *first = publish_now(&p);
    assert_string_equal(first->name, "value 1");
    publish_put(&p, make(2));
    publish_put(&p, make(3));
    const struct value *now = publish_now(&p);
    assert_int_equal(now->n, 3);
    assert_string_equal(first->name, "value 1"); /* a reader that still holds it */
    publish_discard(make(4));                    /* one that failed before it was shown */
    assert_ptr_equal(publish_now(&p), now);
    publish_done(&p); /* the leak checker counts */
    assert_null(publish_now(&p));
    publish_done(&p);
}

RUN_TESTS(TEST(test_util_publish__shows_the_newest_and_keeps_the_others))
