/* oci/layout.h - the two JSON files at the root of an OCI image layout (image-spec, image-layout.md). Pure:
 * whoever walks the folder or the archive reads the bytes. */
#ifndef OCI_LAYOUT_H
#define OCI_LAYOUT_H

#include "oci/manifest.h"

typedef struct oci_layout_entry {
    oci_descriptor descriptor;
    berth_str ref_name; /* org.opencontainers.image.ref.name; empty: none. Any text: no tag until checked */
} oci_layout_entry;

/* The file `oci-layout`. BERTH_E_INVALID; BERTH_E_UNSUPPORTED for a version other than 1.x. */
int oci_layout_header_parse(const void *p, size_t n, berth_error *err);

/* The file `index.json`. Entries and their strings live in @arena. Fails with MANIFEST_INVALID. */
int oci_layout_index_parse(const void *p, size_t n, berth_arena *arena, oci_layout_entry **ret_entries,
                           size_t *ret_n, berth_error *err);

#endif
