/* tests/unit/metadata/crash.c - what was acknowledged survives: a child writes with many threads and reports
 * each acknowledgement through a pipe, is killed without warning, and the database is opened again. */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "metadata/meta.h"

#define THREADS 8
#define ROUNDS  6

struct job {
    meta *m;
    int fd;
    size_t thread, round;
};

static void name_digest(berth_digest *d, size_t round, size_t thread, size_t i)
{
    char name[64];
    int n = snprintf(name, sizeof(name), "%zu %zu %zu", round, thread, i);
    digest_of(HASH_SHA256, name, (size_t)n, d);
}

/* A blob in the database and a tagged manifest that refers to it; then its number goes out. */
static void *write_for_ever(void *arg)
{
    const struct job *job = arg;
    for (size_t i = 0;; i++) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        berth_digest d;
        struct oci_list missing;
        char tag[32];
        name_digest(&d, job->round, job->thread, i);
        int n = snprintf(tag, sizeof(tag), "r%zu-t%zu-%zu", job->round, job->thread, i);
        berth_str tags = {tag, (size_t)n};
        struct meta_edge edge = {digest_str(&d), false};
        struct meta_manifest_put put = {.repo = STR("app"),
                                        .create_repo = true,
                                        .digest = &d,
                                        .media_type = STR("t"),
                                        .body = STR("{}"),
                                        .blobs = &edge,
                                        .n_blobs = 1,
                                        .tags = &tags,
                                        .n_tags = 1};
        if (job->m->ops->blob_put(job->m, STR("app"), true, &d, digest_str(&d), NULL) != BERTH_OK ||
            job->m->ops->manifest_put(job->m, &put, &a, &missing, NULL) != BERTH_OK)
            _exit(2);
        size_t told[2] = {job->thread, i};
        if (write(job->fd, told, sizeof(told)) != sizeof(told))
            _exit(3);
    }
    return NULL;
}

static _Noreturn void child(const char *path, int fd, size_t round)
{
    struct job jobs[THREADS];
    pthread_t thread;
    meta *m;
    if (meta_sqlite_open(path, NULL, &m, NULL) != BERTH_OK)
        _exit(1);
    for (size_t i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){m, fd, i, round};
        if (pthread_create(&thread, NULL, write_for_ever, &jobs[i]) != 0)
            _exit(4);
    }
    for (;;)
        pause();
}

static void check_round(meta *m, size_t round, const size_t *acknowledged)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    for (size_t t = 0; t < THREADS; t++)
        for (size_t i = 0; i < acknowledged[t]; i++) {
            berth_digest d;
            struct oci_stored got;
            struct meta_blob b;
            char tag[32];
            name_digest(&d, round, t, i);
            int n = snprintf(tag, sizeof(tag), "r%zu-t%zu-%zu", round, t, i);
            CHECK_OK(m->ops->manifest_get(m, STR("app"), (berth_str){tag, (size_t)n}, NULL, true, &a, &got,
                                          &test_err));
            CHECK(digest_eq(&got.digest, &d));
            CHECK_OK(m->ops->blob_get(m, STR("app"), &d, true, &a, &b, &test_err));
            CHECK_STR(b.body, digest_str(&d));
        }
    struct oci_list problems;
    CHECK_OK(m->ops->integrity(m, false, &a, &problems, &test_err));
    if (problems.n)
        fail_msg(STR_FMT, STR_ARG(problems.items[0]));
}

static void test_metadata_crash__loses_nothing_that_was_acknowledged(void **state)
{
    (void)state;
    char dir[] = "/tmp/berth-crash-XXXXXX", path[64];
    CHECK(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/meta.db", dir);
    for (size_t round = 0; round < ROUNDS; round++) {
        int fds[2];
        size_t acknowledged[THREADS] = {0}, told[2], all = 0;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            child(path, fds[1], round);
        }
        close(fds[1]);
        while (all < 50 + round * 60 && read(fds[0], told, sizeof(told)) == sizeof(told)) {
            acknowledged[told[0]] = told[1] + 1;
            all++;
        }
        kill(pid, SIGKILL);
        while (read(fds[0], told, sizeof(told)) == sizeof(told)) { /* acknowledged before the end */
            acknowledged[told[0]] = told[1] + 1;
            all++;
        }
        close(fds[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        CHECK(WIFSIGNALED(status));
        meta *m;
        CHECK_OK(meta_sqlite_open(path, NULL, &m, &test_err));
        check_round(m, round, acknowledged);
        m->ops->free(m);
    }
    unlink(path);
    CHECK(rmdir(dir) == 0);
}

RUN_TESTS(TEST(test_metadata_crash__loses_nothing_that_was_acknowledged))
