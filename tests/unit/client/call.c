/* tests/unit/client/call.c - challenges, tokens, redirects, errors. */
#include "fixture.h"

#define TOKEN                                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "                                        \
    "33\r\n\r\n{\"token\":\"abc\",\"expires_in\": 300}"

static void test_client_call__answers_a_basic_challenge_and_remembers_it(void **state)
{
    (void)state;
    static struct script s = {
        .answers = {UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n", OK_EMPTY, OK_EMPTY}};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.username = "Aladdin";
    o.password = "open sesame";
    script_begin(&s, &o);
    CHECK_OK(berth_ping(s.client, &test_err));
    CHECK_OK(berth_ping(s.client, &test_err));
    script_end(&s);
    CHECK(!asked(&s, 0, "\r\nAuthorization:"));
    for (int i = 1; i < 3; i++)
        CHECK(asked(&s, i, "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
}

static void test_client_call__sends_a_refused_password_once(void **state)
{
    (void)state;
#define WANTS_BASIC UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n"
    static struct script s = {.answers = {WANTS_BASIC, WANTS_BASIC}};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.username = "Aladdin";
    o.password = "wrong";
    o.timeout_ms = 2000; /* of a third request, which nobody answers */
    script_begin(&s, &o);
    CHECK_CODE(berth_ping(s.client, &test_err), BERTH_E_UNAUTH);
    script_end(&s);
}

static void test_client_call__fetches_a_token_once(void **state)
{
    (void)state;
    static struct script s = {.answers = {UNAUTHORIZED BEARER "scope=\"repository:a/b:pull\"\r\n\r\n", TOKEN,
                                          JSON(11) "{\"tags\":[]}", JSON(11) "{\"tags\":[]}"}};
    script_begin(&s, NULL);
    CHECK_OK(berth_tag_list(s.client, "a/b", NULL, NULL, &test_err));
    CHECK_OK(berth_tag_list(s.client, "a/b", NULL, NULL, &test_err));
    script_end(&s);
    CHECK(strncmp(s.requests[1], "GET /token?service=s&scope=repository:a/b:pull HTTP", 51) == 0);
    CHECK(!asked(&s, 1, "\r\nAuthorization:")); /* anonymous */
    for (int i = 2; i < 4; i++)
        CHECK(asked(&s, i, "\r\nAuthorization: Bearer abc\r\n"));
}

static void test_client_call__renews_a_token_that_is_refused_and_gives_up_then(void **state)
{
    (void)state;
    static struct script s = {.answers = {UNAUTHORIZED BEARER "error=\"x\"\r\n\r\n", TOKEN,
                                          UNAUTHORIZED BEARER "error=\"x\"\r\n\r\n", TOKEN,
                                          UNAUTHORIZED BEARER "error=\"x\"\r\n\r\n"}};
    script_begin(&s, NULL);
    CHECK_CODE(berth_ping(s.client, &test_err), BERTH_E_UNAUTH);
    assert_int_equal(test_err.http_status, 401);
    script_end(&s);
}

static void test_client_call__says_which_credentials_are_missing(void **state)
{
    (void)state;
    static const char *const rows[] = {
        UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
        UNAUTHORIZED "WWW-Authenticate: Negotiate\r\n\r\n",
        UNAUTHORIZED "\r\n",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {rows[i]}};
        script_begin(&s, NULL);
        CHECK_ROW(i, berth_ping(s.client, &test_err) == BERTH_E_UNAUTH && test_err.http_status == 401);
        script_end(&s);
    }
}

static void test_client_call__sends_no_credentials_to_where_it_is_redirected(void **state)
{
    (void)state;
    static struct script other = {.answers = {OK_EMPTY}};
    script_begin(&other, NULL);
    char redirect[256];
    snprintf(redirect, sizeof(redirect),
             "HTTP/1.1 307 Later\r\nLocation: http://%s/blob?signed=1&x=2\r\n"
             "Content-Length: 0\r\n\r\n",
             other.host);
    struct script s = {.answers = {UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n", redirect}};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.username = "u";
    o.password = "p";
    script_begin(&s, &o);
    CHECK_OK(berth_ping(s.client, &test_err));
    script_end(&s);
    script_end(&other);
    CHECK(asked(&s, 1, "\r\nAuthorization: Basic"));
    CHECK(strncmp(other.requests[0], "GET /blob?signed=1&x=2 ", 23) == 0);
    CHECK(!asked(&other, 0, "\r\nAuthorization:"));
}

static void test_client_call__redirects_come_to_an_end(void **state)
{
    (void)state;
    static struct script s;
    for (int i = 0; i < 11; i++)
        s.answers[i] = "HTTP/1.1 302 Found\r\nLocation: /v2/?more\r\nContent-Length: 0\r\n\r\n";
    script_begin(&s, NULL);
    CHECK_CODE(berth_ping(s.client, &test_err), BERTH_E_INVALID);
    script_end(&s);
    struct script nowhere = {
        .answers = {"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"}};
    script_begin(&nowhere, NULL);
    CHECK_CODE(berth_ping(nowhere.client, &test_err), BERTH_E_INVALID);
    script_end(&nowhere);
}

static void test_client_call__repeats_the_registrys_words(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *oci_code, *words;
        int code, status;
    } rows[] = {
        {"HTTP/1.1 404 X\r\n\r\n{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no such name\"}]}",
         "NAME_UNKNOWN", "no such name (NAME_UNKNOWN)", BERTH_E_NOT_FOUND, 404},
        {"HTTP/1.1 403 X\r\n\r\n{\"errors\":[{\"code\":\"DENIED\"}]}", "DENIED", ": DENIED", BERTH_E_DENIED,
         403},
        {"HTTP/1.1 429 X\r\n\r\nslow down", "", "answered 429", BERTH_E_BUSY, 429},
        {"HTTP/1.1 502 X\r\nContent-Type: text/html\r\n\r\n<html>", "", "answered 502", BERTH_E_IO, 502},
        {"HTTP/1.1 204 X\r\n\r\n", "", NULL, BERTH_OK, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {rows[i].answer}};
        script_begin(&s, NULL);
        CHECK_ROW(i, berth_ping(s.client, &test_err) == rows[i].code);
        script_end(&s);
        if (rows[i].code == BERTH_OK)
            continue;
        CHECK_STR_ROW(i, str_from(test_err.oci_code), str_from(rows[i].oci_code));
        CHECK_ROW(i, strstr(test_err.message, rows[i].words) && strstr(test_err.message, s.host));
        CHECK_ROW(i, test_err.http_status == rows[i].status);
    }
}

static void test_client_call__bounds_what_a_registry_may_send(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf header = BERTH_BUF_INIT(MIB), error = BERTH_BUF_INIT(MIB);
    berth_buf_addf(&header, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 4000; i++)
        berth_buf_addf(&header, "X-Filler-%d: %080d\r\n", i, i);
    berth_buf_addf(&header, "\r\n");
    berth_buf_addf(&error, "HTTP/1.1 500 X\r\n\r\n");
    for (int i = 0; i < 1000; i++)
        berth_buf_addf(&error, "%0200d", i);
    const char *const rows[] = {berth_buf_cstr(&header), berth_buf_cstr(&error)};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.answers = {rows[i]}};
        script_begin(&s, NULL);
        CHECK_ROW(i, berth_ping(s.client, &test_err) == BERTH_E_TOO_BIG);
        script_end(&s);
    }
}

RUN_TESTS(TEST(test_client_call__answers_a_basic_challenge_and_remembers_it),
          TEST(test_client_call__sends_a_refused_password_once), TEST(test_client_call__fetches_a_token_once),
          TEST(test_client_call__renews_a_token_that_is_refused_and_gives_up_then),
          TEST(test_client_call__says_which_credentials_are_missing),
          TEST(test_client_call__sends_no_credentials_to_where_it_is_redirected),
          TEST(test_client_call__redirects_come_to_an_end),
          TEST(test_client_call__repeats_the_registrys_words),
          TEST(test_client_call__bounds_what_a_registry_may_send))
