/* tests/fuzz/gaps.c - the record of what is still to come of a file, as another may have changed it: refused,
 * or gaps that lie in order within the file, and are saved as they were. */
#include "client/gaps.h"
#include "fuzz.h"
#include "util/hash.h"

static void look(const unsigned char record[GAPS_RECORD])
{
    unsigned char again[GAPS_RECORD];
    struct gaps g = {0}, same = {0};
    uint64_t size, size_again, at = 0;
    if (!gaps_load(&g, record, &size))
        return;
    for (const struct gap *gap = g.first; gap; gap = gap->next) {
        require(gap->at >= at && gap->at < gap->end && gap->end <= size && !gap->taken);
        at = gap->end;
    }
    gaps_save(&g, size, again);
    require(gaps_load(&same, again, &size_again) && size_again == size && gaps_left(&same) == gaps_left(&g));
    require(gaps_front(&same, size) == gaps_front(&g, size));
    gaps_done(&same);
    while (gaps_take(&g, 1 + size / 16))
        ;
    gaps_done(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char record[GAPS_RECORD] = {0}, check[HASH_MAX_SIZE];
    berth_hash hash;
    memcpy(record, data, MIN(size, sizeof(record)));
    look(record);
    hash_init(&hash, HASH_SHA256); /* what is right about it but for its contents */
    hash_update(&hash, record, GAPS_RECORD - 32);
    hash_final(&hash, check);
    memcpy(record + GAPS_RECORD - 32, check, 32);
    look(record);
    return 0;
}
