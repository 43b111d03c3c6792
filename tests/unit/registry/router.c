/* tests/unit/registry/router.c - the table of routes, asked over a real socket: what is unknown, what takes
 * which method, what a name may hold. */
#include "test.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "http/server.h"
#include "metadata/meta.h"
#include "registry/registry.h"
#include "storage/store.h"

#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct site {
    char folder[64], address[96], answer[8192];
    meta *m;
    blob_store *store;
    repo *r;
    registry *reg;
    http_server *server;
} site;

static int open_site(void **state)
{
    (void)state;
    const struct repo_policy rules = {.auto_create = true, .deletes = true, .session_ms = 60000};
    const struct registry_policy api = {.max_manifest_size = 4 * MIB, .page_size = 100, .metrics = true};
    const struct http_options http = {.loops = 1, .workers = 2};
    snprintf(site.folder, sizeof(site.folder),
             "/tmp/berth-router-XXXXXX"); /* a socket's path must be short */
    CHECK(mkdtemp(site.folder) != NULL);
    snprintf(site.address, sizeof(site.address), "unix:%s/s", site.folder);
    CHECK_OK(meta_sqlite_open(":memory:", NULL, &site.m, &test_err));
    CHECK_OK(store_memory_new(&site.store, &test_err));
    CHECK_OK(repo_new(site.m, site.store, &rules, &site.r, &test_err));
    CHECK_OK(registry_new(site.r, &api, &site.reg, &test_err));
    CHECK_OK(http_server_new(registry_app(site.reg), &http, &site.server, &test_err));
    registry_set_server(site.reg, site.server);
    char *bound = NULL;
    CHECK_OK(http_server_listen(site.server, site.address, NULL, &bound, &test_err));
    free(bound);
    CHECK_OK(http_server_start(site.server, &test_err));
    return 0;
}

static int close_site(void **state)
{
    (void)state;
    http_server_stop(site.server);
    http_server_join(site.server);
    http_server_free(site.server);
    registry_free(site.reg);
    repo_free(site.r);
    store_free(site.store);
    site.m->ops->free(site.m);
    rmdir(site.folder);
    return 0;
}

/* The status of one request; the whole answer stays in site.answer. */
static int ask(const char *method, const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", site.address + 5);
    CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0);
    char request[2048];
    int n =
        snprintf(request, sizeof(request),
                 "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, path);
    CHECK(send(fd, request, (size_t)n, MSG_NOSIGNAL) == n);
    size_t got = 0;
    for (ssize_t r; got < sizeof(site.answer) - 1 &&
                    (r = recv(fd, site.answer + got, sizeof(site.answer) - 1 - got, 0)) > 0;)
        got += (size_t)r;
    site.answer[got] = '\0';
    int status = 0;
    CHECK(sscanf(site.answer, "HTTP/1.1 %d", &status) == 1);
    return status;
}

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
        {"GET", "/v2/a/blobs/" DIGEST, 404, "NAME_UNKNOWN"},
        {"GET", "/v2/a/blobs/sha256:abc", 400, "DIGEST_INVALID"},
        {"GET", "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", 400, "DIGEST_INVALID"},
        {"GET", "/v2/a/referrers/" DIGEST, 200, NULL},
        {"GET", "/v2/a/blobs/uploads/none", 404, "BLOB_UPLOAD_UNKNOWN"},
        {"GET", "/v2/a/%zz/list", 404, "UNSUPPORTED"},
        {"GET", "/v2/%zz/tags/list", 400, "UNSUPPORTED"},
        {"GET", "/v2/a%2Fb/tags/list", 404, "NAME_UNKNOWN"}, /* an escaped slash belongs to the name */
        {"DELETE", "/v2/a/b", 404, "NAME_UNKNOWN"},
        {"GET", "/v2/a/b", 404, "UNSUPPORTED"}, /* known to DELETE alone */
        {"GET", "/healthz", 200, NULL},
        {"GET", "/readyz", 200, NULL},
        {"GET", "/metrics", 200, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int status = ask(rows[i].method, rows[i].path);
        char code[64];
        snprintf(code, sizeof(code), "\"code\":\"%s\"", rows[i].code ? rows[i].code : "");
        if (status != rows[i].status || (rows[i].code && !strstr(site.answer, code)))
            fail_msg("%s %s: %s", rows[i].method, rows[i].path, site.answer);
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
        {"/v2/a/referrers/" DIGEST, "GET, HEAD"},
        {"/v2/a/blobs/" DIGEST, "GET, HEAD, DELETE"},
        {"/v2/a/blobs/uploads/", "POST"},
        {"/v2/a/blobs/uploads/s", "GET, HEAD, PUT, PATCH, DELETE"},
        {"/v2/a/manifests/v1", "GET, HEAD, PUT, DELETE"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char allow[64];
        snprintf(allow, sizeof(allow), "Allow: %s\r\n", rows[i].allow);
        for (unsigned options = 0; options < 2; options++) {
            int status = ask(options ? "OPTIONS" : "TRACE", rows[i].path);
            if (status != (options ? 204 : 405) || !strstr(site.answer, allow))
                fail_msg("%s: %s", rows[i].path, site.answer);
        }
    }
}

static void test_registry_router__allows_what_the_policy_leaves(void **state)
{
    (void)state;
    const struct repo_policy no_deletes = {.auto_create = true, .session_ms = 60000};
    CHECK_OK(repo_set_policy(site.r, &no_deletes, &test_err));
    assert_int_equal(ask("DELETE", "/v2/a/manifests/v1"), 405);
    CHECK(strstr(site.answer, "Allow: GET, HEAD, PUT\r\n") != NULL);
    repo_set_read_only(site.r, true);
    assert_int_equal(ask("POST", "/v2/a/blobs/uploads/"), 405);
    CHECK(strstr(site.answer, "Allow: \r\n") != NULL);
    assert_int_equal(ask("PUT", "/v2/a/manifests/v1"), 405);
    CHECK(strstr(site.answer, "Allow: GET, HEAD\r\n") != NULL);
    repo_set_read_only(site.r, false);
    const struct repo_policy all = {.auto_create = true, .deletes = true, .session_ms = 60000};
    CHECK_OK(repo_set_policy(site.r, &all, &test_err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_registry_router__knows_each_path_by_its_pattern),
        TEST(test_registry_router__names_the_methods_that_a_path_takes),
        TEST(test_registry_router__allows_what_the_policy_leaves),
    };
    return cmocka_run_group_tests(tests, open_site, close_site);
}
