/* tests/unit/registry/errors.c - the mapping of errors to statuses, codes and headers, and what an answer
 * says about the request it refuses. */
#include "fixture.h"

/* The answer to a request that the router knows, refused by @err instead of what its handler says. */
static struct exchange *refused(const char *method, const char *target, const berth_error *err,
                                berth_str detail)
{
    struct exchange *x = exchange_new(method, target, "", STR(""));
    registry_app(site.reg)->route(&x->req, &x->plan);
    registry_refuse(&x->req, err, detail);
    return x;
}

static void exchange_freep(struct exchange **x)
{
    exchange_free(*x);
}
#define EXCHANGE CLEANUP(exchange_freep) struct exchange *

static void test_registry_errors__give_each_code_its_status(void **state)
{
    (void)state;
    static const struct {
        int code, status;
        const char *oci_code, *retry_after;
        bool allow;
    } rows[] = {
        {BERTH_E_NOMEM, 500, "UNKNOWN", NULL, false},
        {BERTH_E_INVALID, 400, "UNSUPPORTED", NULL, false},
        {BERTH_E_NOT_FOUND, 404, "NAME_UNKNOWN", NULL, false},
        {BERTH_E_EXISTS, 409, "DENIED", NULL, false},
        {BERTH_E_DIGEST, 400, "DIGEST_INVALID", NULL, false},
        {BERTH_E_UNAUTH, 401, "UNAUTHORIZED", NULL, false},
        {BERTH_E_DENIED, 403, "DENIED", NULL, false},
        {BERTH_E_CONFLICT, 409, "DENIED", NULL, false},
        {BERTH_E_TOO_BIG, 413, "SIZE_INVALID", NULL, false},
        {BERTH_E_IO, 500, "UNKNOWN", NULL, false},
        {BERTH_E_NETWORK, 500, "UNKNOWN", NULL, false},
        {BERTH_E_RANGE, 416, "BLOB_UPLOAD_INVALID", NULL, false},
        {BERTH_E_UNSUPPORTED, 405, "UNSUPPORTED", NULL, true},
        {BERTH_E_BUSY, 429, "TOOMANYREQUESTS", "1", false},
        {BERTH_E_NO_SPACE, 507, "DENIED", NULL, false},
        {BERTH_E_CORRUPT, 500, "UNKNOWN", NULL, false},
        {BERTH_E_CANCELLED, 503, "TOOMANYREQUESTS", "1", false},
        {BERTH_E_CONDITION, 412, "UNSUPPORTED", NULL, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_error err = BERTH_ERROR_INIT;
        berth_error_set(&err, rows[i].code, "a reason");
        EXCHANGE x = refused("GET", "/v2/a/tags/list", &err, STR_NULL);
        CHECK_ROW(i, x->status == rows[i].status);
        CHECK_STR_ROW(i, berth_buf_str(&x->out),
                      str_from(path_of("{\"errors\":[{\"code\":\"%s\",\"message\":\"a reason\",\"detail\":"
                                       "{\"name\":\"a\"}}]}",
                                       rows[i].oci_code)));
        CHECK_STR_ROW(i, header_of(x, "Content-Type"), STR("application/json"));
        CHECK_STR_ROW(i, header_of(x, "Retry-After"), str_from(rows[i].retry_after));
        CHECK_ROW(i, (header_of(x, "Allow").p != NULL) == rows[i].allow);
        /* the operator hears of what is the server's own fault, once */
        bool logged = strstr(site_log(), "a reason") != NULL;
        CHECK_ROW(i, logged == (rows[i].status >= 500));
    }
}

static void test_registry_errors__keep_what_the_error_itself_decided(void **state)
{
    (void)state;
    berth_error err = BERTH_ERROR_INIT;
    berth_error_set_oci(&err, BERTH_E_NOT_FOUND, "BLOB_UNKNOWN", "not here");
    EXCHANGE x = refused("GET", "/v2/a/blobs/" EMPTY_DIGEST, &err, STR_NULL);
    assert_int_equal(x->status, 404);
    CHECK_STR(
        berth_buf_str(&x->out),
        STR("{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"not here\",\"detail\":{\"name\":\"a\","
            "\"digest\":\"" EMPTY_DIGEST "\"}}]}"));
    berth_error_set(&err, BERTH_E_CONFLICT, "in use");
    err.http_status = 405;
    EXCHANGE y = refused("GET", "/v2/a/blobs/" EMPTY_DIGEST, &err, STR_NULL);
    assert_int_equal(y->status, 405);
    CHECK_STR(header_of(y, "Allow"), STR("HEAD, DELETE")); /* not the method that was refused */
}

static void test_registry_errors__name_what_the_request_was_about(void **state)
{
    (void)state;
    static const struct {
        const char *target, *detail;
    } rows[] = {
        {"/v2/", "{\"method\":\"GET\",\"path\":\"/v2/\"}"},
        {"/nowhere?x=y", "{\"method\":\"GET\",\"path\":\"/nowhere\"}"},
        {"/v2/a/b/tags/list", "{\"name\":\"a/b\"}"},
        {"/v2/a/manifests/v1", "{\"name\":\"a\",\"tag\":\"v1\"}"},
        {"/v2/a/manifests/" EMPTY_DIGEST, "{\"name\":\"a\",\"digest\":\"" EMPTY_DIGEST "\"}"},
        {"/v2/a/referrers/" EMPTY_DIGEST, "{\"name\":\"a\",\"digest\":\"" EMPTY_DIGEST "\"}"},
        {"/v2/a/blobs/uploads/s1", "{\"name\":\"a\",\"session\":\"s1\"}"},
        {"/v2/a/blobs/sha256:%22", "{\"name\":\"a\",\"digest\":\"sha256:\\\"\"}"},
    };
    berth_error err = BERTH_ERROR_INIT;
    berth_error_set(&err, BERTH_E_BUSY, "later");
    for (size_t i = 0; i < COUNT(rows); i++) {
        EXCHANGE x = refused("GET", rows[i].target, &err, STR_NULL);
        CHECK_STR_ROW(i, berth_buf_str(&x->out),
                      str_from(path_of("{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"later\","
                                       "\"detail\":%s}]}",
                                       rows[i].detail)));
    }
}

static void test_registry_errors__name_the_digest_that_a_session_was_to_end_with(void **state)
{
    (void)state;
    int status = ask("PUT", "/v2/a/blobs/uploads/s1?digest=" EMPTY_DIGEST, "", STR(""));
    assert_int_equal(status, 404);
    CHECK(strstr(answer_text(),
                 "\"detail\":{\"name\":\"a\",\"session\":\"s1\",\"digest\":\"" EMPTY_DIGEST "\"}") != NULL);
}

static void test_registry_errors__prefer_the_detail_that_a_handler_gives(void **state)
{
    (void)state;
    berth_error err = BERTH_ERROR_INIT;
    berth_error_set(&err, BERTH_E_DENIED, "no");
    EXCHANGE x = refused("GET", "/v2/a/tags/list", &err, STR("{\"url\":\"x\"}"));
    CHECK_STR(berth_buf_str(&x->out),
              STR("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\",\"detail\":{\"url\":\"x\"}}]}"));
}

/* What the server refuses by itself; before the header was read there is neither method nor call. */
static void test_registry_errors__word_the_refusals_of_the_server(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *code, *retry_after;
    } rows[] = {
        {400, "UNSUPPORTED", NULL}, {408, "UNSUPPORTED", NULL},    {413, "SIZE_INVALID", NULL},
        {414, "UNSUPPORTED", NULL}, {429, "TOOMANYREQUESTS", "1"}, {431, "UNSUPPORTED", NULL},
        {500, "UNKNOWN", NULL},     {503, "TOOMANYREQUESTS", "1"}, {505, "UNSUPPORTED", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        EXCHANGE x = exchange_new("GET", "", "", STR(""));
        x->req.method_text = STR_NULL;
        registry_app(site.reg)->refuse(&x->req, rows[i].status, &(struct http_refusal){.reason = "why"});
        CHECK_ROW(i, x->status == rows[i].status);
        CHECK_STR_ROW(i, berth_buf_str(&x->out),
                      str_from(path_of("{\"errors\":[{\"code\":\"%s\",\"message\":\"why\",\"detail\":"
                                       "{\"client\":\"192.0.2.1\"}}]}",
                                       rows[i].code)));
        CHECK_STR_ROW(i, header_of(x, "Retry-After"), str_from(rows[i].retry_after));
    }
}

static void test_registry_errors__point_at_the_line_and_the_limit(void **state)
{
    (void)state;
    static const struct {
        struct http_refusal why;
        const char *message, *detail;
    } rows[] = {
        {{.reason = "bad", .line = 2, .text = {"Content-Length", 14}},
         "bad",
         "{\"line\":2,\"text\":\"Content-Length\"}"},
        {{.reason = "over the limit", .limit = 32768}, "over the limit of 32768", "{\"limit\":32768}"},
        {{.reason = "over the limit", .line = 3, .text = {"a\"", 2}, .limit = 9},
         "over the limit of 9",
         "{\"line\":3,\"text\":\"a\\\"\",\"limit\":9}"},
        {{.reason = "bad"}, "bad", "{\"method\":\"GET\",\"path\":\"/x\"}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        EXCHANGE x = exchange_new("GET", "/x", "", STR(""));
        registry_app(site.reg)->refuse(&x->req, 431, &rows[i].why);
        CHECK_STR_ROW(
            i, berth_buf_str(&x->out),
            str_from(path_of("{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\"%s\",\"detail\":%s}]}",
                             rows[i].message, rows[i].detail)));
        assert_string_equal(call_of(&x->req)->message, rows[i].message); /* for the access log */
    }
}

static void test_registry_errors__name_the_setting_that_bounds_a_manifest(void **state)
{
    (void)state;
    site.api.max_manifest_size = 10;
    site_apply();
    assert_int_equal(ask("PUT", "/v2/a/manifests/v1", "", STR("12345678901")), 413);
    CHECK_BODY(
        "{\"errors\":[{\"code\":\"MANIFEST_INVALID\",\"message\":\"the manifest is larger than 10 bytes "
        "(setting registry.max_manifest_size)\",\"detail\":{\"name\":\"a\",\"tag\":\"v1\"}}]}");
}

RUN_TESTS(SITE_TEST(test_registry_errors__give_each_code_its_status),
          SITE_TEST(test_registry_errors__keep_what_the_error_itself_decided),
          SITE_TEST(test_registry_errors__name_what_the_request_was_about),
          SITE_TEST(test_registry_errors__name_the_digest_that_a_session_was_to_end_with),
          SITE_TEST(test_registry_errors__prefer_the_detail_that_a_handler_gives),
          SITE_TEST(test_registry_errors__word_the_refusals_of_the_server),
          SITE_TEST(test_registry_errors__point_at_the_line_and_the_limit),
          SITE_TEST(test_registry_errors__name_the_setting_that_bounds_a_manifest))
