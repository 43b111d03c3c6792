/* tests/fuzz/layout.c - the two JSON files at the root of an image layout that is imported: the first byte
 * says which. */
#include "fuzz.h"
#include "oci/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    berth_error err = BERTH_ERROR_INIT;
    if (size < 1)
        return 0;
    if (data[0] & 1) {
        int r = oci_layout_header_parse(data + 1, size - 1, &err);
        require(r == BERTH_OK || err.message[0]);
        return 0;
    }
    oci_layout_entry *entries = NULL;
    size_t n = 0;
    if (oci_layout_index_parse(data + 1, size - 1, &arena, &entries, &n, &err) != BERTH_OK) {
        require(err.message[0]);
        return 0;
    }
    require(n < size);
    for (size_t i = 0; i < n; i++)
        require(entries[i].descriptor.digest.text[0] && entries[i].ref_name.n <= size);
    return 0;
}
