/* tests/unit/repo/manifests.c - what a manifest must satisfy, and how it is found again. */
#include "fixture.h"

#define NAME "team/app"

static berth_digest absent(struct fixture *f, unsigned seed)
{
    return digest_sha256(fixture_bytes(f, 20, 1000 + seed));
}

static bool names(const struct oci_list *missing, const berth_digest *d)
{
    for (size_t i = 0; i < missing->n; i++)
        if (str_eq(missing->items[i], digest_str(d)))
            return true;
    return false;
}

static void test_repo_manifests__an_image_is_found_by_tag_and_by_digest(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest d = push_image(&f, NAME, "v1", 1), tagged = tag_digest(&f, NAME, "v1");
    CHECK(digest_eq(&d, &tagged));
    oci_reference ref = {.is_digest = true, .digest = d};
    struct oci_stored m;
    CHECK_OK(repo_manifest_get(f.r, STR(NAME), &ref, true, &f.a, &m, &test_err));
    berth_digest have = digest_sha256(m.body);
    CHECK(digest_eq(&have, &d));
    CHECK_STR(m.media_type, STR(MT_OCI_MANIFEST));
    CHECK_CODE(repo_manifest_get(f.r, STR("team/none"), &ref, true, &f.a, &m, &test_err), BERTH_E_NOT_FOUND);
    assert_string_equal(test_err.oci_code, "NAME_UNKNOWN");
    ref = (oci_reference){.tag = STR("v2")};
    CHECK_CODE(repo_manifest_get(f.r, STR(NAME), &ref, true, &f.a, &m, &test_err), BERTH_E_NOT_FOUND);
    assert_string_equal(test_err.oci_code, "MANIFEST_UNKNOWN");
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_manifests__a_digest_reference_must_fit_the_bytes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest config = push_blob(&f, NAME, STR("{}")), other = absent(&f, 1), d512;
    berth_str text = image_text(&f, &config, NULL, 0, "");
    CHECK_CODE(put_manifest(&f, NAME, other.text, MT_OCI_MANIFEST, text, NULL, &test_err), BERTH_E_DIGEST);
    assert_string_equal(test_err.oci_code, "DIGEST_INVALID");
    digest_of(HASH_SHA512, text.p, text.n, &d512);
    CHECK_OK(put_manifest(&f, NAME, d512.text, MT_OCI_MANIFEST, text, NULL, &test_err));
    CHECK(manifest_is_there(&f, NAME, &d512));
    fixture_done(&f);
}

static void test_repo_manifests__everything_that_is_absent_is_named(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_manifest_stored stored;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest there = push_blob(&f, NAME, STR("{}")),
                 elsewhere = push_blob(&f, "team/other", STR("private"));
    berth_digest layers[] = {absent(&f, 1), there, absent(&f, 2), elsewhere};
    CHECK_CODE(put_manifest(&f, NAME, "v1", MT_OCI_MANIFEST, image_text(&f, &there, layers, 4, ""), &stored,
                            &test_err),
               BERTH_E_NOT_FOUND);
    assert_string_equal(test_err.oci_code, "MANIFEST_BLOB_UNKNOWN");
    assert_int_equal(stored.missing.n, 3);
    CHECK(names(&stored.missing, &layers[0]) && names(&stored.missing, &layers[2]));
    CHECK(names(&stored.missing, &elsewhere)); /* another repository's blob is not ours */
    berth_digest none = tag_digest(&f, NAME, "v1");
    assert_string_equal(none.text, "");

    berth_digest children[] = {push_image(&f, NAME, NULL, 1), absent(&f, 3)};
    CHECK_CODE(
        put_manifest(&f, NAME, "v2", MT_OCI_INDEX, index_text(&f, children, 2, ""), &stored, &test_err),
        BERTH_E_NOT_FOUND);
    assert_int_equal(stored.missing.n, 1);
    CHECK(names(&stored.missing, &children[1]));
    fixture_done(&f);
}

static berth_str cache_text(struct fixture *f, const berth_digest *layer)
{
    return str_from(berth_arena_printf(
        &f->a,
        "{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[{\"mediaType\":"
        "\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"%s\",\"size\":1000}]}",
        layer->text));
}

static void test_repo_manifests__an_index_may_list_blobs(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_manifest_stored stored;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest layer = push_blob(&f, NAME, fixture_bytes(&f, 1000, 1)), none = absent(&f, 1);
    CHECK_OK(put_manifest(&f, NAME, "cache", MT_OCI_INDEX, cache_text(&f, &layer), NULL, &test_err));
    meta_sqlite_shift_clock(f.m, 10 * GRACE_MS);
    collect(&f, NULL);
    CHECK(blob_is_there(&f, NAME, &layer)); /* the index holds it */
    CHECK_CODE(put_manifest(&f, NAME, "v2", MT_OCI_INDEX, cache_text(&f, &none), &stored, &test_err),
               BERTH_E_NOT_FOUND);
    assert_int_equal(stored.missing.n, 1);
    CHECK(names(&stored.missing, &none));

    berth_digest image = push_image(&f, NAME, NULL, 2), odd; /* called a layer, and yet a manifest */
    odd = digest_sha256(cache_text(&f, &image));
    CHECK_OK(put_manifest(&f, NAME, "odd", MT_OCI_INDEX, cache_text(&f, &image), NULL, &test_err));
    CHECK(manifest_is_there(&f, NAME, &odd));
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_manifests__sparse_indexes_follow_the_policy(void **state)
{
    (void)state;
    static const char *const amd[] = {"linux/amd64"}, *const both[] = {"linux/arm64", "linux/amd64"},
                             *const s390[] = {"linux/s390x"};
    static const struct {
        enum repo_sparse sparse;
        const char *const *platforms;
        size_t n;
        bool first_only, second_only,
            none; /* which pushes are accepted; the first child is amd64, the second arm64 */
    } rows[] = {
        {REPO_SPARSE_NONE, NULL, 0, false, false, false},
        {REPO_SPARSE_ALL, NULL, 0, true, true, true},
        {REPO_SPARSE_PLATFORMS, amd, 1, true, false, false},
        {REPO_SPARSE_PLATFORMS, both, 2, false, false, false},
        {REPO_SPARSE_PLATFORMS, s390, 1, true, true, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        fixture_init(&f, FIXTURE_MEMORY);
        f.policy.sparse = rows[i].sparse;
        f.policy.platforms = rows[i].platforms;
        f.policy.n_platforms = rows[i].n;
        fixture_set_policy(&f);
        berth_digest there = push_image(&f, NAME, NULL, 1);
        berth_digest first[] = {there, absent(&f, 1)}, second[] = {absent(&f, 1), there},
                     none[] = {absent(&f, 1), absent(&f, 2)};
        CHECK_ROW(i, (put_manifest(&f, NAME, "a", MT_OCI_INDEX, index_text(&f, first, 2, ""), NULL,
                                   &test_err) == BERTH_OK) == rows[i].first_only);
        CHECK_ROW(i, (put_manifest(&f, NAME, "b", MT_OCI_INDEX, index_text(&f, second, 2, ""), NULL,
                                   &test_err) == BERTH_OK) == rows[i].second_only);
        CHECK_ROW(i, (put_manifest(&f, NAME, "c", MT_OCI_INDEX, index_text(&f, none, 2, ""), NULL,
                                   &test_err) == BERTH_OK) == rows[i].none);
        fixture_done(&f);
    }
}

static void test_repo_manifests__foreign_layers_may_be_absent_where_their_urls_are_allowed(void **state)
{
    (void)state;
    static const char *const good[] = {"https://layers.example/"}, *const bad[] = {
                                                                       "https://layers.example/evil"};
    static const struct {
        const char *const *allow, *const *deny;
        const char *url;
        bool accepted;
    } rows[] = {
        {NULL, NULL, "https://anywhere.example/x", true},
        {good, NULL, "https://layers.example/x", true},
        {good, NULL, "https://anywhere.example/x", false},
        {NULL, bad, "https://layers.example/evil/x", false},
        {good, bad, "https://layers.example/good", true},
        {good, bad, "https://layers.example/evil", false},
    };
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest config = push_blob(&f, NAME, STR("{}")), layer = absent(&f, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        f.policy.urls_allow = rows[i].allow;
        f.policy.n_urls_allow = rows[i].allow ? 1 : 0;
        f.policy.urls_deny = rows[i].deny;
        f.policy.n_urls_deny = rows[i].deny ? 1 : 0;
        fixture_set_policy(&f);
        const char *text =
            berth_arena_printf(&f.a,
                               "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
                               "x\",\"digest\":\"%s\",\"size\":2},\"layers\":[{"
                               "\"mediaType\":\"application/"
                               "vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"%s\",\"size\":9,"
                               "\"urls\":[\"%s\"]}]}",
                               config.text, layer.text, rows[i].url);
        int rc = put_manifest(&f, NAME, "v1", MT_OCI_MANIFEST, str_from(text), NULL, &test_err);
        CHECK_ROW(i, (rc == BERTH_OK) == rows[i].accepted);
        CHECK_ROW(i, rc == BERTH_OK || rc == BERTH_E_INVALID);
    }
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_manifests__schema_1_needs_the_switch(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_str text =
        STR("{\"schemaVersion\":1,\"name\":\"team/app\",\"tag\":\"v1\",\"fsLayers\":[],\"history\":[]}");
    CHECK_CODE(put_manifest(&f, NAME, "v1", MT_DOCKER_SCHEMA1, text, NULL, &test_err), BERTH_E_INVALID);
    assert_string_equal(test_err.oci_code, "MANIFEST_INVALID");
    f.policy.schema1 = true;
    fixture_set_policy(&f);
    CHECK_OK(put_manifest(&f, NAME, "v1", MT_DOCKER_SCHEMA1, text, NULL, &test_err));
    fixture_done(&f);
}

static void test_repo_manifests__types_must_not_contradict_each_other(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest config = push_blob(&f, NAME, STR("{}"));
    berth_str image = image_text(&f, &config, NULL, 0, ""), index = index_text(&f, NULL, 0, "");
    static const char *const wrong[] = {MT_DOCKER_MANIFEST, MT_OCI_INDEX, MT_DOCKER_LIST,
                                        "application/x-tar"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK_ROW(i, put_manifest(&f, NAME, "v1", wrong[i], image, NULL, &test_err) == BERTH_E_INVALID);
    CHECK_CODE(put_manifest(&f, NAME, "v1", MT_OCI_MANIFEST, index, NULL, &test_err), BERTH_E_INVALID);
    CHECK_CODE(put_manifest(&f, NAME, "v1", MT_OCI_MANIFEST, STR("no JSON"), NULL, &test_err),
               BERTH_E_INVALID);
    CHECK_OK(put_manifest(&f, NAME, "v1", MT_OCI_MANIFEST "; charset=utf-8", image, NULL, &test_err));
    CHECK_OK(put_manifest(&f, NAME, "v1", "", index, NULL, &test_err));
    fixture_done(&f);
}

static void test_repo_manifests__a_referrer_may_come_before_its_subject(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_manifest_stored stored;
    struct oci_referrers list;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest config = push_blob(&f, NAME, STR("{}"));
    berth_str subject = image_text(&f, &config, NULL, 0, "");
    berth_digest d = digest_sha256(subject);
    const char *more =
        berth_arena_printf(&f.a,
                           ",\"artifactType\":\"application/x-signature\",\"subject\":{\"mediaType\":\"%s\","
                           "\"digest\":\"%s\",\"size\":%zu},\"annotations\":{\"k\":\"v\"}",
                           MT_OCI_MANIFEST, d.text, subject.n);
    berth_str text = image_text(&f, &config, NULL, 0, more);
    CHECK_OK(put_manifest(&f, NAME, "sig", MT_OCI_MANIFEST, text, &stored, &test_err));
    CHECK(stored.has_subject && digest_eq(&stored.subject, &d));
    CHECK_OK(put_manifest(&f, NAME, "v1", MT_OCI_MANIFEST, subject, &stored, &test_err));
    CHECK(!stored.has_subject);
    CHECK_OK(repo_referrers(f.r, STR(NAME), &d, STR_NULL, STR_NULL, STR_NULL, 10, &f.a, &list, &test_err));
    assert_int_equal(list.n, 1);
    CHECK_STR(list.items[0].artifact_type, STR("application/x-signature"));
    assert_int_equal(list.items[0].size, text.n);
    CHECK_OK(repo_referrers(f.r, STR(NAME), &d, STR("application/other"), STR_NULL, STR_NULL, 10, &f.a, &list,
                            &test_err));
    assert_int_equal(list.n, 0);
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_manifests__tags_become_visible_together_or_not_at_all(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_manifest_stored stored = {0};
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest config = push_blob(&f, NAME, STR("{}")), layer = absent(&f, 1);
    berth_str tags[] = {STR("a"), STR("b"), STR("c")};
    for (int good = 0; good < 2; good++) {
        berth_str text = image_text(&f, &config, &layer, good ? 0 : 1, "");
        struct repo_manifest_put put = {.name = STR(NAME),
                                        .reference = {.is_digest = true, .digest = digest_sha256(text)},
                                        .content_type = STR(MT_OCI_MANIFEST),
                                        .body = text,
                                        .tags = tags,
                                        .n_tags = 3};
        CHECK_CODE(repo_manifest_put(f.r, &put, &f.a, &stored, &test_err),
                   good ? BERTH_OK : BERTH_E_NOT_FOUND);
        for (size_t i = 0; i < COUNT(tags); i++) {
            berth_digest d = tag_digest(&f, NAME, tags[i].p);
            assert_string_equal(d.text, good ? put.reference.digest.text : "");
        }
    }
    struct oci_list list;
    CHECK_OK(repo_tag_list(f.r, STR(NAME), STR("a"), 10, &f.a, &list, &test_err));
    assert_int_equal(list.n, 2);
    CHECK_STR(list.items[1], STR("c"));
    fixture_done(&f);
}

static void test_repo_manifests__the_child_for_a_platform_is_found(void **state)
{
    (void)state;
    struct fixture f;
    struct oci_stored index, child;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest children[] = {push_image(&f, NAME, NULL, 1), push_image(&f, NAME, NULL, 2)};
    CHECK_OK(put_manifest(&f, NAME, "v1", MT_OCI_INDEX, index_text(&f, children, 2, ""), NULL, &test_err));
    oci_reference ref = {.tag = STR("v1")};
    CHECK_OK(repo_manifest_get(f.r, STR(NAME), &ref, true, &f.a, &index, &test_err));
    CHECK_OK(repo_manifest_for_platform(f.r, STR(NAME), &index, STR("linux/arm64"), &f.a, &child, &test_err));
    CHECK(digest_eq(&child.digest, &children[1]));
    CHECK_CODE(
        repo_manifest_for_platform(f.r, STR(NAME), &index, STR("linux/s390x"), &f.a, &child, &test_err),
        BERTH_E_NOT_FOUND);
    CHECK_CODE(repo_manifest_for_platform(f.r, STR(NAME), &index, STR("nonsense"), &f.a, &child, &test_err),
               BERTH_E_INVALID);
    fixture_done(&f);
}

static void test_repo_manifests__a_blob_in_use_is_not_deleted(void **state)
{
    (void)state;
    struct fixture f;
    struct oci_list referrers = {0};
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest d = push_image(&f, NAME, "v1", 1), layer = digest_sha256(fixture_bytes(&f, 1000, 1));
    CHECK_CODE(repo_blob_delete(f.r, STR(NAME), &layer, &f.a, &referrers, &test_err), BERTH_E_CONFLICT);
    assert_int_equal(referrers.n, 1);
    CHECK_STR(referrers.items[0], digest_str(&d));
    oci_reference ref = {.is_digest = true, .digest = d};
    CHECK_OK(repo_manifest_delete(f.r, STR(NAME), &ref, NULL, &test_err));
    berth_digest none = tag_digest(&f, NAME, "v1");
    assert_string_equal(none.text, "");
    CHECK_OK(repo_blob_delete(f.r, STR(NAME), &layer, &f.a, &referrers, &test_err));
    CHECK(!blob_is_there(&f, NAME, &layer));
    check_consistent(&f);
    fixture_done(&f);
}

RUN_TESTS(TEST(test_repo_manifests__an_image_is_found_by_tag_and_by_digest),
          TEST(test_repo_manifests__a_digest_reference_must_fit_the_bytes),
          TEST(test_repo_manifests__everything_that_is_absent_is_named),
          TEST(test_repo_manifests__an_index_may_list_blobs),
          TEST(test_repo_manifests__sparse_indexes_follow_the_policy),
          TEST(test_repo_manifests__foreign_layers_may_be_absent_where_their_urls_are_allowed),
          TEST(test_repo_manifests__schema_1_needs_the_switch),
          TEST(test_repo_manifests__types_must_not_contradict_each_other),
          TEST(test_repo_manifests__a_referrer_may_come_before_its_subject),
          TEST(test_repo_manifests__tags_become_visible_together_or_not_at_all),
          TEST(test_repo_manifests__the_child_for_a_platform_is_found),
          TEST(test_repo_manifests__a_blob_in_use_is_not_deleted))
