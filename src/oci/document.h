/* oci/document.h - prints the JSON documents of the distribution API. Pure.
 *
 * Each printer appends to @out and leaves failure in the buffer; text is escaped, invalid UTF-8 replaced. */
#ifndef OCI_DOCUMENT_H
#define OCI_DOCUMENT_H

#include "oci/listing.h"
#include "util/buf.h"

/* {"errors":[{"code":…,"message":…,"detail":…}, …]} (distribution-spec, "Error Codes") */
typedef struct oci_error_entry {
    const char *code;
    berth_str message;
    berth_str detail_json; /* raw JSON, made by the printers below; empty: left out */
} oci_error_entry;
void oci_print_errors(berth_buf *out, const oci_error_entry *entries, size_t n);

/* {"name":…,"tags":[…]} */
void oci_print_tags(berth_buf *out, berth_str name, const berth_str *tags, size_t n);

/* {"repositories":[…]} */
void oci_print_catalog(berth_buf *out, const berth_str *names, size_t n);

/* An image index of referrers: one descriptor each (distribution-spec, "Listing Referrers"). */
void oci_print_referrers(berth_buf *out, const oci_referrer *list, size_t n);

/* Whether @s is UTF-8 (RFC 3629), and so can be told in JSON as it is. */
bool oci_utf8_valid(berth_str s);

/* A JSON string with its quotes; building blocks for detail. */
void oci_print_string(berth_buf *out, berth_str s);
/* {"key":"value", …} from pairs; @pairs holds 2 * @n views. */
void oci_print_object(berth_buf *out, const berth_str *pairs, size_t n);

#endif
