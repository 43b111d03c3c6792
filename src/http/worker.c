/* http/worker.c - the bounded pool of threads that handlers block in: one queue, first come, first served.
 * Threads come to be when a job finds none idle, and stay: 32 of them at the start would cost a third of the
 * time to the first answer. */
#include "http/internal.h"

#include <errno.h>

#include "util/fault.h"

struct http_pool {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct http_job *first, **end;
    size_t waiting, idle;
    bool closing;
    unsigned n_threads, max_threads;
    pthread_t threads[];
};

static void *worker_main(void *arg)
{
    struct http_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->first && !pool->closing) {
            pool->idle++;
            pthread_cond_wait(&pool->some, &pool->lock);
            pool->idle--;
        }
        struct http_job *job = pool->first;
        if (!job)
            break;
        pool->first = job->next;
        if (!pool->first)
            pool->end = &pool->first;
        pool->waiting--;
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* One more, with the lock held; an error number. */
static int add_thread(struct http_pool *pool)
{
    int r = fault_hit() ? EAGAIN : pthread_create(&pool->threads[pool->n_threads], NULL, worker_main, pool);
    if (r == 0)
        pool->n_threads++;
    return r;
}

int http_pool_new(unsigned threads, struct http_pool **ret_pool, berth_error *err)
{
    struct http_pool *pool =
        fault_hit() ? NULL : mem_zalloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    if (!pool)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for %u workers", threads);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->some, NULL);
    pool->end = &pool->first;
    pool->max_threads = threads;
    pthread_mutex_lock(&pool->lock);
    int r = add_thread(pool);
    pthread_mutex_unlock(&pool->lock);
    if (r) {
        http_pool_free(pool);
        return berth_error_set(err, BERTH_E_IO, "starting a worker: %s", strerror(r));
    }
    *ret_pool = pool;
    return BERTH_OK;
}

bool http_pool_push(struct http_pool *pool, struct http_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->closing) {
        pthread_mutex_unlock(&pool->lock);
        return false;
    }
    *pool->end = job;
    pool->end = &job->next;
    pool->waiting++;
    bool wake = pool->idle > 0;
    if (pool->waiting > pool->idle && pool->n_threads < pool->max_threads)
        (void)add_thread(pool); /* those that are there will do */
    pthread_mutex_unlock(&pool->lock);
    if (wake)
        pthread_cond_signal(&pool->some);
    return true;
}

size_t http_pool_waiting(struct http_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t n = pool->waiting;
    pthread_mutex_unlock(&pool->lock);
    return n;
}

void http_pool_end(struct http_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_broadcast(&pool->some);
    for (unsigned i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pool->n_threads = 0;
}

void http_pool_free(struct http_pool *pool)
{
    if (!pool)
        return;
    http_pool_end(pool);
    pthread_cond_destroy(&pool->some);
    pthread_mutex_destroy(&pool->lock);
    mem_free(pool);
}
