/* tests/unit/storage/direct.c - objects that are written past the page cache: the same bytes in any pieces,
 * from any offset, whatever fails on the way. */
#include "../../contract/store_fixture.h"

#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "storage/direct.h"
#include "util/fault.h"
#include "util/io.h"

#define KEY    "ab112233445566778899aabbccddeeff"
#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LARGE  (3 * MIB + 5000)

static blob_store *open_store(const char *dir)
{
    blob_store *s = NULL;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    CHECK_OK(store_fs_new(fd, true, 10000, &s, &test_err));
    return s;
}

/* Bytes [from, to) of the object in pieces of @piece; its first failure. */
static int append(blob_writer *w, const char *all, size_t from, size_t to, size_t piece)
{
    int r = BERTH_OK;
    for (size_t at = from; at < to && r == BERTH_OK; at += piece)
        r = store_append(w, all + at, MIN(piece, to - at), &test_err);
    return r;
}

static void test_storage_direct__writes_the_same_bytes_in_any_pieces(void **state)
{
    (void)state;
    static const struct {
        size_t size, piece;
    } rows[] = {{10000, 10000},  {12288, 4096},  {12289, 12289},    {MIB, 512 * KIB},   {MIB + 12288, MIB},
                {2 * MIB, 1000}, {LARGE, 4096},  {LARGE, LARGE},    {LARGE, 512 * KIB}, {LARGE, 77777},
                {10001, 1},      {4 * MIB, MIB}, {5 * MIB + 1, MIB}};
    struct store_fixture f;
    fixture_open(&f, STORE_FS);
    blob_store *s = open_store(f.dir);
    CLEANUP(freep) char *all = mem_alloc(6 * MIB);
    fixture_fill(all, 3, 0, 6 * MIB);
    for (size_t i = 0; i < COUNT(rows); i++) {
        blob_writer *w;
        CHECK_OK(store_create(s, KEY, &w, &test_err));
        CHECK_OK(append(w, all, 0, rows[i].size, rows[i].piece));
        CHECK_OK(store_complete(w, DIGEST, &test_err));
        CHECK_ROW(i, fixture_holds(s, KEY, 3, rows[i].size));
        CHECK_OK(store_remove(s, KEY, &test_err));
    }
    store_free(s);
    fixture_close(&f);
}

static void test_storage_direct__goes_on_from_any_offset(void **state)
{
    (void)state;
    static const size_t stops[] = {1, 9999, 10000, 10001, 12288, 12289, 20480, MIB, MIB + 1, 2 * MIB + 4095};
    struct store_fixture f;
    fixture_open(&f, STORE_FS);
    blob_store *s = open_store(f.dir);
    CLEANUP(freep) char *all = mem_alloc(LARGE);
    fixture_fill(all, 3, 0, LARGE);
    blob_writer *w;
    CHECK_OK(store_create(s, KEY, &w, &test_err));
    size_t at = 0;
    for (size_t i = 0; i < COUNT(stops); i++) {
        CHECK_OK(append(w, all, at, stops[i], 300 * KIB));
        CHECK_OK(store_suspend(w, &test_err));
        at = stops[i];
        CHECK_OK(store_resume(s, KEY, at, &w, &test_err));
        CHECK_OK(store_append(w, "never recorded, of which nothing may stay", 41, &test_err));
        store_abandon(w);
        CHECK_OK(store_resume(s, KEY, at, &w, &test_err));
    }
    CHECK_OK(append(w, all, at, LARGE, 300 * KIB));
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    CHECK(fixture_holds(s, KEY, 3, LARGE));
    store_free(s);
    fixture_close(&f);
}

static void test_storage_direct__is_whole_or_not_there_when_any_call_fails(void **state)
{
    (void)state;
#ifndef BERTH_FAULT
    skip();
#else
    struct store_fixture f;
    fixture_open(&f, STORE_FS);
    CLEANUP(freep) char *all = mem_alloc(LARGE);
    fixture_fill(all, 3, 0, LARGE);
    for (unsigned n = 1;; n++) {
        blob_store *s = open_store(f.dir);
        blob_writer *w = NULL;
        fault_arm(n);
        int r = store_create(s, KEY, &w, &test_err);
        if (r == BERTH_OK) {
            r = append(w, all, 0, LARGE, 300 * KIB);
            if (r == BERTH_OK)
                r = store_complete(w, DIGEST, &test_err);
            else
                store_abandon(w);
        }
        bool fired = fault_disarm();
        CHECK_ROW(n, r == BERTH_OK ? fixture_holds(s, KEY, 3, LARGE) : fired && !fixture_finds(s, KEY));
        CHECK_OK(store_remove(s, KEY, &test_err));
        store_free(s);
        if (!fired)
            break;
    }
    fixture_close(&f);
#endif
}

static void test_storage_direct__says_at_the_end_what_failed_behind(void **state)
{
    (void)state;
#ifndef BERTH_FAULT
    skip();
#else
    struct store_fixture f;
    fixture_open(&f, STORE_FS);
    char *path = NULL;
    assert_true(asprintf(&path, "%s/file", f.dir) > 0);
    CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CLEANUP(closep) int dir = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(path);
    CLEANUP(freep) char *all = mem_zalloc(1, MIB);
    struct direct_gate gate;
    direct_gate_init(&gate);
    direct_writer *d = direct_open(&gate, dir, "file", fd, 0);
    if (d) { /* else a file system without */
        fault_arm(1);
        /* One piece: the thread may have failed to write it before a second one would be asked for. */
        CHECK_OK(direct_append(d, all, MIB, &test_err));
        CHECK_CODE(direct_flush(d, &test_err), BERTH_E_IO);
        CHECK(fault_disarm());
        CHECK_CODE(direct_flush(d, &test_err), BERTH_E_IO);
        CHECK_CODE(direct_append(d, all, 1, &test_err), BERTH_E_IO);
        direct_free(d);
        /* the next one, which is the same again, knows nothing of it */
        CHECK((d = direct_open(&gate, dir, "file", fd, 0)) != NULL);
        CHECK_OK(direct_append(d, all, MIB, &test_err));
        CHECK_OK(direct_flush(d, &test_err));
        direct_free(d);
    }
    direct_free(NULL);
    direct_gate_done(&gate);
    fixture_close(&f);
#endif
}

static void test_storage_direct__has_few_places_and_gives_them_back(void **state)
{
    (void)state;
    struct store_fixture f;
    fixture_open(&f, STORE_FS);
    char *path = NULL;
    assert_true(asprintf(&path, "%s/file", f.dir) > 0);
    CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CLEANUP(closep) int dir = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(path);
    struct direct_gate gate;
    direct_gate_init(&gate);
    for (int round = 0; round < 2; round++) {
        direct_writer *all[10] = {NULL};
        size_t n = 0;
        while (n < COUNT(all) && (all[n] = direct_open(&gate, dir, "file", fd, 0)))
            n++;
        CHECK(n < COUNT(all) && (n > 0 || atomic_load(&gate.unfit)));
        for (size_t i = 0; i < n; i++)
            direct_free(all[i]);
    }
    CHECK(!direct_open(&gate, dir, "no such file", fd, 0));
    atomic_store(&gate.unfit, true); /* as after EINVAL: nobody asks again */
    CHECK(!direct_open(&gate, dir, "file", fd, 0));
    direct_gate_done(&gate);
    fixture_close(&f);
}

/* A writer that is kept for the next object: nothing of one may show in the other. */
static void test_storage_direct__keeps_objects_apart(void **state)
{
    (void)state;
    struct store_fixture f;
    fixture_open(&f, STORE_FS);
    CLEANUP(closep) int dir = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(freep) char *all = mem_alloc(3 * MIB), *got = mem_alloc(3 * MIB);
    struct direct_gate gate;
    direct_gate_init(&gate);
    const direct_writer *kept = NULL;
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "file%d", i);
        CLEANUP(closep) int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        direct_writer *d = direct_open(&gate, dir, name, fd, 0);
        CHECK_ROW(i, fd >= 0 && (d || i == 0));
        if (!d) /* a file system without */
            break;
        if (i == 0)
            kept = d;
        CHECK_ROW(i, d == kept); /* the same again */
        memset(all, 'a' + i, 3 * MIB);
        CHECK_OK(direct_append(d, all, 3 * MIB - (size_t)i, &test_err));
        bool dropped = i % 2; /* with pieces that wait */
        if (!dropped)
            CHECK_OK(direct_flush(d, &test_err));
        direct_free(d);
        ssize_t n = pread(fd, got, 3 * MIB, 0);
        CHECK_ROW(i, dropped || n == (ssize_t)(3 * MIB - (size_t)i));
        CHECK_ROW(i, n >= 0 && memcmp(got, all, (size_t)n) == 0);
    }
    direct_gate_done(&gate);
    fixture_close(&f);
}

struct filling {
    struct direct_gate *gate;
    int dir;
    size_t thread;
};

static void *fill_many(void *arg)
{
    const struct filling *f = arg;
    CLEANUP(freep) char *all = mem_alloc(2 * MIB), *got = mem_alloc(2 * MIB);
    memset(all, 'a' + (int)f->thread, 2 * MIB);
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof(name), "file%zu-%d", f->thread, i);
        CLEANUP(closep) int fd = openat(f->dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        direct_writer *d = direct_open(f->gate, f->dir, name, fd, 0);
        if (!d) /* a file system without: there are places for all */
            return NULL;
        bool fine = direct_append(d, all, 2 * MIB, NULL) == BERTH_OK && direct_flush(d, NULL) == BERTH_OK;
        direct_free(d);
        if (!fine || pread(fd, got, 2 * MIB, 0) != 2 * MIB || memcmp(got, all, 2 * MIB) != 0)
            return arg;
    }
    return NULL;
}

/* Two at once: each wants the one that is kept, and only one can leave its own behind. */
static void test_storage_direct__two_writers_share_a_gate(void **state)
{
    (void)state;
    struct store_fixture f;
    fixture_open(&f, STORE_FS);
    CLEANUP(closep) int dir = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct direct_gate gate;
    direct_gate_init(&gate);
    struct filling fillings[2];
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        fillings[i] = (struct filling){&gate, dir, i};
        assert_int_equal(pthread_create(&threads[i], NULL, fill_many, &fillings[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        CHECK_ROW(i, !failed);
    }
    direct_gate_done(&gate);
    fixture_close(&f);
}

RUN_TESTS(TEST(test_storage_direct__writes_the_same_bytes_in_any_pieces),
          TEST(test_storage_direct__goes_on_from_any_offset),
          TEST(test_storage_direct__is_whole_or_not_there_when_any_call_fails),
          TEST(test_storage_direct__says_at_the_end_what_failed_behind),
          TEST(test_storage_direct__has_few_places_and_gives_them_back),
          TEST(test_storage_direct__keeps_objects_apart), TEST(test_storage_direct__two_writers_share_a_gate))
