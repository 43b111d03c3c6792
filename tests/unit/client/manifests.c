/* tests/unit/client/manifests.c */
#include "fixture.h"

#include "oci/mediatype.h"

/* sha256 of "{}" */
#define DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define OTHER  "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define MANIFEST(digest)                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n" digest                 \
    "Content-Length: 2\r\n\r\n{}"

#define HEAD(type, digest) "HTTP/1.1 200 OK\r\nContent-Type: " type "\r\n" digest "Content-Length: 77\r\n\r\n"

static void test_client_manifests__keep_bytes_and_check_digests(void **state)
{
    (void)state;
    static const struct {
        const char *reference, *answer;
        int code;
    } rows[] = {
        {"v1", MANIFEST("Docker-Content-Digest: " DIGEST "\r\n"), BERTH_OK},
        {"v1", MANIFEST(""), BERTH_OK},
        {"v1", MANIFEST("Docker-Content-Digest: nonsense\r\n"), BERTH_OK},
        {"v1", MANIFEST("Docker-Content-Digest: " OTHER "\r\n"), BERTH_E_DIGEST},
        {DIGEST, MANIFEST("Docker-Content-Digest: " OTHER "\r\n"), BERTH_OK}, /* what was asked for counts */
        {OTHER, MANIFEST("Docker-Content-Digest: " OTHER "\r\n"), BERTH_E_DIGEST},
        {"v1", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
         BERTH_E_INVALID},
        {"v1", MANIFEST("Content-Encoding: gzip\r\n"), BERTH_OK}, /* it only says so */
        {"v1",
         "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n"
         "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
         BERTH_E_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {rows[i].answer}};
        script_begin(&s, NULL);
        berth_call *call = NULL;
        int r = berth_manifest_get(s.client, "a/b", rows[i].reference, BERTH_ACCEPT_ANY, &call, &test_err);
        CHECK_ROW(i, r == rows[i].code);
        if (r == BERTH_OK) {
            const berth_content *c = berth_call_content(call);
            CHECK_STR_ROW(i, str_from(c->digest), STR(DIGEST));
            CHECK_STR_ROW(i, str_from(c->media_type), STR("application/vnd.oci.image.manifest.v1+json"));
            CHECK_STR_ROW(i, ((berth_str){c->data, c->size}), STR("{}"));
        }
        berth_call_free(call);
        script_end(&s);
        CHECK_ROW(i, asked(&s, 0, "\r\nAccept: application/vnd.oci.image.index.v1+json, "));
    }
}

/* C086 */
static void test_client_manifests__ask_for_the_kinds_that_are_wanted(void **state)
{
    (void)state;
    static const char *const rows[] = {
        [BERTH_ACCEPT_ANY] = "\r\nAccept: application/vnd.oci.image.index.v1+json, "
                             "application/vnd.oci.image.manifest.v1+json, "
                             "application/vnd.docker.distribution.manifest.list.v2+json, "
                             "application/vnd.docker.distribution.manifest.v2+json, "
                             "application/vnd.docker.distribution.manifest.v1+prettyjws, "
                             "application/vnd.docker.distribution.manifest.v1+json\r\n",
        [BERTH_ACCEPT_IMAGE] = "\r\nAccept: application/vnd.oci.image.manifest.v1+json, "
                               "application/vnd.docker.distribution.manifest.v2+json\r\n",
        [BERTH_ACCEPT_INDEX] = "\r\nAccept: application/vnd.oci.image.index.v1+json, "
                               "application/vnd.docker.distribution.manifest.list.v2+json\r\n",
        [BERTH_ACCEPT_SCHEMA1] = "\r\nAccept: application/vnd.docker.distribution.manifest.v1+prettyjws, "
                                 "application/vnd.docker.distribution.manifest.v1+json\r\n",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {MANIFEST(""), HEAD(MT_OCI_INDEX, ""), HEAD(MT_DOCKER_SCHEMA1, "")}};
        script_begin(&s, NULL);
        berth_call *call = NULL;
        berth_accept accept = (berth_accept)i;
        bool any = accept == BERTH_ACCEPT_ANY, image = any || accept == BERTH_ACCEPT_IMAGE;
        int r = berth_manifest_get(s.client, "a", "v1", accept, &call, &test_err);
        CHECK_ROW(i, r == (image ? BERTH_OK : BERTH_E_NOT_FOUND));
        CHECK_ROW(i, image || strstr(test_err.message, "it is an image, and "));
        berth_call_free(call);
        r = berth_manifest_head(s.client, "a", "v1", accept, NULL, &test_err);
        CHECK_ROW(i, r == (any || accept == BERTH_ACCEPT_INDEX ? BERTH_OK : BERTH_E_NOT_FOUND));
        r = berth_manifest_head(s.client, "a", "v1", accept, NULL, &test_err);
        CHECK_ROW(i, r == (any || accept == BERTH_ACCEPT_SCHEMA1 ? BERTH_OK : BERTH_E_NOT_FOUND));
        script_end(&s);
        CHECK_ROW(i, asked(&s, 0, rows[i]));
    }
}

static void test_client_manifests__head_repeats_what_the_registry_says(void **state)
{
    (void)state;
    static const struct {
        const char *reference, *answer, *digest;
        int code;
    } rows[] = {
        {"v1", HEAD("application/vnd.oci.image.index.v1+json", "Docker-Content-Digest: " DIGEST "\r\n"),
         DIGEST, 0},
        {"v1", HEAD("application/vnd.oci.image.index.v1+json", ""), "", 0},
        {DIGEST, HEAD("application/vnd.oci.image.index.v1+json", ""), DIGEST, 0},
        {DIGEST, HEAD("application/vnd.oci.image.index.v1+json", "Docker-Content-Digest: " OTHER "\r\n"),
         NULL, BERTH_E_DIGEST},
        {"v1", HEAD("text/html", ""), NULL, BERTH_E_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {rows[i].answer}};
        script_begin(&s, NULL);
        berth_call *call = NULL;
        int r = berth_manifest_head(s.client, "a/b", rows[i].reference, BERTH_ACCEPT_INDEX, &call, &test_err);
        CHECK_ROW(i, r == rows[i].code);
        if (r == BERTH_OK) {
            CHECK_STR_ROW(i, str_from(berth_call_content(call)->digest), str_from(rows[i].digest));
            CHECK_ROW(i, berth_call_content(call)->size == 77 && !berth_call_content(call)->data);
        }
        berth_call_free(call);
        script_end(&s);
        CHECK_ROW(i, strncmp(s.requests[0], "HEAD /v2/a/b/manifests/", 23) == 0);
    }
}

static void test_client_manifests__refuse_inputs_before_they_ask(void **state)
{
    (void)state;
    struct script s = {0};
    script_begin(&s, NULL);
    berth_call *call = NULL;
    static const char *const rows[][2] = {{"A", "v1"},       {"a", ""},        {"a", "-"},
                                          {"a", "sha256:1"}, {"a/../b", "v1"}, {"a", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, berth_manifest_get(s.client, rows[i][0], rows[i][1], BERTH_ACCEPT_ANY, &call,
                                        &test_err) == BERTH_E_INVALID);
    CHECK_CODE(berth_manifest_get(s.client, "a", "v1", (berth_accept)7, &call, &test_err), BERTH_E_INVALID);
    CHECK(call == NULL);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_manifests__keep_bytes_and_check_digests),
          TEST(test_client_manifests__ask_for_the_kinds_that_are_wanted),
          TEST(test_client_manifests__head_repeats_what_the_registry_says),
          TEST(test_client_manifests__refuse_inputs_before_they_ask))
