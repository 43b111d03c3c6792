/* daemon/serve.c - the life of the server process: open, listen, run, reload, stop. */
#include "daemon/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/collector.h"
#include "daemon/control.h"
#include "daemon/systemd.h"
#include "daemon/wiring.h"
#include "util/clock.h"
#include "util/log.h"

struct server {
    struct config *config;
    const char *path;
    const char *const *flags;
    size_t n_flags;
    struct instance in;
    registry *reg;
    http_server *http;
    collector *collector;
    control *control;
    int audit_fd;
    /* Reloading is the main thread's alone; a command that asks for it waits here for what came of it. */
    pthread_mutex_t reload_lock;
    pthread_cond_t reloaded;
    unsigned reloads;
    bool reloading;
    int reload_result;
    berth_error reload_err;
};

/* To be read too, for whether it ends within a line; a pipe is not, and who may only write need not. */
static int open_to_append(const char *path)
{
    struct stat st;
    bool file = stat(path, &st) < 0 || S_ISREG(st.st_mode);
    int fd = open(path, (file ? O_RDWR : O_WRONLY) | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd < 0 && errno == EACCES ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : fd;
}

static int open_audit(struct server *s, const struct config *c, berth_error *err)
{
    const char *path = c->log.audit;
    CLEANUP(closep) int fd = -1;
    if (path || s->audit_fd >= 0)
        fd = open_to_append(path ? path : "/dev/null");
    if (path && fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening the audit log '%s': %s", path, strerror(errno));
    /* A loop may be about to write to the number it has read: that number must never become an object's or a
     * client's, so the file behind it changes and the number stays until the server is freed. */
    int r = 0;
    if (s->audit_fd < 0)
        s->audit_fd = steal_fd(&fd);
    else
        while ((r = dup3(fd, s->audit_fd, O_CLOEXEC)) < 0 && (errno == EINTR || errno == EBUSY))
            ;
    if (r < 0)
        return berth_error_set(err, BERTH_E_IO, "changing the audit log: %s", strerror(errno));
    registry_set_audit(s->reg, path ? s->audit_fd : -1);
    return BERTH_OK;
}

/* What can change while it runs; the rest is named in a warning. */
static int apply_policies(struct server *s, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct repo_policy rules;
    struct registry_policy api;
    int rc = wiring_repo_policy(s->config, &rules, err);
    if (rc == BERTH_OK)
        rc = wiring_registry_policy(s->config, &a, &api, err);
    if (rc == BERTH_OK)
        rc = repo_set_policy(s->in.repo, &rules, err);
    if (rc == BERTH_OK)
        rc = registry_set_policy(s->reg, &api, err);
    return rc;
}

static int reload(struct server *s, berth_error *err)
{
    struct config *fresh = NULL;
    int rc = config_load(s->path, s->flags, s->n_flags, &fresh, err);
    if (rc != BERTH_OK)
        return rc;
    CLEANUP(berth_buf_done) berth_buf keys = BERTH_BUF_INIT(64 * KIB);
    config_diff(s->config, fresh, &keys);
    for (berth_str rest = berth_buf_str(&keys), key; rest.n;) {
        str_cut(rest, ',', &key, &rest);
        log_event(config_key_reloads(key) ? LOG_INFO : LOG_WARN,
                  config_key_reloads(key) ? "setting changed"
                                          : "setting changed, but takes effect after a restart",
                  F_STR("key", key));
    }
    /* Files first: they are what can be wrong, and then no setting has changed yet. */
    rc = http_server_reload_tls(s->http, err);
    if (rc == BERTH_OK)
        rc = open_audit(s, fresh, err);
    if (rc != BERTH_OK) {
        config_free(fresh);
        return rc;
    }
    struct config *was = s->config;
    s->config = fresh;
    wiring_log(fresh);
    rc = apply_policies(s, err);
    collector_reconfigure(s->collector, fresh);
    config_free(was);
    return rc;
}

/* Asks the main thread by its signal, and waits. A reload that is running already may have read the old
 * files. */
static int command_reload(struct server *s, const struct admin_out *out, berth_error *err)
{
    int rc = BERTH_E_CANCELLED;
    pthread_mutex_lock(&s->reload_lock);
    unsigned until = s->reloads + (s->reloading ? 2 : 1);
    kill(getpid(), SIGHUP);
    while ((int)(s->reloads - until) < 0 && !atomic_load(out->stop)) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 200000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->reloaded, &s->reload_lock, &soon);
    }
    if ((int)(s->reloads - until) >= 0) {
        rc = s->reload_result;
        *err = s->reload_err;
        if (rc == BERTH_OK)
            out->value(out->arg, "reloaded", "true");
    } else {
        berth_error_set(err, rc, "the server stops");
    }
    pthread_mutex_unlock(&s->reload_lock);
    return rc;
}

static int control_command(void *arg, berth_str command, const struct admin_out *out, berth_error *err)
{
    struct server *s = arg;
    if (str_eq(command, STR("reload")))
        return command_reload(s, out, err);
    log_event(LOG_INFO, "command", F_STR("command", command));
    return admin_run(&s->in, command, out, err);
}

/* @address as it was asked for: of ":5000", which is every address, the bound one says localhost. */
static bool is_for_this_machine(berth_str address, berth_str bound)
{
    return !str_starts(address, STR(":")) &&
           (str_starts(bound, STR("localhost:")) || str_starts(bound, STR("127.")) ||
            str_starts(bound, STR("[::1]:")) || str_starts(bound, STR("unix:")));
}

static int listen_on(struct server *s, const char *address, const struct config_listen *l, char **ret_url,
                     berth_error *err)
{
    CLEANUP(freep) char *bound = NULL;
    const struct http_tls tls = {l->certificate, l->key, l->client_ca, l->tls_minimum, l->tls_ciphers};
    int rc = http_server_listen(s->http, address, l->certificate ? &tls : NULL, &bound, err);
    if (rc != BERTH_OK)
        return rc;
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(64 * KIB);
    const char *scheme = strncmp(bound, "unix:", 5) == 0 ? "" : l->certificate ? "https://" : "http://";
    berth_buf_addf(&url, "%s%s", scheme, bound);
    *ret_url = berth_buf_take(&url);
    if (!*ret_url)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    printf("listening on %s\n", *ret_url);
    log_event(LOG_INFO, "listening", F_CSTR("address", *ret_url));
    if (!is_for_this_machine(str_from(address), str_from(bound)) && strncmp(address, "fd:", 3) != 0 &&
        !l->client_ca)
        log_event(LOG_WARN,
                  l->certificate ? "anyone who reaches this address may push and delete: there are no users"
                                 : "anyone who reaches this address may push and delete, and nothing is "
                                   "encrypted: there are no users, and no certificate",
                  F_CSTR("address", address));
    return BERTH_OK;
}

static int listen_everywhere(struct server *s, char **ret_first_url, berth_error *err)
{
    const struct config *c = s->config;
    unsigned inherited = systemd_listen_fds(), n = inherited ? inherited : c->listen_count;
    for (unsigned i = 0; i < n; i++) {
        char fd_address[16];
        snprintf(fd_address, sizeof(fd_address), "fd:%u", 3 + i);
        const struct config_listen *l = &c->listen[MIN(i, c->listen_count - 1)];
        CLEANUP(freep) char *url = NULL;
        int rc = listen_on(s, inherited ? fd_address : l->address, l, &url, err);
        if (rc != BERTH_OK)
            return rc;
        if (i == 0)
            *ret_first_url = steal(&url);
    }
    return BERTH_OK;
}

/* What a newcomer does next; for a person at a terminal or `make run`. */
static void print_hints(const char *url)
{
    const char *host = strstr(url, "://");
    if (!host || strncmp(url, "http://", 7) != 0)
        return;
    host += 3;
    /* Every address is none that a client can be told, and podman and skopeo take no IPv6 address for a host;
     * this machine has a name for all of these. */
    const char *name = "";
    if (str_starts(str_from(host), STR("0.0.0.0:")) || str_starts(str_from(host), STR("[::]:")) ||
        str_starts(str_from(host), STR("[::1]:"))) {
        name = "localhost";
        host = strrchr(host, ':');
    }
    printf("push:  skopeo copy --dest-tls-verify=false oci:IMAGE:TAG docker://%s%s/NAME:TAG\n"
           "       podman push --tls-verify=false IMAGE %s%s/NAME:TAG\n"
           "pull:  podman pull --tls-verify=false %s%s/NAME:TAG\n",
           name, host, name, host, name, host);
}

static void reload_and_tell(struct server *s)
{
    berth_error err = BERTH_ERROR_INIT;
    pthread_mutex_lock(&s->reload_lock);
    s->reloading = true;
    pthread_mutex_unlock(&s->reload_lock);
    int rc = reload(s, &err);
    if (rc == BERTH_OK)
        log_event(LOG_INFO, "reloaded", F_CSTR("file", s->path ? s->path : "-"));
    else
        log_event(LOG_ERROR, "reload failed, the old settings stay", F_CSTR("reason", err.message));
    pthread_mutex_lock(&s->reload_lock);
    s->reloading = false;
    s->reloads++;
    s->reload_result = rc;
    s->reload_err = err;
    pthread_cond_broadcast(&s->reloaded);
    pthread_mutex_unlock(&s->reload_lock);
}

/* Only while every loop takes its turns: a server that hangs is to be started anew. */
static void tell_watchdog(struct server *s, uint64_t patience_ms)
{
    struct http_stats h;
    http_server_stats(s->http, &h);
    if ((uint64_t)h.still_ms < patience_ms + 1000)
        systemd_notify("WATCHDOG=1");
    else
        log_event(LOG_ERROR, "an event loop hangs: the watchdog is not answered", F_INT("ms", h.still_ms));
}

/* Until a signal asks to stop. Signals are blocked in every thread and taken here, one after the other. */
static void wait_for_signals(struct server *s, const sigset_t *signals)
{
    uint64_t watchdog = systemd_watchdog_ms();
    for (;;) {
        struct timespec patience = {.tv_sec = (time_t)(watchdog / 1000),
                                    .tv_nsec = (long)(watchdog % 1000) * 1000000};
        int sig = watchdog ? sigtimedwait(signals, NULL, &patience) : sigwaitinfo(signals, NULL);
        if (watchdog)
            tell_watchdog(s, watchdog);
        if (sig < 0)
            continue;
        if (sig != SIGHUP) {
            log_event(LOG_INFO, "stopping", F_CSTR("signal", sig == SIGTERM ? "SIGTERM" : "SIGINT"));
            return;
        }
        systemd_notify("RELOADING=1");
        reload_and_tell(s);
        systemd_notify("READY=1");
    }
}

static int start(struct server *s, char **ret_url, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct registry_policy api;
    struct http_options http;
    int rc = instance_open(s->config, true, &s->in, err);
    if (rc == BERTH_OK)
        rc = wiring_registry_policy(s->config, &a, &api, err);
    if (rc == BERTH_OK)
        rc = registry_new(s->in.repo, &api, &s->reg, err);
    if (rc == BERTH_OK)
        rc = open_audit(s, s->config, err);
    if (rc == BERTH_OK)
        rc = wiring_http_options(s->config, &http);
    if (rc == BERTH_OK)
        rc = http_server_new(registry_app(s->reg), &http, &s->http, err);
    if (rc != BERTH_OK)
        return rc;
    registry_set_server(s->reg, s->http);
    rc = listen_everywhere(s, ret_url, err);
    if (rc == BERTH_OK)
        rc = collector_start(s->in.repo, s->in.m, s->config, &s->collector, err);
    if (rc != BERTH_OK)
        return rc;
    if (strcmp(s->config->storage.driver, "memory") != 0) {
        berth_error why = BERTH_ERROR_INIT;
        if (control_start(s->config->data, control_command, s, &s->control, &why) != BERTH_OK)
            log_event(LOG_WARN, "no control socket", F_CSTR("reason", why.message));
    }
    return http_server_start(s->http, err);
}

static void stop(struct server *s)
{
    control_stop(s->control);
    collector_stop(s->collector);
    http_server_free(s->http);
    registry_free(s->reg);
    instance_close(&s->in);
    closep(&s->audit_fd);
    config_free(s->config);
}

static void warn_of_variable(void *arg, const char *name, const char *nearest)
{
    (void)arg;
    if (*nearest)
        log_event(LOG_WARN, "a variable of the environment is no setting", F_CSTR("variable", name),
                  F_CSTR("nearest", nearest));
    else
        log_event(LOG_WARN, "a variable of the environment is no setting", F_CSTR("variable", name));
}

int daemon_serve(struct config *c, const char *path, const char *const *flags, size_t n_flags,
                 berth_error *err)
{
    struct server s = {.config = c,
                       .path = path,
                       .flags = flags,
                       .n_flags = n_flags,
                       .in = {.data_fd = -1, .lock_fd = -1},
                       .audit_fd = -1};
    CLEANUP(freep) char *url = NULL;
    pthread_mutex_init(&s.reload_lock, NULL);
    pthread_cond_init(&s.reloaded, NULL);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread: they inherit it */
    signal(SIGPIPE, SIG_IGN);
    wiring_log(c);
    config_unknown_variables(warn_of_variable, NULL);

    int rc = start(&s, &url, err);
    if (rc == BERTH_OK) {
        print_hints(url);
        fflush(stdout);
        systemd_notify("READY=1");
        wait_for_signals(&s, &signals);
        systemd_notify("STOPPING=1");
        registry_set_stopping(s.reg);
        http_server_stop(s.http);
        http_server_join(s.http);
    }
    stop(&s);
    pthread_cond_destroy(&s.reloaded);
    pthread_mutex_destroy(&s.reload_lock);
    return rc;
}
