/* tests/unit/content/layout_files.c */
#include "fixture.h"

#include "content/layout_files.h"
#include "util/fault.h"
#include "util/io.h"

static void test_content_layout_files__a_file_has_its_name_when_it_is_whole(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    struct layout_part p = {.fd = -1};
    struct stat st;
    berth_digest d;
    char path[LAYOUT_PATH_MAX];
    digest_of(HASH_SHA256, "abc", 3, &d);
    layout_blob_path(&d, path);
    CHECK(strlen(path) == strlen("blobs/sha256/") + 64 && strstr(path, "/ba7816bf"));
    CHECK_OK(layout_prepare(w.dir_fd, &test_err));
    CHECK_OK(layout_part_open(w.dir_fd, &d, ".part", &p, &test_err));
    CHECK_OK(io_write_all(p.fd, "abc", 3, &test_err));
    CHECK(!exists(w.dir_fd, path) && exists(w.dir_fd, p.part));
    CHECK_OK(layout_part_keep(&p, &test_err));
    layout_part_done(&p);
    CHECK(exists(w.dir_fd, path) && !exists(w.dir_fd, p.part));
    CHECK_OK(layout_part_open(w.dir_fd, &d, ".part", &p, &test_err));
    layout_part_done(&p);
    CHECK(exists(w.dir_fd, path) && !exists(w.dir_fd, p.part));
    CHECK_OK(layout_sync(w.dir_fd, &test_err));
    CHECK_OK(layout_write(w.dir_fd, "index.json", "{}", 2, &test_err));
    CHECK(fstatat(w.dir_fd, "index.json", &st, 0) == 0 && st.st_size == 2);
}

/* Other tools make a folder for what they use alone. */
static void test_content_layout_files__folders_need_not_be_there(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    struct layout_part p = {.fd = -1};
    berth_digest d;
    digest_of(HASH_SHA512, "abc", 3, &d);
    CHECK(mkdirat(w.dir_fd, "blobs", 0755) == 0 && mkdirat(w.dir_fd, "blobs/sha256", 0755) == 0);
    CHECK_OK(layout_sync(w.dir_fd, &test_err));
    CHECK(!exists(w.dir_fd, "blobs/sha512"));
    CHECK_OK(layout_part_open(w.dir_fd, &d, ".part", &p, &test_err));
    CHECK_OK(layout_part_keep(&p, &test_err));
    CHECK(exists(w.dir_fd, p.path));
    CHECK_OK(layout_sync(w.dir_fd, &test_err));
}

static void test_content_layout_files__what_fails_leaves_no_part(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    for (unsigned n = 1;; n++) {
        fault_arm(n);
        int r = layout_prepare(w.dir_fd, &test_err);
        if (r == BERTH_OK)
            r = layout_write(w.dir_fd, "index.json", "{}", 2, &test_err);
        bool fired = fault_disarm();
        CHECK(!exists(w.dir_fd, "index.json.part") && !exists(w.dir_fd, "oci-layout.part"));
        CHECK(r != BERTH_OK || exists(w.dir_fd, "index.json"));
        if (!fired)
            break;
    }
}

RUN_TESTS(TEST(test_content_layout_files__a_file_has_its_name_when_it_is_whole),
          TEST(test_content_layout_files__folders_need_not_be_there),
          TEST(test_content_layout_files__what_fails_leaves_no_part))
