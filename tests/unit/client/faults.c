/* tests/unit/client/faults.c - each operation that writes, with its first allocation failing, its second, and
 * so on until a run goes through. Whatever fails, the error is a clear value, nothing leaks, and the client
 * can be used again. The registry is a process of its own: what fails here does not fail there. */
#include "fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "util/fault.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC "sha256:" HEX
#define SUBJECT                                                                                              \
    "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" ABC "\",\"size\":3}"
#define BODY  "{\"schemaVersion\":2,\"manifests\":[],\"subject\":" SUBJECT "}"
#define GIVEN "HTTP/1.1 200 X\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n\r\n"

/* The first row whose beginning fits is the answer. */
static const struct {
    const char *begins, *answer;
} routes[] = {
    {"HEAD ", NOT_THERE},
    {"POST ", ACCEPTED "Location: /up?x=y\r\n" EMPTY},
    {"PATCH ", ACCEPTED "Location: /up?x=z\r\n" EMPTY},
    {"GET /v2/a/referrers/", NOT_THERE},
    {"GET /v2/a/manifests/sha256-", GIVEN "{\"schemaVersion\":2,\"manifests\":[" SUBJECT "]}"},
    {"GET /v2/a/manifests/", GIVEN BODY},
    {"GET /v2/_catalog", JSON(22) "{\"repositories\":[\"a\"]}"},
    {"GET ", JSON(15) "{\"tags\":[\"v1\"]}"},
    {"DELETE ", "HTTP/1.1 202 X\r\n" EMPTY},
    {"PUT ", CREATED},
};

static struct script server; /* the registry's */
static pid_t child;

static void serve_for_ever(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        server.requests[0][0] = '\0';
        server.received[0] = 0;
        server.answers[0] = CREATED;
        receive(&server, fd, 0);
        size_t i = 0;
        while (i + 1 < COUNT(routes) &&
               strncmp(server.requests[0], routes[i].begins, strlen(routes[i].begins)) != 0)
            i++;
        answer(&server, fd, routes[i].answer);
        close(fd);
    }
}

static int begin(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server.listener >= 0 && bind(server.listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(listen(server.listener, 64) == 0 &&
          getsockname(server.listener, (struct sockaddr *)&a, &size) == 0);
    snprintf(server.host, sizeof(server.host), "127.0.0.1:%d", ntohs(a.sin_port));
    child = fork();
    CHECK(child >= 0);
    if (child == 0)
        serve_for_ever();
    return 0;
}

static int end(void **state)
{
    (void)state;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(server.listener);
    return 0;
}

/* --- the operations --- */

static int put_whole(berth_client *c, berth_error *err)
{
    berth_source source = BERTH_SOURCE_BYTES("abc", 3);
    return berth_blob_put(c, "a", &source, NULL, NULL, err);
}

static int give(void *arg, void *p, size_t n, size_t *ret_n)
{
    size_t *left = arg;
    *ret_n = MIN(n, *left);
    memset(p, 'x', *ret_n);
    *left -= *ret_n;
    return 0;
}

static int put_stream(berth_client *c, berth_error *err)
{
    size_t left = 10;
    berth_source source = BERTH_SOURCE_FN(give, NULL, &left, BERTH_LENGTH_UNKNOWN);
    berth_put_options o = BERTH_PUT_OPTIONS_INIT;
    o.chunk_size = 4;
    return berth_blob_put(c, "a", &source, &o, NULL, err);
}

static int put_manifest(berth_client *c, berth_error *err)
{
    static const char *const tags[] = {"v2", "v3"};
    berth_manifest_put_options o = BERTH_MANIFEST_PUT_OPTIONS_INIT;
    o.tags = tags;
    o.n_tags = 2;
    return berth_manifest_put(c, "a", "v1", BODY, strlen(BODY), &o, NULL, err);
}

static int delete_manifest(berth_client *c, berth_error *err)
{
    berth_digest d;
    digest_of(HASH_SHA256, BODY, strlen(BODY), &d);
    return berth_manifest_delete(c, "a", d.text, err);
}

static int purge(berth_client *c, berth_error *err)
{
    return berth_tag_delete(c, "a", "v1", true, err);
}

static int retag(berth_client *c, berth_error *err)
{
    return berth_tag_add(c, "a", "v1", "v2", NULL, err);
}

static int take(void *arg, const berth_referrer *r)
{
    (void)arg;
    return r->size != 3;
}

static int list_referrers(berth_client *c, berth_error *err)
{
    return berth_referrers_list(c, "a", ABC, NULL, take, NULL, err);
}

static int take_name(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "a") != 0;
}

static int list_names(berth_client *c, berth_error *err)
{
    return berth_catalog(c, NULL, take_name, NULL, NULL, err);
}

static void test_client_faults__any_call_may_fail(void **state)
{
    (void)state;
    static int (*const operations[])(berth_client * c, berth_error * err) = {
        put_whole, put_stream, put_manifest, delete_manifest, purge, retag, list_referrers, list_names,
    };
    for (size_t i = 0; i < COUNT(operations); i++) {
        unsigned n = 1;
        for (bool fired = true; fired; n++) {
            berth_client *c = NULL;
            berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
            o.first_wait_ms = 1;
            CHECK_OK(berth_client_new(server.host, &o, &c, &test_err));
            test_err = (berth_error)BERTH_ERROR_INIT;
            fault_arm(n);
            int r = operations[i](c, &test_err);
            fired = fault_disarm();
            if (!fired)
                CHECK_ROW(i, r == BERTH_OK);
            CHECK_ROW(i, r == BERTH_OK || (test_err.code == r && test_err.message[0]));
            CHECK_ROW(i, operations[i](c, &test_err) == BERTH_OK); /* and nothing is left of it */
            berth_client_free(c);
        }
        CHECK_ROW(i, n > 5); /* there was something to fail */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_client_faults__any_call_may_fail)};
    return cmocka_run_group_tests(tests, begin, end);
}
