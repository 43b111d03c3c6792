/* tests/unit/client/fallback.c - the referrers tag when a manifest with a subject is put. */
#include "fixture.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define TAG "/v2/a/manifests/sha256-" HEX " HTTP"
#define SUBJECT                                                                                              \
    "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:" HEX "\",\"size\":"  \
    "3}"
#define BODY "{\"schemaVersion\":2,\"artifactType\":\"x/y\",\"manifests\":[],\"subject\":" SUBJECT "}"
#define DONE "HTTP/1.1 201 X\r\n" EMPTY
#define INDEX(etag, entries)                                                                                 \
    "HTTP/1.1 200 OK\r\n" etag                                                                               \
    "\r\n{\"schemaVersion\":2,\"mediaType\":\"x\",\"own\":1,\"manifests\":[" entries "]}"

static void test_client_fallback__is_written_where_there_is_no_api(void **state)
{
    (void)state;
    static const struct {
        const char *answers[8], *asked[8], *contains;
        bool off;
        int code;
    } rows[] = {
        {{"HTTP/1.1 201 X\r\nOCI-Subject: sha256:" HEX "\r\n" EMPTY},
         {"PUT /v2/a/manifests/v1 "},
         NULL,
         false,
         0},
        {{DONE}, {"PUT /v2/a/manifests/v1 "}, NULL, true, 0},
        {{DONE, NOT_THERE, DONE}, {"PUT ", "GET " TAG, "PUT " TAG}, "\"artifactType\":\"x/y\"", false, 0},
        /* What else stands in it stays. */
        {{DONE, INDEX("", SUBJECT), DONE},
         {"PUT ", "GET " TAG, "PUT " TAG},
         "\"own\":1,\"manifests\":[" SUBJECT ",{",
         false,
         0},
        /* Somebody was quicker. */
        {{DONE, INDEX("ETag: \"1\"\r\n", ""), "HTTP/1.1 412 X\r\n" EMPTY, INDEX("ETag: \"2\"\r\n", ""), DONE},
         {"PUT ", "GET ", "PUT ", "GET ", "PUT "},
         NULL,
         false,
         0},
        {{DONE, JSON(2) "[]"}, {"PUT "}, NULL, false, BERTH_E_INVALID},
        {{DONE, "HTTP/1.1 500 X\r\n" EMPTY}, {"PUT "}, NULL, false, BERTH_E_IO},
        {{DONE, NOT_THERE, "HTTP/1.1 403 X\r\n" EMPTY}, {"PUT "}, NULL, false, BERTH_E_DENIED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        berth_manifest_put_options o = BERTH_MANIFEST_PUT_OPTIONS_INIT;
        o.no_fallback = rows[i].off;
        script_begin(&s, NULL);
        CHECK_ROW(i, berth_manifest_put(s.client, "a", "v1", BODY, strlen(BODY), &o, NULL, &test_err) ==
                         rows[i].code);
        script_end(&s);
        int last = 0;
        for (; rows[i].asked[last]; last++)
            CHECK_ROW(i, was(&s, last, rows[i].asked[last], NULL));
        CHECK_ROW(i, !rows[i].contains || strstr(sent(&s, last - 1), rows[i].contains));
    }
}

static void test_client_fallback__says_what_it_has_seen(void **state)
{
    (void)state;
    static struct script s = {.answers = {DONE, INDEX("ETag: \"1\"\r\n", ""), DONE}};
    script_begin(&s, NULL);
    CHECK_OK(berth_manifest_put(s.client, "a", "v1", BODY, strlen(BODY), NULL, NULL, &test_err));
    script_end(&s);
    CHECK(asked(&s, 2, "\r\nIf-Match: \"1\"\r\n"));
}

RUN_TESTS(TEST(test_client_fallback__is_written_where_there_is_no_api),
          TEST(test_client_fallback__says_what_it_has_seen))
