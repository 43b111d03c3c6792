/* repo/backup.c - copies a registry's objects after its metadata: into a backup while the registry serves, or
 * out of one into a new store.
 *
 * The snapshot of the metadata comes first, then every object that it names; while that lasts the collector
 * removes no object, so none of them goes. Keys are never used twice: an object that is there with the right
 * size is the same one. What a crash may have left unfinished is for the caller to know, and to have
 * verified. Blobs are walked page by page: memory does not grow with their number. */
#include "repo/repo_private.h"

#include <inttypes.h>

#include "util/fault.h"

#define PAGE_BLOBS      100
#define PIECE           (256 * KIB)
#define PROGRESS_BYTES  (64 * MIB)
#define PROGRESS_BLOBS  1000
#define OWNERS_TOLD     5
#define STRAYS_AT_ONCE  10000
#define REMOVED_AT_ONCE 100

struct copying {
    meta *m;
    blob_store *from, *to;
    const struct repo_backup_options *o;
    struct repo_backup_result *res;
    char *piece;
    bool forget; /* what is lost leaves @m, too */
    uint64_t of; /* blobs to look at */
    uint64_t seen, read, told_blobs, told_bytes;
};

static void tell_progress(const struct copying *c)
{
    if (c->o->progress)
        c->o->progress(c->o->arg, c->seen, c->of, c->read);
}

/* BERTH_E_CANCELLED when it shall go no further. */
static int go_on(struct copying *c, berth_error *err)
{
    if (c->seen - c->told_blobs >= PROGRESS_BLOBS || c->read - c->told_bytes >= PROGRESS_BYTES) {
        c->told_blobs = c->seen;
        c->told_bytes = c->read;
        tell_progress(c);
    }
    if (c->o->stop && atomic_load(c->o->stop))
        return berth_error_set(err, BERTH_E_CANCELLED, "it was stopped; started again, it goes on");
    return BERTH_OK;
}

/* Whose bytes they are, for the line about a problem. */
static const char *owners_of(struct copying *c, berth_str digest, berth_arena *a)
{
    struct oci_list repos = {0};
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(64 * KIB);
    if (c->m->ops->blob_repos(c->m, digest, OWNERS_TOLD, a, &repos, NULL) != BERTH_OK || repos.n == 0)
        return "";
    for (size_t i = 0; i < repos.n; i++)
        berth_buf_addf(&text, i ? ", " STR_FMT : " of " STR_FMT, STR_ARG(repos.items[i]));
    if (repos.more)
        berth_buf_addf(&text, " and others");
    const char *owners = berth_arena_dup(a, berth_buf_str(&text));
    return owners && !berth_buf_failed(&text) ? owners : "";
}

static int lost(struct copying *c, berth_str digest, const char *why, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    c->res->problems++;
    if (c->o->problem) {
        const char *text =
            berth_arena_printf(&a, "blob " STR_FMT "%s: %s", STR_ARG(digest), owners_of(c, digest, &a), why);
        c->o->problem(c->o->arg, text ? text : "a problem, and no memory to tell it");
    }
    const char *name = c->forget ? berth_arena_dup(&a, digest) : NULL;
    if (c->forget && !name)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    return c->forget ? c->m->ops->blob_forget(c->m, name, err) : BERTH_OK;
}

/* Hashes an object on its way from @reader to @w, or nowhere when that is NULL. *@ret_whole: it is what it
 * should be; else @why says what is wrong with the source. Fails with what ends the whole run. */
static int pump(struct copying *c, const struct meta_blob_row *row, const berth_digest *want,
                blob_reader *reader, blob_writer *w, bool *ret_whole, berth_error *why, berth_error *err)
{
    berth_hash h;
    berth_digest have;
    uint64_t size = store_reader_size(reader);
    *ret_whole = false;
    if (size != row->size) {
        berth_error_set(why, BERTH_E_CORRUPT,
                        "the object has the wrong size: %" PRIu64 " bytes instead of %" PRIu64, size,
                        row->size);
        return BERTH_OK;
    }
    hash_init(&h, want->algorithm);
    for (uint64_t at = 0; at < size;) {
        size_t n = 0;
        int rc = store_read(reader, at, c->piece, PIECE, &n, why);
        if (rc == BERTH_OK && n == 0)
            rc = berth_error_set(why, BERTH_E_CORRUPT, "it ends early");
        if (rc != BERTH_OK) {
            berth_error_prefix(why, "the object can't be read");
            return BERTH_OK;
        }
        hash_update(&h, c->piece, n);
        rc = w ? store_append(w, c->piece, n, err) : BERTH_OK;
        at += n;
        c->read += n;
        if (rc == BERTH_OK)
            rc = go_on(c, err);
        if (rc != BERTH_OK)
            return rc;
    }
    digest_from_hash(&h, &have);
    *ret_whole = digest_eq(&have, want);
    if (!*ret_whole)
        berth_error_set(why, BERTH_E_DIGEST, "the bytes have the digest %s", have.text);
    return BERTH_OK;
}

/* Whether the destination has the object already: by its size, or by its bytes when they are to be verified.
 */
static int has_already(struct copying *c, const struct meta_blob_row *row, const berth_digest *want,
                       bool *ret, berth_error *err)
{
    blob_reader *reader = NULL;
    berth_error why = BERTH_ERROR_INIT;
    *ret = false;
    int rc = store_open(c->to, row->key, &reader, &why);
    if (rc == BERTH_E_NOMEM || rc == BERTH_E_IO)
        return berth_error_set(err, rc, "%s", why.message);
    if (rc != BERTH_OK)
        return BERTH_OK;
    *ret = store_reader_size(reader) == row->size;
    if (*ret && c->o->verify)
        rc = pump(c, row, want, reader, NULL, ret, &why, err);
    store_close(reader);
    return rc;
}

/* A new object where an unfinished or a wrong one may stand. */
static int create(struct copying *c, const char *key, blob_writer **ret_w, berth_error *err)
{
    int rc = store_create(c->to, key, ret_w, err);
    if (rc != BERTH_E_EXISTS)
        return rc;
    rc = store_remove(c->to, key, err);
    return rc == BERTH_OK ? store_create(c->to, key, ret_w, err) : rc;
}

static int copy_object(struct copying *c, const struct meta_blob_row *row, const berth_digest *want,
                       blob_reader *reader, berth_error *err)
{
    blob_writer *w = NULL;
    berth_error why = BERTH_ERROR_INIT;
    bool whole = false;
    int rc = create(c, row->key, &w, err);
    if (rc != BERTH_OK)
        return rc;
    rc = pump(c, row, want, reader, w, &whole, &why, err);
    if (rc == BERTH_OK && whole) {
        rc = store_complete(w, want->text, err);
        c->res->copied += rc == BERTH_OK;
        c->res->copied_bytes += rc == BERTH_OK ? row->size : 0;
        return rc;
    }
    store_abandon(w);
    int removed = store_remove(c->to, row->key, rc == BERTH_OK ? err : NULL);
    if (rc == BERTH_OK)
        rc = removed;
    return rc == BERTH_OK ? lost(c, row->digest, why.message, err) : rc;
}

static int copy_blob(struct copying *c, const struct meta_blob_row *row, berth_error *err)
{
    berth_digest want, have;
    bool there = false;
    c->seen++;
    int rc = go_on(c, err);
    if (rc != BERTH_OK)
        return rc;
    if (digest_parse(row->digest, &want, NULL) != BERTH_OK)
        return lost(c, row->digest, "that is no digest", err);
    if (!row->key[0]) {
        digest_of(want.algorithm, row->body.p, row->body.n, &have);
        return digest_eq(&have, &want) ? BERTH_OK
                                       : lost(c, row->digest, "its body in the database is wrong", err);
    }
    rc = has_already(c, row, &want, &there, err);
    if (rc != BERTH_OK || there)
        return rc;
    blob_reader *reader = NULL;
    berth_error why = BERTH_ERROR_INIT;
    rc = store_open(c->from, row->key, &reader, &why);
    if (rc == BERTH_E_NOMEM)
        return berth_error_set(err, rc, "%s", why.message);
    if (rc != BERTH_OK) {
        const char *what = rc == BERTH_E_NOT_FOUND ? "the object is missing" : why.message;
        rc = store_remove(c->to, row->key, err); /* what is there is wrong, too */
        return rc == BERTH_OK ? lost(c, row->digest, what, err) : rc;
    }
    rc = copy_object(c, row, &want, reader, err);
    store_close(reader);
    return rc;
}

static int copy_blobs(struct copying *c, berth_error *err)
{
    char after[DIGEST_TEXT_MAX] = "";
    for (size_t n = PAGE_BLOBS; n == PAGE_BLOBS;) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        struct meta_blob_row *rows = NULL;
        n = 0;
        int rc = c->m->ops->blobs_page(c->m, str_from(after), PAGE_BLOBS, &a, &rows, &n, err);
        for (size_t i = 0; rc == BERTH_OK && i < n; i++)
            rc = copy_blob(c, &rows[i], err);
        if (rc != BERTH_OK)
            return rc;
        if (n) {
            berth_str last = str_head(rows[n - 1].digest, sizeof(after) - 1);
            memcpy(after, last.p, last.n);
            after[last.n] = '\0';
        }
    }
    return BERTH_OK;
}

/* Every object that @m names, from @from to @to. */
static int copy_all(meta *m, blob_store *from, blob_store *to, bool forget,
                    const struct repo_backup_options *o, struct repo_backup_result *ret, berth_error *err)
{
    struct meta_totals totals = {0};
    CLEANUP(freep) char *piece = fault_hit() ? NULL : mem_alloc(PIECE);
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int rc = m->ops->totals(m, &totals, err);
    if (rc != BERTH_OK)
        return rc;
    ret->blobs = totals.blobs;
    ret->bytes = totals.bytes;
    ret->tags = totals.tags;
    struct copying c = {.m = m,
                        .from = from,
                        .to = to,
                        .o = o,
                        .res = ret,
                        .piece = piece,
                        .forget = forget,
                        .of = totals.blobs};
    rc = copy_blobs(&c, err);
    tell_progress(&c);
    return rc;
}

int repo_backup(repo *r, const char *database, blob_store *to, const struct repo_backup_options *o,
                struct repo_backup_result *ret, berth_error *err)
{
    meta *copy = NULL;
    *ret = (struct repo_backup_result){0};
    repo__hold_objects(r);
    int rc = r->m->ops->snapshot(r->m, database, o->stop, &copy, err);
    if (rc == BERTH_OK)
        rc = copy_all(copy, r->store, to, false, o, ret, err);
    repo__release_objects(r);
    if (copy)
        copy->ops->free(copy);
    return rc;
}

int repo_backup_fill(repo *r, blob_store *from, const struct repo_backup_options *o,
                     struct repo_backup_result *ret, berth_error *err)
{
    *ret = (struct repo_backup_result){0};
    return copy_all(r->m, from, r->store, true, o, ret, err);
}

/* --- what no row names --- */

struct pruning {
    meta *m;
    const struct repo_backup_options *o;
    char (*keys)[IO_KEY_SIZE];
    size_t n;
    berth_error *err;
};

static int find_stray(void *arg, const char *key, uint64_t size, const char *digest)
{
    struct pruning *p = arg;
    enum meta_key_owner owner;
    (void)size, (void)digest;
    int rc = p->m->ops->key_owner(p->m, key, &owner, p->err);
    if (rc != BERTH_OK || owner != META_KEY_UNKNOWN)
        return rc;
    if (p->o->stop && atomic_load(p->o->stop))
        return berth_error_set(p->err, BERTH_E_CANCELLED, "it was stopped; started again, it goes on");
    memcpy(p->keys[p->n++], key, IO_KEY_SIZE);
    return p->n == STRAYS_AT_ONCE;
}

/* How many could not be removed. */
static size_t remove_strays(blob_store *s, char (*keys)[IO_KEY_SIZE], size_t n)
{
    const char *names[REMOVED_AT_ONCE] = {NULL};
    bool removed[REMOVED_AT_ONCE];
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        names[i] = keys[i];
    store_remove_all(s, names, n, removed);
    for (size_t i = 0; i < n; i++)
        left += !removed[i];
    return left;
}

int repo_backup_prune(meta *m, blob_store *s, const struct repo_backup_options *o,
                      struct repo_backup_result *ret, berth_error *err)
{
    CLEANUP(freep) char(*keys)[IO_KEY_SIZE] = fault_hit() ? NULL : mem_alloc(STRAYS_AT_ONCE * sizeof(*keys));
    if (!keys)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    struct pruning p = {.m = m, .o = o, .keys = keys, .err = err};
    int rc = 1;
    while (rc == 1) {
        p.n = 0;
        rc = store_list(s, find_stray, &p, err);
        for (size_t i = 0; rc >= 0 && i < p.n; i += REMOVED_AT_ONCE) {
            size_t n = MIN(p.n - i, (size_t)REMOVED_AT_ONCE), left = remove_strays(s, &keys[i], n);
            ret->removed += n - left;
            if (left)
                rc = berth_error_set(err, BERTH_E_IO, "%zu objects that no row names can't be removed", left);
        }
    }
    return rc;
}
