/* tests/unit/client/child.c */
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "client/child.h"
#include "util/clock.h"

static void start(struct child *c, const char *script, berth_str input, uint32_t timeout_ms)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    CHECK_OK(child_start(c, argv, input, timeout_ms, &test_err));
}

static void test_client_child__is_given_its_input_and_says_something(void **state)
{
    (void)state;
    CLEANUP(child_done) struct child c = CHILD_INIT;
    start(&c, "read line; printf '<%s>' \"$line\"; exit 3", STR("hello"), 0);
    child_wait(&c);
    CHECK_STR(berth_buf_str(&c.said), STR("<hello>"));
    assert_int_equal(c.status, 3);
    assert_int_equal(c.code, BERTH_OK);
    CHECK(child_step(&c)); /* once more is harmless */
}

static void test_client_child__may_say_more_than_a_pipe_holds(void **state)
{
    (void)state;
    CLEANUP(child_done) struct child c = CHILD_INIT;
    start(&c, "head -c 300000 /dev/zero", STR(""), 0);
    child_wait(&c);
    assert_int_equal(c.said.n, 300000);
    assert_int_equal(c.status, 0);
}

static void test_client_child__that_says_too_much_is_ended(void **state)
{
    (void)state;
    CLEANUP(child_done) struct child c = CHILD_INIT;
    start(&c, "exec cat /dev/zero", STR(""), 0);
    child_wait(&c);
    assert_int_equal(c.code, BERTH_E_TOO_BIG);
}

static void test_client_child__that_takes_too_long_is_ended(void **state)
{
    (void)state;
    CLEANUP(child_done) struct child c = CHILD_INIT;
    int64_t began = clock_mono_ms();
    start(&c, "exec sleep 60", STR(""), 100);
    child_wait(&c);
    assert_int_equal(c.code, BERTH_E_CANCELLED);
    CHECK(clock_mono_ms() - began < 20000);
}

static void test_client_child__takes_what_it_started_with_it(void **state)
{
    (void)state;
    CLEANUP(child_done) struct child c = CHILD_INIT;
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    CLEANUP(berth_buf_done) berth_buf script = BERTH_BUF_INIT(KIB);
    berth_buf_addf(&script, "sh -c 'sleep 60 & sleep 61' %d>&%d & wait", 9, ends[1]);
    start(&c, berth_buf_cstr(&script), STR(""), 300);
    close(ends[1]);
    child_wait(&c);
    assert_int_equal(c.code, BERTH_E_CANCELLED);
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    CHECK(poll(&p, 1, 20000) == 1 && read(ends[0], &byte, 1) == 0); /* nobody has the other end */
    close(ends[0]);
}

static void test_client_child__has_ended_though_its_own_child_holds_the_pipe(void **state)
{
    (void)state;
    CLEANUP(child_done) struct child c = CHILD_INIT;
    int64_t began = clock_mono_ms();
    start(&c, "sleep 30 2>/dev/null & printf x", STR(""), 0);
    child_wait(&c);
    CHECK_STR(berth_buf_str(&c.said), STR("x"));
    CHECK(clock_mono_ms() - began < 20000);
}

static void test_client_child__makes_its_descriptor_readable(void **state)
{
    (void)state;
    CLEANUP(child_done) struct child c = CHILD_INIT;
    start(&c, "printf early; sleep 0.2; printf late", STR(""), 0);
    int steps = 0;
    do {
        struct pollfd p = {.fd = child_fd(&c), .events = POLLIN};
        assert_int_equal(poll(&p, 1, 20000), 1);
        steps++;
    } while (!child_step(&c));
    CHECK_STR(berth_buf_str(&c.said), STR("earlylate"));
    CHECK(steps < 10); /* nothing spins */
}

static void test_client_child__ends_with_its_owner(void **state)
{
    (void)state;
    struct child c = CHILD_INIT;
    start(&c, "exec sleep 60", STR(""), 0);
    pid_t pid = c.pid;
    CHECK(!child_step(&c) && kill(pid, 0) == 0);
    child_done(&c);
    CHECK(kill(pid, 0) < 0 && errno == ESRCH);
    child_done(&c);
}

static void test_client_child__that_is_not_there_is_told_apart(void **state)
{
    (void)state;
    CLEANUP(child_done) struct child c = CHILD_INIT;
    const char *argv[] = {"no-such-program-anywhere", NULL};
    CHECK_CODE(child_start(&c, argv, STR(""), 0, &test_err), BERTH_E_NOT_FOUND);
}

RUN_TESTS(TEST(test_client_child__is_given_its_input_and_says_something),
          TEST(test_client_child__may_say_more_than_a_pipe_holds),
          TEST(test_client_child__that_says_too_much_is_ended),
          TEST(test_client_child__that_takes_too_long_is_ended),
          TEST(test_client_child__takes_what_it_started_with_it),
          TEST(test_client_child__has_ended_though_its_own_child_holds_the_pipe),
          TEST(test_client_child__makes_its_descriptor_readable),
          TEST(test_client_child__ends_with_its_owner),
          TEST(test_client_child__that_is_not_there_is_told_apart))
