/* storage/direct.h - writes the bulk of a large object past the page cache: append() copies into memory that
 * the device can read, a thread of the writer's own writes them, and so writing overlaps with whatever the
 * caller does between two appends, such as hashing. One writer is kept for the next object, thread and all.
 *
 * Not for every file system, and only for a few writers at once: whoever gets none writes as usual. A
 * direct_writer belongs to one thread. */
#ifndef STORAGE_DIRECT_H
#define STORAGE_DIRECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/error.h"

#define DIRECT_BLOCK 4096u /* offset and length of what goes to the device are multiples of it */

/* What the writers of one store share. */
struct direct_gate {
    atomic_int places;                    /* how many more may be open at once */
    atomic_bool unfit;                    /* this file system has no such writes */
    _Atomic(struct direct_writer *) kept; /* the last writer with its ring and its thread, for the next */
};
void direct_gate_init(struct direct_gate *g);
void direct_gate_done(struct direct_gate *g);

typedef struct direct_writer direct_writer;

/* Goes on at @offset, a multiple of DIRECT_BLOCK, of the file @name in @folder_fd; @fd is the same file, open
 * for writing, and lent until the writer is freed. NULL: not here, or not now. */
direct_writer *direct_open(struct direct_gate *g, int folder_fd, const char *name, int fd, uint64_t offset);

/* Takes all @n. A failure may be that of an earlier append: the file is of no use from then on. */
int direct_append(direct_writer *d, const void *p, size_t n, berth_error *err);

/* When it returns BERTH_OK, all that was appended has been written (not synced), the part of a block at the
 * end too. Nothing can be appended any more. */
int direct_flush(direct_writer *d, berth_error *err);

void direct_free(direct_writer *d); /* drops what is not written yet; NULL is fine */

#endif
