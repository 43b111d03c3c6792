/* tests/contract/metadata_collector.c - promises and the collector: what a client was told holds for G and
 * not much longer, nothing dangles, nothing leaks (docs/internals/collector.md). The clock is moved by hand.
 */
#include "contract/metadata.h"

#define OPS (f.m->ops)

static bool blob_lease_due(const char *repo, const char *name)
{
    struct meta_blob b;
    CHECK_OK(OPS->blob_get(f.m, str_from(repo), dg(name), false, &f.a, &b, &test_err));
    return b.lease_due;
}

static bool manifest_lease_due(const char *repo, const char *name)
{
    struct oci_stored got;
    CHECK_OK(OPS->manifest_get(f.m, str_from(repo), STR_NULL, dg(name), false, &f.a, &got, &test_err));
    return got.lease_due;
}

static void test_metadata_lease__is_due_only_without_an_edge_and_near_its_end(void **state)
{
    (void)state;
    push_blob("app", "layer");
    CHECK(!blob_lease_due("app", "layer")); /* 2G from the push */
    later(G - 60000);
    CHECK(!blob_lease_due("app", "layer"));
    later(120000);
    CHECK(blob_lease_due("app", "layer"));
    CHECK_OK(OPS->blob_lease(f.m, STR("app"), dg("layer"), &test_err));
    CHECK(!blob_lease_due("app", "layer"));
    later(2 * G - 1000);
    CHECK(blob_lease_due("app", "layer"));
    PUSH(.repo = "app", .name = "m", .layers = "layer");
    CHECK(!blob_lease_due("app", "layer")); /* an edge holds it */
    later(100 * G);
    CHECK(!blob_lease_due("app", "layer"));
    collect();
    CHECK(has_blob("app", "layer"));
}

static void test_metadata_lease__is_not_written_more_than_once_in_g(void **state)
{
    (void)state;
    push_blob("app", "layer");
    later(G + 60000);
    CHECK_OK(OPS->blob_lease(f.m, STR("app"), dg("layer"), &test_err)); /* until 3G + 1 min */
    later(G - 120000);
    CHECK_OK(
        OPS->blob_lease(f.m, STR("app"), dg("layer"), &test_err)); /* writes nothing: still more than G */
    later(G + 240000);
    assert_int_equal(collect().links, 1);
}

static void test_metadata_collector__keeps_each_promise_for_g_and_then_forgets(void **state)
{
    (void)state;
    /* pushed, small; pushed, object; mounted; told again by HEAD: nothing refers to them */
    push_blob("src", "mounted");
    PUSH(.repo = "src", .name = "holder", .layers = "mounted", .tags = "v1");
    push_blob("app", "small");
    push_object("app", "object");
    CHECK_OK(OPS->blob_mount(f.m, STR("app"), true, STR("src"), dg("mounted"), NULL, NULL, &test_err));
    push_blob("app", "told");
    later(G + G / 2);
    CHECK_OK(OPS->blob_lease(f.m, STR("app"), dg("told"), &test_err));
    struct meta_gc_step step = collect();
    CHECK(step.links == 0 && step.blobs == 0);
    later(G / 2 - 60000);
    collect();
    CHECK(has_blob("app", "small") && has_blob("app", "object") && has_blob("app", "mounted"));
    later(120000); /* 2G after the push */
    step = collect();
    assert_int_equal(step.links, 3);
    assert_int_equal(step.blobs, 2);
    assert_int_equal(step.bytes, body_of("small").n + body_of("object").n);
    CHECK(has_blob("app", "told") && has_blob("src", "mounted"));
    later(G + G / 2);
    step = collect();
    CHECK(step.links == 1 && step.blobs == 1 && !has_blob("app", "told"));
    later(D + 1);
    assert_int_equal(drain_objects(), 1);
    check_sound();
}

static void test_metadata_collector__gives_what_a_manifest_held_another_g(void **state)
{
    (void)state;
    push_blob("app", "layer");
    PUSH(.repo = "app", .name = "m", .layers = "layer", .tags = "v1");
    later(10 * G);
    collect();
    CHECK(has_blob("app", "layer"));
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("m"), NULL, &test_err));
    later(G - 60000); /* a client told before the deletion may still rely on it */
    collect();
    CHECK(has_blob("app", "layer"));
    later(120000);
    struct meta_gc_step step = collect();
    CHECK(step.links == 1 && step.blobs == 1);
}

static void test_metadata_collector__does_not_take_a_link_that_got_an_edge(void **state)
{
    (void)state;
    push_blob("app", "layer");
    later(2 * G + 1000); /* due, but not collected yet */
    PUSH(.repo = "app", .name = "m", .layers = "layer");
    CHECK(collect().links == 0 && has_blob("app", "layer"));
    /* the other order: collected first, then the manifest is refused */
    push_blob("app", "late");
    later(2 * G + 1000);
    assert_int_equal(collect().links, 1);
    struct oci_list missing = {0};
    CHECK_CODE(put(&(struct put){.repo = "app", .name = "m2", .layers = "late"}, &missing, &test_err),
               BERTH_E_NOT_FOUND);
    assert_int_equal(missing.n, 1);
    check_sound();
}

static void test_metadata_collector__gives_a_blob_that_is_pushed_again_to_its_pusher(void **state)
{
    (void)state;
    const char *first = push_object("app", "layer");
    later(2 * G + 1000);
    struct meta_gc_step step;
    CHECK_OK(OPS->gc_step(f.m, 1, &step, &test_err)); /* the link goes, the blob's review is still to come */
    CHECK(step.links == 1 && step.blobs == 0 && step.more);
    push_blob("app", "layer"); /* finds the row */
    step = collect();
    CHECK(step.blobs == 0 && has_blob("app", "layer"));
    struct meta_blob b;
    CHECK_OK(OPS->blob_get(f.m, STR("app"), dg("layer"), false, &f.a, &b, &test_err));
    CHECK_STR(str_from(b.key), str_from(first));
    later(2 * G + 1000);
    assert_int_equal(collect().blobs, 1);
    const char *second = push_object("app", "layer"); /* after the row went: its own object, which the late
                                                       * removal of the first cannot hit */
    later(D + 1);
    assert_int_equal(drain_objects(), 1);
    enum meta_key_owner owner;
    CHECK_OK(OPS->key_owner(f.m, second, &owner, &test_err));
    assert_int_equal(owner, META_KEY_BLOB);
}

static void test_metadata_collector__keeps_a_link_while_a_mount_relies_on_it(void **state)
{
    (void)state;
    push_blob("one", "layer");
    later(2 * G + 1000);
    CHECK_OK(OPS->blob_mount(f.m, STR("two"), true, STR("one"), dg("layer"), NULL, NULL, &test_err));
    struct meta_gc_step step = collect(); /* the source's own link is over */
    CHECK(step.links == 1 && step.blobs == 0 && has_blob("two", "layer"));
}

/* --- both orders of a request and the step that would take what it relies on --- */

static void test_metadata_collector__and_a_head_of_a_blob_come_in_either_order(void **state)
{
    (void)state;
    push_blob("app", "layer");
    later(2 * G + 1000);
    CHECK_OK(OPS->blob_lease(f.m, STR("app"), dg("layer"), &test_err)); /* told first: stays for G */
    CHECK(collect().links == 0);
    later(G - 60000);
    CHECK(collect().links == 0);
    PUSH(.repo = "app", .name = "m", .layers = "layer");
    push_blob("app", "late");
    later(2 * G + 1000);
    assert_int_equal(collect().links, 1); /* collected first: told that it is not there */
    CHECK_CODE(OPS->blob_lease(f.m, STR("app"), dg("late"), &test_err), BERTH_E_NOT_FOUND);
    CHECK(has_blob("app", "layer"));
    check_sound();
}

static void test_metadata_collector__and_a_mount_come_in_either_order(void **state)
{
    (void)state;
    struct meta_gc_step step;
    push_object("one", "layer");
    later(2 * G + 1000);
    CHECK_OK(OPS->gc_step(f.m, 1, &step, &test_err)); /* the link goes, the blob's row is still there */
    CHECK(step.links == 1 && step.blobs == 0);
    CHECK_CODE(OPS->blob_mount(f.m, STR("two"), true, STR("one"), dg("layer"), NULL, NULL, &test_err),
               BERTH_E_NOT_FOUND);
    CHECK_CODE(OPS->blob_mount(f.m, STR("two"), true, STR_NULL, dg("layer"), NULL, NULL, &test_err),
               BERTH_E_NOT_FOUND);
    CHECK(collect().blobs == 1);
    check_sound();
}

static void test_metadata_collector__and_an_index_come_in_either_order(void **state)
{
    (void)state;
    reopen_with(&(struct meta_times){.grace_ms = G, .drain_ms = D, .result_ms = 600000, .untagged_ms = 1});
    PUSH(.repo = "app", .name = "child");
    later(G + 1000); /* due */
    PUSH(.repo = "app", .name = "index", .children = "child", .tags = "v1");
    CHECK(collect().manifests == 0 && has_manifest("app", "child"));
    PUSH(.repo = "app", .name = "late");
    later(G + 1000);
    assert_int_equal(collect().manifests, 1);
    struct oci_list missing = {0};
    CHECK_CODE(put(&(struct put){.repo = "app", .name = "index2", .children = "late"}, &missing, &test_err),
               BERTH_E_NOT_FOUND);
    assert_int_equal(missing.n, 1);
    CHECK_CODE(OPS->manifest_lease(f.m, STR("app"), dg("late"), &test_err), BERTH_E_NOT_FOUND);
    check_sound();
}

static void test_metadata_collector__and_a_session_come_in_either_order(void **state)
{
    (void)state;
    int64_t now;
    struct meta_upload u[2], got;
    CHECK_OK(OPS->now(f.m, &now, &test_err));
    for (size_t i = 0; i < COUNT(u); i++) {
        u[i] = (struct meta_upload){.expires_at = now + HOUR};
        io_random_uuid(u[i].id);
        io_random_key(u[i].key);
        CHECK_OK(OPS->upload_begin(f.m, STR("app"), true, &u[i], &test_err));
    }
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u[0].id), NULL, &got, &test_err));
    later(HOUR + 1000);
    assert_int_equal(collect().uploads, 1); /* the one that is held stays, and ends as a blob */
    struct meta_commit c = {
        .repo = STR("app"), .id = str_from(u[0].id), .epoch = got.epoch, .digest = dg("layer"), .size = 5};
    CHECK_OK(OPS->upload_commit(f.m, &c, &test_err));
    CHECK_CODE(OPS->upload_claim(f.m, STR("app"), str_from(u[1].id), NULL, &got, &test_err),
               BERTH_E_NOT_FOUND);
    enum meta_key_owner owner;
    for (size_t i = 0; i < COUNT(u); i++) {
        CHECK_OK(OPS->key_owner(f.m, u[i].key, &owner, &test_err));
        CHECK_ROW(i, owner == (i ? META_KEY_GC : META_KEY_BLOB));
    }
    check_sound();
}

/* Who looked up the key before its row went has D to read the object. */
static void test_metadata_collector__leaves_readers_the_time_to_finish(void **state)
{
    (void)state;
    const char *key = push_object("app", "layer");
    struct meta_blob b;
    later(2 * G + 1000);
    CHECK_OK(OPS->blob_get(f.m, STR("app"), dg("layer"), false, &f.a, &b, &test_err));
    CHECK_STR(str_from(b.key), str_from(key));
    CHECK(collect().blobs == 1);
    later(D - 60000);
    assert_int_equal(drain_objects(), 0);
    later(61000);
    assert_int_equal(drain_objects(), 1);
}

static void test_metadata_collector__leaves_untagged_manifests_alone_by_default(void **state)
{
    (void)state;
    PUSH(.repo = "app", .name = "m1", .tags = "v1");
    PUSH(.repo = "app", .name = "m2", .tags = "v1");
    PUSH(.repo = "app", .name = "m3");
    CHECK_OK(OPS->tag_delete(f.m, STR("app"), STR("v1"), NULL, &test_err));
    for (int i = 0; i < 5; i++) {
        later(10 * G);
        assert_int_equal(collect().manifests, 0);
    }
    CHECK(has_manifest("app", "m1") && has_manifest("app", "m2") && has_manifest("app", "m3"));
}

static void test_metadata_collector__removes_untagged_manifests_after_their_time(void **state)
{
    (void)state;
    reopen_with(
        &(struct meta_times){.grace_ms = G, .drain_ms = D, .result_ms = 600000, .untagged_ms = 3 * G});
    push_blob("app", "layer");
    PUSH(.repo = "app", .name = "never");
    PUSH(.repo = "app", .name = "moved", .layers = "layer", .tags = "v1");
    PUSH(.repo = "app", .name = "child");
    PUSH(.repo = "app", .name = "index", .children = "child", .tags = "multi");
    PUSH(.repo = "app", .name = "sig", .subject = "index");
    later(2 * G);
    PUSH(.repo = "app", .name = "stays", .tags = "v1");
    collect();
    later(G + 1000);
    assert_int_equal(collect().manifests, 1);
    CHECK(!has_manifest("app", "never") && has_manifest("app", "moved"));
    later(2 * G);
    assert_int_equal(collect().manifests, 1); /* 3G after its tag moved */
    CHECK(!has_manifest("app", "moved") && has_tag("app", "v1", "stays") && has_tag("app", "multi", "index"));
    CHECK(has_manifest("app", "child") && has_manifest("app", "sig"));
    CHECK_OK(OPS->tag_delete(f.m, STR("app"), STR("multi"), NULL, &test_err));
    later(3 * G + 1000);
    assert_int_equal(collect().manifests,
                     1); /* the index; now its child and its signature have a time of their own */
    later(3 * G + 1000);
    assert_int_equal(collect().manifests, 2);
    CHECK(has_tag("app", "v1", "stays"));
    CHECK(!has_blob("app", "layer"));
    check_sound();
}

static void test_metadata_collector__keeps_an_untagged_manifest_that_was_promised(void **state)
{
    (void)state;
    reopen_with(&(struct meta_times){.grace_ms = G, .drain_ms = D, .result_ms = 600000, .untagged_ms = 1});
    PUSH(.repo = "app", .name = "m"); /* a lease of G: who asks later is promised anew */
    later(G - 60000);
    CHECK(manifest_lease_due("app", "m"));
    CHECK_OK(OPS->manifest_lease(f.m, STR("app"), dg("m"), &test_err));
    CHECK(!manifest_lease_due("app", "m"));
    later(G);
    CHECK(collect().manifests == 0 && has_manifest("app", "m"));
    later(G);
    CHECK(collect().manifests == 1 && !has_manifest("app", "m"));
}

static void test_metadata_collector__finds_untagged_manifests_when_the_setting_is_switched_on(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++)
        PUSH(.repo = i % 2 ? "a" : "b", .name = berth_arena_printf(&f.a, "m%d", i),
             .tags = i == 3 ? "v1" : NULL);
    later(2 * G);
    collect();
    CLEANUP(berth_buf_done) berth_buf cursor = BERTH_BUF_INIT(KIB);
    bool more = true;
    unsigned rounds = 0;
    while (more && rounds++ < 20)
        CHECK_OK(OPS->gc_requeue_untagged(f.m, 2, &cursor, &more, &test_err));
    assert_int_equal(rounds, 4);
    struct meta_gc_step step = collect();
    CHECK(step.next_due != 0 && step.manifests == 0);
}

static void test_metadata_collector__removes_referrers_after_their_subject(void **state)
{
    (void)state;
    push_blob("app", "layer");
    PUSH(.repo = "app", .name = "image", .tags = "v1");
    PUSH(.repo = "app", .name = "sbom", .layers = "layer", .subject = "image", .type = "sbom");
    PUSH(.repo = "app", .name = "sig", .subject = "sbom", .type = "sig"); /* of the referrer */
    PUSH(.repo = "app", .name = "tagged", .subject = "image", .tags = "keep");
    PUSH(.repo = "app", .name = "early", .subject = "not yet there");
    later(5 * G);
    collect();
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("image"), NULL, &test_err));
    assert_int_equal(count_referrers("app", "image"), 2);
    later(G - 60000);
    assert_int_equal(collect().manifests, 0);
    later(120000);
    assert_int_equal(collect().manifests, 1);
    CHECK(!has_manifest("app", "sbom") && has_manifest("app", "sig"));
    later(G + 1000);
    assert_int_equal(collect().manifests, 1);
    CHECK(!has_manifest("app", "sig") && has_tag("app", "keep", "tagged") && has_manifest("app", "early"));
    assert_int_equal(collect().manifests, 0);
    CHECK(!has_blob("app", "layer"));
    check_sound();
}

static void test_metadata_collector__lets_referrers_live_when_their_subject_returns(void **state)
{
    (void)state;
    PUSH(.repo = "app", .name = "image");
    PUSH(.repo = "app", .name = "sig", .subject = "image");
    PUSH(.repo = "app", .name = "again", .subject = "image");
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("image"), NULL, &test_err));
    PUSH(.repo = "app", .name = "image");
    later(10 * G);
    CHECK(collect().manifests == 0 && count_referrers("app", "image") == 2);
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("image"), NULL, &test_err));
    PUSH(.repo = "app", .name = "again",
         .subject = "image"); /* pushed anew: waits for its subject like a new one */
    later(10 * G);
    CHECK(collect().manifests == 1 && has_manifest("app", "again") && !has_manifest("app", "sig"));
}

static void test_metadata_collector__finds_every_referrer_of_a_subject_with_many(void **state)
{
    (void)state;
    enum { MANY = 700 };
    PUSH(.repo = "app", .name = "image");
    PUSH(.repo = "app", .name = "image2");
    for (int i = 0; i < MANY; i++)
        PUSH(.repo = "app", .name = berth_arena_printf(&f.a, "sig%d", i), .subject = "image",
             .type = i % 2 ? "a" : "b");
    for (int i = 0; i < MANY; i++)
        PUSH(.repo = "app", .name = berth_arena_printf(&f.a, "sbom%d", i), .subject = "image2");
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("image"), NULL, &test_err));
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("image2"), NULL, &test_err));
    PUSH(.repo = "app", .name = "image2"); /* back before the collector came by */
    PUSH(.repo = "app", .name = "late", .subject = "image", .type = "c");
    assert_int_equal(collect().manifests, 0);
    later(G + 1000);
    assert_int_equal(collect().manifests, MANY);
    CHECK(has_manifest("app", "late"));
    assert_int_equal(count_referrers("app", "image2"), MANY);
    check_sound();
}

static void test_metadata_collector__keeps_referrers_when_told_to(void **state)
{
    (void)state;
    reopen_with(&(struct meta_times){
        .grace_ms = G, .drain_ms = D, .result_ms = 600000, .untagged_ms = G, .keep_referrers = true});
    PUSH(.repo = "app", .name = "image");
    PUSH(.repo = "app", .name = "sig", .subject = "image");
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("image"), NULL, &test_err));
    later(10 * G);
    CHECK(collect().manifests == 0 && has_manifest("app", "sig"));
}

static void test_metadata_collector__takes_sessions_that_are_over_and_not_held(void **state)
{
    (void)state;
    int64_t now;
    struct meta_upload u[3], got;
    CHECK_OK(OPS->now(f.m, &now, &test_err));
    for (size_t i = 0; i < COUNT(u); i++) {
        u[i] = (struct meta_upload){.expires_at = now + HOUR};
        io_random_uuid(u[i].id);
        io_random_key(u[i].key);
        CHECK_OK(OPS->upload_begin(f.m, STR("app"), true, &u[i], &test_err));
    }
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u[0].id), NULL, &got, &test_err));
    later(HOUR + 1000);
    assert_int_equal(collect().uploads, 2);
    enum meta_key_owner owner;
    for (size_t i = 0; i < COUNT(u); i++) {
        CHECK_OK(OPS->key_owner(f.m, u[i].key, &owner, &test_err));
        CHECK_ROW(i, owner == (i ? META_KEY_GC : META_KEY_UPLOAD));
    }
    got.size = 5;
    got.stored = true;
    got.expires_at = now + 3 * HOUR;
    CHECK_OK(OPS->upload_record(f.m, &got, false, &test_err)); /* its holder goes on undisturbed */
    later(3 * HOUR);
    struct meta_gc_step step = collect();
    CHECK(step.uploads == 1 && step.bytes == 5);
}

static void test_metadata_collector__plans_what_it_would_do(void **state)
{
    (void)state;
    struct meta_gc_plan plan;
    CHECK_OK(OPS->gc_plan(f.m, &plan, &test_err));
    CHECK(plan.links == 0 && plan.blobs == 0 && plan.uploads == 0 && plan.objects == 0 &&
          plan.manifests == 0);
    push_object("app", "loose");
    push_object("app", "held");
    push_object("app", "loose"); /* its second object is waste */
    PUSH(.repo = "app", .name = "image");
    PUSH(.repo = "app", .name = "sig", .subject = "image", .layers = "held");
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("image"), NULL, &test_err));
    struct oci_list l = {0};
    push_object("two", "dropped");
    CHECK_OK(OPS->blob_delete(f.m, STR("two"), dg("dropped"), &f.a, &l, &test_err));
    later(2 * G + 1000);
    CHECK_OK(OPS->gc_plan(f.m, &plan, &test_err));
    assert_int_equal(plan.manifests, 1);
    assert_int_equal(plan.links, 1);
    assert_int_equal(plan.blobs, 2); /* also the one that goes with its last link */
    assert_int_equal(plan.blob_bytes, body_of("dropped").n + body_of("loose").n);
    assert_int_equal(plan.objects, 1);
    assert_int_equal(plan.object_bytes, body_of("loose").n);
    struct meta_gc_plan again;
    CHECK_OK(OPS->gc_plan(f.m, &again, &test_err));
    CHECK(memcmp(&plan, &again, sizeof(plan)) == 0); /* nothing was done */
}

static void test_metadata_collector__tries_a_failed_removal_again_ever_later(void **state)
{
    (void)state;
    push_object("app", "layer");
    const char *waste = push_object("app", "layer");
    struct meta_gc_object *due;
    size_t n;
    later(D + 1);
    int64_t waits[4];
    for (size_t i = 0; i < COUNT(waits); i++) {
        CHECK_OK(OPS->gc_objects(f.m, 10, &f.a, &due, &n, &test_err));
        CHECK_ROW(i, n == 1 && strcmp(due[0].key, waste) == 0 && due[0].attempts == (int)i);
        CHECK_OK(OPS->gc_object_failed(f.m, waste, &test_err));
        for (waits[i] = 0;; waits[i] += 30000) {
            CHECK_OK(OPS->gc_objects(f.m, 10, &f.a, &due, &n, &test_err));
            if (n)
                break;
            later(30000);
        }
        CHECK_ROW(i, waits[i] > (i ? waits[i - 1] : 0));
    }
}

static void test_metadata_collector__drains_a_store_that_nobody_uses_to_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        const char *repo = i % 3 ? "app" : "other", *layer = berth_arena_printf(&f.a, "l%d", i % 7);
        if (i % 2)
            push_object(repo, layer);
        else
            push_blob(repo, layer);
        PUSH(.repo = repo, .name = berth_arena_printf(&f.a, "m%d", i), .layers = layer,
             .tags = i % 4 ? "v1 v2" : NULL);
    }
    PUSH(.repo = "app", .name = "index", .children = "m1 ?absent", .tags = "multi");
    PUSH(.repo = "app", .name = "sig", .subject = "index");
    push_object("third", "alone");
    int64_t now;
    CHECK_OK(OPS->now(f.m, &now, &test_err));
    struct meta_upload u = {.id = "u", .key = "k", .expires_at = now + HOUR};
    CHECK_OK(OPS->upload_begin(f.m, STR("fourth"), true, &u, &test_err));
    CHECK_OK(OPS->repo_delete(f.m, STR("app"), &test_err));
    CHECK_OK(OPS->repo_delete(f.m, STR("other"), &test_err));
    uint64_t repositories = 0;
    for (int i = 0; i < 6; i++) {
        repositories += collect().repositories;
        check_sound();
        later(G + 1000);
        drain_objects();
    }
    assert_int_equal(repositories, 4); /* the empty ones vanish too */
    struct meta_blob_row *rows;
    size_t n;
    CHECK_OK(OPS->blobs_page(f.m, STR(""), 100, &f.a, &rows, &n, &test_err));
    assert_int_equal(n, 0);
    struct meta_gc_step step = collect();
    assert_int_equal(step.next_due, 0);
    CHECK_CODE(OPS->repo_exists(f.m, STR("third"), &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(OPS->repo_exists(f.m, STR("fourth"), &test_err), BERTH_E_NOT_FOUND);
}

static void test_metadata_collector__keeps_an_empty_repository_for_g_and_one_in_use_for_ever(void **state)
{
    (void)state;
    int64_t now;
    CHECK_OK(OPS->now(f.m, &now, &test_err));
    struct meta_upload u = {.id = "u", .key = "k", .expires_at = now + 10 * G};
    CHECK_OK(OPS->upload_begin(f.m, STR("used"), true, &u, &test_err));
    u = (struct meta_upload){.id = "u2", .key = "k2", .expires_at = now + HOUR};
    CHECK_OK(OPS->upload_begin(f.m, STR("left"), true, &u, &test_err));
    later(2 * HOUR);
    assert_int_equal(collect().repositories, 0); /* the session is over, G is not */
    CHECK_OK(OPS->repo_exists(f.m, STR("left"), &test_err));
    later(G);
    assert_int_equal(collect().repositories, 1);
    CHECK_CODE(OPS->repo_exists(f.m, STR("left"), &test_err), BERTH_E_NOT_FOUND);
    CHECK_OK(OPS->repo_exists(f.m, STR("used"), &test_err));
    later(10 * G);
    assert_int_equal(collect().repositories, 1);
}

static void test_metadata_collector__says_when_to_come_again(void **state)
{
    (void)state;
    int64_t before, after;
    CHECK_OK(OPS->now(f.m, &before, &test_err));
    push_blob("app", "layer");
    CHECK_OK(OPS->now(f.m, &after, &test_err));
    int64_t due = collect().next_due; /* the repository's, of G */
    CHECK(due >= before + G && due <= after + G);
    later(G + 1000);
    due = collect().next_due; /* the link's, of 2G */
    CHECK(due >= before + 2 * G && due <= after + 2 * G);
}

const struct CMUnitTest collector_tests[] = {
    FRESH(test_metadata_lease__is_due_only_without_an_edge_and_near_its_end),
    FRESH(test_metadata_lease__is_not_written_more_than_once_in_g),
    FRESH(test_metadata_collector__keeps_each_promise_for_g_and_then_forgets),
    FRESH(test_metadata_collector__gives_what_a_manifest_held_another_g),
    FRESH(test_metadata_collector__does_not_take_a_link_that_got_an_edge),
    FRESH(test_metadata_collector__gives_a_blob_that_is_pushed_again_to_its_pusher),
    FRESH(test_metadata_collector__keeps_a_link_while_a_mount_relies_on_it),
    FRESH(test_metadata_collector__and_a_head_of_a_blob_come_in_either_order),
    FRESH(test_metadata_collector__and_a_mount_come_in_either_order),
    FRESH(test_metadata_collector__and_an_index_come_in_either_order),
    FRESH(test_metadata_collector__and_a_session_come_in_either_order),
    FRESH(test_metadata_collector__leaves_readers_the_time_to_finish),
    FRESH(test_metadata_collector__leaves_untagged_manifests_alone_by_default),
    FRESH(test_metadata_collector__removes_untagged_manifests_after_their_time),
    FRESH(test_metadata_collector__keeps_an_untagged_manifest_that_was_promised),
    FRESH(test_metadata_collector__finds_untagged_manifests_when_the_setting_is_switched_on),
    FRESH(test_metadata_collector__removes_referrers_after_their_subject),
    FRESH(test_metadata_collector__lets_referrers_live_when_their_subject_returns),
    FRESH(test_metadata_collector__finds_every_referrer_of_a_subject_with_many),
    FRESH(test_metadata_collector__keeps_referrers_when_told_to),
    FRESH(test_metadata_collector__takes_sessions_that_are_over_and_not_held),
    FRESH(test_metadata_collector__plans_what_it_would_do),
    FRESH(test_metadata_collector__tries_a_failed_removal_again_ever_later),
    FRESH(test_metadata_collector__drains_a_store_that_nobody_uses_to_nothing),
    FRESH(test_metadata_collector__keeps_an_empty_repository_for_g_and_one_in_use_for_ever),
    FRESH(test_metadata_collector__says_when_to_come_again),
};
const size_t collector_tests_n = COUNT(collector_tests);
