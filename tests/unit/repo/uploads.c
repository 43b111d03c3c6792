/* tests/unit/repo/uploads.c - the life of an upload session: what is durable when, and who may go on. */
#include "fixture.h"

#define NAME "team/app"

static repo_upload *open_session(struct fixture *f, const char *id, const berth_digest *d)
{
    repo_upload *u = NULL;
    CHECK_OK(repo_upload_open(f->r, STR(NAME), str_from(id), d, &u, &test_err));
    return u;
}

static void start(struct fixture *f, char id[37])
{
    CHECK_OK(repo_upload_start(f->r, STR(NAME), HASH_SHA256, id, &test_err));
}

/* One PATCH. */
static void send_chunk(struct fixture *f, const char *id, berth_str piece, uint64_t offset)
{
    uint64_t size = 0;
    repo_upload *u = open_session(f, id, NULL);
    assert_int_equal(repo_upload_offset(u), offset);
    CHECK_OK(repo_upload_append(u, piece.p, piece.n, &test_err));
    CHECK_OK(repo_upload_suspend(u, &size, &test_err));
    assert_int_equal(size, offset + piece.n);
    CHECK_OK(repo_upload_status(f->r, STR(NAME), str_from(id), &size, &test_err));
    assert_int_equal(size, offset + piece.n);
}

static int finish(struct fixture *f, const char *id, berth_str tail, const berth_digest *d)
{
    repo_upload *u = open_session(f, id, d);
    CHECK_OK(repo_upload_append(u, tail.p, tail.n, &test_err));
    return repo_upload_finish(u, d, &test_err);
}

static void test_repo_uploads__small_blobs_live_in_the_database(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_FS);
    static const size_t sizes[] = {0, 1, FIXTURE_INLINE};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        berth_str body = fixture_bytes(&f, sizes[i], 1);
        berth_digest d = push_blob(&f, NAME, body);
        CHECK_STR_ROW(i, pull_blob(&f, NAME, &d), body);
    }
    assert_int_equal(count_objects(&f), 0);
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_uploads__large_blobs_live_in_the_store(void **state)
{
    (void)state;
    struct fixture f;
    for (int store = FIXTURE_MEMORY; store <= FIXTURE_FS; store++) {
        fixture_init(&f, (enum fixture_store)store);
        static const size_t sizes[] = {FIXTURE_INLINE + 1, 100, 5000};
        for (size_t i = 0; i < COUNT(sizes); i++) {
            berth_str body = fixture_bytes(&f, sizes[i], 2);
            berth_digest d = push_blob(&f, NAME, body);
            CHECK_STR_ROW(i, pull_blob(&f, NAME, &d), body);
            assert_int_equal(count_objects(&f), i + 1);
        }
        check_consistent(&f);
        fixture_done(&f);
    }
}

static void test_repo_uploads__nothing_is_inline_when_the_policy_says_zero(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    f.policy.inline_size = 0;
    fixture_set_policy(&f);
    berth_digest d = push_blob(&f, NAME, STR("x"));
    CHECK_STR(pull_blob(&f, NAME, &d), STR("x"));
    assert_int_equal(count_objects(&f), 1);
    d = push_blob(&f, NAME, STR("")); /* the only one that has no bytes to store */
    CHECK_STR(pull_blob(&f, NAME, &d), STR(""));
    fixture_done(&f);
}

static void test_repo_uploads__chunks_add_up_over_holds(void **state)
{
    (void)state;
    struct fixture f;
    static const size_t cuts[][3] = {
        {0, 0, 0}, {1, 2, 3}, {10, 500, 501}, {64, 65, 1000}, {1000, 1000, 1000}};
    for (int store = FIXTURE_MEMORY; store <= FIXTURE_FS; store++) {
        fixture_init(&f, (enum fixture_store)store);
        for (size_t i = 0; i < COUNT(cuts); i++) {
            char id[37];
            berth_str body = fixture_bytes(&f, 1000, (unsigned)(10 + i));
            berth_digest d = digest_sha256(body);
            size_t at = 0;
            start(&f, id);
            for (size_t k = 0; k < 3; k++) {
                send_chunk(&f, id, (berth_str){body.p + at, cuts[i][k] - at}, at);
                at = cuts[i][k];
            }
            CHECK_OK(finish(&f, id, str_from_offset(body, at), &d));
            CHECK_STR_ROW(i, pull_blob(&f, NAME, &d), body);
        }
        check_consistent(&f);
        fixture_done(&f);
    }
}

static void test_repo_uploads__a_session_may_end_in_any_algorithm(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_FS);
    static const size_t cuts[] = {0, 300};
    static const size_t sizes[] = {50, 2000};
    for (size_t i = 0; i < COUNT(cuts); i++)
        for (size_t k = 0; k < COUNT(sizes); k++)
            for (int announced = 0; announced < 2; announced++) {
                char id[37];
                unsigned seed = (unsigned)(100 * i + 10 * k) + (unsigned)announced;
                berth_str body = fixture_bytes(&f, sizes[k], seed);
                size_t cut = MIN(cuts[i], sizes[k]);
                berth_digest d;
                digest_of(HASH_SHA512, body.p, body.n, &d);
                CHECK_OK(
                    repo_upload_start(f.r, STR(NAME), announced ? HASH_SHA512 : HASH_SHA256, id, &test_err));
                if (cut)
                    send_chunk(&f, id, str_head(body, cut), 0);
                CHECK_OK(finish(&f, id, str_from_offset(body, cut), &d));
                CHECK_STR_ROW(seed, pull_blob(&f, NAME, &d), body);
            }
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_uploads__a_wrong_digest_leaves_the_session_as_it_was(void **state)
{
    (void)state;
    struct fixture f;
    static const size_t cuts[] = {0, 20, 700};
    for (int store = FIXTURE_MEMORY; store <= FIXTURE_FS; store++) {
        fixture_init(&f, (enum fixture_store)store);
        for (size_t i = 0; i < COUNT(cuts); i++) {
            char id[37];
            uint64_t size;
            berth_str body = fixture_bytes(&f, 1000, (unsigned)(20 + i)), wrong = fixture_bytes(&f, 900, 7);
            berth_digest d = digest_sha256(body);
            start(&f, id);
            if (cuts[i])
                send_chunk(&f, id, str_head(body, cuts[i]), 0);
            CHECK_CODE(finish(&f, id, wrong, &d), BERTH_E_DIGEST);
            assert_string_equal(test_err.oci_code, "DIGEST_INVALID");
            CHECK(!blob_is_there(&f, NAME, &d));
            CHECK_OK(repo_upload_status(f.r, STR(NAME), str_from(id), &size, &test_err));
            assert_int_equal(size, cuts[i]);
            CHECK_OK(finish(&f, id, str_from_offset(body, cuts[i]), &d));
            CHECK_STR_ROW(i, pull_blob(&f, NAME, &d), body);
        }
        check_consistent(&f);
        fixture_done(&f);
    }
}

static void test_repo_uploads__abandoning_takes_back_what_the_hold_appended(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_FS);
    char id[37];
    uint64_t size;
    berth_str body = fixture_bytes(&f, 1000, 30);
    berth_digest d = digest_sha256(body);
    start(&f, id);
    for (size_t i = 0; i < 2; i++) { /* before and after a first chunk */
        repo_upload *u = open_session(&f, id, NULL);
        CHECK_OK(repo_upload_append(u, "noise", 5, &test_err));
        CHECK_OK(repo_upload_append(u, body.p, body.n, &test_err));
        repo_upload_abandon(u);
        CHECK_OK(repo_upload_status(f.r, STR(NAME), str_from(id), &size, &test_err));
        assert_int_equal(size, 400 * i);
        if (i == 0) {
            assert_int_equal(count_objects(&f), 0);
            send_chunk(&f, id, str_head(body, 400), 0);
        }
    }
    CHECK_OK(finish(&f, id, str_from_offset(body, 400), &d));
    CHECK_STR(pull_blob(&f, NAME, &d), body);
    fixture_done(&f);
}

static void test_repo_uploads__a_single_upload_leaves_no_session_behind(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_gc_preview plan;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_str body = fixture_bytes(&f, 1000, 31);
    berth_digest d = digest_sha256(STR("other")), right = digest_sha256(body);
    CHECK_CODE(try_push_blob(&f, NAME, &d, body, &test_err), BERTH_E_DIGEST);
    repo_upload *u = NULL;
    CHECK_OK(repo_upload_single(f.r, STR(NAME), &right, &u, &test_err));
    CHECK_OK(repo_upload_append(u, body.p, body.n, &test_err));
    repo_upload_abandon(u);
    assert_int_equal(count_objects(&f), 0);
    meta_sqlite_shift_clock(f.m, 2 * SESSION_MS);
    CHECK_OK(repo_gc_preview(f.r, &plan, &test_err));
    assert_int_equal(plan.uploads, 0);
    fixture_done(&f);
}

static void test_repo_uploads__a_repeated_finish_is_known_for_a_while(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    char id[37];
    berth_str body = fixture_bytes(&f, 1000, 40);
    berth_digest d = digest_sha256(body), other = digest_sha256(STR("other"));
    start(&f, id);
    CHECK(!was_finished(&f, STR(NAME), id, &d));
    CHECK_OK(finish(&f, id, body, &d));
    CHECK(was_finished(&f, STR(NAME), id, &d));
    CHECK(!was_finished(&f, STR(NAME), id, &other));
    CHECK(!was_finished(&f, STR("team/other"), id, &d));
    repo_upload *u = NULL;
    CHECK_CODE(repo_upload_open(f.r, STR(NAME), str_from(id), &d, &u, &test_err), BERTH_E_NOT_FOUND);
    assert_string_equal(test_err.oci_code, "BLOB_UPLOAD_UNKNOWN");
    /* as long as its name would have been good, or a new session could have it */
    meta_sqlite_shift_clock(f.m, SESSION_MS - 20000);
    CHECK(was_finished(&f, STR(NAME), id, &d));
    CHECK_CODE(repo_upload_open(f.r, STR(NAME), str_from(id), &d, &u, &test_err), BERTH_E_NOT_FOUND);
    meta_sqlite_shift_clock(f.m, 21000);
    CHECK(!was_finished(&f, STR(NAME), id, &d));
    CHECK_CODE(repo_upload_open(f.r, STR(NAME), str_from(id), &d, &u, &test_err), BERTH_E_NOT_FOUND);
    fixture_done(&f);
}

static void test_repo_uploads__one_request_holds_a_session_at_a_time(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    char id[37];
    start(&f, id);
    repo_upload *u = open_session(&f, id, NULL), *second = NULL;
    CHECK_CODE(repo_upload_open(f.r, STR(NAME), str_from(id), NULL, &second, &test_err), BERTH_E_BUSY);
    repo_upload_abandon(u);
    repo_upload_abandon(open_session(&f, id, NULL));
    fixture_done(&f);
}

static void test_repo_uploads__a_session_belongs_to_its_repository(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    char id[37], other[37];
    uint64_t size;
    repo_upload *u = NULL;
    start(&f, id);
    CHECK_OK(repo_upload_start(f.r, STR("team/other"), HASH_SHA256, other, &test_err));
    CHECK_CODE(repo_upload_open(f.r, STR("team/other"), str_from(id), NULL, &u, &test_err),
               BERTH_E_NOT_FOUND);
    CHECK_CODE(repo_upload_status(f.r, STR("team/other"), str_from(id), &size, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(repo_upload_cancel(f.r, STR("team/other"), str_from(id), &test_err), BERTH_E_NOT_FOUND);
    CHECK_OK(repo_upload_status(f.r, STR(NAME), str_from(id), &size, &test_err));
    fixture_done(&f);
}

static void test_repo_uploads__cancelling_fences_the_holder_off(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    char id[37];
    uint64_t size;
    berth_str body = fixture_bytes(&f, 1000, 50);
    berth_digest d = digest_sha256(body);
    start(&f, id);
    repo_upload *u = open_session(&f, id, &d);
    CHECK_OK(repo_upload_append(u, body.p, body.n, &test_err));
    CHECK_OK(repo_upload_cancel(f.r, STR(NAME), str_from(id), &test_err));
    CHECK(repo_upload_finish(u, &d, &test_err) != BERTH_OK);
    CHECK(!blob_is_there(&f, NAME, &d));
    CHECK_CODE(repo_upload_status(f.r, STR(NAME), str_from(id), &size, &test_err), BERTH_E_NOT_FOUND);
    check_consistent(&f);
    meta_sqlite_shift_clock(f.m, 2 * DRAIN_MS);
    collect(&f, NULL);
    assert_int_equal(count_objects(&f), 0);
    fixture_done(&f);
}

static void test_repo_uploads__an_expired_session_is_unknown(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    char id[37];
    uint64_t size;
    start(&f, id);
    send_chunk(&f, id, fixture_bytes(&f, 100, 60), 0);
    meta_sqlite_shift_clock(f.m, 2 * SESSION_MS);
    CHECK_CODE(repo_upload_status(f.r, STR(NAME), str_from(id), &size, &test_err), BERTH_E_NOT_FOUND);
    fixture_done(&f);
}

static void test_repo_uploads__equal_blobs_are_stored_once(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_gc_result result;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_str body = fixture_bytes(&f, 1000, 70);
    berth_digest d = push_blob(&f, NAME, body);
    push_blob(&f, "team/other", body);
    check_consistent(&f);
    meta_sqlite_shift_clock(f.m, 2 * DRAIN_MS);
    collect(&f, &result);
    assert_int_equal(result.objects, 1);
    assert_int_equal(count_objects(&f), 1);
    CHECK_STR(pull_blob(&f, NAME, &d), body);
    CHECK_STR(pull_blob(&f, "team/other", &d), body);
    fixture_done(&f);
}

static void test_repo_uploads__a_hold_with_a_failed_append_can_only_be_given_up(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_FAULTY);
    berth_str body = fixture_bytes(&f, 1000, 80);
    berth_digest d = digest_sha256(body);
    repo_upload *u = NULL;
    CHECK_OK(repo_upload_single(f.r, STR(NAME), &d, &u, &test_err));
    CHECK_OK(repo_upload_append(u, body.p, 10, &test_err));
    store_faulty_fail(f.s, 2, BERTH_E_IO); /* what was held back is lost on its way to the store */
    CHECK_CODE(repo_upload_append(u, body.p + 10, 100, &test_err), BERTH_E_IO);
    CHECK(store_faulty_fail(f.s, 0, 0));
    CHECK(repo_upload_append(u, body.p + 10, 990, &test_err) != BERTH_OK);
    CHECK(repo_upload_finish(u, &d, &test_err) != BERTH_OK);
    CHECK(!blob_is_there(&f, NAME, &d));
    CHECK_OK(try_push_blob(&f, NAME, &d, body, &test_err));
    CHECK_STR(pull_blob(&f, NAME, &d), body);
    fixture_done(&f);
}

static void test_repo_uploads__a_long_request_is_recorded_on_the_way(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_FS);
    char id[37];
    uint64_t size;
    size_t piece = 8 * MIB, n = 34; /* beyond one checkpoint */
    char *p = mem_zalloc(1, piece);
    start(&f, id);
    repo_upload *u = open_session(&f, id, NULL);
    for (size_t i = 0; i < n; i++)
        CHECK_OK(repo_upload_append(u, p, piece, &test_err));
    assert_int_equal(repo_upload_offset(u), n * piece);
    repo_upload_abandon(u); /* the client is gone */
    CHECK_OK(repo_upload_status(f.r, STR(NAME), str_from(id), &size, &test_err));
    assert_int_equal(size, 256 * MIB);

    berth_hash h;
    berth_digest d;
    hash_init(&h, HASH_SHA256);
    for (size_t i = 0; i < n; i++)
        hash_update(&h, p, piece);
    digest_from_hash(&h, &d);
    u = open_session(&f, id, &d);
    for (size_t i = 32; i < n; i++)
        CHECK_OK(repo_upload_append(u, p, piece, &test_err));
    CHECK_OK(repo_upload_finish(u, &d, &test_err));
    struct repo_blob b;
    CHECK_OK(repo_blob_open(f.r, STR(NAME), &d, true, &f.a, &b, &test_err));
    assert_int_equal(store_reader_size(b.reader), n * piece);
    store_close(b.reader);
    mem_free(p);
    fixture_done(&f);
}

RUN_TESTS(TEST(test_repo_uploads__small_blobs_live_in_the_database),
          TEST(test_repo_uploads__large_blobs_live_in_the_store),
          TEST(test_repo_uploads__nothing_is_inline_when_the_policy_says_zero),
          TEST(test_repo_uploads__chunks_add_up_over_holds),
          TEST(test_repo_uploads__a_session_may_end_in_any_algorithm),
          TEST(test_repo_uploads__a_wrong_digest_leaves_the_session_as_it_was),
          TEST(test_repo_uploads__abandoning_takes_back_what_the_hold_appended),
          TEST(test_repo_uploads__a_single_upload_leaves_no_session_behind),
          TEST(test_repo_uploads__a_repeated_finish_is_known_for_a_while),
          TEST(test_repo_uploads__one_request_holds_a_session_at_a_time),
          TEST(test_repo_uploads__a_session_belongs_to_its_repository),
          TEST(test_repo_uploads__cancelling_fences_the_holder_off),
          TEST(test_repo_uploads__an_expired_session_is_unknown),
          TEST(test_repo_uploads__equal_blobs_are_stored_once),
          TEST(test_repo_uploads__a_hold_with_a_failed_append_can_only_be_given_up),
          TEST(test_repo_uploads__a_long_request_is_recorded_on_the_way))
