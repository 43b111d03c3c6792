/* tests/unit/metadata/faults.c - the n-th thing fails: an allocation, a statement, a commit (util/fault.h),
 * or a write or sync of a file (a file system of SQLite's that stands before the real one). Whatever fails,
 * an operation happened whole and said so, or not at all; and the driver goes on afterwards. */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "metadata/sqlite_private.h"
#include "util/fault.h"

/* --- the file system that fails --- */

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    bool is_database;
};

static sqlite3_vfs shim;
static atomic_bool loses_pages; /* the next sync of a database fails, once: so Linux tells it */
static atomic_int countdown;    /* of writes and syncs until one fails; 0: none will */
static atomic_int failure;      /* SQLITE_FULL, SQLITE_IOERR_..., and it stays broken until countdown is 0 */

static int broken(void)
{
    int left = countdown;
    if (left == 0)
        return SQLITE_OK;
    if (left > 1) {
        countdown = left - 1;
        return SQLITE_OK;
    }
    return failure;
}

#define REAL(file) (((struct shim_file *)(file))->real)

static int x_close(sqlite3_file *file)
{
    return REAL(file)->pMethods->xClose(REAL(file));
}
static int x_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    return REAL(file)->pMethods->xRead(REAL(file), p, n, at);
}
static int x_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    int rc = broken();
    return rc ? rc : REAL(file)->pMethods->xWrite(REAL(file), p, n, at);
}
static int x_truncate(sqlite3_file *file, sqlite3_int64 n)
{
    int rc = broken();
    return rc ? rc : REAL(file)->pMethods->xTruncate(REAL(file), n);
}
static int x_sync(sqlite3_file *file, int flags)
{
    int rc = broken();
    if (((struct shim_file *)file)->is_database && atomic_exchange(&loses_pages, false))
        return SQLITE_IOERR_FSYNC;
    return rc ? rc : REAL(file)->pMethods->xSync(REAL(file), flags);
}
static int x_size(sqlite3_file *file, sqlite3_int64 *n)
{
    return REAL(file)->pMethods->xFileSize(REAL(file), n);
}
static int x_lock(sqlite3_file *file, int kind)
{
    return REAL(file)->pMethods->xLock(REAL(file), kind);
}
static int x_unlock(sqlite3_file *file, int kind)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), kind);
}
static int x_check(sqlite3_file *file, int *ret)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), ret);
}
static int x_control(sqlite3_file *file, int op, void *arg)
{
    return REAL(file)->pMethods->xFileControl(REAL(file), op, arg);
}
static int x_sector(sqlite3_file *file)
{
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}
static int x_device(sqlite3_file *file)
{
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}
static int x_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return REAL(file)->pMethods->xShmMap(REAL(file), page, size, extend, ret);
}
static int x_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    return REAL(file)->pMethods->xShmLock(REAL(file), at, n, flags);
}
static void x_shm_barrier(sqlite3_file *file)
{
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}
static int x_shm_unmap(sqlite3_file *file, int del)
{
    return REAL(file)->pMethods->xShmUnmap(REAL(file), del);
}

static const sqlite3_io_methods shim_methods = {
    2,          x_close,       x_read,      x_write,   x_truncate, x_sync,   x_size,
    x_lock,     x_unlock,      x_check,     x_control, x_sector,   x_device, x_shm_map,
    x_shm_lock, x_shm_barrier, x_shm_unmap, NULL,      NULL};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_vfs *real = vfs->pAppData;
    struct shim_file *s = (struct shim_file *)file;
    s->real = (sqlite3_file *)(s + 1);
    s->base.pMethods = NULL;
    s->is_database = flags & SQLITE_OPEN_MAIN_DB;
    int rc = real->xOpen(real, name, s->real, flags, out);
    if (rc == SQLITE_OK)
        s->base.pMethods = &shim_methods;
    return rc;
}

static void shim_install(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    if (real == &shim)
        return;
    shim = *real;
    shim.zName = "berth-shim";
    shim.pNext = NULL;
    shim.pAppData = real;
    shim.szOsFile += (int)sizeof(struct shim_file);
    shim.xOpen = shim_open;
    CHECK(sqlite3_vfs_register(&shim, 1) == SQLITE_OK);
}

/* --- operations that must be whole --- */

static const berth_digest *dg(const char *name)
{
    static berth_digest d[64];
    static atomic_uint next;
    berth_digest *at = &d[next++ % COUNT(d)];
    digest_of(HASH_SHA256, name, strlen(name), at);
    return at;
}

static int put_image(meta *m, const char *name, const char *layer, const char *tag, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct oci_list missing;
    berth_str tags = str_from(tag);
    struct meta_edge edges[] = {{digest_str(dg(layer)), false}, {digest_str(dg("foreign")), true}};
    struct meta_manifest_put put = {.repo = STR("app"),
                                    .create_repo = true,
                                    .digest = dg(name),
                                    .media_type = STR("t"),
                                    .subject = digest_str(dg("old")),
                                    .body = STR("{}"),
                                    .blobs = edges,
                                    .n_blobs = 2,
                                    .tags = &tags,
                                    .n_tags = 1};
    return m->ops->manifest_put(m, &put, &a, &missing, err);
}

static int do_put(meta *m, berth_error *err)
{
    return put_image(m, "new", "layer", "latest", err);
}
static int do_blob(meta *m, berth_error *err)
{
    return m->ops->blob_put(m, STR("app"), true, dg("foreign"), STR("xyz"), err);
}
static int do_mount(meta *m, berth_error *err)
{
    return m->ops->blob_mount(m, STR("fresh"), true, STR("app"), dg("layer"), NULL, NULL, err);
}
static int do_delete(meta *m, berth_error *err)
{
    return m->ops->manifest_delete(m, STR("app"), dg("old"), NULL, err);
}
static int do_commit(meta *m, berth_error *err)
{
    struct meta_upload u;
    int r = m->ops->upload_claim(m, STR("app"), STR("session"), NULL, &u, err);
    if (r != BERTH_OK)
        return r;
    struct meta_commit c = {
        .repo = STR("app"), .id = STR("session"), .epoch = u.epoch, .digest = dg("big"), .size = 9};
    r = m->ops->upload_commit(m, &c, err);
    m->ops->upload_release(m, c.id, c.epoch);
    return r;
}
static int do_collect(meta *m, berth_error *err)
{
    struct meta_gc_step step;
    int r;
    do
        r = m->ops->gc_step(m, 1000, &step, err);
    while (r == BERTH_OK && step.more);
    return r;
}

static bool tag_is(meta *m, const char *tag, const char *name)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct oci_stored got;
    return m->ops->manifest_get(m, STR("app"), str_from(tag), NULL, true, &a, &got, NULL) == BERTH_OK &&
           digest_eq(&got.digest, dg(name));
}
static bool blob_is(meta *m, const char *repo, const char *name)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct meta_blob b;
    return m->ops->blob_get(m, str_from(repo), dg(name), true, &a, &b, NULL) == BERTH_OK;
}
static bool did_put(meta *m)
{
    return tag_is(m, "latest", "new");
}
static bool did_blob(meta *m)
{
    return blob_is(m, "app", "foreign");
}
static bool did_mount(meta *m)
{
    return blob_is(m, "fresh", "layer");
}
static bool did_delete(meta *m)
{
    return !tag_is(m, "latest", "old");
}
static bool did_commit(meta *m)
{
    struct meta_upload u;
    bool gone = m->ops->upload_get(m, STR("app"), STR("session"), NULL, &u, NULL) == BERTH_E_NOT_FOUND;
    enum meta_key_owner owner;
    CHECK_OK(m->ops->key_owner(m, "0123", &owner, &test_err));
    CHECK(owner == (gone ? META_KEY_BLOB : META_KEY_UPLOAD)); /* in exactly one place */
    CHECK(gone == blob_is(m, "app", "big"));
    return gone;
}
static bool did_collect(meta *m)
{
    return !blob_is(m, "app", "loose");
}

static const struct {
    const char *name;
    int (*run)(meta *m, berth_error *err);
    bool (*done)(meta *m);
    bool later; /* when leases are over */
} operations[] = {
    {"manifest_put", do_put, did_put, false},        {"blob_put", do_blob, did_blob, false},
    {"blob_mount", do_mount, did_mount, false},      {"manifest_delete", do_delete, did_delete, false},
    {"upload_commit", do_commit, did_commit, false}, {"gc_step", do_collect, did_collect, true},
};

static meta *prepared(bool later)
{
    meta *m;
    int64_t now;
    CHECK_OK(meta_sqlite_open(":memory:", NULL, &m, &test_err));
    CHECK_OK(m->ops->now(m, &now, &test_err));
    CHECK_OK(m->ops->blob_put(m, STR("app"), true, dg("layer"), STR("abc"), &test_err));
    CHECK_OK(m->ops->blob_put(m, STR("app"), true, dg("loose"), STR("abc"), &test_err));
    CHECK_OK(put_image(m, "old", "layer", "latest", &test_err));
    struct meta_upload u = {.id = "session", .key = "0123", .expires_at = now + (int64_t)1000 * 3600 * 1000};
    CHECK_OK(m->ops->upload_begin(m, STR("app"), true, &u, &test_err));
    if (later)
        meta_sqlite_shift_clock(m, (int64_t)100 * 3600 * 1000);
    return m;
}

static void check_sound(meta *m)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct oci_list problems;
    CHECK_OK(m->ops->integrity(m, false, &a, &problems, &test_err));
    if (problems.n)
        fail_msg(STR_FMT, STR_ARG(problems.items[0]));
}

static void check_outcome(size_t i, unsigned n, meta *m, int r, const berth_error *err)
{
    bool done = operations[i].done(m);
    if (r == BERTH_OK ? !done : done)
        fail_msg("%s, failing the %u-th call: said %d, done %d", operations[i].name, n, r, done);
    if (r != BERTH_OK && (err->code != r || !err->message[0]))
        fail_msg("%s, failing the %u-th call: %d without a word", operations[i].name, n, r);
    check_sound(m);
    if (r != BERTH_OK) { /* and it goes on */
        CHECK_OK(operations[i].run(m, &test_err));
        CHECK(operations[i].done(m));
    }
}

static void test_metadata_faults__leave_each_operation_whole_or_undone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(operations); i++)
        for (unsigned n = 1;; n++) {
            berth_error err = BERTH_ERROR_INIT;
            meta *m = prepared(operations[i].later);
            fault_arm(n);
            int r = operations[i].run(m, &err);
            bool fired = fault_disarm();
            check_outcome(i, n, m, r, &err);
            m->ops->free(m);
            if (!fired) {
                CHECK_ROW(i, r == BERTH_OK && n > 5);
                break;
            }
        }
}

static void test_metadata_faults__of_the_disk_leave_each_operation_whole_or_undone(void **state)
{
    (void)state;
    static const struct {
        int rc, code;
    } kinds[] = {{SQLITE_FULL, BERTH_E_NO_SPACE}, {SQLITE_IOERR_WRITE, BERTH_E_IO}};
    shim_install();
    for (size_t k = 0; k < COUNT(kinds); k++)
        for (size_t i = 0; i < COUNT(operations); i++)
            for (int n = 1;; n++) {
                berth_error err = BERTH_ERROR_INIT;
                meta *m = prepared(operations[i].later);
                failure = kinds[k].rc;
                countdown = n;
                int r = operations[i].run(m, &err);
                bool met = countdown == 1;
                countdown = 0;
                if (r != BERTH_OK && r != kinds[k].code)
                    fail_msg("%s: %d %s", operations[i].name, r, err.message);
                check_outcome(i, (unsigned)n, m, r, &err);
                m->ops->free(m);
                if (!met)
                    break;
            }
}

static void test_metadata_faults__leave_nothing_behind_when_opening_fails(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        meta *m = NULL;
        fault_arm(n);
        int r = meta_sqlite_open(":memory:", NULL, &m, &test_err);
        bool fired = fault_disarm();
        if (r == BERTH_OK)
            m->ops->free(m);
        CHECK(fired || r == BERTH_OK);
        if (!fired)
            break;
    }
}

static void test_metadata_faults__when_opening_leave_the_database_that_is_there(void **state)
{
    (void)state;
    char dir[] = "/tmp/berth-faults-XXXXXX", path[64];
    CHECK(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/meta.db", dir);
    meta *m = NULL;
    CHECK_OK(meta_sqlite_open(path, NULL, &m, &test_err));
    CHECK_OK(m->ops->blob_put(m, STR("app"), true, dg("layer"), STR("abc"), &test_err));
    m->ops->free(m);
    for (unsigned n = 1;; n++) {
        fault_arm(n);
        int r = meta_sqlite_open(path, NULL, &m, &test_err);
        bool fired = fault_disarm();
        if (r != BERTH_OK)
            CHECK_OK(meta_sqlite_open(path, NULL, &m, &test_err));
        CHECK_ROW(n, blob_is(m, "app", "layer"));
        m->ops->free(m);
        if (!fired) {
            CHECK_ROW(n, r == BERTH_OK && n > 5);
            break;
        }
    }
    CHECK(unlink(path) == 0 && rmdir(dir) == 0);
}

/* --- a batch --- */

#define THREADS 16

struct pusher {
    meta *m;
    size_t i;
    int result;
};

static void *push(void *arg)
{
    struct pusher *p = arg;
    char name[32];
    berth_digest d;
    int n = snprintf(name, sizeof(name), "blob %zu", p->i);
    digest_of(HASH_SHA256, name, (size_t)n, &d);
    p->result = p->m->ops->blob_put(p->m, STR("app"), true, &d, digest_str(&d), NULL);
    return NULL;
}

struct gate {
    pthread_mutex_t lock;
    atomic_bool reached;
    meta *m;
};

static int hold(struct db *db, void *arg, berth_error *err)
{
    (void)db;
    (void)err;
    struct gate *g = arg;
    g->reached = true;
    pthread_mutex_lock(&g->lock); /* the writer waits here while the others queue up */
    pthread_mutex_unlock(&g->lock);
    return BERTH_OK;
}

static void *hold_the_writer(void *arg)
{
    struct gate *g = arg;
    writer_run(sqlite_of(g->m), "holding", hold, g, NULL);
    return NULL;
}

static uint64_t queued(meta *m)
{
    struct meta_stats s;
    m->ops->stats(m, &s);
    return s.queue;
}

/* One transaction of sixteen: the disk fails at its n-th write. None is acknowledged and then missing. */
static void test_metadata_faults__acknowledge_none_of_a_batch_that_was_lost(void **state)
{
    (void)state;
    shim_install();
    bool any_failed = false;
    for (int n = 1; n < 24; n++) {
        meta *m = prepared(false);
        struct gate gate = {PTHREAD_MUTEX_INITIALIZER, false, m};
        struct pusher pushers[THREADS];
        pthread_t threads[THREADS], held;
        pthread_mutex_lock(&gate.lock);
        assert_int_equal(pthread_create(&held, NULL, hold_the_writer, &gate), 0);
        while (!gate.reached)
            usleep(100);
        for (size_t i = 0; i < THREADS; i++) {
            pushers[i] = (struct pusher){m, i, 1};
            assert_int_equal(pthread_create(&threads[i], NULL, push, &pushers[i]), 0);
        }
        while (queued(m) != THREADS + 1)
            usleep(100);
        failure = SQLITE_IOERR_FSYNC;
        countdown = n;
        pthread_mutex_unlock(&gate.lock);
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        pthread_join(held, NULL);
        countdown = 0;
        for (size_t i = 0; i < THREADS; i++) {
            CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
            char name[32];
            struct meta_blob b;
            berth_digest d;
            int len = snprintf(name, sizeof(name), "blob %zu", i);
            digest_of(HASH_SHA256, name, (size_t)len, &d);
            bool there = m->ops->blob_get(m, STR("app"), &d, true, &a, &b, NULL) == BERTH_OK;
            CHECK_ROW(n, there == (pushers[i].result == BERTH_OK));
            any_failed = any_failed || !there;
        }
        check_sound(m);
        CHECK_OK(do_put(m, &test_err)); /* the disk is well again */
        m->ops->free(m);
    }
    CHECK(any_failed);
}

static berth_str large(size_t i, char *room, size_t size, berth_digest *ret_d)
{
    memset(room, 'x', size);
    snprintf(room, size, "%zu", i);
    digest_of(HASH_SHA256, room, size, ret_d);
    return (berth_str){room, size};
}

static void check_larges(meta *m, size_t n)
{
    char room[16 * KIB];
    for (size_t i = 0; i < n; i++) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        berth_digest d;
        struct meta_blob b;
        berth_str body = large(i, room, sizeof(room), &d);
        CHECK_ROW(i, m->ops->blob_get(m, STR("app"), &d, true, &a, &b, &test_err) == BERTH_OK &&
                         str_eq(b.body, body));
    }
}

/* What was copied back from the log may be lost, and the log alone has it: it stays, and who writes is told.
 * @ahead: the disk fails so many blobs after the beginning, so that the thread or the writer meets it. */
static void test_metadata_faults__keep_the_log_of_a_database_that_lost_pages(void **state)
{
    (void)state;
    shim_install();
    static const size_t ahead[] = {0, 500, 900, 1300};
    for (size_t k = 0; k < COUNT(ahead); k++) {
        char dir[] = "/tmp/berth-faults-XXXXXX", path[64], log[80], room[16 * KIB];
        CHECK(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/meta.db", dir);
        snprintf(log, sizeof(log), "%s-wal", path);
        meta *m = NULL;
        CHECK_OK(meta_sqlite_open(path, NULL, &m, &test_err));
        size_t n = 0;
        for (int r = BERTH_OK; r == BERTH_OK; n += r == BERTH_OK) {
            berth_digest d;
            assert_true(n < 20000);
            if (n == ahead[k])
                atomic_store(&loses_pages, true);
            berth_str body = large(n, room, sizeof(room), &d);
            r = m->ops->blob_put(m, STR("app"), true, &d, body, &test_err);
            CHECK_ROW(k, r == BERTH_OK || (r == BERTH_E_IO && strstr(test_err.message, "started again")));
        }
        CHECK_ROW(k, n > ahead[k] && !atomic_load(&loses_pages));
        CHECK_CODE(do_blob(m, &test_err), BERTH_E_IO); /* for good */
        check_larges(m, n);
        m->ops->free(m);
        CHECK_ROW(k, access(log, F_OK) == 0);
        CHECK_OK(meta_sqlite_open(path, NULL, &m, &test_err));
        check_larges(m, n);
        CHECK_OK(do_blob(m, &test_err));
        m->ops->free(m);
        CHECK_ROW(k, access(log, F_OK) < 0);
        unlink(path);
        CHECK(rmdir(dir) == 0);
    }
}

RUN_TESTS(TEST(test_metadata_faults__leave_each_operation_whole_or_undone),
          TEST(test_metadata_faults__of_the_disk_leave_each_operation_whole_or_undone),
          TEST(test_metadata_faults__leave_nothing_behind_when_opening_fails),
          TEST(test_metadata_faults__when_opening_leave_the_database_that_is_there),
          TEST(test_metadata_faults__acknowledge_none_of_a_batch_that_was_lost),
          TEST(test_metadata_faults__keep_the_log_of_a_database_that_lost_pages))
