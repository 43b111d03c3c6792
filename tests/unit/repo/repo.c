/* tests/unit/repo/repo.c - the switches, and their change while requests run. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define NAME "team/app"

static void test_repo_repo__read_only_refuses_every_write_and_no_read(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest d = push_image(&f, NAME, "v1", 1), layer = digest_sha256(fixture_bytes(&f, 1000, 1));
    char id[37], open_id[37];
    uint64_t size;
    CHECK_OK(repo_upload_start(f.r, STR(NAME), HASH_SHA256, open_id, &test_err));
    for (int by_policy = 0; by_policy < 2; by_policy++) {
        repo_upload *u = NULL;
        oci_reference ref = {.tag = STR("v1")};
        f.policy.read_only = by_policy;
        fixture_set_policy(&f);
        repo_set_read_only(f.r, !by_policy);
        CHECK(repo_is_read_only(f.r));
        CHECK_CODE(repo_upload_start(f.r, STR(NAME), HASH_SHA256, id, &test_err), BERTH_E_UNSUPPORTED);
        assert_string_equal(test_err.oci_code, "UNSUPPORTED");
        CHECK_CODE(repo_upload_open(f.r, STR(NAME), str_from(open_id), NULL, &u, &test_err),
                   BERTH_E_UNSUPPORTED);
        CHECK_CODE(repo_upload_single(f.r, STR(NAME), &d, &u, &test_err), BERTH_E_UNSUPPORTED);
        CHECK_CODE(repo_upload_cancel(f.r, STR(NAME), str_from(open_id), &test_err), BERTH_E_UNSUPPORTED);
        CHECK_CODE(repo_blob_mount(f.r, STR("team/b"), STR(NAME), &layer, &test_err), BERTH_E_UNSUPPORTED);
        CHECK_CODE(repo_blob_delete(f.r, STR(NAME), &layer, &f.a, NULL, &test_err), BERTH_E_UNSUPPORTED);
        CHECK_CODE(put_manifest(&f, NAME, "v1", "", STR("{}"), NULL, &test_err), BERTH_E_UNSUPPORTED);
        CHECK_CODE(repo_manifest_delete(f.r, STR(NAME), &ref, NULL, &test_err), BERTH_E_UNSUPPORTED);
        CHECK_CODE(repo_delete(f.r, STR(NAME), &test_err), BERTH_E_UNSUPPORTED);
        assert_int_equal(pull_blob(&f, NAME, &layer).n, 1000);
        CHECK_OK(repo_upload_status(f.r, STR(NAME), str_from(open_id), &size, &test_err));
        CHECK(digest_eq(&d, &(berth_digest[]){tag_digest(&f, NAME, "v1")}[0]));
    }
    f.policy.read_only = false;
    fixture_set_policy(&f);
    CHECK(!repo_is_read_only(f.r));
    push_image(&f, NAME, "v2", 2);
    fixture_done(&f);
}

static void test_repo_repo__deletion_has_a_switch_of_its_own(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    f.policy.deletes = false;
    fixture_set_policy(&f);
    berth_digest d = push_image(&f, NAME, "v1", 1), layer = digest_sha256(fixture_bytes(&f, 1000, 1));
    oci_reference refs[] = {{.tag = STR("v1")}, {.is_digest = true, .digest = d}};
    for (size_t i = 0; i < COUNT(refs); i++)
        CHECK_CODE(repo_manifest_delete(f.r, STR(NAME), &refs[i], NULL, &test_err), BERTH_E_UNSUPPORTED);
    CHECK_CODE(repo_blob_delete(f.r, STR(NAME), &layer, &f.a, NULL, &test_err), BERTH_E_UNSUPPORTED);
    CHECK_CODE(repo_delete(f.r, STR(NAME), &test_err), BERTH_E_UNSUPPORTED);
    f.policy.deletes = true;
    fixture_set_policy(&f);
    CHECK_OK(repo_manifest_delete(f.r, STR(NAME), &refs[0], NULL, &test_err));
    CHECK(manifest_is_there(&f, NAME, &d)); /* only its tag is gone */
    CHECK_OK(repo_manifest_delete(f.r, STR(NAME), &refs[1], NULL, &test_err));
    CHECK(!manifest_is_there(&f, NAME, &d));
    fixture_done(&f);
}

static void test_repo_repo__a_push_makes_its_repository_only_where_it_may(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    push_image(&f, NAME, "v1", 1);
    f.policy.auto_create = false;
    fixture_set_policy(&f);
    char id[37];
    berth_str small = STR("x"), large = fixture_bytes(&f, 1000, 3);
    berth_digest d = digest_sha256(small), d_large = digest_sha256(large);
    CHECK_CODE(repo_upload_start(f.r, STR("team/new"), HASH_SHA256, id, &test_err), BERTH_E_NOT_FOUND);
    assert_string_equal(test_err.oci_code, "NAME_UNKNOWN");
    CHECK_CODE(try_push_blob(&f, "team/new", &d, small, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(try_push_blob(&f, "team/new", &d_large, large, &test_err), BERTH_E_NOT_FOUND);
    assert_int_equal(count_objects(&f), 1);
    push_image(&f, NAME, "v2", 2);
    fixture_done(&f);
}

static void test_repo_repo__mounting_needs_a_source_or_the_switch(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest d = push_blob(&f, NAME, STR("shared")), none = digest_sha256(STR("none"));
    CHECK_CODE(repo_blob_mount(f.r, STR("team/b"), STR(NAME), &none, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(repo_blob_mount(f.r, STR("team/b"), STR("team/none"), &d, &test_err), BERTH_E_NOT_FOUND);
    CHECK_OK(repo_blob_mount(f.r, STR("team/b"), STR(NAME), &d, &test_err));
    CHECK_OK(repo_blob_mount(f.r, STR("team/c"), STR_NULL, &d, &test_err));
    f.policy.mount_anywhere = false;
    fixture_set_policy(&f);
    CHECK_CODE(repo_blob_mount(f.r, STR("team/d"), STR_NULL, &d, &test_err), BERTH_E_NOT_FOUND);
    CHECK_STR(pull_blob(&f, "team/b", &d), STR("shared"));
    CHECK_STR(pull_blob(&f, "team/c", &d), STR("shared"));
    CHECK(!blob_is_there(&f, "team/d", &d));
    fixture_done(&f);
}

static void test_repo_repo__the_reserve_keeps_uploads_out_and_pulls_in(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_FS); /* the one that knows its space */
    berth_digest d = push_image(&f, NAME, "v1", 1), layer = digest_sha256(fixture_bytes(&f, 1000, 1));
    char id[37];
    repo_upload *u = NULL;
    f.policy.reserve = UINT64_MAX;
    fixture_set_policy(&f);
    CHECK_CODE(repo_upload_start(f.r, STR(NAME), HASH_SHA256, id, &test_err), BERTH_E_NO_SPACE);
    CHECK_CODE(repo_upload_single(f.r, STR(NAME), &d, &u, &test_err), BERTH_E_NO_SPACE);
    CHECK_CODE(put_manifest(&f, NAME, "v1", "", STR("{}"), NULL, &test_err), BERTH_E_NO_SPACE);
    assert_int_equal(pull_blob(&f, NAME, &layer).n, 1000);
    oci_reference ref = {.is_digest = true, .digest = d};
    CHECK_OK(repo_manifest_delete(f.r, STR(NAME), &ref, NULL, &test_err)); /* that is how space comes back */
    f.policy.reserve = 1;
    fixture_set_policy(&f);
    push_image(&f, NAME, "v2", 2);
    CHECK_OK(repo_upload_single(f.r, STR(NAME), &d, &u, &test_err));
    CHECK_OK(repo_upload_expect(u, 1000, &test_err));
    CHECK_CODE(repo_upload_expect(u, UINT64_MAX, &test_err), BERTH_E_NO_SPACE);
    repo_upload_abandon(u);
    fixture_done(&f);
}

struct reader {
    repo *r;
    atomic_bool stop;
    atomic_ullong sum;
};

static void *read_policy(void *arg)
{
    struct reader *reader = arg;
    while (!atomic_load(&reader->stop)) {
        const struct repo_policy *p = repo_policy_now(reader->r);
        for (size_t i = 0; i < p->n_platforms; i++)
            atomic_fetch_add(&reader->sum, strlen(p->platforms[i]));
    }
    return NULL;
}

static void test_repo_repo__it_may_change_while_it_is_read(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    struct reader reader = {.r = f.r};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_policy, &reader), 0);
    for (unsigned i = 0; i < 200 || !atomic_load(&reader.sum); i++) {
        char text[32]; /* gone when the policy is read: it must have been copied */
        snprintf(text, sizeof(text), "linux/arch%u", i);
        const char *platforms[] = {text, "linux/amd64"};
        f.policy.platforms = platforms;
        f.policy.n_platforms = 1 + i % 2;
        fixture_set_policy(&f);
        memset(text, 0, sizeof(text));
    }
    atomic_store(&reader.stop, true);
    pthread_join(thread, NULL);
    CHECK(str_starts(str_from(repo_policy_now(f.r)->platforms[0]), STR("linux/arch")));
    fixture_done(&f);
}

RUN_TESTS(TEST(test_repo_repo__read_only_refuses_every_write_and_no_read),
          TEST(test_repo_repo__deletion_has_a_switch_of_its_own),
          TEST(test_repo_repo__a_push_makes_its_repository_only_where_it_may),
          TEST(test_repo_repo__mounting_needs_a_source_or_the_switch),
          TEST(test_repo_repo__the_reserve_keeps_uploads_out_and_pulls_in),
          TEST(test_repo_repo__it_may_change_while_it_is_read))
