/* tests/unit/repo/faults.c - any call may fail, one at a time: nothing is left half done, and the same
 * request works when it is repeated. Needs -Dfault=true; without it each case runs once, unharmed. */
#include "fixture.h"

#include "util/fault.h"

#define NAME "team/app"

#ifndef BERTH_FAULT
static void fault_arm(unsigned nth)
{
    (void)nth;
}

static bool fault_disarm(void)
{
    return false;
}
#endif

/* Everything deleted: the store must end up empty, or somebody lost an object. */
static void check_nothing_remains(struct fixture *f)
{
    repo_delete(f->r, STR(NAME), &test_err);
    for (size_t i = 0; i < 3; i++) {
        meta_sqlite_shift_clock(f->m, 3 * GRACE_MS);
        collect(f, NULL);
    }
    assert_int_equal(count_objects(f), 0);
}

static void test_repo_faults__manifest_put_leaves_nothing_half_done_when_any_call_fails(void **state)
{
    (void)state;
    for (unsigned n = 1, fired = 1; fired; n++) {
        struct fixture f;
        struct repo_manifest_stored stored = {0};
        fixture_init(&f, FIXTURE_MEMORY);
        berth_digest child = push_image(&f, NAME, "old", 1), config = push_blob(&f, NAME, STR("{}")),
                     layer = push_blob(&f, NAME, fixture_bytes(&f, 1000, 2)),
                     moved = tag_digest(&f, NAME, "old");
        berth_str image = image_text(&f, &config, &layer, 1, "");
        berth_digest children[] = {child, digest_sha256(image)};
        CHECK_OK(put_manifest(&f, NAME, children[1].text, "", image, NULL, &test_err));
        berth_str index = index_text(&f, children, 2, "");
        berth_str tags[] = {STR("old"), STR("new")};
        struct repo_manifest_put put = {.name = STR(NAME),
                                        .reference = {.is_digest = true, .digest = digest_sha256(index)},
                                        .content_type = STR(MT_OCI_INDEX),
                                        .body = index,
                                        .tags = tags,
                                        .n_tags = 2};
        fault_arm(n);
        int rc = repo_manifest_put(f.r, &put, &f.a, &stored, &test_err);
        fired = fault_disarm();
        CHECK_ROW(n, fired || rc == BERTH_OK);
        berth_digest old = tag_digest(&f, NAME, "old"), new = tag_digest(&f, NAME, "new");
        const berth_digest *want = rc == BERTH_OK ? &put.reference.digest : &moved;
        CHECK_ROW(n, digest_eq(&old, want));
        CHECK_ROW(n, rc == BERTH_OK ? digest_eq(&new, want) : !new.text[0]);
        CHECK_ROW(n, manifest_is_there(&f, NAME, &put.reference.digest) == (rc == BERTH_OK));
        check_consistent(&f);
        CHECK_OK(repo_manifest_put(f.r, &put, &f.a, &stored, &test_err)); /* the client tries again */
        check_consistent(&f);
        check_nothing_remains(&f);
        fixture_done(&f);
    }
}

static void test_repo_faults__a_whole_blob_leaves_nothing_half_done_when_any_call_fails(void **state)
{
    (void)state;
    static const size_t sizes[] = {20, 1000};
    for (int store = FIXTURE_MEMORY; store <= FIXTURE_FS; store++)
        for (size_t i = 0; i < COUNT(sizes); i++)
            for (unsigned n = 1, fired = 1; fired; n++) {
                struct fixture f;
                fixture_init(&f, (enum fixture_store)store);
                berth_str body = fixture_bytes(&f, sizes[i], 1);
                berth_digest d = digest_sha256(body);
                fault_arm(n);
                int rc = try_push_blob(&f, NAME, &d, body, &test_err);
                fired = fault_disarm();
                CHECK_ROW(n, fired || rc == BERTH_OK);
                CHECK_ROW(n, blob_is_there(&f, NAME, &d) == (rc == BERTH_OK));
                check_consistent(&f);
                CHECK_OK(try_push_blob(&f, NAME, &d, body, &test_err));
                CHECK_STR_ROW(n, pull_blob(&f, NAME, &d), body);
                check_consistent(&f);
                check_nothing_remains(&f);
                fixture_done(&f);
            }
}

/* A PATCH and the closing PUT; what the server acknowledged in *@ret_size. */
static int send(struct fixture *f, const char *id, berth_str body, const berth_digest *d, uint64_t *ret_size)
{
    repo_upload *u = NULL;
    uint64_t at = 0;
    int rc = repo_upload_status(f->r, STR(NAME), str_from(id), &at, &test_err);
    if (rc != BERTH_OK)
        return rc;
    *ret_size = at;
    if (at == 0 && body.n > 300) {
        rc = repo_upload_open(f->r, STR(NAME), str_from(id), NULL, &u, &test_err);
        if (rc == BERTH_OK)
            rc = repo_upload_append(u, body.p, 300, &test_err);
        if (rc != BERTH_OK) {
            repo_upload_abandon(u);
            return rc;
        }
        rc = repo_upload_suspend(u, ret_size, &test_err);
        if (rc != BERTH_OK)
            return rc;
        at = 300;
    }
    rc = repo_upload_open(f->r, STR(NAME), str_from(id), d, &u, &test_err);
    if (rc != BERTH_OK)
        return rc;
    assert_int_equal(repo_upload_offset(u), at);
    rc = repo_upload_append(u, body.p + at, body.n - at, &test_err);
    if (rc != BERTH_OK) {
        repo_upload_abandon(u);
        return rc;
    }
    return repo_upload_finish(u, d, &test_err);
}

static void test_repo_faults__a_session_goes_on_when_any_call_failed(void **state)
{
    (void)state;
    static const size_t sizes[] = {20, 300, 1000};
    for (int store = FIXTURE_MEMORY; store <= FIXTURE_FS; store++)
        for (size_t i = 0; i < COUNT(sizes); i++)
            for (int crash = 0; crash < (store == FIXTURE_FS ? 2 : 1); crash++)
                for (unsigned n = 1, fired = 1; fired; n++) {
                    struct fixture f;
                    char id[37];
                    uint64_t told = 0, size;
                    fixture_init(&f, (enum fixture_store)store);
                    berth_str body = fixture_bytes(&f, sizes[i], 1);
                    berth_digest d;
                    digest_of(n % 2 ? HASH_SHA256 : HASH_SHA512, body.p, body.n, &d);
                    CHECK_OK(repo_upload_start(f.r, STR(NAME), HASH_SHA256, id, &test_err));
                    fault_arm(n);
                    int rc = send(&f, id, body, &d, &told);
                    fired = fault_disarm();
                    CHECK_ROW(n, fired || rc == BERTH_OK);
                    CHECK_ROW(n, blob_is_there(&f, NAME, &d) == (rc == BERTH_OK));
                    if (rc == BERTH_OK) {
                        CHECK_ROW(n, was_finished(&f, STR(NAME), id, &d));
                    } else {
                        if (crash)
                            fixture_restart(&f);
                        check_consistent(&f);
                        CHECK_OK(repo_upload_status(f.r, STR(NAME), str_from(id), &size, &test_err));
                        CHECK_ROW(n, size >= told);
                        CHECK_OK(send(&f, id, body, &d, &told));
                    }
                    CHECK_STR_ROW(n, pull_blob(&f, NAME, &d), body);
                    check_consistent(&f);
                    check_nothing_remains(&f);
                    fixture_done(&f);
                }
}

static void test_repo_faults__a_failing_store_leaves_nothing_half_done(void **state)
{
    (void)state;
    for (unsigned n = 1, fired = 1; fired; n++) {
        struct fixture f;
        char id[37];
        uint64_t told = 0;
        fixture_init(&f, FIXTURE_FAULTY);
        berth_str body = fixture_bytes(&f, 1000, 1);
        berth_digest d;
        digest_of(HASH_SHA512, body.p, body.n, &d); /* not as announced: the store is read again, too */
        CHECK_OK(repo_upload_start(f.r, STR(NAME), HASH_SHA256, id, &test_err));
        store_faulty_fail(f.s, n, n % 2 ? BERTH_E_IO : BERTH_E_NO_SPACE);
        int rc = send(&f, id, body, &d, &told);
        fired = store_faulty_fail(f.s, 0, 0);
        CHECK_ROW(n, fired || rc == BERTH_OK);
        CHECK_ROW(n, blob_is_there(&f, NAME, &d) == (rc == BERTH_OK));
        check_consistent(&f);
        if (rc != BERTH_OK)
            CHECK_OK(send(&f, id, body, &d, &told));
        CHECK_STR_ROW(n, pull_blob(&f, NAME, &d), body);
        check_nothing_remains(&f);
        fixture_done(&f);
    }
}

/* An import may end at any point; what it brought is whole, and the next run brings the rest. */
static void test_repo_faults__an_import_goes_on_when_any_call_failed(void **state)
{
    (void)state;
    struct fixture tree;
    fixture_init(&tree, FIXTURE_MEMORY);
    berth_str layer = fixture_bytes(&tree, 1000, 1);
    berth_digest config = digest_sha256(STR("{}")), l = digest_sha256(layer);
    berth_str image = image_text(&tree, &config, &l, 1, "");
    berth_digest d = digest_sha256(image);
    const struct {
        const berth_digest *d;
        berth_str body;
    } blobs[] = {{&config, STR("{}")}, {&l, layer}, {&d, image}};
    for (size_t i = 0; i < COUNT(blobs); i++)
        fixture_write(&tree,
                      berth_arena_printf(&tree.a, "img/blobs/sha256/%s", strchr(blobs[i].d->text, ':') + 1),
                      blobs[i].body.p, blobs[i].body.n);
    const char *index = berth_arena_printf(&tree.a,
                                           "{\"manifests\":[{\"mediaType\":\"" MT_OCI_MANIFEST
                                           "\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{"
                                           "\"org.opencontainers.image.ref.name\":\"v1\"}}]}",
                                           d.text, image.n);
    fixture_write(&tree, "img/index.json", index, strlen(index));
    fixture_write(&tree, "img/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
    const char *path = berth_arena_printf(&tree.a, "%s/img", tree.dir);
    for (unsigned n = 1, fired = 1; fired; n++) {
        struct fixture f;
        struct repo_import_result r;
        struct repo_import_options o = {.path = path, .name = NAME};
        fixture_init(&f, FIXTURE_MEMORY);
        fault_arm(n);
        int rc = repo_import(f.r, &o, &r, &test_err);
        fired = fault_disarm();
        CHECK_ROW(n, fired || (rc == BERTH_OK && !r.failed));
        berth_digest tagged = tag_digest(&f, NAME, "v1");
        CHECK_ROW(n, rc != BERTH_OK || r.failed || digest_eq(&tagged, &d));
        CHECK_ROW(n, !tagged.text[0] || pull_blob(&f, NAME, &l).n == layer.n);
        check_consistent(&f);
        CHECK_OK(repo_import(f.r, &o, &r, &test_err));
        tagged = tag_digest(&f, NAME, "v1");
        CHECK_ROW(n, digest_eq(&tagged, &d));
        CHECK_STR_ROW(n, pull_blob(&f, NAME, &l), layer);
        check_nothing_remains(&f);
        fixture_done(&f);
    }
    fixture_done(&tree);
}

RUN_TESTS(TEST(test_repo_faults__manifest_put_leaves_nothing_half_done_when_any_call_fails),
          TEST(test_repo_faults__a_whole_blob_leaves_nothing_half_done_when_any_call_fails),
          TEST(test_repo_faults__a_session_goes_on_when_any_call_failed),
          TEST(test_repo_faults__a_failing_store_leaves_nothing_half_done),
          TEST(test_repo_faults__an_import_goes_on_when_any_call_failed))
