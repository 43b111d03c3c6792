/* tests/unit/allocator.c - see allocator.h.
 *
 * With -DALLOCATOR_BY_ITSELF a program has it from its beginning, and fails at its end if a block is left. */
#include "allocator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKEN 0x6265727468206d65UL
#define FREED 0x6265727468207870UL

/* Before each block; as long as what malloc() aligns to. */
union header {
    struct {
        unsigned long state;
        size_t n;
    } is;
    long double widest;
};

struct allocator_counts allocator_counts;

static void count(unsigned long *what)
{
    __atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

static union header *header_of(void *p)
{
    union header *h = (union header *)p - 1;
    if (h->is.state != TAKEN) {
        fprintf(stderr, "allocator: %s\n", h->is.state == FREED ? "a block freed twice" : "another's block");
        abort();
    }
    return h;
}

static void *take(void *user, size_t n)
{
    union header *h = allocator_counts.none ? NULL : malloc(sizeof(*h) + n);
    if (user != &allocator_counts || n == 0)
        abort();
    if (!h)
        return NULL;
    h->is.state = TAKEN;
    h->is.n = n;
    memset(h + 1, 0xa5, n); /* nobody may take it for zero */
    count(&allocator_counts.taken);
    return h + 1;
}

static void give_back(void *user, void *p)
{
    union header *h = header_of(p);
    if (user != &allocator_counts)
        abort();
    memset(p, 0x5a, h->is.n);
    h->is.state = FREED;
    free(h);
    count(&allocator_counts.freed);
}

static void *resize(void *user, void *p, size_t n)
{
    size_t was = header_of(p)->is.n;
    void *q = take(user, n);
    if (!q)
        return NULL;
    memcpy(q, p, was < n ? was : n);
    give_back(user, p);
    count(&allocator_counts.resized);
    return q;
}

const berth_allocator allocator = {sizeof(berth_allocator), take, resize, give_back, &allocator_counts};

unsigned long allocator_left(void)
{
    return __atomic_load_n(&allocator_counts.taken, __ATOMIC_RELAXED) -
           __atomic_load_n(&allocator_counts.freed, __ATOMIC_RELAXED);
}

#ifdef ALLOCATOR_BY_ITSELF
static void begin(void) __attribute__((constructor));
static void begin(void)
{
    berth_error err;
    if (berth_allocator_set(&allocator, &err) != BERTH_OK) {
        fprintf(stderr, "allocator: %s\n", err.message);
        abort();
    }
}

static void end(void) __attribute__((destructor));
static void end(void)
{
    fprintf(stderr, "allocator: %lu taken, %lu left\n", allocator_counts.taken, allocator_left());
    if (allocator_left() || berth_allocator_set(&allocator, NULL) == BERTH_OK)
        abort();
}
#endif
