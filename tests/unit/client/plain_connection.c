/* tests/unit/client/plain_connection.c - connections of our own: which are made, kept, and used again. */
#include "plain_fixture.h"

static void
test_client_plain_connection__is_kept_and_another_taken_when_it_turns_out_to_be_closed(void **state)
{
    (void)state;
    peer_begin(serve_and_close, NULL);
    for (int i = 0; i < 3; i++) {
        CLEANUP(asked_done) struct asked a = i < 2 ? ask("GET") : put(3);
        CHECK_OK(go(&a));
        CHECK_STR(berth_buf_str(&a.body), STR("ok"));
        assert_int_equal(a.rewinds, i < 2 ? 0 : 2);
    }
    assert_int_equal(peer.connections, 2);
    assert_int_equal(peer.received, 3);
    assert_string_equal(peer.got[2], peer.got[3]);
    peer_end();
}

static void test_client_plain_connection__finds_this_machine_by_either_address(void **state)
{
    (void)state;
    peer_begin(serve_and_close, NULL);
    CLEANUP(asked_done) struct asked a = ask("GET"), gone = ask("GET");
    /* Which is [::1], too, where nobody listens. */
    snprintf(a.url, sizeof(a.url), "http://localhost:%d/", peer.port);
    CHECK_OK(go(&a));
    snprintf(gone.url, sizeof(gone.url), "http://127.0.0.1:1/");
    CHECK_CODE(go(&gone), BERTH_E_NETWORK);
    assert_int_equal(gone.x.failure, FAILURE_UNREACHED);
    assert_string_equal(gone.err.message, "connecting to 127.0.0.1:1: Connection refused");
    peer_end();
}

/* Closes one of three connections, and answers once more on the others. */
static void serve_three(void)
{
    int fds[3], closed = peer.answer[0] - '0';
    for (int i = 0; i < 3; i++)
        fds[i] = take_and_hear();
    for (int i = 0; i < 3; i++)
        say(fds[i], OK2);
    close(fds[closed]);
    for (int i = 0; i < 3; i++)
        if (i != closed && hear(fds[i])) {
            say(fds[i], OK2);
            close(fds[i]);
        }
}

static void go_all(struct asked *a, int n)
{
    for (int i = 0; i < n; i++) {
        a[i] = ask("GET");
        start(&a[i]);
    }
    for (int i = 0; i < n; i++) {
        go_on(&a[i]);
        assert_int_equal(a[i].code, BERTH_OK);
        asked_done(&a[i]);
    }
}

static void test_client_plain_connection__is_dropped_when_it_is_closed_while_nobody_needs_it(void **state)
{
    (void)state;
    static const char *const rows[] = {"0", "1", "2"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asked a[3];
        peer_begin(serve_three, rows[i]);
        go_all(a, 3);
        while (peer.transport->plains->n_idle != 2) {
            transport_wait(peer.transport);
            transport_process(peer.transport);
        }
        go_all(a, 2);
        assert_int_equal(peer.connections, 3);
        peer_end();
    }
}

RUN_TESTS(TEST(test_client_plain_connection__is_kept_and_another_taken_when_it_turns_out_to_be_closed),
          TEST(test_client_plain_connection__finds_this_machine_by_either_address),
          TEST(test_client_plain_connection__is_dropped_when_it_is_closed_while_nobody_needs_it))
