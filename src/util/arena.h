/* util/arena.h - memory that lives as long as one request and is freed at once. Not thread-safe. */
#ifndef UTIL_ARENA_H
#define UTIL_ARENA_H

#include <stdarg.h>

#include "util/str.h"

struct arena_chunk;
typedef struct berth_arena {
    struct arena_chunk *chunks;
} berth_arena;

#define BERTH_ARENA_INIT                                                                                     \
    {                                                                                                        \
        0                                                                                                    \
    }

void berth_arena_done(berth_arena *a);              /* frees everything; usable again */
void berth_arena_reset(berth_arena *a);             /* empty, but keeps its first chunk */
void *berth_arena_alloc(berth_arena *a, size_t n);  /* zeroed, aligned for any type; NULL without memory */
char *berth_arena_dup(berth_arena *a, berth_str s); /* NUL-terminated copy; NULL without memory */
berth_str berth_arena_str(berth_arena *a, berth_str s); /* the copy as a view; .p NULL without memory */
char *berth_arena_printf(berth_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *berth_arena_vprintf(berth_arena *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

#endif
