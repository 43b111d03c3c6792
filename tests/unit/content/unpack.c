/* tests/unit/content/unpack.c */
#include "fixture.h"

#include "content/unpack.h"
#include "util/io.h"

static void add(berth_buf *out, enum tar_type type, const char *path, const char *link, const char *bytes)
{
    add_entry(
        out,
        &(struct tar_entry){type, path, link, strlen(bytes), 1700000000, type == TAR_FILE ? 04755 : 0700},
        bytes);
}

static int unpack(const struct world *w, const berth_buf *tar, const struct unpack_options *o)
{
    CLEANUP(closep) int fd = openat(w->base_fd, "archive", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_OK(io_write_all(fd, tar->p, tar->n, &test_err));
    return unpack_archive(fd, w->dir_fd, o, &test_err);
}

static const struct unpack_options plain = {.max_bytes = 1000};

static void test_content_unpack__writes_files_folders_and_links(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), text = BERTH_BUF_INIT(MIB);
    struct stat st;
    add(&tar, TAR_FOLDER, "./", "", "");
    add(&tar, TAR_FOLDER, "a/", "", "");
    add(&tar, TAR_FILE, "./a//b/f", "", "text");
    add(&tar, TAR_SYMLINK, "a/l", "../a/b/f", "");
    add(&tar, TAR_HARDLINK, "a/h", "a/b/f", "");
    CHECK_OK(unpack(&w, &tar, &plain));
    CHECK(fstatat(w.dir_fd, "a/b/f", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 4 && st.st_nlink == 2);
    CHECK((st.st_mode & 07777) == 0755 && st.st_mtime == 1700000000); /* never setuid */
    CHECK(fstatat(w.dir_fd, "a/l", &st, 0) == 0 && st.st_size == 4);
    CHECK(exists(w.dir_fd, "a/h"));
}

/* C168. Nothing of these is made, inside or outside. */
static void test_content_unpack__refuses_what_leads_out(void **state)
{
    (void)state;
    static const struct {
        enum tar_type type;
        const char *path, *link;
    } rows[] = {
        {TAR_FILE, "../out", ""},
        {TAR_FILE, "a/../../out", ""},
        {TAR_FILE, "/tmp/out", ""},
        {TAR_FILE, "..", ""},
        {TAR_FILE, "", ""},
        {TAR_FOLDER, "../out", ""},
        {TAR_SYMLINK, "out", "/etc"},
        {TAR_SYMLINK, "out", ".."},
        {TAR_SYMLINK, "out", "a/../.."},
        {TAR_SYMLINK, "a/out", "../.."},
        {TAR_SYMLINK, "a/out", "b/.."},
        {TAR_SYMLINK, "out", ""},
        {TAR_HARDLINK, "out", "../secret"},
        {TAR_HARDLINK, "out", "/etc/passwd"},
        {TAR_HARDLINK, "out", "missing"},
        {TAR_OTHER, "out", ""},
    };
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(closep) int secret = openat(w.base_fd, "secret", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB);
        add(&tar, rows[i].type, rows[i].path, rows[i].link, "");
        CHECK_ROW(i, unpack(&w, &tar, &plain) == BERTH_E_INVALID);
        CHECK_ROW(i, !exists(w.base_fd, "out") && !exists(w.dir_fd, "out") && !exists(w.dir_fd, "a/out"));
    }
}

static void test_content_unpack__never_writes_through_a_link(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB);
    const struct unpack_options over = {.max_bytes = 1000, .overwrite = true};
    CHECK(symlinkat("..", w.dir_fd, "up") == 0 && symlinkat("../file", w.dir_fd, "f") == 0);
    add(&tar, TAR_FILE, "up/out", "", "x");
    CHECK_CODE(unpack(&w, &tar, &over), BERTH_E_INVALID);
    CHECK(!exists(w.base_fd, "out"));
    berth_buf_reset(&tar);
    add(&tar, TAR_FILE, "f", "", "x"); /* the link itself is replaced */
    CHECK_CODE(unpack(&w, &tar, &plain), BERTH_E_EXISTS);
    CHECK_OK(unpack(&w, &tar, &over));
    CHECK(!exists(w.base_fd, "file"));
    berth_buf_reset(&tar); /* an archive that makes its own way */
    add(&tar, TAR_SYMLINK, "d", "sub", "");
    add(&tar, TAR_FILE, "d/out", "", "x");
    CHECK_CODE(unpack(&w, &tar, &plain), BERTH_E_INVALID);
    CHECK(!exists(w.dir_fd, "sub"));
}

static void test_content_unpack__overwrites_only_when_told(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB);
    const struct unpack_options over = {.max_bytes = 1000, .overwrite = true};
    struct stat st;
    add(&tar, TAR_FILE, "f", "", "one");
    CHECK_OK(unpack(&w, &tar, &plain));
    berth_buf_reset(&tar);
    add(&tar, TAR_FILE, "f", "", "second");
    CHECK_CODE(unpack(&w, &tar, &plain), BERTH_E_EXISTS);
    CHECK(fstatat(w.dir_fd, "f", &st, 0) == 0 && st.st_size == 3);
    CHECK_OK(unpack(&w, &tar, &over));
    CHECK(fstatat(w.dir_fd, "f", &st, 0) == 0 && st.st_size == 6);
}

static void test_content_unpack__ends_at_its_bound_and_below_its_path(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB);
    const struct unpack_options small = {.max_bytes = 3}, below = {.max_bytes = 1000, .below = "d/e"};
    add(&tar, TAR_FILE, "d/e/f", "", "four");
    CHECK_CODE(unpack(&w, &tar, &small), BERTH_E_TOO_BIG);
    CHECK(!exists(w.dir_fd, "d/e/f"));
    CHECK_OK(unpack(&w, &tar, &below));
    add(&tar, TAR_FILE, "d/x", "", "");
    CHECK_CODE(unpack(&w, &tar, &(struct unpack_options){.max_bytes = 9, .below = "d/e", .overwrite = true}),
               BERTH_E_INVALID);
    CHECK_CODE(unpack(&w, &(berth_buf){.p = (char[]){"no archive at all"}, .n = 17}, &plain),
               BERTH_E_CORRUPT);
}

/* As after a process that was killed in the middle. What is there and is the same is no other file. */
static void test_content_unpack__comes_again_over_what_it_made(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), other = BERTH_BUF_INIT(MIB);
    add(&tar, TAR_FILE, "a/f", "", "text");
    add(&tar, TAR_SYMLINK, "a/l", "f", "");
    add(&tar, TAR_HARDLINK, "a/h", "a/f", "");
    for (int i = 0; i < 3; i++)
        CHECK_OK(unpack(&w, &tar, &plain));
    static const struct {
        enum tar_type type;
        const char *path, *link, *bytes;
    } rows[] = {{TAR_FILE, "a/f", "", "texT"},  {TAR_FILE, "a/f", "", "text more"},
                {TAR_FILE, "a/l", "", "text"},  {TAR_SYMLINK, "a/l", "h", ""},
                {TAR_SYMLINK, "a/l", "ff", ""}, {TAR_SYMLINK, "a/f", "f", ""},
                {TAR_FILE, "a", "", ""}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        other.n = 0;
        add(&other, rows[i].type, rows[i].path, rows[i].link, rows[i].bytes);
        CHECK_ROW(i, unpack(&w, &other, &plain) == BERTH_E_EXISTS);
    }
}

RUN_TESTS(TEST(test_content_unpack__writes_files_folders_and_links),
          TEST(test_content_unpack__refuses_what_leads_out),
          TEST(test_content_unpack__never_writes_through_a_link),
          TEST(test_content_unpack__overwrites_only_when_told),
          TEST(test_content_unpack__ends_at_its_bound_and_below_its_path),
          TEST(test_content_unpack__comes_again_over_what_it_made))
