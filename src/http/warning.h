/* http/warning.h - the Warning field as registries use it (distribution-spec, "Warnings"): 299 - "text".
 * Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/throttle.c. */
#ifndef HTTP_WARNING_H
#define HTTP_WARNING_H

#include "util/buf.h"

/* Appends the words without quotes and escapes. False: another code or agent, which the specification has
 * clients pass over, or a text that can't be shown: control characters, no closing quote. */
bool http_warning_parse(berth_str field, berth_buf *out);

#endif
