/* metadata/sqlite_uploads.c - upload sessions.
 *
 * A session's row, with the key its object will have, is durable before the first byte; before that the
 * session is only a name, whose end, when it comes early, is noted. Who holds a session
 * is kept in memory: one process owns the folder, and its end ends every claim. The claim's epoch fences off
 * a holder that lost it (cancelled meanwhile, or collected). */
#include "metadata/sqlite_private.h"

#include "util/fault.h"

struct claim {
    struct claim *next;
    int64_t epoch;
    char id[37];
};

/* --- claims --- */

static struct claim **claim_find(struct sqlite_meta *m, berth_str id)
{
    unsigned bucket = 0;
    for (size_t i = 0; i < id.n; i++)
        bucket = bucket * 31 + (unsigned char)id.p[i];
    struct claim **c = &m->claims[bucket % CLAIM_BUCKETS];
    while (*c && !str_eq(str_from((*c)->id), id))
        c = &(*c)->next;
    return c;
}

bool claim_held(struct sqlite_meta *m, berth_str id)
{
    pthread_mutex_lock(&m->claims_lock);
    bool held = *claim_find(m, id) != NULL;
    pthread_mutex_unlock(&m->claims_lock);
    return held;
}

static bool claim_is(struct sqlite_meta *m, berth_str id, int64_t epoch)
{
    pthread_mutex_lock(&m->claims_lock);
    const struct claim *c = *claim_find(m, id);
    bool ours = c && c->epoch == epoch;
    pthread_mutex_unlock(&m->claims_lock);
    return ours;
}

/* @epoch 0: whoever holds it. */
static void claim_drop(struct sqlite_meta *m, berth_str id, int64_t epoch)
{
    pthread_mutex_lock(&m->claims_lock);
    struct claim **at = claim_find(m, id), *c = *at;
    if (c && (!epoch || c->epoch == epoch)) {
        *at = c->next;
        m->claims_n--;
        mem_free(c);
    }
    pthread_mutex_unlock(&m->claims_lock);
}

static int claim_take(struct sqlite_meta *m, berth_str id, int64_t *ret_epoch, berth_error *err)
{
    struct claim *new = fault_hit() || id.n >= sizeof(new->id) ? NULL : mem_zalloc(1, sizeof(*new));
    if (!new)
        return berth_error_set(err, BERTH_E_NOMEM, "claiming an upload: no memory");
    memcpy(new->id, id.p, id.n);
    pthread_mutex_lock(&m->claims_lock);
    struct claim **at = claim_find(m, id);
    bool busy = *at != NULL;
    if (!busy) {
        *ret_epoch = new->epoch = ++m->last_epoch;
        *at = steal(&new);
        m->claims_n++;
    }
    pthread_mutex_unlock(&m->claims_lock);
    mem_free(new);
    return busy ? berth_error_set(err, BERTH_E_BUSY, "another request holds upload " STR_FMT, STR_ARG(id))
                : BERTH_OK;
}

void claims_free(struct sqlite_meta *m)
{
    for (size_t i = 0; i < CLAIM_BUCKETS; i++)
        for (struct claim *c = m->claims[i], *next; c; c = next) {
            next = c->next;
            mem_free(c);
        }
}

/* --- sessions --- */

static int upload_unknown(berth_str id, berth_error *err)
{
    return berth_error_set_oci(err, BERTH_E_NOT_FOUND, "BLOB_UPLOAD_UNKNOWN",
                               "upload " STR_FMT " is not known, or has expired: begin again", STR_ARG(id));
}

static int fenced_off(berth_str id, berth_error *err)
{
    return berth_error_set_oci(err, BERTH_E_CONFLICT, "BLOB_UPLOAD_INVALID",
                               "upload " STR_FMT " is not held by this request any more", STR_ARG(id));
}

/* 1: a session of that name was finished or cancelled. */
static int has_ended(struct db *db, berth_str id, berth_error *err)
{
    int64_t one;
    return db_int(db, &one, err, "SELECT 1 FROM upload_results WHERE id=?1", "s", id);
}

static int note_end(struct db *db, berth_str id, int64_t repo_id, const char *digest, int64_t until,
                    berth_error *err)
{
    return db_run(
        db, err,
        "INSERT OR REPLACE INTO upload_results(id, repo_id, digest, expires_at) VALUES(?1, ?2, ?3, ?4)",
        "sizi", id, repo_id, digest, until);
}

struct upload_begin {
    berth_str repo;
    bool create_repo;
    const struct meta_upload *u;
};

static int upload_begin(struct db *db, void *arg, berth_error *err)
{
    const struct upload_begin *op = arg;
    berth_str id = str_from(op->u->id);
    int64_t repo_id;
    if (op->u->epoch && !claim_is(db->m, id, op->u->epoch))
        return fenced_off(id, err);
    int r = repo_ensure(db, op->repo, op->create_repo, &repo_id, err);
    if (r == BERTH_OK)
        r = has_ended(db, id, err);
    if (r != 0) /* cancelled meanwhile */
        return r < 0 ? r : fenced_off(id, err);
    return db_run(
        db, err,
        "INSERT INTO uploads(id, repo_id, object_key, algorithm, expires_at) VALUES(?1, ?2, ?3, ?4, ?5)",
        "sizzi", id, repo_id, op->u->key, hash_name(op->u->algorithm), op->u->expires_at);
}

int sqlite_upload_begin(meta *base, berth_str repo, bool create_repo, const struct meta_upload *u,
                        berth_error *err)
{
    struct upload_begin op = {repo, create_repo, u};
    return writer_run(sqlite_of(base), "beginning an upload", upload_begin, &op, err);
}

static int read_session(struct db *db, berth_str repo, berth_str id, struct meta_upload *ret,
                        berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r = db_start(db, &st, err,
                     "SELECT u.object_key, u.stored, u.algorithm, u.size, u.hash_state, u.epoch, u.expires_at"
                     " FROM uploads u CROSS JOIN repositories r ON r.id=u.repo_id"
                     " WHERE u.id=?2 AND u.expires_at>?3 AND r.name=?1 AND r.state=0",
                     "ssi", repo, id, sqlite_now(db->m));
    if (r != BERTH_OK || (r = db_step(db, st, err)) < 0)
        return r;
    if (r == 0 || id.n >= sizeof(ret->id))
        return upload_unknown(id, err);
    struct meta_upload u = {.stored = sqlite3_column_int(st, 1),
                            .size = (uint64_t)sqlite3_column_int64(st, 3),
                            .epoch = sqlite3_column_int64(st, 5),
                            .expires_at = sqlite3_column_int64(st, 6)};
    memcpy(u.id, id.p, id.n);
    db_key(st, 0, u.key);
    if (!hash_by_name(db_text(st, 2), &u.algorithm))
        return berth_error_set(err, BERTH_E_CORRUPT, "upload " STR_FMT " has an unknown algorithm",
                               STR_ARG(id));
    berth_str state = str_head(db_text(st, 4), sizeof(u.hash));
    memcpy(u.hash, state.p, state.n);
    u.hash_len = state.n;
    *ret = u;
    return BERTH_OK;
}

/* The session, or @fresh when it has no row and has not ended. */
static int read_or_fresh(struct db *db, berth_str repo, berth_str id, const struct meta_upload *fresh,
                         struct meta_upload *ret, berth_error *err)
{
    berth_error why = BERTH_ERROR_INIT;
    int r = read_session(db, repo, id, ret, &why);
    if (r != BERTH_E_NOT_FOUND || !fresh) {
        if (r != BERTH_OK && err)
            *err = why;
        return r;
    }
    r = has_ended(db, id, err);
    if (r == 0)
        *ret = *fresh;
    return r > 0 ? upload_unknown(id, err) : r;
}

int sqlite_upload_get(meta *base, berth_str repo, berth_str id, const struct meta_upload *fresh,
                      struct meta_upload *ret, berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "looking for an upload", &db, err);
    return r == BERTH_OK ? read_or_fresh(db, repo, id, fresh, ret, err) : r;
}

/* The claim stands before the row is read: the collector either sees the claim, or has removed the row. */
int sqlite_upload_claim(meta *base, berth_str repo, berth_str id, const struct meta_upload *fresh,
                        struct meta_upload *ret, berth_error *err)
{
    struct sqlite_meta *m = sqlite_of(base);
    struct db *db;
    int64_t epoch = 0;
    struct meta_upload u;
    int r = reader_get(m, "claiming an upload", &db, err);
    if (r == BERTH_OK)
        r = read_or_fresh(db, repo, id, fresh, &u,
                          err); /* a busy session is told from an unknown one below */
    if (r == BERTH_OK)
        r = claim_take(m, id, &epoch, err);
    if (r != BERTH_OK)
        return r;
    r = read_or_fresh(db, repo, id, fresh, &u, err);
    if (r != BERTH_OK) {
        claim_drop(m, id, epoch);
        return r;
    }
    u.epoch = epoch;
    *ret = u;
    return BERTH_OK;
}

void sqlite_upload_release(meta *base, berth_str id, int64_t epoch)
{
    if (epoch)
        claim_drop(sqlite_of(base), id, epoch);
}

struct upload_record {
    const struct meta_upload *u;
    bool keep_claim;
};

static int upload_record(struct db *db, void *arg, berth_error *err)
{
    const struct upload_record *op = arg;
    const struct meta_upload *u = op->u;
    if (!claim_is(db->m, str_from(u->id), u->epoch))
        return fenced_off(str_from(u->id), err);
    int r = db_run(
        db, err,
        "UPDATE uploads SET size=?2, stored=?3, algorithm=?4, hash_version=?5, hash_state=?6, expires_at=?7,"
        " epoch=epoch+?8 WHERE id=?1",
        "ziiziBii", u->id, (int64_t)u->size, (int64_t)u->stored, hash_name(u->algorithm),
        (int64_t)(u->hash_len ? u->hash[0] : 0), (berth_str){(const char *)u->hash, u->hash_len},
        u->expires_at, (int64_t)!op->keep_claim);
    if (r == BERTH_OK && db_changes(db) == 0)
        r = fenced_off(str_from(u->id), err);
    return r;
}

int sqlite_upload_record(meta *base, const struct meta_upload *u, bool keep_claim, berth_error *err)
{
    struct upload_record op = {u, keep_claim};
    int r = writer_run(sqlite_of(base), "recording an upload", upload_record, &op, err);
    if (!keep_claim || r != BERTH_OK)
        sqlite_upload_release(base, str_from(u->id), u->epoch);
    return r;
}

/* The session's row of that repository; its key and what was recorded. */
static int take_row(struct db *db, int64_t repo_id, berth_str id, struct meta_upload *ret, berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r = db_start(db, &st, err,
                     "DELETE FROM uploads WHERE id=?1 AND repo_id=?2 RETURNING object_key, stored, size",
                     "si", id, repo_id);
    if (r != BERTH_OK || (r = db_step(db, st, err)) <= 0)
        return r;
    db_key(st, 0, ret->key);
    ret->stored = sqlite3_column_int(st, 1);
    ret->size = (uint64_t)sqlite3_column_int64(st, 2);
    r = db_step(db, st, err);
    return r < 0 ? r : 1;
}

static int upload_commit(struct db *db, void *arg, berth_error *err)
{
    const struct meta_commit *c = arg;
    int64_t repo_id, now = sqlite_now(db->m);
    struct meta_upload u;
    bool kept;
    if (!claim_is(db->m, c->id, c->epoch))
        return fenced_off(c->id, err);
    int r = c->fresh ? repo_ensure(db, c->repo, c->create_repo, &repo_id, err)
                     : repo_find(db, c->repo, &repo_id, err);
    if (r != BERTH_OK)
        return r;
    u = (struct meta_upload){.fresh = c->fresh};
    r = c->fresh ? has_ended(db, c->id, err) : take_row(db, repo_id, c->id, &u, err);
    if (r != !c->fresh)
        return r < 0 ? r : fenced_off(c->id, err);
    r = blob_insert(db, c->digest->text, c->size, c->inline_body ? "" : u.key, c->body, &kept, err);
    if (r == BERTH_OK && (c->inline_body ? !c->fresh && (u.stored || c->may_exist)
                                         : !kept)) /* an object that the blob's row does not name */
        r = object_discard(db, u.key, c->inline_body ? u.size : c->size, now, err);
    if (r == BERTH_OK)
        r = blob_link(db, repo_id, c->digest->text, now, err);
    if (r == BERTH_OK)
        r = note_end(db, c->id, repo_id, c->digest->text, MAX(now + db->m->times.result_ms, c->named_until),
                     err);
    return r;
}

int sqlite_upload_commit(meta *base, const struct meta_commit *c, berth_error *err)
{
    struct meta_commit copy = *c;
    int r = writer_run(sqlite_of(base), "completing an upload", upload_commit, &copy, err);
    sqlite_upload_release(base, c->id, c->epoch);
    return r;
}

struct upload_cancel {
    berth_str repo, id;
    int64_t named_until;
};

/* Even of a session that never recorded anything an object may exist: a crash, or a holder that still writes.
 */
static int upload_cancel(struct db *db, void *arg, berth_error *err)
{
    const struct upload_cancel *op = arg;
    int64_t repo_id = 0, now = sqlite_now(db->m);
    struct meta_upload u;
    int r = repo_find(db, op->repo, &repo_id, err);
    if (r == BERTH_OK)
        r = take_row(db, repo_id, op->id, &u, err);
    else if (r == BERTH_E_NOT_FOUND) /* a session that is only a name does not make its repository */
        r = 0;
    if (r == 0) {
        r = op->named_until ? has_ended(db, op->id, err) : 1;
        if (r != 0)
            return r < 0 ? r : upload_unknown(op->id, err);
    } else if (r > 0) {
        r = object_discard(db, u.key, u.size, now, err);
        if (r == BERTH_OK)
            r = repo_review(db, repo_id, now, err);
    }
    return r == BERTH_OK && op->named_until ? note_end(db, op->id, 0, "", op->named_until, err) : r;
}

int sqlite_upload_cancel(meta *base, berth_str repo, berth_str id, int64_t named_until, berth_error *err)
{
    struct upload_cancel op = {repo, id, named_until};
    int r = writer_run(sqlite_of(base), "cancelling an upload", upload_cancel, &op, err);
    if (r == BERTH_OK)
        claim_drop(sqlite_of(base), id, 0);
    return r;
}

int sqlite_upload_result(meta *base, berth_str repo, berth_str id, berth_digest *ret, berth_error *err)
{
    struct sqlite_meta *m = sqlite_of(base);
    struct db *db;
    int r = reader_get(m, "looking for a finished upload", &db, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = db_start(db, &st, err,
                 "SELECT u.digest FROM upload_results u CROSS JOIN repositories r ON r.id=u.repo_id"
                 " WHERE u.id=?2 AND u.expires_at>?3 AND r.name=?1 AND r.state=0",
                 "ssi", repo, id, sqlite_now(m));
    if (r != BERTH_OK || (r = db_step(db, st, err)) < 0)
        return r;
    return r ? digest_parse(db_text(st, 0), ret, err) : upload_unknown(id, err);
}
