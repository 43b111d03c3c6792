/* util/memory.h - all memory from the heap comes from here: the program may have brought an allocator of its
 * own (berth/memory.h). Neither malloc() and its like, nor free(), nor what gives memory that wants free() is
 * called anywhere else; tests/arch/test_habits.py has the few exceptions. */
#ifndef UTIL_MEMORY_H
#define UTIL_MEMORY_H

#include <stddef.h>

/* Each gives NULL without memory. Of 0 bytes they make one. */
void *mem_alloc(size_t n) __attribute__((malloc, alloc_size(1)));
void *mem_zalloc(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2))); /* @n of @size, all zero */
void *mem_realloc(void *p, size_t n) __attribute__((alloc_size(2))); /* @p may be NULL; on failure it stays */
void mem_free(void *p);                                              /* NULL is fine */

/* A string that the C library took from malloc(), as if it came from here: `mem_adopt(realpath(path, NULL))`.
 * NULL stays NULL, with its errno; ENOMEM: the string is freed. */
char *mem_adopt(char *s);

#endif
