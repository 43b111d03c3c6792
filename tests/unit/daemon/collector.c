/* tests/unit/daemon/collector.c - when the collector runs: its interval, its window in local time, a reload.
 */
#include "fixture.h"

#include <stdatomic.h>
#include <time.h>

#include "daemon/collector.h"
#include "daemon/wiring.h"
#include "util/log.h"

static struct instance in;
static const struct meta_ops *real;
static struct meta_ops counting;
static atomic_int runs, requeues;
static atomic_bool failing, held; /* a run waits in its first step while it is held */

static int count_step(meta *m, size_t rows, struct meta_gc_step *ret, berth_error *err)
{
    atomic_fetch_add(&runs, 1);
    while (atomic_load(&held))
        usleep(1000);
    return real->gc_step(m, rows, ret, err);
}

static int count_requeue(meta *m, size_t rows, berth_buf *cursor, bool *ret_more, berth_error *err)
{
    (void)m;
    (void)rows;
    (void)cursor;
    *ret_more = atomic_fetch_add(&requeues, 1) < 2;
    return atomic_load(&failing) ? berth_error_set(err, BERTH_E_IO, "no") : BERTH_OK;
}

static int open_it(void **state)
{
    folder_new(state);
    CONFIG c = config_of("storage: {driver: memory}\n");
    CHECK_OK(instance_open(c, true, &in, &test_err));
    real = in.m->ops;
    counting = *real;
    counting.gc_step = count_step;
    counting.gc_requeue_untagged = count_requeue;
    in.m->ops = &counting;
    atomic_store(&runs, 0);
    atomic_store(&requeues, 0);
    atomic_store(&failing, false);
    atomic_store(&held, false);
    log_setup(LOG_ERROR, LOG_TEXT, STDERR_FILENO);
    return 0;
}

static int close_it(void **state)
{
    in.m->ops = real;
    instance_close(&in);
    unsetenv("TZ");
    tzset();
    return folder_free(state);
}

/* One whose schedule is due all the time. */
static struct config *always_due(const char *window)
{
    struct config *c = config_of("storage: {driver: memory}\n");
    c->gc.interval = 1;
    c->gc.window = window ? str_dup(str_from(window)) : NULL;
    return c;
}

static bool runs_within(const struct config *c, unsigned ms)
{
    collector *k = NULL;
    atomic_store(&runs, 0);
    CHECK_OK(collector_start(in.repo, in.m, c, &k, &test_err));
    for (unsigned i = 0; i < ms && !atomic_load(&runs); i++)
        usleep(1000);
    collector_stop(k); /* at once, however long it was to wait */
    return atomic_load(&runs) > 0;
}

/* Makes it @hour:@minute here, by a time zone of our own. */
static void set_local_time(int hour, int minute)
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    int west = (tm.tm_hour * 60 + tm.tm_min - hour * 60 - minute + 48 * 60) % (24 * 60);
    char zone[32];
    snprintf(zone, sizeof(zone), "TST%d:%02d", west / 60, west % 60);
    setenv("TZ", zone, 1);
    tzset();
}

static void test_daemon_collector__runs_in_its_window_alone(void **state)
{
    (void)state;
    static const struct {
        const char *window;
        int hour, minute;
        bool open;
    } rows[] = {
        {NULL, 12, 0, true},           {"08:00-18:00", 8, 0, true},
        {"08:00-18:00", 17, 30, true}, {"08:00-18:00", 18, 0, false}, /* its end is no part of it */
        {"08:00-18:00", 7, 30, false}, {"22:00-06:00", 23, 30, true}, /* over midnight */
        {"22:00-06:00", 0, 0, true},   {"22:00-06:00", 5, 30, true},
        {"22:00-06:00", 6, 0, false},  {"22:00-06:00", 21, 30, false},
        {"08:15-08:45", 8, 30, true}, /* the minutes count */
        {"08:15-08:45", 8, 0, false},  {"08:15-08:45", 8, 50, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CONFIG c = always_due(rows[i].window);
        set_local_time(rows[i].hour, rows[i].minute);
        CHECK_ROW(i, runs_within(c, rows[i].open ? 10000 : 40) == rows[i].open);
    }
}

static void test_daemon_collector__runs_by_itself_only_with_an_interval(void **state)
{
    (void)state;
    CONFIG c = always_due(NULL);
    c->gc.interval = 0;
    CHECK(!runs_within(c, 40));
    c->gc.interval = 3600000;
    CHECK(!runs_within(c, 40)); /* not at once after every start */
}

static void test_daemon_collector__takes_a_new_schedule_while_it_waits(void **state)
{
    (void)state;
    CONFIG c = always_due(NULL);
    collector *k = NULL;
    c->gc.interval = 0;
    CHECK_OK(collector_start(in.repo, in.m, c, &k, &test_err));
    c->gc.interval = 1;
    collector_reconfigure(k, c);
    for (unsigned i = 0; i < 10000 && atomic_load(&runs) < 3; i++)
        usleep(1000);
    CHECK(atomic_load(&runs) >= 3);
    atomic_store(&held, true);
    int then = atomic_load(&runs);
    for (unsigned i = 0; i < 10000 && atomic_load(&runs) == then; i++)
        usleep(1000);
    c->gc.interval = 0;
    collector_reconfigure(k, c); /* in the middle of a run, */
    atomic_store(&held, false);
    struct repo_gc_result result;
    int rc;
    while ((rc = repo_gc(in.repo, NULL, &result, &test_err)) == BERTH_E_BUSY)
        usleep(1000); /* which ends */
    CHECK_OK(rc);
    then = atomic_load(&runs);
    usleep(40000);
    assert_int_equal(atomic_load(&runs), then);
    collector_stop(k);
    collector_stop(NULL);
}

/* The setting may be new: what lost its last tag before must be found, too. */
static void test_daemon_collector__looks_again_at_all_manifests_when_untagged_ones_go(void **state)
{
    (void)state;
    CONFIG c = always_due(NULL);
    CHECK(runs_within(c, 10000));
    assert_int_equal(atomic_load(&requeues), 0);
    c->gc.untagged = 1000;
    CHECK(runs_within(c, 10000));
    assert_int_equal(atomic_load(&requeues), 3); /* to the end, in steps */
    atomic_store(&requeues, 0);
    atomic_store(&failing, true);
    CHECK(runs_within(c, 10000)); /* the rest goes on */
    assert_int_equal(atomic_load(&requeues), 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, open_it, close_it)
RUN_TESTS(CASE(test_daemon_collector__runs_in_its_window_alone),
          CASE(test_daemon_collector__runs_by_itself_only_with_an_interval),
          CASE(test_daemon_collector__takes_a_new_schedule_while_it_waits),
          CASE(test_daemon_collector__looks_again_at_all_manifests_when_untagged_ones_go))
