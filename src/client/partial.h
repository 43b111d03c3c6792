/* client/partial.h - a file that is being downloaded: it lies beside its later name, with the state of its
 * hash, so that another process can go on with it. */
#ifndef CLIENT_PARTIAL_H
#define CLIENT_PARTIAL_H

#include "oci/digest.h"

struct partial {
    int fd;
    char *path, *unfinished;
    uint64_t at, saved; /* bytes that are there; how many the saved state of the hash covers */
    berth_hash hash;
};
#define PARTIAL_INIT                                                                                         \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* Opens what is there of @digest, or begins. BERTH_E_BUSY: another process has it. */
int partial_open(struct partial *p, const char *path, const berth_digest *digest, berth_error *err);
int partial_write(struct partial *p, const void *data, size_t n, berth_error *err);
int partial_restart(struct partial *p, enum hash_algorithm a, berth_error *err); /* nothing of it is right */
int partial_finish(struct partial *p, berth_error *err);                         /* under its name */
void partial_done(struct partial *p, bool keep); /* what isn't finished stays, or goes */

#endif
