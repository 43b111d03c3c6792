/* metadata/sqlite_lists.c - what a pull reads: a manifest, a page of tags, a page of referrers. Each is one
 * prepared statement over an index, from a key on: its cost is the page's, however long the list. */
#include "metadata/sqlite_private.h"

static int64_t limit(size_t n)
{
    return (int64_t)MIN(n, (size_t)INT32_MAX) + 1; /* one more tells whether there is more */
}

static int manifest_start(struct db *db, sqlite3_stmt **ret, berth_str repo, berth_str tag,
                          const berth_digest *d, int64_t due, bool with_body, bool blind, berth_error *err)
{
    /* By tag: the tag holds it, no lease is due. */
    if (tag.p && with_body)
        return db_start(db, ret, err,
                        "SELECT t.manifest, m.media_type, m.size, 0, 0, m.body FROM repositories r"
                        " CROSS JOIN tags t ON t.repo_id=r.id AND t.name=?2"
                        " CROSS JOIN manifests m ON m.repo_id=t.repo_id AND m.digest=t.manifest"
                        " WHERE r.name=?1 AND r.state=0",
                        "ss", repo, tag);
    if (tag.p)
        return db_start(db, ret, err,
                        "SELECT t.manifest, m.media_type, m.size, 0, 0 FROM repositories r"
                        " CROSS JOIN tags t ON t.repo_id=r.id AND t.name=?2"
                        " CROSS JOIN manifests m ON m.repo_id=t.repo_id AND m.digest=t.manifest"
                        " WHERE r.name=?1 AND r.state=0",
                        "ss", repo, tag);
    if (with_body)
        return db_start(db, ret, err,
                        "SELECT m.digest, m.media_type, m.size, " MANIFEST_LEASE_DUE(
                            "?3", "?4") ", m.lease_until, m.body FROM repositories r CROSS JOIN manifests m "
                                        "ON m.repo_id=r.id AND m.digest=?2"
                                        " WHERE r.name=?1 AND r.state=0",
                        "szii", repo, d->text, due, (int64_t)blind);
    return db_start(db, ret, err,
                    "SELECT m.digest, m.media_type, m.size, " MANIFEST_LEASE_DUE(
                        "?3", "?4") ", m.lease_until FROM repositories r CROSS JOIN manifests m ON "
                                    "m.repo_id=r.id AND m.digest=?2"
                                    " WHERE r.name=?1 AND r.state=0",
                    "szii", repo, d->text, due, (int64_t)blind);
}

static int read_manifest(struct db *db, berth_str repo, berth_str tag, const berth_digest *d, bool with_body,
                         bool blind, berth_arena *a, struct oci_stored *ret, int64_t *ret_until,
                         berth_error *err)
{
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int64_t due = tag.p ? INT64_MAX : lease_due_before(db->m); /* the tag holds it: no lease lasts as long */
    int r = manifest_start(db, &st, repo, tag, d, due, with_body, blind, err);
    if (r != BERTH_OK || (r = db_step(db, st, err)) < 0)
        return r;
    if (r == 0) {
        int64_t id;
        r = repo_find(db, repo, &id, err);
        if (r != BERTH_OK)
            return r;
        berth_str reference = tag.p ? tag : digest_str(d);
        return berth_error_set_oci(err, BERTH_E_NOT_FOUND, "MANIFEST_UNKNOWN",
                                   "manifest '" STR_FMT "' is not known", STR_ARG(reference));
    }
    struct oci_stored got = {.size = (uint64_t)sqlite3_column_int64(st, 2),
                             .lease_due = sqlite3_column_int(st, 3)};
    r = digest_parse(db_text(st, 0), &got.digest, err);
    if (r != BERTH_OK)
        return berth_error_set(err, BERTH_E_CORRUPT, "%s: the database holds a malformed digest", db->what);
    r = db_copy(db, st, 1, a, &got.media_type, err);
    if (r == BERTH_OK && with_body)
        r = db_copy(db, st, 5, a, &got.body, err);
    if (r != BERTH_OK)
        return r;
    *ret_until = recent_until(db, due, sqlite3_column_int64(st, 4));
    *ret = got;
    return BERTH_OK;
}

static bool manifest_from(const struct recent_answer *known, bool with_body, berth_arena *a,
                          struct oci_stored *ret)
{
    struct oci_stored got = {.digest = known->digest, .size = known->size};
    got.media_type = berth_arena_str(a, known->text);
    if (with_body)
        got.body = berth_arena_str(a, known->body);
    if (!got.media_type.p || (with_body && !got.body.p))
        return false; /* no memory: the database says so, too */
    *ret = got;
    return true;
}

int sqlite_manifest_get(meta *base, berth_str repo, berth_str tag, const berth_digest *d, bool with_body,
                        berth_arena *a, struct oci_stored *ret, berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "reading a manifest", &db, err);
    if (r != BERTH_OK)
        return r;
    const uint64_t commits = recent_commits(db);
    const enum recent_kind kind = tag.p ? RECENT_TAG : RECENT_MANIFEST;
    const berth_str name = tag.p ? tag : digest_str(d);
    const struct recent_answer *known = recent_find(db, kind, repo, name, with_body);
    if (known && manifest_from(known, with_body, a, ret))
        return BERTH_OK;
    int64_t until = 0;
    struct oci_stored got;
    r = read_manifest(db, repo, tag, d, with_body, false, a, &got, &until, err);
    /* The damage may lie in what holds it: a lease too many does no harm. */
    if (r == BERTH_E_CORRUPT && !tag.p)
        r = read_manifest(db, repo, tag, d, with_body, true, a, &got, &until, err);
    if (r != BERTH_OK)
        return r;
    if (!got.lease_due)
        recent_keep(
            db, commits, kind, repo, name,
            &(struct recent_answer){until, with_body, got.size, got.digest, got.media_type, got.body});
    *ret = got;
    return BERTH_OK;
}

int sqlite_tag_list(meta *base, berth_str repo, berth_str after, size_t n, berth_arena *a,
                    struct oci_list *ret, berth_error *err)
{
    struct db *db;
    int64_t repo_id;
    int r = reader_get(sqlite_of(base), "listing tags", &db, err);
    if (r == BERTH_OK)
        r = repo_find(db, repo, &repo_id, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = db_start(db, &st, err, "SELECT name FROM tags WHERE repo_id=?1 AND name>?2 ORDER BY name LIMIT ?3",
                 "isi", repo_id, after, limit(n));
    if (r != BERTH_OK)
        return r;
    struct list_builder l = {0};
    bool more = false;
    while ((r = db_step(db, st, err)) > 0 && !more) {
        more = l.n == n;
        if (!more && (r = list_add(db, &l, a, db_text(st, 0), err)) != BERTH_OK)
            return r;
    }
    if (r < 0)
        return r;
    *ret = (struct oci_list){l.items, l.n, more && n > 0};
    return BERTH_OK;
}

#define REFERRER_COLUMNS                                                                                     \
    "SELECT m.digest, m.media_type, m.artifact_type, m.annotations, m.size FROM repositories r"              \
    " CROSS JOIN manifests m ON m.repo_id=r.id AND m.subject=?2"
#define REFERRER_ORDER " WHERE r.name=?1 AND r.state=0 ORDER BY m.artifact_type, m.digest LIMIT ?3"

static int referrers_start(struct db *db, sqlite3_stmt **ret, berth_str repo, berth_str subject,
                           berth_str type, berth_str after_type, berth_str after_digest, size_t n,
                           berth_error *err)
{
    if (type.n) /* @after_type is @type, or lies before or behind all of it */
        return db_start(db, ret, err,
                        REFERRER_COLUMNS " AND m.artifact_type=?4 AND m.digest>?5"
                                         " AND (?4>=?6)" REFERRER_ORDER,
                        "ssisss", repo, subject, limit(n), type,
                        after_digest.n && str_eq(after_type, type) ? after_digest : STR(""),
                        after_digest.n ? after_type : STR(""));
    if (after_digest.n)
        return db_start(db, ret, err,
                        REFERRER_COLUMNS " AND (m.artifact_type, m.digest)>(?4, ?5)" REFERRER_ORDER, "ssiss",
                        repo, subject, limit(n), after_type, after_digest);
    return db_start(db, ret, err, REFERRER_COLUMNS REFERRER_ORDER, "ssi", repo, subject, limit(n));
}

/* The row, in views that hold until the next one. */
static oci_referrer read_referrer(sqlite3_stmt *st)
{
    return (oci_referrer){
        .digest = db_text(st, 0),
        .media_type = db_text(st, 1),
        .artifact_type = db_text(st, 2),
        .annotations_json = db_text(st, 3),
        .size = (uint64_t)sqlite3_column_int64(st, 4),
    };
}

static berth_str move_text(char **to, berth_str s)
{
    char *p = *to;
    if (s.n)
        memcpy(p, s.p, s.n);
    *to += s.n;
    return (berth_str){p, s.n};
}

/* A row's texts into the arena: one piece of memory, and no second copy of the types that the row @before
 * has as well. False: no memory. */
static bool keep_referrer(berth_arena *a, oci_referrer *row, const oci_referrer *before)
{
    bool same = before && str_eq(row->media_type, before->media_type) &&
                str_eq(row->artifact_type, before->artifact_type);
    size_t n =
        row->digest.n + row->annotations_json.n + (same ? 0 : row->media_type.n + row->artifact_type.n);
    char *p = berth_arena_alloc(a, n);
    if (!p)
        return false;
    row->digest = move_text(&p, row->digest);
    row->annotations_json = move_text(&p, row->annotations_json);
    row->media_type = same ? before->media_type : move_text(&p, row->media_type);
    row->artifact_type = same ? before->artifact_type : move_text(&p, row->artifact_type);
    return true;
}

int sqlite_referrers(meta *base, berth_str repo, berth_str subject, berth_str artifact_type,
                     berth_str after_type, berth_str after_digest, size_t n, size_t max_bytes, berth_arena *a,
                     struct oci_referrers *ret, berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "listing referrers", &db, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = referrers_start(db, &st, repo, subject, artifact_type, after_type, after_digest, n, err);
    if (r != BERTH_OK)
        return r;
    struct oci_referrers out = {0};
    size_t cap = 0, bytes = 0;
    while ((r = db_step(db, st, err)) > 0 && !out.more) {
        oci_referrer row = read_referrer(st);
        size_t row_bytes =
            sizeof(row) + row.digest.n + row.media_type.n + row.artifact_type.n + row.annotations_json.n;
        if (out.n == n ||
            (out.n && bytes + row_bytes > max_bytes)) { /* one at least, or nobody could go on */
            out.more = n > 0;
            break;
        }
        if (out.n == cap) {
            cap = cap ? cap * 2 : 16;
            oci_referrer *items = berth_arena_alloc(a, cap * sizeof(*items));
            if (!items)
                return db_nomem(db, err);
            if (out.n)
                memcpy(items, out.items, out.n * sizeof(*items));
            out.items = items;
        }
        if (!keep_referrer(a, &row, out.n ? &out.items[out.n - 1] : NULL))
            return db_nomem(db, err);
        out.items[out.n++] = row;
        bytes += row_bytes;
    }
    if (r < 0)
        return r;
    *ret = out;
    return BERTH_OK;
}
