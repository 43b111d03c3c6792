/* tests/unit/client/partial.c */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "client/partial.h"
#include "util/io.h"

static char folder[64], path[96], unfinished[128];
static berth_digest digest;

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/berth-partial-XXXXXX");
    CHECK(mkdtemp(folder));
    digest_of(HASH_SHA256, "abcdef", 6, &digest);
    snprintf(path, sizeof(path), "%s/blob", folder);
    snprintf(unfinished, sizeof(unfinished), "%s.%.12s.part", path, strchr(digest.text, ':') + 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    unlink(unfinished);
    return rmdir(folder);
}

static bool holds(const char *file, const char *text)
{
    CLEANUP(berth_buf_done) berth_buf all = BERTH_BUF_INIT(100);
    return io_read_file(file, &all, NULL) == BERTH_OK && str_eq(berth_buf_str(&all), str_from(text));
}

static void test_client_partial__goes_on_from_what_another_left(void **state)
{
    (void)state;
    struct partial p = PARTIAL_INIT;
    CHECK_OK(partial_open(&p, path, &digest, &test_err));
    CHECK_OK(partial_write(&p, "abc", 3, &test_err));
    partial_done(&p, true);
    CHECK(holds(unfinished, "abc") && access(path, F_OK) < 0);
    int fd = open(unfinished, O_WRONLY | O_APPEND | O_CLOEXEC); /* written, but killed before it was noted */
    CHECK(write(fd, "d", 1) == 1 && close(fd) == 0);
    CHECK_OK(partial_open(&p, path, &digest, &test_err));
    assert_int_equal(p.at, 4);
    CHECK_OK(partial_write(&p, "ef", 2, &test_err));
    berth_hash hash = p.hash;
    berth_digest have;
    digest_from_hash(&hash, &have);
    CHECK(digest_eq(&have, &digest));
    CHECK_OK(partial_finish(&p, &test_err));
    partial_done(&p, true);
    CHECK(holds(path, "abcdef") && access(unfinished, F_OK) < 0);
}

static void test_client_partial__goes_on_in_a_file_that_is_lent(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct partial p = PARTIAL_INIT;
        struct stat st;
        int fd = open(unfinished, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK_OK(partial_lend(&p, fd, true, &digest, &test_err));
        CHECK_OK(partial_write(&p, "abc", 3, &test_err));
        partial_done(&p, keep);
        CHECK_ROW(keep, fstat(fd, &st) == 0 && st.st_size == (keep ? 3 : 0));
        CHECK_OK(partial_lend(&p, fd, true, &digest, &test_err));
        CHECK_ROW(keep, p.at == (keep ? 3 : 0));
        CHECK_OK(partial_write(&p, keep ? "def" : "abcdef", keep ? 3 : 6, &test_err));
        CHECK_OK(partial_finish(&p, &test_err));
        partial_done(&p, false); /* what is finished is the caller's */
        CHECK(holds(unfinished, "abcdef") && flistxattr(fd, NULL, 0) <= 0);
        CHECK_OK(partial_lend(&p, fd, false, &digest, &test_err));
        CHECK_ROW(keep, p.at == 0);
        partial_done(&p, true);
        CHECK(close(fd) == 0);
    }
}

static void test_client_partial__takes_no_state_that_does_not_fit(void **state)
{
    (void)state;
    static const char *const states[] = {"", "1234567", "\0\0\0\0\0\0\0\1garbage",
                                         "\xff\xff\xff\xff\xff\xff\xff\xff"};
    static const size_t lengths[] = {0, 7, 15, 8};
    for (size_t i = 0; i < COUNT(states); i++) {
        struct partial p = PARTIAL_INIT;
        CHECK_OK(partial_open(&p, path, &digest, &test_err));
        CHECK_OK(partial_write(&p, "abc", 3, &test_err));
        partial_done(&p, true);
        setxattr(unfinished, "user.berth.partial", states[i], lengths[i], 0);
        CHECK_OK(partial_open(&p, path, &digest, &test_err));
        CHECK_ROW(i, p.at == 3);
        CHECK_OK(partial_write(&p, "def", 3, &test_err));
        berth_hash hash = p.hash;
        berth_digest have;
        digest_from_hash(&hash, &have);
        CHECK_ROW(i, digest_eq(&have, &digest));
        partial_done(&p, false);
        CHECK_ROW(i, access(unfinished, F_OK) < 0);
    }
}

static void test_client_partial__is_one_process_alone(void **state)
{
    (void)state;
    struct partial one = PARTIAL_INIT, other = PARTIAL_INIT;
    CHECK_OK(partial_open(&one, path, &digest, &test_err));
    CHECK_OK(partial_write(&one, "abc", 3, &test_err));
    CHECK_CODE(partial_open(&other, path, &digest, &test_err), BERTH_E_BUSY);
    partial_done(&other, false);
    CHECK(access(unfinished, F_OK) == 0); /* it is not the other's to remove */
    partial_done(&one, false);
    CHECK_CODE(partial_open(&other, "/nowhere/blob", &digest, &test_err), BERTH_E_NOT_FOUND);
    partial_done(&other, true);
}

static void test_client_partial__follows_no_link(void **state)
{
    (void)state;
    struct partial p = PARTIAL_INIT;
    CHECK(symlink(path, unfinished) == 0);
    CHECK_CODE(partial_open(&p, path, &digest, &test_err), BERTH_E_IO);
    partial_done(&p, false);
    CHECK(access(path, F_OK) < 0);
}

/* Bytes that the file has on the disk. */
static uint64_t takes(const char *file, off_t *ret_size)
{
    struct stat st;
    CHECK(stat(file, &st) == 0);
    *ret_size = st.st_size;
    return (uint64_t)st.st_blocks * 512;
}

static void test_client_partial__has_room_in_advance_and_gives_back_what_it_does_not_need(void **state)
{
    (void)state;
    static char piece[300 * KIB];
    const uint64_t all = 12 * sizeof(piece);
    for (int i = 0; i < 3; i++) {
        struct partial p = PARTIAL_INIT;
        off_t size = 0;
        CHECK_OK(partial_open(&p, path, &digest, &test_err));
        for (uint64_t at = 0; at < all; at += sizeof(piece)) {
            CHECK_OK(partial_write(&p, piece, sizeof(piece), &test_err));
            takes(unfinished, &size);
            CHECK_ROW(i, (uint64_t)size == p.at); /* whoever goes on takes that for what is there */
        }
        bool made = p.room > all && p.room < UINT64_MAX;
        CHECK_ROW(i, !made || takes(unfinished, &size) > all);
        const char *left = i == 0 ? path : unfinished;
        if (i == 0)
            CHECK_OK(partial_finish(&p, &test_err));
        if (i == 2)
            CHECK_OK(partial_gather(&p, &test_err));
        partial_done(&p, true);
        CHECK_ROW(i, takes(left, &size) < all + 64 * KIB && (uint64_t)size == all);
        unlink(left);
    }
}

#define SET(f) cmocka_unit_test_setup_teardown(f, begin, end)
RUN_TESTS(SET(test_client_partial__goes_on_from_what_another_left),
          SET(test_client_partial__goes_on_in_a_file_that_is_lent),
          SET(test_client_partial__takes_no_state_that_does_not_fit),
          SET(test_client_partial__has_room_in_advance_and_gives_back_what_it_does_not_need),
          SET(test_client_partial__is_one_process_alone), SET(test_client_partial__follows_no_link))
