/* metadata/sqlite.c - the SQLite driver of metadata/meta.h: opening and closing, a reading connection for
 * each thread, time and ids. The operations stand in the sqlite_*.c files beside it. */
#include "metadata/sqlite_private.h"

#include <errno.h>
#include <stdio.h>

#include "util/clock.h"
#include "util/fault.h"

#define HOUR_MS ((int64_t)3600 * 1000)

/* --- time and ids --- */

static int64_t boot_now(struct sqlite_meta *m)
{
    return clock_boot_ms() + m->shift_ms;
}

/* Every time that is stored comes through here, so no lease can be given by a clock that was moved without
 * that being noted. A lease lasts 2G at the most: when the clocks have agreed for so long, every lease that
 * is alive was given by the clock as it is now. */
int64_t sqlite_now(struct sqlite_meta *m)
{
    int64_t wall = clock_wall_ms() + m->shift_ms + m->jump_ms, boot = boot_now(m),
            moved = wall - boot - m->wall_minus_boot;
    if (moved <= -HOUR_MS || moved >= HOUR_MS) {
        m->paused_until = boot + 2 * m->times.grace_ms;
        m->wall_minus_boot = wall - boot;
    }
    return wall;
}

int64_t lease_due_before(struct sqlite_meta *m)
{
    return sqlite_now(m) + m->times.grace_ms;
}

int64_t sqlite_clock_pause(struct sqlite_meta *m)
{
    sqlite_now(m);
    return MAX(m->paused_until - boot_now(m), (int64_t)0);
}

void meta_sqlite_move_clock(meta *m, int64_t ms)
{
    sqlite_of(m)->jump_ms += ms;
}

void meta_sqlite_shift_clock(meta *m, int64_t ms)
{
    sqlite_of(m)->shift_ms += ms;
}

/* 43 bits of time and 20 that keep the ids of one millisecond apart. */
int64_t sqlite_new_id(struct sqlite_meta *m)
{
    int64_t id, last = m->last_id;
    do
        id = MAX(sqlite_now(m) << 20, last + 1);
    while (!atomic_compare_exchange_weak(&m->last_id, &last, id));
    return id;
}

static int now(meta *m, int64_t *ret, berth_error *err)
{
    (void)err;
    *ret = sqlite_now(sqlite_of(m));
    return BERTH_OK;
}

/* --- readers --- */

static void reader_unlink(struct db *db)
{
    *db->link = db->next;
    if (db->next)
        db->next->link = db->link;
}

/* A thread that read ends. */
static void reader_end(void *arg)
{
    struct db *db = arg;
    struct sqlite_meta *m = db->m;
    pthread_mutex_lock(&m->readers_lock);
    reader_unlink(db);
    pthread_mutex_unlock(&m->readers_lock);
    db_close(db);
    mem_free(db);
}

static int reader_open(struct sqlite_meta *m, struct db **ret, berth_error *err)
{
    CLEANUP(freep) struct db *db = fault_hit() ? NULL : mem_alloc(sizeof(*db));
    if (!db)
        return berth_error_set(err, BERTH_E_NOMEM, "opening the database for reading: no memory");
    int r = db_open(db, m, m->path, SQLITE_OPEN_READWRITE, NULL, err);
    if (r != BERTH_OK)
        return r;
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    r = db_exec(db, "PRAGMA query_only=ON; PRAGMA cache_size=-256; PRAGMA wal_autocheckpoint=0;", err);
    if (r == BERTH_OK && (fault_hit() || pthread_setspecific(m->reader_key, db) != 0))
        r = db_nomem(db, err);
    if (r != BERTH_OK) {
        db_close(db);
        return r;
    }
    pthread_mutex_lock(&m->readers_lock);
    db->next = m->readers;
    db->link = &m->readers;
    if (db->next)
        db->next->link = &db->next;
    m->readers = db;
    pthread_mutex_unlock(&m->readers_lock);
    *ret = steal(&db);
    return BERTH_OK;
}

int reader_get(struct sqlite_meta *m, const char *what, struct db **ret, berth_error *err)
{
    struct db *db = pthread_getspecific(m->reader_key);
    int r = db ? BERTH_OK : reader_open(m, &db, err);
    if (r != BERTH_OK)
        return r;
    db->what = what;
    *ret = db;
    return BERTH_OK;
}

struct secret_op {
    const char *name;
    void *ret;
    size_t n;
};

static int read_secret(struct db *db, void *arg, berth_error *err)
{
    const struct secret_op *op = arg;
    CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
    int r = db_start(db, &st, err, "SELECT value FROM secrets WHERE name=?1", "z", op->name);
    if (r == BERTH_OK)
        r = db_step(db, st, err);
    if (r < 0)
        return r;
    berth_str value = r ? db_text(st, 0) : STR_NULL;
    if (value.n != op->n)
        return berth_error_set(err, BERTH_E_CORRUPT, "the secret '%s' is missing from the database",
                               op->name);
    memcpy(op->ret, value.p, op->n);
    return BERTH_OK;
}

/* By the writer, though it writes nothing: it is asked for once, by a thread that reads nothing else, whose
 * own connection would parse the schema for it (1.1 of the 9.4 million instructions of a first start). */
static int secret(meta *base, const char *name, void *ret, size_t n, berth_error *err)
{
    struct secret_op op = {name, ret, n};
    return writer_run(sqlite_of(base), "reading a secret", read_secret, &op, err);
}

/* --- opening and closing --- */

static void stats(meta *base, struct meta_stats *ret)
{
    struct writer *w = &sqlite_of(base)->writer;
    *ret = (struct meta_stats){.transactions = w->transactions,
                               .operations = w->operations,
                               .failures = w->failures,
                               .queue = w->queue,
                               .commit_us = w->commit_us};
}

/* The folder of ":memory:" holds the database and what SQLite puts beside it. */
static void remove_temp(struct sqlite_meta *m)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        CLEANUP(freep) char *name = str_dupf("%s%s", m->path, suffixes[i]);
        if (name)
            unlink(name);
    }
    rmdir(m->temp_dir);
}

static void sqlite_free(meta *base)
{
    if (!base)
        return;
    struct sqlite_meta *m = sqlite_of(base);
    writer_stop(m);
    if (m->has_reader_key)
        pthread_key_delete(m->reader_key); /* from here on no thread's end closes anything */
    while (m->readers) {
        struct db *db = m->readers;
        reader_unlink(db);
        db_close(db);
        mem_free(db);
    }
    db_close(&m->writer.db); /* the last connection: copies the log back and removes it */
    log_gather_no_more(m);
    if (m->temp_dir && m->path)
        remove_temp(m);
    claims_free(m);
    pthread_mutex_destroy(&m->claims_lock);
    pthread_mutex_destroy(&m->readers_lock);
    pthread_mutex_destroy(&m->writer.lock);
    pthread_cond_destroy(&m->writer.wake);
    mem_free(m->path);
    mem_free(m->temp_dir);
    mem_free(m);
}

static const struct meta_ops ops = {
    .name = "sqlite",
    .local = true,
    .now = now,
    .secret = secret,
    .repo_exists = sqlite_repo_exists,
    .repo_number = sqlite_repo_number,
    .repo_list = sqlite_repo_list,
    .repo_delete = sqlite_repo_delete,
    .blob_get = sqlite_blob_get,
    .blob_lease = sqlite_blob_lease,
    .blob_mount = sqlite_blob_mount,
    .blob_put = sqlite_blob_put,
    .blob_delete = sqlite_blob_delete,
    .upload_begin = sqlite_upload_begin,
    .upload_get = sqlite_upload_get,
    .upload_claim = sqlite_upload_claim,
    .upload_release = sqlite_upload_release,
    .upload_record = sqlite_upload_record,
    .upload_commit = sqlite_upload_commit,
    .upload_cancel = sqlite_upload_cancel,
    .upload_result = sqlite_upload_result,
    .manifest_put = sqlite_manifest_put,
    .manifest_get = sqlite_manifest_get,
    .manifest_lease = sqlite_manifest_lease,
    .manifest_delete = sqlite_manifest_delete,
    .tag_delete = sqlite_tag_delete,
    .tag_list = sqlite_tag_list,
    .referrers = sqlite_referrers,
    .gc_step = sqlite_gc_step,
    .gc_plan = sqlite_gc_plan,
    .gc_objects = sqlite_gc_objects,
    .gc_objects_done = sqlite_gc_objects_done,
    .gc_object_failed = sqlite_gc_object_failed,
    .gc_requeue_untagged = sqlite_gc_requeue_untagged,
    .blobs_page = sqlite_blobs_page,
    .key_owner = sqlite_key_owner,
    .blob_rekey = sqlite_blob_rekey,
    .blob_forget = sqlite_blob_forget,
    .object_orphan = sqlite_object_orphan,
    .manifests_page = sqlite_manifests_page,
    .integrity = sqlite_integrity,
    .snapshot = sqlite_snapshot,
    .totals = sqlite_totals,
    .blob_repos = sqlite_blob_repos,
    .repos_page = sqlite_repos_page,
    .repo_page = sqlite_repo_page,
    .content_get = sqlite_content_get,
    .rebuild = sqlite_rebuild,
    .stats = stats,
    .free = sqlite_free,
};

static const struct meta_times default_times = {
    .grace_ms = 24 * HOUR_MS, .drain_ms = 2 * HOUR_MS, .result_ms = HOUR_MS / 6};

static void freep_meta(struct sqlite_meta **m)
{
    if (*m)
        sqlite_free(&(*m)->base);
}

static int set_path(struct sqlite_meta *m, const char *path, berth_error *err)
{
    if (strcmp(path, ":memory:") == 0) {
        char *dir = str_dup(STR(P_tmpdir "/berth-meta-XXXXXX"));
        if (!dir)
            return berth_error_set(err, BERTH_E_NOMEM, "opening the database: no memory");
        if (!mkdtemp(dir)) {
            int r = berth_error_set(err, BERTH_E_IO, "making '%s': %s", dir, strerror(errno));
            mem_free(dir);
            return r;
        }
        m->temp_dir = dir;
    }
    m->path = m->temp_dir ? str_dupf("%s/meta.db", m->temp_dir) : str_dup(str_from(path));
    if (!m->path) {
        if (m->temp_dir)
            rmdir(m->temp_dir);
        return berth_error_set(err, BERTH_E_NOMEM, "opening the database: no memory");
    }
    return BERTH_OK;
}

/* A session from before may have an object that no record told of: the process ended first. A damaged page
 * stops no start for that: what such a session leaves behind `berth check` finds. */
static int mark_sessions(struct sqlite_meta *m, berth_error *err)
{
    berth_error why = BERTH_ERROR_INIT;
    int r = db_exec(&m->writer.db, "UPDATE uploads SET stored=1 WHERE stored=0", &why);
    if (r != BERTH_OK && r != BERTH_E_CORRUPT && err)
        *err = why;
    return r == BERTH_E_CORRUPT ? BERTH_OK : r;
}

/* Ids grow also when the clock was set back while nobody ran. */
static int find_last_id(struct sqlite_meta *m, berth_error *err)
{
    berth_error why = BERTH_ERROR_INIT;
    int64_t last = 0;
    int r = db_int(&m->writer.db, &last, &why, "SELECT coalesce(max(id), 0) FROM manifests", "");
    atomic_store(&m->last_id, last);
    if (r < 0 && r != BERTH_E_CORRUPT && err)
        *err = why;
    return r == BERTH_E_CORRUPT ? BERTH_OK : MIN(r, BERTH_OK);
}

static void configure_once(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS,
                   0); /* a process-wide lock on each allocation, for figures nobody reads */
}

int meta_sqlite_open(const char *path, const struct meta_times *times, meta **ret_m, berth_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_once);

    CLEANUP(freep_meta) struct sqlite_meta *m = fault_hit() ? NULL : mem_zalloc(1, sizeof(*m));
    if (!m)
        return berth_error_set(err, BERTH_E_NOMEM, "opening the database: no memory");
    m->base.ops = &ops;
    m->times = times ? *times : default_times;
    m->wall_minus_boot = clock_wall_ms() - clock_boot_ms();
    pthread_mutex_init(&m->claims_lock, NULL);
    pthread_mutex_init(&m->readers_lock, NULL);
    pthread_mutex_init(&m->writer.lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->writer.wake, &monotonic);
    pthread_condattr_destroy(&monotonic);

    int r = set_path(m, path, err);
    if (r == BERTH_OK)
        r = db_create(m, err);
    if (r == BERTH_OK && !m->temp_dir) /* there nothing is synced */
        r = log_gather(m, err);
    if (r == BERTH_OK)
        r = db_open(&m->writer.db, m, m->path, SQLITE_OPEN_READWRITE, m->vfs.zName, err);
    if (r == BERTH_OK) /* the log is cut back to this size when it starts anew */
        r = db_exec(&m->writer.db,
                    "PRAGMA journal_mode=WAL; PRAGMA cache_size=-8192; PRAGMA journal_size_limit=33554432;",
                    err);
    if (r == BERTH_OK)
        r = db_exec(&m->writer.db, m->temp_dir ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL", err);
    if (r == BERTH_OK)
        r = db_migrate(&m->writer.db, m->path, meta_migrations, meta_migrations_n, err);
    if (r == BERTH_OK)
        r = mark_sessions(m, err);
    if (r == BERTH_OK)
        r = find_last_id(m, err);
    if (r != BERTH_OK)
        return r;

    if (fault_hit() || pthread_key_create(&m->reader_key, reader_end) != 0)
        return berth_error_set(err, BERTH_E_NOMEM, "opening the database: too many are open");
    m->has_reader_key = true;
    r = writer_start(m, err);
    if (r != BERTH_OK)
        return r;
    *ret_m = &steal(&m)->base;
    return BERTH_OK;
}
