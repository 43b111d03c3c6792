/* tests/unit/client/plain_send.c - requests as they arrive at a peer. */
#include "plain_fixture.h"

#include <sys/mman.h>

#define LARGE (3 * MIB)

static void serve_two(void)
{
    int fd = take_and_hear();
    say(fd, OK2);
    hear(fd);
    hear_body(fd, 3);
    say(fd, OK2);
    close(fd);
}

static void test_client_plain_send__says_what_is_asked_for_and_how_much_comes_with_it(void **state)
{
    (void)state;
    peer_begin(serve_two, NULL);
    CLEANUP(asked_done) struct asked a = ask("GET"), b = put(3);
    CHECK_OK(go(&a));
    CHECK_OK(go(&b));
    assert_int_equal(peer.received, 3);
    assert_ptr_equal(strstr(peer.got[0], "GET /v2/?n=1 HTTP/1.1\r\nHost: 127.0.0.1:"), peer.got[0]);
    assert_non_null(strstr(peer.got[0], "\r\nAccept: x\r\nX-Empty:\r\n"));
    assert_null(strstr(peer.got[0], "Content-Length"));
    assert_non_null(strstr(peer.got[1], "\r\nContent-Length: 3\r\n"));
    peer_end();
}

static void test_client_plain_send__sends_again_only_what_can_be_had_again(void **state)
{
    (void)state;
    peer_begin(serve_and_close, NULL);
    for (int i = 0; i < 3; i++) {
        CLEANUP(asked_done) struct asked a = i < 2 ? ask("GET") : put(3);
        a.once = i == 2;
        CHECK_CODE(go(&a), i < 2 ? BERTH_OK : BERTH_E_NETWORK);
    }
    peer_end();
}

static void serve_continue(void)
{
    int fd = take_and_hear();
    say(fd, peer.answer);
    bool again = strstr(peer.answer, "417"); /* another try, without asking */
    if (again) {
        close(fd);
        fd = take_and_hear();
    }
    if (again || !strstr(peer.answer, "401")) {
        hear_body(fd, 1000);
        say(fd, OK2);
    }
    hear(fd);
    close(fd);
}

static void test_client_plain_send__asks_before_it_sends_what_can_be_sent_only_once(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int status, requests;
        uint64_t received;
    } rows[] = {
        {"HTTP/1.1 100 Continue\r\n\r\n", 200, 1, 1000},
        {"", 200, 1, 1000}, /* it says nothing, for a second */
        {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", 401, 1, 0},
        {"HTTP/1.1 417 What\r\nContent-Length: 0\r\n\r\n", 200, 2, 1000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        peer_begin(serve_continue, rows[i].answer);
        CLEANUP(asked_done) struct asked a = put(1000);
        a.x.expects = a.once = true;
        CHECK_ROW(i, go(&a) == BERTH_OK && a.x.status == rows[i].status);
        CHECK_ROW(i, a.given == rows[i].received);
        peer_end();
        CHECK_ROW(i, peer.received == rows[i].received && peer.requests == rows[i].requests);
        CHECK_ROW(i, strstr(peer.got[0], "\r\nExpect: 100-continue\r\n"));
        CHECK_ROW(i, rows[i].requests == 1 || !strstr(peer.got[1], "Expect"));
    }
}

static void serve_large(void)
{
    int fd = take_and_hear();
    hear_body(fd, LARGE);
    say(fd, OK2);
    close(fd);
}

/* One whose content lies in a file as well, from there on. */
static struct asked put_file(int file, uint64_t at)
{
    struct asked a = put(LARGE);
    a.x.file = file;
    a.x.file_at = at;
    return a;
}

static void test_client_plain_send__has_the_kernel_send_a_file(void **state)
{
    (void)state;
    uint64_t sum = 0;
    CLEANUP(freep) unsigned char *bytes = mem_alloc(LARGE);
    CLEANUP(closep) int file = memfd_create("file", MFD_CLOEXEC);
    for (size_t i = 0; i < LARGE; i++) {
        bytes[i] = (unsigned char)(i * i >> 8);
        sum = sum * 31 + bytes[i];
    }
    CHECK(write(file, "head", 4) == 4 && write(file, bytes, LARGE) == LARGE);
    peer_begin(serve_large, NULL);
    CLEANUP(asked_done) struct asked a = put_file(file, 4);
    CHECK_OK(go(&a));
    assert_int_equal(a.passed, LARGE);
    assert_int_equal(a.given, 0);
    assert_int_equal(peer.received, LARGE);
    assert_true(peer.sum == sum);
    peer_end();
}

static void test_client_plain_send__ends_with_a_file_that_became_shorter(void **state)
{
    (void)state;
    CLEANUP(closep) int file = memfd_create("file", MFD_CLOEXEC);
    CHECK(ftruncate(file, 1000) == 0);
    peer_begin(serve_large, NULL);
    CLEANUP(asked_done) struct asked a = put_file(file, 0);
    a.short_one = true;
    assert_int_not_equal(go(&a), BERTH_OK);
    assert_int_equal(a.x.failure, FAILURE_LASTING);
    assert_int_equal(a.passed, 1000);
    peer_end();
}

static void serve_refusal(void)
{
    int fd = take_and_hear();
    say(fd, "HTTP/1.1 413 Large\r\nContent-Length: 3\r\n\r\nno!");
    hear_body(fd, UINT64_MAX);
    close(fd);
}

static void test_client_plain_send__stops_sending_to_who_refuses(void **state)
{
    (void)state;
    peer_begin(serve_refusal, NULL);
    CLEANUP(asked_done) struct asked a = put(4ll * GIB);
    CHECK_OK(go(&a));
    assert_int_equal(a.x.status, 413);
    CHECK_STR(berth_buf_str(&a.body), STR("no!"));
    assert_true(a.x.sent < 64 * MIB); /* what was on its way */
    peer_end();
}

static void serve_chunks(void)
{
    char all[400 * KIB];
    size_t n = 0;
    ssize_t got = 1;
    int fd = take_and_hear();
    while (got > 0 && (n < 5 || memcmp(all + n - 5, "0\r\n\r\n", 5) != 0)) {
        got = recv(fd, all + n, sizeof(all) - n, 0);
        n += got > 0 ? (size_t)got : 0;
    }
    for (size_t i = 0; i < n; i++)
        peer.received += all[i] == 'a' && i > 10; /* the sizes of chunks have letters, too */
    peer.sum = memcmp(all, "20000\r\naaa", 10) == 0;
    say(fd, OK2);
    close(fd);
}

static void test_client_plain_send__sends_what_has_no_length_in_chunks(void **state)
{
    (void)state;
    peer_begin(serve_chunks, NULL);
    CLEANUP(asked_done) struct asked a = put(-1);
    CHECK_OK(go(&a));
    assert_non_null(strstr(peer.got[0], "\r\nTransfer-Encoding: chunked\r\n"));
    assert_true(peer.sum);
    assert_true(peer.received >= 300 * KIB - 10 && peer.received <= 300 * KIB);
    peer_end();
}

RUN_TESTS(TEST(test_client_plain_send__says_what_is_asked_for_and_how_much_comes_with_it),
          TEST(test_client_plain_send__sends_again_only_what_can_be_had_again),
          TEST(test_client_plain_send__asks_before_it_sends_what_can_be_sent_only_once),
          TEST(test_client_plain_send__has_the_kernel_send_a_file),
          TEST(test_client_plain_send__ends_with_a_file_that_became_shorter),
          TEST(test_client_plain_send__stops_sending_to_who_refuses),
          TEST(test_client_plain_send__sends_what_has_no_length_in_chunks))
