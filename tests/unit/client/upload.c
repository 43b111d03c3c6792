/* tests/unit/client/upload.c - the calls on a session, one by one. */
#include "fixture.h"

#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_client_upload__is_opened_asked_appended_and_closed(void **state)
{
    (void)state;
    static struct script s = {.answers = {ACCEPTED "Location: /up/1?x=y\r\nOCI-Chunk-Min-Length: 7\r\n" EMPTY,
                                          "HTTP/1.1 204 X\r\nLocation: /up/1?x=y\r\nRange: 0-0\r\n\r\n",
                                          ACCEPTED "Location: /up/2\r\nRange: 0-1\r\n" EMPTY, CREATED,
                                          "HTTP/1.1 204 X\r\n\r\n"}};
    script_begin(&s, NULL);
    char url[100];
    snprintf(url, sizeof(url), "http://%s/up/1?x=y", s.host);
    berth_call *call = NULL;
    CHECK_OK(berth_upload_open(s.client, "a", &call, &test_err));
    assert_string_equal(berth_call_upload(call)->url, url);
    CHECK(berth_call_upload(call)->offset == 0 && berth_call_upload(call)->chunk_min == 7);
    berth_call_free(call);
    CHECK_OK(berth_upload_status(s.client, "a", url, &call, &test_err));
    CHECK(berth_call_upload(call)->offset == 0);
    berth_call_free(call);
    berth_source ab = BERTH_SOURCE_BYTES("ab", 2), c = BERTH_SOURCE_BYTES("c", 1);
    CHECK_OK(berth_upload_append(s.client, "a", url, 0, &ab, &call, &test_err));
    CHECK(berth_call_upload(call)->offset == 2 && strstr(berth_call_upload(call)->url, "/up/2"));
    CHECK_OK(berth_upload_close(s.client, "a", berth_call_upload(call)->url, ABC, &c, NULL, &test_err));
    berth_call_free(call);
    CHECK_OK(berth_upload_cancel(s.client, "a", "/up/5", &test_err)); /* a path is the registry's own */
    script_end(&s);
    CHECK(was(&s, 0, "POST /v2/a/blobs/uploads/ HTTP", "") && was(&s, 1, "GET /up/1?x=y HTTP", ""));
    CHECK(was(&s, 2, "PATCH /up/1?x=y HTTP", "ab") && asked(&s, 2, "\r\nContent-Range: 0-1\r\n"));
    CHECK(was(&s, 3, "PUT /up/2?digest=" ABC " HTTP", "c") && was(&s, 4, "DELETE /up/5 HTTP", ""));
}

static int endless(void *arg, void *p, size_t n, size_t *ret_n)
{
    int *left = arg;
    *ret_n = MIN((size_t)*left, n);
    memset(p, 'x', *ret_n);
    *left -= (int)*ret_n;
    return 0;
}

static void test_client_upload__takes_a_stream_of_unknown_length(void **state)
{
    (void)state;
    static struct script s = {.answers = {ACCEPTED "Location: /up/2\r\n" EMPTY}};
    int left = 5;
    berth_source source = BERTH_SOURCE_FN(endless, NULL, &left, BERTH_LENGTH_UNKNOWN);
    script_begin(&s, NULL);
    berth_call *call = NULL;
    CHECK_OK(berth_upload_append(s.client, "a", "/up/1", 10, &source, &call, &test_err));
    CHECK(berth_call_upload(call)->offset == 15);
    CHECK(berth_call_content(call) == NULL && berth_call_put_outcome(call) == BERTH_PUT_NONE);
    berth_call_free(call);
    script_end(&s);
    CHECK(asked(&s, 0, "\r\nTransfer-Encoding: chunked\r\n") && !asked(&s, 0, "\r\nContent-Range:"));
    CHECK(strstr(sent(&s, 0), "5\r\nxxxxx\r\n0\r\n"));
}

static void test_client_upload__says_what_went_wrong(void **state)
{
    (void)state;
    static struct script s = {
        .answers = {NOT_THERE, "HTTP/1.1 416 X\r\n" EMPTY, ACCEPTED "Location: /up/2\r\n" EMPTY,
                    "HTTP/1.1 400 X\r\n\r\n{\"errors\":[{\"code\":\"DIGEST_INVALID\"}]}"}};
    script_begin(&s, NULL);
    berth_source ab = BERTH_SOURCE_BYTES("ab", 2);
    CHECK_CODE(berth_upload_status(s.client, "a", "/up/1", NULL, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(berth_upload_append(s.client, "a", "/up/1", 3, &ab, NULL, &test_err), BERTH_E_RANGE);
    CHECK_CODE(berth_upload_close(s.client, "a", "/up/1", ABC, NULL, NULL, &test_err), BERTH_E_IO); /* 202 */
    CHECK_CODE(berth_upload_close(s.client, "a", "/up/1", ABC, NULL, NULL, &test_err), BERTH_E_DIGEST);
    CHECK_CODE(berth_upload_close(s.client, "a", "/up/1", "v1", NULL, NULL, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_upload_close(s.client, "a", "/up/1", NULL, NULL, NULL, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_upload_status(s.client, "a", NULL, NULL, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_upload_status(s.client, "A", "/up/1", NULL, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_upload_status(s.client, "a", "gopher://x/", NULL, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_upload_append(s.client, "a", "/up/1", 0, NULL, NULL, &test_err), BERTH_E_INVALID);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_upload__is_opened_asked_appended_and_closed),
          TEST(test_client_upload__takes_a_stream_of_unknown_length),
          TEST(test_client_upload__says_what_went_wrong))
