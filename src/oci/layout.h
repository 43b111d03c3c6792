/* oci/layout.h - the two JSON files at the root of an OCI image layout (image-spec, image-layout.md). Pure:
 * whoever walks the folder or the archive reads the bytes. */
#ifndef OCI_LAYOUT_H
#define OCI_LAYOUT_H

#include "oci/manifest.h"
#include "util/buf.h"

typedef struct oci_layout_entry {
    oci_descriptor descriptor;
    berth_str ref_name; /* org.opencontainers.image.ref.name; empty: none. Any text: no tag until checked */
} oci_layout_entry;

/* What the file `oci-layout` says. */
#define OCI_LAYOUT_HEADER "{\"imageLayoutVersion\":\"1.0.0\"}"

/* The longest index.json that is written or read, and how many entries one may get. */
#define OCI_LAYOUT_INDEX_MAX     (32 * MIB)
#define OCI_LAYOUT_INDEX_ENTRIES 100000

/* The file `oci-layout`. BERTH_E_INVALID; BERTH_E_UNSUPPORTED for a version other than 1.x. */
int oci_layout_header_parse(const void *p, size_t n, berth_error *err);

/* The file `index.json`. Entries and their strings live in @arena. Fails with MANIFEST_INVALID. */
int oci_layout_index_parse(const void *p, size_t n, berth_arena *arena, oci_layout_entry **ret_entries,
                           size_t *ret_n, berth_error *err);

/* An index.json that entries are added to. What it holds already stays, with fields that nobody here knows.
 */
typedef struct oci_layout_index oci_layout_index;

/* @n 0: a new one. Fails as the parser above. */
int oci_layout_index_open(const void *p, size_t n, oci_layout_index **ret, berth_error *err);
/* Takes the place of whatever has the same reference name; without one, of the nameless entry of the same
 * digest. BERTH_E_TOO_BIG beyond OCI_LAYOUT_INDEX_ENTRIES. */
int oci_layout_index_put(oci_layout_index *x, const berth_digest *d, berth_str media_type, uint64_t size,
                         berth_str ref_name, berth_error *err);
/* Takes the name from whatever has it; what it leads to stays an entry. With @purge all entries of that go.
 * BERTH_E_NOT_FOUND. */
int oci_layout_index_remove(oci_layout_index *x, berth_str ref_name, bool purge, berth_error *err);
/* Appends the text; failure is left in the buffer. */
void oci_layout_index_print(const oci_layout_index *x, berth_buf *out);
void oci_layout_index_free(oci_layout_index *x); /* NULL is fine */

#endif
