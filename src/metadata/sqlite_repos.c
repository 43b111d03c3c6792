/* metadata/sqlite_repos.c - repositories: found, made, listed, deleted. */
#include "metadata/sqlite_private.h"

#include <stdio.h>

static int name_unknown(berth_str name, berth_error *err)
{
    return berth_error_set_oci(err, BERTH_E_NOT_FOUND, "NAME_UNKNOWN",
                               "repository '" STR_FMT "' is not known", STR_ARG(name));
}

int repo_find(struct db *db, berth_str name, int64_t *ret_id, berth_error *err)
{
    int r = db_int(db, ret_id, err, "SELECT id FROM repositories WHERE name=?1 AND state=0", "s", name);
    if (r < 0)
        return r;
    return r ? BERTH_OK : name_unknown(name, err);
}

static int makes_none(berth_str name, berth_error *err)
{
    return berth_error_set_oci(err, BERTH_E_NOT_FOUND, "NAME_UNKNOWN",
                               "repository '" STR_FMT
                               "' is not known, and a push makes none here (setting registry.auto_create)",
                               STR_ARG(name));
}

int repo_ensure(struct db *db, berth_str name, bool create, int64_t *ret_id, berth_error *err)
{
    int r = repo_find(db, name, ret_id, err);
    if (r == BERTH_E_NOT_FOUND && !create)
        return makes_none(name, err);
    if (r != BERTH_E_NOT_FOUND)
        return r;
    int64_t now = sqlite_now(db->m), id = sqlite_new_id(db->m);
    r = db_run(db, err, "INSERT INTO repositories(id, name, created_at, review_at) VALUES(?1, ?2, ?3, ?4)",
               "isii", id, name, now, now + db->m->times.grace_ms);
    if (r == BERTH_OK)
        *ret_id = id;
    return r;
}

int repo_review(struct db *db, int64_t repo_id, int64_t now, berth_error *err)
{
    return db_run(db, err,
                  "UPDATE repositories SET review_at=?2 WHERE id=?1 AND (review_at IS NULL OR review_at>?2)",
                  "ii", repo_id, now);
}

int repo_list_it(struct db *db, int64_t repo_id, berth_error *err)
{
    return db_run(db, err, "UPDATE repositories SET listed=1 WHERE id=?1 AND listed=0", "i", repo_id);
}

int repo_list_no_more(struct db *db, int64_t repo_id, berth_error *err)
{
    return db_run(db, err,
                  "UPDATE repositories SET listed=0 WHERE id=?1 AND listed=1"
                  " AND NOT EXISTS(SELECT 1 FROM manifests WHERE repo_id=?1)",
                  "i", repo_id);
}

int sqlite_repo_number(meta *base, berth_str repo, bool create_repo, int64_t *ret, berth_error *err)
{
    struct db *db;
    int64_t id;
    int r = reader_get(sqlite_of(base), "looking for a repository", &db, err);
    if (r == BERTH_OK)
        r = repo_find(db, repo, &id, err);
    if (r == BERTH_E_NOT_FOUND && !create_repo)
        return makes_none(repo, err);
    if (r != BERTH_OK && r != BERTH_E_NOT_FOUND)
        return r;
    *ret = r == BERTH_OK ? id : 0;
    return BERTH_OK;
}

int sqlite_repo_exists(meta *base, berth_str repo, berth_error *err)
{
    struct db *db;
    int64_t id;
    int r = reader_get(sqlite_of(base), "looking for a repository", &db, err);
    return r == BERTH_OK ? repo_find(db, repo, &id, err) : r;
}

int sqlite_repo_list(meta *base, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                     berth_error *err)
{
    struct db *db;
    int r = reader_get(sqlite_of(base), "listing repositories", &db, err);
    if (r != BERTH_OK)
        return r;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    r = db_start(
        db, &st, err,
        "SELECT name FROM repositories WHERE name>?1 AND listed=1 AND state=0 ORDER BY name LIMIT ?2", "si",
        after, (int64_t)MIN(n, (size_t)INT32_MAX) + 1);
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

struct repo_delete {
    berth_str repo;
};

static int repo_delete(struct db *db, void *arg, berth_error *err)
{
    const struct repo_delete *op = arg;
    int64_t id, now = sqlite_now(db->m);
    int r = repo_find(db, op->repo, &id, err);
    if (r != BERTH_OK)
        return r;
    char name[32]; /* no repository can be called so: the old name is free at once */
    snprintf(name, sizeof(name), "!%lld", (long long)id);
    return db_run(db, err, "UPDATE repositories SET name=?2, state=1, listed=0, review_at=?3 WHERE id=?1",
                  "izi", id, name, now);
}

int sqlite_repo_delete(meta *base, berth_str repo, berth_error *err)
{
    struct repo_delete op = {repo};
    return writer_run(sqlite_of(base), "deleting a repository", repo_delete, &op, err);
}
