/* tests/unit/metadata/schema.c - the SQLite driver's own promises: no operation scans a table, migrations go
 * forward after a copy and never back, the collector stops for a clock that jumped, nothing is left behind.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "metadata/sqlite_private.h"

/* --- query plans --- */

static void plan_of(struct db *db, const char *sql)
{
    if (strncmp(sql, "SELECT", 6) != 0 && strncmp(sql, "INSERT", 6) != 0 && strncmp(sql, "UPDATE", 6) != 0 &&
        strncmp(sql, "DELETE", 6) != 0)
        return;
    berth_buf text = BERTH_BUF_INIT(MIB);
    berth_buf_addf(&text, "EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db->handle, berth_buf_cstr(&text), -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(st, 3);
        /* what a subquery gave may be read through, and the aggregates of the plan */
        bool scan = strncmp(detail, "SCAN ", 5) == 0 && !strstr(detail, "CONSTANT ROW") &&
                    !strstr(detail, "(subquery") && !(detail[5] && !detail[6] && strchr("buo", detail[5]));
        bool sort = strstr(detail, "TEMP B-TREE FOR ORDER BY") != NULL;
        if (scan || sort)
            fail_msg("%s\n%s", detail, sql);
    }
    sqlite3_finalize(st);
    berth_buf_done(&text);
}

static size_t plans_of(struct db *db)
{
    size_t n = 0;
    for (sqlite3_stmt *st = NULL; (st = sqlite3_next_stmt(db->handle, st)); n++)
        plan_of(db, sqlite3_sql(st));
    return n;
}

static const berth_digest *dg(const char *name)
{
    static berth_digest d[64];
    static size_t next;
    berth_digest *at = &d[next++ % COUNT(d)];
    digest_of(HASH_SHA256, name, strlen(name), at);
    return at;
}

/* Calls everything, so that every statement of the driver is prepared; what they answer is the contract's
 * matter. */
static void call_everything(meta *m, berth_arena *a)
{
    const struct meta_ops *o = m->ops;
    berth_str app = STR("app"), tags[] = {STR("v1"), STR("v2")};
    struct oci_list l;
    struct meta_blob b;
    struct oci_stored mf;
    struct oci_referrers refs;
    struct meta_gc_plan plan;
    struct meta_gc_step step;
    struct meta_gc_object *due;
    struct meta_blob_row *rows;
    enum meta_key_owner owner;
    berth_digest d;
    size_t n;
    bool more;
    int64_t now;
    CLEANUP(berth_buf_done) berth_buf cursor = BERTH_BUF_INIT(KIB);
    CHECK_OK(o->now(m, &now, &test_err));
    CHECK_OK(o->blob_put(m, app, true, dg("a"), STR("a"), &test_err));
    CHECK_OK(o->blob_put(m, app, true, dg("b"), STR("b"), &test_err));
    CHECK_OK(o->blob_put(m, app, true, dg("c"), STR("c"), &test_err));
    CHECK_OK(o->blob_mount(m, STR("two"), true, STR(""), dg("a"), NULL, NULL, &test_err));
    struct meta_edge blobs[] = {{digest_str(dg("a")), false}, {digest_str(dg("absent")), true}};
    struct meta_edge children[] = {{digest_str(dg("child")), true}};
    struct meta_manifest_put put = {.repo = app,
                                    .create_repo = true,
                                    .digest = dg("m"),
                                    .media_type = STR("t"),
                                    .subject = digest_str(dg("s")),
                                    .body = STR("{}"),
                                    .blobs = blobs,
                                    .n_blobs = 2,
                                    .children = children,
                                    .n_children = 1,
                                    .tags = tags,
                                    .n_tags = 2};
    CHECK_OK(o->manifest_put(m, &put, a, &l, &test_err));
    put.digest = dg("child");
    put.n_children = 0;
    put.n_tags = 1;
    tags[0] = STR("v3");
    CHECK_OK(o->manifest_put(m, &put, a, &l, &test_err));
    CHECK_OK(o->blob_put(m, app, true, dg("absent"), STR("x"), &test_err));
    CHECK_CODE(o->blob_delete(m, app, dg("a"), a, &l, &test_err), BERTH_E_CONFLICT);
    CHECK_OK(o->blob_delete(m, app, dg("b"), a, &l, &test_err));
    struct meta_upload u[] = {{.id = "1", .key = "k1", .expires_at = now + 1000},
                              {.id = "2", .key = "k2", .expires_at = now + 1000},
                              {.id = "3", .key = "k3", .expires_at = now + 1000},
                              {.id = "4", .key = "k4", .expires_at = now + 1000}};
    for (size_t i = 0; i < COUNT(u); i++)
        CHECK_OK(o->upload_begin(m, i == 3 ? STR("two") : app, true, &u[i], &test_err));
    CHECK_OK(o->upload_claim(m, app, STR("1"), NULL, &u[0], &test_err));
    CHECK_OK(o->upload_record(m, &u[0], false, &test_err));
    CHECK_OK(o->upload_claim(m, app, STR("1"), NULL, &u[0], &test_err));
    struct meta_commit c = {.repo = app, .id = STR("1"), .epoch = u[0].epoch, .digest = dg("a"), .size = 1};
    CHECK_OK(o->upload_commit(m, &c, &test_err));
    CHECK_OK(o->upload_result(m, app, STR("1"), &d, &test_err));
    CHECK_OK(o->upload_cancel(m, app, STR("2"), 0, &test_err));
    CHECK_OK(o->repo_exists(m, app, &test_err));
    CHECK_OK(o->repo_list(m, STR(""), 10, a, &l, &test_err));
    CHECK_OK(o->blob_get(m, app, dg("a"), true, a, &b, &test_err));
    CHECK_OK(o->blob_get(m, app, dg("a"), false, a, &b, &test_err));
    for (int body = 0; body < 2; body++) {
        CHECK_OK(o->manifest_get(m, app, STR("v1"), NULL, body, a, &mf, &test_err));
        CHECK_OK(o->manifest_get(m, app, STR_NULL, dg("m"), body, a, &mf, &test_err));
    }
    CHECK_OK(o->tag_list(m, app, STR("a"), 10, a, &l, &test_err));
    for (int filter = 0; filter < 2; filter++)
        for (int after = 0; after < 2; after++)
            CHECK_OK(o->referrers(m, app, digest_str(dg("s")), filter ? STR("x") : STR(""), STR(""),
                                  after ? STR("y") : STR(""), 10, 100, a, &refs, &test_err));
    meta_sqlite_shift_clock(m, (int64_t)30 * 3600 * 1000);
    CHECK_OK(o->blob_lease(m, app, dg("c"), &test_err));
    CHECK_OK(o->gc_step(m, 1000, &step, &test_err));
    CHECK_OK(o->tag_delete(m, app, STR("v1"), NULL, &test_err));
    CHECK_OK(o->manifest_lease(m, app, dg("m"), &test_err));
    CHECK_OK(o->manifest_delete(m, app, dg("child"), NULL, &test_err));
    CHECK_OK(o->gc_requeue_untagged(m, 10, &cursor, &more, &test_err));
    meta_sqlite_shift_clock(m, (int64_t)100 * 3600 * 1000);
    CHECK_OK(o->gc_step(m, 1000, &step, &test_err));
    CHECK_OK(o->gc_plan(m, &plan, &test_err));
    CHECK_OK(o->gc_objects(m, 10, a, &due, &n, &test_err));
    CHECK(n > 0);
    CHECK_OK(o->gc_object_failed(m, due[0].key, &test_err));
    CHECK_OK(o->gc_objects_done(m, &(const char *){due[0].key}, 1, &test_err));
    CHECK_OK(o->object_orphan(m, "o1", 5, &test_err));
    CHECK_OK(o->key_owner(m, "o1", &owner, &test_err));
    CHECK_OK(o->blobs_page(m, STR(""), 10, a, &rows, &n, &test_err));
    CHECK(n > 0);
    CHECK_OK(o->blob_rekey(m, rows[0].digest.p, "o2", &test_err));
    CHECK_OK(o->blob_rekey(m, rows[0].digest.p, "o3", &test_err));
    CHECK_OK(o->blob_forget(m, rows[0].digest.p, &test_err));
    berth_buf_reset(&cursor);
    struct oci_list repos, digests, bodies;
    CHECK_OK(o->manifests_page(m, 10, &cursor, a, &repos, &digests, &bodies, &test_err));
    CHECK_OK(o->repo_delete(m, app, &test_err));
    CHECK_OK(o->gc_step(m, 1000, &step, &test_err));
    assert_int_equal(step.repositories, 1);
}

static void test_metadata_schema__gives_every_operation_an_index(void **state)
{
    (void)state;
    meta *m;
    struct db *reader;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct meta_times times = {
        .grace_ms = 3600 * 1000, .drain_ms = 1000, .result_ms = 1000, .untagged_ms = 1000};
    CHECK_OK(meta_sqlite_open(":memory:", &times, &m, &test_err));
    call_everything(m, &a);
    CHECK_OK(reader_get(sqlite_of(m), "testing", &reader, &test_err));
    size_t written = plans_of(&sqlite_of(m)->writer.db), read = plans_of(reader);
    CHECK(written > 60 && read > 12); /* the driver's statements were there to be looked at */
    m->ops->free(m);
}

/* --- files --- */

struct folder {
    char dir[64], db[96];
};

static void folder_make(struct folder *f)
{
    snprintf(f->dir, sizeof(f->dir), "/tmp/berth-schema-XXXXXX");
    CHECK(mkdtemp(f->dir));
    snprintf(f->db, sizeof(f->db), "%s/meta.db", f->dir);
}

static size_t folder_count(const struct folder *f)
{
    size_t n = 0;
    DIR *d = opendir(f->dir);
    CHECK(d);
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void folder_remove(const struct folder *f)
{
    DIR *d = opendir(f->dir);
    CHECK(d);
    for (const struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            CHECK(unlinkat(dirfd(d), e->d_name, 0) == 0);
    closedir(d);
    rmdir(f->dir);
}

static void test_metadata_schema__is_made_once_and_leaves_one_private_file(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    for (int i = 0; i < 3; i++) {
        meta *m;
        CHECK_OK(meta_sqlite_open(f.db, NULL, &m, &test_err));
        CHECK_OK(m->ops->blob_put(m, STR("app"), true, dg("a"), STR("a"), &test_err));
        m->ops->free(m);
        assert_int_equal(folder_count(&f), 1); /* neither log nor backup */
    }
    struct stat st;
    CHECK(stat(f.db, &st) == 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    folder_remove(&f);
}

static void test_metadata_schema__refuses_what_it_does_not_know(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        int code;
    } rows[] = {
        {"CREATE TABLE t(x)", BERTH_E_INVALID},
        {"CREATE TABLE schema_version(version INTEGER, applied_at INTEGER); INSERT INTO schema_version "
         "VALUES(99, 0)",
         BERTH_E_UNSUPPORTED},
        {NULL, BERTH_E_CORRUPT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct folder f;
        folder_make(&f);
        if (rows[i].sql) {
            sqlite3 *h;
            CHECK(sqlite3_open(f.db, &h) == SQLITE_OK);
            CHECK(sqlite3_exec(h, rows[i].sql, NULL, NULL, NULL) == SQLITE_OK);
            sqlite3_close(h);
        } else {
            int fd = open(f.db, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            char junk[8192];
            memset(junk, 'j', sizeof(junk));
            CHECK(write(fd, junk, sizeof(junk)) == sizeof(junk));
            close(fd);
        }
        meta *m;
        int r = meta_sqlite_open(f.db, NULL, &m, &test_err);
        CHECK_ROW(i, r == rows[i].code);
        folder_remove(&f);
    }
}

/* Everything that SQLite knows of the schema, and where each table and index begins. */
static void text_of_schema(const char *path, berth_buf *text)
{
    struct sqlite_meta none = {0};
    struct db db;
    sqlite3_stmt *st = NULL;
    CHECK_OK(db_open(&db, &none, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL, &test_err));
    CHECK_OK(db_migrate(&db, path, meta_migrations, meta_migrations_n, &test_err));
    assert_int_equal(
        sqlite3_prepare_v2(db.handle,
                           "SELECT type, name, tbl_name, rootpage, sql, version FROM sqlite_schema, "
                           "schema_version ORDER BY rootpage",
                           -1, &st, NULL),
        SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(st); i++)
            berth_buf_addf(text, "%s\n", (const char *)sqlite3_column_text(st, i));
    sqlite3_finalize(st);
    db_close(&db);
}

/* What the build made, and what SQLite makes here. */
static void test_metadata_schema__is_the_same_in_a_new_database_and_from_its_migrations(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    meta *m;
    CLEANUP(berth_buf_done) berth_buf embedded = BERTH_BUF_INIT(MIB);
    CLEANUP(berth_buf_done) berth_buf migrated = BERTH_BUF_INIT(MIB);
    CHECK_OK(meta_sqlite_open(f.db, NULL, &m, &test_err));
    m->ops->free(m);
    text_of_schema(f.db, &embedded);
    text_of_schema(":memory:", &migrated);
    CHECK(embedded.n > 1000);
    assert_string_equal(berth_buf_cstr(&embedded), berth_buf_cstr(&migrated));
    folder_remove(&f);
}

/* The image of a new database is the same for all; what the names of sessions are signed with must not be. */
static void test_metadata_schema__gives_every_database_a_secret_of_its_own(void **state)
{
    (void)state;
    unsigned char secrets[2][META_SECRET_SIZE];
    for (size_t i = 0; i < COUNT(secrets); i++) {
        struct folder f;
        folder_make(&f);
        meta *m;
        CHECK_OK(meta_sqlite_open(f.db, NULL, &m, &test_err));
        CHECK_OK(m->ops->secret(m, "sessions", secrets[i], sizeof(secrets[i]), &test_err));
        m->ops->free(m);
        folder_remove(&f);
    }
    CHECK(memcmp(secrets[0], secrets[1], sizeof(secrets[0])) != 0);
    for (size_t i = 0; i < COUNT(secrets); i++) { /* random bytes do not stand in a row */
        size_t steps = 0;
        for (size_t n = 1; n < sizeof(secrets[i]); n++)
            steps += secrets[i][n] == (unsigned char)(secrets[i][n - 1] + 1) || secrets[i][n] == 0;
        CHECK(steps < 8);
    }
}

/* As a later version would: one more migration over a database of this one. */
static void test_metadata_schema__goes_forward_after_a_copy_was_put_aside(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    meta *m;
    CHECK_OK(meta_sqlite_open(f.db, NULL, &m, &test_err));
    CHECK_OK(m->ops->blob_put(m, STR("app"), true, dg("a"), STR("a"), &test_err));
    m->ops->free(m);

    struct sqlite_meta none = {0};
    struct db db;
    int last = meta_migrations[meta_migrations_n - 1].version;
    struct migration bad[] = {meta_migrations[0], {last + 1, "CREATE TABLE extra(x); CREATE TABLE extra(x)"}};
    struct migration good[] = {meta_migrations[0], {last + 1, "CREATE TABLE extra(x)"}};
    CHECK_OK(db_open(&db, &none, f.db, SQLITE_OPEN_READWRITE, NULL, &test_err));
    CHECK(db_migrate(&db, f.db, bad, 2, &test_err) != BERTH_OK);
    int64_t n;
    CHECK(db_int(&db, &n, &test_err, "SELECT count(*) FROM sqlite_schema WHERE name='extra'", "") == 1);
    assert_int_equal(n, 0); /* whole or not at all */
    CHECK_OK(db_migrate(&db, f.db, good, 2, &test_err));
    CHECK(db_int(&db, &n, &test_err, "SELECT max(version) FROM schema_version", "") == 1);
    assert_int_equal(n, last + 1);
    db_close(&db);

    CHECK_CODE(meta_sqlite_open(f.db, NULL, &m, &test_err), BERTH_E_UNSUPPORTED); /* never back ... */
    char copy[128];
    struct meta_blob b;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    snprintf(copy, sizeof(copy), "%s.v%d.bak", f.db, last);
    CHECK_OK(meta_sqlite_open(copy, NULL, &m, &test_err)); /* ... but by the copy */
    CHECK_OK(m->ops->blob_get(m, STR("app"), dg("a"), true, &a, &b, &test_err));
    CHECK_STR(b.body, STR("a"));
    m->ops->free(m);
    folder_remove(&f);
}

static void test_metadata_schema__counts_a_session_of_before_as_one_with_an_object(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    meta *m;
    int64_t now;
    CHECK_OK(meta_sqlite_open(f.db, NULL, &m, &test_err));
    CHECK_OK(m->ops->now(m, &now, &test_err));
    struct meta_upload u = {.id = "u", .key = "k", .expires_at = now + 3600000};
    CHECK_OK(m->ops->upload_begin(m, STR("app"), true, &u, &test_err));
    CHECK_OK(m->ops->upload_claim(m, STR("app"), STR("u"), NULL, &u, &test_err));
    CHECK(!u.stored);
    m->ops->free(m);
    CHECK_OK(meta_sqlite_open(f.db, NULL, &m, &test_err));
    CHECK_OK(m->ops->upload_claim(m, STR("app"), STR("u"), NULL, &u,
                                  &test_err)); /* the claim went with its process */
    CHECK(u.stored);
    m->ops->free(m);
    folder_remove(&f);
}

/* A thread that reads for the first time finds that the file is none of SQLite's any more. */
static void *check_damaged(void *arg)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct oci_list problems = {0};
    meta *m = arg;
    CHECK_OK(m->ops->integrity(m, false, &a, &problems, &test_err));
    return problems.n == 1 ? m : NULL;
}

static void test_metadata_schema__says_so_when_the_database_is_beyond_reading(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    meta *m;
    CHECK_OK(meta_sqlite_open(f.db, NULL, &m, &test_err));
    m->ops->free(m);
    CHECK_OK(meta_sqlite_open(f.db, NULL, &m, &test_err));
    int fd = open(f.db, O_WRONLY | O_CLOEXEC);
    CHECK(pwrite(fd, "this was a database", 19, 0) == 19);
    close(fd);
    pthread_t t;
    void *r = NULL;
    assert_int_equal(pthread_create(&t, NULL, check_damaged, m), 0);
    pthread_join(t, &r);
    CHECK(r != NULL);
    m->ops->free(m);
    folder_remove(&f);
}

/* --- clock, ids --- */

#define GRACE_MS ((int64_t)24 * 3600 * 1000)

static int collect_all(meta *m, uint64_t *ret_links)
{
    struct meta_gc_step step = {.more = true};
    *ret_links = 0;
    int r = BERTH_OK;
    while (r == BERTH_OK && step.more) {
        r = m->ops->gc_step(m, 100, &step, &test_err);
        *ret_links += step.links;
    }
    return r;
}

static void test_metadata_schema__collects_nothing_while_the_clock_is_in_doubt(void **state)
{
    (void)state;
    static const struct {
        int64_t minutes; /* somebody moves the clock by this */
        int code;
    } rows[] = {{0, BERTH_OK},       {59, BERTH_OK},       {2, BERTH_E_BUSY},
                {-61, BERTH_E_BUSY}, {-500, BERTH_E_BUSY}, {100000, BERTH_E_BUSY}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        meta *m;
        uint64_t links;
        CHECK_OK(meta_sqlite_open(":memory:", NULL, &m, &test_err));
        for (size_t k = 0; k <= i; k++) {
            int64_t now;
            meta_sqlite_move_clock(m, rows[k].minutes * 60000);
            CHECK_OK(m->ops->now(m, &now, &test_err)); /* each time somebody looks */
        }
        CHECK_CODE(collect_all(m, &links), rows[i].code);
        meta_sqlite_shift_clock(m, 2 * GRACE_MS - 60000);
        CHECK_CODE(collect_all(m, &links), rows[i].code);
        meta_sqlite_shift_clock(m, 120000); /* what was promised by the old clock is over */
        CHECK_OK(collect_all(m, &links));
        m->ops->free(m);
    }
}

/* The clock stands wrong for a while, forward or back, and is set right before the collector looks. */
static void test_metadata_schema__keeps_promises_that_a_wrong_clock_gave(void **state)
{
    (void)state;
    static const int64_t days[] = {30, -30};
    for (size_t i = 0; i < COUNT(days); i++) {
        meta *m;
        uint64_t links;
        berth_digest before, meanwhile;
        digest_of(HASH_SHA256, "before", 6, &before);
        digest_of(HASH_SHA256, "meanwhile", 9, &meanwhile);
        CHECK_OK(meta_sqlite_open(":memory:", NULL, &m, &test_err));
        CHECK_OK(m->ops->blob_put(m, STR("app"), true, &before, STR("before"), &test_err));
        meta_sqlite_move_clock(m, days[i] * GRACE_MS);
        CHECK_OK(m->ops->blob_put(m, STR("app"), true, &meanwhile, STR("meanwhile"), &test_err));
        meta_sqlite_shift_clock(m, 60000);
        meta_sqlite_move_clock(m, -days[i] * GRACE_MS);
        CHECK_CODE(collect_all(m, &links), BERTH_E_BUSY);
        meta_sqlite_shift_clock(m, GRACE_MS); /* the promise holds to here and longer */
        CHECK_CODE(collect_all(m, &links), BERTH_E_BUSY);
        assert_int_equal(links, 0);
        meta_sqlite_shift_clock(m, GRACE_MS + 60000);
        CHECK_OK(collect_all(m, &links));
        assert_int_equal(links, days[i] > 0 ? 1 : 2); /* what a fast clock promised lasts longer */
        m->ops->free(m);
    }
}

static void test_metadata_schema__makes_ids_that_only_grow(void **state)
{
    (void)state;
    meta *m;
    CHECK_OK(meta_sqlite_open(":memory:", NULL, &m, &test_err));
    int64_t last = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t id = sqlite_new_id(sqlite_of(m));
        CHECK(id > last);
        last = id;
        if (i == 5000)
            meta_sqlite_shift_clock(m, -3600000);
    }
    m->ops->free(m);
}

static void *read_once(void *arg)
{
    meta *m = arg;
    return (void *)(intptr_t)m->ops->repo_exists(m, STR("app"), NULL);
}

static void test_metadata_schema__closes_the_connection_of_a_thread_that_ends(void **state)
{
    (void)state;
    meta *m;
    CHECK_OK(meta_sqlite_open(":memory:", NULL, &m, &test_err));
    for (int i = 0; i < 20; i++) {
        pthread_t t;
        void *r;
        assert_int_equal(pthread_create(&t, NULL, read_once, m), 0);
        pthread_join(t, &r);
        CHECK((intptr_t)r == BERTH_E_NOT_FOUND);
        CHECK(sqlite_of(m)->readers == NULL);
    }
    m->ops->free(m);
}

RUN_TESTS(TEST(test_metadata_schema__gives_every_operation_an_index),
          TEST(test_metadata_schema__is_made_once_and_leaves_one_private_file),
          TEST(test_metadata_schema__refuses_what_it_does_not_know),
          TEST(test_metadata_schema__goes_forward_after_a_copy_was_put_aside),
          TEST(test_metadata_schema__gives_every_database_a_secret_of_its_own),
          TEST(test_metadata_schema__is_the_same_in_a_new_database_and_from_its_migrations),
          TEST(test_metadata_schema__counts_a_session_of_before_as_one_with_an_object),
          TEST(test_metadata_schema__says_so_when_the_database_is_beyond_reading),
          TEST(test_metadata_schema__collects_nothing_while_the_clock_is_in_doubt),
          TEST(test_metadata_schema__keeps_promises_that_a_wrong_clock_gave),
          TEST(test_metadata_schema__makes_ids_that_only_grow),
          TEST(test_metadata_schema__closes_the_connection_of_a_thread_that_ends))
