/* tests/unit/cli/target.c - a file has its name only when it is whole, whatever happens. */
#include "fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "cli/target.h"

static size_t files_here(void)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    CHECK(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void test_cli_target__names_a_file_that_is_whole(void **state)
{
    (void)state;
    struct target t = TARGET_INIT;
    write_file("f", "old");
    CHECK_OK(target_open(&t, path_of("f"), true, &test_err));
    CHECK_OK(target_write(&t, "new", 3, &test_err));
    assert_int_equal(files_here(), 2);
    CHECK_OK(target_finish(&t, &test_err));
    target_done(&t);
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(100);
    CHECK_OK(io_read_file(path_of("f"), &b, &test_err));
    CHECK_STR(berth_buf_str(&b), STR("new"));
    assert_int_equal(files_here(), 1);
}

static void test_cli_target__leaves_nothing_half_written(void **state)
{
    (void)state;
    struct target t = TARGET_INIT;
    write_file("f", "old");
    CHECK_OK(target_open(&t, path_of("f"), true, &test_err));
    CHECK_OK(target_write(&t, "ne", 2, &test_err));
    target_done(&t);
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(100);
    CHECK_OK(io_read_file(path_of("f"), &b, &test_err));
    CHECK_STR(berth_buf_str(&b), STR("old"));
    assert_int_equal(files_here(), 1);
}

static void test_cli_target__leaves_nothing_when_a_signal_ends_it(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < COUNT(signals); i++) {
        int status = 0;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            struct target a = TARGET_INIT, b = TARGET_INIT;
            for (size_t k = 0; k < COUNT(signals); k++)
                signal(signals[k], SIG_DFL);
            if (target_open(&a, path_of("a"), true, &test_err) == BERTH_OK &&
                target_open(&b, path_of("b"), true, &test_err) == BERTH_OK && files_here() == 2)
                raise(signals[i]);
            _exit(99);
        }
        CHECK_ROW(i, waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
                         WTERMSIG(status) == signals[i]);
        CHECK_ROW(i, files_here() == 0);
    }
}

static void test_cli_target__takes_what_is_no_file_as_it_is(void **state)
{
    (void)state;
    struct target t = TARGET_INIT;
    CHECK_OK(target_open(&t, "/dev/null", true, &test_err)); /* and does not put a file in its place */
    CHECK(!t.unfinished);
    CHECK_OK(target_write(&t, "x", 1, &test_err));
    CHECK_OK(target_finish(&t, &test_err));
    target_done(&t);
    t = (struct target)TARGET_INIT;
    CHECK_OK(target_open(&t, "-", false, &test_err));
    assert_int_equal(t.fd, STDOUT_FILENO);
    target_done(&t);
    CHECK_CODE(target_open(&t, folder, true, &test_err), BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "is a folder"));
    target_done(&t);
    t = (struct target)TARGET_INIT;
    CHECK_CODE(target_open(&t, path_of("none/f"), true, &test_err), BERTH_E_NOT_FOUND);
    target_done(&t);
}

RUN_TESTS(CLI_TEST(test_cli_target__names_a_file_that_is_whole),
          CLI_TEST(test_cli_target__leaves_nothing_half_written),
          CLI_TEST(test_cli_target__leaves_nothing_when_a_signal_ends_it),
          CLI_TEST(test_cli_target__takes_what_is_no_file_as_it_is))
