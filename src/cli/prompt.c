/* cli/prompt.c - see prompt.h. */
#include "cli/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>

#include "cli/cli.h"
#include "util/io.h"

#define ANSWER_MAX (64 * KIB)

static void wipe(berth_buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    berth_buf_done(b);
}

/* A byte; a signal that @mask lets through ends the waiting, also one that came just before it. */
static ssize_t take_byte(int fd, const sigset_t *mask, char *ret)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return mask && ppoll(&p, 1, NULL, mask) < 0 ? -1 : read(fd, ret, 1);
}

/* Up to the end, or a newline if @line. @mask: see take_byte(); NULL: none. False: too much, an error, or a
 * signal. */
static bool take(int fd, bool line, const sigset_t *mask, berth_buf *all)
{
    char c;
    ssize_t n;
    while ((n = take_byte(fd, mask, &c)) > 0 || (n < 0 && errno == EINTR && !line)) {
        if (n > 0 && line && c == '\n')
            break;
        if (n > 0)
            berth_buf_putc(all, c);
    }
    while (all->n && (all->p[all->n - 1] == '\n' || all->p[all->n - 1] == '\r'))
        all->n--;
    return n >= 0 && !berth_buf_failed(all);
}

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

static bool ask(int fd, const char *question)
{
    berth_error err = BERTH_ERROR_INIT;
    return io_write_all(fd, question, strlen(question), &err) == BERTH_OK;
}

/* A terminal that shows nothing must not be what a signal leaves behind: it waits until all is as it was. */
static bool take_hidden(int fd, const struct termios *was, const char *question, berth_buf *answer)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    struct sigaction before[COUNT(numbers)], now = {.sa_handler = on_signal};
    struct termios quiet = *was;
    sigset_t ours, mask;
    quiet.c_lflag = (quiet.c_lflag & ~(tcflag_t)ECHO) | ECHONL | ICANON;
    caught = 0;
    sigemptyset(&ours);
    for (size_t i = 0; i < COUNT(numbers); i++)
        sigaddset(&ours, numbers[i]);
    sigprocmask(SIG_BLOCK, &ours, &mask);
    for (size_t i = 0; i < COUNT(numbers); i++)
        sigaction(numbers[i], &now, &before[i]);
    tcsetattr(fd, TCSAFLUSH, &quiet); /* before the question: who answers at once is neither shown nor lost */
    bool taken = ask(fd, question) && take(fd, true, &mask, answer);
    tcsetattr(fd, TCSAFLUSH, was);
    for (size_t i = 0; i < COUNT(numbers); i++)
        sigaction(numbers[i], &before[i], NULL);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (caught)
        raise(caught);
    return taken && !caught;
}

bool prompt_line(const char *command, const char *question, bool echoes, char **ret)
{
    CLEANUP(wipe) berth_buf answer = BERTH_BUF_INIT(ANSWER_MAX);
    CLEANUP(closep) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios was;
    if (fd < 0 || tcgetattr(fd, &was) < 0) {
        cli_usage(command, "no terminal to ask at: --username and --password-stdin are needed");
        return false;
    }
    bool taken = echoes ? ask(fd, question) && take(fd, true, NULL, &answer)
                        : take_hidden(fd, &was, question, &answer);
    if (!taken || !answer.n) {
        cli_usage(command, "nothing was typed");
        return false;
    }
    *ret = berth_buf_take(&answer);
    return *ret;
}

bool prompt_read_all(const char *command, char **ret)
{
    CLEANUP(wipe) berth_buf all = BERTH_BUF_INIT(ANSWER_MAX);
    if (take(STDIN_FILENO, false, NULL, &all) && (*ret = berth_buf_take(&all)))
        return true;
    cli_usage(command, "the password on standard input is too long, or can't be read");
    return false;
}
