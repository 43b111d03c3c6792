/* berth/digest.h - "<algorithm>:<hex>", the name of content by its bytes (image-spec, descriptor.md
 * "Digests").
 *
 * A berth_digest is a plain value: copy it, compare it, put it on the stack; there is nothing to free. Every
 * function here is pure and may be called from any thread. */
#ifndef BERTH_DIGEST_H
#define BERTH_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

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

#ifdef __cplusplus
}
#endif
#endif
