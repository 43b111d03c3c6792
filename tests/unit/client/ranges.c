/* tests/unit/client/ranges.c - one blob in several ranges, from a registry that has ranges, or not, or is in
 * several ways at odds with itself. */
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "berth/download.h"
#include "client/partial.h"
#include "util/io.h"

#define SIZE 1000
#define FROM 50

enum oddity {
    NONE,
    STREAMS,          /* the whole blob, whatever is asked for, and of unknown length */
    NO_RANGES,        /* the same, of known length */
    NO_RANGES_LATER,  /* from that request on */
    BREAKS,           /* each answer after 20 bytes, from that request on */
    REFUSES,          /* with 503, once */
    REFUSES_FOR_GOOD, /* from that request on */
    OTHER_BYTES,      /* in that answer */
    OTHER_SIZE,       /* is said in that answer */
    NO_SIZE,          /* is said at all */
    NO_LENGTH,        /* no Content-Length: chunks */
    SHORT_RANGES,     /* at most 7 bytes each */
    OTHER_RANGE,      /* than was asked for */
};

/* Answers one request after the other, each on a connection of its own. */
struct registry {
    enum oddity oddity;
    int when; /* at the request of this number, from 1 on */
    int listener, n_requests, n_ranges;
    char blob[SIZE];
    berth_digest digest;
    pthread_t thread;
    char host[32], path[64], folder[32];
    berth_client *client;
    _Atomic bool ends;
};

/* Held back until serve() ends the connection, which a client is not to take for one that is kept. */
static void send_text(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_MORE);
}

static void send_bytes(const struct registry *s, int fd, size_t first, size_t last, bool chunked, bool breaks)
{
    size_t n = breaks ? MIN(last + 1 - first, 20u) : last + 1 - first;
    char size[32], copy[SIZE];
    memcpy(copy, s->blob + first, n);
    if (s->oddity == OTHER_BYTES && s->n_requests == s->when)
        copy[n / 2] ^= 1;
    snprintf(size, sizeof(size), "%zx\r\n", n);
    if (chunked)
        send_text(fd, size);
    (void)!send(fd, copy, n, MSG_NOSIGNAL | MSG_MORE);
    if (chunked)
        send_text(fd, "\r\n0\r\n\r\n");
}

static void answer(struct registry *s, int fd, const char *request)
{
    char head[256], length[64], of[24];
    size_t first = 0, last = SIZE - 1;
    enum oddity odd = s->oddity;
    const char *range = strstr(request, "\r\nRange: bytes=");
    bool from_here = s->n_requests >= s->when, here = s->n_requests == s->when;
    if (range) {
        char *end;
        first = strtoul(range + 15, &end, 10);
        last = end[1] >= '0' ? strtoul(end + 1, NULL, 10) : SIZE - 1;
        last = MIN(last, (size_t)SIZE - 1);
    }
    if ((odd == REFUSES && here) || (odd == REFUSES_FOR_GOOD && from_here)) {
        send_text(fd, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    if (first >= SIZE) {
        send_text(fd, "HTTP/1.1 416 Behind\r\nContent-Range: bytes */1000\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    if (odd == NO_RANGES || odd == STREAMS || (odd == NO_RANGES_LATER && from_here))
        range = NULL;
    if (!range)
        first = 0, last = SIZE - 1;
    if (range && odd == SHORT_RANGES)
        last = MIN(last, first + 6);
    if (range && odd == OTHER_RANGE && here)
        first++;
    snprintf(length, sizeof(length), "Content-Length: %zu\r\n", last + 1 - first);
    snprintf(of, sizeof(of), "%d", odd == OTHER_SIZE && here ? SIZE + 1 : SIZE);
    snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: a/b\r\n%s", range ? "206 Partial" : "200 OK",
             odd == NO_LENGTH || odd == STREAMS ? "Transfer-Encoding: chunked\r\n" : length);
    send_text(fd, head);
    if (range) {
        s->n_ranges++;
        snprintf(head, sizeof(head), "Content-Range: bytes %zu-%zu/%s\r\n", first, last,
                 odd == NO_SIZE ? "*" : of);
        send_text(fd, head);
    }
    send_text(fd, "\r\n");
    send_bytes(s, fd, first, last, odd == NO_LENGTH || odd == STREAMS, odd == BREAKS && from_here);
}

static void *serve(void *arg)
{
    struct registry *s = arg;
    while (!atomic_load(&s->ends)) {
        char request[4096] = "";
        size_t n = 0;
        ssize_t got = 1;
        int fd = accept(s->listener, NULL, NULL);
        while (fd >= 0 && got > 0 && n < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
            got = recv(fd, request + n, sizeof(request) - 1 - n, 0);
            n += got > 0 ? (size_t)got : 0;
            request[n] = '\0';
        }
        if (fd >= 0 && strstr(request, "\r\n\r\n")) {
            s->n_requests++;
            answer(s, fd, request);
            shutdown(fd, SHUT_WR);
        }
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

static void begin(struct registry *s, unsigned at_once)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    for (size_t i = 0; i < SIZE; i++)
        s->blob[i] = (char)(i * 7 + i / 256);
    digest_of(HASH_SHA256, s->blob, SIZE, &s->digest);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(s->listener >= 0 && bind(s->listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(listen(s->listener, 64) == 0 && getsockname(s->listener, (struct sockaddr *)&a, &size) == 0);
    snprintf(s->host, sizeof(s->host), "127.0.0.1:%d", ntohs(a.sin_port));
    CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
    snprintf(s->folder, sizeof(s->folder), "/tmp/berth-ranges-XXXXXX");
    CHECK(mkdtemp(s->folder));
    snprintf(s->path, sizeof(s->path), "%s/blob", s->folder);
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.first_wait_ms = 1;
    o.longest_wait_ms = 2;
    o.retries = 2;
    o.reads_at_once = at_once;
    CHECK_OK(berth_client_new(s->host, &o, &s->client, &test_err));
}

static void end(struct registry *s)
{
    char left[128];
    berth_client_free(s->client);
    atomic_store(&s->ends, true);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    snprintf(left, sizeof(left), "%s.%.12s.part", s->path, strchr(s->digest.text, ':') + 1);
    unlink(left);
    unlink(s->path);
    CHECK(rmdir(s->folder) == 0);
}

static const berth_get_options in_ranges = {sizeof(in_ranges), 4, FROM, 0, false};

static int get(struct registry *s, const berth_get_options *o)
{
    berth_call *call = NULL;
    int r = berth_blob_get_file_with(s->client, "a", s->digest.text, s->path, o, &call, &test_err);
    const berth_content *c = r == BERTH_OK ? berth_call_content(call) : NULL;
    if (r == BERTH_OK && (!c || c->size != SIZE || (c->media_type[0] && strcmp(c->media_type, "a/b") != 0)))
        fail_msg("content %p: %d, '%s'", (const void *)c, c ? (int)c->size : 0, c ? c->media_type : "");
    berth_call_free(call);
    return r;
}

static bool is_there(const struct registry *s)
{
    CLEANUP(berth_buf_done) berth_buf all = BERTH_BUF_INIT(2 * SIZE);
    return io_read_file(s->path, &all, NULL) == BERTH_OK && all.n == SIZE &&
           memcmp(all.p, s->blob, SIZE) == 0;
}

/* C067 */
static void test_client_ranges__bring_a_blob_whatever_the_registry_is_like(void **state)
{
    (void)state;
    static const struct {
        enum oddity oddity;
        int when, ranges; /* answered with 206, at least; 0: not one; -1: whatever */
    } rows[] = {
        {NONE, 0, 10},        {NO_RANGES, 0, 0},    {NO_RANGES_LATER, 2, 1}, {NO_RANGES_LATER, 4, 3},
        {REFUSES, 1, 10},     {REFUSES, 3, 10},     {BREAKS, 2, 20},         {BREAKS, 1, 20},
        {NO_SIZE, 0, 2},      {STREAMS, 0, 0},      {NO_LENGTH, 0, 10},      {SHORT_RANGES, 0, 100},
        {OTHER_BYTES, 1, 10}, {OTHER_BYTES, 5, 10}, {OTHER_RANGE, 3, 10},    {OTHER_SIZE, 3, 10},
    };
    for (unsigned at_once = 0; at_once < 3; at_once++)
        for (size_t i = 0; i < COUNT(rows); i++) {
            struct registry s = {.oddity = rows[i].oddity, .when = rows[i].when};
            begin(&s, at_once);
            int r = get(&s, &in_ranges);
            /* The download itself has no patience with such answers, the ranges beside it have. */
            bool may_fail = (rows[i].oddity == OTHER_RANGE || rows[i].oddity == OTHER_SIZE);
            if (r != BERTH_OK && !(may_fail && r == BERTH_E_INVALID))
                fail_msg("row %zu, %u: %d: %s", i, at_once, r, test_err.message);
            CHECK_ROW(i, r != BERTH_OK || is_there(&s));
            CHECK_ROW(i, rows[i].ranges ? r != BERTH_OK || s.n_ranges >= rows[i].ranges
                                        : s.n_ranges == 0 && s.n_requests == 1);
            end(&s);
        }
}

static void test_client_ranges__are_for_large_blobs_alone(void **state)
{
    (void)state;
    static const struct {
        berth_get_options o;
        int requests;
    } rows[] = {
        {{sizeof(berth_get_options), 0, FROM, 0, false}, 1},
        {{sizeof(berth_get_options), 1, FROM, 0, false}, 1},
        {{sizeof(berth_get_options), 4, 0, 0, false}, 1},
        {{sizeof(berth_get_options), 4, SIZE + 1, 0, false}, 1},
        {{sizeof(berth_get_options), 4, SIZE, 0, false}, 1}, /* which the first range brings */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct registry s = {0};
        begin(&s, 0);
        CHECK_OK(get(&s, &rows[i].o));
        CHECK_ROW(i, is_there(&s) && s.n_requests == rows[i].requests);
        end(&s);
    }
    struct registry s = {0};
    const berth_get_options too_many = {sizeof(too_many), 65, 0, 0, false};
    begin(&s, 0);
    CHECK_CODE(get(&s, &too_many), BERTH_E_INVALID);
    end(&s);
}

/* C066, C067: the process was killed at any moment: what it had noted then is all that counts. */
static void test_client_ranges__go_on_from_what_is_known_to_be_there(void **state)
{
    (void)state;
    static const uint64_t had[][6] = {
        {0, SIZE}, {0, 10, 500, 600},    {999, SIZE}, {0, 1, 998, SIZE}, {100, 200},
        {0, 0},    {300, 301, 600, 1000}};
    for (unsigned ranges = 0; ranges <= 4; ranges += 4)
        for (size_t i = 0; i < COUNT(had); i++) {
            struct registry s = {0};
            struct partial p = PARTIAL_INIT;
            char left[128];
            unsigned char record[GAPS_RECORD];
            const berth_get_options o = {sizeof(o), ranges, FROM, 0, false};
            begin(&s, 0);
            snprintf(left, sizeof(left), "%s.%.12s.part", s.path, strchr(s.digest.text, ':') + 1);
            int fd = open(left, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
            CHECK(fd >= 0);
            struct gaps g = {0};
            CHECK_OK(io_pwrite_all(fd, s.blob, SIZE, 0, &test_err));
            for (size_t k = 0; k < 6 && had[i][k] < had[i][k + 1]; k += 2) {
                CHECK(gaps_add(&g, had[i][k], had[i][k + 1]));
                for (uint64_t at = had[i][k]; at < had[i][k + 1]; at++) /* a hole, or worse */
                    CHECK_OK(io_pwrite_all(fd, "?", 1, at, &test_err));
            }
            gaps_save(&g, SIZE, record);
            CHECK_OK(io_pwrite_all(fd, record, sizeof(record), GAPS_RECORD, &test_err));
            close(fd);
            CHECK_OK(partial_open(&p, s.path, &s.digest, &test_err));
            CHECK_ROW(i, p.spread && gaps_left(&p.gaps) == gaps_left(&g));
            CHECK_ROW(i, p.at == gaps_front(&g, SIZE));
            partial_done(&p, true);
            gaps_done(&g);
            CHECK_OK(get(&s, &o));
            CHECK_ROW(i, is_there(&s) && access(left, F_OK) < 0);
            end(&s);
        }
}

static void test_client_ranges__fetch_anew_what_another_left_wrong(void **state)
{
    (void)state;
    for (int size = SIZE - 1; size <= SIZE + 1; size++) {
        struct registry s = {0};
        struct partial p = PARTIAL_INIT;
        begin(&s, 0);
        CHECK_OK(partial_open(&p, s.path, &s.digest, &test_err));
        CHECK_OK(partial_write(&p, "not what it is", 14, &test_err));
        CHECK_OK(partial_spread(&p, (uint64_t)size, &test_err));
        partial_done(&p, true);
        CHECK_OK(get(&s, &in_ranges));
        CHECK(is_there(&s));
        end(&s);
    }
}

static void test_client_ranges__fail_when_all_have_failed_and_leave_what_came(void **state)
{
    (void)state;
    struct registry s = {.oddity = REFUSES_FOR_GOOD, .when = 5};
    begin(&s, 0);
    CHECK_CODE(get(&s, &in_ranges), BERTH_E_BUSY);
    int had = s.n_ranges;
    CHECK(had == 4 && !is_there(&s));
    s.oddity = NONE;
    CHECK_OK(get(&s, &in_ranges));
    CHECK(is_there(&s));
    end(&s);
}

static void test_client_ranges__fill_a_file_that_is_open_and_no_more_than_it_may_hold(void **state)
{
    (void)state;
    static const struct {
        enum oddity oddity;
        uint64_t max;
        int code;
    } rows[] = {{NONE, 0, BERTH_OK},
                {NONE, SIZE, BERTH_OK},
                {NONE, SIZE - 1, BERTH_E_TOO_BIG},
                {NO_RANGES, SIZE, BERTH_OK},
                {NO_RANGES, SIZE - 1, BERTH_E_TOO_BIG},
                {STREAMS, SIZE - 1, BERTH_E_TOO_BIG},
                {NO_SIZE, SIZE - 1, BERTH_E_TOO_BIG},
                {OTHER_BYTES, SIZE, BERTH_OK}};
    for (unsigned n = 0; n < 4; n++)
        for (size_t i = 0; i < COUNT(rows); i++) {
            struct registry s = {.oddity = rows[i].oddity, .when = 3};
            struct stat st;
            unsigned ranges = n % 2 ? 4 : 0;
            bool goes_on = n >= 2; /* though what is there is not its beginning */
            char have[SIZE];
            size_t read;
            const berth_get_options o = {sizeof(o), ranges, FROM, rows[i].max, goes_on};
            begin(&s, 0);
            int fd = open(s.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
            int none = open("/dev/null", O_RDWR | O_CLOEXEC);
            CHECK(fd >= 0 && write(fd, "what was there before", 21) == 21);
            CHECK_CODE(berth_blob_get_fd(s.client, "a", s.digest.text, none, &o, NULL, &test_err),
                       BERTH_E_INVALID);
            int r = berth_blob_get_fd(s.client, "a", s.digest.text, fd, &o, NULL, &test_err);
            if (r != rows[i].code)
                fail_msg("row %zu, %u ranges: %d: %s", i, ranges, r, test_err.message);
            CHECK_OK(io_pread(fd, have, SIZE, 0, &read, &test_err));
            CHECK_ROW(i, r != BERTH_OK || (read == SIZE && memcmp(have, s.blob, SIZE) == 0));
            CHECK_ROW(i, fstat(fd, &st) == 0 && st.st_size <= SIZE); /* and nothing behind it */
            CHECK_ROW(i, r == BERTH_OK || !goes_on || st.st_size == 0);
            CHECK_ROW(i, flistxattr(fd, NULL, 0) <= 0); /* nor beside it */
            close(fd);
            close(none);
            end(&s);
        }
}

/* Of one stream a half is there; of several ranges, what came before the registry refused the rest. */
static void test_client_ranges__go_on_in_a_file_that_is_open(void **state)
{
    (void)state;
    for (unsigned ranges = 0; ranges <= 4; ranges += 4) {
        struct registry s = {.oddity = ranges ? REFUSES_FOR_GOOD : NONE, .when = 4};
        char have[SIZE];
        size_t n;
        struct stat st;
        const berth_get_options o = {sizeof(o), ranges, FROM, SIZE, true};
        begin(&s, 0);
        int fd = open(s.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        if (ranges) {
            CHECK_CODE(berth_blob_get_fd(s.client, "a", s.digest.text, fd, &o, NULL, &test_err),
                       BERTH_E_BUSY);
            CHECK(fstat(fd, &st) == 0 && st.st_size > SIZE); /* with the record of what is there */
        } else {
            CHECK(write(fd, s.blob, SIZE / 2) == SIZE / 2);
        }
        s.oddity = NONE;
        s.n_ranges = 0;
        CHECK_OK(berth_blob_get_fd(s.client, "a", s.digest.text, fd, &o, NULL, &test_err));
        CHECK_OK(io_pread(fd, have, SIZE, 0, &n, &test_err));
        CHECK(n == SIZE && memcmp(have, s.blob, SIZE) == 0);
        CHECK(fstat(fd, &st) == 0 && st.st_size == SIZE && flistxattr(fd, NULL, 0) <= 0);
        CHECK_ROW(ranges, s.n_ranges > 0);
        close(fd);
        end(&s);
    }
}

/* What was left of it counts as well. */
static void test_client_ranges__are_refused_where_more_is_there_than_may_be(void **state)
{
    (void)state;
    for (size_t there = SIZE / 2; there <= SIZE; there += SIZE / 2) {
        struct registry s = {0};
        char left[128];
        const berth_get_options o = {sizeof(o), 0, 0, SIZE / 2 - 1, false};
        begin(&s, 0);
        snprintf(left, sizeof(left), "%s.%.12s.part", s.path, strchr(s.digest.text, ':') + 1);
        int fd = open(left, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        CHECK(fd >= 0);
        CHECK_OK(io_pwrite_all(fd, s.blob, there, 0, &test_err));
        close(fd);
        CHECK_CODE(get(&s, &o), BERTH_E_TOO_BIG);
        unlink(left);
        end(&s);
    }
}

struct watched {
    berth_call *call;
    uint64_t done, frees_at;
};

static void on_progress(void *arg, const berth_call *call, const berth_progress *p)
{
    struct watched *w = arg;
    CHECK(call == w->call && p->done >= w->done && p->done <= SIZE);
    CHECK(p->total == SIZE || p->total == UINT64_MAX);
    w->done = p->done;
    if (w->frees_at && p->done >= w->frees_at && p->step == BERTH_STEP_RECEIVES)
        berth_call_free(steal(&w->call));
}

/* At each moment, from inside a callback and between two rounds. */
static void test_client_ranges__are_cancelled_and_counted_together(void **state)
{
    (void)state;
    for (uint64_t at = 0; at <= SIZE; at += 50) {
        struct registry s = {0};
        struct watched w = {.frees_at = at % 100 ? at : 0};
        begin(&s, 0);
        CHECK_OK(berth_blob_get_file_with_start(s.client, "a", s.digest.text, s.path, &in_ranges, &w.call,
                                                &test_err));
        berth_call_on_progress(w.call, on_progress, &w);
        while (w.call && berth_call_result(w.call, NULL) == BERTH_E_BUSY && (at % 100 || w.done <= at)) {
            struct pollfd p = {.fd = berth_client_fd(s.client), .events = POLLIN};
            CHECK(poll(&p, 1, 10000) == 1);
            berth_client_process(s.client);
        }
        CHECK(at % 100 == 0 || !w.call);
        berth_call_free(w.call);
        CHECK_OK(get(&s, &in_ranges)); /* goes on */
        CHECK(is_there(&s));
        end(&s);
    }
}

RUN_TESTS(TEST(test_client_ranges__bring_a_blob_whatever_the_registry_is_like),
          TEST(test_client_ranges__are_for_large_blobs_alone),
          TEST(test_client_ranges__go_on_from_what_is_known_to_be_there),
          TEST(test_client_ranges__fetch_anew_what_another_left_wrong),
          TEST(test_client_ranges__fail_when_all_have_failed_and_leave_what_came),
          TEST(test_client_ranges__fill_a_file_that_is_open_and_no_more_than_it_may_hold),
          TEST(test_client_ranges__go_on_in_a_file_that_is_open),
          TEST(test_client_ranges__are_refused_where_more_is_there_than_may_be),
          TEST(test_client_ranges__are_cancelled_and_counted_together))
