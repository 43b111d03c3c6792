/* tests/unit/client/manifest_put.c */
#include "fixture.h"

#define BODY  "{\"schemaVersion\":2,\"manifests\":[]}"
#define TYPE  "application/vnd.oci.image.index.v1+json"
#define OTHER "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DONE  "HTTP/1.1 201 X\r\n" EMPTY
#define GIVEN "HTTP/1.1 200 X\r\nContent-Type: " TYPE "\r\nContent-Length: 34\r\n\r\n" BODY

static const char *const tags[] = {"v1", "v2", "v3"};

static void test_client_manifest_put__goes_to_a_tag_a_digest_and_more_tags(void **state)
{
    (void)state;
    berth_digest d;
    digest_of(HASH_SHA256, BODY, strlen(BODY), &d);
    char by_digest[300], with_tags[300], tags_and_more[300];
    snprintf(by_digest, sizeof(by_digest), "PUT /v2/a/manifests/%s HTTP", d.text);
    snprintf(with_tags, sizeof(with_tags), "PUT /v2/a/manifests/%s?tag=v1&tag=v2&tag=v3 HTTP", d.text);
    snprintf(tags_and_more, sizeof(tags_and_more), "PUT /v2/a/manifests/%s?tag=v1&tag=v2&tag=v3&tag=v4 HTTP",
             d.text);
    const struct {
        const char *reference;
        size_t n_tags;
        const char *answers[6], *asked[6];
        int code;
    } rows[] = {
        {"v1", 0, {DONE}, {"PUT /v2/a/manifests/v1 HTTP"}, 0},
        {NULL, 0, {DONE}, {by_digest}, 0},
        {d.text, 0, {DONE}, {by_digest}, 0},
        {OTHER, 0, {NULL}, {NULL}, BERTH_E_DIGEST},
        {NULL, 3, {"HTTP/1.1 201 X\r\nOCI-Tag: v1\r\nOCI-Tag: v2, v3\r\n" EMPTY}, {with_tags}, 0},
        {d.text,
         3,
         {"HTTP/1.1 201 X\r\nOCI-Tag: v2\r\n" EMPTY, DONE, DONE},
         {with_tags, "PUT /v2/a/manifests/v3 HTTP", "PUT /v2/a/manifests/v1 HTTP"},
         0},
        {"v4",
         3,
         {DONE, DONE, DONE, DONE, DONE},
         {tags_and_more, "PUT /v2/a/manifests/v4 HTTP", "PUT /v2/a/manifests/v3 HTTP"},
         0},
        {NULL,
         3,
         {"HTTP/1.1 414 X\r\n" EMPTY, DONE, DONE, DONE},
         {with_tags, "PUT /v2/a/manifests/v3 HTTP"},
         0},
        {NULL, 3, {"HTTP/1.1 403 X\r\n" EMPTY}, {with_tags}, BERTH_E_DENIED},
        {"v1", 0, {"HTTP/1.1 201 X\r\nDocker-Content-Digest: " OTHER "\r\n" EMPTY}, {NULL}, BERTH_E_DIGEST},
        {"V 1", 0, {NULL}, {NULL}, BERTH_E_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        berth_manifest_put_options o = BERTH_MANIFEST_PUT_OPTIONS_INIT;
        o.tags = tags;
        o.n_tags = rows[i].n_tags;
        berth_call *call = NULL;
        script_begin(&s, NULL);
        CHECK_ROW(i, berth_manifest_put(s.client, "a", rows[i].reference, BODY, strlen(BODY), &o, &call,
                                        &test_err) == rows[i].code);
        if (call) {
            CHECK_STR_ROW(i, str_from(berth_call_content(call)->digest), str_from(d.text));
            CHECK_STR_ROW(i, str_from(berth_call_content(call)->media_type), str_from(TYPE));
        }
        berth_call_free(call);
        script_end(&s);
        for (int k = 0; rows[i].asked[k]; k++)
            CHECK_ROW(i,
                      was(&s, k, rows[i].asked[k], BODY) && asked(&s, k, "\r\nContent-Type: " TYPE "\r\n"));
    }
}

static void test_client_manifest_put__needs_a_type(void **state)
{
    (void)state;
    static struct script s = {.answers = {DONE}};
    berth_manifest_put_options o = BERTH_MANIFEST_PUT_OPTIONS_INIT;
    script_begin(&s, NULL);
    CHECK_CODE(berth_manifest_put(s.client, "a", "v1", "{}", 2, &o, NULL, &test_err), BERTH_E_INVALID);
    o.media_type = "no type";
    CHECK_CODE(berth_manifest_put(s.client, "a", "v1", "{}", 2, &o, NULL, &test_err), BERTH_E_INVALID);
    o.media_type = "application/vnd.example+json"; /* a kind that is not known here */
    CHECK_OK(berth_manifest_put(s.client, "a", "v1", "{}", 2, &o, NULL, &test_err));
    script_end(&s);
    CHECK(was(&s, 0, "PUT /v2/a/manifests/v1 HTTP", "{}") &&
          asked(&s, 0, "\r\nContent-Type: application/vnd.example+json\r\n"));
}

static void test_client_manifest_put__tags_what_is_there(void **state)
{
    (void)state;
    static const struct {
        const char *tag, *answers[4];
        int code;
    } rows[] = {
        {"v2", {GIVEN, DONE}, 0},
        {"v2", {NOT_THERE}, BERTH_E_NOT_FOUND},
        {"v2", {JSON(2) "{}"}, BERTH_E_INVALID}, /* no manifest */
        {"v2", {GIVEN, "HTTP/1.1 403 X\r\n" EMPTY}, BERTH_E_DENIED},
        {"v 2", {NULL}, BERTH_E_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        script_begin(&s, NULL);
        CHECK_ROW(i, berth_tag_add(s.client, "a", "v1", rows[i].tag, NULL, &test_err) == rows[i].code);
        script_end(&s);
        if (rows[i].code == 0)
            CHECK_ROW(i, was(&s, 0, "GET /v2/a/manifests/v1 HTTP", "") &&
                             was(&s, 1, "PUT /v2/a/manifests/v2 HTTP", BODY));
    }
}

RUN_TESTS(TEST(test_client_manifest_put__goes_to_a_tag_a_digest_and_more_tags),
          TEST(test_client_manifest_put__needs_a_type), TEST(test_client_manifest_put__tags_what_is_there))
