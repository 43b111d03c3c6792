/* util/base.h - the few idioms every file uses: clean-up where a resource is born, ownership that leaves
 * visibly, sizes with units. */
#ifndef UTIL_BASE_H
#define UTIL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <berth/error.h>

#include "util/memory.h"

#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define UNUSED      __attribute__((unused))
#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)   ((a) < (b) ? (a) : (b))
#define MAX(a, b)   ((a) > (b) ? (a) : (b))
#define KIB         ((size_t)1024)
#define MIB         (KIB * 1024)
#define GIB         (MIB * 1024)

/* The struct that holds @member at @ptr. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline int steal_fd(int *fd)
{
    int f = *fd;
    *fd = -1;
    return f;
}

/* For CLEANUP on any pointer of util/memory.h. */
static inline void freep(void *p)
{
    mem_free(*(void **)p);
}

/* Moves a pointer out of its variable: `return steal(&p);`. */
static inline void *steal_pointer(void *p)
{
    void *v = *(void **)p;
    *(void **)p = NULL;
    return v;
}
#define steal(pp) ((__typeof__(*(pp)))steal_pointer(pp))

#endif
