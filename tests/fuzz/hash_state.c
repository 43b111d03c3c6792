/* tests/fuzz/hash_state.c - a saved hash as it comes out of a database that may be damaged: refused, or a
 * state that hashes on in peace and is saved as the same bytes. */
#include "fuzz.h"
#include "util/base.h"
#include "util/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_hash h;
    unsigned char saved[HASH_STATE_MAX], digest[HASH_MAX_SIZE];
    if (hash_load(&h, data, size)) {
        require(hash_save(&h, saved) == size && memcmp(saved, data, size) == 0);
        hash_update(&h, data, size);
        require(hash_final(&h, digest) == hash_size(h.algorithm));
    }
    for (enum hash_algorithm a = HASH_SHA256; a < HASH_ALGORITHMS_; a++) {
        unsigned char again[HASH_MAX_SIZE];
        hash_init(&h, a);
        hash_update(&h, data, size);
        size_t n = hash_save(&h, saved);
        require(n <= sizeof(saved));
        size_t length = hash_final(&h, digest);
        require(hash_load(&h, saved, n) && hash_final(&h, again) == length && !memcmp(digest, again, length));
    }
    return 0;
}
