/* repo/uploads.c - the life of an upload session: started, held by one request at a time, suspended between
 * them, finished into a blob (docs/internals/uploads.md).
 *
 * A session that nothing was sent to is only a name (session_id.h). A small blob that then comes whole is one
 * transaction, row and object never were.
 *
 * Order of bytes and rows: the session's row, with its object key, comes before the first byte; bytes are
 * synced before the row that counts them; the blob's row comes last. So a crash at any point leaves a session
 * that can go on, or an object that a session's row knows of. */
#include "repo/repo_private.h"

#include "util/fault.h"

/* A long PATCH is recorded this often, so that a crash costs the client no more than this. */
#define CHECKPOINT_BYTES (32 * MIB)
/* The reserve is asked for again this often: one large body must not eat what deletes need. */
#define SPACE_BYTES (16 * MIB)
/* Stored and hashed in turns, as much as stays in the nearest caches between the two. */
#define SLICE_BYTES (64 * KIB)

struct repo_upload {
    repo *r;
    char *name;
    struct meta_upload session; /* as it was claimed: what is durable */
    int64_t named_until;        /* the end of its name; 0: it has none that anybody knows */
    bool claimed;               /* else: a single upload whose session is not in the metadata yet */
    berth_hash hash;            /* of everything appended so far */
    uint64_t offset;            /* bytes appended so far, those of earlier holds included */
    uint64_t unchecked;         /* of those, appended since the space was last asked for */
    uint64_t unrecorded;        /* of those, appended since the last record */
    berth_buf small;            /* the bytes while they may still end up in the database */
    blob_writer *writer;        /* NULL while everything is in @small, or nothing came */
    bool single;                /* nobody else knows the session's id: it goes with a hold that fails */
    bool made;                  /* this hold made the object, and no row was asked to count it yet */
    bool chunked;               /* a PATCH: what came of it is kept, so it is recorded now and then */
    bool broken;                /* an append failed: the hold can only be given up */
};

/* When a session that was used just now ends; by the database's clock, as all times are. */
static int expiry(repo *r, int64_t *ret, berth_error *err)
{
    int rc = r->m->ops->now(r->m, ret, err);
    if (rc == BERTH_OK)
        *ret += repo_policy_now(r)->session_ms;
    return rc;
}

static void upload_free(repo_upload *u)
{
    berth_buf_done(&u->small);
    mem_free(u->name);
    mem_free(u);
}

/* What the name @id is worth by itself. *@ret_fresh: the session it would be, @room; NULL when we did not
 * give it out, or its time has passed. */
static int read_name(repo *r, berth_str name, berth_str id, struct meta_upload *room,
                     const struct meta_upload **ret_fresh, berth_error *err)
{
    int64_t now, number;
    struct meta_upload s = {.fresh = true};
    int rc = r->m->ops->repo_number(r->m, name, true, &number, err);
    if (rc == BERTH_OK)
        rc = r->m->ops->now(r->m, &now, err);
    if (rc != BERTH_OK)
        return rc;
    /* The repository may have come since; one that has gone takes its names along. */
    if ((!session_id_read(&r->ids, name, number, id, &s.algorithm, &s.expires_at) &&
         !session_id_read(&r->ids, name, 0, id, &s.algorithm, &s.expires_at)) ||
        s.expires_at <= now) {
        *ret_fresh = NULL;
        return BERTH_OK;
    }
    memcpy(s.id, id.p, id.n);
    *room = s;
    *ret_fresh = room;
    return BERTH_OK;
}

int repo_upload_start(repo *r, berth_str name, enum hash_algorithm algorithm, char ret_id[37],
                      berth_error *err)
{
    int64_t expires_at, number;
    int rc = repo__may_write(r, err);
    if (rc == BERTH_OK)
        rc = repo__has_space(r, 0, err);
    if (rc == BERTH_OK)
        rc = r->m->ops->repo_number(r->m, name, repo_policy_now(r)->auto_create, &number, err);
    if (rc == BERTH_OK)
        rc = expiry(r, &expires_at, err);
    if (rc == BERTH_OK)
        session_id_make(&r->ids, name, number, algorithm, expires_at, ret_id);
    return rc;
}

/* Hashes what is stored: only for a state that this version cannot read, or a digest whose algorithm nobody
 * announced. */
static int hash_stored(repo_upload *u, enum hash_algorithm algorithm, berth_error *err)
{
    blob_writer *w = NULL;
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(256 * KIB);
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    hash_init(&u->hash, algorithm);
    if (u->session.size == 0)
        return BERTH_OK;
    /* An incomplete object can't be opened for reading by design; completing and resuming it keeps its bytes.
     */
    int rc = store_resume(u->r->store, u->session.key, u->session.size, &w, err);
    if (rc == BERTH_OK)
        rc = store_complete(w, "", err);
    blob_reader *reader = NULL;
    if (rc == BERTH_OK)
        rc = store_open(u->r->store, u->session.key, &reader, err);
    for (uint64_t at = 0; rc == BERTH_OK && at < u->session.size;) {
        size_t n = 0;
        rc = store_read(reader, at, piece, (size_t)MIN((uint64_t)(256 * KIB), u->session.size - at), &n, err);
        if (rc == BERTH_OK && n == 0)
            rc = berth_error_set(err, BERTH_E_CORRUPT, "the upload's stored bytes are shorter than recorded");
        hash_update(&u->hash, piece, n);
        at += n;
    }
    store_close(reader);
    return rc;
}

/* A hold on nothing yet, when uploads are welcome at all. */
static int upload_new(repo *r, berth_str name, repo_upload **ret_u, berth_error *err)
{
    int rc = repo__may_write(r, err);
    if (rc == BERTH_OK)
        rc = repo__has_space(r, 0, err);
    if (rc != BERTH_OK)
        return rc;
    repo_upload *u = fault_hit() ? NULL : mem_zalloc(1, sizeof(*u));
    if (!u || !(u->name = str_dup(name))) {
        mem_free(u);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    u->r = r;
    berth_buf_init(&u->small, repo_policy_now(r)->inline_size);
    *ret_u = u;
    return BERTH_OK;
}

int repo_upload_open(repo *r, berth_str name, berth_str id, const berth_digest *digest, repo_upload **ret_u,
                     berth_error *err)
{
    repo_upload *u = NULL;
    int rc = upload_new(r, name, &u, err);
    if (rc != BERTH_OK)
        return rc;
    struct meta_upload room;
    const struct meta_upload *fresh;
    rc = read_name(r, name, id, &room, &fresh, err);
    if (rc == BERTH_OK)
        rc = r->m->ops->upload_claim(r->m, name, id, fresh, &u->session, err);
    if (rc != BERTH_OK) {
        upload_free(u);
        return rc;
    }
    u->named_until = fresh ? fresh->expires_at : 0;
    u->claimed = true;
    u->chunked = !digest; /* a closing PUT that fails leaves the session as it was */
    u->offset = u->session.size;
    enum hash_algorithm algorithm = digest && u->offset == 0 ? digest->algorithm : u->session.algorithm;
    if (u->offset == 0)
        hash_init(&u->hash, algorithm);
    else if (!hash_load(&u->hash, u->session.hash, u->session.hash_len))
        rc = hash_stored(u, algorithm, err);
    if (rc != BERTH_OK) {
        repo_upload_abandon(u);
        return rc;
    }
    *ret_u = u;
    return BERTH_OK;
}

int repo_upload_single(repo *r, berth_str name, const berth_digest *digest, repo_upload **ret_u,
                       berth_error *err)
{
    repo_upload *u = NULL;
    int rc = upload_new(r, name, &u, err);
    if (rc != BERTH_OK)
        return rc;
    u->single = true;
    hash_init(&u->hash, digest->algorithm);
    *ret_u = u;
    return BERTH_OK;
}

uint64_t repo_upload_offset(const repo_upload *u)
{
    return u->offset;
}

int repo_upload_expect(repo_upload *u, uint64_t n, berth_error *err)
{
    return repo__has_space(u->r, n, err);
}

/* Makes the row of a session that has none yet: of one that is only a name, or of a single upload. */
static int give_row(repo_upload *u, berth_error *err)
{
    repo *r = u->r;
    struct meta_upload s = u->session;
    if (u->claimed && !s.fresh)
        return BERTH_OK;
    s.fresh = false;
    s.algorithm = u->hash.algorithm;
    io_random_key(s.key);
    if (!u->claimed)
        io_random_uuid(s.id);
    int rc = expiry(r, &s.expires_at, err);
    if (rc == BERTH_OK)
        rc = r->m->ops->upload_begin(r->m, str_from(u->name), repo_policy_now(r)->auto_create, &s, err);
    if (rc != BERTH_OK)
        return rc;
    u->session = s;
    if (u->claimed)
        return BERTH_OK;
    rc = r->m->ops->upload_claim(r->m, str_from(u->name), str_from(s.id), NULL, &u->session, err);
    u->claimed = rc == BERTH_OK;
    return rc;
}

/* From here on bytes go to the store: makes the row, opens the object, writes what was held back. */
static int spill(repo_upload *u, berth_error *err)
{
    repo *r = u->r;
    int rc = give_row(u, err);
    if (rc != BERTH_OK)
        return rc;
    /* "stored" says that there may be an object: every session that outlived a crash has it. */
    rc = u->session.stored ? store_resume(r->store, u->session.key, u->session.size, &u->writer, err)
                           : BERTH_E_NOT_FOUND;
    if (rc == BERTH_E_NOT_FOUND && u->session.size == 0) {
        rc = store_create(r->store, u->session.key, &u->writer, err);
        u->made = rc == BERTH_OK;
    }
    if (rc == BERTH_E_EXISTS) /* left by a hold whose last row failed: nothing of it was counted */
        rc = store_resume(r->store, u->session.key, 0, &u->writer, err);
    if (rc == BERTH_OK && u->small.n)
        rc = store_append(u->writer, u->small.p, u->small.n, err);
    berth_buf_done(&u->small);
    return rc;
}

/* A row was asked to count the object. When that failed it stays all the same: the row may be durable. */
static void keep_object(repo_upload *u, int rc)
{
    if (u->made && rc != BERTH_OK)
        atomic_store(&u->r->uncounted, true);
    u->made = false;
}

/* Records what was appended in this hold; the claim ends with it, unless it is kept. */
static int record(repo_upload *u, bool keep_claim, berth_error *err)
{
    int rc = give_row(u, err); /* an empty chunk */
    if (rc != BERTH_OK)
        return rc;
    struct meta_upload s = u->session;
    s.size = u->offset;
    s.algorithm = u->hash.algorithm;
    s.hash_len = hash_save(&u->hash, s.hash);
    s.stored = s.stored || u->offset > 0;
    rc = expiry(u->r, &s.expires_at, err);
    if (rc != BERTH_OK)
        return rc;
    rc = u->r->m->ops->upload_record(u->r->m, &s, keep_claim, err);
    keep_object(u, rc);
    u->claimed = keep_claim && rc == BERTH_OK; /* else it has ended, or somebody has fenced us off */
    if (rc == BERTH_OK)
        u->session = s;
    return rc;
}

static int checkpoint(repo_upload *u, berth_error *err)
{
    int rc = store_suspend(steal(&u->writer), err);
    if (rc == BERTH_OK)
        rc = record(u, true, err);
    if (rc != BERTH_OK)
        return rc;
    u->unrecorded = 0;
    return store_resume(u->r->store, u->session.key, u->session.size, &u->writer, err);
}

/* What was held back may be lost: going on would store other bytes than were hashed. */
static int is_broken(berth_error *err)
{
    return berth_error_set(err, BERTH_E_IO, "storing an earlier part of this request failed");
}

static int store_and_hash(repo_upload *u, const char *p, size_t n, berth_error *err)
{
    int rc = BERTH_OK;
    for (size_t at = 0; at < n && rc == BERTH_OK; at += SLICE_BYTES) {
        size_t slice = MIN(n - at, SLICE_BYTES);
        rc = store_append(u->writer, p + at, slice, err);
        if (rc == BERTH_OK)
            hash_update(&u->hash, p + at, slice);
    }
    return rc;
}

int repo_upload_append(repo_upload *u, const void *p, size_t n, berth_error *err)
{
    int rc = u->broken ? is_broken(err) : BERTH_OK;
    if (rc != BERTH_OK || n == 0)
        return rc;
    if (!u->writer && u->session.size == 0 && u->small.n + n <= u->small.max) {
        berth_buf_add(&u->small, p, n);
        if (berth_buf_failed(&u->small))
            rc = berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        else
            hash_update(&u->hash, p, n);
    } else {
        u->unchecked += n;
        if (u->unchecked >= SPACE_BYTES) {
            u->unchecked = 0;
            rc = repo__has_space(u->r, 0, err);
        }
        if (rc == BERTH_OK && !u->writer)
            rc = spill(u, err);
        if (rc == BERTH_OK)
            rc = store_and_hash(u, p, n, err);
    }
    if (rc == BERTH_OK) {
        u->offset += n;
        u->unrecorded += n;
        if (u->chunked && u->unrecorded >= CHECKPOINT_BYTES)
            rc = checkpoint(u, err);
    }
    u->broken = rc != BERTH_OK;
    return rc;
}

int repo_upload_suspend(repo_upload *u, uint64_t *ret_size, berth_error *err)
{
    int rc = u->broken ? is_broken(err) : BERTH_OK;
    if (rc == BERTH_OK && u->small.n)
        rc = spill(u, err);
    if (rc == BERTH_OK && u->writer)
        rc = store_suspend(steal(&u->writer), err);
    if (rc == BERTH_OK) /* also for an empty chunk: it prolongs the session */
        rc = record(u, false, err);
    if (rc == BERTH_OK)
        *ret_size = u->offset;
    repo_upload_abandon(u);
    return rc;
}

/* The digest of everything appended, in the algorithm of @want. */
static int final_digest(repo_upload *u, const berth_digest *want, berth_digest *ret, berth_error *err)
{
    if (u->hash.algorithm == want->algorithm) {
        digest_from_hash(&u->hash, ret);
        return BERTH_OK;
    }
    if (!u->writer && u->session.size == 0) { /* all bytes are at hand */
        digest_of(want->algorithm, u->small.p, u->small.n, ret);
        return BERTH_OK;
    }
    /* The client announced another algorithm, or none: read everything once more. */
    int rc = u->writer ? store_suspend(steal(&u->writer), err) : BERTH_OK;
    if (rc != BERTH_OK)
        return rc;
    uint64_t was = u->session.size;
    u->session.size = u->offset;
    rc = hash_stored(u, want->algorithm, err);
    if (rc == BERTH_OK)
        digest_from_hash(&u->hash, ret);
    if (rc == BERTH_OK)
        rc = store_resume(u->r->store, u->session.key, u->offset, &u->writer, err);
    u->session.size = was;
    return rc;
}

static int commit(repo_upload *u, const berth_digest *digest, berth_error *err)
{
    repo *r = u->r;
    berth_str name = str_from(u->name);
    bool in_database = !u->writer && u->session.size == 0;
    if (in_database && !u->claimed)
        return r->m->ops->blob_put(r->m, name, repo_policy_now(r)->auto_create, digest,
                                   berth_buf_str(&u->small), err);
    int rc = BERTH_OK;
    if (!in_database) {
        if (!u->writer) /* all chunks came by PATCH */
            rc = store_resume(r->store, u->session.key, u->session.size, &u->writer, err);
        if (rc == BERTH_OK)
            rc = store_complete(steal(&u->writer), digest->text, err);
        if (rc != BERTH_OK)
            return rc;
    }
    struct meta_commit c = {
        .repo = name,
        .id = str_from(u->session.id),
        .epoch = u->session.epoch,
        .digest = digest,
        .size = u->offset,
        .named_until = u->named_until,
        .fresh = u->session.fresh,
        .create_repo = repo_policy_now(r)->auto_create,
        .inline_body = in_database,
        .may_exist = atomic_load(&r->uncounted),
        .body = in_database ? berth_buf_str(&u->small) : STR_NULL,
    };
    rc = r->m->ops->upload_commit(r->m, &c, err);
    keep_object(u, rc);
    if (rc == BERTH_OK)
        u->claimed = u->single = false;
    return rc;
}

int repo_upload_finish(repo_upload *u, const berth_digest *digest, berth_error *err)
{
    berth_digest have;
    int rc = u->broken ? is_broken(err) : BERTH_OK;
    if (rc == BERTH_OK)
        rc = final_digest(u, digest, &have, err);
    if (rc == BERTH_OK && !digest_eq(&have, digest))
        rc =
            berth_error_set_oci(err, BERTH_E_DIGEST, "DIGEST_INVALID",
                                "the content has the digest %s, not the one given: send it again", have.text);
    if (rc == BERTH_OK)
        rc = commit(u, digest, err);
    repo_upload_abandon(u);
    return rc;
}

void repo_upload_abandon(repo_upload *u)
{
    if (!u)
        return;
    repo *r = u->r;
    if (u->writer)
        store_abandon(u->writer);
    if (u->made && store_remove(r->store, u->session.key, NULL) != BERTH_OK)
        atomic_store(&r->uncounted, true);
    if (u->single && u->session.id[0]) /* nobody could go on with it */
        r->m->ops->upload_cancel(r->m, str_from(u->name), str_from(u->session.id), 0, NULL);
    if (u->claimed)
        r->m->ops->upload_release(r->m, str_from(u->session.id), u->session.epoch);
    upload_free(u);
}

int repo_upload_status(repo *r, berth_str name, berth_str id, uint64_t *ret_size, berth_error *err)
{
    struct meta_upload s, room;
    const struct meta_upload *fresh;
    int rc = read_name(r, name, id, &room, &fresh, err);
    if (rc == BERTH_OK)
        rc = r->m->ops->upload_get(r->m, name, id, fresh, &s, err);
    if (rc == BERTH_OK)
        *ret_size = s.size;
    return rc;
}

int repo_upload_cancel(repo *r, berth_str name, berth_str id, berth_error *err)
{
    struct meta_upload room;
    const struct meta_upload *fresh;
    int rc = repo__may_write(r, err);
    if (rc == BERTH_OK)
        rc = read_name(r, name, id, &room, &fresh, err);
    return rc == BERTH_OK ? r->m->ops->upload_cancel(r->m, name, id, fresh ? fresh->expires_at : 0, err) : rc;
}

int repo_upload_was_finished(repo *r, berth_str name, berth_str id, const berth_digest *digest, bool *ret,
                             berth_error *err)
{
    berth_digest d;
    int rc = r->m->ops->upload_result(r->m, name, id, &d, err);
    *ret = rc == BERTH_OK && digest_eq(&d, digest);
    return rc == BERTH_E_NOT_FOUND ? BERTH_OK : rc;
}
