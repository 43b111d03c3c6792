/* client/gaps.h - which bytes of a file are still to come, and who fetches which: a file that is filled in
 * several places at once. Pure.
 *
 * Foreign input: a saved record lies in a file that others may have changed; fuzzed by tests/fuzz/gaps.c. */
#ifndef CLIENT_GAPS_H
#define CLIENT_GAPS_H

#include "util/base.h"

/* In the order of their places, none overlaps another. */
struct gap {
    uint64_t at, end; /* the next byte that is to come, and the first one behind; equal: it is filled */
    bool taken;       /* somebody fetches it */
    struct gap *next;
};

struct gaps {
    struct gap *first;
};

bool gaps_add(struct gaps *g, uint64_t at, uint64_t end); /* behind all others. False: no memory */
void gaps_done(struct gaps *g);

/* The first that nobody has; of one longer than @most its beginning. NULL: there is none. */
struct gap *gaps_take(struct gaps *g, uint64_t most);
void gaps_give(struct gaps *g, struct gap *gap); /* back, or filled: it is gone then */

uint64_t gaps_front(const struct gaps *g, uint64_t size); /* every byte before it is there */
uint64_t gaps_left(const struct gaps *g);                 /* bytes that are to come */

/* A record of them: one page, so that it is written as a whole even by a process that is killed. */
#define GAPS_RECORD 4096

/* Of very many gaps the last ones count as one. */
void gaps_save(const struct gaps *g, uint64_t size, unsigned char record[GAPS_RECORD]);
/* Into gaps that are empty. False: it is no such record, or there is no memory. */
bool gaps_load(struct gaps *g, const unsigned char record[GAPS_RECORD], uint64_t *ret_size);

#endif
