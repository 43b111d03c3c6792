/* tests/unit/util/log.c */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "util/log.h"

static int fd = -1;

static int open_log(void **state)
{
    (void)state;
    fd = memfd_create("berth", MFD_CLOEXEC);
    return fd < 0;
}

static int close_log(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_TEXT, STDERR_FILENO);
    close(fd);
    return 0;
}

/* What was logged since the last call, without the time (24 bytes and what stands around it in @skip). */
static berth_str logged(size_t skip)
{
    static char text[32 * KIB];
    ssize_t n = pread(fd, text, sizeof(text), 0);
    assert_true(n >= 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return str_from_offset((berth_str){text, (size_t)n}, skip);
}

static void test_util_log__writes_one_line_of_text(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_TEXT, fd);
    log_event(LOG_INFO, "listening", F_CSTR("address", "[::]:5000"), F_INT("port", -5000), F_REAL("ms", 1.5));
    CHECK_STR(logged(24), STR(" info  listening address=[::]:5000 port=-5000 ms=1.500\n"));
    log_write(LOG_ERROR, "bare", NULL, 0);
    CHECK_STR(logged(24), STR(" error bare\n"));
    log_event(LOG_DEBUG, "not now", F_INT("n", 1));
    CHECK_STR(logged(0), STR(""));
    CHECK(log_enabled(LOG_WARN) && !log_enabled(LOG_DEBUG));
    log_event(LOG_WARN, "reals", F_REAL("a", 0.0004), F_REAL("b", 0.0006), F_REAL("c", 9.9999),
              F_REAL("d", -2.5), F_REAL("e", 1e15), F_REAL("f", 12.034));
    CHECK_STR(logged(24),
              STR(" warn  reals a=0.000 b=0.001 c=10.000 d=-2.500 e=1000000000000000.000 f=12.034\n"));
}

static void test_util_log__escapes_what_a_peer_sent(void **state)
{
    (void)state;
    log_setup(LOG_DEBUG, LOG_TEXT, fd);
    log_event(LOG_DEBUG, "request", F_CSTR("path", "/a b\n2026 info fake"),
              F_CSTR("agent", "a\"b\\c\x1b[0m\xff"), F_CSTR("empty", ""));
    CHECK_STR(logged(24), STR(" debug request path=\"/a b\\u000a2026 info fake\" "
                              "agent=\"a\\\"b\\\\c\\u001b[0m\\u00ff\" empty=\"\"\n"));
    log_setup(LOG_DEBUG, LOG_JSON, fd);
    log_event(LOG_WARN, "request", F_CSTR("path", "/a\"\n"), F_INT("n", 1));
    CHECK_STR(logged(34),
              STR(",\"level\":\"warn\",\"message\":\"request\",\"path\":\"/a\\\"\\u000a\",\"n\":1}\n"));
}

static void test_util_log__cuts_long_values(void **state)
{
    (void)state;
    CLEANUP(freep) char *p = mem_alloc(MIB);
    memset(p, 'a', MIB);
    log_setup(LOG_INFO, LOG_TEXT, fd);
    log_event(LOG_INFO, "long", F_STR("v", ((berth_str){p, MIB})));
    berth_str line = logged(24);
    CHECK(line.n == strlen(" info  long v=\n") + 1024 && line.p[line.n - 1] == '\n');
}

static void test_util_log__knows_its_levels_by_name(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    CHECK(log_level_by_name(STR("debug"), &level) && level == LOG_DEBUG);
    CHECK(log_level_by_name(STR("warn"), &level) && level == LOG_WARN);
    CHECK(!log_level_by_name(STR("loud"), &level) && level == LOG_WARN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_util_log__writes_one_line_of_text),
        TEST(test_util_log__escapes_what_a_peer_sent),
        TEST(test_util_log__cuts_long_values),
        TEST(test_util_log__knows_its_levels_by_name),
    };
    return cmocka_run_group_tests(tests, open_log, close_log);
}
