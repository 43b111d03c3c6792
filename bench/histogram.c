/* bench/histogram.c - see histogram.h. Below 2 * FINE a bucket is one value; above, a value's bucket is its
 * highest set bit and the six bits that follow. */
#include "histogram.h"

#include "util/base.h"

static unsigned bucket_of(uint64_t v)
{
    if (v < (uint64_t)2 * HISTOGRAM_FINE)
        return (unsigned)v;
    unsigned shift = 63u - (unsigned)__builtin_clzll(v) - 6u;
    return shift * HISTOGRAM_FINE + (unsigned)(v >> shift);
}

/* The highest value that falls into a bucket. */
static uint64_t top_of(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_FINE)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_FINE - 1;
    uint64_t lead = HISTOGRAM_FINE + bucket % HISTOGRAM_FINE;
    return ((lead + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
    h->counts[bucket_of(us)]++;
    h->n++;
    h->sum += us;
    h->max = MAX(h->max, us);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->n += from->n;
    into->sum += from->sum;
    into->max = MAX(into->max, from->max);
}

uint64_t histogram_at(const struct histogram *h, double share)
{
    double wanted = share * (double)h->n;
    uint64_t seen = 0;
    for (unsigned i = 0; h->n && i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen && (double)seen >= wanted)
            return MIN(top_of(i), h->max);
    }
    return h->max;
}
