/* tests/unit/client/client.c - hosts, event loops, threads, cancelling. */
#include "fixture.h"

#include <poll.h>

static void test_client_client__speaks_http_to_loopback_alone(void **state)
{
    (void)state;
    static const struct {
        const char *host, *base; /* NULL: refused */
        berth_transport transport;
    } rows[] = {
        {"localhost:5000", "http://localhost:5000", BERTH_TRANSPORT_AUTO},
        {"LOCALHOST", "http://LOCALHOST", BERTH_TRANSPORT_AUTO},
        {"127.0.0.1", "http://127.0.0.1", BERTH_TRANSPORT_AUTO},
        {"[::1]:5000", "http://[::1]:5000", BERTH_TRANSPORT_AUTO},
        {"localhost", "https://localhost", BERTH_TRANSPORT_HTTPS},
        {"localhost.example", "https://localhost.example", BERTH_TRANSPORT_AUTO},
        {"127.0.0.1.example", "https://127.0.0.1.example", BERTH_TRANSPORT_AUTO},
        {"registry.example", "http://registry.example", BERTH_TRANSPORT_HTTP},
        {"", NULL, BERTH_TRANSPORT_AUTO},
        {"a/b", NULL, BERTH_TRANSPORT_AUTO},
        {"a?b", NULL, BERTH_TRANSPORT_AUTO},
        {"user@a", NULL, BERTH_TRANSPORT_AUTO},
        {"a b", NULL, BERTH_TRANSPORT_AUTO},
        {"http://a", "http://a", BERTH_TRANSPORT_AUTO},
        {"ftp://a", NULL, BERTH_TRANSPORT_AUTO},
        {NULL, NULL, BERTH_TRANSPORT_AUTO},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
        berth_client *c = NULL;
        o.transport = rows[i].transport;
        int r = berth_client_new(rows[i].host, &o, &c, &test_err);
        CHECK_ROW(i, r == (rows[i].base ? BERTH_OK : BERTH_E_INVALID));
        if (c)
            CHECK_STR_ROW(i, str_from(c->base), str_from(rows[i].base));
        berth_client_free(c);
    }
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    berth_client *c = NULL;
    o.user_agent = "a\r\nX-Evil: 1";
    CHECK_CODE(berth_client_new("localhost", &o, &c, &test_err), BERTH_E_INVALID);
    berth_client_free(NULL);
}

static void count_done(berth_call *call, void *arg)
{
    CHECK_CODE(berth_call_wait(call, NULL), BERTH_E_INVALID); /* not from a callback */
    CHECK_OK(berth_call_result(call, &test_err));
    berth_call_free(call);
    ++*(int *)arg;
}

static void test_client_client__fits_into_an_event_loop(void **state)
{
    (void)state;
    static struct script s = {.answers = {OK_EMPTY, OK_EMPTY, OK_EMPTY, OK_EMPTY}};
    script_begin(&s, NULL);
    int done = 0;
    for (int i = 0; i < 4; i++) {
        berth_call *call = NULL;
        CHECK_OK(berth_ping_start(s.client, &call, &test_err));
        CHECK_CODE(berth_call_result(call, NULL), BERTH_E_BUSY);
        berth_call_on_done(call, count_done, &done);
    }
    while (done < 4) {
        struct pollfd p = {.fd = berth_client_fd(s.client), .events = POLLIN};
        CHECK(poll(&p, 1, 10000) == 1);
        berth_client_process(s.client);
    }
    script_end(&s);
}

static void *ping(void *arg)
{
    berth_error err;
    return berth_ping(arg, &err) == BERTH_OK ? NULL : arg;
}

static void test_client_client__is_shared_by_threads(void **state)
{
    (void)state;
    static struct script s;
    pthread_t threads[ANSWERS_MAX];
    for (int i = 0; i < ANSWERS_MAX; i++)
        s.answers[i] = OK_EMPTY;
    script_begin(&s, NULL);
    for (int i = 0; i < ANSWERS_MAX; i++)
        CHECK(pthread_create(&threads[i], NULL, ping, s.client) == 0);
    for (int i = 0; i < ANSWERS_MAX; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        CHECK(!failed);
    }
    script_end(&s);
}

static void must_not_run(berth_call *call, void *arg)
{
    (void)call, (void)arg;
    fail();
}

static void note_cancelled(berth_call *call, void *arg)
{
    *(int *)arg = berth_call_result(call, NULL);
}

static void test_client_client__cancels(void **state)
{
    (void)state;
    struct script s = {0}; /* never answers */
    script_begin(&s, NULL);
    berth_call *early = NULL, *late = NULL;
    int result = 0;
    CHECK_OK(berth_ping_start(s.client, &early, &test_err));
    berth_call_free(early); /* before it was started */
    CHECK_OK(berth_ping_start(s.client, &late, &test_err));
    berth_client_process(s.client);
    berth_call_on_done(late, note_cancelled, &result);
    berth_call_free(late); /* under way */
    assert_int_equal(result, BERTH_E_CANCELLED);
    berth_call_free(NULL);
    script_end(&s);
}

static int free_itself(void *arg, const void *p, size_t n)
{
    (void)p, (void)n;
    berth_call **call = arg;
    berth_call_free(steal(call));
    return 0;
}

static void test_client_client__a_callback_may_free_its_call(void **state)
{
    (void)state;
    static struct script s = {.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"}};
    script_begin(&s, NULL);
    berth_call *call = NULL;
    CHECK_OK(berth_blob_get_start(s.client, "a",
                                  "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                                  free_itself, &call, &call, &test_err));
    berth_call_on_done(call, must_not_run, NULL);
    while (call) { /* until the answer is here, and the call gone */
        struct pollfd p = {.fd = berth_client_fd(s.client), .events = POLLIN};
        CHECK(poll(&p, 1, 10000) == 1);
        berth_client_process(s.client);
    }
    script_end(&s);
}

static void test_client_client__says_what_does_not_answer(void **state)
{
    (void)state;
    struct script s = {0};
    script_begin(&s, NULL);
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.timeout_ms = 1000;
    berth_client *slow = NULL, *none = NULL;
    CHECK_OK(berth_client_new(s.host, &o, &slow, &test_err));
    CHECK_CODE(berth_ping(slow, &test_err), BERTH_E_NETWORK); /* accepted by the kernel, and never answered */
    CHECK(strstr(test_err.message, "no answer in 1 seconds"));
    berth_client_free(slow);
    CHECK_OK(berth_client_new("127.0.0.1:1", &o, &none, &test_err));
    CHECK_CODE(berth_ping(none, &test_err), BERTH_E_NETWORK);
    CHECK(strstr(test_err.message, "127.0.0.1:1"));
    berth_client_free(none);
    script_end(&s);
}

static void test_client_client__forgets_when_it_is_closed_and_goes_on(void **state)
{
    (void)state;
    static struct script s = {.answers = {UNAUTHORIZED BEARER "scope=\"\"\r\n\r\n",
                                          JSON(13) "{\"token\":\"a\"}", OK_EMPTY, OK_EMPTY,
                                          UNAUTHORIZED BEARER "scope=\"\"\r\n\r\n",
                                          JSON(13) "{\"token\":\"b\"}", OK_EMPTY}};
    script_begin(&s, NULL);
    berth_client_close(s.client); /* nothing is open yet */
    CHECK_OK(berth_ping(s.client, &test_err));
    CHECK_OK(berth_ping(s.client, &test_err));
    CHECK(asked(&s, 3, "Authorization: Bearer a\r\n"));
    berth_client_close(s.client);
    berth_client_close(s.client);
    CHECK_OK(berth_ping(s.client, &test_err));
    CHECK(!asked(&s, 4, "Authorization:") && asked(&s, 6, "Authorization: Bearer b\r\n"));
    script_end(&s);
}

RUN_TESTS(TEST(test_client_client__forgets_when_it_is_closed_and_goes_on),
          TEST(test_client_client__speaks_http_to_loopback_alone),
          TEST(test_client_client__fits_into_an_event_loop), TEST(test_client_client__is_shared_by_threads),
          TEST(test_client_client__cancels), TEST(test_client_client__a_callback_may_free_its_call),
          TEST(test_client_client__says_what_does_not_answer))
