/* tests/unit/metadata/sqlite_file.c - rows of a file that SQLite gives up: behind pages that can't be read,
 * without a schema, out of its log. */
#include "test.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "metadata/sqlite_file.h"

#define PAGE 512
#define ROWS 400

struct place {
    char dir[64], path[96];
};

static void sql(sqlite3 *db, const char *text)
{
    char *why = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", text, why);
}

/* t: a table with rowids, deep and with rows that run over their page; k: one without. */
static void make(struct place *p)
{
    sqlite3 *db = NULL;
    snprintf(p->dir, sizeof(p->dir), "/tmp/berth-file-XXXXXX");
    CHECK(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/x.db", p->dir);
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    sql(db, "PRAGMA page_size=512; CREATE TABLE t(n INTEGER, s TEXT, b BLOB, u TEXT);"
            "CREATE TABLE k(n INTEGER, s TEXT, u, PRIMARY KEY(n, s)) WITHOUT ROWID;"
            "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<400)"
            " INSERT INTO t SELECT i*i*1000003-500000, 'row ' || i, CASE i%10 WHEN 0 THEN zeroblob(2000) "
            "ELSE x'01' END,"
            " NULL FROM c;"
            "INSERT INTO k SELECT rowid, s, NULL FROM t");
    sqlite3_close(db);
}

static void unmake(struct place *p)
{
    unlink(p->path);
    rmdir(p->dir);
}

static uint32_t root_of(struct place *p, const char *name)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name=?1", -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    uint32_t root = (uint32_t)sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return root;
}

static void overwrite(struct place *p, uint32_t page, const void *bytes, size_t n)
{
    CLEANUP(closep) int fd = open(p->path, O_WRONLY | O_CLOEXEC);
    CHECK(pwrite(fd, bytes, n, (off_t)(page - 1) * PAGE) == (ssize_t)n);
}

static const struct file_shape t_shape = {"itbT", true}, k_shape = {"itT", false};

struct seen {
    size_t n, times[ROWS + 1];
};

static int see_t(void *arg, const struct file_row *row, berth_error *err)
{
    struct seen *s = arg;
    char want[32];
    (void)err;
    CHECK(row->rowid >= 1 && row->rowid <= ROWS && row->n == 4);
    snprintf(want, sizeof(want), "row %lld", (long long)row->rowid);
    CHECK_STR(row->v[1].s, str_from(want));
    assert_int_equal(row->v[0].i, row->rowid * row->rowid * 1000003 - 500000);
    assert_int_equal(row->v[2].s.n, row->rowid % 10 ? 1 : 2000);
    s->times[row->rowid]++;
    s->n++;
    return BERTH_OK;
}

static int see_k(void *arg, const struct file_row *row, berth_error *err)
{
    struct seen *s = arg;
    (void)err;
    CHECK(row->n == 3 && row->v[0].i >= 1 && row->v[0].i <= ROWS);
    s->times[row->v[0].i]++;
    s->n++;
    return BERTH_OK;
}

static void each_once(const struct seen *s)
{
    for (size_t i = 1; i <= ROWS; i++)
        CHECK(s->times[i] <= 1);
}

static void test_metadata_sqlite_file__every_row_of_a_sound_file_is_read(void **state)
{
    (void)state;
    struct place p;
    struct db_file f;
    struct seen t = {0}, k = {0};
    uint64_t bad = 0;
    make(&p);
    uint32_t t_root = root_of(&p, "t"), k_root = root_of(&p, "k");
    CHECK_OK(file_open(p.path, &f, &test_err));
    CHECK(f.sound && f.page_size == PAGE);
    CHECK_OK(file_walk(&f, t_root, &t_shape, see_t, &t, &bad, &test_err));
    CHECK_OK(file_walk(&f, k_root, &k_shape, see_k, &k, &bad, &test_err));
    CHECK(t.n == ROWS && k.n == ROWS && bad == 0);
    each_once(&t);
    each_once(&k);
    /* of another shape: none, and every row counts as bad */
    CHECK_OK(file_walk(&f, k_root, &(struct file_shape){"ttT", false}, see_k, &k, &bad, &test_err));
    CHECK(k.n == ROWS && bad == ROWS);
    file_done(&f);
    unmake(&p);
}

/* Each page in turn: the others' rows are read, each once, and nothing fails. */
static void damage_each(const void *bytes, size_t n)
{
    struct place p;
    struct stat st;
    char was[PAGE];
    make(&p);
    uint32_t t_root = root_of(&p, "t");
    CHECK(stat(p.path, &st) == 0);
    for (uint32_t page = 2; page <= (uint32_t)(st.st_size / PAGE); page++) {
        struct db_file f;
        struct seen t = {0};
        uint64_t bad = 0;
        CLEANUP(closep) int fd = open(p.path, O_RDONLY | O_CLOEXEC);
        CHECK(pread(fd, was, PAGE, (off_t)(page - 1) * PAGE) == PAGE);
        overwrite(&p, page, bytes, n);
        CHECK_OK(file_open(p.path, &f, &test_err));
        CHECK_OK(file_walk(&f, t_root, &t_shape, see_t, &t, &bad, &test_err));
        if (t.n < ROWS)
            CHECK_ROW(page, bad > 0);
        if (bad) {
            uint64_t other = 0;
            CHECK_OK(file_walk(&f, root_of(&p, "k"), &k_shape, NULL, NULL, &other, &test_err));
            CHECK_OK(file_mark_free(&f, &test_err));
            CHECK_OK(file_loose(&f, &t_shape, see_t, &t, &test_err));
        }
        CHECK_ROW(page, t.n >= ROWS - 40); /* a page holds about 20 */
        each_once(&t);
        file_done(&f);
        overwrite(&p, page, was, PAGE);
    }
    unmake(&p);
}

static void test_metadata_sqlite_file__a_page_of_zeros_costs_its_own_rows(void **state)
{
    (void)state;
    const char zeros[PAGE] = "";
    damage_each(zeros, PAGE);
}

static void test_metadata_sqlite_file__a_page_of_noise_costs_its_own_rows(void **state)
{
    (void)state;
    unsigned char noise[PAGE];
    for (unsigned seed = 1; seed <= 5; seed++) {
        uint32_t x = seed;
        for (size_t i = 0; i < PAGE; i++)
            noise[i] = (unsigned char)((x = x * 1103515245 + 12345) >> 16);
        damage_each(noise, PAGE);
        noise[0] = 5; /* claims to lead on */
        damage_each(noise, PAGE);
    }
}

static void test_metadata_sqlite_file__a_tree_that_leads_back_to_itself_ends(void **state)
{
    (void)state;
    struct place p;
    struct db_file f;
    struct seen t = {0};
    uint64_t bad = 0;
    make(&p);
    uint32_t root = root_of(&p, "t");
    unsigned char last[12] = {5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (unsigned char)root};
    overwrite(&p, root, last, sizeof(last));
    CHECK_OK(file_open(p.path, &f, &test_err));
    CHECK_OK(file_walk(&f, root, &t_shape, see_t, &t, &bad, &test_err));
    CHECK(t.n == 0 && bad == 1);
    file_done(&f);
    unmake(&p);
}

static void test_metadata_sqlite_file__a_root_is_found_without_the_schema(void **state)
{
    (void)state;
    struct place p;
    struct db_file f;
    struct seen t = {0}, k = {0};
    uint64_t bad = 0;
    uint32_t root = 0;
    const char zeros[PAGE] = "";
    make(&p);
    uint32_t t_root = root_of(&p, "t"), k_root = root_of(&p, "k");
    CHECK_OK(file_open(p.path, &f, &test_err));
    f.sound = false; /* as page 1 would have it, but for the size of pages, which is not the usual one */
    CHECK_OK(file_find_root(&f, &t_shape, &root, &test_err));
    assert_int_equal(root, t_root);
    CHECK_OK(file_find_root(&f, &k_shape, &root, &test_err));
    assert_int_equal(root, k_root);
    CHECK_OK(file_find_root(&f, &(struct file_shape){"bbbb", true}, &root, &test_err));
    assert_int_equal(root, 0);
    CHECK_OK(file_walk(&f, t_root, &t_shape, see_t, &t, &bad, &test_err));
    CHECK_OK(file_walk(&f, k_root, &k_shape, see_k, &k, &bad, &test_err));
    CHECK(t.n == ROWS && k.n == ROWS && bad == 0);
    file_done(&f);
    overwrite(&p, 1, zeros, PAGE);
    CHECK_OK(file_open(p.path, &f, &test_err));
    CHECK(!f.sound && f.page_size == 4096);
    file_done(&f);
    unmake(&p);
}

static void test_metadata_sqlite_file__deleted_rows_stay_deleted(void **state)
{
    (void)state;
    struct place p;
    struct db_file f;
    struct seen t = {0};
    uint64_t bad = 0;
    sqlite3 *db = NULL;
    const char zeros[PAGE] = "";
    make(&p);
    assert_int_equal(sqlite3_open(p.path, &db), SQLITE_OK);
    sql(db, "PRAGMA secure_delete=OFF; DELETE FROM t WHERE rowid>100");
    sqlite3_close(db);
    uint32_t root = root_of(&p, "t"), k_root = root_of(&p, "k");
    overwrite(&p, root, zeros, PAGE);
    CHECK_OK(file_open(p.path, &f, &test_err));
    CHECK_OK(file_walk(&f, root, &t_shape, see_t, &t, &bad, &test_err));
    CHECK_OK(file_walk(&f, k_root, &k_shape, NULL, NULL, &bad, &test_err));
    CHECK_OK(file_mark_free(&f, &test_err));
    CHECK_OK(file_loose(&f, &t_shape, see_t, &t, &test_err));
    CHECK(t.n >= 90 && t.n <= 100);
    for (size_t i = 101; i <= ROWS; i++)
        CHECK_ROW(i, t.times[i] == 0);
    file_done(&f);
    unmake(&p);
}

/* --- the log --- */

static void copy(const char *from, const char *to)
{
    char piece[4096];
    CLEANUP(closep) int in = open(from, O_RDONLY | O_CLOEXEC);
    CLEANUP(closep) int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, piece, sizeof(piece))) > 0;)
        CHECK(write(out, piece, (size_t)n) == n);
}

/* A database whose last rows are in its log alone: "old" committed, "new" too unless @cut bytes are missing.
 */
static void make_log(struct place *p, off_t cut)
{
    sqlite3 *db = NULL;
    char live[128], log[128], log_copy[128];
    struct stat st;
    make(p);
    snprintf(live, sizeof(live), "%s/live.db", p->dir);
    snprintf(log, sizeof(log), "%s/live.db-wal", p->dir);
    snprintf(log_copy, sizeof(log_copy), "%s-wal", p->path);
    copy(p->path, live);
    assert_int_equal(sqlite3_open(live, &db), SQLITE_OK);
    sql(db, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; INSERT INTO k VALUES(1000, 'old', NULL)");
    copy(live, p->path);
    sql(db, "INSERT INTO k VALUES(1001, 'new', NULL)");
    copy(log, log_copy);
    sqlite3_close(db);
    unlink(live);
    CHECK(stat(log_copy, &st) == 0 && truncate(log_copy, st.st_size - cut) == 0);
}

static int count_rows(struct place *p, const char *where)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    char text[128];
    snprintf(text, sizeof(text), "SELECT count(*) FROM k WHERE %s", where);
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int n = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static void test_metadata_sqlite_file__what_the_log_has_committed_is_folded_in(void **state)
{
    (void)state;
    struct place p;
    char log[128];
    for (off_t cut = 0; cut <= 1; cut++) {
        make_log(&p, cut);
        snprintf(log, sizeof(log), "%s-wal", p.path);
        CHECK_OK(file_fold_log(p.path, &test_err));
        CHECK(access(log, F_OK) < 0);
        assert_int_equal(count_rows(&p, "s='old'"), 1);
        assert_int_equal(count_rows(&p, "s='new'"), cut == 0);
        assert_int_equal(count_rows(&p, "s LIKE 'row%'"), ROWS);
        CHECK_OK(file_fold_log(p.path, &test_err)); /* none: fine */
        unlink(log);
        unmake(&p);
    }
}

static void test_metadata_sqlite_file__a_log_that_is_noise_changes_nothing(void **state)
{
    (void)state;
    struct place p;
    char log[128];
    make_log(&p, 0);
    snprintf(log, sizeof(log), "%s-wal", p.path);
    CLEANUP(closep) int fd = open(log, O_WRONLY | O_CLOEXEC);
    CHECK(pwrite(fd, "x", 1, 20) == 1); /* its salt: no sum agrees any more */
    CHECK_OK(file_fold_log(p.path, &test_err));
    assert_int_equal(count_rows(&p, "s IN ('old', 'new')"), 0);
    unmake(&p);
}

RUN_TESTS(TEST(test_metadata_sqlite_file__every_row_of_a_sound_file_is_read),
          TEST(test_metadata_sqlite_file__a_page_of_zeros_costs_its_own_rows),
          TEST(test_metadata_sqlite_file__a_page_of_noise_costs_its_own_rows),
          TEST(test_metadata_sqlite_file__a_tree_that_leads_back_to_itself_ends),
          TEST(test_metadata_sqlite_file__a_root_is_found_without_the_schema),
          TEST(test_metadata_sqlite_file__deleted_rows_stay_deleted),
          TEST(test_metadata_sqlite_file__what_the_log_has_committed_is_folded_in),
          TEST(test_metadata_sqlite_file__a_log_that_is_noise_changes_nothing))
