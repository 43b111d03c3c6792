/* tests/fuzz/reference.c - repository names, tags and references: what passes is safe to put in a path or a
 * URL. */
#include "fuzz.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_str s = {(const char *)data, size};
    if (oci_name_valid(s)) {
        require(s.p && size > 0 && size <= OCI_NAME_MAX && s.p[0] != '/' && s.p[size - 1] != '/');
        for (size_t i = 0; i < size; i++)
            require((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
                    (i > 0 && i + 1 < size && memchr("._-/", s.p[i], 4)));
        require(!memmem(s.p, size, "..", 2) && !memmem(s.p, size, "//", 2));
        /* a name made of valid components is valid: both halves at any slash are names */
        berth_str head, tail;
        if (str_cut(s, '/', &head, &tail))
            require(oci_name_valid(head) && oci_name_valid(tail));
    }
    oci_reference ref;
    if (oci_reference_parse(s, &ref, NULL) == BERTH_OK) {
        require(str_eq(ref.is_digest ? digest_str(&ref.digest) : ref.tag, s));
        require(ref.is_digest != oci_tag_valid(s));
    }
    return 0;
}
