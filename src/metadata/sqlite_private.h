/* metadata/sqlite_private.h - what the files of the SQLite driver share. They alone know SQLite.
 *
 * Threads: one writer thread owns the writing connection and runs every operation that changes something
 * (sqlite_writer.c); each thread that reads has a connection of its own. A struct db is never used by two
 * threads. */
#ifndef METADATA_SQLITE_PRIVATE_H
#define METADATA_SQLITE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <sqlite3.h>

#include "metadata/meta.h"

struct sqlite_meta;

/* --- sqlite_db.c: one connection, its prepared statements, errors --- */
struct db_cached;
struct recent;
struct db {
    sqlite3 *handle;
    struct sqlite_meta *m;
    const char *what;        /* the operation under way, for messages */
    struct db_cached *cache; /* by the address of the SQL text: a literal at its place of use */
    size_t cached, slots;
    struct recent *recent;   /* readers: sqlite_recent.c */
    struct db *next, **link; /* readers: the driver's list */
};

#define DB_BUSY_TIMEOUT_MS 10000
/* @flags: SQLITE_OPEN_...; @vfs NULL: the system's files. Sets the pragmas every connection needs. */
int db_open(struct db *db, struct sqlite_meta *m, const char *path, int flags, const char *vfs,
            berth_error *err);
void db_close(struct db *db);

/* What SQLite's @rc means to a caller; the message names the operation. */
int db_fail(struct db *db, int rc, berth_error *err);
int db_nomem(struct db *db, berth_error *err);

/* A statement that is run often: prepared once for each connection, @sql must be a literal. @types has a
 * letter for each parameter: i int64_t, s text and b bytes (berth_str), z C string; S, B and Z: the same,
 * NULL when empty. What is bound is not copied. Reset it by db_reset() or CLEANUP(db_resetp) before it is
 * asked for again. */
int db_start(struct db *db, sqlite3_stmt **ret, berth_error *err, const char *sql, const char *types, ...);
int db_step(struct db *db, sqlite3_stmt *st, berth_error *err); /* 1: a row, 0: no more, negative: error */
void db_reset(sqlite3_stmt *st);
void db_resetp(sqlite3_stmt **st);

/* Run to the end. */
int db_run(struct db *db, berth_error *err, const char *sql, const char *types, ...);
/* The first column of the first row: 1, or 0 without a row, or an error. */
int db_int(struct db *db, int64_t *ret, berth_error *err, const char *sql, const char *types, ...);
/* Plain text, several statements, not cached. */
int db_exec(struct db *db, const char *sql, berth_error *err);

static inline int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->handle);
}

berth_str db_text(sqlite3_stmt *st, int col); /* lent until the next step */
int db_copy(struct db *db, sqlite3_stmt *st, int col, berth_arena *a, berth_str *ret, berth_error *err);
void db_key(sqlite3_stmt *st, int col, char out[IO_KEY_SIZE]); /* NULL: "" */

/* A growing array of strings in an arena. */
struct list_builder {
    berth_str *items;
    size_t n, cap;
};
int list_add(struct db *db, struct list_builder *l, berth_arena *a, berth_str s,
             berth_error *err); /* copies @s */

/* --- sqlite_migrate.c --- */
struct migration {
    int version;
    const char *sql;
};
extern const struct migration meta_migrations[];
extern const size_t meta_migrations_n;
/* Brings the database to the last of @list, after a copy to "<path>.v<old>.bak" unless it is new. */
int db_migrate(struct db *db, const char *path, const struct migration *list, size_t n, berth_error *err);

/* --- sqlite_create.c --- */
/* The file of a new database, made by tools/embed-database from schema/new.sql: what is not zero in it, run
 * after run. */
struct image_run {
    uint32_t offset, size;
};
extern const struct image_run meta_image_runs[];
extern const unsigned char meta_image[];
#define META_SECRET_SIZE 32
extern const size_t meta_image_runs_n, meta_image_size, meta_image_secret_at;
/* Makes sure that there is a database at m->path, its owner's alone, and that its name is durable before
 * anything refers to it. SQLite gives its other files the same mode. */
int db_create(struct sqlite_meta *m, berth_error *err);

/* --- sqlite_checkpoint.c --- */
struct copier {
    struct db db; /* the thread's own; opened when it is needed first */
    bool opened;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool asked, stopping;
    atomic_bool busy;   /* from when the writer asks until the pass is over */
    atomic_int copied;  /* frames of the log that the database has, after the last pass */
    int synced;         /* of those, synced by the thread; its own */
    atomic_bool broken; /* a sync has failed: the log has to stay, and nothing is written */
    /* The writer's own, in frames: how long the log is and was, where it is to be looked at, where it must
     * begin anew, and what had been copied when a pass was asked for. */
    int frames, last, look_at, restart_at, before;
};
int copier_start(struct sqlite_meta *m, berth_error *err);
void copier_stop(struct sqlite_meta *m);
struct writer;
int log_is_whole(const struct writer *w, berth_error *err); /* BERTH_E_IO: nothing may be written */
void log_copy_back(struct writer *w);                       /* after each batch */

/* --- sqlite_writer.c --- */
struct writer_op;
/* Runs in the writer's transaction. It may run again from the start when the transaction was lost: outputs
 * are set anew, nothing outside the database is changed. Any negative result undoes what it wrote, and
 * nothing else. */
typedef int writer_fn(struct db *db, void *arg, berth_error *err);
struct writer {
    struct db db;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct writer_op *first, **last;
    size_t waiting; /* operations in that queue */
    size_t wanted;  /* the writer is to be woken when there are so many */
    size_t crowd;   /* how many there were for the last batch, and came while it ran */
    bool stopping;
    struct copier copier;
    int64_t average_us; /* of the last commits; the writer's own */
    atomic_uint_fast64_t transactions, operations, failures, queue, commit_us;
    atomic_uint_fast64_t commits; /* tried; counted before anyone hears of it */
};
int writer_start(struct sqlite_meta *m, berth_error *err);
void writer_stop(struct sqlite_meta *m); /* what waits is done first */
/* Blocks until @fn's changes are durable. */
int writer_run(struct sqlite_meta *m, const char *what, writer_fn *fn, void *arg, berth_error *err);

/* --- sqlite_log.c --- */
/* m->vfs.zName becomes the files for the writing connection, which must sync: its log goes out in large
 * pieces. */
int log_gather(struct sqlite_meta *m, berth_error *err);
void log_gather_no_more(struct sqlite_meta *m);

/* --- sqlite_recent.c --- */
enum recent_kind { RECENT_TAG, RECENT_MANIFEST, RECENT_BLOB };
struct recent_answer {
    int64_t until; /* when a lease on it is due; INT64_MAX: never, something holds it */
    bool with_body;
    uint64_t size;
    berth_digest digest;  /* of a manifest */
    berth_str text, body; /* its media type; of a blob, its key */
};
uint64_t recent_commits(struct db *db); /* to be asked before the database is */
/* What @name, a tag or a digest, of @repo leads to, when this thread has read it since the last commit. Good
 * until the next recent_keep(). */
const struct recent_answer *recent_find(struct db *db, enum recent_kind kind, berth_str repo, berth_str name,
                                        bool with_body);
void recent_keep(struct db *db, uint64_t commits, enum recent_kind kind, berth_str repo, berth_str name,
                 const struct recent_answer *answer);
/* Until when an answer is good in which a lease to @lease_until was not due, for it was asked whether it ends
 * before @due: lease_due_before(). */
int64_t recent_until(struct db *db, int64_t due, int64_t lease_until);
void recent_free(struct recent *r); /* NULL is fine */

/* --- sqlite.c --- */
#define CLAIM_BUCKETS 64
struct claim;
struct sqlite_meta {
    meta base;
    struct meta_times times;
    sqlite3_vfs vfs; /* sqlite_log.c */
    char vfs_name[32];
    char *path, *temp_dir;        /* temp_dir: ":memory:", a folder that goes with the driver */
    atomic_int_fast64_t shift_ms; /* tests */
    atomic_int_fast64_t jump_ms;  /* tests */
    /* The clock (docs/internals/collector.md): by how much wall and boot clock differ as things stand, and
     * until when, by the boot clock, a lease may be alive that was given while they differed otherwise. */
    atomic_int_fast64_t wall_minus_boot, paused_until;
    atomic_int_fast64_t last_id;
    struct writer writer;
    pthread_key_t reader_key;
    bool has_reader_key;
    pthread_mutex_t readers_lock;
    struct db *readers;
    pthread_mutex_t claims_lock;
    struct claim *claims[CLAIM_BUCKETS];
    int64_t claims_n;
    int64_t last_epoch;
};

static inline struct sqlite_meta *sqlite_of(meta *m)
{
    return CONTAINER_OF(m, struct sqlite_meta, base);
}

int64_t lease_due_before(struct sqlite_meta *m); /* a promise needs a lease that lasts until then: now + G */
int64_t sqlite_now(struct sqlite_meta *m);
/* For how many ms more the collector must not trust the clock; 0: it may. */
int64_t sqlite_clock_pause(struct sqlite_meta *m);
int64_t sqlite_new_id(struct sqlite_meta *m); /* 63 bits, greater than any before */
/* This thread's reading connection, ready for the operation @what. */
int reader_get(struct sqlite_meta *m, const char *what, struct db **ret, berth_error *err);

/* --- sqlite_repos.c --- */
int repo_find(struct db *db, berth_str name, int64_t *ret_id, berth_error *err); /* NAME_UNKNOWN */
int repo_ensure(struct db *db, berth_str name, bool create, int64_t *ret_id, berth_error *err);
/* Something of the repository went: the collector looks whether anything is left. */
int repo_review(struct db *db, int64_t repo_id, int64_t now, berth_error *err);
/* In the catalogue as long as it holds a manifest. */
int repo_list_it(struct db *db, int64_t repo_id, berth_error *err);
int repo_list_no_more(struct db *db, int64_t repo_id, berth_error *err);
int sqlite_repo_exists(meta *m, berth_str repo, berth_error *err);
int sqlite_repo_number(meta *m, berth_str repo, bool create_repo, int64_t *ret, berth_error *err);
int sqlite_repo_list(meta *m, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                     berth_error *err);
int sqlite_repo_delete(meta *m, berth_str repo, berth_error *err);

/* --- sqlite_blobs.c --- */
/* The row of @digest; exists already: kept. @key "": @body is stored. *@ret_kept: whether this key or body is
 * the row's. */
int blob_insert(struct db *db, const char *digest, uint64_t size, const char *key, berth_str body,
                bool *ret_kept, berth_error *err);
/* Links and leases it, and turns manifest_missing rows of the repository into edges. */
int blob_link(struct db *db, int64_t repo_id, const char *digest, int64_t now, berth_error *err);
int object_discard(struct db *db, const char *key, uint64_t size, int64_t now,
                   berth_error *err); /* to gc_objects */
int sqlite_blob_get(meta *m, berth_str repo, const berth_digest *d, bool with_body, berth_arena *a,
                    struct meta_blob *ret, berth_error *err);
int sqlite_blob_lease(meta *m, berth_str repo, const berth_digest *d, berth_error *err);
int sqlite_blob_mount(meta *m, berth_str repo, bool create_repo, berth_str from, const berth_digest *d,
                      bool (*may_read)(void *arg, berth_str repo), void *arg, berth_error *err);
int sqlite_blob_put(meta *m, berth_str repo, bool create_repo, const berth_digest *d, berth_str body,
                    berth_error *err);
int sqlite_blob_delete(meta *m, berth_str repo, const berth_digest *d, berth_arena *a,
                       struct oci_list *ret_referrers, berth_error *err);

/* --- sqlite_uploads.c --- */
bool claim_held(struct sqlite_meta *m, berth_str id);
void claims_free(struct sqlite_meta *m);
int sqlite_upload_begin(meta *m, berth_str repo, bool create_repo, const struct meta_upload *u,
                        berth_error *err);
int sqlite_upload_get(meta *base, berth_str repo, berth_str id, const struct meta_upload *fresh,
                      struct meta_upload *ret, berth_error *err);
int sqlite_upload_claim(meta *base, berth_str repo, berth_str id, const struct meta_upload *fresh,
                        struct meta_upload *ret, berth_error *err);
void sqlite_upload_release(meta *m, berth_str id, int64_t epoch);
int sqlite_upload_record(meta *m, const struct meta_upload *u, bool keep_claim, berth_error *err);
int sqlite_upload_commit(meta *m, const struct meta_commit *c, berth_error *err);
int sqlite_upload_cancel(meta *base, berth_str repo, berth_str id, int64_t named_until, berth_error *err);
int sqlite_upload_result(meta *m, berth_str repo, berth_str id, berth_digest *ret, berth_error *err);

/* --- sqlite_manifests.c --- */
/* Whether a tag, a parent or a living subject holds the manifest in alias m. */
#define MANIFEST_HELD                                                                                        \
    "(EXISTS(SELECT 1 FROM tags t WHERE t.repo_id=m.repo_id AND t.manifest=m.digest)"                        \
    " OR EXISTS(SELECT 1 FROM manifest_children c WHERE c.repo_id=m.repo_id AND c.child=m.digest)"           \
    " OR (m.subject IS NOT NULL AND EXISTS(SELECT 1 FROM manifests s WHERE s.repo_id=m.repo_id"              \
    " AND s.digest=m.subject)))"
/* Whether a promise on it needs a longer lease; as LINK_LEASE_DUE() in sqlite_blobs.c. */
#define MANIFEST_LEASE_DUE(n, blind)                                                                         \
    "CASE WHEN m.lease_until>=" n " THEN 0 WHEN " blind " THEN 1 ELSE NOT " MANIFEST_HELD " END"
/* A tag or parent let go of it: it lives for G from now, and the collector looks at it afterwards. */
int manifest_release(struct db *db, int64_t repo_id, const char *digest, int64_t now, berth_error *err);
/* With its tags, edges and promises; what it referred to lives for G from now. */
int manifest_remove(struct db *db, int64_t repo_id, const char *digest, int64_t now, berth_error *err);
/* Up to @limit referrers of a deleted subject, after the one given, get their META_LOST_SUBJECT and a review;
 * the place where to go on, if any, is a row of lost_subjects. */
int referrers_orphan(struct db *db, int64_t repo_id, berth_str subject, berth_str after_type,
                     berth_str after_digest, size_t limit, int64_t now, size_t *ret_n, berth_error *err);
/* sqlite_manifest_put() within a transaction. */
int manifest_store(struct db *db, const struct meta_manifest_put *put, berth_arena *a, berth_error *err);
int64_t untagged_review(struct sqlite_meta *m,
                        int64_t now); /* when one that is untagged from @now on is looked at */
int sqlite_manifest_put(meta *m, const struct meta_manifest_put *put, berth_arena *a,
                        struct oci_list *ret_missing, berth_error *err);
int sqlite_manifest_lease(meta *m, berth_str repo, const berth_digest *d, berth_error *err);
int sqlite_manifest_delete(meta *m, berth_str repo, const berth_digest *d,
                           const struct oci_condition *condition, berth_error *err);
int sqlite_tag_delete(meta *m, berth_str repo, berth_str tag, const struct oci_condition *condition,
                      berth_error *err);

/* --- sqlite_lists.c --- */
int sqlite_manifest_get(meta *m, berth_str repo, berth_str tag, const berth_digest *d, bool with_body,
                        berth_arena *a, struct oci_stored *ret, berth_error *err);
int sqlite_tag_list(meta *m, berth_str repo, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                    berth_error *err);
int sqlite_referrers(meta *m, berth_str repo, berth_str subject, berth_str artifact_type,
                     berth_str after_type, berth_str after_digest, size_t n, size_t max_bytes, berth_arena *a,
                     struct oci_referrers *ret, berth_error *err);

/* --- sqlite_gc.c --- */
int sqlite_gc_step(meta *m, size_t rows, struct meta_gc_step *ret, berth_error *err);
int sqlite_gc_plan(meta *m, struct meta_gc_plan *ret, berth_error *err);
int sqlite_gc_objects(meta *m, size_t n, berth_arena *a, struct meta_gc_object **ret, size_t *ret_n,
                      berth_error *err);
int sqlite_gc_objects_done(meta *m, const char *const *keys, size_t n, berth_error *err);
int sqlite_gc_object_failed(meta *m, const char *key, berth_error *err);
int sqlite_gc_requeue_untagged(meta *m, size_t rows, berth_buf *cursor, bool *ret_more, berth_error *err);

/* --- sqlite_inspect.c --- */
int sqlite_blobs_page(meta *m, berth_str after, size_t n, berth_arena *a, struct meta_blob_row **ret,
                      size_t *ret_n, berth_error *err);
int sqlite_key_owner(meta *m, const char *key, enum meta_key_owner *ret, berth_error *err);
int sqlite_blob_rekey(meta *m, const char *digest, const char *key, berth_error *err);
int sqlite_blob_forget(meta *m, const char *digest, berth_error *err);
int sqlite_object_orphan(meta *m, const char *key, uint64_t size, berth_error *err);
int sqlite_manifests_page(meta *m, size_t n, berth_buf *cursor, berth_arena *a, struct oci_list *ret_repos,
                          struct oci_list *ret_digests, struct oci_list *ret_bodies, berth_error *err);
int sqlite_integrity(meta *m, bool quick, berth_arena *a, struct oci_list *ret_problems, berth_error *err);
int sqlite_rebuild(meta *m, berth_error *err);

/* --- sqlite_backup.c --- */
int sqlite_snapshot(meta *m, const char *path, const _Atomic bool *stop, meta **ret, berth_error *err);
int sqlite_totals(meta *m, struct meta_totals *ret, berth_error *err);
int sqlite_blob_repos(meta *m, berth_str digest, size_t n, berth_arena *a, struct oci_list *ret,
                      berth_error *err);
int sqlite_repos_page(meta *m, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                      berth_error *err);
int sqlite_repo_page(meta *m, berth_str repo, enum meta_repo_rows kind, berth_str after, size_t n,
                     berth_arena *a, struct meta_repo_row **ret, size_t *ret_n, berth_error *err);
int sqlite_content_get(meta *m, berth_str repo, const berth_digest *d, berth_arena *a,
                       struct meta_content *ret, berth_error *err);

/* A cursor "<repository id> <digest>"; empty: the start. */
int cursor_read(const berth_buf *cursor, int64_t *ret_repo, berth_str *ret_digest, berth_error *err);
int cursor_write(berth_buf *cursor, int64_t repo, berth_str digest, berth_error *err);

#endif
