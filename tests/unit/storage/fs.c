/* tests/unit/storage/fs.c - what only a folder can show: modes, names, attributes, links. */
#include "../../contract/store_fixture.h"

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/fault.h"

#define KEY    "ab112233445566778899aabbccddeeff"
#define KEY2   "ab222233445566778899aabbccddeeff"
#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *path_of(const struct store_fixture *f, const char *rest)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/objects/%s", f->dir, rest);
    return path;
}

static unsigned mode_of(const struct store_fixture *f, const char *rest)
{
    struct stat st;
    assert_int_equal(lstat(path_of(f, rest), &st), 0);
    return st.st_mode & 07777u;
}

/* Stands before the C library's: remembers what was synced, and how it stood at that moment. */
static struct stat synced[32];
static size_t n_synced;

int fsync(int fd)
{
    if (n_synced < COUNT(synced) && fstat(fd, &synced[n_synced]) == 0)
        n_synced++;
    return (int)syscall(SYS_fsync, fd);
}

/* The state of objects/@rest at its last sync since the last call of forget(); NULL: it was not synced. */
static const struct stat *synced_state(const struct store_fixture *f, const char *rest)
{
    struct stat st;
    const struct stat *last = NULL;
    assert_int_equal(stat(path_of(f, rest), &st), 0);
    for (size_t i = 0; i < n_synced; i++)
        if (synced[i].st_ino == st.st_ino)
            last = &synced[i];
    return last;
}

static void test_storage_fs__syncs_bytes_and_names_before_it_says_so(void **state)
{
    (void)state;
    struct store_fixture f;
    blob_writer *w;
    const struct stat *st;
    fixture_open(&f, STORE_FS);
    n_synced = 0;
    CHECK_OK(store_create(f.s, KEY, &w, &test_err));
    CHECK(synced_state(&f, "")); /* the new folder's name */
    CHECK_OK(store_append(w, "abc", 3, &test_err));
    n_synced = 0;
    CHECK_OK(store_suspend(w, &test_err));
    st = synced_state(&f, "ab/" KEY);
    CHECK(st && st->st_size == 3 && (st->st_mode & 07777u) == 0600);
    CHECK(synced_state(&f, "ab"));

    CHECK_OK(store_resume(f.s, KEY, 3, &w, &test_err));
    CHECK_OK(store_append(w, "def", 3, &test_err));
    n_synced = 0;
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    st = synced_state(&f, "ab/" KEY);
    CHECK(st && st->st_size == 6 && (st->st_mode & 07777u) == 0400);
    CHECK(!synced_state(&f, "ab")); /* its name was durable already */

    CHECK_OK(store_create(f.s, KEY2, &w, &test_err));
    CHECK_OK(store_append(w, "abc", 3, &test_err));
    n_synced = 0;
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    st = synced_state(&f, "ab/" KEY2);
    CHECK(st && st->st_size == 3 && (st->st_mode & 07777u) == 0400);
    CHECK(synced_state(&f, "ab"));
    n_synced = 0;
    CHECK_OK(store_remove(f.s, KEY, &test_err));
    CHECK(synced_state(&f, "ab"));

    CHECK_OK(store_create(f.s, KEY, &w, &test_err)); /* no byte was recorded, so it was never suspended */
    store_abandon(w);
    CHECK_OK(store_resume(f.s, KEY, 0, &w, &test_err));
    n_synced = 0;
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    CHECK(synced_state(&f, "ab"));

    fixture_reopen(&f); /* another process: whoever made the folder may not have synced its name */
    n_synced = 0;
    fixture_put(f.s, "ab333333445566778899aabbccddeeff", 0, 1, DIGEST);
    CHECK(synced_state(&f, ""));
    fixture_close(&f);

    fixture_open(&f, STORE_FS_UNSYNCED);
    n_synced = 0;
    fixture_put(f.s, KEY, 0, 1, DIGEST);
    CHECK_OK(store_remove(f.s, KEY, &test_err));
    assert_int_equal(n_synced, 0);
    fixture_close(&f);
}

static void test_storage_fs__keeps_one_name_and_tells_whole_by_mode(void **state)
{
    (void)state;
    struct store_fixture f;
    blob_writer *w;
    fixture_open(&f, STORE_FS);
    CHECK_OK(store_create(f.s, KEY, &w, &test_err));
    assert_int_equal(mode_of(&f, "ab"), 0700);
    assert_int_equal(mode_of(&f, "ab/" KEY), 0600);
    CHECK_OK(store_append(w, "abc", 3, &test_err));
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    assert_int_equal(mode_of(&f, "ab/" KEY), 0400);
    char digest[100] = "";
    if (getxattr(path_of(&f, "ab/" KEY), "user.berth.digest", digest, sizeof(digest) - 1) > 0)
        assert_string_equal(digest, DIGEST);
    fixture_close(&f);
}

static void test_storage_fs__follows_no_link(void **state)
{
    (void)state;
    struct store_fixture f;
    blob_writer *w;
    blob_reader *r;
    fixture_open(&f, STORE_FS);
    fixture_put(f.s, KEY2, 0, 3, DIGEST);
    assert_int_equal(symlink(KEY2, path_of(&f, "ab/" KEY)), 0);
    CHECK_CODE(store_open(f.s, KEY, &r, &test_err), BERTH_E_IO);
    CHECK_CODE(store_resume(f.s, KEY, 0, &w, &test_err), BERTH_E_IO);
    CHECK_CODE(store_create(f.s, KEY, &w, &test_err), BERTH_E_EXISTS);
    CHECK_OK(store_remove(f.s, KEY, &test_err)); /* the link, not what it names */
    CHECK(fixture_holds(f.s, KEY2, 0, 3));

    assert_int_equal(symlink("ab", path_of(&f, "cd")), 0);
    CHECK_CODE(store_create(f.s, "cd112233445566778899aabbccddeeff", &w, &test_err), BERTH_E_IO);
    fixture_close(&f);
}

static int count(void *arg, const char *key, uint64_t size, const char *digest)
{
    (void)key, (void)size, (void)digest;
    ++*(unsigned *)arg;
    return 0;
}

static void test_storage_fs__passes_over_what_is_no_object(void **state)
{
    (void)state;
    struct store_fixture f;
    unsigned n = 0;
    fixture_open(&f, STORE_FS);
    fixture_put(f.s, KEY, 0, 3, DIGEST);
    static const char *const files[] = {"ab/note.txt", "ab/00112233445566778899aabbccddeeff", "stray"};
    for (size_t i = 0; i < COUNT(files); i++) {
        int fd = open(path_of(&f, files[i]), O_WRONLY | O_CREAT, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    assert_int_equal(mkdir(path_of(&f, "ab/" KEY2), 0700), 0);
    assert_int_equal(symlink(KEY, path_of(&f, "ab/ab333333445566778899aabbccddeeff")), 0);
    assert_int_equal(mkfifo(path_of(&f, "ab/ab443333445566778899aabbccddeeff"), 0600), 0);
    CHECK_OK(store_list(f.s, count, &n, &test_err));
    assert_int_equal(n, 1);
    blob_reader *r;
    CHECK_CODE(store_open(f.s, KEY2, &r, &test_err), BERTH_E_NOT_FOUND); /* a folder is no object */
    CHECK_CODE(store_open(f.s, "ab443333445566778899aabbccddeeff", &r, &test_err), BERTH_E_NOT_FOUND);
    fixture_close(&f);
}

static void test_storage_fs__writes_large_objects_back_early(void **state)
{
    (void)state;
    struct store_fixture f;
    blob_writer *w;
    CLEANUP(freep) char *p = mem_alloc(MIB);
    fixture_open(&f, STORE_FS);
    CHECK_OK(store_create(f.s, KEY, &w, &test_err));
    for (unsigned i = 0; i < 20; i++) {
        memset(p, (int)i, MIB);
        CHECK_OK(store_append(w, p, MIB, &test_err));
    }
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    blob_reader *r;
    CHECK_OK(store_open(f.s, KEY, &r, &test_err));
    CHECK(store_reader_size(r) == 20 * MIB);
    for (unsigned i = 0; i < 20; i++) {
        size_t n;
        CHECK_OK(store_read(r, i * MIB, p, MIB, &n, &test_err));
        CHECK(n == MIB && p[0] == (char)i && p[MIB - 1] == (char)i);
    }
    store_close(r);
    fixture_close(&f);
}

/* A full disk takes part of a write. The limit on the size of files does the same. */
static void test_storage_fs__cuts_what_a_failed_append_left(void **state)
{
    (void)state;
    struct store_fixture f;
    blob_writer *w;
    struct rlimit was, limit;
    char p[200];
    fixture_fill(p, 4, 0, sizeof(p));
    fixture_open(&f, STORE_FS);
    CHECK_OK(store_create(f.s, KEY, &w, &test_err));
    CHECK_OK(store_append(w, p, 100, &test_err));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    limit = (struct rlimit){150, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int r = store_append(w, p + 100, 100, &test_err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    signal(SIGXFSZ, handler);
    CHECK_CODE(r, BERTH_E_IO);
    struct stat st;
    CHECK(stat(path_of(&f, "ab/" KEY), &st) == 0 && st.st_size == 150);
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    CHECK(fixture_holds(f.s, KEY, 4, 100));
    fixture_close(&f);
}

static void test_storage_fs__takes_the_folder_also_when_it_fails(void **state)
{
    (void)state;
    struct store_fixture f;
    blob_store *s = NULL;
    size_t before = fixture_count_fds();
    fixture_open(&f, STORE_MEMORY);
    char dir[] = P_tmpdir "/berth-fs-XXXXXX";
    assert_non_null(mkdtemp(dir));
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file = openat(fd, "objects", O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* a file stands in the way */
    close(file);
    CHECK_CODE(store_fs_new(fd, true, 0, &s, &test_err), BERTH_E_IO);
    CHECK(!s);
    assert_int_equal(fixture_count_fds(), before);
    char path[64];
    snprintf(path, sizeof(path), "%s/objects", dir);
    unlink(path);
    rmdir(dir);
    fixture_close(&f);
}

static void test_storage_fs__syncs_a_folder_once_for_all_that_leave_it(void **state)
{
    (void)state;
    static const char *const keys[] = {"ab112233445566778899aabbccddee00", "ab112233445566778899aabbccddee01",
                                       "cd112233445566778899aabbccddee00",
                                       "ef112233445566778899aabbccddee00" /* was never there */};
    for (unsigned nth = 1;; nth++) {
        struct store_fixture f;
        bool removed[COUNT(keys)];
        fixture_open(&f, STORE_FS);
        for (size_t i = 0; i < 3; i++)
            fixture_put(f.s, keys[i], 0, 10, DIGEST);
        n_synced = 0;
#ifdef BERTH_FAULT
        fault_arm(nth);
        store_remove_all(f.s, keys, COUNT(keys), removed);
        bool fired = fault_disarm();
#else
        store_remove_all(f.s, keys, COUNT(keys), removed);
        bool fired = false;
#endif
        size_t n = 0;
        for (size_t i = 0; i < COUNT(keys); i++) {
            n += removed[i];
            if (removed[i] && i < 3) {
                char folder[3] = {keys[i][0], keys[i][1], 0};
                CHECK_ROW(nth, synced_state(&f, folder) != NULL);
                CHECK_ROW(nth, !fixture_finds(f.s, keys[i]));
            }
        }
        CHECK_ROW(nth, fired ? n < COUNT(keys) : n == COUNT(keys) && n_synced == 2);
        store_remove_all(f.s, keys, COUNT(keys), removed);
        for (size_t i = 0; i < COUNT(keys); i++)
            CHECK_ROW(nth, removed[i]);
        static const char *const wrong[] = {"../../x", "ab112233445566778899aabbccddee00"};
        store_remove_all(f.s, wrong, COUNT(wrong), removed);
        CHECK(!removed[0] && removed[1]);
        fixture_close(&f);
        if (!fired)
            break;
    }
}

static void test_storage_fs__a_folder_that_was_removed_has_no_space(void **state)
{
    (void)state;
    struct store_fixture f;
    uint64_t space;
    fixture_open(&f, STORE_FS);
    CHECK_OK(store_space(f.s, &space, &test_err));
    assert_int_equal(rmdir(path_of(&f, "")), 0);
    CHECK_CODE(store_space(f.s, &space, &test_err), BERTH_E_IO);
    fixture_close(&f);
}

RUN_TESTS(TEST(test_storage_fs__syncs_bytes_and_names_before_it_says_so),
          TEST(test_storage_fs__keeps_one_name_and_tells_whole_by_mode),
          TEST(test_storage_fs__follows_no_link), TEST(test_storage_fs__passes_over_what_is_no_object),
          TEST(test_storage_fs__writes_large_objects_back_early),
          TEST(test_storage_fs__cuts_what_a_failed_append_left),
          TEST(test_storage_fs__syncs_a_folder_once_for_all_that_leave_it),
          TEST(test_storage_fs__takes_the_folder_also_when_it_fails),
          TEST(test_storage_fs__a_folder_that_was_removed_has_no_space))
