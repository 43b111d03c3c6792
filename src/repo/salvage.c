/* repo/salvage.c - the rules by which what is left of a damaged database is taken over: bytes that have their
 * digest, and the edges that manifests tell of. What such an edge leads to may be lost: it may be pushed
 * again. */
#include "repo/repo_private.h"

struct salvage {
    blob_store *store;
    const struct repo_salvage_options *o;
};

static bool trusted(void *arg, berth_str digest, berth_str bytes)
{
    berth_digest want, have;
    (void)arg;
    if (digest_parse(digest, &want, NULL) != BERTH_OK)
        return false;
    digest_of(want.algorithm, bytes.p, bytes.n, &have);
    return digest_eq(&have, &want);
}

static int describe(void *arg, meta *to, berth_arena *a, struct meta_manifest_put *put, berth_error *err)
{
    static const struct repo_policy all_may_miss = {.sparse = REPO_SPARSE_ALL};
    oci_manifest *man = berth_arena_alloc(a, sizeof(*man));
    (void)arg;
    if (!man)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int rc = oci_manifest_parse(put->body.p, put->body.n, put->media_type, NULL, a, man, err);
    return rc == BERTH_OK ? repo__describe_manifest(to, &all_may_miss, man, a, put, err) : rc;
}

static int list_objects(void *arg, int (*each)(void *arg, const char *key, uint64_t size, const char *digest),
                        void *each_arg, berth_error *err)
{
    const struct salvage *s = arg;
    int rc = store_list(s->store, each, each_arg, err);
    return rc == BERTH_E_UNSUPPORTED ? BERTH_OK : rc;
}

static void say(void *arg, const char *text)
{
    const struct salvage *s = arg;
    if (s->o->problem)
        s->o->problem(s->o->arg, text);
}

int repo_salvage(const char *database, const struct meta_times *times, blob_store *store,
                 const struct repo_salvage_options *o, struct repo_salvage_result *ret, berth_error *err)
{
    struct salvage s = {store, o};
    const struct meta_salvage_rules rules = {trusted, describe, list_objects, say, &s, o->stop};
    struct meta_salvage_result res = {0};
    int rc = meta_sqlite_salvage(database, times, &rules, &res, err);
    if (rc == BERTH_OK)
        *ret = (struct repo_salvage_result){.damaged = res.damaged, .lost = res.lost};
    return rc;
}
