/* berth/digest.h - "<algorithm>:<hex>", the name of content by its bytes (image-spec, descriptor.md
 * "Digests").
 *
 * A berth_digest is a plain value: copy it, compare it, put it on the stack; there is nothing to free. Every
 * function on it is pure and may be called from any thread. A hasher belongs to one thread at a time. */
#ifndef BERTH_DIGEST_H
#define BERTH_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <berth/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers are never reused. */
typedef enum berth_digest_algorithm {
    BERTH_DIGEST_SHA256 = 0,
    BERTH_DIGEST_SHA512 = 1,
} berth_digest_algorithm;

/* "sha512:" and 128 digits and NUL. */
#define BERTH_DIGEST_TEXT_MAX 136

typedef struct berth_digest {
    unsigned algorithm;               /* a berth_digest_algorithm */
    char text[BERTH_DIGEST_TEXT_MAX]; /* the whole digest: NUL-terminated, lower-case hex */
} berth_digest;

/**
 * Read @text, which must be a digest of a known algorithm with as many lower-case digits as that has.
 * Returns BERTH_OK, or BERTH_E_INVALID with the registry's code DIGEST_INVALID; @err, if not NULL, says why,
 * and *@ret_digest is untouched.
 */
BERTH_API int berth_digest_parse(const char *text, berth_digest *ret_digest, berth_error *err);

/** "sha256" or "sha512"; static. */
BERTH_API const char *berth_digest_algorithm_name(const berth_digest *digest);

/** The digits behind the colon; lent by @digest. */
BERTH_API const char *berth_digest_hex(const berth_digest *digest);

/** Whether both are of one algorithm, and the same. */
BERTH_API bool berth_digest_equal(const berth_digest *a, const berth_digest *b);

/** Negative, 0 or positive, as strcmp() of the texts: for sorting. */
BERTH_API int berth_digest_compare(const berth_digest *a, const berth_digest *b);

/** The digest of @n bytes. BERTH_E_INVALID: @algorithm is none of berth_digest_algorithm. */
BERTH_API int berth_digest_of(unsigned algorithm, const void *p, size_t n, berth_digest *ret_digest,
                              berth_error *err);

/* --- piece by piece ---
 *
 * What comes as a stream is compared with its name when the last piece has come:
 *
 *     berth_hasher *h;
 *     if (berth_hasher_new(want.algorithm, &h, &err) == BERTH_OK) {
 *         while ((n = read(fd, piece, sizeof(piece))) > 0)
 *             berth_hasher_update(h, piece, n);
 *         result = berth_hasher_verify(h, &want, &err);     // BERTH_E_DIGEST: not these bytes
 *         berth_hasher_free(h);
 *     }
 */

typedef struct berth_hasher berth_hasher; /* opaque */

/** Of no bytes yet. On success *@ret_hasher is the caller's: berth_hasher_free(). BERTH_E_INVALID or
 * BERTH_E_NOMEM; *@ret_hasher is then untouched. */
BERTH_API int berth_hasher_new(unsigned algorithm, berth_hasher **ret_hasher, berth_error *err);
BERTH_API void berth_hasher_free(berth_hasher *hasher); /* NULL is fine */

/** The next piece. */
BERTH_API void berth_hasher_update(berth_hasher *hasher, const void *p, size_t n);

/** How many bytes have come. */
BERTH_API uint64_t berth_hasher_count(const berth_hasher *hasher);

/** The digest of what has come so far; more may follow. */
BERTH_API void berth_hasher_digest(const berth_hasher *hasher, berth_digest *ret_digest);

/** Whether what has come is @want: BERTH_OK, or BERTH_E_DIGEST with both digests in @err. BERTH_E_INVALID:
 * the hasher is of another algorithm. */
BERTH_API int berth_hasher_verify(const berth_hasher *hasher, const berth_digest *want, berth_error *err);

#ifdef __cplusplus
}
#endif
#endif
