/* oci/hasher.c - digests piece by piece, as callers of the library see them; see berth/digest.h. */
#include "oci/digest.h"
#include "util/fault.h"

struct berth_hasher {
    berth_hash hash;
    uint64_t count;
};

static int check_algorithm(unsigned algorithm, berth_error *err)
{
    return algorithm < HASH_ALGORITHMS_ ? BERTH_OK
                                        : berth_error_set_oci(err, BERTH_E_INVALID, "DIGEST_INVALID",
                                                              "%u is no algorithm of digests", algorithm);
}

int berth_digest_of(unsigned algorithm, const void *p, size_t n, berth_digest *ret_digest, berth_error *err)
{
    int r = check_algorithm(algorithm, err);
    if (r == BERTH_OK)
        digest_of((enum hash_algorithm)algorithm, p, n, ret_digest);
    return r;
}

int berth_hasher_new(unsigned algorithm, berth_hasher **ret_hasher, berth_error *err)
{
    int r = check_algorithm(algorithm, err);
    if (r != BERTH_OK)
        return r;
    berth_hasher *h = fault_hit() ? NULL : mem_zalloc(1, sizeof(*h));
    if (!h)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    hash_init(&h->hash, (enum hash_algorithm)algorithm);
    *ret_hasher = h;
    return BERTH_OK;
}

void berth_hasher_free(berth_hasher *hasher)
{
    mem_free(hasher);
}

void berth_hasher_update(berth_hasher *hasher, const void *p, size_t n)
{
    if (n == 0) /* @p may be NULL */
        return;
    hash_update(&hasher->hash, p, n);
    hasher->count += n;
}

uint64_t berth_hasher_count(const berth_hasher *hasher)
{
    return hasher->count;
}

void berth_hasher_digest(const berth_hasher *hasher, berth_digest *ret_digest)
{
    berth_hash copy = hasher->hash; /* finishing a state spends it */
    digest_from_hash(&copy, ret_digest);
}

int berth_hasher_verify(const berth_hasher *hasher, const berth_digest *want, berth_error *err)
{
    berth_digest have;
    if (want->algorithm != (unsigned)hasher->hash.algorithm)
        return berth_error_set(err, BERTH_E_INVALID, "the bytes were hashed with %s, the digest is of %s",
                               hash_name(hasher->hash.algorithm), berth_digest_algorithm_name(want));
    berth_hasher_digest(hasher, &have);
    if (digest_eq(&have, want))
        return BERTH_OK;
    return berth_error_set(err, BERTH_E_DIGEST, "%llu bytes have the digest %.20s..., not %.20s...",
                           (unsigned long long)hasher->count, have.text, want->text);
}
