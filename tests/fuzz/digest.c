/* tests/fuzz/digest.c - digests, media types and platforms: short texts with a grammar. */
#include "fuzz.h"
#include "oci/manifest.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_str s = {(const char *)data, size};
    berth_digest d, again;
    berth_error err;
    if (digest_parse(s, &d, &err) == BERTH_OK) {
        char tag[OCI_TAG_MAX + 1];
        require(digest_well_formed(s) && str_eq(digest_str(&d), s));
        require(digest_parse(digest_str(&d), &again, NULL) == BERTH_OK && digest_eq(&d, &again));
        oci_referrers_tag(&d, tag);
        require(oci_tag_valid(str_from(tag)));
    } else {
        require(strcmp(err.oci_code, "DIGEST_INVALID") == 0);
    }

    berth_str essence = mediatype_essence(s);
    require(essence.n <= size && str_eq(mediatype_essence(essence), essence));
    if (mediatype_kind(s) != MANIFEST_OTHER)
        require(mediatype_valid(s) && str_eq_nocase(mediatype_canonical(s), s));
    mediatype_is_foreign(s);

    oci_platform p;
    if (oci_platform_parse(s, &p)) {
        require(p.os.n + p.architecture.n + p.variant.n + (p.variant.n ? 2 : 1) == size);
        require(oci_platform_matches(&p, &p));
    }
    return 0;
}
