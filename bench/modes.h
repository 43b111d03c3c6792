/* bench/modes.h - what the driver can do to a registry; each is a struct load_ops. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include "load.h"

extern const struct load_ops mode_get, mode_head;              /* fetch.c */
extern const struct load_ops mode_put_blobs, mode_push_big;    /* push_blobs.c */
extern const struct load_ops mode_push_images, mode_push_tags; /* push_manifests.c */

/* --- what the pushing modes share: push_blobs.c --- */

#define DIGEST_SIZE 72 /* "sha256:" and 64 digits */

struct push_blob { /* one blob on its way up */
    uint64_t id, size;
    uint64_t at; /* bytes sent in chunks so far */
    char digest[DIGEST_SIZE];
    unsigned step;
};

/* Sets @b up for a new blob: unique by @id, @size bytes, its digest computed. */
void push_blob_begin(const struct load *l, struct push_blob *b, uint64_t id, uint64_t size);
/* The next request, in @repository: POST with the digest; or POST, PATCH for each chunk, PUT. */
void push_blob_request(const struct load *l, struct load_client *c, struct push_blob *b,
                       const char *repository);
/* Judges its answer: LOAD_DONE when the blob is stored. */
enum load_verdict push_blob_answer(const struct load *l, struct load_client *c, struct push_blob *b);

/* The repository of an operation, into @out. */
void push_repository(const struct load *l, uint64_t operation, char *out, size_t size);

#endif
