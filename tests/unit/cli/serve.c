/* tests/unit/cli/serve.c - `berth serve`: its options, and the exit code by what kept it from serving. */
#include "fixture.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

/* In a child, for the server changes signals of the process. What it printed is in out_text. @sig: sent once
 * it listens. */
static int serve(const char *words, int sig)
{
    int pipes[2], status = 0;
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(pipes[1], STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        char *argv[16] = {(char *)(uintptr_t) "berth", (char *)(uintptr_t) "serve"};
        int argc = 2;
        for (char *at = berth_arena_dup(&scratch, str_from(words)); at;) {
            argv[argc++] = at;
            at = strchr(at, ' ');
            if (at)
                *at++ = '\0';
        }
        _exit(berth_main(argc, argv));
    }
    close(pipes[1]);
    size_t n = 0;
    out_text[0] = '\0';
    for (ssize_t r; (r = read(pipes[0], out_text + n, sizeof(out_text) - 1 - n)) > 0;) {
        n += (size_t)r;
        out_text[n] = '\0';
        if (sig && strstr(out_text, "listening on ")) {
            kill(child, sig);
            sig = 0;
        }
    }
    close(pipes[0]);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_cli_serve__serves_until_it_is_told_to_stop(void **state)
{
    (void)state;
    const char *words =
        berth_arena_printf(&scratch, "--listen unix:%s/s --data %s --http-loops 1", folder, folder);
    assert_int_equal(serve(words, SIGTERM), EXIT_OK);
    assert_string_equal(out_text, berth_arena_printf(&scratch, "listening on unix:%s/s\n", folder));
    assert_int_equal(serve("--listen 127.0.0.1:0 --store memory --http-loops 1", SIGINT), EXIT_OK);
    CHECK(strncmp(out_text, "listening on http://127.0.0.1:", 30) == 0);
}

static void test_cli_serve__exits_by_what_kept_it_from_serving(void **state)
{
    (void)state;
    CHECK(mkdir(path_of("d"), 0700) == 0);
    write_file("d/lock", "");
    write_file("bad.yaml", "nonsense: 1\n");
    const char *in_use = berth_arena_printf(&scratch, "--listen 127.0.0.1:0 --data %s", path_of("d"));
    CLEANUP(closep) int fd = open(path_of("d/lock"), O_RDWR | O_CLOEXEC);
    CHECK(flock(fd, LOCK_EX) == 0);
    assert_int_equal(serve(in_use, 0), EXIT_BUSY);
    const struct {
        const char *words;
        int code;
    } rows[] = {
        {"--store memory --listen unix:/nowhere/s", EXIT_FAILED},
        {"--store memory --http-loops=many", EXIT_CONFIG},
        {berth_arena_printf(&scratch, "--store memory --config %s", path_of("bad.yaml")), EXIT_CONFIG},
        {"--store memory --config /nowhere.yaml", EXIT_CONFIG},
        {"--store", EXIT_USAGE},
        {"--nonsense", EXIT_USAGE},
        {"operand", EXIT_USAGE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, serve(rows[i].words, 0) == rows[i].code);
        CHECK_ROW(i, !strstr(out_text, "listening"));
    }
}

static void test_cli_serve__lists_every_setting_in_its_help(void **state)
{
    (void)state;
    assert_int_equal(berth("serve --help"), EXIT_OK);
    for (size_t i = 0; i < config_settings_count; i++) {
        CLEANUP(berth_buf_done) berth_buf flag = BERTH_BUF_INIT(KIB);
        config_add_flag(&config_settings[i], &flag);
        CHECK_ROW(i, config_settings[i].file_only || strstr(out_text, berth_buf_cstr(&flag)));
    }
}

RUN_TESTS(CLI_TEST(test_cli_serve__serves_until_it_is_told_to_stop),
          CLI_TEST(test_cli_serve__exits_by_what_kept_it_from_serving),
          CLI_TEST(test_cli_serve__lists_every_setting_in_its_help))
