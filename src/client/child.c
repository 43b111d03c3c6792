/* client/child.c - see child.h. */
#include "client/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "util/io.h"

#define SAID_MAX MIB

static bool watch(const struct child *c, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    return fd >= 0 && epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

/* The input as a file in memory: a child that reads slowly, or never, holds nobody up. */
static int make_input(berth_str input, berth_error *err)
{
    CLEANUP(closep) int fd = memfd_create("input", MFD_CLOEXEC);
    const char *at = input.p;
    for (size_t left = input.n; fd >= 0 && left;) {
        ssize_t n = write(fd, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return berth_error_set(err, BERTH_E_IO, "writing what a program is to read: %s", strerror(errno));
        at += n;
        left -= (size_t)n;
    }
    if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return berth_error_set(err, BERTH_E_IO, "making what a program is to read: %s", strerror(errno));
    return steal_fd(&fd);
}

static int spawn(struct child *c, const char *const *argv, int in, int out, berth_error *err)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    int r = posix_spawn_file_actions_init(&files);
    if (r == 0) {
        r = posix_spawnattr_init(&how);
        if (r == 0) {
            posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
            posix_spawnattr_setsigmask(&how, &none);
            posix_spawnattr_setsigdefault(&how, &usual);
            r = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
            r = r ? r : posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
            r = r ? r : posix_spawnp(&c->pid, argv[0], &files, &how, (char *const *)(uintptr_t)argv, environ);
            posix_spawnattr_destroy(&how);
        }
        posix_spawn_file_actions_destroy(&files);
    }
    if (r == 0)
        return BERTH_OK;
    c->pid = 0;
    return berth_error_set(err, r == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO, "'%s' does not start: %s",
                           argv[0], strerror(r));
}

int child_start(struct child *c, const char *const *argv, berth_str input, uint32_t timeout_ms,
                berth_error *err)
{
    *c = (struct child)CHILD_INIT;
    berth_buf_init(&c->said, SAID_MAX);
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return berth_error_set(err, BERTH_E_IO, "making a pipe: %s", strerror(errno));
    c->out = pipe_fds[0];
    CLEANUP(closep) int end = pipe_fds[1];
    CLEANUP(closep) int in = make_input(input, err);
    if (in < 0)
        return in;
    int r = spawn(c, argv, in, end, err);
    if (r != BERTH_OK)
        return r;
    struct itimerspec at = {.it_value = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L}};
    c->process = (int)syscall(SYS_pidfd_open, c->pid, 0);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (c->timer < 0 || timerfd_settime(c->timer, 0, &at, NULL) < 0 ||
        fcntl(c->out, F_SETFL, O_NONBLOCK) < 0 || !watch(c, c->process) || !watch(c, c->out) ||
        !watch(c, c->timer)) {
        r = berth_error_set(err, BERTH_E_IO, "watching '%s': %s", argv[0], strerror(errno));
        child_done(c);
        return r;
    }
    return BERTH_OK;
}

int child_fd(const struct child *c)
{
    return c->epoll;
}

/* What the pipe holds. */
static void read_said(struct child *c)
{
    char piece[4096];
    ssize_t n = 0;
    while (c->out >= 0 && ((n = read(c->out, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            berth_buf_add(&c->said, piece, (size_t)n);
    explicit_bzero(piece, sizeof(piece));
    if (n == 0 && c->out >= 0) { /* it says no more */
        int out = steal_fd(&c->out);
        closep(&out);
    }
    if (berth_buf_failed(&c->said))
        c->code = BERTH_E_TOO_BIG;
}

static void reap(struct child *c)
{
    siginfo_t how = {0};
    int r;
    while ((r = waitid(P_PID, (id_t)c->pid, &how, WEXITED)) < 0 && errno == EINTR)
        ;
    /* An application that reaps every child of its process leaves us without the exit code. */
    c->status = r < 0 ? 0 : how.si_code == CLD_EXITED ? how.si_status : -1;
    c->pid = 0;
}

/* Adds the children of a stopped process, each a pid_t. A kernel that doesn't list them has none here. */
static void add_children(berth_buf *pids, pid_t of)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)of);
    DIR *tasks = opendir(path);
    for (struct dirent *e; tasks && (e = readdir(tasks));) {
        CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(MIB);
        CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(KIB);
        berth_buf_addf(&name, "%s/%s/children", path, e->d_name);
        if (e->d_name[0] == '.' || !berth_buf_cstr(&name) ||
            io_read_file(berth_buf_cstr(&name), &text, NULL) != BERTH_OK)
            continue;
        berth_str word, rest = berth_buf_str(&text);
        for (uint64_t pid; rest.n;) {
            str_cut(rest, ' ', &word, &rest);
            if (str_to_u64(word, &pid))
                berth_buf_add(pids, &(pid_t){(pid_t)pid}, sizeof(pid_t));
        }
    }
    if (tasks)
        closedir(tasks);
}

/* With all that it has started and that has not got away from it: it stays in our group of processes, for
 * helpers ask on the terminal, and so they can't be ended as a group. Who is stopped starts and reaps
 * nothing more, so each pid is still what it was. */
static void end_it(struct child *c)
{
    CLEANUP(berth_buf_done) berth_buf pids = BERTH_BUF_INIT(MIB);
    pid_t pid = c->pid;
    if (!c->pid)
        return;
    if (c->process < 0 || syscall(SYS_pidfd_send_signal, c->process, SIGSTOP, NULL, 0) == 0)
        add_children(&pids, c->pid);
    for (size_t i = 0; i < pids.n; i += sizeof(pid)) {
        memcpy(&pid, pids.p + i, sizeof(pid));
        kill(pid, SIGSTOP);
        add_children(&pids, pid);
    }
    for (size_t i = 0; i < pids.n; i += sizeof(pid)) {
        memcpy(&pid, pids.p + i, sizeof(pid));
        kill(pid, SIGKILL);
    }
    if (c->process >= 0)
        syscall(SYS_pidfd_send_signal, c->process, SIGKILL, NULL, 0);
    else
        kill(c->pid, SIGKILL);
    reap(c);
}

static bool is_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

bool child_step(struct child *c)
{
    if (!c->pid)
        return true;
    bool ended = is_ready(c->process); /* before the rest is read: nothing of it is missed */
    read_said(c);
    if (ended) {
        reap(c);
    } else if (is_ready(c->timer) || c->code != BERTH_OK) {
        c->code = c->code != BERTH_OK ? c->code : BERTH_E_CANCELLED;
        end_it(c);
    }
    return !c->pid;
}

void child_wait(struct child *c)
{
    struct pollfd p = {.fd = c->epoll, .events = POLLIN};
    while (!child_step(c))
        poll(&p, 1, -1);
}

void child_done(struct child *c)
{
    end_it(c);
    closep(&c->epoll);
    closep(&c->out);
    closep(&c->process);
    closep(&c->timer);
    if (c->said.p)
        explicit_bzero(c->said.p, c->said.n);
    berth_buf_done(&c->said);
    *c = (struct child)CHILD_INIT;
}
