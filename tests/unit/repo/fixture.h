/* tests/unit/repo/fixture.h - a registry's rules over a database and a store of their own, with what the
 * tests of this room push, count and look for. Whatever fails here fails the test. */
#ifndef REPO_FIXTURE_H
#define REPO_FIXTURE_H

#include "test.h"

#include "metadata/meta.h"
#include "repo/repo.h"
#include "storage/store.h"

/* The database is in memory, too, but for FIXTURE_FS: <folder>/meta.db. */
enum fixture_store { FIXTURE_MEMORY, FIXTURE_FS, FIXTURE_FAULTY /* over memory */ };

struct fixture {
    meta *m;
    blob_store *s;
    repo *r;
    struct repo_policy policy; /* as it stands; fixture_set_policy() after a change */
    char dir[512];             /* a folder of the test's own; "": none yet */
    berth_arena a;             /* for what the helpers return */
};

#define FIXTURE_INLINE 64 /* larger blobs go to the store */
#define GRACE_MS       1000000
#define DRAIN_MS       100000
#define SESSION_MS     500000

void fixture_init(struct fixture *f, enum fixture_store store);
void fixture_done(struct fixture *f);
void fixture_restart(struct fixture *f); /* FIXTURE_FS: database and rules as after a crash */
void fixture_set_policy(struct fixture *f);
const char *fixture_dir(struct fixture *f);
/* Writes @body to the file at @path below the folder, making its parents. */
void fixture_write(struct fixture *f, const char *path, const void *body, size_t n);

/* @n bytes that differ with @seed; lent until fixture_done(). */
berth_str fixture_bytes(struct fixture *f, size_t n, unsigned seed);
berth_digest digest_sha256(berth_str s);

/* A whole blob, pushed. */
berth_digest push_blob(struct fixture *f, const char *name, berth_str body);
int try_push_blob(struct fixture *f, const char *name, const berth_digest *d, berth_str body,
                  berth_error *err);
/* Whether the session @id ended lately with @d. */
bool was_finished(struct fixture *f, berth_str name, const char *id, const berth_digest *d);
bool blob_is_there(struct fixture *f, const char *name, const berth_digest *d);
/* The blob's bytes as a pull gives them. */
berth_str pull_blob(struct fixture *f, const char *name, const berth_digest *d);

/* Texts of manifests. @more: further members, each with a leading comma. */
berth_str image_text(struct fixture *f, const berth_digest *config, const berth_digest *layers, size_t n,
                     const char *more);
berth_str index_text(struct fixture *f, const berth_digest *children, size_t n, const char *more);

/* @reference: a tag, or a digest. */
int put_manifest(struct fixture *f, const char *name, const char *reference, const char *type, berth_str body,
                 struct repo_manifest_stored *ret, berth_error *err);
/* An image of a config and one large layer, pushed with what it refers to. @reference NULL: by its digest
 * alone. */
berth_digest push_image(struct fixture *f, const char *name, const char *reference, unsigned seed);
/* The digest that a tag has; "" in .text: none. */
berth_digest tag_digest(struct fixture *f, const char *name, const char *tag);
bool manifest_is_there(struct fixture *f, const char *name, const berth_digest *d);

size_t count_objects(struct fixture *f);
void collect(struct fixture *f, struct repo_gc_result *ret);
/* The object that holds a blob; "": inline, or no such blob. */
void object_key(struct fixture *f, const berth_digest *d, char ret[IO_KEY_SIZE]);
/* Nothing that repo_check() finds wrong. */
void check_consistent(struct fixture *f);

#endif
