/* tests/unit/registry/listings.c - tags, catalogue and referrers in pages, and the removal of a repository.
 */
#include "fixture.h"

/* Follows Link from @first on; the pages' bodies after one another, each with a newline. */
static const char *all_pages(const char *first, size_t *ret_pages)
{
    const char *all = "", *next = first;
    *ret_pages = 0;
    while (next) {
        assert_int_equal(get(next), 200);
        all = path_of("%s%s\n", all, answer_text());
        CHECK(++*ret_pages < 10);
        berth_str link = answered("Link"), target, rest;
        next = NULL;
        if (link.p) {
            CHECK(str_cut(str_from_offset(link, 1), '>', &target, &rest));
            CHECK_STR(rest, STR("; rel=\"next\""));
            next = path_of(STR_FMT, STR_ARG(target));
        }
    }
    return all;
}

static void test_registry_listings__give_tags_in_pages(void **state)
{
    (void)state;
    static const char *const tags[] = {"v1", "latest", "V2", "1.0"};
    for (size_t i = 0; i < COUNT(tags); i++)
        push_image("a/b", tags[i], "");
    CHECK(get("/v2/a/b/tags/list") == 200);
    CHECK_ANSWERED("Content-Type", "application/json");
    CHECK_BODY("{\"name\":\"a/b\",\"tags\":[\"1.0\",\"V2\",\"latest\",\"v1\"]}");
    CHECK(answered("Link").p == NULL);
    size_t pages;
    assert_string_equal(all_pages("/v2/a/b/tags/list?n=3", &pages),
                        "{\"name\":\"a/b\",\"tags\":[\"1.0\",\"V2\",\"latest\"]}\n"
                        "{\"name\":\"a/b\",\"tags\":[\"v1\"]}\n");
    all_pages("/v2/a/b/tags/list?n=2", &pages);
    assert_int_equal(pages, 2); /* a full last page has no link to an empty one */
    CHECK(get("/v2/a/b/tags/list?last=V2") == 200);
    CHECK_BODY("{\"name\":\"a/b\",\"tags\":[\"latest\",\"v1\"]}");
    CHECK(get("/v2/a/b/tags/list?n=0") == 200); /* does it exist? */
    CHECK_BODY("{\"name\":\"a/b\",\"tags\":[]}");
    CHECK(answered("Link").p == NULL);
    CHECK(get("/v2/none/tags/list?n=0") == 404);
}

static void test_registry_listings__escape_the_cursor_of_a_page(void **state)
{
    (void)state;
    push_image("a/b", "v1", "");
    push_image("c", "v1", "");
    CHECK(get("/v2/_catalog?n=1") == 200);
    CHECK_BODY("{\"repositories\":[\"a/b\"]}");
    CHECK_ANSWERED("Link", "</v2/_catalog?n=1&last=a%2Fb>; rel=\"next\"");
    CHECK(get("/v2/_catalog?n=1&last=a%2Fb") == 200);
    CHECK_BODY("{\"repositories\":[\"c\"]}");
    CHECK(answered("Link").p == NULL);
}

static void test_registry_listings__give_referrers_by_type_and_in_pages(void **state)
{
    (void)state;
    static const char *const types[] = {"x/sbom+json", "x/sig", "x/sig"};
    push_blob("a", STR(""));
    for (size_t i = 0; i < COUNT(types); i++)
        push_manifest("a", NULL, MT_OCI_MANIFEST,
                      str_from(path_of(
                          "{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_MANIFEST
                          "\",\"artifactType\":\"%s\",\"config\":{\"mediaType\":"
                          "\"application/vnd.oci.empty.v1+json\",\"size\":0,\"digest\":\"" EMPTY_DIGEST
                          "\"},\"layers\":[],\"subject\":{\"mediaType\":\"" MT_OCI_MANIFEST
                          "\",\"size\":0,\"digest\":\"" EMPTY_DIGEST "\"},\"annotations\":{\"nr\":\"%zu\"}}",
                          types[i], i)));
    site.api.page_size = 1;
    site_apply();
    const char *path = "/v2/a/referrers/" EMPTY_DIGEST;
    size_t pages, n = 0;
    const char *all = all_pages(path, &pages);
    assert_int_equal(pages, 3);
    for (size_t i = 0; i < 3; i++) /* each is on one page */
        CHECK_ROW(i, strstr(all, path_of("{\"nr\":\"%zu\"}", i)) != NULL);
    CHECK(get(path) == 200);
    CHECK_ANSWERED("Content-Type", MT_OCI_INDEX);
    CHECK(answered("OCI-Filters-Applied").p == NULL);
    all = all_pages(path_of("%s?artifactType=x%%2Fsig", path), &pages);
    for (const char *at = all; (at = strstr(at, "\"artifactType\":\"x/sig\"")); at++)
        n++;
    assert_int_equal(n, 2);
    CHECK(!strstr(all, "sbom"));
    CHECK_ANSWERED("OCI-Filters-Applied", "artifactType"); /* on the last page, too */
    CHECK(get("/v2/none/referrers/" EMPTY_DIGEST) == 200); /* never 404: distribution-spec, end-12 */
    CHECK_BODY("{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[]}");
    CHECK(get(path_of("%s?artifactType=%%zz", path)) == 400);
    CHECK(get(path_of("%s?lastType=%%zz", path)) == 400);
}

static void test_registry_listings__forget_a_repository_whole(void **state)
{
    (void)state;
    push_image("a", "v1", "");
    push_image("a/b", "v1", "");
    CHECK(ask("DELETE", "/v2/a", "", STR("")) == 202);
    CHECK(get("/v2/a/tags/list") == 404);
    CHECK(get("/v2/a/b/tags/list") == 200); /* not what lies below its name */
    CHECK(ask("DELETE", "/v2/a", "", STR("")) == 404);
    CHECK(strstr(answer_text(), "\"code\":\"NAME_UNKNOWN\"") != NULL);
}

RUN_TESTS(SITE_TEST(test_registry_listings__give_tags_in_pages),
          SITE_TEST(test_registry_listings__escape_the_cursor_of_a_page),
          SITE_TEST(test_registry_listings__give_referrers_by_type_and_in_pages),
          SITE_TEST(test_registry_listings__forget_a_repository_whole))
