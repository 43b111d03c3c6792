/* tests/unit/allocator.h - an allocator of a program's own (berth/memory.h) that knows its blocks: another's
 * block aborts, and so does one that is freed twice. Of the C library and berth/memory.h alone, for programs
 * outside the tree are linked with it too. */
#ifndef ALLOCATOR_H
#define ALLOCATOR_H

#include <berth/memory.h>

/* All threads' together. */
struct allocator_counts {
    unsigned long taken, resized, freed;
    int none; /* set: there is no memory */
};
extern struct allocator_counts allocator_counts;

extern const berth_allocator allocator;

/* Blocks that are not freed. */
unsigned long allocator_left(void);

#endif
