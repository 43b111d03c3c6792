/* tests/fault/operations.c - each operation that writes, over the real store and the real database, with its
 * first call failing, its second, and so on until a run goes through: an allocation, a system call, a
 * statement (util/fault.h), or what SQLite does with its files (vfs.h).
 *
 * Whatever fails: the error is a clear value, nothing that was acknowledged before is lost, the operation
 * happened whole or not at all (or, where the table says so, in part, and goes on), the same operation then
 * succeeds, and the registry drains to nothing when all is deleted. */
#include "vfs.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "util/fault.h"

/* --- the operations; each may be repeated --- */

static berth_digest small, large;
static char started[37]; /* by op_empty_chunk() in this round */

static berth_str small_body(void)
{
    return STR("twenty bytes of blob");
}

static int op_small_blob(struct world *w, berth_error *err)
{
    small = digest_sha256(small_body());
    return try_push_blob(&w->f, APP, &small, small_body(), err);
}
static int op_large_blob(struct world *w, berth_error *err)
{
    large = digest_sha256(seed.large_body);
    return try_push_blob(&w->f, APP, &large, seed.large_body, err);
}
static int op_first_blob(struct world *w, berth_error *err)
{
    large = digest_sha256(seed.large_body);
    return try_push_blob(&w->f, "fresh/name", &large, seed.large_body, err);
}
static bool did_small(struct world *w)
{
    return blob_is_there(&w->f, APP, &small);
}
static bool did_large(struct world *w)
{
    return blob_is_there(&w->f, APP, &large);
}
static bool did_first(struct world *w)
{
    return blob_is_there(&w->f, "fresh/name", &large);
}

/* Starting a session writes nothing: it is a name until something comes, if only an empty chunk. */
static int op_empty_chunk(struct world *w, berth_error *err)
{
    uint64_t size;
    char id[37];
    repo_upload *u = NULL;
    int r = repo_upload_start(w->f.r, STR("fresh/name"), HASH_SHA512, id, err);
    if (r == BERTH_OK)
        r = repo_upload_open(w->f.r, STR("fresh/name"), str_from(id), NULL, &u, err);
    if (r == BERTH_OK)
        r = repo_upload_suspend(u, &size, err);
    if (r == BERTH_OK)
        memcpy(started, id, sizeof(started));
    return r;
}
static bool did_empty_chunk(struct world *w)
{
    uint64_t size;
    return started[0] &&
           repo_upload_status(w->f.r, STR("fresh/name"), str_from(started), &size, NULL) == BERTH_OK;
}

/* PATCHes what is missing of the first @upto bytes. */
static int patch(struct world *w, const char *id, berth_str body, size_t upto, berth_error *err)
{
    uint64_t at;
    repo_upload *u = NULL;
    int r = repo_upload_status(w->f.r, STR(APP), str_from(id), &at, err);
    if (r != BERTH_OK || at >= upto)
        return r;
    r = repo_upload_open(w->f.r, STR(APP), str_from(id), NULL, &u, err);
    if (r != BERTH_OK)
        return r;
    for (size_t n; r == BERTH_OK && at < upto; at += n) {
        n = MIN((size_t)200, upto - (size_t)at);
        r = repo_upload_append(u, body.p + at, n, err);
    }
    if (r == BERTH_OK)
        return repo_upload_suspend(u, &at, err);
    repo_upload_abandon(u);
    return r;
}

/* The closing PUT brings what no PATCH brought. */
static int finish(struct world *w, const char *id, berth_str body, enum hash_algorithm algorithm,
                  berth_error *err)
{
    berth_digest d;
    uint64_t at;
    repo_upload *u = NULL;
    digest_of(algorithm, body.p, body.n, &d);
    if (was_finished(&w->f, STR(APP), id, &d))
        return BERTH_OK;
    int r = repo_upload_status(w->f.r, STR(APP), str_from(id), &at, err);
    if (r == BERTH_OK)
        r = repo_upload_open(w->f.r, STR(APP), str_from(id), &d, &u, err);
    if (r == BERTH_OK)
        r = repo_upload_append(u, body.p + at, body.n - at, err);
    if (r == BERTH_OK)
        return repo_upload_finish(u, &d, err);
    repo_upload_abandon(u);
    return r;
}

static int op_patch(struct world *w, berth_error *err)
{
    return patch(w, seed.fresh, seed.part_body, 500, err);
}
static bool did_patch(struct world *w)
{
    uint64_t size = 0;
    CHECK_OK(repo_upload_status(w->f.r, STR(APP), str_from(seed.fresh), &size, &test_err));
    CHECK(size == 0 || size == 500);
    return size == 500;
}
/* A chunk that would fit in the database goes to the store; if recording it fails, the whole may end there. A
 * session of this process: after a restart every session is taken for one that has an object. */
static int op_small_chunk(struct world *w, berth_error *err)
{
    uint64_t at = 0;
    small = digest_sha256(small_body());
    int r = started[0] ? BERTH_OK : repo_upload_start(w->f.r, STR(APP), HASH_SHA256, started, err);
    if (r != BERTH_OK)
        return r;
    if (w->again && repo_upload_status(w->f.r, STR(APP), str_from(started), &at, NULL) == BERTH_OK && at == 0)
        return finish(w, started, small_body(), HASH_SHA256, err);
    r = patch(w, started, small_body(), small_body().n, err);
    return r == BERTH_OK || r == BERTH_E_NOT_FOUND ? finish(w, started, small_body(), HASH_SHA256, err) : r;
}
static int op_resume(struct world *w, berth_error *err)
{
    return finish(w, seed.part, seed.part_body, HASH_SHA256, err);
}
static int op_rehash(struct world *w, berth_error *err)
{
    return finish(w, seed.part, seed.part_body, HASH_SHA512, err);
}
static int op_chunks(struct world *w, berth_error *err)
{
    int r = patch(w, seed.part, seed.part_body, 1000, err);
    return r == BERTH_OK || r == BERTH_E_NOT_FOUND ? finish(w, seed.part, seed.part_body, HASH_SHA256, err)
                                                   : r;
}
static bool part_is(struct world *w, enum hash_algorithm algorithm)
{
    berth_digest d;
    digest_of(algorithm, seed.part_body.p, seed.part_body.n, &d);
    if (!blob_is_there(&w->f, APP, &d)) {
        uint64_t size = 0; /* what was recorded is still counted */
        CHECK_OK(repo_upload_status(w->f.r, STR(APP), str_from(seed.part), &size, &test_err));
        CHECK(size >= 300);
        return false;
    }
    CHECK_STR(pull_blob(&w->f, APP, &d), seed.part_body);
    return true;
}
static bool did_resume(struct world *w)
{
    return part_is(w, HASH_SHA256);
}
static bool did_rehash(struct world *w)
{
    return part_is(w, HASH_SHA512);
}
static int op_cancel(struct world *w, berth_error *err)
{
    int r = repo_upload_cancel(w->f.r, STR(APP), str_from(seed.part), err);
    return r == BERTH_E_NOT_FOUND ? BERTH_OK : r;
}
static bool did_cancel(struct world *w)
{
    uint64_t size;
    return repo_upload_status(w->f.r, STR(APP), str_from(seed.part), &size, NULL) == BERTH_E_NOT_FOUND;
}
static int op_mount(struct world *w, berth_error *err)
{
    return repo_blob_mount(w->f.r, STR("fresh/name"), STR(SOURCE), &seed.mountable, err);
}
static bool did_mount(struct world *w)
{
    return blob_is_there(&w->f, "fresh/name", &seed.mountable);
}
static int op_promise(struct world *w, berth_error *err)
{
    struct repo_blob b;
    int r = repo_blob_open(w->f.r, STR(SOURCE), &seed.mountable, false, &w->f.a, &b, err);
    return r == BERTH_OK && b.lease_due ? repo_blob_promise(w->f.r, STR(SOURCE), &seed.mountable, err) : r;
}
static bool did_promise(struct world *w)
{
    struct repo_blob b;
    return repo_blob_open(w->f.r, STR(SOURCE), &seed.mountable, false, &w->f.a, &b, NULL) == BERTH_OK &&
           !b.lease_due;
}
static int manifest_lease_due(struct world *w, bool *ret, berth_error *err)
{
    struct oci_stored m;
    oci_reference ref = {.is_digest = true, .digest = seed.untagged};
    int r = repo_manifest_get(w->f.r, STR(APP), &ref, false, &w->f.a, &m, err);
    *ret = r == BERTH_OK && m.lease_due;
    return r;
}
static int op_promise_manifest(struct world *w, berth_error *err)
{
    bool due;
    int r = manifest_lease_due(w, &due, err);
    return r == BERTH_OK && due ? repo_manifest_promise(w->f.r, STR(APP), &seed.untagged, err) : r;
}
static bool did_promise_manifest(struct world *w)
{
    bool due;
    return manifest_lease_due(w, &due, NULL) == BERTH_OK && !due;
}

/* Two tags, one of which moves; a subject that is there; a layer that is not. */
static int op_manifest(struct world *w, berth_error *err)
{
    struct fixture *f = &w->f;
    large = digest_sha256(seed.manifest_body);
    static const berth_str tags[] = {{"old", 3}, {"new", 3}};
    struct repo_manifest_stored stored = {0};
    struct repo_manifest_put put = {.name = STR(APP),
                                    .reference = {.is_digest = true, .digest = large},
                                    .content_type = STR(MT_OCI_MANIFEST),
                                    .body = seed.manifest_body,
                                    .tags = tags,
                                    .n_tags = 2};
    return repo_manifest_put(f->r, &put, &f->a, &stored, err);
}
static bool did_manifest(struct world *w)
{
    berth_digest old = tag_digest(&w->f, APP, "old"), new = tag_digest(&w->f, APP, "new");
    bool there = manifest_is_there(&w->f, APP, &large);
    CHECK(there ? digest_eq(&old, &large) && digest_eq(&new, &large)
                : digest_eq(&old, &seed.image) && !new.text[0]);
    return there;
}

static int delete_manifest(struct world *w, bool is_tag, berth_error *err)
{
    oci_reference ref = {.is_digest = !is_tag, .tag = STR("multi"), .digest = seed.image};
    int r = repo_manifest_delete(w->f.r, STR(APP), &ref, NULL, err);
    return r == BERTH_E_NOT_FOUND ? BERTH_OK : r; /* a repeated deletion */
}
static int op_delete_tag(struct world *w, berth_error *err)
{
    return delete_manifest(w, true, err);
}
static bool did_delete_tag(struct world *w)
{
    berth_digest multi = tag_digest(&w->f, APP, "multi");
    CHECK(manifest_is_there(&w->f, APP, &seed.index));
    return !multi.text[0];
}
/* It has a tag, a parent and a referrer. */
static int op_delete_manifest(struct world *w, berth_error *err)
{
    return delete_manifest(w, false, err);
}
static bool did_delete_manifest(struct world *w)
{
    berth_digest old = tag_digest(&w->f, APP, "old");
    bool there = manifest_is_there(&w->f, APP, &seed.image);
    CHECK(there == (old.text[0] != '\0'));
    return !there;
}
static int op_delete_blob(struct world *w, berth_error *err)
{
    int r = repo_blob_delete(w->f.r, STR(APP), &seed.loose, &w->f.a, NULL, err);
    return r == BERTH_E_NOT_FOUND ? BERTH_OK : r;
}
static bool did_delete_blob(struct world *w)
{
    return !blob_is_there(&w->f, APP, &seed.loose);
}
static int op_delete_repo(struct world *w, berth_error *err)
{
    int r = repo_delete(w->f.r, STR(APP), err);
    return r == BERTH_E_NOT_FOUND ? BERTH_OK : r;
}
static bool did_delete_repo(struct world *w)
{
    bool there = manifest_is_there(&w->f, APP, &seed.index);
    CHECK(there == blob_is_there(&w->f, APP, &seed.layer));
    return !there;
}

/* Sessions, links and blobs go; and, when their readers had time to finish, objects. */
static int op_collect(struct world *w, berth_error *err)
{
    struct repo_gc_result result;
    int r = repo_gc(w->f.r, NULL, &result, err);
    if (r != BERTH_OK || w->again)
        return r;
    meta_sqlite_shift_clock(w->f.m, 2 * DRAIN_MS);
    return repo_gc(w->f.r, NULL, &result, err);
}
static bool did_collect(struct world *w)
{
    uint64_t size;
    return !blob_is_there(&w->f, SOURCE, &seed.mountable) && !blob_is_there(&w->f, APP, &seed.loose) &&
           repo_upload_status(w->f.r, STR(APP), str_from(seed.part), &size, NULL) == BERTH_E_NOT_FOUND;
}

static int import(struct world *w, const char *path, const char *name, berth_error *err)
{
    struct repo_import_options o = {.path = path, .name = name};
    struct repo_import_result result;
    int r = repo_import(w->f.r, &o, &result, err);
    if (r == BERTH_OK && result.failed) /* it went on without: told, and the command's exit code is 6 */
        return berth_error_set(err, BERTH_E_IO, "not all was imported");
    return r;
}
static int op_import(struct world *w, berth_error *err)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/imported", seed.layouts);
    return import(w, path, "imported", err);
}
static int op_import_layouts(struct world *w, berth_error *err)
{
    return import(w, seed.layouts, NULL, err);
}
static int op_import_tree(struct world *w, berth_error *err)
{
    return import(w, seed.tree, NULL, err);
}
static bool did_import(struct world *w)
{
    berth_digest v1 = tag_digest(&w->f, "imported", "v1");
    if (!v1.text[0])
        return false;
    CHECK(digest_eq(&v1, &seed.imported));
    CHECK(pull_blob(&w->f, "imported", &seed.imported_layer).n == 900);
    return true;
}

static bool did_import_tree(struct world *w)
{
    return did_import(w) && manifest_is_there(&w->f, "imported", &seed.revision);
}

static int op_repair(struct world *w, berth_error *err)
{
    struct repo_check_options o = {.repair = true};
    struct repo_check_result result;
    int r = repo_check(w->f.r, &o, &result, err);
    if (r == BERTH_OK &&
        result.repaired < result.problems) /* out of reach for the moment: told, and left alone */
        return berth_error_set(err, BERTH_E_IO, "not all was repaired");
    return r;
}
static int op_rebuild(struct world *w, berth_error *err)
{
    int r = w->f.m->ops->rebuild(w->f.m, err);
    return r == BERTH_OK ? op_repair(w, err) : r;
}
/* Its database has a page that can't be read, and is open when it was salvaged. */
static int op_salvage(struct world *w, berth_error *err)
{
    const struct repo_salvage_options o = {.stop = NULL};
    struct repo_salvage_result result;
    if (w->f.r)
        world_close(w);
    int r = world_salvage(w, &o, &result, err);
    if (r == BERTH_OK && result.lost)
        fail_msg("what stands elsewhere too was lost");
    return r == BERTH_OK ? world_open(w, err) : r;
}
static bool did_salvage(struct world *w)
{
    struct repo_check_options o = {.repair = false};
    struct repo_check_result result;
    if (!w->f.r)
        return false;
    CHECK_OK(repo_check(w->f.r, &o, &result, &test_err));
    return result.problems == 0;
}
static bool did_repair(struct world *w)
{
    struct repo_check_options o = {.repair = false};
    struct repo_check_result result;
    CHECK_OK(repo_check(w->f.r, &o, &result, &test_err));
    if (result.problems)
        return false;
    CHECK_STR(pull_blob(&w->f, SOURCE, &seed.mountable), seed.mountable_body);
    CHECK(!blob_is_there(&w->f, APP, &seed.loose)); /* who has it may push it again */
    return true;
}

/* A backup beside the registry, of which one is made again and again. */
static int open_backup(struct world *w, char ret_database[512], blob_store **ret, berth_error *err)
{
    char dir[300];
    snprintf(dir, sizeof(dir), "%s/backup", w->dir);
    snprintf(ret_database, 512, "%s/meta.db", dir);
    CHECK(mkdir(dir, 0700) == 0 || errno == EEXIST);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return store_fs_new(fd, true, 0, ret, err);
}
static int op_backup(struct world *w, berth_error *err)
{
    char path[512];
    blob_store *to = NULL;
    struct repo_backup_options o = {.verify = w->again};
    struct repo_backup_result result;
    int r = open_backup(w, path, &to, err);
    unlink(path);
    if (r == BERTH_OK)
        r = repo_backup(w->f.r, path, to, &o, &result, err);
    store_free(to);
    if (r == BERTH_OK && result.problems)
        return berth_error_set(err, BERTH_E_IO, "not all was backed up");
    return r;
}
static bool did_backup(struct world *w)
{
    char path[512];
    struct repo_check_options o = {.repair = false};
    struct repo_check_result result = {.problems = 1};
    struct fixture f = {.policy = w->f.policy};
    CHECK_OK(open_backup(w, path, &f.s, &test_err));
    if (access(path, R_OK) == 0 && meta_sqlite_open(path, NULL, &f.m, &test_err) == BERTH_OK) {
        CHECK_OK(repo_new(f.m, f.s, &f.policy, &f.r, &test_err));
        CHECK_OK(repo_check(f.r, &o, &result, &test_err));
        result.problems += !manifest_is_there(&f, KEPT, &seed.index);
        repo_free(f.r);
        f.m->ops->free(f.m);
    }
    store_free(f.s);
    berth_arena_done(&f.a);
    return result.problems == 0;
}

static struct world other; /* what is brought back from, while the tests run */

static int op_restore(struct world *w, berth_error *err)
{
    struct repo_import_options o = {.name = NULL};
    struct repo_import_result result;
    int r = repo_restore(w->f.r, other.f.m, other.f.s, false, &o, &result, err);
    return r == BERTH_OK && result.failed ? berth_error_set(err, BERTH_E_IO, "not all was brought back") : r;
}
static bool did_restore(struct world *w)
{
    berth_digest multi = tag_digest(&w->f, KEPT, "multi");
    return digest_eq(&multi, &seed.index) && manifest_is_there(&w->f, KEPT, &seed.untagged) &&
           blob_is_there(&w->f, KEPT, &seed.layer) && blob_is_there(&w->f, SOURCE, &seed.mountable);
}

/* More pages than the log is let grow to: they are copied back, after the answer. */
static int op_checkpoint(struct world *w, berth_error *err)
{
    struct fixture *f = &w->f;
    large = digest_sha256(seed.huge_body);
    int r = f->m->ops->blob_put(f->m, STR(APP), true, &large, seed.huge_body, err);
    return r == BERTH_OK ? op_small_blob(w, err) : r;
}
static bool did_checkpoint(struct world *w)
{
    return did_large(w) && did_small(w);
}

/* Opening and closing: the log is copied back and removed, then found anew. */
static int op_reopen(struct world *w, berth_error *err)
{
    if (w->f.r)
        world_close(w);
    return world_open(w, err);
}
static bool did_reopen(struct world *w)
{
    return w->f.r != NULL;
}
static bool did_migrate(struct world *w)
{
    return w->f.r && manifest_is_there(&w->f, APP, &seed.index);
}

static const struct operation {
    const char *name;
    int (*run)(struct world *w, berth_error *err);
    bool (*done)(struct world *w);
    bool in_part; /* it may have happened in part: it goes on where it was */
    bool later;   /* when leases are over */
    bool damaged, empty, closed;
    bool aged;       /* its database has the first version of the schema */
    bool torn;       /* a page of the database can't be read */
    bool costly;     /* not with every kind of failure */
    unsigned stride; /* beyond its 20th call only every so many: odd, for each second run is a restart */
} operations[] = {
    {.name = "pushing a small blob", .run = op_small_blob, .done = did_small},
    {.name = "pushing a large blob", .run = op_large_blob, .done = did_large},
    {.name = "pushing the first blob of a repository", .run = op_first_blob, .done = did_first},
    {.name = "an empty chunk to a new session", .run = op_empty_chunk, .done = did_empty_chunk},
    {.name = "appending to a session", .run = op_patch, .done = did_patch},
    {.name = "a small blob in a chunk", .run = op_small_chunk, .done = did_small},
    {.name = "going on with a session", .run = op_resume, .done = did_resume},
    {.name = "ending a session in another algorithm", .run = op_rehash, .done = did_rehash},
    {.name = "ending a session after a chunk", .run = op_chunks, .done = did_resume},
    {.name = "cancelling a session", .run = op_cancel, .done = did_cancel},
    {.name = "mounting a blob", .run = op_mount, .done = did_mount},
    {.name = "promising a blob", .run = op_promise, .done = did_promise, .later = true},
    {.name = "promising a manifest", .run = op_promise_manifest, .done = did_promise_manifest, .later = true},
    {.name = "storing a manifest", .run = op_manifest, .done = did_manifest},
    {.name = "deleting a tag", .run = op_delete_tag, .done = did_delete_tag},
    {.name = "deleting a manifest", .run = op_delete_manifest, .done = did_delete_manifest},
    {.name = "deleting a blob", .run = op_delete_blob, .done = did_delete_blob},
    {.name = "deleting a repository", .run = op_delete_repo, .done = did_delete_repo},
    {.name = "collecting", .run = op_collect, .done = did_collect, .in_part = true, .later = true},
    {.name = "importing", .run = op_import, .done = did_import, .in_part = true},
    {.name = "importing a folder of layouts",
     .run = op_import_layouts,
     .done = did_import,
     .in_part = true,
     .costly = true,
     .stride = 3},
    {.name = "importing another registry's tree",
     .run = op_import_tree,
     .done = did_import_tree,
     .in_part = true,
     .costly = true,
     .stride = 3},
    {.name = "repairing",
     .run = op_repair,
     .done = did_repair,
     .in_part = true,
     .damaged = true,
     .stride = 3},
    {.name = "making the indexes anew",
     .run = op_rebuild,
     .done = did_repair,
     .in_part = true,
     .damaged = true,
     .costly = true,
     .stride = 11},
    {.name = "salvaging the database",
     .run = op_salvage,
     .done = did_salvage,
     .in_part = true,
     .closed = true,
     .torn = true,
     .costly = true,
     .stride = 7},
    {.name = "copying the log back",
     .run = op_checkpoint,
     .done = did_checkpoint,
     .in_part = true,
     .costly = true,
     .stride = 251},
    {.name = "closing and opening", .run = op_reopen, .done = did_reopen, .in_part = true},
    {.name = "opening", .run = op_reopen, .done = did_reopen, .in_part = true, .closed = true},
    {.name = "bringing a database forward",
     .run = op_reopen,
     .done = did_migrate,
     .in_part = true,
     .closed = true,
     .aged = true,
     .costly = true},
    {.name = "backing up",
     .run = op_backup,
     .done = did_backup,
     .in_part = true,
     .costly = true,
     .stride = 7},
    {.name = "restoring",
     .run = op_restore,
     .done = did_restore,
     .in_part = true,
     .empty = true,
     .costly = true,
     .stride = 11},
    {.name = "making a registry",
     .run = op_reopen,
     .done = did_reopen,
     .in_part = true,
     .closed = true,
     .empty = true},
};

/* --- failing --- */

#define THE_COUNTER VFS_FAILURES_ /* instead of a failure of the file system's */

static const char *source_name(unsigned source)
{
    return source == THE_COUNTER ? "the counter" : vfs_failure_name((enum vfs_failure)source);
}

static void arm(unsigned source, unsigned n)
{
    if (source == THE_COUNTER)
        fault_arm(n);
    else
        vfs_arm((enum vfs_failure)source, n);
}

static bool disarm(unsigned source)
{
    return source == THE_COUNTER ? fault_disarm() : vfs_disarm();
}

static void restart(struct world *w)
{
    if (w->f.r)
        world_close(w);
    CHECK_OK(world_open(w, &test_err));
}

/* True: it fired. */
static bool run_failing(const struct operation *op, unsigned source, unsigned n)
{
    char what[200];
    struct world w;
    berth_error err = BERTH_ERROR_INIT;
    snprintf(what, sizeof(what), "%s, %s", op->name, source_name(source));
    world_make(&w, op->empty, op->damaged);
    if (op->aged)
        world_age(&w);
    if (op->torn)
        world_tear(&w);
    w.later = op->later;
    started[0] = '\0';
    if (!op->closed)
        CHECK_OK(world_open(&w, &test_err));

    arm(source, n);
    int r = op->run(&w, &err);
    bool fired = disarm(source);

    if (!fired && r != BERTH_OK)
        fail_msg("%s: nothing failed, but it says %d %s", what, r, err.message);
    if (r != BERTH_OK && (err.code != r || !err.message[0]))
        fail_msg("%s, failing call %u: %d without a word", what, n, r);
    if (r == BERTH_E_NOT_FOUND)
        fail_msg("%s, failing call %u: taken for absent: %s", what, n, err.message);
    if (n % 2 == 0 || !w.f.r) /* the process ends here; else it goes on */
        restart(&w);
    else if (!op->in_part && op->done(&w) != (r == BERTH_OK))
        fail_msg("%s, failing call %u: it says %d %s", what, n, r, err.message);
    if (r == BERTH_OK && !op->done(&w))
        fail_msg("%s, failing call %u: acknowledged and not done", what, n);
    if (!op->damaged && !op->empty && !op->torn)
        world_check_kept(&w, what, n);
    w.again = true;
    r = op->run(&w, &err); /* once more, whatever it said */
    if (r != BERTH_OK || !op->done(&w))
        fail_msg("%s, failing call %u: repeated, it says %d %s", what, n, r, err.message);
    restart(&w);
    if (!op->done(&w) && !op->in_part)
        fail_msg("%s, failing call %u: lost by a restart", what, n);
    if (!op->empty)
        world_check_kept(&w, what, n);
    world_check_drains(&w, what, n);
    world_close(&w);
    world_remove(&w);
    return fired;
}

static void fail_each_call(unsigned source)
{
    const char *only = getenv("FAULT_ONLY"); /* a part of the name of the one that you are looking into */
    for (size_t i = 0; i < COUNT(operations); i++) {
        const struct operation *op = &operations[i];
        unsigned n = 1;
        if (only && !strstr(op->name, only))
            continue;
        if (op->costly && source != THE_COUNTER && source != VFS_IOERR)
            continue;
        while (run_failing(op, source, n))
            n += op->stride && n > 20 ? op->stride : 1;
        print_message("%s, %s: %u calls\n", op->name, source_name(source), n - 1);
        /* A new database is built in memory, and its file is no write of SQLite's. */
        if (n == 1 && !(op->empty && (source == VFS_SHORT || source == VFS_TORN)))
            fail_msg("%s: no call was ever counted", op->name);
    }
}

static void test_fault_operations__are_whole_or_undone_when_a_call_fails(void **state)
{
    (void)state;
    fail_each_call(THE_COUNTER);
}
static void test_fault_operations__are_whole_or_undone_when_the_database_meets_an_error(void **state)
{
    (void)state;
    fail_each_call(VFS_IOERR);
}
static void test_fault_operations__are_whole_or_undone_when_the_database_has_no_space(void **state)
{
    (void)state;
    fail_each_call(VFS_FULL);
}
static void test_fault_operations__are_whole_or_undone_when_the_disk_fills_within_a_write(void **state)
{
    (void)state;
    fail_each_call(VFS_SHORT);
}
static void test_fault_operations__are_whole_or_undone_when_a_write_is_torn(void **state)
{
    (void)state;
    fail_each_call(VFS_TORN);
}
static void test_fault_operations__are_whole_or_undone_when_the_disk_goes_away(void **state)
{
    (void)state;
    fail_each_call(VFS_BROKEN);
}

static int begin(void **state)
{
    (void)state;
    vfs_install();
    worlds_begin();
    world_make(&other, false, false);
    CHECK_OK(world_open(&other, &test_err));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close(&other);
    world_remove(&other);
    worlds_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fault_operations__are_whole_or_undone_when_a_call_fails),
        TEST(test_fault_operations__are_whole_or_undone_when_the_database_meets_an_error),
        TEST(test_fault_operations__are_whole_or_undone_when_the_database_has_no_space),
        TEST(test_fault_operations__are_whole_or_undone_when_the_disk_fills_within_a_write),
        TEST(test_fault_operations__are_whole_or_undone_when_a_write_is_torn),
        TEST(test_fault_operations__are_whole_or_undone_when_the_disk_goes_away),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
