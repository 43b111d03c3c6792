/* tests/fuzz/answer.c - the documents with which a registry answers: errors, tags, the type of a manifest. */
#include "fuzz.h"
#include "oci/answer.h"
#include "oci/mediatype.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_str s = {(const char *)data, size};
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    berth_str code, message, *tags;
    size_t n;
    if (oci_read_error(s, &arena, &code, &message)) {
        require(code.n > 0);
        for (size_t i = 0; i < message.n; i++)
            require(message.p[i] >= 0x20 && message.p[i] <= 0x7e);
    }
    oci_error_entry *entries;
    if (oci_read_errors(s, &arena, &entries, &n, NULL) == BERTH_OK) {
        require(n > 0);
        for (size_t i = 0; i < n; i++) {
            require(entries[i].code.n || entries[i].message.n);
            for (size_t k = 0; k < entries[i].detail.n; k++)
                require(entries[i].detail.p[k] >= 0x20 && entries[i].detail.p[k] <= 0x7e);
        }
    }
    if (oci_read_tags(s, &arena, &tags, &n, NULL) == BERTH_OK)
        for (size_t i = 0; i < n; i++)
            require(oci_tag_valid(tags[i]));
    if (oci_read_names(s, &arena, &tags, &n, NULL) == BERTH_OK)
        for (size_t i = 0; i < n; i++)
            require(oci_name_valid(tags[i]));
    berth_str type = oci_read_media_type(s, &arena);
    require(!type.n || mediatype_valid(type));
    return 0;
}
