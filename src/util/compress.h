/* util/compress.h - streams of gzip (RFC 1952) and zstd (RFC 8878), in pieces as they come: unpacked whatever
 * they are packed with, and packed with gzip. docs/adr/0035. */
#ifndef UTIL_COMPRESS_H
#define UTIL_COMPRESS_H

#include "util/buf.h"

/* The next bytes. A negative answer ends it with that code. */
typedef int (*compress_sink_fn)(void *arg, const void *p, size_t n, berth_error *err);

struct inflater; /* finds out from the first bytes; what is neither passes as it is */
int inflater_new(compress_sink_fn fn, void *arg, struct inflater **ret, berth_error *err);
void inflater_free(struct inflater *i); /* NULL is fine */
/* BERTH_E_CORRUPT: no valid stream. */
int inflater_write(struct inflater *i, const void *p, size_t n, berth_error *err);
/* Nothing follows. BERTH_E_CORRUPT: it ends early. */
int inflater_end(struct inflater *i, berth_error *err);

struct gzipper; /* the same bytes from the same input, whenever */
int gzipper_new(compress_sink_fn fn, void *arg, struct gzipper **ret, berth_error *err);
void gzipper_free(struct gzipper *g); /* NULL is fine */
int gzipper_write(struct gzipper *g, const void *p, size_t n, berth_error *err);
int gzipper_end(struct gzipper *g, berth_error *err);

#endif
