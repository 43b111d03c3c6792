/* metadata/meta.h - names, tags, edges, sessions and leases, as whole transactions.
 *
 * Each operation below is one transaction: it happens whole or not at all, and a write is durable when it
 * returns BERTH_OK. Operations block; any thread may call them. Reads are short enough for an event loop when
 * the driver is local (struct meta_ops.local). Times are the database's clock, in ms since the epoch.
 *
 * Schema, leases and the collector: docs/internals/collector.md. In
 * short: a blob's row owns an object key; a link (repository, digest) makes it visible; edges from manifests
 * to links, to children and from tags are foreign keys, RESTRICT and immediate. A promise to a client ("you
 * may rely on it") is a lease on a link or manifest; the collector removes only what has neither edge nor
 * live lease.
 *
 * Strings returned live in the @arena given. Errors carry the protocol's code where one fits: NAME_UNKNOWN,
 * BLOB_UNKNOWN, MANIFEST_UNKNOWN, MANIFEST_BLOB_UNKNOWN, BLOB_UPLOAD_UNKNOWN, BLOB_UPLOAD_INVALID, DENIED. */
#ifndef METADATA_META_H
#define METADATA_META_H

#include "oci/digest.h"
#include "oci/listing.h"
#include "oci/reference.h"
#include "util/arena.h"
#include "util/io.h"

typedef struct meta meta;

struct meta_times {
    int64_t grace_ms;    /* G: how long "you may rely on it" holds [24 h] */
    int64_t drain_ms;    /* D: how long a reader may go on with a removed object [2 h] */
    int64_t result_ms;   /* how long a finished session answers its closing PUT again [10 min] */
    int64_t untagged_ms; /* untagged manifests are removed after this; 0: kept for ever [0] */
    bool keep_referrers; /* keep those whose subject was deleted; else they go with it [false] */
};

/* --- blobs --- */
struct meta_blob {
    uint64_t size;
    char key[IO_KEY_SIZE]; /* "": the bytes are in @body */
    berth_str body;        /* inline bytes; .p NULL: not inline */
    bool lease_due; /* no edge holds it and its lease is shorter than G: call blob_lease() before telling a
                     * pusher that it exists */
};

/* --- upload sessions --- */
struct meta_upload {
    char id[37]; /* UUID */
    char key[IO_KEY_SIZE];
    bool stored; /* an object was created under @key: something was recorded */
    bool fresh;  /* nothing was sent to it, and it has neither row nor key yet: only its name */
    enum hash_algorithm algorithm;
    uint64_t size;                      /* durable bytes */
    unsigned char hash[HASH_STATE_MAX]; /* of those bytes */
    size_t hash_len;                    /* 0: none */
    int64_t epoch;                      /* of the claim; fences earlier holders off */
    int64_t expires_at;
};

struct meta_commit {
    berth_str repo, id;
    int64_t epoch;
    const berth_digest *digest;
    uint64_t size;
    int64_t named_until; /* when the session's name ends by itself: how it ended is known until then */
    bool fresh;          /* it has no row, then @body is inline; @create_repo as in upload_begin() */
    bool create_repo;
    bool inline_body; /* store @body in the database */
    bool may_exist;   /* ... and an object may be there under the session's key, although no row counts it */
    berth_str body;
};

/* --- manifests --- */
enum meta_missing_kind { META_MISSING_BLOB, META_MISSING_CHILD, META_MISSING_SUBJECT, META_LOST_SUBJECT };

struct meta_edge {
    berth_str digest;
    bool may_miss; /* foreign layer, sparse index: absent is a row in manifest_missing, not an error */
};

struct meta_manifest_put {
    berth_str repo;
    bool create_repo;
    const berth_digest *digest;
    berth_str media_type, artifact_type, subject, annotations; /* empty: none */
    berth_str body;
    const struct meta_edge *blobs, *children; /* duplicates are fine */
    size_t n_blobs, n_children;
    const berth_str *tags; /* all become visible together */
    size_t n_tags;
    const struct oci_condition *condition; /* NULL: none */
    berth_str condition_tag;               /* what it asks about; .p NULL: @digest itself */
};

/* --- collection --- */
struct meta_gc_step {
    uint64_t manifests, links, blobs, uploads, repositories; /* removed by this step */
    uint64_t bytes;   /* of objects and inline bodies that nothing names any more */
    bool more;        /* something is still due: call again */
    int64_t next_due; /* when !more: the earliest review, 0: none */
};
struct meta_gc_object {
    char key[IO_KEY_SIZE];
    uint64_t size;
    int attempts;
};
struct meta_gc_plan { /* what is due now, without doing it */
    uint64_t manifests, links, blobs, blob_bytes, uploads, upload_bytes, objects, object_bytes;
};

/* --- inspection (berth check) --- */
struct meta_blob_row {
    berth_str digest;
    char key[IO_KEY_SIZE]; /* "": inline */
    berth_str body;
    uint64_t size;
};
enum meta_key_owner { META_KEY_UNKNOWN, META_KEY_UPLOAD, META_KEY_BLOB, META_KEY_GC };

/* --- backup and restore --- */
struct meta_totals {
    uint64_t blobs, bytes, tags;
};
enum meta_repo_rows { META_REPO_LINKS, META_REPO_MANIFESTS, META_REPO_TAGS };
struct meta_repo_row {
    berth_str tag; /* empty but for META_REPO_TAGS */
    berth_str digest, media_type;
    uint64_t size;
};
struct meta_content {
    char key[IO_KEY_SIZE]; /* "": the bytes are in @body */
    berth_str body, media_type;
};

struct meta_stats { /* since start, for /metrics */
    uint64_t transactions, operations,
        failures;       /* committed by the writer; operations in them; failed ones */
    uint64_t queue;     /* waiting for the writer now */
    uint64_t commit_us; /* spent in commits */
};

struct meta_ops {
    const char *name; /* "sqlite" */
    bool local;       /* reads may run on an event loop */

    int (*now)(meta *m, int64_t *ret, berth_error *err);
    /* The @n random bytes, the same for ever, that this registry signs @name with. */
    int (*secret)(meta *m, const char *name, void *ret, size_t n, berth_error *err);

    /* Repositories. A name is listed once it holds a manifest. */
    int (*repo_exists)(meta *m, berth_str repo, berth_error *err); /* BERTH_E_NOT_FOUND NAME_UNKNOWN */
    /* Its number, which no other repository of that name gets; 0: there is none yet, NAME_UNKNOWN without
     * @create_repo. */
    int (*repo_number)(meta *m, berth_str repo, bool create_repo, int64_t *ret, berth_error *err);
    int (*repo_list)(meta *m, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                     berth_error *err);
    /* Gone at once for every reader; its rows are removed by later gc steps. */
    int (*repo_delete)(meta *m, berth_str repo, berth_error *err);

    /* Blobs. Only through a link of @repo: another's blob is BLOB_UNKNOWN (NAME_UNKNOWN for an unknown name).
     */
    int (*blob_get)(meta *m, berth_str repo, const berth_digest *d, bool with_body, berth_arena *a,
                    struct meta_blob *ret, berth_error *err);
    int (*blob_lease)(meta *m, berth_str repo, const berth_digest *d, berth_error *err);
    /* Links @d into @repo; @from empty: from any repository whose name @may_read(arg, name) accepts (NULL:
     * all). BERTH_E_NOT_FOUND: no such link. */
    int (*blob_mount)(meta *m, berth_str repo, bool create_repo, berth_str from, const berth_digest *d,
                      bool (*may_read)(void *arg, berth_str repo), void *arg, berth_error *err);
    /* A small blob in one transaction, bytes in the database. */
    int (*blob_put)(meta *m, berth_str repo, bool create_repo, const berth_digest *d, berth_str body,
                    berth_error *err);
    /* BERTH_E_CONFLICT while manifests refer to it: up to 10 of them in *@ret_referrers. */
    int (*blob_delete)(meta *m, berth_str repo, const berth_digest *d, berth_arena *a,
                       struct oci_list *ret_referrers, berth_error *err);

    /* Sessions. @u gives id, key, algorithm, expires_at, and the epoch if its name is claimed already;
     * without
     * @create_repo an unknown name is NAME_UNKNOWN. */
    int (*upload_begin)(meta *m, berth_str repo, bool create_repo, const struct meta_upload *u,
                        berth_error *err);
    /* BLOB_UPLOAD_UNKNOWN: absent, expired, or of another repository. @fresh, if not NULL, is what an absent
     * one is, unless it has ended. */
    int (*upload_get)(meta *m, berth_str repo, berth_str id, const struct meta_upload *fresh,
                      struct meta_upload *ret, berth_error *err);
    /* One holder at a time: BERTH_E_BUSY while another request has it. Ends by record, commit or release; a
     * dead process's claim ends with it. */
    int (*upload_claim)(meta *m, berth_str repo, berth_str id, const struct meta_upload *fresh,
                        struct meta_upload *ret, berth_error *err);
    void (*upload_release)(meta *m, berth_str id, int64_t epoch);
    /* What is durable now (size, hash, algorithm, expires_at, stored from @u; id and epoch name it). Ends the
     * claim, unless @keep_claim and it succeeds. BERTH_E_CONFLICT: fenced off, the bytes are not ours any
     * more. */
    int (*upload_record)(meta *m, const struct meta_upload *u, bool keep_claim, berth_error *err);
    /* Ends the session with a blob linked into its repository. Another object may hold the digest already:
     * then the session's own goes to the collector, in the same transaction. */
    int (*upload_commit)(meta *m, const struct meta_commit *c, berth_error *err);
    /* @named_until as in struct meta_commit; 0: the name alone is worth nothing. */
    int (*upload_cancel)(meta *m, berth_str repo, berth_str id, int64_t named_until, berth_error *err);
    /* The digest that a session, finished within result_ms, ended with. */
    int (*upload_result)(meta *m, berth_str repo, berth_str id, berth_digest *ret, berth_error *err);

    /* Manifests. On MANIFEST_BLOB_UNKNOWN *@ret_missing names every absent digest. A @condition (NULL: none)
     * that does not hold is BERTH_E_CONDITION; it is asked before anything is written, and for a deletion
     * only of what is there. */
    int (*manifest_put)(meta *m, const struct meta_manifest_put *put, berth_arena *a,
                        struct oci_list *ret_missing, berth_error *err);
    /* By tag, or by digest when @tag.p is NULL. */
    int (*manifest_get)(meta *m, berth_str repo, berth_str tag, const berth_digest *d, bool with_body,
                        berth_arena *a, struct oci_stored *ret, berth_error *err);
    int (*manifest_lease)(meta *m, berth_str repo, const berth_digest *d, berth_error *err);
    int (*manifest_delete)(meta *m, berth_str repo, const berth_digest *d,
                           const struct oci_condition *condition, berth_error *err); /* its tags too */
    int (*tag_delete)(meta *m, berth_str repo, berth_str tag, const struct oci_condition *condition,
                      berth_error *err);
    /* Bytewise order, after @after (need not exist), at most @n. NAME_UNKNOWN. */
    int (*tag_list)(meta *m, berth_str repo, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                    berth_error *err);
    /* Ordered by (artifact_type, digest), after (@after_type, @after_digest) unless @after_digest is empty.
     * An empty
     * @artifact_type: all. At most @n rows and about @max_bytes of them. An unknown name: an empty list. */
    int (*referrers)(meta *m, berth_str repo, berth_str subject, berth_str artifact_type,
                     berth_str after_type, berth_str after_digest, size_t n, size_t max_bytes, berth_arena *a,
                     struct oci_referrers *ret, berth_error *err);

    /* Collection: one small transaction of at most about @rows rows. */
    int (*gc_step)(meta *m, size_t rows, struct meta_gc_step *ret, berth_error *err);
    int (*gc_plan)(meta *m, struct meta_gc_plan *ret, berth_error *err);
    int (*gc_objects)(meta *m, size_t n, berth_arena *a, struct meta_gc_object **ret, size_t *ret_n,
                      berth_error *err); /* due for removal from the store */
    int (*gc_objects_done)(meta *m, const char *const *keys, size_t n, berth_error *err);
    int (*gc_object_failed)(meta *m, const char *key,
                            berth_error *err); /* tried again later, ever less often */
    /* Puts untagged manifests that nothing reviews any more back into the queue: once, when the setting was
     * switched on. @cursor starts as "" and is kept by the caller; *@ret_more until the end. */
    int (*gc_requeue_untagged)(meta *m, size_t rows, berth_buf *cursor, bool *ret_more, berth_error *err);

    /* Inspection. */
    int (*blobs_page)(meta *m, berth_str after, size_t n, berth_arena *a, struct meta_blob_row **ret,
                      size_t *ret_n, berth_error *err);
    int (*key_owner)(meta *m, const char *key, enum meta_key_owner *ret, berth_error *err);
    int (*blob_rekey)(meta *m, const char *digest, const char *key,
                      berth_error *err); /* repair: other object, same bytes */
    /* Repair: the bytes are lost. Links and the row go, edges become manifest_missing, the key goes to the
     * collector. */
    int (*blob_forget)(meta *m, const char *digest, berth_error *err);
    int (*object_orphan)(meta *m, const char *key, uint64_t size,
                         berth_error *err); /* an unknown key, to the collector */
    /* Every manifest whose body must hash to its digest, in (repository, digest) order; @cursor as above. */
    int (*manifests_page)(meta *m, size_t n, berth_buf *cursor, berth_arena *a, struct oci_list *ret_repos,
                          struct oci_list *ret_digests, struct oci_list *ret_bodies, berth_error *err);
    /* The database's own check; @quick leaves out whether each index agrees with its table. */
    int (*integrity)(meta *m, bool quick, berth_arena *a, struct oci_list *ret_problems, berth_error *err);
    int (*rebuild)(meta *m, berth_error *err); /* repair: makes every index anew from its table */

    /* Backup. A consistent copy of everything but sessions and what waits for removal, in the new file @path,
     * while others write; checked, synced, and opened for more. BERTH_E_CORRUPT: a page is damaged. */
    int (*snapshot)(meta *m, const char *path, const _Atomic bool *stop, meta **ret, berth_error *err);
    int (*totals)(meta *m, struct meta_totals *ret, berth_error *err);
    /* Up to @n repositories that link a blob. */
    int (*blob_repos)(meta *m, berth_str digest, size_t n, berth_arena *a, struct oci_list *ret,
                      berth_error *err);
    /* All repositories, also those that hold no manifest, by name. */
    int (*repos_page)(meta *m, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                      berth_error *err);
    /* What a repository holds, by digest, or tags by name. */
    int (*repo_page)(meta *m, berth_str repo, enum meta_repo_rows kind, berth_str after, size_t n,
                     berth_arena *a, struct meta_repo_row **ret, size_t *ret_n, berth_error *err);
    /* A manifest or a blob, without saying which. BERTH_E_NOT_FOUND. */
    int (*content_get)(meta *m, berth_str repo, const berth_digest *d, berth_arena *a,
                       struct meta_content *ret, berth_error *err);

    void (*stats)(meta *m, struct meta_stats *ret);
    void (*free)(meta *m);
};

struct meta { /* drivers embed this first */
    const struct meta_ops *ops;
};

/* Opens or creates the database at @path (":memory:" for tests), migrating it forward after a backup beside
 * it; refuses one that is newer than this program. @times NULL: the defaults in brackets. */
int meta_sqlite_open(const char *path, const struct meta_times *times, meta **ret_m, berth_error *err);

/* --- salvage: a new database of what can still be read of a damaged one --- */
struct meta_salvage_rules {
    /* Whether @bytes have the digest that their row says. */
    bool (*trusted)(void *arg, berth_str digest, berth_str bytes);
    /* Fills in what a manifest of @to says of itself and of others, from @put's repo, digest, media_type and
     * body. BERTH_E_INVALID: it says nothing; its row is kept. */
    int (*manifest)(void *arg, meta *to, berth_arena *a, struct meta_manifest_put *put, berth_error *err);
    /* Every object of the store, as store_list(). */
    int (*objects)(void *arg, int (*each)(void *arg, const char *key, uint64_t size, const char *digest),
                   void *each_arg, berth_error *err);
    void (*say)(void *arg, const char *text); /* one line each: what is damaged, what is lost, by name */
    void *arg;
    const _Atomic bool *stop; /* may be NULL */
};
struct meta_salvage_result {
    uint64_t damaged; /* tables and indexes */
    uint64_t lost;    /* repositories' names, manifests, tags, blobs, sessions */
};
/* The database at @path, which nobody has open, gives way to a new one of its rows, with leases and reviews
 * as if all had been pushed now; it is kept as @path.damaged. A crash leaves the one or the other. */
int meta_sqlite_salvage(const char *path, const struct meta_times *times,
                        const struct meta_salvage_rules *rules, struct meta_salvage_result *ret,
                        berth_error *err);

/* Tests only: @ms pass; somebody moves the wall clock by @ms. */
void meta_sqlite_shift_clock(meta *m, int64_t ms);
void meta_sqlite_move_clock(meta *m, int64_t ms);

#endif
