/* cli/format.h - templates over a JSON document, for --format: the part of Go's text/template that users of
 * docker, oras and regctl know.
 *
 *     {{.digest}} {{.Digest}} {{json .}} {{range .tags}}{{.}}\n{{end}} {{if .x}}…{{else}}…{{end}}
 *
 * docs/man/berth-format.7 describes the whole. A template is parsed before anything else is done, so that a
 * mistake in it costs no request. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <jansson.h>
#include <stdio.h>

#include "util/buf.h"

struct format;
struct cli_field;

/* BERTH_E_INVALID says what is wrong and at which position, counted in bytes from 1. */
int format_parse(const char *text, struct format **ret_format, berth_error *err);
void format_free(struct format *f); /* NULL is fine */

/* What documents may have, and need not: it is null where they do not, as in Go. @fields is lent. */
void format_know(struct format *f, const struct cli_field *fields);
/* Whether the template has a field of this name anywhere. */
bool format_asks(const struct format *f, const char *field);

/* Writes to @out what the template makes of @document, and ends the last line where it does not. What came
 * before a mistake has been written then. */
int format_print(const struct format *f, json_t *document, FILE *out, berth_error *err);

#endif
