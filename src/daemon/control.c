/* daemon/control.c - see control.h. */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/io.h"

#define COMMAND_MAX  (16 * KIB)
#define SESSIONS_MAX 8

struct session {
    control *owner;
    int fd;
    bool used, ended;
    _Atomic bool stop; /* the server stops, or nobody listens any more */
    pthread_t thread;
};

struct control {
    int fd, dir;
    int (*run)(void *arg, berth_str command, const struct admin_out *out, berth_error *err);
    void *arg;
    pthread_t thread;
    _Atomic bool stop;
    pthread_mutex_t lock; /* guards the flags of the sessions */
    struct session sessions[SESSIONS_MAX];
};

#define SOCKET_NAME "control.sock"

/* Opens the folder @data. A path that is too long for a socket's address is taken through that descriptor,
 * which must live as long as the address is used. */
static int address_of(const char *data, struct sockaddr_un *ret, int *ret_dir, berth_error *err)
{
    CLEANUP(closep) int dir = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return berth_error_set(err, errno == EACCES ? BERTH_E_DENIED : BERTH_E_NOT_FOUND, "opening '%s': %s",
                               data, strerror(errno));
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/" SOCKET_NAME, data);
    if (n < 0 || (size_t)n >= sizeof(ret->sun_path))
        snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" SOCKET_NAME, dir);
    *ret_dir = steal_fd(&dir);
    return BERTH_OK;
}

/* One line; newlines in @text would forge another. False: nobody takes it. */
static bool send_line(int fd, const char *kind, const char *text)
{
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(COMMAND_MAX);
    berth_buf_addf(&b, "%s %s", kind, text);
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] == '\n' || b.p[i] == '\r')
            b.p[i] = ' ';
    berth_buf_putc(&b, '\n');
    return !berth_buf_failed(&b) && send(fd, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n;
}

static void tell(struct session *s, const char *kind, const char *text)
{
    if (!atomic_load(&s->stop) && !send_line(s->fd, kind, text))
        atomic_store(&s->stop, true);
}

static void out_line(void *arg, const char *text)
{
    tell(arg, "L", text);
}

static void out_progress(void *arg, const char *text)
{
    tell(arg, "P", text);
}

static void out_value(void *arg, const char *key, const char *v)
{
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(COMMAND_MAX);
    berth_buf_addf(&b, "%s %s", key, v);
    const char *text = berth_buf_cstr(&b);
    if (text)
        tell(arg, "V", text);
}

static bool stopped(const _Atomic bool *stop)
{
    return stop && atomic_load(stop);
}

/* A line into @buf without its end; false at the end of the stream, beyond the buffer's ceiling, or after
 * @stop. */
static bool read_line(int fd, berth_buf *buf, const _Atomic bool *stop)
{
    char c;
    berth_buf_reset(buf);
    for (;;) {
        if (stopped(stop))
            return false;
        ssize_t n = recv(fd, &c, 1, stop ? MSG_DONTWAIT : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && stop && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            poll(&p, 1, 200);
            continue;
        }
        if (n <= 0)
            return false;
        if (c == '\n')
            return true;
        berth_buf_putc(buf, c);
        if (berth_buf_failed(buf))
            return false;
    }
}

static void *session_main(void *arg)
{
    struct session *s = arg;
    control *c = s->owner;
    CLEANUP(berth_buf_done) berth_buf line = BERTH_BUF_INIT(COMMAND_MAX);
    const struct timeval patience = {.tv_sec = 10};
    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (read_line(s->fd, &line, NULL)) {
        berth_error err = BERTH_ERROR_INIT;
        const struct admin_out out = {
            .line = out_line, .progress = out_progress, .value = out_value, .arg = s, .stop = &s->stop};
        if (c->run(c->arg, berth_buf_str(&line), &out, &err) == BERTH_OK) {
            send_line(s->fd, "OK", "");
        } else {
            char text[sizeof(err.message) + 16];
            snprintf(text, sizeof(text), "%d %s", err.code, err.message);
            send_line(s->fd, "ERR", text);
        }
    }
    pthread_mutex_lock(&c->lock);
    close(s->fd);
    s->ended = true;
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* A free place, joining threads that have ended. */
static struct session *free_session(control *c)
{
    struct session *found = NULL;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &c->sessions[i];
        if (s->used && s->ended) {
            pthread_join(s->thread, NULL);
            *s = (struct session){0};
        }
        if (!s->used && !found)
            found = s;
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

static void *accept_main(void *arg)
{
    control *c = arg;
    for (;;) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        int ready = poll(&p, 1, -1);
        if (atomic_load(&c->stop))
            break;
        if (ready <= 0)
            continue;
        int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            poll(NULL, 0, 100); /* out of descriptors, say: the caller waits */
            continue;
        }
        struct session *s = free_session(c);
        if (!s) {
            char busy[80];
            snprintf(busy, sizeof(busy), "%d too many commands are running: try again later", BERTH_E_BUSY);
            send_line(fd, "ERR", busy);
            close(fd);
            continue;
        }
        *s = (struct session){.owner = c, .fd = fd, .used = true};
        if (pthread_create(&s->thread, NULL, session_main, s) != 0) {
            close(fd);
            *s = (struct session){0};
        }
    }
    return NULL;
}

int control_start(const char *data,
                  int (*run)(void *arg, berth_str command, const struct admin_out *out, berth_error *err),
                  void *arg, control **ret_c, berth_error *err)
{
    struct sockaddr_un sa;
    CLEANUP(closep) int dir = -1;
    int rc = address_of(data, &sa, &dir, err);
    if (rc != BERTH_OK)
        return rc;
    control *c = mem_zalloc(1, sizeof(*c));
    if (!c)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    c->run = run;
    c->arg = arg;
    pthread_mutex_init(&c->lock, NULL);
    unlinkat(dir, SOCKET_NAME, 0); /* a dead server's: we hold the folder's lock */
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || bind(c->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
        fchmodat(dir, SOCKET_NAME, 0600, 0) < 0 || listen(c->fd, SESSIONS_MAX) < 0 ||
        pthread_create(&c->thread, NULL, accept_main, c) != 0) {
        rc = berth_error_set(err, BERTH_E_IO, "opening '%s/" SOCKET_NAME "': %s", data, strerror(errno));
        closep(&c->fd);
        pthread_mutex_destroy(&c->lock);
        mem_free(c);
        return rc;
    }
    c->dir = steal_fd(&dir);
    *ret_c = c;
    return BERTH_OK;
}

void control_stop(control *c)
{
    if (!c)
        return;
    atomic_store(&c->stop, true);
    shutdown(c->fd, SHUT_RDWR); /* wakes the thread that waits for callers */
    pthread_join(c->thread, NULL);
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        atomic_store(&c->sessions[i].stop, true);
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (c->sessions[i].used)
            pthread_join(c->sessions[i].thread, NULL);
    unlinkat(c->dir, SOCKET_NAME, 0);
    close(c->dir);
    close(c->fd);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

int control_ask(const char *data, berth_str command, const struct admin_out *out, bool *ret_served,
                berth_error *err)
{
    struct sockaddr_un sa;
    CLEANUP(closep) int dir = -1;
    *ret_served = false;
    int rc = address_of(data, &sa, &dir, err);
    if (rc != BERTH_OK)
        return rc;
    CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening a socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return berth_error_set(err, errno == EACCES ? BERTH_E_DENIED : BERTH_E_NOT_FOUND,
                               "connecting to '%s/" SOCKET_NAME "': %s", data, strerror(errno));
    *ret_served = true;
    CLEANUP(berth_buf_done) berth_buf line = BERTH_BUF_INIT(COMMAND_MAX);
    berth_buf_add_str(&line, command);
    berth_buf_putc(&line, '\n');
    if (berth_buf_failed(&line))
        return berth_error_set(err, BERTH_E_IO, "sending the command: it is too long");
    /* A server with too much to do says so before it is asked, and closes: EPIPE, and an answer to be read.
     */
    if (send(fd, line.p, line.n, MSG_NOSIGNAL) != (ssize_t)line.n && errno != EPIPE)
        return berth_error_set(err, BERTH_E_IO, "sending the command: %s", strerror(errno));
    while (read_line(fd, &line, out->stop)) {
        const char *text = berth_buf_cstr(&line);
        if (!text)
            break;
        if (strncmp(text, "OK", 2) == 0)
            return BERTH_OK;
        if (strncmp(text, "L ", 2) == 0 && out->line)
            out->line(out->arg, text + 2);
        if (strncmp(text, "P ", 2) == 0 && out->progress)
            out->progress(out->arg, text + 2);
        if (strncmp(text, "V ", 2) == 0) {
            char *space = strchr(line.p + 2, ' ');
            if (space) {
                *space = '\0';
                out->value(out->arg, line.p + 2, space + 1);
            }
        }
        if (strncmp(text, "ERR ", 4) == 0) {
            char *rest;
            long code = strtol(text + 4, &rest, 10);
            return berth_error_set(err, code < 0 ? (int)code : BERTH_E_IO, "%s",
                                   *rest == ' ' ? rest + 1 : rest);
        }
    }
    if (stopped(out->stop))
        return berth_error_set(err, BERTH_E_CANCELLED,
                               "interrupted; the server stops when it next has something to say");
    return berth_error_set(err, BERTH_E_IO, "the server ended the connection before the command was done");
}
