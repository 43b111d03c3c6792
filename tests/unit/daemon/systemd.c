/* tests/unit/daemon/systemd.c - the two protocols of systemd, spoken to a socket and read from variables of
 * the test's own. */
#include "fixture.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/systemd.h"

static int clean(void **state)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS",
                                        "LISTEN_PID"};
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    return state && !access(folder, F_OK) ? folder_free(state) : 0;
}

static int begin(void **state)
{
    return clean(NULL) + folder_new(state);
}

static void test_daemon_systemd__tells_its_state_to_who_listens(void **state)
{
    (void)state;
    const char *const paths[] = {path_of("notify"),
                                 berth_arena_printf(&scratch, "@berth-test-%d", (int)getpid())};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", paths[i]);
        if (sa.sun_path[0] == '@')
            sa.sun_path[0] = '\0'; /* no name in the file system */
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CHECK(bind(fd, (const struct sockaddr *)&sa,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(paths[i]))) == 0);
        setenv("NOTIFY_SOCKET", paths[i], 1);
        systemd_notify("READY=1");
        char got[32] = "";
        CHECK_ROW(i, recv(fd, got, sizeof(got) - 1, 0) == 7);
        assert_string_equal(got, "READY=1");
    }
}

static void test_daemon_systemd__says_nothing_where_nobody_listens(void **state)
{
    (void)state;
    systemd_notify("READY=1");
    char longer[200];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    const char *const values[] = {"", "relative", "/nowhere/socket", longer};
    for (size_t i = 0; i < COUNT(values); i++) {
        setenv("NOTIFY_SOCKET", values[i], 1);
        systemd_notify("READY=1"); /* neither blocks nor breaks */
    }
}

static void test_daemon_systemd__sends_twice_as_often_as_the_watchdog_asks(void **state)
{
    (void)state;
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(systemd_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(systemd_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1); /* meant for our parent */
    assert_int_equal(systemd_watchdog_ms(), 0);
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(systemd_watchdog_ms(), 15000);
}

static void test_daemon_systemd__takes_sockets_that_are_meant_for_it(void **state)
{
    (void)state;
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    static const struct {
        const char *fds, *pid; /* "": ours; NULL: none */
        unsigned n;
    } rows[] = {{"1", "", 1},    {"1", "1", 0}, {"1", NULL, 0}, {NULL, "", 0},
                {"1001", "", 0}, {"0", "", 0},  {"-1", "", 0}};
    bool made = fcntl(3, F_GETFD) < 0;
    if (made)
        CHECK(dup2(STDIN_FILENO, 3) == 3);
    int was = fcntl(3, F_GETFD);
    for (size_t i = 0; i < COUNT(rows); i++) {
        fcntl(3, F_SETFD, 0);
        unsetenv("LISTEN_FDS");
        unsetenv("LISTEN_PID");
        if (rows[i].fds)
            setenv("LISTEN_FDS", rows[i].fds, 1);
        if (rows[i].pid)
            setenv("LISTEN_PID", rows[i].pid[0] ? rows[i].pid : pid, 1);
        CHECK_ROW(i, systemd_listen_fds() == rows[i].n);
        CHECK_ROW(i, (fcntl(3, F_GETFD) == FD_CLOEXEC) == (rows[i].n == 1)); /* no child inherits it */
    }
    fcntl(3, F_SETFD, was);
    if (made)
        close(3);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, clean)
RUN_TESTS(CASE(test_daemon_systemd__tells_its_state_to_who_listens),
          CASE(test_daemon_systemd__says_nothing_where_nobody_listens),
          CASE(test_daemon_systemd__sends_twice_as_often_as_the_watchdog_asks),
          CASE(test_daemon_systemd__takes_sockets_that_are_meant_for_it))
