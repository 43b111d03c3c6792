/* tests/unit/metadata/sqlite_checkpoint.c - the log is copied back and begins anew while everybody writes; a
 * reader that stays makes it longer, and nothing else.
 */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "metadata/sqlite_private.h"

#define THREADS     4
#define BLOBS       700 /* of each thread: five pages each, in all more than three logs */
#define BLOB_BYTES  (16 * KIB)
#define FRAME_BYTES (4096 + 24)
#define MANY_FRAMES 16000 /* of sqlite_checkpoint.c */
#define LONG_FRAMES 4000

struct job {
    meta *m;
    size_t thread;
    atomic_long *longest;
};

static long size_of(const struct sqlite_meta *m, const char *suffix)
{
    char name[4096];
    struct stat st = {0};
    snprintf(name, sizeof(name), "%s%s", m->path, suffix);
    stat(name, &st);
    return (long)st.st_size;
}

static void blob_of(size_t thread, size_t i, char bytes[BLOB_BYTES], berth_digest *d)
{
    for (size_t k = 0; k < BLOB_BYTES; k++)
        bytes[k] = (char)(thread * 31 + i * 7 + k);
    snprintf(bytes, BLOB_BYTES, "%zu %zu", thread, i);
    digest_of(HASH_SHA256, bytes, BLOB_BYTES, d);
}

static void *write_many(void *arg)
{
    const struct job *job = arg;
    for (size_t i = 0; i < BLOBS; i++) {
        char bytes[BLOB_BYTES];
        berth_digest d;
        blob_of(job->thread, i, bytes, &d);
        if (job->m->ops->blob_put(job->m, STR("app"), true, &d, (berth_str){bytes, BLOB_BYTES}, NULL) !=
            BERTH_OK)
            return arg;
        long size = size_of(sqlite_of(job->m), "-wal");
        if (size > atomic_load(job->longest))
            atomic_store(job->longest, size);
        /* The thread that copies may have to wait for a processor. */
        while (size > 2L * LONG_FRAMES * FRAME_BYTES && atomic_load(&sqlite_of(job->m)->writer.copier.busy))
            usleep(100);
    }
    return NULL;
}

static long write_from_all(meta *m, size_t first)
{
    pthread_t threads[THREADS];
    struct job jobs[THREADS];
    atomic_long longest = 0;
    for (size_t i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){m, first + i, &longest};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &jobs[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        CHECK_ROW(i, !failed);
    }
    return longest;
}

static void check_all(meta *m, size_t first)
{
    for (size_t thread = first; thread < first + THREADS; thread++)
        for (size_t i = 0; i < BLOBS; i++) {
            CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
            char bytes[BLOB_BYTES];
            berth_digest d;
            struct meta_blob b;
            blob_of(thread, i, bytes, &d);
            CHECK_OK(m->ops->blob_get(m, STR("app"), &d, true, &a, &b, &test_err));
            CHECK_ROW(i, str_eq(b.body, (berth_str){bytes, BLOB_BYTES}));
        }
}

static void test_metadata_sqlite_checkpoint__log_begins_anew_while_all_write(void **state)
{
    (void)state;
    meta *m;
    CHECK_OK(meta_sqlite_open(":memory:", NULL, &m, &test_err));
    long longest = write_from_all(m, 0);
    CHECK(longest > 0 && longest < 3L * LONG_FRAMES * FRAME_BYTES);
    CHECK(size_of(sqlite_of(m), "") > (long)(THREADS * BLOBS * BLOB_BYTES / 2)); /* the rest is in the log */
    check_all(m, 0);
    m->ops->free(m);
}

static void test_metadata_sqlite_checkpoint__reader_that_stays_only_makes_the_log_longer(void **state)
{
    (void)state;
    meta *m;
    CHECK_OK(meta_sqlite_open(":memory:", NULL, &m, &test_err));
    write_from_all(m, 0);
    sqlite3 *reader;
    assert_int_equal(sqlite3_open_v2(sqlite_of(m)->path, &reader, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_db_config(reader, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM blobs", NULL, NULL, NULL), SQLITE_OK);
    long with_it = write_from_all(m, THREADS);
    CHECK(with_it > (long)(THREADS * BLOBS * BLOB_BYTES));
    assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(reader);
    write_from_all(m, 2 * THREADS);
    check_all(m, 0);
    check_all(m, THREADS);
    check_all(m, 2 * THREADS);
    CHECK(size_of(sqlite_of(m), "-wal") <= 2L * MANY_FRAMES * FRAME_BYTES);
    m->ops->free(m);
}

RUN_TESTS(TEST(test_metadata_sqlite_checkpoint__log_begins_anew_while_all_write),
          TEST(test_metadata_sqlite_checkpoint__reader_that_stays_only_makes_the_log_longer))
