/* tests/unit/client/limits.c */
#include "test.h"

#include "client/limits.h"

#define MANY 20

static struct limits l;
static struct limits_ticket tickets[MANY];

static void begin(unsigned reads, unsigned writes, unsigned per_second)
{
    limits_init(&l, reads, writes, per_second);
    memset(tickets, 0, sizeof(tickets));
}

/* C207 */
static void test_client_limits__a_429_halves_and_a_success_adds_one(void **state)
{
    (void)state;
    begin(8, 4, 0);
    static const unsigned down[] = {4, 2, 1, 1, 1};
    for (size_t i = 0; i < COUNT(down); i++) {
        CHECK(limits_enter(&l, &tickets[0], 0));
        limits_leave(&l, &tickets[0], OUTCOME_THROTTLED);
        CHECK_ROW(i, l.lanes[LANE_READ].limit == down[i]);
    }
    for (unsigned want = 2; want < 12; want++) {
        CHECK(limits_enter(&l, &tickets[0], 0));
        limits_leave(&l, &tickets[0], OUTCOME_SUCCESS);
        assert_int_equal(l.lanes[LANE_READ].limit, MIN(want, 8u));
    }
    CHECK(limits_enter(&l, &tickets[0], 0));
    limits_leave(&l, &tickets[0], OUTCOME_OTHER);
    assert_int_equal(l.lanes[LANE_READ].limit, 8);
    assert_int_equal(l.lanes[LANE_WRITE].limit, 4); /* apart */
}

/* C060 */
static void test_client_limits__narrow_lets_one_through_and_one_more_with_each_success(void **state)
{
    (void)state;
    for (unsigned most = 0; most <= 3; most += 3) {
        begin(most, 1, 0);
        CHECK(limits_enter(&l, &tickets[0], 0) && limits_enter(&l, &tickets[1], 0));
        limits_narrow(&l);
        limits_leave(&l, &tickets[0], OUTCOME_SUCCESS); /* was sent before */
        CHECK(!limits_enter(&l, &tickets[2], 0) && !limits_enter(&l, &tickets[3], 0));
        limits_leave(&l, &tickets[1], OUTCOME_SUCCESS);
        CHECK(limits_next(&l, 0) == &tickets[2] && !limits_next(&l, 0));
        limits_leave(&l, &tickets[2], OUTCOME_SUCCESS);
        CHECK(limits_next(&l, 0) == &tickets[3]);
        assert_int_equal(l.lanes[LANE_READ].limit, most ? 2 : 0);
    }
}

/* C208 */
static void test_client_limits__a_full_host_has_the_next_wait_until_one_leaves(void **state)
{
    (void)state;
    begin(2, 1, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(limits_enter(&l, &tickets[i], 0), i < 2);
    CHECK(!limits_next(&l, 0) && limits_due(&l, 0) == INT64_MAX);
    tickets[4].lane = LANE_WRITE; /* has its own places */
    CHECK(limits_enter(&l, &tickets[4], 0));
    limits_leave(&l, &tickets[1], OUTCOME_SUCCESS);
    CHECK(!limits_enter(&l, &tickets[5], 0)); /* not past those who wait */
    CHECK(limits_due(&l, 7) == 7);
    CHECK(limits_next(&l, 0) == &tickets[2]);
    CHECK(!limits_next(&l, 0));
    limits_leave(&l, &tickets[3], OUTCOME_OTHER); /* was cancelled while it waited */
    limits_leave(&l, &tickets[0], OUTCOME_SUCCESS);
    CHECK(limits_next(&l, 0) == &tickets[5]);
}

/* C209 */
static void test_client_limits__nobody_sends_in_a_pause(void **state)
{
    (void)state;
    begin(8, 4, 0);
    CHECK(limits_enter(&l, &tickets[0], 1000));
    limits_pause(&l, 6000);
    limits_pause(&l, 5000); /* the longer one counts */
    CHECK(!limits_enter(&l, &tickets[1], 1000));
    tickets[2].lane = LANE_WRITE;
    CHECK(!limits_enter(&l, &tickets[2], 1000));
    CHECK(!limits_enter(&l, &tickets[0], 1000)); /* nor who was inside: but first afterwards */
    CHECK(!limits_next(&l, 5999) && limits_due(&l, 1000) == 6000);
    const struct limits_ticket *first = limits_next(&l, 6000), *second = limits_next(&l, 6000),
                               *third = limits_next(&l, 6000);
    CHECK(first == &tickets[0] && second == &tickets[2] && third == &tickets[1]);
    CHECK(!limits_next(&l, 6000));
}

/* C210 */
static void test_client_limits__writes_recover_by_one(void **state)
{
    (void)state;
    begin(8, 4, 0);
    tickets[0].lane = LANE_WRITE;
    CHECK(limits_enter(&l, &tickets[0], 0));
    limits_leave(&l, &tickets[0], OUTCOME_THROTTLED);
    assert_int_equal(l.lanes[LANE_WRITE].limit, 2);
    CHECK(limits_enter(&l, &tickets[0], 0));
    limits_leave(&l, &tickets[0], OUTCOME_SUCCESS);
    assert_int_equal(l.lanes[LANE_WRITE].limit, 3);
    assert_int_equal(l.lanes[LANE_READ].limit, 8);
}

/* C059 */
static void test_client_limits__hold_a_rate(void **state)
{
    (void)state;
    static const unsigned rates[] = {1, 4, 50, 2500};
    for (size_t k = 0; k < COUNT(rates); k++) {
        begin(0, 0, rates[k]);
        unsigned sent = 0;
        struct limits_ticket reads[2] = {{0}}, writes = {.lane = LANE_WRITE};
        struct limits_ticket *all[] = {&reads[0], &reads[1], &writes};
        unsigned of[3] = {0};
        for (int64_t now = 1000; now < 9000; now++) {
            for (size_t i = 0; i < COUNT(all); i++)
                if (all[i]->place == PLACE_NONE && limits_enter(&l, all[i], now)) {
                    limits_leave(&l, all[i], OUTCOME_SUCCESS);
                    of[i]++;
                    sent++;
                }
            for (struct limits_ticket *t; (t = limits_next(&l, now));) {
                limits_leave(&l, t, OUTCOME_SUCCESS);
                of[t == &writes ? 2 : t == &reads[1]]++;
                sent++;
            }
        }
        CHECK_ROW(k, sent >= rates[k] * 8 - 8 && sent <= rates[k] * 8 + 8);
        CHECK_ROW(k, of[0] && of[1] && of[2]); /* none goes without */
    }
    begin(0, 0, 2);
    CHECK(limits_enter(&l, &tickets[0], 1000));
    CHECK(!limits_enter(&l, &tickets[1], 1000));
    CHECK(limits_due(&l, 1000) == 1500 && !limits_next(&l, 1499) && limits_next(&l, 1500) == &tickets[1]);
}

static void test_client_limits__sleepers_wake_in_their_order_and_go_first(void **state)
{
    (void)state;
    begin(1, 1, 0);
    static const int64_t until[] = {50, 10, 30, 30, 70};
    for (size_t i = 0; i < COUNT(until); i++)
        limits_sleep(&l, &tickets[i], until[i]);
    CHECK(limits_enter(&l, &tickets[10], 0));
    CHECK(!limits_enter(&l, &tickets[11], 0));
    CHECK(limits_due(&l, 0) == 10 && !limits_next(&l, 10)); /* awake, but no room */
    limits_leave(&l, &tickets[10], OUTCOME_SUCCESS);
    CHECK(limits_next(&l, 11) == &tickets[1]);
    limits_sleep(&l, &tickets[1], 20); /* from inside: its place is free */
    CHECK(limits_next(&l, 12) == &tickets[11]);
    limits_leave(&l, &tickets[0], OUTCOME_OTHER); /* cancelled in its sleep */
    limits_leave(&l, &tickets[11], OUTCOME_SUCCESS);
    static const int order[] = {1, 2, 3, 4};
    unsigned seen = 0;
    for (int64_t now = 12; now < 100; now++)
        for (struct limits_ticket *t; (t = limits_next(&l, now)); seen++) {
            CHECK(seen < COUNT(order) && t->due_ms <= now);
            limits_leave(&l, t, OUTCOME_SUCCESS);
        }
    assert_int_equal(seen, COUNT(order));
    CHECK(limits_due(&l, 100) == INT64_MAX);
}

RUN_TESTS(TEST(test_client_limits__a_429_halves_and_a_success_adds_one),
          TEST(test_client_limits__narrow_lets_one_through_and_one_more_with_each_success),
          TEST(test_client_limits__a_full_host_has_the_next_wait_until_one_leaves),
          TEST(test_client_limits__nobody_sends_in_a_pause), TEST(test_client_limits__writes_recover_by_one),
          TEST(test_client_limits__hold_a_rate),
          TEST(test_client_limits__sleepers_wake_in_their_order_and_go_first))
