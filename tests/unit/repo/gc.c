/* tests/unit/repo/gc.c - the collector end to end: what was promised stays, what nobody needs goes, bytes
 * included. */
#include "fixture.h"

#include <stdatomic.h>

#define NAME "team/app"

static void test_repo_gc__a_blob_without_a_manifest_stays_as_long_as_promised(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_gc_result result;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest d = push_blob(&f, NAME, fixture_bytes(&f, 1000, 1));
    struct repo_blob b;
    for (size_t i = 0; i < 3; i++) { /* a pusher keeps asking, and is told that it exists */
        meta_sqlite_shift_clock(f.m, GRACE_MS + GRACE_MS / 2);
        CHECK_OK(repo_blob_open(f.r, STR(NAME), &d, false, &f.a, &b, &test_err));
        CHECK(b.lease_due);
        CHECK_OK(repo_blob_promise(f.r, STR(NAME), &d, &test_err));
        meta_sqlite_shift_clock(f.m, GRACE_MS - 1);
        collect(&f, &result);
        assert_int_equal(result.blobs, 0);
        CHECK(blob_is_there(&f, NAME, &d));
    }
    meta_sqlite_shift_clock(f.m, 2 * GRACE_MS);
    collect(&f, &result);
    assert_int_equal(result.links, 1);
    assert_int_equal(result.blobs, 1);
    assert_int_equal(result.objects, 0); /* a reader may be under way */
    CHECK(!blob_is_there(&f, NAME, &d));
    assert_int_equal(count_objects(&f), 1);
    meta_sqlite_shift_clock(f.m, DRAIN_MS + 1);
    collect(&f, &result);
    assert_int_equal(result.objects, 1);
    assert_int_equal(result.bytes, 1000);
    assert_int_equal(count_objects(&f), 0);
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_gc__what_a_manifest_holds_stays_for_ever(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_gc_result result;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest children[] = {push_image(&f, NAME, NULL, 1), push_image(&f, NAME, NULL, 2)};
    CHECK_OK(put_manifest(&f, NAME, "v1", MT_OCI_INDEX, index_text(&f, children, 2, ""), NULL, &test_err));
    for (size_t i = 0; i < 3; i++) {
        meta_sqlite_shift_clock(f.m, 10 * GRACE_MS);
        collect(&f, &result);
        assert_int_equal(result.manifests + result.links + result.blobs + result.objects, 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        berth_digest layer = digest_sha256(fixture_bytes(&f, 1000, i + 1));
        assert_int_equal(pull_blob(&f, NAME, &layer).n, 1000);
    }
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_gc__everything_goes_when_everything_was_deleted(void **state)
{
    (void)state;
    for (int store = FIXTURE_MEMORY; store <= FIXTURE_FS; store++)
        for (int whole = 0; whole < 2; whole++) {
            struct fixture f;
            struct oci_list list;
            struct repo_gc_preview plan;
            fixture_init(&f, (enum fixture_store)store);
            berth_digest images[] = {push_image(&f, NAME, "v1", 1), push_image(&f, NAME, "v2", 2)};
            berth_str index = index_text(&f, images, 2, "");
            berth_digest d = digest_sha256(index);
            char id[37];
            uint64_t size;
            repo_upload *u = NULL;
            CHECK_OK(put_manifest(&f, NAME, "all", MT_OCI_INDEX, index, NULL, &test_err));
            CHECK_OK(repo_upload_start(f.r, STR(NAME), HASH_SHA256, id, &test_err));
            CHECK_OK(repo_upload_open(f.r, STR(NAME), str_from(id), NULL, &u, &test_err));
            CHECK_OK(repo_upload_append(u, index.p, index.n, &test_err));
            CHECK_OK(repo_upload_suspend(u, &size, &test_err));
            assert_int_equal(count_objects(&f), 3);
            if (whole) {
                CHECK_OK(repo_delete(f.r, STR(NAME), &test_err));
                CHECK(!manifest_is_there(&f, NAME, &d));
            } else {
                const berth_digest *const all[] = {&d, &images[0], &images[1]};
                for (size_t i = 0; i < COUNT(all); i++) {
                    oci_reference ref = {.is_digest = true, .digest = *all[i]};
                    CHECK_OK(repo_manifest_delete(f.r, STR(NAME), &ref, NULL, &test_err));
                }
            }
            for (size_t i = 0; i < 4; i++) {
                meta_sqlite_shift_clock(f.m, 3 * GRACE_MS);
                collect(&f, NULL);
                check_consistent(&f);
            }
            assert_int_equal(count_objects(&f), 0);
            CHECK_OK(repo_catalog(f.r, STR_NULL, 10, &f.a, &list, &test_err));
            assert_int_equal(list.n, 0);
            CHECK_OK(repo_gc_preview(f.r, &plan, &test_err));
            assert_int_equal(plan.manifests + plan.links + plan.blobs + plan.uploads + plan.objects, 0);
            push_image(&f, NAME, "v1", 1); /* and it may all come back */
            check_consistent(&f);
            fixture_done(&f);
        }
}

static void test_repo_gc__what_was_collected_may_be_pushed_again_before_its_object_is_gone(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_gc_result result;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_str body = fixture_bytes(&f, 1000, 1);
    berth_digest d = push_blob(&f, NAME, body);
    meta_sqlite_shift_clock(f.m, 3 * GRACE_MS);
    collect(&f, &result);
    assert_int_equal(result.blobs, 1);
    push_blob(&f, NAME, body);
    meta_sqlite_shift_clock(f.m, DRAIN_MS + 1);
    collect(&f, &result);
    assert_int_equal(result.objects, 1); /* the first one; the second is another key */
    CHECK_STR(pull_blob(&f, NAME, &d), body);
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_gc__an_object_that_cannot_be_removed_is_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_gc_result result;
    fixture_init(&f, FIXTURE_FAULTY);
    push_blob(&f, NAME, fixture_bytes(&f, 1000, 1));
    meta_sqlite_shift_clock(f.m, 3 * GRACE_MS);
    collect(&f, NULL);
    meta_sqlite_shift_clock(f.m, DRAIN_MS + 1);
    store_faulty_fail(f.s, 1, BERTH_E_IO);
    collect(&f, &result);
    CHECK(store_faulty_fail(f.s, 0, 0));
    assert_int_equal(result.objects, 0);
    assert_int_equal(count_objects(&f), 1);
    check_consistent(&f);
    meta_sqlite_shift_clock(f.m, 24 * 3600 * 1000);
    collect(&f, &result);
    assert_int_equal(result.objects, 1);
    assert_int_equal(count_objects(&f), 0);
    fixture_done(&f);
}

static void test_repo_gc__many_objects_go_in_one_run(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_gc_result result;
    fixture_init(&f, FIXTURE_MEMORY);
    for (unsigned i = 0; i < 250; i++)
        push_blob(&f, NAME, fixture_bytes(&f, 100, i));
    meta_sqlite_shift_clock(f.m, 3 * GRACE_MS);
    collect(&f, &result);
    assert_int_equal(result.blobs, 250);
    meta_sqlite_shift_clock(f.m, DRAIN_MS + 1);
    collect(&f, &result);
    assert_int_equal(result.objects, 250);
    assert_int_equal(count_objects(&f), 0);
    fixture_done(&f);
}

static void test_repo_gc__stopping_leaves_the_rest_for_the_next_run(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_gc_result result;
    _Atomic bool stop = true;
    fixture_init(&f, FIXTURE_MEMORY);
    push_blob(&f, NAME, fixture_bytes(&f, 100, 1));
    meta_sqlite_shift_clock(f.m, 3 * GRACE_MS);
    CHECK_OK(repo_gc(f.r, &stop, &result, &test_err));
    assert_int_equal(result.blobs, 0);
    collect(&f, &result);
    assert_int_equal(result.blobs, 1);
    fixture_done(&f);
}

RUN_TESTS(TEST(test_repo_gc__a_blob_without_a_manifest_stays_as_long_as_promised),
          TEST(test_repo_gc__what_a_manifest_holds_stays_for_ever),
          TEST(test_repo_gc__everything_goes_when_everything_was_deleted),
          TEST(test_repo_gc__what_was_collected_may_be_pushed_again_before_its_object_is_gone),
          TEST(test_repo_gc__an_object_that_cannot_be_removed_is_tried_again),
          TEST(test_repo_gc__many_objects_go_in_one_run),
          TEST(test_repo_gc__stopping_leaves_the_rest_for_the_next_run))
