/* tests/unit/daemon/serve.c - the life of the server process, in a child: what it prints, how it reloads, how
 * it stops, what it leaves. */
#include "fixture.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/control.h"
#include "daemon/serve.h"

static struct {
    pid_t pid;
    int out, notify;
    char printed[4096];
} child;

/* Runs daemon_serve() with the file berth.yaml. */
static void begin(const char *yaml)
{
    int pipes[2];
    write_file("berth.yaml", yaml);
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path_of("notify"));
    child.notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = 20};
    setsockopt(child.notify, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    CHECK(bind(child.notify, (const struct sockaddr *)&sa, sizeof(sa)) == 0);
    fflush(stdout);
    child.pid = fork();
    if (child.pid == 0) {
        const char *file = path_of("berth.yaml");
        const char *const flags[] = {berth_arena_printf(&scratch, "data=%s", folder), "listen=127.0.0.1:0",
                                     "http.loops=1", "http.workers=1"};
        struct config *c = NULL;
        int log = open(path_of("log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        dup2(pipes[1], STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        setenv("NOTIFY_SOCKET", path_of("notify"), 1);
        berth_error err = BERTH_ERROR_INIT;
        if (config_load(file, flags, COUNT(flags), &c, &err) != BERTH_OK)
            _exit(99);
        int rc = daemon_serve(c, file, flags, COUNT(flags), &err);
        fprintf(stderr, "end: %s\n", err.message);
        _exit(-rc);
    }
    close(pipes[1]);
    child.out = pipes[0];
    child.printed[0] = '\0';
}

static void expect_notice(const char *want)
{
    char got[64] = "";
    CHECK(recv(child.notify, got, sizeof(got) - 1, 0) > 0);
    assert_string_equal(got, want);
}

/* The exit status; what it printed is in child.printed. */
static int end(int sig)
{
    int status = 0;
    if (sig)
        CHECK(kill(child.pid, sig) == 0);
    CHECK(waitpid(child.pid, &status, 0) == child.pid && WIFEXITED(status));
    size_t n = 0;
    for (ssize_t r; (r = read(child.out, child.printed + n, sizeof(child.printed) - 1 - n)) > 0;)
        n += (size_t)r;
    child.printed[n] = '\0';
    close(child.out);
    close(child.notify);
    return WEXITSTATUS(status);
}

static int ask(const char *command)
{
    bool served;
    told[0] = '\0';
    return control_ask(folder, str_from(command), &listener, &served, &test_err);
}

static bool logged(const char *text)
{
    CLEANUP(berth_buf_done) berth_buf log = BERTH_BUF_INIT(MIB);
    return io_read_file(path_of("log"), &log, &test_err) == BERTH_OK && strstr(berth_buf_cstr(&log), text);
}

static void test_daemon_serve__says_where_it_listens_and_stops_in_order(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < COUNT(signals); i++) {
        begin("");
        expect_notice("READY=1");
        CHECK_OK(ask("status"));
        assert_string_equal(told, "value read_only=false\n");
        kill(child.pid, signals[i]);
        expect_notice("STOPPING=1");
        CHECK_ROW(i, end(0) == 0);
        CHECK_ROW(i, strncmp(child.printed, "listening on http://127.0.0.1:", 30) == 0);
        CHECK_ROW(i, strstr(child.printed, "\npush:  skopeo copy ") != NULL);
        CHECK_ROW(i, !is_there("control.sock"));
        CHECK_ROW(i, logged(i ? "SIGINT" : "SIGTERM"));
        unlink(path_of("notify"));
    }
}

static void test_daemon_serve__reloads_what_may_change_and_names_what_may_not(void **state)
{
    (void)state;
    begin("registry: {read_only: false}\n");
    expect_notice("READY=1");
    write_file("berth.yaml", "registry: {read_only: true}\nstorage: {sync: false}\n");
    CHECK_OK(ask("reload"));
    assert_string_equal(told, "value reloaded=true\n");
    expect_notice("RELOADING=1");
    expect_notice("READY=1");
    CHECK_OK(ask("status"));
    assert_string_equal(told, "value read_only=true\n");
    CHECK(logged("key=registry.read_only"));
    CHECK(logged("takes effect after a restart"));
    /* with a file that is wrong, everything stays as it was */
    write_file("berth.yaml", "registry: {read_only: maybe}\n");
    CHECK(ask("reload") == BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "berth.yaml") && strstr(test_err.message, "maybe"));
    CHECK_OK(ask("status"));
    assert_string_equal(told, "value read_only=true\n");
    /* and with an audit log that cannot be opened, before any setting has changed */
    write_file("berth.yaml", "registry: {read_only: false}\nlog: {audit: /nowhere/audit}\n");
    CHECK(ask("reload") == BERTH_E_IO);
    CHECK_OK(ask("status"));
    assert_string_equal(told, "value read_only=true\n");
    assert_int_equal(end(SIGTERM), 0);
}

static void test_daemon_serve__says_why_it_cannot_start(void **state)
{
    (void)state;
    begin("log: {audit: /nowhere/audit}\n");
    assert_int_equal(end(0), -BERTH_E_IO);
    CHECK(logged("end: opening the audit log '/nowhere/audit'"));
    unlink(path_of("notify"));
    begin("");
    expect_notice("READY=1");
    int first_out = child.out, first_notify = child.notify;
    pid_t first = child.pid;
    unlink(path_of("notify"));
    begin("");
    assert_int_equal(end(0), -BERTH_E_BUSY);
    assert_string_equal(child.printed, ""); /* it never said that it listens */
    CHECK(is_there("control.sock"));        /* the first one's */
    int status;
    kill(first, SIGTERM);
    CHECK(waitpid(first, &status, 0) == first && status == 0);
    close(first_out);
    close(first_notify);
}

RUN_TESTS(FOLDER_TEST(test_daemon_serve__says_where_it_listens_and_stops_in_order),
          FOLDER_TEST(test_daemon_serve__reloads_what_may_change_and_names_what_may_not),
          FOLDER_TEST(test_daemon_serve__says_why_it_cannot_start))
