/* tests/unit/client/referrers.c */
#include "fixture.h"

#define HEX    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC    "sha256:" HEX
#define BY_API "GET /v2/a/referrers/" ABC
#define BY_TAG "GET /v2/a/manifests/sha256-" HEX " HTTP"

#define ENTRY(n, type)                                                                                       \
    "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" ABC "\",\"size\":" #n      \
    ",\"artifactType\":\"" type "\",\"annotations\":{\"n\":\"" #n "\"}}"
#define INDEX(link, entries)                                                                                 \
    "HTTP/1.1 200 OK\r\n" link "Content-Type: application/vnd.oci.image.index.v1+json\r\n\r\n"               \
    "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

static int collect(void *arg, const berth_referrer *r)
{
    berth_buf_addf(arg, "%s:%llu:%s ", r->artifact_type, (unsigned long long)r->size, r->annotations);
    return r->size == 99;
}

static void test_client_referrers__come_from_the_api_or_the_tag(void **state)
{
    (void)state;
    static const struct {
        const char *type, *answers[4], *asked[4], *want;
        int code;
    } rows[] = {
        {NULL,
         {INDEX("Link: <?last=1>; rel=next\r\n", ENTRY(1, "x")), INDEX("", ENTRY(2, "y"))},
         {BY_API " HTTP", BY_API "?last=1 HTTP"},
         "x:1:{\"n\":\"1\"} y:2:{\"n\":\"2\"} ",
         0},
        /* Filtered here as well: a registry need not. */
        {"y",
         {INDEX("", ENTRY(1, "x") "," ENTRY(2, "y"))},
         {BY_API "?artifactType=y HTTP"},
         "y:2:{\"n\":\"2\"} ",
         0},
        {"a+b/c", {INDEX("", "")}, {BY_API "?artifactType=a%2Bb/c HTTP"}, "", 0},
        {NULL, {NOT_THERE, INDEX("", ENTRY(3, "z"))}, {BY_API, BY_TAG}, "z:3:{\"n\":\"3\"} ", 0},
        {NULL, {NOT_THERE, NOT_THERE}, {BY_API, BY_TAG}, "", 0},
        {NULL,
         {"HTTP/1.1 405 X\r\n" EMPTY, "HTTP/1.1 403 X\r\n" EMPTY},
         {BY_API, BY_TAG},
         "",
         BERTH_E_DENIED},
        {NULL, {"HTTP/1.1 403 X\r\n" EMPTY}, {BY_API}, "", BERTH_E_DENIED},
        {NULL, {JSON(2) "{}"}, {BY_API}, "", BERTH_E_INVALID},
        {NULL, {INDEX("", "5")}, {BY_API}, "", BERTH_E_INVALID},
        {NULL,
         {INDEX("", ENTRY(99, "x") "," ENTRY(1, "x"))},
         {BY_API},
         "x:99:{\"n\":\"99\"} ",
         BERTH_E_CANCELLED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        script_begin(&s, NULL);
        CLEANUP(berth_buf_done) berth_buf got = BERTH_BUF_INIT(1000);
        CHECK_ROW(i, berth_referrers_list(s.client, "a", ABC, rows[i].type, collect, &got, &test_err) ==
                         rows[i].code);
        CHECK_STR_ROW(i, berth_buf_str(&got), str_from(rows[i].want));
        script_end(&s);
        for (int k = 0; rows[i].asked[k]; k++)
            CHECK_ROW(i, was(&s, k, rows[i].asked[k], ""));
    }
}

static void test_client_referrers__are_those_of_a_digest(void **state)
{
    (void)state;
    struct script s = {0};
    script_begin(&s, NULL);
    CHECK_CODE(berth_referrers_list(s.client, "a", "v1", NULL, collect, NULL, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_referrers_list(s.client, "a", NULL, NULL, collect, NULL, &test_err), BERTH_E_INVALID);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_referrers__come_from_the_api_or_the_tag),
          TEST(test_client_referrers__are_those_of_a_digest))
