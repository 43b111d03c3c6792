/* tests/unit/daemon/control.c - the control socket: what is said over it, what a bad peer may do, how it
 * ends. */
#include "fixture.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/control.h"

static atomic_int runs, waiting;
static atomic_bool gate;

static int serve(void *arg, berth_str command, const struct admin_out *out, berth_error *err)
{
    assert_ptr_equal(arg, &runs);
    atomic_fetch_add(&runs, 1);
    if (str_eq(command, STR("talk"))) {
        out->line(out->arg, "two\nlines\rin one");
        out->progress(out->arg, "half");
        out->value(out->arg, "key", "with spaces");
        return BERTH_OK;
    }
    if (str_eq(command, STR("wait"))) {
        atomic_fetch_add(&waiting, 1);
        while (!atomic_load(out->stop) && !atomic_load(&gate))
            usleep(2000);
        return BERTH_OK;
    }
    return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "'\nOK", STR_ARG(str_head(command, 40)));
}

static control *start(void)
{
    control *c = NULL;
    atomic_store(&runs, 0);
    atomic_store(&waiting, 0);
    atomic_store(&gate, false);
    told[0] = '\0';
    CHECK_OK(control_start(folder, serve, &runs, &c, &test_err));
    return c;
}

static int ask(const char *command, bool *ret_served)
{
    test_err = (berth_error){0};
    return control_ask(folder, str_from(command), &listener, ret_served, &test_err);
}

static struct sockaddr_un address(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", folder);
    return sa;
}

static int connect_raw(void)
{
    struct sockaddr_un sa = address();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0);
    return fd;
}

static void test_daemon_control__carries_answers_line_by_line(void **state)
{
    (void)state;
    control *c = start();
    bool served = false;
    CHECK_OK(ask("talk", &served));
    CHECK(served);
    assert_string_equal(told, "line two lines in one\nprogress half\nvalue key=with spaces\n");
    /* an error keeps its code, and its text forges no other answer */
    CHECK_CODE(ask("sing", &served), BERTH_E_INVALID);
    CHECK(served);
    assert_string_equal(test_err.message, "'sing' OK");
    control_stop(c);
}

static void test_daemon_control__is_the_owners_alone_and_leaves_nothing_behind(void **state)
{
    (void)state;
    write_file("control.sock", "of a server that was killed");
    control *c = start();
    struct stat st;
    CHECK(stat(path_of("control.sock"), &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
    control_stop(c);
    CHECK(!is_there("control.sock"));
    bool served = true;
    CHECK_CODE(ask("talk", &served), BERTH_E_NOT_FOUND);
    CHECK(!served);
    control_stop(NULL);
}

/* A socket's address has 107 bytes for its path. */
static void test_daemon_control__works_in_a_folder_whose_path_is_long(void **state)
{
    (void)state;
    char name[201] = "", longer[512], made[600];
    memset(name, 'x', sizeof(name) - 1);
    snprintf(longer, sizeof(longer), "%s/%s", folder, name);
    snprintf(made, sizeof(made), "%s/control.sock", longer);
    CHECK(mkdir(longer, 0700) == 0);
    control *c = NULL;
    bool served = true;
    struct stat st;
    CHECK_CODE(control_ask(longer, STR("talk"), &listener, &served, &test_err), BERTH_E_NOT_FOUND);
    CHECK(!served);
    told[0] = '\0';
    CHECK_OK(control_start(longer, serve, &runs, &c, &test_err));
    CHECK(stat(made, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
    CHECK_OK(control_ask(longer, STR("talk"), &listener, &served, &test_err));
    CHECK(served && strstr(told, "value key=with spaces"));
    control_stop(c);
    CHECK(stat(made, &st) < 0);
    CHECK(rmdir(longer) == 0);
    c = NULL;
    CHECK_CODE(control_start(path_of("none"), serve, &runs, &c, &test_err), BERTH_E_NOT_FOUND);
    CHECK(!c);
}

/* Whoever may connect may also send nonsense: no command runs, and the next one is served. */
static void test_daemon_control__drops_peers_that_send_no_command(void **state)
{
    (void)state;
    control *c = start();
    CLEANUP(freep) char *flood = mem_alloc(20 * KIB);
    memset(flood, 'x', 20 * KIB);
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(closep) int fd = connect_raw();
        if (i == 1)
            CHECK(send(fd, "talk", 4, MSG_NOSIGNAL) == 4); /* and no newline */
        if (i == 2)
            CHECK(send(fd, flood, 20 * KIB, MSG_NOSIGNAL) > 0);
        shutdown(fd, SHUT_WR);
        char byte;
        CHECK_ROW(i, recv(fd, &byte, 1, 0) <= 0);
    }
    assert_int_equal(atomic_load(&runs), 0);
    bool served = false;
    CHECK_OK(ask("talk", &served));
    flood[20 * KIB - 1] = '\0';
    CHECK_CODE(ask(flood, &served), BERTH_E_IO); /* one of our own that is too long is never sent */
    assert_int_equal(atomic_load(&runs), 1);
    control_stop(c);
}

static void test_daemon_control__says_so_when_too_many_commands_run(void **state)
{
    (void)state;
    control *c = start();
    int fds[8];
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = connect_raw();
        CHECK(send(fds[i], "wait\n", 5, MSG_NOSIGNAL) == 5);
    }
    while (atomic_load(&waiting) < 8)
        usleep(1000);
    bool served = false;
    CHECK_CODE(ask("talk", &served), BERTH_E_BUSY);
    CHECK(served);
    atomic_store(&gate, true);
    for (size_t i = 0; i < COUNT(fds); i++) {
        char got[8] = "";
        CHECK_ROW(i, recv(fds[i], got, sizeof(got) - 1, MSG_WAITALL) == 4);
        assert_string_equal(got, "OK \n");
        close(fds[i]);
    }
    CHECK_OK(ask("talk", &served)); /* their places are free again */
    control_stop(c);
}

static void test_daemon_control__stops_at_once_when_nobody_asks(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        control_stop(start()); /* hangs here if the thread that waits for callers is not woken */
}

static void test_daemon_control__stopping_ends_what_runs(void **state)
{
    (void)state;
    control *c = start();
    CLEANUP(closep) int fd = connect_raw();
    CHECK(send(fd, "wait\n", 5, MSG_NOSIGNAL) == 5);
    while (!atomic_load(&waiting))
        usleep(1000);
    control_stop(c); /* hangs here if it does not */
    char got[8] = "";
    CHECK(recv(fd, got, sizeof(got) - 1, MSG_WAITALL) == 4);
}

/* What an asker makes of a server that breaks off, or says what it should not. */
static void test_daemon_control__tells_how_the_conversation_ended(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int rc;
        const char *message, *told;
    } rows[] = {
        {"L a\nL b\n", BERTH_E_IO, "the server ended the connection before the command was done",
         "line a\nline b\n"},
        {"", BERTH_E_IO, "the server ended the connection before the command was done", ""},
        {"V lonely\nOK \n", BERTH_OK, "", ""},
        {"X unknown\nOK\n", BERTH_OK, "", ""},
        {"ERR -14 later\n", BERTH_E_BUSY, "later", ""},
        {"ERR 0 no code\n", BERTH_E_IO, "no code", ""},
        {"ERR words\n", BERTH_E_IO, "words", ""},
    };
    struct sockaddr_un sa = address();
    CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 1) == 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        pid_t child = fork();
        if (child == 0) {
            char command[16];
            int peer = accept(fd, NULL, NULL);
            _exit(recv(peer, command, sizeof(command), 0) != 5 ||
                  send(peer, rows[i].answer, strlen(rows[i].answer), MSG_NOSIGNAL) < 0);
        }
        told[0] = '\0';
        bool served = false;
        CHECK_ROW(i, ask("talk", &served) == rows[i].rc && served);
        assert_string_equal(test_err.message, rows[i].message);
        assert_string_equal(told, rows[i].told);
        int status;
        CHECK_ROW(i, waitpid(child, &status, 0) == child && status == 0);
    }
}

static void test_daemon_control__an_asker_may_be_interrupted(void **state)
{
    (void)state;
    control *c = start();
    const _Atomic bool stop = true;
    struct admin_out out = listener;
    out.stop = &stop;
    bool served = false;
    CHECK_CODE(control_ask(folder, STR("wait"), &out, &served, &test_err), BERTH_E_CANCELLED);
    CHECK(served);
    atomic_store(&gate, true);
    control_stop(c);
}

RUN_TESTS(FOLDER_TEST(test_daemon_control__carries_answers_line_by_line),
          FOLDER_TEST(test_daemon_control__is_the_owners_alone_and_leaves_nothing_behind),
          FOLDER_TEST(test_daemon_control__works_in_a_folder_whose_path_is_long),
          FOLDER_TEST(test_daemon_control__drops_peers_that_send_no_command),
          FOLDER_TEST(test_daemon_control__says_so_when_too_many_commands_run),
          FOLDER_TEST(test_daemon_control__stops_at_once_when_nobody_asks),
          FOLDER_TEST(test_daemon_control__stopping_ends_what_runs),
          FOLDER_TEST(test_daemon_control__tells_how_the_conversation_ended),
          FOLDER_TEST(test_daemon_control__an_asker_may_be_interrupted))
