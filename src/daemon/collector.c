/* daemon/collector.c - see collector.h. */
#include "daemon/collector.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "util/clock.h"
#include "util/log.h"

#define REQUEUE_ROWS 500

struct collector {
    repo *r;
    meta *m;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t interval; /* guarded by lock */
    char window[16];   /* guarded by lock */
    bool untagged;
    _Atomic bool stop;
};

/* "22:00-06:00" in local time; an empty window is always open. */
static bool window_open(const char *window)
{
    int h1, m1, h2, m2;
    if (sscanf(window, "%2d:%2d-%2d:%2d", &h1, &m1, &h2, &m2) != 4)
        return true;
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    int at = tm.tm_hour * 60 + tm.tm_min, from = h1 * 60 + m1, to = h2 * 60 + m2;
    return from <= to ? at >= from && at < to : at >= from || at < to;
}

/* The setting gc.untagged may have been switched on since manifests were last looked at. */
static void requeue_untagged(collector *c)
{
    CLEANUP(berth_buf_done) berth_buf cursor = BERTH_BUF_INIT(64 * KIB);
    bool more = true;
    berth_error err;
    while (more && !atomic_load(&c->stop))
        if (c->m->ops->gc_requeue_untagged(c->m, REQUEUE_ROWS, &cursor, &more, &err) != BERTH_OK) {
            log_event(LOG_WARN, "queueing untagged manifests failed", F_CSTR("reason", err.message));
            return;
        }
}

static void run_once(collector *c)
{
    struct repo_gc_result r;
    berth_error err;
    int64_t start = clock_mono_ms();
    int rc = repo_gc(c->r, &c->stop, &r, &err);
    if (rc == BERTH_E_BUSY) { /* somebody asked for one just now, or the clock was moved */
        log_event(LOG_WARN, "collection put off", F_CSTR("reason", err.message));
        return;
    }
    if (rc != BERTH_OK)
        log_event(LOG_ERROR, "collection failed", F_CSTR("reason", err.message));
    else if (r.manifests + r.links + r.blobs + r.uploads + r.objects + r.repositories)
        log_event(LOG_INFO, "collected", F_INT("manifests", r.manifests), F_INT("blobs", r.blobs),
                  F_INT("uploads", r.uploads), F_INT("objects", r.objects), F_INT("bytes", r.bytes),
                  F_INT("ms", clock_mono_ms() - start));
}

static void *collector_main(void *arg)
{
    collector *c = arg;
    if (c->untagged)
        requeue_untagged(c);
    pthread_mutex_lock(&c->lock);
    int64_t last = clock_mono_ms(); /* a reload must not put off what is due */
    while (!atomic_load(&c->stop)) {
        int64_t past = clock_mono_ms() - last;
        bool due = c->interval && past >= (int64_t)c->interval;
        if (due && window_open(c->window)) {
            pthread_mutex_unlock(&c->lock);
            run_once(c);
            pthread_mutex_lock(&c->lock);
            last = clock_mono_ms();
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        /* due, but outside the window: its beginning must not be missed */
        uint64_t wait = !c->interval ? 3600000 : due ? 60000 : c->interval - (uint64_t)past;
        until.tv_sec += (time_t)(wait / 1000);
        until.tv_nsec += (long)(wait % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&c->changed, &c->lock, &until);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

void collector_reconfigure(collector *c, const struct config *config)
{
    pthread_mutex_lock(&c->lock);
    c->interval = config->gc.interval;
    snprintf(c->window, sizeof(c->window), "%s", config->gc.window ? config->gc.window : "");
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

int collector_start(repo *r, meta *m, const struct config *config, collector **ret_c, berth_error *err)
{
    collector *c = mem_zalloc(1, sizeof(*c));
    if (!c)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    c->r = r;
    c->m = m;
    c->untagged = config->gc.untagged > 0;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&c->lock, NULL);
    collector_reconfigure(c, config);
    if (pthread_create(&c->thread, NULL, collector_main, c) != 0) {
        pthread_cond_destroy(&c->changed);
        pthread_mutex_destroy(&c->lock);
        mem_free(c);
        return berth_error_set(err, BERTH_E_NOMEM, "no thread for the collector");
    }
    *ret_c = c;
    return BERTH_OK;
}

void collector_stop(collector *c)
{
    if (!c)
        return;
    atomic_store(&c->stop, true);
    pthread_mutex_lock(&c->lock);
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}
