/* tests/unit/content/unpack_stage.c */
#include "fixture.h"

#include <stdio.h>
#include <sys/file.h>

#include "content/unpack_stage.h"
#include "util/fault.h"

static void put(int fd, const char *path, const char *text)
{
    CLEANUP(closep) int file = openat(fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
}

static bool holds(int fd, const char *path, const char *text)
{
    char have[64];
    CLEANUP(closep) int file = openat(fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? -1 : read(file, have, sizeof(have));
    return n == (ssize_t)strlen(text) && memcmp(have, text, (size_t)n) == 0;
}

/* A stage with a/b/f in it. */
static struct unpack_stage stage_of(const struct world *w, const char *below)
{
    struct unpack_stage s;
    CHECK_OK(unpack_stage_open(w->dir_fd, below, &s, &test_err));
    CHECK(mkdirat(s.fd, "a", 0755) == 0 && mkdirat(s.fd, "a/b", 0755) == 0);
    put(s.fd, "a/b/f", "new");
    return s;
}

static void test_content_unpack_stage__moves_a_folder_to_its_name(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(unpack_stage_done) struct unpack_stage s = stage_of(&w, "a/b");
    struct stat before, after;
    CHECK(!exists(w.dir_fd, "a") && exists(w.dir_fd, s.name));
    CHECK(fstatat(s.fd, "a", &before, 0) == 0);
    CHECK_OK(unpack_stage_keep(&s, w.dir_fd, false, &test_err));
    CHECK(fstatat(w.dir_fd, "a", &after, 0) == 0 && before.st_ino == after.st_ino);
    CHECK(holds(w.dir_fd, "a/b/f", "new"));
}

/* Where the place may be a file system of its own. */
static void test_content_unpack_stage__stands_as_near_as_there_are_folders(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CHECK(mkdirat(w.dir_fd, "a", 0755) == 0 && symlinkat("..", w.dir_fd, "up") == 0);
    CLEANUP(unpack_stage_done) struct unpack_stage s = stage_of(&w, "./a//b"), link = stage_of(&w, "up/x");
    CLEANUP(closep) int a = openat(w.dir_fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(exists(a, s.name) && exists(w.dir_fd, link.name));
    CHECK_OK(unpack_stage_keep(&s, w.dir_fd, false, &test_err));
    CHECK(holds(w.dir_fd, "a/b/f", "new"));
    CHECK_CODE(unpack_stage_open(w.dir_fd, "../x", &s, &test_err), BERTH_E_INVALID);
}

static void test_content_unpack_stage__fills_folders_that_are_there(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CHECK(mkdirat(w.dir_fd, "a", 0755) == 0 && mkdirat(w.dir_fd, "a/b", 0755) == 0);
    put(w.dir_fd, "a/b/mine", "mine");
    put(w.dir_fd, "a/b/f", "new"); /* the same */
    CLEANUP(unpack_stage_done) struct unpack_stage s = stage_of(&w, NULL);
    put(s.fd, "a/g", "g");
    CHECK(symlinkat("f", s.fd, "a/b/l") == 0 && symlinkat("f", w.dir_fd, "a/b/l") == 0);
    CHECK_OK(unpack_stage_keep(&s, w.dir_fd, false, &test_err));
    CHECK(holds(w.dir_fd, "a/b/mine", "mine") && holds(w.dir_fd, "a/b/f", "new") &&
          holds(w.dir_fd, "a/g", "g"));
}

static void test_content_unpack_stage__changes_nothing_where_something_is_in_the_way(void **state)
{
    (void)state;
    static const struct {
        const char *file, *link;
        int plain, over;
    } rows[] = {
        {"a/b/f", NULL, BERTH_E_EXISTS, BERTH_OK},         /* other bytes */
        {NULL, "a/b/f", BERTH_E_EXISTS, BERTH_OK},         /* a link */
        {"a/b", NULL, BERTH_E_INVALID, BERTH_E_INVALID},   /* a file where a folder shall be */
        {NULL, "a/b", BERTH_E_INVALID, BERTH_E_INVALID},   /* a link to one */
        {"a/b/f/x", NULL, BERTH_E_EXISTS, BERTH_E_EXISTS}, /* a folder where a file shall be */
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int over = 0; over < 2; over++) {
            CLEANUP(world_done) struct world w = world_new();
            CHECK(mkdirat(w.dir_fd, "a", 0755) == 0 && mkdirat(w.base_fd, "b", 0755) == 0);
            if (i != 2 && i != 3)
                CHECK(mkdirat(w.dir_fd, "a/b", 0755) == 0);
            if (i == 4)
                CHECK(mkdirat(w.dir_fd, "a/b/f", 0755) == 0);
            if (rows[i].file)
                put(w.dir_fd, rows[i].file, "old");
            else
                CHECK(symlinkat("../../b", w.dir_fd, rows[i].link) == 0);
            CLEANUP(unpack_stage_done) struct unpack_stage s = stage_of(&w, NULL);
            put(s.fd, "a/0", "first");
            int want = over ? rows[i].over : rows[i].plain;
            CHECK_ROW(i, unpack_stage_keep(&s, w.dir_fd, over, &test_err) == want);
            CHECK_ROW(i, exists(w.dir_fd, "a/0") == (want == BERTH_OK) && !exists(w.base_fd, "b/f"));
            CHECK_ROW(i, want != BERTH_OK || holds(w.dir_fd, "a/b/f", "new"));
        }
}

/* Of any depth, and with links that lead out. */
static void test_content_unpack_stage__removes_all_of_itself_and_no_more(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    struct unpack_stage s = stage_of(&w, NULL);
    CHECK(symlinkat(w.path, s.fd, "a/out") == 0);
    put(w.base_fd, "keep", "keep");
    int at = dup(s.fd);
    for (int i = 0; i < 3000; i++) { /* more than there may be descriptors, and far beyond PATH_MAX */
        CHECK(mkdirat(at, "deep", 0700) == 0);
        int below = openat(at, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        put(at, "f", "f");
        close(at);
        at = below;
    }
    close(at);
    char name[sizeof(s.name)];
    memcpy(name, s.name, sizeof(name));
    unpack_stage_done(&s);
    CHECK(!exists(w.dir_fd, name) && holds(w.base_fd, "keep", "keep"));
}

static void test_content_unpack_stage__sweeps_what_nobody_holds(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    static const char left[] = UNPACK_STAGE_PREFIX "0123456789abcdef0123456789abcdef";
    static const char mine[] = UNPACK_STAGE_PREFIX "mine";
    CHECK(mkdirat(w.dir_fd, "a", 0755) == 0 && mkdirat(w.dir_fd, mine, 0755) == 0);
    CLEANUP(closep) int a = openat(w.dir_fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(mkdirat(w.dir_fd, left, 0700) == 0 && mkdirat(a, left, 0700) == 0);
    CLEANUP(closep) int held = openat(w.dir_fd, left, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(flock(held, LOCK_EX | LOCK_NB) == 0);
    CLEANUP(unpack_stage_done) struct unpack_stage first = stage_of(&w, "a/b"), second = stage_of(&w, "a/b");
    CHECK(exists(w.dir_fd, left) && exists(w.dir_fd, mine) && !exists(a, left));
    CHECK(exists(a, first.name) && exists(a, second.name));
    flock(held, LOCK_UN);
    unpack_stage_done(&second);
    second = stage_of(&w, "a/b");
    CHECK(!exists(w.dir_fd, left) && exists(w.dir_fd, mine) && exists(a, first.name));
}

/* Whatever fails, a folder is there whole or not at all, and nothing stays beside it. */
static void test_content_unpack_stage__is_removed_whatever_fails(void **state)
{
    (void)state;
    for (int filled = 0; filled < 2; filled++) {
        bool fired = true;
        for (unsigned n = 1; fired; n++) {
            CLEANUP(world_done) struct world w = world_new();
            if (filled)
                CHECK(mkdirat(w.dir_fd, "a", 0755) == 0);
            struct unpack_stage s = UNPACK_STAGE_INIT;
            fault_arm(n);
            int r = unpack_stage_open(w.dir_fd, "a/b", &s, &test_err);
            if (r == BERTH_OK) {
                CHECK(mkdirat(s.fd, "a", 0755) == 0 && mkdirat(s.fd, "a/b", 0755) == 0);
                put(s.fd, "a/b/f", "new");
                r = unpack_stage_keep(&s, w.dir_fd, false, &test_err);
            }
            fired = fault_disarm();
            char name[sizeof(s.name)];
            memcpy(name, s.name, sizeof(name));
            CLEANUP(closep) int a = openat(w.dir_fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            unpack_stage_done(&s);
            CHECK(r == BERTH_OK ? holds(w.dir_fd, "a/b/f", "new") : !exists(w.dir_fd, "a/b"));
            CHECK(!*name || (!exists(w.dir_fd, name) && (a < 0 || !exists(a, name))));
            CHECK(r == BERTH_OK || fired);
        }
    }
}

RUN_TESTS(TEST(test_content_unpack_stage__moves_a_folder_to_its_name),
          TEST(test_content_unpack_stage__stands_as_near_as_there_are_folders),
          TEST(test_content_unpack_stage__fills_folders_that_are_there),
          TEST(test_content_unpack_stage__changes_nothing_where_something_is_in_the_way),
          TEST(test_content_unpack_stage__removes_all_of_itself_and_no_more),
          TEST(test_content_unpack_stage__is_removed_whatever_fails),
          TEST(test_content_unpack_stage__sweeps_what_nobody_holds))
