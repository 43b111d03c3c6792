/* client/ranges.h - a blob in several ranges at once, each over a connection of its own, into one file that
 * is spread (client/partial.h). The download goes on with a range of its own beside these; each is a call
 * with its own tries, which takes the next gap when it has filled one. One that fails gives its gap back, and
 * is not replaced: in the end the download is alone with what is left, and its failure is the last. */
#ifndef CLIENT_RANGES_H
#define CLIENT_RANGES_H

#include "client/internal.h"
#include "client/partial.h"

struct range;

struct ranges {
    berth_call *call; /* the download */
    struct partial *file;
    unsigned at_once;    /* with the download's own */
    uint64_t step;       /* bytes of one */
    struct range *first; /* under way beside the download's own */
    unsigned n;
};

/* All by the driver. */
void ranges_begin(struct ranges *r); /* as many as there are gaps for */
void ranges_stop(struct ranges *r);  /* not from an event of an exchange */

/* Where the next request goes, for the rest of @gap. */
void ranges_aim(berth_call *call, const struct gap *gap);

/* The header of the answer to a request from @from on: it holds nothing else, of the same blob. */
int ranges_check(berth_call *call, uint64_t from, uint64_t end, uint64_t size);

/* What has come into @gap; what lies behind it is passed over. Tells the download's progress. */
int ranges_take(struct ranges *r, struct gap *gap, const void *p, size_t n, berth_error *err);

#endif
