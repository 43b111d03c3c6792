/* tests/unit/client/response.c */
#include "fixture.h"

#include "client/request.h"

static berth_call *ask(struct script *s, const char *answer)
{
    berth_call *call = NULL;
    berth_request *q = NULL;
    s->answers[0] = answer;
    script_begin(s, NULL);
    CHECK_OK(berth_request_new(s->client, BERTH_GET, "/v2/x/y?z", &q, &test_err));
    CHECK_OK(berth_request_send(q, &call, &test_err));
    berth_request_free(q);
    return call;
}

static void test_client_response__has_status_headers_and_body(void **state)
{
    (void)state;
    struct script s = {0};
    berth_call *call =
        ask(&s, "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\nX-A:  one \r\nx-a: two\r\n\r\nhello");
    const berth_response *r = berth_call_response(call);
    const char *name = NULL;
    size_t n = 0;
    assert_int_equal(berth_response_status(r), 202);
    CHECK_STR(str_from(berth_response_header(r, "X-A")), STR("one"));
    CHECK(!berth_response_header(r, "X-B") && !berth_response_location(r) &&
          !berth_response_absolute_location(r));
    CHECK_STR(str_from(berth_response_header_at(r, 2, &name)), STR("two"));
    CHECK_STR(str_from(name), STR("x-a"));
    CHECK(!berth_response_header_at(r, 3, &name) && !berth_response_header_at(r, 99, NULL));
    CHECK_STR(str_from(berth_response_body(r, &n)), STR("hello"));
    assert_int_equal(n, 5);
    CHECK(!berth_call_content(call));
    berth_call_free(call);
    script_end(&s);
}

/* C003, C225 */
static void test_client_response__has_its_location_in_both_forms(void **state)
{
    (void)state;
    static const struct {
        const char *said, *relative, *absolute; /* "": with the server's own origin before it */
    } rows[] = {
        {"/v2/a/blobs/uploads/1?_state=x%2Fy", "/v2/a/blobs/uploads/1?_state=x%2Fy", ""},
        {"https://other.example/v2/put/1?a=b&c", "/v2/put/1?a=b&c", "https://other.example/v2/put/1?a=b&c"},
        {"https://other.example:1?a", "/?a", "https://other.example:1?a"},
        {"z", "/v2/x/z", ""},
        {"ftp://x/y", NULL, NULL},
        {"/a b", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        char answer_text[256], absolute[128];
        snprintf(answer_text, sizeof(answer_text),
                 "HTTP/1.1 201 Made\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n", rows[i].said);
        berth_call *call = ask(&s, answer_text);
        const berth_response *r = berth_call_response(call);
        CHECK_STR_ROW(i, str_from(berth_response_location(r)), str_from(rows[i].relative));
        snprintf(absolute, sizeof(absolute), "http://%s%s", s.host, rows[i].relative ? rows[i].relative : "");
        CHECK_STR_ROW(i, str_from(berth_response_absolute_location(r)),
                      str_from(rows[i].absolute && !*rows[i].absolute ? absolute : rows[i].absolute));
        berth_call_free(call);
        script_end(&s);
    }
}

#define BODY(type, text) "HTTP/1.1 404 No\r\nContent-Type: " type "\r\nConnection: close\r\n\r\n" text

/* C004, C226 */
static void test_client_response__lists_the_registrys_errors(void **state)
{
    (void)state;
    struct script s = {0};
    const berth_response_error *errors = NULL;
    size_t n = 0;
    berth_call *call =
        ask(&s, BODY("application/json", "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no such\","
                                         "\"detail\":{\"name\":\"\\u001bx\"}},{\"code\":\"B\"}]}"));
    CHECK_OK(berth_response_errors(berth_call_response(call), &errors, &n, &test_err));
    assert_int_equal(n, 2);
    CHECK_STR(str_from(errors[0].code), STR("NAME_UNKNOWN"));
    CHECK_STR(str_from(errors[0].message), STR("no such"));
    CHECK_STR(str_from(errors[0].detail), STR("{\"name\":\"\\u001Bx\"}"));
    CHECK_STR(str_from(errors[1].code), STR("B"));
    CHECK_STR(str_from(errors[1].message), STR(""));
    CHECK_STR(str_from(errors[1].detail), STR(""));
    berth_call_free(call);
    script_end(&s);
}

/* C005, C226 */
static void test_client_response__says_what_else_the_body_is(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *why;
    } rows[] = {
        {BODY("application/json", "{}"), "lists no errors"},
        {BODY("application/json", "{\"errors\":[]}"), "lists no errors"},
        {BODY("application/json", "{\"errors\":[5]}"), "an entry that is none"},
        {BODY("application/json", "{\"errors\":[{\"code\":7}]}"), "an entry that is none"},
        {BODY("application/json", "[1]"), "no list of errors"},
        {BODY("text/plain", "gone"), "no list of errors"},
        {BODY("text/html; charset=utf-8", "<html>"), "404 is a web page"},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
         "200 is a web page"},
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "500 has no body"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        const berth_response_error *errors = NULL;
        size_t n = 0;
        berth_call *call = ask(&s, rows[i].answer);
        CHECK_ROW(i, berth_response_errors(berth_call_response(call), &errors, &n, &test_err) ==
                         BERTH_E_INVALID);
        CHECK_ROW(i, strstr(test_err.message, rows[i].why) && !errors);
        berth_call_free(call);
        script_end(&s);
    }
}

static int collect(void *arg, const void *p, size_t n)
{
    berth_buf_add(arg, p, n);
    return 0;
}

static void test_client_response__keeps_to_its_limit_or_goes_to_a_sink(void **state)
{
    (void)state;
    static struct script s = {.answers = {NULL, OK_EMPTY, OK_EMPTY, BODY("text/plain", "no")}};
    s.answers[0] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    CLEANUP(berth_buf_done) berth_buf got = BERTH_BUF_INIT(KIB);
    CLEANUP(berth_buf_done) berth_buf large = BERTH_BUF_INIT(MIB);
    berth_buf_addf(&large, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 100; i++)
        berth_buf_addf(&large, "%01024d", 0);
    s.answers[0] = berth_buf_cstr(&large);
    berth_call *call = NULL;
    berth_request *q = NULL;
    size_t n = 1;
    script_begin(&s, NULL);
    CHECK_OK(berth_request_new(s.client, BERTH_GET, "/v2/", &q, &test_err));
    berth_request_set_limit(q, 99 * KIB);
    CHECK_CODE(berth_request_send(q, &call, &test_err), BERTH_E_TOO_BIG);
    CHECK_OK(berth_request_send(q, &call, &test_err));
    berth_call_free(call);
    berth_request_set_sink(q, collect, &got);
    CHECK_OK(berth_request_send(q, &call, &test_err));
    CHECK_STR(berth_buf_str(&got), STR("{}"));
    CHECK(berth_response_body(berth_call_response(call), &n) && n == 0);
    berth_call_free(call);
    CHECK_OK(berth_request_send(q, &call, &test_err)); /* a refusal doesn't go there */
    CHECK_STR(berth_buf_str(&got), STR("{}"));
    CHECK_STR(str_from(berth_response_body(berth_call_response(call), &n)), STR("no"));
    berth_call_free(call);
    berth_request_free(q);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_response__has_status_headers_and_body),
          TEST(test_client_response__has_its_location_in_both_forms),
          TEST(test_client_response__lists_the_registrys_errors),
          TEST(test_client_response__says_what_else_the_body_is),
          TEST(test_client_response__keeps_to_its_limit_or_goes_to_a_sink))
