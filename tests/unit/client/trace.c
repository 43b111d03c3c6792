/* tests/unit/client/trace.c */
#include "fixture.h"

/* C034 */
static void test_client_trace__masks_secrets_in_fields_and_urls(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v2/ HTTP/1.1\nHost: a\n"},
        {"GET / HTTP/1.1\r\nAuthorization: Basic YTpi\r\n\r\n", "GET / HTTP/1.1\nAuthorization: Basic ***\n"},
        {"GET / HTTP/1.1\r\nauthorization:Bearer a b\r\n", "GET / HTTP/1.1\nauthorization: Bearer ***\n"},
        {"GET / HTTP/1.1\r\nProxy-Authorization: verylongwordwithoutany space\r\n",
         "GET / HTTP/1.1\nProxy-Authorization: ***\n"},
        {"GET / HTTP/1.1\r\nX-Api-Key: k\r\nPRIVATE-TOKEN: t\r\nX-JFrog-Art-Api: u\r\n",
         "GET / HTTP/1.1\nX-Api-Key: ***\nPRIVATE-TOKEN: ***\nX-JFrog-Art-Api: ***\n"},
        {"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; HttpOnly\r\n", "HTTP/1.1 200 OK\nSet-Cookie: a=b; ***\n"},
        {"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"https://a/t?x=1&token=u\",service=\"s\"\r\n",
         "HTTP/1.1 401 No\nWWW-Authenticate: Bearer realm=\"https://a/t?x=1&token=***\",service=\"s\"\n"},
        {"HTTP/1.1 307 No\r\nLocation: https://u:p@b/c?X-Amz-Signature=1a&X-Amz-Date=2&sig=3\r\n",
         "HTTP/1.1 307 No\nLocation: https://***@b/c?X-Amz-Signature=***&X-Amz-Date=2&sig=***\n"},
        {"HTTP/1.1 200 OK\r\nLink: </v2/x?token=abc>; rel=\"next\"\r\n",
         "HTTP/1.1 200 OK\nLink: </v2/x?token=***>; rel=\"next\"\n"},
        {"POST /t?access_token=abc&n=1 HTTP/1.1\r\n", "POST /t?access_token=***&n=1 HTTP/1.1\n"},
        {"GET /t?token HTTP/1.1\r\n", "GET /t?token HTTP/1.1\n"},
        {"HTTP/1.1 200 OK\r\nX-A: \x1b[31mred\x7f\r\n", "HTTP/1.1 200 OK\nX-A: ?[31mred?\n"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(KIB);
        trace_mask(str_from(rows[i][0]), &out);
        CHECK_STR_ROW(i, berth_buf_str(&out), str_from(rows[i][1]));
    }
}

struct told {
    berth_buf text;
};

static void tell(void *arg, berth_trace what, uint64_t exchange, const char *text)
{
    struct told *t = arg;
    berth_buf_addf(&t->text, "%d %llu %s", (int)what, (unsigned long long)exchange, text);
}

/* C034 */
static void test_client_trace__tells_of_every_exchange(void **state)
{
    (void)state;
    static struct script s = {.answers = {UNAUTHORIZED BEARER "error=\"x\"\r\n\r\n",
                                          JSON(18) "{\"token\":\"hidden\"}", OK_EMPTY,
                                          "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"}};
    struct told told = {.text = BERTH_BUF_INIT(MIB)};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.username = "Aladdin";
    o.password = "open sesame";
    o.trace = tell;
    o.trace_arg = &told;
    script_begin(&s, &o);
    CHECK_OK(berth_ping(s.client, &test_err));
    CHECK_CODE(berth_ping(s.client, &test_err), BERTH_E_NETWORK);
    script_end(&s);
    const char *text = berth_buf_cstr(&told.text);
    static const char *const wanted[] = {"0 1 GET /v2/ HTTP/1.1\nHost: 127.0.0.1:",
                                         "1 1 HTTP/1.1 401 Unauthorized\n",
                                         "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:",
                                         "0 2 GET /token?service=s",
                                         "Authorization: Basic ***\n",
                                         "1 2 HTTP/1.1 200 OK\n",
                                         "0 3 GET /v2/ HTTP/1.1\n",
                                         "Authorization: Bearer ***\n",
                                         "1 3 HTTP/1.1 200 OK\n",
                                         "0 4 GET /v2/ HTTP/1.1\n",
                                         "1 4 HTTP/1.1 200 OK\n",
                                         "2 4 the body ended early"};
    const char *at = text;
    for (size_t i = 0; i < COUNT(wanted); i++) {
        at = strstr(at, wanted[i]);
        CHECK_ROW(i, at);
    }
    CHECK(!strstr(text, "hidden") && !strstr(text, "QWxhZGRpbj"));
    berth_buf_done(&told.text);
}

RUN_TESTS(TEST(test_client_trace__masks_secrets_in_fields_and_urls),
          TEST(test_client_trace__tells_of_every_exchange))
