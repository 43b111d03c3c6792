/* util/publish.h - a value that many threads read without a lock while a newer one may take its place.
 *
 * A reader may hold on to what it read, so old values live as long as the publisher: for what changes rarely,
 * such as settings on reload. A value's strings live in an arena of its own. */
#ifndef UTIL_PUBLISH_H
#define UTIL_PUBLISH_H

#include <stdatomic.h>

#include "util/arena.h"

struct published;
typedef struct berth_publisher {
    _Atomic(struct published *) now;
} berth_publisher;

/* A new value of @size bytes, zeroed, and the arena for its strings; NULL without memory. To be given to
 * publish_put() or publish_discard(). */
void *publish_new(size_t size, berth_arena **ret_strings);
void publish_discard(void *value);
void publish_put(berth_publisher *p, void *value); /* one thread at a time */
const void *publish_now(berth_publisher *p);       /* lent until publish_done(); NULL before the first */
void publish_done(berth_publisher *p);             /* frees every value */

#endif
