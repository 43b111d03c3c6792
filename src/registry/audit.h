/* registry/audit.h - the audit log: a line of JSON for each write that was done, appended to a file. What the
 * file does not take is lost, counted, and said in the log. Thread-safe: loops write to it. */
#ifndef REGISTRY_AUDIT_H
#define REGISTRY_AUDIT_H

#include <pthread.h>
#include <stdatomic.h>

#include "util/str.h"

#define AUDIT_SAY_MS 10000 /* at most so often is it said that lines are lost */

struct audit {
    atomic_int fd;            /* -1: nothing is audited */
    atomic_ullong lines_lost; /* since the start, for metrics */
    pthread_mutex_t lock;     /* of what follows, and of the end of the file */
    bool torn;                /* the file ends within a line */
    bool failing;             /* it was said, and not yet taken back */
    uint64_t lost;            /* lines, since it was last said that none are */
    int64_t said_ms;          /* monotonic; 0: never */
};

void audit_init(struct audit *a);
void audit_done(struct audit *a);

/* From now on to @fd, which stays the caller's; -1: nowhere. A line that a full disk cut short in it ends
 * before the next begins, where @fd may be read. */
void audit_to(struct audit *a, int fd);

static inline bool audit_wanted(struct audit *a)
{
    return atomic_load_explicit(&a->fd, memory_order_relaxed) >= 0;
}

/* Appends @line, which has a line's end before and after it: the one before is for a file that ends within a
 * line. .p NULL: there was no memory for it. */
void audit_append(struct audit *a, berth_str line);

#endif
