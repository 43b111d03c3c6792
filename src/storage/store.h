/* storage/store.h - bytes by object key.
 *
 * A key (IO_KEY_SIZE - 1 lower-case hex digits) names one stored object for ever: made for each upload, never
 * used twice. Which digest it holds is the metadata's business, so a late delete can never hit bytes that
 * were pushed again. Every call blocks and may be made from any thread; one writer or reader belongs to one
 * thread at a time. */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "util/str.h"

typedef struct blob_store blob_store;
typedef struct blob_writer blob_writer;
typedef struct blob_reader blob_reader;

struct blob_store_ops {
    const char *name; /* "fs", "memory", "faulty"; "s3" joins later */

    /* A new, empty object. BERTH_E_EXISTS: the key was used before. */
    int (*create)(blob_store *s, const char *key, blob_writer **ret_w, berth_error *err);

    /* Goes on with an incomplete object, cutting it to @size bytes first: what was never recorded is
     * forgotten. BERTH_E_NOT_FOUND; BERTH_E_CORRUPT when fewer than @size bytes are stored. An object that
     * complete() made whole, but whose upload the metadata still calls open (a crash or a failed commit came
     * between), is incomplete again. */
    int (*resume)(blob_store *s, const char *key, uint64_t size, blob_writer **ret_w, berth_error *err);

    /* After a failure nothing of @p counts as appended: the same bytes may be tried again. It may be the
     * failure of bytes taken earlier; then every later call fails as well. */
    int (*append)(blob_writer *w, const void *p, size_t n, berth_error *err);

    /* After complete returns BERTH_OK the object is whole and durable, its name included. @digest is kept
     * beside the bytes where the store can (an extended attribute), for repair alone. Frees @w, always. */
    int (*complete)(blob_writer *w, const char *digest, berth_error *err);

    /* Keeps what was appended, durably, so that resume() finds it after a crash. Frees @w, always. */
    int (*suspend)(blob_writer *w, berth_error *err);

    /* Frees @w without any promise about its bytes. */
    void (*abandon)(blob_writer *w);

    int (*open)(blob_store *s, const char *key, blob_reader **ret_r,
                berth_error *err); /* BERTH_E_NOT_FOUND */
    uint64_t (*size)(blob_reader *r);
    /* Fewer than @n bytes only at the end of the object; none beyond it. */
    int (*read)(blob_reader *r, uint64_t offset, void *p, size_t n, size_t *ret_n, berth_error *err);
    void (*close)(blob_reader *r);

    int (*remove)(blob_store *s, const char *key, berth_error *err); /* durable; absent: success */
    void (*free)(blob_store *s);

    /* --- optional abilities: NULL where the store lacks them --- */

    /* A descriptor for sendfile, lent until close(). */
    int (*reader_fd)(blob_reader *r);

    /* Calls @each for every object, in no order, with the digest kept beside it ("" where there is none).
     * A non-zero answer stops the walk and is returned. */
    int (*list)(blob_store *s, int (*each)(void *arg, const char *key, uint64_t size, const char *digest),
                void *arg, berth_error *err);

    /* Bytes that can still be written. */
    int (*space)(blob_store *s, uint64_t *ret_free, berth_error *err);

    /* Like remove() for each of the @n keys, cheaper. */
    void (*remove_all)(blob_store *s, const char *const *keys, size_t n, bool *ret_removed);
};

struct blob_store { /* drivers embed this first */
    const struct blob_store_ops *ops;
};
struct blob_writer {
    blob_store *store;
};
struct blob_reader {
    blob_store *store;
};

/* Objects below @dir_fd/objects/<2 hex>/<key>. Takes over @dir_fd, also on failure. Without @sync nothing is
 * durable: for tests and throw-away registries. What an object holds beyond its first @direct_from bytes is
 * written past the page cache where that can be had; 0: never. */
int store_fs_new(int dir_fd, bool sync, uint64_t direct_from, blob_store **ret_s, berth_error *err);

/* Such a folder for reading alone, a backup's say. A copy may have lost the modes that tell what is whole:
 * whoever reads checks the digest. Takes over @dir_fd, also on failure. */
int store_fs_read_only_new(int dir_fd, blob_store **ret_s, berth_error *err);

/* Objects in memory, for tests and `--store memory`. */
int store_memory_new(blob_store **ret_s, berth_error *err);

/* Wraps @inner (and frees it): the calls asked for by store_faulty_fail() fail. For tests. */
int store_faulty_new(blob_store *inner, blob_store **ret_s, berth_error *err);
/* From now on the @nth call (1: the next) fails with @code; 0 disarms. Returns whether the last one fired. */
bool store_faulty_fail(blob_store *faulty, unsigned nth, int code);

/* --- the same calls, written as a reader expects them; a key that is none is BERTH_E_INVALID and never
 * reaches a driver --- */
int store_create(blob_store *s, const char *key, blob_writer **ret_w, berth_error *err);
int store_resume(blob_store *s, const char *key, uint64_t size, blob_writer **ret_w, berth_error *err);
int store_append(blob_writer *w, const void *p, size_t n, berth_error *err);
int store_complete(blob_writer *w, const char *digest, berth_error *err);
int store_suspend(blob_writer *w, berth_error *err);
void store_abandon(blob_writer *w); /* NULL is fine */
int store_open(blob_store *s, const char *key, blob_reader **ret_r, berth_error *err);
uint64_t store_reader_size(blob_reader *r);
int store_reader_fd(blob_reader *r); /* -1: the store has none */
int store_read(blob_reader *r, uint64_t offset, void *p, size_t n, size_t *ret_n, berth_error *err);
void store_close(blob_reader *r); /* NULL is fine */
int store_remove(blob_store *s, const char *key, berth_error *err);
/* @ret_removed[i] tells whether @keys[i] is gone, durably. */
void store_remove_all(blob_store *s, const char *const *keys, size_t n, bool *ret_removed);
/* BERTH_E_UNSUPPORTED: the store can't. */
int store_list(blob_store *s, int (*each)(void *arg, const char *key, uint64_t size, const char *digest),
               void *arg, berth_error *err);
int store_space(blob_store *s, uint64_t *ret_free, berth_error *err);
bool store_key_valid(berth_str key);
void store_free(blob_store *s); /* NULL is fine */

#endif
