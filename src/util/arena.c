/* util/arena.c - chunked bump allocator; see arena.h. */
#include "util/arena.h"

#include <stdalign.h>
#include <stdio.h>

#include "util/fault.h"

/* Most requests fit their strings in one chunk of this size. */
#define CHUNK_SIZE (2 * KIB)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

void berth_arena_done(berth_arena *a)
{
    for (struct arena_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        mem_free(c);
    }
    a->chunks = NULL;
}

void berth_arena_reset(berth_arena *a)
{
    struct arena_chunk *first = a->chunks;
    if (!first)
        return;
    while (first->next) { /* the oldest chunk stands last and has the common size */
        struct arena_chunk *next = first->next;
        mem_free(first);
        first = next;
    }
    first->used = 0;
    a->chunks = first;
}

void *berth_arena_alloc(berth_arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + align - 1) / align * align;
    struct arena_chunk *c = a->chunks;
    if (!c || c->size - c->used < n) {
        size_t size = MAX(n, CHUNK_SIZE);
        c = fault_hit() ? NULL : mem_alloc(sizeof(*c) + size);
        if (!c)
            return NULL;
        *c = (struct arena_chunk){.next = a->chunks, .size = size};
        a->chunks = c;
    }
    void *p = c->bytes + c->used;
    c->used += n;
    return memset(p, 0, n);
}

char *berth_arena_dup(berth_arena *a, berth_str s)
{
    char *p = berth_arena_alloc(a, s.n + 1);
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

berth_str berth_arena_str(berth_arena *a, berth_str s)
{
    char *p = berth_arena_dup(a, s);
    return (berth_str){p, p ? s.n : 0};
}

char *berth_arena_vprintf(berth_arena *a, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = n < 0 ? NULL : berth_arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

char *berth_arena_printf(berth_arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *p = berth_arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}
