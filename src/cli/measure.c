/* cli/measure.c - see measure.h. A second thread that reads ahead was tried: a tenth less time for a large
 * file, and a tenth more of the processor's. */
#include "cli/measure.h"

#include <stdlib.h>

#include "util/buf.h"
#include "util/io.h"

#define PIECE (256 * KIB)

static int measure(int fd, enum hash_algorithm a, bool (*beside)(void *arg), void *arg, uint64_t *ret_size,
                   berth_digest *ret_digest, berth_error *err)
{
    CLEANUP(freep) char *piece = mem_alloc(PIECE);
    uint64_t at = 0;
    berth_hash hash;
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    hash_init(&hash, a);
    for (size_t n = 1; n; at += n) {
        int r = io_pread(fd, piece, PIECE, at, &n, err);
        if (r != BERTH_OK)
            return r;
        hash_update(&hash, piece, n);
        if (beside && (at + n) % MIB == 0 && !beside(arg))
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
    return measure(fd, a, NULL, NULL, ret_size, ret_digest, err);
}

int measure_beside(int fd, enum hash_algorithm a, bool (*beside)(void *arg), void *arg,
                   berth_digest *ret_digest, berth_error *err)
{
    return measure(fd, a, beside, arg, NULL, ret_digest, err);
}
