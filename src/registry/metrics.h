/* registry/metrics.h - counters of the server, printed for Prometheus. Atomic: loops and workers add to them.
 */
#ifndef REGISTRY_METRICS_H
#define REGISTRY_METRICS_H

#include <pthread.h>
#include <stdatomic.h>

#include "util/base.h"

#define METRICS_ROUTES  32 /* rows of the table of routes, and one for "no route" */
#define METRICS_BUCKETS 10

struct metrics_route {
    atomic_ullong by_status[6];             /* 1xx … 5xx; 0: no answer was sent */
    atomic_ullong buckets[METRICS_BUCKETS]; /* latency, not cumulative */
    atomic_ullong latency_us;
    atomic_ullong bytes_in, bytes_out;
};

/* The same for one repository, when asked for (metrics.per_repository). */
struct metrics_repository {
    struct metrics_repository *next;
    char *name;
    unsigned long long requests, latency_us, bytes_in, bytes_out;
};

struct metrics {
    struct metrics_route routes[METRICS_ROUTES];
    atomic_ullong uploads_started, uploads_finished;
    pthread_mutex_t repositories_lock;
    struct metrics_repository *repositories[256];
    size_t n_repositories;
};

#endif
