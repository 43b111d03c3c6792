/* tests/unit/registry/manifests.c - GET, HEAD, PUT and DELETE of manifests: headers, several tags at once,
 * what is missing by name, the child for clients from before indexes. */
#include "fixture.h"

static void test_registry_manifests__are_given_as_they_came(void **state)
{
    (void)state;
    berth_digest d = push_image("a", "v1", "");
    CHECK_STR(answered("Location"),
              str_from(path_of("https://registry.example:5000/v2/a/manifests/%s", d.text)));
    CHECK_STR(answered("Docker-Content-Digest"), str_from(d.text));
    CHECK(answered("OCI-Subject").p == NULL && answered("OCI-Tag").p == NULL);
    const char *const paths[] = {"/v2/a/manifests/v1", path_of("/v2/a/manifests/%s", d.text)};
    for (size_t i = 0; i < COUNT(paths); i++) {
        CHECK_ROW(i, get(paths[i]) == 200);
        CHECK_STR_ROW(i, answered("Content-Type"), STR(MT_OCI_MANIFEST));
        CHECK_STR_ROW(i, answered("Docker-Content-Digest"), str_from(d.text));
        CHECK_STR_ROW(i, answered("ETag"), str_from(path_of("\"%s\"", d.text)));
        size_t size = asked()->out.n;
        CHECK_ROW(i, ask("HEAD", paths[i], "", STR("")) == 200);
        CHECK_ROW(i, asked()->length == size && asked()->out.n == 0);
    }
    CHECK(ask("GET", paths[0], path_of("If-None-Match: \"%s\"\n", d.text), STR("")) == 304);
    CHECK(ask("DELETE", paths[0], "", STR("")) == 202);
    CHECK(get(paths[0]) == 404 && get(paths[1]) == 200); /* the tag alone */
    CHECK(ask("DELETE", paths[1], "", STR("")) == 202);
    CHECK(get(paths[1]) == 404);
    CHECK(strstr(answer_text(), "MANIFEST_UNKNOWN") != NULL);
}

static void test_registry_manifests__name_their_subject(void **state)
{
    (void)state;
    push_image("a", "v1",
               ",\"subject\":{\"mediaType\":\"" MT_OCI_MANIFEST "\",\"size\":0,\"digest\":\"" EMPTY_DIGEST
               "\"}");
    CHECK_ANSWERED("OCI-Subject", EMPTY_DIGEST);
}

static void test_registry_manifests__say_each_thing_that_is_missing(void **state)
{
    (void)state;
    const char *const type = "Content-Type: " MT_OCI_MANIFEST "\n";
    CHECK(
        ask("PUT", "/v2/a/manifests/v1", type,
            STR("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"size\":0,\"digest\":\"" EMPTY_DIGEST
                "\"},\"layers\":[{\"mediaType\":\"x/y\",\"size\":1,\"digest\":"
                "\"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"}]}")) == 404);
    size_t n = 0;
    for (const char *at = answer_text(); (at = strstr(at, "\"code\":\"MANIFEST_BLOB_UNKNOWN\"")); at++)
        n++;
    assert_int_equal(n, 2);
    CHECK(strstr(answer_text(), "\"detail\":{\"name\":\"a\",\"digest\":\"" EMPTY_DIGEST "\"}") != NULL);
    CHECK(strstr(answer_text(), "\"detail\":{\"name\":\"a\",\"digest\":\"sha256:2cf24dba") != NULL);
    CHECK(strstr(site_log(), "code=MANIFEST_BLOB_UNKNOWN") != NULL);
}

static void test_registry_manifests__refuse_what_they_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *target, *head, *body;
        int status;
        const char *code;
    } rows[] = {
        {"/v2/a/manifests/v1", "", "{}", 400, "MANIFEST_INVALID"},
        {"/v2/a/manifests/v1", "Content-Type: " MT_OCI_MANIFEST "\n", "no json", 400, "MANIFEST_INVALID"},
        {"/v2/a/manifests/" EMPTY_DIGEST, "Content-Type: " MT_OCI_MANIFEST "\n", "{}", 400, "DIGEST_INVALID"},
        {"/v2/a/manifests/v1", "Content-Length: -\n", "", 411, "SIZE_INVALID"},
        {"/v2/a/manifests/" EMPTY_DIGEST "?tag=-x", "", "{}", 400, "MANIFEST_INVALID"},
        {"/v2/a/manifests/" EMPTY_DIGEST "?tag=", "", "{}", 400, "MANIFEST_INVALID"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, ask("PUT", rows[i].target, rows[i].head, str_from(rows[i].body)) == rows[i].status);
        CHECK_ROW(i, strstr(answer_text(), path_of("\"code\":\"%s\"", rows[i].code)) != NULL);
    }
}

static void test_registry_manifests__name_the_url_that_is_not_allowed(void **state)
{
    (void)state;
    static const char *const deny[] = {"http://bad.example/"};
    site.rules.urls_deny = deny;
    site.rules.n_urls_deny = 1;
    site_apply();
    push_blob("a", STR(""));
    CHECK(
        ask("PUT", "/v2/a/manifests/v1", "Content-Type: " MT_OCI_MANIFEST "\n",
            STR("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"size\":0,\"digest\":\"" EMPTY_DIGEST
                "\"},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.nondistributable.v1.tar\","
                "\"size\":0,\"digest\":\"" EMPTY_DIGEST "\",\"urls\":[\"http://bad.example/l\"]}]}")) >= 400);
    CHECK(strstr(answer_text(), "\"detail\":{\"url\":\"http://bad.example/l\"}") != NULL);
}

/* distribution-spec, end-7b: tags beside the digest; clients bound the number of header lines. */
static void test_registry_manifests__set_many_tags_and_name_them_in_few_lines(void **state)
{
    (void)state;
    berth_digest d = push_image("a", "v1", "");
    CHECK(get("/v2/a/manifests/v1") == 200);
    CLEANUP(freep) char *body = str_dup(answer_body());
    CLEANUP(berth_buf_done) berth_buf target = BERTH_BUF_INIT(64 * KIB);
    berth_buf_addf(&target, "/v2/a/manifests/%s?tag=t0", d.text);
    for (unsigned i = 1; i < 45; i++)
        berth_buf_addf(&target, "&tag=t%u", i);
    CHECK(ask("PUT", berth_buf_cstr(&target), "Content-Type: " MT_OCI_MANIFEST "\n", str_from(body)) == 201);
    size_t lines = 0, tags = 0;
    for (size_t i = 0; i < asked()->n_answered; i++)
        if (strcmp(asked()->answered[i].name, "OCI-Tag") == 0) {
            lines++;
            tags++;
            for (const char *at = asked()->answered[i].value; (at = strchr(at, ',')); at++)
                tags++;
        }
    assert_int_equal(lines, 3);
    assert_int_equal(tags, 45);
    CHECK(str_starts(answered("OCI-Tag"), STR("t0, t1, ")));
    CHECK(get("/v2/a/manifests/t44") == 200);
    while (berth_buf_str(&target).n < 20000)
        berth_buf_addf(&target, "&tag=t");
    for (unsigned i = 0; i < 1000; i++)
        berth_buf_addf(&target, "&tag=t");
    CHECK(ask("PUT", berth_buf_cstr(&target), "Content-Type: " MT_OCI_MANIFEST "\n", str_from(body)) == 414);
}

static void test_registry_manifests__give_old_clients_the_child_of_the_default_platform(void **state)
{
    (void)state;
    berth_digest child = push_image("a", NULL, ",\"annotations\":{}");
    berth_digest index =
        push_manifest("a", "multi", MT_OCI_INDEX,
                      str_from(path_of("{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX
                                       "\",\"manifests\":[{\"mediaType\":\"" MT_OCI_MANIFEST
                                       "\",\"size\":1,\"digest\":\"%s\",\"platform\":{\"os\":\"linux\","
                                       "\"architecture\":\"amd64\"}}]}",
                                       child.text)));
    const char *const by_digest = path_of("/v2/a/manifests/%s", index.text);
    const struct {
        const char *platform, *target, *accept;
        bool child;
    } rows[] = {
        {"linux/amd64", "/v2/a/manifests/multi", "Accept: " MT_OCI_MANIFEST "\n", true},
        {"linux/amd64", "/v2/a/manifests/multi", "Accept: " MT_DOCKER_MANIFEST "\n", true},
        {"linux/amd64", "/v2/a/manifests/multi", "Accept: " MT_OCI_MANIFEST "\nAccept: " MT_OCI_INDEX "\n",
         false},
        {"linux/amd64", "/v2/a/manifests/multi", "Accept: " MT_OCI_MANIFEST ", " MT_DOCKER_LIST "\n", false},
        {"linux/amd64", "/v2/a/manifests/multi", "Accept: */*\n", false},
        {"linux/amd64", "/v2/a/manifests/multi", "Accept: text/html\n",
         false}, /* a browser, not an old client */
        {"linux/amd64", "/v2/a/manifests/multi", "", false},
        {"linux/amd64", by_digest, "Accept: " MT_OCI_MANIFEST "\n",
         false}, /* the bytes must fit the digest */
        {"linux/arm64", "/v2/a/manifests/multi", "Accept: " MT_OCI_MANIFEST "\n", false}, /* no such child */
        {NULL, "/v2/a/manifests/multi", "Accept: " MT_OCI_MANIFEST "\n", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        site.api.default_platform = rows[i].platform;
        site_apply();
        for (size_t head = 0; head < 2; head++) {
            CHECK_ROW(i, ask(head ? "HEAD" : "GET", rows[i].target, rows[i].accept, STR("")) == 200);
            CHECK_STR_ROW(i, answered("Docker-Content-Digest"),
                          str_from(rows[i].child ? child.text : index.text));
            CHECK_STR_ROW(i, answered("Vary"), str_from(rows[i].platform ? "Accept" : NULL));
        }
    }
}

RUN_TESTS(SITE_TEST(test_registry_manifests__are_given_as_they_came),
          SITE_TEST(test_registry_manifests__name_their_subject),
          SITE_TEST(test_registry_manifests__say_each_thing_that_is_missing),
          SITE_TEST(test_registry_manifests__refuse_what_they_cannot_be),
          SITE_TEST(test_registry_manifests__name_the_url_that_is_not_allowed),
          SITE_TEST(test_registry_manifests__set_many_tags_and_name_them_in_few_lines),
          SITE_TEST(test_registry_manifests__give_old_clients_the_child_of_the_default_platform))
