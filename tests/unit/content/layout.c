/* tests/unit/content/layout.c */
#include "layout.h"

static int keep_entry(void *arg, const char *name, const berth_descriptor *d)
{
    berth_buf_addf(arg, "%s %s %llu;", name ? name : "-", d->media_type, (unsigned long long)d->size);
    return name && strcmp(name, "stop") == 0;
}

static void test_content_layout__lists_tags_and_gets_manifests(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB), want = BERTH_BUF_INIT(MIB);
    berth_layout *l = layout_in(&w, true);
    berth_manifest *one = manifest_of("1", NULL), *two = manifest_of("2", NULL), *have = NULL;
    CHECK_CODE(berth_layout_manifest_get(l, NULL, &have, &test_err), BERTH_E_NOT_FOUND);
    CHECK_OK(berth_layout_manifest_put(l, one->digest, one, &test_err));
    CHECK_CODE(berth_layout_manifest_put(l, two->digest, one, &test_err), BERTH_E_DIGEST);
    CHECK_CODE(berth_layout_manifest_put(l, "", one, &test_err), BERTH_E_INVALID);
    CHECK_OK(berth_layout_manifest_put(l, NULL, two, &test_err)); /* no entry */
    CHECK_OK(berth_layout_manifest_get(l, NULL, &have, &test_err));
    CHECK_STR(str_from(have->digest), str_from(one->digest));
    berth_manifest_free(have);
    CHECK_CODE(berth_layout_tag(l, "v1", "v2", &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(berth_layout_tag(l, NULL, ABC, &test_err), BERTH_E_INVALID);
    CHECK_OK(berth_layout_tag(l, NULL, "v1", &test_err));
    CHECK_OK(berth_layout_tag(l, two->digest, "v2", &test_err));
    CHECK_OK(berth_layout_tag(l, two->digest, "v1", &test_err)); /* it moves */
    CHECK_OK(berth_layout_manifest_get(l, "v1", &have, &test_err));
    CHECK_STR(str_from(have->digest), str_from(two->digest));
    berth_manifest_free(have);
    CHECK_OK(berth_layout_list(l, keep_entry, &out, &test_err));
    berth_buf_addf(&want, "v1 %s %zu;v2 %s %zu;", two->media_type, two->size, two->media_type, two->size);
    CHECK_STR(berth_buf_str(&out), berth_buf_str(&want));
    CHECK_OK(berth_layout_tag(l, "v2", "stop", &test_err));
    CHECK_CODE(berth_layout_list(l, keep_entry, &out, &test_err), BERTH_E_CANCELLED);
    CHECK_CODE(berth_layout_untag(l, "v", false, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(berth_layout_untag(l, "", true, &test_err), BERTH_E_INVALID);
    CHECK_OK(berth_layout_untag(l, "stop", false, &test_err));
    CHECK_OK(berth_layout_untag(l, "v1", false, &test_err));
    CHECK_CODE(berth_layout_manifest_get(l, "v1", &have, &test_err), BERTH_E_NOT_FOUND);
    CHECK_OK(berth_layout_untag(l, "v2", false, &test_err)); /* the last name */
    berth_buf_reset(&out);
    CHECK_OK(berth_layout_list(l, keep_entry, &out, &test_err));
    berth_buf_reset(&want);
    berth_buf_addf(&want, "- %s %zu;", two->media_type, two->size);
    CHECK_STR(berth_buf_str(&out), berth_buf_str(&want));
    CHECK_OK(berth_layout_tag(l, two->digest, "v2", &test_err));
    CHECK_OK(berth_layout_tag(l, two->digest, "v3", &test_err));
    CHECK_OK(berth_layout_tag(l, one->digest, "v1", &test_err));
    CHECK_OK(berth_layout_untag(l, "v3", true, &test_err)); /* and v2 with it */
    berth_buf_reset(&out);
    CHECK_OK(berth_layout_list(l, keep_entry, &out, &test_err));
    berth_buf_reset(&want);
    berth_buf_addf(&want, "v1 %s %zu;", one->media_type, one->size);
    CHECK_STR(berth_buf_str(&out), berth_buf_str(&want));
    berth_manifest_free(one);
    berth_manifest_free(two);
    berth_layout_free(l);
}

static void test_content_layout__measures_and_reads_blobs(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
    berth_layout *l = layout_in(&w, true);
    uint64_t size = 7;
    CHECK_CODE(berth_layout_blob_size(l, ABC, &size, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(berth_layout_blob_size(l, "abc", &size, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_layout_blob_get(l, ABC, keep, &out, &test_err), BERTH_E_NOT_FOUND);
    CHECK(size == 7);
    put_abc(l);
    CHECK_OK(berth_layout_blob_size(l, ABC, &size, &test_err));
    CHECK(size == 3);
    CHECK_OK(berth_layout_blob_get(l, ABC, keep, &out, &test_err));
    CHECK_STR(berth_buf_str(&out), STR("abc"));
    berth_layout_free(l);
    berth_layout_free(NULL);
}

RUN_TESTS(TEST(test_content_layout__lists_tags_and_gets_manifests),
          TEST(test_content_layout__measures_and_reads_blobs))
