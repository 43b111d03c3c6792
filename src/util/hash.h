/* util/hash.h - SHA-256 and SHA-512, incremental, with a state that outlives the process.
 *
 * A saved state continues an upload after a restart, or on another node, without reading again what is
 * stored (docs/adr/0006). */
#ifndef UTIL_HASH_H
#define UTIL_HASH_H

#include "util/str.h"

enum hash_algorithm { HASH_SHA256, HASH_SHA512, HASH_ALGORITHMS_ };

#define HASH_MAX_SIZE  64  /* bytes of the longest digest */
#define HASH_STATE_MAX 224 /* bytes of the longest saved state */

typedef struct berth_hash {
    enum hash_algorithm algorithm;
    _Alignas(8) unsigned char state[232]; /* OpenSSL's context; hash.c asserts that it fits */
} berth_hash;

const char *hash_name(enum hash_algorithm a); /* "sha256" */
bool hash_by_name(berth_str name, enum hash_algorithm *ret);
size_t hash_size(enum hash_algorithm a); /* bytes of a digest: 32, 64 */

void hash_init(berth_hash *h, enum hash_algorithm a);
void hash_update(berth_hash *h, const void *p, size_t n);
size_t hash_final(berth_hash *h,
                  unsigned char out[HASH_MAX_SIZE]); /* its size; @h must be initialised anew */

/* Writes the state, field by field, big-endian, tagged with algorithm and version; returns its length. */
size_t hash_save(const berth_hash *h, unsigned char out[HASH_STATE_MAX]);
/* False for a state of another version, algorithm or length: hash the stored bytes again. */
bool hash_load(berth_hash *h, const void *p, size_t n);

/* Lower-case hexadecimal; @out holds 2 * @n + 1 bytes. */
void hex_encode(const void *p, size_t n, char *out);

#endif
