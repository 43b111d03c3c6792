/* tests/unit/client/request.c - what is sent, and what a challenge changes about it. */
#include "fixture.h"

#include "client/request.h"

#define TOKEN JSON(15) "{\"token\":\"abc\"}"

/* Sends, and checks the status. */
static void send_request(berth_request *q, int status)
{
    berth_call *call = NULL;
    CHECK_OK(berth_request_send(q, &call, &test_err));
    assert_int_equal(berth_response_status(berth_call_response(call)), status);
    berth_call_free(call);
    berth_request_free(q);
}

static berth_request *request(struct script *s, const char *method, const char *path)
{
    berth_request *q = NULL;
    CHECK_OK(berth_request_new(s->client, method, path, &q, &test_err));
    return q;
}

/* C222 */
static void test_client_request__a_client_is_made_from_an_address_and_options(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "http://", "://x", "ftp://x", "http://x/y", "x y", "http://u@x"};
    static const struct {
        const char *host, *base;
    } good[] = {
        {"http://localhost:5000", "http://localhost:5000"},
        {"http://localhost:5000/", "http://localhost:5000"},
        {"https://registry.example//", "https://registry.example"},
        {"registry.example", "https://registry.example"},
        {"localhost/", "http://localhost"},
    };
    berth_client *c = NULL;
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK_ROW(i, berth_client_new(bad[i], NULL, &c, &test_err) == BERTH_E_INVALID && !c);
    for (size_t i = 0; i < COUNT(good); i++) {
        CHECK_OK(berth_client_new(good[i].host, NULL, &c, &test_err));
        CHECK_STR_ROW(i, str_from(c->base), str_from(good[i].base));
        berth_client_free(c);
        c = NULL;
    }
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.transport = BERTH_TRANSPORT_HTTPS;
    CHECK_CODE(berth_client_new("http://localhost", &o, &c, &test_err), BERTH_E_INVALID);
    o.default_name = "Not/Valid";
    CHECK_CODE(berth_client_new("localhost", &o, &c, &test_err), BERTH_E_INVALID);
    o.default_name = NULL;
    const char *const headers[] = {"no header"};
    o.headers = headers;
    o.n_headers = 1;
    CHECK_CODE(berth_client_new("localhost", &o, &c, &test_err), BERTH_E_INVALID);
}

/* C002, C223 */
static void test_client_request__fills_the_path_with_the_default_name_or_another(void **state)
{
    (void)state;
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    CLEANUP(freep) char *url = NULL, *name = NULL;
    berth_client *c = NULL;
    berth_request *q = NULL;
    o.default_name = "myorg/myrepo";
    CHECK_OK(berth_client_new("http://127.0.0.1:8000", &o, &c, &test_err));
    CHECK_OK(berth_request_new(c, BERTH_GET, "/v2/<name>/tags/list", &q, &test_err));
    CHECK_OK(berth_request_url(q, &url, &test_err));
    CHECK_STR(str_from(url), STR("http://127.0.0.1:8000/v2/myorg/myrepo/tags/list"));
    CHECK_STR(str_from(berth_request_method(q)), STR("GET"));
    CHECK_OK(berth_client_set_default_name(c, "other", &test_err));
    name = berth_client_default_name(c);
    CHECK_STR(str_from(name), STR("other"));
    mem_free(steal(&url));
    CHECK_OK(berth_request_url(q, &url, &test_err));
    CHECK_STR(str_from(url), STR("http://127.0.0.1:8000/v2/other/tags/list"));
    berth_request_set_name(q, "vsoch/django-oci");
    mem_free(steal(&url));
    CHECK_OK(berth_request_url(q, &url, &test_err));
    CHECK_STR(str_from(url), STR("http://127.0.0.1:8000/v2/vsoch/django-oci/tags/list"));
    berth_request_set_name(q, NULL);
    CHECK_OK(berth_client_set_default_name(c, NULL, &test_err));
    mem_free(steal(&url));
    CHECK_CODE(berth_request_url(q, &url, &test_err), BERTH_E_INVALID);
    CHECK(!url);
    CHECK_CODE(berth_client_set_default_name(c, "a//b", &test_err), BERTH_E_INVALID);
    berth_request_free(q);
    berth_client_free(c);
}

/* C003, C227, C228, C033, C043 */
static void test_client_request__sends_what_was_set_and_nothing_else(void **state)
{
    (void)state;
    static struct script s = {.answers = {OK_EMPTY, OK_EMPTY, OK_EMPTY}};
    static const char *const headers[] = {"X-Team: red", "X-Empty:"};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.headers = headers;
    o.n_headers = COUNT(headers);
    script_begin(&s, &o);
    berth_request *q = request(&s, BERTH_PUT, "/v2/<name>/blobs/uploads/<session_id>?state=a/b");
    berth_request_set_name(q, "a");
    berth_request_set_session_id(q, "1");
    berth_request_set_query(q, "digest", "x:y");
    berth_request_set_query(q, "digest", "sha256:1");
    berth_request_add_query(q, "tag", "a&b");
    berth_request_add_query(q, "tag", "c");
    berth_request_set_header(q, "content-type", "text/plain");
    berth_request_set_header(q, "Content-Type", "application/octet-stream");
    berth_request_set_header(q, "Content-Length", "5");
    berth_request_add_header(q, "X-A", "1");
    berth_request_add_header(q, "X-A", "2");
    berth_request_set_header(q, "X-B", "3");
    berth_request_set_header(q, "x-b", NULL);
    berth_request_set_body(q, "hello", 5);
    send_request(q, 200);
    q = request(&s, BERTH_GET, "v2/");
    send_request(q, 200);
    q = request(&s, BERTH_OPTIONS, "/v2/");
    berth_request_set_header(q, "Accept", "a/b");
    berth_request_set_header(q, "User-Agent", "mine/1");
    send_request(q, 200);
    script_end(&s);
    const char *first = s.requests[0];
    CHECK(str_starts(str_from(first),
                     STR("PUT /v2/a/blobs/uploads/1?state=a/b&digest=sha256:1&tag=a%26b&tag=c HTTP")));
    static const char *const sent[] = {"\r\nContent-Type: application/octet-stream\r\n",
                                       "\r\nContent-Length: 5\r\n",
                                       "\r\nX-A: 1\r\n",
                                       "\r\nX-A: 2\r\n",
                                       "\r\nX-Team: red\r\n",
                                       "\r\nX-Empty:\r\n",
                                       "\r\nUser-Agent: berth/",
                                       "\r\n\r\nhello"};
    for (size_t i = 0; i < COUNT(sent); i++)
        CHECK_ROW(i, asked(&s, 0, sent[i]));
    static const char *const unsent[] = {"\r\nAccept:", "\r\nX-B:", "\r\nExpect:", "text/plain",
                                         "\r\nAccept-Encoding:"};
    for (size_t i = 0; i < COUNT(unsent); i++)
        CHECK_ROW(i, !asked(&s, 0, unsent[i]));
    CHECK(str_starts(str_from(s.requests[1]), STR("GET /v2/ HTTP")));
    CHECK(!asked(&s, 1, "\r\nAccept:") && !asked(&s, 1, "\r\nContent-"));
    CHECK(str_starts(str_from(s.requests[2]), STR("OPTIONS /v2/ HTTP")) &&
          asked(&s, 2, "\r\nAccept: a/b\r\n"));
    CHECK(asked(&s, 2, "\r\nUser-Agent: mine/1\r\n") && !asked(&s, 2, "berth/"));
}

/* C063, C224 */
static void test_client_request__is_the_same_after_a_challenge(void **state)
{
    (void)state;
    static const char *const challenges[] = {UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
                                             UNAUTHORIZED BEARER "scope=\"repository:a:pull,push\"\r\n\r\n"};
    for (size_t i = 0; i < COUNT(challenges); i++) {
        struct script s = {.answers = {challenges[i], i ? TOKEN : OK_EMPTY, i ? OK_EMPTY : NULL}};
        berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
        o.username = "u";
        o.password = "p";
        script_begin(&s, &o);
        berth_request *q = request(&s, BERTH_PUT, "/v2/<name>/x?a=1");
        berth_request_set_name(q, "a");
        berth_request_set_query(q, "digest", "d");
        berth_request_set_header(q, "X-A", "1");
        berth_request_set_header(q, "Content-Type", "t/u");
        berth_request_set_body(q, "hello", 5);
        send_request(q, 200);
        script_end(&s);
        for (int k = 0; k < 2; k++) {
            int at = k * (i ? 2 : 1);
            CHECK_ROW(i, str_starts(str_from(s.requests[at]), STR("PUT /v2/a/x?a=1&digest=d HTTP")));
            CHECK_ROW(i, asked(&s, at, "\r\nX-A: 1\r\n") && asked(&s, at, "\r\nContent-Type: t/u\r\n"));
            CHECK_ROW(i, asked(&s, at, "\r\n\r\nhello"));
            CHECK_ROW(i, !asked(&s, at, "\r\nAuthorization:") == !k);
        }
        CHECK_ROW(i, !i || asked(&s, 1, "scope=repository:a:pull,push HTTP"));
    }
}

static int renew(berth_request *q, void *arg, berth_error *err)
{
    int *calls = arg;
    (void)err;
    ++*calls;
    berth_request_set_body(q, "again!", 6);
    berth_request_set_header(q, "X-Try", "2");
    return BERTH_OK;
}

static int refuse(berth_request *q, void *arg, berth_error *err)
{
    (void)q, (void)arg;
    return berth_error_set(err, BERTH_E_CONFLICT, "once is enough");
}

/* C062, C224 */
static void test_client_request__a_callback_renews_or_fails_what_is_sent_again(void **state)
{
    (void)state;
    static struct script s = {.answers = {UNAUTHORIZED BEARER "\r\n\r\n", TOKEN, OK_EMPTY}};
    int calls = 0;
    script_begin(&s, NULL);
    berth_request *q = request(&s, BERTH_PUT, "/x");
    berth_request_set_body(q, "hello", 5);
    berth_request_set_retry(q, renew, &calls);
    send_request(q, 200);
    script_end(&s);
    assert_int_equal(calls, 1);
    CHECK(asked(&s, 0, "\r\n\r\nhello") && asked(&s, 2, "\r\nContent-Length: 6\r\n"));
    CHECK(asked(&s, 2, "\r\n\r\nagain!") && asked(&s, 2, "\r\nX-Try: 2\r\n") && !asked(&s, 0, "X-Try"));

    static struct script t = {.answers = {UNAUTHORIZED BEARER "\r\n\r\n", TOKEN}};
    berth_call *call = NULL;
    script_begin(&t, NULL);
    q = request(&t, BERTH_GET, "/x");
    berth_request_set_retry(q, refuse, NULL);
    CHECK_CODE(berth_request_send(q, &call, &test_err), BERTH_E_CONFLICT);
    CHECK(strstr(test_err.message, "once is enough") && !call);
    berth_request_free(q);
    script_end(&t);
}

static int read_word(void *arg, void *p, size_t n, size_t *ret_n)
{
    const char **left = arg;
    *ret_n = MIN(n, strlen(*left));
    memcpy(p, *left, *ret_n);
    *left += *ret_n;
    return 0;
}

static void test_client_request__takes_its_body_from_a_source(void **state)
{
    (void)state;
    static struct script s = {.answers = {OK_EMPTY, OK_EMPTY}};
    const char *left = "streamed";
    berth_source known = BERTH_SOURCE_FN(read_word, NULL, &left, 8), unknown = known;
    unknown.length = BERTH_LENGTH_UNKNOWN;
    script_begin(&s, NULL);
    berth_request *q = request(&s, BERTH_PATCH, "/x");
    berth_request_set_source(q, &known);
    berth_request_set_header(q, "Content-Length", "8");
    send_request(q, 200);
    left = "streamed";
    q = request(&s, BERTH_PATCH, "/x");
    berth_request_set_source(q, &unknown);
    send_request(q, 200);
    script_end(&s);
    CHECK(asked(&s, 0, "\r\nContent-Length: 8\r\n") && asked(&s, 0, "\r\n\r\nstreamed"));
    CHECK(asked(&s, 1, "\r\nTransfer-Encoding: chunked\r\n") && asked(&s, 1, "streamed"));
}

static void test_client_request__reports_mistakes_when_it_is_sent(void **state)
{
    (void)state;
    static struct script s = {.answers = {NULL}};
    script_begin(&s, NULL);
    for (size_t i = 0; i < 9; i++) {
        berth_call *call = NULL;
        berth_request *q = request(&s, BERTH_GET, i == 8 ? "/v2/\x01" : "/v2/");
        switch (i) {
        case 0:
            berth_request_set_header(q, "X A", "1");
            break;
        case 1:
            berth_request_set_header(q, "X-A", "1\r\nX-B: 2");
            break;
        case 2:
            berth_request_set_header(q, "Host", "other");
            break;
        case 3:
            berth_request_set_header(q, "transfer-encoding", "chunked");
            break;
        case 4:
            berth_request_set_header(q, "Content-Length", "3");
            break;
        case 5:
            berth_request_add_query(q, "", "x");
            break;
        case 6:
            berth_request_set_header(q, NULL, "x");
            break;
        case 7:
            berth_request_add_header(q, "X-A", NULL);
            break;
        default:
            break;
        }
        test_err = (berth_error)BERTH_ERROR_INIT;
        CHECK_ROW(i,
                  berth_request_send(q, &call, &test_err) == BERTH_E_INVALID && !call && test_err.message[0]);
        berth_request_free(q);
    }
    berth_request *q = NULL;
    CHECK_CODE(berth_request_new(s.client, "get", "/v2/", &q, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_request_new(s.client, "", "/v2/", &q, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_request_new(s.client, "CONNECT", "/v2/", &q, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_request_new(s.client, BERTH_GET, "", &q, &test_err), BERTH_E_INVALID);
    CHECK(!q);
    script_end(&s);
}

/* C045 */
static void test_client_request__sends_nothing_of_ours_to_another_host(void **state)
{
    (void)state;
    static struct script other = {
        .answers = {OK_EMPTY, UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n", OK_EMPTY}};
    static const char *const headers[] = {"X-Team: red"};
    script_begin(&other, NULL);
    char url[128], redirect[256];
    snprintf(url, sizeof(url), "http://%s/up?load=1", other.host);
    snprintf(redirect, sizeof(redirect), "HTTP/1.1 307 There\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
             url);
    struct script s = {
        .answers = {UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n", OK_EMPTY, redirect}};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.username = "u";
    o.password = "p";
    o.headers = headers;
    o.n_headers = 1;
    script_begin(&s, &o);
    send_request(request(&s, BERTH_GET, "/v2/"), 200);
    berth_request *q = request(&s, BERTH_PUT, url);
    berth_request_set_query(q, "digest", "d");
    berth_request_set_header(q, "Content-Type", "a/b");
    berth_request_set_body(q, "x", 1);
    send_request(q, 200);
    send_request(request(&s, BERTH_GET, url), 401);
    q = request(&s, BERTH_PUT, "/v2/");
    berth_request_set_body(q, "xyz", 3);
    berth_request_set_header(q, "Authorization", "Bearer mine");
    send_request(q, 200);
    script_end(&s);
    script_end(&other);
    CHECK(str_starts(str_from(other.requests[0]), STR("PUT /up?load=1&digest=d HTTP")));
    CHECK(asked(&other, 0, "\r\nContent-Type: a/b\r\n"));
    CHECK(asked(&s, 1, "\r\nX-Team: red\r\n") && asked(&s, 2, "\r\nAuthorization: Bearer mine\r\n"));
    CHECK(asked(&other, 2, "\r\n\r\nxyz") &&
          str_starts(str_from(other.requests[2]), STR("PUT /up?load=1 HTTP")));
    for (int i = 0; i < 3; i++)
        CHECK(!asked(&other, i, "Authorization:") && !asked(&other, i, "X-Team"));
}

/* C224: what can't be answered is an answer. */
static void test_client_request__hands_out_a_challenge_that_nobody_can_answer(void **state)
{
    (void)state;
    static struct script s = {.answers = {UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
                                          UNAUTHORIZED "\r\n", UNAUTHORIZED BEARER "\r\n\r\n"}};
    script_begin(&s, NULL);
    send_request(request(&s, BERTH_GET, "/v2/"), 401);
    send_request(request(&s, BERTH_GET, "/v2/"), 401);
    berth_request *q = request(&s, BERTH_GET, "/v2/");
    berth_request_set_header(q, "Authorization", "Basic Zm9vOmJhcg==");
    send_request(q, 401);
    script_end(&s);
    CHECK(asked(&s, 2, "\r\nAuthorization: Basic Zm9vOmJhcg==\r\n"));
}

/* A status that may pass is tried again; what remains is the answer. */
static void test_client_request__hands_out_what_tries_did_not_mend(void **state)
{
    (void)state;
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
    static const struct {
        const char *method;
        unsigned retries;
        const char *answers[3];
        int status;
    } rows[] = {
        {BERTH_GET, 2, {BUSY, OK_EMPTY}, 200},
        {BERTH_GET, 1, {BUSY, BUSY}, 503},
        {BERTH_GET, 0, {BUSY}, 503},
        {BERTH_PATCH, 2, {BUSY}, 503}, /* may have been done already */
        {BERTH_GET, 2, {"HTTP/1.1 429 Later\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"}, 429},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {rows[i].answers[0], rows[i].answers[1], rows[i].answers[2]},
                           .retries = true};
        berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
        o.retries = rows[i].retries;
        o.first_wait_ms = 1;
        script_begin(&s, &o);
        berth_request *q = request(&s, rows[i].method, "/x");
        send_request(q, rows[i].status);
        script_end(&s);
    }
}

static void test_client_request__follows_redirects_unless_told_not_to(void **state)
{
    (void)state;
#define TO(status) "HTTP/1.1 " #status " There\r\nLocation: /there?a=b\r\nContent-Length: 0\r\n\r\n"
    static const struct {
        const char *method, *answer;
        bool keep;
        int status;
    } rows[] = {
        {BERTH_GET, TO(302), false, 200},
        {BERTH_GET, TO(302), true, 302},
        {BERTH_PUT, TO(307), false, 200},
        {BERTH_PUT, TO(302), false, 302},
        {BERTH_POST, TO(308), false, 200},
        {BERTH_HEAD, TO(301), false, 200},
        {BERTH_DELETE, TO(303), false, 303},
        {BERTH_GET, "HTTP/1.1 302 No\r\nContent-Length: 0\r\n\r\n", false, 302},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {rows[i].answer, rows[i].status == 200 ? OK_EMPTY : NULL}};
        script_begin(&s, NULL);
        berth_request *q = request(&s, rows[i].method, "/here?c=d");
        berth_request_set_query(q, "e", "f");
        berth_request_set_redirects(q, !rows[i].keep);
        send_request(q, rows[i].status);
        script_end(&s);
        CHECK_ROW(i, rows[i].status != 200 || asked(&s, 1, " /there?a=b HTTP"));
    }
}

static void done(berth_call *call, void *arg)
{
    *(int *)arg = berth_response_status(berth_call_response(call));
}

/* C051: the form for event loops; a request may go before its call. */
static void test_client_request__runs_in_an_event_loop(void **state)
{
    (void)state;
    static struct script s = {.answers = {"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n"}};
    int status = 0;
    berth_call *call = NULL;
    script_begin(&s, NULL);
    berth_request *q = request(&s, BERTH_GET, "/v2/");
    CHECK_OK(berth_request_start(q, &call, &test_err));
    CHECK(!berth_call_response(call));
    berth_call_on_done(call, done, &status);
    berth_request_free(q);
    CHECK_OK(berth_call_wait(call, &test_err));
    assert_int_equal(status, 418);
    berth_call_free(call);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_request__a_client_is_made_from_an_address_and_options),
          TEST(test_client_request__fills_the_path_with_the_default_name_or_another),
          TEST(test_client_request__sends_what_was_set_and_nothing_else),
          TEST(test_client_request__is_the_same_after_a_challenge),
          TEST(test_client_request__a_callback_renews_or_fails_what_is_sent_again),
          TEST(test_client_request__takes_its_body_from_a_source),
          TEST(test_client_request__reports_mistakes_when_it_is_sent),
          TEST(test_client_request__sends_nothing_of_ours_to_another_host),
          TEST(test_client_request__hands_out_a_challenge_that_nobody_can_answer),
          TEST(test_client_request__hands_out_what_tries_did_not_mend),
          TEST(test_client_request__follows_redirects_unless_told_not_to),
          TEST(test_client_request__runs_in_an_event_loop))
