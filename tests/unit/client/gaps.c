/* tests/unit/client/gaps.c - gaps of a download: taken, given back, and kept in a record. */
#include "test.h"

#include "client/gaps.h"

static void test_client_gaps__are_taken_from_the_front(void **state)
{
    (void)state;
    CLEANUP(gaps_done) struct gaps g = {0};
    CHECK(gaps_add(&g, 10, 100));
    CHECK(gaps_front(&g, 100) == 10 && gaps_left(&g) == 90);
    struct gap *a = gaps_take(&g, 40), *b = gaps_take(&g, 40), *c = gaps_take(&g, 40);
    CHECK(a->at == 10 && a->end == 50 && b->at == 50 && b->end == 90 && c->at == 90 && c->end == 100);
    CHECK(!gaps_take(&g, 40));
    b->at = b->end; /* it is filled: nothing is said of what lies before */
    gaps_give(&g, b);
    CHECK(gaps_front(&g, 100) == 10 && gaps_left(&g) == 50);
    a->at = a->end;
    CHECK(gaps_front(&g, 100) == 90);
    gaps_give(&g, a);
    c->at = 95;
    gaps_give(&g, c); /* not all of it: the next one goes on */
    c = gaps_take(&g, 40);
    CHECK(c->at == 95 && c->end == 100 && gaps_front(&g, 100) == 95);
    c->at = 100;
    gaps_give(&g, c);
    CHECK(gaps_front(&g, 100) == 100 && !gaps_left(&g) && !g.first);
}

/* What a record of them brings back, of content that has so many bytes. */
static struct gaps saved_and_loaded(const struct gaps *g, uint64_t size)
{
    unsigned char record[GAPS_RECORD];
    struct gaps have = {0};
    uint64_t have_size = 0;
    gaps_save(g, size, record);
    CHECK(gaps_load(&have, record, &have_size) && have_size == size);
    return have;
}

static void test_client_gaps__are_saved_and_loaded(void **state)
{
    (void)state;
    static const uint64_t rows[][6] = {{0, 0}, {0, 100}, {3, 4, 99, 100}, {1, 2, 3, 4, 5, 6}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(gaps_done) struct gaps g = {0};
        for (size_t k = 0; k < 6 && rows[i][k] < rows[i][k + 1]; k += 2)
            CHECK_ROW(i, gaps_add(&g, rows[i][k], rows[i][k + 1]));
        CLEANUP(gaps_done) struct gaps have = saved_and_loaded(&g, 100);
        struct gap *a = g.first, *b = have.first;
        for (; a && b; a = a->next, b = b->next)
            CHECK_ROW(i, a->at == b->at && a->end == b->end && !b->taken);
        CHECK_ROW(i, !a && !b);
    }
}

static void test_client_gaps__that_touch_are_one_and_filled_ones_none(void **state)
{
    (void)state;
    CLEANUP(gaps_done) struct gaps g = {0};
    CHECK(gaps_add(&g, 0, 100));
    struct gap *a = gaps_take(&g, 10), *b = gaps_take(&g, 10);
    a->at = 5;
    b->at = b->end;
    CLEANUP(gaps_done) struct gaps apart = saved_and_loaded(&g, 100);
    CHECK(apart.first->at == 5 && apart.first->end == 10 && apart.first->next->at == 20);
    b->at = 10;
    CLEANUP(gaps_done) struct gaps one = saved_and_loaded(&g, 100);
    CHECK(one.first->at == 5 && one.first->end == 100 && !one.first->next);
}

/* None may be lost: the record then says that more is to come than is true. */
static void test_client_gaps__more_than_a_record_holds_count_as_one(void **state)
{
    (void)state;
    CLEANUP(gaps_done) struct gaps g = {0};
    uint64_t end = 0;
    for (uint64_t i = 0; i < 1000; i++)
        CHECK(gaps_add(&g, 10 * i, 10 * i + 5));
    CLEANUP(gaps_done) struct gaps have = saved_and_loaded(&g, 10000);
    CHECK(gaps_left(&have) >= gaps_left(&g));
    for (struct gap *gap = have.first; gap; gap = gap->next)
        end = gap->end;
    CHECK(end == 9995 && have.first->end == 5);
}

static void test_client_gaps__a_damaged_record_is_none(void **state)
{
    (void)state;
    unsigned char record[GAPS_RECORD];
    CLEANUP(gaps_done) struct gaps g = {0}, have = {0};
    uint64_t size;
    CHECK(gaps_add(&g, 3, 7));
    for (size_t i = 0; i < GAPS_RECORD; i += 13) {
        gaps_save(&g, 100, record);
        record[i] ^= 0x40;
        CHECK_ROW(i, !gaps_load(&have, record, &size) && !have.first);
    }
}

RUN_TESTS(TEST(test_client_gaps__are_taken_from_the_front), TEST(test_client_gaps__are_saved_and_loaded),
          TEST(test_client_gaps__that_touch_are_one_and_filled_ones_none),
          TEST(test_client_gaps__more_than_a_record_holds_count_as_one),
          TEST(test_client_gaps__a_damaged_record_is_none))
