/* repo/check.c - inspection: every row against its object, every object against its digest, while the
 * registry serves.
 *
 * Nothing stands still meanwhile, so what looks wrong is asked for once more before it is called a problem.
 * Rows come before objects, and keys are never used twice: an object that no row names, and that is still
 * there a moment later, belongs to nothing. Repair changes rows alone and leaves the removal of objects to
 * the collector; it holds the collector's lock, so that none of them goes while it is being adopted. */
#include "repo/repo_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/fault.h"

#define PAGE_BLOBS     100
#define PAGE_MANIFESTS 16
#define PIECE          (256 * KIB)
#define PROGRESS_BYTES (64 * MIB)
#define PROGRESS_ROWS  1000
#define LOST_AT_ONCE   10000

/* So many blobs without a single object that is there: somebody forgot to mount the store. */
#define STORE_GONE 100

struct lost {
    char digest[DIGEST_TEXT_MAX];
    char key[IO_KEY_SIZE]; /* of the object that is missing or wrong; "": inline */
    uint64_t size;
    bool settled;
    bool doubt; /* an object that may hold the bytes can't be read just now */
};

struct stray { /* an object that no row named when it was listed */
    char key[IO_KEY_SIZE];
    uint64_t size;
    bool again; /* it was there at the second look, too */
};

struct check {
    repo *r;
    const struct repo_check_options *o;
    struct repo_check_result *res;
    bool repair;      /* as asked for, unless the database can't be trusted */
    berth_error *err; /* for the callbacks of store_list() */
    char *piece;
    uint64_t told_rows, told_bytes;
    uint64_t there;    /* objects that were found where a row says */
    struct lost *lost; /* in the order of digests */
    size_t n_lost;
    struct stray *strays;
    size_t n_strays, cap_strays;
};

static void check_done(struct check *c)
{
    mem_free(c->piece);
    mem_free(c->lost);
    mem_free(c->strays);
}

__attribute__((format(printf, 2, 3))) static void say(const struct check *c, const char *fmt, ...)
{
    if (!c->o->problem)
        return;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    va_list ap;
    va_start(ap, fmt);
    const char *text = berth_arena_vprintf(&a, fmt, ap);
    va_end(ap);
    c->o->problem(c->o->arg, text ? text : "a problem, and no memory to tell it");
}

/* Tells how far it is; BERTH_E_CANCELLED when it shall go no further. */
static int go_on(struct check *c, berth_error *err)
{
    uint64_t rows = c->res->blobs + c->res->manifests + c->res->objects;
    if (rows - c->told_rows >= PROGRESS_ROWS || c->res->bytes - c->told_bytes >= PROGRESS_BYTES) {
        c->told_rows = rows;
        c->told_bytes = c->res->bytes;
        if (c->o->progress)
            c->o->progress(c->o->arg, rows, c->res->bytes);
    }
    if (c->o->stop && atomic_load(c->o->stop))
        return berth_error_set(err, BERTH_E_CANCELLED, "the check was stopped");
    return BERTH_OK;
}

/* The digest of a whole object. */
static int hash_object(struct check *c, blob_reader *reader, enum hash_algorithm algorithm, berth_digest *ret,
                       berth_error *err)
{
    berth_hash h;
    hash_init(&h, algorithm);
    for (uint64_t at = 0, size = store_reader_size(reader); at < size;) {
        size_t n = 0;
        int rc = store_read(reader, at, c->piece, PIECE, &n, err);
        if (rc == BERTH_OK && n == 0)
            rc = berth_error_set(err, BERTH_E_CORRUPT, "it ends early");
        if (rc != BERTH_OK)
            return rc;
        hash_update(&h, c->piece, n);
        at += n;
        c->res->bytes += n;
        rc = go_on(c, err);
        if (rc != BERTH_OK)
            return rc;
    }
    digest_from_hash(&h, ret);
    return BERTH_OK;
}

/* Not by us, who have the database open. Without the means nothing else is repaired: what is alive might look
 * like nobody's. */
static int needs_salvage(struct check *c, const char *what, berth_error *err)
{
    c->res->damaged = true;
    c->repair = false;
    if (c->o->alone)
        return berth_error_set(err, BERTH_E_CORRUPT, "%s", what);
    say(c, "%s: nothing else is repaired; stop the server and run `berth check --repair` again", what);
    return BERTH_OK;
}

/* --- blobs --- */

struct finding {
    char why[DIGEST_TEXT_MAX + 300]; /* "": nothing is wrong */
    bool lost;                       /* the bytes are gone or wrong, not just out of reach for the moment */
};

__attribute__((format(printf, 3, 4))) static int found(struct finding *f, bool lost, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->why, sizeof(f->why), fmt, ap);
    va_end(ap);
    f->lost = lost;
    return BERTH_OK;
}

static int inspect_inline(struct check *c, const struct meta_blob_row *row, const berth_digest *d,
                          struct finding *f)
{
    berth_digest have;
    if (row->body.n != row->size)
        return found(f, true, "its body in the database has the wrong size");
    if (c->o->quick)
        return BERTH_OK;
    digest_of(d->algorithm, row->body.p, row->body.n, &have);
    c->res->bytes += row->body.n;
    return digest_eq(&have, d) ? BERTH_OK : found(f, true, "the bytes have the digest %s", have.text);
}

static int inspect_object(struct check *c, const struct meta_blob_row *row, const berth_digest *d,
                          struct finding *f, berth_error *err)
{
    blob_reader *reader = NULL;
    berth_error why = BERTH_ERROR_INIT;
    berth_digest have = {.text = ""};
    int rc = store_open(c->r->store, row->key, &reader, &why);
    if (rc == BERTH_E_NOT_FOUND)
        return found(f, true, "the object is missing");
    if (rc != BERTH_OK)
        return found(f, false, "the object can't be opened: %s", why.message);
    c->there++;
    uint64_t size = store_reader_size(reader);
    if (size == row->size && !c->o->quick)
        rc = hash_object(c, reader, d->algorithm, &have, &why);
    store_close(reader);
    if (rc == BERTH_E_CANCELLED)
        return berth_error_set(err, rc, "%s", why.message);
    if (size != row->size)
        return found(f, true, "the object has the wrong size: %" PRIu64 " bytes instead of %" PRIu64, size,
                     row->size);
    if (rc != BERTH_OK)
        return found(f, false, "the object can't be read: %s", why.message);
    return c->o->quick || digest_eq(&have, d) ? BERTH_OK
                                              : found(f, true, "the bytes have the digest %s", have.text);
}

/* Whether the blob still has the key that it was listed with. All that share a digest but for its last digit
 * stand behind the digest without it, and are few. */
static int has_key_still(struct check *c, const char *digest, const char *key, bool *ret, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct meta_blob_row *rows = NULL;
    size_t n = 0;
    berth_str before = {digest, strlen(digest) - 1};
    int rc = c->r->m->ops->blobs_page(c->r->m, before, 16, &a, &rows, &n, err);
    *ret = false;
    for (size_t i = 0; rc == BERTH_OK && i < n; i++)
        if (str_eq(rows[i].digest, str_from(digest)))
            *ret = strcmp(rows[i].key, key) == 0;
    return rc;
}

static int settle_lost(struct check *c, berth_error *err);

static int check_blob(struct check *c, const struct meta_blob_row *row, berth_error *err)
{
    struct finding f = {.why = ""};
    berth_digest d;
    bool still;
    c->res->blobs++;
    int rc = go_on(c, err);
    if (rc != BERTH_OK)
        return rc;
    if (digest_parse(row->digest, &d, NULL) != BERTH_OK) {
        c->res->problems++;
        say(c, "blob " STR_FMT ": that is no digest", STR_ARG(row->digest));
        return BERTH_OK;
    }
    rc = row->key[0] ? inspect_object(c, row, &d, &f, err) : inspect_inline(c, row, &d, &f);
    if (rc != BERTH_OK || !f.why[0])
        return rc;
    rc = has_key_still(c, d.text, row->key, &still, err);
    if (rc != BERTH_OK || !still)
        return rc;
    c->res->problems++;
    say(c, "blob %s: %s", d.text, f.why);
    if (!c->repair || !f.lost)
        return BERTH_OK;
    struct lost *l = &c->lost[c->n_lost++];
    *l = (struct lost){.size = row->size};
    memcpy(l->digest, d.text, sizeof(l->digest));
    memcpy(l->key, row->key, sizeof(l->key));
    return c->n_lost == LOST_AT_ONCE ? settle_lost(c, err) : BERTH_OK;
}

static int check_blobs(struct check *c, berth_error *err)
{
    char after[DIGEST_TEXT_MAX] = "";
    for (size_t n = PAGE_BLOBS; n == PAGE_BLOBS;) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        struct meta_blob_row *rows = NULL;
        n = 0;
        int rc = c->r->m->ops->blobs_page(c->r->m, str_from(after), PAGE_BLOBS, &a, &rows, &n, err);
        for (size_t i = 0; rc == BERTH_OK && i < n; i++)
            rc = check_blob(c, &rows[i], err);
        if (rc != BERTH_OK)
            return rc;
        if (n) {
            berth_str last = str_head(rows[n - 1].digest, sizeof(after) - 1);
            memcpy(after, last.p, last.n);
            after[last.n] = '\0';
        }
    }
    return settle_lost(c, err);
}

/* --- repair of blobs --- */

static int compare_lost(const void *digest, const void *lost)
{
    return strcmp(digest, ((const struct lost *)lost)->digest);
}

/* Whether the object @key holds exactly the bytes that @l lost. One that is out of reach for the moment is no
 * reason to give the blob up. */
static int verify_substitute(struct check *c, struct lost *l, const char *key, bool *ret, berth_error *err)
{
    blob_reader *reader = NULL;
    berth_error why = BERTH_ERROR_INIT;
    berth_digest want, have;
    *ret = false;
    int rc = digest_parse(str_from(l->digest), &want, &why);
    if (rc != BERTH_OK)
        return BERTH_OK;
    rc = store_open(c->r->store, key, &reader, &why);
    bool same_size = rc == BERTH_OK && store_reader_size(reader) == l->size;
    if (same_size)
        rc = hash_object(c, reader, want.algorithm, &have, &why);
    store_close(reader);
    if (rc == BERTH_E_CANCELLED)
        return berth_error_set(err, rc, "%s", why.message);
    if (rc != BERTH_OK && rc != BERTH_E_NOT_FOUND) {
        l->doubt = true;
        say(c, "blob %s: object %s may hold the same bytes, but can't be read: %s", l->digest, key,
            why.message);
    }
    *ret = same_size && rc == BERTH_OK && digest_eq(&have, &want);
    return BERTH_OK;
}

/* With the collector's lock: an object that was let go of may be adopted, but not while it is being removed.
 */
static int adopt(struct check *c, struct lost *l, const char *key, berth_error *err)
{
    bool good = false, still = false;
    int rc = verify_substitute(c, l, key, &good, err);
    if (rc == BERTH_OK && good)
        rc = has_key_still(c, l->digest, l->key, &still, err);
    if (rc != BERTH_OK || !good)
        return rc;
    if (still)
        rc = c->r->m->ops->blob_rekey(c->r->m, l->digest, key, err);
    if (rc == BERTH_E_CONFLICT) /* it is another's */
        return BERTH_OK;
    l->settled = rc == BERTH_OK || rc == BERTH_E_NOT_FOUND;
    if (rc == BERTH_OK && still) {
        c->res->repaired++;
        say(c, "blob %s: repaired, object %s holds the same bytes", l->digest, key);
    }
    return l->settled ? BERTH_OK : rc;
}

static int find_substitute(void *arg, const char *key, uint64_t size, const char *digest)
{
    struct check *c = arg;
    (void)size;
    struct lost *l = *digest ? bsearch(digest, c->lost, c->n_lost, sizeof(*l), compare_lost) : NULL;
    int rc = go_on(c, c->err);
    if (rc != BERTH_OK || !l || l->settled || strcmp(l->key, key) == 0)
        return rc;
    pthread_mutex_lock(&c->r->gc_lock);
    rc = adopt(c, l, key, c->err);
    pthread_mutex_unlock(&c->r->gc_lock);
    return rc;
}

/* With the collector's lock the row cannot go and come back with other bytes in between. */
static int forget(struct check *c, struct lost *l, berth_error *err)
{
    bool still;
    int rc = has_key_still(c, l->digest, l->key, &still, err);
    if (rc != BERTH_OK || !still)
        return rc;
    rc = c->r->m->ops->blob_forget(c->r->m, l->digest, err);
    if (rc != BERTH_OK)
        return rc == BERTH_E_NOT_FOUND ? BERTH_OK : rc;
    c->res->repaired++;
    say(c, "blob %s: forgotten; whoever has it may push it again", l->digest);
    return BERTH_OK;
}

static int one_is_enough(void *arg, const char *key, uint64_t size, const char *digest)
{
    (void)key, (void)size, (void)digest;
    *(bool *)arg = false;
    return 1;
}

/* Not one object of anybody's: a folder that is not mounted looks so. */
static int store_is_empty(struct check *c, bool *ret, berth_error *err)
{
    *ret = true;
    int rc = store_list(c->r->store, one_is_enough, ret, err);
    if (rc == BERTH_E_UNSUPPORTED)
        *ret = false;
    return rc == 1 || rc == BERTH_E_UNSUPPORTED ? BERTH_OK : rc;
}

/* The same bytes under another key where the store has them; else the blob is forgotten. */
static int settle_lost(struct check *c, berth_error *err)
{
    size_t n = c->n_lost;
    if (n == 0)
        return BERTH_OK;
    bool empty;
    int rc = store_is_empty(c, &empty, err);
    if (rc != BERTH_OK)
        return rc;
    if (c->there == 0 && (empty ? n > 1 : n >= STORE_GONE)) {
        say(c, "not one object of %zu blobs is there: is this the right store? Nothing is forgotten", n);
        c->n_lost = 0;
        return BERTH_OK;
    }
    c->err = err;
    rc = store_list(c->r->store, find_substitute, c, err);
    if (rc == BERTH_E_UNSUPPORTED)
        rc = BERTH_OK;
    for (size_t i = 0; rc == BERTH_OK && i < n; i++) {
        if (c->lost[i].settled || c->lost[i].doubt)
            continue;
        pthread_mutex_lock(&c->r->gc_lock);
        rc = forget(c, &c->lost[i], err);
        pthread_mutex_unlock(&c->r->gc_lock);
    }
    c->n_lost = 0;
    return rc;
}

/* --- manifests --- */

static int check_manifest(struct check *c, berth_str name, berth_str digest, berth_str body, berth_error *err)
{
    berth_digest want, have;
    c->res->manifests++;
    if (!c->o->quick && digest_parse(digest, &want, NULL) == BERTH_OK) {
        digest_of(want.algorithm, body.p, body.n, &have);
        c->res->bytes += body.n;
        if (!digest_eq(&have, &want)) {
            c->res->problems++;
            say(c, "manifest " STR_FMT "@" STR_FMT ": the bytes have the digest %s", STR_ARG(name),
                STR_ARG(digest), have.text);
            if (c->repair && c->o->alone)
                return needs_salvage(c, "the bytes of a manifest are damaged", err);
        }
    }
    return go_on(c, err);
}

static int check_manifests(struct check *c, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf cursor = BERTH_BUF_INIT(4 * KIB);
    for (bool more = true; more;) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        struct oci_list repos = {0}, digests = {0}, bodies = {0};
        int rc = c->r->m->ops->manifests_page(c->r->m, PAGE_MANIFESTS, &cursor, &a, &repos, &digests, &bodies,
                                              err);
        for (size_t i = 0; rc == BERTH_OK && i < digests.n; i++)
            rc = check_manifest(c, repos.items[i], digests.items[i], bodies.items[i], err);
        if (rc != BERTH_OK)
            return rc;
        more = digests.more;
    }
    return BERTH_OK;
}

/* --- objects --- */

static int add_stray(struct check *c, const char *key, uint64_t size)
{
    if (c->n_strays == c->cap_strays) {
        size_t cap = c->cap_strays ? 2 * c->cap_strays : 64;
        struct stray *more = fault_hit() ? NULL : mem_realloc(c->strays, cap * sizeof(*more));
        if (!more)
            return berth_error_set(c->err, BERTH_E_NOMEM, "out of memory");
        c->strays = more;
        c->cap_strays = cap;
    }
    struct stray *s = &c->strays[c->n_strays++];
    *s = (struct stray){.size = size};
    memcpy(s->key, key, sizeof(s->key));
    return BERTH_OK;
}

static int find_stray(void *arg, const char *key, uint64_t size, const char *digest)
{
    struct check *c = arg;
    (void)digest;
    c->res->objects++;
    enum meta_key_owner owner;
    int rc = c->r->m->ops->key_owner(c->r->m, key, &owner, c->err);
    if (rc == BERTH_OK && owner == META_KEY_UNKNOWN)
        rc = add_stray(c, key, size);
    return rc == BERTH_OK ? go_on(c, c->err) : rc;
}

static int compare_strays(const void *a, const void *b)
{
    return strcmp(((const struct stray *)a)->key, ((const struct stray *)b)->key);
}

static int compare_stray(const void *key, const void *stray)
{
    return strcmp(key, ((const struct stray *)stray)->key);
}

static int look_again(void *arg, const char *key, uint64_t size, const char *digest)
{
    struct check *c = arg;
    (void)digest;
    struct stray *s = bsearch(key, c->strays, c->n_strays, sizeof(*s), compare_stray);
    if (s) {
        s->again = true;
        s->size = size;
    }
    return go_on(c, c->err);
}

static int settle_stray(struct check *c, const struct stray *s, berth_error *err)
{
    enum meta_key_owner owner;
    int rc = c->r->m->ops->key_owner(c->r->m, s->key, &owner, err);
    if (rc != BERTH_OK || owner != META_KEY_UNKNOWN)
        return rc;
    c->res->problems++;
    say(c, "object %s belongs to nothing: %" PRIu64 " bytes", s->key, s->size);
    if (!c->repair)
        return BERTH_OK;
    rc = c->r->m->ops->object_orphan(c->r->m, s->key, s->size, err);
    if (rc == BERTH_OK)
        c->res->repaired++;
    return rc == BERTH_E_CONFLICT ? BERTH_OK : rc;
}

/* A row goes before or with its object's owner, so an object may be unknown that an upload is just giving up:
 * it is gone at the second look. */
static int check_objects(struct check *c, berth_error *err)
{
    c->err = err;
    int rc = store_list(c->r->store, find_stray, c, err);
    if (rc == BERTH_E_UNSUPPORTED)
        return BERTH_OK;
    if (rc == BERTH_OK && c->n_strays) {
        qsort(c->strays, c->n_strays, sizeof(*c->strays), compare_strays);
        rc = store_list(c->r->store, look_again, c, err);
    }
    for (size_t i = 0; rc == BERTH_OK && i < c->n_strays; i++)
        if (c->strays[i].again)
            rc = settle_stray(c, &c->strays[i], err);
    return rc;
}

/* --- the database --- */

static int list_problems(struct check *c, uint64_t *ret_n, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct oci_list problems = {0};
    int rc = c->r->m->ops->integrity(c->r->m, c->o->quick && !c->o->repair, &a, &problems, err);
    *ret_n = problems.n;
    for (size_t i = 0; rc == BERTH_OK && i < problems.n; i++)
        say(c, "database: " STR_FMT, STR_ARG(problems.items[i]));
    return rc;
}

/* Comes first: by a damaged database what is alive may look like nobody's. Indexes can be made anew; what
 * stood in a table can't, and then nothing else is repaired either. */
static int check_database(struct check *c, berth_error *err)
{
    uint64_t n = 0, left = 0;
    int rc = list_problems(c, &n, err);
    if (rc != BERTH_OK || n == 0)
        return rc;
    c->res->problems += n;
    if (!c->repair)
        return BERTH_OK;
    berth_error why = BERTH_ERROR_INIT;
    if (c->r->m->ops->rebuild(c->r->m, &why) == BERTH_OK) {
        say(c, "database: every index was made anew");
        rc = list_problems(c, &left, err);
    } else {
        say(c, "database: the indexes can't be made anew: %s", why.message);
        left = n;
    }
    c->res->repaired += n - MIN(left, n);
    c->repair = left == 0;
    if (rc == BERTH_OK && left)
        rc = needs_salvage(c, "tables of the database are damaged", err);
    return rc;
}

/* What can be read of a damaged database is looked at all the same. */
static int check_part(struct check *c, const char *what, int (*part)(struct check *c, berth_error *err),
                      berth_error *err)
{
    berth_error why = BERTH_ERROR_INIT;
    int rc = part(c, &why);
    if (rc == BERTH_E_CORRUPT && !c->res->damaged) {
        c->res->problems++;
        say(c, "%s: not all could be looked at: %s", what, why.message);
        rc = c->repair ? needs_salvage(c, "the database is damaged", &why) : BERTH_OK;
    }
    if (rc != BERTH_OK && err)
        *err = why;
    return rc;
}

int repo_check(repo *r, const struct repo_check_options *o, struct repo_check_result *ret, berth_error *err)
{
    CLEANUP(check_done) struct check c = {.r = r, .o = o, .res = ret, .repair = o->repair};
    *ret = (struct repo_check_result){0};
    c.piece = fault_hit() ? NULL : mem_alloc(PIECE);
    c.lost = fault_hit() ? NULL : mem_alloc(LOST_AT_ONCE * sizeof(*c.lost));
    if (!c.piece || !c.lost)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int rc = check_part(&c, "database", check_database, err);
    if (rc == BERTH_OK)
        rc = check_part(&c, "blobs", check_blobs, err);
    if (rc == BERTH_OK)
        rc = check_part(&c, "manifests", check_manifests, err);
    if (rc == BERTH_OK)
        rc = check_part(&c, "objects", check_objects, err);
    if (o->progress)
        o->progress(o->arg, ret->blobs + ret->manifests + ret->objects, ret->bytes);
    return rc;
}
