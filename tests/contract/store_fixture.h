/* tests/contract/store_fixture.h - a store of each kind to test, and the folder it may live in. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "storage/store.h"

enum store_kind {
    STORE_FS,
    STORE_FS_UNSYNCED,
    STORE_FS_DIRECT, /* past the page cache as soon as that can be */
    STORE_MEMORY,
    STORE_FAULTY_FS,
    STORE_FAULTY_MEMORY,
    STORE_KINDS_
};

struct store_fixture {
    enum store_kind kind;
    blob_store *s;
    char dir[256]; /* empty: needs none */
};

void fixture_open(struct store_fixture *f, enum store_kind kind);
void fixture_reopen(
    struct store_fixture *f); /* a new instance over the same folder; memory goes on as it is */
void fixture_close(struct store_fixture *f);
const char *fixture_name(enum store_kind kind);

/* An object of @n bytes, of which byte i is (@seed + i). */
void fixture_put(blob_store *s, const char *key, unsigned seed, size_t n, const char *digest);
/* Whether the object holds exactly these bytes. */
bool fixture_holds(blob_store *s, const char *key, unsigned seed, size_t n);
bool fixture_finds(blob_store *s, const char *key);
void fixture_fill(char *p, unsigned seed, size_t from, size_t n);

size_t fixture_count_fds(void);

#endif
