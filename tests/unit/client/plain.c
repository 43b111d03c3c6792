/* tests/unit/client/plain.c - what we carry ourselves, and what is left to libcurl. */
#include "plain_fixture.h"

static void test_client_plain__leaves_what_is_out_of_the_ordinary_to_libcurl(void **state)
{
    (void)state;
    static const struct {
        const char *url, *fields;
        bool plain;
    } rows[] = {
        {"http://127.0.0.1:5000/v2/", "", true},
        {"http://[::1]:5000/v2/", "Authorization: x\n", true},
        {"http://localhost/v2/", "", true},
        {"http://10.0.0.1", "X-Proxy: y\n", true},
        {"https://127.0.0.1:5000/v2/", "", false},
        {"http://registry.example/v2/", "", false},
        {"http://127.1/v2/", "", false},
        {"http://127.0.0.1/a/../v2/", "", false},
        {"http://127.0.0.1/\xc3\xa4", "", false},
        {"http://127.0.0.1/", "Host: other.example\n", false},
        {"http://127.0.0.1/", "A: b\ncontent-length: 5\n", false},
        {"http://127.0.0.1/", "Transfer-Encoding;\n", false},
    };
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    struct transport *t = NULL;
    CHECK_OK(transport_new(&o, "127.0.0.1:1", &t, &test_err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct exchange x = {.url = rows[i].url, .fields = str_from(rows[i].fields)};
        CHECK_ROW(i, plains_can(t, &x) == rows[i].plain);
    }
    transport_free(t);
}

static void test_client_plain__leaves_proxies_and_named_places_to_libcurl(void **state)
{
    (void)state;
    const struct exchange x = {.url = "http://127.0.0.1:5000/", .home = true};
    const char *const resolve[] = {"a.example:1:127.0.0.1", NULL};
    for (int i = 0; i < 5; i++) {
        berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
        berth_connection_options c = BERTH_CONNECTION_OPTIONS_INIT;
        struct transport *t = NULL;
        c.proxy = i == 1 ? "http://10.0.0.1:3128" : i == 4 ? "" : NULL;
        c.resolve = i == 2 ? resolve : NULL;
        c.unix_socket = i == 3 ? "/run/x" : NULL;
        o.connection = &c;
        if (i == 4)
            setenv("http_proxy", "http://10.0.0.1:3128", 1);
        CHECK_OK(transport_new(&o, "127.0.0.1:5000", &t, &test_err));
        unsetenv("http_proxy");
        CHECK_ROW(i, plains_can(t, &x) == (i == 0 || i == 4));
        transport_free(t);
    }
}

static void serve_pausing(void)
{
    int fd = take_and_hear();
    hear_body(fd, 3);
    say(fd, OK2);
    hear(fd);
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    hear(fd);
    say(fd, OK2);
    close(fd);
}

static void test_client_plain__rests_while_its_call_pauses(void **state)
{
    (void)state;
    static const char *const bodies[] = {"ok", "abcdefg", "ok"};
    peer_begin(serve_pausing, NULL);
    for (int i = 0; i < 3; i++) {
        CLEANUP(asked_done) struct asked a = i ? ask("GET") : put(3);
        a.pauses = 4; /* in sending, in the first chunk, in all */
        CHECK_OK(go(&a));
        assert_int_equal(a.paused, 4);
        CHECK_STR(berth_buf_str(&a.body), str_from(bodies[i]));
    }
    assert_int_equal(peer.received, 3);
    assert_int_equal(peer.connections, 1);
    peer_end();
}

static void serve_each(void)
{
    for (int fd; (fd = accept(peer.listener, NULL, NULL)) >= 0; close(fd))
        if (hear(fd))
            say(fd, OK2);
}

static void test_client_plain__gives_each_its_turn_whoever_is_cancelled_meanwhile(void **state)
{
    (void)state;
    /* Who stays. The last one comes when the others are gone. */
    static const char *const rows[] = {"01234", "1234", "034", "0124", "4", "134"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asked a[5];
        int n = 0;
        peer_begin(serve_each, NULL);
        for (int k = 0; k < 5; k++) {
            for (int m = 0; k == 4 && m < 4; m++)
                if (!strchr(rows[i], '0' + m))
                    transport_cancel(peer.transport, &a[m].x);
            a[k] = ask("GET");
            snprintf(a[k].url, sizeof(a[k].url), "http://127.0.0.1:%d/%d", peer.port, k);
            start(&a[k]);
        }
        for (int k = 0; k < 5; k++) {
            bool stays = strchr(rows[i], '0' + k);
            if (stays)
                go_on(&a[k]);
            CHECK_ROW(i, a[k].ended == stays && a[k].code == BERTH_OK);
            CHECK_ROW(i, !stays || peer.got[n++][strlen("GET /")] == '0' + k);
            asked_done(&a[k]);
        }
        assert_int_equal(peer.requests, n);
        peer_end();
    }
}

RUN_TESTS(TEST(test_client_plain__leaves_what_is_out_of_the_ordinary_to_libcurl),
          TEST(test_client_plain__leaves_proxies_and_named_places_to_libcurl),
          TEST(test_client_plain__rests_while_its_call_pauses),
          TEST(test_client_plain__gives_each_its_turn_whoever_is_cancelled_meanwhile))
