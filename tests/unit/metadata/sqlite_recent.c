/* tests/unit/metadata/sqlite_recent.c - what a thread has read it remembers until somebody writes or a lease
 * is due. That it is remembered shows only in the time that it takes, and here. */
#include "test.h"

#include "metadata/sqlite_private.h"

#define GRACE_MS (INT64_C(1000) * 1000)

static const struct recent_answer *remembered(meta *m, enum recent_kind kind, berth_str name)
{
    struct db *db;
    CHECK_OK(reader_get(sqlite_of(m), "looking", &db, &test_err));
    return recent_find(db, kind, STR("app"), name, true);
}

static void test_metadata_sqlite_recent__tag_manifest_and_blob_until_somebody_writes(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    meta *m;
    berth_digest blob, manifest;
    struct oci_list missing;
    struct oci_stored stored;
    struct meta_blob b;
    CHECK_OK(meta_sqlite_open(":memory:", &(struct meta_times){.grace_ms = GRACE_MS}, &m, &test_err));
    const struct meta_ops *o = m->ops;
    digest_of(HASH_SHA256, "b", 1, &blob);
    digest_of(HASH_SHA256, "m", 1, &manifest);
    berth_str tag = STR("v1");
    struct meta_edge edge = {digest_str(&blob), false};
    struct meta_manifest_put put = {.repo = STR("app"),
                                    .create_repo = true,
                                    .digest = &manifest,
                                    .media_type = STR("t"),
                                    .body = STR("m"),
                                    .blobs = &edge,
                                    .n_blobs = 1,
                                    .tags = &tag,
                                    .n_tags = 1};
    CHECK_OK(o->blob_put(m, STR("app"), true, &blob, STR("b"), &test_err));

    /* No edge holds the blob: only until a lease on it is due, G before its end at 2 G. */
    CHECK_OK(o->blob_get(m, STR("app"), &blob, true, &a, &b, &test_err));
    CHECK(remembered(m, RECENT_BLOB, digest_str(&blob)));
    meta_sqlite_shift_clock(m, GRACE_MS + 1);
    CHECK(!remembered(m, RECENT_BLOB, digest_str(&blob)));
    CHECK_OK(o->blob_get(m, STR("app"), &blob, true, &a, &b, &test_err));
    CHECK(b.lease_due && !remembered(m, RECENT_BLOB, digest_str(&blob)));

    CHECK_OK(o->manifest_put(m, &put, &a, &missing, &test_err));
    meta_sqlite_shift_clock(m, 10 * GRACE_MS);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(o->blob_get(m, STR("app"), &blob, true, &a, &b, &test_err));
        CHECK_OK(o->manifest_get(m, STR("app"), tag, NULL, true, &a, &stored, &test_err));
        CHECK_OK(o->manifest_get(m, STR("app"), STR_NULL, &manifest, true, &a, &stored, &test_err));
        const struct recent_answer *of_blob = remembered(m, RECENT_BLOB, digest_str(&blob)),
                                   *of_tag = remembered(m, RECENT_TAG, tag),
                                   *of_manifest = remembered(m, RECENT_MANIFEST, digest_str(&manifest));
        CHECK_ROW(round, of_blob && str_eq(of_blob->body, STR("b")) && of_blob->until == INT64_MAX);
        CHECK_ROW(round, of_tag && str_eq(of_tag->body, STR("m")) && digest_eq(&of_tag->digest, &manifest));
        CHECK_ROW(round, of_manifest && str_eq(of_manifest->body, STR("m")) && of_manifest->size == 1);
        CHECK_ROW(round, !remembered(m, RECENT_BLOB, tag) && !remembered(m, RECENT_TAG, digest_str(&blob)));
        CHECK_OK(o->blob_put(m, STR("other"), true, &blob, STR("b"), &test_err));
        CHECK_ROW(round, !remembered(m, RECENT_BLOB, digest_str(&blob)));
        CHECK_ROW(round, !remembered(m, RECENT_TAG, tag));
        CHECK_ROW(round, !remembered(m, RECENT_MANIFEST, digest_str(&manifest)));
    }
    o->free(m);
}

/* What was asked for without its bytes says nothing of them. */
static void test_metadata_sqlite_recent__without_bytes_is_none_with_them(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    meta *m;
    berth_digest d;
    struct meta_blob b;
    CHECK_OK(meta_sqlite_open(":memory:", NULL, &m, &test_err));
    digest_of(HASH_SHA256, "b", 1, &d);
    CHECK_OK(m->ops->blob_put(m, STR("app"), true, &d, STR("b"), &test_err));
    CHECK_OK(m->ops->blob_get(m, STR("app"), &d, false, &a, &b, &test_err));
    CHECK(!remembered(m, RECENT_BLOB, digest_str(&d)));
    CHECK_OK(m->ops->blob_get(m, STR("app"), &d, true, &a, &b, &test_err));
    CHECK(str_eq(b.body, STR("b")) && remembered(m, RECENT_BLOB, digest_str(&d)));
    m->ops->free(m);
}

RUN_TESTS(TEST(test_metadata_sqlite_recent__tag_manifest_and_blob_until_somebody_writes),
          TEST(test_metadata_sqlite_recent__without_bytes_is_none_with_them))
