/* content/tar.h - archives of tar (POSIX.1-2001 ustar and pax, with GNU's long names): read in pieces as they
 * come, and written. Pure: no file is touched here.
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
    TAR_OTHER, /* devices, pipes, and what only some systems know */
};

struct tar_entry {
    enum tar_type type;
    const char *path, *link; /* as they stand there: not to be trusted; @link "" for none */
    uint64_t size;           /* of what follows */
    int64_t mtime;           /* seconds since 1970 */
    unsigned mode;           /* permission bits */
};

/* A negative answer ends the reading with that code. */
struct tar_events {
    int (*entry)(void *arg, const struct tar_entry *e, berth_error *err); /* @e lives for the call */
    int (*data)(void *arg, const void *p, size_t n, berth_error *err);
    int (*end)(void *arg, berth_error *err); /* the entry is complete; may be NULL */
};

struct tar_reader;
int tar_reader_new(const struct tar_events *events, void *arg, struct tar_reader **ret, berth_error *err);
void tar_reader_free(struct tar_reader *t); /* NULL is fine */
/* BERTH_E_CORRUPT: no archive. What stands behind its end is passed over. */
int tar_reader_write(struct tar_reader *t, const void *p, size_t n, berth_error *err);
/* Nothing follows. BERTH_E_CORRUPT: it ends within an entry. */
int tar_reader_end(struct tar_reader *t, berth_error *err);

#define TAR_BLOCK 512

/* Appends the header of @e to @out, with a pax header before it where a field is too long for ustar. Owner
 * and group are 0 and have no names: who unpacks owns. After it come the bytes, then tar_padding(). */
void tar_print_header(berth_buf *out, const struct tar_entry *e);
/* How many zero bytes follow @size bytes. */
size_t tar_padding(uint64_t size);
/* How many zero bytes end an archive. */
#define TAR_END_SIZE ((size_t)2 * TAR_BLOCK)

#endif
