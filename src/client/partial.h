/* client/partial.h - a file that is being downloaded: it lies beside its later name, with the state of its
 * hash, so that another process can go on with it.
 *
 * It grows at its end; or it is spread: filled in several places at once, with gaps between. A spread file
 * has a record of its gaps on the first page behind its last byte, from before the first byte that is out of
 * order is written: whoever finds the file can tell what is there from what isn't. Hashing follows the first
 * gap. */
#ifndef CLIENT_PARTIAL_H
#define CLIENT_PARTIAL_H

#include "client/gaps.h"
#include "oci/digest.h"

struct partial {
    int fd;
    char *path, *unfinished;
    uint64_t at, saved; /* bytes that are there and hashed; how many the saved state of the hash covers */
    berth_hash hash;
    bool lent;     /* the descriptor is another's, and so is the name, if it has one */
    bool forgets;  /* nothing stays for the next process */
    uint64_t room; /* so far the disk has a place for it, of one that is not spread; UINT64_MAX: don't ask */
    bool spread;
    uint64_t size;    /* of one that is spread: when it is whole */
    uint64_t unnoted; /* bytes that came since the record of gaps was written */
    struct gaps gaps;
};
#define PARTIAL_INIT                                                                                         \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* Opens what is there of @digest, or begins. BERTH_E_BUSY: another process has it. */
int partial_open(struct partial *p, const char *path, const berth_digest *digest, berth_error *err);
/* Into a regular file that is open for reading and writing: from its beginning on, it is emptied; or, if it
 * @goes_on, behind what is there, and what isn't finished stays in it. It is empty where nothing stays. */
int partial_lend(struct partial *p, int fd, bool goes_on, const berth_digest *digest, berth_error *err);
int partial_write(struct partial *p, const void *data, size_t n, berth_error *err); /* not spread */
int partial_restart(struct partial *p, enum hash_algorithm a, berth_error *err); /* nothing of it is right */
int partial_finish(struct partial *p, berth_error *err); /* all is hashed: under its name */
void partial_done(struct partial *p, bool keep);         /* what isn't finished stays, or goes */

int partial_spread(struct partial *p, uint64_t size,
                   berth_error *err); /* from what is there to @size: a gap */
/* The next bytes of a gap, which has room for them. */
int partial_fill(struct partial *p, struct gap *gap, const void *data, size_t n, berth_error *err);
/* Hashes up to @most bytes of those that have come out of order. p->at is then where the first gap begins, or
 * there is more to do. */
int partial_follow(struct partial *p, uint64_t most, berth_error *err);
/* Not spread any more: what was not hashed yet is given up. */
int partial_gather(struct partial *p, berth_error *err);

#endif
