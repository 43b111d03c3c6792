/* bench/histogram.h - latencies counted in buckets no wider than 1/64 of their value, so that a percentile of
 * millions of requests costs neither memory nor sorting. In microseconds. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_FINE    64 /* buckets for each doubling */
#define HISTOGRAM_BUCKETS ((64 - 6) * HISTOGRAM_FINE + HISTOGRAM_FINE)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t n, max, sum;
};

void histogram_add(struct histogram *h, uint64_t us);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that @share (0 to 1) of the entries do not exceed, to the bucket's width; 0 when empty. */
uint64_t histogram_at(const struct histogram *h, double share);

#endif
