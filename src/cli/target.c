/* cli/target.c - see target.h. */
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "util/io.h"

/* --- what a signal leaves behind: nothing --- */

static const int deadly[] = {SIGINT, SIGTERM, SIGHUP};

struct unfinished {
    struct unfinished *next;
    char path[];
};
static struct unfinished *unfinished_files; /* changed while the signals above are held back */

static bool (*volatile first)(int sig);

/* Removes what is not whole, and lets the signal do what it does without us: who started us, a shell in a
 * loop perhaps, sees that we were interrupted. */
static void on_signal(int sig)
{
    if (first && first(sig))
        return;
    for (const struct unfinished *u = unfinished_files; u; u = u->next)
        unlink(u->path);
    progress_interrupted();
    signal(sig, SIG_DFL);
    raise(sig);
}

static void hold(sigset_t *ret_was)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < COUNT(deadly); i++)
        sigaddset(&set, deadly[i]);
    pthread_sigmask(SIG_BLOCK, &set, ret_was);
}

static sigset_t before_hold;

void target_signals_hold(void)
{
    hold(&before_hold);
}

bool target_signal_waits(void)
{
    sigset_t set;
    bool any = false;
    sigpending(&set);
    for (size_t i = 0; i < COUNT(deadly); i++) {
        struct sigaction now; /* one that is ignored waits too, where it is held back */
        any |= sigismember(&set, deadly[i]) == 1 && sigaction(deadly[i], NULL, &now) == 0 &&
               now.sa_handler != SIG_IGN;
    }
    return any;
}

void target_signals_release(void)
{
    pthread_sigmask(SIG_SETMASK, &before_hold, NULL);
}

void target_signal_first(bool (*fn)(int sig))
{
    first = fn;
}

void target_catch_signals(void)
{
    for (size_t i = 0; i < COUNT(deadly); i++) {
        struct sigaction was;
        if (sigaction(deadly[i], NULL, &was) == 0 && was.sa_handler == SIG_DFL) /* nohup's stays */
            signal(deadly[i], on_signal);
    }
}

static void forget(const char *path)
{
    for (struct unfinished **at = &unfinished_files; *at; at = &(*at)->next)
        if (strcmp((*at)->path, path) == 0) {
            struct unfinished *gone = *at;
            *at = gone->next;
            mem_free(gone);
            return;
        }
}

/* --- the file --- */

/* The temporary file beside @t->file, known to the handler from its first moment on. */
static int create(struct target *t, berth_error *err)
{
    size_t size = strlen(t->file) + sizeof(".XXXXXX");
    struct unfinished *u = mem_alloc(sizeof(*u) + size);
    t->unfinished = mem_alloc(size);
    if (!u || !t->unfinished) {
        mem_free(u);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    snprintf(u->path, size, "%s.XXXXXX", t->file);
    target_catch_signals();
    sigset_t was;
    hold(&was);
    t->fd = mkostemp(u->path, O_CLOEXEC);
    int e = errno;
    memcpy(t->unfinished, u->path, size);
    if (t->fd >= 0) {
        u->next = unfinished_files;
        unfinished_files = u;
    }
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    if (t->fd >= 0)
        return BERTH_OK;
    mem_free(u);
    mem_free(steal(&t->unfinished));
    return berth_error_set(err, e == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO, "creating '%s': %s", t->file,
                           strerror(e));
}

int target_open(struct target *t, const char *file, bool binary, berth_error *err)
{
    *t = (struct target)TARGET_INIT;
    t->file = file && strcmp(file, "-") != 0 ? file : NULL;
    if (!t->file) {
        t->fd = STDOUT_FILENO;
        return binary && isatty(STDOUT_FILENO)
                   ? berth_error_set(
                         err, BERTH_E_INVALID,
                         "the content may be binary, and standard output is a terminal: give it a "
                         "file with -o FILE, or a pipe")
                   : BERTH_OK;
    }
    struct stat st;
    if (stat(t->file, &st) == 0 && S_ISDIR(st.st_mode))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is a folder: name a file in it", t->file);
    if (stat(t->file, &st) == 0 && !S_ISREG(st.st_mode)) { /* /dev/null, a pipe: nothing to rename */
        t->fd = open(t->file, O_WRONLY | O_CLOEXEC);
        return t->fd >= 0 ? BERTH_OK
                          : berth_error_set(err, BERTH_E_IO, "opening '%s': %s", t->file, strerror(errno));
    }
    int r = create(t, err);
    if (r != BERTH_OK)
        return r;
    mode_t mask = umask(0);
    umask(mask);
    fchmod(t->fd, 0666 & ~mask);
    return BERTH_OK;
}

int target_write(struct target *t, const void *p, size_t n, berth_error *err)
{
    int r = io_write_all(t->fd, p, n, err);
    if (r != BERTH_OK && !t->file)
        cli_check_pipe(errno);
    return r;
}

int target_sink(void *target, const void *p, size_t n)
{
    struct target *t = target;
    return target_write(t, p, n, &t->err);
}

const berth_error *target_error(const struct target *t, const berth_error *err)
{
    return t->err.code != BERTH_OK ? &t->err : err;
}

int target_finish(struct target *t, berth_error *err)
{
    if (!t->unfinished)
        return BERTH_OK;
    sigset_t was;
    hold(&was);
    int r = rename(t->unfinished, t->file), e = errno;
    if (r == 0)
        forget(t->unfinished);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    if (r < 0)
        return berth_error_set(err, BERTH_E_IO, "naming '%s': %s", t->file, strerror(e));
    mem_free(steal(&t->unfinished));
    closep(&t->fd);
    t->fd = -1;
    return BERTH_OK;
}

void target_done(struct target *t)
{
    if (t->file && !t->unfinished)
        closep(&t->fd);
    if (!t->unfinished)
        return;
    sigset_t was;
    hold(&was);
    unlink(t->unfinished);
    forget(t->unfinished);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    closep(&t->fd);
    mem_free(steal(&t->unfinished));
}
