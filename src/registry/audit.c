/* registry/audit.c - see audit.h. The write that a line tells of is done by then: a line that can't be
 * written refuses nobody, but none is lost without a word. */
#include "registry/audit.h"

#include <errno.h>
#include <sys/stat.h>

#include "util/clock.h"
#include "util/log.h"

void audit_init(struct audit *a)
{
    pthread_mutex_init(&a->lock, NULL);
    atomic_store(&a->fd, -1);
}

void audit_done(struct audit *a)
{
    if (a->lost)
        log_event(LOG_ERROR, "the audit log has lost lines", F_INT("lost", a->lost));
    pthread_mutex_destroy(&a->lock);
}

static bool ends_within_a_line(int fd)
{
    struct stat st;
    char last = '\n';
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
           pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
}

void audit_to(struct audit *a, int fd)
{
    pthread_mutex_lock(&a->lock);
    a->torn = ends_within_a_line(fd);
    atomic_store(&a->fd, fd);
    pthread_mutex_unlock(&a->lock);
}

/* 0, or why not. */
static int write_line(struct audit *a, int fd, berth_str line)
{
    const char *at = line.p + (a->torn ? 0 : 1), *end = line.p + line.n;
    while (at < end) {
        ssize_t n = write(fd, at, (size_t)(end - at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        at += n;
        a->torn = at[-1] != '\n';
    }
    return 0;
}

/* Nobody reads a message for each line of thousands. */
static void tell(struct audit *a, int error)
{
    int64_t now = clock_mono_ms();
    bool quiet = a->said_ms && now - a->said_ms < AUDIT_SAY_MS;
    if (error && !quiet) {
        log_event(LOG_ERROR, "the audit log loses lines", F_INT("lost", a->lost),
                  F_CSTR("reason", strerror(error)));
        a->failing = true;
        a->said_ms = now;
    } else if (!error && a->lost && (a->failing || !quiet)) {
        log_event(LOG_WARN, "the audit log is written again", F_INT("lost", a->lost));
        a->failing = false;
        a->lost = 0;
        a->said_ms = now;
    }
}

void audit_append(struct audit *a, berth_str line)
{
    pthread_mutex_lock(&a->lock);
    int fd = atomic_load(&a->fd);
    int error = fd < 0 ? 0 : line.p ? write_line(a, fd, line) : ENOMEM;
    if (error) {
        a->lost++;
        atomic_fetch_add_explicit(&a->lines_lost, 1, memory_order_relaxed);
    }
    if (fd >= 0)
        tell(a, error);
    pthread_mutex_unlock(&a->lock);
}
