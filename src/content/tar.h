/* content/tar.h - archives of tar, read in pieces as they come, and written. What a header looks like is
 * libarchive's to know (docs/adr/0036); where its files may go is content/unpack.c's. No file is touched
 * here.
 *
 * Foreign input: fuzzed by tests/fuzz/tar.c. */
#ifndef CONTENT_TAR_H
#define CONTENT_TAR_H

#include "util/buf.h"

enum tar_type {
    TAR_FILE,
    TAR_FOLDER,
    TAR_SYMLINK,
    TAR_HARDLINK,
    TAR_OTHER, /* devices and pipes */
};

struct tar_entry {
    enum tar_type type;
    const char *path, *link; /* as they stand there: not to be trusted; @link "" for none */
    uint64_t size;           /* of what follows: files alone have something */
    int64_t mtime;           /* seconds since 1970 */
    unsigned mode;           /* permission bits */
};

/* A negative answer ends the reading with that code. They are called some time after the bytes have come,
 * from another thread, while the caller of tar_reader_write() or tar_reader_end() waits. */
struct tar_events {
    int (*entry)(void *arg, const struct tar_entry *e, berth_error *err); /* @e lives for the call */
    int (*data)(void *arg, const void *p, size_t n, berth_error *err);
    int (*end)(void *arg, berth_error *err); /* the entry is complete; may be NULL */
};

struct tar_reader;
/* BERTH_E_UNSUPPORTED: there is no libarchive. */
int tar_reader_new(const struct tar_events *events, void *arg, struct tar_reader **ret, berth_error *err);
void tar_reader_free(struct tar_reader *t); /* NULL is fine */
/* BERTH_E_CORRUPT: no archive; BERTH_E_UNSUPPORTED: with sparse files. What stands behind its end is passed
 * over. */
int tar_reader_write(struct tar_reader *t, const void *p, size_t n, berth_error *err);
/* Nothing follows. BERTH_E_CORRUPT: it ends within an entry. */
int tar_reader_end(struct tar_reader *t, berth_error *err);

/* The next bytes of the archive. A negative answer ends it with that code. */
typedef int (*tar_sink_fn)(void *arg, const void *p, size_t n, berth_error *err);

struct tar_writer; /* the same bytes from the same entries and libarchive, whenever */
int tar_writer_new(tar_sink_fn fn, void *arg, struct tar_writer **ret, berth_error *err);
void tar_writer_free(struct tar_writer *w); /* NULL is fine */
/* Owner and group are 0 and have no names: who unpacks owns. The @size bytes of a file follow. */
int tar_writer_entry(struct tar_writer *w, const struct tar_entry *e, berth_error *err);
int tar_writer_data(struct tar_writer *w, const void *p, size_t n, berth_error *err);
int tar_writer_end(struct tar_writer *w, berth_error *err);

#endif
