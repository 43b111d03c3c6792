/* oci/listing.h - what lists and look-ups give back, in every room alike. Pure; strings live in the caller's
 * arena. */
#ifndef OCI_LISTING_H
#define OCI_LISTING_H

#include "oci/digest.h"
#include "util/arena.h"

struct oci_list { /* names, tags, digests: a page of them */
    berth_str *items;
    size_t n;
    bool more; /* there are others after the last one */
};

/* A manifest as it is held. */
struct oci_stored {
    berth_digest digest;
    berth_str media_type, body; /* body.p NULL when only its size was asked for */
    uint64_t size;
    bool lease_due; /* nothing holds it and its lease is short: prolong it before anybody may rely on it */
};

/* A descriptor in the list of referrers (distribution-spec, "Listing Referrers"). */
typedef struct oci_referrer {
    berth_str media_type, digest, artifact_type; /* artifact_type empty: none */
    uint64_t size;
    berth_str annotations_json; /* an object as text; empty: none */
} oci_referrer;

struct oci_referrers {
    oci_referrer *items;
    size_t n;
    bool more; /* go on with the last item's artifact_type and digest */
};

#endif
