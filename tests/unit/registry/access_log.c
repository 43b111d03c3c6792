/* tests/unit/registry/access_log.c - one access line per request, one audit line per write that was done. */
#include "fixture.h"

#include <errno.h>
#include <jansson.h>
#include <sys/mman.h>

static void test_registry_access_log__tells_each_request_in_one_line(void **state)
{
    (void)state;
    site_log();
    ask("GET", "/v2/a/manifests/none?x=y", "User-Agent: tool/1\ntraceparent: 00-ab-cd-01\n", STR(""));
    const char *line = site_log();
    static const char *const parts[] = {
        " request ",
        "id=0123456789abcdef",
        "peer=192.0.2.1",
        "method=GET",
        "path=/v2/a/manifests/none",
        "status=404",
        "code=NAME_UNKNOWN",
        "agent=tool/1",
        "trace=00-ab-cd-01",
        "query=",
        "in=0",
    };
    for (size_t i = 0; i < COUNT(parts); i++)
        if (!strstr(line, parts[i]))
            fail_msg("no '%s' in %s", parts[i], line);
    CHECK(strchr(line, '\n') == line + strlen(line) - 1);
    get("/v2/");
    CHECK(strstr(site_log(), "code=- ") != NULL);
    site.api.access_log = false;
    site_apply();
    get("/v2/");
    assert_string_equal(site_log(), "");
}

static void test_registry_access_log__tells_of_an_answer_whose_file_could_not_be_read(void **state)
{
    (void)state;
    struct exchange *x = exchange_new("GET", "/v2/a/blobs/" EMPTY_DIGEST, "", STR(""));
    registry_app(site.reg)->route(&x->req, &x->plan);
    x->req.status = 200;
    x->req.aborted = true;
    x->req.unreadable = EIO;
    site_log();
    registry_app(site.reg)->finished(&x->req);
    CHECK(strstr(site_log(), " error answer broken off id=0123456789abcdef path=/v2/a/blobs/" EMPTY_DIGEST
                             " reason=\"Input/output error\"\n") != NULL);
    exchange_free(x);
}

static void test_registry_access_log__survives_a_request_that_was_never_routed(void **state)
{
    (void)state;
    struct exchange *x = exchange_new("GET", "", "", STR(""));
    x->req.method_text = STR_NULL;
    registry_app(site.reg)->refuse(&x->req, 400, &(struct http_refusal){.reason = "no host"});
    x->req.status = 400;
    registry_app(site.reg)->finished(&x->req);
    const char *line = site_log();
    CHECK(strstr(line, "status=400") != NULL && strstr(line, "code=UNSUPPORTED") != NULL);
    CHECK(strstr(line, "reason=\"no host\"") != NULL);
    exchange_free(x);
}

static void test_registry_access_log__audits_writes_that_were_done(void **state)
{
    (void)state;
    int fd = memfd_create("audit", MFD_CLOEXEC);
    CHECK(fd >= 0);
    berth_digest image = push_image("a", "v1", ""); /* before anybody listens */
    registry_set_audit(site.reg, fd);
    get("/v2/a/manifests/v1");
    ask("PUT", "/v2/a/manifests/v2", "Content-Type: " MT_OCI_MANIFEST "\n", STR("no json")); /* refused */
    get("/metrics"); /* works like a write, but is none */
    ask("OPTIONS", "/v2/a/manifests/v1", "", STR(""));
    struct exchange *left = exchange_new("DELETE", "/v2/a/manifests/v1?q=\"", "", STR(""));
    exchange_run(left);
    assert_int_equal(left->status, 202);
    exchange_free(left);
    push_image("b", "v1", "");
    char text[4096];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    CHECK(n > 0);
    text[n] = '\0';
    static const struct {
        const char *method, *repository, *reference;
    } rows[] = {{"DELETE", "a", "v1"}, {"POST", "b", EMPTY_DIGEST}, {"PUT", "b", "v1"}};
    char *at = text;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *end = strchr(at, '\n');
        CHECK_ROW(i, end != NULL);
        *end = '\0';
        json_t *line = json_loads(at, 0, NULL);
        CHECK_ROW(i, line != NULL);
        static const char *const keys[] = {"time", "id", "peer", "digest", "path", "query"};
        for (size_t k = 0; k < COUNT(keys); k++)
            CHECK_ROW(i, json_is_string(json_object_get(line, keys[k])));
        CHECK_STR_ROW(i, str_from(json_string_value(json_object_get(line, "method"))),
                      str_from(rows[i].method));
        CHECK_STR_ROW(i, str_from(json_string_value(json_object_get(line, "repository"))),
                      str_from(rows[i].repository));
        CHECK_STR_ROW(i, str_from(json_string_value(json_object_get(line, "reference"))),
                      str_from(rows[i].reference));
        if (i == 2)
            assert_string_equal(json_string_value(json_object_get(line, "digest")), image.text);
        json_decref(line);
        at = end + 1;
    }
    assert_string_equal(at, "");
    registry_set_audit(site.reg, -1);
    push_image("c", "v1", "");
    CHECK(pread(fd, text, sizeof(text), n) == 0);
    close(fd);
}

/* The client reset the connection before its answer: it has written all the same. */
static void test_registry_access_log__audits_a_write_whose_answer_was_lost(void **state)
{
    (void)state;
    push_image("a", "v1", "");
    int fd = memfd_create("audit", MFD_CLOEXEC);
    registry_set_audit(site.reg, fd);
    struct exchange *x = exchange_new("DELETE", "/v2/a/manifests/v1", "", STR(""));
    registry_app(site.reg)->route(&x->req, &x->plan);
    x->plan.end(&x->req);
    x->req.status = 0;
    x->req.aborted = true;
    registry_app(site.reg)->finished(&x->req);
    exchange_free(x);
    char text[1024] = "";
    CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
    CHECK(strstr(text, "\"method\":\"DELETE\"") != NULL);
    close(fd);
}

RUN_TESTS(SITE_TEST(test_registry_access_log__tells_each_request_in_one_line),
          SITE_TEST(test_registry_access_log__tells_of_an_answer_whose_file_could_not_be_read),
          SITE_TEST(test_registry_access_log__survives_a_request_that_was_never_routed),
          SITE_TEST(test_registry_access_log__audits_writes_that_were_done),
          SITE_TEST(test_registry_access_log__audits_a_write_whose_answer_was_lost))
