/* oci/reference.h - the grammar of repository names, tags and references (distribution-spec, "Pulling
 * manifests"). Pure. */
#ifndef OCI_REFERENCE_H
#define OCI_REFERENCE_H

#include "oci/digest.h"
#include "util/str.h"

/* The specification sets no length for a name; clients stop at 255 with the host. Ours: the longest a server
 * stores, so that no name can grow an index without bound. */
#define OCI_NAME_MAX 1024
#define OCI_TAG_MAX  128

bool oci_name_valid(berth_str name); /* components of [a-z0-9], separated by . _ __ -+, joined by '/' */
int oci_host_check(berth_str host, berth_error *err); /* HOST[:PORT]; BERTH_E_INVALID says what is wrong */
bool oci_tag_valid(berth_str tag);                    /* [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} */

/* What stands behind /manifests/: a tag, or a digest (it has a ':'). */
typedef struct oci_reference {
    bool is_digest;
    berth_str tag; /* a view on the input */
    berth_digest digest;
} oci_reference;

/* What a client demands of the manifest that stands under a reference before it changes that. Asked by the
 * transaction that changes it, perhaps more than once: so it is quick, and changes nothing but its @arg. */
struct oci_condition {
    bool (*holds)(void *arg, berth_str digest); /* digest.p NULL: nothing stands there */
    void *arg;
};

/* Fails with MANIFEST_INVALID for a bad tag, DIGEST_INVALID for a bad digest. */
int oci_reference_parse(berth_str s, oci_reference *ret, berth_error *err);

/* The tag that older clients keep referrers of @digest under: "sha256-<hex>", the algorithm cut to 32, the
 * hex to 64 (distribution-spec, "Referrers Tag Schema"). @out holds OCI_TAG_MAX + 1 bytes. */
void oci_referrers_tag(const berth_digest *digest, char out[OCI_TAG_MAX + 1]);

#endif
