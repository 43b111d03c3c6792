/* oci/digest.h - "<algorithm>:<hex>" (image-spec, descriptor.md "Digests"). Pure. The type, and what callers
 * of the library see of it, are in berth/digest.h. */
#ifndef OCI_DIGEST_H
#define OCI_DIGEST_H

#include <berth/digest.h>

#include "util/hash.h"
#include "util/str.h"

#define DIGEST_TEXT_MAX BERTH_DIGEST_TEXT_MAX

/* BERTH_E_INVALID with DIGEST_INVALID: malformed, or an algorithm other than sha256 and sha512. */
int digest_parse(berth_str s, berth_digest *ret, berth_error *err);

/* True for any digest of the image-spec's grammar, also of algorithms unknown here. */
bool digest_well_formed(berth_str s);

void digest_of(enum hash_algorithm a, const void *p, size_t n, berth_digest *ret);
void digest_from_hash(berth_hash *h, berth_digest *ret); /* finishes @h */

static inline berth_str digest_str(const berth_digest *d)
{
    return str_from(d->text);
}

static inline bool digest_eq(const berth_digest *a, const berth_digest *b)
{
    return strcmp(a->text, b->text) == 0;
}

#endif
