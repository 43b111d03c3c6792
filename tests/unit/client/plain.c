/* tests/unit/client/plain.c - exchanges on connections of our own, with a peer that does what a row says. */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "client/transport.h"

#define LARGE (3 * MIB)
#define OK2   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* --- the peer --- */

struct peer {
    int listener, port;
    pthread_t thread;
    void (*serve)(struct peer *p);
    const char *answer;
    char got[8][4096]; /* requests, up to the end of their header */
    _Atomic int requests, connections;
    uint64_t received; /* of a body */
    uint64_t sum;
};

static int take(struct peer *p)
{
    int fd = accept(p->listener, NULL, NULL);
    p->connections++;
    return fd;
}

static bool hear(struct peer *p, int fd)
{
    char *to = p->got[p->requests];
    size_t n = 0;
    while (n < sizeof(p->got[0]) - 1 && recv(fd, to + n, 1, 0) == 1) {
        to[++n] = '\0';
        if (n >= 4 && memcmp(to + n - 4, "\r\n\r\n", 4) == 0) {
            p->requests++;
            return true;
        }
    }
    return false;
}

static void say(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void hear_body(struct peer *p, int fd, uint64_t length)
{
    static unsigned char piece[64 * KIB];
    ssize_t n = 1;
    while (p->received < length && n > 0) {
        n = recv(fd, piece, (size_t)MIN(length - p->received, (uint64_t)sizeof(piece)), 0);
        for (ssize_t i = 0; i < n; i++)
            p->sum = p->sum * 31 + piece[i];
        p->received += n > 0 ? (uint64_t)n : 0;
    }
}

static void *run_peer(void *arg)
{
    struct peer *p = arg;
    p->serve(p);
    return NULL;
}

static struct transport *begin(struct peer *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    struct transport *t = NULL;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(p->listener >= 0 && bind(p->listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(listen(p->listener, 8) == 0 && getsockname(p->listener, (struct sockaddr *)&a, &size) == 0);
    p->port = ntohs(a.sin_port);
    CHECK(pthread_create(&p->thread, NULL, run_peer, p) == 0);
    o.timeout_ms = 10000;
    CHECK_OK(transport_new(&o, "127.0.0.1:1", &t, &test_err));
    return t;
}

static void finish(struct peer *p, struct transport *t)
{
    transport_free(t);
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
}

/* --- the exchange --- */

struct asked {
    struct exchange x;
    char url[128];
    berth_buf body;
    bool ended;
    int code;
    berth_error err;
    uint64_t given, passed, length; /* of a body: a's, by send() */
    unsigned rewinds;
    bool once, short_one;
    unsigned pauses, paused; /* so many are to be made, and were */
};

static bool pauses(struct asked *a)
{
    if (a->paused == a->pauses)
        return false;
    a->paused++;
    return true;
}

static int on_head(struct exchange *x)
{
    (void)x;
    return 0;
}

static int on_body(struct exchange *x, const void *p, size_t n)
{
    struct asked *a = CONTAINER_OF(x, struct asked, x);
    if (pauses(a))
        return BERTH_PAUSE;
    berth_buf_add(&a->body, p, n);
    return 0;
}

static int on_send(struct exchange *x, void *p, size_t n, size_t *ret_n)
{
    struct asked *a = CONTAINER_OF(x, struct asked, x);
    if (a->short_one)
        return -1;
    if (pauses(a))
        return BERTH_PAUSE;
    *ret_n = (size_t)MIN((uint64_t)n, a->length - a->given);
    memset(p, 'a', *ret_n);
    a->given += *ret_n;
    return 0;
}

static bool on_rewind(struct exchange *x)
{
    struct asked *a = CONTAINER_OF(x, struct asked, x);
    a->rewinds++;
    bool can = !a->once || !a->given;
    a->given = 0;
    return can;
}

static void on_passed(struct exchange *x, size_t n)
{
    CONTAINER_OF(x, struct asked, x)->passed += n;
}

static void on_end(struct exchange *x, int code, const berth_error *err)
{
    struct asked *a = CONTAINER_OF(x, struct asked, x);
    a->ended = true;
    a->code = code;
    a->err = *err;
}

static const struct exchange_events events = {.head = on_head,
                                              .body = on_body,
                                              .send = on_send,
                                              .rewind = on_rewind,
                                              .passed = on_passed,
                                              .end = on_end};

static struct asked ask(const struct peer *p, const char *method)
{
    struct asked a = {.body = BERTH_BUF_INIT(MIB)};
    snprintf(a.url, sizeof(a.url), "http://127.0.0.1:%d/v2/?n=1", p->port);
    a.x = (struct exchange){.events = &events,
                            .method = method,
                            .fields = STR("Accept: x\nX-Empty;\n"),
                            .body_length = -1,
                            .file = -1};
    return a;
}

/* One that puts so many bytes. */
static struct asked put(const struct peer *p, int64_t length)
{
    struct asked a = ask(p, "PUT");
    a.x.has_body = a.x.streams = true;
    a.x.body_length = length;
    a.length = length < 0 ? 300 * KIB : (uint64_t)length;
    return a;
}

static void go(struct transport *t, struct asked *a)
{
    a->x.url = a->url;
    CHECK_OK(transport_start(t, &a->x, &test_err));
    assert_true(a->x.handle->plain);
    transport_process(t);
    for (unsigned resumed = 0; !a->ended;) {
        if (resumed == a->paused)
            transport_wait(t);
        else if (++resumed) /* who waited now would wait for ever */
            transport_resume(t, &a->x);
        transport_process(t);
    }
    assert_null(a->x.handle);
}

static void asked_done(struct asked *a)
{
    berth_buf_done(&a->body);
    exchange_done(&a->x);
}

/* --- connections --- */

static void serve_and_close(struct peer *p)
{
    int fd = take(p);
    for (int i = 0; i < 2 && hear(p, fd); i++)
        say(fd, OK2);
    hear(p, fd);
    close(fd); /* and no answer */
    fd = take(p);
    hear(p, fd);
    hear_body(p, fd, 3);
    say(fd, OK2);
    close(fd);
}

static void
test_client_plain__keeps_a_connection_and_takes_another_when_it_turns_out_to_be_closed(void **state)
{
    (void)state;
    static struct peer p;
    p = (struct peer){.serve = serve_and_close};
    struct transport *t = begin(&p);
    for (int i = 0; i < 3; i++) {
        CLEANUP(asked_done) struct asked a = i < 2 ? ask(&p, "GET") : put(&p, 3);
        go(t, &a);
        assert_int_equal(a.code, BERTH_OK);
        CHECK_STR(berth_buf_str(&a.body), STR("ok"));
        assert_int_equal(a.rewinds, i < 2 ? 0 : 2);
    }
    assert_int_equal(p.connections, 2);
    assert_int_equal(p.received, 3);
    assert_string_equal(p.got[2], p.got[3]);
    assert_non_null(strstr(p.got[0], "GET /v2/?n=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
    assert_non_null(strstr(p.got[0], "\r\nAccept: x\r\nX-Empty:\r\n"));
    assert_null(strstr(p.got[0], "Content-Length"));
    assert_non_null(strstr(p.got[2], "\r\nContent-Length: 3\r\n"));
    finish(&p, t);
}

static void test_client_plain__sends_again_only_what_can_be_had_again(void **state)
{
    (void)state;
    static struct peer p;
    p = (struct peer){.serve = serve_and_close};
    struct transport *t = begin(&p);
    for (int i = 0; i < 3; i++) {
        CLEANUP(asked_done) struct asked a = i < 2 ? ask(&p, "GET") : put(&p, 3);
        a.once = i == 2;
        go(t, &a);
        assert_int_equal(a.code, i < 2 ? BERTH_OK : BERTH_E_NETWORK);
    }
    finish(&p, t);
}

static void test_client_plain__finds_this_machine_by_either_address(void **state)
{
    (void)state;
    static struct peer p;
    p = (struct peer){.serve = serve_and_close};
    struct transport *t = begin(&p);
    CLEANUP(asked_done) struct asked a = ask(&p, "GET"), gone = ask(&p, "GET");
    snprintf(a.url, sizeof(a.url), "http://localhost:%d/",
             p.port); /* which is [::1], too, where nobody listens */
    go(t, &a);
    assert_int_equal(a.code, BERTH_OK);
    snprintf(gone.url, sizeof(gone.url), "http://127.0.0.1:1/");
    go(t, &gone);
    assert_int_equal(gone.code, BERTH_E_NETWORK);
    assert_int_equal(gone.x.failure, FAILURE_UNREACHED);
    assert_string_equal(gone.err.message, "connecting to 127.0.0.1:1: Connection refused");
    finish(&p, t);
}

/* --- answers --- */

static void serve_bytes(struct peer *p)
{
    int fd = take(p);
    hear(p, fd);
    for (const char *at = p->answer; *at; at++)
        (void)!send(fd, at, 1, MSG_NOSIGNAL);
    if (strstr(p->answer, "KEEP"))
        hear(p, fd);
    close(fd);
}

static void test_client_plain__reads_every_framing_and_believes_none_that_is_broken(void **state)
{
    (void)state;
    static const struct {
        const char *method, *answer, *body; /* body NULL: it fails */
        int status;
        enum exchange_failure failure;
        bool keeps;
    } rows[] = {
        {"GET", "HTTP/1.1 200 KEEP\r\nContent-Length: 3\r\n\r\nabc", "abc", 200, 0, true},
        {"GET", "HTTP/1.1 200 KEEP\r\nContent-Length: 0\r\n\r\n", "", 200, 0, true},
        {"HEAD", "HTTP/1.1 200 KEEP\r\nContent-Length: 3\r\n\r\n", "", 200, 0, true},
        {"GET", "HTTP/1.1 204 KEEP\r\n\r\n", "", 204, 0, true},
        {"GET", "HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", 200, 0, false},
        {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", 200, 0, false},
        {"GET",
         "HTTP/1.1 200 KEEP\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n",
         "abcd", 200, 0, true},
        {"GET", "HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.1 404 KEEP\r\nContent-Length: 1\r\n\r\nx", "x", 404,
         0, true},
        {"GET", "", NULL, 0, FAILURE_BROKEN, false},
        {"GET", "HTTP/1.1 200 OK\r\nContent-", NULL, 0, FAILURE_BROKEN, false},
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", NULL, 0, FAILURE_BROKEN, false},
        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", NULL, 0, FAILURE_BROKEN,
         false},
        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd", NULL, 0, FAILURE_BROKEN,
         false},
        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", NULL, 0, FAILURE_BROKEN, false},
        {"GET", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", NULL, 0, FAILURE_LASTING, false},
        {"GET", "HTTP/1.1 101 Other\r\n\r\n", NULL, 0, FAILURE_LASTING, false},
        {"GET", "\x15\x03\x01", NULL, 0, FAILURE_LASTING, false},
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", NULL, 0,
         FAILURE_LASTING, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct peer p;
        p = (struct peer){.serve = serve_bytes, .answer = rows[i].answer};
        struct transport *t = begin(&p);
        CLEANUP(asked_done) struct asked a = ask(&p, rows[i].method);
        go(t, &a);
        CHECK_ROW(i, (a.code == BERTH_OK) == (rows[i].body != NULL));
        CHECK_ROW(i, a.x.failure == rows[i].failure);
        if (rows[i].body) {
            CHECK_STR_ROW(i, berth_buf_str(&a.body), str_from(rows[i].body));
            CHECK_ROW(i, a.x.status == rows[i].status);
        }
        finish(&p, t);
    }
}

static void serve_endless_header(struct peer *p)
{
    int fd = take(p);
    hear(p, fd);
    say(fd, "HTTP/1.1 200 OK\r\n");
    for (size_t n = 0; n < HEADER_MAX; n += 16)
        say(fd, "X-Header: value\r\n");
    close(fd);
}

static void serve_announcements(struct peer *p)
{
    int fd = take(p);
    hear(p, fd);
    for (int i = 0; i < 100; i++)
        say(fd, "HTTP/1.1 102 Processing\r\n\r\n");
    hear(p, fd);
    close(fd);
}

static void test_client_plain__listens_to_no_endless_announcements(void **state)
{
    (void)state;
    static struct peer p;
    p = (struct peer){.serve = serve_announcements};
    struct transport *t = begin(&p);
    CLEANUP(asked_done) struct asked a = ask(&p, "GET");
    go(t, &a);
    assert_int_equal(a.code, BERTH_E_INVALID);
    finish(&p, t);
}

static void test_client_plain__takes_no_header_beyond_its_limit(void **state)
{
    (void)state;
    static struct peer p;
    p = (struct peer){.serve = serve_endless_header};
    struct transport *t = begin(&p);
    CLEANUP(asked_done) struct asked a = ask(&p, "GET");
    go(t, &a);
    assert_int_equal(a.code, BERTH_E_TOO_BIG);
    finish(&p, t);
}

/* --- bodies --- */

static void serve_continue(struct peer *p)
{
    int fd = take(p);
    hear(p, fd);
    say(fd, p->answer);
    bool again = strstr(p->answer, "417"); /* another try, without asking */
    if (again) {
        close(fd);
        fd = take(p);
        hear(p, fd);
    }
    if (again || !strstr(p->answer, "401")) {
        hear_body(p, fd, 1000);
        say(fd, OK2);
    }
    hear(p, fd);
    close(fd);
}

static void test_client_plain__asks_before_it_sends_what_can_be_sent_only_once(void **state)
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
        static struct peer p;
        p = (struct peer){.serve = serve_continue, .answer = rows[i].answer};
        struct transport *t = begin(&p);
        CLEANUP(asked_done) struct asked a = put(&p, 1000);
        a.x.expects = a.once = true;
        go(t, &a);
        CHECK_ROW(i, a.code == BERTH_OK && a.x.status == rows[i].status);
        CHECK_ROW(i, a.given == rows[i].received);
        finish(&p, t);
        CHECK_ROW(i, p.received == rows[i].received && p.requests == rows[i].requests);
        CHECK_ROW(i, strstr(p.got[0], "\r\nExpect: 100-continue\r\n"));
        CHECK_ROW(i, rows[i].requests == 1 || !strstr(p.got[1], "Expect"));
    }
}

static void serve_large(struct peer *p)
{
    int fd = take(p);
    hear(p, fd);
    hear_body(p, fd, LARGE);
    say(fd, OK2);
    close(fd);
}

static void test_client_plain__has_the_kernel_send_a_file(void **state)
{
    (void)state;
    static struct peer p;
    p = (struct peer){.serve = serve_large};
    uint64_t sum = 0;
    int fd = memfd_create("file", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, "head", 4) == 4);
    for (size_t i = 0; i < LARGE; i++)
        sum = sum * 31 + (unsigned char)(i * i >> 8);
    unsigned char *bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (unsigned char)(i * i >> 8);
    CHECK(write(fd, bytes, LARGE) == LARGE);
    free(bytes);
    struct transport *t = begin(&p);
    CLEANUP(asked_done) struct asked a = put(&p, LARGE);
    a.x.file = fd;
    a.x.file_at = 4;
    go(t, &a);
    assert_int_equal(a.code, BERTH_OK);
    assert_int_equal(a.passed, LARGE);
    assert_int_equal(a.given, 0);
    assert_int_equal(p.received, LARGE);
    assert_true(p.sum == sum);
    finish(&p, t);
    close(fd);
}

static void test_client_plain__ends_with_a_file_that_became_shorter(void **state)
{
    (void)state;
    static struct peer p;
    p = (struct peer){.serve = serve_large};
    int fd = memfd_create("file", MFD_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, 1000) == 0);
    struct transport *t = begin(&p);
    CLEANUP(asked_done) struct asked a = put(&p, LARGE);
    a.x.file = fd;
    a.short_one = true;
    go(t, &a);
    assert_int_not_equal(a.code, BERTH_OK);
    assert_int_equal(a.x.failure, FAILURE_LASTING);
    assert_int_equal(a.passed, 1000);
    finish(&p, t);
    close(fd);
}

static void serve_refusal(struct peer *p)
{
    int fd = take(p);
    hear(p, fd);
    say(fd, "HTTP/1.1 413 Large\r\nContent-Length: 3\r\n\r\nno!");
    hear_body(p, fd, UINT64_MAX);
    close(fd);
}

static void test_client_plain__stops_sending_to_who_refuses(void **state)
{
    (void)state;
    static struct peer p;
    p = (struct peer){.serve = serve_refusal};
    struct transport *t = begin(&p);
    CLEANUP(asked_done) struct asked a = put(&p, 4ll * GIB);
    go(t, &a);
    assert_int_equal(a.code, BERTH_OK);
    assert_int_equal(a.x.status, 413);
    CHECK_STR(berth_buf_str(&a.body), STR("no!"));
    assert_true(a.x.sent < 64 * MIB); /* what was on its way */
    finish(&p, t);
}

static void serve_chunks(struct peer *p)
{
    char all[400 * KIB];
    size_t n = 0;
    ssize_t got = 1;
    int fd = take(p);
    hear(p, fd);
    while (got > 0 && (n < 5 || memcmp(all + n - 5, "0\r\n\r\n", 5) != 0)) {
        got = recv(fd, all + n, sizeof(all) - n, 0);
        n += got > 0 ? (size_t)got : 0;
    }
    for (size_t i = 0; i < n; i++)
        p->received += all[i] == 'a' && i > 10; /* the sizes of chunks have letters, too */
    p->sum = memcmp(all, "20000\r\naaa", 10) == 0;
    say(fd, OK2);
    close(fd);
}

static void test_client_plain__sends_what_has_no_length_in_chunks(void **state)
{
    (void)state;
    static struct peer p;
    p = (struct peer){.serve = serve_chunks};
    struct transport *t = begin(&p);
    CLEANUP(asked_done) struct asked a = put(&p, -1);
    go(t, &a);
    assert_int_equal(a.code, BERTH_OK);
    assert_non_null(strstr(p.got[0], "\r\nTransfer-Encoding: chunked\r\n"));
    assert_true(p.sum);
    assert_true(p.received >= 300 * KIB - 10 && p.received <= 300 * KIB);
    finish(&p, t);
}

static void serve_pausing(struct peer *p)
{
    int fd = take(p);
    hear(p, fd);
    hear_body(p, fd, 3);
    say(fd, OK2);
    hear(p, fd);
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    hear(p, fd);
    say(fd, OK2);
    close(fd);
}

static void test_client_plain__rests_while_its_call_pauses(void **state)
{
    (void)state;
    static const char *const bodies[] = {"ok", "abcdefg", "ok"};
    static struct peer p;
    p = (struct peer){.serve = serve_pausing};
    struct transport *t = begin(&p);
    for (int i = 0; i < 3; i++) {
        CLEANUP(asked_done) struct asked a = i ? ask(&p, "GET") : put(&p, 3);
        a.pauses = 4; /* in sending, in the first chunk, in all */
        go(t, &a);
        assert_int_equal(a.code, BERTH_OK);
        assert_int_equal(a.paused, 4);
        CHECK_STR(berth_buf_str(&a.body), str_from(bodies[i]));
    }
    assert_int_equal(p.received, 3);
    assert_int_equal(p.connections, 1);
    finish(&p, t);
}

/* --- what is left to libcurl --- */

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

RUN_TESTS(TEST(test_client_plain__keeps_a_connection_and_takes_another_when_it_turns_out_to_be_closed),
          TEST(test_client_plain__sends_again_only_what_can_be_had_again),
          TEST(test_client_plain__finds_this_machine_by_either_address),
          TEST(test_client_plain__reads_every_framing_and_believes_none_that_is_broken),
          TEST(test_client_plain__listens_to_no_endless_announcements),
          TEST(test_client_plain__takes_no_header_beyond_its_limit),
          TEST(test_client_plain__asks_before_it_sends_what_can_be_sent_only_once),
          TEST(test_client_plain__has_the_kernel_send_a_file),
          TEST(test_client_plain__ends_with_a_file_that_became_shorter),
          TEST(test_client_plain__stops_sending_to_who_refuses),
          TEST(test_client_plain__sends_what_has_no_length_in_chunks),
          TEST(test_client_plain__rests_while_its_call_pauses),
          TEST(test_client_plain__leaves_what_is_out_of_the_ordinary_to_libcurl),
          TEST(test_client_plain__leaves_proxies_and_named_places_to_libcurl))
