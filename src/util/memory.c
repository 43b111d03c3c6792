/* util/memory.c - see memory.h, and berth/memory.h for those who bring an allocator.
 *
 * Which allocator it is, is settled by the first of them: a call of berth_allocator_set(), or memory that is
 * wanted. From then on nothing changes, so that a pointer always goes back to where it came from. */
#include "util/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <berth/memory.h>

enum whose { UNSETTLED, LIBC, PROGRAM };

static pthread_mutex_t settling = PTHREAD_MUTEX_INITIALIZER;
static atomic_int settled = UNSETTLED;
static berth_allocator program; /* written before @settled says so, and never again */

static int settle(const berth_allocator *given)
{
    pthread_mutex_lock(&settling);
    int was = atomic_load(&settled);
    if (was == UNSETTLED) {
        if (given)
            program = *given;
        atomic_store(&settled, given ? PROGRAM : LIBC);
    }
    pthread_mutex_unlock(&settling);
    return was;
}

static inline bool is_libc(void)
{
    int whose = atomic_load_explicit(&settled, memory_order_acquire);
    if (__builtin_expect(whose == UNSETTLED, 0)) {
        settle(NULL);
        whose = atomic_load(&settled);
    }
    return whose == LIBC;
}

void *mem_alloc(size_t n)
{
    n += !n;
    return is_libc() ? malloc(n) : program.alloc(program.user, n);
}

void *mem_zalloc(size_t n, size_t size)
{
    if (is_libc())
        return calloc(n, size);
    size_t bytes;
    void *p = __builtin_mul_overflow(n, size, &bytes) ? NULL : mem_alloc(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

void *mem_realloc(void *p, size_t n)
{
    n += !n;
    if (!p)
        return mem_alloc(n);
    return is_libc() ? realloc(p, n) : program.realloc(program.user, p, n);
}

void mem_free(void *p)
{
    if (!p)
        return;
    if (is_libc())
        free(p);
    else
        program.free(program.user, p);
}

char *mem_adopt(char *s)
{
    if (!s || is_libc())
        return s;
    size_t n = strlen(s) + 1;
    char *copy = mem_alloc(n);
    if (copy)
        memcpy(copy, s, n);
    free(s);
    if (!copy)
        errno = ENOMEM;
    return copy;
}

int berth_allocator_set(const berth_allocator *allocator, berth_error *err)
{
    if (!allocator || allocator->size < sizeof(*allocator) || !allocator->alloc || !allocator->realloc ||
        !allocator->free)
        return berth_error_set(err, BERTH_E_INVALID, "the allocator lacks a function");
    if (settle(allocator) != UNSETTLED)
        return berth_error_set(err, BERTH_E_CONFLICT,
                               "memory is in use already: an allocator is set once, and first");
    return BERTH_OK;
}

void *berth_malloc(size_t n)
{
    return mem_alloc(n);
}

void berth_free(void *p)
{
    mem_free(p);
}
