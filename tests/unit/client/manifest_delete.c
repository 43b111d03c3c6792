/* tests/unit/client/manifest_delete.c */
#include "fixture.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define TAG "/v2/a/manifests/sha256-" HEX " HTTP"
#define API "GET /v2/a/referrers/sha256:" HEX " HTTP"
#define SUBJECT                                                                                              \
    "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:" HEX "\",\"size\":"  \
    "3}"
#define PLAIN  "{\"schemaVersion\":2,\"manifests\":[]}"
#define REFERS "{\"schemaVersion\":2,\"manifests\":[],\"subject\":" SUBJECT "}"
#define DONE   "HTTP/1.1 202 X\r\n" EMPTY
#define NO(n)  "HTTP/1.1 " #n " X\r\n" EMPTY
#define GIVEN  "HTTP/1.1 200 X\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n\r\n"

struct row {
    const char *body, *answers[8], *asked[8];
    int code;
};

/* The answer "" is the index of the referrers tag with the manifest in it. */
static void check(const struct row *row, size_t i, const char *tag, bool purge)
{
    struct script s = {0};
    berth_digest d;
    digest_of(HASH_SHA256, row->body, strlen(row->body), &d);
    char listed[1000];
    snprintf(listed, sizeof(listed),
             GIVEN "{\"manifests\":[{\"mediaType\":\"x/y\",\"digest\":\"%s\",\"size\":1}]}", d.text);
    for (int k = 0; row->answers[k]; k++)
        s.answers[k] = row->answers[k][0] ? row->answers[k] : listed;
    script_begin(&s, NULL);
    int r = tag ? berth_tag_delete(s.client, "a", tag, purge, &test_err)
                : berth_manifest_delete(s.client, "a", d.text, &test_err);
    CHECK_ROW(i, r == row->code);
    script_end(&s);
    for (int k = 0; row->asked[k]; k++)
        CHECK_ROW(i, was(&s, k, row->asked[k], NULL));
}

static void test_client_manifest_delete__takes_it_out_of_the_referrers_tag(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {PLAIN, {GIVEN PLAIN, DONE}, {"GET /v2/a/manifests/sha256:", "DELETE /v2/a/manifests/sha256:"}, 0},
        {PLAIN, {NOT_THERE}, {"GET "}, BERTH_E_NOT_FOUND},
        {PLAIN, {GIVEN PLAIN, NO(405)}, {"GET "}, BERTH_E_UNSUPPORTED},
        {PLAIN, {GIVEN REFERS}, {"GET "}, BERTH_E_DIGEST},
        {REFERS,
         {GIVEN REFERS, DONE, JSON(2) "{}"},
         {"GET ", "DELETE ", API},
         0}, /* the registry keeps the list */
        {REFERS,
         {GIVEN REFERS, DONE, NOT_THERE, "", DONE},
         {"GET ", "DELETE ", API, "GET " TAG, "DELETE " TAG},
         0},
        {REFERS,
         {GIVEN REFERS, DONE, NOT_THERE, "", NO(405), DONE},
         {"GET ", "DELETE ", API, "GET " TAG, "DELETE " TAG, "PUT " TAG},
         0},
        {REFERS, {GIVEN REFERS, DONE, NOT_THERE, NOT_THERE}, {"GET ", "DELETE ", API, "GET " TAG}, 0},
        {REFERS, {GIVEN REFERS, DONE, NOT_THERE, GIVEN "{\"manifests\":[]}"}, {"GET "}, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&rows[i], i, NULL, false);
    struct script s = {0};
    script_begin(&s, NULL);
    CHECK_CODE(berth_manifest_delete(s.client, "a", "v1", &test_err), BERTH_E_INVALID);
    script_end(&s);
}

static void test_client_manifest_delete__untags_and_purges(void **state)
{
    (void)state;
    static const struct row
        tags[] =
            {
                {PLAIN, {DONE}, {"DELETE /v2/a/manifests/v1 HTTP"}, 0},
                {PLAIN, {NO(400)}, {"DELETE "}, BERTH_E_UNSUPPORTED},
                {PLAIN, {NO(405)}, {"DELETE "}, BERTH_E_UNSUPPORTED},
                {PLAIN, {NOT_THERE}, {"DELETE "}, BERTH_E_NOT_FOUND},
            },
        purges[] = {
            {PLAIN,
             {GIVEN PLAIN, DONE, DONE},
             {"GET /v2/a/manifests/v1 ", "DELETE /v2/a/manifests/v1 ", "DELETE /v2/a/manifests/sha256:"},
             0},
            {PLAIN, {GIVEN PLAIN, NO(405), DONE}, {"GET ", "DELETE ", "DELETE /v2/a/manifests/sha256:"}, 0},
            {PLAIN, {GIVEN PLAIN, DONE, NOT_THERE}, {"GET "}, 0}, /* the manifest went with its tag */
            {PLAIN, {GIVEN PLAIN, NO(403)}, {"GET "}, BERTH_E_DENIED},
            {PLAIN, {NOT_THERE}, {"GET "}, BERTH_E_NOT_FOUND},
        };
    for (size_t i = 0; i < COUNT(tags); i++)
        check(&tags[i], i, "v1", false);
    for (size_t i = 0; i < COUNT(purges); i++)
        check(&purges[i], i, "v1", true);
    struct script s = {0};
    script_begin(&s, NULL);
    CHECK_CODE(berth_tag_delete(s.client, "a", "sha256:" HEX, false, &test_err), BERTH_E_INVALID);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_manifest_delete__takes_it_out_of_the_referrers_tag),
          TEST(test_client_manifest_delete__untags_and_purges))
