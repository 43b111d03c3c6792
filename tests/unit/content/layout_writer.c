/* tests/unit/content/layout_writer.c */
#include "layout.h"

#include <dirent.h>

#include "util/fault.h"

/* sha512 of "abc" */
#define ABC_512                                                                                              \
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebb" \
    "d454d4423643ce80e2a9ac94fa54ca49f"

static size_t parts(const struct world *w, const char *folder)
{
    char path[100];
    struct dirent **entries = NULL;
    snprintf(path, sizeof(path), "%s/layout/blobs/%s", w->path, folder);
    int n = scandir(path, &entries, NULL, NULL);
    size_t found = 0;
    for (int i = 0; i < n; i++) {
        found += strchr(entries[i]->d_name, '.') && entries[i]->d_name[0] != '.';
        free(entries[i]);
    }
    free(entries);
    return found;
}

static void test_content_layout_writer__finds_the_digest_on_the_way(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
    berth_layout *l = layout_in(&w, true);
    static const char *const digests[] = {NULL, ABC, ABC_512};
    for (size_t i = 0; i < COUNT(digests); i++) {
        const char *want = digests[i] ? digests[i] : ABC;
        berth_layout_writer *writer = NULL;
        berth_descriptor blob = BERTH_DESCRIPTOR_INIT;
        CHECK_OK(berth_layout_writer_new(l, digests[i], &writer, &test_err));
        CHECK(berth_layout_writer_add(writer, "a", 1) == 0 && berth_layout_writer_add(writer, "bc", 2) == 0);
        CHECK(parts(&w, "") + parts(&w, "sha256") + parts(&w, "sha512") == 1);
        CHECK_OK(berth_layout_writer_finish(writer, &blob, &test_err));
        CHECK_STR(str_from(blob.digest), str_from(want));
        CHECK(blob.size == 3);
        CHECK(berth_layout_writer_add(writer, "d", 1) != 0);
        CHECK_CODE(berth_layout_writer_finish(writer, NULL, &test_err), BERTH_E_INVALID);
        berth_layout_writer_free(writer);
        berth_buf_reset(&out);
        CHECK_OK(berth_layout_blob_get(l, want, keep, &out, &test_err));
        CHECK_STR(berth_buf_str(&out), STR("abc"));
    }
    CHECK(parts(&w, "") + parts(&w, "sha256") + parts(&w, "sha512") == 0);
    berth_layout_free(l);
}

static void test_content_layout_writer__leaves_nothing_of_what_is_not_right(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    berth_layout *l = layout_in(&w, true);
    berth_layout_writer *writer = NULL;
    uint64_t size;
    CHECK_CODE(berth_layout_writer_new(l, "sha256:abc", &writer, &test_err), BERTH_E_INVALID);
    CHECK_OK(berth_layout_writer_new(l, ABC, &writer, &test_err));
    CHECK(berth_layout_writer_add(writer, "abd", 3) == 0);
    CHECK_CODE(berth_layout_writer_finish(writer, NULL, &test_err), BERTH_E_DIGEST);
    berth_layout_writer_free(writer);
    CHECK_OK(berth_layout_writer_new(l, NULL, &writer, &test_err));
    berth_layout_writer_free(writer); /* given up */
    berth_layout_writer_free(NULL);
    CHECK_CODE(berth_layout_blob_size(l, ABC, &size, &test_err), BERTH_E_NOT_FOUND);
    CHECK(parts(&w, "") + parts(&w, "sha256") == 0);
    berth_layout_free(l);
}

/* Whichever call fails: the blob is there as a whole, or nothing is. */
static void test_content_layout_writer__is_whole_or_nothing_when_any_call_fails(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    berth_layout *l = layout_in(&w, true);
    for (unsigned n = 1;; n++) {
        berth_layout_writer *writer = NULL;
        uint64_t size = 0;
        fault_arm(n);
        int r = berth_layout_writer_new(l, NULL, &writer, &test_err);
        if (r == BERTH_OK) {
            berth_layout_writer_add(writer, "abc", 3);
            r = berth_layout_writer_finish(writer, NULL, &test_err);
        }
        bool fired = fault_disarm();
        berth_layout_writer_free(writer);
        CHECK((berth_layout_blob_size(l, ABC, &size, NULL) == BERTH_OK) == (r == BERTH_OK));
        CHECK(parts(&w, "") + parts(&w, "sha256") == 0);
        if (!fired) {
            CHECK_OK(r);
            break;
        }
        CHECK(r != BERTH_OK);
    }
    berth_layout_free(l);
}

RUN_TESTS(TEST(test_content_layout_writer__finds_the_digest_on_the_way),
          TEST(test_content_layout_writer__leaves_nothing_of_what_is_not_right),
          TEST(test_content_layout_writer__is_whole_or_nothing_when_any_call_fails))
