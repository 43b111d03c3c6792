/* oci/schema1.h - Docker's signed manifests (image manifest version 2, schema 1): JSON with a JWS in it,
 * whose digest is that of what was signed, without the signatures. Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/schema1.c. */
#ifndef OCI_SCHEMA1_H
#define OCI_SCHEMA1_H

#include "oci/digest.h"
#include "util/buf.h"

/* Appends what the signatures in @bytes are for. Signatures themselves are not looked at: who knows the
 * digest of the payload needs none. BERTH_E_INVALID: it is no signed schema 1, or has more than its payload
 * and signatures. */
int oci_schema1_payload(berth_str bytes, berth_buf *out, berth_error *err);

/* BERTH_OK: @digest is that of the bytes, or of their payload if they are a signed schema 1. BERTH_E_DIGEST:
 * it is not; BERTH_E_NOMEM. */
int oci_schema1_compare(berth_str bytes, const berth_digest *digest);

#endif
