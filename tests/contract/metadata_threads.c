/* tests/contract/metadata_threads.c - many callers at once: none is lost, none harms another, and a promise
 * holds while the collector runs. Checks happen in the test's own thread: the others count. */
#include "contract/metadata.h"

#include <pthread.h>
#include <stdatomic.h>

#define OPS     (f.m->ops)
#define THREADS 16
#define EACH    40

static atomic_int wrong;
static atomic_bool stop;

static void run_threads(void *(*fn)(void *))
{
    pthread_t threads[THREADS];
    size_t numbers[THREADS];
    wrong = 0;
    stop = false;
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, fn, &numbers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void name_digest(berth_digest *d, const char *kind, size_t thread, size_t i)
{
    char name[64];
    int n = snprintf(name, sizeof(name), "%s %zu %zu", kind, thread, i);
    digest_of(HASH_SHA256, name, (size_t)n, d);
}

static int put_referrer(size_t thread, size_t i, const berth_digest *subject, berth_arena *a)
{
    berth_digest d;
    berth_error err;
    struct oci_list missing;
    name_digest(&d, "referrer", thread, i);
    struct meta_manifest_put row = {.repo = STR("app"),
                                    .create_repo = true,
                                    .digest = &d,
                                    .media_type = STR("text/x"),
                                    .artifact_type = STR("sig"),
                                    .subject = digest_str(subject),
                                    .body = STR("{}")};
    return OPS->manifest_put(f.m, &row, a, &missing, &err);
}

static void *push_referrers(void *arg)
{
    size_t thread = *(const size_t *)arg;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    berth_digest subject;
    digest_of(HASH_SHA256, "subject", 7, &subject);
    for (size_t i = 0; i < EACH; i++) {
        berth_digest d;
        struct oci_stored got;
        name_digest(&d, "referrer", thread, i);
        wrong += put_referrer(thread, i, &subject, &a) != BERTH_OK;
        /* a caller sees what it has just written */
        wrong += OPS->manifest_get(f.m, STR("app"), STR_NULL, &d, true, &a, &got, NULL) != BERTH_OK;
    }
    return NULL;
}

static void test_metadata_threads__lose_no_referrer(void **state)
{
    (void)state;
    run_threads(push_referrers);
    assert_int_equal(wrong, 0);
    assert_int_equal(count_referrers("app", "subject"), THREADS * EACH);
    check_sound();
}

/* Every other operation fails its precondition; the neighbours in its transaction must not notice. */
static void *push_good_and_bad(void *arg)
{
    size_t thread = *(const size_t *)arg;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    for (size_t i = 0; i < EACH; i++) {
        berth_digest good, bad, layer;
        berth_error err = BERTH_ERROR_INIT;
        struct oci_list missing = {0};
        name_digest(&good, "good", thread, i);
        name_digest(&bad, "bad", thread, i);
        name_digest(&layer, "absent", thread, i);
        struct meta_edge edge = {digest_str(&layer), false};
        struct meta_manifest_put row = {.repo = STR("app"),
                                        .create_repo = true,
                                        .digest = &bad,
                                        .media_type = STR("text/x"),
                                        .body = STR("{}"),
                                        .blobs = &edge,
                                        .n_blobs = 1};
        wrong += OPS->manifest_put(f.m, &row, &a, &missing, &err) != BERTH_E_NOT_FOUND;
        wrong += missing.n != 1 || strcmp(err.oci_code, "MANIFEST_BLOB_UNKNOWN") != 0;
        row.digest = &good;
        row.n_blobs = 0;
        wrong += OPS->manifest_put(f.m, &row, &a, &missing, &err) != BERTH_OK;
    }
    return NULL;
}

static void test_metadata_threads__fail_alone(void **state)
{
    (void)state;
    run_threads(push_good_and_bad);
    assert_int_equal(wrong, 0);
    struct meta_stats s;
    OPS->stats(f.m, &s);
    assert_int_equal(s.operations, THREADS * EACH);
    assert_int_equal(s.failures, THREADS * EACH);
    CHECK(s.transactions <= s.operations && s.queue == 0);
    CLEANUP(berth_buf_done) berth_buf cursor = BERTH_BUF_INIT(KIB);
    struct oci_list repos, digests, bodies;
    CHECK_OK(
        OPS->manifests_page(f.m, 2 * THREADS * EACH, &cursor, &f.a, &repos, &digests, &bodies, &test_err));
    assert_int_equal(repos.n, THREADS * EACH);
    check_sound();
}

/* All move one tag and read it: it always points at a whole manifest. */
static void *move_a_tag(void *arg)
{
    size_t thread = *(const size_t *)arg;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    for (size_t i = 0; i < EACH; i++) {
        berth_digest d;
        struct oci_list missing;
        struct oci_stored got;
        berth_str tag = STR("latest");
        name_digest(&d, "m", thread, i);
        struct meta_manifest_put row = {.repo = STR("app"),
                                        .create_repo = true,
                                        .digest = &d,
                                        .media_type = STR("text/x"),
                                        .body = digest_str(&d),
                                        .tags = &tag,
                                        .n_tags = 1};
        wrong += OPS->manifest_put(f.m, &row, &a, &missing, NULL) != BERTH_OK;
        wrong += OPS->manifest_get(f.m, STR("app"), tag, NULL, true, &a, &got, NULL) != BERTH_OK;
        wrong += !str_eq(got.body, digest_str(&got.digest));
    }
    return NULL;
}

static void test_metadata_threads__never_see_a_tag_half_moved(void **state)
{
    (void)state;
    run_threads(move_a_tag);
    assert_int_equal(wrong, 0);
    assert_int_equal(count_tags("app"), 1);
}

/* Each moves a tag of its own to and fro, deletes it, and asks after each acknowledgement, with others'
 * commits in between and without: what was read before is never what is said after. */
static void *ask_after_each_move(void *arg)
{
    size_t thread = *(const size_t *)arg;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    char name[32];
    berth_str tag = {name, (size_t)snprintf(name, sizeof(name), "tag-%zu", thread)};
    for (size_t i = 0; i < EACH; i++) {
        berth_digest d;
        struct oci_list missing;
        struct oci_stored got = {.size = 0};
        name_digest(&d, "m", thread, i % 3);
        struct meta_manifest_put row = {.repo = STR("app"),
                                        .create_repo = true,
                                        .digest = &d,
                                        .media_type = STR("text/x"),
                                        .body = digest_str(&d),
                                        .tags = &tag,
                                        .n_tags = 1};
        wrong += OPS->manifest_put(f.m, &row, &a, &missing, NULL) != BERTH_OK;
        for (size_t k = 0; k < 3; k++) {
            bool body = k != 1;
            wrong += OPS->manifest_get(f.m, STR("app"), tag, NULL, body, &a, &got, NULL) != BERTH_OK;
            wrong += !digest_eq(&got.digest, &d) || (body && !str_eq(got.body, digest_str(&d)));
        }
        if (i % 5)
            continue;
        wrong += OPS->tag_delete(f.m, STR("app"), tag, NULL, NULL) != BERTH_OK;
        wrong += OPS->manifest_get(f.m, STR("app"), tag, NULL, true, &a, &got, NULL) != BERTH_E_NOT_FOUND;
    }
    return NULL;
}

static void test_metadata_threads__are_told_what_a_tag_leads_to_now(void **state)
{
    (void)state;
    run_threads(ask_after_each_move);
    assert_int_equal(wrong, 0);
}

/* Only one of those who ask at once holds a session; each record is the last holder's. */
static char shared_session[37];

static void *fight_for_a_session(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < EACH; i++) {
        struct meta_upload u;
        int r = OPS->upload_claim(f.m, STR("app"), str_from(shared_session), NULL, &u, NULL);
        if (r == BERTH_E_BUSY)
            continue;
        wrong += r != BERTH_OK;
        u.size++;
        wrong += OPS->upload_record(f.m, &u, false, NULL) != BERTH_OK;
        stop = true;
    }
    return NULL;
}

static void test_metadata_threads__share_a_session_without_losing_a_byte(void **state)
{
    (void)state;
    struct meta_upload u = {.key = "key"};
    int64_t now;
    CHECK_OK(OPS->now(f.m, &now, &test_err));
    io_random_uuid(u.id);
    u.expires_at = now + HOUR;
    CHECK_OK(OPS->upload_begin(f.m, STR("app"), true, &u, &test_err));
    memcpy(shared_session, u.id, sizeof(u.id));
    struct meta_stats before, after;
    OPS->stats(f.m, &before);
    run_threads(fight_for_a_session);
    OPS->stats(f.m, &after);
    assert_int_equal(wrong, 0);
    CHECK(stop);
    CHECK_OK(OPS->upload_get(f.m, STR("app"), str_from(u.id), NULL, &u, &test_err));
    assert_int_equal(u.size, after.operations - before.operations);
}

/* Pushers whose clock runs ahead against a collector that never rests: what was promised a moment ago is
 * there. */
static void *push_and_rely(void *arg)
{
    size_t thread = *(const size_t *)arg;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    if (thread == 0) {
        while (!stop) {
            struct meta_gc_step step;
            wrong += OPS->gc_step(f.m, 5, &step, NULL) != BERTH_OK;
        }
        return NULL;
    }
    if (thread == 1) {
        for (int i = 0; i < 200; i++)
            later(
                1000); /* a second each: far less than G for each pusher's stretch, far more for the whole */
        return NULL;
    }
    for (size_t i = 0; i < EACH / 2; i++) {
        berth_digest layer, m;
        struct oci_list missing = {0};
        name_digest(&layer, "layer", thread % 4, i); /* four pushers want the same */
        name_digest(&m, "m", thread, i);
        struct meta_edge edge = {digest_str(&layer), false};
        berth_str tag = STR("t");
        struct meta_manifest_put row = {.repo = STR("app"),
                                        .create_repo = true,
                                        .digest = &m,
                                        .media_type = STR("text/x"),
                                        .body = STR("{}"),
                                        .blobs = &edge,
                                        .n_blobs = 1,
                                        .tags = &tag,
                                        .n_tags = 1};
        wrong += OPS->blob_put(f.m, STR("app"), true, &layer, digest_str(&layer), NULL) != BERTH_OK;
        wrong += OPS->manifest_put(f.m, &row, &a, &missing, NULL) != BERTH_OK;
        if (i % 3 == 0)
            wrong += OPS->manifest_delete(f.m, STR("app"), &m, NULL, NULL) != BERTH_OK;
    }
    stop = stop || thread == 2; /* the collector may rest */
    return NULL;
}

static void test_metadata_threads__can_rely_on_their_answers_while_the_collector_runs(void **state)
{
    (void)state;
    reopen_with(&(struct meta_times){
        .grace_ms = 30 * 60000, .drain_ms = 1000, .result_ms = 1000, .untagged_ms = 1000});
    run_threads(push_and_rely);
    assert_int_equal(wrong, 0);
    check_sound();
    later(100 * G);
    CHECK_OK(OPS->repo_delete(f.m, STR("app"), &test_err));
    collect();
    later(100 * G);
    collect();
    struct meta_blob_row *rows;
    size_t n;
    CHECK_OK(OPS->blobs_page(f.m, STR(""), 100, &f.a, &rows, &n, &test_err));
    assert_int_equal(n, 0);
}

const struct CMUnitTest thread_tests[] = {
    FRESH(test_metadata_threads__lose_no_referrer),
    FRESH(test_metadata_threads__fail_alone),
    FRESH(test_metadata_threads__never_see_a_tag_half_moved),
    FRESH(test_metadata_threads__are_told_what_a_tag_leads_to_now),
    FRESH(test_metadata_threads__share_a_session_without_losing_a_byte),
    FRESH(test_metadata_threads__can_rely_on_their_answers_while_the_collector_runs),
};
const size_t thread_tests_n = COUNT(thread_tests);
