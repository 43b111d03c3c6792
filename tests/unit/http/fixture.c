/* tests/unit/http/fixture.c - see fixture.h. */
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "util/clock.h"

#define PATIENCE_S 20

void sleep_ms(unsigned ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

void wait_for(const atomic_int *counter, int n)
{
    for (int64_t until = clock_mono_ms() + PATIENCE_S * 1000; atomic_load(counter) != n; sleep_ms(2))
        if (clock_mono_ms() > until)
            fail_msg("waited for %d, have %d", n, atomic_load(counter));
}

/* --- the application --- */

struct upload {
    atomic_bool inside; /* handlers of one request must not overlap */
    uint64_t n;
    bool wrong;
    unsigned pieces;
};

static struct site *site_of(http_request *req)
{
    return http_app_data(req);
}

static void enter(http_request *req)
{
    struct upload *u = req->state;
    if (atomic_exchange(&u->inside, true))
        atomic_fetch_add(&site_of(req)->seen.overlaps, 1);
}

static void leave(http_request *req)
{
    struct upload *u = req->state;
    atomic_store(&u->inside, false);
}

static void answer_text(http_request *req, int status, const char *text)
{
    http_respond(req, status);
    http_set_header(req, "Content-Type", "%s", "text/plain");
    http_body_copy(req, str_from(text));
}

static void hello(http_request *req)
{
    http_respond(req, 200);
    http_body_lend(req, STR("hello, world\n"));
}

static void info(http_request *req)
{
    http_respond(req, 200);
    char *text = berth_arena_printf(
        &req->arena, STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT,
        STR_ARG(req->method_text), STR_ARG(req->scheme), STR_ARG(req->host), STR_ARG(req->prefix),
        STR_ARG(req->path), STR_ARG(req->query), STR_ARG(req->peer));
    http_body_lend(req, str_from(text));
}

static void headers(http_request *req)
{
    http_respond(req, 200);
    berth_str list = http_header_list(req, "x-list");
    http_set_header(req, "X-Seen", "%zu " STR_FMT, http_header_count(req, "X-List"), STR_ARG(list));
    http_set_header(req, "X-First", STR_FMT, STR_ARG(http_header(req, "X-LIST")));
    http_set_header(req, "X-Twice", "one");
    http_set_header(req, "x-twice", "two");
    http_add_header(req, "X-Many", "one");
    http_add_header(req, "X-Many", "two");
    http_set_header(req, "Content-Length", "%d", 5);
    http_set_header(req, "Transfer-Encoding", "chunked");
}

static void whole_file(http_request *req)
{
    struct site *s = site_of(req);
    http_respond(req, 200);
    http_body_file(req, s->file, 0, SITE_FILE_SIZE, NULL);
}

static void mixed(http_request *req)
{
    struct site *s = site_of(req);
    char *given = mem_alloc(5);
    memcpy(given, "given", 5);
    http_respond(req, 206);
    http_body_lend(req, STR("lent "));
    http_body_file(req, s->file, 10, 20, NULL);
    http_body_copy(req, STR(" copied "));
    http_body_file(req, s->file, 2 * MIB - 5, 100001, NULL);
    http_body_give(req, given, 5);
    http_body_lend(req, STR(""));
    http_body_file(req, s->file, SITE_FILE_SIZE - 7, 7, NULL);
}

static void beyond_the_file(http_request *req)
{
    struct site *s = site_of(req);
    http_respond(req, 200);
    http_body_file(req, s->file, 0, SITE_FILE_SIZE + 1, NULL);
}

static void long_memory(http_request *req)
{
    char *p = mem_alloc(20 * MIB);
    for (size_t i = 0; i < 20 * MIB; i++)
        p[i] = site_byte(i);
    http_respond(req, 200);
    http_body_give(req, p, 20 * MIB);
}

static void nothing(http_request *req)
{
    (void)req;
}

static void split_value(http_request *req)
{
    http_respond(req, 200);
    http_set_header(req, "X-Evil", "a\r\nSet-Cookie: %s", "b");
}

static void nul_value(http_request *req)
{
    http_respond(req, 200);
    http_set_header(req, "X-Evil", "a%cb", 0);
}

static void changed_mind(http_request *req)
{
    answer_text(req, 200, "first");
    http_set_header(req, "X-First", "yes");
    answer_text(req, 404, "second");
}

static void no_content(http_request *req)
{
    http_respond(req, 204);
}

static void not_modified(http_request *req)
{
    http_respond(req, 304);
    http_body_length(req, 1234);
}

static void last_one(http_request *req)
{
    hello(req);
    http_close_after(req);
}

static void wait_at_gate(http_request *req)
{
    atomic_fetch_add(&site_of(req)->seen.at_gate, 1);
    while (atomic_load(&site_of(req)->gate))
        sleep_ms(2);
    hello(req);
}

static void hand_over(http_request *req)
{
    http_hand_over(req, wait_at_gate);
}

static void echo(http_request *req)
{
    atomic_fetch_add(&site_of(req)->seen.ended, 1);
    http_respond(req, 200);
    http_body_lend(req, http_body(req));
}

static void stream_begin(http_request *req)
{
    enter(req);
    atomic_fetch_add(&site_of(req)->seen.begun, 1);
    leave(req);
}

static void stream_piece(http_request *req, const void *p, size_t n)
{
    struct upload *u = req->state;
    const char *bytes = p;
    enter(req);
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != site_byte(u->n + i))
            u->wrong = true;
    u->n += n;
    u->pieces++;
    if (req->body_received < u->n)
        u->wrong = true;
    atomic_fetch_add(&site_of(req)->seen.pieces, 1);
    atomic_fetch_add(&site_of(req)->seen.body, n);
    leave(req);
}

static void stream_end(http_request *req)
{
    struct upload *u = req->state;
    enter(req);
    atomic_fetch_add(&site_of(req)->seen.ended, 1);
    http_respond(req, u->wrong ? 500 : 201);
    http_set_header(req, "X-Bytes", "%llu", (unsigned long long)u->n);
    http_set_header(req, "X-Pieces", "%u", u->pieces);
    leave(req);
}

static void stream_done(http_request *req)
{
    enter(req);
    atomic_fetch_add(&site_of(req)->seen.done, 1);
    leave(req);
    mem_free(req->state);
    req->state = NULL;
}

static void slow_piece(http_request *req, const void *p, size_t n)
{
    while (atomic_load(&site_of(req)->gate))
        sleep_ms(2);
    stream_piece(req, p, n);
}

static void refuse_at_begin(http_request *req)
{
    stream_begin(req);
    answer_text(req, 401, "who are you?");
}

static void refuse_at_piece(http_request *req, const void *p, size_t n)
{
    stream_piece(req, p, n);
    answer_text(req, 413, "enough");
}

static const struct {
    const char *path;
    unsigned methods;
    struct http_plan plan;
} table[] = {
    {"/hello", HTTP_GET | HTTP_HEAD, {.end = hello}},
    {"/worker", HTTP_GET | HTTP_HEAD, {.where = HTTP_WORKER, .end = hello}},
    {"/info", ~0u, {.end = info}},
    {"/headers", HTTP_GET, {.end = headers}},
    {"/file", HTTP_GET | HTTP_HEAD, {.end = whole_file}},
    {"/mixed", HTTP_GET | HTTP_HEAD, {.where = HTTP_WORKER, .end = mixed}},
    {"/beyond", HTTP_GET, {.end = beyond_the_file}},
    {"/memory", HTTP_GET, {.end = long_memory}},
    {"/nothing", HTTP_GET, {.end = nothing}},
    {"/split", HTTP_GET, {.end = split_value}},
    {"/nul", HTTP_GET, {.end = nul_value}},
    {"/changed", HTTP_GET, {.end = changed_mind}},
    {"/204", HTTP_GET, {.end = no_content}},
    {"/304", HTTP_GET, {.end = not_modified}},
    {"/last", HTTP_GET, {.end = last_one}},
    {"/gate", HTTP_GET, {.where = HTTP_WORKER, .end = wait_at_gate}},
    {"/over", HTTP_GET, {.end = hand_over}},
    {"/echo", HTTP_POST, {.body = HTTP_BODY_COLLECT, .max_body = 100000, .end = echo}},
    {"/echo-worker", HTTP_POST, {HTTP_WORKER, HTTP_BODY_COLLECT, 100000, NULL, NULL, echo, NULL}},
    {"/drop", HTTP_POST, {.where = HTTP_WORKER, .end = hello}},
    {"/stream", HTTP_PUT, {HTTP_WORKER, HTTP_BODY_STREAM, 0, stream_begin, stream_piece, stream_end, NULL}},
    {"/bare", HTTP_PUT, {HTTP_WORKER, HTTP_BODY_STREAM, 0, NULL, stream_piece, stream_end, NULL}},
    {"/inline", HTTP_PUT, {HTTP_INLINE, HTTP_BODY_STREAM, 0, stream_begin, stream_piece, stream_end, NULL}},
    {"/most",
     HTTP_PUT,
     {HTTP_WORKER, HTTP_BODY_STREAM, 1000000, stream_begin, stream_piece, stream_end, NULL}},
    {"/slow", HTTP_PUT, {HTTP_WORKER, HTTP_BODY_STREAM, 0, stream_begin, slow_piece, stream_end, NULL}},
    {"/401", HTTP_PUT, {HTTP_WORKER, HTTP_BODY_STREAM, 0, refuse_at_begin, stream_piece, stream_end, NULL}},
    {"/413", HTTP_PUT, {HTTP_WORKER, HTTP_BODY_STREAM, 0, stream_begin, refuse_at_piece, stream_end, NULL}},
};

static void route(http_request *req, struct http_plan *plan)
{
    for (size_t i = 0; i < COUNT(table); i++) {
        if (!str_eq(req->path, str_from(table[i].path)))
            continue;
        if (!(table[i].methods & req->method)) {
            answer_text(req, 405, "not so");
            return;
        }
        *plan = table[i].plan;
        if (plan->body == HTTP_BODY_STREAM) {
            req->state = mem_zalloc(1, sizeof(struct upload));
            plan->done = stream_done;
        }
        return;
    }
    answer_text(req, 404, "not here");
}

static void refuse(http_request *req, int status, const struct http_refusal *why)
{
    (void)status;
    http_set_header(req, "X-Refused", "%s", why->reason);
    http_body_copy(req, STR("refused\n"));
}

static void finished(http_request *req)
{
    struct site *s = site_of(req);
    atomic_store(&s->seen.status, req->status);
    atomic_store(&s->seen.sent, req->bytes_sent);
    atomic_fetch_add(&s->seen.aborted, req->aborted);
    atomic_fetch_add(&s->seen.finished, 1);
}

/* --- the site --- */

static int make_file(void)
{
    char name[] =
        "/tmp/berth-site-XXXXXX"; /* on a disk, where there is one: see posix_fadvise() in server.c */
    int fd = mkostemp(name, O_CLOEXEC);
    unlink(name);
    char *p = mem_alloc(SITE_FILE_SIZE);
    for (size_t i = 0; i < SITE_FILE_SIZE; i++)
        p[i] = site_byte(i);
    CHECK(fd >= 0 && write(fd, p, SITE_FILE_SIZE) == (ssize_t)SITE_FILE_SIZE);
    mem_free(p);
    return fd;
}

struct site *site_new(const struct http_options *opts, const char *address, const struct http_tls *tls)
{
    struct site *s = mem_zalloc(1, sizeof(*s));
    struct http_options own = opts ? *opts : (struct http_options){.loops = 0};
    if (!own.loops)
        own.loops = 2;
    if (!own.workers)
        own.workers = 4;
    const struct http_app app = {.data = s, .route = route, .refuse = refuse, .finished = finished};
    s->file = make_file();
    CHECK_OK(http_server_new(&app, &own, &s->server, &test_err));
    CHECK_OK(http_server_listen(s->server, address ? address : "127.0.0.1:0", tls, &s->address, &test_err));
    const char *colon = strrchr(s->address, ':');
    s->port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
    CHECK_OK(http_server_start(s->server, &test_err));
    return s;
}

void site_free(struct site *s)
{
    atomic_store(&s->gate, false);
    http_server_stop(s->server);
    http_server_join(s->server);
    struct http_stats stats;
    http_server_stats(s->server, &stats);
    CHECK(stats.connections == 0);
    CHECK(atomic_load(&s->seen.overlaps) == 0);
    http_server_free(s->server);
    close(s->file);
    mem_free(s->address);
    mem_free(s);
}

/* --- the client --- */

int client_connect(const struct site *s)
{
    const struct timeval patience = {PATIENCE_S, 0};
    int fd, r;
    if (strncmp(s->address, "unix:", 5) == 0) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        snprintf(a.sun_path, sizeof(a.sun_path), "%s", s->address + 5);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        r = connect(fd, (const struct sockaddr *)&a, sizeof(a));
    } else {
        const int on = 1;
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        r = connect(fd, (const struct sockaddr *)&a, sizeof(a));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    CHECK(fd >= 0 && r == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return fd;
}

/* A server that has closed may make sending fail: the answer is what counts. */
void client_send(int fd, berth_str bytes)
{
    while (bytes.n) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0) {
            CHECK(errno == EPIPE || errno == ECONNRESET);
            return;
        }
        bytes = str_from_offset(bytes, (size_t)n);
    }
}

void client_say(int fd, const char *text)
{
    client_send(fd, str_from(text));
}

void client_send_slowly(int fd, berth_str bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        client_send(fd, (berth_str){bytes.p + i, 1});
}

void client_send_body(int fd, uint64_t offset, uint64_t n)
{
    char piece[64 * KIB];
    for (uint64_t end = offset + n; offset < end;) {
        size_t take = (size_t)MIN(sizeof(piece), end - offset);
        for (size_t i = 0; i < take; i++)
            piece[i] = site_byte(offset + i);
        client_send(fd, (berth_str){piece, take});
        offset += take;
    }
}

bool client_is_closed(int fd)
{
    char piece[4096];
    ssize_t n;
    while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
        ;
    return n == 0 || errno == ECONNRESET;
}

bool client_read(int fd, bool head_only, struct reply *r)
{
    *r = (struct reply){.head = BERTH_BUF_INIT(64 * KIB), .body = BERTH_BUF_INIT(64 * MIB)};
    char ch;
    while (!str_ends(berth_buf_str(&r->head), STR("\r\n\r\n"))) {
        if (recv(fd, &ch, 1, 0) != 1)
            return false;
        berth_buf_putc(&r->head, ch);
        if (berth_buf_failed(&r->head)) /* a fault that was meant for the server */
            return false;
    }
    const char *head = berth_buf_cstr(&r->head);
    CHECK(sscanf(head, "HTTP/1.1 %d ", &r->status) == 1);
    const char *length = strstr(head, "\r\nContent-Length: ");
    unsigned long long left = length && !head_only ? strtoull(length + 18, NULL, 10) : 0;
    while (left) {
        size_t room = (size_t)MIN(left, 64 * KIB);
        char *at = berth_buf_reserve(&r->body, room);
        ssize_t n = at ? recv(fd, at, room, 0) : 0;
        if (n <= 0)
            return false;
        berth_buf_grow(&r->body, (size_t)n);
        left -= (unsigned long long)n;
    }
    return true;
}

void reply_done(struct reply *r)
{
    berth_buf_done(&r->head);
    berth_buf_done(&r->body);
}

bool reply_has(const struct reply *r, const char *line)
{
    char text[512];
    snprintf(text, sizeof(text), "\r\n%s\r\n", line);
    return memmem(r->head.p, r->head.n, text, strlen(text)) != NULL;
}

int client_ask(int fd, const char *request)
{
    struct reply r;
    client_say(fd, request);
    int status = client_read(fd, strncmp(request, "HEAD", 4) == 0, &r) ? r.status : 0;
    reply_done(&r);
    return status;
}

int site_ask(const struct site *s, const char *request)
{
    int fd = client_connect(s);
    int status = client_ask(fd, request);
    close(fd);
    return status;
}

static void ask_until(const struct site *s, int fd, const char *request, int status)
{
    const int64_t until = clock_mono_ms() + PATIENCE_S * 1000;
    for (int have; (have = s ? site_ask(s, request) : client_ask(fd, request)) != status; sleep_ms(2))
        if (clock_mono_ms() > until)
            fail_msg("waited for the status %d, have %d", status, have);
}

void client_ask_until(int fd, const char *request, int status)
{
    ask_until(NULL, fd, request, status);
}

void site_ask_until(const struct site *s, const char *request, int status)
{
    ask_until(s, -1, request, status);
}
