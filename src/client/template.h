/* client/template.h - paths as the specification writes them, "/v2/<name>/manifests/<reference>", filled in.
 * Pure. */
#ifndef CLIENT_TEMPLATE_H
#define CLIENT_TEMPLATE_H

#include "util/buf.h"

struct template_values {
    const char *name, *reference, *digest, *session_id; /* NULL or empty: not known */
};

/* Appends @path to @out, values encoded. BERTH_E_INVALID: something stays unfilled, or is none of these; or
 * the path (without its query) would have an empty part, or one that leads elsewhere ("..").  A whole URL is
 * fine. */
int template_fill(berth_str path, const struct template_values *values, berth_buf *out, berth_error *err);

/* The repository that a filled path, or a URL, speaks of; empty: none that is valid. */
berth_str template_repository(berth_str path);

#endif
