/* tests/unit/client/blobs.c */
#include "fixture.h"

/* sha256 of "abc" */
#define DIGEST "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_client_blobs__are_checked_on_their_way(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        bool full;
        int code;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, BERTH_OK},
        {"HTTP/1.1 200 OK\r\n\r\nabc", false, BERTH_OK}, /* until the connection closes */
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", false,
         BERTH_OK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabd", false, BERTH_E_DIGEST},
        {"HTTP/1.1 200 OK\r\n\r\nab", false, BERTH_E_DIGEST},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false, BERTH_E_NETWORK}, /* short */
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false, BERTH_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, BERTH_E_DIGEST},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", true, BERTH_E_CANCELLED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {rows[i].answer}};
        struct sink sink = {.got = BERTH_BUF_INIT(100), .full = rows[i].full};
        script_begin(&s, NULL);
        berth_call *call = NULL;
        CHECK_ROW(i,
                  berth_blob_get(s.client, "a", DIGEST, sink_take, &sink, &call, &test_err) == rows[i].code);
        if (rows[i].code == BERTH_OK) {
            CHECK_STR_ROW(i, berth_buf_str(&sink.got), STR("abc"));
            CHECK_ROW(i, berth_call_content(call)->size == 3);
        }
        berth_call_free(call);
        script_end(&s);
        berth_buf_done(&sink.got);
    }
}

static void test_client_blobs__have_no_tags(void **state)
{
    (void)state;
    struct script s = {0};
    script_begin(&s, NULL);
    berth_call *call = NULL;
    CHECK_CODE(berth_blob_get(s.client, "a", "v1", sink_take, NULL, &call, &test_err), BERTH_E_INVALID);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_blobs__are_checked_on_their_way), TEST(test_client_blobs__have_no_tags))
