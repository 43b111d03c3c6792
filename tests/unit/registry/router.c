/* tests/unit/registry/router.c - the table of routes, what is unknown, what takes which method, what a
 * name may hold, where the work is done. */
#include "fixture.h"

static void test_registry_router__knows_each_path_by_its_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        int status;
        const char *code; /* of the refusal; NULL: none */
    } rows[] = {
        {"GET", "/v2/", 200, NULL},
        {"GET", "/v2", 200, NULL},
        {"HEAD", "/v2/", 200, NULL},
        {"GET", "/v2//", 404, "UNSUPPORTED"},
        {"GET", "/", 404, "UNSUPPORTED"},
        {"GET", "/v1/", 404, "UNSUPPORTED"},
        {"GET", "/v2/_catalog/", 200, NULL},
        {"GET", "/v2/_oci/ext/discover", 200, NULL},
        {"GET", "/v2/a/b/_oci/ext/discover", 200, NULL},
        {"GET", "/v2/a/tags/list", 404, "NAME_UNKNOWN"},
        {"GET", "/v2/a/b/c/tags/list/", 404, "NAME_UNKNOWN"},
        {"GET", "/v2/A/tags/list", 400, "NAME_INVALID"},
        {"GET", "/v2/a..b/tags/list", 400, "NAME_INVALID"},
        {"GET", "/v2/a/manifests/v1", 404, "NAME_UNKNOWN"},
        {"GET", "/v2/a/manifests/manifests/manifests/v1", 404,
         "NAME_UNKNOWN"}, /* a name may hold our words */
        {"GET", "/v2/a/manifests/b%2Fc", 404, "MANIFEST_UNKNOWN"},
        {"PUT", "/v2/a/manifests/b%2Fc", 400, "MANIFEST_INVALID"},
        {"GET", "/v2/a/blobs/" EMPTY_DIGEST, 404, "NAME_UNKNOWN"},
        {"GET", "/v2/a/blobs/sha256:abc", 400, "DIGEST_INVALID"},
        {"GET", "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", 400, "DIGEST_INVALID"},
        {"GET", "/v2/a/referrers/" EMPTY_DIGEST, 200, NULL},
        {"GET", "/v2/a/blobs/uploads/none", 404, "BLOB_UPLOAD_UNKNOWN"},
        {"GET", "/v2/a/%zz/list", 404, "UNSUPPORTED"},
        {"GET", "/v2/%zz/tags/list", 400, "UNSUPPORTED"},
        {"GET", "/v2/a%2Fb/tags/list", 404, "NAME_UNKNOWN"}, /* an escaped slash belongs to the name */
        {"DELETE", "/v2/a/b", 404, "NAME_UNKNOWN"},
        {"GET", "/v2/a/b", 404, "UNSUPPORTED"}, /* known to DELETE alone */
        {"GET", "/healthz", 200, NULL},
        {"GET", "/readyz", 200, NULL},
        {"GET", "/startupz", 200, NULL},
        {"GET", "/metrics", 200, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int status = ask(rows[i].method, rows[i].path, "", STR(""));
        const char *code = path_of("\"code\":\"%s\"", rows[i].code);
        if (status != rows[i].status || (rows[i].code && !strstr(answer_text(), code)))
            fail_msg("%s %s: %d " STR_FMT, rows[i].method, rows[i].path, status, STR_ARG(answer_body()));
    }
}

static void test_registry_router__names_the_methods_that_a_path_takes(void **state)
{
    (void)state;
    static const struct {
        const char *path, *allow;
    } rows[] = {
        {"/v2/", "GET, HEAD"},
        {"/v2/_catalog", "GET, HEAD"},
        {"/v2/a/tags/list", "GET, HEAD"},
        {"/v2/a/referrers/" EMPTY_DIGEST, "GET, HEAD"},
        {"/v2/a/blobs/" EMPTY_DIGEST, "GET, HEAD, DELETE"},
        {"/v2/a/blobs/uploads/", "POST"},
        {"/v2/a/blobs/uploads/s", "GET, HEAD, PUT, PATCH, DELETE"},
        {"/v2/a/manifests/v1", "GET, HEAD, PUT, DELETE"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (unsigned options = 0; options < 2; options++) {
            int status = ask(options ? "OPTIONS" : "TRACE", rows[i].path, "", STR(""));
            CHECK_ROW(i, status == (options ? 204 : 405));
            CHECK_STR_ROW(i, answered("Allow"), str_from(rows[i].allow));
        }
    }
}

static void test_registry_router__allows_what_the_policy_leaves(void **state)
{
    (void)state;
    site.rules.deletes = false;
    site_apply();
    assert_int_equal(ask("DELETE", "/v2/a/manifests/v1", "", STR("")), 405);
    CHECK_ANSWERED("Allow", "GET, HEAD, PUT");
    repo_set_read_only(site.r, true);
    assert_int_equal(ask("POST", "/v2/a/blobs/uploads/", "", STR("")), 405);
    CHECK_ANSWERED("Allow", "");
    assert_int_equal(ask("PUT", "/v2/a/manifests/v1", "", STR("")), 405);
    CHECK_ANSWERED("Allow", "GET, HEAD");
}

/* On a loop nothing may wait for the disk; a manifest comes whole, a blob never does. */
static void test_registry_router__says_where_the_work_is_done_and_how_the_body_comes(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target;
        enum http_where where;
        enum http_body_mode body;
    } rows[] = {
        {"GET", "/v2/", HTTP_INLINE, HTTP_BODY_NONE},
        {"GET", "/v2/a/manifests/v1", HTTP_INLINE, HTTP_BODY_NONE},
        {"HEAD", "/v2/a/blobs/" EMPTY_DIGEST, HTTP_INLINE, HTTP_BODY_NONE},
        {"GET", "/v2/a/blobs/uploads/s", HTTP_INLINE, HTTP_BODY_NONE},
        {"GET", "/metrics", HTTP_WORKER, HTTP_BODY_NONE},
        {"PUT", "/v2/a/manifests/v1", HTTP_WORKER, HTTP_BODY_COLLECT},
        {"DELETE", "/v2/a/manifests/v1", HTTP_WORKER, HTTP_BODY_NONE},
        {"PATCH", "/v2/a/blobs/uploads/s", HTTP_WORKER, HTTP_BODY_STREAM},
        {"PUT", "/v2/a/blobs/uploads/s", HTTP_WORKER, HTTP_BODY_STREAM},
        {"POST", "/v2/a/blobs/uploads/", HTTP_INLINE, HTTP_BODY_NONE},
        {"POST", "/v2/a/blobs/uploads/?digest=" EMPTY_DIGEST, HTTP_WORKER, HTTP_BODY_STREAM},
        {"POST", "/v2/a/blobs/uploads/?digest=" EMPTY_DIGEST "&mount=" EMPTY_DIGEST, HTTP_WORKER,
         HTTP_BODY_NONE},
        {"DELETE", "/v2/a", HTTP_WORKER, HTTP_BODY_NONE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exchange *x = exchange_new(rows[i].method, rows[i].target, "", STR(""));
        registry_app(site.reg)->route(&x->req, &x->plan);
        CHECK_ROW(i, x->plan.end != NULL && x->plan.where == rows[i].where && x->plan.body == rows[i].body);
        CHECK_ROW(i, (x->plan.piece != NULL) == (rows[i].body == HTTP_BODY_STREAM));
        CHECK_ROW(i, x->plan.max_body == (rows[i].body == HTTP_BODY_COLLECT ? 4 * MIB : 0));
        exchange_free(x);
    }
}

static void test_registry_router__refuses_bad_parameters_before_a_body_comes(void **state)
{
    (void)state;
    static const struct {
        const char *target, *code;
    } rows[] = {
        {"/v2/a/blobs/uploads/?digest=sha256:short", "DIGEST_INVALID"},
        {"/v2/a/blobs/uploads/?digest=%zz", "UNSUPPORTED"},
        {"/v2/a/blobs/uploads/?mount=%zz", "UNSUPPORTED"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(ask("POST", rows[i].target, "", STR("body")), 400);
        CHECK_ROW(i, strstr(answer_text(), rows[i].code) != NULL);
        CHECK_ROW(i, asked()->req.body_received == 0);
    }
}

RUN_TESTS(SITE_TEST(test_registry_router__knows_each_path_by_its_pattern),
          SITE_TEST(test_registry_router__names_the_methods_that_a_path_takes),
          SITE_TEST(test_registry_router__allows_what_the_policy_leaves),
          SITE_TEST(test_registry_router__says_where_the_work_is_done_and_how_the_body_comes),
          SITE_TEST(test_registry_router__refuses_bad_parameters_before_a_body_comes))
