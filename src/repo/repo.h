/* repo/repo.h - the rules of a registry: what may be stored, what it refers to, in which order bytes and rows
 * go down, who may rely on what. Neither HTTP nor SQL.
 *
 * Thread-safe throughout. Calls block; those marked "read" are short enough for an event loop when
 * repo_reads_inline(). Strings returned live in the arena given. Errors carry the protocol's code. */
#ifndef REPO_REPO_H
#define REPO_REPO_H

#include "oci/listing.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "util/buf.h"

typedef struct repo repo;

/* What it stands on: metadata/meta.h and storage/store.h, for whoever opens it; callers of the rules see
 * neither. */
typedef struct meta meta;
struct meta_times;
typedef struct blob_store blob_store;
typedef struct blob_reader blob_reader;

enum repo_sparse { REPO_SPARSE_NONE, REPO_SPARSE_PLATFORMS, REPO_SPARSE_ALL };

/* All strings are copied by repo_set_policy(). */
struct repo_policy {
    bool auto_create;             /* a push makes its repository */
    bool deletes;                 /* else every DELETE is UNSUPPORTED (405) */
    bool read_only;               /* every write is UNSUPPORTED (405) */
    bool schema1;                 /* Docker schema 1 as bytes */
    bool mount_anywhere;          /* mount without "from" */
    enum repo_sparse sparse;      /* what a manifest refers to and may be absent */
    const char *const *platforms; /* REPO_SPARSE_PLATFORMS: those that must be there */
    size_t n_platforms;
    const char *const *urls_allow,
        *const *urls_deny; /* prefixes for "urls" of foreign layers; no allow list: all */
    size_t n_urls_allow, n_urls_deny;
    uint64_t inline_size; /* blobs up to this many bytes live in the database */
    uint64_t reserve;     /* uploads are refused below this much free space */
    int64_t session_ms;   /* life of an upload session without activity */
};

/* Takes over neither @m nor @s. */
int repo_new(meta *m, blob_store *s, const struct repo_policy *policy, repo **ret_r, berth_error *err);
void repo_free(repo *r);                                                          /* NULL is fine */
int repo_set_policy(repo *r, const struct repo_policy *policy, berth_error *err); /* any time */
const struct repo_policy *repo_policy_now(repo *r);                               /* lent until repo_free() */
void repo_set_read_only(repo *r, bool on); /* over the policy, until set back */
bool repo_is_read_only(repo *r);
bool repo_reads_inline(repo *r);
/* Appends the figures of metadata and store, as Prometheus lines. */
void repo_print_metrics(repo *r, berth_buf *out);
int repo_ready(repo *r, berth_error *err); /* metadata and store answer; for /readyz */

/* --- blobs --- */
struct repo_blob {
    uint64_t size;
    berth_str body;      /* inline bytes; .p NULL: in the store */
    blob_reader *reader; /* else read by the calls below */
    bool lease_due;      /* repo_blob_promise() before answering */
};
/* Read. @with_bytes false: only size and lease. BLOB_UNKNOWN, NAME_UNKNOWN. */
int repo_blob_open(repo *r, berth_str name, const berth_digest *d, bool with_bytes, berth_arena *a,
                   struct repo_blob *ret, berth_error *err);
void repo_blob_close(struct repo_blob *b);
int repo_blob_fd(const struct repo_blob *b); /* for sendfile, lent until it is closed; -1: read it */
int repo_blob_read(const struct repo_blob *b, uint64_t offset, void *p, size_t n, size_t *ret_n,
                   berth_error *err);
int repo_blob_promise(repo *r, berth_str name, const berth_digest *d, berth_error *err);
/* BERTH_E_NOT_FOUND: not mountable; the caller opens a session instead (202). */
int repo_blob_mount(repo *r, berth_str name, berth_str from, const berth_digest *d, berth_error *err);
/* BERTH_E_CONFLICT with the manifests that refer to it. */
int repo_blob_delete(repo *r, berth_str name, const berth_digest *d, berth_arena *a,
                     struct oci_list *ret_referrers, berth_error *err);

/* --- upload sessions (docs/internals/uploads.md) --- */
typedef struct repo_upload repo_upload; /* one request's hold on a session */

int repo_upload_start(repo *r, berth_str name, enum hash_algorithm algorithm, char ret_id[37],
                      berth_error *err);
/* Holds the session until suspend, finish or abandon. @digest, if given, is the one it will end with. */
int repo_upload_open(repo *r, berth_str name, berth_str id, const berth_digest *digest, repo_upload **ret_u,
                     berth_error *err);
/* A session of its own for a blob that comes whole in one request; a small one never touches the store. */
int repo_upload_single(repo *r, berth_str name, const berth_digest *digest, repo_upload **ret_u,
                       berth_error *err);
uint64_t repo_upload_offset(const repo_upload *u);
/* Before the first append: @n bytes are announced. BERTH_E_NO_SPACE when the store cannot take them. */
int repo_upload_expect(repo_upload *u, uint64_t n, berth_error *err);
int repo_upload_append(repo_upload *u, const void *p, size_t n, berth_error *err);
/* What was appended is durable and counted when this returns. Frees @u, always. */
int repo_upload_suspend(repo_upload *u, uint64_t *ret_size, berth_error *err);
/* The blob exists when this returns. On failure the session is as it was before this hold. Frees @u, always.
 */
int repo_upload_finish(repo_upload *u, const berth_digest *digest, berth_error *err);
/* Gives up the hold, and all that was appended in it. Frees @u. NULL is fine. */
void repo_upload_abandon(repo_upload *u);
int repo_upload_status(repo *r, berth_str name, berth_str id, uint64_t *ret_size,
                       berth_error *err); /* read */
int repo_upload_cancel(repo *r, berth_str name, berth_str id, berth_error *err);
/* Read: whether the session was finished lately with @digest, so that a repeated PUT gets its 201 again. */
int repo_upload_was_finished(repo *r, berth_str name, berth_str id, const berth_digest *digest, bool *ret,
                             berth_error *err);

/* --- manifests, tags, referrers --- */
struct repo_manifest_put {
    berth_str name;
    oci_reference reference;
    berth_str content_type, body;
    const berth_str *tags; /* beside a digest reference */
    size_t n_tags;
    const struct oci_condition *condition; /* on what stands under @reference; NULL: none */
};
struct repo_manifest_stored {
    berth_digest digest;
    bool has_subject;
    berth_digest subject;
    struct oci_list missing; /* with MANIFEST_BLOB_UNKNOWN: what is absent */
    berth_str refused_url;   /* of a foreign layer, not allowed here; .p NULL: none */
};
/* BERTH_E_CONDITION: it does not hold, and nothing was changed; so for a deletion. */
int repo_manifest_put(repo *r, const struct repo_manifest_put *put, berth_arena *a,
                      struct repo_manifest_stored *ret, berth_error *err);
/* Read. */
int repo_manifest_get(repo *r, berth_str name, const oci_reference *ref, bool with_body, berth_arena *a,
                      struct oci_stored *ret, berth_error *err);
int repo_manifest_promise(repo *r, berth_str name, const berth_digest *d, berth_error *err);
/* Read: the child of @index for @platform ("linux/amd64"), or BERTH_E_NOT_FOUND. */
int repo_manifest_for_platform(repo *r, berth_str name, const struct oci_stored *index, berth_str platform,
                               berth_arena *a, struct oci_stored *ret, berth_error *err);
int repo_manifest_delete(repo *r, berth_str name, const oci_reference *ref,
                         const struct oci_condition *condition, /* NULL: none */
                         berth_error *err);                     /* a tag, or a manifest */
int repo_tag_list(repo *r, berth_str name, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                  berth_error *err); /* read */
int repo_referrers(
    repo *r, berth_str name, const berth_digest *subject, berth_str artifact_type, berth_str after_type,
    berth_str after_digest, size_t n, berth_arena *a, struct oci_referrers *ret,
    berth_error *err); /* read; at most @n, and about as many bytes as clients accept for a manifest */

/* --- repositories --- */
int repo_catalog(repo *r, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                 berth_error *err); /* read */
int repo_delete(repo *r, berth_str name, berth_error *err);

/* --- collection (docs/internals/collector.md) --- */
struct repo_gc_result {
    uint64_t manifests, links, blobs, uploads, repositories; /* rows removed */
    uint64_t objects, bytes;                                 /* removed from the store, and inline bodies */
    uint64_t waiting_bytes; /* to be removed when their readers have had time to finish */
    int64_t next_due;       /* wall clock, ms; 0: nothing known */
};
/* Everything that is due, in small transactions with pauses. @stop (may be NULL) ends it early. One at a
 * time: BERTH_E_BUSY while another runs. */
int repo_gc(repo *r, const _Atomic bool *stop, struct repo_gc_result *ret, berth_error *err);
struct repo_gc_preview { /* what is due now */
    uint64_t manifests, links, blobs, uploads;
    uint64_t objects, bytes; /* would leave the store at once */
    uint64_t waiting_bytes;  /* later, when their readers have had time to finish */
};
int repo_gc_preview(repo *r, struct repo_gc_preview *ret, berth_error *err);

/* --- inspection: every object against its digest, every row against its object --- */
struct repo_check_options {
    bool repair; /* forget what is lost, adopt what is whole, hand orphans to the collector */
    bool quick;  /* rows and objects, but no digest is computed */
    bool alone;  /* no server has the folder: who asked salvages tables that are damaged */
    void (*problem)(void *arg, const char *text); /* one line each; may be NULL */
    void (*progress)(void *arg, uint64_t checked, uint64_t bytes);
    void *arg;
    const _Atomic bool *stop;
};
struct repo_check_result {
    uint64_t blobs, manifests, objects, bytes; /* looked at */
    uint64_t problems, repaired;
    bool damaged; /* tables are: nothing was repaired */
};
/* BERTH_E_CORRUPT with @alone: a table is damaged, or a manifest's bytes; repo_salvage() first. */
int repo_check(repo *r, const struct repo_check_options *o, struct repo_check_result *ret, berth_error *err);

/* --- salvage: a new database of what can still be read of a damaged one that nobody has open --- */
struct repo_salvage_options {
    void (*problem)(void *arg,
                    const char *text); /* one line each: what is damaged, what is lost; may be NULL */
    void *arg;
    const _Atomic bool *stop;
};
struct repo_salvage_result {
    uint64_t damaged; /* tables and indexes */
    uint64_t lost;    /* manifests, tags, blobs, sessions: each is named */
};
int repo_salvage(const char *database, const struct meta_times *times, blob_store *store,
                 const struct repo_salvage_options *o, struct repo_salvage_result *ret, berth_error *err);

/* --- backup: the metadata as they are at one moment, and every object that they name --- */
struct repo_backup_options {
    bool verify;                                  /* objects that the backup has already are read, too */
    void (*problem)(void *arg, const char *text); /* one line each; may be NULL */
    void (*progress)(void *arg, uint64_t blobs, uint64_t of, uint64_t bytes); /* may be NULL */
    void *arg;
    const _Atomic bool *stop;
};
struct repo_backup_result {
    uint64_t tags, blobs, bytes;   /* in the backup, or of it */
    uint64_t copied, copied_bytes; /* objects that were not there yet */
    uint64_t removed;              /* objects that belonged to nothing any more */
    uint64_t problems; /* blobs whose bytes are missing or wrong: they are named, and not copied */
};
/* Writes the metadata to the new file @database and copies what they name into @to, which may have some of it
 * already. Everything else goes on, but no object is removed meanwhile. */
int repo_backup(repo *r, const char *database, blob_store *to, const struct repo_backup_options *o,
                struct repo_backup_result *ret, berth_error *err);
/* Fills the store of @r, whose metadata came from a backup, with the backup's objects. A blob whose bytes are
 * missing or wrong is forgotten: whoever has it may push it again. */
int repo_backup_fill(repo *r, blob_store *from, const struct repo_backup_options *o,
                     struct repo_backup_result *ret, berth_error *err);
/* Removes from @s every object that no row of @m names. */
int repo_backup_prune(meta *m, blob_store *s, const struct repo_backup_options *o,
                      struct repo_backup_result *ret, berth_error *err);

/* --- export as an OCI image layout --- */
struct repo_export_options {
    berth_str name;
    const oci_reference *reference; /* this one and all that refers to it; NULL: the whole repository */
    int dir_fd;                     /* of the layout, which is made or added to; one export at a time; lent */
    void (*problem)(void *arg, const char *text);                        /* one line each; may be NULL */
    void (*progress)(void *arg, uint64_t blobs, uint64_t bytes_written); /* may be NULL */
    void *arg;
    const _Atomic bool *stop;
};
struct repo_export_result {
    uint64_t tags, manifests, blobs, bytes; /* in the layout now */
    uint64_t copied, copied_bytes;          /* files that were not there yet */
    uint64_t problems; /* what is missing or wrong: named, and no manifest that needs it is listed */
};
/* BERTH_E_NOT_FOUND: no such repository, tag, manifest. */
int repo_export(repo *r, const struct repo_export_options *o, struct repo_export_result *ret,
                berth_error *err);

/* --- import of another registry's folder --- */
struct repo_import_options {
    const char
        *path; /* root of a distribution storage tree, or an OCI layout, or a folder of such (zot, olareg) */
    const char *name; /* repository for a single layout whose path gives none; NULL: taken from the tree */
    bool dry_run;
    void (*report)(void *arg, const char *repo,
                   const char *text); /* one line per tag or problem; may be NULL */
    void *arg;
    const _Atomic bool *stop;
};
struct repo_import_result {
    uint64_t repositories, tags, manifests, blobs, bytes, skipped, failed;
};
int repo_import(repo *r, const struct repo_import_options *o, struct repo_import_result *ret,
                berth_error *err);

/* Brings back what a backup holds and this registry doesn't: @from its metadata, @objects its store; both are
 * only read. Tags point where the backup says, unless @keep_tags leaves those that exist. What was pushed
 * since stays. */
int repo_restore(repo *r, meta *from, blob_store *objects, bool keep_tags,
                 const struct repo_import_options *o, struct repo_import_result *ret, berth_error *err);

#endif
