/* tests/fuzz/fallback.c - the index behind a referrers tag, read and edited; and the tag of any digest. */
#include "fuzz.h"
#include "oci/fallback.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char hex[] = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    berth_str s = {(const char *)data, size};
    const oci_referrer entry = {.media_type = STR("m/t"), .digest = str_from(hex), .size = 1};
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf with = BERTH_BUF_INIT(MIB), without = BERTH_BUF_INIT(MIB);
    char tag[FALLBACK_TAG_MAX];
    oci_referrer *items = NULL;
    size_t n = 0, more = 0, left = 0;
    oci_fallback_tag(s, tag);
    require(oci_tag_valid(str_from(tag)));
    if (oci_read_referrers(s, &arena, &items, &n, NULL) != BERTH_OK)
        return 0;
    for (size_t i = 0; i < n; i++)
        require(items[i].digest.n > 0 && digest_well_formed(items[i].digest));
    if (oci_fallback_add(s, &entry, &with, NULL) != BERTH_OK)
        return 0;
    require(oci_read_referrers(berth_buf_str(&with), &arena, &items, &more, NULL) == BERTH_OK);
    require(more >= 1 && more <= n + 1 && str_eq(items[more - 1].digest, entry.digest));
    require(oci_fallback_remove(berth_buf_str(&with), entry.digest, &without, &left, NULL) == BERTH_OK);
    require(left == more - 1);
    return 0;
}
