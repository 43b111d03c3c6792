/* oci/fallback.h - the referrers tag: an index under a tag made from the subject's digest, kept by clients
 * where the registry has no referrers API (distribution-spec, "Referrers Tag Schema"). Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/fallback.c. */
#ifndef OCI_FALLBACK_H
#define OCI_FALLBACK_H

#include "oci/listing.h"
#include "util/buf.h"

#define FALLBACK_TAG_MAX 98 /* with NUL */

/* The algorithm cut after 32 characters, '-', and the digits cut after 64; what no tag may hold becomes '-'.
 */
void oci_fallback_tag(berth_str digest, char out[FALLBACK_TAG_MAX]);

/* The manifests of an index as referrers, copied to @arena. BERTH_E_INVALID: no such index. */
int oci_read_referrers(berth_str body, berth_arena *arena, oci_referrer **ret, size_t *ret_n,
                       berth_error *err);

/* The index @body (empty: there is none yet) with @add in it, once, to @out; what else stands in it stays. */
int oci_fallback_add(berth_str body, const oci_referrer *add, berth_buf *out, berth_error *err);
/* Without the entry for @digest. *@ret_left: how many entries remain. BERTH_E_NOT_FOUND: it has none. */
int oci_fallback_remove(berth_str body, berth_str digest, berth_buf *out, size_t *ret_left, berth_error *err);

#endif
