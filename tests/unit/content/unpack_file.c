/* tests/unit/content/unpack_file.c */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "content/unpack.h"
#include "util/fault.h"
#include "util/io.h"

static void test_content_unpack_file__checks_paths(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "./a", "a/b", "a//b/", "..a", "a..", "..."};
    static const char *const bad[] = {"", "/", ".", "./", "..", "a/..", "../a", "/a", "a/../b"};
    for (size_t i = 0; i < COUNT(good); i++)
        CHECK_ROW(i, unpack_check_path(good[i], &test_err) == BERTH_OK);
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK_ROW(i, unpack_check_path(bad[i], &test_err) == BERTH_E_INVALID);
    CHECK_CODE(unpack_check_path("/\033[31m", &test_err), BERTH_E_INVALID);
    CHECK(!strchr(test_err.message, '\033'));
}

static size_t count(const struct world *w)
{
    size_t n = 0;
    DIR *d = fdopendir(openat(w->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    closedir(d);
    return n;
}

/* The second call that can fail is that for a file without a name. */
static void test_content_unpack_file__a_file_has_no_name_before_it_is_whole(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    bool nameless = false;
    for (unsigned fails = 0; fails < 10; fails++)
        for (int overwrite = 0; overwrite < 2; overwrite++) {
            struct unpack_file f = UNPACK_FILE_INIT;
            struct stat st;
            if (fails)
                fault_arm(fails);
            int r = unpack_file_open(w.dir_fd, "f", &f, &test_err);
            if (fails)
                fault_disarm();
            if (r != BERTH_OK)
                continue;
            nameless |= f.nameless;
            CHECK(count(&w) == !f.nameless + (size_t)overwrite);
            CHECK_OK(io_write_all(f.fd, "text", 4, &test_err));
            CHECK_OK(unpack_file_keep(&f, overwrite, &test_err));
            unpack_file_done(&f);
            CHECK(count(&w) == 1 && fstatat(w.dir_fd, "f", &st, 0) == 0 && st.st_size == 4 &&
                  st.st_nlink == 1);
            if (overwrite)
                CHECK(unlinkat(w.dir_fd, "f", 0) == 0);
        }
    if (!nameless)
        skip(); /* a file system that has no such files */
}

static void test_content_unpack_file__leaves_no_part_of_a_file_behind(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    for (unsigned n = 1;; n++) {
        struct unpack_file f = UNPACK_FILE_INIT;
        fault_arm(n);
        int r = unpack_file_open(w.dir_fd, "a/b", &f, &test_err);
        bool fired = fault_disarm();
        CHECK((r == BERTH_OK) == (f.fd >= 0));
        unpack_file_done(&f);
        CHECK(unlinkat(w.dir_fd, "a", AT_REMOVEDIR) == 0 ||
              errno == ENOENT); /* it is empty, if it is there */
        if (!fired)
            break;
    }
}

/* --- one that takes long to come --- */

static berth_digest digest;
static char part[64]; /* of "a/f" */

static int begin(void **state)
{
    (void)state;
    digest_of(HASH_SHA256, "abcdef", 6, &digest);
    snprintf(part, sizeof(part), "a/f.%.12s.part", strchr(digest.text, ':') + 1);
    return 0;
}

static void put(const struct world *w, const char *path, const char *text)
{
    CLEANUP(closep) int fd = openat(w->dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    CHECK_OK(io_write_all(fd, text, strlen(text), &test_err));
}

static bool holds(const struct world *w, const char *path, const char *text)
{
    char have[32] = "";
    CLEANUP(closep) int fd = openat(w->dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && read(fd, have, sizeof(have) - 1) >= 0 && strcmp(have, text) == 0;
}

static void test_content_unpack_file__stays_for_the_next_process(void **state)
{
    (void)state;
    for (int overwrite = 0; overwrite < 2; overwrite++) {
        CLEANUP(world_done) struct world w = world_new();
        struct unpack_file f = UNPACK_FILE_INIT;
        CHECK_OK(unpack_file_go_on(w.dir_fd, "a/f", &digest, &f, &test_err));
        unpack_file_done(&f);
        CHECK(!exists(w.dir_fd, part)); /* nothing came */
        CHECK_OK(unpack_file_go_on(w.dir_fd, "a/f", &digest, &f, &test_err));
        CHECK_OK(io_write_all(f.fd, "abc", 3, &test_err));
        unpack_file_done(&f);
        CHECK(holds(&w, part, "abc") && !exists(w.dir_fd, "a/f"));
        CHECK_OK(unpack_file_go_on(w.dir_fd, "./a//f", &digest, &f, &test_err));
        CHECK_OK(io_pwrite_all(f.fd, "def", 3, 3, &test_err));
        if (overwrite)
            put(&w, "a/f", "mine");
        CHECK_OK(unpack_file_keep(&f, overwrite, &test_err));
        unpack_file_done(&f);
        CHECK(holds(&w, "a/f", "abcdef") && !exists(w.dir_fd, part));
    }
}

/* Without the kind of renaming that a file system may lack, too. */
static void test_content_unpack_file__is_named_over_nothing_but_itself(void **state)
{
    (void)state;
    static const struct {
        const char *there;
        int code;
    } rows[] = {{NULL, BERTH_OK}, {"abcdef", BERTH_OK}, {"abcdeF", BERTH_E_EXISTS}, {"abc", BERTH_E_EXISTS}};
    for (int lacks = 0; lacks < 2; lacks++)
        for (size_t i = 0; i < COUNT(rows); i++) {
            CLEANUP(world_done) struct world w = world_new();
            struct unpack_file f = UNPACK_FILE_INIT;
            CHECK_OK(unpack_file_go_on(w.dir_fd, "a/f", &digest, &f, &test_err));
            CHECK_OK(io_write_all(f.fd, "abcdef", 6, &test_err));
            if (rows[i].there)
                put(&w, "a/f", rows[i].there);
            if (lacks)
                fault_arm(1);
            int r = unpack_file_keep(&f, false, &test_err);
            fault_disarm();
            unpack_file_done(&f);
            CHECK_ROW(i, r == rows[i].code && !exists(w.dir_fd, part));
            CHECK_ROW(i, holds(&w, "a/f", r == BERTH_OK ? "abcdef" : rows[i].there));
        }
}

static void test_content_unpack_file__belongs_to_one_at_a_time(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    struct unpack_file f = UNPACK_FILE_INIT, g = UNPACK_FILE_INIT;
    CHECK_OK(unpack_file_go_on(w.dir_fd, "a/f", &digest, &f, &test_err));
    CHECK_CODE(unpack_file_go_on(w.dir_fd, "a/f", &digest, &g, &test_err), BERTH_E_BUSY);
    CHECK(exists(w.dir_fd, part) && g.fd < 0);
    CHECK_OK(io_write_all(f.fd, "abcdef", 6, &test_err));
    CHECK(unlinkat(w.dir_fd, part, 0) == 0);
    put(&w, part, "another's");
    CHECK_CODE(unpack_file_keep(&f, true, &test_err), BERTH_E_IO); /* not what was checked */
    unpack_file_done(&f);
    CHECK(!exists(w.dir_fd, "a/f") && holds(&w, part, "another's"));
}

/* C168. An archive may have brought the link. */
static void test_content_unpack_file__goes_on_with_no_file_that_is_another_one_too(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    struct unpack_file f = UNPACK_FILE_INIT;
    CHECK(mkdirat(w.dir_fd, "a", 0755) == 0);
    put(&w, "mine", "mine");
    CHECK(linkat(w.dir_fd, "mine", w.dir_fd, part, 0) == 0);
    CHECK_CODE(unpack_file_go_on(w.dir_fd, "a/f", &digest, &f, &test_err), BERTH_E_INVALID);
    CHECK(unlinkat(w.dir_fd, part, 0) == 0 && symlinkat("../mine", w.dir_fd, part) == 0);
    CHECK_CODE(unpack_file_go_on(w.dir_fd, "a/f", &digest, &f, &test_err), BERTH_E_INVALID);
    CHECK(unlinkat(w.dir_fd, part, 0) == 0 && mkfifoat(w.dir_fd, part, 0600) == 0);
    CHECK_CODE(unpack_file_go_on(w.dir_fd, "a/f", &digest, &f, &test_err), BERTH_E_INVALID);
    CHECK_CODE(unpack_file_go_on(w.dir_fd, "../f", &digest, &f, &test_err), BERTH_E_INVALID);
    CHECK(holds(&w, "mine", "mine") && f.fd < 0);
}

static void test_content_unpack_file__tells_what_is_there(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    static const struct {
        const char *path;
        uint64_t size;
        enum unpack_found found;
    } rows[] = {{"none", 6, UNPACK_NOTHING}, {"new/none", 6, UNPACK_NOTHING}, {"same", 6, UNPACK_SAME},
                {"other", 6, UNPACK_OTHER},  {"short", 6, UNPACK_OTHER},      {"same", 5, UNPACK_OTHER},
                {"folder", 6, UNPACK_OTHER}, {"link", 6, UNPACK_OTHER},       {"pipe", 6, UNPACK_OTHER}};
    put(&w, "same", "abcdef");
    put(&w, "other", "abcdeF");
    put(&w, "short", "abcde");
    CHECK(mkdirat(w.dir_fd, "folder", 0755) == 0 && symlinkat("same", w.dir_fd, "link") == 0);
    CHECK(mkfifoat(w.dir_fd, "pipe", 0600) == 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum unpack_found found;
        CHECK_OK(unpack_file_look(w.dir_fd, rows[i].path, &digest, rows[i].size, &found, &test_err));
        CHECK_ROW(i, found == rows[i].found);
    }
}

static void test_content_unpack_file__fails_without_a_trace(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        CLEANUP(world_done) struct world w = world_new();
        struct unpack_file f = UNPACK_FILE_INIT;
        enum unpack_found found = UNPACK_OTHER;
        put(&w, "f", "abcdef");
        fault_arm(n);
        int r = unpack_file_look(w.dir_fd, "f", &digest, 6, &found, &test_err);
        if (r == BERTH_OK)
            r = unpack_file_go_on(w.dir_fd, "f", &digest, &f, &test_err);
        if (r == BERTH_OK)
            r = io_write_all(f.fd, "abcdef", 6, &test_err);
        if (r == BERTH_OK)
            r = unpack_file_keep(&f, false, &test_err);
        bool fired = fault_disarm();
        unpack_file_done(&f);
        CHECK_ROW(n, holds(&w, "f", "abcdef") && count(&w) == 1);
        CHECK_ROW(n, fired || (r == BERTH_OK && found == UNPACK_SAME));
        if (!fired)
            break;
    }
}

#define SET(f) cmocka_unit_test_setup(f, begin)
RUN_TESTS(TEST(test_content_unpack_file__checks_paths),
          TEST(test_content_unpack_file__a_file_has_no_name_before_it_is_whole),
          TEST(test_content_unpack_file__leaves_no_part_of_a_file_behind),
          SET(test_content_unpack_file__stays_for_the_next_process),
          SET(test_content_unpack_file__is_named_over_nothing_but_itself),
          SET(test_content_unpack_file__belongs_to_one_at_a_time),
          SET(test_content_unpack_file__goes_on_with_no_file_that_is_another_one_too),
          SET(test_content_unpack_file__tells_what_is_there),
          SET(test_content_unpack_file__fails_without_a_trace))
