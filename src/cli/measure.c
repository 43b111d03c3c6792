/* cli/measure.c - see measure.h. A second thread that reads ahead was tried: a tenth less time for a large
 * file, and a tenth more of the processor's. */
#include "cli/measure.h"

#include <stdlib.h>

#include "util/buf.h"
#include "util/io.h"

#define PIECE  (256 * KIB)
#define BESIDE MIB /* after each piece: 4 % more of the processor, and no less time */

/* At most @most bytes. */
static int measure(int fd, uint64_t most, enum hash_algorithm a, bool (*beside)(void *arg), void *arg,
                   uint64_t *ret_size, berth_digest *ret_digest, berth_error *err)
{
    CLEANUP(freep) char *piece = mem_alloc(PIECE);
    uint64_t at = 0;
    berth_hash hash;
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    hash_init(&hash, a);
    for (size_t n = 1; n; at += n) {
        int r = io_pread(fd, piece, (size_t)MIN(PIECE, most - at), at, &n, err);
        if (r != BERTH_OK)
            return r;
        hash_update(&hash, piece, n);
        if (beside && (at + n) % BESIDE == 0 && !beside(arg))
            return BERTH_E_CANCELLED;
    }
    digest_from_hash(&hash, ret_digest);
    if (ret_size)
        *ret_size = at;
    return BERTH_OK;
}

int measure_file(int fd, enum hash_algorithm a, uint64_t *ret_size, berth_digest *ret_digest,
                 berth_error *err)
{
    return measure(fd, UINT64_MAX, a, NULL, NULL, ret_size, ret_digest, err);
}

int measure_beside(int fd, uint64_t size, enum hash_algorithm a, bool (*beside)(void *arg), void *arg,
                   berth_digest *ret_digest, berth_error *err)
{
    uint64_t n = size;
    int r = measure(fd, size, a, beside, arg, &n, ret_digest, err);
    return r == BERTH_OK && n < size
               ? berth_error_set(err, BERTH_E_INVALID, "the file became shorter while it was read")
               : r;
}
