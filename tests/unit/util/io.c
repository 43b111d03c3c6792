/* tests/unit/util/io.c */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util/fault.h"
#include "util/io.h"

/* A folder that the test removes by name. */
static const char *make_folder(void)
{
    static char dir[256];
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof(dir), "%s/berth-io-XXXXXX", tmp ? tmp : P_tmpdir);
    assert_non_null(mkdtemp(dir));
    return dir;
}

static void test_util_io__writes_all_and_reads_ranges(void **state)
{
    (void)state;
    CLEANUP(closep) int fd = memfd_create("berth", MFD_CLOEXEC);
    char p[8] = "";
    size_t n;
    CHECK_OK(io_write_all(fd, "abcdef", 6, &test_err));
    CHECK_OK(io_write_all(fd, NULL, 0, &test_err));
    CHECK_OK(io_pread(fd, p, 3, 1, &n, &test_err));
    CHECK_STR(((berth_str){p, n}), STR("bcd"));
    CHECK_OK(io_pread(fd, p, sizeof(p), 4, &n, &test_err));
    CHECK_STR(((berth_str){p, n}), STR("ef"));
    CHECK_OK(io_pread(fd, p, sizeof(p), 100, &n, &test_err));
    CHECK(n == 0);
    CHECK_OK(io_pwrite_all(fd, "XY", 2, 7, &test_err)); /* behind the end: zeros before it */
    CHECK_OK(io_pread(fd, p, 3, 6, &n, &test_err));
    CHECK(n == 3 && memcmp(p, "\0XY", 3) == 0);
    CHECK_CODE(io_pwrite_all(-1, "a", 1, 0, &test_err), BERTH_E_IO);
    CHECK_CODE(io_write_all(-1, "a", 1, &test_err), BERTH_E_IO);
    CHECK_CODE(io_pread(-1, p, 1, 0, &n, &test_err), BERTH_E_IO);
    CHECK_CODE(io_sync(-1, &test_err), BERTH_E_IO);
    CLEANUP(closep) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full >= 0)
        CHECK_CODE(io_write_all(full, "a", 1, &test_err), BERTH_E_NO_SPACE);
}

static void test_util_io__makes_folders_and_reads_files(void **state)
{
    (void)state;
    const char *dir = make_folder();
    char deep[300], file[320];
    snprintf(deep, sizeof(deep), "%s/a/b", dir);
    snprintf(file, sizeof(file), "%s/c", deep);
    CHECK_OK(io_mkdirs(deep, 0700, &test_err));
    CHECK_OK(io_mkdirs(deep, 0700, &test_err));
    CHECK_OK(io_sync_parents(deep, &test_err));
    CHECK_OK(io_sync_parents(file, &test_err)); /* what is not there has no name to sync */
    struct stat st;
    CHECK(stat(deep, &st) == 0 && (st.st_mode & 07777u) == 0700);
    rmdir(deep);
    mode_t mask = umask(027);
    CHECK_OK(io_mkdirs(deep, 0777, &test_err));
    umask(mask);
    CHECK(stat(deep, &st) == 0 && (st.st_mode & 07777u) == 0750);

    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK_OK(io_write_all(fd, "0123456789", 10, &test_err));
    CHECK_OK(io_sync(fd, &test_err));
    close(fd);
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(10), small = BERTH_BUF_INIT(9);
    CHECK_OK(io_read_file(file, &b, &test_err));
    CHECK_STR(berth_buf_str(&b), STR("0123456789"));
    CHECK_CODE(io_read_file(file, &small, &test_err), BERTH_E_TOO_BIG);
    CHECK(io_mkdirs(file, 0700, &test_err) != BERTH_OK); /* a file stands there */
    unlink(file);
    CHECK_CODE(io_read_file(file, &b, &test_err), BERTH_E_NOT_FOUND);
    rmdir(deep);
    deep[strlen(deep) - 2] = '\0';
    rmdir(deep);
    CHECK(rmdir(dir) == 0);
}

static void test_util_io__makes_keys_that_differ(void **state)
{
    (void)state;
    char a[IO_KEY_SIZE], b[IO_KEY_SIZE], uuid[37];
    io_random_key(a);
    io_random_key(b);
    CHECK(strlen(a) == 32 && strspn(a, "0123456789abcdef") == 32 && strcmp(a, b) != 0);
    for (unsigned i = 0; i < 100; i++) {
        io_random_uuid(uuid);
        CHECK(strlen(uuid) == 36 && uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
        CHECK(uuid[14] == '4' && strchr("89ab", uuid[19]));
    }
}

static void test_util_io__reports_injected_failures(void **state)
{
    (void)state;
#ifndef BERTH_FAULT
    skip();
#else
    CLEANUP(closep) int fd = memfd_create("berth", MFD_CLOEXEC);
    fault_arm(2);
    CHECK_OK(io_write_all(fd, "a", 1, &test_err));
    CHECK_CODE(io_write_all(fd, "b", 1, &test_err), BERTH_E_IO);
    CHECK(fault_disarm() && lseek(fd, 0, SEEK_END) == 1);
    char read[2];
    size_t n = 7;
    fault_arm(1);
    CHECK_CODE(io_pread(fd, read, sizeof(read), 0, &n, &test_err), BERTH_E_IO);
    CHECK(fault_disarm() && n == 7);
    for (unsigned nth = 1; nth <= 4; nth++) { /* memory, a folder, the one above, its sync */
        fault_arm(nth);
        CHECK_ROW(nth, io_sync_parents("/", &test_err) < 0 && fault_disarm());
    }
    fault_arm(1);
    CHECK_CODE(io_sync(fd, &test_err), BERTH_E_IO);
    CHECK(fault_disarm() && !fault_disarm());
#endif
}

static void test_util_io__replaces_files_as_a_whole(void **state)
{
    (void)state;
    const char *dir = make_folder();
    char path[512];
    struct stat st;
    CLEANUP(closep) int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(berth_buf_done) berth_buf got = BERTH_BUF_INIT(KIB);
    snprintf(path, sizeof(path), "%s/file", dir);
    CHECK_OK(io_replace_file(path, folder, STR("first"), &test_err));
    CHECK_OK(io_replace_file(path, folder, STR("second"), &test_err));
    CHECK_OK(io_read_file(path, &got, &test_err));
    CHECK_STR(berth_buf_str(&got), STR("second"));
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0); /* it can't be renamed to */
    CHECK_CODE(io_replace_file(path, folder, STR("third"), &test_err), BERTH_E_IO);
    CHECK(rmdir(path) == 0 && rmdir(dir) == 0); /* nothing is left */
}

RUN_TESTS(TEST(test_util_io__replaces_files_as_a_whole), TEST(test_util_io__writes_all_and_reads_ranges),
          TEST(test_util_io__makes_folders_and_reads_files), TEST(test_util_io__makes_keys_that_differ),
          TEST(test_util_io__reports_injected_failures))
