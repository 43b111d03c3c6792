/* tests/unit/http/server.c - the server over real sockets: requests, answers, limits, deadlines, the end. */
#include "fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "block_cases.h"
#include "util/clock.h"
#include "util/fault.h"

#define REQUEST(line) line " HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_http_server__answers_on_the_loop_and_on_a_worker(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    int fd = client_connect(s);
    static const char *const requests[] = {REQUEST("GET /hello"), REQUEST("GET /worker"),
                                           REQUEST("GET /over")};
    char ids[COUNT(requests)][64];
    for (size_t i = 0; i < COUNT(requests); i++) { /* on one connection */
        struct reply r;
        client_say(fd, requests[i]);
        CHECK_ROW(i, client_read(fd, false, &r));
        CHECK_ROW(i, r.status == 200 && reply_has(&r, "Content-Length: 13"));
        CHECK_STR_ROW(i, berth_buf_str(&r.body), STR("hello, world\n"));
        CHECK_ROW(i, strstr(r.head.p, "\r\nDate: ") && strstr(r.head.p, " GMT\r\n"));
        CHECK_ROW(i, !strstr(r.head.p, "Connection:"));
        const char *id = strstr(r.head.p, "\r\nX-Request-Id: ");
        CHECK_ROW(i, id && strspn(id + 16, "0123456789abcdef") == 32);
        memcpy(ids[i], id + 16, 32);
        CHECK_ROW(i, i == 0 || memcmp(ids[i], ids[i - 1], 32) != 0);
        reply_done(&r);
    }
    close(fd);
    wait_for(&s->seen.finished, 3);
    struct http_stats stats;
    http_server_stats(s->server, &stats);
    CHECK(stats.requests == 3 && stats.bytes_out == 39 && stats.bytes_in == 0 && stats.refused == 0);
    site_free(s);
}

static void test_http_server__answers_pipelined_requests_in_order(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    int fd = client_connect(s);
    CLEANUP(berth_buf_done) berth_buf all = BERTH_BUF_INIT(MIB);
    for (unsigned i = 0; i < 300; i++) {
        berth_buf_addf(&all, "POST /echo%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%03u",
                       i % 3 ? "" : "-worker", 3, i);
        berth_buf_addf(
            &all,
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n%03u\r\n0\r\n\r\n", i);
    }
    client_send(fd, berth_buf_str(&all));
    for (unsigned i = 0; i < 600; i++) {
        struct reply r;
        char want[4];
        snprintf(want, sizeof(want), "%03u", i / 2 % 1000);
        CHECK_ROW(i, client_read(fd, false, &r) && r.status == 200);
        CHECK_STR_ROW(i, berth_buf_str(&r.body), str_from(want));
        reply_done(&r);
    }
    close(fd);
    site_free(s);
}

static void test_http_server__closes_when_the_client_or_the_handler_wants_it(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool closes;
        const char *says; /* about Connection; NULL: nothing */
    } rows[] = {
        {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", true, "Connection: close"},
        {"GET /last HTTP/1.1\r\nHost: a\r\n\r\n", true, "Connection: close"},
        {"GET /hello HTTP/1.0\r\n\r\n", true, "Connection: close"},
        {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, "Connection: keep-alive"},
        {"BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n", true, "Connection: close"},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", false, NULL},
        {"\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", false, NULL},
        {"\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", true, "Connection: close"},
    };
    struct site *s = site_new(NULL, NULL, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = client_connect(s);
        struct reply r;
        client_say(fd, rows[i].request);
        CHECK_ROW(i, client_read(fd, false, &r));
        CHECK_ROW(i, rows[i].says ? reply_has(&r, rows[i].says) : !strstr(r.head.p, "Connection:"));
        if (rows[i].closes)
            CHECK_ROW(i, client_is_closed(fd));
        else
            CHECK_ROW(i, client_ask(fd, REQUEST("GET /hello")) == 200);
        reply_done(&r);
        close(fd);
    }
    site_free(s);
}

static void test_http_server__gives_each_block_the_status_it_deserves(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    for (unsigned slowly = 0; slowly < 2; slowly++)
        for (size_t i = 0; i < COUNT(block_cases); i++) {
            int fd = client_connect(s);
            struct reply r;
            if (slowly)
                client_send_slowly(fd, block_cases[i].text);
            else
                client_send(fd, block_cases[i].text);
            shutdown(fd, SHUT_WR); /* what waits for more is told that there is none */
            CHECK_ROW(i, client_read(fd, false, &r));
            int want = block_cases[i].status;
            if (want ? r.status != want : r.status != 404 && r.status != 405)
                fail_msg("row %zu: %d, wanted %d: " STR_FMT, i, r.status, want, STR_ARG(block_cases[i].text));
            if (want)
                CHECK_ROW(i, reply_has(&r, "Connection: close") && strstr(r.head.p, "X-Refused: "));
            CHECK_ROW(i, !want || client_is_closed(fd));
            reply_done(&r);
            close(fd);
        }
    site_free(s);
}

static void test_http_server__refuses_bodies_that_are_malformed(void **state)
{
    (void)state;
    static const char *const bodies[] = {"x\r\n",          "5\nhello", "5\r\nhelloo",
                                         "0\r\nX\r\n\r\n", "-1\r\n",   " 1\r\nx\r\n"};
    struct site *s = site_new(NULL, NULL, NULL);
    for (size_t i = 0; i < COUNT(bodies); i++)
        for (unsigned to = 0; to < 2; to++) {
            int fd = client_connect(s);
            client_say(fd, to ? "PUT /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                              : "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            CHECK_ROW(i, client_ask(fd, bodies[i]) == 400);
            CHECK_ROW(i, client_is_closed(fd));
            close(fd);
        }
    CHECK(atomic_load(&s->seen.ended) == 0);
    wait_for(&s->seen.done, COUNT(bodies));
    site_free(s);
}

static void test_http_server__tells_handlers_what_was_asked(void **state)
{
    (void)state;
    const char *trusted[] = {"127.0.0.1", "10.0.0.0/8"};
    struct http_options plain = {.prefix = "/my/path/"};
    struct http_options proxied = {.trusted_proxies = trusted, .n_trusted_proxies = 2};
    static const struct {
        bool proxied;
        const char *request, *want;
    } rows[] = {
        {false, "GET /my/path/info?a=b?c HTTP/1.1\r\nHost: h:1\r\n",
         "GET http h:1 /my/path /info a=b?c 127.0.0.1"},
        {false, "PATCH http://o:2/my/path/info HTTP/1.1\r\nHost: h:1\r\n",
         "PATCH http o:2 /my/path /info  127.0.0.1"},
        {false, "BREW /my/path/info HTTP/1.1\r\nHost: h\r\n", "BREW http h /my/path /info  127.0.0.1"},
        {false,
         "GET /my/path/info HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n"
         "X-Forwarded-Host: evil\r\n",
         "GET http h /my/path /info  127.0.0.1"},
        {true,
         "GET /info HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.1.1.1, 10.1.2.3\r\n"
         "X-Forwarded-Proto: https\r\nX-Forwarded-Host: real.example:80\r\n",
         "GET https real.example:80  /info  1.1.1.1"},
        {true,
         "GET /info HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: ftp\r\nX-Forwarded-Host: a/b\r\n"
         "X-Forwarded-For: nobody\r\n",
         "GET http h  /info  127.0.0.1"},
        {false, "GET /my/path/info HTTP/1.1\r\nHost: h\r\nForwarded: for=1.1.1.1;proto=https;host=evil\r\n",
         "GET http h /my/path /info  127.0.0.1"},
        {true,
         "GET /info HTTP/1.1\r\nHost: h\r\nForwarded: for=6.6.6.6;host=evil\r\n"
         "Forwarded: For=\"[2001:db8::1]:4711\";Proto=https;host=\"real.example:80\"\r\n"
         "Forwarded: for=10.1.2.3;proto=http;host=inner\r\n",
         "GET https real.example:80  /info  2001:db8::1"},
        /* both: most proxies write the one and pass on whatever their client made up in the other */
        {true,
         "GET /info HTTP/1.1\r\nHost: h\r\nForwarded: for=6.6.6.6;host=evil;proto=https\r\n"
         "X-Forwarded-For: 1.1.1.1\r\n",
         "GET http h  /info  1.1.1.1"},
        {true,
         "GET /info HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6;host=evil\r\n",
         "GET https h  /info  127.0.0.1"},
        {true, "GET /info HTTP/1.1\r\nHost: h\r\nForwarded: for=_hidden;by=unknown\r\n",
         "GET http h  /info  127.0.0.1"},
        /* malformed in one of its fields: as if it were not there */
        {true, "GET /info HTTP/1.1\r\nHost: h\r\nForwarded: for=\"6.6.6.6\r\nForwarded: for=1.1.1.1\r\n",
         "GET http h  /info  127.0.0.1"},
        {true, "GET /info HTTP/1.1\r\nHost: h\r\nForwarded: for=\"a\r\nForwarded: b\";host=evil\r\n",
         "GET http h  /info  127.0.0.1"},
        {true, "GET /info HTTP/1.1\r\nHost: h\r\nForwarded:\r\nX-Forwarded-For: 2.2.2.2\r\n",
         "GET http h  /info  2.2.2.2"},
    };
    struct site *sites[] = {site_new(&plain, NULL, NULL), site_new(&proxied, NULL, NULL)};
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = client_connect(sites[rows[i].proxied]);
        struct reply r;
        client_say(fd, rows[i].request);
        client_say(fd, "\r\n");
        CHECK_ROW(i, client_read(fd, false, &r) && r.status == 200);
        CHECK_STR_ROW(i, berth_buf_str(&r.body), str_from(rows[i].want));
        reply_done(&r);
        close(fd);
    }
    CHECK(site_ask(sites[0], REQUEST("GET /info")) == 404);
    CHECK(site_ask(sites[0], REQUEST("GET /my/pathinfo")) == 404);
    CHECK(site_ask(sites[0], REQUEST("GET /my/path")) == 404); /* "/", which the application does not have */
    site_free(sites[0]);
    site_free(sites[1]);
}

static void test_http_server__writes_headers_as_set(void **state)
{
    (void)state;
    const char *own[] = {"X-Own: yes", "X-Many:  operator "};
    struct http_options opts = {.server_name = "berth/test", .headers = own, .n_headers = 2};
    struct site *s = site_new(&opts, NULL, NULL);
    int fd = client_connect(s);
    struct reply r;
    client_say(fd, "GET /headers HTTP/1.1\r\nHost: a\r\nX-List: a\r\nx-list:\r\nX-LIST: b, "
                   "c\r\nX-Request-Id: evil\r\n\r\n");
    CHECK(client_read(fd, false, &r) && r.status == 200);
    static const char *const lines[] = {"X-Seen: 3 a, , b, c", "X-First: a",       "x-twice: two",
                                        "X-Many: one",         "X-Many: two",      "X-Own: yes",
                                        "Server: berth/test",  "Content-Length: 0"};
    for (size_t i = 0; i < COUNT(lines); i++)
        CHECK_ROW(i, reply_has(&r, lines[i]));
    CHECK(!strstr(r.head.p, "X-Twice: one") && !strstr(r.head.p, "operator") && !strstr(r.head.p, "evil"));
    CHECK(!strstr(r.head.p, "Transfer-Encoding") && !strstr(r.head.p, "Content-Length: 5"));
    reply_done(&r);

    static const char *const faulty[] = {REQUEST("GET /split"), REQUEST("GET /nul"), REQUEST("GET /nothing")};
    for (size_t i = 0; i < COUNT(faulty); i++) {
        client_say(fd, faulty[i]);
        CHECK_ROW(i, client_read(fd, false, &r) && r.status == 500);
        CHECK_ROW(i, !strstr(r.head.p, "Cookie") && strstr(r.head.p, "X-Refused: "));
        reply_done(&r);
    }
    client_say(fd, REQUEST("GET /changed"));
    CHECK(client_read(fd, false, &r) && r.status == 404 && !strstr(r.head.p, "X-First"));
    CHECK_STR(berth_buf_str(&r.body), STR("second"));
    reply_done(&r);
    close(fd);
    site_free(s);

    static const char *const bad[] = {"X-Own", "X Own: a", ": a", "X: a\r\nY: b"};
    const struct http_app app = {.data = NULL};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct http_options with_bad = {.headers = &bad[i], .n_headers = 1};
        http_server *server;
        CHECK_ROW(i, http_server_new(&app, &with_bad, &server, &test_err) == BERTH_E_INVALID);
    }
}

static void test_http_server__gives_the_true_length_without_a_body(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
        const char *length; /* NULL: none is said */
    } rows[] = {
        {REQUEST("HEAD /hello"), 200, "Content-Length: 13"},
        {REQUEST("HEAD /worker"), 200, "Content-Length: 13"},
        {REQUEST("HEAD /file"), 200, "Content-Length: 3145851"},
        {REQUEST("HEAD /mixed"), 206, "Content-Length: 100046"},
        {REQUEST("GET /204"), 204, NULL},
        {REQUEST("GET /304"), 304, "Content-Length: 1234"},
    };
    struct site *s = site_new(NULL, NULL, NULL);
    int fd = client_connect(s);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reply r;
        client_say(fd, rows[i].request);
        CHECK_ROW(i, client_read(fd, true, &r) && r.status == rows[i].status);
        CHECK_ROW(i, rows[i].length ? reply_has(&r, rows[i].length) : !strstr(r.head.p, "Content-Length"));
        reply_done(&r);
    }
    CHECK(client_ask(fd, REQUEST("GET /hello")) == 200); /* nothing was sent between */
    close(fd);
    site_free(s);
}

static bool is_file_part(berth_str s, uint64_t offset)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != site_byte(offset + i))
            return false;
    return true;
}

static void test_http_server__sends_files_and_memory_in_the_order_given(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    int fd = client_connect(s);
    for (unsigned i = 0; i < 3; i++) {
        struct reply r;
        client_say(fd, REQUEST("GET /file"));
        CHECK(client_read(fd, false, &r) && r.body.n == SITE_FILE_SIZE);
        CHECK(is_file_part(berth_buf_str(&r.body), 0));
        reply_done(&r);

        client_say(fd, REQUEST("GET /mixed"));
        CHECK(client_read(fd, false, &r) && r.body.n == 100046);
        berth_str body = berth_buf_str(&r.body);
        CHECK_STR(str_head(body, 5), STR("lent "));
        CHECK(is_file_part(str_head(str_from_offset(body, 5), 20), 10));
        CHECK_STR(str_head(str_from_offset(body, 25), 8), STR(" copied "));
        CHECK(is_file_part(str_head(str_from_offset(body, 33), 100001), 2 * MIB - 5));
        CHECK_STR(str_head(str_from_offset(body, 100034), 5), STR("given"));
        CHECK(is_file_part(str_from_offset(body, 100039), SITE_FILE_SIZE - 7));
        reply_done(&r);

        client_say(fd, REQUEST("GET /memory"));
        CHECK(client_read(fd, false, &r) && r.body.n == 20 * MIB && is_file_part(berth_buf_str(&r.body), 0));
        reply_done(&r);
    }
    client_say(fd, REQUEST("GET /beyond"));
    struct reply r;
    CHECK(!client_read(fd, false, &r) && r.status == 200); /* never a wrong byte: the connection breaks */
    reply_done(&r);
    close(fd);
    wait_for(&s->seen.aborted, 1);
    site_free(s);
}

static void test_http_server__brings_in_pages_that_are_not_in_memory(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    int fd = client_connect(s);
    CHECK(fsync(s->file) == 0);
    for (unsigned i = 0; i < 3; i++) {
        posix_fadvise(s->file, 0, 0, POSIX_FADV_DONTNEED);
        struct reply r;
        client_say(fd, i % 2 ? REQUEST("GET /mixed") : REQUEST("GET /file"));
        CHECK(client_read(fd, false, &r) && r.body.n == (i % 2 ? 100046 : SITE_FILE_SIZE));
        CHECK(i % 2 || is_file_part(berth_buf_str(&r.body), 0));
        reply_done(&r);
    }
    close(fd);
    site_free(s);
}

static void test_http_server__serves_others_while_one_client_does_not_read(void **state)
{
    (void)state;
    struct http_options opts = {.loops = 1};
    struct site *s = site_new(&opts, NULL, NULL);
    int greedy = client_connect(s);
    client_say(greedy, REQUEST("GET /memory"));
    for (unsigned i = 0; i < 20; i++)
        CHECK_ROW(i, site_ask(s, REQUEST("GET /hello")) == 200);
    struct reply r;
    CHECK(client_read(greedy, false, &r) && r.body.n == 20 * MIB);
    reply_done(&r);
    close(greedy);
    site_free(s);
}

static void test_http_server__refuses_what_exceeds_its_limits(void **state)
{
    (void)state;
    struct http_options opts = {
        .limits = {.header_bytes = 2000, .header_count = 5, .uri_bytes = 500, .drain_bytes = 1000000}};
    struct site *s = site_new(&opts, NULL, NULL);
    static const struct {
        const char *before;
        int filling; /* this many letters */
        const char *after;
        int status;
    } rows[] = {
        {"GET /hello?", 400, " HTTP/1.1\r\nHost: a\r\n\r\n", 200},
        {"GET /hello?", 493, " HTTP/1.1\r\nHost: a\r\n\r\n", 200},
        {"GET /hello?", 494, " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
        {"GET /hello?", 3000, " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
        {"GET /hello?", 3000, "", 414},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nX: ", 1900, "\r\n\r\n", 200},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nX: ", 2000, "\r\n\r\n", 431},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nX: ", 2500, "", 431},
        {"GET /hello HTTP/1.1\r\nHost: a\r\n1:\r\n2:\r\n3:\r\n4:", 1, "\r\n\r\n", 200},
        {"GET /hello HTTP/1.1\r\nHost: a\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:", 1, "\r\n\r\n", 431},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n", 0, "", 413},
        {"PUT /most HTTP/1.1\r\nHost: a\r\nContent-Length: 1000001\r\n\r\n", 0, "", 413},
    };
    char filling[4000];
    memset(filling, 'a', sizeof(filling));
    for (size_t i = 0; i < COUNT(rows); i++) {
        char request[6000];
        snprintf(request, sizeof(request), "%s%.*s%s", rows[i].before, rows[i].filling, filling,
                 rows[i].after);
        int status = site_ask(s, request);
        if (status != rows[i].status)
            fail_msg("row %zu: %d, wanted %d", i, status, rows[i].status);
    }
    CHECK(atomic_load(&s->seen.begun) == 0);

    /* unannounced, it is found out on the way */
    static const char *const chunked[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "PUT /most HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"};
    for (size_t i = 0; i < COUNT(chunked); i++) {
        int fd = client_connect(s);
        client_say(fd, chunked[i]);
        client_say(fd, "1e8480\r\n"); /* 2,000,000 */
        client_send_body(fd, 0, 1050000);
        CHECK_ROW(i, client_ask(fd, "") == 413);
        close(fd);
    }
    CHECK(atomic_load(&s->seen.ended) == 0);
    site_free(s);
}

static void test_http_server__rests_when_descriptors_run_out(void **state)
{
    (void)state;
    struct http_options opts = {.loops = 1};
    struct site *s = site_new(&opts, NULL, NULL);
    int first = client_connect(s);
    CHECK(client_ask(first, REQUEST("GET /hello")) == 200);
    struct rlimit old, none;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    int other = client_connect(s);
    CHECK(client_ask(other, REQUEST("GET /hello")) == 200); /* nothing is left to be accepted */
    int late = socket(AF_INET, SOCK_STREAM, 0); /* takes the lowest free number: above it nothing is left */
    none = old;
    none.rlim_cur = (rlim_t)late + 1;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    close(late);
    int last = client_connect(s); /* this one gets the number, the server none */
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    CHECK(client_ask(first, REQUEST("GET /hello")) == 200); /* who is in is served */
    sleep_ms(600);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 300);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    close(last);
    CHECK(site_ask(s, REQUEST("GET /hello")) == 200); /* after the rest */
    close(first);
    close(other);
    site_free(s);
}

/* A byte now and then, until there is an answer. */
static void trickle(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (unsigned i = 0; poll(&p, 1, 60) == 0 && i < 300; i++)
        client_say(fd, "x");
}

/* A client's patience is shorter than what the server's would be without these. */
static void test_http_server__cuts_off_who_is_too_slow(void **state)
{
    (void)state;
    struct http_options header_opts = {.timeouts = {.header = 1000}};
    struct site *s = site_new(&header_opts, NULL, NULL);
    struct reply r;

    int header = client_connect(s);
    client_say(header, "GET /");
    int silent = client_connect(s); /* never says a word */
    trickle(header);                /* does not help */
    CHECK(client_read(header, false, &r) && r.status == 408);
    reply_done(&r);
    CHECK(client_is_closed(header) && client_is_closed(silent));
    close(silent);
    close(header);
    site_free(s);

    struct http_options idle_opts = {.timeouts = {.idle = 300}};
    s = site_new(&idle_opts, NULL, NULL);
    int idle = client_connect(s);
    CHECK(client_ask(idle, REQUEST("GET /hello")) == 200);
    CHECK(client_is_closed(idle));
    close(idle);
    site_free(s);

    struct http_options body_opts = {.timeouts = {.body = 300, .body_rate = 100000}};
    s = site_new(&body_opts, NULL, NULL);
    int body = client_connect(s); /* what trickles in is below the rate */
    client_say(body, "PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    trickle(body);
    CHECK(client_read(body, false, &r) && r.status == 408);
    reply_done(&r);
    CHECK(atomic_load(&s->seen.ended) == 0);
    wait_for(&s->seen.done, 1);

    int reader = client_connect(s); /* asks for 20 MiB and reads nothing */
    int aborted = atomic_load(&s->seen.aborted);
    client_say(reader, REQUEST("GET /memory"));
    wait_for(&s->seen.aborted, aborted + 1);
    close(body);
    close(reader);
    site_free(s);
}

static void test_http_server__does_not_blame_the_client_for_a_slow_handler(void **state)
{
    (void)state;
    struct http_options opts = {.timeouts = {.header = 700, .body = 200, .idle = 200}};
    struct site *s = site_new(&opts, NULL, NULL);
    atomic_store(&s->gate, true);
    int get = client_connect(s);
    client_say(get, REQUEST("GET /gate"));
    int put = client_connect(s);
    client_send(put, STR("PUT /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\0"));
    sleep_ms(800);
    atomic_store(&s->gate, false);
    CHECK(client_ask(get, "") == 200);
    CHECK(client_ask(put, "") == 201);
    close(get);
    close(put);
    site_free(s);
}

static void test_http_server__finishes_what_runs_when_stopped(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    atomic_store(&s->gate, true);
    int idle = client_connect(s), running = client_connect(s), upload = client_connect(s);
    CHECK(client_ask(idle, REQUEST("GET /hello")) == 200);
    client_say(running, REQUEST("GET /gate"));
    client_say(upload, "PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    wait_for(&s->seen.begun, 1);
    http_server_stop(s->server);
    CHECK(client_is_closed(idle));
    CHECK_CODE(http_server_submit(s->server, free, NULL, &test_err), BERTH_E_CANCELLED);

    atomic_store(&s->gate, false);
    struct reply r;
    CHECK(client_read(running, false, &r) && r.status == 200 && reply_has(&r, "Connection: close"));
    reply_done(&r);
    client_send_body(upload, 0, 1000000);
    CHECK(client_read(upload, false, &r) && r.status == 201 && reply_has(&r, "Connection: close"));
    reply_done(&r);
    close(idle);
    close(running);
    close(upload);
    http_server_join(s->server);
    CHECK(atomic_load(&s->seen.done) == 1);
    site_free(s);
}

static void test_http_server__refuses_connections_once_stopped(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    atomic_store(&s->gate, true);
    int running = client_connect(s);
    client_say(running, REQUEST("GET /gate"));
    http_server_stop(s->server);
    const struct sockaddr_in a = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)s->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool refused = false;
    for (int64_t until = clock_mono_ms() + 20000; !refused && clock_mono_ms() < until; sleep_ms(2)) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        refused = connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0;
        close(fd);
    }
    CHECK(refused);
    atomic_store(&s->gate, false);
    CHECK(client_ask(running, "") == 200);
    close(running);
    site_free(s);
}

static void test_http_server__starts_whole_or_not_at_all(void **state)
{
    (void)state;
#ifdef BERTH_FAULT
    const char *own[] = {"X-Own: yes"}, *trusted[] = {"10.0.0.1"};
    struct http_options opts = {.loops = 2,
                                .workers = 2,
                                .headers = own,
                                .n_headers = 1,
                                .server_name = "x",
                                .trusted_proxies = trusted,
                                .n_trusted_proxies = 1,
                                .limits = {.connections_per_peer = 1}};
    const struct http_app app = {.data = NULL};
    bool fired = true;
    unsigned n;
    for (n = 1; fired && n < 200; n++) {
        http_server *server = NULL;
        char *address = NULL;
        fault_arm(n);
        int r = http_server_new(&app, &opts, &server, &test_err);
        if (r == BERTH_OK)
            r = http_server_listen(server, "127.0.0.1:0", NULL, &address, &test_err);
        if (r == BERTH_OK)
            r = http_server_start(server, &test_err);
        fired = fault_disarm();
        CHECK_ROW(n, fired == (r != BERTH_OK));
        if (r == BERTH_OK) {
            http_server_stop(server);
            http_server_join(server);
        }
        http_server_free(server);
        mem_free(address);
    }
    CHECK(n > 15 && !fired);
#else
    skip();
#endif
}

static void test_http_server__stops_in_bounded_time(void **state)
{
    (void)state;
    struct http_options opts = {.timeouts = {.stop = 300}};
    struct site *s = site_new(&opts, NULL, NULL);
    int stuck = client_connect(s);
    client_say(stuck, "PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    wait_for(&s->seen.begun, 1);
    int64_t start = clock_mono_ms();
    http_server_stop(s->server);
    http_server_join(s->server);
    CHECK(clock_mono_ms() - start < 20000); /* of the 30 s that it would be else */
    CHECK(atomic_load(&s->seen.done) == 1 && atomic_load(&s->seen.ended) == 0);
    close(stuck);
    site_free(s);
}

static atomic_int errands;

static void errand(void *arg)
{
    (void)arg;
    atomic_fetch_add(&errands, 1);
}

static void test_http_server__runs_foreign_work(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    for (unsigned i = 0; i < 100; i++)
        CHECK_OK(http_server_submit(s->server, errand, NULL, &test_err));
    site_free(s); /* not before it has run */
    CHECK(atomic_load(&errands) == 100);
}

static void test_http_server__listens_where_it_is_told_to(void **state)
{
    (void)state;
    static const struct {
        const char *address, *want; /* NULL: cannot be */
    } rows[] = {
        {"localhost:0", "localhost:"},     {":0", "localhost:"}, {"127.0.0.1:0", "127.0.0.1:"},
        {"0.0.0.0:0", "0.0.0.0:"},         {"localhost", NULL},  {"localhost:x", NULL},
        {"localhost:70000", NULL},         {"", NULL},           {"unix:", NULL},
        {"unix:/nonexistent/dir/x", NULL}, {"fd:9999", NULL},    {"fd:0", NULL},
        {"203.0.113.1:0", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].want) {
            struct site *s = site_new(NULL, rows[i].address, NULL);
            CHECK_ROW(i, str_starts(str_from(s->address), str_from(rows[i].want)));
            CHECK_ROW(i, site_ask(s, REQUEST("GET /hello")) == 200);
            site_free(s);
            continue;
        }
        const struct http_app app = {.data = NULL};
        http_server *server;
        char *address = NULL;
        CHECK_OK(http_server_new(&app, NULL, &server, &test_err));
        CHECK_ROW(i, http_server_listen(server, rows[i].address, NULL, &address, &test_err) != BERTH_OK);
        CHECK_ROW(i, !address);
        http_server_free(server);
    }
}

static void test_http_server__takes_both_families_for_localhost(void **state)
{
    (void)state;
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool have_six = fd >= 0 && bind(fd, (const struct sockaddr *)&six, sizeof(six)) == 0;
    close(fd);
    static const char *const addresses[] = {"localhost:0", ":0"};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct site *s = site_new(NULL, addresses[i], NULL);
        CHECK_ROW(i, site_ask(s, REQUEST("GET /hello")) == 200);
        if (have_six) {
            six.sin6_port = htons((uint16_t)s->port);
            fd = socket(AF_INET6, SOCK_STREAM, 0);
            CHECK_ROW(i, connect(fd, (const struct sockaddr *)&six, sizeof(six)) == 0);
            CHECK_ROW(i, client_ask(fd, REQUEST("GET /hello")) == 200);
            close(fd);
        }
        site_free(s);
    }
}

static void test_http_server__refuses_a_port_that_another_server_holds(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, "localhost:0", NULL);
    const struct http_app app = {.data = NULL};
    http_server *server;
    char *address = NULL;
    CHECK_OK(http_server_new(&app, NULL, &server, &test_err));
    CHECK_CODE(http_server_listen(server, s->address, NULL, &address, &test_err), BERTH_E_NETWORK);
    http_server_free(server);
    site_free(s);
}

static void test_http_server__serves_unix_sockets_and_inherited_ones(void **state)
{
    (void)state;
    char dir[] = "/tmp/berth-http-XXXXXX", address[64];
    CHECK(mkdtemp(dir));
    snprintf(address, sizeof(address), "unix:%s/socket", dir);
    for (unsigned i = 0; i < 2; i++) {
        struct site *s = site_new(NULL, address, NULL);
        CHECK_STR(str_from(s->address), str_from(address));
        int fd = client_connect(s);
        struct reply r;
        client_say(fd, REQUEST("GET /info"));
        CHECK(client_read(fd, false, &r));
        CHECK_STR(berth_buf_str(&r.body), STR("GET http a  /info  unix"));
        reply_done(&r);
        client_say(fd, REQUEST("GET /file"));
        CHECK(client_read(fd, false, &r) && r.body.n == SITE_FILE_SIZE);
        reply_done(&r);
        close(fd);
        site_free(s);
        struct stat st;
        CHECK(stat(address + 5, &st) < 0); /* removed at the end */
        if (i == 0) {                      /* one that a crash left does not stand in the way */
            int stale = socket(AF_UNIX, SOCK_STREAM, 0);
            struct sockaddr_un a = {.sun_family = AF_UNIX};
            snprintf(a.sun_path, sizeof(a.sun_path), "%s", address + 5);
            CHECK(bind(stale, (const struct sockaddr *)&a, sizeof(a)) == 0);
            close(stale);
        }
    }
    CHECK(rmdir(dir) == 0);

    struct site *listening = site_new(NULL, NULL, NULL); /* only to have an address to copy */
    site_free(listening);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(listen(fd, 10) == 0); /* the kernel chooses the port */
    snprintf(address, sizeof(address), "fd:%d", fd);
    struct site *s = site_new(NULL, address, NULL);
    CHECK(s->port > 0);
    CHECK(site_ask(s, REQUEST("GET /hello")) == 200);
    site_free(s);
}

RUN_TESTS(TEST(test_http_server__answers_on_the_loop_and_on_a_worker),
          TEST(test_http_server__answers_pipelined_requests_in_order),
          TEST(test_http_server__closes_when_the_client_or_the_handler_wants_it),
          TEST(test_http_server__gives_each_block_the_status_it_deserves),
          TEST(test_http_server__refuses_bodies_that_are_malformed),
          TEST(test_http_server__tells_handlers_what_was_asked),
          TEST(test_http_server__writes_headers_as_set),
          TEST(test_http_server__gives_the_true_length_without_a_body),
          TEST(test_http_server__sends_files_and_memory_in_the_order_given),
          TEST(test_http_server__brings_in_pages_that_are_not_in_memory),
          TEST(test_http_server__serves_others_while_one_client_does_not_read),
          TEST(test_http_server__refuses_what_exceeds_its_limits),
          TEST(test_http_server__rests_when_descriptors_run_out),
          TEST(test_http_server__cuts_off_who_is_too_slow),
          TEST(test_http_server__does_not_blame_the_client_for_a_slow_handler),
          TEST(test_http_server__finishes_what_runs_when_stopped),
          TEST(test_http_server__refuses_connections_once_stopped),
          TEST(test_http_server__starts_whole_or_not_at_all), TEST(test_http_server__stops_in_bounded_time),
          TEST(test_http_server__runs_foreign_work), TEST(test_http_server__listens_where_it_is_told_to),
          TEST(test_http_server__takes_both_families_for_localhost),
          TEST(test_http_server__refuses_a_port_that_another_server_holds),
          TEST(test_http_server__serves_unix_sockets_and_inherited_ones))
