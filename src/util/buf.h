/* util/buf.h - a growable buffer that knows its ceiling.
 *
 * Adding to a failed buffer does nothing, so a message is built in five lines and checked once. */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include "util/str.h"

typedef struct berth_buf {
    char *p; /* NULL while nothing was added */
    size_t n, cap;
    size_t max;    /* bytes it may ever hold */
    bool failed;   /* no memory, or the ceiling was met */
    bool exceeded; /* the ceiling was met */
} berth_buf;

#define BERTH_BUF_INIT(ceiling)                                                                              \
    {                                                                                                        \
        .max = (ceiling)                                                                                     \
    }

void berth_buf_init(berth_buf *b, size_t max);
void berth_buf_done(berth_buf *b);  /* frees; the buffer is empty and usable again */
void berth_buf_reset(berth_buf *b); /* empty, memory kept, failure forgotten */
void berth_buf_add(berth_buf *b, const void *p, size_t n);
void berth_buf_add_str(berth_buf *b, berth_str s);
void berth_buf_addf(berth_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void berth_buf_add_int(berth_buf *b, int64_t v); /* in decimal */
void berth_buf_add_uint(berth_buf *b, uint64_t v);
void berth_buf_putc(berth_buf *b, char c);

/* For what writes by a function, json_dump_callback() for one: @buf is a berth_buf. -1: it has failed. */
int berth_buf_write(const char *p, size_t n, void *buf);

/* At least @n writable bytes at the end, or NULL (failed). Commit what was written by berth_buf_grow(). */
char *berth_buf_reserve(berth_buf *b, size_t n);
void berth_buf_grow(berth_buf *b, size_t n);

static inline bool berth_buf_failed(const berth_buf *b)
{
    return b->failed;
}

/* It was the ceiling, not the memory. */
static inline bool berth_buf_exceeded(const berth_buf *b)
{
    return b->exceeded;
}

static inline berth_str berth_buf_str(const berth_buf *b)
{
    return (berth_str){b->p ? b->p : "", b->n};
}

const char *berth_buf_cstr(berth_buf *b); /* NUL-terminated, lent; NULL when failed */
char *berth_buf_take(berth_buf *b);       /* NUL-terminated, now the caller's; NULL when failed */

#endif
